"""Calibration along the tree: a temperature and a bias for each group of siblings, as functions of phase.

Vector scaling (Guo et al. 2017, ICML 70, 1321) of the conditional probabilities among siblings: of an object some days
after its first detection, ``q(c | parent) = softmax_c(log p(c | parent) / T + b_c)``, where ``1 / T`` and ``b`` are
piecewise linear in ``log(1 + days)``. Class weights in a loss shift probabilities, which the biases take back; the
probability of a node is the product along its path, so that sums along the tree stay exact.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from telperion.phases import (
    KNOTS,
    at,
    checked_days,
    checked_keys,
    checked_knots,
    checked_table,
    interpolation,
)
from telperion.taxonomy import Taxonomy

_STEP = 15.0  # penalty on the squared step between neighbouring knots, in units of one object's log-likelihood
_RIDGE = 0.15  # penalty on doing anything at all; its part on 1 / T also keeps that above zero
_MAX_STEPS = 60
_LEAST = 1e-30  # conditional probability that calibrating leaves apart from zero


@dataclass(frozen=True, eq=False)
class Calibration:
    """What turns a model's node probabilities into those that frequencies bear out.

    Parameters
    ----------
    tree : Taxonomy
    mix : array, shape ``(n_leaves,)``
        The class mix that calibrated probabilities assume: that of the objects that it was fitted on.
    knots : array, shape ``(n_knots,)``, d
    sharpness : array, shape ``(n_knots, n_nodes)``
        1 / T at the knots, the same for siblings.
    bias : array, shape ``(n_knots, n_nodes)``

    Raises
    ------
    ValueError
        A shape is wrong, a number is not finite, a temperature is not above zero, knots do not rise from 0.

    Examples
    --------
    Probabilities that were learnt with rare classes counting more are brought back to what they are:

    >>> tree = Taxonomy("toy", {"Alert": {"SN": {}, "TDE": {}}})
    >>> said = np.array([[1, 0.5, 0.5]] * 1000)
    >>> right = Calibration.fit(said, np.repeat([1, 2], [900, 100]), np.full(1000, 8.0), tree)
    >>> right.apply(said[:1], [8.0]).round(2)
    array([[1. , 0.9, 0.1]], dtype=float32)
    """

    tree: Taxonomy
    mix: NDArray[np.float64]
    knots: NDArray[np.float64]
    sharpness: NDArray[np.float64]
    bias: NDArray[np.float64]

    def __post_init__(self) -> None:
        object.__setattr__(self, "mix", self.tree.mix(self.mix))
        object.__setattr__(self, "knots", checked_knots(self.knots))
        shape = (self.knots.size, len(self.tree))
        for name in ("sharpness", "bias"):
            object.__setattr__(self, name, checked_table(vars(self), name, shape))
        if (self.sharpness <= 0).any():
            raise ValueError(f"a temperature is not above zero in {(self.sharpness <= 0).sum()} places")
        for group in self.tree.groups:
            if (self.sharpness[:, group] != self.sharpness[:, group[:1]]).any():
                raise ValueError(f"siblings share one temperature, not so those of {self.tree.nodes[group[0]]!r}")

    @classmethod
    def fit(
        cls,
        probabilities: ArrayLike,
        labels: ArrayLike,
        days: ArrayLike,
        tree: Taxonomy,
        *,
        mix: ArrayLike | None = None,
        repeats: float = 1.0,
        knots: ArrayLike = KNOTS,
    ) -> Calibration:
        """Fit by the likelihood of the labels, every group of siblings by the objects labelled below their parent.

        Steps between neighbouring knots cost a little, so that a knot without objects takes after its neighbours. A
        class that no object has keeps, beside its siblings, the share that the model gives it.

        Parameters
        ----------
        probabilities : array, shape ``(n, n_nodes)``
            What the model says of objects that did not teach it, each perhaps at several phases.
        labels : array of int, shape ``(n,)``
            Node positions, -1 where unknown; an inner node teaches down to itself.
        days : array, shape ``(n,)``, d
            After the first detection, up to which each is known (`telperion.encode.view.days_known`).
        tree : Taxonomy
        mix : array, shape ``(n_leaves,)``, optional
            The class mix that the probabilities assume, all classes alike by default; it counts for missing classes.
        repeats : float
            At how many phases and with how many contexts each object is given: that often it says much the same.
        knots : array, shape ``(n_knots,)``, d

        Raises
        ------
        ValueError
            Shapes disagree, no label is known, days are negative or not finite, repeats are below 1.

        Warns
        -----
        UserWarning
            A leaf is missing among the labels.
        """
        logarithm = tree.log_conditionals(probabilities)
        node = np.asarray(labels)
        if node.shape != logarithm.shape[:1] or node.dtype.kind not in "iu":
            raise ValueError(f"labels are {node.dtype} of shape {node.shape}, expected int of ({len(logarithm)},)")
        if not (node >= 0).any():
            raise ValueError("no object has a label: there is nothing to calibrate on")
        if not 1 <= repeats <= len(node):
            raise ValueError(f"repeats are {repeats}, expected 1 to the number of rows, {len(node)}")
        phase, places = checked_days(days, len(node)), checked_knots(knots)
        share = tree.from_leaves(tree.mix(np.ones(tree.leaves.size) if mix is None else mix)[None])[0]
        above = tree.ancestors[node] & (node >= 0)[:, None]
        left, weight = interpolation(phase, places)
        sharpness = np.ones((places.size, len(tree)))
        bias = np.zeros_like(sharpness)
        for group in tree.groups[1:]:
            rows = np.flatnonzero(above[:, group].any(axis=1))
            truth = above[np.ix_(rows, group)].argmax(axis=1)
            present = np.flatnonzero(np.bincount(truth, minlength=group.size))
            if present.size < 2:
                continue
            members, place = group[present], np.searchsorted(present, truth)
            own = logarithm[np.ix_(rows, members)]
            found = _fit_siblings(own, place, left[rows], weight[rows], places.size, repeats)
            sharpness[:, group] = found[:, :1]
            bias[:, members] = _beside_the_missing(found[:, 1:], share[members])
        return cls(tree, _mix(above, share, tree), places, sharpness, bias)

    def apply(self, probabilities: ArrayLike, days: ArrayLike) -> NDArray[np.float32]:
        """Calibrate node probabilities.

        Parameters
        ----------
        probabilities : array, shape ``(n, n_nodes)``
        days : array, shape ``(n,)``, d
            After the first detection, up to which each is known (`telperion.encode.view.days_known`); NaN without rows:
            the answer is then `mix`.

        Returns
        -------
        array of float32, shape ``(n, n_nodes)``
            The root is 1 and siblings sum to their parent.
        """
        logarithm = self.tree.log_conditionals(probabilities)
        unseen = np.isnan(np.asarray(days, dtype=np.float64))
        phase = checked_days(np.where(unseen, 0, days), len(logarithm))
        logits = logarithm * at(self.sharpness, phase, self.knots) + at(self.bias, phase, self.knots)
        result = self.tree.probabilities(logits)
        result[unseen] = self.tree.from_leaves(self.mix[None])
        return result.astype(np.float32)

    def undo(self, probabilities: ArrayLike, days: ArrayLike) -> NDArray[np.float32]:
        """Give back what `apply` was given, as far as float32 and its smallest conditional probability allow.

        Parameters
        ----------
        probabilities : array, shape ``(n, n_nodes)``
            Calibrated.
        days : array, shape ``(n,)``, d
            Those of `apply`; what was said of an object without rows is not to be had back.

        Raises
        ------
        ValueError
            Days are negative or not finite.
        """
        logarithm = self.tree.log_conditionals(probabilities, _LEAST)
        phase = checked_days(days, len(logarithm))
        logits = (logarithm - at(self.bias, phase, self.knots)) / at(self.sharpness, phase, self.knots)
        return np.asarray(self.tree.probabilities(logits), dtype=np.float32)

    def to_dict(self) -> dict[str, Any]:
        """Give plain tables, which `from_dict` reads: a temperature for each parent, a bias for each node below."""
        nodes, groups = self.tree.nodes, self.tree.groups[1:]
        above = [nodes[self.tree.parent[group[0]]] for group in groups]
        return {
            "knots": self.knots.tolist(),
            "mix": dict(zip((nodes[leaf] for leaf in self.tree.leaves), self.mix.tolist(), strict=True)),
            "temperature": {
                name: (1 / self.sharpness[:, group[0]]).tolist() for name, group in zip(above, groups, strict=True)
            },
            "bias": {nodes[node]: self.bias[:, node].tolist() for node in range(1, len(nodes))},
        }

    @classmethod
    def from_dict(cls, document: Mapping[str, Any], tree: Taxonomy) -> Calibration:
        """Read what `to_dict` gave.

        Raises
        ------
        ValueError
            Something is missing, unknown, of another tree or out of its range.
        """
        checked_keys(document, {"knots", "mix", "temperature", "bias"}, "a calibration")
        knots = checked_knots(document["knots"])
        inner = np.setdiff1d(np.arange(len(tree)), tree.leaves)
        for name, nodes in (("mix", tree.leaves), ("temperature", inner), ("bias", np.arange(1, len(tree)))):
            checked_keys(document[name], {tree.nodes[node] for node in nodes}, f"the {name} of the calibration")
        sharpness, bias = np.ones((knots.size, len(tree))), np.zeros((knots.size, len(tree)))
        for group in tree.groups[1:]:
            above = tree.nodes[tree.parent[group[0]]]
            temperature = checked_table(document["temperature"], above, knots.shape)
            if (temperature <= 0).any():
                raise ValueError(f"the temperature below {above!r} is not above zero everywhere")
            sharpness[:, group] = 1 / temperature[:, None]
        for node in range(1, len(tree)):
            bias[:, node] = checked_table(document["bias"], tree.nodes[node], knots.shape)
        mix = checked_table(
            {"mix": [document["mix"][tree.nodes[leaf]] for leaf in tree.leaves]}, "mix", tree.leaves.shape
        )
        return cls(tree, mix, knots, sharpness, bias)


def _fit_siblings(
    logarithm: NDArray[np.float64],
    truth: NDArray[np.int64],
    left: NDArray[np.int64],
    weight: NDArray[np.float64],
    n_knots: int,
    repeats: float,
) -> NDArray[np.float64]:
    """Fit one group by Newton's method; the loss is convex in 1 / T and the biases, and so are the penalties.

    Parameters
    ----------
    logarithm : array, shape ``(n, n_classes)``
        Log p(class | parent).
    truth : array of int, shape ``(n,)``
    left, weight : array, shape ``(n,)``
        From `telperion.phases.interpolation`.
    repeats : float
        Times that each object is among them.

    Returns
    -------
    array, shape ``(n_knots, 1 + n_classes)``
        1 / T and the biases.
    """
    spans = []
    for knot in np.unique(left):
        rows = np.flatnonzero(left == knot)
        spans.append((int(knot), logarithm[rows], truth[rows], np.stack([1 - weight[rows], weight[rows]])))
    found = np.zeros((n_knots, 1 + logarithm.shape[1]))
    found[:, 0] = 1
    value, slope, curve = _loss(found, spans, repeats)
    for _ in range(_MAX_STEPS):
        step = np.linalg.solve(curve, slope.ravel()).reshape(found.shape)
        gain, size = float((slope * step).sum()), 1.0
        if gain < 1e-6 * repeats:
            break
        while True:
            tried = found - size * step
            if (tried[:, 0] > 0).all() and (new := _loss(tried, spans, repeats))[0] <= value - 1e-4 * size * gain:
                break
            size /= 2
            if size < 1e-9:
                return found
        found, (value, slope, curve) = tried, new
    return found


_Span = tuple[int, NDArray[np.float64], NDArray[np.int64], NDArray[np.float64]]


def _loss(found: NDArray[np.float64], spans: Sequence[_Span], repeats: float) -> tuple[float, NDArray, NDArray]:
    """Give the penalised negative log-likelihood, its gradient and its Hessian, shape ``(found.size, found.size)``."""
    n_knots, width = found.shape
    stiff, ridge = _STEP * repeats, _RIDGE * repeats
    steps = np.diff(found, axis=0)
    value = 0.5 * stiff * float((steps**2).sum()) + 0.5 * ridge * float((found[:, 1:] ** 2).sum())
    value += ridge * float((found[:, 0] - 1 - np.log(found[:, 0])).sum())
    gradient = ridge * np.concatenate([1 - 1 / found[:, :1], found[:, 1:]], axis=1)
    gradient[1:] += stiff * steps
    gradient[:-1] -= stiff * steps
    curve = np.zeros((n_knots, width, n_knots, width))
    knot, own = np.arange(n_knots)[:, None], np.arange(width)
    curve[knot, own, knot, own] = ridge * np.concatenate([found[:, :1] ** -2, np.ones_like(found[:, 1:])], axis=1)
    for one, other, sign in ((0, 0, 1), (1, 1, 1), (0, 1, -1), (1, 0, -1)):
        curve[knot[:-1] + one, own, knot[:-1] + other, own] += sign * stiff
    for first, logarithm, truth, weights in spans:
        local = weights.T @ found[first : first + 2]
        logits = local[:, :1] * logarithm + local[:, 1:]
        logits -= logits.max(axis=1, keepdims=True)
        belief = np.exp(logits)
        total = belief.sum(axis=1, keepdims=True)
        belief /= total
        rows = np.arange(truth.size)
        value += float((np.log(total[:, 0]) - logits[rows, truth]).sum())
        excess = belief.copy()
        excess[rows, truth] -= 1
        gradient[first : first + 2] += weights @ np.column_stack([(logarithm * excess).sum(axis=1), excess])
        mean = (belief * logarithm).sum(axis=1, keepdims=True)
        second = np.empty((truth.size, width, width))
        second[:, 1:, 1:] = -belief[:, :, None] * belief[:, None, :]
        second[:, own[1:], own[1:]] += belief
        second[:, 0, 1:] = second[:, 1:, 0] = belief * (logarithm - mean)
        second[:, 0, 0] = (belief * (logarithm - mean) ** 2).sum(axis=1)
        blocks = np.stack([weights[0] ** 2, weights[0] * weights[1], weights[1] ** 2]) @ second.reshape(truth.size, -1)
        near, between, far = blocks.reshape(3, width, width)
        curve[first, :, first] += near
        curve[first, :, first + 1] += between
        curve[first + 1, :, first] += between
        curve[first + 1, :, first + 1] += far
    return value, gradient, curve.reshape(found.size, found.size)


def _beside_the_missing(bias: NDArray[np.float64], share: NDArray[np.float64]) -> NDArray[np.float64]:
    """Shift biases, shape ``(n_knots, n_present)``, so that classes without objects, of bias 0, keep their share.

    Pure changes of the class mix, ``bias = log(new share / share)``, leave what the present ones have together.
    """
    odds = bias + np.log(share / share.sum() if share.all() else np.full(share.size, 1 / share.size))
    highest = odds.max(axis=1, keepdims=True)
    return bias - highest - np.log(np.exp(odds - highest).sum(axis=1, keepdims=True))


def _mix(above: NDArray[np.bool_], share: NDArray[np.float64], tree: Taxonomy) -> NDArray[np.float64]:
    """Give the class mix of labels; a class that they lack has, beside its siblings, the share that the model gives it.

    Parameters
    ----------
    above : array of bool, shape ``(n, n_nodes)``
        Nodes on the path to each label.
    share : array, shape ``(n_nodes,)``
        Of each node in the model's class mix.
    """
    count = above.sum(axis=0)
    if missing := [tree.nodes[leaf] for leaf in tree.leaves if not count[leaf]]:
        warnings.warn(f"{len(missing)} classes have no object to calibrate on, first {missing[0]!r}", stacklevel=3)
    result = np.ones(len(tree))
    for group in tree.groups[1:]:
        above_share = share[tree.parent[group[0]]]
        own = share[group] / above_share if above_share > 0 else np.full(group.size, 1 / group.size)
        present = count[group] > 0
        if present.any():
            own[present] = (1 - own[~present].sum()) * count[group[present]] / count[group].sum()
        result[group] = result[tree.parent[group]] * own
    return result[tree.leaves]
