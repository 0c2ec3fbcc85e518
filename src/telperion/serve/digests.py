"""Whether an alert's history goes on from what was seen of its object before: rows by their digests."""

from __future__ import annotations

from zlib import crc32

import numpy as np
from numpy.typing import NDArray

from telperion.lightcurves import LightCurves

WINDOW = 365
"""Days of history that a packet shows."""

REPLAY = -1
"""Of `resume`: the light curve has to be gone through from its start."""

_MIX = (np.uint64(0x9E3779B97F4A7C15), np.uint64(0xBF58476D1CE4E5B9), np.uint64(0x94D049BB133111EB))
_HALF, _THIRD = np.uint64(32), np.uint64(29)
_DAYS = 2**16  # a day is kept in two bytes


def row_digests(light_curves: LightCurves) -> NDArray[np.uint32]:
    """Give a digest of each row: of its time, band, flux, error and whether it is a detection, shape ``(n_rows,)``."""
    digest: NDArray[np.uint64] = light_curves.time.view(np.uint64).copy()
    fluxes = light_curves.flux.view(np.uint32).astype(np.uint64) << _HALF
    fluxes |= light_curves.flux_err.view(np.uint32).astype(np.uint64)
    kinds = light_curves.band.astype(np.uint64) * np.uint64(2) + light_curves.detected.astype(np.uint64)
    parts: tuple[NDArray[np.uint64], ...] = (fluxes, kinds, np.zeros(1, dtype=np.uint64))
    for factor, part in zip(_MIX, parts, strict=True):
        digest *= factor
        digest ^= digest >> _THIRD
        digest += part
    return (digest >> _HALF).astype(np.uint32)


def context_digests(light_curves: LightCurves) -> NDArray[np.uint64]:
    """Give a digest of what is known of each object beside its rows and its position, shape ``(n_objects,)``."""
    known = sorted(light_curves.context.keys() - {"ra", "decl"})
    digest = np.full(len(light_curves), crc32(" ".join(known).encode()), dtype=np.uint64)
    for name in known:
        values = light_curves.context[name]
        digest ^= np.where(np.isnan(values), np.nan, values + 0.0).view(np.uint64)  # one NaN, one zero
        digest *= _MIX[0]
        digest ^= digest >> _THIRD
    return digest


def row_days(light_curves: LightCurves) -> NDArray[np.uint16]:
    """Give the day of each row, MJD without its fraction, in two bytes, shape ``(n_rows,)``."""
    return (light_curves.time.astype(np.int64) % _DAYS).astype(np.uint16)


def resume(
    stored: tuple[NDArray[np.uint32], NDArray[np.uint16], NDArray[np.int64]],
    shown: tuple[NDArray[np.uint32], NDArray[np.int64]],
    alert_time: NDArray[np.float64],
) -> NDArray[np.int64]:
    """Tell from which of the rows that an alert shows on its object's stored state has not seen them.

    Parameters
    ----------
    stored : tuple of array
        Of the states: digests and days of the rows that made them, and where each object's begin among these, shape
        ``(n + 1,)``.
    shown : tuple of array
        Of the alerts: digests of the rows, and where each alert's begin.
    alert_time : array, shape ``(n,)``, MJD

    Returns
    -------
    array of int, shape ``(n,)``
        The first row that is new to the state; `REPLAY` where the rows before it are not those which made the state:
        some came late, were corrected or withdrawn. Rows older than `WINDOW` need not be shown any more.

    Examples
    --------
    >>> old = np.array([7, 8], dtype=np.uint32), np.array([100, 101], dtype=np.uint16), np.array([0, 2])
    >>> resume(old, (np.array([7, 8, 9], dtype=np.uint32), np.array([0, 3])), np.array([103.0]))
    array([2])
    >>> resume(old, (np.array([7, 9], dtype=np.uint32), np.array([0, 2])), np.array([103.0]))
    array([-1])
    >>> resume(old, (np.array([8, 9], dtype=np.uint32), np.array([0, 2])), np.array([466.0]))
    array([1])
    """
    (digest, day, offsets), (seen, places) = stored, shown
    n, many = np.diff(offsets), np.diff(places)
    owner, order = np.repeat(np.arange(n.size), n), _ramp(n)
    age = (alert_time[owner].astype(np.int64) - day.astype(np.int64) + _DAYS // 2) % _DAYS - _DAYS // 2
    kept = _first(order, owner, age < WINDOW - 1, n)  # those before it need not be shown
    first = np.zeros(n.size, dtype=np.uint32)
    first[many > 0] = seen[places[:-1][many > 0]]
    found = _first(order, owner, (digest == first[owner]) & (order <= kept[owner]) & (many[owner] > 0), n)
    known = n - found  # rows of the state that are shown; none, if all are too old
    result = np.where(((found < n) | (kept == n)) & (known <= many), known, REPLAY)
    count = np.maximum(result, 0)
    which, step = np.repeat(np.arange(n.size), count), _ramp(count)
    wrong = digest[(offsets[:-1] + found)[which] + step] != seen[places[:-1][which] + step]
    result[which[wrong]] = REPLAY
    return result


def _ramp(counts: NDArray[np.int64]) -> NDArray[np.int64]:
    """Give 0, 1, 2 ... for each of some counts, one after the other."""
    return np.arange(counts.sum()) - np.repeat(np.cumsum(counts) - counts, counts)


def _first(
    order: NDArray[np.int64], owner: NDArray[np.int64], where: NDArray[np.bool_], otherwise: NDArray[np.int64]
) -> NDArray[np.int64]:
    """Give each owner's first place where something holds; `otherwise` where it never does."""
    result = otherwise.copy()
    np.minimum.at(result, owner[where], order[where])
    return result
