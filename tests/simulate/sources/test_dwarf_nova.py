import numpy as np
import pytest

from telperion.simulate.source import FIRST_PEAK, LAST_PEAK
from telperion.simulate.sources.dwarf_nova import DwarfNova

STEP = 0.1
TIMES = np.arange(60300, 61300, STEP)


@pytest.fixture(scope="module")
def drawn(make_sky):
    sky = make_sky(600, seed=3)
    return sky, DwarfNova().draw(sky, np.random.default_rng(4))


@pytest.fixture(scope="module")
def curves(drawn):
    """Brightening in g of sixty stars, mag."""
    stars = drawn[1]
    owner, step = np.indices((60, TIMES.size))
    flux = stars.flux(owner.ravel(), TIMES[step.ravel()], np.ones(owner.size, dtype=int)).reshape(owner.shape)
    return 2.5 * np.log10(flux / stars.quiet[:60, 1:2])


def test_light_stays_within_its_bound(drawn):
    sky, stars = drawn
    light, bound = stars.light(sky, np.random.default_rng(0)), stars.brightest()[sky.owner, sky.band]
    assert np.isfinite(light.difference).all()
    assert (np.abs(light.difference) <= bound).all()
    assert (light.difference + light.steady > 0).all()
    assert np.isnan(stars.redshift).all()
    share = np.maximum.reduceat(np.abs(light.difference) / bound, sky.offsets[:-1])
    assert np.median(share) > 0.3


def test_take_commutes_with_light(drawn):
    sky, stars = drawn
    some = np.array([50, 2, 599, 2])
    part = stars.take(some).light(sky.take(some), np.random.default_rng(0)).difference
    whole = stars.light(sky, np.random.default_rng(0)).difference
    rows = np.concatenate([np.arange(sky.offsets[i], sky.offsets[i + 1]) for i in some])
    np.testing.assert_array_equal(part, whole[rows])


def test_outbursts_have_the_size_of_dwarf_novae(curves, drawn):
    # two to six mag (Warner 1995), superoutbursts up to one and a half more
    top = curves.max(axis=1)
    assert 2.5 < np.median(top) < 5.5
    assert top.min() > 1.5
    assert top.max() < 8
    assert np.percentile(curves, 20) < 0.5  # quiet most of the time


def test_rise_is_fast_and_decline_slower(curves):
    steps = np.diff(curves, axis=1) / STEP
    up = [np.median(row[(row > 0.8) & (high > 1)]) for row, high in zip(steps, curves[:, 1:], strict=True)]
    fading = [-np.median(row[(row < -0.12) & (high > 1)]) for row, high in zip(steps, curves[:, 1:], strict=True)]
    assert np.median(up) > 2
    assert np.median(fading) == pytest.approx(0.4, abs=0.12)  # mag a day


def test_recurrence_and_durations(drawn):
    _, stars = drawn
    wait = np.diff(stars.start, axis=1)
    assert np.percentile(wait, 2) > 9
    assert np.median(np.median(wait, axis=1)) == pytest.approx(60, rel=0.25)
    assert (stars.start[:, 0] <= FIRST_PEAK).all()
    assert (stars.start[:, -1] > LAST_PEAK).all()  # enough were drawn for the whole survey
    assert (wait > (stars.rise + 3 * stars.decline)[:, None] - 1e-6).all()
    assert 0.5 <= stars.rise.min() < stars.rise.max() <= 2.0
    assert ((stars.plateau >= 1) & (stars.plateau <= 18)).all()


def test_superoutbursts_are_longer_brighter_and_rarer(drawn):
    _, stars = drawn
    long = stars.plateau > 1.6 * np.median(stars.plateau, axis=1)[:, None]
    some = long.mean(axis=1)
    prone = (some > 0.1) & (some < 0.4)
    assert prone.mean() > 0.3
    brighter = [np.log10(a[b].mean() / a[~b].mean()) for a, b in zip(stars.boost[prone], long[prone], strict=True)]
    assert np.median(brighter) * 2.5 == pytest.approx(0.6, abs=0.25)


def test_outbursts_are_blue_and_redden_as_they_fade(drawn):
    _, stars = drawn
    every = np.arange(600)
    colour = []
    for share in (1.0, 0.03):
        u, g, r = (stars._disc(every, np.full(600, share), np.full(600, band)) for band in (0, 1, 2))
        colour.append((-2.5 * np.log10(u / g), -2.5 * np.log10(g / r)))
    assert np.percentile(colour[0][0], 95) < 0.2
    assert np.percentile(colour[0][1], 95) < 0.0
    assert np.median(colour[1][1]) > np.median(colour[0][1]) + 0.15


def test_most_templates_show_the_quiet_star(drawn):
    sky, stars = drawn
    quiet = (stars.template == stars.quiet).all(axis=1)
    assert 0.75 < quiet.mean() < 0.95
    difference = stars.light(sky, np.random.default_rng(0)).difference / stars.quiet[sky.owner, sky.band]
    assert difference[quiet[sky.owner]].min() > -0.2
    assert difference.min() < -0.5
    r = 31.4 - 2.5 * np.log10(stars.quiet[:, 2])
    assert ((r > 17.9) & (r < 24.1)).all()
