"""Balanced random forests on light-curve statistics, one at every branching of the tree, after ALeRCE's classifier.

Sanchez-Saez et al. 2021 (AJ 161, 141): a forest tells transient, stochastic and periodic apart, and one more for each
of them the classes below; probabilities multiply. Here the branchings are those of our tree.
"""

from __future__ import annotations

import json
import time
from pathlib import Path

import numpy as np
from imblearn.ensemble import BalancedRandomForestClassifier
from numpy.typing import NDArray

from benchmarks.peers.around import cores
from benchmarks.peers.forest_features import context_names, features
from benchmarks.peers.peer import TRAINING
from telperion.encode.truncate import draw_days
from telperion.encode.view import View, view
from telperion.lightcurves import LightCurves
from telperion.taxonomy import Taxonomy

CUTS = 4
"""Copies of each training object that are cut at a random day, beside the whole light curve."""

TREES = 500
LEAST = 1e-6
FOREST, CARD = "forest.npz", "forest.json"


class Forest:
    """A balanced random forest at each node with several children; their answers multiply along the tree."""

    name = "forest"
    what = (
        "Balanced random forests along the tree, as ALeRCE's classifier (Sanchez-Saez et al. 2021): 500 trees a "
        "branching on statistics of each band by the light-curve package; trained on light curves cut at random days"
    )
    state_bytes: int | None = None

    def __init__(self) -> None:
        self.view_of_training: View = "alert"
        self.most_epochs = TREES
        self.n_parameters = 0
        self._tree: Taxonomy | None = None
        self._context: list[str] = []
        self._forests: dict[str, NDArray] = {}

    def fit(
        self,
        train: LightCurves,
        valid: LightCurves,  # noqa: ARG002 - a forest does not grow worse with its trees
        tree: Taxonomy,
        folder: Path,
        *,
        seed: int,
        context: str,  # noqa: ARG002 - what is unknown is not there
    ) -> None:
        """Grow the forests. They are grown in one go: one that was stopped starts anew."""
        started, rng = time.perf_counter(), np.random.default_rng(seed)
        copies = [view(train, np.inf, self.view_of_training)]
        copies += [draw_days(train, rng, self.view_of_training, 1)[0] for _ in range(CUTS)]
        filled = np.concatenate([each.lengths > 0 for each in copies])
        named = context_names(train)
        table = np.concatenate([features(each, named) for each in copies])[filled]
        label = tree.labels(train.label)
        node = np.tile(label, len(copies))[filled]
        found = {}
        for group in tree.groups[1:]:
            child = np.argmax(tree.ancestors[node][:, group], axis=1)
            below = tree.ancestors[node][:, group].any(axis=1)
            if np.unique(child[below]).size > 1:
                forest = grow(table[below], child[below], self.most_epochs, seed)
                found |= {f"{group[0]}.{name}": values for name, values in flat(forest, len(group)).items()}
                taught = np.argmax(tree.ancestors[label][:, group], axis=1)[tree.ancestors[label][:, group].any(axis=1)]
                found[f"{group[0]}.mix"] = np.bincount(taught, minlength=len(group)) / taught.size
        with (folder / FOREST).open("wb") as file:
            np.savez_compressed(file, **found)
        card = {"nodes": list(tree.nodes), "context": named}
        (folder / CARD).write_text(json.dumps(card), encoding="utf-8")
        self.load(folder, tree)
        said = {
            "epochs": self.most_epochs,
            "seconds": round(time.perf_counter() - started, 1),
            "plateau": self.most_epochs >= TREES,
            "n_parameters": self.n_parameters,
        }
        (folder / TRAINING).write_text(json.dumps(said, indent=1), encoding="utf-8")

    def load(self, folder: Path, tree: Taxonomy) -> None:
        """Read the forests as plain arrays."""
        card = json.loads((folder / CARD).read_text(encoding="utf-8"))
        if card["nodes"] != list(tree.nodes):
            raise ValueError(f"the forests in {folder} were grown along another tree than {tree.name!r}")
        with np.load(folder / FOREST, allow_pickle=False) as found:
            self._forests = {name: found[name] for name in found.files}
        self._tree, self._context = tree, card["context"]
        inner = [values for name, values in self._forests.items() if name.endswith("children")]
        shares = [values for name, values in self._forests.items() if name.endswith("share")]
        branches = sum(int((each[:, 0] >= 0).sum()) for each in inner)
        leaves = sum(
            int((each[:, 0] < 0).sum()) * (share.shape[1] - 1) for each, share in zip(inner, shares, strict=True)
        )
        self.n_parameters = 2 * branches + leaves

    def predict(self, known: LightCurves) -> NDArray[np.float32]:
        """Multiply the forests' answers along the tree; children that no forest tells apart are alike."""
        tree = self._tree
        if tree is None:
            raise ValueError("nothing is loaded: call load or fit first")
        table = features(known, self._context)
        logits = np.zeros((len(known), len(tree.nodes)), dtype=np.float32)
        for group in tree.groups[1:]:
            if f"{group[0]}.share" in self._forests:
                parts = {name: self._forests[f"{group[0]}.{name}"] for name in ("roots", "children", "split", "share")}
                moved = answers(parts, table) * self._forests[f"{group[0]}.mix"]  # to the mix that was taught
                logits[:, group] = np.log(np.maximum(moved, LEAST))
        return tree.probabilities(logits).astype(np.float32)


