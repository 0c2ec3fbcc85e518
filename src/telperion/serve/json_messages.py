"""Answers as JSON: our own objects, a line each, and the annotations of Lasair."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from urllib.parse import quote

from telperion.serve.answers import Answers, Provenance

_TEXT = json.JSONEncoder(ensure_ascii=False).encode
_HELD = {"specz": "a spectroscopic redshift", "photoz": "the host, without a spectrum", "none": "nothing else"}


@dataclass(frozen=True, eq=False)
class JsonMessages:
    """Answers as JSON objects with the fields of our own Avro, probabilities under the nodes' own names.

    What is unknown is null; times are Unix seconds; probabilities have seven digits.

    Parameters
    ----------
    provenance : Provenance
    """

    provenance: Provenance

    def encode(self, answers: Answers) -> list[bytes]:
        """Give a message an answer: strict JSON in UTF-8, without a line break.

        Raises
        ------
        ValueError
            The answers are along another tree.
        """
        self.provenance.check(answers)
        nodes = list(map(_TEXT, self.provenance.tree.nodes))
        rows = zip(
            answers.alert_id.tolist(),
            answers.source_id.tolist(),
            map(_TEXT, answers.object_id.tolist()),
            _numbers(answers.alert_time.tolist()),
            _numbers(answers.days.tolist()),
            answers.n_rows.tolist(),
            answers.context.tolist(),
            map(("false", "true").__getitem__, answers.history_truncated.tolist()),
            map(nodes.__getitem__, answers.leaf.tolist()),
            map(nodes.__getitem__, answers.confident.tolist()),
            answers.received.tolist(),
            answers.published.tolist(),
            answers.latency.tolist(),
            answers.probabilities.tolist(),
            strict=True,
        )
        form = self._form
        return [(form % (*values, *probabilities)).encode() for *values, probabilities in rows]

    def lines(self, answers: Answers) -> bytes:
        """Give all messages, a line each, as files of them are."""
        return b"".join(message + b"\n" for message in self.encode(answers))

    @cached_property
    def _form(self) -> str:
        """The object with a place for everything that differs: a third of the time of a dict and ``json.dumps``."""
        about = self.provenance
        constant = {
            "treeName": about.tree.name,
            "classifierName": about.classifier,
            "classifierVersion": about.version,
            "promisedLevel": about.level,
            "brokerName": about.broker,
            "brokerVersion": about.broker_version,
        }
        end = json.dumps(constant, ensure_ascii=False, allow_nan=False).replace("%", "%%")
        return (
            '{"alertId": %d, "diaSourceId": %d, "objectId": %s, "alertMjd": %s, "days": %s, "nObservations": %d, '
            '"context": "%s", "historyTruncated": %s, "leaf": %s, "confidentNode": %s, "brokerIngestTimestamp": %.6f, '
            f'"brokerPublishTimestamp": %.6f, "latency": %.3f, "probabilities": {_places(about)}, {end[1:]}'
        )


@dataclass(frozen=True, eq=False)
class LasairMessages:
    """Answers as annotations of Lasair: the promised node with an explanation, and all probabilities as its classdict.

    Parameters
    ----------
    provenance : Provenance
        Its version is the annotation's.
    topic : str
        The annotator, as Lasair knows it.
    url : str
        More about the object; ``{objectId}`` stands for the object's.

    Raises
    ------
    ValueError
        There is no topic.
    """

    provenance: Provenance
    topic: str
    url: str = ""

    def __post_init__(self) -> None:
        if not self.topic:
            raise ValueError("an annotation needs a topic")

    def encode(self, answers: Answers) -> list[bytes]:
        """Give an annotation an answer: strict JSON in UTF-8.

        Raises
        ------
        ValueError
            The answers are along another tree.
        """
        about = self.provenance
        about.check(answers)
        nodes = list(map(_TEXT, about.tree.nodes))
        rows = zip(
            answers.object_id.tolist(),
            map(nodes.__getitem__, answers.confident.tolist()),
            self.explanations(answers),
            answers.probabilities.tolist(),
            strict=True,
        )
        form = (
            f'{{"objectId": %s, "topic": {_TEXT(self.topic).replace("%", "%%")}, '
            f'"version": {_TEXT(about.version).replace("%", "%%")}, "classification": %s, "explanation": %s, '
            f'"classdict": {_places(about)}, "url": %s}}'
        )
        return [
            (form % (_TEXT(name), node, _TEXT(why), *probabilities, _TEXT(self._url(name)))).encode()
            for name, node, why, probabilities in rows
        ]

    def explanations(self, answers: Answers) -> list[str]:
        """Say each answer in plain words."""
        nodes, percent = self.provenance.tree.nodes, f"{100 * self.provenance.level:g} %"
        found = answers.probabilities[range(len(answers)), answers.leaf].tolist()
        rows = zip(
            answers.leaf.tolist(),
            found,
            answers.confident.tolist(),
            answers.n_rows.tolist(),
            answers.days.tolist(),
            answers.context.tolist(),
            strict=True,
        )
        return [
            f"Best guess {nodes[leaf]} with probability {probability:.2f}; promised at {percent}: "
            f"{nodes[confident] if confident else 'nothing yet'}. It stands on {n} observation{'s' * (n != 1)} up to "
            f"{days:.1f} days after the first detection and {_HELD[context]}."
            if n
            else "No observation is of use yet, so this is the class mix alone."
            for leaf, probability, confident, n, days, context in rows
        ]

    def _url(self, name: str) -> str:
        return self.url.replace("{objectId}", quote(name, safe=""))


def _places(about: Provenance) -> str:
    """Give an object of nodes with a place for each probability."""
    return f"{{{', '.join(_TEXT(name).replace('%', '%%') + ': %.7g' for name in about.tree.nodes)}}}"


def _numbers(values: Iterable[float]) -> list[str]:
    return ["null" if math.isnan(value) else repr(value) for value in values]
