"""What every family of statistics reads: the rows of many light curves, grouped by object and by band."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from telperion.bands import BANDS
from telperion.encode.gaussian_process import GaussianProcess, gaussian_process
from telperion.encode.outburst import Outburst, outburst
from telperion.encode.segments import Segments, take
from telperion.lightcurves import LightCurves

N_BANDS = len(BANDS)
NIGHT = 0.5
"""Rows less than this apart, in days, were taken in one night."""


@dataclass(frozen=True, eq=False)
class Observations:
    """Rows of many dereddened light curves with the groupings and the scalings that statistics need.

    Parameters
    ----------
    light_curves : LightCurves
        Dereddened here if they are not yet.

    Raises
    ------
    ValueError
        The light curves are not dereddened and ``mwebv`` is unknown.
    """

    light_curves: LightCurves

    def __post_init__(self) -> None:
        if not self.light_curves.dereddened:
            object.__setattr__(self, "light_curves", self.light_curves.deredden())

    @cached_property
    def n_objects(self) -> int:
        """Number of objects."""
        return len(self.light_curves)

    @cached_property
    def object(self) -> NDArray[np.int64]:
        """The object of each row, shape ``(n_rows,)``."""
        return self.light_curves.object_index

    @cached_property
    def band(self) -> NDArray[np.int64]:
        """The band of each row, shape ``(n_rows,)``, position in `BANDS`."""
        return self.light_curves.band.astype(np.int64)

    @cached_property
    def flux(self) -> NDArray[np.float64]:
        """Flux, shape ``(n_rows,)``, nJy."""
        return self.light_curves.flux.astype(np.float64)

    @cached_property
    def error(self) -> NDArray[np.float64]:
        """Standard error of the flux, shape ``(n_rows,)``, nJy."""
        return self.light_curves.flux_err.astype(np.float64)

    @cached_property
    def detected(self) -> NDArray[np.bool_]:
        """Whether a row is a detection, shape ``(n_rows,)``."""
        return np.asarray(self.light_curves.detected)

    @cached_property
    def days(self) -> NDArray[np.float64]:
        """Days since the object's first detection (since its first row where it has none), shape ``(n_rows,)``."""
        first = self.light_curves.first_detection
        start = np.where(np.isnan(first), take(self.light_curves.time, self.by_object.first()), first)
        return np.asarray(self.light_curves.time - start[self.object])

    @cached_property
    def snr(self) -> NDArray[np.float64]:
        """Signal to noise, flux / error, shape ``(n_rows,)``."""
        return self.flux / self.error

    @cached_property
    def by_object(self) -> Segments:
        """Rows grouped by object."""
        return Segments(self.object, self.n_objects)

    @cached_property
    def by_band(self) -> Segments:
        """Rows grouped by object and band; group ``6 * object + band``."""
        return Segments(self.object * N_BANDS + self.band, self.n_objects * N_BANDS)

    @cached_property
    def peak(self) -> NDArray[np.int64]:
        """The row with the highest signal to noise of each object, -1 without rows, shape ``(n_objects,)``."""
        return self.by_object.argmax(self.snr)

    @cached_property
    def process(self) -> GaussianProcess:
        """The two-dimensional Gaussian process through each object."""
        return gaussian_process(self.by_object, self.days, self.band, self.flux, self.error)

    @cached_property
    def outburst(self) -> Outburst:
        """The brightest outburst of each object, in its rest frame."""
        return outburst(self)


def magnitude(flux: NDArray, error: NDArray) -> NDArray[np.float64]:
    """Magnitude that stays finite at and below zero flux: an asinh magnitude softened by the row's own error.

    Parameters
    ----------
    flux, error : array, any one shape, nJy

    Returns
    -------
    array, same shape, mag
        AB magnitude at high signal to noise; at zero flux the magnitude of the error (Lupton, Gunn & Szalay 1999).

    Examples
    --------
    >>> magnitude(np.array([3631e3]), np.array([1.0])).round(3)
    array([15.])
    """
    return 31.4 - 2.5 / np.log(10) * (np.arcsinh(flux / (2 * error)) + np.log(error))
