"""Finding the objects of one class: a threshold on a score, and what precision, recall and F1 it gives.

F1 is 2 TP / (2 TP + FP + FN); average precision is the sum over thresholds of precision times the recall gained.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from telperion.evaluate import roc_curve
from telperion.intervals import Interval

_PRIOR, _SPAN, _DEGREE = 0.1, 5.0, 2
AS_GIVEN, NOISY = "as given", "noisy"
"""Redshifts of the scored objects."""


@dataclass(frozen=True)
class Found:
    """How well one class was found.

    Parameters
    ----------
    true_positives, false_positives, false_negatives : int
    average_precision, roc_auc : float
        Of the score, whatever the threshold; NaN where a side is empty.
    """

    true_positives: int
    false_positives: int
    false_negatives: int
    average_precision: float
    roc_auc: float

    @property
    def precision(self) -> float:
        """Share of those called that are right; 0 where none is called."""
        return self.true_positives / max(self.true_positives + self.false_positives, 1)

    @property
    def recall(self) -> float:
        """Share of those there are that are called; 0 where there are none."""
        return self.true_positives / max(self.true_positives + self.false_negatives, 1)

    @property
    def f1(self) -> float:
        """Harmonic mean of precision and recall."""
        wrong = self.false_positives + self.false_negatives
        return 2 * self.true_positives / max(2 * self.true_positives + wrong, 1)


@dataclass(frozen=True, eq=False)
class Search:
    """What one search over all folds found.

    Parameters
    ----------
    folding : str
        "random", or the context column that grouped the folds.
    redshift : {"as given", "noisy"}
        Of the objects scored.
    seed : int
    object_id, label : array of str, shape ``(n_objects,)``
        In the order of the ids.
    score : array, shape ``(n_objects,)``
        Probability of the target.
    called, truth : array of bool, shape ``(n_objects,)``
        Whether an object is said to be, and is, of the target.
    fold : array of int, shape ``(n_objects,)``
    threshold : array, shape ``(n_folds,)``
    weights : array, shape ``(n_folds, n_members)``
        Of a stack's members; ones for a single model.
    """

    folding: str
    redshift: str
    seed: int
    object_id: NDArray[np.str_]
    label: NDArray[np.str_]
    score: NDArray[np.float64]
    called: NDArray[np.bool_]
    truth: NDArray[np.bool_]
    fold: NDArray[np.int64]
    threshold: NDArray[np.float64]
    weights: NDArray[np.float64]

    @property
    def pooled(self) -> Found:
        """How well it went over all folds together."""
        return found(self.score, self.truth, self.called)

    @property
    def by_fold(self) -> list[Found]:
        """How well it went in each fold."""
        own = (self.fold == fold for fold in range(len(self.threshold)))
        return [found(self.score[mask], self.truth[mask], self.called[mask]) for mask in own]


def found(score: ArrayLike, truth: ArrayLike, called: ArrayLike) -> Found:
    """Compare what was called with the truth.

    Parameters
    ----------
    score : array, shape ``(n_objects,)``
        Higher for likelier members.
    truth, called : array of bool, shape ``(n_objects,)``

    Raises
    ------
    ValueError
        Shapes disagree, there are no objects, or a score is not finite.

    Examples
    --------
    >>> found([0.9, 0.6, 0.4, 0.1], [True, False, True, False], [True, True, False, False]).f1
    0.5
    """
    value, true = _checked(score, truth)
    chosen = np.asarray(called, dtype=bool)
    if chosen.shape != true.shape:
        raise ValueError(f"called has shape {chosen.shape}, expected {true.shape}")
    alarms, hits = roc_curve(value, true)
    return Found(
        true_positives=int((chosen & true).sum()),
        false_positives=int((chosen & ~true).sum()),
        false_negatives=int((~chosen & true).sum()),
        average_precision=average_precision(value, true),
        roc_auc=float(np.trapezoid(hits, alarms)),
    )


def average_precision(score: ArrayLike, truth: ArrayLike) -> float:
    """Give the mean precision over the thresholds at which a member is gained, ties taken together.

    Examples
    --------
    >>> average_precision([0.9, 0.6, 0.4, 0.1], [True, False, True, False]).__round__(3)  # (1/1 + 2/3) / 2
    0.833
    """
    _, hits, calls = _steps(*_checked(score, truth))
    if hits[-1] == 0:
        return float("nan")
    return float((np.diff(hits, prepend=0) / hits[-1] * hits / calls).sum())


def precision_recall(score: ArrayLike, truth: ArrayLike) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Give precision and recall at every distinct score from the highest down.

    Examples
    --------
    >>> precision_recall([0.9, 0.6, 0.4, 0.1], [True, False, True, False])
    (array([1.        , 0.5       , 0.66666667, 0.5       ]), array([0.5, 0.5, 1. , 1. ]))
    """
    _, hits, calls = _steps(*_checked(score, truth))
    return hits / calls, hits / max(int(hits[-1]), 1)


