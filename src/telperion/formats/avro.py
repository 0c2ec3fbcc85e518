"""Avro schemas, and the frames that records travel in: object container files and Confluent's wire format."""

from __future__ import annotations

import json
import re
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

MAGIC = b"Obj\x01"
"""The first bytes of an object container file."""

PRIMITIVES = ("null", "boolean", "int", "long", "float", "double", "string", "bytes")
FIXED_WIDTH = {"boolean": 1, "float": 4, "double": 8}
"""Bytes of the types that always take as many."""

MOST_EMPTY = 65_536
"""Most items without bytes (of an array of nulls, say) that a body may claim, since no byte bounds them."""

_DEEPEST, _LARGEST_HEADER, _LARGEST_FILE = 64, 2**24, 2**32
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*(\.[A-Za-z_][A-Za-z0-9_]*)*")
_VERSION = re.compile(r".*\.v(\d+)_(\d+)")


@dataclass(eq=False, repr=False)
class Node:
    """A type of a schema; a named record that is used twice is one node, so that nodes may form a ring.

    Parameters
    ----------
    kind : str
        A name of `PRIMITIVES`, or fixed, enum, record, array, map, union. Logical types are what they are based on.
    name : str
        Full name of a record, an enum or a fixed.
    fields : dict of str to Node
        Of a record, in order.
    defaults : dict of str to any
        What a record's fields are where a writer leaves them out.
    parts : tuple of Node
        The one type of the items of an array or map; the branches of a union.
    symbols : tuple of str
        Of an enum.
    size : int
        Bytes of a fixed.
    """

    kind: str
    name: str = ""
    fields: dict[str, Node] = field(default_factory=dict)
    defaults: dict[str, Any] = field(default_factory=dict)
    parts: tuple[Node, ...] = ()
    symbols: tuple[str, ...] = ()
    size: int = 0


@dataclass(frozen=True, eq=False)
class Bodies:
    """Records without their schema, somewhere in one buffer.

    Parameters
    ----------
    buffer : array of uint8
    starts, stops : array of int64, shape ``(n_bodies,)``
        A start of -1 is where the body before ends, as within a block of a container file.
    fault : tuple of int and str, optional
        Where and why the rest of a container file cannot be read.
    """

    buffer: NDArray[np.uint8]
    starts: NDArray[np.int64]
    stops: NDArray[np.int64]
    fault: tuple[int, str] | None = None


# -- schemas ------------------------------------------------------------------------------------------------------


def parse_schema(definition: Any, named: Mapping[str, Any] | None = None) -> Node:
    """Read a schema.

    Parameters
    ----------
    definition : str, bytes, dict or list
        JSON, or what JSON holds.
    named : mapping of str to dict, optional
        Definitions by full name that `definition` may refer to.

    Raises
    ------
    ValueError
        It is no schema: the message says what and where.

    Examples
    --------
    >>> node = parse_schema('{"type": "record", "name": "a.point", "fields": [{"name": "x", "type": ["null", "int"]}]}')
    >>> node.name, node.fields["x"].kind, [part.kind for part in node.fields["x"].parts]
    ('a.point', 'union', ['null', 'int'])
    """
    try:
        if isinstance(definition, bytes | str) and definition not in PRIMITIVES:
            definition = json.loads(definition)
        return _parse(definition, "", {}, named or {}, 0)
    except RecursionError as error:
        raise ValueError("the schema is nested too deeply") from error


def _parse(definition: Any, space: str, known: dict[str, Node], named: Mapping[str, Any], depth: int) -> Node:
    if depth > _DEEPEST:
        raise ValueError(f"the schema is nested more than {_DEEPEST} deep")
    if isinstance(definition, list):
        return _union([_parse(branch, space, known, named, depth + 1) for branch in definition])
    if isinstance(definition, str):
        if definition in PRIMITIVES:
            return Node(definition)
        for name in (definition, f"{space}.{definition}"):
            if name in known:
                return known[name]
            if name in named:
                return _parse(named[name], "", known, named, depth + 1)
        raise ValueError(f"the schema names the type {definition!r} and does not define it")
    if not isinstance(definition, dict) or "type" not in definition:
        raise ValueError(f"{json.dumps(definition, default=str)[:80]} is not a type of Avro")
    kind = definition["type"]
    if kind == "array" or kind == "map":
        key = "items" if kind == "array" else "values"
        return Node(kind, parts=(_parse(definition.get(key), space, known, named, depth + 1),))
    if kind not in ("record", "error", "enum", "fixed"):
        return _parse(kind, space, known, named, depth + 1)
    return _parse_named(definition, space, known, named, depth)


