"""How well one-peaked shapes fit an outburst in all bands at once: its times, its temperature, its kind of decline.

A shape is a rise and a decline, with one time scale each:

    S(t) = D(max(t - t0, 0) / fall) / (1 + exp(-(t - t0) / rise)),

D(x) = exp(-x) (Bazin et al. 2009), (1 + x)^(-5/3) (the return of tidal debris, Rees 1988), (1 + x)^-1 or exp(-x^2 / 2).
It is fitted with an amplitude of its own for every band, f_b(t) = A_b S(t), and with one amplitude for a black body,
f_b(t) = A S(t) B(T(t), lambda_b / (1 + z)), whose temperature log10 T = log10 T0 + change * t / 50 d is held before
-30 d and after 120 d. For given times and temperatures the amplitudes follow by linear least squares, so that whole
grids of them are tried at once, as products of matrices. Parameters are means over the grid, weighted by likelihood.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import cache

import numpy as np
from numpy.typing import NDArray

from telperion.bands import BANDS, WAVELENGTH
from telperion.encode.blackbody import planck
from telperion.encode.observations import N_BANDS, Observations

DECLINES: dict[str, Callable[[NDArray], NDArray]] = {
    "exponential": lambda x: np.exp(-x),
    "five_thirds": lambda x: (1 + x) ** (-5 / 3),
    "inverse": lambda x: 1 / (1 + x),
    "gaussian": lambda x: np.exp(-0.5 * x**2),
}
DESCRIBED = ("exponential", "five_thirds")
"""The declines whose parameters are told; of the others only how well they fit."""

BEFORE, AFTER = 100.0, 250.0
"""Rest-frame days around the peak whose rows are fitted."""

FEWEST, MOST = 6, 160
"""Rows that a fit needs, and that it uses (evenly thinned beyond)."""

RISES = (2.0, 4.0, 8.0, 15.0, 25.0, 40.0)
FALLS = (5.0, 10.0, 20.0, 40.0, 80.0, 160.0, 320.0)
SHIFTS = (-2.0, -1.0, -0.5, 0.0, 0.5)
"""Days of rise and decline; of t0 from the peak, in units of the rise."""

TEMPERATURES = np.geomspace(4000, 50000, 14)
COOLING = (-0.3, -0.15, -0.06, 0.0, 0.06, 0.15)
"""Kelvin, and change of log10 T in 50 days."""

SCATTER, FAINTEST = 0.05, 0.2
"""Part of the flux added to its error in quadrature, where it is above this part of the peak: no shape is perfect."""

_START, _RISE, _FALL = np.array([(shift * rise, rise, fall) for rise in RISES for fall in FALLS for shift in SHIFTS]).T
_HOT, _CHANGE = np.array([(kelvin, change) for kelvin in TEMPERATURES for change in COOLING]).T


def fits(rows: Observations) -> dict[str, NDArray]:
    """Fit each shape to each object's brightest outburst.

    Returns
    -------
    dict of str to array, shape ``(n_objects,)``
        NaN with fewer than six rows around the peak. ``free_...`` has an amplitude for each band, ``black_...`` a
        black body; ``..._chi2`` is per degree of freedom, ``..._gain`` the chi^2 that a decline saves against an
        exponential one; times are log10 of rest-frame days.
    """
    burst, curves = rows.outburst, rows.light_curves
    found: list[dict[str, float]] = []
    for k in range(rows.n_objects):
        own = np.arange(curves.offsets[k], curves.offsets[k + 1])
        own = own[(burst.phase[own] > -BEFORE) & (burst.phase[own] < AFTER)]
        if len(own) > MOST:
            own = own[np.linspace(0, len(own) - 1, MOST).astype(int)]
        level = burst.level[k]
        found.append(
            dict(_fit(burst.phase[own], rows.flux[own] / level, rows.error[own] / level, rows.band[own],
                      burst.stretch[k])) if len(own) >= FEWEST else {}
        )  # fmt: skip
    out = {name: np.array([each.get(name, np.nan) for each in found]) for name in _names()}
    for name in DESCRIBED:
        out[f"black_{name}_luminosity"] += np.log10(burst.level) + 0.4 * burst.modulus
    return out


def _fit(phase: NDArray, flux: NDArray, error: NDArray, band: NDArray, stretch: float) -> Iterator[tuple[str, float]]:
    """Fit one object; fluxes in units of the peak's."""
    weight = 1 / (error**2 + (SCATTER * np.maximum(flux, FAINTEST)) ** 2)
    members = band == np.arange(N_BANDS)[:, None]  # (n_bands, n_rows)
    by_band = members * weight
    total = by_band.sum(axis=1)
    mean = (by_band @ flux) / np.maximum(total, 1e-30)
    nothing = float((weight * flux**2).sum())
    constant = nothing - float((total * mean**2).sum())
    free = max(len(phase) - 4, 1)
    yield "rows", len(phase)
    yield "nothing_chi2", np.log10(nothing / free)
    yield "constant_chi2", np.log10(1 + max(constant, 0) / free)

    since = phase[:, None] - _START  # (n_rows, n_shapes)
    onset = 1 / (1 + np.exp(np.clip(-since / _RISE, -50, 50)))
    after = np.maximum(since, 0) / _FALL
    log_t = np.log10(_HOT) + _CHANGE * np.clip(phase[:, None], -30, 120) / 50
    light = planck(WAVELENGTH[band][:, None] / stretch, 10**log_t) / planck(np.array(0.4), 10**log_t)
    chi2: dict[str, dict[str, float]] = {"free": {}, "black": {}}
    for name, decline in DECLINES.items():
        shape = onset * decline(after)
        cross, square = by_band @ (flux[:, None] * shape), by_band @ shape**2  # (n_bands, n_shapes)
        amplitude = np.maximum(cross, 0) / np.maximum(square, 1e-30)
        unlike = nothing - (amplitude * cross).sum(axis=0)
        chi2["free"][name] = float(unlike.min())
        chance = _chance(unlike, free)
        cross = (shape * (weight * flux)[:, None]).T @ light  # (n_shapes, n_temperatures)
        square = (shape**2 * weight[:, None]).T @ light**2
        unlike = nothing - np.maximum(cross, 0) ** 2 / np.maximum(square, 1e-30)
        chi2["black"][name] = float(unlike.min())
        if name not in DESCRIBED:
            continue
        for what, values in (("start", _START), ("rise", np.log10(_RISE)), ("fall", np.log10(_FALL))):
            yield from _moments(f"free_{name}_{what}", chance, values)
        if name == "exponential":
            bright = np.maximum(amplitude @ chance, 1e-3)
            for k in range(N_BANDS):
                if k != 2 and members[[k, 2]].any(axis=1).all():
                    yield f"amplitude_{BANDS[k]}", np.log10(bright[k] / bright[2])
        best = np.unravel_index(np.argmin(unlike), unlike.shape)
        yield f"black_{name}_luminosity", np.log10(max(cross[best] / square[best], 1e-4))
        chance = _chance(unlike, free)
        by_shape, by_heat = chance.sum(axis=1), chance.sum(axis=0)
        for what, values in (("start", _START), ("rise", np.log10(_RISE)), ("fall", np.log10(_FALL))):
            yield f"black_{name}_{what}", float(by_shape @ values)
        for what, values in (("temperature", np.log10(_HOT)), ("cooling", _CHANGE)):
            yield from _moments(f"black_{name}_{what}", by_heat, values)
    for kind, by_decline in chi2.items():
        for name in DECLINES:
            yield f"{kind}_{name}_chi2", by_decline[name] / free
            if name != "exponential":
                yield f"{kind}_{name}_gain", by_decline["exponential"] - by_decline[name]
    yield "black_to_free", (chi2["black"]["exponential"] - chi2["free"]["exponential"]) / free
    yield "constant_to_free", np.log10(1 + max(constant - chi2["free"]["exponential"], 0) / free)


@cache
def _names() -> tuple[str, ...]:
    """Name what a fit tells, read off the fit of a curve with a row in every band."""
    ones = np.ones(N_BANDS)
    return tuple(name for name, _ in _fit(np.arange(N_BANDS) * 10.0, ones, ones, np.arange(N_BANDS), 1.0))


def _chance(chi2: NDArray, free: int) -> NDArray[np.float64]:
    """Likelihood of each place of a grid, summing to one; a poor best fit widens it as if its errors were too small."""
    best = float(chi2.min())
    chance = np.exp(-0.5 * (chi2 - best) * min(1.0, free / max(best, 1e-9)))
    return chance / chance.sum()


def _moments(name: str, chance: NDArray, values: NDArray) -> Iterator[tuple[str, float]]:
    mean = float(chance @ values)
    yield name, mean
    yield f"{name}_error", float(np.sqrt(max(chance @ values**2 - mean**2, 0)))
