"""How an object varies that never stops: excess variance, damped random walk, structure function.

The damped random walk (Kelly, Bechtold & Siemiginowska 2009) is one signal in all bands, scaled by each band's scatter:
its likelihood, against that of a constant, follows row by row from a Kalman filter, on a grid of time scales and
strengths for many objects at once.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from telperion.bands import BANDS
from telperion.encode.observations import N_BANDS, Observations
from telperion.encode.segments import Segments, ratio

TIME_SCALES = np.array([3.0, 8.0, 20.0, 50.0, 120.0, 300.0, 800.0])
"""Rest-frame days."""

STRENGTHS = np.array([0.5, 1.0, 2.0])
"""Standard deviation of the walk, in units of the band's scatter beyond its errors."""

LEAST = 0.3
"""That scatter counts at least as this part of a typical error."""

LAGS = (0.0, 2.0, 7.0, 20.0, 50.0, 120.0, 300.0, 700.0, 3000.0)
"""Rest-frame days between two rows of a band: edges of the structure function's bins."""

FEWEST, MOST = 3, 150
"""Pairs that a bin needs; rows of a band of which pairs are made (evenly thinned beyond)."""

BANDS_TOLD = (1, 2, 3, 4)
BATCH = 200


def variability(rows: Observations) -> dict[str, NDArray]:
    """Excess variance, damped random walk and structure function over the whole light curve.

    Returns
    -------
    dict of str to array, shape ``(n_objects,)``
    """
    groups, weight = rows.by_band, rows.error**-2.0
    mean = groups.mean(rows.flux, weight)
    away = rows.flux - mean[groups.key]
    excess = groups.mean(away**2 - rows.error**2, weight)
    typical = np.sqrt(ratio(groups.count(), groups.sum(weight)))
    scatter = np.maximum(np.sqrt(np.maximum(excess, 0)), LEAST * typical)[groups.key]
    out: dict[str, NDArray] = {}
    strength, level = _root(excess).reshape(-1, N_BANDS), mean.reshape(-1, N_BANDS)
    for band in BANDS_TOLD:
        peak = np.maximum(rows.outburst.peak[:, band], 1e-3)
        out[f"excess_of_peak_{BANDS[band]}"] = excess.reshape(-1, N_BANDS)[:, band] / peak**2
        out[f"scatter_of_mean_{BANDS[band]}"] = strength[:, band] / np.maximum(np.abs(level[:, band]), 1e-3)
    out |= random_walk(rows, away / scatter, (rows.error / scatter) ** 2)
    return out | structure_function(rows)


def random_walk(rows: Observations, signal: NDArray, noise: NDArray) -> dict[str, NDArray]:
    """Compare a damped random walk with a constant.

    Parameters
    ----------
    rows : Observations
    signal, noise : array, shape ``(n_rows,)``
        Flux less its band's mean over the band's scatter, and the variance of that.
    """
    n, lengths = rows.n_objects, rows.by_object.count()
    walk = np.full((n, len(TIME_SCALES), len(STRENGTHS)), np.nan)
    time = rows.days / rows.outburst.stretch[rows.object]
    by_length = np.argsort(lengths, kind="stable")
    for start in range(0, n, BATCH):
        members = by_length[start : start + BATCH]
        longest = int(lengths[members].max())
        place = np.arange(longest)
        held = place < lengths[members, None]
        index = np.where(held, rows.light_curves.offsets[members, None] + place, 0)
        if longest:
            walk[members] = _walk_likelihood(time[index], signal[index], noise[index], held)
    walk[lengths == 0] = np.nan
    constant = rows.by_object.sum(-0.5 * (signal**2 / noise + np.log(noise)))
    flat = walk.reshape(n, TIME_SCALES.size * STRENGTHS.size)
    best = flat.max(axis=1)
    chance = np.exp(flat - best[:, None])
    chance = (chance / chance.sum(axis=1, keepdims=True)).reshape(walk.shape)
    gain = np.log1p(np.maximum(best - constant, 0))
    out = {
        "walk_time_scale": chance.sum(axis=2) @ np.log10(TIME_SCALES),
        "walk_strength": chance.sum(axis=1) @ np.log(STRENGTHS),
        "walk_gain": gain,
        "walk_gain_per_row": ratio(best - constant, lengths),
        "walk_likelihood": ratio(best, lengths),
    }
    for step, scale in enumerate(TIME_SCALES[:-1]):
        own = walk[:, step].max(axis=1)
        out[f"walk_{scale:.0f}_days"] = np.log1p(np.maximum(own - constant, 0)) - gain
    return out


