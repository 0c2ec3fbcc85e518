"""The rhythm of light curves row by row, compiled: what `telperion.encode.rhythm` does by cumulative sums, in one pass.

As `telperion.encode.sequence_loop` it needs numba, and is compiled as it is imported.
"""

import numpy as np
from numba import float32, float64, int64, njit, void
from numba.types import Array
from numpy.typing import NDArray

_GROUP = 8
_READ, _OFFSETS = (Array(kind, 1, "C", readonly=True) for kind in (float64, int64))
_TYPES = void(_READ, _READ, _READ, _OFFSETS, _READ, _READ, float64, float64[:, ::1], int64, float32[:, :, ::1], int64)


@njit(fastmath=True, error_model="numpy", cache=True)
def _turn(start: float, step: float, cosine: NDArray, sine: NDArray) -> None:
    """Write cosine and sine of equally spaced numbers of turns, groups as products of a few."""
    angle, between = 2 * np.pi * (start - np.rint(start)), 2 * np.pi * (step - np.rint(step))
    cosine[0], sine[0] = np.cos(angle), np.sin(angle)
    real, imaginary = np.cos(between), np.sin(between)
    for j in range(1, _GROUP):
        cosine[j] = cosine[j - 1] * real - sine[j - 1] * imaginary
        sine[j] = cosine[j - 1] * imaginary + sine[j - 1] * real
    real, imaginary = np.cos(_GROUP * between), np.sin(_GROUP * between)
    for group in range(_GROUP, len(cosine), _GROUP):
        for j in range(group, group + _GROUP):
            cosine[j] = cosine[j - _GROUP] * real - sine[j - _GROUP] * imaginary
            sine[j] = cosine[j - _GROUP] * imaginary + sine[j - _GROUP] * real


@njit(_TYPES, fastmath=True, error_model="numpy", cache=True)
def go_on(
    deviation: NDArray,
    time: NDArray,
    gap: NDArray,
    offsets: NDArray,
    lags: NDArray,
    frequencies: NDArray,
    forgetting: float,
    memory: NDArray,
    place: int,
    rows: NDArray,
    column: int,
) -> None:
    """Write the sums after each row, and leave in the memory what they are after the last.

    Parameters
    ----------
    deviation, time, gap : array, shape ``(n_rows,)``
        Time in days since any epoch.
    offsets : array of int, shape ``(n_objects + 1,)``
    lags : array, d
    frequencies : array, 1/d
        Equally spaced, a multiple of 8 of them.
    forgetting : float, d
    memory : array, shape ``(n_objects, n_memory)``
        From `place` on as `telperion.encode.rhythm.N_MEMORY` says; changed.
    place : int
    rows : array of float32, shape ``(n_objects, n_times, n_features)``
        From `column` on get products and numbers by lag, then the power of each frequency.
    column : int
    """
    n, first, spacing = len(frequencies), frequencies[0], frequencies[1] - frequencies[0]
    n_lags = len(lags) + 1
    cosine, sine = np.empty(n), np.empty(n)
    for i in range(len(offsets) - 1):
        told = memory[i, place:]
        products, numbers = told[3 : 3 + n_lags], told[3 + n_lags : 3 + 2 * n_lags]
        waves = told[3 + 2 * n_lags :]
        for k in range(offsets[i], offsets[i + 1]):
            row = rows[i, k - offsets[i], column:]
            now, before, passed = deviation[k], told[0], gap[k]
            lag = np.searchsorted(lags, passed)
            if now != 0 and before != 0:
                products[lag] += now * before
                numbers[lag] += 1
            keeps = np.exp(-passed / forgetting)
            fades = 1 - keeps
            told[0] = now
            told[1] += fades
            told[2] = told[2] * keeps + now * now
            _turn(first * time[k], spacing * time[k], cosine, sine)
            share, over = fades / (told[2] + 1e-9), 1 / (told[1] + 0.5)
            for j in range(n):
                real = waves[j] * keeps + cosine[j] * now
                imaginary = waves[n + j] * keeps + sine[j] * now
                power = waves[2 * n + j] + (real * real + imaginary * imaginary) * share
                waves[j], waves[n + j], waves[2 * n + j] = real, imaginary, power
                row[2 * n_lags + j] = power * over
            for j in range(n_lags):
                row[j] = products[j] / (numbers[j] + 1)
                row[n_lags + j] = numbers[j]
