"""What changes in a sky, told to everybody who looks on: one watcher asks the sky, however many listen."""

from __future__ import annotations

import asyncio
import json
import sqlite3
from collections.abc import AsyncIterator
from contextlib import suppress
from typing import Any

from telperion.serve.sky import Sky

MOST_IDS = 200
"""Objects named in one message; of more, their number is told."""

HEARTBEAT = 15.0
"""Seconds of silence after which a line is sent, so that dead connections are found."""


class Pulse:
    """Watches a sky and tells listeners which objects were answered.

    Parameters
    ----------
    sky : Sky
    poll : float, s
        How often it is asked.
    """

    def __init__(self, sky: Sky, poll: float) -> None:
        self._sky, self._poll = sky, poll
        self._listeners: set[asyncio.Queue[str]] = set()
        self._task: asyncio.Task[None] | None = None
        self._over = False

    async def start(self) -> None:
        """Begin to watch."""
        self._task = asyncio.create_task(self._watch())

    def end(self) -> None:
        """Let all listeners go."""
        self._over = True
        self._tell("")

    async def stop(self) -> None:
        """Watch no longer."""
        self.end()
        if self._task is not None:
            self._task.cancel()
            with suppress(asyncio.CancelledError):
                await self._task

    async def _watch(self) -> None:
        seen: int | None = None
        while True:
            try:
                now = await asyncio.to_thread(self._sky.version_now)
                if seen is None or now == seen or not self._listeners:
                    seen = now
                else:
                    reached, ids = await asyncio.to_thread(self._sky.changed, seen, MOST_IDS)
                    self._tell(message(reached, ids))
                    seen = reached
            except (OSError, ValueError, RuntimeError, sqlite3.Error):  # the sky is being moved or mended: ask again
                pass
            await asyncio.sleep(self._poll)

    def _tell(self, text: str) -> None:
        for queue in list(self._listeners):
            if queue.full():  # whoever reads slowly misses the oldest: the next message says where things stand
                queue.get_nowait()
            queue.put_nowait(text)

    async def listen(self, since: int | None = None) -> AsyncIterator[str]:
        """Give messages as they come, in the format of server-sent events, until the portal stops.

        Parameters
        ----------
        since : int, optional
            The version that the listener knows: what changed after it comes first.
        """
        queue: asyncio.Queue[str] = asyncio.Queue(maxsize=20)
        self._listeners.add(queue)
        try:
            version = await asyncio.to_thread(self._sky.version_now)
            yield f"retry: 2000\nevent: hello\ndata: {json.dumps({'version': version})}\n\n"
            if since is not None and since < version:
                yield message(*await asyncio.to_thread(self._sky.changed, since, MOST_IDS))
            while not self._over:
                try:
                    text = await asyncio.wait_for(queue.get(), HEARTBEAT)
                except TimeoutError:
                    text = ": still here\n\n"
                if text:
                    yield text
        finally:
            self._listeners.discard(queue)


def message(version: int, ids: list[str]) -> str:
    """Write what changed as a server-sent event; JSON keeps line ends of names out of it.

    Examples
    --------
    >>> print(message(7, ["a"]), end="")
    event: answered
    id: 7
    data: {"version": 7, "ids": ["a"]}
    <BLANKLINE>
    """
    about: dict[str, Any] = {"version": version, "ids": ids}
    return f"event: answered\nid: {version}\ndata: {json.dumps(about)}\n\n"
