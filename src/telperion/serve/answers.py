"""`Answers`: what is said of a batch of alerts, and `Provenance`: who says it, along which tree."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import get_args

import numpy as np
import pyarrow as pa
from numpy.typing import ArrayLike, NDArray

from telperion import __version__
from telperion.encode.view import Context
from telperion.taxonomy import Taxonomy

_TYPES: dict[str, tuple[type, str]] = {
    "alert_id": (np.int64, "iu"),
    "source_id": (np.int64, "iu"),
    "object_id": (np.str_, "U"),
    "alert_time": (np.float64, "iuf"),
    "days": (np.float64, "iuf"),
    "n_rows": (np.int32, "iu"),
    "probabilities": (np.float32, "f"),
    "leaf": (np.int64, "iu"),
    "confident": (np.int64, "iu"),
    "context": (np.str_, "U"),
    "history_truncated": (np.bool_, "b"),
    "received": (np.float64, "iuf"),
    "published": (np.float64, "iuf"),
}
_ROUNDING = 1e-5
_LATEST = 1e11  # s: the year 5138


@dataclass(frozen=True, eq=False)
class Answers:
    """What is said of a batch of alerts, one after the other.

    Parameters
    ----------
    alert_id, source_id : array of int64, shape ``(n_alerts,)``
        As `telperion.formats.alerts.Alerts` has them (of Rubin the same).
    object_id : array of str, shape ``(n_alerts,)``
    alert_time : array, shape ``(n_alerts,)``, MJD
        When the new source was seen; NaN unknown.
    days : array, shape ``(n_alerts,)``, d
        After the first detection, up to which the object is known; NaN without a row.
    n_rows : array of int32, shape ``(n_alerts,)``
        Rows that the answer stands on.
    probabilities : array of float32, shape ``(n_alerts, n_nodes)``
        Of each node of the tree, calibrated.
    leaf : array of int64, shape ``(n_alerts,)``
        The node decided for.
    confident : array of int64, shape ``(n_alerts,)``
        The deepest node that is promised; 0, the root, promises nothing.
    context : array of str, shape ``(n_alerts,)``
        What is known beside the light curve: specz, photoz or none, as `telperion.encode.view.held_context` says.
    history_truncated : array of bool, shape ``(n_alerts,)``
        Whether the survey counts more sources than the packet holds.
    received, published : array, shape ``(n_alerts,)``, s (Unix)
        When the alert came in, and when the answer was made.

    Raises
    ------
    ValueError
        A length or type is wrong, a value is not finite or cannot be; the message names the first alert.
    """

    alert_id: NDArray[np.int64]
    source_id: NDArray[np.int64]
    object_id: NDArray[np.str_]
    alert_time: NDArray[np.float64]
    days: NDArray[np.float64]
    n_rows: NDArray[np.int32]
    probabilities: NDArray[np.float32]
    leaf: NDArray[np.int64]
    confident: NDArray[np.int64]
    context: NDArray[np.str_]
    history_truncated: NDArray[np.bool_]
    received: NDArray[np.float64]
    published: NDArray[np.float64]

    def __post_init__(self) -> None:
        for name in _TYPES:
            object.__setattr__(self, name, _column(name, getattr(self, name)))
        n, values = self.alert_id.size, self.probabilities
        for name in _TYPES:
            shape = getattr(self, name).shape
            if shape[:1] != (n,) or len(shape) != 1 + (name == "probabilities"):
                raise ValueError(f"{name} has shape {shape}, alert_id ({n},)")
        _refuse("probabilities are not finite", ~np.isfinite(values).all(axis=1))
        _refuse("probabilities are not within 0 to 1", ((values < 0) | (values > 1 + _ROUNDING)).any(axis=1))
        for name in ("leaf", "confident"):
            place = getattr(self, name)
            _refuse(f"{name} is none of the {values.shape[1]} nodes", (place < 0) | (place >= values.shape[1]))
        _refuse(f"context is none of {', '.join(get_args(Context))}", ~_any_of(self.context, get_args(Context)))
        _refuse("n_rows is below zero", self.n_rows < 0)
        _refuse("days are NaN though there are rows, or known without one", np.isnan(self.days) ^ (self.n_rows == 0))
        _refuse("days are infinite or below zero", np.isinf(self.days) | (self.days < 0))
        _refuse("alert_time is infinite", np.isinf(self.alert_time))
        for name in ("received", "published"):
            seconds = getattr(self, name)
            _refuse(f"{name} is not within 0 to {_LATEST:g} s", ~((seconds >= 0) & (seconds <= _LATEST)))

    def __len__(self) -> int:
        return self.alert_id.size

    def __getitem__(self, which: ArrayLike | slice) -> Answers:
        """Choose answers by a mask, positions or a slice."""
        chosen = which if isinstance(which, slice) else np.atleast_1d(np.asarray(which))
        if not isinstance(chosen, slice) and not chosen.size:
            chosen = chosen.astype(np.int64)
        return Answers(*(getattr(self, item.name)[chosen] for item in fields(self)))

    @classmethod
    def concatenate(cls, parts: Sequence[Answers]) -> Answers:
        """Put the answers of one or more batches one after the other.

        Raises
        ------
        ValueError
            There is none, or they are along trees of other sizes.
        """
        widths = {part.probabilities.shape[1] for part in parts}
        if len(widths) != 1:
            raise ValueError(f"answers of one tree are joined, these have {sorted(widths) or 'no'} nodes")
        return cls(*(np.concatenate([getattr(part, item.name) for part in parts]) for item in fields(cls)))

    @property
    def latency(self) -> NDArray[np.float64]:
        """The time from an alert's coming in to its answer, shape ``(n_alerts,)``, ms."""
        return 1e3 * (self.published - self.received)

    def to_arrow(self, provenance: Provenance) -> pa.Table:
        """Give a table, a row an answer; ``pyarrow.parquet.write_table`` makes a file of it.

        Columns are those of `telperion.classifier.Classifier.classify`, with a float32 one a node, and beside them ids,
        times (``received`` and ``published`` are UTC), context, classifier and its version. What is unknown is null.

        Parameters
        ----------
        provenance : Provenance

        Raises
        ------
        ValueError
            The answers are not along this tree, or it has a node called as another column is.
        """
        provenance.check(self)
        nodes, no = np.array(provenance.tree.nodes), pa.array(np.zeros(len(self), dtype=np.int32))
        columns = {
            "alert_id": pa.array(self.alert_id),
            "source_id": pa.array(self.source_id),
            "object_id": pa.array(self.object_id, pa.string()),
            "alert_time": pa.array(self.alert_time, from_pandas=True),
            "days": pa.array(self.days, from_pandas=True),
            "n_obs": pa.array(self.n_rows),
            "context": pa.array(self.context, pa.string()),
            "history_truncated": pa.array(self.history_truncated),
            "leaf": pa.array(nodes[self.leaf], pa.string()),
            "confident_node": pa.array(nodes[self.confident], pa.string()),
            "classifier": pa.DictionaryArray.from_arrays(no, [provenance.classifier]),
            "classifier_version": pa.DictionaryArray.from_arrays(no, [provenance.version]),
        }
        for name in ("received", "published"):
            columns[name] = pa.array(microseconds(getattr(self, name)), pa.timestamp("us", "UTC"))
        if taken := [name for name in provenance.tree.nodes if name in columns]:
            raise ValueError(f"the node {taken[0]!r} is called as another column of the table is")
        columns |= {name: pa.array(self.probabilities[:, k]) for k, name in enumerate(provenance.tree.nodes)}
        about = {"tree": provenance.tree.name, "level": f"{provenance.level:g}"}
        about |= {"broker": provenance.broker, "broker_version": provenance.broker_version}
        return pa.table(columns, metadata=about)