def _parse_named(definition: Any, space: str, known: dict[str, Node], named: Mapping[str, Any], depth: int) -> Node:
    name = full_name(definition, space)
    if name in known:
        raise ValueError(f"the schema defines {name!r} twice")
    kind = "record" if definition["type"] == "error" else definition["type"]
    node = known[name] = Node(kind, name)
    if kind == "fixed":
        node.size = definition.get("size", -1)
        if not isinstance(node.size, int) or not 0 <= node.size < 2**30:
            raise ValueError(f"the size of {name!r} is {node.size!r}")
    elif kind == "enum":
        node.symbols = tuple(definition.get("symbols", ()))
    else:
        for item in definition.get("fields", ()):
            if not isinstance(item, dict) or not isinstance(item.get("name"), str) or "type" not in item:
                raise ValueError(f"a field of {name!r} has no name or no type")
            if item["name"] in node.fields:
                raise ValueError(f"{name!r} has two fields {item['name']!r}")
            node.fields[item["name"]] = _parse(item["type"], name.rpartition(".")[0], known, named, depth + 1)
            if "default" in item:
                node.defaults[item["name"]] = item["default"]
    return node


def full_name(definition: Mapping[str, Any], space: str = "") -> str:
    """Give the name of a record, an enum or a fixed with its namespace, which by default is `space`."""
    name = definition.get("name")
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        raise ValueError(f"the schema calls a type {name!r}")
    space = definition.get("namespace", space)
    return f"{space}.{name}" if space and "." not in name else name


def _union(branches: list[Node]) -> Node:
    kinds = [branch.name or branch.kind for branch in branches]
    if "union" in kinds or len(set(kinds)) < len(kinds) or not kinds:
        raise ValueError(f"a union of {', '.join(kinds) or 'nothing'} is not allowed")
    return Node("union", parts=tuple(branches))


def schema_json(node: Node) -> str:
    """Give a schema as JSON that needs no other definitions."""
    return json.dumps(_plain(node, set()))


def _plain(node: Node, seen: set[str]) -> Any:
    if node.kind == "union":
        return [_plain(part, seen) for part in node.parts]
    if node.kind in ("array", "map"):
        return {"type": node.kind, "items" if node.kind == "array" else "values": _plain(node.parts[0], seen)}
    if not node.name or node.name in seen:
        return node.name or node.kind
    seen.add(node.name)
    about: dict[str, Any] = {"type": node.kind, "name": node.name}
    if node.kind == "fixed":
        return about | {"size": node.size}
    if node.kind == "enum":
        return about | {"symbols": list(node.symbols)}
    fields = [{"name": name, "type": _plain(part, seen)} for name, part in node.fields.items()]
    for item in fields:
        if item["name"] in node.defaults:
            item["default"] = node.defaults[item["name"]]
    return about | {"fields": fields}


def read_schema(file: str | Path) -> Node:
    """Read a schema from an ``.avsc`` file; what it refers to is looked for in the ``.avsc`` files beside it."""
    named = {}
    for other in sorted(Path(file).parent.glob("*.avsc")):
        definition = json.loads(other.read_text())
        if isinstance(definition, dict):
            named[full_name(definition)] = definition
    return parse_schema(Path(file).read_text(), named)


def read_schemas(folder: str | Path) -> dict[int, Node]:
    """Read every ``*.alert.avsc`` below a folder, by Rubin's registry id: ``lsst.v11_0.alert`` is 1100.

    Parameters
    ----------
    folder : str or Path
        Such as ``python/lsst/alert/packet/schema`` of Rubin's alert_packet. Alerts whose namespace ends in no version
        ``.v<major>_<minor>`` are left out.

    Raises
    ------
    FileNotFoundError
        There is none.
    """
    files = sorted(Path(folder).rglob("*.alert.avsc"))
    if not files:
        raise FileNotFoundError(f"{folder}: no file *.alert.avsc in it or below")
    schemas = {}
    for file in files:
        node = read_schema(file)
        if match := _VERSION.fullmatch(node.name.rpartition(".")[0]):
            schemas[int(match[1]) * 100 + int(match[2])] = node
    return schemas


def least_bytes(node: Node) -> int:
    """Give the fewest bytes that a value takes; of a record that holds itself without end, many."""
    return _least(node, {})


def _least(node: Node, known: dict[str, int]) -> int:
    if node.kind in FIXED_WIDTH:
        return FIXED_WIDTH[node.kind]
    if node.kind == "union":
        return 1 + min(_least(part, known) for part in node.parts)
    if node.kind == "record":
        if node.name not in known:
            known[node.name] = 2**40  # while it is worked out: one that holds itself never ends
            known[node.name] = min(2**40, sum(_least(part, known) for part in node.fields.values()))
        return known[node.name]
    return {"null": 0, "fixed": node.size}.get(node.kind, 1)


