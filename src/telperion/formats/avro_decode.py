"""Bodies of Avro records into columns: one compiled loop that goes through any plan, over a whole batch."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from telperion.formats.avro import MOST_EMPTY, Bodies
from telperion.formats.avro_plan import (
    ARRAY,
    BOOLEAN,
    CALL,
    DOUBLE,
    END,
    ENUM,
    FIXED,
    FLOAT,
    INT,
    JUMP,
    LONG,
    MARK,
    NEXT,
    RETURN,
    RUN,
    SKIP,
    STRIDE,
    TEXT,
    UNION,
    Plan,
)

try:
    from numba import njit
except ImportError as error:
    raise ImportError("alert packets need numba, which comes with: pip install 'telperion[stream]'") from error

REASONS = (
    "",
    "the packet ends too early",
    "a number takes more than 64 bits",
    "a union has no such branch",
    "a length is negative",
    "a true-or-false is neither 0 nor 1",
    "an int does not fit 32 bits",
    "an enum has no such symbol",
    "an array claims more items than fit",
    "the records are nested too deeply",
    "bytes are left over",
    "a number has the value that stands for null here",
    "the packet is too large",
    "a packet before it in the same block is broken",
)
"""What is wrong with a packet, by its error code; 0 is nothing."""

(_SHORT, _LONG_NUMBER, _BRANCH, _NEGATIVE, _NOT_BOOLEAN, _NOT_INT, _SYMBOL, _ITEMS, _DEEP, _LEFT, _RESERVED, _LARGE,
 _BEHIND) = range(1, 14)  # fmt: skip

NULL = 0x7FF8_0000_0000_0A11
"""The cell of what is null or not there: as a float a NaN that no number in a packet becomes; as an integer refused."""

LARGEST = 2**24
"""Bytes of a packet that is still read."""

_NAN = 0x7FF8_0000_0000_0000
_DEEPEST = 64


@dataclass(frozen=True, eq=False)
class Columns:
    """What was taken of a batch.

    Parameters
    ----------
    error : array of int8, shape ``(n_bodies,)``
        Place in `REASONS`; a broken body has nulls only, and no items.
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
    sizes, used = np.array(plan.cells, dtype=np.int64), np.zeros(n_tables + 1, dtype=np.int64)
    capacity = np.full(n_tables + 1, 32 * n + 64, dtype=np.int64)
    capacity[0] = used[0] = n
    error, position = np.zeros(n, dtype=np.int8), np.zeros(n, dtype=np.int64)
    ends = np.zeros((n_tables, n), dtype=np.int64)
    regions = np.concatenate([[0], np.cumsum(capacity * sizes)])
    cells = np.empty(regions[-1], dtype=np.int64)
    done = 0
    while True:
        done, full = _decode(
            plan.code, plan.widths, plan.jumps, bodies.buffer, starts, stops, largest, done, sizes, regions, capacity,
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
    return Columns(error, position, bodies.buffer, plan, rows, ends)


@njit(cache=True, nogil=True)
def _number(buffer: NDArray, place: int, stop: int) -> tuple[int, int]:
    """Give the number at a place and the place behind it, or minus an error code."""
    value, shift = np.int64(0), np.int64(0)
    while place < stop:
        byte = np.int64(buffer[place])
        place += 1
        if shift == 63 and byte > 1:
            return np.int64(0), -_LONG_NUMBER
        value |= (byte & 127) << shift
        if byte < 128:
            return ((value >> 1) & 0x7FFF_FFFF_FFFF_FFFF) ^ -(value & 1), place
        shift += 7
    return np.int64(0), -_SHORT


@njit(cache=True, nogil=True)
def _decode(
    code: NDArray,
    widths: NDArray,
    jumps: NDArray,
    buffer: NDArray,
    starts: NDArray,
    stops: NDArray,
    largest: int,
    first: int,
    sizes: NDArray,
    regions: NDArray,
    capacity: NDArray,
    used: NDArray,
    cells: NDArray,
    floats: NDArray,
    ends: NDArray,
    error: NDArray,
    position: NDArray,
) -> tuple[int, int]:
    """Go through the plan for each body from `first` on; give where it stopped and the table that is full there."""
    frames = np.empty((_DEEPEST, 3), dtype=np.int64)  # a step to go back to, items left, the row around them
    single = np.empty(1, dtype=np.float32)
    bits = single.view(np.uint32)
    before = used.copy()
    for k in range(first, starts.size):
        start = place = starts[k]
        stop = min(stops[k], start + largest)
        problem = 0 if start >= 0 else _BEHIND
        pc, depth, empty, top = 0, 0, MOST_EMPTY, k * sizes[0]
        base = top
        before[:] = used
        for cell in range(top, top + sizes[0]):
            cells[cell] = NULL
        while problem == 0:
            step, null, out, about = code[pc], code[pc + 1], np.int64(code[pc + 2]), np.int64(code[pc + 3])
            if step == RUN:
                flip = 2 if null == 2 else 0
                for i in range(about, about + code[pc + 4]):
                    if place >= stop:
                        problem = _SHORT
                        break
                    byte = np.int64(buffer[place])
                    if byte & 0xFD:
                        branch, place = _number(buffer, place, stop)
                        if place < 0 or branch < 0 or branch > 1:
                            problem = -place if place < 0 else _BRANCH
                            break
                        place += widths[i] * (branch != null - 1)
                    else:
                        place += 1 + ((byte ^ flip) >> 1) * widths[i]
                if place > stop:
                    problem = _SHORT
                pc += STRIDE
            elif BOOLEAN <= step <= ENUM:
                if null:
                    if place < stop and buffer[place] & 0xFD == 0:
                        branch = np.int64(buffer[place] >> 1)
                        place += 1
                    else:
                        branch, place = _number(buffer, place, stop)
                    if place < 0 or branch < 0 or branch > 1:
                        problem = -place if place < 0 else _BRANCH
                        break
                    if branch == null - 1:
                        pc += STRIDE
                        continue
                cell = base + out - 1
                if step == FLOAT or step == DOUBLE or step == BOOLEAN or step == FIXED:
                    size = 4 if step == FLOAT else 8 if step == DOUBLE else 1 if step == BOOLEAN else about
                    if stop - place < size:
                        problem = _SHORT
                        break
                    if step == BOOLEAN and buffer[place] > 1:
                        problem = _NOT_BOOLEAN
                        break
                    if out:
                        if step == FLOAT:
                            word = np.uint32(0)
                            for i in range(4):
                                word |= np.uint32(buffer[place + i]) << np.uint32(8 * i)
                            bits[0] = word
                            floats[cell] = single[0]
                        elif step == DOUBLE:
                            whole = np.int64(0)
                            for i in range(8):
                                whole |= np.int64(buffer[place + i]) << (8 * i)
                            cells[cell] = _NAN if whole == NULL else whole
                        elif step == BOOLEAN:
                            cells[cell] = buffer[place]
                        else:
                            cells[cell], cells[cell + 1] = place, size
                    place += size
                else:
                    value, behind = _number(buffer, place, stop)
                    if behind < 0:
                        problem = -behind
                    elif step == TEXT:
                        if value < 0 or value > stop - behind:
                            problem = _NEGATIVE if value < 0 else _SHORT
                        elif out:
                            cells[cell], cells[cell + 1] = behind, value
                        behind += value
                    elif step == INT and (value < -2147483648 or value > 2147483647):
                        problem = _NOT_INT
                    elif step == ENUM and (value < 0 or value >= about):
                        problem = _SYMBOL
                    elif out:
                        if value == NULL:
                            problem = _RESERVED
                        cells[cell] = value
                    if problem:
                        break
                    place = behind
                pc += STRIDE
            elif step == SKIP:
                if stop - place < about:
                    problem = _SHORT
                    break
                place += about
                pc += STRIDE
            elif step == ARRAY or step == NEXT:
                if step == NEXT:
                    pc = about
                    about, out = np.int64(code[pc + 3]), np.int64(code[pc + 2])
                    left = frames[depth - 1, 1]
                else:
                    if depth == _DEEPEST:
                        problem = _DEEP
                        break
                    frames[depth, 0], frames[depth, 2] = pc, base
                    left = np.int64(0)
                    depth += 1
                if left == 0:
                    left, behind = _number(buffer, place, stop)
                    if behind >= 0 and left < 0:
                        left = -left
                        size, behind = _number(buffer, behind, stop)
                        if behind >= 0 and (size < 0 or size > stop - behind):
                            problem = _NEGATIVE if size < 0 else _SHORT
                            break
                    if behind < 0:
                        problem = -behind
                        break
                    least = np.int64(code[pc + 4])
                    empty -= 0 if least else min(max(left, 0), MOST_EMPTY + 1)
                    if left < 0 or empty < 0 or (least > 0 and left > (stop - behind) // least):
                        problem = _ITEMS
                        break
                    place = behind
                    if left == 0:
                        depth -= 1
                        base = frames[depth, 2]
                        pc = about
                        continue
                frames[depth - 1, 1] = left - 1
                if out:
                    if used[out] == capacity[out]:
                        used[1:] = before[1:]
                        return k, out
                    base = regions[out] + used[out] * sizes[out]
                    used[out] += 1
                    for cell in range(base, base + sizes[out]):
                        cells[cell] = NULL
                pc += STRIDE
            elif step == UNION:
                branch, behind = _number(buffer, place, stop)
                if behind < 0 or branch < 0 or branch >= code[pc + 4]:
                    problem = -behind if behind < 0 else _BRANCH
                    break
                place = behind
                pc = np.int64(jumps[about + branch])
            elif step == JUMP:
                pc = about
            elif step == MARK:
                cells[base + out - 1] = 1
                pc += STRIDE
            elif step == CALL:
                if depth == _DEEPEST:
                    problem = _DEEP
                    break
                frames[depth, 0] = pc + STRIDE
                depth += 1
                pc = about
            elif step == RETURN:
                depth -= 1
                pc = frames[depth, 0]
            else:
                assert step == END
                if k + 1 < starts.size and starts[k + 1] < 0:
                    starts[k + 1] = place
                elif place != stops[k]:
                    problem = _LEFT
                break
        if problem:
            if stop < stops[k] and problem != _BEHIND:
                problem = _LARGE
            error[k] = problem
            used[1:] = before[1:]
            for cell in range(top, top + sizes[0]):
                cells[cell] = NULL
        position[k] = max(place, start) - start
        for t in range(ends.shape[0]):
            ends[t, k] = used[t + 1]
    return starts.size, 0
