"""The training that the torch peers share: random cuts in every epoch, early stopping, checkpoints without pickle."""

from __future__ import annotations

import hashlib
import json
import math
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import safetensors.torch
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from benchmarks.peers.training import write_training
from telperion.encode.truncate import draw_days
from telperion.encode.view import View, view
from telperion.lightcurves import LightCurves
from telperion.models.gru_start import read_checkpoint
from telperion.progress import progress_bar
from telperion.taxonomy import Taxonomy

CHECKPOINT = "checkpoint.safetensors"
VALIDATION_DAYS = (2.0, 8.0, 64.0, 1024.0)

Inputs = tuple[NDArray, ...]
"""What a network reads of objects, the objects along the first axis of each array."""

Batch = tuple[list[Tensor], Tensor]
"""What a network reads, and the places of the labels among the leaves."""


@dataclass(frozen=True)
class Recipe:
    """How a network is trained: Adam, whose rate is halved after `wait` epochs without a better validation loss."""

    batch_size: int = 128
    learning_rate: float = 1e-3
    weight_decay: float = 0.0
    clip: float = 1.0
    wait: int = 4
    patience: int = 12
    epochs: int = 200

    def shortened(self, most_epochs: int | None) -> Recipe:
        """End in any case after so many epochs."""
        return self if most_epochs is None else replace(self, epochs=min(self.epochs, most_epochs))

    def rate(self, losses: Sequence[float]) -> float:
        """Give the learning rate after validation losses so far."""
        best, stale, halved = math.inf, 0, 0
        for loss in losses:
            stale = 0 if loss < best else stale + 1
            best = min(best, loss)
            if stale == self.wait:
                stale, halved = 0, halved + 1
        return self.learning_rate * 0.5**halved


@dataclass(frozen=True, eq=False)
class Examples:
    """Objects to learn from: their leaves and lengths, shape ``(n,)``, and what reads some of them.

    Those of like length come together, so that little is padded.
    """

    labels: NDArray[np.int64]
    lengths: NDArray[Any]
    read: Callable[[NDArray[np.int64]], Inputs]

    def batches(self, size: int, rng: np.random.Generator | None = None) -> Iterator[Batch]:
        """Give tensors and labels, in random order if there is a generator."""
        blur = 1.0 if rng is None else rng.uniform(0.9, 1.1, self.lengths.size)
        order = np.argsort(self.lengths * blur, kind="stable")
        starts = np.arange(0, order.size, size)
        for start in starts if rng is None else rng.permutation(starts):
            chosen = order[start : start + size]
            yield tensors(self.read(chosen)), torch.from_numpy(self.labels[chosen])


Loss = Callable[[nn.Module, list[Tensor], Tensor], Tensor]


def tensors(inputs: Inputs) -> list[Tensor]:
    """Hand arrays over to torch."""
    return [torch.from_numpy(np.ascontiguousarray(array)) for array in inputs]


def cross_entropy(network: nn.Module, inputs: list[Tensor], labels: Tensor) -> Tensor:
    """Cross-entropy of a softmax over the leaves."""
    loss: Tensor = nn.functional.cross_entropy(network(*inputs), labels)
    return loss


def dust_free(curves: LightCurves) -> LightCurves:
    """Correct fluxes for dust in the Milky Way, where they are not yet."""
    return curves if curves.dereddened else curves.deredden()


def leaf_places(curves: LightCurves, tree: Taxonomy) -> NDArray[np.int64]:
    """Give the place of each object's label among the leaves."""
    return np.searchsorted(tree.leaves, tree.labels(curves.label))


def examples(curves: LightCurves, tree: Taxonomy, encode: Callable[[LightCurves], Inputs]) -> Examples:
    """Encode light curves, already cut, batch by batch as they are asked for; those without rows are left out."""
    curves = curves[curves.lengths > 0]
    return Examples(leaf_places(curves, tree), curves.lengths, lambda chosen: encode(curves[chosen]))


def cuts(curves: LightCurves, kind: View) -> Callable[[np.random.Generator], LightCurves]:
    """Cut every object anew at a day drawn log-uniformly, as often as asked."""
    return lambda rng: draw_days(curves, rng, kind, 1)[0]


def at_fixed_days(valid: LightCurves, kind: View) -> list[LightCurves]:
    """Cut validation objects at 2, 8, 64 and 1024 days."""
    return [view(valid, day, kind) for day in VALIDATION_DAYS]


