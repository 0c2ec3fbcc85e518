"""`Scores` and `Evaluation`: what an evaluation found, by class, by level of the tree, by days since first detection.

Plain numbers without a model or a file behind them; `telperion.evaluate` fills them, tables and figures draw them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

PHASES = tuple(2**n for n in range(11))
"""Days since first detection at which ORACLE is scored: 1, 2, 4 ... 1024."""

LEVELS = ("level 1", "level 2", "leaves")

ROC_GRID: NDArray[np.float64] = np.linspace(0, 1, 101) ** 3
"""False positive rates at which ROC curves are kept: dense near zero, where alerts are picked."""


@dataclass(frozen=True)
class Averages:
    """One mean over classes of each measure."""

    precision: float
    recall: float
    f1: float
    auc: float


@dataclass(frozen=True, eq=False)
class LevelScores:
    """One level at one phase; its classes stand in tree order.

    Parameters
    ----------
    classes, groups : tuple of str, length ``n_classes``
        Node names, and the names of their parents.
    confusion : array of int, shape ``(n_classes, n_classes)``
        Objects by true class (rows) and decided class (columns).
    auc : array, shape ``(n_classes,)``
        One-vs-rest area under the ROC curve; NaN where a class is absent, or no other is present.
    roc : array, shape ``(n_classes, len(ROC_GRID))``
        True positive rate at the false positive rates of `ROC_GRID`, rounded for drawing; NaN where `auc` is.
    calibration_error : array, shape ``(n_classes,)``
        Distance between a class's probability and its frequency, averaged over bins of probability by objects.
    reliability : array, shape ``(n_bins, 3)``
        By bin of the highest probability: its mean, how often its class is the true one, and the number of objects;
        NaN where there are none.
    log_loss, balanced_log_loss : float, nat
        Mean over objects; mean over the classes present of the mean over their objects.
    left_out : int
        Objects whose label does not reach this level.
    """

    classes: tuple[str, ...]
    groups: tuple[str, ...]
    confusion: NDArray[np.int64]
    auc: NDArray[np.float64]
    roc: NDArray[np.float64]
    calibration_error: NDArray[np.float64]
    reliability: NDArray[np.float64]
    log_loss: float
    balanced_log_loss: float
    left_out: int

    @cached_property
    def _ratios(self) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
        return precision_recall_f1(self.confusion)

    @property
    def support(self) -> NDArray[np.int64]:
        """Objects of each true class, shape ``(n_classes,)``."""
        return self.confusion.sum(axis=1)

    @property
    def n_objects(self) -> int:
        """Objects scored on this level."""
        return int(self.confusion.sum())

    @property
    def precision(self) -> NDArray[np.float64]:
        """Share of the objects decided for a class that are of it (purity), shape ``(n_classes,)``."""
        return self._ratios[0]

    @property
    def recall(self) -> NDArray[np.float64]:
        """Share of a class's objects that are decided for it (completeness), shape ``(n_classes,)``."""
        return self._ratios[1]

    @property
    def f1(self) -> NDArray[np.float64]:
        """Harmonic mean of precision and recall, shape ``(n_classes,)``."""
        return self._ratios[2]

    @property
    def macro(self) -> Averages:
        """Plain means over the classes present in the truth (AUC: over those that have one)."""
        return self._averages(self.support > 0)

    @property
    def weighted(self) -> Averages:
        """Means over the classes present, each weighing as many as its objects."""
        return self._averages(self.support)

    @property
    def accuracy(self) -> float:
        """Share of objects decided rightly."""
        return weighted_mean(self.recall, self.support)

    @property
    def top_label_calibration_error(self) -> float:
        """Distance between the highest probability and how often its class is true, averaged over bins by objects."""
        belief, frequency, count = self.reliability[self.reliability[:, 2] > 0].T
        return weighted_mean(np.abs(belief - frequency), count)

    @property
    def summary(self) -> dict[str, float]:
        """Every number that describes the level as a whole; averages over classes are macro unless named weighted."""
        macro, weighted = self.macro, self.weighted
        return {
            **{name: getattr(macro, name) for name in ("precision", "recall", "f1", "auc")},
            **{f"weighted_{name}": getattr(weighted, name) for name in ("precision", "recall", "f1", "auc")},
            "accuracy": self.accuracy,
            "log_loss": self.log_loss,
            "balanced_log_loss": self.balanced_log_loss,
            "calibration_error": weighted_mean(self.calibration_error, self.support > 0),
            "top_label_calibration_error": self.top_label_calibration_error,
        }

    def _averages(self, weight: NDArray[Any]) -> Averages:
        known = ~np.isnan(self.auc)
        precision, recall, f1 = (weighted_mean(values, weight) for values in self._ratios)
        return Averages(precision, recall, f1, auc=weighted_mean(self.auc[known], weight[known]))

    def to_dict(self) -> dict[str, Any]:
        """Give plain lists and numbers, NaN as None; what follows from the confusion is written out as well."""
        kept = {field.name: _plain(getattr(self, field.name)) for field in fields(self)}
        shown = {name: _plain(getattr(self, name)) for name in ("support", "precision", "recall", "f1", "summary")}
        return kept | shown

    @classmethod
    def from_dict(cls, record: Mapping[str, Any]) -> LevelScores:
        """Read what `to_dict` gave; derived numbers are worked out anew."""
        arrays = {
            name: np.array(record[name], dtype=float) for name in ("auc", "roc", "calibration_error", "reliability")
        }
        return cls(
            classes=tuple(record["classes"]),
            groups=tuple(record["groups"]),
            confusion=np.array(record["confusion"], dtype=np.int64),
            log_loss=_number(record["log_loss"]),
            balanced_log_loss=_number(record["balanced_log_loss"]),
            left_out=record["left_out"],
            **arrays,
        )


