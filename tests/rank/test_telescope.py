import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from telperion.rank.telescope import LEAST, Telescope, _normal

FOUR_METRES = Telescope(limit=21.5, overhead=10, longest=2, extinction=0.12)


@settings(deadline=None)
@given(st.floats(17, 24), st.floats(1, 2))
def test_an_exposure_reaches_the_magnitude_it_was_made_for(magnitude, airmass):
    hours = FOUR_METRES.hours(magnitude, airmass)
    assert FOUR_METRES.depth(hours, airmass) >= magnitude - 1e-9
    if hours > 1 / 60:
        assert FOUR_METRES.depth(hours, airmass) == pytest.approx(magnitude)


def test_a_magnitude_fainter_takes_six_times_as_long():
    assert FOUR_METRES.hours(21.5, 1.0) == pytest.approx(1)
    assert FOUR_METRES.hours(22.5, 1.0) == pytest.approx(10**0.8)
    assert FOUR_METRES.hours(21.5, 2.0) == pytest.approx(10 ** (0.8 * 0.12))


@settings(deadline=None)
@given(st.floats(17, 24), st.floats(0.02, 1), st.floats(1, 2), st.floats(0, 8))
def test_the_exposure_chosen_is_the_best_of_many(magnitude, error, airmass, most):
    hours, success = FOUR_METRES.exposure([magnitude], [error], [airmass], [most])
    tried = np.geomspace(1 / 60, 2, 400)
    tried = tried[tried + 10 / 60 <= most]
    margin = (FOUR_METRES.depth(tried, airmass) - magnitude) / error
    rate = np.array([0.5 * math.erfc(-x / math.sqrt(2)) for x in margin]) / (tried + 10 / 60)
    if np.isnan(hours[0]):
        assert success[0] == 0
        assert rate.size == 0 or margin.max() < -1.45
    else:
        assert hours[0] <= 2
        assert success[0] >= LEAST
        assert hours[0] + 10 / 60 <= most
        assert success[0] / (hours[0] + 10 / 60) >= 0.93 * rate[margin >= -1.5].max(initial=0)


def test_what_is_not_known_gets_no_exposure():
    hours, success = FOUR_METRES.exposure([np.nan, 20, 20], [0.1, 0.1, 0.1], [1, np.nan, 1], [5, 5, 0])
    assert np.isnan(hours).all()
    assert (success == 0).all()


def test_uncertain_brightness_is_met_by_a_margin_where_time_is_cheap():
    hours, success = FOUR_METRES.exposure([19.0, 22.0], [0.3, 0.3], [1, 1], [9, 9])
    margin = FOUR_METRES.depth(hours, 1.0) - [19.0, 22.0]
    assert margin[0] > 0.3  # six minutes more overhead than exposure: safety costs little
    assert margin[1] < margin[0]
    assert success[0] > success[1]


def test_the_normal_distribution_is_good_to_a_ten_thousandth():
    x = np.linspace(-6, 6, 500)
    assert _normal(x) == pytest.approx([0.5 * math.erfc(-value / math.sqrt(2)) for value in x], abs=2e-4)


@pytest.mark.parametrize("wrong", [{"limit": np.nan}, {"overhead": -1}, {"longest": 0}, {"extinction": np.inf}])
def test_impossible_telescopes_are_refused(wrong):
    with pytest.raises(ValueError, match=f"{next(iter(wrong))} of the telescope"):
        Telescope(**wrong)
