import numpy as np
import pytest
from scipy.stats import ks_2samp

from telperion.simulate.source import FIRST_PEAK, LAST_PEAK, TEN_PARSEC_NJY, Sky
from telperion.simulate.sources.flaring import DWARFS, FlareStar, flare, near_visits, wait
from telperion.simulate.stars import star_colours


def union(sky, rng, window):
    """Start times after near_visits, of those that a visit follows within the window."""
    start = near_visits(sky, rng, window, 1500)
    return start, wait(sky, start) <= window


def unmerged(sky, rng, window):
    """What near_visits is not: a visit by chance, and a time in the window before it."""
    visit = (sky.offsets[:-1] + rng.uniform(size=len(sky)) * np.diff(sky.offsets)).astype(int)
    return sky.time[visit] - rng.uniform(size=len(sky)) * window


def crowded(n):
    """Sky of places with eleven visits: ten within an hour, and one alone a year later."""
    time = np.concatenate([60400 + np.arange(10) / 240, [60765.0]])
    return Sky(
        np.zeros(n), np.zeros(n), np.zeros(n), np.zeros(n, dtype=bool), 11 * np.arange(n + 1), np.tile(time, n),
        np.tile(np.arange(11) % 6, n).astype(np.int8), np.full(11 * n, 24.5),
    )  # fmt: skip


@pytest.fixture(scope="module")
def drawn(make_sky):
    sky = make_sky(2000, seed=3)
    return sky, FlareStar().draw(sky, np.random.default_rng(4))


def test_light_is_added_and_within_its_bound(drawn):
    sky, stars = drawn
    light, bound = stars.light(sky, np.random.default_rng(0)), stars.brightest()[sky.owner, sky.band]
    assert np.isfinite(light.difference).all()
    assert (light.difference >= 0).all()
    assert (light.difference <= bound).all()
    assert (light.difference > 0).any()
    assert (light.steady == stars.quiet[sky.owner, sky.band]).all()
    assert np.isnan(stars.redshift).all()


def test_there_is_no_light_before_the_flare(drawn):
    sky, stars = drawn
    difference = stars.light(sky, np.random.default_rng(0)).difference
    assert (difference[sky.time < stars.start[sky.owner]] == 0).all()
    assert (difference[sky.time > (stars.start + 27 * stars.width)[sky.owner]] == 0).all()


def test_take_commutes_with_light(drawn):
    sky, stars = drawn
    whole = stars.light(sky, np.random.default_rng(0)).difference
    lit = np.unique(sky.owner[whole > 0])
    some = np.concatenate([lit[::-1][:5], [0, 1]])
    part = stars.take(some).light(sky.take(some), np.random.default_rng(0)).difference
    rows = np.concatenate([np.arange(sky.offsets[i], sky.offsets[i + 1]) for i in some])
    np.testing.assert_array_equal(part, whole[rows])
    assert (part > 0).any()


def test_flares_shine_as_long_as_they_say(make_sky):
    # light above 26.5 mag, in any band, ends with the time by which flares are drawn
    stars = FlareStar(energies=(33.0, 35.5)).draw(make_sky(300, seed=1), np.random.default_rng(1))
    share = np.linspace(0, 2, 400)
    time = stars.start[:, None] + np.maximum(stars.lasting, 20 * stars.width)[:, None] * share
    for band in range(6):
        n = len(stars.start)
        sky = Sky(
            np.zeros(n), np.zeros(n), np.zeros(n), np.zeros(n, dtype=bool), 400 * np.arange(n + 1), time.ravel(),
            np.full(time.size, band, dtype=np.int8), np.full(time.size, 24.0),
        )  # fmt: skip
        bright = stars.light(sky, np.random.default_rng(0)).difference.reshape(n, 400) > 2 * 91.2
        assert not bright[time > (stars.start + stars.lasting)[:, None]].any()
        assert bright.any()


