"""What the torch peers with a flat softmax share: fit, load and predict by a network and an encoding."""

from __future__ import annotations

from abc import abstractmethod
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from benchmarks.peers.fitting import (
    Batch,
    Examples,
    Inputs,
    Loss,
    Recipe,
    at_fixed_days,
    best_weights,
    count_parameters,
    cross_entropy,
    cuts,
    examples,
    fit_network,
    tensors,
)
from telperion.encode.view import View
from telperion.lightcurves import LightCurves
from telperion.taxonomy import Taxonomy

SIZE = 256


class NetworkPeer:
    """A network over the leaves; a subclass builds it and says what it reads."""

    name = what = ""
    recipe = Recipe()
    view_of_training: View = "alert"
    most_epochs: int | None = None
    n_parameters = 0
    state_bytes: int | None = None
    loss: Loss = staticmethod(cross_entropy)

    @abstractmethod
    def build(self, n_leaves: int) -> nn.Module:
        """Build the untrained network."""

    @abstractmethod
    def encode(self, known: LightCurves) -> Inputs:
        """Give what the network reads of light curves, cut to what is known."""

    def learn(self, train: LightCurves, folder: Path) -> None:
        """Take from the training objects what the encoding needs, if anything."""

    def remember(self, folder: Path) -> None:
        """Take up what `learn` left in a folder."""

    def fit(
        self, train: LightCurves, valid: LightCurves, tree: Taxonomy, folder: Path, *, seed: int, context: str
    ) -> None:
        """Learn from random cuts, anew in every epoch."""
        self.learn(train, folder)
        torch.manual_seed(seed)
        network = self.build(tree.leaves.size)
        cut = cuts(train, self.view_of_training)

        def epoch(rng: np.random.Generator) -> Examples:
            return examples(cut(rng), tree, self.encode)

        self.train(network, epoch, self.held(valid, tree), train, folder, seed, context)

    def held(self, valid: LightCurves, tree: Taxonomy) -> list[Batch]:
        """Give the validation objects at fixed days, encoded once."""
        cut = at_fixed_days(valid, self.view_of_training)
        return [batch for each in cut for batch in examples(each, tree, self.encode).batches(SIZE)]

    def train(
        self,
        network: nn.Module,
        epoch: Any,
        valid: list[Batch],
        train: LightCurves,
        folder: Path,
        seed: int,
        context: str,
        beforehand: float = 0.0,
    ) -> None:
        """Fit the network and keep it."""
        said = f"{self.name} {self.view_of_training} {context} {train.n_rows} {' '.join(train.object_id)}"
        recipe = self.recipe.shortened(self.most_epochs)
        fit_network(network, epoch, valid, folder, recipe, seed=seed, said=said, loss=self.loss, beforehand=beforehand)

    def load(self, folder: Path, tree: Taxonomy) -> None:
        """Take up the best weights."""
        self.tree = tree
        self.remember(folder)
        self.network = self.build(tree.leaves.size)
        self.network.load_state_dict(best_weights(folder))
        self.network.eval()
        self.n_parameters = count_parameters(self.network)

    @torch.inference_mode()
    def predict(self, known: LightCurves) -> NDArray[np.float32]:
        """Give node probabilities, light curves of like length together."""
        order = np.argsort(known.lengths, kind="stable")
        result = np.empty((len(known), self.tree.leaves.size), dtype=np.float32)
        for start in range(0, order.size, SIZE):
            chosen = order[start : start + SIZE]
            result[chosen] = self.leaf_probabilities(tensors(self.encode(known[chosen])))
        return self.tree.from_leaves(result)

    def leaf_probabilities(self, inputs: list[torch.Tensor]) -> NDArray[np.float32]:
        """Give the softmax over the leaves, shape ``(n, n_leaves)``."""
        said: NDArray[np.float32] = self.network(*inputs).softmax(dim=-1).numpy()
        return said
