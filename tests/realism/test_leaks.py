"""What gives a simulated class away though it is no light of its own."""

from dataclasses import replace

import numpy as np
import pytest

from telperion.realism.leaks import leaks, traces
from telperion.simulate.kinds import KINDS
from telperion.simulate.survey import batches

pytest.importorskip("lightgbm", reason="boosters are the extra 'boost'")
SLOW = {"M-dwarf Flare": 20, "KN": 60}
"""Light curves of the classes that take longest."""


@pytest.fixture(scope="module")
def sky():
    (curves,) = batches({label: SLOW.get(label, 90) for label in KINDS}, KINDS, seed=11)
    return curves


def test_classes_stand_in_no_traces_of_the_simulation(sky):
    """Guessing with the host galaxies known to be missing in the Galaxy gives a macro F1 of .10."""
    found = leaks(sky)
    assert found.classes == sorted(KINDS)
    assert found.macro_f1["all but noise"] < 0.15
    assert found.macro_f1["MJD"] < 0.09
    assert found.macro_f1["earlier rows"] < 0.09
    assert found.macro_f1["redshift limits"] < 0.08
    assert found.macro_f1["order"] < 0.02


def test_a_leak_is_found_where_there_is_one(sky):
    missing = sky.with_context({"size": np.where(sky.label == "EB", np.nan, 1.0)})
    assert leaks(missing, seeds=[0]).f1["missing values"][sorted(KINDS).index("EB")] == 1


def test_traces_are_no_light(sky):
    table, kinds = traces(sky[:200])
    assert len(kinds) == table.shape[1]
    brighter = replace(sky[:200], flux=3 * sky[:200].flux)
    np.testing.assert_array_equal(traces(brighter)[0], table)


def test_one_class_leaks_nothing(sky):
    with pytest.raises(ValueError, match="1 classes have 5 objects"):
        leaks(sky[sky.label == "EB"])
