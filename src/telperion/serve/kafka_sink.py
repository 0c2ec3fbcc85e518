"""Kafka as a sink of answers, through librdkafka: each is there once, whatever happens between."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from confluent_kafka import KafkaError, KafkaException, Producer

from telperion.serve.kafka_topics import LONG, client, make_topic, partition_of, read_on, shared, topic_ends
from telperion.serve.outbox import Message

_ORIGIN = "telperion-origin"  # header of a message: the packet that it answers, as "topic/partition offset"
_NAMES = "utf-8", "surrogateescape"  # names of files may be any bytes


class KafkaSink:
    """A topic of answers: those to packets of one partition go into one partition, in their order.

    Its marks are places in the topic. Whoever goes on from a position in the packets, with the mark that was kept
    beside it, finds all answers to packets behind that position behind the mark.

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
        self._settings = {"bootstrap.servers": brokers, **shared(settings or {})}
        self._partitions = make_topic(self._settings, topic, partitions)
        self._producer = client(
            Producer,
            # what is sent again, because its receipt was not heard, is numbered: the broker keeps it once and in order
            {"enable.idempotence": True, "acks": "all", "linger.ms": 2, "queue.buffering.max.kbytes": 262_144}
            | self._settings,
        )
        self._ends: dict[int, int] = {}  # of the partitions, as far as is known
        self._flushed: dict[int, int] = {}  # the same, when all that was published was there
        self._there: dict[str, dict[int, int]] = {}  # packets answered already: where, by place and number
        self._failed: list[str] = []

    def resume(self, mark: str) -> None:
        """Look which packets were answered after the mark: their answers are not published again."""
        if not mark:  # nothing was ever published from here
            self._ends = topic_ends(self._settings, self.topic, self._partitions)
            return
        ends = {int(partition): end for partition, end in json.loads(mark).items()}
        for partition in range(self._partitions):
            self._look(partition, ends.get(partition, 0))

    def taken_over(self, partition: int, mark: str) -> None:
        """Do the same for one partition of the packets, with the mark of whoever had it."""
        self._look(partition % self._partitions, int(mark or 0))

    def mark(self, partition: int, number: int) -> str:
        """Give where answers to packets of a partition from a number on may stand."""
        end = self._flushed.get(partition % self._partitions, 0)
        known = (self._there[place] for place in self._there if partition_of(place) == partition)
        return str(min((at for some in known for packet, at in some.items() if packet >= number), default=end))

    def publish(self, messages: Sequence[Message]) -> None:
        """Send messages, but for those that are there.

        Raises
        ------
        ConnectionError
            The broker lost what it had taken: the producer cannot go on.
        """
        last: dict[str, int] = {}
        for message in messages:
            place, number = message.origin
            last[place] = number
            if number in self._there.get(place, ()):
                continue
            while True:
                try:
                    self._producer.produce(
                        self.topic, message.value, message.key or None, partition_of(place) % self._partitions,
                        on_delivery=self._told, headers={_ORIGIN: f"{place} {number}".encode(*_NAMES)},
                    )  # fmt: skip
                    break
                except BufferError:
                    self._producer.poll(0.1)
                except KafkaException as error:
                    raise ConnectionError(f"{self.topic}: {error.args[0].str()}") from error
        for place in self._there.keys() & last.keys():  # packets up to here do not come again
            self._there[place] = {number: at for number, at in self._there[place].items() if number > last[place]}
        self._there = {place: some for place, some in self._there.items() if some}
        self._producer.poll(0)

    def flush(self, *, last: bool = False) -> str:  # noqa: ARG002 - it is always whole
        """Wait until the broker has all.

        Raises
        ------
        ConnectionError
            It does not take them.
        """
        left = self._producer.flush(LONG)
        if left or self._failed:
            why = self._failed[0] if self._failed else f"{left} messages are not taken after {LONG:g} s"
            raise ConnectionError(f"{self.topic}: {why}")
        self._flushed = dict(self._ends)
        marks = dict(self._ends)
        for place, some in self._there.items():
            partition = partition_of(place) % self._partitions
            marks[partition] = min(marks.get(partition, 0), *some.values())
        return json.dumps(marks)

    def close(self) -> None:
        """Nothing to do: all is published."""

    def _told(self, error: KafkaError | None, message: Any) -> None:
        if error is not None:
            self._failed.append(error.str())
        elif (offset := message.offset()) is not None:  # the broker does not say where what it had already is
            self._ends[message.partition()] = max(self._ends.get(message.partition(), 0), offset + 1)

    def _look(self, partition: int, start: int) -> None:
        """Read which packets are answered in a partition from some place on."""
        self._ends.setdefault(partition, start)
        for message in read_on(self._settings, self.topic, partition, start):
            self._ends[partition] = max(self._ends[partition], message.offset() + 1)
            for name, value in message.headers() or ():
                if name == _ORIGIN:
                    place, _, number = value.decode(*_NAMES).rpartition(" ")
                    self._there.setdefault(place, {})[int(number)] = message.offset()