@dataclass(frozen=True, eq=False)
class Provenance:
    """Who says what is published: the same in every answer.

    Parameters
    ----------
    classifier : str
        Its name.
    version : str
        Tells this classifier from others of that name, such as a hash of its files.
    tree : Taxonomy
    level : float
        Share of answers for which `Answers.confident` is promised to be right.
    broker, broker_version : str
        Who runs it.

    Raises
    ------
    ValueError
        The level is not within 0 to 1, or the classifier has no name.
    """

    classifier: str
    version: str
    tree: Taxonomy
    level: float = 0.9
    broker: str = "telperion"
    broker_version: str = __version__

    def __post_init__(self) -> None:
        if not 0 < self.level < 1:
            raise ValueError(f"the level is {self.level}, expected a share within 0 to 1")
        if not self.classifier:
            raise ValueError("the classifier needs a name")

    def check(self, answers: Answers) -> None:
        """Refuse answers along another tree.

        Raises
        ------
        ValueError
            They have another number of nodes, or decide for a node that is no leaf.
        """
        if (n := answers.probabilities.shape[1]) != len(self.tree):
            raise ValueError(f"the answers are along a tree of {n} nodes, {self.tree.name!r} has {len(self.tree)}")
        _refuse("leaf is not a leaf of the tree", ~np.isin(np.arange(n), self.tree.leaves)[answers.leaf])


def microseconds(seconds: NDArray[np.float64]) -> NDArray[np.int64]:
    """Give times in whole microseconds."""
    return np.rint(1e6 * seconds).astype(np.int64)


def _column(name: str, given: ArrayLike) -> NDArray:
    """Make an array of the type that a column has; refuse what is not such."""
    kind, kinds = _TYPES[name]
    values = np.asarray(given)
    if values.dtype.kind not in kinds and values.size:
        raise ValueError(f"{name} is of {values.dtype}, expected {kind.__name__.rstrip('_')}")
    if kind is np.str_ and values.dtype.kind == "U":
        return values
    result: NDArray = values.astype(kind, copy=False)
    if values.dtype.kind in "iu" and (wrong := np.flatnonzero(result != values)).size:
        raise ValueError(f"{name} does not fit {kind.__name__} for {wrong.size} alerts, first at alert {wrong[0]}")
    return result


def _any_of(values: NDArray[np.str_], words: Sequence[str]) -> NDArray[np.bool_]:
    return np.any([values == word for word in words], axis=0)  # np.isin would sort them first


def _refuse(what: str, wrong: NDArray[np.bool_] | np.bool_) -> None:
    if wrong.any():
        raise ValueError(f"{what} for {wrong.sum()} alerts, first at alert {np.argmax(wrong)}")
