"""How far probabilities can be believed, and how deep and right answers along the tree are; arrays in, arrays out."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from telperion.encode.view import Context
from telperion.evaluate import reliability
from telperion.scores import weighted_mean
from telperion.taxonomy import Taxonomy


@dataclass(frozen=True, eq=False)
class DepthScores:
    """How deep and how right answers are; an answer is right that is the true node or stands above it.

    Parameters
    ----------
    coverage : float
        Share of right answers.
    depth : float
        Mean depth of the answers' nodes.
    at_leaf : float
        Share of answers that are leaves.
    share : array, shape ``(n_depths,)``
        Share of answers at each depth, the root first.
    coverage_at : array, shape ``(n_depths,)``
        Share of right ones among them, NaN where there is none.
    """

    coverage: float
    depth: float
    at_leaf: float
    share: NDArray[np.float64]
    coverage_at: NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Trust:
    """How far a classifier can be believed in one context at one moment, before and after its calibration.

    Parameters
    ----------
    context : {"specz", "photoz", "none"}
    days : float, d
    before, after : array, shape ``(n_nodes, n_bins, 3)``
        See `reliabilities`; without a calibration there is no before.
    top : pair of float
        Calibration errors of the likeliest leaf, before and after.
    promised, plain : DepthScores
        Of the promised nodes, if there are any, and of those with a probability above a threshold.
    """

    context: Context
    days: float
    before: NDArray[np.float64] | None
    after: NDArray[np.float64]
    top: tuple[float | None, float]
    promised: DepthScores | None
    plain: DepthScores


def trust_in(
    context: Context,
    days: float,
    labels: NDArray[np.int64],
    tree: Taxonomy,
    *,
    before: ArrayLike | None,
    after: ArrayLike,
    promised: ArrayLike | None,
    plain: ArrayLike,
) -> Trust:
    """Measure what was said of labelled objects at one moment.

    Parameters
    ----------
    context, days
        As in `Trust`.
    labels : array of int, shape ``(n,)``
        Node positions, all known.
    tree : Taxonomy
    before, after : array, shape ``(n, n_nodes)``
        Node probabilities before, if there is a calibration, and after it.
    promised, plain : array of int, shape ``(n,)``
        Answers, node positions; promised ones if there are any.
    """
    said = None if before is None else reliabilities(before, labels, tree)
    top = None if before is None else top_error(before, labels, tree), top_error(after, labels, tree)
    kept = None if promised is None else depth_scores(promised, labels, tree)
    return Trust(context, days, said, reliabilities(after, labels, tree), top, kept, depth_scores(plain, labels, tree))


def mix_of(labels: NDArray[np.int64], tree: Taxonomy) -> NDArray[np.float64]:
    """Give the class mix of labels, shape ``(n_leaves,)``; an inner node counts for all leaves below it alike."""
    below = tree.leaves_below[labels[labels >= 0]]
    return tree.mix((below / below.sum(axis=1, keepdims=True)).sum(axis=0))


def are_right(nodes: ArrayLike, labels: ArrayLike, tree: Taxonomy) -> NDArray[np.bool_]:
    """Say which answers, shape ``(..., n)``, are the true node or above it.

    Examples
    --------
    >>> tree = Taxonomy("toy", {"Alert": {"SN": {"SNIa": {}, "SNII": {}}, "AGN": {}}})
    >>> are_right([1, 3, 2], [3, 3, 3], tree)
    array([ True,  True, False])
    """
    return np.asarray(tree.ancestors[np.asarray(labels), np.asarray(nodes)])


def depth_scores(nodes: ArrayLike, labels: ArrayLike, tree: Taxonomy) -> DepthScores:
    """Score answers.

    Parameters
    ----------
    nodes, labels : array of int, shape ``(n,)``
        Answered and true nodes, the latter known.

    Raises
    ------
    ValueError
        There are none, or a label is unknown.
    """
    answer, truth = np.asarray(nodes), np.asarray(labels)
    if not truth.size or (truth < 0).any():
        raise ValueError(f"{truth.size} answers are scored, of which {(truth < 0).sum()} have no label")
    right, depth = are_right(answer, truth, tree), tree.depth[answer]
    size = int(tree.depth.max()) + 1
    count, hits = np.bincount(depth, minlength=size), np.bincount(depth, right, size)
    with np.errstate(invalid="ignore"):  # 0/0 is the NaN that is promised
        coverage_at = hits / count
    leaf = float(np.isin(answer, tree.leaves).mean())
    return DepthScores(float(right.mean()), float(depth.mean()), leaf, count / truth.size, coverage_at)


def reliabilities(probabilities: ArrayLike, labels: ArrayLike, tree: Taxonomy) -> NDArray[np.float64]:
    """Set each node's probability against how often objects are of it: `telperion.evaluate.reliability` of every node.

    An object whose label stands above a node says nothing of it.

    Returns
    -------
    array, shape ``(n_nodes, n_bins, 3)``
    """
    said, truth = np.asarray(probabilities, dtype=np.float64), np.asarray(labels)
    tables = []
    for node in range(len(tree)):
        tells = (truth >= 0) & ~(tree.ancestors[node][truth] & (truth != node))
        tables.append(reliability(said[tells, node], tree.ancestors[truth[tells], node]))
    return np.stack(tables)


def class_errors(reliability_tables: NDArray[np.float64]) -> NDArray[np.float64]:
    """Give the class-wise calibration error of each node, shape ``(n_nodes,)``, from `reliabilities`.

    That is the mean distance of probability and frequency over bins, each counting by its objects (Nixon et al. 2019).

    Examples
    --------
    >>> tree = Taxonomy("toy", {"Alert": {"SN": {}, "AGN": {}}})
    >>> class_errors(reliabilities([[1, 0.75, 0.25]] * 4, [1, 1, 1, 2], tree)).tolist()
    [0.0, 0.0, 0.0]
    """
    errors = []
    for table in reliability_tables:
        belief, frequency, count = table[table[:, 2] > 0].T
        errors.append(weighted_mean(np.abs(belief - frequency), count))
    return np.array(errors)


def top_error(probabilities: ArrayLike, labels: ArrayLike, tree: Taxonomy) -> float:
    """Give the calibration error of the likeliest leaf's probability, over the objects labelled with a leaf."""
    truth = np.asarray(labels)
    leaf = np.isin(truth, tree.leaves)
    said = np.asarray(probabilities, dtype=np.float64)[leaf][:, tree.leaves]
    table = reliability(said.max(axis=1), tree.leaves[said.argmax(axis=1)] == truth[leaf])
    return float(class_errors(table[None])[0])
