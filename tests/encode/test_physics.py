"""The families that describe one outburst: known temperatures, times, quiet and restless objects, found again."""

import numpy as np
import pytest
from scipy.stats import multivariate_normal

from telperion.bands import WAVELENGTH
from telperion.encode import gaussian_process
from telperion.encode.blackbody import planck
from telperion.encode.gaussian_process import SOFTENING, matern
from telperion.encode.observations import Observations
from telperion.encode.smoothness import WAVELENGTH_SCALES
from telperion.encode.statistics import PHYSICS, statistics
from telperion.encode.variability import STRENGTHS, TIME_SCALES, _walk_likelihood
from telperion.formats import mallorn
from telperion.lightcurves import LightCurves

ERROR = 100.0


def observed(light, *, redshift=0.3, seed=0, error=ERROR, days=(-400, 500), step=3.0, temperature=20000.0):
    """One object every few days in turning bands; `light` is its flux at 0.4 micrometre at a rest-frame phase."""
    rng = np.random.default_rng(seed)
    time = np.arange(*days, step) + rng.uniform(-1, 1, len(np.arange(*days, step)))
    band = np.arange(len(time)) % 6
    phase = time / (1 + redshift)
    heat = np.broadcast_to(temperature(phase) if callable(temperature) else temperature, phase.shape)
    colour = planck(WAVELENGTH[band] / (1 + redshift), heat) / planck(np.array(0.4), heat)
    flux = light(phase) * colour + rng.normal(0, error, len(time))
    return LightCurves.from_rows(
        ["a"] * len(time), time + 60000, band, flux, np.full(len(time), error), flux > 5 * error,
        context={"redshift": [redshift], "mwebv": [0.0]}, dereddened=True,
    )  # fmt: skip


def burst(rise=8.0, fall=40.0, height=1e5, power=None):
    def light(phase):
        after = np.maximum(phase, 0) / fall
        return height / (1 + np.exp(-phase / rise)) * (np.exp(-after) if power is None else (1 + after) ** power)

    return light


@pytest.mark.parametrize("kelvin", [6000.0, 12000.0, 25000.0])
def test_a_black_bodys_temperature_is_found(kelvin):
    found = statistics(observed(burst(), temperature=kelvin), PHYSICS)
    for name in ("blackbody.temperature", "evolution.temperature_+0", "fits.black_exponential_temperature"):
        assert found[name][0] == pytest.approx(np.log10(kelvin), abs=0.06), name


def test_the_luminosity_does_not_depend_on_the_distance():
    near, far = (
        statistics(observed(burst(height=height), redshift=z, error=10.0), PHYSICS)["evolution.luminosity_+0"][0]
        for z, height in ((0.1, 1e6), (0.3, 1e6 * _fainter(0.1, 0.3)))
    )
    assert near == pytest.approx(far, abs=0.06)


def _fainter(near, far):
    """f_nu of the same black body: (1 + z) / d_L^2."""
    from telperion.cosmology import distance_modulus

    return (1 + far) / (1 + near) * 10 ** (-0.4 * (distance_modulus(far) - distance_modulus(near)))


def test_a_cooling_outburst_cools():
    cooling = observed(burst(), temperature=lambda phase: 20000 * 10 ** (-0.15 * np.clip(phase, -30, 120) / 50))
    found = statistics(cooling, PHYSICS)
    assert found["fits.black_exponential_cooling"][0] == pytest.approx(-0.15, abs=0.05)
    assert found["blackbody.temperature_change_-10_+60"][0] < -0.1
    assert abs(statistics(observed(burst()), PHYSICS)["fits.black_exponential_cooling"][0]) < 0.05


@pytest.mark.parametrize(("rise", "fall"), [(4.0, 20.0), (15.0, 80.0)])
def test_rise_and_fall_times_are_found(rise, fall):
    found = statistics(observed(burst(rise, fall)), PHYSICS)
    assert found["fits.free_exponential_rise"][0] == pytest.approx(np.log10(rise), abs=0.15)
    assert found["fits.free_exponential_fall"][0] == pytest.approx(np.log10(fall), abs=0.15)


def test_the_right_decline_fits_best():
    exponential, tidal = (
        statistics(observed(burst(power=power)), PHYSICS)["fits.black_five_thirds_gain"][0] for power in (None, -5 / 3)
    )
    assert exponential < 0 < tidal


def test_what_explodes_is_quiet_and_what_flickers_is_not():
    quiet = statistics(observed(burst()), PHYSICS)
    restless = statistics(observed(lambda phase: 5e4 * (1 + np.sin(phase / 30))), PHYSICS)
    assert abs(quiet["quiescence.excess_far_before"][0]) < 0.001 < 0.05 < restless["quiescence.excess_far_before"][0]
    assert quiet["quiescence.highest_snr_far_before"][0] < 5 < restless["quiescence.highest_snr_far_before"][0]


def test_the_walks_likelihood_is_that_of_its_covariance(rng):
    time, noise = np.sort(rng.uniform(0, 200, 25)), rng.uniform(0.1, 1, 25)
    signal = rng.normal(size=25)
    found = _walk_likelihood(time[None], signal[None], noise[None], np.ones((1, 25), bool))[0]
    for i, scale in enumerate(TIME_SCALES):
        for j, strength in enumerate(STRENGTHS):
            covariance = strength**2 * np.exp(-np.abs(time[:, None] - time) / scale) + np.diag(noise)
            expected = -0.5 * (signal @ np.linalg.solve(covariance, signal) + np.linalg.slogdet(covariance)[1])
            assert found[i, j] == pytest.approx(expected, rel=1e-9)


