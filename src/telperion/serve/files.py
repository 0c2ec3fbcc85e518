"""A folder of alert files as a source, one batch after the other; with the files that are added, if asked for."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np

from telperion.formats.alerts import Broken, settle_alerts
from telperion.formats.avro import Node
from telperion.formats.packets import read_files
from telperion.formats.rules import FormatError
from telperion.serve.taken import Origin, Taken

AT_ONCE = 2**26
"""Bytes of files that are decoded together, or one file."""

MANY = 2000
"""Files that are decoded together."""

_PATIENCE = 0.1


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

    Raises
    ------
    FileNotFoundError
        Nothing is there.
    """

    def __init__(self, path: str | Path, schemas: Mapping[int, Node] | None = None, *, follow: bool = False) -> None:
        self.path, self.schemas, self.follow = Path(path), schemas, follow
        if not self.path.exists():
            raise FileNotFoundError(f"{self.path}: no such file or folder")
        self._name, self._last = str(self.path.resolve()), ""
        self._batches: Iterator[list[Path]] = iter(())

    def resume(self, positions: Mapping[str, Any]) -> None:
        """Begin after the last file that is answered."""
        self._last = str(positions.get(self._name, ""))

    def take(self) -> Taken | None:
        """Give the alerts of the next files."""
        files = next(self._batches, None)
        if files is None:
            self._batches = self._find()
            files = next(self._batches, None)
        if files is None:
            if not self.follow:
                return None
            time.sleep(_PATIENCE)
            files = []
        received = time.time()
        try:
            alerts, ends = read_files(files, self.schemas)
        except ConnectionError:  # of a registry: the files may be sound
            raise
        except (FormatError, OSError) as error:
            if len(files) > 1:  # any of which may be gone, or a folder, or a table of something else
                self._batches = chain(([file] for file in files), self._batches)
                return self.take()
            alerts, ends = settle_alerts([], [Broken(0, str(error), 0)]), np.array([1])
        self._last = files[-1].name if files else self._last
        n = int(ends[-1]) if files else 0

        def origin(packet: int) -> Origin:
            which = int(np.searchsorted(ends, packet, side="right"))
            return Origin(files[which].name, packet - (int(ends[which - 1]) if which else 0))

        return Taken(alerts, n, np.full(n, received), origin, lambda _: b"", {self._name: self._last} if files else {})

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
            if file.name <= self._last:
                continue
            here = file.stat().st_size if file.exists() else 0  # a link may lead nowhere
            if batch and (size + here > AT_ONCE or len(batch) == MANY or file.suffix == ".parquet"):
                yield batch
                batch, size = [], 0
            batch.append(file)
            size += here
        if batch:
            yield batch
