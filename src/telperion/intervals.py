"""How far a score can be trusted: intervals of shares, and of macro F1 from objects drawn again."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from telperion.evaluate import checked, decided_classes, level_nodes, true_classes
from telperion.scores import LevelScores, precision_recall_f1
from telperion.taxonomy import Taxonomy


@dataclass(frozen=True)
class Interval:
    """A bootstrapped number: its estimate, its 95 % percentile interval and its standard error."""

    estimate: float
    low: float
    high: float
    standard_error: float


def wilson(hits: ArrayLike, trials: ArrayLike) -> NDArray[np.float64]:
    """Give the 95 % score interval of a share (Wilson 1927), which holds for few objects too.

    Parameters
    ----------
    hits, trials : array of int, shape ``(...)``

    Returns
    -------
    array, shape ``(2, ...)``
        Lower and upper end; 0 and 1 without trials.

    Examples
    --------
    >>> wilson(17, 19).round(2)
    array([0.69, 0.97])
    """
    count, z = np.asarray(trials, dtype=np.float64), 1.959964
    share = np.divide(hits, count, out=np.full(count.shape, 0.5), where=count > 0)
    centre = share * count + z * z / 2
    half = z * np.sqrt(count * share * (1 - share) + z * z / 4)
    ends = np.where(count > 0, (centre + np.multiply.outer([-1, 1], half)) / (count + z * z), 0.0)
    return np.clip(np.where(count > 0, ends, np.reshape([0.0, 1.0], (2,) + (1,) * count.ndim)), 0, 1)


def bootstrap(level: LevelScores, *, n_draws: int = 1000, seed: int = 0) -> Interval:
    """Bootstrap the macro F1 of one level over its objects.

    Objects drawn with replacement fall into the cells of the confusion matrix by a multinomial law, so the cells are
    drawn and no object is touched again.

    Examples
    --------
    >>> from telperion.evaluate import evaluate
    >>> tree = Taxonomy.load("plasticc")
    >>> certain = tree.ancestors[tree.leaves].astype(float)
    >>> bootstrap(evaluate(certain, tree.leaves, tree)["level 2"]).low
    1.0
    """
    draws = _draw(level.confusion.ravel(), n_draws, seed).reshape(n_draws, *level.confusion.shape)
    return _interval(level.macro.f1, _macro_f1(draws))


def bootstrap_gap(
    ours: ArrayLike,
    theirs: ArrayLike,
    labels: ArrayLike,
    tree: Taxonomy,
    level: str = "leaves",
    *,
    decided: tuple[ArrayLike | None, ArrayLike | None] = (None, None),
    n_draws: int = 1000,
    seed: int = 0,
) -> Interval:
    """Bootstrap the macro F1 of one classifier minus another's on the same objects, drawing each object for both.

    Parameters
    ----------
    ours, theirs : array, shape ``(n_objects, n_nodes)``
        Absolute node probabilities.
    labels : array of int, shape ``(n_objects,)``
        As in `evaluate`.
    decided : pair of array of int, shape ``(n_objects,)``, or None
        The leaves that each decided for, as in `evaluate`.

    Examples
    --------
    >>> tree = Taxonomy.load("plasticc")
    >>> certain = tree.ancestors[tree.leaves].astype(float)
    >>> bootstrap_gap(certain, certain, tree.leaves, tree).high
    0.0
    """
    nodes = level_nodes(tree, level)
    places = []
    for probabilities, leaves in zip((ours, theirs), decided, strict=True):
        probability, node = checked(probabilities, labels, tree)
        places.append(decided_classes(probability, tree, level, None, leaves))
    truth = true_classes(node, tree, nodes)
    cells, counts = np.unique(np.stack([truth, *places])[:, truth >= 0], axis=1, return_counts=True)
    weights = np.vstack([counts, _draw(counts, n_draws, seed)])  # (1 + n_draws, n_cells); first the objects as they are
    true, mine, other = np.eye(nodes.size)[cells]  # each (n_cells, n_classes)
    f1 = [_macro_f1(np.einsum("dc,ci,cj->dij", weights, true, column, optimize=True)) for column in (mine, other)]
    gap = f1[0] - f1[1]
    return _interval(float(gap[0]), gap[1:])


def _draw(counts: NDArray[np.int64], n_draws: int, seed: int) -> NDArray[np.int64]:
    total = counts.sum()
    if not total:
        raise ValueError("no object has a label on this level, there is nothing to draw")
    return np.random.default_rng(seed).multinomial(total, counts / total, size=n_draws)


def _macro_f1(confusions: NDArray[Any]) -> NDArray[np.float64]:
    present = confusions.sum(axis=-1) > 0
    return (precision_recall_f1(confusions)[2] * present).sum(axis=-1) / present.sum(axis=-1)


def _interval(estimate: float, draws: NDArray[np.float64]) -> Interval:
    low, high = np.percentile(draws, [2.5, 97.5])
    return Interval(estimate, float(low), float(high), float(draws.std(ddof=1)))
