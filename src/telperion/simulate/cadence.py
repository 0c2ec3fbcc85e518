"""When, in which band and how deep places on the sky are visited: the first three years of the Rubin baseline (v3.0).

A table of places ships with the package: places of the main survey, drawn evenly over its area, with every visit; and
places in the deep fields, where the visits of a night in one band are taken together, as deep as their sum.
"""

from __future__ import annotations

import sqlite3
import zipfile
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from functools import cache, cached_property
from importlib.resources import as_file, files
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
from numpy.typing import ArrayLike, NDArray

from telperion.bands import BANDS, band_index

FIELD_RADIUS = 1.75
"""Degrees from the centre of a pointing to its edge."""

DEEP = np.array([[9.45, -44.03], [35.57, -4.82], [52.98, -28.12], [150.11, 2.23], [58.90, -49.32], [63.60, -47.60]])
"""Centres of the deep fields (ELAIS-S1, XMM-LSS, ECDFS, COSMOS, EDFS a and b): right ascension and declination, deg."""

DEEP_RADIUS = 1.2
MAIN_VISITS = (200, 500)
"""Visits in three years of a place of the main survey."""

SHIPPED = "cadence.npz"
MAX_BYTES = 64_000_000
_DAY = 1e5  # steps of the stored times
_STEP = 0.002  # mag, of the stored depths


