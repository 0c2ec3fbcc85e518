"""What a source hands on: alerts, where each packet came from, and where reading goes on."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from telperion.formats.alerts import Alerts


class Origin(NamedTuple):
    """Where a packet came from: a file or a topic's partition, and its number in there."""

    place: str
    number: int


@dataclass(eq=False)
class Taken:
    """Packets as they came, decoded.

    Parameters
    ----------
    alerts : Alerts
    n_packets : int
        Those that are broken, repeated or about moving objects among them.
    received : array, shape ``(n_packets,)``, s
        When each came, Unix time.
    origin : callable
        Gives the `Origin` of a packet by its number.
    content : callable
        Gives the bytes of a packet by its number, or none where they are part of a file.
    positions : mapping of str to any
        Where reading goes on after these, for each place.
    """

    alerts: Alerts
    n_packets: int
    received: NDArray[np.float64]
    origin: Callable[[int], Origin]
    content: Callable[[int], bytes]
    positions: Mapping[str, Any] = field(default_factory=dict)


class Source(Protocol):
    """Where alerts come from."""

    def resume(self, positions: Mapping[str, Any]) -> None:
        """Begin where an account says that all before is answered; called once, first."""
        ...

    def take(self) -> Taken | None:
        """Give the next packets, perhaps none so far; None at the end of what there is."""
        ...

    def done(self, positions: Mapping[str, Any]) -> None:
        """Hear that all up to these positions is answered and published."""
        ...

    def close(self) -> None:
        """End reading."""
        ...
