"""The stream against a broker that speaks Kafka's protocol, with workers that are killed at any moment."""

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("lmdb", reason="the stream needs telperion[stream]")
pytest.importorskip("confluent_kafka", reason="the stream needs telperion[stream]")
from confluent_kafka.admin import AdminClient

from telperion.encode.view import view
from telperion.formats.packets import decode_alerts
from telperion.serve.avro_messages import AvroMessages
from telperion.serve.kafka import KafkaSink, KafkaTopic, read_on
from telperion.serve.outbox import Message
from telperion.serve.read_answers import read_answers
from telperion.serve.stream import Stream, provenance
from telperion.serve.taken import Origin
from telperion.simulate.packets import shipped_schema

PROMPT = {"session.timeout.ms": 6000, "heartbeat.interval.ms": 1000}
WAIT = 100.0


def read_topic(broker: str, topic: str) -> list:
    """All messages of a topic, partition by partition."""
    settings = {"bootstrap.servers": broker}
    partitions = AdminClient(settings).list_topics(topic, timeout=10).topics[topic].partitions
    return [message for partition in partitions for message in read_on(settings, topic, partition)]


def run_until(stream: Stream, done, seconds: float = WAIT) -> Counter:
    """Run one worker here until it has done what it is to do."""
    worker = stream.worker()
    until = time.monotonic() + seconds
    try:
        worker.resume()
        while not done(worker.counts) and time.monotonic() < until:
            worker.turn()
        assert done(worker.counts), dict(worker.counts)
        worker.close()
        return worker.counts
    finally:
        worker.store.close()


def command(stream: Stream, number: int) -> list[str]:
    """A worker as a process, which can be killed."""
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


def answers_of(messages: list, flagship):
    schema = AvroMessages(provenance(flagship, "elasticc"))
    return read_answers([message.value() for message in messages], {schema.schema_id: schema.schema})[0]


def check_answers(broker, topic, packets, flagship) -> None:
    """Every alert is answered once, each object's in order, and as the batch classifier answers it."""
    messages = read_topic(broker, topic)
    answers = answers_of(messages, flagship)
    schema = shipped_schema()
    alerts = decode_alerts([value for _, value in packets], {100: schema})
    assert Counter(answers.alert_id.tolist()) == Counter(alerts.alert_id.tolist())
    order = np.argsort(answers.alert_id)[np.argsort(np.argsort(alerts.alert_id))]
    place = {alert: k for k, alert in enumerate(alerts.alert_id.tolist())}
    for name in np.unique(answers.object_id):
        own = [place[alert] for alert in answers.alert_id[answers.object_id == name].tolist()]
        assert own == sorted(own)
    shown = view(alerts.light_curves(), kind="alert")
    same = answers.n_rows[order] == shown.lengths
    assert same.mean() > 0.9
    wanted = flagship.predict(shown, view="full")
    np.testing.assert_allclose(answers.probabilities[order][same], wanted[same], atol=1e-5)


def test_a_topic_of_alerts_becomes_a_topic_of_answers(broker, packets, flagship, tmp_path):
    KafkaTopic(broker, "plain", partitions=2).send(packets)
    stream = Stream(
        f"kafka://{broker}/plain", (f"kafka://{broker}/plain-answers",), tmp_path, kafka=PROMPT, most=50, group="plain"
    )
    counts = run_until(stream, lambda counts: counts["packets"] == len(packets))
    assert counts["answered"] == len(packets)
    check_answers(broker, "plain-answers", packets, flagship)
    assert run_until(stream, lambda counts: counts["packets"] == len(packets), 20)["answered"] == len(packets)
    assert len(read_topic(broker, "plain-answers")) == len(packets)


def test_several_topics_get_each_its_own_kind_of_answer(broker, packets, tmp_path):
    KafkaTopic(broker, "kinds").send(packets[:30])
    outputs = tuple(f"{kind}+kafka://{broker}/kinds-{kind}" for kind in ("avro", "elasticc", "json", "lasair"))
    run_until(
        Stream(f"kafka://{broker}/kinds", outputs, tmp_path, kafka=PROMPT, group="kinds"),
        lambda counts: counts["packets"] == 30,
    )
    for kind in ("avro", "elasticc", "json", "lasair"):
        messages = read_topic(broker, f"kinds-{kind}")
        assert [message.key() for message in messages] == [key for key, _ in packets[:30]]


