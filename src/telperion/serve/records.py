"""What is kept of an object between its alerts: one record of bytes, the state of the model among it."""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
from numpy.typing import NDArray

N_ANSWERED = 8
"""Alerts of an object that are remembered as answered."""

_CHECK = np.dtype("<u4")
_DIGEST, _DAY = np.dtype("<u4"), np.dtype("<u2")


@dataclass(eq=False)
class Records:
    """What is known of objects from their alerts so far, one entry an object.

    Parameters
    ----------
    found : array of bool, shape ``(n_objects,)``
        Whether anything was known.
    head : structured array, shape ``(n_objects,)``
        ``alert_time`` (of the latest alert, MJD), ``first_detection`` (MJD, NaN: none), ``n_rows`` (in the state),
        ``context`` (its digest), ``truncated`` (whether the state began with a shortened history), ``answered`` (the
        latest alerts that were answered), and the fields of the model's state.
    digests, days : array, shape ``(n_rows,)``
        Of the rows that made the states, as far as packets still show them.
    offsets : array of int64, shape ``(n_objects + 1,)``
        Where each object's begin.
    """

    found: NDArray[np.bool_]
    head: NDArray[Any]
    digests: NDArray[np.uint32]
    days: NDArray[np.uint16]
    offsets: NDArray[np.int64]


class Layout:
    """How records are written and read, for a model's state.

    Parameters
    ----------
    state
        Of one object of which nothing is known: a dataclass of arrays, objects first.
    """

    def __init__(self, state: Any) -> None:
        self._kind = type(state)
        parts = {field.name: getattr(state, field.name) for field in fields(state)}
        self._state = list(parts)
        self.head = np.dtype(
            [
                ("truncated", "?"),
                ("n_rows", "<u4"),
                ("context", "<u8"),
                ("alert_time", "<f8"),
                ("first_detection", "<f8"),
                ("answered", "<i8", (N_ANSWERED,)),
                *((name, part.dtype.newbyteorder("<"), part.shape[1:]) for name, part in parts.items()),
            ]
        )
        self.blank = np.zeros(1, dtype=self.head)
        self.blank["alert_time"], self.blank["first_detection"] = -np.inf, np.nan
        for name, part in parts.items():
            self.blank[name] = part

    def state(self, head: NDArray[Any]) -> Any:
        """Give the states of the model in records."""
        return self._kind(*(np.ascontiguousarray(head[name]) for name in self._state))

    def put(self, head: NDArray[Any], state: Any) -> None:
        """Write states of the model into records."""
        for name in self._state:
            head[name] = getattr(state, name)

    def pack(self, keys: Sequence[bytes], records: Records) -> list[bytes]:
        """Give the records as bytes, each with a checksum of itself and its key."""
        head, size = np.ascontiguousarray(records.head), self.head.itemsize
        texts, digests, days = head.tobytes(), records.digests.astype(_DIGEST), records.days.astype(_DAY)
        result = []
        for k, (key, first, last) in enumerate(zip(keys, records.offsets[:-1], records.offsets[1:], strict=True)):
            body = texts[k * size : (k + 1) * size] + digests[first:last].tobytes() + days[first:last].tobytes()
            result.append(zlib.crc32(body, zlib.crc32(key)).to_bytes(4, "little") + body)
        return result

    def unpack(self, keys: Sequence[bytes], values: Sequence[bytes | None]) -> tuple[Records, int]:
        """Read records; gives, too, how many were damaged, which count as not there."""
        size, row = self.head.itemsize, _DIGEST.itemsize + _DAY.itemsize
        found = np.zeros(len(keys), dtype=bool)
        head, lengths = np.repeat(self.blank, len(keys)), np.zeros(len(keys), dtype=np.int64)
        sound, digests, days = [], [], []
        for k, (key, value) in enumerate(zip(keys, values, strict=True)):
            if value is None:
                continue
            n, rest = divmod(len(value) - _CHECK.itemsize - size, row)
            if n < 0 or rest or zlib.crc32(value[4:], zlib.crc32(key)) != int.from_bytes(value[:4], "little"):
                continue
            found[k], lengths[k] = True, n
            middle = _CHECK.itemsize + size + n * _DIGEST.itemsize
            sound.append(value[_CHECK.itemsize : _CHECK.itemsize + size])
            digests.append(value[_CHECK.itemsize + size : middle])
            days.append(value[middle:])
        if sound:
            head[found] = np.frombuffer(b"".join(sound), dtype=self.head)
        damaged = len(keys) - len(sound) - sum(value is None for value in values)
        return Records(
            found,
            head,
            np.frombuffer(b"".join(digests), dtype=_DIGEST),
            np.frombuffer(b"".join(days), dtype=_DAY),
            np.concatenate([[0], np.cumsum(lengths)]),
        ), damaged
