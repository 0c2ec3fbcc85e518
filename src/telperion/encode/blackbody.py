"""Temperature, luminosity and radius of a black body through the bands, in windows around the peak.

The flux of a black body of temperature T and radius R at redshift z is f_nu = pi B_nu(T) (1 + z) (R / d_L)^2, with B_nu
at the rest-frame wavelength. For each T of a list the amplitude follows by least squares; the temperature is then the
mean over the list, weighted by the likelihood, and its error the standard deviation: few bands say little, and so does
the feature.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from telperion.bands import BANDS, WAVELENGTH
from telperion.encode.observations import N_BANDS, Observations
from telperion.encode.outburst import Outburst
from telperion.encode.segments import ratio

TEMPERATURES = np.geomspace(3500, 60000, 40)
"""Kelvin."""

SECOND_RADIATION = 14387.77
"""hc / k, micrometre Kelvin."""

WINDOWS = ((-60, -30), (-30, -10), (-10, 10), (10, 30), (30, 60), (60, 100), (100, 150), (150, 250))
"""Rest-frame days from the peak."""

CHANGES = ((2, 3), (2, 4), (2, 5), (1, 2), (3, 4), (3, 5))
"""Pairs of windows that are compared."""

SCATTER = 0.04
"""Part of a mean flux added to its error in quadrature: no star is a perfect black body."""

SOFTENING = 0.05
"""Part of the peak flux around which a colour turns from logarithmic to linear."""


def blackbody(rows: Observations) -> dict[str, NDArray]:
    """Colours and black bodies in windows around the peak, and how they change.

    Returns
    -------
    dict of str to array, shape ``(n_objects,)``
        log10 of temperature / K, of luminosity and of radius in units of their own (absolute only with a redshift).
    """
    burst = rows.outburst
    flux, error = _windows(rows)
    found = fit(flux, np.hypot(error, SCATTER * np.abs(flux)), burst)
    soft = 2 * SOFTENING * burst.level[:, None, None]
    mag = -2.5 / np.log(10) * np.arcsinh(flux / soft)
    snr = np.where(np.isnan(flux), -np.inf, flux / error).max(axis=2)
    known = np.isfinite(flux)
    share = ratio(np.nansum(flux, axis=2), np.where(known, burst.peak[:, None, :], 0).sum(axis=2))
    out: dict[str, NDArray] = {}
    for place, (start, _) in enumerate(WINDOWS):
        out |= {f"{name}_{start:+d}": values[:, place] for name, values in found.items()}
        out[f"snr_{start:+d}"] = np.where(np.isfinite(snr[:, place]), snr[:, place], np.nan)
        out[f"of_peak_{start:+d}"] = share[:, place]
        for blue in range(N_BANDS - 1):
            out[f"{BANDS[blue]}_{BANDS[blue + 1]}_{start:+d}"] = mag[:, place, blue] - mag[:, place, blue + 1]
    for before, after in CHANGES:
        name = f"{WINDOWS[before][0]:+d}_{WINDOWS[after][0]:+d}"
        for what in ("temperature", "luminosity", "radius"):
            out[f"{what}_change_{name}"] = found[what][:, after] - found[what][:, before]
        spread = np.hypot(found["temperature_error"][:, before], found["temperature_error"][:, after])
        out[f"temperature_pull_{name}"] = out[f"temperature_change_{name}"] / np.hypot(spread, 0.02)
    weight = np.where(np.isnan(found["temperature"]), 0, 1 / (found["temperature_error"] ** 2 + 0.03**2))
    out["temperature"] = ratio((weight * np.nan_to_num(found["temperature"])).sum(axis=1), weight.sum(axis=1))
    out["luminosity"] = np.fmax.reduce(found["luminosity"], axis=1)
    return out


def fit(flux: NDArray, error: NDArray, burst: Outburst) -> dict[str, NDArray]:
    """Fit a black body to each row of bands.

    Parameters
    ----------
    flux, error : array, shape ``(n_objects, n, n_bands)``, nJy
        NaN where a band is not known.
    burst : Outburst

    Returns
    -------
    dict of str to array, shape ``(n_objects, n)``
        NaN with fewer than two bands: ``temperature`` and ``temperature_error`` in dex, ``luminosity``, ``radius``,
        ``chi2`` (log10 of 1 + the smallest).
    """
    wavelength = WAVELENGTH / burst.stretch[:, None]
    shape = planck(wavelength[:, :, None], TEMPERATURES)  # (n_objects, n_bands, n_temperatures)
    known = np.isfinite(flux) & np.isfinite(error)
    weight = np.where(known, 1 / np.maximum(error, 1e-15) ** 2, 0)
    flux = np.nan_to_num(flux)
    cross, square = (weight * flux) @ shape, weight @ shape**2  # (n_objects, n, n_temperatures)
    amplitude = np.maximum(cross, 0) / np.maximum(square, 1e-300)
    chi2 = (weight * flux**2).sum(axis=-1)[..., None] - amplitude * cross
    chance = np.exp(-0.5 * (chi2 - chi2.min(axis=-1, keepdims=True)))
    chance /= chance.sum(axis=-1, keepdims=True)
    log_t = np.log10(TEMPERATURES)
    mean = chance @ log_t
    brightness = (chance * np.log10(np.maximum(amplitude, 1e-30))).sum(axis=-1)
    brightness += 0.4 * burst.modulus[:, None] - np.log10(burst.stretch)[:, None]
    found = {
        "temperature": mean,
        "temperature_error": np.sqrt(np.maximum(chance @ log_t**2 - mean**2, 0)),
        "luminosity": brightness + 4 * mean,
        "radius": brightness / 2,
        "chi2": np.log10(1 + np.maximum(chi2.min(axis=-1), 0)),
    }
    return {name: np.where(known.sum(axis=-1) < 2, np.nan, values) for name, values in found.items()}


def planck(wavelength: NDArray, temperature: NDArray) -> NDArray[np.float64]:
    """B_nu in units of its own; wavelength in micrometre, temperature in Kelvin, shapes as they broadcast.

    Examples
    --------
    >>> (planck(np.array(0.4), np.array(20000.0)) / planck(np.array(0.8), np.array(20000.0))).round(2)  # hot: up to 4
    np.float64(2.31)
    """
    x = np.clip(SECOND_RADIATION / (wavelength * temperature), 1e-3, 600)
    return 1 / (wavelength**3 * np.expm1(x))


def _windows(rows: Observations) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Weighted mean flux and its error in each window and band, shape ``(n_objects, n_windows, n_bands)``, nJy."""
    flux, error = [], []
    for start, stop in WINDOWS:
        groups, index = rows.by_band.where((rows.outburst.phase >= start) & (rows.outburst.phase < stop))
        weight = groups.sum(rows.error[index] ** -2.0)
        flux.append(ratio(groups.sum(rows.flux[index] * rows.error[index] ** -2.0), weight).reshape(-1, N_BANDS))
        error.append(np.sqrt(ratio(np.ones_like(weight), weight)).reshape(-1, N_BANDS))
    return np.stack(flux, axis=1), np.stack(error, axis=1)
