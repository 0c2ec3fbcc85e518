"""Writing Avro by columns: the bodies of many records at once, such as the answers to a batch of alerts."""

from __future__ import annotations

import re
from collections.abc import Mapping
from itertools import groupby
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from telperion.formats.avro import Node
from telperion.formats.avro_write import encode

_BITS = {"int": 31, "long": 63}


class _Piece(NamedTuple):
    """Bytes, shape ``(n_rows, width)``, and how many of them each row counts: a number where all count all."""

    text: NDArray[np.uint8]
    size: NDArray[np.int64] | int


class _Items(NamedTuple):
    """The parts of an array's items, and where each record's begin among all."""

    parts: list[Any]
    offsets: NDArray[np.int64]


_Part = _Piece | _Items


def encode_columns(schema: Node, columns: Mapping[str, Any], n: int, header: bytes = b"") -> list[bytes]:
    """Write records, given by columns, as `telperion.formats.avro_write.encode` writes each.

    Parameters
    ----------
    schema : Node
        A record of primitives, of such records, of arrays of these, and of unions of null and one of them.
    columns : mapping of str to any
        By path, such as ``classifications[].probability``, a value for all records or an array of one a record, an item
        of an array; text as str, or in bytes as UTF-8. For an array itself (``classifications``) where each record's
        items begin among all, shape ``(n + 1,)``. Masked values of a masked array are null, as are arrays whose
        beginnings are masked. A field that is not given takes its default.
    n : int
        Number of records.
    header : bytes
        Put before every body, as Confluent's.

    Raises
    ------
    ValueError
        A field is missing, a column has another length, a value does not fit, or there is a column that no field takes.

    Examples
    --------
    >>> from telperion.formats.avro import parse_schema
    >>> fields = [{"name": "id", "type": "long"}, {"name": "p", "type": {"type": "array", "items": "int"}}]
    >>> schema = parse_schema({"type": "record", "name": "a", "fields": fields})
    >>> [body.hex() for body in encode_columns(schema, {"id": [1, 2], "p": [0, 2, 2], "p[]": [5, 6]}, 2)]
    ['02040a0c00', '0400']
    """
    given = {key[: end.start()] for key in columns for end in re.finditer(r"\.|\[\]|$", key)}
    used: set[str] = set()
    parts = _parts(schema, columns, n, "", given, used)
    if unknown := sorted(set(columns) - used):
        raise ValueError(f"the schema has no field {', '.join(unknown)}")
    parts.insert(0, _repeated(header, n))
    sizes = _sizes(parts, n)
    ends = np.cumsum(sizes)
    out = np.zeros(int(ends[-1]) if n else 0, dtype=np.uint8)
    _write(parts, ends - sizes, ends, out)
    data = out.tobytes()
    return [data[end - size : end] for end, size in zip(ends.tolist(), sizes.tolist(), strict=True)]


def _parts(node: Node, columns: Mapping[str, Any], n: int, path: str, given: set[str], used: set[str]) -> list[_Part]:
    """Give what a record is written of, in order; `given` are the paths that columns lead to or through."""
    if node.kind == "record":
        if path in columns:
            used.add(path)
            return [_matrix(node, columns[path], n, path)]
        parts: list[_Part] = []
        for name, field in node.fields.items():
            below = f"{path}.{name}" if path else name
            if below in given:
                parts += _parts(field, columns, n, below, given, used)
            elif name in node.defaults:
                parts.append(_constant(field, node.defaults[name], n, below))
            else:
                raise ValueError(f"the column {below!r} is missing")
        return parts
    null, other = _nullable(node)
    if other.kind == "record" and path not in columns:
        return [_repeated(bytes([2 * (1 - null)]), n), *_parts(other, columns, n, path, given, used)]
    used.add(path)
    if path not in columns:
        raise ValueError(f"the column {path!r} is missing")
    if other.kind == "array" and np.ndim(columns[path]) > 0:
        return _array(other, columns, n, path, given, used, null)
    return list(_leaf(node, columns[path], n, path))


