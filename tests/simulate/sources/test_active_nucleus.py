"""Active nuclei against the damped random walk of MacLeod et al. (2010) and the colours of quasars."""

import numpy as np
import pytest

from telperion.simulate.sources.active_nucleus import (
    BRIGHTEST,
    CHANGING,
    FAINTEST,
    LARGEST,
    ActiveNucleus,
    colours,
    luminosities,
    walk,
)  # fmt: skip
from telperion.taxonomy import Taxonomy

N = 600


@pytest.fixture(scope="module")
def drawn(make_sky):
    return ActiveNucleus().draw(make_sky(N), np.random.default_rng(1))


def magnitudes(flux):
    return 31.4 - 2.5 * np.log10(flux)


def test_the_class_is_a_leaf_of_the_tree():
    tree = Taxonomy.load("elasticc")
    assert tree.index(ActiveNucleus().label) in tree.leaves
    assert not ActiveNucleus().galactic


def test_light_is_finite_and_within_the_brightest(drawn, make_sky):
    sky = make_sky(N)
    light, brightest = drawn.light(sky, np.random.default_rng(2)), drawn.brightest()
    assert np.isfinite(light.difference).all()
    assert np.isfinite(brightest).all()
    assert (np.abs(light.difference) <= brightest[sky.owner, sky.band]).all()
    assert (light.steady > 0).all()
    assert (light.difference + light.steady > 0).all()


def test_taking_some_gives_the_same_light(drawn, make_sky):
    some, sky = np.array([5, 3, 40, 5]), make_sky(N)
    whole = drawn.light(sky, np.random.default_rng(2))
    part = drawn.take(some).light(sky.take(some), np.random.default_rng(3))
    rows = np.concatenate([np.arange(sky.offsets[k], sky.offsets[k + 1]) for k in some])
    np.testing.assert_array_equal(part.difference, whole.difference[rows])
    np.testing.assert_array_equal(part.steady, whole.steady[rows])
    np.testing.assert_array_equal(drawn.take(some).brightest(), drawn.brightest()[some])


def test_no_object_gives_no_light(drawn, make_sky):
    none = np.empty(0, dtype=np.int64)
    assert drawn.take(none).light(make_sky(N).take(none), np.random.default_rng(0)).difference.shape == (0,)


def test_differences_are_of_both_signs(drawn, make_sky):
    difference = drawn.light(make_sky(N), np.random.default_rng(2)).difference
    assert 0.4 < (difference < 0).mean() < 0.6


def test_walk_has_the_structure_function_of_a_damped_walk():
    # Kelly, Bechtold & Siemiginowska (2009): covariance exp(-dt/tau), also over uneven gaps
    n, time = 20_000, np.array([0.0, 3.0, 50.0, 51.0, 400.0])
    state = walk(np.tile(time, n), 5 * np.arange(n + 1), np.full(n, 100.0), np.arange(n)).reshape(n, 5)
    np.testing.assert_allclose(np.cov(state.T), np.exp(-np.abs(time[:, None] - time) / 100), atol=0.04)
    assert np.abs(state.mean(axis=0)).max() < 0.03


def test_walk_is_the_same_for_objects_of_any_lengths():
    time = [np.sort(np.random.default_rng(k).uniform(0, 500, m)) for k, m in enumerate((3, 40, 1, 17))]
    offsets = np.concatenate([[0], np.cumsum([len(t) for t in time])])
    damping, seed = np.array([20.0, 100.0, 5.0, 300.0]), np.arange(4) + 7
    together = walk(np.concatenate(time), offsets, damping, seed)
    for k, alone in enumerate(time):
        separate = walk(alone, np.array([0, len(alone)]), damping[k : k + 1], seed[k : k + 1])
        np.testing.assert_array_equal(together[offsets[k] : offsets[k + 1]], separate)


