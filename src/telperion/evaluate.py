"""Score node probabilities against the truth on every level of the tree; arrays in, `Scores` out.

The layout follows ORACLE (Shah et al. 2025): precision, recall, F1 and one-vs-rest ROC-AUC for level 1, level 2 and the
leaves. Conventions, the same everywhere:

* The classes of level ``k`` are the nodes of depth ``k`` and the leaves above it: every leaf belongs to exactly one
  class of each level (AGN is a class of level 2 and a leaf).
* An object labelled with an inner node counts on the levels that its label reaches, and is left out of deeper ones.
* Averages run over the classes *present in the truth*, and 0/0 counts as 0; in scikit-learn that is
  ``labels=<present>, zero_division=0``.
* Decisions for leaves (precision, recall, F1, accuracy, confusion) may divide probabilities by a prior, or be given;
  beliefs (ROC-AUC, log-loss, calibration errors) take the probabilities as they are.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from telperion.scores import (
    LEVELS,
    PHASES,
    ROC_GRID,
    Evaluation,
    LevelScores,
    Scores,
    weighted_mean,
)
from telperion.taxonomy import Taxonomy

__all__ = [
    "LEVELS",
    "PHASES",
    "Evaluation",
    "LevelScores",
    "Scores",
    "evaluate",
    "level_nodes",
    "reliability",
    "roc_curve",
]

N_BINS = 15
"""Equal-width bins of probability for the calibration errors."""

_SMALLEST = 1e-15  # probabilities are clipped here before a logarithm, as the PLAsTiCC challenge did
_TOLERANCE = 1e-3  # networks give float32


def evaluate(
    probabilities: ArrayLike,
    labels: ArrayLike,
    tree: Taxonomy,
    *,
    leaf_prior: ArrayLike | None = None,
    decided: ArrayLike | None = None,
    mix: ArrayLike | None = None,
) -> Scores:
    """Score node probabilities on level 1, level 2 and the leaves.

    Parameters
    ----------
    probabilities : array, shape ``(n_objects, n_nodes)``
        Absolute node probabilities; those of each level sum to one.
    labels : array of int, shape ``(n_objects,)``
        Position of each object's true node, leaf or not; -1 where it is unknown (left out of every level).
    tree : Taxonomy
    leaf_prior : array, shape ``(n_leaves,)``, optional
        Leaves are decided by ``argmax(probability / leaf_prior)``, without it by the highest probability.
    decided : array of int, shape ``(n_objects,)``, optional
        Positions of the leaves, decided elsewhere (each fold of a cross-validation has a rule of its own).
    mix : array, shape ``(n_leaves,)`` or ``(n_objects, n_leaves)``, optional
        The class mix that the probabilities assume. With it ROC-AUC, log-loss, calibration error and reliability are
        those of the probabilities moved to the mix of the objects scored, and the balanced log-loss that of the
        probabilities moved to a mix in which the classes of a level are equally common, as the mean that it takes has
        them.

    Raises
    ------
    ValueError
        There are no objects, shapes disagree, a probability is not finite or not within 0 to 1, those of a level do not
        sum to one, a label is no node, a prior is not positive, what was decided is no leaf, or both are given.

    Examples
    --------
    >>> tree = Taxonomy.load("plasticc")
    >>> certain = tree.ancestors[tree.leaves].astype(float)  # one object a leaf, all probability on its path
    >>> evaluate(certain, tree.leaves, tree)["leaves"].macro.f1
    1.0
    """
    probability, node = checked(probabilities, labels, tree)
    if decided is not None and leaf_prior is not None:
        raise ValueError("leaves are decided by leaf_prior or given as decided, not both")
    levels = {}
    shares = None if mix is None else np.broadcast_to(np.asarray(mix, dtype=np.float64), (len(node), tree.leaves.size))
    natural = probability if shares is None else _moved_to_scored(probability, shares, node, tree)
    for level in LEVELS:
        nodes = level_nodes(tree, level)
        truth = true_classes(node, tree, nodes)
        reached = truth >= 0
        fair = probability[:, nodes]
        if shares is not None:
            fair = _moved(fair, tree.from_leaves(shares)[:, nodes], np.ones(nodes.size))
        levels[level] = _score(
            natural[reached][:, nodes],
            fair[reached],
            truth[reached],
            decided_classes(probability, tree, level, leaf_prior, decided)[reached],
            classes=tuple(tree.nodes[node] for node in nodes),
            groups=tuple(tree.nodes[node] for node in tree.parent[nodes]),
            left_out=int((~reached).sum()),
        )
    return Scores(levels)


def level_nodes(tree: Taxonomy, level: str) -> NDArray[np.int64]:
    """Give the nodes that are the classes of one of `LEVELS`, in tree order; their probabilities sum to one.

    Examples
    --------
    >>> tree = Taxonomy.load("mallorn")
    >>> [tree.nodes[node] for node in level_nodes(tree, "level 2")]  # AGN is a leaf of depth 1
    ['AGN', 'TDE', 'SN Ia kinds', 'Core collapse', 'Superluminous']
    """
    if level not in LEVELS:
        raise ValueError(f"no level {level!r}; there are {', '.join(LEVELS)}")
    if level == "leaves":
        return tree.leaves
    depth = LEVELS.index(level) + 1
    return np.union1d(tree.level(depth), tree.leaves[tree.depth[tree.leaves] < depth])


def roc_curve(score: ArrayLike, positive: ArrayLike) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Trace the ROC curve of one class against the rest, objects of equal score falling together.

    The area below it is the rank statistic of Mann and Whitney with ties counted half.

    Parameters
    ----------
    score : array, shape ``(n_objects,)``
        Higher means more likely of the class.
    positive : array of bool, shape ``(n_objects,)``
        Whether an object is of the class.

    Returns
    -------
    false_positive_rate, true_positive_rate : array, shape ``(n_distinct_scores + 1,)``
        From 0 to 1; NaN where there is nothing to count.

    Examples
    --------
    >>> false_alarms, hits = roc_curve([0.9, 0.5, 0.5, 0.1], [True, True, False, False])
    >>> float(np.trapezoid(hits, false_alarms))
    0.875
    """
    score, positive = np.asarray(score, dtype=float), np.asarray(positive, dtype=bool)
    order = np.argsort(-score)
    last = np.flatnonzero(np.diff(-score[order], append=np.inf))  # the last object of each distinct score
    hits = np.concatenate([[0], np.cumsum(positive[order])[last]])
    false_alarms = np.concatenate([[0], last + 1]) - hits
    with np.errstate(invalid="ignore"):  # 0/0 is the NaN that is promised
        return false_alarms / false_alarms[-1], hits / hits[-1]


