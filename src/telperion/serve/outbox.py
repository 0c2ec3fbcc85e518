"""What is to be published, as it waits in the store: the messages of one batch for each of several sinks."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from telperion.serve.taken import Origin


@dataclass(frozen=True)
class Message:
    """What is said of one packet, for one sink.

    Parameters
    ----------
    origin : Origin
        The packet's.
    key : bytes
        What it is about: the object's id.
    value : bytes
    """

    origin: Origin
    key: bytes
    value: bytes


def pack(messages: Sequence[Sequence[Message]]) -> bytes:
    """Give the messages of a batch, sink by sink, as bytes.

    Examples
    --------
    >>> batch = [[Message(Origin("alerts/0", 7), b"a", b"x")], []]
    >>> unpack(pack(batch)) == batch
    True
    """
    places = list(dict.fromkeys(message.origin.place for some in messages for message in some))
    number = {place: k for k, place in enumerate(places)}
    heads = [
        [(number[one.origin.place], one.origin.number, len(one.key), len(one.value)) for one in some]
        for some in messages
    ]
    head = json.dumps([places, heads]).encode()
    bodies = [part for some in messages for one in some for part in (one.key, one.value)]
    return b"".join([len(head).to_bytes(4, "big"), head, *bodies])


def unpack(data: bytes) -> list[list[Message]]:
    """Read what `pack` gave."""
    start = 4 + int.from_bytes(data[:4], "big")
    places, heads = json.loads(data[4:start])
    result = []
    for some in heads:
        messages = []
        for place, number, n_key, n_value in some:
            middle, end = start + n_key, start + n_key + n_value
            messages.append(Message(Origin(places[place], number), data[start:middle], data[middle:end]))
            start = end
        result.append(messages)
    return result


class Sink(Protocol):
    """Where messages go. `resume` first, then `publish` and `flush` in turn."""

    name: str

    def resume(self, mark: str) -> None:
        """Begin where an account says that all before is published: what came after is forgotten, or skipped."""
        ...

    def publish(self, messages: Sequence[Message]) -> None:
        """Begin to publish messages, in their order."""
        ...

    def flush(self, *, last: bool = False) -> str:
        """Wait until all is published, the last time perhaps; gives the mark for `resume`."""
        ...

    def close(self) -> None:
        """End publishing."""
        ...
