"""What the survey makes of light: noise, detections, triggers and seasons as they are said to be."""

import numpy as np
import pytest

from telperion.bands import EXTINCTION, NJY
from telperion.simulate.observe import (
    APART,
    SATURATION,
    SEASON_GAP,
    Rules,
    beginnings,
    could_trigger,
    detections,
    dimming,
    observe,
    seasons,
    triggers,
)
from telperion.simulate.source import Light, Sky, nanojansky


def a_sky(time, band=2, depth=24.0, mwebv=0.0):
    """One place with these visits."""
    time = np.asarray(time, dtype=float)
    return Sky(
        np.zeros(1), np.zeros(1), np.full(1, mwebv), np.zeros(1, bool), np.array([0, len(time)]), time,
        np.full(len(time), band, np.int8), np.full(len(time), depth),
    )  # fmt: skip


def steady(sky, flux, template=0.0):
    return Light(np.full(len(sky.time), flux), np.full(len(sky.time), template))


def test_a_source_at_the_depth_has_a_signal_to_noise_of_five(rng):
    sky = a_sky(60300 + np.arange(4000) * 0.03)
    rows = observe(sky, steady(sky, nanojansky(24.0)), rng)
    assert np.mean(rows.flux) == pytest.approx(nanojansky(24.0), rel=0.02)
    assert np.mean(rows.flux / rows.flux_err) == pytest.approx(5, rel=0.03)
    assert np.std((rows.flux - nanojansky(24.0)) / rows.flux_err) == pytest.approx(1, rel=0.05)


def test_noise_is_that_of_the_surveys_magnitude_formula(rng):
    """sigma^2 = (0.04 - gamma) x + gamma x^2 with x = 10^(0.4 (m - m5)) (Ivezic et al. 2019), and the zero point's."""
    for magnitude in (18.0, 21.0, 24.0):
        sky = a_sky(60300 + np.arange(50) * 0.03)
        rows = observe(sky, steady(sky, nanojansky(magnitude)), rng)
        x = 10 ** (0.4 * (magnitude - 24.0))
        expected = np.hypot(np.sqrt((0.04 - 0.039) * x + 0.039 * x**2), 0.005)
        found = 2.5 / np.log(10) * rows.flux_err / nanojansky(magnitude)
        np.testing.assert_allclose(found, expected, rtol=0.09)


def test_half_is_detected_at_the_right_signal_to_noise(rng):
    """Against what is measured: as found on the points of two published simulations, between the two."""
    true = np.exp(rng.uniform(np.log(0.3), np.log(40), 1_000_000))
    measured = true + rng.normal(size=true.size)
    found = detections(true, measured, rng)
    inside = np.digitize(measured, [3, 4, 5, 6, 7, 10])
    shares = [found[inside == k].mean() for k in range(7)]
    np.testing.assert_allclose(shares, [0.001, 0.08, 0.23, 0.45, 0.62, 0.87, 0.997], atol=0.05)


def test_noise_alone_is_no_detection(rng):
    assert detections(np.zeros(1_000_000), rng.normal(size=1_000_000), rng).mean() < 2e-5


def test_a_trigger_needs_two_detections_half_an_hour_apart():
    sky, apart = a_sky([1.0, 1.01, 1.02, 2.0, 3.0]), np.array([APART])
    mark = lambda *rows: np.isin(np.arange(5), rows)  # noqa: E731
    assert triggers(sky, mark(0, 1), apart) == -1
    assert triggers(sky, mark(0, 1, 3), apart) == 3
    assert triggers(sky, mark(1, 2, 4), apart) == 4
    assert triggers(sky, mark(4), apart) == -1
    assert triggers(sky, mark(), apart) == -1
    assert triggers(sky, mark(4), np.zeros(1)) == 4
    assert APART > 0.0208


def test_what_is_there_from_the_start_is_found_from_any_visit_on_after_which_it_can_trigger(rng):
    n, visits = 3000, 60300 + np.arange(20) * 10.0
    sky = Sky(
        np.zeros(n), np.zeros(n), np.zeros(n), np.zeros(n, bool), np.arange(n + 1) * 20, np.tile(visits, n),
        np.full(n * 20, 2, np.int8), np.full(n * 20, 24.0),
    )  # fmt: skip
    detectable, apart = np.tile(np.isin(np.arange(20), [3, 8, 12]), n), np.full(n, APART)
    begin = beginnings(sky, detectable, apart, rng)
    found = np.bincount(((begin - 60300) / 10).astype(int), minlength=20)
    assert (found[9:] == 0).all()
    np.testing.assert_allclose(found[:9], n / 9, rtol=0.2)
    assert (triggers(sky, detectable & (sky.time >= begin[sky.owner]), apart) >= 0).all()
    for late in (np.zeros(n * 20, bool), np.tile(np.isin(np.arange(20), [7, 8, 12]), n)):
        assert (beginnings(sky, late, apart, rng) == -np.inf).all()


