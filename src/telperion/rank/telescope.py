"""`Telescope`: how long an exposure takes, and how long a good one is where the brightness is not certain."""

from __future__ import annotations

import math
from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import ArrayLike, NDArray

from telperion.followup import LEAST, LIMIT, LONGEST, OVERHEAD, SHORTEST, exposure

__all__ = ["LEAST", "SHORTEST", "Telescope"]

_MARGINS = np.linspace(-1.5, 2.0, 15)
"""Exposures that are tried: for objects fainter than forecast by so many standard deviations."""


@dataclass(frozen=True)
class Telescope:
    """A telescope with its spectrograph, limited by the sky: ``t = 10 ** (0.8 (m - limit))`` hours at the zenith.

    Parameters
    ----------
    limit : float, mag
        The faintest object of which an hour gives a spectrum that tells the class.
    overhead : float, minutes
        Beside the exposure: slewing, acquisition, reading out.
    longest : float, hours
        No exposure is longer.
    extinction : float, mag
        That the air takes for each unit of airmass above one.

    Raises
    ------
    ValueError
        A number is not finite or out of its range.

    Examples
    --------
    >>> Telescope(limit=21.5).hours([21.5, 20.5], 1.0).round(3), Telescope(limit=21.5).depth(4.0, 1.0).round(3)
    (array([1.   , 0.158]), np.float64(22.253))
    """

    limit: float = LIMIT
    overhead: float = OVERHEAD
    longest: float = LONGEST
    extinction: float = 0.12

    def __post_init__(self) -> None:
        for name in (field.name for field in fields(self)):
            value, least = getattr(self, name), SHORTEST if name == "longest" else -math.inf if name == "limit" else 0
            if not (math.isfinite(value) and value >= least):
                raise ValueError(f"{name} of the telescope is {value}, expected a number of at least {least:.3g}")

    def hours(self, magnitude: ArrayLike, airmass: ArrayLike) -> NDArray[np.float64]:
        """Give the exposure that an object needs, hours."""
        dimmed = np.asarray(magnitude) + self.extinction * (np.asarray(airmass) - 1)
        return exposure(dimmed, self.limit)

    def depth(self, hours: ArrayLike, airmass: ArrayLike) -> NDArray[np.float64]:
        """Give the faintest magnitude of which an exposure of so many hours tells the class."""
        return np.asarray(self.limit + 1.25 * np.log10(np.asarray(hours)) - self.extinction * (np.asarray(airmass) - 1))

    def exposure(
        self, magnitude: ArrayLike, error: ArrayLike, airmass: ArrayLike, most: ArrayLike
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Give the exposures that succeed most often for the time they take, overheads included.

        The brightness is taken as normal in magnitudes; longer exposures for the case that an object is fainter than
        forecast are weighed against the time they cost others.

        Parameters
        ----------
        magnitude, error : array, shape ``(n,)``, mag
            The forecast and its standard error.
        airmass : array, shape ``(n,)``
        most : array, shape ``(n,)``, hours
            That the object is up.

        Returns
        -------
        hours : array, shape ``(n,)``
            NaN where none within `most` and `longest` has a chance, or something is not known.
        success : array, shape ``(n,)``
            The chance that the exposure is long enough, 0 there.
        """
        middle, error = (np.asarray(values, dtype=np.float64)[:, None] for values in (magnitude, error))
        mass, overhead = np.asarray(airmass, dtype=np.float64)[:, None], self.overhead / 60
        longest = np.minimum(self.longest, np.asarray(most, dtype=np.float64)[:, None] - overhead)
        tried = np.minimum(self.hours(middle + _MARGINS * error, mass), np.maximum(longest, SHORTEST))
        chance = _normal((self.depth(tried, mass) - middle) / np.maximum(error, 1e-6))  # (n, n_margins)
        rate = np.where((longest >= SHORTEST) & (chance >= LEAST), chance / (tried + overhead), 0.0)
        best = np.argmax(rate, axis=1)[:, None]
        possible = np.take_along_axis(rate, best, axis=1)[:, 0] > 0
        hours, success = (np.take_along_axis(values, best, axis=1)[:, 0] for values in (tried, chance))
        return np.where(possible, hours, np.nan), np.where(possible, success, 0.0)


def _normal(x: NDArray[np.float64]) -> NDArray[np.float64]:
    """Give the normal distribution function, to 1e-4 (a logistic curve of a cubic; Page 1977)."""
    return np.asarray(1 / (1 + np.exp(-np.clip(1.5976 * x + 0.070566 * x**3, -50, 50))))
