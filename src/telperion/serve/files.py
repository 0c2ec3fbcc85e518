"""A folder of alert files as a source, one batch after the other; with the files that are added, if asked for."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from telperion.formats.alerts import Alerts, Broken, settle_alerts
from telperion.formats.avro import Node
from telperion.formats.avro_files import LARGEST
from telperion.formats.packets import read_files
from telperion.formats.rules import FormatError
from telperion.serve.taken import Origin, Taken

AT_ONCE = 2**26
"""Bytes of files that are decoded together, or one file."""

MANY = 2000
"""Files that are decoded together."""

_PATIENCE = 0.1


@dataclass(frozen=True, eq=False)
class _Places:
    """Where packets stand that were read together: their files, and the packets up to each file's end."""

    files: list[Path]
    ends: NDArray[np.int64]

    @property
    def n(self) -> int:
        """How many they are."""
        return int(self.ends[-1])

    def origin(self, start: int, packet: int) -> Origin:
        """Give the file of a packet, counted from some place on, and its number there."""
        which = int(np.searchsorted(self.ends, start + packet, side="right"))
        return Origin(self.files[which].name, start + packet - (int(self.ends[which - 1]) if which else 0))

    def content(self, start: int, packet: int) -> bytes:
        """Give the bytes of a packet that is a file; none of those that are part of one."""
        which = int(np.searchsorted(self.ends, start + packet, side="right"))
        if int(self.ends[which]) - (int(self.ends[which - 1]) if which else 0) != 1:
            return b""
        try:
            with open(self.files[which], "rb") as file:
                data = file.read(LARGEST + 1)
        except OSError:
            return b""
        return data if len(data) <= LARGEST else b""

    def reached(self, stop: int) -> str | list[Any]:
        """Give the position behind so many packets: the file that ends there, or a file and its packets so far."""
        if stop >= self.n:
            return self.files[-1].name
        name, number = self.origin(0, stop)
        return [name, number] if number else self.files[int(np.searchsorted(self.ends, stop))].name


class Files:
    """Files of alerts in the order of their names.

    Parameters
    ----------
    path : path
        A file, or a folder of ``.avro`` files or Parquet dumps.
    schemas : mapping of int to Node, optional
        As for `telperion.formats.packets.read_alerts`.
    follow : bool
        Whether to wait for further files, which have to come later in the order of names, and be whole once they are
        there (renamed to their name when they are written).
    most : int
        Alerts of a batch.

    Raises
    ------
    FileNotFoundError
        Nothing is there.
    ValueError
        Batches are to have no alert.
    """

    def __init__(
        self, path: str | Path, schemas: Mapping[int, Node] | None = None, *, follow: bool = False, most: int = 2000
    ) -> None:
        self.path, self.schemas, self.follow, self.most = Path(path), schemas, follow, most
        if most < 1:
            raise ValueError(f"{most} alerts a batch, expected 1 or more")
        if not self.path.exists():
            raise FileNotFoundError(f"{self.path}: no such file or folder")
        self._name, self._last, self._within = str(self.path.resolve()), "", 0
        self._batches: Iterator[list[Path]] = iter(())
        self._parts: Iterator[Taken] = iter(())

    def resume(self, positions: Mapping[str, Any]) -> None:
        """Begin after the last file that is answered, or after so many packets of one: its name, or both."""
        last = positions.get(self._name, "")
        self._last, self._within = (str(last), 0) if isinstance(last, str) else (str(last[0]), int(last[1]))

    def take(self) -> Taken | None:
        """Give the next alerts: of the next files, or what is left of them."""
        if (part := next(self._parts, None)) is not None:
            return part
        files = next(self._batches, None)
        if files is None:
            self._batches = self._find()
            files = next(self._batches, None)
        if files is None:
            if not self.follow:
                return None
            time.sleep(_PATIENCE)
            return Taken(settle_alerts([], []), 0, np.zeros(0), lambda _: Origin("", 0), lambda _: b"")
        try:
            alerts, ends = read_files(files, self.schemas)
        except ConnectionError:  # of a registry: the files may be sound
            raise
        except (FormatError, OSError) as error:
            if len(files) > 1:  # any of which may be gone, or a folder, or a table of something else
                self._batches = chain(([file] for file in files), self._batches)
                return self.take()
            alerts, ends = settle_alerts([], [Broken(0, str(error), 0)]), np.array([1])
        first = min(self._within, int(ends[0])) if files[0].name == self._last else 0
        self._last, self._within = files[-1].name, 0
        self._parts = self._cut(alerts, _Places(files, ends), first)
        return next(self._parts)

    def _cut(self, alerts: Alerts, places: _Places, first: int) -> Iterator[Taken]:
        """Give alerts in batches, from a packet on."""
        n, received = places.n, time.time()
        for start in range(first, n, self.most) if first < n else (first,):
            stop = min(start + self.most, n)
            part = alerts if stop - start == n else alerts.of_packets(start, stop)
            yield Taken(
                part, stop - start, np.full(stop - start, received), partial(places.origin, start),
                partial(places.content, start), {self._name: places.reached(stop)},
            )  # fmt: skip

    def done(self, positions: Mapping[str, Any]) -> None:
        """Nothing to do: the account knows the last file."""

    def close(self) -> None:
        """Nothing to do: no file stays open."""

    def _find(self) -> Iterator[list[Path]]:
        """Give the files that come next, as many as are decoded together."""
        if self.path.is_file():
            found = [self.path]
        else:
            found = sorted(self.path.glob("*.avro")) or sorted(self.path.glob("*.parquet"))
        batch: list[Path] = []
        size = 0
        for file in found:
            if file.name < self._last or (file.name == self._last and not self._within):
                continue
            here = file.stat().st_size if file.exists() else 0  # a link may lead nowhere
            if batch and (size + here > AT_ONCE or len(batch) == MANY or file.suffix == ".parquet"):
                yield batch
                batch, size = [], 0
            batch.append(file)
            size += here
        if batch:
            yield batch
