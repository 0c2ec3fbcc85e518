"""Conformal depth: how deep into the tree an answer may go so that it is right as often as promised.

An object's path leads from the root to the likeliest child, and so on to a leaf. Its answer is the node of that path
with the largest ``probability + price * depth``: one step down may cost ``price`` of probability. Of all rules, given
true probabilities, such ones go deepest on average at a given share of right answers. The price depends on the level
that is promised, on the kind of context and on the phase.

Its course over phases is chosen on some objects; others, exchangeable with those to come, then lower it as a whole by a
conformal quantile (Vovk, Gammerman & Shafer 2005; for nested answers Gupta, Kuchibhotla & Ramdas 2022, Pattern
Recognition 127, 108496): by the factor at which, at each of the moments asked about, ``ceil((n + 1) * level)`` of the n
objects get an answer that is the true node or one above it. Answers only rise as the price falls, so that at each of
these moments the next object gets a right one with at least that probability, whatever the model is worth. It is not
promised that all answers along one object's stream are right together, nor anything for objects of other populations.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from telperion.phases import (
    ANY,
    FEWEST,
    KNOTS,
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
"""By how much less than promised the answers of one depth may be right, where prices are chosen."""

_PRICES = np.geomspace(1, 1e-4, 140)
_FEWEST_OF_DEPTH = 0.01  # share of the answers below which a depth's own coverage is not asked for


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
    price : array, shape ``(n_levels, n_contexts, n_knots)``
        Probability that one step down may cost; 0 reports the root. No higher at a higher level.

    Raises
    ------
    ValueError
        A shape is wrong, a price is not finite or below zero or rises with the level, levels do not rise within 0 to 1.

    Examples
    --------
    >>> tree = Taxonomy("toy", {"Alert": {"Transient": {"SN": {}, "KN": {}}, "Variable": {}}})
    >>> promise = Promise(tree, [0.9], ("any",), [0.0, 1024.0], [[[0.2, 0.2]]])
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
        levels = np.asarray(self.levels, dtype=np.float64)
        if (
            levels.ndim != 1
            or not levels.size
            or not ((levels > 0) & (levels < 1)).all()
            or (np.diff(levels) <= 0).any()
        ):
            raise ValueError("levels must be one or more numbers that rise within 0 to 1")
        object.__setattr__(self, "levels", levels)
        object.__setattr__(self, "knots", checked_knots(self.knots))
        checked_contexts(self.contexts)
        price = checked_table(vars(self), "price", (levels.size, len(self.contexts), self.knots.size))
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
            From the first detection to the last known row, 0 before the first detection.
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
            Kinds that get prices of their own; one of fewer than `FEWEST` rows gets those of all together.
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
        worth = _highest_price(belief, depth, right)
        price = np.empty((len(levels), len(contexts), places.size))
        for number in range(len(contexts)):
            own = kind == number
            own = own if own.sum() >= FEWEST else np.ones(len(node), dtype=bool)
            rows = np.flatnonzero(own & chosen)
            course = _choose(belief[rows], depth[rows], right[rows], phase[rows], levels, places)
            rows = np.flatnonzero(own & ~chosen)
            left, weight = interpolation(phase[rows], places)
            for place, level in enumerate(levels):
                log = np.log(course[place])
                ratio = worth[rows] - log[left] * (1 - weight) - log[left + 1] * weight
                held = [_quantile(ratio[asked[rows] == each], level) for each in np.unique(asked[rows])]
                price[place, number] = np.exp(log + min([*held, 0.0]))
        return cls(tree, np.asarray(levels), tuple(contexts), places, np.minimum.accumulate(price, axis=0))

    def nodes(
        self, probabilities: ArrayLike, days: ArrayLike, context: ArrayLike | None = None, *, level: float = 0.9
    ) -> NDArray[np.int64]:
        """Give the deepest node that is promised at a level.

        Parameters
        ----------
        probabilities : array, shape ``(n, n_nodes)``
        days : array, shape ``(n,)``, d
            From the first detection to the last known row, 0 before the first detection; NaN where no row is known:
            the answer is then the root.
        context : array of str, shape ``(n,)``, optional
            Each one's kind of context, where there are several.
        level : float
            One of `levels`.

        Returns
        -------
        array of int, shape ``(n,)``
            Node positions.

        Raises
        ------
        ValueError
            The level is not one of `levels`.
        """
        if level not in self.levels:
            raise ValueError(f"nothing is promised at level {level}; levels are {', '.join(map(str, self.levels))}")
        path, belief = _path(np.asarray(probabilities), self.tree)
        unseen = np.isnan(np.asarray(days, dtype=np.float64))
        phase = checked_days(np.where(unseen, 0, days), len(path))
        kind = context_places(context, self.contexts, len(path))
        price = at(self.price[np.searchsorted(self.levels, level)], kind, phase, self.knots)
        price[unseen] = 0
        return path[np.arange(len(path)), _answers(belief, self.tree.depth[path], price[:, None])]

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


def _answers(belief: NDArray[np.float64], depth: NDArray[np.int64], price: float | NDArray) -> NDArray[np.int64]:
    """Give the place of the answer on each path; of equal ones the shallower."""
    return np.argmax(belief + price * depth, axis=1)


def _highest_price(
    belief: NDArray[np.float64], depth: NDArray[np.int64], right: NDArray[np.bool_]
) -> NDArray[np.float64]:
    """Give the log of the highest price at which each answer is right, infinite where it is at all prices.

    It is right where some right node of the path is worth no less than every wrong one; all shape ``(n, n_depths)``.
    """
    best = np.zeros(len(belief))
    for ours in range(belief.shape[1]):
        least = np.full(len(belief), np.inf)
        for theirs in range(ours + 1, belief.shape[1]):
            deeper = depth[:, theirs] - depth[:, ours]
            ratio = (belief[:, ours] - belief[:, theirs]) / np.maximum(deeper, 1)
            least = np.where(right[:, theirs], least, np.minimum(least, ratio))
        best = np.where(right[:, ours], np.maximum(best, least), best)
    with np.errstate(divide="ignore"):
        return np.log(best)


def _quantile(highest: NDArray[np.float64], level: float) -> float:
    """Give the largest number that ``ceil((n + 1) level)`` of n are not below; minus infinity where that is above n."""
    rank = int(np.ceil((highest.size + 1) * level - 1e-9))
    return float(np.sort(highest)[highest.size - rank]) if rank <= highest.size else -np.inf


def _choose(
    belief: NDArray[np.float64],
    depth: NDArray[np.int64],
    right: NDArray[np.bool_],
    days: NDArray[np.float64],
    levels: Sequence[float],
    knots: NDArray[np.float64],
) -> NDArray[np.float64]:
    """Find at each knot the highest price that keeps each level, over all answers and nearly over those of each depth.

    Returns
    -------
    array, shape ``(n_levels, n_knots)``
        Where no price does, the lowest; where no object is near, as at its neighbours.
    """
    left, weight = interpolation(days, knots)
    n_knots, n_depths = knots.size, belief.shape[1]

    def near(values: NDArray, depths: NDArray[np.int64]) -> NDArray[np.float64]:  # (n_knots, n_depths)
        size = n_knots * n_depths
        sums = np.bincount(left * n_depths + depths, values * (1 - weight), size)
        sums += np.bincount((left + 1) * n_depths + depths, values * weight, size)
        return np.asarray(sums.reshape(n_knots, n_depths))

    chosen: NDArray[np.float64] = np.full((len(levels), n_knots), np.nan)
    rows, targets = np.arange(len(belief)), np.asarray(levels)[:, None]
    for price in _PRICES:
        answer = _answers(belief, depth, price)
        hits, count = near(right[rows, answer], depth[rows, answer]), near(np.ones(len(rows)), depth[rows, answer])
        total = count.sum(axis=1)
        kept = hits.sum(axis=1) >= targets * total
        asked = count > np.maximum(_FEWEST_OF_DEPTH * total[:, None], 1)
        kept &= ((hits >= (targets[..., None] - SLACK) * count) | ~asked).all(axis=2)
        chosen = np.where(kept & np.isnan(chosen) & (total > 0), price, chosen)
    known = np.flatnonzero(total > 0)
    chosen[np.isnan(chosen)] = _PRICES[-1]
    for course in chosen:
        course[:] = np.interp(np.arange(n_knots), known, course[known])
    return chosen