def test_broken_packets_go_to_their_own_topic(broker, packets, tmp_path, rng):
    mixed = list(packets[:40])
    for k in range(0, 40, 5):
        key, value = mixed[k]
        mixed[k] = key, value[: int(rng.integers(0, len(value)))]
    KafkaTopic(broker, "mixed").send(mixed)
    stream = Stream(
        f"kafka://{broker}/mixed", (f"kafka://{broker}/mixed-answers",), tmp_path, kafka=PROMPT, group="mixed",
        dead=f"kafka://{broker}/mixed-dead",
    )  # fmt: skip
    counts = run_until(stream, lambda counts: counts["packets"] == 40)
    dead = read_topic(broker, "mixed-dead")
    assert counts["dead"] == len(dead) == 8
    assert counts["answered"] == len(read_topic(broker, "mixed-answers")) == 32
    letters = [json.loads(message.value()) for message in dead]
    assert [letter["number"] for letter in letters] == list(range(0, 40, 5))


def test_answers_that_are_there_are_not_published_again(broker):
    origins = [Origin("alerts/0", k) for k in range(10)]
    first = KafkaSink(broker, "again")
    first.resume("")
    first.publish([Message(origin, b"a", b"%d" % k) for k, origin in enumerate(origins[:4])])
    mark = first.flush()
    first.publish([Message(origin, b"a", b"%d" % (4 + k)) for k, origin in enumerate(origins[4:8])])
    first.flush()  # and then it is killed, before the account knows
    second = KafkaSink(broker, "again")
    second.resume(mark)
    second.publish([Message(origin, b"a", b"%d" % (4 + k)) for k, origin in enumerate(origins[4:])])
    second.flush()
    assert [message.value() for message in read_topic(broker, "again")] == [b"%d" % k for k in range(10)]


def test_answers_to_files_whose_names_are_no_text_are_published_once_too(broker):
    origins = [Origin(os.fsdecode(name), 0) for name in (b"\xff.avro", b"\xe9 a.avro", "ψ.avro".encode())]
    messages = [Message(origin, b"a", b"%d" % k) for k, origin in enumerate(origins)]
    first, second = KafkaSink(broker, "odd-names"), KafkaSink(broker, "odd-names")
    first.resume("")
    first.publish(messages[:1])
    mark = first.flush()
    first.publish(messages[1:2])
    first.flush()  # and then it is killed, before the account knows
    second.resume(mark)
    second.publish(messages[1:])
    second.flush()
    assert [message.value() for message in read_topic(broker, "odd-names")] == [b"0", b"1", b"2"]


def test_no_broker_is_said_so(tmp_path):
    stream = Stream("kafka://127.0.0.1:1/alerts", (str(tmp_path / "a.jsonl"), "kafka://127.0.0.1:1/answers"), tmp_path)
    with pytest.raises(ConnectionError, match="no broker answers"):
        stream.worker()


@pytest.mark.timeout(600)
@pytest.mark.parametrize("kills", [int(os.environ.get("TELPERION_KILLS", "3"))])
def test_workers_killed_at_any_moment_lose_double_and_reorder_nothing(broker, packets, flagship, tmp_path, rng, kills):
    many = packets
    topic = f"killed-{kills}"
    KafkaTopic(broker, topic, partitions=4).send(many)
    stream = Stream(
        f"kafka://{broker}/{topic}", (f"kafka://{broker}/{topic}-answers",), tmp_path, kafka=PROMPT, most=4, group=topic
    )  # fmt: skip
    log = open(tmp_path / "log", "wb")  # noqa: SIM115
    workers = {k: subprocess.Popen(command(stream, k), stderr=log) for k in range(2)}
    try:
        for _ in range(kills):
            time.sleep(rng.uniform(1, 8))
            k = int(rng.integers(2))
            workers[k].send_signal(signal.SIGKILL)
            workers[k].wait()
            workers[k] = subprocess.Popen(command(stream, k), stderr=log)
        until = time.monotonic() + WAIT
        while time.monotonic() < until:
            with contextlib.suppress(Exception):
                if len(read_topic(broker, f"{topic}-answers")) >= len(many):
                    break
            time.sleep(0.5)
        time.sleep(3)
        assert all(worker.poll() is None for worker in workers.values()), Path(log.name).read_text()
    finally:
        for worker in workers.values():
            worker.kill()
            worker.wait()
        log.close()
    check_answers(broker, f"{topic}-answers", many, flagship)
