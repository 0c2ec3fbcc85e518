"""From a network's logits to calibrated probabilities of all nodes, inside a graph."""

from __future__ import annotations

import numpy as np

from telperion.calibrate import Calibration
from telperion.export.operators import DOUBLE, FLOAT, Graph, Value
from telperion.taxonomy import Taxonomy

_SMALLEST = 1e-7  # as `Taxonomy.log_conditionals` has it


def answer(
    graph: Graph, logits: Value, days: Value, tree: Taxonomy, calibration: Calibration | None, mix: np.ndarray
) -> Value:
    """Turn logits into what `Classifier.predict` says.

    Parameters
    ----------
    graph : Graph
        To which operators are added.
    logits : Value of float32, shape ``(n, n_nodes)``
    days : Value of float64, shape ``(n, 1)``, d
        After the first detection, up to which objects are known; NaN without rows, the answer is then `mix`.
    tree : Taxonomy
    calibration : Calibration or None
    mix : array, shape ``(n_leaves,)``

    Returns
    -------
    Value of float32, shape ``(n, n_nodes)``
    """
    conditional = _softmax(graph, logits.cast(DOUBLE), tree)
    if calibration is not None:
        sharpness = _at(graph, calibration.sharpness, days, calibration.knots)
        bias = _at(graph, calibration.bias, days, calibration.knots)
        conditional = _softmax(graph, conditional.above(_SMALLEST).log() * sharpness + bias, tree)
    unseen = tree.from_leaves(mix[None])
    return graph.where(days.missing(), unseen, _along_paths(conditional, tree)).cast(FLOAT)


def _softmax(graph: Graph, logits: Value, tree: Taxonomy) -> Value:
    """Take the softmax among siblings: groups as rows of a table, whose empty places hold next to nothing."""
    n, width = len(tree), max(group.size for group in tree.groups)
    members = np.full((len(tree.groups), width), n)
    place = np.empty(n, dtype=np.int64)
    for number, group in enumerate(tree.groups):
        members[number, : group.size] = group
        place[group] = number * width + np.arange(group.size)
    nothing = logits.columns([0]) * 0.0 - 1e300
    table = graph.concatenate([logits, nothing]).columns(members)  # (n, n_groups, width)
    shares = graph.add("Softmax", table, axis=2)
    return graph.add("Reshape", shares, np.array([-1, members.size], np.int64)).columns(place)


def _along_paths(conditional: Value, tree: Taxonomy) -> Value:
    """Multiply p(node | parent) along each path; the root's is 1."""
    result, above = conditional, np.arange(len(tree))
    for _ in range(int(tree.depth.max()) - 1):
        above = np.maximum(tree.parent[above], 0)
        result = result * conditional.columns(above)
    return result


def _at(graph: Graph, values: np.ndarray, days: Value, knots: np.ndarray) -> Value:
    """Interpolate, linear in log(1 + days): the first value, and the steps as far as they are gone."""
    place = np.log1p(knots)
    gone = ((days.filled().log1p() - place[None, :-1]) / np.diff(place)[None]).above(0.0).below(1.0)
    return graph.add("MatMul", gone, np.diff(values, axis=0)) + values[:1]
