"""Workers whose connections to the broker are cut at any moment, by a proxy that stands between them."""

import contextlib
import os
import socket
import subprocess
import threading
import time
from collections.abc import Iterator

import pytest

pytest.importorskip("lmdb", reason="the stream needs telperion[stream]")
pytest.importorskip("confluent_kafka", reason="the stream needs telperion[stream]")

from telperion.serve.kafka_sink import KafkaSink
from telperion.serve.kafka_topics import KafkaTopic
from telperion.serve.outbox import Message
from telperion.serve.stream import Stream
from telperion.serve.taken import Origin

PROMPT = {"session.timeout.ms": 6000, "heartbeat.interval.ms": 1000, "log_level": 2}
HOST = "127.0.0.1"


class Proxy:
    """Hands on what clients and a server say to each other, until it is told not to."""

    def __init__(self, server: int) -> None:
        self.server, self.closed = server, False
        self.listener = socket.create_server((HOST, 0))
        self.port = self.listener.getsockname()[1]
        self.deaf = threading.Event()
        self.open: set[socket.socket] = set()
        self.accepting = threading.Thread(target=self.accept, args=(self.listener,), daemon=True)
        self.accepting.start()

    def accept(self, listener: socket.socket) -> None:
        with contextlib.suppress(OSError):  # it is closed
            while True:
                client, _ = listener.accept()
                try:
                    server = socket.create_connection((HOST, self.server))
                except OSError:
                    client.close()
                    continue
                self.open.update((client, server))
                for pair in ((client, server, False), (server, client, True)):
                    threading.Thread(target=self.hand_on, args=pair, daemon=True).start()

    def hand_on(self, source: socket.socket, target: socket.socket, answers: bool) -> None:
        with contextlib.suppress(OSError):  # it is cut
            while data := source.recv(2**16):
                if not (answers and self.deaf.is_set()):
                    target.sendall(data)
        for each in (source, target):
            self.open.discard(each)
            with contextlib.suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)

    def refuse(self) -> None:
        """Cut all connections, and refuse others."""
        with contextlib.suppress(OSError):
            self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()
        self.accepting.join()
        for each in list(self.open):
            with contextlib.suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)

    def cut(self, seconds: float, unheard: float = 0.0) -> None:
        """Be away for some time; before it, hand on what is asked but not what is answered."""
        self.deaf.set()
        time.sleep(unheard)
        self.refuse()
        time.sleep(seconds)
        self.deaf.clear()
        self.listener = socket.create_server((HOST, self.port))
        self.accepting = threading.Thread(target=self.accept, args=(self.listener,), daemon=True)
        self.accepting.start()


@pytest.fixture(scope="module")
def proxy(broker_behind) -> Iterator[Proxy]:
    """A proxy before a broker that tells its clients of the proxy alone."""
    with socket.socket() as free:
        free.bind((HOST, 0))
        port = free.getsockname()[1]
    proxy = Proxy(port)
    with broker_behind(port, proxy.port):
        yield proxy
        proxy.refuse()


def test_messages_whose_receipt_is_not_heard_are_there_once_and_in_order(proxy, read_topic):
    broker = f"{HOST}:{proxy.port}"
    sink = KafkaSink(broker, "unheard", settings=PROMPT)
    sink.resume("")
    messages = [Message(Origin("alerts/0", k), b"a", b"%d" % k) for k in range(300)]
    cutting = threading.Thread(target=lambda: [time.sleep(0.5), proxy.cut(0.3, 0.3), time.sleep(1), proxy.cut(0.3)])
    cutting.start()
    for k in range(0, 300, 3):
        sink.publish(messages[k : k + 3])
        time.sleep(0.02)
    sink.flush()
    cutting.join()
    assert [message.value() for message in read_topic(broker, "unheard")] == [message.value for message in messages]


@pytest.mark.timeout(600)
@pytest.mark.parametrize("cuts", [int(os.environ.get("TELPERION_KILLS", "3"))])
def test_connections_cut_at_any_moment_lose_double_and_reorder_nothing(
    proxy, many_packets, send, read_topic, check_answers, worker_command, wait_until_answered, tmp_path, rng, cuts
):
    broker, topic, rate = f"{HOST}:{proxy.port}", f"cut-{cuts}", 100
    waits, lengths, unheard = rng.uniform(0.5, 2.5, cuts), rng.uniform(0.2, 3, cuts), rng.uniform(0, 0.1, cuts)
    packets = many_packets(int(rate * (waits.sum() + lengths.sum() + unheard.sum() + 2)))
    KafkaTopic(broker, topic, partitions=4).send(packets[:1])
    stream = Stream(
        f"kafka://{broker}/{topic}", (f"kafka://{broker}/{topic}-answers",), tmp_path, kafka=PROMPT, most=10,
        group=topic,
    )  # fmt: skip
    sending = threading.Thread(target=send, args=(broker, topic, packets[1:], rate))
    worker = subprocess.Popen(worker_command(stream, 0))
    try:
        wait_until_answered(stream, 1, [worker])
        sending.start()
        for wait, length, before in zip(waits, lengths, unheard, strict=True):
            time.sleep(wait)
            proxy.cut(length, before * rng.integers(2))
        sending.join()
        wait_until_answered(stream, len(packets), [worker])
        time.sleep(1)  # for what would be doubled
        assert worker.poll() is None
    finally:
        worker.kill()
        worker.wait()
    check_answers(read_topic(broker, f"{topic}-answers"), packets)
