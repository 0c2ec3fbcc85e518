import numpy as np
import pytest

from telperion.encode.view import FORCED, HISTORY, days_known, held_context, keep_context, view
from telperion.lightcurves import LightCurves

TIMES = [-100.0, -20.0, 0.0, 0.02, 0.04, 3.0, 40.0]
DETECTED = [False, False, True, False, True, False, True]


@pytest.fixture
def curves():
    n = len(TIMES)
    context = {"redshift": [0.5], "hostgal_specz": [0.5], "hostgal_photoz": [0.4], "mwebv": [0.1]}
    return LightCurves(["a"], [0, n], np.add(TIMES, 6e4), [1] * n, [1.0] * n, [1.0] * n, DETECTED, context)


def seen(curves):
    return (curves.time - 6e4).round(2).tolist()


def test_the_full_view_keeps_every_earlier_row(curves):
    assert seen(view(curves, 2.0)) == TIMES[:5]
    assert seen(view(curves)) == TIMES


def test_the_first_night_of_an_alert_shows_its_detections_only(curves):
    assert seen(view(curves, 0.9, "alert")) == [0.0, 0.04]


def test_the_next_day_brings_forced_photometry_of_thirty_days_back(curves):
    assert (HISTORY, FORCED) == (30, 1)
    assert seen(view(curves, 1.0, "alert")) == TIMES[1:5]
    assert seen(view(curves, np.inf, "alert")) == TIMES[1:]


def test_the_alert_view_of_a_longer_time_adds_rows_and_never_looks_ahead(curves):
    for days in (0.0, 1.0, 3.0, 64.0):
        known = view(curves, days, "alert")
        assert (known.days_since_first_detection <= days).all()


def test_the_history_before_an_alert_cannot_tell_how_long_it_was(curves):
    short = curves[0].between(6e4 - 30, np.inf)
    for days in (2.0, 8.0, 1024.0):
        assert seen(view(curves, days, "alert")) == seen(view(short, days, "alert"))


def test_an_object_without_detection_raises_no_alert(curves):
    silent = LightCurves(["a"], [0, 1], [1.0], [1], [1.0], [1.0], [False])
    assert view(silent, np.inf, "alert").n_rows == 0
    assert view(silent, np.inf, "full").n_rows == 1


def test_days_may_differ_from_object_to_object(curves):
    other = LightCurves(["b"], [0, 2], [1.0, 9.0], [1, 1], [1.0, 1.0], [1.0, 1.0], [True, True], dereddened=False)
    both = LightCurves.concatenate([curves, other])
    assert view(both, np.array([0.0, 100.0])).lengths.tolist() == [3, 2]


@pytest.mark.parametrize(("arguments", "message"), [((2.0, "half"), "view is 'half'"), ((np.nan,), "must not be NaN")])
def test_an_unknown_view_or_day_is_refused(curves, arguments, message):
    with pytest.raises(ValueError, match=message):
        view(curves, *arguments)


def test_without_a_spectrum_the_photometric_redshift_takes_over(curves):
    context = keep_context(curves, "photoz").context
    assert "hostgal_specz" not in context
    assert context["redshift"].tolist() == [0.4]


def test_without_context_nothing_is_left_and_fluxes_are_dereddened_first(curves):
    bare = keep_context(curves, "none")
    assert not bare.context
    assert bare.dereddened
    assert (bare.flux > curves.flux).all()


def test_an_unknown_context_is_refused(curves):
    with pytest.raises(ValueError, match="context is 'all'"):
        keep_context(curves, "all")


def test_the_days_known_are_those_of_the_last_row_and_at_least_one_with_forced_photometry():
    time, detected = [0.0, 5.0, 5.2, 6.5, 9.0], [False, True, True, False, True]
    curves = LightCurves(["a"], [0, 5], time, [1] * 5, [1] * 5, [1] * 5, detected)
    known = {day: days_known(view(curves, day, "alert"))[0] for day in (0.0, 0.5, 1.0, 2.0, 100.0)}
    assert known == pytest.approx({0.0: 0.0, 0.5: 0.2, 1.0: 1.0, 2.0: 1.5, 100.0: 4.0})


def test_nothing_is_known_before_the_first_detection():
    curves = LightCurves(["a", "b"], [0, 2, 2], [1.0, 2.0], [1, 1], [1, 1], [1, 1], [False, False])
    np.testing.assert_array_equal(days_known(curves), [0, np.nan])


def test_the_context_held_is_told_object_by_object(drawn):
    z = np.where(np.arange(len(drawn)) % 2, 0.1, np.nan)
    both = drawn.with_context({"hostgal_specz": z, "hostgal_photoz": np.full(len(drawn), 0.2)})
    assert set(held_context(both)[1::2]) == {"specz"}
    assert set(held_context(both)[::2]) == {"photoz"}
    assert set(held_context(keep_context(both, "photoz"))) == {"photoz"}
    assert set(held_context(keep_context(both, "none"))) == {"none"}
    assert set(held_context(drawn.with_context({"redshift": z}))) == {"specz", "none"}
    assert set(held_context(drawn.with_context({"hostgal_mag_r": z}))) == {"photoz"}
