"""Light curves moved to the nights in which one of their detections is to be seen, and what is known of them when."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from telperion.bands import BANDS
from telperion.encode.view import FORCED, HISTORY
from telperion.lightcurves import LightCurves
from telperion.simulate.source import Array

Places = NDArray[np.int64]

INTERVAL = 39.0
"""Seconds from the middle of a visit to that of the next."""

DAY = 61_500
START = DAY + 0.05
"""The middle of the first visit, MJD."""

MEMORY = 365.0
"""Days that an alert's history reaches back."""

SPREAD = 0.8
"""Standard deviation of the natural logarithm of the days until forced photometry is known."""

PROCESSING = 60.0
"""Seconds from the middle of a visit until its sources are known."""

_DETECTORS = 189
_SECONDS = 86_400.0
_TIES = len(BANDS)  # rows of one time


class Shown(NamedTuple):
    """Rows that alerts show beside their new sources.

    Attributes
    ----------
    sources, forced : array of int
        Rows, alert by alert in the order of time.
    source_places, forced_places : array of int, shape ``(n_alerts + 1,)``
        Where each alert's begin among them.
    detections : array of int, shape ``(n_alerts,)``
        Detections of the object so far, the new one and those forgotten included.
    """

    sources: Places
    source_places: Places
    forced: Places
    forced_places: Places
    detections: Places


