"""The features of rows, compiled: what `telperion.encode.sequence` does feature by feature, in one pass over the rows.

Like `telperion.encode.rhythm_loop` it needs numba and a moment to load, and is compiled as it is imported. A feature of
a band is worked out anew only when a row has that band; of times, only where they are NaN is it not known yet.
"""

import math

import numpy as np
from numba import boolean, float32, float64, int8, int64, njit, void
from numba.types import Array
from numpy.typing import NDArray

_COLUMNS = [Array(kind, 1, "C", readonly=True) for kind in (float64, float32, float32, int8, boolean, int64)]
_TYPES = void(
    *_COLUMNS, float64[:, ::1], int64[::1], float64, int64[::1], float64[:, ::1], float32[:, :, ::1], float64[::1],
    float64[::1],
)  # fmt: skip
_LARGEST = float(np.finfo(np.float32).max)


@njit("f8(f8)", error_model="numpy", cache=True)
def _log_days(days: float) -> float:
    return math.log1p(days) / 3 if days > 0 else 0.0  # 0 where it is NaN


@njit("f8(f8)", error_model="numpy", cache=True)
def _within(share: float) -> float:
    return min(max(share, -2.0), 2.0)


@njit("f8(f8)", error_model="numpy", cache=True)
def _single(number: float) -> float:
    return min(max(number, -_LARGEST), _LARGEST)


@njit("void(f8[::1], f4[::1], i8, i8[::1], i8, i8, i8, f8)", error_model="numpy", cache=True)
def _write_band(
    told: NDArray, row: NDArray, b: int, layout: NDArray, asinh: int, snr: int, count: int, softening: float
) -> None:
    """Write what changes with a row of the band alone: fluxes, signal to noise, number, scatter."""
    n, highest, deepest, sums = layout[0], layout[1] + b, layout[2] + b, layout[4] + b
    flux, error = told[n + b], told[2 * n + b]
    number, weight, first, second = told[sums], max(told[sums + n], 1e-30), told[sums + 2 * n], told[sums + 3 * n]
    row[asinh + 2 + b] = math.asinh(flux / softening) / 4
    row[asinh + 2 + n + b] = math.asinh(told[highest] / softening) / 4
    row[asinh + 2 + 2 * n + b] = math.asinh(told[deepest] / softening) / 4
    row[asinh + 2 + 3 * n + b] = math.asinh(first / weight / softening) / 4
    row[snr + 2 + b] = math.asinh(_single(flux / error)) / 3
    row[count + 2 + b] = math.log1p(number) / 3
    scatter = (second - first * first / weight) / max(number - 1, 1.0)
    row[count + 2 + n + b] = math.log1p(_single(max(scatter, 0.0))) / 3


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
    layout: NDArray,
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
    layout : array of int, shape ``(11,)``
        `telperion.encode.history.LAYOUT`.
    memory : array, shape ``(n_objects, n_memory)``
        Begins as `layout` says; changed.
    rows : array of float32, shape ``(n_objects, n_times, n_features)``
        The features, and zeros after each object's last row. Further columns are left alone before it.
    deviation, gap : array, shape ``(n_rows,)``
        For rhythm: the flux less the mean of its band over the scatter, at most 3, and the days since the row before.
    """
    days, asinh, share, snr, count, luminosity, flag = places
    n, highest, deepest, top, sums, seen, detections, last, first_detection, last_detection, peak_time = layout
    for i in range(len(offsets) - 1):
        told = memory[i]
        rest, slope, level = distance[i]
        begin, length = offsets[i], offsets[i + 1] - offsets[i]
        for k in range(length):
            row, t, b = rows[i, k], time[begin + k], band[begin + k]
            f, e = float64(flux[begin + k]), float64(error[begin + k])  # float() would leave them single
            previous, previous_t = told[last], told[b]
            row[snr + 1] = math.asinh(_single((f - told[n + b]) / math.hypot(e, told[2 * n + b]))) / 3
            # what is known after this row
            told[b], told[n + b], told[2 * n + b] = t, f, e
            told[highest + b] = max(told[highest + b], f - e)
            told[deepest + b] = max(told[deepest + b], -f - e)
            weight = 1 / (e * e)
            told[sums + b] += 1
            told[sums + n + b] += weight
            told[sums + 2 * n + b] += weight * f
            told[sums + 3 * n + b] += weight * f * f
            told[seen] += 1
            told[last] = t
            if detected[begin + k]:
                told[detections] += 1
                if not told[first_detection] <= t:  # or there was none
                    told[first_detection] = t
                if not told[last_detection] >= t:
                    told[last_detection] = t
            if f - e > told[top]:
                told[top] = f - e
                if not told[peak_time] >= t:
                    told[peak_time] = t
            # what is written of it
            if k == 0:
                for other in range(n):
                    _write_band(told, row, other, layout, asinh, snr, count, softening)
                    row[flag + 4 + other] = 0
            else:
                past = rows[i, k - 1]
                for j in range(asinh + 2, share):
                    row[j] = past[j]
                for j in range(snr + 2, luminosity):
                    row[j] = past[j]
                for j in range(flag + 4, flag + 4 + n):
                    row[j] = 0
                _write_band(told, row, b, layout, asinh, snr, count, softening)
            row[days] = _log_days(t - previous)
            row[days + 1] = _log_days(t - previous_t)
            row[days + 2] = _log_days(t - told[first_detection])
            row[days + 3] = _log_days(t - told[last_detection])
            row[days + 4] = _log_days(t - told[peak_time])
            row[days + 5] = _log_days(told[peak_time] - told[first_detection])
            row[days + 6] = _log_days((t - told[first_detection]) * rest)
            row[days + 7] = _log_days((t - told[peak_time]) * rest)
            peak = max(told[top], softening)
            row[asinh] = math.asinh(f / softening) / 4
            row[asinh + 1] = math.asinh(peak / softening) / 4
            row[share] = _within(f / peak)
            for other in range(n):
                row[days + 8 + other] = _log_days(t - told[other])
                row[share + 1 + other] = _within(told[n + other] / peak)
                row[share + 1 + n + other] = _within(told[highest + other] / peak)
            row[snr] = math.asinh(_single(f / e)) / 3
            row[count] = math.log1p(told[seen]) / 3
            row[count + 1] = math.log1p(told[detections]) / 3
            row[luminosity] = level + slope * math.log10(max(f, softening))
            row[luminosity + 1] = level + slope * math.log10(peak)
            row[flag] = math.log(e / softening) / 2
            row[flag + 1], row[flag + 2] = detected[begin + k], told[seen] == 1
            row[flag + 3], row[flag + 4 + b] = told[detections] > 0, 1
            number, weight = told[sums + b], max(told[sums + n + b], 1e-300)
            mean = told[sums + 2 * n + b] / weight
            variance = max(told[sums + 3 * n + b] / weight - mean * mean, 0.0) + e * e
            deviation[begin + k] = min(max((f - mean) / math.sqrt(variance), -3.0), 3.0) if number > 1 else 0.0
            gap[begin + k] = max(t - previous, 0.0) if told[seen] > 1 else 0.0
        rows[i, length:] = 0
