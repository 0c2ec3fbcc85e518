"""Writing Avro: records into bodies, bodies into object container files. Plain Python, a record at a time."""

from __future__ import annotations

import hashlib
import struct
import zlib
from collections.abc import Iterable
from typing import Any

import numpy as np

from telperion.formats.avro import Node, schema_json
from telperion.formats.avro_files import MAGIC

_BLOCK = 2**16
_PACKED = {"float": struct.Struct("<f"), "double": struct.Struct("<d")}
_WHOLE, _NUMBER = (int, np.integer), (int, float, np.integer, np.floating)
_TYPES: dict[str, tuple[type, ...]] = {
    "null": (type(None),),
    "boolean": (bool, np.bool_),
    "int": _WHOLE,
    "long": _WHOLE,
    "float": _NUMBER,
    "double": _NUMBER,
    "string": (str,),
    "bytes": (bytes,),
    "fixed": (bytes,),
    "enum": (str,),
    "array": (list, tuple, np.ndarray),
    "map": (dict,),
    "record": (dict,),
}
_BITS = {"int": 31, "long": 63}


def encode(schema: Node, value: Any) -> bytes:
    """Write a value as the body that a schema asks for.

    Parameters
    ----------
    schema : Node
    value : dict, list, str, bytes, bool, number or None
        A record is a dict; a field that it lacks takes its default. Of a union, the first branch that fits is taken.

    Raises
    ------
    ValueError
        A value does not fit its type, or a field is missing; the message names the field.

    Examples
    --------
    >>> from telperion.formats.avro import parse_schema
    >>> encode(parse_schema({"type": "array", "items": ["null", "long"]}), [None, -2]).hex()
    '0400020300'
    """
    out = bytearray()
    _encode(schema, value, out, "")
    return bytes(out)


def container(schema: Node, bodies: Iterable[bytes], codec: str = "null") -> bytes:
    """Give an object container file with these bodies, in blocks of about 64 KiB.

    Parameters
    ----------
    schema : Node
    bodies : iterable of bytes
    codec : {"null", "deflate"}
        Whether blocks are compressed.

    Examples
    --------
    >>> from telperion.formats.avro import parse_schema
    >>> from telperion.formats.avro_files import read_container
    >>> schema = parse_schema("long")
    >>> read_container(container(schema, [encode(schema, 1), encode(schema, 300)], "deflate"))[1].buffer
    array([  2, 216,   4], dtype=uint8)
    """
    if codec not in ("null", "deflate"):
        raise ValueError(f"codec is {codec!r}, expected null or deflate")
    text = schema_json(schema).encode()
    sync = hashlib.blake2b(text, digest_size=16).digest()
    out = bytearray(MAGIC)
    out += _long(2)
    for entry in (b"avro.codec", codec.encode(), b"avro.schema", text):
        out += _long(len(entry)) + entry
    out += b"\0" + sync
    block, count = bytearray(), 0
    for body in bodies:
        block += body
        count += 1
        if len(block) >= _BLOCK:
            out += _block(bytes(block), count, codec) + sync
            block, count = bytearray(), 0
    return bytes(out + _block(bytes(block), count, codec) + sync if count else out)


def _block(block: bytes, count: int, codec: str) -> bytes:
    if codec == "deflate":
        packer = zlib.compressobj(wbits=-15)
        block = packer.compress(block) + packer.flush()
    return _long(count) + _long(len(block)) + block


def _long(value: int) -> bytes:
    left = (value << 1) ^ (value >> 63)
    out = bytearray()
    while left > 127:
        out.append(left & 127 | 128)
        left >>= 7
    out.append(left)
    return bytes(out)


def _fits(kind: str, value: Any) -> bool:
    if isinstance(value, bool) and kind != "boolean":
        return False
    limit = 2 ** _BITS.get(kind, 0)
    return isinstance(value, _TYPES[kind]) and (kind not in _BITS or -limit <= value < limit)


def _encode(node: Node, value: Any, out: bytearray, path: str) -> None:
    if node.kind == "union":
        for branch, part in enumerate(node.parts):
            if _fits(part.kind, value):
                out += _long(branch)
                return _encode(part, value, out, path)
    elif _fits(node.kind, value):
        return _encode_one(node, value, out, path)
    kinds = " or ".join(part.kind for part in node.parts) if node.kind == "union" else node.kind
    raise ValueError(f"{path or 'the value'} is {value!r:.60}, expected {kinds}")


def _encode_one(node: Node, value: Any, out: bytearray, path: str) -> None:
    if node.kind == "record":
        for name, part in node.fields.items():
            if name not in value and name not in node.defaults:
                raise ValueError(f"{path or node.name} lacks the field {name!r}")
            given = value[name] if name in value else _default(part, node.defaults[name])
            _encode(part, given, out, f"{path}.{name}" if path else name)
    elif node.kind in ("array", "map"):
        if len(value):
            out += _long(len(value))
            for key in value:
                if node.kind == "map":
                    out += _long(len(key.encode())) + key.encode()
                _encode(node.parts[0], value[key] if node.kind == "map" else key, out, f"{path}[]")
        out += b"\0"
    elif node.kind in ("int", "long"):
        out += _long(int(value))
    elif node.kind in _PACKED:
        out += _PACKED[node.kind].pack(value)
    elif node.kind == "boolean":
        out.append(bool(value))
    elif node.kind == "fixed":
        if len(value) != node.size:
            raise ValueError(f"{path} has {len(value)} bytes, expected {node.size}")
        out += value
    elif node.kind == "enum":
        if value not in node.symbols:
            raise ValueError(f"{path} is {value!r}, expected one of {', '.join(node.symbols)}")
        out += _long(node.symbols.index(value))
    elif node.kind != "null":
        text = value.encode() if isinstance(value, str) else value
        out += _long(len(text)) + text


def _default(node: Node, default: Any) -> Any:
    """Give a default of a schema as a value: bytes are text there."""
    kinds = {part.kind for part in (node.parts or (node,))}
    return (
        default.encode("latin-1")
        if isinstance(default, str) and kinds & {"bytes", "fixed"} and "string" not in kinds
        else default
    )
