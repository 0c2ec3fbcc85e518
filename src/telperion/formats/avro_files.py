"""The frames that Avro records travel in: object container files and Confluent's wire format."""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from telperion.formats.avro import Node, least_bytes, parse_schema

MAGIC = b"Obj\x01"
"""The first bytes of an object container file."""

MOST_EMPTY = 65_536
"""Most items without bytes (of an array of nulls, say) that a body may claim, since no byte bounds them."""

LARGEST = 2**24
"""Bytes of a packet that is still read."""

_LARGEST_HEADER, _MOST_ENTRIES = 2**24, 1000


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


def confluent(schema_id: int, body: bytes) -> bytes:
    """Put Confluent's header, a zero and the schema's id, before a body."""
    return b"\0" + schema_id.to_bytes(4, "big") + body


def read_container(data: bytes, largest: int = 2**32, most: int = 2**31) -> tuple[Node, Bodies]:
    """Read an object container file: its schema, and where its records are.

    Parameters
    ----------
    data : bytes
    largest, most : int
        Bytes, once unpacked, and records that are still read.

    Returns
    -------
    Node, Bodies
        A damaged block and all behind it are lost: `Bodies.fault` says so.

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
    schema = _embedded(header.get("avro.schema", b"null"))
    least, fault = least_bytes(schema), None
    blocks: list[bytes] = []
    counts: list[int] = []
    starts, stops, end = [], [], 0
    try:
        for count, start, stop in _blocks(data, place):
            block = data[start:stop] if codec == "null" else _inflate(data[start:stop], largest - end)
            if count < 0 or count * least > len(block):
                raise ValueError(f"a block of {len(block)} bytes claims {count} records")
            if sum(counts) + count > (most if least else min(most, MOST_EMPTY)):
                raise ValueError(f"a block claims {count} records, more than are read")
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


@lru_cache(maxsize=32)
def _embedded(text: bytes) -> Node:
    """Read a schema once, since one survey's packets bring the same one again and again."""
    return parse_schema(text)


def _metadata(data: bytes) -> tuple[dict[str, bytes], int]:
    result: dict[str, bytes] = {}
    place, total = 4, 0
    while True:
        count, place = read_long(data, place)
        if count < 0:
            count, (_, place) = -count, read_long(data, place)
        total += count
        if count == 0:
            return result, place
        if total > _MOST_ENTRIES:
            raise ValueError(f"the header claims {total} entries")
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
        if data[place + size : place + size + 16] != sync:
            raise ValueError("a block does not end with the file's marker")
        yield count, place, place + size
        place += size + 16


def _inflate(block: bytes, most: int) -> bytes:
    unpacker = zlib.decompressobj(-15)
    result = unpacker.decompress(block, max(min(most, 1032 * len(block) + 64), 1))  # 0 would be without bound
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
