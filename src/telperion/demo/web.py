"""`watch`: a simulated night classified slowly, visit by visit, and shown in the browser while it comes in."""

from __future__ import annotations

import multiprocessing
import signal
import socket
import time
from collections.abc import Callable
from contextlib import nullcontext, suppress
from multiprocessing.process import BaseProcess
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from rich.console import Console

from telperion.demo.night import Arrivals, Folders, classify, first_packet, spoilt
from telperion.demo.play import OBJECTS, prepare
from telperion.serve.sky import NoSkyError, Sky
from telperion.tonight import score_sky

if TYPE_CHECKING:
    from telperion.portal.settings import Settings

PAUSE = 1.5
"""Seconds from one visit to the next."""

_SCORES = 5.0  # seconds from one scoring of the whole sky to the next
_PATIENCE = 120.0


def watch(
    model: str = "elasticc", *, keep: Path | None = None, n: int = OBJECTS, seed: int = 1, host: str = "127.0.0.1",
    port: int = 8765, pause: float = PAUSE, console: Console | None = None,
) -> None:  # fmt: skip
    """Simulate two nights of alerts, and serve the portal on the sky that a stream makes of them, until Ctrl-C.

    Parameters
    ----------
    model, keep, n, seed, console
        As for `telperion.demo.play.play`.
    host, port
        Where the portal listens; port 0 takes a free one.
    pause : float, s
        From one visit to the next.

    Raises
    ------
    ImportError
        The extra ``web`` is not there.
    ValueError
        As for `telperion.demo.play.play`; or the address cannot be used.
    RuntimeError
        The stream has ended before it wrote anything.
    """
    settings = _settings(host, port)
    console = console or Console()
    with TemporaryDirectory(prefix="telperion-demo-") if keep is None else nullcontext(str(keep)) as top:
        folders = Folders(Path(top))
        _, night = prepare(folders, model, n, seed, console)
        process = multiprocessing.get_context("spawn").Process(
            target=feed, args=(folders.top, model, first_packet(night), pause), name="telperion-demo-stream"
        )
        process.start()
        try:
            _serve(settings, model, _first(folders, process), pause, console)
        finally:
            process.terminate()
            process.join()


def feed(top: Path, model: str, packet: bytes, pause: float) -> None:
    """Classify the visits of a night that lie in a folder, one after the other, into its sky.

    Parameters
    ----------
    top : path
        Of `telperion.demo.night.Folders`.
    model : str
    packet : bytes
        A packet of that night, to make broken ones of.
    pause : float, s
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the portal, which ends this process
    folders = Folders(top)
    arrivals = Arrivals(folders, spoilt(packet))
    scored = [time.monotonic()]

    def score() -> None:
        if time.monotonic() - scored[0] > _SCORES:
            with suppress(NoSkyError):  # the first answers may take longer than that
                score_sky(folders.sky)
            scored[0] = time.monotonic()

    classify(folders, Paced(arrivals, pause, score), model, sky=True)
    score_sky(folders.sky)


class Paced:
    """Lays visits before a stream as `telperion.demo.night.Arrivals` does, but no faster than so.

    Parameters
    ----------
    arrivals : callable
        Lays out the next visit; says whether there is none.
    pause : float, s
    meanwhile : callable
        Is called before each wait.
    """

    def __init__(self, arrivals: Callable[[], bool], pause: float, meanwhile: Callable[[], None]) -> None:
        self._arrivals, self._pause, self._meanwhile = arrivals, pause, meanwhile
        self._next = -float("inf")

    def __call__(self) -> bool:
        """Wait, and lay out the next visit; says whether there is none."""
        self._meanwhile()
        time.sleep(max(self._next - time.monotonic(), 0))
        self._next = time.monotonic() + self._pause
        return self._arrivals()


def _settings(host: str, port: int) -> Settings:
    """Make the portal's settings; what would stop it is said before anything is simulated."""
    try:
        from telperion.portal import app  # noqa: F401 - what is missing is said now
        from telperion.portal.settings import Settings
    except ImportError as error:
        raise ImportError(f"the portal needs {error.name}, which comes with: pip install 'telperion[web]'") from error
    settings = Settings(host, port)
    try:
        socket.create_server((host, port)).close()
    except OSError as error:
        raise ValueError(
            f"{host}:{port} cannot be used ({error.strerror}): give another --port, or 0 for any"
        ) from error
    return settings


def _first(folders: Folders, process: BaseProcess) -> Sky:
    """Wait until something of the sky is there."""
    until = time.monotonic() + _PATIENCE
    while True:
        try:
            return Sky(folders.sky)
        except NoSkyError:
            if not process.is_alive() or time.monotonic() > until:
                raise RuntimeError("the stream of the demonstration has ended before it wrote anything") from None
        time.sleep(0.1)


def _serve(settings: Settings, model: str, sky: Sky, pause: float, console: Console) -> None:
    from telperion.portal.app import serve
    from telperion.portal.known import Model

    def ready(address: str) -> None:
        text = f"{address} shows it live: a visit every {pause:g} s; Ctrl-C ends it"
        console.print(text, markup=False, highlight=False, soft_wrap=True)

    serve(settings, Model(model), sky, ready=ready)
