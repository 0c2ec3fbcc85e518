"""A small convolutional network that looks at pictures of an outburst (`telperion.encode.portrait`), along the tree.

It is trained with torch; it predicts with NumPy alone, from weights into which the normalisation has been folded. It
sees whole light curves, so it is not steppable.
"""

from __future__ import annotations

import os
import warnings
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray
from rich.progress import Progress

from telperion.encode.portrait import COURSE, NUMBERS, SURFACE, Portraits, portraits
from telperion.encode.resample import resample
from telperion.encode.view import View
from telperion.encode.view import view as cut
from telperion.lightcurves import LightCurves, RepairWarning
from telperion.models.card import checked_file, read_card, write_card
from telperion.taxonomy import Taxonomy

FORMAT_VERSION = 1
MAX_FILE_BYTES = 16_000_000
CARD = "portrait.json"
BATCH = 500

Weights = Mapping[str, NDArray[np.float32]]


@dataclass(frozen=True)
class Config:
    """How the network is built and trained.

    Parameters
    ----------
    view : {"full", "alert"}
    networks : int
        Networks drawn and trained apart, whose probabilities are averaged.
    width : int
        Channels of the first convolutions of the surface; its last has twice, the course's first half as many.
    head : int
        Units between the pictures and the logits.
    epochs, batch_size : int
    learning_rate, weight_decay : float
        Of AdamW; the rate rises, then falls to nothing (one cycle).
    dropout : float
        Share of units left out.
    balance : float
        Power of the weights of the nodes against their frequency.
    copies : int
        Resampled copies of every object beside it, of which each epoch takes one.
    dimming, thinning : float
        Largest dimming of a copy, mag, and largest share of nights that it loses.
    shift : int
        Steps by which an object's surface may be moved in time.

    Raises
    ------
    ValueError
        A value is out of its range.
    """

    view: View = "full"
    networks: int = 2
    width: int = 48
    head: int = 96
    epochs: int = 30
    batch_size: int = 64
    learning_rate: float = 4e-3
    weight_decay: float = 0.02
    dropout: float = 0.3
    balance: float = 0.5
    copies: int = 4
    dimming: float = 0.6
    thinning: float = 0.3
    shift: int = 2

    def __post_init__(self) -> None:
        if self.view not in ("full", "alert"):
            raise ValueError(f"view is {self.view!r}, expected full or alert")
        if min(self.networks, self.head, self.epochs) < 1 or min(self.width, self.batch_size) < 2:
            raise ValueError("networks, head and epochs must be at least 1, width and batch_size 2")
        if min(self.copies, self.shift, self.weight_decay, self.dimming, self.balance) < 0 or self.learning_rate <= 0:
            raise ValueError(
                "learning_rate must be above 0; copies, shift, weight_decay, dimming, balance not below it"
            )
        for name in ("dropout", "thinning"):
            if not 0 <= getattr(self, name) < 1:
                raise ValueError(f"{name} is {getattr(self, name)}, expected a number from 0 to below 1")


PRESETS = {"telperion": Config()}


class Portrait:
    """Trained networks.

    Parameters
    ----------
    tree : Taxonomy
    config : Config
    mix : array, shape ``(n_leaves,)``
        The class mix that the probabilities assume; an object without rows gets it.
    weights : sequence of mappings of str to array
        Of each network, as `telperion.models.portrait_training` names them.
    """

    steppable = False

    def __init__(self, tree: Taxonomy, config: Config, mix: NDArray[np.float64], weights: Sequence[Weights]) -> None:
        self.tree, self.config, self.mix, self.weights = tree, config, tree.mix(mix), tuple(weights)

    def predict(self, light_curves: LightCurves) -> NDArray[np.float32]:
        """Give the probability of every node, shape ``(n_objects, n_nodes)``."""
        parts = np.arange(len(self.tree.leaves))
        result = self.tree.from_parts(parts, np.tile(self.mix, (len(light_curves), 1)), self.mix)
        seen = np.flatnonzero(light_curves.lengths > 0)
        for start in range(0, len(seen), BATCH):
            part = seen[start : start + BATCH]
            drawn = portraits(light_curves[part])
            result[part] = np.mean([self.tree.probabilities(logits(drawn, each)) for each in self.weights], axis=0)
        return result.astype(np.float32)

    def save(self, folder: str | Path) -> None:
        """Write ``portrait.json`` and the weights of each network, ``network-NUMBER.npz``."""
        write_card(Path(folder) / CARD, FORMAT_VERSION, self.config, self.tree, self.mix)
        for number, weights in enumerate(self.weights):
            write_weights(weights_path(folder, number), weights)


def load(folder: str | Path, tree: Taxonomy) -> Portrait:
    """Read what `Portrait.save` wrote.

    Raises
    ------
    ValueError
        A file is missing, too large or not ours, or the network was trained along another tree.
    """
    config, mix, _ = read_card(Path(folder) / CARD, FORMAT_VERSION, Config, tree)
    weights = [read_weights(weights_path(folder, number), config, len(tree)) for number in range(config.networks)]
    return Portrait(tree, config, mix, weights)


def weights_path(folder: str | Path, number: int) -> Path:
    """Name the file of a network's weights."""
    return Path(folder) / f"network-{number}.npz"


def write_weights(path: Path, weights: Weights) -> None:
    """Write a network as plain arrays, with one move at the end so that no half file is ever read."""
    unfinished = path.with_suffix(".part")
    with unfinished.open("wb") as file:
        np.savez(file, allow_pickle=False, **weights)
    os.replace(unfinished, path)


