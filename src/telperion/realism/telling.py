"""How well a booster tells simulated from real objects of one class, and by what."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from telperion.realism.boosting import Matrix, auc, folds, train
from telperion.realism.groups import GROUPS, group

FOLDS = 5
TOP = 5
"""Features that are named."""


@dataclass(frozen=True)
class Area:
    """Area under a cross-validated ROC curve, 0.5 where nothing can be told, and its standard error."""

    auc: float
    error: float


@dataclass(frozen=True)
class Betrayer:
    """A feature by which objects are told apart.

    Parameters
    ----------
    name : str
    gain : float
        Its share of what the booster gained.
    alone : Area
        Of a booster that sees nothing else.
    simulated, real : float
        Medians, NaN where never known.
    """

    name: str
    gain: float
    alone: Area
    simulated: float
    real: float


@dataclass(frozen=True)
class Telling:
    """How well simulated and real objects of a class are told apart.

    Parameters
    ----------
    label : str
    n : int
        Objects of either side.
    everything : Area
        With all features.
    groups : mapping of str to Area
        With the features of one group at a time.
    betrayers : sequence of Betrayer
        The features that gain most.
    """

    label: str
    n: int
    everything: Area
    groups: Mapping[str, Area]
    betrayers: Sequence[Betrayer]


def tell(
    label: str,
    simulated: Matrix,
    real: Matrix,
    names: Sequence[str],
    *,
    seed: int = 0,
    without: Sequence[str] = (),
) -> Telling:
    """Train boosters to tell simulated from real objects, cross-validated on as many of either.

    Parameters
    ----------
    label : str
    simulated, real : array, shape ``(n_objects, n_features)``
        The first of each are taken, as many as both have. Those at one place may be a pair: they are in one fold.
    names : sequence of str
        Of the features. Features that neither side ever has are left out.
    seed : int
    without : sequence of str
        Groups of features (`telperion.realism.groups.GROUPS`) that are left out.
    """
    n = min(len(simulated), len(real))
    table = np.concatenate([simulated[:n], real[:n]])
    is_real = np.repeat([False, True], n)
    belongs = np.array([group(name) for name in names])
    usable = np.isfinite(table).any(axis=0) & ~np.isin(belongs, without)
    everything, gain = _told(table, np.flatnonzero(usable), is_real, seed)
    groups = {}
    for name in GROUPS:
        own = np.flatnonzero(usable & (belongs == name))
        if own.size:
            groups[name] = _told(table, own, is_real, seed)[0]
    betrayers = []
    for column in np.argsort(-gain, kind="stable")[:TOP].tolist():
        if gain[column] > 0:
            alone, _ = _told(table, np.array([column]), is_real, seed)
            middle = [_median(side[:, column]) for side in (table[:n], table[n:])]
            betrayers.append(Betrayer(names[column], float(gain[column]), alone, *middle))
    return Telling(label, n, everything, groups, betrayers)


def _told(
    table: Matrix, columns: NDArray[np.int64], is_real: NDArray[np.bool_], seed: int
) -> tuple[Area, NDArray[np.float64]]:
    """Cross-validate a booster on some columns; give its area, and each column's share of the gain, of all columns."""
    label = is_real.astype(np.int64)
    fold = np.tile(folds(label[is_real], FOLDS, seed), 2)
    score, gain = np.empty(len(label)), np.zeros(table.shape[1])
    for k in range(FOLDS):
        seen = fold != k
        booster = train(table[np.ix_(seen, columns)], label[seen], 2, seed)
        score[~seen] = booster.predict(table[np.ix_(~seen, columns)])[:, 1]
        gain[columns] += booster.gains()
    return Area(*auc(score, is_real, fold)), gain / max(gain.sum(), 1e-30)


def _median(values: NDArray) -> float:
    known = values[np.isfinite(values)]
    return float(np.median(known)) if known.size else float("nan")
