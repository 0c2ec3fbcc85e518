"""Distances in the flat universe of the simulated surveys."""

from functools import cache

import numpy as np
from numpy.typing import ArrayLike, NDArray

HUBBLE = 70.0
"""km/s/Mpc."""

OMEGA_MATTER = 0.315
LIGHT = 299792.458
"""km/s."""


def distance_modulus(redshift: ArrayLike) -> NDArray[np.float64]:
    """Give the distance modulus, mag, by interpolation in a table; NaN where the redshift is.

    Redshifts below 1e-4 count as that, those above 20 as 20.

    Examples
    --------
    >>> distance_modulus([0.1, 1.0]).round(1)
    array([38.3, 44.1])
    """
    z, modulus = _table()
    return np.interp(np.asarray(redshift, dtype=np.float64), z, modulus)


def redshift_at(modulus: ArrayLike) -> NDArray[np.float64]:
    """Give the redshift at a distance modulus, the inverse of `distance_modulus`.

    Examples
    --------
    >>> redshift_at(distance_modulus([0.1, 1.0])).round(4)
    array([0.1, 1. ])
    """
    z, table = _table()
    return np.interp(np.asarray(modulus, dtype=np.float64), table, z)


@cache
def _table() -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Tabulate the modulus over redshift, the comoving distance by the trapezium rule."""
    z = np.concatenate([[0.0], np.geomspace(1e-4, 20, 4000)])
    inverse = 1 / np.sqrt(OMEGA_MATTER * (1 + z) ** 3 + 1 - OMEGA_MATTER)
    comoving = np.cumsum(np.diff(z) * (inverse[1:] + inverse[:-1]) / 2) * LIGHT / HUBBLE
    return z[1:], 5 * np.log10(comoving * (1 + z[1:])) + 25
