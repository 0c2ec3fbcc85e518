"""The stream at length: thousands of alerts through a broker by several workers, and by one for a minute."""

import os
import subprocess
import sys
import threading
import time

import numpy as np
import psutil
import pytest

pytest.importorskip("lmdb", reason="the stream needs telperion[stream]")
pytest.importorskip("confluent_kafka", reason="the stream needs telperion[stream]")

from telperion.serve.kafka_topics import KafkaTopic
from telperion.serve.monitor import read_status
from telperion.serve.stream import Stream

PROMPT = {"session.timeout.ms": 6000, "heartbeat.interval.ms": 1000}
ALERTS = int(os.environ.get("TELPERION_ALERTS", "2000"))
SOAK = float(os.environ.get("TELPERION_SOAK", "60"))
RATE = 256
BATCH = 256
WARM = 4 * BATCH
"""Alerts that wait when the worker begins, as heavy as any: it has had its largest arrays before it is measured."""

GROWTH = 16.0
"""MB from the second quarter to the last: in a minute that is 2 kB an alert, which is a packet with its answer."""


def private(process: int) -> float:
    """Memory of a process that is its own, MB; without its store, whose pages the system takes back when it needs them.

    A file that one process maps counts as private too: the store would be seen to grow with its objects.
    """
    maps = psutil.Process(process).memory_maps()
    return sum(one.private_clean + one.private_dirty for one in maps if not one.path.endswith("data.mdb")) / 2**20


def show(text: str) -> None:
    """Say it where it is asked for (`pytest -s`), or in a test that fails."""
    sys.stdout.write(f"\n{text}\n")


@pytest.mark.timeout(1200)
def test_two_workers_answer_every_alert_once_in_order_and_as_the_batch_classifier_does(
    broker, many_packets, send, read_topic, check_answers, worker_command, wait_until_answered, answered, tmp_path
):
    packets, topic = many_packets(ALERTS), f"length-{ALERTS}"
    KafkaTopic(broker, topic, partitions=4).send(packets[:1])
    stream = Stream(
        f"kafka://{broker}/{topic}", (f"kafka://{broker}/{topic}-answers",), tmp_path, kafka=PROMPT, group=topic
    )
    workers = [subprocess.Popen(worker_command(stream, number)) for number in range(2)]
    try:
        sent = 1
        while min(answered(stream, 2)) == 0:  # they join one after the other, while alerts come
            assert sent < ALERTS / 2, answered(stream, 2)
            send(broker, topic, packets[sent : sent + ALERTS // 200], 1e6)
            sent += ALERTS // 200
            time.sleep(0.3)
        begun = time.monotonic()
        KafkaTopic(broker, topic).send(packets[sent:])
        wait_until_answered(stream, ALERTS, workers, 600)
        rate = (ALERTS - sent) / (time.monotonic() - begun)
        show(f"{ALERTS:,} alerts by {answered(stream, 2)}, the last {ALERTS - sent:,} at {rate:,.0f} a second")
        replays = sum(status.counts["replays"] for k in range(2) if (status := read_status(stream.folder(k))))
        time.sleep(1)  # for what would be doubled
    finally:
        for worker in workers:
            worker.kill()
            worker.wait()
    check_answers(read_topic(broker, f"{topic}-answers"), packets)
    assert replays > ALERTS / 1000  # photometry came later than states are kept back


@pytest.mark.timeout(300 + SOAK)
def test_a_worker_at_a_steady_rate_loses_nothing_and_grows_neither_larger_nor_slower(
    broker, many_packets, send, read_topic, worker_command, wait_until_answered, tmp_path
):
    warm, packets = many_packets(4 * WARM, seed=3)[-WARM:], many_packets(int(RATE * SOAK), seed=2)
    KafkaTopic(broker, "soak", partitions=4).send(warm)
    stream = Stream(
        f"kafka://{broker}/soak", (f"kafka://{broker}/soak-answers",), tmp_path, kafka=PROMPT, group="soak", most=BATCH
    )
    worker, memory = subprocess.Popen(worker_command(stream, 0)), []
    try:
        wait_until_answered(stream, WARM, [worker])
        sending = threading.Thread(target=send, args=(broker, "soak", packets, RATE))
        sending.start()
        while sending.is_alive():
            memory.append(private(worker.pid))
            sending.join(0.5)
        wait_until_answered(stream, WARM + len(packets), [worker])
        time.sleep(1)  # for what would be doubled
    finally:
        worker.kill()
        worker.wait()
    came = {f"soak/{one.partition()} {one.offset()}": one.timestamp()[1] for one in read_topic(broker, "soak")}
    messages = read_topic(broker, "soak-answers")
    origins = [dict(message.headers())["telperion-origin"].decode() for message in messages]
    assert len(came) == WARM + len(packets)
    assert sorted(origins) == sorted(came)
    sent = np.array([message.timestamp()[1] for message in messages])
    order = np.argsort(sent, kind="stable")[WARM:]
    wait = (sent - np.array([came[origin] for origin in origins]))[order] / 1000
    first, _, last = (np.median(part) for part in np.array_split(wait, 3))
    load = os.getloadavg()[0] / (os.cpu_count() or 1)
    show(
        f"latency {np.percentile(wait, [50, 99, 100]).tolist()} s, thirds {first:.3f} and {last:.3f} s, load {load:.1f}"
    )
    show(f"{np.round(memory, 1).tolist()} MB")
    quarters = [np.median(part) for part in np.array_split(memory, 4)]
    assert quarters[3] < quarters[1] + GROWTH, np.round(memory, 1).tolist()
    if load < 1:  # else others have the cores, and the wait is theirs
        assert np.median(wait) < 2
        assert last < 3 * first + 1
