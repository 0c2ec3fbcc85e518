"""Simulated nights in a topic: every packet under its object's key, in order, also by one who was broken off."""

import json
import time

import numpy as np
import pyarrow.parquet as pq
import pytest

pytest.importorskip("lmdb", reason="the stream needs telperion[stream]")
pytest.importorskip("confluent_kafka", reason="the stream needs telperion[stream]")
from telperion.cli import main
from telperion.formats.packets import decode_alerts
from telperion.serve import kafka_topics
from telperion.serve.kafka_topics import KafkaTopic, count_partitions, read_on
from telperion.serve.send_night import SENT, send_night
from telperion.serve.stream import Stream
from telperion.simulate.packets import shipped_schema

QUIET = {"log_level": 0}


def read_topic(broker: str, topic: str) -> list:
    where = {"bootstrap.servers": broker}
    parts = range(count_partitions(broker, topic))
    return [message for partition in parts for message in read_on(where, topic, partition)]


class Breaks:
    """Progress that is broken off after some visits, as by Ctrl-C."""

    def __init__(self, after: int) -> None:
        self.after, self.completed = after, None

    def add_task(self, *_, total, completed):
        self.completed = completed
        return 0

    def advance(self, *_):
        self.after -= 1
        if not self.after:
            raise KeyboardInterrupt


def test_a_topic_gets_every_packet_by_its_object_and_no_label(broker, night, packets, tmp_path):
    total = send_night(tmp_path, night, KafkaTopic(broker, "night", partitions=2))
    messages = read_topic(broker, "night")
    assert total == len(messages) == len(packets)
    place = {value: number for number, (_, value) in enumerate(packets)}
    last: dict[bytes, int] = {}
    where: dict[bytes, int] = {}
    for message in messages:
        key, number = message.key(), place[message.value()]
        assert key == packets[number][0]
        assert last.get(key, -1) < number  # an object's alerts come in their order, in one partition
        assert where.setdefault(key, message.partition()) == message.partition()
        last[key] = number
    assert len(set(where.values())) == 2
    truth = pq.read_table(tmp_path / "truth.parquet")
    assert {str(name).encode() for name in truth["diaObjectId"].to_pylist()} >= last.keys()
    labels = [label.encode() for label in set(truth["label"].to_pylist())]
    assert not any(label in message.value() for message in messages for label in labels if len(label) > 5)
    bar = Breaks(after=1)
    send_night(tmp_path, night, KafkaTopic(broker, "night"), progress=bar)  # all of it is there
    assert bar.completed == len(packets)


def test_what_was_broken_off_goes_on_and_a_visit_that_is_sent_twice_is_answered_once(broker, night, packets, tmp_path):
    topic, truth = KafkaTopic(broker, "broken-off"), tmp_path / "truth"
    with pytest.raises(KeyboardInterrupt):
        send_night(truth, night, topic, progress=Breaks(after=3))
    assert len(read_topic(broker, "broken-off")) == night.sizes[:3].sum()
    note = json.loads((truth / SENT).read_text())
    assert note == {"topic": topic.name, "visits": 3}
    (truth / SENT).write_text(json.dumps(note | {"visits": 2}))  # as if it had been killed before it could say so
    bar = Breaks(after=-1)
    send_night(truth, night, topic, progress=bar)
    assert bar.completed == night.sizes[:2].sum()
    values = [message.value() for message in read_topic(broker, "broken-off")]
    assert len(values) == len(packets) + night.sizes[2]
    assert set(values) == {value for _, value in packets}
    prompt = {"session.timeout.ms": 6000, "heartbeat.interval.ms": 1000}
    answers = str(tmp_path / "answers.jsonl")
    stream = Stream(topic.name, (answers,), tmp_path / "state", kafka=prompt, group="broken-off", most=40)
    worker, until = stream.worker(), time.monotonic() + 60
    try:
        worker.resume()
        while worker.counts["packets"] < len(values) and time.monotonic() < until:
            worker.turn()
        worker.close()
    finally:
        worker.store.close()
    assert worker.counts["answered"] == len(packets)
    assert worker.counts["repeated"] == night.sizes[2]


