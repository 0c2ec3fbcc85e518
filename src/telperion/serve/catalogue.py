"""`Catalogue`: what is known of objects by their position alone: host, redshift, dust."""

from __future__ import annotations

import warnings
from collections import Counter, OrderedDict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
from numpy.typing import ArrayLike, NDArray

from telperion.formats.rules import FormatError, naming
from telperion.lightcurves import RepairWarning
from telperion.serve.catalogue_columns import Layout, read_rows, understand
from telperion.serve.hats import Hats, open_hats, parquet_files, recognises
from telperion.serve.nearest import Positions, check_radius

RADIUS = 1.5
"""How far apart the same object may be in two surveys, arcsec; hosts that are large need more."""

MEMORY = 512 * 2**20
_SEPARATION = "hostgal_snsep"


@dataclass(frozen=True, eq=False)
class Match:
    """What a catalogue tells of places; shape ``(n,)`` each.

    Parameters
    ----------
    columns : dict of str to array
        Context of the nearest row within the radius, NaN where there is none or it does not say.
    separation : array, arcsec
        From that row; NaN where there is none.
    covered : array of bool
        Whether the catalogue has anything thereabouts. Where it has not, nobody looked, which is another thing than to
        look and find no host: classifiers that know the difference should not be shown these columns there.
    """

    columns: dict[str, NDArray[np.float64]]
    separation: NDArray[np.float64]
    covered: NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class _Part:
    """Rows of the catalogue that are in memory."""

    positions: Positions
    context: dict[str, NDArray[np.floating]]

    @property
    def nbytes(self) -> int:
        return self.positions.nbytes + sum(values.nbytes for values in self.context.values())


