"""The features of rows, compiled: what `telperion.encode.sequence` does feature by feature, in one pass over the rows.

Like `telperion.encode.rhythm_loop` it needs numba and a moment to load, and is compiled as it is imported. A feature of
a band is worked out anew only when a row has that band; of times, only where they are NaN is it not known yet.
"""

import math

from numba import boolean, float32, float64, int8, int64, njit, void
from numba.types import Array
from numpy.typing import NDArray

_COLUMNS = [Array(kind, 1, "C", readonly=True) for kind in (float64, float32, float32, int8, boolean, int64)]
_TYPES = void(
    *_COLUMNS, float64[:, ::1], int64[::1], float64, float64[:, ::1], float32[:, :, ::1], float64[::1], float64[::1]
)
_N = 6
_HIGHEST, _DEEPEST, _PEAK = 3 * _N, 4 * _N, 5 * _N
_COUNT, _ROWS, _DETECTIONS = 5 * _N + 1, 9 * _N + 1, 9 * _N + 2
_LAST, _FIRST_DETECTION, _LAST_DETECTION, _PEAK_TIME = range(9 * _N + 3, 9 * _N + 7)


@njit("f8(f8)", error_model="numpy", cache=True)
def _log_days(days: float) -> float:
    return math.log1p(days) / 3 if days > 0 else 0.0  # 0 where it is NaN


@njit("f8(f8)", error_model="numpy", cache=True)
def _within(share: float) -> float:
    return min(max(share, -2.0), 2.0)


@njit("void(f8[::1], f4[::1], i8, i8, i8, i8, f8)", error_model="numpy", cache=True)
def _write_band(told: NDArray, row: NDArray, b: int, asinh: int, snr: int, count: int, softening: float) -> None:
    """Write what changes with a row of the band alone: fluxes, signal to noise, number, scatter."""
    number, weight = told[_COUNT + b], told[_COUNT + _N + b]
    first, second = told[_COUNT + 2 * _N + b], told[_COUNT + 3 * _N + b]
    mean = first / max(weight, 1e-30)
    row[asinh + 2 + b] = math.asinh(told[_N + b] / softening) / 4
    row[asinh + 2 + _N + b] = math.asinh(told[_HIGHEST + b] / softening) / 4
    row[asinh + 2 + 2 * _N + b] = math.asinh(told[_DEEPEST + b] / softening) / 4
    row[asinh + 2 + 3 * _N + b] = math.asinh(mean / softening) / 4
    row[snr + 2 + b] = math.asinh(told[_N + b] / told[2 * _N + b]) / 3
    row[count + 2 + b] = math.log1p(number) / 3
    scatter = (second - first * mean) / max(number - 1, 1.0)
    row[count + 2 + _N + b] = math.log1p(max(scatter, 0.0)) / 3


