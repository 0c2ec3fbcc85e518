"""The stream's answers beside the truth: the latest on each object, and how good these are."""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np
import pyarrow as pa
from numpy.typing import ArrayLike, NDArray

from telperion.calibration_scores import DepthScores, depth_scores
from telperion.evaluate import LEVELS, decided_classes, evaluate, level_nodes, true_classes
from telperion.taxonomy import Taxonomy

SPANS = {"under 2 d": (0.0, 2.0), "2 to 20 d": (2.0, 20.0), "over 20 d": (20.0, np.inf), "all": (0.0, np.inf)}
"""How long objects are known, in days after the first detection: from the first, up to below the second."""


@dataclass(frozen=True, eq=False)
class Latest:
    """The latest answer on each object.

    Parameters
    ----------
    object_id : array of str, shape ``(n_objects,)``
        As the packets have it.
    label : array of int, shape ``(n_objects,)``
        True node; -1 where the tree does not have it.
    alert_id : array of int64, shape ``(n_objects,)``
        Of the alert that it answers.
    days : array, shape ``(n_objects,)``, d
        After the first detection, 0 where nothing is known.
    n_rows : array of int, shape ``(n_objects,)``
    probabilities : array of float32, shape ``(n_objects, n_nodes)``
    leaf, confident : array of int, shape ``(n_objects,)``
        Decided leaf and promised node.
    """

    object_id: NDArray[np.str_]
    label: NDArray[np.int64]
    alert_id: NDArray[np.int64]
    days: NDArray[np.float64]
    n_rows: NDArray[np.int64]
    probabilities: NDArray[np.float32]
    leaf: NDArray[np.int64]
    confident: NDArray[np.int64]

    def __len__(self) -> int:
        return self.label.size

    def __getitem__(self, which: ArrayLike) -> Latest:
        """Choose objects by a mask or positions."""
        return Latest(*(getattr(self, field.name)[np.asarray(which)] for field in fields(self)))


def latest(answers: pa.Table, truth: pa.Table, tree: Taxonomy) -> Latest:
    """Find the latest answer on each object, and what the object is.

    Parameters
    ----------
    answers : pyarrow.Table
        As `telperion.serve.answers.Answers.to_arrow` gives them.
    truth : pyarrow.Table
        As `telperion.simulate.night.Night.truth` gives it.
    tree : Taxonomy

    Raises
    ------
    ValueError
        An answer is on an object that the truth lacks.
    """
    names = answers["object_id"].to_numpy(zero_copy_only=False).astype(np.str_)
    order = np.lexsort((np.arange(names.size), answers["alert_time"].to_numpy(), names))
    last = order[np.append(names[order][1:] != names[order][:-1], True)] if names.size else order
    known = truth["diaObjectId"].to_numpy().astype(np.str_)
    by_name = np.argsort(known)
    place = by_name[np.searchsorted(known, names[last], sorter=by_name) % max(known.size, 1)]
    if (strange := np.flatnonzero(known[place] != names[last])).size:
        raise ValueError(f"the truth lacks {strange.size} objects, first '{names[last[strange[0]]]}'")
    labels = truth["label"].to_pylist()
    node = np.array([tree.index(name) if name in tree else -1 for name in labels], dtype=np.int64)
    rows = answers.take(pa.array(last))
    nodes = {name: k for k, name in enumerate(tree.nodes)}
    leaf, confident = (
        np.array([nodes[name] for name in rows[what].to_pylist()], dtype=np.int64)
        for what in ("leaf", "confident_node")
    )
    return Latest(
        names[last], node[place], rows["alert_id"].to_numpy(), np.nan_to_num(rows["days"].to_numpy()),
        rows["n_obs"].to_numpy(), np.stack([rows[name].to_numpy() for name in tree.nodes], axis=1), leaf,
        confident,
    )  # fmt: skip


def right_at(found: Latest, tree: Taxonomy) -> NDArray[np.bool_]:
    """Say which objects are decided rightly at each of `LEVELS`, shape ``(n_objects, n_levels)``."""
    columns = []
    for level in LEVELS:
        decided = decided_classes(found.probabilities.astype(np.float64), tree, level, None, found.leaf)
        columns.append(decided == true_classes(found.label, tree, level_nodes(tree, level)))
    return np.stack(columns, axis=1)


@dataclass(frozen=True)
class ClassCounts:
    """One class.

    Parameters
    ----------
    objects : int
    days : float, d
        For which its objects are known, in the median.
    right : list of int
        Objects decided rightly at each of `LEVELS`.
    """

    objects: int
    days: float
    right: list[int]


def by_class(found: Latest, tree: Taxonomy) -> dict[str, ClassCounts]:
    """Count the objects of each class, in the order of the tree as it is drawn, and those that are decided rightly."""
    right = right_at(found, tree)
    leaves = sorted(tree.leaves.tolist(), key=lambda leaf: np.flatnonzero(tree.ancestors[leaf]).tolist())
    return {
        tree.nodes[leaf]: ClassCounts(
            int(one.sum()), float(np.median(found.days[one])), right[one].sum(axis=0).tolist()
        )
        for leaf in leaves
        if (one := found.label == leaf).any()
    }


def by_span(found: Latest, tree: Taxonomy) -> dict[str, tuple[int, list[float]]]:
    """Give for each of `SPANS` the objects known so long, and macro F1 at each of `LEVELS`, where there are any."""
    scores = {}
    for name, (low, high) in SPANS.items():
        some = found[(found.days >= low) & (found.days < high) & (found.label >= 0)]
        if len(some):
            each = evaluate(some.probabilities, some.label, tree, decided=some.leaf)
            scores[name] = len(some), [each[level].macro.f1 for level in LEVELS]
    return scores


def promises(found: Latest, tree: Taxonomy) -> DepthScores:
    """Score the promised nodes."""
    known = found[found.label >= 0]
    return depth_scores(known.confident, known.label, tree)


def surest(found: Latest, tree: Taxonomy, classes: tuple[str, ...]) -> list[int]:
    """Give for each of some classes the likeliest of the objects that are decided for it, if there are any."""
    chosen = []
    for name in classes:
        leaf = tree.index(name)
        of_it = np.flatnonzero(found.leaf == leaf)
        if of_it.size:
            chosen.append(int(of_it[np.argmax(found.probabilities[of_it, leaf])]))
    return chosen
