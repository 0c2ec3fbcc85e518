"""How a light curve repeats: successive rows compared at several lags, and power at fixed frequencies, row by row.

A recurrent network has no means to find a period. Here the rows of all bands, as deviations from the running mean of
their band in units of its running scatter, are held against sines of fixed frequencies. The sums forget with time, so
that few frequencies cover what there is; the mean of the power over time does not. All goes into a memory of one size.

Here it is done by cumulative sums; `telperion.encode.rhythm_loop` does the same row by row.
"""

import numpy as np
from numpy.typing import NDArray

from telperion.encode.history import History

LAGS = np.array([0.1, 1.5, 3.5, 8.0, 20.0])
"""Days that part the lags at which successive rows are compared: the same night, the next one, and so on."""

FREQUENCIES = np.linspace(0.02, 2.0, 64)
"""Cycles per day. Faster ones show at their aliases, since the survey comes back by night."""

EPOCH = 60_000.0
"""MJD from which the phase of each frequency counts."""

FORGETTING = 30.0
"""Days in which a row's part in the power falls to 1/e: a line is as wide as the frequencies are apart."""

_N_LAGS, _N = len(LAGS) + 1, len(FREQUENCIES)
_LARGEST = 3.0
_LONGEST = 600.0 * FORGETTING  # days, after which the weights below would overflow
_ROWS_AT_ONCE = 1000  # so many stay in the cache
_DEVIATION, _ELAPSED, _SQUARES = range(3)
_SUMS, _LAGGED = slice(_ELAPSED, _SQUARES + 1), slice(3, 3 + 2 * _N_LAGS)
_WAVES, _POWER = slice(_LAGGED.stop, -_N), slice(-_N, None)
N_MEMORY = 3 + 2 * _N_LAGS + 3 * _N
"""Numbers remembered of an object: the deviation of the last row, the time over which power is averaged, the sum of the
squares; of each lag the sum and the number of products; of each frequency two waves and the power so far."""

NAMES = (
    *(f"lag:{what}_{k}" for what in ("product", "log_count") for k in range(_N_LAGS)),
    *(f"power:{frequency:.3f}" for frequency in FREQUENCIES),
)


def start(n_objects: int) -> NDArray[np.float64]:
    """Give the memory of objects of which nothing has been seen, shape ``(n_objects, n_memory)``."""
    return np.zeros((n_objects, N_MEMORY))