def best_threshold(score: ArrayLike, truth: ArrayLike) -> float:
    """Give the threshold with the highest F1, halfway to the next lower score; call scores above it.

    To be chosen on objects that are not scored with it.

    Examples
    --------
    >>> best_threshold([0.9, 0.6, 0.4, 0.1], [True, True, False, False])
    0.5
    """
    value, true = _checked(score, truth)
    level, hits, calls = _steps(value, true)
    best = int(np.argmax(2 * hits / np.maximum(calls + true.sum(), 1)))
    below = level[best + 1] if best + 1 < level.size else level[best] - 1
    return float((level[best] + below) / 2)


def expected_threshold(score: ArrayLike, truth: ArrayLike) -> float:
    """Give the threshold with the highest F1 to be expected of further objects.

    A logistic curve through the log-odds of the scores (Platt 1999), here with their squares, since what a classifier
    never saw the like of scores low more often than a straight one allows, says how likely each object is a member; the
    F1 expected of a threshold follows from these likelihoods. It varies less from sample to sample than
    `best_threshold`, which follows every single object, and so loses less on further objects.

    Parameters
    ----------
    score : array, shape ``(n_objects,)``
        Probabilities.
    truth : array of bool, shape ``(n_objects,)``

    Raises
    ------
    ValueError
        As `found`, or a score is not between 0 and 1.

    Examples
    --------
    >>> expected_threshold([0.9, 0.8, 0.3, 0.2, 0.1], [True, True, False, True, False])
    0.25
    """
    value, true = _checked(score, truth)
    if value.min() < 0 or value.max() > 1:
        raise ValueError(f"scores are not probabilities: they go from {value.min():g} to {value.max():g}")
    odds = np.clip(value, 1e-6, 1 - 1e-6)
    inputs = (np.log(odds / (1 - odds))[:, None] / _SPAN) ** np.arange(_DEGREE + 1)
    likely = _likely(inputs, true)
    order = np.argsort(-value, kind="stable")
    last = np.append(np.diff(value[order]) != 0, True)
    level, hits, calls = value[order][last], np.cumsum(likely[order])[last], np.flatnonzero(last) + 1
    best = int(np.argmax(2 * hits / (calls + likely.sum())))
    below = level[best + 1] if best + 1 < level.size else level[best] / 2
    return float((level[best] + below) / 2)


def _likely(inputs: NDArray[np.float64], true: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Fit a logistic curve to powers of the log-odds by Newton's method, a weak prior on the scores as they are."""
    as_it_is = np.where(np.arange(inputs.shape[1]) == 1, _SPAN, 0.0)

    def unlikely(curve: NDArray[np.float64]) -> float:
        odds = inputs @ curve
        return float((np.logaddexp(0, odds) - true * odds).sum() + 0.5 * _PRIOR * ((curve - as_it_is) ** 2).sum())

    curve, least = as_it_is, unlikely(as_it_is)
    for _ in range(50):
        likely = 1 / (1 + np.exp(-np.clip(inputs @ curve, -500, 500)))
        slope = inputs.T @ (true - likely) - _PRIOR * (curve - as_it_is)
        curvature = (inputs.T * (likely * (1 - likely))) @ inputs + _PRIOR * np.eye(inputs.shape[1])
        step = np.linalg.solve(curvature, slope)
        while (found := unlikely(curve + step)) > least and np.abs(step).max() > 1e-9:
            step = step / 2
        if not found < least:
            break
        curve, least = curve + step, found
    return 1 / (1 + np.exp(-np.clip(inputs @ curve, -500, 500)))


def bootstrap_f1(truth: ArrayLike, called: ArrayLike, *, n_draws: int = 1000, seed: int = 0) -> Interval:
    """Bootstrap the F1 over the objects."""
    true, chosen = np.asarray(truth, dtype=bool), np.asarray(called, dtype=bool)
    cells = np.array([(chosen & true).sum(), (chosen & ~true).sum(), (~chosen & true).sum(), (~chosen & ~true).sum()])
    draws = np.vstack([cells, np.random.default_rng(seed).multinomial(cells.sum(), cells / cells.sum(), n_draws)])
    f1 = 2 * draws[:, 0] / np.maximum(2 * draws[:, 0] + draws[:, 1] + draws[:, 2], 1)
    low, high = np.percentile(f1[1:], [2.5, 97.5])
    return Interval(float(f1[0]), float(low), float(high), float(f1[1:].std(ddof=1)))


def _steps(
    score: NDArray[np.float64], truth: NDArray[np.bool_]
) -> tuple[NDArray[np.float64], NDArray[np.int64], NDArray[np.int64]]:
    """Give the distinct scores from the highest down, and the members and objects at or above each."""
    order = np.argsort(-score, kind="stable")
    last = np.append(np.diff(score[order]) != 0, True)
    return score[order][last], np.cumsum(truth[order])[last], np.flatnonzero(last) + 1


def _checked(score: ArrayLike, truth: ArrayLike) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    value, true = np.asarray(score, dtype=np.float64), np.asarray(truth, dtype=bool)
    if value.ndim != 1 or value.shape != true.shape or not value.size:
        raise ValueError(f"score has shape {value.shape} and truth {true.shape}, expected one length above 0")
    if not np.isfinite(value).all():
        bad = np.flatnonzero(~np.isfinite(value))
        raise ValueError(f"score is not finite for {bad.size} objects, first at position {bad[0]}")
    return value, true
