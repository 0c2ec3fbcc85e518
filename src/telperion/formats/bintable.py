"""Read the binary table of a FITS file, plain or gzipped.

Only what SNANA writes: one table, plain columns of text and numbers, no scaling, no arrays of variable length. That
takes a tenth of the time that a general reader needs on the many small files of a simulation, and sizes are checked
against the file before any memory is asked for.
"""

import gzip
import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, cast

import numpy as np
from numpy.typing import NDArray

from telperion.formats.rules import naming

_BLOCK = 2880
_CARD = 80
_CHUNK = 1 << 20
_MOST_BLOCKS = 1000
_DEFLATE_RATIO = 1032
"""No deflate stream is longer than this many times its compressed size."""

_VALUE = re.compile(r"(?:HIERARCH +)?(?P<key>[^= ]+) *= *(?:'(?P<text>(?:[^']|'')*)'|(?P<value>[^/ ]*))")
_FORMAT = re.compile(r"(?P<repeat>\d*)(?P<kind>[ALBIJKED])")
_KINDS = {"L": "S1", "B": "u1", "I": ">i2", "J": ">i4", "K": ">i8", "E": ">f4", "D": ">f8"}


@dataclass(frozen=True, eq=False)
class BinTable:
    """The first binary table of a FITS file.

    Parameters
    ----------
    header : dict of str
        Keywords of the primary header and of the table's own, with their values as text.
    rows : structured array, shape ``(n_rows,)``
        Columns by name, big-endian as in the file.
    """

    header: dict[str, str]
    rows: NDArray[np.void]

    @property
    def columns(self) -> tuple[str, ...]:
        """Names of the columns, in the order of the file."""
        return self.rows.dtype.names or ()

    def numbers(self, name: str) -> NDArray[np.float64]:
        """Give a column as float64, shape ``(n_rows,)``."""
        return self.rows[name].astype(np.float64)

    def integers(self, name: str) -> NDArray[np.int64]:
        """Give a column as int64, shape ``(n_rows,)``."""
        return self.rows[name].astype(np.int64)

    def text(self, name: str) -> NDArray[np.str_]:
        """Give a column as text without surrounding blanks, shape ``(n_rows,)``."""
        return np.char.strip(self.rows[name].astype(np.str_))


def read_bintable(path: Path) -> BinTable:
    """Read the first binary table of a FITS file.

    Parameters
    ----------
    path : Path
        Ending in ``.gz`` if the file is gzipped.

    Raises
    ------
    FormatError
        The file is cut short, is not FITS, holds no plain binary table, or claims more rows than it can hold.
    """
    with naming(path), _open(path) as file:
        return _read(file, _largest_size(path))


def _open(path: Path) -> BinaryIO:
    return cast(BinaryIO, gzip.open(path, "rb")) if path.suffix == ".gz" else path.open("rb")


def _largest_size(path: Path) -> int:
    size = os.path.getsize(path)
    return size * _DEFLATE_RATIO if path.suffix == ".gz" else size


def _read(file: BinaryIO, largest_size: int) -> BinTable:
    primary = _read_header(file)
    if "SIMPLE" not in primary:
        raise ValueError("the file is not FITS: its first keyword is not SIMPLE")
    if _data_size(primary):
        raise ValueError("the primary array is not empty, where SNANA files have none")
    header = _read_header(file)
    if header.get("XTENSION", "").strip() != "BINTABLE":
        raise ValueError("the first extension is not a binary table")
    columns = _columns(header)
    n_rows = _integer(header, "NAXIS2")
    size = columns.itemsize * n_rows
    if n_rows < 0 or size > largest_size:
        raise ValueError(
            f"NAXIS2 claims {n_rows} rows of {columns.itemsize} bytes, more than the file can hold (cut short?)"
        )
    data = file.read(size)
    if len(data) < size:
        raise ValueError(f"the table is cut short: {len(data)} bytes where {n_rows} rows need {size}")
    while file.read(_CHUNK):  # gzip checks its sum at the end of the file only
        pass
    return BinTable(primary | header, np.frombuffer(data, dtype=columns))


def _read_header(file: BinaryIO) -> dict[str, str]:
    """Read blocks of 36 cards up to the card END."""
    header: dict[str, str] = {}
    for _ in range(_MOST_BLOCKS):
        block = file.read(_BLOCK)
        if len(block) < _BLOCK:
            raise ValueError("the file is empty" if not block and not header else "the header is cut short")
        text = block.decode("ascii")
        for start in range(0, _BLOCK, _CARD):
            card = text[start : start + _CARD]
            if card.startswith("END     "):
                return header
            if match := _VALUE.match(card):
                header[match["key"]] = (
                    match["value"] if match["text"] is None else match["text"].rstrip().replace("''", "'")
                )
    raise ValueError(f"the header has no END within {_MOST_BLOCKS} blocks")


def _data_size(header: dict[str, str]) -> int:
    n_axes = _integer(header, "NAXIS")
    return int(np.prod([_integer(header, f"NAXIS{axis + 1}") for axis in range(n_axes)])) if n_axes > 0 else 0


def _columns(header: dict[str, str]) -> np.dtype:
    """Turn TTYPE and TFORM into the type of a row."""
    fields = []
    for number in range(1, _integer(header, "TFIELDS") + 1):
        if header.keys() & {f"TSCAL{number}", f"TZERO{number}"}:
            raise ValueError(f"column {number} is scaled (TSCAL or TZERO), which SNANA files never are")
        form = header.get(f"TFORM{number}", "").strip()
        match = _FORMAT.fullmatch(form)
        if match is None or f"TTYPE{number}" not in header:
            raise ValueError(f"column {number} has no name, or its TFORM {form!r} is not a plain one")
        repeat = int(match["repeat"] or 1)
        kind = f"S{repeat}" if match["kind"] == "A" else _KINDS[match["kind"]]
        shape = () if match["kind"] == "A" or repeat == 1 else (repeat,)
        fields.append((header[f"TTYPE{number}"], kind, shape))
    columns = np.dtype(fields)
    if columns.itemsize != _integer(header, "NAXIS1"):
        raise ValueError(f"columns take {columns.itemsize} bytes a row, NAXIS1 says {header['NAXIS1']}")
    return columns


def _integer(header: dict[str, str], key: str) -> int:
    if key not in header:
        raise ValueError(f"the header lacks {key}")
    return int(header[key])
