"""A stack: the weighted mean of several models' node probabilities, moved to one class mix first.

It sees nothing of its members but their probabilities. It reads whole light curves, so it is not steppable.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike, NDArray

from telperion import models
from telperion.lightcurves import LightCurves
from telperion.models.card import checked_file
from telperion.taxonomy import Taxonomy

FORMAT_VERSION = 1
MAX_FILE_BYTES = 1_000_000


class Stack:
    """The weighted mean of models on one tree.

    Parameters
    ----------
    tree : Taxonomy
    members : sequence of (str, Model)
        Kinds and models; the first one's class mix is the stack's.
    weights : array, shape ``(n_members,)``
        Not negative; scaled to sum to one.

    Raises
    ------
    ValueError
        Members and weights disagree in number, a weight is negative or all are zero, or a member has another tree.
    """

    steppable = False

    def __init__(self, tree: Taxonomy, members: Sequence[tuple[str, models.Model]], weights: ArrayLike) -> None:
        self.tree, self.members = tree, tuple(members)
        values = np.asarray(weights, dtype=np.float64)
        if not self.members or values.shape != (len(self.members),):
            raise ValueError(f"{values.size} weights are given for {len(self.members)} members")
        if not np.isfinite(values).all() or (values < 0).any() or values.sum() <= 0:
            raise ValueError("weights must be finite, not negative, and not all zero")
        if wrong := [kind for kind, model in self.members if model.tree != tree]:
            raise ValueError(f"{len(wrong)} members have another tree than the stack, first a {wrong[0]!r}")
        self.weights = values / values.sum()
        self.mix: NDArray[np.float64] = self.members[0][1].mix

    def predict(self, light_curves: LightCurves) -> NDArray[np.float32]:
        """Give the probability of every node, shape ``(n_objects, n_nodes)``."""
        return mean(member_probabilities(self.members, light_curves), self.weights)

    def save(self, folder: Path) -> None:
        """Write ``stack.json`` and a folder a member."""
        folder = Path(folder)
        for number, (_, model) in enumerate(self.members):
            (folder / f"member-{number}").mkdir(parents=True, exist_ok=True)
            model.save(folder / f"member-{number}")
        kinds = [kind for kind, _ in self.members]
        document = {"format": FORMAT_VERSION, "members": kinds, "weights": self.weights.tolist()}
        (folder / "stack.json").write_text(json.dumps(document, indent=1), encoding="utf-8")


def load(folder: str | Path, tree: Taxonomy) -> Stack:
    """Read what `Stack.save` wrote.

    Raises
    ------
    ValueError
        ``stack.json`` is missing, too large or not ours, or a member cannot be loaded.
    """
    card = checked_file(Path(folder) / "stack.json", MAX_FILE_BYTES)
    document = json.loads(card.read_text(encoding="utf-8"))
    if document.get("format") != FORMAT_VERSION:
        raise ValueError(f"{card} has format {document.get('format')!r}, this version reads {FORMAT_VERSION}")
    kinds = document["members"]
    if "stack" in kinds:
        raise ValueError(f"{card} has a stack as a member")
    members = [(kind, models.load(kind, Path(folder) / f"member-{i}", tree)) for i, kind in enumerate(kinds)]
    return Stack(tree, members, document["weights"])


def member_probabilities(members: Sequence[tuple[str, models.Model]], light_curves: LightCurves) -> NDArray[np.float32]:
    """Give what each member says, on the class mix of the first, shape ``(n_members, n_objects, n_nodes)``."""
    mix = members[0][1].mix
    said = [model.tree.reweight(model.predict(light_curves), model.mix, mix) for _, model in members]
    return np.stack(said).astype(np.float32)


def mean(probabilities: NDArray[np.float32], weights: NDArray[np.float64]) -> NDArray[np.float32]:
    """Average what members say, shape ``(n_members, n_objects, n_nodes)``, with weights that sum to one."""
    return np.tensordot(weights, probabilities, axes=1).astype(np.float32)


def choose_weights(
    probabilities: NDArray[np.float32], leaf: NDArray[np.int64], weight: NDArray[np.float64], *, steps: int = 200
) -> NDArray[np.float64]:
    """Find the weights with the lowest log-loss, by expectation maximisation (the mean is a mixture).

    Parameters
    ----------
    probabilities : array, shape ``(n_members, n_objects, n_nodes)``
        Of objects that taught no member.
    leaf : array of int, shape ``(n_objects,)``
        Node positions of the true leaves.
    weight : array, shape ``(n_objects,)``
        How much each object counts.

    Examples
    --------
    >>> said = np.array([[[0.9], [0.9]], [[0.2], [0.3]]])  # the first member is the better one for both objects
    >>> choose_weights(said, np.array([0, 0]), np.ones(2)).round(2)
    array([1., 0.])
    """
    likelihood = np.take_along_axis(probabilities, leaf[None, :, None], axis=2)[:, :, 0].astype(np.float64) + 1e-9
    share = np.full(len(likelihood), 1 / len(likelihood))
    for _ in range(steps):
        blame = share[:, None] * likelihood
        share = (blame / blame.sum(axis=0) * weight).sum(axis=1) / weight.sum()
    return share
