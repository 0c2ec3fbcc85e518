"""The small booster of every comparison, balanced by class, on one thread; folds; the area under a ROC curve."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from telperion.models.boosters import Booster, Settings, train_booster

ROUNDS, LEAVES, RATE = 45, 7, 0.2
FEATURES = 60
"""Features a tree may use, about."""

Matrix = NDArray[np.float32]
Positions = NDArray[np.int64]


def train(table: Matrix, label: Positions, n_classes: int, seed: int) -> Booster:
    """Train a booster in which classes count alike.

    Parameters
    ----------
    table : array, shape ``(n, n_features)``
        NaN where unknown.
    label : array of int, shape ``(n,)``
        From 0 to ``n_classes - 1``.
    n_classes, seed : int
    """
    count = np.bincount(label, minlength=n_classes)
    weight = 1 / count[label]
    settings = Settings(
        n_classes=n_classes, rounds=ROUNDS, leaves=LEAVES, min_rows=max(2, min(10, len(label) // 20)),
        learning_rate=RATE, feature_fraction=float(np.clip(FEATURES / table.shape[1], 0.02, 1.0)), row_fraction=0.5,
        l2=1.0, extra_trees=False, seed=seed,
    )  # fmt: skip
    return train_booster("lightgbm", table, label, weight / weight.mean(), settings, lambda _: None)


def folds(label: Positions, number: int, seed: int) -> Positions:
    """Deal the objects of each class to folds, shape ``(n,)``.

    Examples
    --------
    >>> np.bincount(folds(np.zeros(7, dtype=int), 3, seed=0)).tolist()
    [3, 2, 2]
    """
    rng = np.random.default_rng(seed)
    result = np.empty(len(label), dtype=np.int64)
    for value in np.unique(label):
        members = rng.permutation(np.flatnonzero(label == value))
        result[members] = np.arange(len(members)) % number
    return result


def auc(score: NDArray, real: NDArray[np.bool_], fold: Positions) -> tuple[float, float]:
    """Give the area under the ROC curve within folds, averaged, and its standard error (DeLong et al. 1988).

    Examples
    --------
    >>> auc(np.array([0.1, 0.4, 0.35, 0.8]), np.array([False, False, True, True]), np.zeros(4, dtype=int))[0]
    0.75
    """
    above, below = [], []
    for one in np.unique(fold):
        members = fold == one
        positive, negative = np.sort(score[members & real]), np.sort(score[members & ~real])
        above.append(_place(positive, negative))
        below.append(1 - _place(negative, positive))
    over_real, over_simulated = np.concatenate(above), np.concatenate(below)
    error = np.sqrt(over_real.var(ddof=1) / len(over_real) + over_simulated.var(ddof=1) / len(over_simulated))
    return float(over_real.mean()), float(error)


def _place(values: NDArray, among: NDArray) -> NDArray[np.float64]:
    """Give the share of others that each value exceeds, ties by half; both sorted."""
    low, high = (np.searchsorted(among, values, side=side) for side in ("left", "right"))
    return np.asarray((low + high) / (2 * max(len(among), 1)))
