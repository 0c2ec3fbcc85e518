import numpy as np
import pytest

from telperion.simulate.sources.eclipsing import EclipsingBinary, eclipsed

PHASES = np.linspace(0, 1, 1000, endpoint=False)


@pytest.fixture(scope="module")
def drawn(make_sky):
    sky = make_sky(600, seed=3)
    return sky, EclipsingBinary().draw(sky, np.random.default_rng(4))


def curves(pairs, band=1):
    owner, step = np.indices((len(pairs.period), PHASES.size))
    time = pairs.epoch[owner] + PHASES[step] * pairs.period[owner]
    flux = pairs.flux(owner.ravel(), time.ravel(), np.full(owner.size, band)).reshape(owner.shape)
    return flux / pairs.whole[:, band : band + 1]


def test_light_stays_within_its_bound(drawn):
    sky, pairs = drawn
    light = pairs.light(sky, np.random.default_rng(0))
    assert np.isfinite(light.difference).all()
    assert (np.abs(light.difference) <= pairs.brightest()[sky.owner, sky.band] * (1 + 1e-9)).all()
    assert (light.steady == pairs.template[sky.owner, sky.band]).all()
    assert (light.difference + light.steady >= 0).all()
    assert np.isnan(pairs.redshift).all()


@pytest.mark.parametrize("band", [0, 5])
def test_whole_curves_stay_within_the_bound(band, drawn):
    _, pairs = drawn
    difference = curves(pairs, band) * pairs.whole[:, [band]] - pairs.template[:, [band]]
    assert (np.abs(difference) <= pairs.brightest()[:, [band]] * (1 + 1e-9)).all()


def test_take_commutes_with_light(drawn):
    sky, pairs = drawn
    some = np.array([5, 2, 599])
    part = pairs.take(some).light(sky.take(some), np.random.default_rng(0)).difference
    whole = pairs.light(sky, np.random.default_rng(0)).difference
    rows = np.concatenate([np.arange(sky.offsets[i], sky.offsets[i + 1]) for i in some])
    np.testing.assert_array_equal(part, whole[rows])


def test_eclipses_of_discs_match_integration_over_the_disc():
    # linear limb darkening 0.6, summed on a grid of the hidden disc
    y, x = np.mgrid[-1:1:801j, -1:1:801j]
    radius = np.hypot(x, y)
    bright = np.where(radius < 1, 1 - 0.6 * (1 - np.sqrt(np.maximum(1 - radius**2, 0))), 0)
    for apart, front in [(0.0, 0.3), (0.5, 0.4), (1.1, 0.5), (0.9, 1.2), (0.05, 1.2), (1.8, 0.7)]:
        hidden = bright[np.hypot(x - apart, y) < front].sum() / bright.sum()
        found = eclipsed(np.array([apart]), np.ones(1), np.array([front]), np.array([0.6]))[0]
        assert found == pytest.approx(hidden, abs=0.05)
        even = eclipsed(np.array([apart]), np.ones(1), np.array([front]), np.zeros(1))[0]
        assert even == pytest.approx((np.hypot(x - apart, y) < front)[radius < 1].mean(), abs=0.005)


def test_every_pair_has_an_eclipse_that_its_stars_allow(drawn):
    _, pairs = drawn
    curve = curves(pairs)
    depth = -2.5 * np.log10(curve.min(axis=1) / np.percentile(curve, 98, axis=1))
    assert (depth > 0).mean() > 0.98
    assert 0.1 < np.median(depth) < 0.6
    assert 0.7 < np.percentile(depth, 95) < 2.0
    assert (depth > 0.05).mean() > 0.8


def test_detached_eclipses_are_short_and_contact_ones_never_end(drawn):
    _, pairs = drawn
    curve = curves(pairs)
    deep = curve.min(axis=1) < 0.85
    total = pairs.size.sum(axis=1)
    away = (curve < 0.97).mean(axis=1)
    assert np.median(away[deep & (total < 0.3)]) < 0.25
    assert np.median(away[deep & (total > 0.73)]) > 0.38
    contact = deep & (total > 0.73)
    halves = curve[contact].reshape(contact.sum(), 2, 500).min(axis=2)
    assert np.median(np.abs(np.diff(halves, axis=1)) / (1 - halves.min(axis=1, keepdims=True))) < 0.25
    # Rucinski (1998): periods of contact pairs
    assert ((pairs.period[contact] > 0.22) & (pairs.period[contact] < 0.60)).all()


def test_eccentric_pairs_have_their_second_eclipse_off_the_middle(drawn):
    _, pairs = drawn
    curve = curves(pairs)
    first = curve.argmin(axis=1)
    turned = np.take_along_axis(curve, (first[:, None] + np.arange(1000)) % 1000, axis=1)[:, 150:850]
    second = (turned.argmin(axis=1) + 150) / 1000
    clear = turned.min(axis=1) < 0.95
    off = np.abs(second - 0.5)
    assert off[clear & (pairs.eccentricity == 0)].max() < 0.06  # spots move it a little
    assert np.percentile(off[clear & (pairs.eccentricity > 0.1)], 75) > 0.04
    assert pairs.eccentricity.max() > 0.3


def test_hotter_hidden_star_makes_the_eclipse_deeper_in_the_blue(drawn):
    _, pairs = drawn
    blue, red = (1 - curves(pairs, band).min(axis=1) for band in (1, 4))
    strong = (np.ptp(pairs.share[:, 1], axis=1) > 0.4) & (pairs.size.sum(axis=1) < 0.5) & (blue > 0.1)
    assert np.median(blue[strong] / red[strong]) > 1.02
    assert np.abs(np.log(blue[strong] / red[strong])).max() < 1.0


def test_periods_and_colours(drawn):
    _, pairs = drawn
    assert ((pairs.period >= 0.2) & (pairs.period <= 30)).all()
    assert np.percentile(pairs.period, 95) > 5
    colour = -2.5 * np.log10(pairs.whole[:, 1] / pairs.whole[:, 2])
    assert -0.2 < np.percentile(colour, 5) < 0.2
    assert 0.8 < np.percentile(colour, 95) < 1.6