def test_visits_come_at_their_pace(broker, night, tmp_path):
    began = time.monotonic()
    with pytest.raises(KeyboardInterrupt):
        send_night(tmp_path, night, KafkaTopic(broker, "paced"), every=0.4, progress=Breaks(after=4))
    assert 1.2 <= time.monotonic() - began < 6
    with pytest.raises(ValueError, match="every is -1"):
        send_night(tmp_path, night, KafkaTopic(broker, "paced"), every=-1)


def test_a_night_goes_into_one_topic(broker, night, tmp_path):
    with pytest.raises(KeyboardInterrupt):
        send_night(tmp_path, night, KafkaTopic(broker, "one"), progress=Breaks(after=1))
    with pytest.raises(ValueError, match=r"goes into kafka://.*/one; for kafka://.*/two give another folder"):
        send_night(tmp_path, night, KafkaTopic(broker, "two"))


def test_more_packets_than_fit_the_queue_are_sent_and_a_broker_that_takes_none_is_said_so(broker, monkeypatch):
    packets = [(b"%d" % (k % 7), b"%d" % k) for k in range(500)]
    topic = KafkaTopic(broker, "many", settings={"queue.buffering.max.messages": 20})
    topic.send(iter(packets))
    assert [int(message.value()) for message in read_topic(broker, "many")] == list(range(500))
    monkeypatch.setattr(kafka_topics, "LONG", 0.5)
    monkeypatch.setattr(kafka_topics, "make_topic", lambda *_: 1)
    with pytest.raises(ConnectionError, match=r"none of 20 packets is taken for 0\.5 s"):
        KafkaTopic("127.0.0.1:1", "many", settings=QUIET | {"queue.buffering.max.messages": 20}).send(packets)
    monkeypatch.setattr(kafka_topics, "LONG", 20.0)
    with pytest.raises(ConnectionError, match="timed out"):
        KafkaTopic("127.0.0.1:1", "many", settings=QUIET | {"message.timeout.ms": 100}).send(packets)


def test_the_command_sends_a_night_and_keeps_its_labels(broker, tmp_path, capsys):
    place, truth = f"kafka://{broker}/command", tmp_path / "truth"
    what = ["simulate", "elasticc", "-n", "12", "--mix", "EB=2,SLSN=1", "--visits", "3", "--seed", "1", "--night"]
    assert main([*what, "-o", place, "--truth", str(truth), "--partitions", "2"]) == 0
    assert "alerts in 3 visits" in capsys.readouterr().out.replace("\n", " ")
    assert sorted(path.name for path in truth.iterdir()) == ["light-curves", "night.json", SENT, "truth.parquet"]
    messages = read_topic(broker, "command")
    alerts = decode_alerts([message.value() for message in messages], {100: shipped_schema()})
    assert {message.partition() for message in messages} == {0, 1}
    assert alerts.object_id.tolist() == [message.key().decode() for message in messages]
    assert set(alerts.object_id.astype(int)) <= set(pq.read_table(truth / "truth.parquet")["diaObjectId"].to_pylist())
    assert np.unique(alerts.alert_id).size == len(messages) >= 12


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["-o", "kafka://127.0.0.1:1/a", "--truth", "t"], "a topic takes a night"),
        (["-o", "kafka://127.0.0.1:1/a", "--night"], "--truth FOLDER"),
        (["-o", "folder", "--night", "--truth", "t"], "--truth is for a night that goes into Kafka"),
        (["-o", "kafka://127.0.0.1:1", "--night", "--truth", "t"], "is no topic"),
        (["-o", "kafka://127.0.0.1:1/a", "--night", "--truth", "t", "--kafka", "a"], "KEY=VALUE"),
        (["-o", "kafka://127.0.0.1:1/a", "--night", "--truth", "t"], "no broker answers"),
    ],
)
def test_a_mistake_is_said_before_anything_is_simulated(tmp_path, capsys, monkeypatch, arguments, words):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(kafka_topics, "_WAIT", 0.5)
    assert main(["simulate", "elasticc", "-n", "12", *arguments]) == 2
    assert words in capsys.readouterr().err.replace("\n", " ")
    assert not list(tmp_path.iterdir())
