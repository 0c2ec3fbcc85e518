"""The portrait network in torch, for training."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from telperion.encode.portrait import Portraits
from telperion.loss import build_loss
from telperion.models.portrait import Config, layers, shapes
from telperion.taxonomy import Taxonomy


class PortraitNetwork(nn.Module):
    """Convolutions of the surface and of the course, the mean and the largest response of each, and a head for all."""

    def __init__(self, config: Config, n_nodes: int) -> None:
        super().__init__()
        parts: dict[str, list[nn.Module]] = {"surface": [], "course": []}
        for name, (given, out, kernel) in layers(config).items():
            picture, number = name.split(".")
            if int(number):
                parts[picture].append(nn.MaxPool1d(2))
            convolution = nn.Conv1d(given, out, kernel, padding=kernel // 2, bias=False)
            parts[picture] += [convolution, nn.BatchNorm1d(out), nn.ReLU()]
        self.surface, self.course = nn.Sequential(*parts["surface"]), nn.Sequential(*parts["course"])
        width = shapes(config, n_nodes)["head.weight"][1]
        self.dropout = nn.Dropout(config.dropout)
        self.head, self.logits = nn.Linear(width, config.head), nn.Linear(config.head, n_nodes)

    def forward(self, surface: Tensor, course: Tensor, numbers: Tensor) -> Tensor:
        """Give the logits, shape ``(n, n_nodes)``, of pictures shaped as in `Portraits`."""
        pictures = self.surface(surface), self.course(course)
        pooled = [pool for picture in pictures for pool in (picture.mean(dim=-1), picture.amax(dim=-1))]
        latent = self.head(self.dropout(torch.cat([*pooled, numbers], dim=1))).relu()
        return self.logits(self.dropout(latent))


def train_network(
    drawn: Sequence[Portraits],
    labels: NDArray[np.int64],
    tree: Taxonomy,
    config: Config,
    *,
    seed: Sequence[int],
    tick: Callable[[], object],
) -> dict[str, NDArray[np.float32]]:
    """Train one network.

    Parameters
    ----------
    drawn : sequence of Portraits
        Of the objects and of their copies.
    labels : array of int, shape ``(n_objects,)``
        Node positions.
    tree : Taxonomy
    config : Config
    seed : sequence of int
    tick : callable
        Called after each epoch.

    Returns
    -------
    dict of str to array
        Shapes as in `telperion.models.portrait.shapes`.

    Raises
    ------
    FloatingPointError
        Training diverged.
    """
    pictures = [torch.from_numpy(np.stack([getattr(each, name) for each in drawn])) for name in _PICTURES]
    truth, loss = torch.from_numpy(labels), build_loss("whxe", labels, tree, alpha=0.0, balance=config.balance)
    rng = np.random.default_rng(seed)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(int(rng.integers(2**62)))
        network = PortraitNetwork(config, len(tree))
        optimiser = torch.optim.AdamW(network.parameters(), lr=config.learning_rate, weight_decay=config.weight_decay)
        batches = np.array_split(np.arange(len(labels)), max(len(labels) // config.batch_size, 1))
        rate = torch.optim.lr_scheduler.OneCycleLR(
            optimiser, config.learning_rate, total_steps=config.epochs * len(batches)
        )
        for _ in range(config.epochs):
            order = rng.permutation(len(labels))
            for batch in batches:
                chosen = torch.from_numpy(order[batch])
                copy = torch.from_numpy(rng.integers(len(drawn), size=len(batch)))
                surface, course, numbers = (picture[copy, chosen] for picture in pictures)
                moved = torch.roll(surface, int(rng.integers(-config.shift, config.shift + 1)), dims=-1)
                value = loss(network(moved, course, numbers), truth[chosen])
                optimiser.zero_grad()
                value.backward()
                optimiser.step()
                rate.step()
            if not torch.isfinite(value):
                raise FloatingPointError("training diverged: the loss is not finite; set learning_rate lower")
            tick()
        return fold(network.eval(), config)


_PICTURES = ("surface", "course", "numbers")


@torch.no_grad()
def fold(network: PortraitNetwork, config: Config) -> dict[str, NDArray[np.float32]]:
    """Give the weights of a network that needs no normalisation and says the same."""
    found: dict[str, Tensor] = {}
    for name in ("surface", "course"):
        modules = list(getattr(network, name))
        pairs = [(a, b) for a, b in itertools.pairwise(modules) if isinstance(b, nn.BatchNorm1d)]
        for number, (convolution, norm) in enumerate(pairs):
            assert norm.running_var is not None
            assert norm.running_mean is not None
            scale = norm.weight / torch.sqrt(norm.running_var + norm.eps)
            found[f"{name}.{number}.weight"] = convolution.weight * scale[:, None, None]
            found[f"{name}.{number}.bias"] = norm.bias - norm.running_mean * scale
    for name in ("head", "logits"):
        layer = getattr(network, name)
        found |= {f"{name}.weight": layer.weight, f"{name}.bias": layer.bias}
    return {name: found[name].numpy().astype(np.float32) for name in shapes(config, network.logits.out_features)}
