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
        A record of primitives, of such records, of arrays of these, and of unions of null and one of them.
    columns : mapping of str to any
        By path, such as ``classifications[].probability``, a value for all records or an array of one a record, an item
        of an array. For an array itself (``classifications``) where each record's items begin among all, shape
        ``(n + 1,)``. Masked values of a masked array are null, as are arrays whose beginnings are masked. Texts are
        str, or bytes in UTF-8 (faster). A field that is not given takes its default.
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
        return _merged(parts)
    null, other = _nullable(node)
    if other.kind == "record" and path not in columns:
        return [_constant(node, None, n, path, bytes([2 * (1 - null)])), *_parts(other, columns, n, path, used)]
    used.add(path)
    if path not in columns:
        raise ValueError(f"the column {path!r} is missing")
    if other.kind == "array" and np.ndim(columns[path]) > 0:
        return _array(other, columns, n, path, used, null)
    return list(_leaf(node, columns[path], n, path))


def _nullable(node: Node) -> tuple[int, Node]:
    """Give which branch of a union of two is null, and the other one; of any other type -1 and itself."""
    kinds = [part.kind for part in node.parts]
    if node.kind != "union" or len(kinds) != 2 or "null" not in kinds:
        return -1, node
    null = kinds.index("null")
    return null, node.parts[1 - null]


def _array(node: Node, columns: Mapping[str, Any], n: int, path: str, used: set[str], null: int) -> list[_Part]:
    """Give what an array is written of: its branch of a union, unless `null` is -1; the count, the items, the end."""
    offsets = np.asarray(np.ma.getdata(columns[path]), dtype=np.int64)
    if offsets.shape != (n + 1,) or offsets[0] != 0 or (np.diff(offsets) < 0).any():
        raise ValueError(f"the column {path!r} must rise from 0 over {n + 1} places where records' items begin")
    counts, masked = np.diff(offsets), np.ma.getmaskarray(columns[path])[:-1]
    if (wrong := masked & ((counts > 0) | (null < 0))).any():
        raise ValueError(f"the column {path!r} is masked in {wrong.sum()} rows, which have items or cannot be null")
    text, size = _number(counts)
    items = _parts(node.parts[0], columns, int(offsets[-1]), f"{path}[]", used)
    parts: list[_Part] = [(text, np.where(counts > 0, size, 0)), (items, offsets)]
    parts.append((np.zeros((n, 1), dtype=np.uint8), np.where(masked, 0, 1)))
    return parts if null < 0 else [_number(np.where(masked, null, 1 - null)), *parts]


def _merged(parts: list[_Part]) -> list[_Part]:
    """Join neighbours that take as many bytes in every record: they are then written at once."""
    found: list[_Part] = []
    run: list[NDArray[np.uint8]] = []
    for part in [*parts, None]:
        if part is not None and not isinstance(part[0], list) and (part[1] == part[0].shape[1]).all():
            run.append(part[0])
            continue
        if run:
            text = np.concatenate(run, axis=1)
            found.append((text, np.full(text.shape[0], text.shape[1])))
            run = []
        if part is not None:
            found.append(part)
    return found


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
    null, other = _nullable(node)
    if null < 0:
        kinds = ", ".join(part.kind for part in node.parts)
        raise ValueError(f"the column {path!r} is of a union of {kinds}, which is not written by columns")
    branch, size = _number(np.where(mask, null, 1 - null))
    pieces = _values(other, np.where(mask, np.zeros(1, values.dtype), values), path)
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
    if node.kind in ("string", "bytes") and kind in ("US" if node.kind == "string" else "S"):
        raw = np.char.encode(values, "utf-8") if kind == "U" else np.ascontiguousarray(values)
        size = np.char.str_len(raw).astype(np.int64)
        return [_number(size), (raw.view(np.uint8).reshape(n, max(raw.dtype.itemsize, 1)), size)]
    raise ValueError(f"the column {path!r} is of {values.dtype}, which is not written as {node.kind}")


def _number(values: NDArray[np.int64]) -> _Piece:
    """Write integers as Avro does: zigzag, seven bits a byte."""
    left = ((values << 1) ^ (values >> 63)).astype(np.uint64)
    width = max(1, -(-int(left.max(initial=0)).bit_length() // 7))
    size = np.ones(values.size, dtype=np.int64)
    text = np.empty((values.size, width), dtype=np.uint8)
    for place in range(width):
        text[:, place] = left & np.uint64(127)
        left >>= np.uint64(7)
        if place + 1 < width:
            more = left > 0
            text[:, place] |= more * np.uint8(128)
            size += more
    return text, size


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
            _put(first, size, place, out)
        place = place + size


def _put(text: NDArray[np.uint8], size: NDArray[np.int64], place: NDArray[np.int64], out: NDArray[np.uint8]) -> None:
    """Write each row's first bytes at its place: those of one size at once, as items of an array that overlap."""
    for width in np.flatnonzero(np.bincount(size)).tolist():
        if width:
            which = slice(None) if (same := size == width).all() else np.flatnonzero(same)
            items = np.ndarray(out.size - width + 1, dtype=f"V{width}", buffer=out.data, strides=(1,))
            items[place[which]] = np.ascontiguousarray(text[which, :width]).view(f"V{width}").ravel()