@dataclass(frozen=True, eq=False)
class Scores:
    """One phase: the `LevelScores` of each of `LEVELS`, reached as ``scores["leaves"]``."""

    levels: Mapping[str, LevelScores]

    def __getitem__(self, level: str) -> LevelScores:
        if level not in self.levels:
            raise KeyError(f"no level {level!r}; there are {', '.join(self.levels)}")
        return self.levels[level]

    def to_dict(self) -> dict[str, Any]:
        """Give plain nested dicts, one a level."""
        return {name: level.to_dict() for name, level in self.levels.items()}

    @classmethod
    def from_dict(cls, record: Mapping[str, Any]) -> Scores:
        """Read what `to_dict` gave."""
        return cls({name: LevelScores.from_dict(level) for name, level in record.items()})


@dataclass(frozen=True, eq=False)
class Evaluation:
    """One classifier on one set of objects, phase by phase.

    Parameters
    ----------
    view : str
        Which rows the classifier saw: ``"full"`` or ``"alert"``.
    context : str
        Which static features it saw: ``"specz"``, ``"photoz"`` or ``"none"``.
    phases : mapping of float, d, to Scores
        Scores by days since first detection, inf for whole light curves; kept in rising order.
    """

    view: str
    context: str
    phases: Mapping[float, Scores]

    def __post_init__(self) -> None:
        if not self.phases:
            raise ValueError("an evaluation needs at least one phase, got none")
        object.__setattr__(self, "phases", {float(days): self.phases[days] for days in sorted(self.phases)})

    @property
    def days(self) -> tuple[float, ...]:
        """The phases in rising order."""
        return tuple(self.phases)

    def curve(self, level: str, measure: str = "f1") -> NDArray[np.float64]:
        """Give one entry of `LevelScores.summary` at every phase, shape ``(n_phases,)``."""
        return np.array([scores[level].summary[measure] for scores in self.phases.values()])

    def to_dict(self) -> dict[str, Any]:
        """Give plain nested dicts; the phases' keys are text, ``"inf"`` for whole light curves."""
        phases = {f"{days:g}": scores.to_dict() for days, scores in self.phases.items()}
        return {"view": self.view, "context": self.context, "phases": phases}

    @classmethod
    def from_dict(cls, record: Mapping[str, Any]) -> Evaluation:
        """Read what `to_dict` gave."""
        phases = {float(days): Scores.from_dict(scores) for days, scores in record["phases"].items()}
        return cls(record["view"], record["context"], phases)


def shared_days(evaluations: Sequence[Evaluation]) -> list[float]:
    """Give the phases at which all of these are scored, in rising order.

    Raises
    ------
    ValueError
        There are no evaluations, or they share no phase.
    """
    days = sorted(set.intersection(*(set(run.days) for run in evaluations))) if evaluations else []
    if not days:
        raise ValueError(f"{len(evaluations)} evaluations share no phase")
    return days


def precision_recall_f1(
    confusion: NDArray[Any],
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Work out precision, recall and F1 of each class, 0 where they would be 0/0.

    Parameters
    ----------
    confusion : array, shape ``(..., n_classes, n_classes)``
        Objects by true class (rows) and decided class (columns).

    Examples
    --------
    >>> precision, recall, f1 = precision_recall_f1(np.array([[3, 1], [0, 4]]))
    >>> precision.tolist(), recall.tolist()
    ([1.0, 0.8], [0.75, 1.0])
    """
    hits = np.diagonal(confusion, axis1=-2, axis2=-1)
    truth, decided = confusion.sum(axis=-1), confusion.sum(axis=-2)
    return _ratio(hits, decided), _ratio(hits, truth), _ratio(2 * hits, truth + decided)


def weighted_mean(values: NDArray[Any], weight: NDArray[Any]) -> float:
    """Average values, shape ``(n,)``, by weights; NaN where these sum to nothing."""
    total = weight.sum()
    return float((values * weight).sum() / total) if total > 0 else float("nan")


def _ratio(numerator: NDArray[Any], denominator: NDArray[Any]) -> NDArray[np.float64]:
    return np.divide(numerator, denominator, out=np.zeros(numerator.shape), where=denominator > 0)


def _plain(value: Any) -> Any:
    if isinstance(value, np.ndarray):
        return _plain(value.tolist())
    if isinstance(value, Mapping):
        return {name: _plain(entry) for name, entry in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(entry) for entry in value]
    return None if value != value else value  # NaN is the only value that differs from itself


def _number(value: float | None) -> float:
    return float("nan") if value is None else value
