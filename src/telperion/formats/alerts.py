"""`Alerts`: a batch of alerts with all rows that they show, ready for a classifier, and an account of what was left."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from telperion.formats.alert_fields import Taken
from telperion.formats.alert_rows import REASONS, TIMES, Rows, settle
from telperion.lightcurves import LightCurves


class Broken(NamedTuple):
    """A packet that could not be read: which, why, and at which of its bytes."""

    packet: int
    reason: str
    position: int


@dataclass(frozen=True, eq=False)
class Alerts:
    """A batch of alerts, each with all the rows that it shows: the new source, its history, forced photometry.

    Parameters
    ----------
    packet : array of int64, shape ``(n_alerts,)``
        Which of the packets that were given each alert is from.
    alert_id : array of int64, shape ``(n_alerts,)``
        Rubin's diaSourceId, ELAsTiCC's alertId, ZTF's candid; distinct.
    source_id : array of int64, shape ``(n_alerts,)``
        The new source's own: diaSourceId, candid.
    object_id : array of str, shape ``(n_alerts,)``
    alert_time : array, shape ``(n_alerts,)``, MJD (TAI; ZTF: UTC, 37 s less)
        When the new source was seen; NaN where that cannot be.
    history_truncated : array of bool, shape ``(n_alerts,)``
        Whether the survey counts more sources than the packet holds.
    offsets : array of int64, shape ``(n_alerts + 1,)``
        Alert ``i`` owns rows ``offsets[i]:offsets[i + 1]``, sorted by time, band and id.
    rows : Rows
        One a visit and detector, as `telperion.formats.alert_rows` says; `Rows.code` is the alert.
    context : dict of str to array, shape ``(n_alerts,)``
        As `telperion.formats.snana` names it; Rubin and ZTF give ``ra`` and ``decl`` alone.
    dropped : dict of str to int
        Rows left out, by `telperion.formats.alert_rows.REASONS`; ``context`` counts values made NaN.
    solar_system : array of int64
        Packets about a moving object: not among the alerts.
    repeated : array of int64
        Packets with the alert_id of one before: not among the alerts.
    broken : list of Broken
        Packets that could not be read, in order.
    """

    packet: NDArray[np.int64]
    alert_id: NDArray[np.int64]
    source_id: NDArray[np.int64]
    object_id: NDArray[np.str_]
    alert_time: NDArray[np.float64]
    history_truncated: NDArray[np.bool_]
    offsets: NDArray[np.int64]
    rows: Rows
    context: dict[str, NDArray[np.float64]]
    dropped: dict[str, int]
    solar_system: NDArray[np.int64]
    repeated: NDArray[np.int64]
    broken: list[Broken]

    def __len__(self) -> int:
        return self.alert_id.size

    def __getitem__(self, which: NDArray[Any] | slice | list[int]) -> Alerts:
        """Choose alerts by a mask, positions in their order, or a slice; what is no alert stays behind."""
        chosen = np.arange(len(self))[which]
        lengths = np.diff(self.offsets)[chosen]
        offsets = np.concatenate([[0], np.cumsum(lengths)])
        rows = self.rows[np.arange(offsets[-1]) + np.repeat(self.offsets[chosen] - offsets[:-1], lengths)]
        no = np.zeros(0, dtype=np.int64)
        own = ("packet", "alert_id", "source_id", "object_id", "alert_time", "history_truncated")
        return replace(
            self,
            **{name: getattr(self, name)[chosen] for name in own},
            offsets=offsets,
            rows=replace(rows, code=np.repeat(np.arange(chosen.size), lengths)),
            context={name: values[chosen] for name, values in self.context.items()},
            dropped={}, solar_system=no, repeated=no, broken=[],
        )  # fmt: skip

    def of_packets(self, first: int, last: int) -> Alerts:
        """Give what came of the packets from `first` to before `last`, which then count from 0; not what was dropped.

        Parameters
        ----------
        first, last : int
        """
        chosen = self[(self.packet >= first) & (self.packet < last)]
        moving, again = (
            packets[(packets >= first) & (packets < last)] for packets in (self.solar_system, self.repeated)
        )
        broken = [each._replace(packet=each.packet - first) for each in self.broken if first <= each.packet < last]
        return replace(
            chosen, packet=chosen.packet - first, solar_system=moving - first, repeated=again - first, broken=broken
        )

    def light_curves(self, mwebv: ArrayLike | None = None, *, by_object: bool = False) -> LightCurves:
        """Give the rows as light curves, corrected for dust in the Milky Way where E(B-V) is known.

        Rubin's packets hold no E(B-V): where it is unknown, fluxes stay as they are, as if there were no dust, and the
        table counts as dereddened all the same, so that classifiers take it. Classifiers tell a host that is unknown
        from a column that is not there: give them alerts of one survey at a time.

        Parameters
        ----------
        mwebv : float or array, shape ``(n_alerts,)``, optional
            E(B-V), in place of the packets'; NaN where unknown.
        by_object : bool
            One light curve an object, of the rows of all its alerts and the context of the latest; else one an alert.

        Raises
        ------
        ValueError
            E(B-V) that is given is outside 0 to 100.

        Returns
        -------
        LightCurves
            Called by alert_id or object_id, in the order of first appearance.
        """
        curves = self.as_observed(by_object=by_object)
        context = dict(curves.context)
        if mwebv is not None:
            given = np.broadcast_to(np.asarray(mwebv, dtype=np.float64), len(self))
            if (wrong := np.flatnonzero((given < 0) | (given > 100))).size:
                raise ValueError(f"mwebv is outside 0 to 100 for {wrong.size} alerts, first {given[wrong[0]]:g}")
            context["mwebv"] = given[self._latest()] if by_object else given.copy()
        return curves.with_context(context).deredden(unknown=0.0)

    def as_observed(self, *, by_object: bool = False) -> LightCurves:
        """Give the rows as light curves with the fluxes of the packets, as `light_curves` has them otherwise."""
        rows, offsets, names, context = self.rows, self.offsets, self.alert_id.astype(np.str_), self.context
        if by_object:
            names, code = self._objects()
            rows, _ = settle(replace(rows, code=code[rows.code]))
            offsets = np.concatenate([[0], np.cumsum(np.bincount(rows.code, minlength=names.size))])
            latest = self._latest()
            context = {name: values[latest] for name, values in context.items()}
        return LightCurves(names, offsets, rows.time, rows.band, rows.flux, rows.flux_err, rows.detected, dict(context))

    def _objects(self) -> tuple[NDArray[np.str_], NDArray[np.int64]]:
        """Give the objects in the order of their first alerts, and each alert's place among them."""
        names, first, inverse = np.unique(self.object_id, return_index=True, return_inverse=True)
        order = np.argsort(first)
        place = np.empty_like(order)
        place[order] = np.arange(order.size)
        return names[order], place[inverse]

    def _latest(self) -> NDArray[np.int64]:
        """Give the latest alert of each object."""
        _, code = self._objects()
        by_time = np.lexsort((self.alert_time, code))
        return by_time[np.flatnonzero(np.append(np.diff(code[by_time]) > 0, True))] if code.size else by_time


