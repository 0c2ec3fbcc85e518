"""Statistics that need context: redshift, distance, luminosity, rest-frame times, dust. NaN where unknown."""

from __future__ import annotations

from functools import cache

import numpy as np
from numpy.typing import NDArray

from telperion.bands import BANDS
from telperion.encode.observations import N_BANDS, Observations, magnitude
from telperion.encode.segments import take

HUBBLE, OMEGA_MATTER, LIGHT = 70.0, 0.315, 299792.458
"""km/s/Mpc, the flat universe of the simulated surveys, km/s."""

REDSHIFTS = {"specz": "hostgal_specz", "photoz": "hostgal_photoz"}
COLUMNS = ("mwebv", "ddf", "hostgal_photoz_err", "hostgal_snsep", "hostgal_logmass", "hostgal_ellipticity")


def host(rows: Observations) -> dict[str, NDArray]:
    """Redshifts, luminosities and rest-frame durations with each redshift the survey gives.

    Returns
    -------
    dict of str to array, shape ``(n_objects,)``
        NaN for an object whose context lacks the value (so for Galactic objects, which have no host).
    """
    context = rows.light_curves.context
    unknown = np.full(rows.n_objects, np.nan)
    out = {name: np.asarray(context.get(name, unknown)) for name in COLUMNS}
    top = rows.by_band.argmax(rows.flux)
    peak = magnitude(take(rows.flux, top), take(rows.error, top)).reshape(-1, N_BANDS)
    last = rows.by_band.last()
    latest = magnitude(take(rows.flux, last), take(rows.error, last)).reshape(-1, N_BANDS)
    span = take(rows.days, rows.by_object.last(rows.detected))
    for name, column in REDSHIFTS.items():
        z = np.asarray(context.get(column, unknown), dtype=np.float64)
        z = np.where(z > 0, z, np.nan)
        modulus = distance_modulus(z)
        out[f"z_{name}"] = z
        for index, band in enumerate(BANDS):
            out[f"peak_absolute_{band}_{name}"] = peak[:, index] - modulus
            out[f"last_absolute_{band}_{name}"] = latest[:, index] - modulus
        out[f"absolute_{name}"] = magnitude(take(rows.flux, rows.peak), take(rows.error, rows.peak)) - modulus
        out[f"rest_span_{name}"] = span / (1 + z)
        out[f"rest_peak_{name}"] = take(rows.days, rows.peak) / (1 + z)
        out[f"rest_days_{name}"] = take(rows.days, rows.by_object.last()) / (1 + z)
    out["z_difference"] = (out["z_photoz"] - out["z_specz"]) / (1 + out["z_specz"])
    return out


def distance_modulus(redshift: NDArray) -> NDArray[np.float64]:
    """Distance modulus in a flat universe, by interpolation in a table; NaN where the redshift is.

    Parameters
    ----------
    redshift : array, any shape

    Returns
    -------
    array, same shape, mag

    Examples
    --------
    >>> distance_modulus(np.array([0.1, 1.0])).round(1)
    array([38.3, 44.1])
    """
    z, modulus = _table()
    return np.interp(redshift, z, modulus)


def redshift_at(modulus: NDArray) -> NDArray[np.float64]:
    """Redshift at a distance modulus, the inverse of `distance_modulus`.

    Examples
    --------
    >>> redshift_at(distance_modulus(np.array([0.1, 1.0]))).round(4)
    array([0.1, 1. ])
    """
    z, table = _table()
    return np.interp(modulus, table, z)


@cache
def _table() -> tuple[NDArray, NDArray]:
    z = np.concatenate([[0.0], np.geomspace(1e-5, 10, 4000)])
    inverse = 1 / np.sqrt(OMEGA_MATTER * (1 + z) ** 3 + 1 - OMEGA_MATTER)
    comoving = np.concatenate([[0.0], np.cumsum(np.diff(z) * (inverse[1:] + inverse[:-1]) / 2)]) * LIGHT / HUBBLE
    return z[1:], 5 * np.log10(comoving[1:] * (1 + z[1:])) + 25
