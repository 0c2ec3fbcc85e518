"""Scores and times of a trained peer."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np

from benchmarks.peers.peer import Peer, Steps
from telperion.encode.view import View, view
from telperion.evaluate import LEVELS, evaluate
from telperion.examination.timing import one_core
from telperion.lightcurves import LightCurves
from telperion.taxonomy import Taxonomy

RUNS = 3
ONE_BY_ONE, STEPS = 60, 200
LONGEST = 60.0
"""Seconds after which a measurement is not repeated."""


def scores(
    peer: Peer, curves: LightCurves, tree: Taxonomy, days: Sequence[float], kind: View
) -> dict[str, dict[str, Any]]:
    """Score what a peer says as days go by: the summary of each level, and F1 by leaf; decisions are the largest."""
    labels, found = tree.labels(curves.label), {}
    for day in days:
        scored = evaluate(peer.predict(view(curves, day, kind)), labels, tree)
        found[f"{day:g}"] = {level: plain(scored[level].summary) for level in LEVELS}
        leaves = scored["leaves"]
        found[f"{day:g}"]["f1_of_leaves"] = dict(zip(leaves.classes, leaves.f1.tolist(), strict=True))
    return found


def plain(numbers: dict[str, float]) -> dict[str, float | None]:
    """Give None for NaN, as JSON has no such thing."""
    return {name: None if value != value else float(value) for name, value in numbers.items()}


def times(peer: Peer, curves: LightCurves, kind: View, batch: int) -> dict[str, Any]:
    """Time a peer on one core, ms an object: a batch of whole light curves, one at a time, and one new observation."""
    known = view(curves, np.inf, kind)
    many = repeated(known, batch)
    found: dict[str, Any] = {"batch": len(many), "rows": float(known.lengths.mean())}
    with one_core(), one_thread():
        found["batch_ms"] = milliseconds([partial(peer.predict, many)] * RUNS) / len(many)
        ones = [known[k : k + 1] for k in range(min(len(known), ONE_BY_ONE))]
        found["one_ms"] = milliseconds([partial(peer.predict, one) for one in ones])
        found["step_ms"] = step_milliseconds(peer, known) if isinstance(peer, Steps) else None
    return found


def step_milliseconds(peer: Any, known: LightCurves) -> float:
    """Time one more observation of one object, whose other ones are in its state already."""
    several = known[known.lengths > 1][:STEPS]
    last = np.isin(np.arange(several.n_rows), several.offsets[1:] - 1)
    before, after = several.select_rows(~last), several.select_rows(last)
    _, state = peer.step(peer.start(len(several)), before)
    parts = [(state[k : k + 1], after[k : k + 1]) for k in range(len(several))]
    return milliseconds([partial(peer.step, *one) for one in parts])


def repeated(curves: LightCurves, size: int) -> LightCurves:
    """Take so many light curves, from the first again after the last, under new names."""
    chosen = np.resize(np.arange(len(curves)), size)
    lengths = curves.lengths[chosen]
    offsets = np.concatenate([[0], np.cumsum(lengths)])
    rows = np.arange(offsets[-1]) - np.repeat(offsets[:-1] - curves.offsets[chosen], lengths)
    return replace(
        curves, object_id=np.arange(size).astype(np.str_), offsets=offsets, label=curves.label[chosen],
        context={name: values[chosen] for name, values in curves.context.items()},
        **{name: getattr(curves, name)[rows] for name in ("time", "band", "flux", "flux_err", "detected")},
    )  # fmt: skip


def milliseconds(works: Sequence[Callable[[], object]]) -> float:
    """Give the median time of several calls, the first of which is also made once before, untimed."""
    taken, began = [], time.perf_counter()
    works[0]()
    for work in works:
        start = time.perf_counter()
        work()
        taken.append(time.perf_counter() - start)
        if taken and time.perf_counter() - began > LONGEST:
            break
    return 1000 * float(np.median(taken))


@contextmanager
def one_thread() -> Iterator[None]:
    """Hold torch to one thread, where it is in use."""
    torch = sys.modules.get("torch")
    before = torch.get_num_threads() if torch else 1
    if torch:
        torch.set_num_threads(1)
    try:
        yield
    finally:
        if torch:
            torch.set_num_threads(before)
