"""Arrays in one file, a NumPy archive of which nothing is believed that was not looked at first."""

from __future__ import annotations

import io
import tokenize
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

DTYPES = ("<f2", "<f4", "<f8", "|i1", "<i8", "<U")
"""Kinds of numbers and text that such a file may hold."""

_NO_ARCHIVE = (zipfile.BadZipFile, EOFError, NotImplementedError, RuntimeError)
_NO_HEADER = (SyntaxError, tokenize.TokenError, MemoryError, TypeError)  # of brackets that nest without end, too
_DATE = (1980, 1, 1, 0, 0, 0)


def write_arrays(path: str | Path, arrays: Mapping[str, NDArray[Any]]) -> None:
    """Write arrays by name, uncompressed; the same arrays give the same bytes, whenever they are written."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as archive:
        for name, values in arrays.items():
            buffer = io.BytesIO()
            np.lib.format.write_array(buffer, np.ascontiguousarray(values), version=(1, 0), allow_pickle=False)
            archive.writestr(zipfile.ZipInfo(f"{name}.npy", _DATE), buffer.getvalue())


def read_arrays(path: str | Path, most_bytes: int) -> dict[str, NDArray[Any]]:
    """Read what `write_arrays` wrote; `numpy.load` would read it, too, and believe it.

    Parameters
    ----------
    path : path
    most_bytes : int
        The file may not be larger.

    Raises
    ------
    ValueError
        The file is missing, too large, no such archive, compressed, or an array is of another size than it says or of
        a type that is no number or text.
    """
    path = Path(path)
    if not path.is_file() or path.stat().st_size > most_bytes:
        raise ValueError(f"{path} is missing or larger than {most_bytes} bytes")
    found: dict[str, NDArray[Any]] = {}
    try:
        with zipfile.ZipFile(path) as archive:
            for entry in archive.infolist():
                name = entry.filename.removesuffix(".npy")
                if entry.compress_type != zipfile.ZIP_STORED or entry.file_size > most_bytes or name in found:
                    raise ValueError(f"{entry.filename!r} is compressed, too large or there twice")
                found[name] = _array(archive.read(entry), name)
    except (*_NO_ARCHIVE, *_NO_HEADER) as error:
        raise ValueError(f"{path} holds no arrays: {error}") from error
    except ValueError as error:
        raise ValueError(f"{path} cannot be read: {error}") from error
    return found


@contextmanager
def opened(path: Path, most_bytes: int, version: int, holds: str) -> Iterator[dict[str, NDArray[Any]]]:
    """Give the arrays of a file, so that whatever cannot be made of them is said of the file.

    Parameters
    ----------
    path : Path
    most_bytes : int
        As for `read_arrays`.
    version : int
        Which its array ``format`` must name.
    holds : str
        What the file should hold.

    Raises
    ------
    ValueError
        It cannot be read, is of another format, lacks an array, or what is made of it here fails.
    """
    found = read_arrays(path, most_bytes)
    try:
        if found["format"].tolist() != [version]:
            raise ValueError(f"it has format {found['format'].tolist()}, this version reads [{version}]")
        yield found
    except KeyError as missing:
        raise ValueError(f"{path} lacks {missing}") from missing
    except (ValueError, TypeError, IndexError) as error:
        raise ValueError(f"{path} holds no {holds}: {error}") from error


def _array(content: bytes, name: str) -> NDArray[Any]:
    """Read one array whose header says what there is, and no more or less."""
    stream = io.BytesIO(content)
    if np.lib.format.read_magic(stream) != (1, 0):
        raise ValueError(f"{name!r} has a version that is not ours")
    shape, by_column, kind = np.lib.format.read_array_header_1_0(stream)
    if kind.hasobject or by_column or not kind.str.startswith(DTYPES):
        raise ValueError(f"{name!r} is of type {kind.str!r}")
    size = kind.itemsize
    for length in shape:
        size *= length
    rest = content[stream.tell() :]
    if min(shape, default=1) < 1 or size != len(rest):
        raise ValueError(f"{name!r} says shape {shape}, which {len(rest)} bytes do not hold")
    return np.frombuffer(rest, dtype=kind).reshape(shape)
