"""The two-dimensional Gaussian process: against scikit-learn, against what it should do."""

import numpy as np
import pytest

from telperion.bands import WAVELENGTH
from telperion.encode import gaussian_process as gp
from telperion.encode.segments import Segments


def bell(rng: np.random.Generator, n: int, noise: float = 20.0) -> tuple[np.ndarray, ...]:
    days, band = np.sort(rng.uniform(-30, 60, n)), rng.integers(0, 6, n)
    flux = 1000 * np.exp(-0.5 * (days / 15) ** 2) + rng.normal(0, noise, n)
    return days, band, flux, np.full(n, noise)


def test_the_mean_is_that_of_a_process_worked_out_by_hand(rng):
    days, band, flux, error = bell(rng, 30)
    process = gp.gaussian_process(Segments(np.zeros(30, int), 1), days, band, flux, error)
    where = np.array([[-5.0, 0.0, 12.0]])
    found = process.predict(where, np.log(WAVELENGTH)[None, :])[0]

    def kernel(t1, w1, t2, w2):
        in_time = gp.matern(t1[:, None] - t2, process.time_scale[0])
        return gp.VARIANCE * in_time * gp.matern(w1[:, None] - w2, gp.WAVELENGTH_SCALE)

    scale, log_w = process.amplitude[0], np.log(WAVELENGTH)[band]
    noise = np.diag((error / scale) ** 2 + gp.SOFTENING**2)
    weight = np.linalg.solve(kernel(days, log_w, days, log_w) + noise, flux / scale)
    for column in range(6):
        expected = scale * kernel(where[0], np.full(3, np.log(WAVELENGTH)[column]), days, log_w) @ weight
        np.testing.assert_allclose(found[:, column], expected, rtol=1e-8, atol=1e-6)


def test_matern_is_that_of_scikit_learn():
    kernels = pytest.importorskip("sklearn.gaussian_process.kernels")
    x = np.linspace(0, 5, 7)[:, None]
    np.testing.assert_allclose(gp.matern(x - x.T, 1.7), kernels.Matern(1.7, nu=1.5)(x), rtol=1e-12)


def test_the_mean_recovers_a_smooth_curve_through_the_noise(rng):
    days, band, flux, error = bell(rng, 90)
    process = gp.gaussian_process(Segments(np.zeros(90, int), 1), days, band, flux, error)
    grid = np.linspace(-20, 40, 13)[None, :]
    found = process.predict(grid, np.log(WAVELENGTH[[2]])[None, :])[0, :, 0]
    np.testing.assert_allclose(found, 1000 * np.exp(-0.5 * (grid[0] / 15) ** 2), atol=60)


def test_objects_do_not_know_of_each_other(rng):
    parts = [bell(rng, n) for n in (1, 7, 33, 200)]
    lengths = [1, 7, 33, 200]
    rows = [np.concatenate(column) for column in zip(*parts, strict=True)]
    together = gp.gaussian_process(Segments(np.repeat(np.arange(4), lengths), 4), *rows)
    grid = np.linspace(-10, 30, 5)
    for place, (part, length) in enumerate(zip(parts, lengths, strict=True)):
        alone = gp.gaussian_process(Segments(np.zeros(length, int), 1), *part)
        expected = alone.predict(grid[None, :], np.log(WAVELENGTH)[None, :])[0]
        found = together.predict(np.tile(grid, (4, 1)), np.tile(np.log(WAVELENGTH), (4, 1)))[place]
        np.testing.assert_allclose(found, expected, rtol=1e-7, atol=1e-7)


def test_scaling_all_fluxes_scales_the_mean(rng):
    days, band, flux, error = bell(rng, 40)
    groups, grid, log_w = Segments(np.zeros(40, int), 1), np.zeros((1, 1)), np.log(WAVELENGTH)[None, :]
    one = gp.gaussian_process(groups, days, band, flux, error).predict(grid, log_w)
    ten = gp.gaussian_process(groups, days, band, 10 * flux, 10 * error).predict(grid, log_w)
    np.testing.assert_allclose(ten, 10 * one, rtol=1e-9)


def test_a_fast_curve_gets_a_shorter_time_scale_than_a_slow_one(rng):
    days = np.tile(np.linspace(-40, 40, 40), 2)
    width = np.repeat([4.0, 40.0], 40)
    flux = 1000 * np.exp(-0.5 * (days / width) ** 2) + rng.normal(0, 10, 80)
    process = gp.gaussian_process(Segments(np.repeat([0, 1], 40), 2), days, np.full(80, 2), flux, np.full(80, 10.0))
    assert process.time_scale[0] < process.time_scale[1]


def test_an_object_without_rows_predicts_nan():
    empty = gp.gaussian_process(Segments(np.zeros(0, int), 1), *(np.zeros(0) for _ in range(1)), np.zeros(0, int),
                                np.zeros(0), np.zeros(0))  # fmt: skip
    assert np.isnan(empty.predict(np.zeros((1, 2)), np.zeros((1, 3)))).all()


def test_long_light_curves_are_thinned_evenly(rng):
    days, band, flux, error = bell(rng, 5000)
    process = gp.gaussian_process(Segments(np.zeros(5000, int), 1), days, band, flux, error)
    assert len(process.time) <= gp.MAX_POINTS
    assert np.diff(process.time).max() < 10
