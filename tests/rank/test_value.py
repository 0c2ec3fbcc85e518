import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from telperion.rank.value import information, value
from telperion.taxonomy import Taxonomy

TREE = Taxonomy("toy", {"Alert": {"SN": {"SNIa": {}, "SNII": {}}, "TDE": {}, "KN": {}}})
SHARES = st.lists(st.floats(0, 1), min_size=4, max_size=4).filter(lambda shares: sum(shares) > 1e-3)


def said(*leaves: list[float]) -> np.ndarray:
    values = np.array(leaves, dtype=float)
    return TREE.from_leaves(values / values.sum(axis=1, keepdims=True))


@settings(deadline=None)
@given(SHARES)
def test_information_is_between_none_and_that_of_equal_chances(shares):
    bits = information(said(shares), TREE)
    assert -1e-12 <= bits[0] <= np.log2(4) + 1e-12
    assert information(said([1, 1, 1, 1]), TREE) == pytest.approx(2)
    assert information(said([0, 0, 1, 0]), TREE) == pytest.approx(0)


@settings(deadline=None)
@given(SHARES, SHARES)
def test_information_is_what_scipy_calls_entropy(one, other):
    stats = pytest.importorskip("scipy.stats", reason="a second opinion on entropies")
    probabilities = said(one, other)
    theirs = stats.entropy(probabilities[:, TREE.leaves], base=2, axis=1)
    assert information(probabilities, TREE) == pytest.approx(theirs, abs=1e-9)


@settings(deadline=None)
@given(SHARES)
def test_knowing_one_node_teaches_no_more_than_knowing_all(shares):
    probabilities = said(shares)
    for name in ("SN", "TDE", "SNIa"):
        assert value(probabilities, TREE, {name: 1}, "learning") <= information(probabilities, TREE) + 1e-9


def test_what_is_found_is_the_weighted_sum_of_probabilities():
    probabilities = said([1, 2, 3, 4])  # TDE, KN, SNIa, SNII
    assert value(probabilities, TREE, {"SN": 2.0, "KN": 1.0}) == pytest.approx(2 * 0.7 + 0.2)


def test_a_finder_wants_the_sure_and_a_learner_the_doubtful():
    probabilities = said([99, 0, 1, 0], [1, 1, 0, 0], [1, 0, 5, 0])
    found, learnt = (value(probabilities, TREE, {"TDE": 1.0}, aim) for aim in ("finding", "learning"))
    assert np.argmax(found) == 0
    assert np.argmax(learnt) == 1
    assert learnt[1] == pytest.approx(1)


@pytest.mark.parametrize(
    ("sought", "error", "match"),
    [
        ({"TDD": 1}, KeyError, "perhaps 'TDE'"),
        ({"SN": 1, "SNIa": 1}, ValueError, "above another"),
        ({"TDE": 0}, ValueError, "1 weights are not above zero, first that of 'TDE': 0"),
        ({"TDE": np.nan}, ValueError, "not above zero"),
    ],
)
def test_what_cannot_be_sought_is_refused(sought, error, match):
    with pytest.raises(error, match=match):
        value(said([1, 1, 1, 1]), TREE, sought)


def test_an_unknown_aim_is_refused():
    with pytest.raises(ValueError, match="expected one of finding, learning"):
        value(said([1, 1, 1, 1]), TREE, None, "wining")
