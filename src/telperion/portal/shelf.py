"""Uploads, kept in memory for a while so that their pages can be looked at; nothing is written to a disk."""

from __future__ import annotations

import secrets
import threading
import time
from collections import OrderedDict
from collections.abc import Callable

from telperion.lightcurves import LightCurves


class Shelf:
    """Light curves by a key that nobody guesses, until they are old or others need the room.

    Parameters
    ----------
    seconds : float
        How long they are kept.
    most_rows : int
        Rows of all together; the oldest go first.
    clock : callable
        Seconds that never go back.

    Examples
    --------
    >>> curve = LightCurves(["a"], [0, 1], [1.0], [1], [5.0], [1.0], [True])
    >>> shelf = Shelf(seconds=60, most_rows=1)
    >>> first, second = shelf.put(curve), shelf.put(curve)
    >>> shelf.get(first) is None, shelf.get(second) is curve
    (True, True)
    """

    def __init__(
        self, seconds: float = 1800, most_rows: int = 400_000, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._seconds, self._most_rows, self._clock = seconds, most_rows, clock
        self._kept: OrderedDict[str, tuple[float, LightCurves]] = OrderedDict()
        self._lock = threading.Lock()

    @property
    def minutes(self) -> int:
        """How long uploads are kept."""
        return round(self._seconds / 60)

    def put(self, curves: LightCurves) -> str:
        """Keep light curves; give their key."""
        key = secrets.token_urlsafe(16)
        with self._lock:
            self._kept[key] = (self._clock(), curves)
            self._tidy()
        return key

    def get(self, key: str) -> LightCurves | None:
        """Give what is kept under a key, or None."""
        with self._lock:
            self._tidy()
            found = self._kept.get(key)
            return None if found is None else found[1]

    def _tidy(self) -> None:
        now, rows = self._clock(), sum(curves.n_rows for _, curves in self._kept.values())
        while self._kept:
            put, curves = next(iter(self._kept.values()))
            if now - put <= self._seconds and (rows <= self._most_rows or len(self._kept) == 1):
                return
            self._kept.popitem(last=False)
            rows -= curves.n_rows