def grow(
    table: NDArray[np.float32], label: NDArray[np.int64], n_trees: int, seed: int
) -> BalancedRandomForestClassifier:
    """Grow a forest each of whose trees sees as many of every class, drawn with replacement."""
    forest = BalancedRandomForestClassifier(
        n_estimators=n_trees,
        sampling_strategy="all",
        replacement=True,
        bootstrap=False,
        random_state=seed,
        n_jobs=cores(),
    )
    return forest.fit(table, label)


def flat(forest: BalancedRandomForestClassifier, n_children: int) -> dict[str, NDArray]:
    """Put a forest into plain arrays.

    Returns
    -------
    dict of str to array
        ``roots``, shape ``(n_trees,)``; ``children``, shape ``(n_nodes, 2)``, -1 at a leaf; ``split``, shape
        ``(n_nodes, 2)``, the feature and its largest value that goes to the first child; ``share``, shape
        ``(n_nodes, n_children)``.
    """
    trees = [each.tree_ for each in forest.estimators_]
    roots = np.concatenate([[0], np.cumsum([each.node_count for each in trees])[:-1]])
    pairs = [np.stack([each.children_left, each.children_right], axis=1) for each in trees]
    children = [np.where(pair >= 0, pair + root, -1) for pair, root in zip(pairs, roots, strict=True)]
    share = np.zeros((sum(each.node_count for each in trees), n_children), dtype=np.float32)
    values = np.concatenate([each.value[:, 0] for each in trees])
    share[:, forest.classes_] = values / values.sum(axis=1, keepdims=True)
    return {
        "roots": roots.astype(np.int32),
        "children": np.concatenate(children).astype(np.int32),
        "split": np.concatenate([np.stack([each.feature, each.threshold], axis=1) for each in trees]),
        "share": share,
    }


def answers(forest: dict[str, NDArray], table: NDArray[np.float32]) -> NDArray[np.float64]:
    """Give the mean answer of a forest's trees, shape ``(n, n_children)``."""
    children, feature, largest = forest["children"], forest["split"][:, 0].astype(np.int64), forest["split"][:, 1]
    total = np.zeros((len(table), forest["share"].shape[1]))
    for root in forest["roots"]:
        place = np.full(len(table), root)
        moving = np.arange(len(table))
        while moving.size:
            here = place[moving]
            right = table[moving, feature[here]] > largest[here]
            below = children[here, right.astype(np.int64)]
            moving = moving[below >= 0]
            place[moving] = below[below >= 0]
        total += forest["share"][place]
    return total / len(forest["roots"])