def test_padding_does_not_change_the_walk(rng):
    time, noise, signal = np.arange(9.0), np.ones(9), rng.normal(size=9)
    alone = _walk_likelihood(time[None, :6], signal[None, :6], noise[None, :6], np.ones((1, 6), bool))
    padded = _walk_likelihood(time[None], signal[None], noise[None], np.arange(9)[None] < 6)
    np.testing.assert_allclose(padded, alone)


def test_the_quoted_error_of_a_redshift_is_never_read():
    curve = observed(burst())
    quoted = [statistics(curve.with_context({**curve.context, "redshift_err": [error]}), PHYSICS).values
              for error in (0.01, 0.9, np.nan)]  # fmt: skip
    np.testing.assert_array_equal(quoted[0], quoted[1])
    np.testing.assert_array_equal(quoted[0], quoted[2])


def test_phases_run_in_the_rest_frame():
    near, far = (Observations(observed(burst(), redshift=z)).outburst for z in (0.05, 1.0))
    assert far.phase.max() == pytest.approx(near.phase.max() * 1.05 / 2, rel=0.1)
    assert abs(np.interp(0, near.phase, np.arange(near.phase.size)) - np.interp(0, far.phase, np.arange(300))) < 12


def test_without_a_redshift_only_what_needs_one_is_missing():
    curve = observed(burst())
    bare = statistics(curve.with_context({"mwebv": [0.0]}), PHYSICS)
    assert np.isnan(bare["evolution.absolute_360nm"][0])
    assert np.isfinite(bare["fits.free_exponential_fall"][0])


def test_real_tdes_are_hot_and_quiet_where_supernovae_cool_and_agn_flicker(lsst_data):
    curves = mallorn.read(lsst_data / "mallorn")
    chosen = np.concatenate([np.flatnonzero(curves.label == kind)[:60] for kind in ("TDE", "SN Ia", "AGN")])
    table = statistics(curves[chosen], PHYSICS)
    tde, ia, agn = (np.repeat(np.arange(3), 60) == kind for kind in range(3))
    assert not np.isinf(table.values).any()
    hot = table["blackbody.temperature"]
    assert np.nanmedian(hot[tde]) > np.nanmedian(hot[ia]) + 0.1
    assert np.nanmedian(table["quiescence.excess_far"][agn]) > 10 * np.nanmedian(table["quiescence.excess_far"][tde])
    assert np.nanmedian(table["fits.free_exponential_fall"][tde]) > np.nanmedian(
        table["fits.free_exponential_fall"][ia]
    )
    cooling = table["evolution.temperature_change_+0_+30"]
    assert np.nanmedian(cooling[ia]) < np.nanmedian(cooling[tde]) - 0.05


def test_the_peak_is_not_sought_where_nobody_looked():
    """Two seasons with a gap: however the surface rises in between, the peak lies near a row."""
    curve = observed(burst(rise=20.0, fall=60.0))
    day = curve.time - 60000
    gone = curve.select_rows((day < -25) | (day > 60))
    outburst = Observations(gone).outburst
    assert np.abs(outburst.phase).min() <= 5


def test_a_noisy_row_is_not_the_peak():
    curve = observed(burst())
    noisy = LightCurves.from_rows(
        np.repeat(curve.object_id, curve.n_rows + 1), np.append(curve.time, 60900.0), np.append(curve.band, 5),
        np.append(curve.flux, 3 * curve.flux.max()), np.append(curve.flux_err, 1.4 * curve.flux.max()),
        np.append(curve.detected, False), context=curve.context, dereddened=True,
    )  # fmt: skip
    found, undisturbed = (Observations(each).outburst.phase[0] for each in (noisy, curve))
    assert found == pytest.approx(undisturbed, abs=4)


def test_the_smoothness_is_the_likelihood_of_its_covariance():
    curve = observed(burst())
    curve = curve.select_rows(np.arange(curve.n_rows) % 9 == 0)
    rows = Observations(curve)
    used = (rows.outburst.phase >= -100) & (rows.outburst.phase < 250)
    assert 5 < used.sum() <= 40
    level = np.abs(rows.flux[used]).max()
    y, noise = rows.flux[used] / level, (rows.error[used] / level) ** 2 + SOFTENING**2
    phase, wavelength = rows.outburst.phase[used], np.log(WAVELENGTH)[rows.band[used]]
    likelihood = [
        multivariate_normal(
            cov=0.5 * matern(phase[:, None] - phase, time) * matern(wavelength[:, None] - wavelength, across)
            + np.diag(noise)
        ).logpdf(y) + 0.5 * len(y) * np.log(2 * np.pi)
        for across in WAVELENGTH_SCALES for time in gaussian_process.TIME_SCALES
    ]  # fmt: skip
    found = statistics(curve, ["smoothness"])
    assert found["smoothness.likelihood"][0] == pytest.approx(max(likelihood) / len(y), rel=1e-4)
    assert found["smoothness.one_colour"][0] == pytest.approx(max(likelihood[-6:]) - max(likelihood), abs=1e-3)


def test_what_cools_does_not_go_together_in_all_bands():
    alike, cooling = (
        statistics(observed(burst(), temperature=course), ["smoothness"])
        for course in (
            lambda phase: np.full_like(phase, 20000.0),
            lambda phase: 20000 * 10 ** (-0.01 * phase.clip(0, 60)),
        )
    )
    assert alike["smoothness.wavelength_scale"][0] > cooling["smoothness.wavelength_scale"][0] + 0.5
    assert cooling["smoothness.one_colour"][0] < alike["smoothness.one_colour"][0] - 5
