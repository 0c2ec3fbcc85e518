"""How quiet an object is away from its brightest outburst: what explodes was dark, what flickers was not."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from telperion.bands import BANDS
from telperion.encode.observations import N_BANDS, Observations
from telperion.encode.segments import Segments, ratio

SPANS = {
    "far_before": (-np.inf, -80.0),
    "before": (-80.0, -30.0),
    "after": (100.0, 250.0),
    "far_after": (250.0, np.inf),
}
"""Rest-frame days from the peak; ``far`` is both that are far."""

PER_BAND = ("far_before", "far_after", "far")
BANDS_TOLD = (1, 2, 3, 4)
"""Positions of g, r, i, z: u and y are too shallow to be quiet."""

SCATTER = 0.02
"""Part of the peak flux added to every error in quadrature where fluxes are averaged."""


def quiescence(rows: Observations) -> dict[str, NDArray]:
    """Flux, noise and excess variance before and after the outburst, against its peak.

    Returns
    -------
    dict of str to array, shape ``(n_objects,)``
        NaN without rows there.
    """
    phase = rows.outburst.phase
    spans = {name: (phase >= start) & (phase < stop) for name, (start, stop) in SPANS.items()}
    spans["far"] = spans["far_before"] | spans["far_after"]
    out: dict[str, NDArray] = {}
    for name, mask in spans.items():
        groups, index = rows.by_object.where(mask)
        out |= {f"{what}_{name}": values for what, values in _away(rows, groups, index).items()}
        if name in PER_BAND:
            by_band, index = rows.by_band.where(mask)
            level = np.maximum(rows.outburst.peak, 1e-3).ravel()[by_band.key]
            share, error = rows.flux[index] / level, rows.error[index] / level
            mean, excess = _excess(by_band, share, error)
            chi2 = np.log10(1 + ratio(by_band.sum(rows.snr[index] ** 2), by_band.count()))
            for what, values in (("mean", mean), ("excess", excess), ("chi2", chi2)):
                by_object = values.reshape(-1, N_BANDS)
                out |= {f"{what}_{name}_{BANDS[band]}": by_object[:, band] for band in BANDS_TOLD}
    return out


def _away(rows: Observations, groups: Segments, index: NDArray[np.int64]) -> dict[str, NDArray]:
    """Tell of the rows of one span, all bands together."""
    level = rows.outburst.level[groups.key]
    snr, share, error = rows.snr[index], rows.flux[index] / level, rows.error[index] / level
    phase, n = rows.outburst.phase[index], groups.count()
    weight = error**-2.0
    return {
        "rows": n,
        "span": groups.max(phase) - groups.min(phase),
        "chi2": np.log10(1 + ratio(groups.sum(snr**2), n)),
        "highest_snr": groups.max(snr),
        "lowest_snr": groups.min(snr),
        "above_3": ratio(groups.count(snr > 3), n),
        "total_snr": ratio(groups.sum(snr), np.sqrt(n)),
        "mean": ratio(groups.sum(weight * share), groups.sum(weight)),
        "excess": _excess(groups, share, error)[1],
        "surely_above": groups.max(share - 2 * error),
        "surely_below": groups.min(share + 2 * error),
    }


def _excess(groups: Segments, flux: NDArray, error: NDArray) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Weighted mean of each group, and its variance beyond the errors."""
    weight = 1 / (error**2 + SCATTER**2)
    mean = groups.mean(flux, weight)
    return mean, groups.mean((flux - mean[groups.key]) ** 2 - error**2, weight)