class Catalogue:
    """A catalogue of objects with their positions, in which alerts are looked up. Use `Catalogue.open`.

    One thread at a time may ask it.

    Parameters
    ----------
    path : Path
    radius : float, arcsec
    layout : Layout
        What its columns mean.
    hats : Hats or None
        Its parts, read when they are needed; None where the whole catalogue is one part.
    memory : int, bytes
        What may be kept of them.

    Examples
    --------
    >>> import pyarrow as pa, tempfile
    >>> galaxies = {"ra": [10.0, 50.0], "dec": [0.0, -9.0], "hostgal_photoz": [0.3, 0.7], "name": ["a", "b"]}
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     pq.write_table(pa.table(galaxies), f"{folder}/galaxies.parquet")
    ...     match = Catalogue.open(folder, radius=1.5).match([10.0001, 11.0], [0.0, 0.0])
    >>> match.columns["hostgal_photoz"], match.columns["hostgal_snsep"].round(2), match.covered
    (array([0.3, nan]), array([0.36,  nan]), array([ True, False]))
    """

    def __init__(self, path: Path, radius: float, layout: Layout, hats: Hats | None, memory: int) -> None:
        self.path, self.radius, self.memory = path, radius, memory
        self.mended: Counter[str] = Counter()
        self._layout, self._hats = layout, hats
        self._kept: OrderedDict[int, _Part] = OrderedDict()
        self._seen: set[int] = set()

    @classmethod
    def open(
        cls, path: str | Path, radius: float = RADIUS, *, names: Mapping[str, str] | None = None, memory: int = MEMORY
    ) -> Catalogue:
        """Open a Parquet file, a folder of such files, or a HATS catalogue or collection.

        It needs columns ``ra``, ``dec`` or ``decl`` (degrees, ICRS), and one or more that are called as Telperion calls
        context: ``hostgal_photoz``, ``hostgal_photoz_err``, ``hostgal_specz``, ``hostgal_mag_g``,
        ``hostgal_ellipticity``, ``hostgal_logmass``, ``mwebv``, ``redshift`` and so on, in its units (AB magnitudes,
        E(B-V) on the scale of Schlegel et al. 1998). Other columns are not read. Where it tells of hosts and has no
        ``hostgal_snsep``, that is the separation of the match.

        A file or folder is held in memory whole; of a HATS catalogue only parts in which there are alerts are read, and
        kept as long as they fit.

        Parameters
        ----------
        path : str or Path
        radius : float, arcsec
            How far the nearest row may be.
        names : mapping of str to str, optional
            What columns of other names mean, as ``{"photoz": "hostgal_photoz"}``.
        memory : int, bytes
            What may be kept of a HATS catalogue; one part, at least, is.

        Raises
        ------
        FileNotFoundError
            Nothing is there.
        FormatError
            It has no position or no known context, is damaged, or has two columns for the same.
        ValueError
            The radius is not above 0 and at most 3600.

        Warns
        -----
        RepairWarning
            Values cannot be (and are unknown now), rows have no position (and are left out), or a column holds no
            numbers (and is not used). Of a HATS catalogue this is said when its part is read, once a column.
        """
        path = Path(path)
        if not path.exists():
            raise FileNotFoundError(f"{path}: no such file or folder")
        hats = open_hats(path) if path.is_dir() and recognises(path) else None
        files = hats.files(0) if hats else parquet_files(path) if path.is_dir() else [path]
        schemas = []
        for file in files:
            with naming(file):
                schemas.append(pq.read_schema(file))
        layout = understand(path, schemas, names or {}, hats.hints if hats else {})
        catalogue = cls(path, check_radius(radius), layout, hats, memory)
        if hats is None and not catalogue._part(0).positions.ra.size:
            raise FormatError(f"{path}: the catalogue has no rows with a position")
        return catalogue

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the context that a match gives."""
        names = tuple(self._layout.context)
        host = any(name.startswith(("hostgal_", "redshift")) for name in names)
        return (*names, _SEPARATION) if host and _SEPARATION not in names else names

    def match(self, ra: ArrayLike, decl: ArrayLike) -> Match:
        """Find the nearest row to each place.

        Parameters
        ----------
        ra, decl : array, shape ``(n,)``, degrees
            NaN where unknown: nothing is near, nothing covers it.

        Raises
        ------
        FormatError
            A part that is needed now cannot be read.
        ValueError
            A declination is outside -90 to 90, or the shapes differ.
        """
        ra, decl = np.asarray(ra, dtype=np.float64), np.asarray(decl, dtype=np.float64)
        if ra.ndim != 1 or ra.shape != decl.shape:
            raise ValueError(f"ra and decl have shapes {ra.shape} and {decl.shape}, expected (n,) both")
        if (wrong := np.flatnonzero(np.abs(decl) > 90)).size:
            raise ValueError(f"decl is outside -90 to 90 for {wrong.size} places, first {decl[wrong[0]]:g}")
        columns = {name: np.full(ra.size, np.nan) for name in self.names}
        separation, covered = np.full(ra.size, np.inf), np.zeros(ra.size, dtype=bool)
        for number, place, inside in self._parts_near(ra, decl):
            part = self._part(number)
            row, apart = part.positions.nearest(ra[place], decl[place])
            nearer = apart < separation[place]
            row, place_of, apart = row[nearer], place[nearer], apart[nearer]
            separation[place_of] = apart
            for name, values in part.context.items():
                columns[name][place_of] = values[row]
            covered[inside] = part.positions.covers(ra[inside], decl[inside])
        separation[np.isinf(separation)] = np.nan
        if _SEPARATION not in self._layout.context and _SEPARATION in columns:
            columns[_SEPARATION] = separation.copy()
        return Match(columns, separation, covered)

    def _parts_near(
        self, ra: NDArray[np.float64], decl: NDArray[np.float64]
    ) -> Iterator[tuple[int, NDArray[np.int64], NDArray[np.int64]]]:
        """Give the parts that may have a row near places, those places, and which of them lie in the part itself."""
        known = np.flatnonzero(np.isfinite(ra) & np.isfinite(decl))
        if self._hats is None:
            yield 0, known, known
            return
        home = self._hats.pixels.holding(ra[known], decl[known])
        place, part = self._hats.pixels.within(ra[known], decl[known], self.radius)
        numbers, first = np.unique(part, return_index=True)
        runs = dict(zip(numbers.tolist(), np.split(place, first[1:]), strict=True)) if numbers.size else {}
        for number in sorted(runs, key=lambda number: number not in self._kept):  # what is there goes before it is lost
            near = runs[number]
            yield number, known[near], known[near[home[near] == number]]

    def _part(self, number: int) -> _Part:
        """Give a part, read if it is not kept; those that were not asked for longest make room."""
        if number not in self._kept:
            rows = read_rows(self._hats.files(number) if self._hats else self._flat_files(), self._layout)
            if number not in self._seen:
                self._seen.add(number)
                self._warn(rows.mended)
            self._kept[number] = _Part(Positions(rows.ra, rows.decl, self.radius), rows.context)
            while len(self._kept) > 1 and sum(part.nbytes for part in self._kept.values()) > self.memory:
                self._kept.popitem(last=False)
        self._kept.move_to_end(number)
        return self._kept[number]

    def _flat_files(self) -> list[Path]:
        return parquet_files(self.path) if self.path.is_dir() else [self.path]

    def _warn(self, mended: Counter[str]) -> None:
        """Say of which columns values cannot be, once a column, and go on counting."""
        new = {name: count for name, count in mended.items() if name not in self.mended}
        self.mended += mended
        if rows := new.pop("position", 0):
            warnings.warn(f"{self.path}: {rows} rows have no position and are left out", RepairWarning, stacklevel=4)
        if new:
            counts = ", ".join(f"{count} of {name}" for name, count in new.items())
            message = f"values that cannot be are unknown now: {counts}"
            warnings.warn(f"{self.path}: {message}", RepairWarning, stacklevel=4)
