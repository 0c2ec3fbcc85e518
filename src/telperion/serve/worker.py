"""`Worker`: the loop of the stream: take alerts, answer them, keep all in one commit, publish."""

from __future__ import annotations

import base64
import json
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from telperion.formats.alerts import Alerts
from telperion.serve.answers import Answers
from telperion.serve.engine import Batch, Engine
from telperion.serve.outbox import Message, Sink, pack, unpack
from telperion.serve.store import Store
from telperion.serve.taken import Source, Taken

Shown = Callable[[], Alerts]
"""Gives the alerts that a batch answers, one an answer."""

Encoder = Callable[[Answers, Shown], Sequence[bytes]]
"""Gives the message to each answer, or one of all; it may look at the alerts that they answer."""

Lookup = Callable[[NDArray[np.float64], NDArray[np.float64]], tuple[dict[str, NDArray[np.float64]], NDArray[np.bool_]]]
"""Gives columns of context at places, and where there are any."""

COUNTS = ("packets", "answered", "dead", "solar system", "repeated", "filtered")
"""What is counted of packets, for good: packets = answered + dead + solar system + repeated + filtered."""

LONGEST_LETTER = 2**19
"""Bytes of a packet that are kept where it cannot be read: brokers refuse messages of more than 1 MB."""

WORK = ("new", "replays", "late", "rows", "damaged")
"""What else is counted: of `telperion.serve.engine.Work`."""


