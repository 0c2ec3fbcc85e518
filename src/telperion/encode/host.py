"""Statistics that need context: redshift, distance, luminosity, rest-frame times, dust. NaN where unknown."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from telperion.bands import BANDS
from telperion.cosmology import distance_modulus
from telperion.encode.observations import N_BANDS, Observations, magnitude
from telperion.encode.segments import take

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