def _matrix(node: Node, value: Any, n: int, path: str) -> _Piece:
    """Give the one piece of a record whose fields are alike."""
    kinds, values = {field.kind for field in node.fields.values()}, np.asarray(value)
    if kinds not in ({"float"}, {"double"}) or np.ma.isMaskedArray(value) or values.dtype.kind not in "iuf":
        raise ValueError(f"the column {path!r} is of {values.dtype}, a record of {', '.join(sorted(kinds))}")
    if values.shape != (n, len(node.fields)):
        raise ValueError(f"the column {path!r} has the shape {values.shape}, expected ({n}, {len(node.fields)})")
    text = np.ascontiguousarray(values, dtype="<f4" if kinds == {"float"} else "<f8").view(np.uint8)
    return _Piece(text, text.shape[1])


def _nullable(node: Node) -> tuple[int, Node]:
    """Give which branch of a union of two is null, and the other one; of any other type -1 and itself."""
    kinds = [part.kind for part in node.parts]
    if node.kind != "union" or len(kinds) != 2 or "null" not in kinds:
        return -1, node
    null = kinds.index("null")
    return null, node.parts[1 - null]


def _array(
    node: Node, columns: Mapping[str, Any], n: int, path: str, given: set[str], used: set[str], null: int
) -> list[_Part]:
    """Give what an array is written of: its branch of a union, unless `null` is -1; the count, the items, the end."""
    offsets = np.asarray(np.ma.getdata(columns[path]), dtype=np.int64)
    if offsets.shape != (n + 1,) or offsets[0] != 0 or (np.diff(offsets) < 0).any():
        raise ValueError(f"the column {path!r} must rise from 0 over {n + 1} places where records' items begin")
    counts, masked = np.diff(offsets), np.ma.getmaskarray(columns[path])[:-1]
    if (wrong := masked & ((counts > 0) | (null < 0))).any():
        raise ValueError(f"the column {path!r} is masked in {wrong.sum()} rows, which have items or cannot be null")
    count, end = _number(counts), _repeated(b"\0", n)
    items = _parts(node.parts[0], columns, int(offsets[-1]), f"{path}[]", given, used)
    parts: list[_Part] = [_Piece(count.text, np.where(counts > 0, count.size, 0)), _Items(items, offsets)]
    parts.append(_Piece(end.text, np.where(masked, 0, 1)) if masked.any() else end)
    return parts if null < 0 else [_number(np.where(masked, null, 1 - null)), *parts]


def _constant(node: Node, value: Any, n: int, path: str) -> _Piece:
    try:
        return _repeated(encode(node, value), n)
    except ValueError as error:
        raise ValueError(f"the column {path!r}: {error}") from error


def _repeated(body: bytes, n: int) -> _Piece:
    text = np.frombuffer(body, dtype=np.uint8)
    return _Piece(np.broadcast_to(text, (n, text.size)), text.size)


def _leaf(node: Node, value: Any, n: int, path: str) -> list[_Piece]:
    """Give the pieces of one column."""
    if value is None or isinstance(value, str | bytes) or np.ndim(value) == 0:
        return [_constant(node, value.item() if isinstance(value, np.generic) else value, n, path)]
    mask = np.ma.getmaskarray(value) if np.ma.isMaskedArray(value) else np.zeros(n, dtype=bool)
    values = np.ma.getdata(value) if np.ma.isMaskedArray(value) else np.asarray(value)
    if values.shape != (n,) or mask.shape != (n,):
        raise ValueError(f"the column {path!r} has the shape {values.shape}, expected ({n},)")
    if node.kind != "union":
        if mask.any():
            raise ValueError(f"the column {path!r} is masked in {mask.sum()} rows and cannot be null")
        return _values(node, values, path)
    null, other = _nullable(node)
    if null < 0:
        kinds = ", ".join(part.kind for part in node.parts)
        raise ValueError(f"the column {path!r} is of a union of {kinds}, which is not written by columns")
    if not mask.any():
        return [_repeated(bytes([2 * (1 - null)]), n), *_values(other, values, path)]
    pieces = _values(other, np.where(mask, np.zeros(1, values.dtype), values), path)
    return [_number(np.where(mask, null, 1 - null)), *(_Piece(text, np.where(mask, 0, size)) for text, size in pieces)]