def test_walk_is_cut():
    n, time = 20_000, np.arange(100.0)
    state = walk(np.tile(time, n), 100 * np.arange(n + 1), np.full(n, 0.01), np.arange(n))
    assert np.abs(state).max() == LARGEST  # two million normal numbers reach beyond it
    assert (np.abs(state) == LARGEST).mean() < 2e-5


def test_amplitudes_and_time_scales_are_those_of_macleod(drawn):
    # rest-frame tau of some 200 days, SF of some 0.2 mag, fainter ones more, bluer bands more
    rest, structure = drawn.damping / (1 + drawn.redshift), drawn.spread * np.sqrt(2)
    assert 120 < np.median(rest) < 250
    assert np.percentile(rest, 95) > 250
    assert 0.2 < np.median(structure[:, 1]) < 0.45
    assert 0.14 < np.median(structure[:, 3]) < 0.35
    assert np.median(structure[:, 1] / structure[:, 4]) == pytest.approx((867 / 478) ** 0.479, rel=0.02)
    absolute = magnitudes(drawn.flux[:, 3])
    assert np.corrcoef(absolute, structure[:, 3])[0, 1] > 0.2


def test_bands_follow_one_walk_the_red_a_little_late(drawn):
    assert (np.diff(drawn.lag, axis=1) > 0).all()
    assert 1 < np.median(drawn.lag[:, 3] - drawn.lag[:, 1]) < 6


def test_quasars_are_flux_limited_and_most_common_at_some_two():
    redshift, absolute = luminosities(np.random.default_rng(0), 20_000)
    assert redshift.min() >= 0.05
    assert redshift.max() <= 2.95
    assert 1.0 < np.median(redshift) < 1.8
    assert (redshift < 0.5).mean() > 0.02
    assert absolute.min() > -30
    assert absolute.max() < -17.4
    near, faint = redshift < 0.3, absolute > -20.5
    assert (near & faint).sum() > 3 * (near & ~faint).sum()  # Seyfert nuclei, of slope -2.0 (Schulze et al. 2009)
    assert -24 < np.median(absolute) < -21
    assert BRIGHTEST < FAINTEST


def test_colours_are_those_of_quasars():
    # Richards et al. (2001): u-g 0.0 to 0.4 below redshift 2.2, the forest reddens it from 2.5 on
    rng = np.random.default_rng(0)
    for redshift, low, high in ((1.0, -0.1, 0.4), (1.9, -0.2, 0.4), (2.9, 0.5, 1.8)):
        flux = colours(rng, np.full(500, redshift))
        ultraviolet = magnitudes(flux[:, 0]) - magnitudes(flux[:, 1])
        assert low < np.median(ultraviolet) < high, redshift
        green = magnitudes(flux[:, 1]) - magnitudes(flux[:, 2])
        assert -0.1 < np.median(green) < 0.5, redshift
        assert 0.05 < green.std() < 0.3, redshift


def test_a_fifth_change_their_look(drawn, make_sky):
    changing = drawn.switch[:, 1] != 0
    assert changing.mean() == pytest.approx(CHANGING, abs=0.05)
    lasting = (drawn.lasting / (1 + drawn.redshift))[changing]
    assert lasting.min() >= 30
    assert lasting.max() <= 300
    assert np.abs(drawn.switch[changing, 1]).min() > 0.25
    assert np.abs(drawn.switch).max() <= 3.0
    assert 0.3 < (drawn.switch[changing, 1] > 0).mean() < 0.7
    sky = make_sky(N)
    light = drawn.light(sky, np.random.default_rng(0))
    amplitude = np.full(N, np.nan)
    for k in range(N):
        mine = slice(sky.offsets[k], sky.offsets[k + 1])
        total = (light.difference + light.steady)[mine][sky.band[mine] == 2]
        amplitude[k] = np.ptp(magnitudes(total))
    assert np.median(amplitude[changing]) > 1.5 * np.median(amplitude[~changing])
