"""Bodies of Avro records into columns, a whole batch at once."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from telperion.formats.avro_files import LARGEST, Bodies
from telperion.formats.avro_loop import NULL, go_through
from telperion.formats.avro_plan import Plan


@dataclass(frozen=True, eq=False)
class Columns:
    """What was taken of a batch.

    Parameters
    ----------
    error : array of int8, shape ``(n_bodies,)``
        Place in `telperion.formats.avro_loop.REASONS`; a broken body has nulls only, and no items.
    position : array of int64, shape ``(n_bodies,)``
        Byte of the body at which that was found; of a sound body its length.
    buffer : array of uint8
    plan : Plan
    rows : list of array of int64, shape ``(n_rows, n_cells)``
        The cells of each table.
    ends : array of int64, shape ``(n_tables, n_bodies)``
        Rows of each array's table up to each body's last.
    """

    error: NDArray[np.int8]
    position: NDArray[np.int64]
    buffer: NDArray[np.uint8]
    plan: Plan
    rows: list[NDArray[np.int64]]
    ends: NDArray[np.int64]

    def __len__(self) -> int:
        return self.error.size

    def __contains__(self, path: str) -> bool:
        return path in self.plan.columns

    def cells(self, path: str) -> NDArray[np.int64]:
        """Give a column as it is kept, shape ``(n_rows,)``: floats as their bits, `NULL` where it is null."""
        table, cell, _ = self.plan.columns[path]
        return self.rows[table][:, cell]

    def exact(self, path: str) -> bool:
        """Tell whether a column holds integers."""
        return self.plan.columns[path][2] == "int"

    def null(self, path: str) -> NDArray[np.bool_]:
        """Tell where a column is null or what holds it is not there, shape ``(n_rows,)``."""
        return self.cells(path) == NULL

    def numbers(self, path: str) -> NDArray[np.float64]:
        """Give a column of numbers, shape ``(n_rows,)``; NaN where it is null, too."""
        self._refuse(path, "text")
        cells = np.ascontiguousarray(self.cells(path))
        if self.plan.columns[path][2] == "float":
            return cells.view(np.float64)
        return np.where(cells == NULL, np.nan, cells.astype(np.float64))

    def integers(self, path: str, missing: int = 0) -> NDArray[np.int64]:
        """Give a column of integers, shape ``(n_rows,)``; `missing` where it is null."""
        self._refuse(path, "text", "float")
        cells = self.cells(path)
        return np.where(cells == NULL, missing, cells)

    def texts(self, path: str, longest: int = 64) -> NDArray[np.bytes_]:
        """Give a column of text, shape ``(n_rows,)``, cut at `longest` bytes; "" where it is null, 255 for a zero."""
        self._refuse(path, "int", "float", "mark")
        table, cell, _ = self.plan.columns[path]
        start, length = self.rows[table][:, cell], self.rows[table][:, cell + 1]
        length = np.minimum(np.where(start == NULL, 0, length), longest)
        width = max(int(length.max(initial=0)), 1)
        letter = np.arange(width)
        inside = letter < length[:, None]
        text = np.zeros(inside.shape, dtype=np.uint8)
        text[inside] = self.buffer[(start[:, None] + letter)[inside]]
        text[inside & (text == 0)] = 255
        return text.view(f"S{width}").reshape(-1)

    def _refuse(self, path: str, *kinds: str) -> None:
        if (kind := self.plan.columns[path][2]) in kinds:
            raise ValueError(f"{path} is a column of the kind {kind}")

    def offsets(self, array: str) -> NDArray[np.int64]:
        """Give where each body's items of an array begin among all, shape ``(n_bodies + 1,)``; none if not there."""
        if array not in self.plan.tables:
            return np.zeros(len(self) + 1, dtype=np.int64)
        return np.concatenate([[0], self.ends[self.plan.tables.index(array)]])


def decode(plan: Plan, bodies: Bodies, largest: int = LARGEST) -> Columns:
    """Take what a plan wants out of a batch of bodies.

    Parameters
    ----------
    plan : Plan
    bodies : Bodies
    largest : int
        Bytes of a body that is still read.

    Returns
    -------
    Columns
        A body that breaks a rule has an error, never the batch.

    Examples
    --------
    >>> from telperion.formats.avro import parse_schema
    >>> from telperion.formats.avro_loop import REASONS
    >>> from telperion.formats.avro_plan import make_plan
    >>> plan = make_plan(parse_schema({"type": "record", "name": "a", "fields": [{"name": "x", "type": "int"}]}), ["x"])
    >>> buffer = np.array([2, 4, 128], dtype=np.uint8)
    >>> columns = decode(plan, Bodies(buffer, np.array([0, 1, 2]), np.array([1, 2, 3])))
    >>> columns.integers("x"), REASONS[columns.error[2]]
    (array([1, 2, 0]), 'the packet ends too early')
    """
    n, n_tables = bodies.starts.size, len(plan.tables)
    starts, stops = bodies.starts.astype(np.int64), bodies.stops.astype(np.int64)
    if (starts[:1] < 0).any() or (starts > stops).any() or (stops > bodies.buffer.size).any():
        raise ValueError("a body is not within the buffer")
    buffer = bodies.buffer.view()
    buffer.flags.writeable = False  # always: the loop is compiled for one kind of buffer
    sizes, used = np.array(plan.cells, dtype=np.int64), np.zeros(n_tables + 1, dtype=np.int64)
    capacity = np.full(n_tables + 1, 32 * n + 64, dtype=np.int64)
    capacity[0] = used[0] = n
    error, position = np.zeros(n, dtype=np.int8), np.zeros(n, dtype=np.int64)
    ends = np.zeros((n_tables, n), dtype=np.int64)
    regions = np.concatenate([[0], np.cumsum(capacity * sizes)])
    cells = np.empty(regions[-1], dtype=np.int64)
    done = 0
    while True:
        done, full = go_through(
            plan.code, plan.widths, plan.jumps, buffer, starts, stops, largest, done, sizes, regions, capacity,
            used, cells, cells.view(np.float64), ends, error, position,
        )  # fmt: skip
        tables = [cells[start : start + used[t] * sizes[t]] for t, start in enumerate(regions[:-1])]
        if done == n:
            break
        capacity[full] *= 2
        regions = np.concatenate([[0], np.cumsum(capacity * sizes)])
        cells = np.empty(regions[-1], dtype=np.int64)
        for start, table in zip(regions[:-1], tables, strict=True):
            cells[start : start + table.size] = table
    rows = [table.reshape(count, size) for table, count, size in zip(tables, used, sizes, strict=True)]
    return Columns(error, position, buffer, plan, rows, ends)