def _values(node: Node, values: NDArray, path: str) -> list[_Piece]:
    n, kind = values.size, values.dtype.kind
    if node.kind in _BITS and kind in "iu":
        limit = 2 ** _BITS[node.kind]
        if n and (int(values.min()) < -limit or int(values.max()) >= limit):
            raise ValueError(f"the column {path!r} does not fit the type {node.kind}")
        return [_number(values.astype(np.int64))]
    if node.kind in ("float", "double") and kind in "iuf":
        text = np.ascontiguousarray(values, dtype="<f4" if node.kind == "float" else "<f8")
        width = text.dtype.itemsize
        return [_Piece(text.view(np.uint8).reshape(n, width), width)]
    if node.kind == "boolean" and kind == "b":
        return [_Piece(values.astype(np.uint8)[:, None], 1)]
    if node.kind in ("string", "bytes") and kind in ("US" if node.kind == "string" else "S"):
        raw = _utf8(values) if kind == "U" else np.ascontiguousarray(values)
        size = np.char.str_len(raw).astype(np.int64)
        return [_number(size), _piece(raw.view(np.uint8).reshape(n, max(raw.dtype.itemsize, 1)), size)]
    raise ValueError(f"the column {path!r} is of {values.dtype}, which is not written as {node.kind}")


def _utf8(values: NDArray[np.str_]) -> NDArray[np.bytes_]:
    """Encode text; plain letters at once."""
    letters = np.ascontiguousarray(values).view(np.uint32) if values.dtype.itemsize else np.zeros(0, np.uint32)
    if not letters.size or letters.max() > 127 or not values.dtype.isnative:
        return np.char.encode(values, "utf-8")
    return letters.astype(np.uint8).view(f"S{letters.size // values.size}")


def _number(values: NDArray[np.int64]) -> _Piece:
    """Write integers as Avro does: zigzag, seven bits a byte."""
    left = ((values << 1) ^ (values >> 63)).view(np.uint64)
    width = max(-(-int(left.max(initial=0)).bit_length() // 7), 1)
    text = np.empty((values.size, width), dtype=np.uint8)
    size = np.ones(values.size, dtype=np.int64)
    for place in range(width):
        rest = left >> np.uint64(7)
        more = rest > 0
        text[:, place] = (left & np.uint64(127)).astype(np.uint8) | (more.view(np.uint8) << 7)
        size += more
        left = rest
    return _piece(text, size)


def _piece(text: NDArray[np.uint8], size: NDArray[np.int64]) -> _Piece:
    """Note where all rows have the same number of bytes."""
    return _Piece(text, text.shape[1] if size.size and size.min() == text.shape[1] else size)


def _size(part: _Part) -> NDArray[np.int64] | int:
    """Give the bytes of a part, a record a row."""
    if isinstance(part, _Piece):
        return part.size
    total = np.concatenate([[0], np.cumsum(_sizes(part.parts, int(part.offsets[-1])))])
    return total[part.offsets[1:]] - total[part.offsets[:-1]]


def _sizes(parts: list[_Part], n: int) -> NDArray[np.int64]:
    """Give the bytes of records of these parts, shape ``(n,)``."""
    result = np.zeros(n, dtype=np.int64)
    for part in parts:
        result += _size(part)
    return result


def _write(parts: list[_Part], place: NDArray[np.int64], ends: NDArray[np.int64], out: NDArray[np.uint8]) -> None:
    """Write parts one after the other, from each record's place to its end."""
    for whole, run in groupby(parts, lambda part: isinstance(_size(part), int)):
        if whole:
            text = np.concatenate([part.text for part in run if isinstance(part, _Piece)], axis=1)
            run = iter([_Piece(text, text.shape[1])])
        for part in run:
            if isinstance(part, _Piece):
                _put(part, place, ends, out)
            else:
                sizes = _sizes(part.parts, int(part.offsets[-1]))
                before = np.cumsum(sizes) - sizes
                start = np.repeat(place - np.append(before, 0)[part.offsets[:-1]], np.diff(part.offsets)) + before
                _write(part.parts, start, start + sizes, out)
            place = place + _size(part)


def _put(piece: _Piece, place: NDArray[np.int64], ends: NDArray[np.int64], out: NDArray[np.uint8]) -> None:
    """Write a piece; what a row has too much is written over by what follows, if its record is long enough."""
    width = piece.text.shape[1]
    if not width or not place.size:
        return
    if isinstance(piece.size, int) or (place + width <= ends).all():
        np.lib.stride_tricks.sliding_window_view(out, width, writeable=True)[place] = piece.text
    else:
        inside = np.arange(width) < piece.size[:, None]
        out[(place[:, None] + np.arange(width))[inside]] = piece.text[inside]
