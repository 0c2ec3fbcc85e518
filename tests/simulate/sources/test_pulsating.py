import numpy as np
import pytest

from telperion.simulate.source import Sky
from telperion.simulate.sources.pulsating import Cepheid, DeltaScuti, RrLyrae, distances
from telperion.simulate.stars import star_colours

KINDS = [RrLyrae, Cepheid, DeltaScuti]
PHASES = np.linspace(0, 1, 200, endpoint=False)


def magnitude(stars, band=1):
    """Folded light curves in the first mode, shape (n, 200)."""
    owner, step = np.indices((len(stars.period), PHASES.size))
    time = stars.epoch[owner] + PHASES[step] * stars.period[owner]
    flux = stars.flux(owner.ravel(), time.ravel(), np.full(owner.size, band))
    return 31.4 - 2.5 * np.log10(flux.reshape(owner.shape))


def rise(curve):
    """Share of the period from minimum to maximum light."""
    return (curve.argmin(axis=1) - curve.argmax(axis=1)) / PHASES.size % 1


@pytest.fixture(scope="module")
def drawn(make_sky):
    sky = make_sky(400, seed=3)
    return {kind: (sky, kind().draw(sky, np.random.default_rng(4))) for kind in KINDS}


@pytest.mark.parametrize("kind", KINDS)
def test_light_stays_within_its_bound_and_steady_is_the_template(kind, drawn):
    sky, stars = drawn[kind]
    light, bound = stars.light(sky, np.random.default_rng(0)), stars.brightest()
    assert np.isfinite(light.difference).all()
    assert (np.abs(light.difference) <= bound[sky.owner, sky.band]).all()
    assert (light.steady == stars.template[sky.owner, sky.band]).all()
    assert (light.difference + light.steady > 0).all()
    share = np.maximum.reduceat(np.abs(light.difference) / bound[sky.owner, sky.band], sky.offsets[:-1])
    assert np.median(share) > 0.7  # the bound is of use


@pytest.mark.parametrize("kind", KINDS)
def test_difference_is_of_both_signs_and_redshift_is_missing(kind, drawn):
    sky, stars = drawn[kind]
    difference = stars.light(sky, np.random.default_rng(0)).difference
    assert 0.2 < (difference < 0).mean() < 0.8
    assert np.isnan(stars.redshift).all()
    assert kind().galactic


@pytest.mark.parametrize("kind", KINDS)
def test_take_commutes_with_light(kind, drawn):
    sky, stars = drawn[kind]
    some = np.array([7, 3, 3, 250])
    few = sky.take(some)
    part = stars.take(some).light(few, np.random.default_rng(0)).difference
    whole = stars.light(sky, np.random.default_rng(0)).difference
    rows = np.concatenate([np.arange(sky.offsets[i], sky.offsets[i + 1]) for i in some])
    np.testing.assert_array_equal(part, whole[rows])


@pytest.mark.parametrize("kind", KINDS)
def test_light_repeats_with_the_period(kind, drawn):
    _, stars = drawn[kind]
    plain = np.flatnonzero((stars.second[:, 0] == 0) & (stars.swing[:, 0] == 0))[:100]
    time = np.full(plain.size, 60500.3)
    bands = np.full(plain.size, 2)
    once = stars.flux(plain, time, bands)
    np.testing.assert_allclose(stars.flux(plain, time + 7 * stars.period[plain], bands), once, rtol=1e-6)
    assert not np.allclose(stars.flux(plain, time + 0.5 * stars.period[plain], bands), once, rtol=0.01)


@pytest.mark.parametrize("kind", KINDS)
def test_amplitudes_fall_towards_the_red(kind, drawn):
    _, stars = drawn[kind]
    plain = np.flatnonzero(stars.swing[:, 0] == 0)
    size = [np.ptp(magnitude(stars.take(plain), band), axis=1) for band in range(6)]
    found = np.median(np.array(size) / size[1], axis=1)
    np.testing.assert_allclose(found, [1.0, 1.0, 0.7, 0.55, 0.5, 0.48], atol=0.05)
    assert np.std(size[2] / size[1]) > 0.03


def test_rr_lyrae_look_like_those_of_the_ogle_catalogue(drawn):
    # periods and shapes: Soszynski et al. (2014); amplitudes: Bailey's diagram, in g
    _, stars = drawn[RrLyrae]
    steady = np.flatnonzero((stars.swing[:, 0] == 0) & (stars.second[:, 0] == 0))
    stars = stars.take(steady)
    curve = magnitude(stars)
    size, first = np.ptp(curve, axis=1), stars.period < 0.40
    certain = stars.period > 0.43
    assert ((stars.period > 0.22) & (stars.period < 0.80)).all()
    assert 0.15 < first.mean() < 0.35
    assert np.median(stars.period[certain]) == pytest.approx(0.57, abs=0.03)
    assert np.median(rise(curve[certain])) < 0.27
    assert np.median(rise(curve[first])) > 0.35
    assert 0.45 < size[certain].min() < 0.6
    assert 1.2 < size[certain].max() < 1.5
    assert size[first].max() < 0.75
    assert np.corrcoef(stars.period[certain], size[certain])[0, 1] < -0.5