@dataclass(frozen=True, eq=False)
class Timeline:
    """Light curves at their new times.

    Parameters
    ----------
    curves : LightCurves
    late : array of float32, shape ``(n_rows,)``, days
        Until forced photometry is known.
    reliability : array of float32, shape ``(n_rows,)``
    rank : array of int, shape ``(n_rows,)``
        How many rows of the object stand before a row in its visit.
    first : array, shape ``(n_objects,)``, MJD
        The first detection.
    detector : array of int, shape ``(n_objects,)``
    origin : int
        From which ids are counted.
    """

    curves: LightCurves
    late: NDArray[np.float32]
    reliability: NDArray[np.float32]
    rank: NDArray[np.int16]
    first: Array
    detector: Places
    origin: int

    @classmethod
    def draw(
        cls, curves: LightCurves, when: Array, rng: np.random.Generator, *, first_share: float, delay: float, seed: int
    ) -> Timeline:
        """Draw a detection of each object, which is moved to a time that is given, and what else is left to chance.

        Parameters
        ----------
        curves : LightCurves
        when : array, shape ``(n_objects,)``, MJD
        rng : Generator
        first_share : float
            Share of the objects whose first detection it is; of the others it is any later one, if there are more.
        delay : float
            Mean days until forced photometry is known.
        seed : int
            Of which the last 20 bits are in the ids.

        Raises
        ------
        ValueError
            An object has no detection.
        """
        owner = curves.object_index
        chosen = _chosen(curves, owner, first_share, rng)
        time = curves.time + (when - curves.time[chosen])[owner]
        alike = curves.time == curves.time[chosen][owner]
        time[alike] = when[owner[alike]]  # exactly
        moved = replace(curves, time=time)
        noise = rng.normal(-(SPREAD**2) / 2, SPREAD, time.size)
        bright = np.abs(curves.flux) / curves.flux_err
        visit, row, new = visit_numbers(time), np.arange(time.size), np.ones(time.size, dtype=bool)
        new[1:] = (visit[1:] != visit[:-1]) | (owner[1:] != owner[:-1])
        rank = row - np.maximum.accumulate(np.where(new, row, 0))
        return cls(
            moved,
            (delay * np.exp(noise)).astype(np.float32),
            (1 - 0.86 * rng.random(time.size) ** (bright / 5)).astype(np.float32),
            rank.astype(np.int16),
            moved.first_detection,
            rng.integers(0, _DETECTORS, len(curves)),
            (1 << 60) + ((seed % (1 << 20)) << 40),
        )

    def object_ids(self, objects: ArrayLike) -> Places:
        """Give the ids of objects by their places in the table."""
        return self.origin + np.asarray(objects, dtype=np.int64)

    def row_ids(self, rows: Places) -> Places:
        """Give the ids of rows, the same for a source and for forced photometry."""
        return self.origin + rows

    def known(self, rows: Places, objects: Places) -> Array:
        """Give when forced photometry is known, MJD: not before a day after the first detection."""
        return np.maximum(self.curves.time[rows] + self.late[rows], self.first[objects] + FORCED)

    def shown(self, rows: Places, objects: Places) -> Shown:
        """Find what alerts about some rows show beside these: nothing of their future, no more than a year back."""
        start = self.curves.offsets[objects]
        stop = np.minimum(rows + _TIES, self.curves.offsets[objects + 1])
        ends = np.cumsum(stop - start)
        code = np.repeat(np.arange(rows.size), stop - start)
        each = np.arange(code.size) + (start - ends + stop - start)[code]
        time, now = self.curves.time[each], self.curves.time[rows][code]
        past, recent = time <= now, time >= now - MEMORY
        source = past & self.curves.detected[each]
        earlier = source & recent & (each != rows[code])
        reach = (self.first - HISTORY)[objects][code]
        forced = past & recent & (time >= reach) & (self.known(each, objects[code]) <= now)
        counts = [np.bincount(code[some], minlength=rows.size) for some in (earlier, forced, source)]
        places = [np.concatenate([[0], np.cumsum(count)]) for count in counts[:2]]
        return Shown(each[earlier], places[0], each[forced], places[1], counts[2])

    def sources(self, rows: Places, objects: Places) -> dict[str, Any]:
        """Give rows as Rubin's diaSource has them, by its names."""
        flux, error = self.curves.flux[rows], self.curves.flux_err[rows]
        return self._both(rows, objects) | {
            "diaSourceId": self.row_ids(rows),
            "snr": np.abs(flux) / error,
            "isNegative": flux < 0,
            "reliability": self.reliability[rows],
            "timeProcessedMjdTai": self.curves.time[rows] + PROCESSING / _SECONDS,
        }

    def forced(self, rows: Places, objects: Places) -> dict[str, Any]:
        """Give rows as Rubin's diaForcedSource has them."""
        known = self.known(rows, objects)
        return self._both(rows, objects) | {"diaForcedSourceId": self.row_ids(rows), "timeProcessedMjdTai": known}

    def _both(self, rows: Places, objects: Places) -> dict[str, Any]:
        where = {name: self.curves.context.get(old) for name, old in (("ra", "ra"), ("dec", "decl"))}
        return {
            "visit": visit_numbers(self.curves.time[rows]),
            "detector": (self.detector[objects] + self.rank[rows]) % _DETECTORS,
            "diaObjectId": self.object_ids(objects),
            "midpointMjdTai": self.curves.time[rows],
            "psfFlux": self.curves.flux[rows],
            "psfFluxErr": self.curves.flux_err[rows],
            "band": np.array(list(BANDS), dtype="S1")[self.curves.band[rows]],
            **{name: np.nan if values is None else values[objects] for name, values in where.items()},
        }


def visit_numbers(time: Array) -> Places:
    """Give the visit that contains a time, as in ``visit`` of packets: 100,000 a night, counted from its first one.

    Examples
    --------
    >>> visit_numbers(START + np.array([0.0, 19.4, 19.6, 39.0, 86400.0]) / 86400)
    array([6150000000, 6150000000, 6150000001, 6150000001, 6150100000])
    """
    since = np.asarray(time) - (START - INTERVAL / 2 / _SECONDS)
    night = np.floor(since)
    return ((DAY + night) * 100_000 + np.floor((since - night) * _SECONDS / INTERVAL)).astype(np.int64)


def _chosen(curves: LightCurves, owner: Places, first_share: float, rng: np.random.Generator) -> Places:
    """Draw a detection of each object: the first one of a share of them, a later one of the others."""
    rows = np.flatnonzero(curves.detected)
    count = np.bincount(owner[rows], minlength=len(curves))
    if (never := np.flatnonzero(count == 0)).size:
        raise ValueError(f"{never.size} objects have no detection, first '{curves.object_id[never[0]]}'")
    later = 1 + (rng.random(count.size) * (count - 1)).astype(np.int64)
    first = rng.permutation(count.size) < round(first_share * count.size)
    return rows[np.cumsum(count) - count + np.where(first | (count == 1), 0, later)]
