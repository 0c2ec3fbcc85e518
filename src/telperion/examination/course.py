"""How probabilities go as a light curve grows: mean scores of each class by day, and days until they are confident."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from telperion.evaluate import level_nodes
from telperion.scores import LEVELS
from telperion.taxonomy import Taxonomy

THRESHOLD = 0.9
"""A class is confident above this probability, as in Shah et al. (2025, Figure 10)."""

BEFORE = (-128, -64, -32, -16, -8, -4, -2, -1)
AFTER = (*range(33), *(step * place for step in (4, 8, 16, 32, 64) for place in range(9, 17)))
"""Days before and after the first detection at which light curves are followed: daily for a month, then by eighths."""


@dataclass(frozen=True, eq=False)
class Course:
    """What became of the probabilities of labelled objects.

    Parameters
    ----------
    days : array, shape ``(n_days,)``, d
        Days since the first detection, rising.
    classes : tuple of str, length ``n_leaves``
    support : array of int, shape ``(n_leaves,)``
        Objects of each true leaf.
    mean : array, shape ``(n_days, n_leaves, n_leaves)``
        Mean probability of each leaf (last axis) over the objects of each true leaf; NaN for an absent one.
    leaf : array of int, shape ``(n_objects,)``
        Place of each object's true leaf in `classes`.
    confident : mapping of str to array, shape ``(n_objects,)``, d
        By level: the first of `days`, from 0 on, at which the true class is confident; inf where it never is.
    mistaken : mapping of str to array, shape ``(n_objects,)``, d
        The same for the first other class of that level.
    """

    days: NDArray[np.float64]
    classes: tuple[str, ...]
    support: NDArray[np.int64]
    mean: NDArray[np.float64]
    leaf: NDArray[np.int64]
    confident: Mapping[str, NDArray[np.float64]]
    mistaken: Mapping[str, NDArray[np.float64]]

    def until(self, name: str, level: str) -> NDArray[np.float64]:
        """Give the days until confident of the objects of a true leaf, shape ``(n,)``, inf where never."""
        return self.confident[level][self.leaf == self.classes.index(name)]


@dataclass(frozen=True)
class Wait:
    """How long the objects of a class take until they are confident.

    Parameters
    ----------
    median : float, d
        Of those that ever are; NaN where none is.
    reached : float
        Share that ever is.
    mistaken : float
        Share that is ever confident of another class.
    objects : int
    """

    median: float
    reached: float
    mistaken: float
    objects: int

    @classmethod
    def over(cls, until: NDArray[np.float64], mistaken: NDArray[np.float64]) -> Wait:
        """Sum up the first day that each object is right, shape ``(n,)``, and is not; inf where there is none."""
        reached = np.isfinite(until)
        median = float(np.median(until[reached])) if reached.any() else float("nan")
        return cls(median, float(reached.mean()), float(np.isfinite(mistaken).mean()), until.size)


class Follower:
    """Gathers a `Course` day by day, so that no more than one day's probabilities are held.

    Parameters
    ----------
    labels : array of int, shape ``(n_objects,)``
        Position of each object's true node; objects whose label is no leaf are left out.
    tree : Taxonomy

    Raises
    ------
    ValueError
        No label is a leaf.

    Examples
    --------
    >>> tree = Taxonomy("toy", {"Alert": {"SN": {"SNIa": {}, "SNII": {}}, "AGN": {}}})
    >>> follower = Follower([tree.index("SNIa")], tree)
    >>> follower.add(0, tree.from_leaves([[0.05, 0.5, 0.45]]))
    >>> follower.add(4, tree.from_leaves([[0.01, 0.95, 0.04]]))
    >>> course = follower.course()
    >>> course.until("SNIa", "level 1"), course.until("SNIa", "leaves")
    (array([0.]), array([4.]))
    """

    def __init__(self, labels: ArrayLike, tree: Taxonomy) -> None:
        node = np.asarray(labels)
        self._tree, self._known = tree, np.isin(node, tree.leaves)
        if not self._known.any():
            raise ValueError(f"none of {node.size} objects has a leaf as label")
        self._leaf = np.searchsorted(tree.leaves, node[self._known])
        self._support = np.bincount(self._leaf, minlength=tree.leaves.size)
        self._order = np.argsort(self._leaf, kind="stable")
        self._days: list[float] = []
        self._mean: list[NDArray[np.float64]] = []
        self._nodes = {level: level_nodes(tree, level) for level in LEVELS}
        above = tree.ancestors[tree.leaves[self._leaf]]
        self._true = {level: above[:, nodes].argmax(axis=1) for level, nodes in self._nodes.items()}
        self._confident = {level: np.full(self._leaf.size, np.inf) for level in LEVELS}
        self._mistaken = {level: np.full(self._leaf.size, np.inf) for level in LEVELS}

    def add(self, day: float, probabilities: NDArray[np.floating]) -> None:
        """Take the node probabilities, shape ``(n_objects, n_nodes)``, at a day later than those before.

        Raises
        ------
        ValueError
            The day is not later than the last one.
        """
        if self._days and day <= self._days[-1]:
            raise ValueError(f"day {day:g} does not follow {self._days[-1]:g}")
        self._days.append(float(day))
        known = np.asarray(probabilities)[self._known]
        leaves = known[:, self._tree.leaves]
        total = np.zeros((self._support.size, self._support.size))
        present = np.flatnonzero(self._support)
        starts = np.concatenate([[0], np.cumsum(self._support)])[present]
        total[present] = np.add.reduceat(leaves[self._order], starts, axis=0, dtype=np.float64)
        with np.errstate(invalid="ignore"):  # 0/0 is the NaN that is promised
            self._mean.append(total / self._support[:, None])
        for level, nodes in self._nodes.items() if day >= 0 else ():
            sure = known[:, nodes] > THRESHOLD
            right = sure[np.arange(len(sure)), self._true[level]]
            mark(self._confident[level], right, day)
            mark(self._mistaken[level], sure.any(axis=1) & ~right, day)

    def course(self) -> Course:
        """Give what was gathered."""
        names = tuple(self._tree.nodes[leaf] for leaf in self._tree.leaves)
        days, mean = np.array(self._days), np.array(self._mean)
        return Course(days, names, self._support, mean, self._leaf, self._confident, self._mistaken)


def mark(first: NDArray[np.float64], now: NDArray[np.bool_], day: float) -> None:
    """Write down the day for those that are so now and were not before."""
    first[now & np.isinf(first)] = day


def wait(course: Course, name: str, level: str) -> Wait:
    """Sum up how long the objects of a true leaf take until they are confident on a level.

    Raises
    ------
    ValueError
        The leaf has no objects.
    """
    until = course.until(name, level)
    if not until.size:
        raise ValueError(f"there is no object of {name!r}")
    return Wait.over(until, course.mistaken[level][course.leaf == course.classes.index(name)])
