"""Kafka as a source of alerts and as a sink of answers, through librdkafka."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from confluent_kafka import (
    OFFSET_BEGINNING,
    Consumer,
    KafkaError,
    KafkaException,
    Producer,
    TopicPartition,
)
from confluent_kafka.admin import AdminClient
from confluent_kafka.cimpl import NewTopic

from telperion.formats.avro import Node
from telperion.formats.packets import decode_alerts
from telperion.serve.outbox import Message
from telperion.serve.taken import Origin, Taken

PROMPT = 0.005
"""Seconds for which a batch waits for more alerts once it has one."""

EVERY = 1.0
"""Seconds between the commits of the group's positions."""

_ORIGIN = "telperion-origin"  # header of a message: the packet that it answers, as "topic/partition offset"
_WAIT = 10.0
_LONG = 60.0


class KafkaSource:
    """The partitions of a topic that a consumer group gives this worker.

    Positions are kept in the worker's own account and, a little later, in the group, for the case that another worker
    takes over. Beside them stands there how far the answers had come in the topic that they go to: whoever takes over
    looks from there on which packets are answered already.

    Parameters
    ----------
    brokers, topic, group : str
    schemas : mapping of int to Node, optional
        As for `telperion.formats.packets.decode_alerts`.
    most : int
        Alerts of a batch.
    settings : mapping, optional
        Of librdkafka, beside those.
    mark : callable, optional
        Gives what stands beside the positions of a partition in the group: marks of the sinks.
    given : callable, optional
        Is told of a partition that is given, and of the mark beside its position.
    leaving : callable, optional
        Is called before partitions go to another worker: it publishes what is under way, and says so (`done`).
    """

    def __init__(
        self, brokers: str, topic: str, group: str, schemas: Mapping[int, Node] | None = None, *, most: int = 2000,
        settings: Mapping[str, Any] | None = None, mark: Callable[[int], str] | None = None,
        given: Callable[[int, str], None] | None = None, leaving: Callable[[], None] | None = None,
    ) -> None:  # fmt: skip
        self.topic, self.schemas, self.most = topic, schemas, most
        self._mark, self._tell, self._leaving = mark or (lambda _: ""), given or (lambda *_: None), leaving
        self._kept: dict[str, Any] = {}
        self._ready: dict[int, int] = {}
        self._said = 0.0
        self._wrong: Exception | None = None
        self._own: set[int] = set()
        self._consumer = Consumer(
            {
                "bootstrap.servers": brokers,
                "group.id": group,
                "enable.auto.commit": False,
                "auto.offset.reset": "earliest",
                "queued.max.messages.kbytes": 65_536,
                "fetch.wait.max.ms": 10,
                **(settings or {}),
            }
        )

    def resume(self, positions: Mapping[str, Any]) -> None:
        """Join the group; partitions that it gives begin where the account or the group says, whichever is later."""
        self._kept = dict(positions)
        self._consumer.subscribe([self.topic], on_assign=self._given, on_revoke=self._gone, on_lost=self._lost)

    def take(self) -> Taken | None:
        """Give the next alerts: at once what is there, or what comes within a moment."""
        messages = self._consumer.consume(1, 0.1)
        if messages:
            messages += self._consumer.consume(self.most - 1, PROMPT)
        if self._wrong is not None:
            raise self._wrong
        received = time.time()
        sound: dict[tuple[int, int], bytes] = {}
        for message in messages:
            error = message.error()
            if error is None:
                if (
                    partition := message.partition()
                ) in self._own:  # partitions may have come and gone since the first message
                    sound[int(partition or 0), int(message.offset() or 0)] = message.value() or b""
            elif error.fatal() or error.code() in (
                KafkaError.UNKNOWN_TOPIC_OR_PART,
                KafkaError.TOPIC_AUTHORIZATION_FAILED,
            ):
                raise ConnectionError(f"{self.topic}: {error.str()}")
        values = list(sound.values())
        origins = [Origin(_place(self.topic, partition), offset) for partition, offset in sound]
        positions = {origin.place: origin.number + 1 for origin in origins}
        self._kept.update(positions)
        return Taken(
            decode_alerts(values, self.schemas), len(values), np.full(len(values), received), origins.__getitem__,
            values.__getitem__, positions,
        )  # fmt: skip

    def done(self, positions: Mapping[str, Any]) -> None:
        """Tell the group, now and then."""
        told = {_partition(place): number for place, number in positions.items()}
        self._ready.update({partition: number for partition, number in told.items() if partition in self._own})
        if time.monotonic() - self._said >= EVERY:
            self._say(wait=False)

    def close(self) -> None:
        """Leave the group, so that others take over at once."""
        self._say(wait=True)
        self._consumer.close()

    def _say(self, *, wait: bool) -> None:
        if not self._ready:
            return
        offsets = [
            TopicPartition(self.topic, partition, number, self._mark(partition))
            for partition, number in self._ready.items()
        ]
        try:
            if wait:
                self._consumer.commit(offsets=offsets, asynchronous=False)
            else:
                self._consumer.commit(offsets=offsets)
        except KafkaException:
            return  # said again with what comes next; until then another worker would look at the answers themselves
        self._ready, self._said = {}, time.monotonic()

    def _given(self, consumer: Consumer, partitions: list[TopicPartition]) -> None:
        try:
            begin = []
            for each in consumer.committed(partitions, timeout=_LONG):
                self._tell(each.partition, each.metadata or "")
                place = max(each.offset, int(self._kept.get(_place(self.topic, each.partition), 0)))
                begin.append(TopicPartition(self.topic, each.partition, place if place > 0 else OFFSET_BEGINNING))
                self._own.add(each.partition)
            consumer.assign(begin)
        except Exception as error:  # librdkafka would lose it
            self._wrong = error

    def _gone(self, _: Consumer, partitions: list[TopicPartition]) -> None:
        try:
            if self._leaving is not None:
                self._leaving()
            self._say(wait=True)
        except Exception as error:  # as above
            self._wrong = error
        self._lost(_, partitions)

    def _lost(self, _: Consumer, partitions: list[TopicPartition]) -> None:
        for each in partitions:
            self._ready.pop(each.partition, None)
            self._own.discard(each.partition)


