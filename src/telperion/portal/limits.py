"""How much one client may ask: a bucket of tokens each, and a bounded number of live connections."""

from __future__ import annotations

import threading
import time
from collections import Counter, OrderedDict
from collections.abc import Callable

_CLIENTS = 10_000  # remembered at a time; who is forgotten begins with a full bucket


class Buckets:
    """A bucket of tokens for each client: every request takes some, and they come back with time.

    Parameters
    ----------
    rate : float
        Tokens a second that come back; 0 sets no limit.
    burst : float
        Tokens of a full bucket.
    clock : callable
        Seconds that never go back.

    Examples
    --------
    >>> now = [0.0]
    >>> buckets = Buckets(rate=1.0, burst=2.0, clock=lambda: now[0])
    >>> [buckets.wait("me") for _ in range(3)]
    [0.0, 0.0, 1.0]
    >>> now[0] = 1.5
    >>> buckets.wait("me")
    0.0
    """

    def __init__(self, rate: float, burst: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._rate, self._burst, self._clock = rate, burst, clock
        self._left: OrderedDict[str, tuple[float, float]] = OrderedDict()
        self._lock = threading.Lock()

    def wait(self, client: str, cost: float = 1.0) -> float:
        """Take tokens; 0 if there were enough, else the seconds until there will be, and none is taken."""
        if self._rate <= 0:
            return 0.0
        with self._lock:
            now = self._clock()
            left, since = self._left.pop(client, (self._burst, now))
            left = min(self._burst, left + (now - since) * self._rate)
            short = min(cost, self._burst) - left
            self._left[client] = (left if short > 0 else left - cost, now)
            if len(self._left) > _CLIENTS:
                self._left.popitem(last=False)
            return max(short, 0.0) / self._rate


class Slots:
    """Places for connections that stay, of all clients together and of each.

    Examples
    --------
    >>> slots = Slots(most=3, most_each=2)
    >>> [slots.take("me"), slots.take("me"), slots.take("me"), slots.take("you"), slots.take("they")]
    [True, True, False, True, False]
    >>> slots.leave("me")
    >>> slots.take("they")
    True
    """

    def __init__(self, most: int, most_each: int) -> None:
        self._most, self._most_each = most, most_each
        self._taken: Counter[str] = Counter()
        self._lock = threading.Lock()

    def __len__(self) -> int:
        return self._taken.total()

    def take(self, client: str) -> bool:
        """Take a place; False if there is none."""
        with self._lock:
            if self._taken.total() >= self._most or self._taken[client] >= self._most_each:
                return False
            self._taken[client] += 1
            return True

    def leave(self, client: str) -> None:
        """Give a place back."""
        with self._lock:
            self._taken[client] -= 1
            if self._taken[client] <= 0:
                del self._taken[client]