@dataclass(frozen=True, eq=False)
class Cadence:
    """Visits to places on the sky.

    Parameters
    ----------
    ra, decl : array, shape ``(n_places,)``, degrees
    deep : array of bool, shape ``(n_places,)``
        Whether a place is in a deep field, its visits taken together night by night.
    offsets : array of int, shape ``(n_places + 1,)``
        Place ``i`` owns visits ``offsets[i]:offsets[i + 1]``, sorted by time.
    time : array, shape ``(n_visits,)``, MJD
    band : array of int, shape ``(n_visits,)``
    depth : array, shape ``(n_visits,)``, AB mag
        Of a point source at five sigma.

    Raises
    ------
    ValueError
        Shapes disagree, a value is not finite, or a place's visits are not sorted by time.
    """

    ra: NDArray[np.float64]
    decl: NDArray[np.float64]
    deep: NDArray[np.bool_]
    offsets: NDArray[np.int64]
    time: NDArray[np.float64]
    band: NDArray[np.int8]
    depth: NDArray[np.float64]

    def __post_init__(self) -> None:
        n, visits = len(self.ra), len(self.time)
        if self.decl.shape != (n,) or self.deep.shape != (n,) or self.offsets.shape != (n + 1,):
            raise ValueError(f"a cadence of {n} places has other numbers of declinations, kinds or offsets")
        if self.band.shape != (visits,) or self.depth.shape != (visits,) or self.offsets[-1] != visits:
            raise ValueError(f"a cadence of {visits} visits has other numbers of bands or depths")
        if n == 0 or not (np.isfinite(self.time).all() and np.isfinite(self.depth).all()):
            raise ValueError("a cadence has no places, or visits without a time or depth")
        backwards = np.diff(self.time) < 0
        backwards[self.offsets[1:-1] - 1] = False
        if backwards.any() or (np.diff(self.offsets) < 1).any():
            raise ValueError("a place's visits must be sorted by time, and every place needs one")

    def __len__(self) -> int:
        return len(self.ra)

    @property
    def span(self) -> tuple[float, float]:
        """First and last visit, MJD."""
        return float(self.time.min()), float(self.time.max())

    @cached_property
    def deepest(self) -> NDArray[np.float64]:
        """Five-sigma depth of the deepest visit in each band, minus infinity without any, shape ``(n_places, 6)``."""
        found = np.full((len(self), len(BANDS)), -np.inf)
        np.maximum.at(found, (np.repeat(np.arange(len(self)), np.diff(self.offsets)), self.band), self.depth)
        return found

    def save(self, path: str | Path) -> None:
        """Write it as plain arrays: times to a second, depths to 2 mmag."""
        steps = np.diff(np.round(self.time * _DAY).astype(np.int64), prepend=0)
        steps[self.offsets[:-1]] = np.round(self.time[self.offsets[:-1]] * _DAY)
        np.savez_compressed(
            path, allow_pickle=False, ra=self.ra.astype(np.float32), decl=self.decl.astype(np.float32),
            deep=self.deep, count=np.diff(self.offsets).astype(np.int32), first=steps[self.offsets[:-1]],
            step=np.delete(steps, self.offsets[:-1]).astype(np.uint32), band=self.band.astype(np.int8),
            depth=np.round(self.depth / _STEP).astype(np.uint16),
        )  # fmt: skip

    @classmethod
    def load(cls, path: str | Path) -> Cadence:
        """Read back what `save` wrote.

        Raises
        ------
        ValueError
            The file is missing, too large or not a cadence.
        """
        path = Path(path)
        if not path.is_file() or path.stat().st_size > MAX_BYTES:
            raise ValueError(f"{path} is missing or larger than {MAX_BYTES} bytes")
        try:
            with np.load(path, allow_pickle=False) as stored:
                kept = {name: stored[name] for name in stored.files}
        except (OSError, EOFError, MemoryError, zipfile.BadZipFile, ValueError) as error:
            raise ValueError(f"{path} is no cadence: {error}") from error
        if missing := {"ra", "decl", "deep", "count", "first", "step", "band", "depth"} - set(kept):
            raise ValueError(f"{path} is no cadence: it lacks {sorted(missing)[0]!r}")
        offsets = np.concatenate([[0], np.cumsum(kept["count"], dtype=np.int64)])
        steps = np.zeros(offsets[-1], dtype=np.int64)
        later = np.ones(offsets[-1], dtype=bool)
        later[offsets[:-1]] = False
        steps[later], steps[offsets[:-1]] = kept["step"], kept["first"]
        total = np.cumsum(steps)
        total -= np.repeat(total[offsets[:-1]] - kept["first"], kept["count"])
        return cls(
            kept["ra"].astype(float), kept["decl"].astype(float), kept["deep"], offsets, total / _DAY, kept["band"],
            kept["depth"] * _STEP,
        )  # fmt: skip

    @classmethod
    def from_opsim(cls, path: str | Path, *, n_main: int = 1000, n_deep: int = 100, seed: int = 0) -> Cadence:
        """Draw places of a survey's list of pointings.

        Parameters
        ----------
        path : path
            A database of Rubin's scheduler (SQLite), or a Parquet file with ra, dec, mjd, band and five_sigma_depth.
        n_main, n_deep : int
            Places of the main survey, drawn evenly over the sky where it goes, and in the deep fields.
        seed : int

        Raises
        ------
        ValueError
            The file is neither, or no place has as many visits as the main survey gives.
        """
        ra, dec, time, band, depth = _pointings(Path(path))
        order = np.argsort(time, kind="stable")
        pointing = _Pointings(_direction(ra, dec)[order], time[order], band[order], depth[order])
        rng = np.random.default_rng(seed)
        main = _places(rng, pointing, n_main)
        deep = [(place, _coadd(*pointing.near(*place))) for place in _deep_places(rng, pointing, n_deep)]
        where = np.array([place for place, _ in [*main, *deep]]).reshape(-1, 2)
        visits = [visit for _, visit in [*main, *deep]]
        offsets = np.concatenate([[0], np.cumsum([len(visit[0]) for visit in visits])])
        columns = [np.concatenate(column) for column in zip(*visits, strict=True)]
        return cls(
            where[:, 0], where[:, 1], np.arange(len(where)) >= len(main), offsets, columns[0],
            columns[1].astype(np.int8), columns[2],
        )  # fmt: skip


@cache
def shipped_cadence() -> Cadence:
    """Give the cadence that ships with the package."""
    with as_file(files("telperion.simulate") / SHIPPED) as path:
        return Cadence.load(path)


Visits = tuple[NDArray[np.float64], NDArray[np.int64], NDArray[np.float64]]


@dataclass(frozen=True, eq=False)
class _Pointings:
    direction: NDArray[np.float32]
    time: NDArray[np.float64]
    band: NDArray[np.int64]
    depth: NDArray[np.float64]

    def near(self, ra: float, dec: float) -> Visits:
        """Give time, band and depth of the visits that see a place."""
        seen = np.flatnonzero(self.direction @ _direction(ra, dec) > np.cos(np.radians(FIELD_RADIUS)))
        return self.time[seen], self.band[seen], self.depth[seen]