def encode_rhythm(
    history: History, lengths: NDArray[np.int64], memory: NDArray[np.float64]
) -> tuple[NDArray[np.float32], NDArray[np.float64]]:
    """Encode how each object's next rows repeat what was before.

    Parameters
    ----------
    history : History
        Of these rows, and those before.
    lengths : array of int, shape ``(n_objects,)``
    memory : array, shape ``(n_objects, n_memory)``
        From `start`, or from the call before.

    Returns
    -------
    columns : array of float32, shape ``(n_objects, n_times, n_features)``
        As in `NAMES`: mean products of the deviations of successive rows by lag, drawn to zero where they are few, and
        log(1 + number) / 3; log(1 + mean power) / 3, where noise alone has a power of one half.
    memory : array, shape ``(n_objects, n_memory)``
    """
    deviation = _deviations(history)
    gap = np.fmax(history.time - history.previous_time, 0)  # 0 for the first row, and where there is none
    n_objects, n_times = deviation.shape
    columns, remembered = np.empty((len(NAMES), n_objects, n_times), dtype=np.float32), np.empty(memory.shape)
    size = max(_ROWS_AT_ONCE // n_times, 1)
    for first in range(0, n_objects, size):
        some = slice(first, first + size)
        after = np.empty((N_MEMORY, len(memory[some]), n_times + 1))
        after[:, :, 0] = memory[some].T
        after[_DEVIATION, :, 1:] = deviation[some]
        products, numbers = _compare_rows(after, gap[some])
        np.divide(products, numbers + 1, out=columns[:_N_LAGS, some])
        columns[_N_LAGS : 2 * _N_LAGS, some] = numbers
        columns[2 * _N_LAGS :, some] = _gather_power(after, history.time[some], gap[some])
        remembered[some] = after[:, np.arange(after.shape[1]), lengths[some]].T
    columns = columns.transpose(1, 2, 0)
    take_logarithms(columns)
    return columns, remembered


def take_logarithms(columns: NDArray[np.float32]) -> None:
    """Bring numbers and powers to log(1 + x) / 3, in place; the features are the last axis, in the order of `NAMES`."""
    rest = columns[..., _N_LAGS:]
    rest += 1
    np.log(rest, out=rest)
    rest /= 3


def _deviations(history: History) -> NDArray[np.float64]:
    """Give flux less mean over scatter, both of the band up to the row; 0 for its first row."""
    band, time = history.band, np.arange(history.time.shape[1])
    count, weight, first, second = history.sums[:, band, np.arange(len(band))[:, None], time]
    weight = np.maximum(weight, 1e-300)
    mean = first / weight
    variance = np.maximum(second / weight - mean * mean, 0) + history.error * history.error
    deviation = np.clip((history.flux - mean) / np.sqrt(variance), -_LARGEST, _LARGEST)
    return np.where(count > 1, deviation, 0.0)


def _compare_rows(after: NDArray[np.float64], gap: NDArray[np.float64]) -> tuple[NDArray, NDArray]:
    """Sum the products of the deviations of successive rows, and count them, by the lag between them."""
    before, now = after[_DEVIATION, :, :-1], after[_DEVIATION, :, 1:]
    at = (np.searchsorted(LAGS, gap) == np.arange(_N_LAGS)[:, None, None]) & (before != 0) & (now != 0)
    lagged = after[_LAGGED].reshape(2, _N_LAGS, *after.shape[1:])
    np.multiply(at, before * now, out=lagged[0, :, :, 1:])
    lagged[1, :, :, 1:] = at
    np.add.accumulate(lagged, axis=3, out=lagged)
    return lagged[0, :, :, 1:], lagged[1, :, :, 1:]


def _gather_power(after: NDArray[np.float64], time: NDArray[np.float64], gap: NDArray[np.float64]) -> NDArray:
    """Give the mean over time of the power at each frequency, shape ``(n_frequencies, n_objects, n_times)``.

    A sum that forgets, s_k = s_{k-1} exp(-gap_k / T) + x_k, is the plain sum of x exp(t / T), times exp(-t / T).
    """
    deviation = after[_DEVIATION, :, 1:]
    since = np.minimum(np.add.accumulate(gap, axis=1), _LONGEST) / FORGETTING
    growth = np.exp(since)
    turns = FREQUENCIES[:, None, None] * (time - EPOCH)
    turns -= np.rint(turns)
    angle = (2 * np.pi * turns).astype(np.float32)
    waves = after[_WAVES].reshape(2, _N, *after.shape[1:])
    np.multiply(np.cos(angle), deviation * growth, out=waves[0, :, :, 1:])
    np.multiply(np.sin(angle), deviation * growth, out=waves[1, :, :, 1:])
    np.multiply(deviation * growth, deviation, out=after[_SQUARES, :, 1:])
    after[_ELAPSED, :, 1:] = fading = 1 - np.exp(-gap / FORGETTING)
    np.add.accumulate(waves, axis=3, out=waves)
    np.add.accumulate(after[_SUMS], axis=2, out=after[_SUMS])
    waves[..., 1:] /= growth
    after[_SQUARES, :, 1:] /= growth
    power = after[_POWER]
    np.add(waves[0, :, :, 1:] ** 2, waves[1, :, :, 1:] ** 2, out=power[:, :, 1:])
    power[:, :, 1:] *= fading / (after[_SQUARES, :, 1:] + 1e-9)
    np.add.accumulate(power, axis=2, out=power)
    return power[:, :, 1:] / (after[_ELAPSED, :, 1:] + 0.5)
