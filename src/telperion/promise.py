"""Conformal depth: how deep into the tree an answer may go so that it is right as often as promised.

An object's path leads from the root to the likeliest child, and so on to a leaf. Its answer is the node of that path
with the largest sum of its probability and the prices of all steps down to it: one step down may cost its price of
probability. Given true probabilities, such rules go deepest on average for the shares of right answers that are asked
of all objects and of those at each depth. Prices depend on the level that is promised, on the kind of context and on
the phase.

They are chosen on some objects; others, exchangeable with those to come, then lower all of them by a conformal quantile
(Vovk, Gammerman & Shafer 2005; for nested answers Gupta, Kuchibhotla & Ramdas 2022, Pattern Recognition 127, 108496):
by the factor at which, at each of the moments asked about, ``ceil((n + 1) * level)`` of the n objects get an answer
that is the true node or one above it. Answers only rise as prices fall, so that at each of these moments the next
object gets a right one with at least that probability, whatever the model is worth. It is not promised that all answers
along one object's stream are right together, nor anything for objects of other populations.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from telperion.phases import (
    ANY,
    FEWEST,
    KNOTS,
    as_numbers,
    at,
    checked_contexts,
    checked_days,
    checked_keys,
    checked_knots,
    checked_table,
    context_places,
    interpolation,
    read_contexts,
)
from telperion.taxonomy import Taxonomy

LEVELS = (0.8, 0.85, 0.9, 0.95, 0.99)
"""Levels that can be promised."""

SLACK = 0.025
"""How much less often than promised the answers of one depth may be right, where prices are chosen."""

_SCALES, _FINE_SCALES = np.geomspace(1, 1e-3, 25), np.geomspace(1, 1e-4, 100)  # of all prices together
_RATIOS = (1.0, 0.6, 0.36, 0.2, 0.1)  # of the prices of steps
_MOST_ROWS = 40_000  # on which prices are chosen
_SHARE_OF_DEPTH = 0.02  # of the answers, below which nothing is asked of a depth


@dataclass(frozen=True, eq=False)
class Promise:
    """Which node of an object's path can be reported at a promised level.

    Parameters
    ----------
    tree : Taxonomy
    levels : array, shape ``(n_levels,)``
        Rising shares of right answers.
    contexts : tuple of str
        Kinds of context with prices of their own; of one alone, objects need not say which they have.
    knots : array, shape ``(n_knots,)``, d
    price : array, shape ``(n_levels, n_contexts, n_knots, n_steps)``
        Probability that the step from each depth to the next may cost; 0 reports the root. No higher at a higher level.

    Raises
    ------
    ValueError
        A shape is wrong, a price is not finite or below zero or rises with the level, levels do not rise within 0 to 1.

    Examples
    --------
    >>> tree = Taxonomy("toy", {"Alert": {"Transient": {"SN": {}, "KN": {}}, "Variable": {}}})
    >>> promise = Promise(tree, [0.9], ("any",), [0.0, 1024.0], [[[[0.2, 0.2]] * 2]])
    >>> sure, unsure = [1, 0.9, 0.1, 0.85, 0.05], [1, 0.9, 0.1, 0.5, 0.4]
    >>> [tree.nodes[node] for node in promise.nodes([sure, unsure], [8.0, 8.0])]
    ['SN', 'Transient']
    """

    tree: Taxonomy
    levels: NDArray[np.float64]
    contexts: tuple[str, ...]
    knots: NDArray[np.float64]
    price: NDArray[np.float64]

    def __post_init__(self) -> None:
        levels = as_numbers(self.levels, "levels")
        if levels.ndim != 1 or not levels.size or not (np.diff(levels, prepend=0, append=1) > 0).all():
            raise ValueError("levels must be one or more numbers that rise within 0 to 1")
        object.__setattr__(self, "levels", levels)
        object.__setattr__(self, "knots", checked_knots(self.knots))
        checked_contexts(self.contexts)
        price = checked_table(
            vars(self), "price", (levels.size, len(self.contexts), self.knots.size, self.tree.depth.max())
        )
        if (price < 0).any() or (np.diff(price, axis=0) > 0).any():
            raise ValueError("a price is below zero, or higher at a higher level")
        object.__setattr__(self, "price", price)

    @classmethod
    def fit(
        cls,
        probabilities: ArrayLike,
        labels: ArrayLike,
        days: ArrayLike,
        tree: Taxonomy,
        *,
        moment: ArrayLike,
        chooses: ArrayLike,
        levels: Sequence[float] = LEVELS,
        context: ArrayLike | None = None,
        contexts: Sequence[str] = (ANY,),
        knots: ArrayLike = KNOTS,
    ) -> Promise:
        """Choose prices on some objects and hold them against others.

        Parameters
        ----------
        probabilities : array, shape ``(n, n_nodes)``
            Calibrated on no object that does not choose; an object perhaps at several moments.
        labels : array of int, shape ``(n,)``
            Node positions; an answer below an inner node is never known to be right, so these objects cost depth.
        days : array, shape ``(n,)``, d
            After the first detection, up to which each is known (`telperion.encode.view.days_known`).
        tree : Taxonomy
        moment : array of int, shape ``(n,)``
            What the promise is to hold for, each alone: the moment of asking, the kind of table; in each an object
            stands once.
        chooses : array of bool, shape ``(n,)``
            True for the objects that choose prices; all others are held against.
        levels : sequence of float
        context : array of str, shape ``(n,)``, optional
            Each one's kind of context, where there are several.
        contexts : sequence of str
            Kinds that get prices of their own; one with fewer than `FEWEST` rows that choose, or that are held against,
            gets those of all together.
        knots : array, shape ``(n_knots,)``, d

        Raises
        ------
        ValueError
            Shapes disagree, a label is unknown, all objects choose or none does.
        """
        node, asked, chosen = np.asarray(labels), np.asarray(moment), np.asarray(chooses, dtype=bool)
        if not node.shape == asked.shape == chosen.shape:
            raise ValueError(f"labels, moments and choosers have shapes {node.shape}, {asked.shape}, {chosen.shape}")
        if (unknown := np.flatnonzero(node < 0)).size:
            raise ValueError(f"the label is unknown for {unknown.size} objects, first at object {unknown[0]}")
        if chosen.all() or not chosen.any():
            raise ValueError("some objects must choose prices, and others hold them against the truth")
        phase, places = checked_days(days, len(node)), checked_knots(knots)
        kind = context_places(context, tuple(contexts), len(node))
        path, belief = _path(np.asarray(probabilities), tree)
        right, depth = tree.ancestors[node][np.arange(len(node))[:, None], path], tree.depth[path]
        price = np.empty((len(levels), len(contexts), places.size, int(tree.depth.max())))
        for number in range(len(contexts)):
            own = kind == number
            if min((own & chosen).sum(), (own & ~chosen).sum()) < FEWEST:
                own[:] = True
            rows = np.flatnonzero(own & chosen)
            courses = _choose((belief[rows], depth[rows], right[rows], phase[rows]), levels, places)
            rows = np.flatnonzero(own & ~chosen)
            moments = [np.flatnonzero(asked[rows] == each) for each in np.unique(asked[rows])]
            for place, level in enumerate(levels):
                worth = _worth(belief[rows], depth[rows], right[rows], at(courses[place], phase[rows], places))
                factor = min([1.0, *(_quantile(worth[members], level) for members in moments)])
                price[place, number] = factor * courses[place] if moments else 0
        return cls(tree, np.asarray(levels), tuple(contexts), places, np.minimum.accumulate(price, axis=0))

    @property
    def usual(self) -> float:
        """The level that is taken where none is asked for: .9, or what is nearest to it."""
        return float(self.levels[np.argmin(np.abs(self.levels - 0.9))])

    def nodes(
        self, probabilities: ArrayLike, days: ArrayLike, context: ArrayLike | None = None, *, level: float | None = None
    ) -> NDArray[np.int64]:
        """Give the deepest node that is promised at a level.

        Parameters
        ----------
        probabilities : array, shape ``(n, n_nodes)``
        days : array, shape ``(n,)``, d
            After the first detection, up to which each is known (`telperion.encode.view.days_known`); NaN without rows:
            the answer is then the root.
        context : array of str, shape ``(n,)``, optional
            Each one's kind of context, where there are several.
        level : float, optional
            One of `levels`, by default the `usual` one.

        Returns
        -------
        array of int, shape ``(n,)``
            Node positions.

        Raises
        ------
        ValueError
            The level is not one of `levels`.
        """
        level = self.usual if level is None else level
        if level not in self.levels:
            raise ValueError(f"nothing is promised at level {level}; levels are {', '.join(map(str, self.levels))}")
        path, belief = _path(np.asarray(probabilities), self.tree)
        unseen = np.isnan(np.asarray(days, dtype=np.float64))
        phase = checked_days(np.where(unseen, 0, days), len(path))
        kind = context_places(context, self.contexts, len(path))
        prices = at(self.price[np.searchsorted(self.levels, level)].swapaxes(0, 1), phase, self.knots)  # of every kind
        price = np.where(unseen[:, None], 0, prices[np.arange(len(path)), kind])
        return path[np.arange(len(path)), _answers(belief, self.tree.depth[path], price)]

    def to_dict(self) -> dict[str, Any]:
        """Give plain tables, which `from_dict` reads."""
        tables = {"levels": self.levels.tolist(), "knots": self.knots.tolist(), "price": self.price.tolist()}
        return {"contexts": list(self.contexts), **tables}

    @classmethod
    def from_dict(cls, document: Mapping[str, Any], tree: Taxonomy) -> Promise:
        """Read what `to_dict` gave; ValueError where something is missing, unknown or out of its range."""
        checked_keys(document, {"contexts", "levels", "knots", "price"}, "a promise")
        return cls(tree, document["levels"], read_contexts(document), document["knots"], document["price"])


def _path(probabilities: NDArray[np.floating], tree: Taxonomy) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Give each object's path, node by node (a leaf above the deepest ones again), and the probabilities along it."""
    path = tree.path(probabilities)
    return path, np.take_along_axis(probabilities, path, axis=1).astype(np.float64)


