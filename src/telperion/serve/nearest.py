"""The nearest of millions of positions on the sky, by zones of declination: one sort, no tree, no loop."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

_ARCSEC = 1 / 3600  # degrees
_RA_BITS = 40
_TURN = 2**_RA_BITS / 360  # steps of a degree of right ascension: 1.2 microarcseconds each
_SLACK = 1e-9  # degrees; windows are that much wider than the radius, so that no rounding loses a row
_LARGEST = 3600.0
_AT_ONCE = 4_000_000  # rows that are looked at together
_CELL = 0.25  # degrees
_N_BELTS = int(180 / _CELL)


class Positions:
    """Positions sorted by zones of declination, each one radius high, and by right ascension within.

    All that lies within the radius of a place is in three zones, in a window of right ascension that is widened by the
    cosine of the declination and is the whole circle where the pole is within the radius.

    Parameters
    ----------
    ra, decl : array, shape ``(n_rows,)``, degrees
        0 to 360 and -90 to 90, none NaN.
    radius : float, arcsec
        Above 0, at most 3600.

    Raises
    ------
    ValueError
        The radius is outside these bounds.

    Examples
    --------
    >>> stars = Positions(np.array([359.9999, 10.0]), np.array([0.0, 0.0]), radius=2.0)
    >>> row, separation = stars.nearest(np.array([0.0001, 10.1]), np.array([0.0, 0.0]))
    >>> row, separation.round(2)
    (array([ 0, -1]), array([0.72,  nan]))
    """

    def __init__(self, ra: NDArray[np.float64], decl: NDArray[np.float64], radius: float) -> None:
        self.radius = check_radius(radius)
        self.ra, self.decl = ra % 360, decl
        self._height = 1.001 * max(self.radius, 1.0) * _ARCSEC
        key = _key(self._zone(decl), self.ra)
        order = np.argsort(key)
        self._order = order.astype(np.uint32) if order.size < 2**32 else order
        self._key = key[order]
        occupied = np.zeros(_N_BELTS * 2 * _N_BELTS, dtype=bool)
        occupied[_cell(self.ra, decl)] = True
        self._cells = np.flatnonzero(occupied)

    @property
    def nbytes(self) -> int:
        """Memory that the positions take."""
        return sum(part.nbytes for part in (self.ra, self.decl, self._order, self._key, self._cells))

    def nearest(
        self, ra: NDArray[np.float64], decl: NDArray[np.float64]
    ) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
        """Find the nearest row to each place; of rows equally near, the first.

        Parameters
        ----------
        ra, decl : array, shape ``(n,)``, degrees
            NaN has nothing near it.

        Returns
        -------
        row : array of int64, shape ``(n,)``
            -1 where none is within the radius.
        separation : array, shape ``(n,)``, arcsec
            On the sphere; NaN where none is within the radius.
        """
        known = np.flatnonzero(np.isfinite(ra) & np.isfinite(decl))
        owner, start, stop = self._windows(ra[known] % 360, decl[known])
        if ra.size > 1 and (stop - start).sum() > _AT_ONCE:
            halves = [self.nearest(ra[part], decl[part]) for part in np.s_[: ra.size // 2, ra.size // 2 :]]
            rows, separations = zip(*halves, strict=True)
            return np.concatenate(rows), np.concatenate(separations)
        which, place = spread(start, stop)
        owner, candidate = known[owner[which]], self._order[place].astype(np.int64)
        apart = _separation(ra[owner], decl[owner], self.ra[candidate], self.decl[candidate])
        near = apart <= self.radius
        owner, candidate, apart = owner[near], candidate[near], apart[near]
        best = np.lexsort((candidate, apart, owner))
        best = best[np.diff(owner[best], prepend=-1) > 0]
        row, separation = np.full(ra.size, -1), np.full(ra.size, np.nan)
        row[owner[best]], separation[owner[best]] = candidate[best], apart[best]
        return row, separation

    def covers(self, ra: NDArray[np.float64], decl: NDArray[np.float64]) -> NDArray[np.bool_]:
        """Tell where any row lies in the same cell of the sky, a quarter of a degree wide and high; shape ``(n,)``."""
        result = np.zeros(ra.size, dtype=bool)
        known = np.isfinite(ra) & np.isfinite(decl)
        cell = _cell(ra[known] % 360, decl[known])
        place = np.minimum(np.searchsorted(self._cells, cell), max(self._cells.size - 1, 0))
        result[known] = (self._cells[place] == cell) if self._cells.size else False
        return result

    def _zone(self, decl: NDArray[np.float64]) -> NDArray[np.int64]:
        return ((decl + 90) / self._height).astype(np.int64)

    def _windows(
        self, ra: NDArray[np.float64], decl: NDArray[np.float64]
    ) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
        """Give the runs of sorted rows that may be near: whose they are, where they begin and end."""
        radius = self.radius * _ARCSEC + _SLACK
        zone = self._zone(np.maximum(decl - radius, -90))
        past = self._zone(np.minimum(decl + radius, 90)) + 1
        owner, zone = spread(zone, past)
        half = np.full(ra.size, 180.0)
        clear = np.abs(decl) + radius < 90
        half[clear] = np.degrees(np.arcsin(np.sin(np.radians(radius)) / np.cos(np.radians(decl[clear]))))
        low, high = ra - half, ra + half
        # A window that reaches over right ascension 0 goes on at the other end of the circle.
        across = (low < 0) | (high > 360)
        low_on, high_on = np.where(low < 0, low + 360, 0), np.where(low < 0, 360, high - 360)
        again = across[owner]
        whose, zones = np.concatenate([owner, owner[again]]), np.concatenate([zone, zone[again]])
        first = _key(zones, np.concatenate([low[owner], low_on[owner[again]]]), -1)
        last = _key(zones, np.concatenate([high[owner], high_on[owner[again]]]), 1)
        return whose, np.searchsorted(self._key, first), np.searchsorted(self._key, last, side="right")


def check_radius(radius: float) -> float:
    """Refuse a radius, arcsec, that is not above 0 or beyond a degree."""
    if not 0 < radius <= _LARGEST:
        raise ValueError(f"the radius is {radius:g} arcsec, expected one above 0 and at most {_LARGEST:g}")
    return float(radius)


def spread(start: NDArray[np.int64], stop: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Give the integers of many ranges, and which range each is of.

    Examples
    --------
    >>> spread(np.array([5, 2, 7]), np.array([7, 2, 8]))
    (array([0, 0, 2]), array([5, 6, 7]))
    """
    lengths = stop - start
    which = np.repeat(np.arange(start.size), lengths)
    return which, np.arange(which.size) + np.repeat(start - np.cumsum(lengths) + lengths, lengths)


