"""The stream against a broker that speaks Kafka's protocol, with workers that are killed at any moment."""

import contextlib
import json
import os
import signal
import subprocess
import time
from collections import Counter
from pathlib import Path

import pytest

pytest.importorskip("lmdb", reason="the stream needs telperion[stream]")
pytest.importorskip("confluent_kafka", reason="the stream needs telperion[stream]")

from telperion.serve.kafka_sink import KafkaSink
from telperion.serve.kafka_topics import KafkaTopic
from telperion.serve.outbox import Message
from telperion.serve.stream import Stream
from telperion.serve.taken import Origin

PROMPT = {"session.timeout.ms": 6000, "heartbeat.interval.ms": 1000}
WAIT = 100.0


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


def test_a_topic_of_alerts_becomes_a_topic_of_answers(broker, packets, read_topic, check_answers, tmp_path):
    KafkaTopic(broker, "plain", partitions=2).send(packets)
    stream = Stream(
        f"kafka://{broker}/plain", (f"kafka://{broker}/plain-answers",), tmp_path, kafka=PROMPT, most=50, group="plain"
    )
    counts = run_until(stream, lambda counts: counts["packets"] == len(packets))
    assert counts["answered"] == len(packets)
    check_answers(read_topic(broker, "plain-answers"), packets)
    assert run_until(stream, lambda counts: counts["packets"] == len(packets), 20)["answered"] == len(packets)
    assert len(read_topic(broker, "plain-answers")) == len(packets)


def test_several_topics_get_each_its_own_kind_of_answer(broker, packets, read_topic, tmp_path):
    KafkaTopic(broker, "kinds").send(packets[:30])
    outputs = tuple(f"{kind}+kafka://{broker}/kinds-{kind}" for kind in ("avro", "elasticc", "json", "lasair"))
    run_until(
        Stream(f"kafka://{broker}/kinds", outputs, tmp_path, kafka=PROMPT, group="kinds"),
        lambda counts: counts["packets"] == 30,
    )
    for kind in ("avro", "elasticc", "json", "lasair"):
        messages = read_topic(broker, f"kinds-{kind}")
        assert [message.key() for message in messages] == [key for key, _ in packets[:30]]


def test_broken_packets_go_to_their_own_topic(broker, packets, read_topic, tmp_path, rng):
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


def publish(sink: KafkaSink, first: int, last: int, place: str = "alerts/0") -> None:
    sink.publish([Message(Origin(place, k), b"a", b"%d" % k) for k in range(first, last)])


def test_a_worker_killed_behind_its_very_first_answers_does_not_repeat_them(broker, read_topic):
    topic = KafkaTopic(broker, "first")
    topic.send([(b"a", b"of somebody else")])
    killed = KafkaSink(broker, "first")
    killed.resume("")
    mark = killed.flush()
    publish(killed, 0, 3)
    killed.flush()
    again = KafkaSink(broker, "first")
    again.resume(mark)
    publish(again, 0, 4)
    again.flush()
    assert [message.value() for message in read_topic(broker, "first")] == [b"of somebody else", *b"0 1 2 3".split()]


@pytest.mark.parametrize("own", [True, False], ids=["the same worker", "a third one"])
def test_a_successor_that_is_killed_leaves_marks_before_what_it_had_not_reached(broker, read_topic, own):
    name = f"successor-{own}"
    gone, successor = KafkaSink(broker, name), KafkaSink(broker, name)
    gone.resume("")
    gone.flush()
    publish(gone, 0, 2)
    gone.flush()
    mark = gone.mark(0, 2)
    publish(gone, 2, 8)
    gone.flush()  # but the group knows of two only
    successor.resume("")
    successor.taken_over(0, mark)
    successor.flush()
    publish(successor, 2, 4)  # which are there
    account, group = successor.flush(), successor.mark(0, 4)
    third = KafkaSink(broker, name)
    third.resume(account if own else "")
    if not own:
        third.taken_over(0, group)
    publish(third, 4, 10)
    third.flush()
    assert [message.value() for message in read_topic(broker, name)] == [b"%d" % k for k in range(10)]


def test_marks_do_not_run_ahead_of_the_positions_beside_them(broker, read_topic):
    sink = KafkaSink(broker, "ahead")
    sink.resume("")
    publish(sink, 0, 3)
    sink.flush()
    publish(sink, 3, 6)
    while len(sink._producer):  # all are there and told of
        sink._producer.poll(0.1)
    mark = sink.mark(0, 3)  # before the next flush
    other = KafkaSink(broker, "ahead")
    other.resume("")
    other.taken_over(0, mark)
    publish(other, 3, 8)
    other.flush()
    assert [message.value() for message in read_topic(broker, "ahead")] == [b"%d" % k for k in range(8)]


def test_answers_that_are_there_are_not_published_again(broker, read_topic):
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


def test_answers_to_files_whose_names_are_no_text_are_published_once_too(broker, read_topic):
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


def test_a_setting_that_kafka_does_not_know_is_named(tmp_path):
    stream = Stream("kafka://127.0.0.1:1/a", (str(tmp_path / "a.jsonl"),), tmp_path / "s", kafka={"foo.bar": "1"})
    with pytest.raises(ValueError, match=r"foo\.bar"):
        stream.worker()


def test_no_broker_is_said_so(tmp_path):
    stream = Stream("kafka://127.0.0.1:1/alerts", (str(tmp_path / "a.jsonl"), "kafka://127.0.0.1:1/answers"), tmp_path)
    with pytest.raises(ConnectionError, match="no broker answers"):
        stream.worker()


@pytest.mark.timeout(600)
@pytest.mark.parametrize("kills", [int(os.environ.get("TELPERION_KILLS", "3"))])
def test_workers_killed_at_any_moment_lose_double_and_reorder_nothing(
    broker, packets, read_topic, check_answers, worker_command, tmp_path, rng, kills
):
    many = packets
    topic = f"killed-{kills}"
    KafkaTopic(broker, topic, partitions=4).send(many)
    stream = Stream(
        f"kafka://{broker}/{topic}", (f"kafka://{broker}/{topic}-answers",), tmp_path, kafka=PROMPT, most=4, group=topic
    )  # fmt: skip
    log = open(tmp_path / "log", "wb")  # noqa: SIM115
    workers = {k: subprocess.Popen(worker_command(stream, k), stderr=log) for k in range(2)}
    try:
        for _ in range(kills):
            time.sleep(rng.uniform(1, 8))
            k = int(rng.integers(2))
            workers[k].send_signal(signal.SIGKILL)
            workers[k].wait()
            workers[k] = subprocess.Popen(worker_command(stream, k), stderr=log)
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
    check_answers(read_topic(broker, f"{topic}-answers"), many)