def _sums(price: NDArray[np.float64], depth: NDArray[np.int64]) -> NDArray[np.float64]:
    """Add up the prices of all steps down to each node of each path, shape ``(n, n_depths)``."""
    total = np.concatenate([np.zeros_like(price[..., :1]), np.cumsum(price, axis=-1)], axis=-1)
    return total[depth] if price.ndim == 1 else np.take_along_axis(total, depth, axis=1)


def _answers(belief: NDArray[np.float64], depth: NDArray[np.int64], price: NDArray[np.float64]) -> NDArray[np.int64]:
    """Give the place of the answer on each path; of equal ones the shallower."""
    return np.argmax(belief + _sums(price, depth), axis=1)


def _worth(
    belief: NDArray[np.float64], depth: NDArray[np.int64], right: NDArray[np.bool_], price: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Give the largest factor of the prices at which each answer is right, infinite where it is at all.

    It is right where some right node of the path is worth no less than every wrong one, all of which are deeper.

    Parameters
    ----------
    belief, depth, right : array, shape ``(n, n_depths)``
    price : array, shape ``(n, n_steps)``
    """
    sums, best = _sums(price, depth), np.zeros(len(belief))
    for ours in range(belief.shape[1]):
        least = np.full(len(belief), np.inf)
        for theirs in range(ours + 1, belief.shape[1]):
            gain, loss = sums[:, theirs] - sums[:, ours], belief[:, ours] - belief[:, theirs]
            ratio = np.divide(loss, gain, out=np.full(len(belief), np.inf), where=gain > 0)
            least = np.where(right[:, theirs], least, np.minimum(least, ratio))
        best = np.where(right[:, ours], np.maximum(best, least), best)
    return best


def _quantile(worth: NDArray[np.float64], level: float) -> float:
    """Give the largest factor that ``ceil((n + 1) level)`` of n numbers are not below; 0 where that is more than n."""
    rank = int(np.ceil((worth.size + 1) * level - 1e-9))
    return float(np.sort(worth)[worth.size - rank]) if rank <= worth.size else 0.0


_Rows = tuple[NDArray[np.float64], NDArray[np.int64], NDArray[np.bool_], NDArray[np.float64]]
"""Of each object the probabilities, depths and rightness of its path, shape ``(n, n_depths)``, and its days."""


def _choose(rows: _Rows, levels: Sequence[float], knots: NDArray[np.float64]) -> NDArray[np.float64]:
    """Find the prices that go deepest: their ratios for all levels and knots, their scale for each.

    Returns
    -------
    array, shape ``(n_levels, n_knots, n_steps)``
        Where nothing holds a level, zero; where no object is near, as at the neighbours.
    """
    belief, depth, right, days = rows
    stride = -(-len(belief) // _MOST_ROWS)
    few = belief[::stride], depth[::stride], right[::stride], days[::stride]
    tried = np.array([ratios for ratios in product(_RATIOS, repeat=belief.shape[1] - 1) if max(ratios) == 1])
    reach = [_deepest(ratios, _SCALES, few, levels, knots)[0].sum() for ratios in tried]
    ratios = tried[np.argmax(reach)]
    return _deepest(ratios, _FINE_SCALES, rows, levels, knots)[1][..., None] * ratios


def _deepest(
    ratios: NDArray[np.float64],
    scales: NDArray[np.float64],
    rows: _Rows,
    levels: Sequence[float],
    knots: NDArray[np.float64],
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Give how deep prices of these ratios go at their best scale, and that scale, shape ``(n_levels, n_knots)``.

    Each object counts at the two knots beside it, by its nearness.
    """
    belief, depth, right, days = rows
    left, weight = interpolation(days, knots)
    shape, every = (knots.size, belief.shape[1]), np.arange(len(belief))

    def near(values: NDArray[np.float64], depths: NDArray[np.int64]) -> NDArray[np.float64]:
        size, cell = shape[0] * shape[1], left * shape[1] + depths
        sums = np.bincount(cell, values * (1 - weight), size)
        sums += np.bincount(cell + shape[1], values * weight, size)
        return np.asarray(sums.reshape(shape))

    ones, targets = np.ones(len(belief)), np.asarray(levels)[:, None, None]
    total = near(ones, np.zeros_like(left)).sum(axis=1)
    reach, best = np.zeros((2, len(levels), knots.size))
    for scale in scales:
        answer = _answers(belief, depth, scale * ratios)
        reached = depth[every, answer]
        hits, count = near(right[every, answer], reached), near(ones, reached)
        asked = count > _SHARE_OF_DEPTH * total[:, None]
        kept = ((hits >= (targets - SLACK) * count) | ~asked).all(axis=2)
        kept &= hits.sum(axis=1) >= targets[..., 0] * total
        deep = (count * np.arange(shape[1])).sum(axis=1)
        better = kept & (deep > reach)
        reach, best = np.where(better, deep, reach), np.where(better, scale, best)
    known = np.flatnonzero(total > 0)
    for course in best:
        course[:] = np.interp(np.arange(knots.size), known, course[known])
    return reach, best
