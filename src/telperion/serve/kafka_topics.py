"""Topics of Kafka, through librdkafka: they are made, read to their ends, and packets are sent into them."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from confluent_kafka import OFFSET_BEGINNING, Consumer, KafkaError, KafkaException, Producer, TopicPartition
from confluent_kafka.admin import AdminClient
from confluent_kafka.cimpl import NewTopic

LONG = 60.0
"""Seconds after which a broker that does nothing is given up."""

_STEP = 0.2  # no signal is heard meanwhile
_WAIT = 10.0


class KafkaTopic:
    """A topic that packets are sent into, each to the partition of its key.

    Parameters
    ----------
    brokers, topic : str
    partitions : int
        Of the topic, where it has to be made.
    settings : mapping, optional
        Of librdkafka, beside those.

    Raises
    ------
    ConnectionError
        No broker answers, or it does not make the topic.
    """

    def __init__(
        self, brokers: str, topic: str, *, partitions: int = 1, settings: Mapping[str, Any] | None = None
    ) -> None:
        self.name, self.topic = f"kafka://{brokers}/{topic}", topic
        own = {"bootstrap.servers": brokers, **shared(settings or {})}
        make_topic(own, topic, partitions)
        self._producer = client(Producer, {"acks": "all", "linger.ms": 20} | own)
        self._failed: list[str] = []

    def send(self, packets: Iterable[tuple[bytes, bytes]]) -> None:
        """Send packets with their keys, in their order, and wait until the broker has all.

        Raises
        ------
        ConnectionError
            It does not take them; how many it has is not known then.
        """
        self._failed.clear()
        try:
            for key, value in packets:
                while True:
                    try:
                        self._producer.produce(self.topic, value, key, on_delivery=self._told)
                        break
                    except BufferError:
                        self._wait(len(self._producer) // 2)
                self._producer.poll(0)
            self._wait(0)
        except BaseException:
            self._producer.purge()  # or they would go on being sent, Ctrl-C or not
            self._producer.flush(_STEP)
            raise

    def _told(self, error: KafkaError | None, _: Any) -> None:
        if error is not None:
            self._failed.append(error.str())

    def _wait(self, most: int) -> None:
        """Wait until so many are under way at most."""
        left, until = len(self._producer), time.monotonic() + LONG
        while left > most or self._failed:
            now = self._producer.flush(_STEP)
            if self._failed or time.monotonic() > until:
                why = self._failed[0] if self._failed else f"none of {now} packets is taken for {LONG:g} s"
                raise ConnectionError(f"{self.topic}: {why}")
            if now < left:
                left, until = now, time.monotonic() + LONG


def read_on(settings: Mapping[str, Any], topic: str, partition: int, start: int = 0) -> Iterator[Any]:
    """Give the messages of a partition from some place on to its end, as librdkafka does.

    Raises
    ------
    ConnectionError
        Nothing comes for a minute.
    """
    own = {"group.id": "telperion", "enable.auto.commit": False, "enable.partition.eof": True}
    reader = client(Consumer, {**settings, **own, "auto.offset.reset": "earliest"})
    try:
        reader.assign([TopicPartition(topic, partition, start or OFFSET_BEGINNING)])
        until = time.monotonic() + LONG
        while time.monotonic() < until:
            for message in reader.consume(1000, 0.5):
                if (error := message.error()) is None:
                    until = time.monotonic() + LONG
                    yield message
                elif error.code() == KafkaError._PARTITION_EOF:
                    return
        raise ConnectionError(f"{topic}/{partition}: nothing comes for {LONG:g} s")
    finally:
        reader.close()


def client(kind: Callable[[dict[str, Any]], Any], settings: Mapping[str, Any]) -> Any:
    """Make a consumer, a producer or whatever librdkafka has of that kind.

    Raises
    ------
    ValueError
        It does not know a setting, or refuses its value.
    """
    try:
        return kind(dict(settings))
    except KafkaException as error:
        raise ValueError(f"Kafka's settings: {error.args[0].str()}") from error


def shared(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Give the settings that are not for consumers alone."""
    alone = ("session.", "heartbeat.", "group.", "partition.", "max.poll.", "fetch.", "queued.", "auto.", "isolation.")
    return {name: value for name, value in settings.items() if not name.startswith(alone)}


def _known(settings: Mapping[str, Any], topic: str) -> int:
    """Give the number of a topic's partitions; 0 where it is not there."""
    try:
        topics = client(AdminClient, settings).list_topics(timeout=_WAIT).topics
    except KafkaException as error:
        raise ConnectionError(f"no broker answers at {settings['bootstrap.servers']}: {error.args[0].str()}") from error
    return len(topics[topic].partitions) if topic in topics else 0


def make_topic(settings: Mapping[str, Any], topic: str, partitions: int) -> int:
    """Make a topic that is not there; gives the number of its partitions."""
    if known := _known(settings, topic):
        return known
    admin = client(AdminClient, settings)
    for future in admin.create_topics([NewTopic(topic, partitions, 1)]).values():
        try:
            future.result(_WAIT)
        except KafkaException as error:
            if error.args[0].code() != KafkaError.TOPIC_ALREADY_EXISTS:
                raise ConnectionError(f"the topic {topic} cannot be made: {error.args[0].str()}") from error
    return partitions


def count_partitions(brokers: str, topic: str, settings: Mapping[str, Any] | None = None) -> int:
    """Give the number of a topic's partitions; 1 where it is not there yet."""
    return _known({"bootstrap.servers": brokers, **shared(settings or {})}, topic) or 1


def topic_ends(settings: Mapping[str, Any], topic: str, partitions: int) -> dict[int, int]:
    """Give the end of each partition of a topic, or a place not far before it.

    Raises
    ------
    ConnectionError
        The broker does not say.
    """
    reader = client(Consumer, {**settings, "group.id": "telperion"})
    try:
        return {k: reader.get_watermark_offsets(TopicPartition(topic, k), timeout=_WAIT)[1] for k in range(partitions)}
    except KafkaException as error:
        raise ConnectionError(f"{topic}: its end is not known: {error.args[0].str()}") from error
    finally:
        reader.close()


def place_of(topic: str, partition: int) -> str:
    """Give the place of packets: a partition of a topic."""
    return f"{topic}/{partition}"


def partition_of(place: str) -> int:
    """Give the partition in a place; 0 for other places."""
    head, _, last = place.rpartition("/")
    return int(last) if head and last.isdigit() else 0
