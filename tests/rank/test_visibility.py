from contextlib import ExitStack

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from telperion.rank.visibility import (
    DARK,
    SITES,
    STEP,
    Site,
    airmass,
    altitude,
    dark,
    moon,
    precess,
    separation,
    site,
    sun,
    visibility,
)  # fmt: skip

PACHON = SITES["cerro-pachon"]
FAR_AHEAD = pytest.mark.filterwarnings("ignore")  # astropy says that it does not know the Earth's rotation yet
NIGHTS = st.floats(58_000, 66_000)


@pytest.fixture
def sky(rng):
    return rng.uniform(0, 360, 300), np.degrees(np.arcsin(rng.uniform(-1, 1, 300)))


@pytest.fixture
def astropy_frame():
    from astropy import units
    from astropy.coordinates import AltAz, EarthLocation
    from astropy.time import Time
    from astropy.utils import iers

    settings = {"auto_download": False, "auto_max_age": None, "iers_degraded_accuracy": "ignore"}
    with ExitStack() as stack:
        for name, value in settings.items():
            stack.enter_context(iers.conf.set_temp(name, value))
        place = EarthLocation.from_geodetic(PACHON.longitude * units.deg, PACHON.latitude * units.deg)
        yield lambda mjd: AltAz(obstime=Time(mjd, format="mjd", scale="utc"), location=place)


@FAR_AHEAD
@pytest.mark.parametrize("mjd", [60_700.2, 61_500.05, 62_800.9])
def test_heights_are_those_of_astropy_to_a_minute_of_arc(mjd, sky, astropy_frame):
    from astropy import units
    from astropy.coordinates import SkyCoord

    theirs = SkyCoord(*(part * units.deg for part in sky)).transform_to(astropy_frame(mjd)).alt.deg
    assert altitude(*precess(*sky, mjd), PACHON, mjd) == pytest.approx(theirs, abs=1 / 60)


@FAR_AHEAD
@pytest.mark.parametrize("mjd", [60_700.2, 61_500.05, 62_800.9])
def test_the_sun_is_where_astropy_has_it(mjd, astropy_frame):
    from astropy.coordinates import get_sun

    frame = astropy_frame(mjd)
    assert altitude(*sun(mjd), PACHON, mjd) == pytest.approx(
        get_sun(frame.obstime).transform_to(frame).alt.deg, abs=0.03
    )


@FAR_AHEAD
@pytest.mark.parametrize("mjd", [60_700.2, 61_500.05, 62_800.9])
def test_the_moon_is_within_half_a_degree_of_where_astropy_has_it(mjd, astropy_frame):
    from astropy.coordinates import get_body

    theirs = get_body("moon", astropy_frame(mjd).obstime)
    assert separation(*precess(theirs.ra.deg, theirs.dec.deg, mjd), *moon(mjd)) < 0.5


@settings(deadline=None)
@given(st.floats(1, 90))
@example(89.9375)
def test_airmass_grows_towards_the_horizon_and_is_that_of_a_plane_near_the_zenith(height):
    assert airmass(height) >= airmass(min(height + 1, 90)) >= 1
    if height > 30:
        assert airmass(height) == pytest.approx(1 / np.sin(np.radians(height)), rel=0.01)
    assert np.isinf(airmass(-height))


@settings(deadline=None)
@given(NIGHTS)
def test_a_night_named_by_any_time_around_its_middle_is_that_night(mjd):
    middle = PACHON.midnight(mjd)
    assert abs(middle - mjd) <= 0.5 + 1e-9
    assert PACHON.midnight(middle + 0.49) == pytest.approx(PACHON.midnight(middle - 0.49)) == pytest.approx(middle)


@settings(deadline=None)
@given(NIGHTS)
def test_it_is_dark_around_midnight_at_these_latitudes(mjd):
    middle = PACHON.midnight(mjd)
    nightfall, daybreak = dark(PACHON, middle)
    assert nightfall < middle < daybreak
    assert (
        altitude(*sun(nightfall), PACHON, nightfall)
        < DARK
        < altitude(*sun(nightfall - 0.006), PACHON, nightfall - 0.006)
    )


def test_the_date_is_that_of_the_evening():
    assert PACHON.midnight("2026-12-31") == pytest.approx(PACHON.midnight("2027-01-01") - 1)
    assert 61_406 < PACHON.midnight("2026-12-31") < 61_406.5  # MJD 61406 is the first of January, 0 h


def test_where_it_is_never_dark_nothing_is_up():
    pole = Site(0, 89.9)
    seen = visibility([10.0], [80.0], pole, pole.midnight("2026-06-21"))
    assert seen.hours[0] == 0
    assert np.isnan([seen.best[0], seen.start[0], seen.stop[0], seen.altitude[0], seen.airmass[0]]).all()
    assert np.subtract(*dark(pole, pole.midnight("2026-06-21"))) == 0


def test_the_window_holds_the_best_moment_and_its_hours(sky):
    seen = visibility(*sky, PACHON, PACHON.midnight(61_000))
    up = seen.hours > 0
    assert 0.2 < up.mean() < 0.9
    assert np.array_equal(up, np.isfinite(seen.best))
    assert (seen.start[up] < seen.best[up]).all()
    assert (seen.best[up] < seen.stop[up]).all()
    assert (seen.airmass[up] <= 2).all()
    assert seen.hours[up] == pytest.approx((seen.stop - seen.start)[up] * 24, abs=2 * STEP / 60)
    for edge in (seen.start, seen.stop):
        height = altitude(*(part[up] for part in precess(*sky, 61_000.2)), PACHON, edge[up])
        assert (airmass(height) < 2.06).all()


def test_less_is_up_with_stricter_bounds(sky):
    middle = PACHON.midnight(61_000)
    free = visibility(*sky, PACHON, middle)
    low, dark_ones = (
        visibility(*sky, PACHON, middle, **bounds) for bounds in ({"most_airmass": 1.3}, {"from_moon": 90})
    )
    for seen in (low, dark_ones):
        assert (seen.hours <= free.hours).all()
        assert seen.hours.sum() < 0.9 * free.hours.sum()
    assert (dark_ones.moon[dark_ones.hours > 0] >= 90).all()


def test_an_object_without_position_is_not_up():
    seen = visibility([np.nan, 0.0], [0.0, np.nan], PACHON, PACHON.midnight(61_000))
    assert (seen.hours == 0).all()


@pytest.mark.parametrize("name", ["palomar", "1", "1,2,3", "a,b"])
def test_an_unknown_site_is_refused_with_those_known(name):
    with pytest.raises(ValueError, match="cerro-pachon, paranal"):
        site(name)


def test_impossible_places_and_nights_are_refused():
    with pytest.raises(ValueError, match="no place on the Earth"):
        Site(10, 91)
    for night in ("tonight", "2026-13-01", "nan", "inf"):
        with pytest.raises(ValueError, match="expected a date"):
            PACHON.midnight(night)
