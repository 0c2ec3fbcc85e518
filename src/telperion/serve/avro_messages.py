"""Answers as Avro messages: our own, and ELAsTiCC's brokerClassification."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from telperion.formats.avro import Node, schema_json
from telperion.formats.avro_columns import encode_columns
from telperion.formats.avro_files import confluent
from telperion.formats.avro_write import container
from telperion.serve.answers import Answers, Provenance, microseconds
from telperion.serve.broker_schemas import (
    NOT_CLASSIFIED,
    RESIDUAL,
    SCHEMA_ID,
    class_ids,
    classification_schema,
    elasticc_schema,
)

_SLACK = 1e-3


@dataclass(frozen=True, eq=False)
class AvroMessages:
    """Answers in our own schema, as `telperion.serve.broker_schemas.classification_schema` explains it.

    Parameters
    ----------
    provenance : Provenance
    schema_id : int
        What a registry calls the schema, or readers know it by.

    Examples
    --------
    >>> from telperion.taxonomy import Taxonomy
    >>> messages = AvroMessages(Provenance("elasticc", "1a2b", Taxonomy.load("elasticc")))
    >>> messages.schema_id, messages.schema.name, messages.schema_json[:16]
    (100, 'telperion.v1_0.classification', '{"type": "record')
    """

    provenance: Provenance
    schema_id: int = SCHEMA_ID

    def __post_init__(self) -> None:
        _check_id(self.schema_id)

    @cached_property
    def schema(self) -> Node:
        """The schema of this tree's answers."""
        return classification_schema(self.provenance.tree)

    @cached_property
    def schema_json(self) -> str:
        """The schema as a registry wants it."""
        return schema_json(self.schema)

    def encode(self, answers: Answers) -> list[bytes]:
        """Give a message an answer, in Confluent's wire format.

        Raises
        ------
        ValueError
            The answers are along another tree.
        """
        return encode_columns(self.schema, self._columns(answers), len(answers), confluent(self.schema_id, b""))

    def container(self, answers: Answers, codec: str = "null") -> bytes:
        """Give an object container file, which brings its schema; `codec` as `telperion.formats.avro_write` has it."""
        bodies = encode_columns(self.schema, self._columns(answers), len(answers))
        return container(self.schema, bodies, codec)

    @cached_property
    def _constant(self) -> dict[str, Any]:
        about = self.provenance
        return {
            "treeName": about.tree.name,
            "classifierName": about.classifier,
            "classifierVersion": about.version,
            "promisedLevel": about.level,
            "brokerName": about.broker,
            "brokerVersion": about.broker_version,
        }

    def _columns(self, answers: Answers) -> dict[str, Any]:
        self.provenance.check(answers)
        nodes = np.array([name.encode() for name in self.provenance.tree.nodes])
        return {
            "alertId": answers.alert_id,
            "diaSourceId": answers.source_id,
            "objectId": answers.object_id,
            "alertMjd": np.ma.masked_invalid(answers.alert_time),
            "days": np.ma.masked_invalid(answers.days),
            "nObservations": answers.n_rows,
            "context": answers.context,
            "historyTruncated": answers.history_truncated,
            "leaf": nodes[answers.leaf],
            "confidentNode": nodes[answers.confident],
            "brokerIngestTimestamp": microseconds(answers.received),
            "brokerPublishTimestamp": microseconds(answers.published),
            "latency": answers.latency,
            "probabilities": answers.probabilities,
            **self._constant,
        }


@dataclass(frozen=True, eq=False)
class ElasticcMessages:
    """Answers as ELAsTiCC's brokerClassification: the probabilities of leaves by class number.

    The rest to one is Residual. An object without rows is NotClassified.

    Parameters
    ----------
    provenance : Provenance
        Messages name the classifier with its version.
    parameters : str
        What is worth noting of the classifier.
    schema_id : int, optional
        Puts Confluent's header before each message; by default messages are bodies alone, whose schema readers know.

    Raises
    ------
    ValueError
        A leaf of the tree is no class of ELAsTiCC's.
    """

    provenance: Provenance
    parameters: str = ""
    schema_id: int | None = None

    def __post_init__(self) -> None:
        class_ids(self.provenance.tree)
        if self.schema_id is not None:
            _check_id(self.schema_id)

    @cached_property
    def schema(self) -> Node:
        """The schema of brokerClassification 0.9.1."""
        return elasticc_schema()

    @cached_property
    def _ids(self) -> NDArray[np.int64]:
        return np.array([*class_ids(self.provenance.tree), RESIDUAL])

    def encode(self, answers: Answers, sent: ArrayLike | None = None) -> list[bytes]:
        """Give a message an answer.

        Parameters
        ----------
        answers : Answers
        sent : array, shape ``(n_alerts,)``, s (Unix), optional
            When ELAsTiCC published each alert; by default when it came in.

        Raises
        ------
        ValueError
            The answers are along another tree, or probabilities of leaves sum to more than one.
        """
        about, n = self.provenance, len(answers)
        about.check(answers)
        known = answers.n_rows > 0
        ids = np.where(known[:, None], self._ids, NOT_CLASSIFIED)
        share = np.where(known[:, None], self._shares(answers), 1).astype(np.float32)
        among = known[:, None] | (np.arange(self._ids.size) == 0)
        columns = {
            "alertId": answers.alert_id,
            "diaSourceId": answers.source_id,
            "elasticcPublishTimestamp": _milliseconds(answers.received if sent is None else sent),
            "brokerIngestTimestamp": _milliseconds(answers.received),
            "brokerName": about.broker,
            "brokerVersion": about.broker_version,
            "classifierName": f"{about.classifier} {about.version}".strip(),
            "classifierParams": self.parameters,
            "classifications": np.concatenate([[0], np.cumsum(among.sum(axis=1))]),
            "classifications[].classId": ids[among],
            "classifications[].probability": share[among],
        }
        header = b"" if self.schema_id is None else confluent(self.schema_id, b"")
        return encode_columns(self.schema, columns, n, header)

    def _shares(self, answers: Answers) -> NDArray[np.float32]:
        """Give the probabilities of leaves and the rest to one, none below zero, shape ``(n_alerts, n_leaves + 1)``."""
        leaves = answers.probabilities[:, self.provenance.tree.leaves].astype(np.float64)
        total = leaves.sum(axis=1, keepdims=True)
        if (wrong := np.flatnonzero(total > 1 + _SLACK)).size:
            raise ValueError(
                f"probabilities of leaves sum to more than one for {wrong.size} alerts, first to "
                f"{total[wrong[0], 0]:.4f} at alert {wrong[0]}"
            )
        single = (leaves / np.maximum(total, 1)).astype(np.float32)
        rest = np.maximum(1 - single.sum(axis=1, keepdims=True, dtype=np.float64), 0)
        return np.concatenate([single, rest.astype(np.float32)], axis=1)


def _milliseconds(seconds: ArrayLike) -> NDArray[np.int64]:
    return np.rint(1e3 * np.asarray(seconds, dtype=np.float64)).astype(np.int64)


def _check_id(schema_id: int) -> None:
    if not 0 <= schema_id < 2**32:
        raise ValueError(f"the schema id is {schema_id}, expected 0 to {2**32 - 1}")
