"""How long a classifier takes for a light curve, on one core."""

from __future__ import annotations

import os
import platform
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from telperion.classifier import Classifier
from telperion.encode.view import view as cut
from telperion.lightcurves import LightCurves


@dataclass(frozen=True)
class RunTime:
    """Seconds for a light curve: the median, the fastest and the slowest of several runs.

    Parameters
    ----------
    batch : int
        Light curves handed over at once.
    median, fastest, slowest : float, s
        For one light curve.
    runs : int
    """

    batch: int
    median: float
    fastest: float
    slowest: float
    runs: int


def run_time(classifier: Classifier, light_curves: LightCurves, *, batch: int, runs: int) -> RunTime:
    """Time the classification of whole light curves in the classifier's own view, everything that `predict` does.

    The light curves lie in memory, cut to their view, as alerts would come in; reading files is not counted. One batch
    goes before, untimed.

    Parameters
    ----------
    classifier : Classifier
    light_curves : LightCurves
        At least `batch` of them; run after run takes the next ones, from the start again after the last.
    batch, runs : int

    Raises
    ------
    ValueError
        There are fewer light curves than the batch holds, or no run is asked for.

    Examples
    --------
    >>> import telperion
    >>> from telperion.simulate.drawn import draw
    >>> time = run_time(telperion.load("plasticc-gru"), draw(n_per_class=1, seed=1), batch=1, runs=3)
    >>> 0 < time.fastest <= time.median <= time.slowest
    True
    """
    if not 1 <= batch <= len(light_curves):
        raise ValueError(f"a batch of {batch} cannot be made of {len(light_curves)} light curves")
    if runs < 1:
        raise ValueError(f"runs is {runs}, expected at least 1")
    known = cut(light_curves, np.inf, classifier.view)
    n_batches = len(known) // batch
    batches = [known[n * batch : (n + 1) * batch] for n in range(min(n_batches, runs))]
    with one_core():
        classifier.predict(batches[-1], view="full")
        seconds = [_seconds(classifier, batches[run % len(batches)]) / batch for run in range(runs)]
    return RunTime(batch, float(np.median(seconds)), min(seconds), max(seconds), runs)


def _seconds(classifier: Classifier, light_curves: LightCurves) -> float:
    start = time.perf_counter()
    classifier.predict(light_curves, view="full")
    return time.perf_counter() - start


@contextmanager
def one_core() -> Iterator[None]:
    """Hold every thread of this process on one core, where the system can (Linux)."""
    tasks = Path("/proc/self/task")
    if not hasattr(os, "sched_setaffinity") or not tasks.is_dir():
        yield
        return
    allowed = os.sched_getaffinity(0)
    _hold(tasks, {max(allowed)})
    try:
        yield
    finally:
        _hold(tasks, allowed)


def _hold(tasks: Path, cores: set[int]) -> None:
    for task in tasks.iterdir():
        try:
            os.sched_setaffinity(int(task.name), cores)
        except ProcessLookupError:  # the thread has ended meanwhile
            continue


def processor() -> str:
    """Name the processor that this runs on."""
    listed = Path("/proc/cpuinfo")
    lines = listed.read_text(encoding="utf-8").splitlines() if listed.is_file() else []
    names = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()
