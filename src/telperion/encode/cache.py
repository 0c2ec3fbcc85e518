"""Tables of statistics kept on disk and found again by content: by what an object's rows and context say.

Folds, seeds and runs ask for the statistics of the same light curves again and again. Inside `kept`, those that were
computed before are read, the others computed and added. Any change of the code that computes them starts a new table.
"""

from __future__ import annotations

import hashlib
import os
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from rich.progress import Progress

from telperion.lightcurves import LightCurves

CHUNK = 500
"""Objects computed, and written, at a time."""

DIGEST = 16

Compute = Callable[[LightCurves], NDArray[np.float32]]


@dataclass(frozen=True)
class Store:
    """A folder of tables.

    Parameters
    ----------
    folder : Path
    progress : Progress, optional
        Shows objects done and time left.
    """

    folder: Path
    progress: Progress | None = None

    def through(
        self, light_curves: LightCurves, families: Sequence[str], width: int, compute: Compute
    ) -> NDArray[np.float32]:
        """Give the table of `compute`, from the store as far as it goes.

        Parameters
        ----------
        light_curves : LightCurves
        families : sequence of str
            What is computed.
        width : int
            Columns of the table.
        compute : callable
            Gives the table, shape ``(n_objects, width)``, of any light curves, each object's row its own affair.
        """
        place = self.folder / hashlib.blake2b(f"{code()} {families}".encode(), digest_size=DIGEST).hexdigest()
        names = digests(light_curves)
        result = np.empty((len(names), width), dtype=np.float32)
        row = {name: index for index, name in enumerate(names)}  # of equal objects the last one
        for part in sorted(place.glob("*.npz")):
            with np.load(part, allow_pickle=False) as stored:
                held = [name.tobytes() for name in stored["digest"]]
                known = [index for index, name in enumerate(held) if name in row]
                if known:
                    result[[row.pop(held[index]) for index in known]] = stored["table"][known]
        missing = np.array(sorted(row.values()), dtype=np.int64)
        task = self.progress.add_task("statistics", total=len(missing)) if self.progress and len(missing) else None
        for start in range(0, len(missing), CHUNK):
            members = missing[start : start + CHUNK]
            result[members] = compute(light_curves[members])
            _write(place, [names[member] for member in members], result[members])
            if self.progress and task is not None:
                self.progress.advance(task, len(members))
        last = {name: index for index, name in enumerate(names)}
        return result[[last[name] for name in names]]


_STORE: ContextVar[Store | None] = ContextVar("statistics", default=None)


def store() -> Store | None:
    """Give the store in use, if any."""
    return _STORE.get()


@contextmanager
def kept(folder: str | Path | None = None, progress: Progress | None = None) -> Iterator[None]:
    """Keep statistics in a folder while this lasts; by default in the user's cache."""
    token = _STORE.set(Store(Path(folder) if folder else default_folder(), progress))
    try:
        yield
    finally:
        _STORE.reset(token)


def default_folder() -> Path:
    """Give ``telperion/statistics`` in the user's cache folder (``XDG_CACHE_HOME``, else ``~/.cache``)."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "telperion" / "statistics"


def digests(light_curves: LightCurves) -> list[bytes]:
    """Give a hash of each object's rows and context; names and labels do not count."""
    columns: list[NDArray] = [
        light_curves.time,
        light_curves.band,
        light_curves.flux,
        light_curves.flux_err,
        light_curves.detected,
    ]
    context = [np.asarray(light_curves.context[name], dtype=np.float64) for name in sorted(light_curves.context)]
    known = np.stack(context, axis=1) if context else np.empty((len(light_curves), 0))
    head = repr((light_curves.dereddened, sorted(light_curves.context))).encode()
    found = []
    for k, (start, stop) in enumerate(zip(light_curves.offsets[:-1], light_curves.offsets[1:], strict=True)):
        digest = hashlib.blake2b(head, digest_size=DIGEST)
        for column in columns:
            digest.update(column[start:stop].tobytes())
        digest.update(known[k].tobytes())
        found.append(digest.digest())
    return found


@cache
def code() -> str:
    """Give a hash of all code that encodes light curves."""
    here = Path(__file__).parent
    sources = sorted([*here.glob("*.py"), here.parent / "bands.py", here.parent / "cosmology.py"])
    return hashlib.blake2b(b"".join(path.read_bytes() for path in sources), digest_size=DIGEST).hexdigest()


def _write(place: Path, names: list[bytes], table: NDArray[np.float32]) -> None:
    """Write a part under a name of its own, with one move at the end."""
    place.mkdir(parents=True, exist_ok=True)
    name = hashlib.blake2b(b"".join(names), digest_size=DIGEST).hexdigest()
    unfinished = place / f"{name}.{uuid.uuid4().hex}.part"
    with unfinished.open("wb") as file:
        digest = np.frombuffer(b"".join(names), dtype=np.uint8).reshape(-1, DIGEST)
        np.savez(file, digest=digest, table=table)
    unfinished.rename(place / f"{name}.npz")
