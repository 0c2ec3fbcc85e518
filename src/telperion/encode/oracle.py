"""ORACLE's inputs (Shah et al. 2025): five columns a row, 23 static values, nothing scaled that it did not scale."""

import numpy as np
from numpy.typing import NDArray

from telperion.bands import FLUXCAL, WAVELENGTH, to_njy
from telperion.encode.padding import Padding
from telperion.encode.view import days_since
from telperion.lightcurves import LightCurves

N_ROW_FEATURES = 5
N_MEMORY = 4
"""Numbers remembered of an object: times of its first row, first detection and last row; if a row was no detection."""

MAX_ROWS = 500
MISSING = -9.0

STATIC = (
    "mwebv", "mwebv_err", "redshift", "redshift_err",
    "hostgal_photoz", "hostgal_photoz_err", "hostgal_specz", "hostgal_specz_err",
    "hostgal_ra", "hostgal_dec", "hostgal_snsep", "hostgal_ellipticity",
    "hostgal_mag_u", "hostgal_mag_g", "hostgal_mag_r", "hostgal_mag_i", "hostgal_mag_z", "hostgal_mag_y",
    "mw_plane_flag", "elais_s1_flag", "xmm_lss_flag", "extended_chandra_deep_field_south_flag", "cosmos_flag",
)  # fmt: skip
"""The 23 static values in ORACLE's order."""

_POSITIONS = ("hostgal_ra", "hostgal_dec")  # always missing here: simulations leak through them
_FIELDS = {
    "elais_s1_flag": (9.45, -44.0),
    "xmm_lss_flag": (35.708333, -4.75),
    "extended_chandra_deep_field_south_flag": (53.125, -28.1),
    "cosmos_flag": (150.1, 2.181944),
}
"""Centres (RA, Dec, degrees) of the four deep fields that ORACLE flags."""

FIELD_RADIUS = 1.75
PLANE_LATITUDE = 15.0
_GALACTIC_POLE = (192.85948, 27.12825)


def start(n_objects: int) -> NDArray[np.float64]:
    """Give the memory of objects of which nothing has been seen, shape ``(n_objects, 4)``: no time yet."""
    return np.full((n_objects, N_MEMORY), np.nan)


def encode_rows(
    light_curves: LightCurves,
    static: NDArray[np.float32],
    memory: NDArray[np.float64],
) -> tuple[NDArray[np.float32], NDArray[np.int64], NDArray[np.float64]]:
    """Encode each object's next rows: time/100, detection flag, flux/1000, error/1000 (FLUXCAL) and wavelength (um).

    Of more than 500 rows in one call the last 500 are kept, as ORACLE's padding did; time counts from the first row.

    Parameters
    ----------
    light_curves : LightCurves
        Fluxes are taken as they are: ORACLE does not correct them for dust.
    static : array, shape ``(n_objects, 23)``
        Not used; rows do not depend on the context.
    memory : array, shape ``(n_objects, 4)``, MJD
        Times of the first row ever, the first detection and the last row, and 1 once a row was no detection; from
        `start` or from the call before.

    Returns
    -------
    rows : array, shape ``(n_objects, n_times, 5)``
        Zero after each object's last row.
    lengths : array of int, shape ``(n_objects,)``
    memory : array, shape ``(n_objects, 4)``
    """
    del static
    filled = light_curves.lengths > 0
    memory = memory.copy()
    first = memory[:, 0]
    new = np.isnan(first) & filled
    first[new] = light_curves.time[light_curves.offsets[:-1][new]]
    memory[:, 1] = np.fmin(memory[:, 1], light_curves.first_detection)
    memory[filled, 2] = light_curves.time[light_curves.offsets[1:][filled] - 1]
    memory[light_curves.object_index[~light_curves.detected], 3] = 1
    if (light_curves.lengths > MAX_ROWS).any():
        rank = np.arange(light_curves.n_rows) - light_curves.offsets[:-1][light_curves.object_index]
        light_curves = light_curves.select_rows(rank >= (light_curves.lengths - MAX_ROWS)[light_curves.object_index])
    scale = 1 / (1000 * to_njy(FLUXCAL))
    columns = (
        (light_curves.time - first[light_curves.object_index]) / 100,
        light_curves.detected,
        light_curves.flux * scale,
        light_curves.flux_err * scale,
        WAVELENGTH[light_curves.band],
    )
    padding = Padding(light_curves.lengths)
    rows = np.zeros((*padding.mask.shape, N_ROW_FEATURES), dtype=np.float32)
    rows[padding.mask] = np.stack(columns, axis=-1)
    return rows, light_curves.lengths, memory


def days_known(memory: NDArray[np.float64]) -> NDArray[np.float64]:
    """Give what `telperion.encode.view.days_known` gives for all rows so far, shape ``(n_objects,)``."""
    _, detection, last, forced = memory.T
    return days_since(detection, last, forced == 1)


def encode_static(light_curves: LightCurves) -> NDArray[np.float32]:
    """Encode the context, shape ``(n_objects, 23)``: raw values, -9 where missing, field flags from the position.

    Examples
    --------
    >>> curves = LightCurves(["a"], [0, 0], [], [], [], [], [], {"ra": [150.0], "decl": [2.0], "mwebv": [0.02]})
    >>> encode_static(curves)[0, [0, 2, 18, 22]]
    array([ 0.02, -9.  ,  0.  ,  1.  ], dtype=float32)
    """
    values = np.full((len(light_curves), len(STATIC)), MISSING, dtype=np.float32)
    for column, name in enumerate(STATIC):
        if name in light_curves.context and name not in _POSITIONS:
            known = light_curves.context[name]
            values[:, column] = np.where(np.isnan(known), MISSING, known)
    if {"ra", "decl"} <= light_curves.context.keys():
        _set_field_flags(values, light_curves.context["ra"], light_curves.context["decl"])
    return values


def _set_field_flags(values: NDArray[np.float32], ra: NDArray[np.float64], dec: NDArray[np.float64]) -> None:
    known = np.isfinite(ra) & np.isfinite(dec)
    position = _direction(ra, dec)
    latitude = np.degrees(np.arcsin(np.clip(position @ _direction(*_GALACTIC_POLE), -1, 1)))
    flags = {"mw_plane_flag": np.abs(latitude) < PLANE_LATITUDE}
    for name, centre in _FIELDS.items():
        flags[name] = position @ _direction(*centre) > np.cos(np.radians(FIELD_RADIUS))
    for name, flag in flags.items():
        values[:, STATIC.index(name)] = np.where(known, flag, MISSING)


def _direction(ra: float | NDArray[np.float64], dec: float | NDArray[np.float64]) -> NDArray[np.float64]:
    """Give the unit vector of a position in degrees, shape ``(..., 3)``."""
    lon, lat = np.radians(ra), np.radians(dec)
    return np.stack([np.cos(lat) * np.cos(lon), np.cos(lat) * np.sin(lon), np.sin(lat)], axis=-1)