class KafkaSink:
    """A topic of answers: those to packets of one partition go into one partition, in their order.

    Parameters
    ----------
    brokers, topic : str
    partitions : int
        Of the topic, where it has to be made.
    settings : mapping, optional
        Of librdkafka, beside those.
    """

    def __init__(
        self, brokers: str, topic: str, *, partitions: int = 1, settings: Mapping[str, Any] | None = None
    ) -> None:
        self.name, self.topic = f"kafka://{brokers}/{topic}", topic
        self._settings = {"bootstrap.servers": brokers, **_shared(settings or {})}
        self._partitions = _make(self._settings, topic, partitions)
        self._producer = Producer(
            # what is sent again, because its receipt was not heard, is numbered: the broker keeps it once and in order
            {"enable.idempotence": True, "acks": "all", "linger.ms": 2, "queue.buffering.max.kbytes": 262_144}
            | self._settings
        )
        self._ends: dict[int, int] = {}
        self._answered: set[Origin] = set()
        self._failed: list[str] = []

    def resume(self, mark: str) -> None:
        """Look which packets were answered after the mark: their answers are not published again."""
        for partition, end in json.loads(mark or "{}").items():
            self._look(int(partition), end)

    def taken_over(self, partition: int, mark: str) -> None:
        """Do the same for one partition of the packets, with the mark of whoever had it."""
        self._look(partition % self._partitions, int(mark or 0))

    def mark(self, partition: int) -> str:
        """Give how far the answers to packets of a partition have come."""
        return str(self._ends.get(partition % self._partitions, 0))

    def publish(self, messages: Sequence[Message]) -> None:
        """Send messages, but for those that are there.

        Raises
        ------
        ConnectionError
            The broker lost what it had taken: the producer cannot go on.
        """
        for message in messages:
            if message.origin in self._answered:
                self._answered.discard(message.origin)
                continue
            place, number = message.origin
            while True:
                try:
                    self._producer.produce(
                        self.topic, message.value, message.key or None, _partition(place) % self._partitions,
                        on_delivery=self._told, headers={_ORIGIN: f"{place} {number}".encode()},
                    )  # fmt: skip
                    break
                except BufferError:
                    self._producer.poll(0.1)
                except KafkaException as error:
                    raise ConnectionError(f"{self.topic}: {error.args[0].str()}") from error
        self._producer.poll(0)

    def flush(self, *, last: bool = False) -> str:  # noqa: ARG002 - it is always whole
        """Wait until the broker has all.

        Raises
        ------
        ConnectionError
            It does not take them.
        """
        left = self._producer.flush(_LONG)
        if left or self._failed:
            why = self._failed[0] if self._failed else f"{left} messages are not taken after {_LONG:g} s"
            raise ConnectionError(f"{self.topic}: {why}")
        return json.dumps(self._ends)

    def close(self) -> None:
        """Nothing to do: all is published."""

    def _told(self, error: KafkaError | None, message: Any) -> None:
        if error is not None:
            self._failed.append(error.str())
        elif (offset := message.offset()) is not None:  # the broker does not say where what it had already is
            self._ends[message.partition()] = max(self._ends.get(message.partition(), 0), offset + 1)

    def _look(self, partition: int, start: int) -> None:
        """Read which packets are answered in a partition from some place on."""
        for message in read_on(self._settings, self.topic, partition, start):
            self._ends[partition] = max(self._ends.get(partition, 0), message.offset() + 1)
            for name, value in message.headers() or ():
                if name == _ORIGIN:
                    where, _, number = value.decode().rpartition(" ")
                    self._answered.add(Origin(where, int(number)))


