"""What a spectrum tells, and how long it takes."""

import numpy as np
import pytest

from telperion.followup import LIMIT, SHORTEST, exposure, information
from telperion.rank.telescope import Telescope
from telperion.taxonomy import Taxonomy

TREE = Taxonomy("toy", {"Alert": {"Transient": {"SNIa": {}, "TDE": {}}, "Variable": {"EB": {}, "AGN": {}}}})


def said(*leaves: float) -> np.ndarray:
    """Probabilities of all nodes, from those of SNIa, TDE, EB and AGN."""
    return TREE.from_leaves(np.array([leaves], dtype=float))


def test_exposures_are_those_of_the_usual_telescope(rng):
    magnitude = rng.uniform(12, 27, 100)
    np.testing.assert_allclose(exposure(magnitude), Telescope().hours(magnitude, 1.0))
    assert exposure(LIMIT) == 1
    assert exposure(5.0) == SHORTEST


def test_information_is_none_where_all_is_known_and_two_bits_among_four():
    assert information(said(0, 0, 1, 0), TREE) == pytest.approx(0)
    assert information(said(0.25, 0.25, 0.25, 0.25), TREE) == pytest.approx(2)
