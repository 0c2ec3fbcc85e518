"""What a classifier that learnt on one set is worth on the other, against one that learnt on the same."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from telperion.realism.boosting import Matrix, Positions, folds, train
from telperion.scores import precision_recall_f1

FOLDS = 3

DIRECTIONS = ("simulated to real", "within real", "real to simulated", "within simulated")


@dataclass(frozen=True, eq=False)
class Transfer:
    """Confusions of boosters trained here or there, at one phase and with one kind of context.

    Parameters
    ----------
    days : float, d
        After the first detection, alert view.
    context : str
    classes : tuple of str
    confusion : mapping of str to array of int, shape ``(n_seeds, n_classes, n_classes)``
        By direction (`DIRECTIONS`); true classes are rows. *Within* is cross-validated.
    """

    days: float
    context: str
    classes: tuple[str, ...]
    confusion: Mapping[str, NDArray[np.int64]]

    def f1(self, direction: str) -> NDArray[np.float64]:
        """F1 of each class by seed, shape ``(n_seeds, n_classes)``."""
        return np.asarray(precision_recall_f1(self.confusion[direction])[2])

    def macro_f1(self, direction: str) -> NDArray[np.float64]:
        """Mean over classes by seed, shape ``(n_seeds,)``."""
        return np.asarray(self.f1(direction).mean(axis=1))


def confusions(
    simulated: Matrix, label: Positions, real: Matrix, real_label: Positions, n_classes: int, seed: int
) -> dict[str, NDArray[np.int64]]:
    """Train on either set and test on both.

    Parameters
    ----------
    simulated, real : array, shape ``(n_objects, n_features)``
    label, real_label : array of int, shape ``(n_objects,)``
    n_classes, seed : int

    Returns
    -------
    dict of str to array of int, shape ``(n_classes, n_classes)``
        Keys are `DIRECTIONS`.
    """

    def decided(table: Matrix, truth: Positions, other: Matrix) -> Positions:
        return train(table, truth, n_classes, seed).predict(other).argmax(axis=1)

    def within(table: Matrix, truth: Positions) -> Positions:
        fold, result = folds(truth, FOLDS, seed), np.empty(len(truth), dtype=np.int64)
        for k in range(FOLDS):
            result[fold == k] = decided(table[fold != k], truth[fold != k], table[fold == k])
        return result

    said = (
        (real_label, decided(simulated, label, real)),
        (real_label, within(real, real_label)),
        (label, decided(real, real_label, simulated)),
        (label, within(simulated, label)),
    )
    return {
        name: np.bincount(truth * n_classes + found, minlength=n_classes**2).reshape(n_classes, n_classes)
        for name, (truth, found) in zip(DIRECTIONS, said, strict=True)
    }
