"""Who goes through the parts: this process, processes of its own, or the workers of a Dask cluster."""

from __future__ import annotations

import multiprocessing
import signal
import uuid
import warnings
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass

from telperion.scale.job import Job
from telperion.scale.part import Done, classify_part

Answer = tuple[int, Done | Exception]


@dataclass(frozen=True)
class Task:
    """A part to be done: its files, and the file to write."""

    files: list[str]
    target: str


def here(job: Job, tasks: Sequence[Task]) -> Iterator[Answer]:
    """Do the tasks one after the other; gives the number of each and what became of it."""
    for number, task in enumerate(tasks):
        try:
            done: Done | Exception = classify_part(job, task.files, task.target)
        except Exception as error:
            done = error
        yield number, done


def in_processes(job: Job, tasks: Sequence[Task], jobs: int) -> Iterator[Answer]:
    """Do the tasks in so many processes, as `here` does.

    Raises
    ------
    RuntimeError
        A process was killed.
    """
    others = set(multiprocessing.active_children())
    context = multiprocessing.get_context("spawn")
    pool = ProcessPoolExecutor(min(jobs, max(len(tasks), 1)), mp_context=context, initializer=_leave_interrupts)
    try:
        numbers = {pool.submit(classify_part, job, task.files, task.target): k for k, task in enumerate(tasks)}
        for future in as_completed(numbers):
            error = future.exception()
            if isinstance(error, BrokenProcessPool):
                raise RuntimeError(
                    "a process was killed, perhaps for want of memory; the same command goes on from here"
                )
            yield numbers.pop(future), future.result() if error is None else _exception(error)
    except BaseException:
        pool.shutdown(wait=False, cancel_futures=True)
        for process in set(multiprocessing.active_children()) - others:
            process.terminate()
        raise
    finally:
        pool.shutdown(wait=False, cancel_futures=True)


def on_dask(job: Job, tasks: Sequence[Task], scheduler: str) -> Iterator[Answer]:
    """Do the tasks on the workers of a Dask cluster, as `here` does; those of a worker that dies go to another.

    Parameters
    ----------
    scheduler : str
        Its address (``tcp://host:8786``), or the path of its scheduler file.

    Raises
    ------
    ImportError
        distributed is missing.
    OSError
        Nobody answers there.
    """
    try:
        from distributed import Client
        from distributed import as_completed as completed
    except ImportError as missing:
        raise ImportError(f"Dask needs telperion[scale]: {missing}") from missing
    where = {"address": scheduler} if "://" in scheduler or ":" in scheduler else {"scheduler_file": scheduler}
    with Client(**where, set_as_default=False) as client:
        if not client.ncores():
            warnings.warn(f"{scheduler} has no worker yet: waiting for one", stacklevel=2)
            client.wait_for_workers(1)
        run = uuid.uuid4().hex
        futures = {}
        try:
            for number, task in enumerate(tasks):
                key = f"telperion-{run}-{number}"
                futures[key] = client.submit(classify_part, job, task.files, task.target, key=key, pure=False)
            numbers = {key: number for number, key in enumerate(futures)}
            for future in completed(list(futures.values()), loop=client.loop):
                error = future.exception()
                done = future.result() if error is None else _exception(error)
                del futures[future.key]
                yield numbers[future.key], done
        finally:
            if futures:
                client.cancel(list(futures.values()), force=True)


def _exception(error: BaseException) -> Exception:
    return error if isinstance(error, Exception) else RuntimeError(repr(error))


def _leave_interrupts() -> None:
    """Leave Ctrl-C to the process that waits."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