def reliability(probability: ArrayLike, right: ArrayLike) -> NDArray[np.float64]:
    """Set probabilities against frequencies in `N_BINS` bins of equal width.

    Parameters
    ----------
    probability : array, shape ``(n_objects,)``
    right : array of bool, shape ``(n_objects,)``
        Whether what the probability speaks of is so.

    Returns
    -------
    array, shape ``(N_BINS, 3)``
        Mean probability, frequency and objects of each bin; NaN, NaN, 0 where it is empty.

    Examples
    --------
    >>> reliability([0.92, 0.98, 0.97], [True, True, False])[-2:].round(3).tolist()
    [[0.92, 1.0, 1.0], [0.975, 0.5, 2.0]]
    """
    probability = np.asarray(probability, dtype=float)
    place = np.clip((probability * N_BINS).astype(int), 0, N_BINS - 1)
    count, belief, truth = (np.bincount(place, weights, N_BINS) for weights in (None, probability, np.asarray(right)))
    with np.errstate(invalid="ignore"):  # 0/0 is the NaN that is promised
        return np.column_stack([belief / count, truth / count, count])


def _score(
    belief: NDArray[np.float64],
    fair: NDArray[np.float64],
    truth: NDArray[np.int64],
    decided: NDArray[np.int64],
    *,
    classes: tuple[str, ...],
    groups: tuple[str, ...],
    left_out: int,
) -> LevelScores:
    size = len(classes)
    is_class = truth[:, None] == np.arange(size)  # (n_objects, n_classes)
    curves = [roc_curve(belief[:, k], is_class[:, k]) for k in range(size)]
    auc = np.array([np.trapezoid(hits, false_alarms) for false_alarms, hits in curves])
    roc = np.array([np.interp(ROC_GRID, *curve) for curve in curves])
    support = is_class.sum(axis=0)
    loss = -np.log(np.clip(belief[is_class], _SMALLEST, 1))
    fair_loss = -np.log(np.clip(fair[is_class], _SMALLEST, 1))
    class_loss = np.bincount(truth, fair_loss, size) / np.maximum(support, 1)
    return LevelScores(
        classes=classes,
        groups=groups,
        confusion=np.bincount(truth * size + decided, minlength=size**2).reshape(size, size),
        auc=auc,
        roc=np.where(np.isnan(auc)[:, None], np.nan, roc.round(3)),
        calibration_error=np.array([_calibration_error(belief[:, k], is_class[:, k]) for k in range(size)]),
        reliability=reliability(belief.max(axis=1, initial=0), belief.argmax(axis=1) == truth),
        log_loss=weighted_mean(loss, np.ones(loss.size)),
        balanced_log_loss=weighted_mean(class_loss, support > 0),
        left_out=left_out,
    )