def read_on(settings: Mapping[str, Any], topic: str, partition: int, start: int = 0) -> Iterator[Any]:
    """Give the messages of a partition from some place on to its end, as librdkafka does.

    Raises
    ------
    ConnectionError
        Nothing comes for a minute.
    """
    own = {"group.id": "telperion", "enable.auto.commit": False, "enable.partition.eof": True}
    reader = Consumer({**settings, **own, "auto.offset.reset": "earliest"})
    try:
        reader.assign([TopicPartition(topic, partition, start or OFFSET_BEGINNING)])
        until = time.monotonic() + _LONG
        while time.monotonic() < until:
            for message in reader.consume(1000, 0.5):
                if (error := message.error()) is None:
                    until = time.monotonic() + _LONG
                    yield message
                elif error.code() == KafkaError._PARTITION_EOF:
                    return
        raise ConnectionError(f"{topic}/{partition}: nothing comes for {_LONG:g} s")
    finally:
        reader.close()


def publish(
    brokers: str, topic: str, packets: Sequence[tuple[bytes, bytes]], *, partitions: int = 1
) -> None:  # pragma: no cover
    """Send packets with their keys to a topic."""
    _make({"bootstrap.servers": brokers}, topic, partitions)
    producer = Producer({"bootstrap.servers": brokers, "acks": "all", "linger.ms": 20})
    for key, value in packets:
        producer.produce(topic, value, key)
        producer.poll(0)
    producer.flush()


def _shared(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Give the settings that are not for consumers alone."""
    alone = ("session.", "heartbeat.", "group.", "partition.", "max.poll.", "fetch.", "queued.", "auto.", "isolation.")
    return {name: value for name, value in settings.items() if not name.startswith(alone)}


def _known(settings: Mapping[str, Any], topic: str) -> int:
    """Give the number of a topic's partitions; 0 where it is not there."""
    try:
        topics = AdminClient(dict(settings)).list_topics(timeout=_WAIT).topics
    except KafkaException as error:
        raise ConnectionError(f"no broker answers at {settings['bootstrap.servers']}: {error.args[0].str()}") from error
    return len(topics[topic].partitions) if topic in topics else 0


def _make(settings: Mapping[str, Any], topic: str, partitions: int) -> int:
    """Make a topic that is not there; gives the number of its partitions."""
    if known := _known(settings, topic):
        return known
    client = AdminClient(dict(settings))
    for future in client.create_topics([NewTopic(topic, partitions, 1)]).values():
        try:
            future.result(_WAIT)
        except KafkaException as error:
            if error.args[0].code() != KafkaError.TOPIC_ALREADY_EXISTS:
                raise ConnectionError(f"the topic {topic} cannot be made: {error.args[0].str()}") from error
    return partitions


def _place(topic: str, partition: int) -> str:
    return f"{topic}/{partition}"


def _partition(place: str) -> int:
    head, _, last = place.rpartition("/")
    return int(last) if head and last.isdigit() else 0


def count_partitions(brokers: str, topic: str, settings: Mapping[str, Any] | None = None) -> int:
    """Give the number of a topic's partitions; 1 where it is not there yet."""
    return _known({"bootstrap.servers": brokers, **_shared(settings or {})}, topic) or 1