# -- frames -------------------------------------------------------------------------------------------------------


def confluent(schema_id: int, body: bytes) -> bytes:
    """Put Confluent's header, a zero and the schema's id, before a body."""
    return b"\0" + schema_id.to_bytes(4, "big") + body


def read_container(data: bytes) -> tuple[Node, Bodies]:
    """Read an object container file: its schema, and where its records are.

    Parameters
    ----------
    data : bytes

    Returns
    -------
    Node, Bodies
        Blocks behind a damaged one are lost: `Bodies.fault` says so.

    Raises
    ------
    ValueError
        The header is damaged, or the codec is neither null nor deflate.
    """
    if data[:4] != MAGIC:
        raise ValueError(f"the file begins with {data[:4]!r}, not with {MAGIC!r}")
    header, place = _metadata(data)
    codec = header.get("avro.codec", b"null").decode("utf-8", "replace")
    if codec not in ("null", "deflate"):
        raise ValueError(f"the codec {codec!r} is not read; null and deflate are")
    schema = parse_schema(header.get("avro.schema", b"null"))
    least, fault = least_bytes(schema), None
    blocks: list[bytes] = []
    counts, starts, stops, end = [], [], [], 0
    try:
        for count, start, stop in _blocks(data, place):
            block = data[start:stop] if codec == "null" else _inflate(data[start:stop], _LARGEST_FILE - end)
            if count < 0 or (count * least > len(block) if least else count > MOST_EMPTY):
                raise ValueError(f"a block of {len(block)} bytes claims {count} records")
            origin = start if codec == "null" else end
            if count:
                counts.append(count)
                starts.append(origin)
                stops.append(origin + len(block))
            elif block:
                raise ValueError(f"a block of {len(block)} bytes claims no records")
            if codec == "deflate":
                blocks.append(block)
                end += len(block)
            place = stop + 16
    except (ValueError, zlib.error) as error:
        fault = (place, str(error))
    content = data if codec == "null" else b"".join(blocks)
    first = np.repeat(np.array(starts, dtype=np.int64), counts)
    inside = np.ones(first.size, dtype=bool)
    inside[np.cumsum([0, *counts[:-1]])[: len(counts)]] = False
    first[inside] = -1
    bodies = Bodies(np.frombuffer(content, np.uint8), first, np.repeat(np.array(stops, np.int64), counts), fault)
    return schema, bodies


def _metadata(data: bytes) -> tuple[dict[str, bytes], int]:
    result, place = {}, 4
    while True:
        count, place = read_long(data, place)
        if count < 0:
            count, (_, place) = -count, read_long(data, place)
        if count == 0:
            return result, place
        for _ in range(count):
            key, place = _read_bytes(data, place)
            value, place = _read_bytes(data, place)
            result[key.decode("utf-8", "replace")] = value
            if place > _LARGEST_HEADER:
                raise ValueError(f"the header is larger than {_LARGEST_HEADER} bytes")


def _blocks(data: bytes, place: int) -> Iterator[tuple[int, int, int]]:
    """Give the number of records, first byte and end of each block."""
    sync, place = data[place : place + 16], place + 16
    if len(sync) < 16:
        raise ValueError("the file ends within its header")
    while place < len(data):
        count, place = read_long(data, place)
        size, place = read_long(data, place)
        if not 0 <= size <= len(data) - place - 16:
            raise ValueError(f"a block claims {size} bytes of {len(data) - place}, its marker included (cut short?)")
        yield count, place, place + size
        place += size + 16
        if data[place - 16 : place] != sync:
            raise ValueError("a block does not end with the file's marker")


def _inflate(block: bytes, most: int) -> bytes:
    unpacker = zlib.decompressobj(-15)
    result = unpacker.decompress(block, min(most, 1032 * len(block) + 64))
    if not unpacker.eof:
        raise ValueError("a compressed block is cut short or too large")
    return result


def _read_bytes(data: bytes, place: int) -> tuple[bytes, int]:
    size, place = read_long(data, place)
    if not 0 <= size <= len(data) - place:
        raise ValueError(f"the header claims a text of {size} bytes at byte {place}")
    return data[place : place + size], place + size


def read_long(data: bytes, place: int) -> tuple[int, int]:
    """Read a number of Avro's (zigzag, seven bits a byte); give it and the place behind it."""
    value = 0
    for shift in range(0, 70, 7):
        if place >= len(data):
            raise ValueError(f"the data end within a number at byte {place}")
        byte, place = data[place], place + 1
        value |= (byte & 127) << shift
        if byte < 128:
            if value >= 2**64:
                break
            return (value >> 1) ^ -(value & 1), place
    raise ValueError(f"a number takes more than 64 bits before byte {place}")