def fit_network(
    network: nn.Module,
    epoch: Callable[[np.random.Generator], Examples],
    valid: Sequence[Batch],
    folder: Path,
    recipe: Recipe,
    *,
    seed: int,
    said: str,
    loss: Loss = cross_entropy,
    beforehand: float = 0.0,
) -> None:
    """Train up to the plateau of the validation loss, and leave the network with its best weights.

    Parameters
    ----------
    network : nn.Module
        As drawn; its weights are what a fit that starts anew begins with.
    epoch : callable
        Gives the examples of an epoch from its random generator.
    valid : sequence of Batch
    folder : path
        For the checkpoint, which is written after every epoch, and what is said of the training.
    recipe : Recipe
    seed : int
    said : str
        What tells this training from others: a checkpoint of another one is refused.
    loss : callable
        Of a network, inputs and labels.
    beforehand : float, s
        Taken by what was made of the light curves once, before the first epoch.
    """
    identity = hashlib.sha256(json.dumps([said, seed, asdict(recipe) | {"epochs": 0}]).encode()).hexdigest()
    optimiser = torch.optim.AdamW(network.parameters(), recipe.learning_rate, weight_decay=recipe.weight_decay)
    best = {name: weight.clone() for name, weight in network.state_dict().items()}
    history: list[dict[str, float]] = []
    if (folder / CHECKPOINT).is_file():
        best, history = _resume(folder / CHECKPOINT, identity, network, optimiser)
    with torch.random.fork_rng(devices=[]), progress_bar() as progress:
        task = progress.add_task("training", total=recipe.epochs, completed=len(history))
        while len(history) < recipe.epochs and _stale(history) < recipe.patience:
            began, rng = time.monotonic(), np.random.default_rng([seed, len(history)])
            torch.manual_seed(int(rng.integers(2**62)))
            rate = recipe.rate([line["validation_loss"] for line in history])
            line = {"loss": _learn(network, optimiser, epoch(rng), rng, recipe, rate, loss)}
            line["validation_loss"] = _validate(network, valid, loss)
            line["seconds"] = time.monotonic() - began
            history.append(line)
            if _stale(history) == 0:
                best = {name: weight.clone() for name, weight in network.state_dict().items()}
            _save(folder / CHECKPOINT, identity, network, optimiser, best, history)
            shown = f"training (loss {line['loss']:.4f}, validation {line['validation_loss']:.4f}, rate {rate:.1e})"
            progress.update(task, advance=1, description=shown)
    network.load_state_dict(best)
    network.eval()
    write_training(folder, history, recipe.patience, count_parameters(network), beforehand)


def best_weights(folder: Path) -> dict[str, Tensor]:
    """Read the weights that a finished training left."""
    return _part(read_checkpoint(folder / CHECKPOINT)[1], "best.")


def count_parameters(network: nn.Module) -> int:
    """Count what is trained."""
    return sum(weight.numel() for weight in network.parameters())


def _learn(
    network: nn.Module,
    optimiser: torch.optim.Optimizer,
    taught: Examples,
    rng: np.random.Generator,
    recipe: Recipe,
    rate: float,
    loss: Loss,
) -> float:
    network.train()
    for group in optimiser.param_groups:
        group["lr"] = rate
    total = 0.0
    for inputs, labels in taught.batches(recipe.batch_size, rng):
        value = loss(network, inputs, labels)
        optimiser.zero_grad()
        value.backward()
        nn.utils.clip_grad_norm_(network.parameters(), recipe.clip)
        optimiser.step()
        total += value.item() * len(labels)
    mean = total / taught.labels.size
    if not math.isfinite(mean):
        raise FloatingPointError("training diverged; try a lower learning rate")
    return mean


@torch.no_grad()
def _validate(network: nn.Module, valid: Sequence[Batch], loss: Loss) -> float:
    network.eval()
    losses = [(loss(network, *batch).item(), len(batch[1])) for batch in valid]
    values, weights = zip(*losses, strict=True)
    return float(np.average(values, weights=weights))


def _stale(history: Sequence[dict[str, float]]) -> int:
    """Count the epochs since the best one."""
    losses = [line["validation_loss"] for line in history]
    return len(losses) - 1 - int(np.argmin(losses)) if losses else 0


def _save(
    path: Path,
    identity: str,
    network: nn.Module,
    optimiser: torch.optim.Optimizer,
    best: dict[str, Tensor],
    history: list[dict[str, float]],
) -> None:
    kept = {f"network.{name}": weight for name, weight in network.state_dict().items()}
    kept |= {f"best.{name}": weight for name, weight in best.items()}
    for index, moments in optimiser.state_dict()["state"].items():
        kept |= {f"optimiser.{index}.{name}": value for name, value in moments.items()}
    kept = {name: value.detach().clone().contiguous() for name, value in kept.items()}
    path.parent.mkdir(parents=True, exist_ok=True)
    new = path.with_suffix(".new")
    new.write_bytes(safetensors.torch.save(kept, {"identity": identity, "history": json.dumps(history)}))
    new.replace(path)


def _resume(
    path: Path, identity: str, network: nn.Module, optimiser: torch.optim.Optimizer
) -> tuple[dict[str, Tensor], list[dict[str, float]]]:
    metadata, found = read_checkpoint(path)
    if metadata.get("identity") != identity:
        raise ValueError(f"{path} is of a training with other data or another recipe; remove it to start anew")
    network.load_state_dict(_part(found, "network."))
    moments: dict[int, dict[str, Tensor]] = {}
    for name, value in _part(found, "optimiser.").items():
        index, moment = name.split(".")
        moments.setdefault(int(index), {})[moment] = value
    optimiser.load_state_dict({**optimiser.state_dict(), "state": moments})
    return _part(found, "best."), json.loads(metadata["history"])


def _part(found: dict[str, Tensor], prefix: str) -> dict[str, Tensor]:
    return {name.removeprefix(prefix): value for name, value in found.items() if name.startswith(prefix)}
