"""The one compiled loop that goes through any plan, over the bodies of a batch: it checks every byte it reads."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from telperion.formats.avro_files import MOST_EMPTY
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
    MARK,
    NEXT,
    RETURN,
    RUN,
    SKIP,
    STRIDE,
    TEXT,
    UNION,
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

_NAN = 0x7FF8_0000_0000_0000
_DEEPEST = 64


@njit(cache=True, nogil=True)
def _number(buffer: NDArray, place: int, stop: int) -> Any:
    """Give the number at a place and the place behind it, or minus an error code."""
    value: Any = np.int64(0)
    shift: Any = np.int64(0)
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
def go_through(
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
) -> Any:
    """Go through the plan for each body from `first` on; give where it stopped and the table that is full there."""
    frames = np.empty((_DEEPEST, 3), dtype=np.int64)  # a step to go back to, items left, the row around them
    single = np.empty(1, dtype=np.float32)
    bits = single.view(np.uint32)
    before = used.copy()
    for k in range(first, starts.size):
        start = place = starts[k]
        stop = min(stops[k], start + largest)
        problem = 0 if start >= 0 else _BEHIND
        pc: Any = 0
        left: Any = 0
        depth, empty, top = 0, MOST_EMPTY, k * sizes[0]
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
                        branch, behind = _number(buffer, place, stop)
                        if behind < 0 or branch < 0 or branch > 1:
                            problem = -behind if behind < 0 else _BRANCH
                            break
                        place = behind + widths[i] * (branch != null - 1)
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
                        branch, behind = _number(buffer, place, stop)
                        if behind < 0 or branch < 0 or branch > 1:
                            problem = -behind if behind < 0 else _BRANCH
                            break
                        place = behind
                    if branch == null - 1:
                        pc += STRIDE
                        continue
                cell = base + out - 1
                if step in (FLOAT, DOUBLE, BOOLEAN, FIXED):
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
            elif step in (ARRAY, NEXT):
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
        position[k] = place - start
        for t in range(ends.shape[0]):
            ends[t, k] = used[t + 1]
    return starts.size, 0