def test_flare_has_the_shape_of_davenport():
    # Davenport et al. (2014): full width at half maximum one, most of the light in the slow decay
    phase = np.linspace(-2, 30, 320_001)
    light = flare(phase)
    above = phase[light >= 0.5]
    assert np.ptp(above) == pytest.approx(1.0, abs=0.1)
    assert phase[light.argmax()] == pytest.approx(0, abs=1e-3)
    assert light[phase < -1].max() == 0
    assert np.sum(light) * (phase[1] - phase[0]) == pytest.approx(0.3077 + 0.695 / 1.6 + 0.305 / 0.2783, rel=1e-3)


def test_energy_comes_out_again():
    # luminosity over time is the energy, with the distance from colour and magnitude of the quiet star
    stars = FlareStar(accelerated=False, energies=(33.0, 33.001)).draw(crowded(4000), np.random.default_rng(0))
    height, _, stretch = stars.again.T
    area = (0.3077 + (1 - stars.slow) / 1.6 + stars.slow / 0.2783) * (1 + height * stretch) * stars.width * 86_400
    grid = np.linspace(2_700, 3_600, 100)
    colour = -2.5 * np.log10(stars.quiet[:, 2] / stars.quiet[:, 3])
    temperature = np.interp(-colour, star_colours(grid)[:, 3], grid)
    absolute = np.interp(temperature, DWARFS[::-1, 0], DWARFS[::-1, 1])
    away = 0.2 * (31.4 - 2.5 * np.log10(stars.quiet[:, 2]) - absolute)  # log10 of the distance over 10 pc
    energy = np.log10(stars.peak / TEN_PARSEC_NJY * area) + 2 * away
    assert np.median(energy) == pytest.approx(33, abs=0.05)
    assert np.std(energy) < 0.4


def test_energies_widths_and_colours(make_sky):
    # power law of index -2: a decade up, ten times fewer; full widths from a minute to an hour (Hawley et al. 2014)
    sky = crowded(40_000)
    stars = FlareStar(accelerated=False, energies=(31.0, 35.5)).draw(sky, np.random.default_rng(1))
    minutes = stars.width * 1440
    assert 0.5 < minutes.min() < 1
    assert np.median(minutes) == pytest.approx(1.9, abs=0.3)
    strong = FlareStar(accelerated=False, energies=(34.0, 35.5)).draw(sky, np.random.default_rng(1))
    assert np.median(strong.width * 1440) == pytest.approx(6 * 20**0.3, rel=0.05)
    quiet = -2.5 * np.log10(stars.quiet[:, :-1] / stars.quiet[:, 1:])
    assert np.median(quiet[:, 1]) == pytest.approx(1.5, abs=0.05)  # g - r of M dwarfs (West et al. 2011)
    assert 0.5 < np.percentile(quiet[:, 3], 5) < np.percentile(quiet[:, 3], 95) < 1.3
    peak = stars.brightest()
    assert np.median(-2.5 * np.log10(peak[:, 1] / peak[:, 2])) == pytest.approx(0, abs=0.1)  # some 9,500 K
    r = 31.4 - 2.5 * np.log10(stars.quiet[:, 2])
    assert r.min() > 16.8
    assert r.max() < 26.2


def test_longer_flares_are_drawn_more_often_in_proportion(make_sky):
    # accelerated: the energies of a power law -2, weighted with how long the flare shines
    sky = crowded(4_000)
    fast = FlareStar(visits=11).draw(sky, np.random.default_rng(5))
    rng = np.random.default_rng(6)
    plain = FlareStar(accelerated=False).draw(crowded(300_000), rng)
    again = rng.choice(len(plain.width), 20_000, p=plain.lasting / plain.lasting.sum())
    for name in ("width", "peak", "lasting", "hot"):
        found, expected = getattr(fast, name), getattr(plain, name)
        assert ks_2samp(found, expected[again][:4_000]).pvalue > 0.001, name
        if name in ("width", "peak"):
            assert ks_2samp(found, expected[:4_000]).pvalue < 1e-6, name
    r = [31.4 - 2.5 * np.log10(stars.quiet[:, 2]) for stars in (fast, plain.take(again))]
    assert ks_2samp(r[0], r[1][:4_000]).pvalue > 0.001