def read_weights(path: Path, config: Config, n_nodes: int) -> Weights:
    """Read a network.

    Raises
    ------
    ValueError
        The file is missing, too large, or its arrays are not those of this configuration.
    """
    checked_file(path, MAX_FILE_BYTES)
    try:
        with np.load(path, allow_pickle=False) as stored:
            weights = {name: stored[name] for name in stored.files}
    except (OSError, EOFError, MemoryError, zipfile.BadZipFile, ValueError) as error:
        raise ValueError(f"{path} is not a network's file: {error}") from error
    expected = shapes(config, n_nodes)
    if {name: array.shape for name, array in weights.items()} != expected:
        wrong = sorted(
            name for name in {*weights, *expected} if name not in weights or weights[name].shape != expected.get(name)
        )
        raise ValueError(f"{path} is of another network: {wrong[0]!r} does not fit")
    if any(array.dtype != np.float32 or not np.isfinite(array).all() for array in weights.values()):
        raise ValueError(f"{path} has weights that are no finite 32-bit floats")
    return weights


def layers(config: Config) -> dict[str, tuple[int, int, int]]:
    """Give channels in, channels out and kernel of each convolution; pooling by two parts those of a picture."""
    wide, narrow = config.width, config.width // 2
    return {
        "surface.0": (SURFACE[0], wide, 5),
        "surface.1": (wide, wide, 5),
        "surface.2": (wide, 2 * wide, 3),
        "course.0": (COURSE[0], narrow, 5),
        "course.1": (narrow, wide, 3),
    }


def shapes(config: Config, n_nodes: int) -> dict[str, tuple[int, ...]]:
    """Give the shape of each of a network's arrays."""
    found: dict[str, tuple[int, ...]] = {}
    for name, (given, out, kernel) in layers(config).items():
        found |= {f"{name}.weight": (out, given, kernel), f"{name}.bias": (out,)}
    pooled = 2 * (2 * config.width) + 2 * config.width + NUMBERS[0]  # mean and largest of each channel
    found |= {"head.weight": (config.head, pooled), "head.bias": (config.head,)}
    return found | {"logits.weight": (n_nodes, config.head), "logits.bias": (n_nodes,)}


def logits(drawn: Portraits, weights: Weights) -> NDArray[np.float64]:
    """Run a network, shape ``(n, n_nodes)``."""
    pooled = []
    for name, picture, depth in (("surface", drawn.surface, 3), ("course", drawn.course, 2)):
        for number in range(depth):
            picture = _convolve(picture, weights[f"{name}.{number}.weight"], weights[f"{name}.{number}.bias"])
            if number + 1 < depth:
                half = picture.shape[-1] // 2
                picture = picture[..., : 2 * half].reshape(*picture.shape[:-1], half, 2).max(axis=-1)
        pooled += [picture.mean(axis=-1), picture.max(axis=-1)]
    joint = np.concatenate([*pooled, drawn.numbers], axis=1)
    latent = np.maximum(joint @ weights["head.weight"].T + weights["head.bias"], 0)
    return (latent @ weights["logits.weight"].T + weights["logits.bias"]).astype(np.float64)


def _convolve(picture: NDArray, weight: NDArray, bias: NDArray) -> NDArray[np.float32]:
    """Convolve along the last axis, padded to the same length, and cut at zero."""
    reach = weight.shape[-1] // 2
    seen = sliding_window_view(np.pad(picture, ((0, 0), (0, 0), (reach, reach))), weight.shape[-1], axis=-1)
    found = np.tensordot(seen, weight, axes=([1, 3], [1, 2])) + bias  # (n, n_steps, n_out)
    return np.maximum(found, 0).transpose(0, 2, 1)


def fit(
    train: LightCurves,
    validation: LightCurves,
    tree: Taxonomy,
    config: Config,
    *,
    folder: Path,
    progress: Progress | None = None,
    seed: int = 0,
) -> Portrait:
    """Train the networks; a finished one is kept in `folder` and not trained again after a kill.

    Parameters
    ----------
    train : LightCurves
        Labelled objects with all their rows; a label above the leaves teaches down to there.
    validation : LightCurves
        Not used: nothing is stopped early or chosen, so these objects stay unseen.
    tree : Taxonomy
    config : Config
    folder : path
        For finished networks.
    progress : rich.progress.Progress, optional
        Shows epochs done and time left.
    seed : int

    Raises
    ------
    ValueError
        No object has a label and rows.
    """
    from telperion.loss import assumed_mix
    from telperion.models.portrait_training import train_network

    del validation
    known = cut(train, np.inf, config.view)
    labels = tree.labels(known.label)
    usable = (labels > 0) & (known.lengths > 0)
    if not usable.any():
        raise ValueError(f"none of the {len(train)} training objects has a label and rows")
    if not usable.all():
        first = known.object_id[~usable][0]
        message = f"{(~usable).sum()} objects without a label or without rows are left out, first {first!r}"
        warnings.warn(message, RepairWarning, stacklevel=2)
        known, labels = known[usable], labels[usable]
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    paths = [weights_path(folder, number) for number in range(config.networks)]
    waiting = [number for number, path in enumerate(paths) if not path.is_file()]
    if waiting:
        copies = [resample(known, number + 1, config.dimming, config.thinning) for number in range(config.copies)]
        drawn = [portraits(each) for each in (known, *copies)]
        task = progress.add_task("portrait network", total=len(waiting) * config.epochs) if progress else None
        for number in waiting:
            weights = train_network(
                drawn, labels, tree, config, seed=[seed, number],
                tick=lambda: progress.advance(task) if progress and task is not None else None,
            )  # fmt: skip
            write_weights(paths[number], weights)
    mix = assumed_mix("whxe", labels, tree, balance=config.balance)[tree.leaves]
    return Portrait(tree, config, mix, [read_weights(path, config, len(tree)) for path in paths])
