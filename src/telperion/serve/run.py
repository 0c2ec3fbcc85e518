"""Running a stream: one worker here, or several in processes of their own."""

from __future__ import annotations

import multiprocessing
import signal
import sys
import time
from collections.abc import Callable
from types import FrameType
from typing import Any

from rich.console import Console
from rich.live import Live

from telperion.serve.monitor import Meter, Status, read_status, serve_metrics, status_table, together, write_status
from telperion.serve.store_error import StoreError
from telperion.serve.stream import Stream
from telperion.serve.worker import COUNTS

_EVERY = 0.5
_LINES = 60.0
_AGAIN = 2.0
_SOON, _MOST = 120.0, 5  # a worker that ends so many times in a row, each within so many seconds, is given up
_WRONG, _AWAY = 2, 3  # what a worker exits with that would fail again, or waits for a broker; 1 is any other error


def run(
    stream: Stream, *, workers: int = 1, metrics: int = 0, console: Console | None = None, quiet: bool = False
) -> Status:
    """Run a stream until its source ends, or until Ctrl-C or SIGTERM; what is under way is finished first.

    Parameters
    ----------
    stream : Stream
    workers : int
        Processes, each with a store of its own; of a topic they share the partitions. One that is killed is begun anew,
        as long as it does not end again and again at once.
    metrics : int
        Port on which Prometheus is answered; 0 for none.
    console : rich.console.Console, optional
        Shows counts, rates and latencies.
    quiet : bool
        Show nothing meanwhile.

    Returns
    -------
    Status
        Of all workers together.

    Raises
    ------
    ValueError
        Several workers are asked for on files, or what a stream is made of cannot be.
    RuntimeError
        One of several workers ends again and again soon after it is begun.
    """
    if workers < 1 or (workers > 1 and not stream.is_topic):
        raise ValueError(f"{workers} workers: files are read by one, a topic by one or more")
    console, now = console or Console(stderr=True), [Status({})]
    server = serve_metrics(metrics, lambda: now[0]) if metrics else None
    stop = _Stop()
    title = f"{stream.source}: {workers} {'worker' if workers == 1 else 'workers'}"
    try:
        with _Show(console, title, quiet=quiet) as show:

            def seen(status: Status) -> None:
                now[0] = status
                show(status)

            if workers == 1:
                return run_worker(stream, stop=lambda: stop.asked, show=seen)
            return _run_processes(stream, workers, stop, seen)
    finally:
        stop.forget()
        if server is not None:
            server.shutdown()
            server.server_close()


def run_worker(
    stream: Stream, number: int = 0, *, stop: Callable[[], bool], show: Callable[[Status], None] | None = None
) -> Status:
    """Run one worker until its source ends or it is asked to stop."""
    worker = stream.worker(number)
    meter, folder, last = Meter(), worker.store.folder, 0.0
    try:
        worker.resume()
        more = True
        while more and not stop():
            more = worker.turn()
            meter.add(worker.latency)
            worker.latency.clear()
            if time.monotonic() - last > _EVERY:
                last = time.monotonic()
                write_status(folder, status := meter.status(worker.counts, len(worker.store)))
                if show is not None:
                    show(status)
        worker.close()
        write_status(folder, status := meter.status(worker.counts, len(worker.store)))
        if show is not None:
            show(status)
        return status
    finally:
        worker.store.close()


def _run_processes(stream: Stream, workers: int, stop: _Stop, show: Callable[[Status], None]) -> Status:
    """Run workers in processes, and begin those anew that end of themselves."""
    context = multiprocessing.get_context("spawn")
    folders = [stream.folder(number) for number in range(workers)]
    running = {number: _begin(context, stream, number) for number in range(workers)}
    begun, ended = dict.fromkeys(running, time.monotonic()), dict.fromkeys(running, 0)
    try:
        while not stop.asked:
            time.sleep(_EVERY)
            show(together([status for folder in folders if (status := read_status(folder))]))
            for number, process in running.items():
                if process.is_alive() or stop.asked:
                    continue
                if process.exitcode == _WRONG:
                    raise ValueError(f"worker {number} cannot go on: its message stands above")
                soon = process.exitcode != _AWAY and time.monotonic() - begun[number] < _SOON
                ended[number] = ended[number] + 1 if soon else 0
                if ended[number] == _MOST:
                    raise RuntimeError(_crashed(number, process.exitcode))
                time.sleep(_AGAIN)
                running[number], begun[number] = _begin(context, stream, number), time.monotonic()
    finally:
        for process in running.values():
            process.terminate()
        for process in running.values():
            process.join()
    status = together([status for folder in folders if (status := read_status(folder))])
    show(status)
    return status


def _crashed(number: int, code: int) -> str:
    """Say that a worker is given up, and what it ended with: a signal or a status."""
    how = f"signal {-code}" if code < 0 else f"status {code}"
    return (
        f"worker {number} ended {_MOST} times in a row within {_SOON:g} s, last with {how}: it is not begun again; "
        "what it said stands above, if anything; its store may be damaged, and may be moved away"
    )


def _begin(context: Any, stream: Stream, number: int) -> Any:
    process = context.Process(target=_child, args=(stream, number), name=f"telperion-worker-{number}")
    process.start()
    return process


def _child(stream: Stream, number: int) -> None:
    stop, parent = _Stop(), multiprocessing.parent_process()
    try:
        run_worker(stream, number, stop=lambda: stop.asked or (parent is not None and not parent.is_alive()))
    except (ValueError, KeyError, ImportError, OSError, StoreError) as error:
        Console(stderr=True).print(f"worker {number}: {error}", markup=False, highlight=False)
        if isinstance(error, ConnectionError):  # such as of a broker that is away
            sys.exit(_AWAY)
        sys.exit(1 if isinstance(error, OSError) and not isinstance(error, FileNotFoundError) else _WRONG)


class _Stop:
    """Whether somebody asked to end, by Ctrl-C or SIGTERM; Ctrl-C a second time ends at once."""

    def __init__(self) -> None:
        self.asked = False
        signals = (signal.SIGINT, signal.SIGTERM)
        self._before = {number: signal.signal(number, self._ask) for number in signals}

    def forget(self) -> None:
        """Leave signals as they were."""
        for number, before in self._before.items():
            signal.signal(number, before)

    def _ask(self, number: int, _: FrameType | None) -> None:
        if self.asked and number == signal.SIGINT:
            raise KeyboardInterrupt
        self.asked = True


class _Show:
    """Shows a status again and again: in place on a terminal, else as a line a minute."""

    def __init__(self, console: Console, title: str, *, quiet: bool) -> None:
        self._console, self._title, self._quiet, self._last = console, title, quiet, time.monotonic()
        live = console.is_terminal and not quiet
        self._live = Live(console=console, refresh_per_second=2, transient=True) if live else None

    def __enter__(self) -> Callable[[Status], None]:
        if self._live is not None:
            self._live.start()
        return self._show

    def __exit__(self, *_: object) -> None:
        if self._live is not None:
            self._live.stop()

    def _show(self, status: Status) -> None:
        if self._live is not None:
            self._live.update(status_table(status, self._title))
        elif not self._quiet and time.monotonic() - self._last > _LINES:
            self._last = time.monotonic()
            said = ", ".join(f"{status.counts.get(name, 0):,} {name}" for name in COUNTS)
            self._console.print(f"{said}; {status.rate:,.0f} a second", markup=False, highlight=False, soft_wrap=True)