def _key(zone: NDArray[np.int64], ra: NDArray[np.float64], more: int = 0) -> NDArray[np.int64]:
    """Give integers that sort by zone, then by right ascension, moved by some of its steps."""
    step = (ra * _TURN).astype(np.int64) + more
    return (zone << _RA_BITS) | np.clip(step, 0, 2**_RA_BITS - 1)


def _cell(ra: NDArray[np.float64], decl: NDArray[np.float64]) -> NDArray[np.int64]:
    """Give the cell of each place: belts of declination, cut into cells of about equal size."""
    belt = np.minimum(((decl + 90) / _CELL).astype(np.int64), _N_BELTS - 1)
    width = np.ceil(2 * _N_BELTS * np.cos(np.radians((np.arange(_N_BELTS) + 0.5) * _CELL - 90)))
    return belt * (2 * _N_BELTS) + (ra * (width / 360)[belt]).astype(np.int64)


def _separation(
    ra: NDArray[np.float64], decl: NDArray[np.float64], ra2: NDArray[np.float64], decl2: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Give the angle between places, arcsec, exact for small ones (haversine)."""
    north, east = np.radians(decl2 - decl) / 2, np.radians(ra2 - ra) / 2
    across = np.cos(np.radians(decl)) * np.cos(np.radians(decl2))
    square = np.sin(north) ** 2 + across * np.sin(east) ** 2
    return np.degrees(2 * np.arcsin(np.sqrt(np.minimum(square, 1)))) * 3600