def test_cepheids_show_the_hertzsprung_progression(make_sky):
    # Simon & Lee (1981): the second harmonic all but vanishes near 10 days and is strong at 4 and at 20
    stars = Cepheid().draw(make_sky(3000, seed=1), np.random.default_rng(2))
    ratio = np.abs(stars.shape[:, 1]) / np.abs(stars.shape[:, 0])
    log = np.log10(stars.period)
    sharp = ratio > 0.25  # not the overtones
    short = ratio[(np.abs(log - 0.6) < 0.1) & sharp]
    assert np.median(ratio[np.abs(log - 0.95) < 0.06]) < 0.6 * np.median(short)
    assert np.median(ratio[log > 1.25]) > 0.25
    assert np.median(stars.period) == pytest.approx(4.6, abs=0.5)
    assert stars.period.min() >= 1
    assert 25 < stars.period.max() <= 60
    curve = magnitude(stars.take(np.flatnonzero(np.abs(log - 0.85) < 0.04)))
    # just below 10 days the bump is on the falling side: some stars fade, then hold or brighten, and fade again
    slope = np.diff(np.take_along_axis(curve, (curve.argmin(axis=1)[:, None] + np.arange(200)) % 200, axis=1))
    assert ((slope[:, 5:100] < 0).sum(axis=1) > 2).mean() > 0.1


def test_delta_scuti_are_short_and_half_have_two_modes(drawn):
    # Breger (2000): 0.02 to 0.25 days; periods of double-mode stars 0.77 (Petersen & Christensen-Dalsgaard 1996)
    _, stars = drawn[DeltaScuti]
    assert ((stars.period > 0.03) & (stars.period < 0.25)).all()
    assert ((stars.period > 0.04) & (stars.period < 0.12)).mean() > 0.75
    assert 0.4 < (stars.second[:, 0] > 0).mean() < 0.6
    ratio = (stars.second[:, 1] / stars.period)[stars.second[:, 0] > 0]
    assert 0.4 < (np.abs(ratio - 0.773) < 0.01).mean() < 0.7
    assert ((stars.amplitude[:, 1] > 0.04) & (stars.amplitude[:, 1] < 0.7)).all()


@pytest.mark.parametrize(("kind", "low", "high"), [(RrLyrae, 0.1, 0.4), (Cepheid, 0.28, 0.6), (DeltaScuti, -0.1, 0.15)])
def test_colours_are_those_of_the_temperatures(kind, low, high, drawn):
    # g - r of RR Lyrae about 0.2, of Cepheids about 0.45, of A and early F stars about 0 (Covey et al. 2007)
    _, stars = drawn[kind]
    colour = -2.5 * np.log10(stars.mean[:, 1] / stars.mean[:, 2])
    assert low < np.percentile(colour, 10) < np.percentile(colour, 90) < high
    blue = -2.5 * np.log10(stars.mean[:, 0] / stars.mean[:, 1])
    assert 0.9 < np.median(blue) < 1.6  # a Balmer jump, not a black body's 0.4


def test_star_colours_follow_the_main_sequence():
    colour = star_colours(np.linspace(2_700, 15_000, 300))
    assert (np.diff(colour[:, 1]) <= 1e-9).all()
    assert (np.diff(colour[:, 3]) >= 0).all()
    sun = star_colours(np.array([5_772.0]))[0]
    np.testing.assert_allclose(sun[[0, 1]] - sun[[1, 2]], [1.43, 0.44], atol=0.02)


def test_rr_lyrae_thin_out_as_the_halo_does():
    """Towards the pole and beyond the break numbers a unit of log distance fall as the power 3 - 4.4 of it."""
    n, none = 20_000, np.zeros(0)
    pole = Sky(
        np.full(n, 192.86), np.full(n, 27.13), np.zeros(n), np.zeros(n, dtype=bool), np.zeros(n + 1, dtype=np.int64),
        none, none.astype(np.int8), none,
    )  # fmt: skip
    far = distances(np.random.default_rng(0), pole)
    assert far.min() > 8 * 0.95
    assert far.max() < 250 * 1.05
    near, double = (((far > low) & (far < 1.5 * low)).sum() for low in (40, 80))
    assert near / double == pytest.approx(2**1.4, rel=0.12)
    near, double = (((far > low) & (far < 1.3 * low)).sum() for low in (8, 12))  # flatter inside it
    assert near / double < 1.3


def test_cepheids_and_delta_scuti_are_mostly_bright(drawn):
    """Medians of r of 14.3 and 17.1, last twentieths of 19.0 and 18.9 in ZTF; what is brighter than 15 saturates."""
    for kind, faint in ((Cepheid, 20.5), (DeltaScuti, 21.5)):
        r = 31.4 - 2.5 * np.log10(drawn[kind][1].mean[:, 2])
        assert 15 < r.min() < np.median(r) < 18.5
        assert r.max() < faint + 0.1


def test_rr_lyrae_are_as_bright_as_those_of_the_halo(drawn):
    """Most of those of SDSS stripe 82 are between r of 15 and 19, the farthest at 21 (Sesar et al. 2010)."""
    _, stars = drawn[RrLyrae]
    r = 31.4 - 2.5 * np.log10(stars.mean[:, 2])
    assert r.min() > 14.5
    assert r.max() < 23.2
    assert 16 < np.median(r) < 18.5
    assert 0.02 < (r > 20).mean() < 0.2


def test_sky_without_objects_gives_no_stars(make_sky):
    sky = make_sky(5).take(np.array([], dtype=np.int64))
    assert isinstance(sky, Sky)
    assert RrLyrae().draw(sky, np.random.default_rng(0)).brightest().shape == (0, 6)
