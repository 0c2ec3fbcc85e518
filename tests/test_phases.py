import numpy as np
import pytest

from telperion.phases import KNOTS, at, checked_days, checked_keys, checked_knots, checked_table, context_places


def test_values_are_theirs_at_the_knots_and_linear_in_the_logarithm_between(rng):
    knots, values = np.array(KNOTS), rng.normal(size=(len(KNOTS), 2))
    np.testing.assert_allclose(at(values, knots, knots), values)
    days = rng.uniform(0, 1024, 50)
    expected = np.stack([np.interp(np.log1p(days), np.log1p(knots), column) for column in values.T], axis=1)
    np.testing.assert_allclose(at(values, days, knots), expected, atol=1e-12)
    np.testing.assert_allclose(at(values, np.array([5000.0]), knots), values[-1:])


@pytest.mark.parametrize("knots", [[0.0], [1.0, 2.0], [0.0, 2.0, 2.0], [0.0, np.nan], [[0.0, 1.0]], ["a", "b"]])
def test_knots_that_do_not_rise_from_zero_are_refused(knots):
    with pytest.raises(ValueError, match="knots"):
        checked_knots(knots)


def test_days_are_counted_from_the_first_detection():
    with pytest.raises(ValueError, match="below zero for 2 objects, first at object 1"):
        checked_days([1.0, -1.0, np.inf], 3)
    with pytest.raises(ValueError, match="expected"):
        checked_days(1.0, 3)


def test_contexts_find_their_places_whatever_their_order():
    places = context_places(["specz", "none", "photoz"], ("specz", "photoz", "none"), 3)
    assert places.tolist() == [0, 2, 1]
    assert context_places(None, ("any",), 2).tolist() == [0, 0]


def test_tables_of_files_are_checked():
    with pytest.raises(ValueError, match="it lacks 'a'"):
        checked_table({}, "a", (1,))
    with pytest.raises(ValueError, match="at most 1000000 are read"):
        checked_table({"a": []}, "a", (10_000, 10_000))
    with pytest.raises(ValueError, match="no table"):
        checked_keys([1], {"a"}, "it")