class Part(NamedTuple):
    """Packets of one schema: what they say, which packet each is, and which of them could be read."""

    taken: Taken
    packet: NDArray[np.int64]
    sound: NDArray[np.bool_]


def settle_alerts(parts: Sequence[Part], broken: Sequence[Broken]) -> Alerts:
    """Make `Alerts` of what packets say: in their order, without moving objects, each alert once, its rows settled."""
    if not parts:
        no = np.zeros(0, dtype=np.int64)
        rows = Rows(no, no.astype(float), no, no, no, no.astype(bool), no, no, no, no)
        text, times, flags = no.astype(np.str_), no.astype(float), no.astype(bool)
        return Alerts(no, no, no, text, times, flags, np.zeros(1, np.int64), rows, {}, {}, no, no, sorted(broken))
    packet = np.concatenate([part.packet for part in parts])
    alert_id, source_id, object_id, time, moving, truncated = (
        np.concatenate([getattr(part.taken, name) for part in parts])
        for name in ("alert_id", "source_id", "object_id", "time", "solar_system", "truncated")
    )
    time = np.where((time >= TIMES[0]) & (time <= TIMES[1]), time, np.nan)
    sound = np.concatenate([part.sound for part in parts])
    nameless = sound & ~moving & (alert_id == 0)
    broken = [*broken, *(Broken(k, "the alert has no id", 0) for k in packet[nameless].tolist())]
    sound &= ~nameless
    order = np.argsort(packet, kind="stable")
    first = _first(alert_id, order[(sound & ~moving)[order]])
    chosen = order[first[order]]
    place = np.full(packet.size, -1)
    place[chosen] = np.arange(chosen.size)
    rows, dropped = settle(_moved(parts, place))
    context: dict[str, NDArray] = {
        name: np.concatenate([part.taken.context.get(name, np.full(part.packet.size, np.nan)) for part in parts])[
            chosen
        ]
        for name in dict.fromkeys(name for part in parts for name in part.taken.context)
    }
    counts = {reason: int(count) for reason, count in zip(REASONS, dropped, strict=True) if count}
    if outside := sum(part.taken.outside for part in parts):
        counts["context"] = outside
    return Alerts(
        packet[chosen],
        alert_id[chosen],
        source_id[chosen],
        object_id[chosen],
        time[chosen],
        truncated[chosen],
        np.concatenate([[0], np.cumsum(np.bincount(rows.code, minlength=chosen.size))]),
        rows,
        context,
        counts,
        np.sort(packet[sound & moving]),
        np.sort(packet[sound & ~moving & ~first]),
        sorted(broken),
    )


def _first(alert_id: NDArray[np.int64], order: NDArray[np.intp]) -> NDArray[np.bool_]:
    """Mark the first alert of each id among those in `order`."""
    result = np.zeros(alert_id.size, dtype=bool)
    result[order[np.unique(alert_id[order], return_index=True)[1]]] = True
    return result


def _moved(parts: Sequence[Part], place: NDArray[np.int64]) -> Rows:
    """Put the rows of all parts together, numbered by the places of their alerts; those without one are left out."""
    start, moved = 0, []
    for part in parts:
        code = place[part.taken.rows.code + start]
        rows = replace(part.taken.rows, code=code)
        moved.append(rows if (code >= 0).all() else rows[code >= 0])
        start += part.packet.size
    return moved[0] if len(moved) == 1 else Rows.concatenate(moved)