def _moved_to_scored(
    probability: NDArray[np.float64], old: NDArray[np.float64], node: NDArray[np.int64], tree: Taxonomy
) -> NDArray[np.float64]:
    """Move node probabilities to the mix of the true classes; an inner node counts for all leaves below it."""
    below = tree.leaves_below[node[node >= 0]]
    new = (below / below.sum(axis=1, keepdims=True)).sum(axis=0)
    return np.asarray(tree.from_leaves(_moved(probability[:, tree.leaves], old, new)))


def _moved(probability: NDArray, old: NDArray, new: NDArray) -> NDArray[np.float64]:
    """Move probabilities of classes, shape ``(n, n_classes)``, from one mix of them to another."""
    moved = probability / np.maximum(old, _SMALLEST) * new
    total = moved.sum(axis=1, keepdims=True)
    return np.where(total > 0, moved / np.where(total > 0, total, 1), probability)


def true_classes(node: NDArray[np.int64], tree: Taxonomy, nodes: NDArray[np.int64]) -> NDArray[np.int64]:
    """Place of each label's ancestor (or itself) among the nodes of a level, -1 where it reaches none of them."""
    above = tree.ancestors[node][:, nodes]
    return np.where((node >= 0) & above.any(axis=1), above.argmax(axis=1), -1)


def decided_classes(
    probability: NDArray[np.float64],
    tree: Taxonomy,
    level: str,
    leaf_prior: ArrayLike | None,
    decided: ArrayLike | None,
) -> NDArray[np.int64]:
    """Place of each object's decision among the nodes of a level."""
    if level == "leaves" and decided is not None:
        return np.searchsorted(tree.leaves, _checked_leaves(decided, tree, len(probability)))
    score = probability[:, level_nodes(tree, level)]
    if level == "leaves" and leaf_prior is not None:
        score = score / _checked_prior(leaf_prior, tree)
    return score.argmax(axis=1)


def _calibration_error(probability: NDArray[np.float64], is_class: NDArray[np.bool_]) -> float:
    table = reliability(probability, is_class)
    belief, frequency, count = table[table[:, 2] > 0].T
    return weighted_mean(np.abs(belief - frequency), count)


def checked(
    probabilities: ArrayLike, labels: ArrayLike, tree: Taxonomy
) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Give node probabilities and labels as arrays, or say what is wrong with them as `evaluate` does."""
    probability, node = np.asarray(probabilities, dtype=np.float64), np.asarray(labels)
    if probability.ndim != 2 or probability.shape[1] != len(tree.nodes):
        raise ValueError(f"probabilities have shape {probability.shape}, expected (n_objects, {len(tree.nodes)})")
    if node.shape != probability.shape[:1]:
        raise ValueError(f"labels have shape {node.shape}, expected {probability.shape[:1]}, one an object")
    if not node.size:
        raise ValueError("there are no objects to evaluate")
    if node.dtype.kind not in "iu":
        raise ValueError(
            f"labels are {node.dtype}, expected node positions (int); Taxonomy.labels gives them for names"
        )
    _refuse(~np.isfinite(probability).all(axis=1), "probabilities are not finite")
    _refuse((np.abs(probability - 0.5) > 0.5 + _TOLERANCE).any(axis=1), "probabilities are not within 0 to 1")
    _refuse((node < -1) | (node >= len(tree.nodes)), f"labels are not within -1 to {len(tree.nodes) - 1}")
    for level in LEVELS:
        total = probability[:, level_nodes(tree, level)].sum(axis=1)
        _refuse(np.abs(total - 1) > _TOLERANCE, f"probabilities do not sum to one over {level}")
    return probability, node.astype(np.int64)


def _checked_prior(leaf_prior: ArrayLike, tree: Taxonomy) -> NDArray[np.float64]:
    prior = np.asarray(leaf_prior, dtype=np.float64)
    if prior.shape != tree.leaves.shape:
        raise ValueError(f"leaf_prior has shape {prior.shape}, expected {tree.leaves.shape}, one a leaf")
    if (wrong := np.flatnonzero(~(np.isfinite(prior) & (prior > 0)))).size:
        raise ValueError(
            f"leaf_prior is not positive for {wrong.size} leaves, first {tree.nodes[tree.leaves[wrong[0]]]!r}"
        )
    return prior


def _checked_leaves(decided: ArrayLike, tree: Taxonomy, n_objects: int) -> NDArray[np.int64]:
    leaves = np.asarray(decided)
    if leaves.shape != (n_objects,) or leaves.dtype.kind not in "iu":
        raise ValueError(f"decided is {leaves.dtype} of shape {leaves.shape}, expected int of ({n_objects},)")
    _refuse(~np.isin(leaves, tree.leaves), "decided is no leaf")
    return leaves


def _refuse(wrong: ArrayLike, what: str) -> None:
    if (rows := np.flatnonzero(wrong)).size:
        raise ValueError(f"{what} for {rows.size} objects, first at object {rows[0]}")
