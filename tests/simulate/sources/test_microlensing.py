import numpy as np
import pytest

from telperion.simulate.source import FIRST_PEAK, LAST_PEAK, Sky
from telperion.simulate.sources.microlensing import YEAR, Microlensing, _sun, magnification


@pytest.fixture(scope="module")
def drawn(make_sky):
    sky = make_sky(2000, seed=3)
    return sky, Microlensing().draw(sky, np.random.default_rng(4))


def path(events, one, time):
    """Light of one event at many times in r."""
    n = len(time)
    sky = Sky(
        events.place[[one], 0], events.place[[one], 1], np.zeros(1), np.zeros(1, dtype=bool), np.array([0, n]), time,
        np.full(n, 2, dtype=np.int8), np.full(n, 24.0),
    )  # fmt: skip
    return events.take(np.array([one])).light(sky, np.random.default_rng(0))


def test_light_is_added_and_within_its_bound(drawn):
    sky, events = drawn
    light, bound = events.light(sky, np.random.default_rng(0)), events.brightest()[sky.owner, sky.band]
    assert np.isfinite(light.difference).all()
    assert (light.difference >= 0).all()
    assert (light.difference <= bound * (1 + 1e-9)).all()
    assert (light.steady > 0).all()
    assert np.isnan(events.redshift).all()


def test_bound_holds_where_parallax_is_strongest(drawn):
    _, events = drawn
    bend = np.hypot(*events.parallax.T) * events.crossing**2
    for one in np.argsort(-bend)[:20]:
        time = events.time[one] + np.linspace(-600, 600, 20_001)
        assert (path(events, one, time).difference <= events.brightest()[one, 2] * (1 + 1e-9)).all()


def test_take_commutes_with_light(drawn):
    sky, events = drawn
    some = np.array([50, 2, 1999])
    part = events.take(some).light(sky.take(some), np.random.default_rng(0)).difference
    whole = events.light(sky, np.random.default_rng(0)).difference
    rows = np.concatenate([np.arange(sky.offsets[i], sky.offsets[i + 1]) for i in some])
    np.testing.assert_array_equal(part, whole[rows])


def test_magnification_is_paczynskis():
    # 3 / sqrt(5) at one Einstein radius, 1 / u close by (Paczynski 1986); sqrt(1 + 4 / rho^2) of a disc behind the lens
    np.testing.assert_allclose(magnification(np.array([1.0, 0.01, 50.0])), [3 / 5**0.5, 100, 1], rtol=1e-3)
    assert magnification(np.zeros(1), 0.02)[0] == pytest.approx((1 + 4 / 0.02**2) ** 0.5, rel=1e-3)


def test_single_events_peak_at_t0_and_last_as_long_as_their_crossing(drawn):
    _, events = drawn
    straight = (np.hypot(*events.parallax.T) * events.crossing**2 < 50) & (events.crossing < 60)
    single = (events.companion[:, 0] == 0) & (events.spike[:, 0] == 0) & straight & (events.disc < 0.01)
    for one in np.flatnonzero(single & (events.impact > 0.1))[:30]:
        time = events.time[one] + events.crossing[one] * np.linspace(-3, 3, 6001)
        added = path(events, one, time).difference / events.source[one, 2]
        assert added.max() == pytest.approx(magnification(events.impact[one : one + 1])[0] - 1, rel=0.02)
        assert abs(time[added.argmax()] - events.time[one]) < 0.05 * events.crossing[one]
        expected = magnification(np.hypot(1.0, events.impact[one : one + 1]))[0] - 1
        assert added[2000] == pytest.approx(expected, rel=0.25)
        assert added[0] < 0.05


def test_parallax_bends_but_touches_at_t0(make_sky):
    sky = make_sky(300, seed=1)
    events = Microlensing().draw(sky, np.random.default_rng(1))
    every = np.arange(300)
    np.testing.assert_allclose(events.separation(every, events.time), events.impact, rtol=1e-9)
    near = events.separation(every, events.time + 1e-3 * events.crossing)
    np.testing.assert_allclose(near, np.hypot(1e-3, events.impact), rtol=1e-2, atol=1e-5)
    late, early = (events.separation(every, events.time + sign * events.crossing) for sign in (1, -1))
    long = (events.crossing > 40) & (events.parallax[:, 0] != 0)
    assert np.median(np.abs(late - early)[long]) > 0.03
    assert np.abs(late - early)[events.parallax[:, 0] == 0].max() < 1e-9


def test_the_suns_motion_comes_back_after_a_year_but_for_the_line(make_sky):
    # Gould (2004): the offset from the tangent line has size 2 AU at most plus the line itself, 2 pi AU a year
    place = np.array([[270.0, 66.56]])  # pole of the ecliptic, where the orbit is seen as a circle
    reference = np.array([60800.0])
    half = np.hypot(*_sun(place, reference, np.array([YEAR / 2])))[0]
    full = np.hypot(*_sun(place, reference, np.array([YEAR])))[0]
    assert full == pytest.approx(2 * np.pi, rel=1e-3)
    assert half == pytest.approx(np.hypot(2, np.pi), rel=1e-3)
    quick = np.hypot(*_sun(place, reference, np.array([1.0])))[0]
    assert quick == pytest.approx((2 * np.pi / YEAR) ** 2 / 2, rel=1e-2)


def test_population_is_that_of_the_recipe(drawn):
    _, events = drawn
    # some 20 days towards the bulge, three times longer in the plane (Mroz et al. 2020)
    assert 25 < np.median(events.crossing) < 45
    assert ((events.crossing >= 3) & (events.crossing <= 300)).all()
    assert events.impact.mean() == pytest.approx(0.5, abs=0.03)
    assert ((events.time > FIRST_PEAK) & (events.time < LAST_PEAK)).all()
    assert 0.07 < ((events.companion[:, 0] > 0) | (events.spike[:, 0] > 0)).mean() < 0.13
    baseline = 31.4 - 2.5 * np.log10((events.source + events.blend)[:, 2])
    assert ((baseline > 16.0) & (baseline < 25.5)).all()
    share = (events.source / (events.source + events.blend))[:, [1, 3]]
    blended = share[:, 0] < 0.99
    assert 0.5 < blended.mean() < 0.9
    assert np.std(np.diff(share[blended], axis=1)) > 0.05  # blends have colours of their own


def test_two_bumps(drawn):
    _, events = drawn
    double = np.flatnonzero((events.companion[:, 0] > 0) & (events.companion[:, 3] < 0.7) & (events.impact < 0.7))
    for one in double[:20]:
        time = np.linspace(*np.sort([events.time[one], events.companion[one, 1]]), 401)
        added = path(events, one, time).difference
        assert added[[0, -1]].min() > 1.05 * added.min()
    spiky = np.flatnonzero(events.spike[:, 0] > 0)[:20]
    for one in spiky:
        first, days = events.spike[one, 1:]
        inside = path(events, one, first + days * np.linspace(0.001, 0.999, 401)).difference
        assert inside[[0, -1]].min() > inside.min()
