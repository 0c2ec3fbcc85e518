"""Colours of an object at its first night, brightest night, latest night and on average, with their significance."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from telperion.bands import BANDS
from telperion.encode.observations import N_BANDS, NIGHT, Observations, magnitude
from telperion.encode.segments import ratio, take

PAIRS = ((0, 1), (1, 2), (2, 3), (3, 4), (4, 5), (1, 3), (2, 4))
"""Bands whose magnitudes are subtracted: u-g, g-r, r-i, i-z, z-y, g-i, r-z."""


def colours(rows: Observations) -> dict[str, NDArray]:
    """Colours ``g_r_first``, their errors ``g_r_first_error`` and the change of colours between epochs.

    Returns
    -------
    dict of str to array, shape ``(n_objects,)``, mag
    """
    peak_day = take(rows.days, rows.peak)
    last = rows.by_object.last(rows.detected)
    last_day = take(rows.days, last)
    windows = {
        "first": np.abs(rows.days) < NIGHT,
        "peak": np.abs(rows.days - peak_day[rows.object]) < 2.0,
        "last": np.abs(rows.days - last_day[rows.object]) < 2.0,
        "fall": (rows.days - peak_day[rows.object] > 10) & (rows.days - peak_day[rows.object] < 40),
        "mean": np.ones(len(rows.days), dtype=bool),
    }
    out: dict[str, NDArray] = {}
    for name, mask in windows.items():
        flux, error = _weighted_flux(rows, mask)
        out |= _colours(name, flux, error)
        if name == "first":
            out |= {f"mag_{BANDS[b]}_first": magnitude(flux[:, b], error[:, b]) for b in range(N_BANDS)}
            out |= {f"snr_{BANDS[b]}_first": flux[:, b] / error[:, b] for b in range(N_BANDS)}
    out |= _colours("max", *_brightest(rows))
    for blue, red in PAIRS[1:6]:
        pair = f"{BANDS[blue]}_{BANDS[red]}"
        out[f"{pair}_change"] = out[f"{pair}_last"] - out[f"{pair}_first"]
        out[f"{pair}_fading"] = out[f"{pair}_fall"] - out[f"{pair}_peak"]
    return out


def _weighted_flux(rows: Observations, mask: NDArray[np.bool_]) -> tuple[NDArray, NDArray]:
    groups, index = rows.by_band.where(mask)
    weight = rows.error[index] ** -2
    total = groups.sum(weight)
    flux = ratio(groups.sum(rows.flux[index] * weight), total)
    error = ratio(np.ones_like(total), np.sqrt(total))
    return flux.reshape(-1, N_BANDS), error.reshape(-1, N_BANDS)


def _brightest(rows: Observations) -> tuple[NDArray, NDArray]:
    top = rows.by_band.argmax(rows.flux)
    return take(rows.flux, top).reshape(-1, N_BANDS), take(rows.error, top).reshape(-1, N_BANDS)


def _colours(name: str, flux: NDArray, error: NDArray) -> dict[str, NDArray]:
    mag = magnitude(flux, error)
    noise = 1.0857 * error / np.maximum(np.abs(flux), error)
    out = {}
    for blue, red in PAIRS:
        pair = f"{BANDS[blue]}_{BANDS[red]}_{name}"
        out[pair] = mag[:, blue] - mag[:, red]
        if name in ("first", "peak"):
            out[f"{pair}_error"] = np.hypot(noise[:, blue], noise[:, red])
    return out
