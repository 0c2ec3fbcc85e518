"""Sinks in files: lines of text, and numbered Parquet files."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from telperion.serve.outbox import Message

_LEAST = 100  # bytes of a row, at least: so small a file need not be counted


class LinesFile:
    """A file that grows by a line a message; what a crash left half done is cut off when it begins again.

    Parameters
    ----------
    path : path
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        self.name = str(self.path.resolve())
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self._file = open(self.path, "ab")  # noqa: SIM115 - open as long as the stream

    def resume(self, mark: str) -> None:
        """Cut the file to the length that the mark gives; without a mark, that is all of it."""
        here = self._file.seek(0, os.SEEK_END)
        size = int(mark) if mark else here
        if size > here:
            raise ValueError(f"{self.path} has {here} bytes, of which {size} were written: it is not the same file")
        self._file.truncate(size)
        self._file.seek(size)

    def publish(self, messages: Sequence[Message]) -> None:
        """Write the values, a line each."""
        self.write(b"".join(message.value + b"\n" for message in messages))

    def write(self, data: bytes) -> None:
        """Add bytes to the file."""
        self._file.write(data)

    def flush(self, *, last: bool = False) -> str:  # noqa: ARG002 - it is always whole
        """Hand all over to the disk; gives the length of the file."""
        self._file.flush()
        os.fdatasync(self._file.fileno())
        return str(self._file.tell())

    def close(self) -> None:
        """Close the file."""
        self._file.close()


class ParquetFolder:
    """A folder of ``part-00000.parquet`` and so on, each of at least so many rows.

    What is not yet so many lies in ``_part-NNNNN.arrow``, streams of Arrow one after the other, which a crash leaves as
    it leaves a `LinesFile`. Readers of such folders pass over names with an underscore.

    Parameters
    ----------
    folder : path
    rows : int
    """

    def __init__(self, folder: str | Path, *, rows: int = 100_000) -> None:
        self.folder, self.rows = Path(folder), rows
        self.name = str(self.folder.resolve())
        self.folder.mkdir(parents=True, exist_ok=True)
        self._number = max((_number(file) + 1 for file in self.folder.glob("part-*.parquet")), default=0)
        self._streams = LinesFile(self._path("arrow"))

    def resume(self, mark: str) -> None:
        """Go back to the part and the length of its streams that the mark gives; later parts are dropped."""
        number, _, size = (mark or f"{self._number}:0").partition(":")
        for file in self.folder.glob("part-*.parquet"):
            if _number(file) >= int(number):
                file.unlink()
        for file in self.folder.glob("_part-*"):
            if file != self._path("arrow", int(number)):
                file.unlink()
        self._begin(int(number))
        self._streams.resume(size)

    def publish(self, messages: Sequence[Message]) -> None:
        """Add tables, given as streams of Arrow."""
        self._streams.write(b"".join(message.value for message in messages))

    def flush(self, *, last: bool = False) -> str:
        """Hand all over to the disk, as a finished part if there are rows enough; gives the part and its length."""
        size = self._streams.flush()
        if self._number:  # what the part before was made of: the account knows that it is finished by now
            self._path("arrow", self._number - 1).unlink(missing_ok=True)
        tables = list(_tables(self._path("arrow"))) if last or int(size) > self.rows * _LEAST else []
        if (n_rows := sum(table.num_rows for table in tables)) and (last or n_rows >= self.rows):
            whole = pa.concat_tables(tables, promote_options="permissive")  # of several classifiers, perhaps
            pq.write_table(whole, self._path("writing"), compression="zstd")
            os.replace(self._path("writing"), self.folder / f"part-{self._number:05d}.parquet")
            self._begin(self._number + 1)
            size = "0"
        return f"{self._number}:{size}"

    def close(self) -> None:
        """Close the file; of finished parts nothing is left beside them."""
        self._streams.close()
        for file in self.folder.glob("_part-*.arrow"):
            if _number(file) < self._number or not file.stat().st_size:
                file.unlink()

    def _path(self, kind: str, number: int | None = None) -> Path:
        return self.folder / f"_part-{self._number if number is None else number:05d}.{kind}"

    def _begin(self, number: int) -> None:
        self._streams.close()
        self._number = number
        self._streams = LinesFile(self._path("arrow"))


def _number(file: Path) -> int:
    return int(file.stem.rpartition("-")[2])


def _tables(path: Path) -> Iterator[pa.Table]:
    """Read streams of Arrow that stand in a file one after the other."""
    with pa.memory_map(str(path)) as file:
        while file.tell() < file.size():
            yield pa.ipc.open_stream(file).read_all()
