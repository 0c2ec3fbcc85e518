"""Like for like: rows of two sets paired by band and age, with the same errors, so that cadence and depth tell nothing.

A simulated and a real object of one class are held beside each other. Rows of one band that are each other's nearest,
counted in days from the first detection, are kept, one a night; the better measured one gets noise until both have the
same error, and is detected anew with the survey's efficiency.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from telperion.encode.observations import N_BANDS
from telperion.encode.resample import HALF_DETECTED, SOFTNESS
from telperion.lightcurves import LightCurves

NEAR = 5.0
"""Days by which the ages of two rows may differ."""

FEWEST_ROWS = 3
"""Rows that a pair of objects must keep, with a detection on either side."""

_APART = 1e5  # days: farther than any light curve is long


def alike(simulated: LightCurves, real: LightCurves, rng: np.random.Generator) -> tuple[LightCurves, LightCurves]:
    """Make the light curves of pairs alike in cadence and errors.

    Parameters
    ----------
    simulated, real : LightCurves
        As many objects; those at one place are a pair. Dereddened, each with a detection.
    rng : numpy.random.Generator

    Returns
    -------
    simulated, real : LightCurves
        The pairs that keep `FEWEST_ROWS` rows and detections on both sides, in order.

    Raises
    ------
    ValueError
        The numbers of objects differ.

    Examples
    --------
    >>> one = LightCurves(["a"], [0, 4], [1.0, 2.0, 5.0, 9.0], [1, 2, 2, 3], [9.0, 8, 7, 6], [1.0] * 4, [True] * 4)
    >>> other = LightCurves(["b"], [0, 3], [51.0, 54.5, 60.0], [1, 2, 3], [9.0, 8, 7], [1.0] * 3, [True] * 3)
    >>> ours, theirs = alike(one, other, np.random.default_rng(0))
    >>> ours.time.tolist(), theirs.band.tolist()
    ([1.0, 5.0, 9.0], [1, 2, 3])
    """
    if len(simulated) != len(real):
        raise ValueError(f"{len(simulated)} simulated objects cannot be paired with {len(real)} real ones")
    sides = (simulated, real)
    mine, other = _nearest(_keys(simulated), _keys(real))
    order = rng.permutation(len(mine))
    for curves, rows in zip(sides, (mine, other), strict=True):
        night = curves.object_index[rows] * _APART + np.floor(curves.time[rows] - 0.5)
        _, first = np.unique(night[order], return_index=True)
        kept = np.zeros(len(rows), dtype=bool)
        kept[order[first]] = True
        order = order[kept[order]]
    mine, other = mine[order], other[order]
    error = np.maximum(simulated.flux_err[mine], real.flux_err[other])
    blurred = [_blur(curves, rows, error, rng) for curves, rows in zip(sides, (mine, other), strict=True)]
    good = np.logical_and.reduce([
        (one.lengths >= FEWEST_ROWS) & ~np.isnan(one.first_detection) for one in blurred
    ])  # fmt: skip
    return blurred[0][good], blurred[1][good]


def _keys(curves: LightCurves) -> NDArray[np.float64]:
    """Give a number to each row so that rows are near where object and band are one and ages are near."""
    group = curves.object_index * N_BANDS + curves.band
    return np.asarray(group * _APART + curves.days_since_first_detection)


def _nearest(a: NDArray, b: NDArray) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Give the positions in `a` and in `b` of numbers that are each other's nearest, no farther apart than `NEAR`."""
    to_b, to_a = _closest(a, b), _closest(b, a)
    mutual = np.flatnonzero(to_a[to_b] == np.arange(len(a))) if len(b) else np.zeros(0, dtype=np.int64)
    mutual = mutual[np.abs(a[mutual] - b[to_b[mutual]]) <= NEAR]
    return mutual, to_b[mutual]


def _closest(values: NDArray, among: NDArray) -> NDArray[np.int64]:
    if not len(among):
        return np.zeros(len(values), dtype=np.int64)
    order = np.argsort(among, kind="stable")
    ordered = among[order]
    right = np.clip(np.searchsorted(ordered, values), 1, max(len(among) - 1, 1)).clip(max=len(among) - 1)
    left = np.maximum(right - 1, 0)
    return order[np.where(values - ordered[left] <= ordered[right] - values, left, right)]


def _blur(curves: LightCurves, rows: NDArray[np.int64], error: NDArray, rng: np.random.Generator) -> LightCurves:
    """Keep rows, with so much noise added that they have these errors; what is then too faint is no detection."""
    flux, old = curves.flux[rows].astype(np.float64), curves.flux_err[rows].astype(np.float64)
    noisy = flux + np.sqrt(np.maximum(error.astype(np.float64) ** 2 - old**2, 0)) * rng.normal(size=len(rows))
    still = _efficiency(noisy / error) / _efficiency(flux / old)
    detected = curves.detected[rows] & (rng.uniform(size=len(rows)) < still)
    return LightCurves.from_codes(
        curves.object_index[rows], curves.time[rows], curves.band[rows], noisy, error, detected,
        objects=curves.object_id, context=curves.context, label=curves.label, dereddened=curves.dereddened,
    )  # fmt: skip


def _efficiency(snr: NDArray) -> NDArray[np.float64]:
    return np.asarray(1 / (1 + np.exp(np.clip((HALF_DETECTED - np.abs(snr)) / SOFTNESS, -50, 50))))