@njit(_TYPES, error_model="numpy", cache=True)
def go_on(
    time: NDArray,
    flux: NDArray,
    error: NDArray,
    band: NDArray,
    detected: NDArray,
    offsets: NDArray,
    distance: NDArray,
    places: NDArray,
    softening: float,
    memory: NDArray,
    rows: NDArray,
    deviation: NDArray,
    gap: NDArray,
) -> None:
    """Write the features of each object's next rows, and leave in the memory what is known after the last.

    Parameters
    ----------
    time, flux, error, band, detected : array, shape ``(n_rows,)``
    offsets : array of int, shape ``(n_objects + 1,)``
        All of a `telperion.lightcurves.LightCurves`.
    distance : array, shape ``(n_objects, 3)``
        Days at the source for a day here, and by what -log10(flux) is multiplied and raised to give luminosities; 0
        without a redshift.
    places : array of int, shape ``(7,)``
        Where blocks of features begin, in the order of `telperion.encode.sequence`.
    softening : float, nJy
    memory : array, shape ``(n_objects, n_memory)``
        Begins as `telperion.encode.history` says; changed.
    rows : array of float32, shape ``(n_objects, n_times, n_features)``
        The features, and zeros after each object's last row. Further columns are left alone before it.
    deviation, gap : array, shape ``(n_rows,)``
        For rhythm: the flux less the mean of its band over the scatter, at most 3, and the days since the row before.
    """
    days, asinh, share, snr, count, luminosity, flag = places
    for i in range(len(offsets) - 1):
        told = memory[i]
        rest, slope, level = distance[i]
        begin, length = offsets[i], offsets[i + 1] - offsets[i]
        for k in range(length):
            row, t, f, e, b = (
                rows[i, k],
                time[begin + k],
                float(flux[begin + k]),
                float(error[begin + k]),
                band[begin + k],
            )
            previous, previous_t = told[_LAST], told[b]
            row[snr + 1] = math.asinh((f - told[_N + b]) / math.hypot(e, told[2 * _N + b])) / 3
            # what is known after this row
            told[b], told[_N + b], told[2 * _N + b] = t, f, e
            told[_HIGHEST + b] = max(told[_HIGHEST + b], f - e)
            told[_DEEPEST + b] = max(told[_DEEPEST + b], -f - e)
            weight = 1 / (e * e)
            told[_COUNT + b] += 1
            told[_COUNT + _N + b] += weight
            told[_COUNT + 2 * _N + b] += weight * f
            told[_COUNT + 3 * _N + b] += weight * f * f
            told[_ROWS] += 1
            told[_LAST] = t
            if detected[begin + k]:
                told[_DETECTIONS] += 1
                if not told[_FIRST_DETECTION] <= t:  # or there was none
                    told[_FIRST_DETECTION] = t
                if not told[_LAST_DETECTION] >= t:
                    told[_LAST_DETECTION] = t
            if f - e > told[_PEAK]:
                told[_PEAK] = f - e
                if not told[_PEAK_TIME] >= t:
                    told[_PEAK_TIME] = t
            # what is written of it
            if k == 0:
                for other in range(_N):
                    _write_band(told, row, other, asinh, snr, count, softening)
                    row[flag + 4 + other] = 0
            else:
                past = rows[i, k - 1]
                for j in range(asinh + 2, share):
                    row[j] = past[j]
                for j in range(snr + 2, luminosity):
                    row[j] = past[j]
                for j in range(flag + 4, flag + 4 + _N):
                    row[j] = 0
                _write_band(told, row, b, asinh, snr, count, softening)
            row[days] = _log_days(t - previous)
            row[days + 1] = _log_days(t - previous_t)
            row[days + 2] = _log_days(t - told[_FIRST_DETECTION])
            row[days + 3] = _log_days(t - told[_LAST_DETECTION])
            row[days + 4] = _log_days(t - told[_PEAK_TIME])
            row[days + 5] = _log_days(told[_PEAK_TIME] - told[_FIRST_DETECTION])
            row[days + 6] = _log_days((t - told[_FIRST_DETECTION]) * rest)
            row[days + 7] = _log_days((t - told[_PEAK_TIME]) * rest)
            peak = max(told[_PEAK], softening)
            row[asinh] = math.asinh(f / softening) / 4
            row[asinh + 1] = math.asinh(peak / softening) / 4
            row[share] = _within(f / peak)
            for other in range(_N):
                row[days + 8 + other] = _log_days(t - told[other])
                row[share + 1 + other] = _within(told[_N + other] / peak)
                row[share + 1 + _N + other] = _within(told[_HIGHEST + other] / peak)
            row[snr] = math.asinh(f / e) / 3
            row[count] = math.log1p(told[_ROWS]) / 3
            row[count + 1] = math.log1p(told[_DETECTIONS]) / 3
            row[luminosity] = level + slope * math.log10(max(f, softening))
            row[luminosity + 1] = level + slope * math.log10(peak)
            row[flag] = math.log(e / softening) / 2
            row[flag + 1], row[flag + 2] = detected[begin + k], told[_ROWS] == 1
            row[flag + 3], row[flag + 4 + b] = told[_DETECTIONS] > 0, 1
            number, weight = told[_COUNT + b], max(told[_COUNT + _N + b], 1e-300)
            mean = told[_COUNT + 2 * _N + b] / weight
            variance = max(told[_COUNT + 3 * _N + b] / weight - mean * mean, 0.0) + e * e
            deviation[begin + k] = min(max((f - mean) / math.sqrt(variance), -3.0), 3.0) if number > 1 else 0.0
            gap[begin + k] = max(t - previous, 0.0) if told[_ROWS] > 1 else 0.0
        rows[i, length:] = 0