def _walk_likelihood(time: NDArray, signal: NDArray, noise: NDArray, held: NDArray) -> NDArray[np.float64]:
    """Log-likelihood of the walk, shape ``(n, n_time_scales, n_strengths)``, from rows of shape ``(n, n_rows)``."""
    variance = np.broadcast_to(STRENGTHS**2, (len(time), len(TIME_SCALES), len(STRENGTHS)))
    mean, spread, total = np.zeros(variance.shape), variance.copy(), np.zeros(variance.shape)
    for k in range(time.shape[1]):
        if k:
            gap = np.maximum(time[:, k] - time[:, k - 1], 0)
            kept = np.exp(-gap[:, None] / TIME_SCALES)[:, :, None]
            mean, spread = mean * kept, spread * kept**2 + variance * (1 - kept**2)
        here = held[:, k, None, None]
        expected = spread + noise[:, k, None, None]
        surprise = signal[:, k, None, None] - mean
        total += np.where(here, -0.5 * (surprise**2 / expected + np.log(expected)), 0)
        trust = np.where(here, spread / expected, 0)
        mean, spread = mean + trust * surprise, spread * (1 - trust)
    return total


def structure_function(rows: Observations) -> dict[str, NDArray]:
    """Root mean square change of the flux over a lag, less the errors, in units of the peak flux."""
    n, bins = rows.n_objects, len(LAGS) - 1
    time = rows.days / rows.outburst.stretch[rows.object]
    flux, variance = (values / rows.outburst.level[rows.object] ** power
                      for values, power in ((rows.flux, 1), (rows.error**2, 2)))  # fmt: skip
    out: dict[str, NDArray] = {}
    for band in BANDS_TOLD:
        first, second = _pairs(Segments(rows.object[rows.band == band], n), MOST)
        index = np.flatnonzero(rows.band == band)
        first, second = index[first], index[second]
        lag = np.digitize(time[second] - time[first], LAGS) - 1
        groups = Segments(rows.object[first] * bins + np.minimum(lag, bins - 1), n * bins)
        square = ratio(
            groups.sum((flux[second] - flux[first]) ** 2 - variance[first] - variance[second]), groups.count()
        )
        square = np.where(groups.count() >= FEWEST, square, np.nan).reshape(n, bins)
        for place, lag_from in enumerate(LAGS[:-1]):
            out[f"change_{lag_from:.0f}_{BANDS[band]}"] = _root(square[:, place])
        long, short = (np.maximum(square[:, place], 1e-4) for place in (5, 2))
        out[f"change_slope_{BANDS[band]}"] = np.log10(long / short)
    return out


def _pairs(groups: Segments, most: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """All pairs of rows of a group, the earlier one first; of a larger group those of `most` rows, evenly chosen."""
    first, second = [], []
    triangles: dict[int, tuple[NDArray, NDArray]] = {}
    for start, stop in zip(groups.starts[:-1], groups.starts[1:], strict=True):
        members = groups.order[start:stop]
        if len(members) > most:
            members = members[np.linspace(0, len(members) - 1, most).astype(int)]
        if len(members) not in triangles:
            triangles[len(members)] = np.triu_indices(len(members), 1)
        one, other = triangles[len(members)]
        first.append(members[one])
        second.append(members[other])
    none = np.empty(0, dtype=np.int64)
    return np.concatenate([none, *first]), np.concatenate([none, *second])


def _root(values: NDArray) -> NDArray[np.float64]:
    """Square root that keeps the sign."""
    return np.sign(values) * np.sqrt(np.abs(values))
