"""What a stream shows of itself while it runs: counts, rates and latencies, in a terminal and for Prometheus."""

from __future__ import annotations

import json
import os
import time
from collections import Counter, deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rich.table import Table

from telperion.serve.worker import COUNTS, WORK

STATUS = "status.json"
WINDOW = 60.0
"""Seconds to which rates and latencies refer."""

_BOUNDS = np.array([0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 60])


@dataclass(frozen=True)
class Status:
    """One worker, or all of a stream, at a moment.

    Parameters
    ----------
    counts : mapping of str to int
        Since the store was begun (`telperion.serve.worker.COUNTS` and `WORK`).
    rate : float
        Alerts answered a second, of late.
    latency : mapping of str to float, s
        Percentiles, of late.
    histogram : list of int
        Answers by latency since the worker was started, up to each of some bounds and above.
    seconds : float
        Sum of those latencies.
    objects : int
        Of which a state is kept.
    time : float
        Unix time.
    """

    counts: Mapping[str, int]
    rate: float = 0.0
    latency: Mapping[str, float] = field(default_factory=dict)
    histogram: Sequence[int] = ()
    seconds: float = 0.0
    objects: int = 0
    time: float = 0.0


class Meter:
    """Gathers what a worker does."""

    def __init__(self) -> None:
        self._recent: deque[tuple[float, NDArray[np.float64]]] = deque()
        self._histogram, self._seconds, self._begun = np.zeros(_BOUNDS.size + 1, dtype=np.int64), 0.0, time.monotonic()

    def add(self, latency: Iterable[NDArray[np.float64]]) -> None:
        """Take the latencies of some batches of answers, s."""
        now = time.monotonic()
        for each in latency:
            self._recent.append((now, each))
            self._histogram += np.bincount(np.searchsorted(_BOUNDS, each), minlength=_BOUNDS.size + 1)
            self._seconds += float(each.sum())
        while self._recent and self._recent[0][0] < now - WINDOW:
            self._recent.popleft()

    def status(self, counts: Mapping[str, int], objects: int) -> Status:
        """Sum up."""
        span = min(WINDOW, max(time.monotonic() - self._begun, 1e-3))
        recent = np.concatenate([each for _, each in self._recent] or [np.zeros(0)])
        percentiles = (
            dict(zip(("50", "99"), np.percentile(recent, [50, 99]).tolist(), strict=True)) if recent.size else {}
        )
        return Status(
            dict(counts), recent.size / span, percentiles, self._histogram.tolist(), self._seconds, objects, time.time()
        )


def write_status(folder: Path, status: Status) -> None:
    """Leave a status where whoever looks on finds it."""
    temporary = folder / f"{STATUS}.writing"
    temporary.write_text(json.dumps(asdict(status)), encoding="utf-8")
    os.replace(temporary, folder / STATUS)


def read_status(folder: Path) -> Status | None:
    """Read what a worker left, if anything."""
    try:
        return Status(**json.loads((folder / STATUS).read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError):
        return None


def together(parts: Sequence[Status]) -> Status:
    """Sum the workers of a stream; of percentiles the worst counts."""
    counts: Counter[str] = Counter()
    for part in parts:
        counts.update(part.counts)
    latency = {
        name: max((part.latency[name] for part in parts if name in part.latency), default=0.0) for name in ("50", "99")
    }
    width = max((len(part.histogram) for part in parts), default=0)
    histogram = np.sum([part.histogram for part in parts if len(part.histogram) == width] or [[]], axis=0)
    return Status(
        counts, sum(part.rate for part in parts), latency, histogram.astype(int).tolist(),
        sum(part.seconds for part in parts), sum(part.objects for part in parts),
        max((part.time for part in parts), default=0.0),
    )  # fmt: skip


def status_table(status: Status, title: str = "") -> Table:
    """Show a status in a terminal."""
    table = Table(title=title or None, title_justify="left", show_header=False, box=None, padding=(0, 2, 0, 0))
    table.add_column(style="bold")
    table.add_column(justify="right")
    table.add_column()
    counts = status.counts
    answered = max(counts.get("answered", 0) + counts.get("filtered", 0), 1)
    notes = {
        "packets": "= " + " + ".join(name for name in COUNTS if name != "packets"),
        "answered": f"{status.rate:,.0f} a second",
        "rows": f"{counts.get('rows', 0) / answered:.1f} an alert",
        "replays": f"{counts.get('replays', 0) / answered:.1%} of alerts",
    }
    for name in (*COUNTS, *WORK):
        table.add_row(name, f"{counts.get(name, 0):,}", notes.get(name, ""))
    table.add_row("objects", f"{status.objects:,}", "of which a state is kept")
    if status.latency:
        half, most = (1e3 * status.latency[name] for name in ("50", "99"))
        table.add_row("latency", f"{half:,.0f} ms", f"median; 99 % within {most:,.0f} ms")
    return table


def serve_metrics(port: int, status: Any, address: str = "127.0.0.1") -> Any:
    """Answer Prometheus on a port; `status()` gives what is asked for. Gives the server, which `shutdown` ends."""
    from prometheus_client import CollectorRegistry, start_http_server
    from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily

    class Collector:
        def collect(self) -> Iterator[Any]:
            now: Status = status()
            packets = CounterMetricFamily("telperion_packets", "Packets by what became of them", labels=["fate"])
            for name in COUNTS[1:]:
                packets.add_metric([name.replace(" ", "_")], now.counts.get(name, 0))
            yield packets
            yield CounterMetricFamily("telperion_packets_in", "Packets that came", now.counts.get("packets", 0))
            for name in WORK:
                yield CounterMetricFamily(f"telperion_{name}", _HELP[name], now.counts.get(name, 0))
            yield GaugeMetricFamily("telperion_objects", "Objects of which a state is kept", now.objects)
            bounds = [f"{bound:g}" for bound in _BOUNDS] + ["+Inf"]
            buckets = list(zip(bounds, np.cumsum(now.histogram).tolist(), strict=False))
            if buckets:
                latency = HistogramMetricFamily("telperion_latency_seconds", "From an alert's coming in to its answer")
                latency.add_metric([], buckets, now.seconds)
                yield latency

    registry = CollectorRegistry()
    registry.register(Collector())
    server, _ = start_http_server(port, address, registry)
    return server


_HELP = {
    "new": "Alerts of objects of which nothing was known",
    "replays": "Alerts whose whole history was gone through again",
    "late": "Alerts older than what was answered of their object",
    "rows": "Rows that the network went through",
    "damaged": "Records of the store that were of no use",
}