def _direction(ra: ArrayLike, dec: ArrayLike) -> NDArray[np.float32]:
    east, north = np.radians(ra), np.radians(dec)
    parts = [np.cos(north) * np.cos(east), np.cos(north) * np.sin(east), np.sin(north)]
    return np.stack(parts, axis=-1).astype(np.float32)


def _pointings(path: Path) -> Sequence[NDArray]:
    if not path.is_file():
        raise ValueError(f"there is no list of pointings {path}")
    with path.open("rb") as file:
        head = file.read(16)
    if head.startswith(b"SQLite"):
        with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as database:
            columns = {row[1] for row in database.execute("PRAGMA table_info(observations)")}
            name = "band" if "band" in columns else "filter"
            needed = ("fieldRA", "fieldDec", "observationStartMJD", name, "fiveSigmaDepth")
            if missing := set(needed) - columns:
                raise ValueError(f"{path} has no observations with a column {sorted(missing)[0]!r}")
            rows = database.execute(f"SELECT {', '.join(needed)} FROM observations").fetchall()
        columns_read = [np.array(column) for column in zip(*rows, strict=True)]
    elif head.startswith(b"PAR1"):
        table = pq.read_table(path)
        names = ("ra", "dec", "mjd", "band", "five_sigma_depth")
        if missing := set(names) - set(table.column_names):
            raise ValueError(f"{path} has no column {sorted(missing)[0]!r}")
        columns_read = [np.asarray(table[name].to_numpy()) for name in names]
    else:
        raise ValueError(f"{path} is neither an SQLite database nor a Parquet file")
    ra, dec, time, band, depth = columns_read
    numbers = [np.asarray(column, dtype=np.float64) for column in (ra, dec, time, depth)]
    good = np.isfinite(numbers).all(axis=0)
    ra, dec, time, depth = (column[good] for column in numbers)
    return ra, dec, time, band_index(band.astype(str)[good]).astype(np.int64), depth


def _places(rng: np.random.Generator, pointing: _Pointings, number: int) -> list[tuple[tuple[float, float], Visits]]:
    """Draw places evenly over the sphere until enough have as many visits as the main survey gives."""
    found: list[tuple[tuple[float, float], Visits]] = []
    tried = 0
    while len(found) < number:
        if tried > 100 * number + 1000:
            raise ValueError(
                f"only {len(found)} of {tried} places have between {MAIN_VISITS[0]} and {MAIN_VISITS[1]} visits"
            )
        place = (float(rng.uniform(0, 360)), float(np.degrees(np.arcsin(rng.uniform(-1, 0.6)))))
        visits = pointing.near(*place)
        if MAIN_VISITS[0] <= len(visits[0]) <= MAIN_VISITS[1]:
            found.append((place, visits))
        tried += 1
    return found


def _deep_places(rng: np.random.Generator, pointing: _Pointings, number: int) -> list[tuple[float, float]]:
    """Draw places near the centres of those deep fields that the list visits."""
    visited = [centre for centre in DEEP if len(pointing.near(*centre)[0]) > 2 * MAIN_VISITS[1]]
    places = []
    for place in range(number if visited else 0):
        ra, dec = visited[place % len(visited)]
        away, angle = DEEP_RADIUS * np.sqrt(rng.uniform()), rng.uniform(0, 2 * np.pi)
        north = dec + away * np.sin(angle)
        places.append((float(ra + away * np.cos(angle) / np.cos(np.radians(north))) % 360, float(north)))
    return places


def _coadd(time: NDArray, band: NDArray, depth: NDArray) -> Visits:
    """Take the visits of a night in one band together: mean time, and the depth of their summed weights."""
    night = np.floor(time - 0.5).astype(np.int64)  # noon in Greenwich is before a night in Chile
    _, group = np.unique(night * 6 + band, return_inverse=True)
    count = np.bincount(group)
    weight = np.bincount(group, 10 ** (0.8 * (depth - 24)))
    when = np.round(np.bincount(group, time) / count * _DAY) / _DAY
    which = np.round(np.bincount(group, band) / count).astype(np.int64)
    order = np.lexsort((which, when))
    return when[order], which[order], (24 + 1.25 * np.log10(weight))[order]
