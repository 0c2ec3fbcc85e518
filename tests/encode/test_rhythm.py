"""What a light curve's rows say of its rhythm, against the sums written out row by row and against Lomb and Scargle."""

import numpy as np
import pytest
from astropy.timeseries import LombScargle

from telperion.encode import sequence
from telperion.encode.context import encode_context
from telperion.encode.rhythm import FORGETTING, FREQUENCIES, LAGS, NAMES
from telperion.encode.sequence import N_ROW_FEATURES, encode_rows, start
from telperion.lightcurves import LightCurves


@pytest.fixture(params=["sums", "loop"], autouse=True)
def way(request, monkeypatch):
    """Go through the rows by cumulative sums, or by the compiled loop."""
    monkeypatch.setattr(sequence, "_loops", None)
    if request.param == "loop":
        pytest.importorskip("numba", reason="the compiled loop needs numba")
        assert sequence.compile_loops()
    return request.param


def make_curve(rng, n_rows=60, frequency=0.37, noise=60.0):
    """Make a sine in three bands at odd times, some in the same night."""
    time = 60100 + np.sort(np.append(rng.uniform(0, 200, n_rows - 10), 100 + rng.uniform(0, 0.2, 10)))
    band = rng.integers(1, 4, n_rows)
    flux = 1000 * np.sin(2 * np.pi * frequency * time) + rng.normal(0, noise, n_rows) + 300.0 * band
    error = rng.uniform(0.8, 1.2, n_rows) * noise
    return LightCurves(["a"], [0, n_rows], time, band, flux, error, np.ones(n_rows, bool), dereddened=True)


def features(curve):
    rows, _, _ = encode_rows(curve, encode_context(curve), start(1, rhythm=True), rhythm=True)
    return dict(zip(NAMES, rows[0, :, N_ROW_FEATURES:].T, strict=True))


def written_out(curve):
    """Do by loops what the encoding does by cumulative sums."""
    count, weight, first, second = np.zeros((4, 6))
    waves = np.zeros(len(FREQUENCIES), complex)
    squares = elapsed = previous = 0.0
    power, lagged = np.zeros(len(FREQUENCIES)), np.zeros((2, len(LAGS) + 1))
    last = None
    for time, band, flux, error in zip(curve.time, curve.band, curve.flux, curve.flux_err, strict=True):
        flux, error = float(flux), float(error)
        count[band] += 1
        weight[band] += error**-2
        first[band] += flux / error**2
        second[band] += flux**2 / error**2
        mean = first[band] / weight[band]
        deviation = (flux - mean) / np.sqrt(max(second[band] / weight[band] - mean**2, 0) + error**2)
        deviation = float(np.clip(deviation, -3, 3)) if count[band] > 1 else 0.0
        gap = 0.0 if last is None else time - last
        fade = np.exp(-gap / FORGETTING)
        waves = waves * fade + deviation * np.exp(2j * np.pi * FREQUENCIES * time)
        squares = squares * fade + deviation**2
        elapsed += 1 - fade
        power += np.abs(waves) ** 2 / (squares + 1e-9) * (1 - fade)
        if last is not None and deviation != 0 and previous != 0:
            place = int(np.sum(gap > LAGS))
            lagged[:, place] += deviation * previous, 1
        last, previous = time, deviation
    return np.concatenate([lagged[0] / (lagged[1] + 1), np.log1p(lagged[1]) / 3, np.log1p(power / (elapsed + 0.5)) / 3])


def test_cumulative_sums_are_the_sums_row_by_row(rng):
    for _ in range(3):
        curve = make_curve(rng)
        found = np.array([values[-1] for values in features(curve).values()])
        np.testing.assert_allclose(found, written_out(curve), atol=2e-5)


@pytest.mark.parametrize("frequency", [0.11, 0.37, 0.93])
def test_the_strongest_line_is_where_lomb_and_scargle_have_it(rng, frequency):
    curve = make_curve(rng, 300, frequency)
    power = np.array([values[-1] for name, values in features(curve).items() if name.startswith("power")])
    level = np.array([curve.flux[curve.band == band].mean() for band in range(1, 4)])[curve.band - 1]
    fine = np.linspace(FREQUENCIES[0], FREQUENCIES[-1], 8000)  # its lines are narrow: it forgets nothing
    other = fine[LombScargle(curve.time, curve.flux - level).power(fine).argmax()]
    step = FREQUENCIES[1] - FREQUENCIES[0]
    assert abs(FREQUENCIES[power.argmax()] - frequency) < step
    assert abs(FREQUENCIES[power.argmax()] - other) < step


def test_noise_has_a_power_of_one_half_on_average(rng):
    powers = []
    for _ in range(20):
        curve = make_curve(rng, 400)
        noise = rng.normal(0, 60, curve.n_rows).astype(np.float32)
        curve = LightCurves(
            ["a"], [0, curve.n_rows], curve.time, curve.band, noise, np.ones(curve.n_rows), curve.detected,
            dereddened=True,
        )  # fmt: skip
        found = features(curve)
        powers += [np.expm1(3 * values[-1]) for name, values in found.items() if name.startswith("power")]
    assert 0.4 < np.mean(powers) < 0.6


def test_what_is_smooth_goes_together_at_short_lags_and_what_is_fast_does_not(rng):
    slow, fast = (features(make_curve(rng, 300, frequency)) for frequency in (0.02, 3.7))
    assert slow["lag:product_1"][-1] > 0.6
    assert slow["lag:product_1"][-1] > fast["lag:product_1"][-1] + 0.3


def test_more_than_a_lifetime_of_rows_stays_finite(rng):
    curve = make_curve(rng, 50)
    long = LightCurves(
        ["a"], [0, 50], np.linspace(20_000, 62_000, 50), curve.band, curve.flux, curve.flux_err, curve.detected,
        dereddened=True,
    )  # fmt: skip
    assert all(np.isfinite(values).all() for values in features(long).values())


@pytest.mark.parametrize("way", ["loop"], indirect=True)
def test_both_ways_write_the_same_of_ragged_light_curves_in_parts(rng, monkeypatch):
    parts, lengths = [make_curve(rng, n_rows) for n_rows in (60, 11, 200, 10)], [60, 11, 200, 10, 0]
    columns = ("time", "band", "flux", "flux_err", "detected")
    columns = [np.concatenate([getattr(part, name) for part in parts]) for name in columns]
    curves = LightCurves([*"abcde"], np.cumsum([0, *lengths]), *columns, dereddened=True)
    static = encode_context(curves)
    place = np.arange(curves.n_rows) - np.repeat(curves.offsets[:-1], curves.lengths)
    found = []
    for compiled in (True, False):
        if not compiled:
            monkeypatch.setattr(sequence, "_loops", None)
        memory, parts = start(5, rhythm=True), []
        for rows in (place < 40, place >= 40):
            encoded, lengths, memory = encode_rows(curves.select_rows(rows), static, memory, rhythm=True)
            parts += [encoded, lengths]
        found.append([*parts, memory])
    for ours, theirs in zip(*found, strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-6, atol=2e-6)