def test_windows_are_merged():
    # ten visits within an hour count as one window and that hour, not as ten windows
    sky, window = crowded(20_000), np.full(20_000, 0.125)
    start, caught = union(sky, np.random.default_rng(0), window)
    hour = 9 / 240
    expected = (0.125 + hour) / (0.25 + hour)
    assert (start[caught] < 60500).mean() == pytest.approx(expected, abs=0.02)
    assert caught.mean() == pytest.approx((0.25 + hour) / (1500 * 0.125), rel=0.35)
    naive = unmerged(sky, np.random.default_rng(0), window)
    assert (naive < 60500).mean() == pytest.approx(10 / 11, abs=0.02)


@pytest.mark.parametrize("kind", ["merged", "unmerged"])
def test_times_near_visits_are_as_if_drawn_evenly(kind, make_sky):
    rng = np.random.default_rng(7)
    near, even = [], []
    for seed in range(4):
        sky = make_sky(4000, seed=seed)
        window = rng.choice([0.05, 0.125, 0.25], 4000)
        if kind == "merged":
            start, caught = union(sky, rng, window)
        else:
            start = unmerged(sky, rng, window)
            caught = np.ones(4000, dtype=bool)
        near.append(np.stack([start, wait(sky, start) / window, window, sky.decl])[:, caught])
        for _ in range(8):
            start = rng.uniform(FIRST_PEAK, LAST_PEAK, 4000)
            caught = wait(sky, start) <= window
            even.append(np.stack([start, wait(sky, start) / window, window, sky.decl])[:, caught])
    found, expected = np.concatenate(near, axis=1), np.concatenate(even, axis=1)
    assert found.shape[1] > 1000
    assert expected.shape[1] > 1000
    values = [ks_2samp(a, b).pvalue for a, b in zip(found[:2], expected[:2], strict=True)]
    if kind == "merged":
        assert min(values) > 0.001
        assert ks_2samp(found[3], expected[3]).pvalue > 0.001  # places too
    else:
        assert min(values) < 1e-4


def test_seen_flares_are_alike_however_drawn(make_sky):
    # strong flares only, for enough of them to be caught without acceleration
    def caught(accelerated, seeds):
        parts, lasting = [], []
        for seed in seeds:
            rng = np.random.default_rng([seed, accelerated])
            sky = make_sky(3000, seed=seed)
            stars = FlareStar(accelerated=accelerated, energies=(33.7, 35.5)).draw(sky, rng)
            lasting.append(stars.lasting.mean())
            seen = np.flatnonzero(wait(sky, stars.start) <= stars.lasting)
            there, stars = sky.take(seen), stars.take(seen)
            light = stars.light(there, rng).difference
            brightest = np.maximum.reduceat(light, there.offsets[:-1])
            parts.append(np.stack([stars.start, brightest, stars.width, stars.peak, wait(there, stars.start)]))
        return np.concatenate(parts, axis=1), np.mean(lasting)

    fast, _ = caught(True, range(6))
    plain, lasting = caught(False, range(30))
    assert fast.shape[1] > 1000
    assert plain.shape[1] > 1000
    factor = (fast.shape[1] / 6) / (plain.shape[1] / 30)
    assert factor == pytest.approx((LAST_PEAK - FIRST_PEAK) / (1500 * lasting), rel=0.12)
    for name, a, b in zip(["start", "brightest", "width", "peak", "wait"], fast, plain, strict=True):
        assert ks_2samp(a, b).pvalue > 0.001, name


def test_too_many_visits_raise(make_sky):
    with pytest.raises(ValueError, match="visits, more than the 10 allowed"):
        FlareStar(visits=10).draw(make_sky(3), np.random.default_rng(0))


def test_wait_is_to_the_next_visit_of_that_place():
    sky = crowded(3)
    found = wait(sky, np.array([60399.0, 60500.0, 60800.0]))
    np.testing.assert_allclose(found, [1.0, 265.0, np.inf], atol=1e-6)


def test_sky_without_objects_gives_no_flares(make_sky):
    sky = make_sky(5).take(np.array([], dtype=np.int64))
    assert FlareStar().draw(sky, np.random.default_rng(0)).brightest().shape == (0, 6)
