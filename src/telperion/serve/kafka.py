"""Kafka as a source of alerts, through librdkafka."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from confluent_kafka import OFFSET_BEGINNING, Consumer, KafkaError, KafkaException, TopicPartition

from telperion.formats.avro import Node
from telperion.formats.packets import decode_alerts
from telperion.serve.kafka_topics import LONG, client, partition_of, place_of
from telperion.serve.taken import Origin, Taken

EVERY = 1.0
"""Seconds between the commits of the group's positions."""


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
        Gives what stands beside a position of a partition in the group: marks of the sinks.
    given : callable, optional
        Is told of a partition that is given, and of the mark beside its position.
    leaving : callable, optional
        Is called before partitions go to another worker: it publishes what is under way, and says so (`done`).
    """

    def __init__(
        self, brokers: str, topic: str, group: str, schemas: Mapping[int, Node] | None = None, *, most: int = 2000,
        settings: Mapping[str, Any] | None = None, mark: Callable[[int, int], str] | None = None,
        given: Callable[[int, str], None] | None = None, leaving: Callable[[], None] | None = None,
    ) -> None:  # fmt: skip
        self.topic, self.schemas, self.most = topic, schemas, most
        self._mark, self._tell, self._leaving = mark or (lambda *_: ""), given or (lambda *_: None), leaving
        self._kept: dict[str, Any] = {}
        self._ready: dict[int, int] = {}
        self._said = 0.0
        self._wrong: Exception | None = None
        self._own: set[int] = set()
        self._consumer = client(
            Consumer,
            {
                "bootstrap.servers": brokers,
                "group.id": group,
                "enable.auto.commit": False,
                "auto.offset.reset": "earliest",
                "queued.max.messages.kbytes": 65_536,
                "fetch.wait.max.ms": 10,
                **(settings or {}),
            },
        )

    def resume(self, positions: Mapping[str, Any]) -> None:
        """Join the group; partitions that it gives begin where the account or the group says, whichever is later."""
        self._kept = dict(positions)
        self._consumer.subscribe([self.topic], on_assign=self._given, on_revoke=self._gone, on_lost=self._lost)

    def take(self) -> Taken | None:
        """Give the alerts that are there; if there are none, wait a moment for one."""
        messages = self._consumer.consume(1, 0.1)
        if messages:
            messages += self._consumer.consume(self.most - 1, 0)
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
        origins = [Origin(place_of(self.topic, partition), offset) for partition, offset in sound]
        positions = {origin.place: origin.number + 1 for origin in origins}
        self._kept.update(positions)
        return Taken(
            decode_alerts(values, self.schemas), len(values), np.full(len(values), received), origins.__getitem__,
            values.__getitem__, positions,
        )  # fmt: skip

    def done(self, positions: Mapping[str, Any]) -> None:
        """Tell the group, now and then."""
        told = {partition_of(place): number for place, number in positions.items()}
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
            TopicPartition(self.topic, partition, number, self._mark(partition, number))
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
            for each in consumer.committed(partitions, timeout=LONG):
                self._tell(each.partition, each.metadata or "")
                place = max(each.offset, int(self._kept.get(place_of(self.topic, each.partition), 0)))
                begin.append(TopicPartition(self.topic, each.partition, place if place > 0 else OFFSET_BEGINNING))
                self._own.add(each.partition)
            consumer.assign(begin)
        except KafkaException as error:
            self._wrong = ConnectionError(f"{self.topic}: the group does not say its positions: {error.args[0].str()}")
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
