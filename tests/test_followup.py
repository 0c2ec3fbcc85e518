"""What a spectrum tells, and how long it takes."""

import numpy as np
import pytest

from telperion.followup import LIMIT, SHORTEST, exposure, followed, information
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


def test_information_on_some_leaves_takes_all_others_for_one_class(rng):
    shares = rng.dirichlet(np.ones(4), 50)
    merged = Taxonomy("merged", {"Alert": {"SNIa": {}, "TDE": {}, "other": {}}})
    together = merged.from_leaves(np.stack([*shares[:, :2].T, shares[:, 2:].sum(axis=1)], axis=1))
    found = information(TREE.from_leaves(shares), TREE, "Transient")
    np.testing.assert_allclose(found, information(together, merged), atol=1e-12)
    assert (found <= information(TREE.from_leaves(shares), TREE) + 1e-12).all()


def test_a_node_that_is_not_there_is_refused():
    with pytest.raises(KeyError, match="Unicorn"):
        information(said(1, 0, 0, 0), TREE, "Unicorn")


def test_transients_are_followed_where_a_tree_has_them():
    assert followed(TREE) == "Transient"
    assert followed(Taxonomy("toy", {"Alert": {"SN": {}, "AGN": {}}})) == ""
    assert all(followed(Taxonomy.load(name)) for name in ("elasticc", "plasticc", "mallorn"))
