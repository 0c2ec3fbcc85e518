"""The outburst's course in its rest frame, read off a smooth surface: colours, black bodies, widths, slopes."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from telperion.bands import BANDS, WAVELENGTH
from telperion.encode import blackbody
from telperion.encode.observations import N_BANDS, Observations
from telperion.encode.outburst import BLUEST, REDDEST, REFERENCE

PHASES = np.array([-40.0, -30, -20, -10, 0, 10, 20, 30, 45, 60, 80, 100, 130, 160])
"""Rest-frame days from the peak at which fluxes, colours and temperatures are read."""

REST_WAVELENGTH = np.array([0.22, 0.28, 0.36, 0.44, 0.55, 0.65])
COVERED = (0.32, 1.08)
"""Micrometre: outside, a rest-frame wavelength is not observed."""

CHANGES = ((0, 30), (0, 60), (0, 100), (-20, 0), (30, 100))
"""Pairs of phases whose black bodies are compared."""

GRID = np.arange(-80.0, 200.1, 4.0)
LEVELS = (0.75, 0.5, 0.25, 0.1)
DECLINES = {"early": (5.0, 40.0), "middle": (20.0, 80.0), "late": (40.0, 160.0)}
"""Phases between which the slope of the decline is taken, against time and against its logarithm."""

ONSET = 30.0
"""Days added to the phase in that logarithm: a fallback that began so long before its peak declines as a power law."""

SOFTENING, SCATTER, FLOOR = 0.03, 0.05, 0.01
"""Parts of the peak flux: where magnitudes turn linear, the error of the surface, the least flux with a magnitude."""


def evolution(rows: Observations) -> dict[str, NDArray]:
    """Fluxes, colours and black bodies at rest-frame phases, and the shape of the rise and the decline.

    Returns
    -------
    dict of str to array, shape ``(n_objects,)``
        NaN where no row is near, and what needs a redshift without one.
    """
    burst, n = rows.outburst, rows.n_objects
    wavelength = REST_WAVELENGTH * burst.stretch[:, None]
    wavelength[(wavelength < COVERED[0]) | (wavelength > COVERED[1]) | np.isnan(burst.redshift)[:, None]] = np.nan
    at_rest = burst.surface(PHASES, np.log(wavelength))
    observed = burst.surface(PHASES, np.tile(np.log(WAVELENGTH), (n, 1)))
    near = (burst.phase > -60) & (burst.phase < 200)
    out = {
        "redshift": np.where(np.isnan(burst.level), np.nan, burst.redshift),
        "peak_mag": 31.4 - 2.5 * np.log10(burst.level),
        "peak_from_brightest": burst.origin,
        "time_scale": burst.process.time_scale,
        "log_likelihood": burst.process.log_likelihood,
        "rows": rows.by_object.count(near),
        "rows_rising": rows.by_object.count(near & (burst.phase < 0) & (rows.snr > 3)),
        "rows_falling": rows.by_object.count(near & (burst.phase > 0) & (rows.snr > 3)),
    }
    return out | _profile(rows, at_rest, observed) | _black_bodies(rows, observed) | _course(rows)


def _profile(rows: Observations, at_rest: NDArray, observed: NDArray) -> dict[str, NDArray]:
    """Absolute magnitudes at the peak, changes from it and colours."""
    burst, zero = rows.outburst, int(np.searchsorted(PHASES, 0))
    soft = 2 * SOFTENING * burst.level[:, None, None]
    rest_mag, mag = (-2.5 / np.log(10) * np.arcsinh(flux / soft) for flux in (at_rest, observed))
    names = [f"{1000 * wavelength:.0f}nm" for wavelength in REST_WAVELENGTH]
    out: dict[str, NDArray] = {}
    for place, name in enumerate(names):
        flux = np.maximum(at_rest[:, zero, place], FLOOR * burst.level)
        out[f"absolute_{name}"] = 31.4 - 2.5 * np.log10(flux) - burst.modulus + 2.5 * np.log10(burst.stretch)
    for step, phase in enumerate(PHASES):
        for place, name in enumerate(names):
            if step != zero:
                out[f"drop_{phase:+.0f}_{name}"] = rest_mag[:, step, place] - rest_mag[:, zero, place]
            if place:
                colour = rest_mag[:, step, place - 1] - rest_mag[:, step, place]
                out[f"{names[place - 1]}_{name}_{phase:+.0f}"] = colour
        for blue in range(N_BANDS - 2):
            out[f"{BANDS[blue]}_{BANDS[blue + 1]}_{phase:+.0f}"] = mag[:, step, blue] - mag[:, step, blue + 1]
    return out


def _black_bodies(rows: Observations, observed: NDArray) -> dict[str, NDArray]:
    """Temperature, luminosity and radius at each phase, and their changes."""
    error = np.where(np.isnan(observed), np.nan, SCATTER * rows.outburst.level[:, None, None])
    found = blackbody.fit(observed, error, rows.outburst)
    told = ("temperature", "luminosity", "radius", "chi2")
    out = {f"{name}_{phase:+.0f}": found[name][:, step] for step, phase in enumerate(PHASES) for name in told}
    for start, stop in CHANGES:
        before, after = np.searchsorted(PHASES, (start, stop))
        for name in told[:3]:
            out[f"{name}_change_{start:+d}_{stop:+d}"] = found[name][:, after] - found[name][:, before]
    return out


def _course(rows: Observations) -> dict[str, NDArray]:
    """Energy, widths, and slopes of the decline at the reference wavelength."""
    burst = rows.outburst
    reference = np.log(np.clip(REFERENCE * burst.stretch, BLUEST, REDDEST))[:, None]
    flux = burst.surface(GRID, reference)[:, :, 0]
    top = np.fmax.reduce(flux, axis=1)
    share = flux / top[:, None]
    positive = np.maximum(np.nan_to_num(share), 0)
    out = {
        "energy": np.log10(positive.sum(axis=1) * top) + 0.4 * burst.modulus,
        "area": positive.sum(axis=1),
        "area_before": positive[:, GRID < 0].sum(axis=1),
        "area_after": positive[:, GRID >= 0].sum(axis=1),
    }
    for level in LEVELS:
        low, percent = share < level, round(100 * level)
        fallen, risen = low & (GRID > 0), (low & (GRID < 0))[:, ::-1]
        fall = np.where(fallen.any(axis=1), GRID[np.argmax(fallen, axis=1)], np.nan)
        rise = np.where(risen.any(axis=1), -GRID[::-1][np.argmax(risen, axis=1)], np.nan)
        out |= {f"fall_{percent}": fall, f"rise_{percent}": rise, f"width_{percent}": rise + fall}
        out[f"fall_to_rise_{percent}"] = fall / (rise + 2)
    for name, (start, stop) in DECLINES.items():
        inside = np.flatnonzero((start <= GRID) & (stop >= GRID))
        height = np.log(np.maximum(share[:, inside], FLOOR))
        out[f"slope_{name}"] = _slope(GRID[inside], height)
        out[f"index_{name}"] = _slope(np.log(GRID[inside] + ONSET), height)
    return out


def _slope(x: NDArray, y: NDArray) -> NDArray[np.float64]:
    """Least-squares slope of each row of y, shape ``(n, len(x))``, where known; NaN with fewer than five values."""
    known = np.isfinite(y)
    count = known.sum(axis=1)
    y = np.where(known, y, 0)
    x_away = np.where(known, x - ((known @ x) / np.maximum(count, 1))[:, None], 0)
    slope = (x_away * y).sum(axis=1) / np.maximum((x_away**2).sum(axis=1), 1e-9)
    return np.where(count > 4, slope, np.nan)
