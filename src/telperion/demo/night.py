"""A simulated night made, written as packets, spoilt a little, and classified by the stream visit by visit."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from telperion.formats.avro import Node, schema_id
from telperion.formats.packets import decode_alert, read_alerts
from telperion.lightcurves import LightCurves
from telperion.serve.monitor import Status
from telperion.serve.run import run_worker
from telperion.serve.stream import Stream
from telperion.simulate.cadence import shipped_cadence
from telperion.simulate.kinds import KINDS, counts, mix
from telperion.simulate.night import Night
from telperion.simulate.save_night import save_night
from telperion.simulate.survey import numbered

VISITS, NIGHTS = 20, 2
FIRST_SHARE = 0.35
"""Share of the objects that are first seen in these nights."""

LARGEST = 2**30
"""Bytes that the store may grow to."""

_HEADER = 5
_UNKNOWN = 7_777_777


@dataclass(frozen=True)
class Folders:
    """Where the demonstration keeps what it makes.

    Parameters
    ----------
    top : path
        Holds nothing so far.
    """

    top: Path

    @property
    def night(self) -> Path:
        """What telperion simulate writes of a night; of its packets those that have not come in yet."""
        return self.top / "night"

    @property
    def alerts(self) -> Path:
        """Packets that have come in."""
        return self.top / "alerts"

    @property
    def state(self) -> Path:
        """The stream's store."""
        return self.top / "state"

    @property
    def answers(self) -> Path:
        """Parquet files, a row an answer."""
        return self.top / "answers"

    @property
    def sky(self) -> Path:
        """What the portal shows."""
        return self.top / "sky"

    @property
    def dead(self) -> Path:
        """Packets that could not be read, a line of JSON each."""
        return self.top / "dead.jsonl"

    def claim(self) -> None:
        """Make the folders.

        Raises
        ------
        ValueError
            Something is there already.
        """
        if self.top.is_dir() and any(self.top.iterdir()):
            raise ValueError(f"{self.top} is not empty: the demonstration wants a folder of its own")
        self.alerts.mkdir(parents=True)


def simulate(n: int, seed: int, seen: Callable[[str], None]) -> LightCurves:
    """Simulate light curves, as many of each class as of any other.

    Parameters
    ----------
    n : int
    seed : int
    seen : callable
        Is told each class when it is done.

    Raises
    ------
    ValueError
        There is not one of each class.
    """
    wanted = counts(n, mix("even"))
    if not all(count > 0 for count in wanted.values()):
        raise ValueError(f"{n} light curves are fewer than one of each of {len(wanted)} classes")
    parts = {number: {label: count} for number, (label, count) in enumerate(wanted.items())}
    pieces = []
    for label, piece in zip(wanted, numbered(parts, KINDS, shipped_cadence(), seed=seed), strict=True):
        pieces.append(piece)
        seen(label)
    return LightCurves.concatenate(pieces)


def spoilt(packet: bytes) -> dict[str, bytes]:
    """Give packets that nobody should send, made of a good one in Confluent's wire format, by what is wrong with them.

    The last of them is the good one itself: wrong only because it came before.
    """
    middle = len(packet) // 2
    return {
        "cut-short": packet[:middle],
        "overwritten": packet[: _HEADER + 12] + b"\xff" * 40 + packet[_HEADER + 52 :],
        "unknown-schema": b"\0" + _UNKNOWN.to_bytes(4, "big") + packet[_HEADER:],
        "no-packet": b"SIMPLE  =                    T / this is FITS",
        "come-twice": packet,
    }


class Arrivals:
    """Lays the visits of a night before a stream, the next one each time that it asks whether to stop.

    Parameters
    ----------
    folders : Folders
        With a night in it.
    hostile : mapping of str to bytes
        Packets that come in between, each a file of its own, named after the visit with which it comes.
    """

    def __init__(self, folders: Folders, hostile: Mapping[str, bytes]) -> None:
        self._folders = folders
        self.files = sorted(folders.night.glob("visit-*.avro"))
        self.came = 0
        self._hostile: dict[int, list[tuple[str, bytes]]] = {}
        for k, item in enumerate(hostile.items()):
            self._hostile.setdefault(min(k + 1, len(self.files) - 1), []).append(item)

    def __call__(self) -> bool:
        """Lay out the next visit; says whether there is none."""
        if self.came == len(self.files):
            return True
        file = self.files[self.came]
        for name, data in self._hostile.get(self.came, []):
            (self._folders.alerts / f"{file.stem}_{name}.avro").write_bytes(data)  # the name is behind the visit's
        file.rename(self._folders.alerts / file.name)
        self.came += 1
        return False


def make_night(folders: Folders, light_curves: LightCurves, seed: int) -> Night:
    """Write the packets of two nights."""
    night = Night(light_curves, visits=VISITS, nights=NIGHTS, first_share=FIRST_SHARE, seed=seed)
    save_night(folders.night, night)
    return night


def first_packet(night: Night) -> bytes:
    """Give the first packet of a night."""
    return night.visit(int(night.sizes.argmax())).messages[0]


def compile_decoder(night: Night, packet: bytes) -> float:
    """Decode a packet, for which the decoder is compiled if it never was; gives the seconds it took."""
    started = time.perf_counter()
    decode_alert(packet, _schemas(night))
    return time.perf_counter() - started


def _schemas(night: Night) -> dict[int, Node]:
    schema = night.packing.schema
    return {schema_id(schema) or 0: schema}


def classify(
    folders: Folders, arrivals: Callable[[], bool], model: str, show: Callable[[Status], None] | None = None, *,
    sky: bool = False,
) -> Status:  # fmt: skip
    """Run the stream over what arrives until all has come, into a sky too where it is wanted; gives its account."""
    outputs = (str(folders.answers), *([f"sky+{folders.sky}"] if sky else []))
    stream = Stream(
        str(folders.alerts), outputs, folders.state, model=model, dead=str(folders.dead), follow=True,
        largest=LARGEST,
    )  # fmt: skip
    return run_worker(stream, stop=arrivals, show=show)


def packet_curves(folders: Folders, night: Night, alert_id: NDArray[np.int64]) -> LightCurves:
    """Read what the packets of some alerts show, in their order."""
    alerts = read_alerts(folders.alerts, _schemas(night))
    order = np.argsort(alerts.alert_id)
    return alerts[order[np.searchsorted(alerts.alert_id, alert_id, sorter=order)]].as_observed()


def dead_letters(folders: Folders) -> list[dict[str, Any]]:
    """Read what is said of packets that could not be read."""
    return [json.loads(line) for line in folders.dead.read_text(encoding="utf-8").splitlines()]
