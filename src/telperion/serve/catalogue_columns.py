"""Which columns of a catalogue's Parquet files are positions and context, and what they hold that can be."""

from __future__ import annotations

import difflib
import warnings
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from telperion.formats.alert_fields import within, without_codes
from telperion.formats.alert_surveys import CONTEXT
from telperion.formats.rules import naming
from telperion.lightcurves import RepairWarning

_POSITION = ("ra", "decl")
KNOWN = (*(name for name in CONTEXT if name not in _POSITION), "hostgal_logmass")
"""The context that is taken from a catalogue: that of alerts, and the mass of a host, which no alert tells."""

_MEANING = {name: name for name in (*_POSITION, *KNOWN)} | {"dec": "decl"}
_LOOKED_FOR = "ra, dec or decl (degrees), and any of hostgal_photoz, hostgal_specz, hostgal_mag_g, mwebv, redshift, ..."


@dataclass(frozen=True)
class Layout:
    """What the columns of a catalogue mean.

    Parameters
    ----------
    position : tuple of str
        The columns of right ascension and declination.
    context : mapping of str to str
        The column of each context.
    """

    position: tuple[str, str]
    context: Mapping[str, str]


@dataclass(frozen=True, eq=False)
class Rows:
    """Rows of a catalogue, those without a position left out.

    Parameters
    ----------
    ra, decl : array, shape ``(n_rows,)``, degrees
    context : dict of str to array, shape ``(n_rows,)``
        float32 or float64 as in the files, NaN where unknown.
    mended : Counter of str
        Values of each context that cannot be and are NaN now; ``position``: rows left out.
    """

    ra: NDArray[np.float64]
    decl: NDArray[np.float64]
    context: dict[str, NDArray[np.floating]]
    mended: Counter[str]


def understand(
    path: Path, schemas: Sequence[pa.Schema], names: Mapping[str, str], hints: Mapping[str, str] | None = None
) -> Layout:
    """Tell what the columns of a catalogue's files mean; capitals do not matter.

    Parameters
    ----------
    path : Path
        For messages.
    schemas : sequence of pyarrow.Schema
        Of all files, or of one that stands for all.
    names : mapping of str to str
        What columns of other names mean; goes before all else.
    hints : mapping of str to str, optional
        The same, said by the catalogue itself; goes before the columns' own names.

    Raises
    ------
    FormatError
        There is no position, no known context, two columns for the same; or `names` speaks of what is not there.

    Warns
    -----
    RepairWarning
        A column that would be context holds no numbers in any file.
    """
    types: dict[str, pa.DataType] = {}
    for schema in schemas:
        types |= {name: kind for name, kind in zip(schema.names, schema.types, strict=True)
                  if name not in types or _is_number(kind)}  # fmt: skip
    with naming(path):
        _check_names(names, types)
        found: dict[str, str] = {}
        for asked in (names, hints or {}, {name: name.lower() for name in types}):
            new: dict[str, str] = {}
            for name, wanted in asked.items():
                meaning = _MEANING.get(wanted)
                if name not in types or meaning is None or meaning in found or name in found.values():
                    continue
                if meaning in new:
                    raise ValueError(
                        f"columns {new[meaning]!r} and {name!r} are both {meaning}: say by names= which is"
                    )
                new[meaning] = name
            found |= new
        useless = [name for name in found.values() if not _is_number(types[name])]
        found = {meaning: name for meaning, name in found.items() if name not in useless}
        context = {meaning: name for meaning, name in found.items() if meaning not in _POSITION}
        lacking = "position" if not found.keys() >= set(_POSITION) else "context that is known" if not context else ""
        if lacking:
            raise ValueError(
                f"no {lacking} among its columns, {_listed(types)}; looked for numbers named {_LOOKED_FOR}"
            )
    if useless:
        message = f"columns {', '.join(useless)} hold no numbers and are not used"
        warnings.warn(f"{path}: {message}", RepairWarning, stacklevel=4)
    return Layout((found["ra"], found["decl"]), context)


def read_rows(files: Sequence[Path], layout: Layout) -> Rows:
    """Read the columns of some files, one after the other; of a context that a file lacks it knows nothing.

    Raises
    ------
    FormatError
        A file cannot be read, or has no position.
    """
    mended: Counter[str] = Counter()
    parts: dict[str, list[NDArray[np.floating]]] = {name: [] for name in (*_POSITION, *layout.context)}
    columns = dict(zip(_POSITION, layout.position, strict=True)) | dict(layout.context)
    for file in files:
        with naming(file), pq.ParquetFile(file) as opened:
            schema = opened.schema_arrow
            usable = {name for name in schema.names if _is_number(schema.field(name).type)}
            if lacking := [name for name in layout.position if name not in usable]:
                raise ValueError(f"no numbers named {' or '.join(lacking)} among its columns, {_listed(schema.names)}")
            table = opened.read([name for name in columns.values() if name in usable])
            for meaning, name in columns.items():
                if name in usable:
                    parts[meaning].append(_numbers(table.column(name)))
                else:
                    parts[meaning].append(np.full(table.num_rows, np.nan, dtype=np.float32))
                    mended[meaning] += table.num_rows * (name in schema.names)
    return _cleaned({name: np.concatenate(values) for name, values in parts.items()}, mended)


def _cleaned(columns: dict[str, NDArray[np.floating]], mended: Counter[str]) -> Rows:
    """Leave out rows without a position; make NaN of codes and of what cannot be."""
    ra, decl = (columns.pop(name).astype(np.float64) for name in _POSITION)
    position, _ = within({"ra": np.where(ra < 0, ra + 360, ra), "decl": decl})  # some count from -180 to 180
    keep = np.isfinite(position["ra"]) & np.isfinite(position["decl"])
    whole = bool(keep.all())
    mended["position"] += int(keep.size - keep.sum())
    for name, values in columns.items():
        known: NDArray[Any] = without_codes(name, values if whole else values[keep])
        cleaned, outside = within({name: known})
        columns[name] = cleaned[name]
        mended[name] += outside
    ra, decl = (position[name] if whole else position[name][keep] for name in _POSITION)
    return Rows(ra, decl, columns, +mended)


def _check_names(names: Mapping[str, str], types: Mapping[str, pa.DataType]) -> None:
    for name, wanted in names.items():
        if name not in types:
            raise ValueError(f"names speaks of {name!r}, which is none of its columns, {_listed(types)}")
        if wanted not in _MEANING:
            near = difflib.get_close_matches(wanted, _MEANING, n=1)
            raise ValueError(f"no context is called {wanted!r}" + (f", perhaps {near[0]!r}?" if near else ""))


def _listed(names: Sequence[str] | Mapping[str, pa.DataType]) -> str:
    first = list(names)[:12]
    return ", ".join(first) + (f" and {len(names) - len(first)} more" if len(names) > len(first) else "")


def _is_number(kind: pa.DataType) -> bool:
    return pa.types.is_floating(kind) or pa.types.is_integer(kind) or pa.types.is_decimal(kind)


def _numbers(column: pa.ChunkedArray) -> NDArray[np.floating]:
    single = pa.types.is_float32(column.type) or pa.types.is_float16(column.type)
    return np.asarray(column.cast(pa.float32() if single else pa.float64(), safe=False).to_numpy())
