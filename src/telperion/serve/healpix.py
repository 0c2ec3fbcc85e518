"""Which parts of a catalogue that is cut along HEALPix pixels of several orders lie near places on the sky."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from telperion.serve.nearest import spread

ORDER = 29
"""The finest order; pixels of the nested scheme there are what parts are ranges of."""

_WIDTH = np.sqrt(4 * np.pi / 12) * np.degrees(1) * 3600
"""The side of a square as large as a pixel of order 0, arcsec; opposite edges of a pixel are .69 of that apart."""


class Pixels:
    """Pixels of several orders, nested scheme, none of which lies in another.

    Parameters
    ----------
    order, number : array of int64, shape ``(n_parts,)``

    Raises
    ------
    ValueError
        An order has no such pixel, or a pixel lies in another.

    Examples
    --------
    >>> pixels = Pixels(np.array([0, 1]), np.array([4, 0]))
    >>> pixels.holding(np.array([0.0, 45.0]), np.array([0.0, 2.0]))
    array([0, 1])
    """

    def __init__(self, order: NDArray[np.int64], number: NDArray[np.int64]) -> None:
        wrong = (order < 0) | (order > ORDER)
        shift = 2 * (ORDER - np.where(wrong, 0, order))
        wrong |= (number < 0) | (number >= 12 << 2 * ORDER >> shift)
        if wrong.any():
            first = int(np.argmax(wrong))
            raise ValueError(f"{wrong.sum()} pixels do not exist, first {number[first]} of order {order[first]}")
        self._by_start = np.argsort(number << shift)
        self._start = (number << shift)[self._by_start]
        self._stop = (number + 1 << shift)[self._by_start]
        if (inside := np.flatnonzero(self._start[1:] < self._stop[:-1])).size:
            one, other = self._by_start[inside[0]], self._by_start[inside[0] + 1]
            names = f"{number[one]} of order {order[one]} and {number[other]} of order {order[other]}"
            raise ValueError(f"{inside.size} pixels lie in each other, first {names}")

    def holding(self, ra: NDArray[np.float64], decl: NDArray[np.float64]) -> NDArray[np.int64]:
        """Tell which pixel each place lies in, shape ``(n,)``; -1 where none."""
        pixel = pixel_of(ra, decl, ORDER)
        place = np.searchsorted(self._start, pixel, side="right") - 1
        return np.where((place >= 0) & (pixel < self._stop[place]), self._by_start[place], -1)

    def within(
        self, ra: NDArray[np.float64], decl: NDArray[np.float64], radius: float
    ) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Find the pixels that have anything within a radius of places, and a few more.

        Parameters
        ----------
        ra, decl : array, shape ``(n,)``, degrees
            Finite.
        radius : float, arcsec

        Returns
        -------
        place, part : array of int64, shape ``(n_pairs,)``
            Every pair once, sorted by part, then by place.
        """
        from astropy_healpix import neighbours  # not above: it is asked for only where there are such pixels

        # Twice the radius fits between the edges of these, so none beyond a pixel's neighbours is within reach.
        order = int(np.clip(np.floor(np.log2(_WIDTH / (2 * radius))), 0, ORDER))
        centre = pixel_of(ra, decl, order)
        with np.errstate(invalid="ignore"):  # some pixels have seven neighbours only
            around = np.concatenate([centre[None], neighbours(centre, 1 << order, order="nested")])
        around = np.where(around < 0, centre, around).ravel() << 2 * (ORDER - order)
        past = around + (1 << 2 * (ORDER - order))
        first = np.searchsorted(self._stop, around, side="right")
        which, part = spread(first, np.maximum(np.searchsorted(self._start, past), first))
        pairs = np.unique(self._by_start[part] * ra.size + which % ra.size) if ra.size else which
        return pairs % max(ra.size, 1), pairs // max(ra.size, 1)


def pixel_of(ra: NDArray[np.float64], decl: NDArray[np.float64], order: int) -> NDArray[np.int64]:
    """Give the pixel of each place, in degrees, nested scheme."""
    from astropy import units
    from astropy_healpix import lonlat_to_healpix

    return np.asarray(lonlat_to_healpix(ra * units.deg, decl * units.deg, 1 << order, order="nested"), dtype=np.int64)
