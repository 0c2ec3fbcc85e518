"""Writing Avro by columns: the bodies of many records at once, such as the answers to a batch of alerts."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from telperion.formats.avro import Node
from telperion.formats.avro_write import encode

_Piece = tuple[NDArray[np.uint8], NDArray[np.int64]]  # bytes, shape (n_rows, width), and how many of each row count
_BITS = {"int": 31, "long": 63}


def encode_columns(schema: Node, columns: Mapping[str, Any], n: int, header: bytes = b"") -> list[bytes]:
    """Write records, given by columns, as `telperion.formats.avro_write.encode` writes each.

    Parameters
    ----------
    schema : Node
        A record of primitives, of unions of null and a primitive, of such records, and of arrays of these.
    columns : mapping of str to any
        By path, such as ``classifications[].probability``, a value for all records or an array of one a record, an item
        of an array. For an array itself (``classifications``) where each record's items begin among all, shape
        ``(n + 1,)``. Masked values of a masked array are null. A field that is not given takes its default.
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
    used: set[str] = set()
    parts = _parts(schema, columns, n, "", used)
    if unknown := sorted(set(columns) - used):
        raise ValueError(f"the schema has no field {', '.join(unknown)}")
    sizes: NDArray[np.int64] = sum((_size(part) for part in parts), np.full(n, len(header)))
    ends = np.cumsum(sizes)
    out = np.zeros(int(ends[-1]) if n else 0, dtype=np.uint8)
    place = ends - sizes
    given = np.frombuffer(header, dtype=np.uint8)
    _write([(np.broadcast_to(given, (n, given.size)), np.full(n, given.size)), *parts], place, out)
    data = out.tobytes()
    return [data[end - size : end] for end, size in zip(ends.tolist(), sizes.tolist(), strict=True)]


_Items = tuple[list[Any], NDArray[np.int64]]  # the parts of an array's items, and where each record's begin
_Part = _Piece | _Items


def _parts(node: Node, columns: Mapping[str, Any], n: int, path: str, used: set[str]) -> list[_Part]:
    """Give what a record is written of, in order."""
    if node.kind == "record":
        parts: list[_Part] = []
        for name, field in node.fields.items():
            below = f"{path}.{name}" if path else name
            given = any(key == below or key.startswith((f"{below}.", f"{below}[]")) for key in columns)
            if given:
                parts += _parts(field, columns, n, below, used)
            elif name in node.defaults:
                parts.append(_constant(field, node.defaults[name], n, below))
            else:
                raise ValueError(f"the column {below!r} is missing")
        return parts
    used.add(path)
    if path not in columns:
        raise ValueError(f"the column {path!r} is missing")
    if node.kind != "array":
        return list(_leaf(node, columns[path], n, path))
    offsets = np.asarray(columns[path], dtype=np.int64)
    if offsets.shape != (n + 1,) or offsets[0] != 0 or (np.diff(offsets) < 0).any():
        raise ValueError(f"the column {path!r} must rise from 0 over {n + 1} places where records' items begin")
    counts = np.diff(offsets)
    text, size = _number(counts)
    items = _parts(node.parts[0], columns, int(offsets[-1]), f"{path}[]", used)
    return [(text, np.where(counts > 0, size, 0)), (items, offsets), _constant(Node("null"), None, n, path, b"\0")]


def _constant(node: Node, value: Any, n: int, path: str, body: bytes | None = None) -> _Piece:
    try:
        body = encode(node, value) if body is None else body
    except ValueError as error:
        raise ValueError(f"the column {path!r}: {error}") from error
    text = np.frombuffer(body, dtype=np.uint8)
    return np.broadcast_to(text, (n, text.size)), np.full(n, text.size)


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
    kinds = [part.kind for part in node.parts]
    if len(kinds) != 2 or "null" not in kinds:
        raise ValueError(f"the column {path!r} is of a union of {', '.join(kinds)}, which is not written by columns")
    null = kinds.index("null")
    branch, size = _number(np.where(mask, null, 1 - null))
    pieces = _values(node.parts[1 - null], np.where(mask, np.zeros(1, values.dtype), values), path)
    return [(branch, size), *((text, np.where(mask, 0, size)) for text, size in pieces)]


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
        return [(text.view(np.uint8).reshape(n, width), np.full(n, width))]
    if node.kind == "boolean" and kind == "b":
        return [(values.astype(np.uint8)[:, None], np.ones(n, dtype=np.int64))]
    if node.kind in ("string", "bytes") and kind in ("U" if node.kind == "string" else "S"):
        raw = np.char.encode(values, "utf-8") if kind == "U" else np.ascontiguousarray(values)
        size = np.char.str_len(raw).astype(np.int64)
        return [_number(size), (raw.view(np.uint8).reshape(n, max(raw.dtype.itemsize, 1)), size)]
    raise ValueError(f"the column {path!r} is of {values.dtype}, which is not written as {node.kind}")


def _number(values: NDArray[np.int64]) -> _Piece:
    """Write integers as Avro does: zigzag, seven bits a byte."""
    left = ((values << 1) ^ (values >> 63)).astype(np.uint64)
    size = np.ones(values.size, dtype=np.int64)
    for shift in range(7, 70, 7):
        size += (left >> np.uint64(shift)) > 0 if shift < 64 else 0
    width = int(size.max(initial=1))
    place = np.arange(width)
    text = ((left[:, None] >> (7 * place).astype(np.uint64)) & np.uint64(127)).astype(np.uint8)
    return text | ((place < size[:, None] - 1) * np.uint8(128)), size


def _size(part: _Part) -> NDArray[np.int64]:
    """Give the bytes of a part, a record a row."""
    first, second = part
    if not isinstance(first, list):
        return second
    total = np.concatenate(
        [[0], np.cumsum(sum((_size(piece) for piece in first), np.zeros(int(second[-1]), np.int64)))]
    )
    return total[second[1:]] - total[second[:-1]]


def _write(parts: list[_Part], place: NDArray[np.int64], out: NDArray[np.uint8]) -> None:
    """Write parts one after the other from each record's place on."""
    for part in parts:
        first, second = part
        size = _size(part)
        if isinstance(first, list):
            sizes = sum((_size(piece) for piece in first), np.zeros(int(second[-1]), np.int64))
            before = np.cumsum(sizes) - sizes
            counts = np.diff(second)
            start = np.repeat(place - np.append(before, 0)[second[:-1]], counts) + before
            _write(first, start, out)
        elif first.size:
            at = place[:, None] + np.arange(first.shape[1])
            inside = np.arange(first.shape[1]) < size[:, None]
            out[at[inside]] = first[inside]
        place = place + size
