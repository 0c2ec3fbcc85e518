"""How a topic is called, ``kafka://HOST:PORT/TOPIC``, and the settings of librdkafka beside it; needs no Kafka."""

from __future__ import annotations

import re
from collections.abc import Sequence

KAFKA = re.compile(r"kafka://(?P<brokers>[^/]+)/(?P<topic>[A-Za-z0-9._-]+)")


def kafka_address(text: str) -> tuple[str, str]:
    """Give the brokers and the topic of an address.

    Raises
    ------
    ValueError
        It is none.

    Examples
    --------
    >>> kafka_address("kafka://one:9092,two:9092/alerts")
    ('one:9092,two:9092', 'alerts')
    """
    if not (match := KAFKA.fullmatch(text)):
        raise ValueError(f"{text!r} is no topic, expected kafka://HOST:PORT/TOPIC")
    return match["brokers"], match["topic"]


def kafka_settings(pairs: Sequence[str]) -> dict[str, str]:
    """Read settings of librdkafka.

    Raises
    ------
    ValueError
        One has no value.

    Examples
    --------
    >>> kafka_settings(["sasl.username=a", "sasl.password=b=c"])
    {'sasl.username': 'a', 'sasl.password': 'b=c'}
    """
    if wrong := [pair for pair in pairs if "=" not in pair]:
        raise ValueError(f"--kafka takes KEY=VALUE, not {wrong[0]!r}")
    return dict(pair.split("=", 1) for pair in pairs)