def test_seasons_without_a_detection_are_left_out(rng):
    first, second = 60300 + np.arange(40) * 1.0, 60300 + 40 + SEASON_GAP + 1 + np.arange(30)
    sky = a_sky(np.concatenate([first, second]))
    flux = np.where(sky.time < 60335, 1e-3, 0) + np.where(sky.time >= second[0], nanojansky(21.0), 0)
    rows = observe(sky, Light(flux, np.zeros(70)), rng)
    np.testing.assert_array_equal(rows.time, second)
    assert seasons(sky).max() == 1


def test_rules_say_how_many_detections_it_takes_and_which_rows_are_kept(rng):
    first, second = 60300 + np.arange(40) * 1.0, 60300 + 40 + SEASON_GAP + 1 + np.arange(30)
    sky = a_sky(np.concatenate([first, second]))
    once = Light(np.where(np.arange(70) == 65, nanojansky(18.0), 0.0), np.zeros(70))
    assert len(observe(sky, once, rng).objects) == 0
    alone = observe(sky, once, rng, rules=Rules(single=1))
    assert alone.detected.sum() == 1
    assert alone.time[alone.trigger[0]] == sky.time[65]
    np.testing.assert_array_equal(alone.time, second)
    np.testing.assert_array_equal(observe(sky, once, rng, rules=Rules(single=1, whole=1)).time, sky.time)
    with pytest.raises(ValueError, match=r"shares are 0.0 and 1.5"):
        Rules(whole=1.5)


def test_each_object_has_rules_of_its_own(make_sky, rng):
    sky = make_sky(2000)
    once = Light(np.zeros(len(sky.owner)), np.zeros(len(sky.owner)))
    once.difference[sky.offsets[:-1]] = nanojansky(17.0)
    kept = observe(sky, once, rng, rules=Rules(single=0.3))
    assert 500 < len(kept.objects) < 700


def test_saturated_rows_are_dropped(rng):
    sky = a_sky(60300 + np.arange(60) * 1.0)
    flux = np.where(np.arange(60) % 2, nanojansky(SATURATION[2] - 0.1), nanojansky(SATURATION[2] + 0.1))
    rows = observe(sky, Light(flux, np.zeros(60)), rng)
    assert len(rows.time) == 30


def test_dust_dims_each_band_by_its_own(rng):
    for band in range(6):
        sky = a_sky(60300 + np.arange(30) * 1.0, band=max(band, 0), mwebv=0.5)
        light = steady(sky, nanojansky(18.0))
        sigma = np.median(observe(sky, light, rng).flux) if band else nanojansky(18.0) * dimming(sky.mwebv)[0, 0]
        assert NJY - 2.5 * np.log10(sigma) == pytest.approx(18.0 + 0.5 * EXTINCTION[band], abs=0.01)


def test_a_host_and_a_template_add_noise(rng):
    sky = a_sky(60300 + np.arange(30) * 1.0)
    bare = observe(sky, steady(sky, 5000.0), rng)
    hosted = observe(sky, steady(sky, 5000.0), rng, np.full((1, 6), 1e6))
    variable = observe(sky, steady(sky, 5000.0, 1e6), rng)
    assert (hosted.flux_err > 1.5 * bare.flux_err).all()
    np.testing.assert_allclose(hosted.flux_err, variable.flux_err, rtol=1e-6)


def test_fading_below_the_template_is_detected_too(rng):
    sky = a_sky(60300 + np.arange(30) * 1.0)
    rows = observe(sky, steady(sky, -20_000.0, 30_000.0), rng)
    assert (rows.flux < 0).all()
    assert rows.detected[rows.detected.argmax() :].mean() > 0.9


def test_what_is_left_out_early_would_not_have_triggered(make_sky):
    sky = make_sky(3000)
    rng = np.random.default_rng(3)
    level = nanojansky(rng.uniform(22, 30, 3000))
    deepest = np.full((3000, 6), -np.inf)
    np.maximum.at(deepest, (sky.owner, sky.band), sky.depth)
    bright = could_trigger(np.repeat(level[:, None], 6, axis=1), sky.mwebv, deepest)
    assert 0.3 < bright.mean() < 0.9
    rows = observe(sky, Light(level[sky.owner], np.zeros(len(sky.owner))), rng)
    lost = set(rows.objects.tolist()) - set(np.flatnonzero(bright).tolist())
    assert len(lost) < 0.01 * len(rows.objects)


def test_rows_of_the_kept_objects_are_told_apart(make_sky):
    sky, rng = make_sky(40), np.random.default_rng(0)
    flux = np.where(np.arange(40) % 3 == 0, nanojansky(20.0), 0.0)[sky.owner]
    rows = observe(sky, Light(flux, np.zeros(len(flux))), rng)
    np.testing.assert_array_equal(rows.objects, np.arange(0, 40, 3))
    for place, k in enumerate(rows.objects):
        mine = slice(rows.offsets[place], rows.offsets[place + 1])
        assert set(rows.time[mine]) <= set(sky.time[sky.offsets[k] : sky.offsets[k + 1]])
        assert rows.offsets[place] <= rows.trigger[place] < rows.offsets[place + 1]
        detected = rows.time[mine][rows.detected[mine]]
        assert rows.time[rows.trigger[place]] >= detected[0] + APART
