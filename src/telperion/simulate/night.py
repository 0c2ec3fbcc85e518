"""`Night`: nights of alerts, visit by visit, of light curves whose labels stay behind."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.metadata import version
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from telperion.formats.avro import Node, schema_json
from telperion.lightcurves import LightCurves
from telperion.simulate.packets import Packing, array, below, cutouts, host_columns
from telperion.simulate.source import Array
from telperion.simulate.timeline import DAY, INTERVAL, START, Places, Timeline, visit_numbers

AT_ONCE, FULL_AT_ONCE = 2000, 200
"""Packets that are written together, without and with images."""

VISITS = 10
MOST_VISITS = int(86_400 / INTERVAL)


@dataclass(frozen=True, eq=False)
class Visit:
    """The alerts of a visit, and apart from them what they are about.

    Parameters
    ----------
    number : int
        From 0, night after night.
    time : float, MJD
        Its middle.
    object_id, alert_id : array of int64, shape ``(n_alerts,)``
        diaObjectId, and diaSourceId of the new source.
    messages : list of bytes
        Packets in Confluent's wire format.
    label : array of str, shape ``(n_alerts,)``
    redshift : array, shape ``(n_alerts,)``
        As the light curves have it, NaN where unknown.
    """

    number: int
    time: float
    object_id: NDArray[np.int64]
    alert_id: NDArray[np.int64]
    messages: list[bytes]
    label: NDArray[np.str_]
    redshift: Array

    def __len__(self) -> int:
        return len(self.messages)


class Night:
    r"""Nights of alerts, visit by visit; each visit is written when it is asked for, and the same whenever it is.

    Every object is moved in time so that one of its detections is in the middle of a visit of the first night. Its
    other detections raise alerts too where they are in a visit; of two in one visit the one nearer to its middle does.

    Parameters
    ----------
    light_curves : LightCurves
        Fluxes as observed.
    visits : int, optional
        Visits of a night, 39 s from one to the next; by default as many as `alerts` asks for, else `VISITS`.
    alerts : int, optional
        Objects that are moved to each visit of the first night; by default all are spread over them evenly. If visits
        are given too, objects beyond ``visits * alerts`` are left out.
    nights : int
    first_share : float
        Share of the objects whose first detection is moved there; of the others, any later one.
    delay : float
        Mean days from a visit until its forced photometry is known; 0: at once. None is known in the first day after
        the first detection.
    seed : int
    schema : Node, optional
        Of the packets, as `telperion.simulate.packets.Packing` takes it.
    cutouts : bool
        Whether packets hold images (of noise), which makes them as large as real ones.

    Raises
    ------
    ValueError
        Light curves are dereddened, too few, or without detection, or a number is out of its range.

    Examples
    --------
    >>> curves = LightCurves(["a", "b"], [0, 1, 3], [9.0, 1.0, 5.0], [1, 2, 2], [40, 50, 60], [5, 5, 5], [True] * 3)
    >>> for visit in Night(curves, visits=2):
    ...     print(visit.number, visit.time, len(visit), visit.messages[0][:5])
    0 61500.05 1 b'\x00\x00\x00\x00d'
    1 61500.05045138889 1 b'\x00\x00\x00\x00d'
    """

    def __init__(
        self,
        light_curves: LightCurves,
        *,
        visits: int | None = None,
        alerts: int | None = None,
        nights: int = 1,
        first_share: float = 0.25,
        delay: float = 1.0,
        seed: int = 0,
        schema: Node | None = None,
        cutouts: bool = False,
    ) -> None:
        n = len(light_curves)
        if alerts is not None and alerts < 1:
            raise ValueError(f"{alerts} alerts a visit, expected 1 or more")
        if visits is None:
            visits = VISITS if alerts is None else -(-n // alerts)
        elif alerts is not None:
            n = visits * alerts
        _check(light_curves, n, visits, nights, first_share, delay, seed)
        self.visits, self.nights, self.seed, self.cutouts = visits, nights, seed, cutouts
        self.packing = Packing(schema)
        self._settings = {"first_share": first_share, "delay": delay, "light_curves": _digest(light_curves)}
        rng = np.random.default_rng(seed)
        curves = light_curves[rng.permutation(len(light_curves))[:n]]
        when = self.time(np.arange(n) * visits // n)
        self.timeline = Timeline.draw(curves, when, rng, first_share=first_share, delay=delay, seed=seed)
        self._rows, self._objects, self._places = self._alerts()

    def __len__(self) -> int:
        return self.visits * self.nights

    def __iter__(self) -> Iterator[Visit]:
        return map(self.visit, range(len(self)))

    @property
    def sizes(self) -> NDArray[np.int64]:
        """Alerts of each visit, shape ``(n_visits,)``."""
        return np.diff(self._places)

    def time(self, number: Any) -> Any:
        """Give the middle of visits, MJD."""
        return START + number // self.visits + number % self.visits * INTERVAL / 86_400

    def card(self) -> dict[str, Any]:
        """Give what the night came of: of other values come other packets."""
        schema = self.packing.schema
        return {
            "telperion": version("telperion"),
            "objects": len(self.timeline.curves),
            "visits": self.visits,
            "nights": self.nights,
            "seconds": INTERVAL,
            **self._settings,
            "seed": self.seed,
            "schema": {"name": schema.name, "digest": _hash(schema_json(schema).encode())},
            "cutouts": self.cutouts,
        }

    def truth(self) -> pa.Table:
        """Give what is behind the alerts, an object a row: its name, diaObjectId, label and redshift."""
        curves = self.timeline.curves
        columns = {
            "object_id": pa.array(curves.object_id, pa.string()),
            "diaObjectId": self.timeline.object_ids(np.arange(len(curves))),
            "label": pa.array(curves.label, pa.string()),
            "redshift": curves.context.get("redshift", np.full(len(curves), np.nan)),
        }
        return pa.table(columns)

    def visit(self, number: int) -> Visit:
        """Write the alerts of a visit."""
        where = slice(self._places[number], self._places[number + 1])
        rows, objects, curves = self._rows[where], self._objects[where], self.timeline.curves
        rng = np.random.default_rng([self.seed, number])
        messages: list[bytes] = []
        step = FULL_AT_ONCE if self.cutouts else AT_ONCE
        for start in range(0, rows.size, step):
            some = slice(start, start + step)
            columns = self._columns(rows[some], objects[some])
            n = rows[some].size
            messages += self.packing.pack(columns | (cutouts(n, rng) if self.cutouts else {}), n)
        redshift = curves.context.get("redshift", np.full(len(curves), np.nan))
        ids = self.timeline.object_ids(objects), self.timeline.row_ids(rows)
        return Visit(number, float(self.time(number)), *ids, messages, curves.label[objects], redshift[objects])

    def _alerts(self) -> tuple[Places, Places, Places]:
        """Find the row and object of each alert, visit by visit in the order of time, and where each visit begins."""
        curves = self.timeline.curves
        rows = np.flatnonzero(curves.detected)
        night, number = np.divmod(visit_numbers(curves.time[rows]), 100_000)
        inside = (night >= DAY) & (night < DAY + self.nights) & (number < self.visits)
        rows, visit = rows[inside], ((night - DAY) * self.visits + number)[inside]
        objects = np.searchsorted(curves.offsets, rows, side="right") - 1
        order = np.lexsort((np.abs(curves.time[rows] - self.time(visit)), objects, visit))
        rows, visit, objects = rows[order], visit[order], objects[order]
        nearest = np.ones(rows.size, dtype=bool)
        nearest[1:] = (visit[1:] != visit[:-1]) | (objects[1:] != objects[:-1])
        rows, visit, objects = rows[nearest], visit[nearest], objects[nearest]
        order = np.lexsort((rows, curves.time[rows], visit))
        places = np.concatenate([[0], np.cumsum(np.bincount(visit, minlength=len(self)))])
        return rows[order], objects[order], places

    def _columns(self, rows: Places, objects: Places) -> dict[str, Any]:
        line = self.timeline
        shown = line.shown(rows, objects)
        source = line.sources(rows, objects)
        earlier = np.repeat(objects, np.diff(shown.source_places))
        forced = np.repeat(objects, np.diff(shown.forced_places))
        about = {
            "diaObjectId": source["diaObjectId"],
            "ra": source["ra"],
            "dec": source["dec"],
            "nDiaSources": shown.detections,
            "firstDiaSourceMjdTai": line.first[objects],
            "lastDiaSourceMjdTai": source["midpointMjdTai"],
            "validityStartMjdTai": source["midpointMjdTai"],
            **host_columns(line.curves.context, objects),
        }
        return {
            "diaSourceId": source["diaSourceId"],
            "alertId": source["diaSourceId"],
            **below("diaSource", source),
            **array("prvDiaSources", shown.source_places, line.sources(shown.sources, earlier)),
            **array("prvDiaForcedSources", shown.forced_places, line.forced(shown.forced, forced)),
            **below("diaObject", about),
        }


def _digest(curves: LightCurves) -> str:
    columns = {name: curves.context[name] for name in sorted(curves.context)}
    for name in ("object_id", "offsets", "time", "band", "flux", "flux_err", "detected", "label"):
        columns[name] = getattr(curves, name)
    return _hash(*(part for name, values in columns.items() for part in (name.encode(), values.tobytes())))


def _hash(*parts: bytes) -> str:
    found = hashlib.blake2b(digest_size=16)
    for part in parts:
        found.update(part)
    return found.hexdigest()


def _check(
    light_curves: LightCurves, n: int, visits: int, nights: int, first_share: float, delay: float, seed: int
) -> None:
    if light_curves.dereddened:
        raise ValueError("the fluxes are dereddened, but packets hold them as observed")
    if not 1 <= visits <= MOST_VISITS or nights < 1:
        raise ValueError(f"{nights} nights of {visits} visits, expected 1 or more, and {MOST_VISITS} visits at most")
    if not 0 < n <= len(light_curves):
        raise ValueError(f"{n:,} objects are needed, of {len(light_curves):,} that there are")
    if not (0 <= first_share <= 1 and 0 <= delay < np.inf):
        raise ValueError(f"first_share is {first_share} and delay {delay}, expected 0 to 1 and 0 or more")
    if seed < 0:
        raise ValueError(f"seed is {seed}, expected 0 or more")