class Worker:
    """Takes alerts from a source, answers them and publishes: a crash at any moment loses and doubles nothing.

    States, what is to be published, the position in the source and the counts change in one commit of the store. What
    was committed and not published yet is published first when the worker begins again.

    Parameters
    ----------
    source : Source
    engine : Engine
    store : Store
    sinks : sequence of (Sink, encoder)
        Where answers go, and as what.
    dead : Sink, optional
        Where packets go that cannot be read, with the reason, as JSON.
    keep : callable, optional
        Which answers are published.
    context : callable, optional
        Gives, for places on the sky (ra, dec in degrees), columns of context from elsewhere, NaN where they say
        nothing, and whether anybody looked there: where nobody did, classifiers are not shown that a host is unknown.

    Attributes
    ----------
    counts : Counter
        As in `COUNTS`, since the store was begun; and what `telperion.serve.engine.Work` counts.
    latency : list of array, s
        From an alert's coming in to its answer's being committed, of the batches since it was last emptied.
    """

    def __init__(
        self, source: Source, engine: Engine, store: Store, sinks: Sequence[tuple[Sink, Encoder]], *,
        dead: Sink | None = None, keep: Callable[[Answers], NDArray[np.bool_]] | None = None,
        context: Lookup | None = None,
    ) -> None:  # fmt: skip
        self.source, self.engine, self.store = source, engine, store
        self._sinks, self._encoders = [sink for sink, _ in sinks], [encoder for _, encoder in sinks]
        self._dead, self._keep, self._context = dead, keep, context
        self.counts: Counter[str] = Counter(store.about.get("counts", {}))
        self.latency: list[NDArray[np.float64]] = []
        self._number = int(store.about.get("number", 0))
        self._open: list[int] = []  # committed and published, perhaps not all the way
        self._positions: dict[str, Any] = {}

    @property
    def _all(self) -> list[Sink]:
        return [*self._sinks, *([self._dead] if self._dead else [])]

    def resume(self) -> None:
        """Begin: publish what waits in the store, and read on behind what is answered."""
        marks = self.store.about.get("marks", {})
        for sink in self._all:
            sink.resume(marks.get(sink.name, ""))
        self.store.commit(marks={sink.name: sink.flush() for sink in self._all})
        for number, payload in self.store.waiting():
            self._publish(number, unpack(payload))
        self._positions = dict(self.store.about.get("positions", {}))
        self.settle()
        self.source.resume(self._positions)

    def turn(self) -> bool:
        """Answer the next alerts; says whether there may be more."""
        taken = self.source.take()
        if taken is None:
            return False
        if taken.n_packets:
            self._answer(taken)
        elif self._open:
            self.settle()
        return True

    def settle(self) -> None:
        """Wait until all is published, and note it."""
        marks = {sink.name: sink.flush() for sink in self._all}
        self.store.commit(done=self._open, marks=marks)
        self._open = []
        self.source.done(self._positions)

    def close(self) -> None:
        """End: what is under way is published, sources and sinks are closed."""
        marks = {sink.name: sink.flush(last=True) for sink in self._all}
        self.store.commit(done=self._open, marks=marks)
        self._open = []
        self.source.done(self._positions)
        self.source.close()
        for sink in self._all:
            sink.close()

    def _answer(self, taken: Taken) -> None:
        batch, dead = self._classify(taken)
        answers, place = batch.answers, batch.packet
        kept = np.ones(len(answers), dtype=bool) if self._keep is None else self._keep(answers)
        if not kept.all():
            answers, place = answers[kept], place[kept]
        shown = partial(_answered, taken.alerts, place)
        messages = [self._messages(taken, encoder(answers, shown), place, answers) for encoder in self._encoders]
        if self._dead is not None:
            messages.append([_dead_letter(taken, packet, reason) for packet, reason in dead])
        counts = Counter({
            "packets": taken.n_packets, "answered": len(answers), "dead": len(dead),
            "solar system": taken.alerts.solar_system.size, "filtered": int((~kept).sum()),
            "repeated": taken.alerts.repeated.size + batch.work.repeated,
        })  # fmt: skip
        if sum(counts[name] for name in COUNTS[1:]) != counts["packets"]:
            raise AssertionError(f"of {counts['packets']} packets {dict(counts)} are accounted for")
        self.counts.update(counts | {name: getattr(batch.work, name) for name in WORK})
        before, marks = self._open, {sink.name: sink.flush() for sink in self._all}
        done, self._number = dict(self._positions), self._number + 1
        self._positions.update(taken.positions)
        self.store.commit(
            batch.states.items(), {self._number: pack(messages)}, done=before, number=self._number,
            positions=self._positions, counts=dict(self.counts), marks=marks,
        )  # fmt: skip
        self._open = []
        self.latency.append(np.full(len(answers), time.time()) - taken.received[place])
        self._publish(self._number, messages)
        if before:
            self.source.done(done)

    def _messages(
        self, taken: Taken, values: Sequence[bytes], place: NDArray[np.int64], answers: Answers
    ) -> list[Message]:
        keys = [name.encode() for name in answers.object_id.tolist()]
        if len(values) != len(keys):  # one message of all
            keys, place = keys[: len(values)], place[: len(values)]
        return [
            Message(taken.origin(packet), key, value)
            for packet, key, value in zip(place.tolist(), keys, values, strict=True)
        ]

    def _publish(self, number: int, messages: Sequence[Sequence[Message]]) -> None:
        if len(messages) != len(self._all):
            raise ValueError(f"answers for {len(messages)} outputs wait in the store, there are {len(self._all)} now")
        for sink, some in zip(self._all, messages, strict=True):
            if some:
                sink.publish(some)
        self._open.append(number)

    def _classify(self, taken: Taken) -> tuple[Batch, list[tuple[int, str]]]:
        """Answer what can be answered; gives, too, which packets cannot, and why."""
        alerts = taken.alerts
        dead = [(broken.packet, f"{broken.reason}, at byte {broken.position}") for broken in alerts.broken]
        parts = self._halves(taken, alerts, {}, dead) or [self._ask(taken, alerts[[]], {})]
        return parts[0] if len(parts) == 1 else Batch.join(parts), sorted(dead)

    def _halves(
        self, taken: Taken, alerts: Alerts, states: Mapping[bytes, bytes], dead: list[tuple[int, str]]
    ) -> list[Batch]:
        """Answer alerts; where a value that nothing refused so far harms them all, half by half."""
        try:
            return [self._ask(taken, alerts, states)]
        except ValueError as error:
            if len(alerts) < 2:
                dead += [(packet, str(error)) for packet in alerts.packet.tolist()]
                return []
        middle = len(alerts) // 2
        parts = self._halves(taken, alerts[:middle], states, dead)
        return parts + self._halves(taken, alerts[middle:], parts[-1].states if parts else states, dead)

    def _ask(self, taken: Taken, alerts: Alerts, states: Mapping[bytes, bytes]) -> Batch:
        """Answer alerts: first those of which more is known from elsewhere, then the others."""
        received = taken.received[alerts.packet]
        if self._context is None:
            return self.engine.answer(alerts, received, states=states)
        columns, covered = self._context(alerts.context["ra"], alerts.context["decl"])
        parts: list[Batch] = []
        for which in (np.flatnonzero(covered), np.flatnonzero(~covered)):
            if which.size or not parts:
                more = {
                    name: values[which] for name, values in columns.items() if covered[which].any() or name == "mwebv"
                }
                parts.append(self.engine.answer(alerts[which], received[which], more, states))
                states = parts[-1].states
        batch = Batch.join(parts)
        order = np.argsort(batch.packet, kind="stable")
        return replace(batch, answers=batch.answers[order], packet=batch.packet[order])


def _answered(alerts: Alerts, packet: NDArray[np.int64]) -> Alerts:
    """Choose the alerts of some packets, in their order."""
    return alerts[np.searchsorted(alerts.packet, packet)]


def _dead_letter(taken: Taken, packet: int, reason: str) -> Message:
    origin, content = taken.origin(packet), taken.content(packet)
    letter = {
        "place": origin.place,
        "number": origin.number,
        "reason": reason,
        "bytes": len(content),
        "packet": base64.b64encode(content[:LONGEST_LETTER]).decode(),
    }
    return Message(origin, b"", json.dumps(letter, ensure_ascii=False).encode("utf-8", "replace"))
