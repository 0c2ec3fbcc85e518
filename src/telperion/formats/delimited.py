"""Read named columns of a CSV file, plain or gzipped, as an Arrow table."""

import csv
import gzip
from collections.abc import Mapping
from pathlib import Path
from typing import BinaryIO, cast

import numpy as np
import pyarrow as pa
import pyarrow.csv
from numpy.typing import NDArray

from telperion.formats.rules import FormatError, naming

NAME = pa.dictionary(pa.int32(), pa.string())
"""Type of a text column with few distinct values."""

_LONGEST_HEADER = 65_536


def column_names(path: Path) -> list[str]:
    """Give the names in the first line of the file.

    Raises
    ------
    FormatError
        The file is empty, is not text, or its compression is broken.
    """
    with naming(path), _open(path) as file:
        line = file.readline(_LONGEST_HEADER).decode("utf-8-sig")
        if not line.strip():
            raise ValueError("the file is empty")
        return next(csv.reader([line]))


def read_columns(path: Path, columns: Mapping[str, pa.DataType]) -> pa.Table:
    """Read some columns of a CSV file whose first line names them; other columns are left alone.

    Parameters
    ----------
    path : Path
        Ending in ``.gz`` if the file is gzipped.
    columns : mapping of str to Arrow type
        Numbers may be missing (NaN) in floating-point columns only.

    Returns
    -------
    pyarrow.Table
        One chunk a column, in the order of `columns`, at least one row.

    Raises
    ------
    FormatError
        The file is empty or cut short, lacks a column, or a value does not have the type of its column.
    """
    found = column_names(path)
    if missing := [name for name in columns if name not in found]:
        raise FormatError(f"{path}: columns {', '.join(missing)} are missing; found {', '.join(found)}")
    with naming(path):
        try:
            table = _parse(path, columns, use_threads=True)
        except pa.ArrowInvalid:
            table = _parse(path, columns, use_threads=False)  # slower; its error names the row
        for name, kind in columns.items():
            _reject_missing(table.column(name), name, kind)
        if table.num_rows == 0:
            raise ValueError("the file holds no rows below its header")
    return table.combine_chunks(pa.system_memory_pool())


def most_rows(path: Path) -> int:
    """Give a number of rows that the file cannot exceed, from its ends of line."""
    with naming(path), _open(path) as file:
        return 1 + sum(block.count(b"\n") + block.count(b"\r") for block in iter(lambda: file.read(1 << 20), b""))


def categories(table: pa.Table, name: str) -> tuple[NDArray[np.str_], np.ndarray]:
    """Give a column of type `NAME` as its distinct values and each row's position among them.

    Returns
    -------
    array of str, shape ``(n_values,)``; array of int, shape ``(n_rows,)``
    """
    column = table.column(name).chunk(0)
    return np.array(column.dictionary.to_pylist(), dtype=np.str_), np.from_dlpack(column.indices)


def numbers(table: pa.Table, name: str) -> np.ndarray:
    """Give a column of numbers or of true and false, shape ``(n_rows,)``; a missing number is NaN.

    The memory is the table's own where nothing is missing. (Arrow's `to_numpy` imports pandas wherever it is installed,
    which takes longer than reading a million rows.)
    """
    array = table.column(name).chunk(0)
    valid, data = array.buffers()
    if pa.types.is_boolean(array.type):
        return _bits(data, array).astype(bool)
    values = np.frombuffer(data, dtype=array.type.to_pandas_dtype())[array.offset : array.offset + len(array)]
    return np.where(_bits(valid, array), values, np.nan) if array.null_count else values


def _bits(packed: pa.Buffer, array: pa.Array) -> NDArray[np.uint8]:
    bits = np.unpackbits(np.frombuffer(packed, dtype=np.uint8), bitorder="little")
    return bits[array.offset : array.offset + len(array)]


def _open(path: Path) -> BinaryIO:
    return cast(BinaryIO, gzip.open(path, "rb")) if path.suffix == ".gz" else path.open("rb")


def _parse(path: Path, columns: Mapping[str, pa.DataType], use_threads: bool) -> pa.Table:
    convert = pa.csv.ConvertOptions(include_columns=list(columns), column_types=dict(columns))
    options = pa.csv.ReadOptions(use_threads=use_threads)
    # Arrow's own pool and its reading of paths keep blocks of every thread: 80 MB after forty small files.
    with _open(path) as file:
        return pa.csv.read_csv(file, options, None, convert, pa.system_memory_pool())


def _reject_missing(column: pa.ChunkedArray, name: str, kind: pa.DataType) -> None:
    if column.null_count and not pa.types.is_floating(kind):
        line = column.is_null().index(pa.scalar(True)).as_py() + 2
        raise ValueError(f"{name} is missing in {column.null_count} rows, first at line {line}")
