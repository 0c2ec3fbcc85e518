"""The way back: answers that were published in our own Avro."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from telperion.formats.avro import Node
from telperion.formats.avro_files import Bodies, read_container
from telperion.formats.avro_plan import make_plan
from telperion.serve.answers import Answers
from telperion.serve.broker_schemas import NAME

_HEADER = 5
_LONGEST = 4096
_NUMBERS = ("alertMjd", "days", "brokerIngestTimestamp", "brokerPublishTimestamp")
_INTEGERS = ("alertId", "diaSourceId", "nObservations", "historyTruncated")
_TEXTS = ("objectId", "context", "leaf", "confidentNode")


def read_answers(
    source: str | Path | bytes | Sequence[bytes], schemas: Mapping[int, Node] | None = None
) -> tuple[Answers, tuple[str, ...]]:
    """Read answers that `telperion.serve.avro_messages.AvroMessages` wrote.

    Parameters
    ----------
    source : path, bytes, or sequence of bytes
        An object container file or its content, or messages in Confluent's wire format, all of one schema.
    schemas : mapping of int to Node, optional
        Of messages, by id, such as ``{messages.schema_id: messages.schema}``, or parsed from a registry's JSON.

    Returns
    -------
    Answers
    tuple of str
        The nodes of their tree.

    Raises
    ------
    ValueError
        Something is no answer of ours: the message says what, and the first place.
    ImportError
        numba, which the extra ``stream`` brings, is missing.
    """
    from telperion.formats.avro_decode import decode  # not above: they need the extra `stream`
    from telperion.formats.avro_loop import REASONS

    schema, bodies = _bodies(source, schemas or {})
    wanted = [*_NUMBERS, *_INTEGERS, *_TEXTS]
    part = schema.fields.get("probabilities", Node("null"))
    paths = [f"probabilities.{name}" for name in part.fields]
    plan = make_plan(schema, [*wanted, *paths])
    if lacking := [path for path in wanted if path not in plan.columns] or ([] if paths else ["probabilities"]):
        raise ValueError(f"the schema {schema.name!r} is not that of {NAME}: it lacks {lacking[0]}")
    columns = decode(plan, bodies)
    if (broken := np.flatnonzero(columns.error)).size:
        first = broken[0]
        reason = f"{REASONS[columns.error[first]]}, at byte {columns.position[first]}"
        raise ValueError(f"{broken.size} of {len(columns)} answers are broken, first {first}: {reason}")
    nodes = tuple(part.docs.get(name, name) for name in part.fields)
    numbers = {name: columns.numbers(name) for name in _NUMBERS}
    integers = {name: columns.integers(name) for name in _INTEGERS}
    texts = {name: np.char.decode(columns.texts(name, _LONGEST), "utf-8", "replace") for name in _TEXTS}
    answers = Answers(
        integers["alertId"],
        integers["diaSourceId"],
        texts["objectId"],
        numbers["alertMjd"],
        numbers["days"],
        integers["nObservations"].astype(np.int32),
        np.stack([columns.numbers(path) for path in paths], axis=1).astype(np.float32),
        _places(texts["leaf"], nodes),
        _places(texts["confidentNode"], nodes),
        texts["context"],
        integers["historyTruncated"].astype(bool),
        numbers["brokerIngestTimestamp"] / 1e6,
        numbers["brokerPublishTimestamp"] / 1e6,
    )
    return answers, nodes


def _bodies(source: str | Path | bytes | Sequence[bytes], schemas: Mapping[int, Node]) -> tuple[Node, Bodies]:
    """Give the schema of what is to be read, and where each answer is."""
    if isinstance(source, str | Path):
        source = Path(source).read_bytes()
    if isinstance(source, bytes):
        schema, bodies = read_container(source)
        if bodies.fault is not None:
            raise ValueError(f"{bodies.fault[1]}, at byte {bodies.fault[0]}")
        return schema, bodies
    heads = {message[:_HEADER] for message in source}
    if wrong := [head for head in sorted(heads) if len(head) < _HEADER or head[0] != 0]:
        raise ValueError(f"a message begins with {wrong[0]!r}: that is not Confluent's wire format")
    if len(ids := sorted(int.from_bytes(head[1:], "big") for head in heads)) > 1:
        raise ValueError(f"the messages are of several schemas: {', '.join(map(str, ids))}")
    if not ids and len(schemas) != 1:
        raise ValueError("there is no message, and not one schema to tell the nodes")
    number = ids[0] if ids else next(iter(schemas))
    if number not in schemas:
        raise ValueError(f"the schema id {number} is unknown")
    sizes = np.array([len(message) for message in source], dtype=np.int64)
    stops = np.cumsum(sizes)
    buffer = np.frombuffer(b"".join(source), dtype=np.uint8)
    return schemas[number], Bodies(buffer, stops - sizes + _HEADER, stops)


def _places(names: NDArray[np.str_], nodes: tuple[str, ...]) -> NDArray[np.int64]:
    """Turn names of nodes into their places."""
    distinct, inverse = np.unique(names, return_inverse=True)
    place = {node: k for k, node in enumerate(nodes)}
    if unknown := [str(name) for name in distinct if str(name) not in place]:
        raise ValueError(f"the answers name {unknown[0]!r}, which is no node of their schema")
    return np.array([place[str(name)] for name in distinct], dtype=np.int64)[inverse]
