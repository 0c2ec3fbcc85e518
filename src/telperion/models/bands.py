"""Networks on whole light curves, band by band: the CNN and the Transformer of a study on finding TDEs.

Both answer one question, whether an object is of one class (the *target*); what they leave is shared among the other
leaves as the training set has them. They see whole light curves, so they are not steppable.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import safetensors.torch
import torch
from numpy.typing import NDArray
from rich.progress import Progress
from torch import Tensor, nn

from telperion.encode.by_band import padded_bands
from telperion.encode.view import view as cut
from telperion.lightcurves import LightCurves
from telperion.models.bands_network import METADATA, Config, LightCurveCNN, LightCurveTransformer, build_network
from telperion.models.card import checked_file, read_card, write_card
from telperion.taxonomy import Taxonomy

FORMAT_VERSION = 1
MAX_FILE_BYTES = 32_000_000
WEIGHTS, CARD, CHECKPOINT = "weights.safetensors", "bands.json", "checkpoint.safetensors"
_BATCH = 256


class Bands:
    """A trained network, which tells the target from all else.

    Parameters
    ----------
    config : Config
    tree : Taxonomy
    mix : array, shape ``(n_leaves,)``
        The class mix of its training set.
    network : nn.Module
    history : sequence of dict
        One line an epoch of its training.
    """

    steppable = False

    def __init__(
        self,
        config: Config,
        tree: Taxonomy,
        mix: NDArray[np.float64],
        network: LightCurveCNN | LightCurveTransformer,
        history: Sequence[Mapping[str, float]] = (),
    ) -> None:
        self.config, self.tree, self.mix = config, tree, tree.mix(mix)
        self.network, self.history = network.eval(), list(history)

    @torch.no_grad()
    def predict(self, light_curves: LightCurves) -> NDArray[np.float32]:
        """Give the probability of every node, shape ``(n_objects, n_nodes)``."""
        bands, metadata = _inputs(light_curves, self.config)
        parts = zip(bands.split(_BATCH), metadata.split(_BATCH), strict=True)
        target = torch.cat([self.network(*part).sigmoid() for part in parts]) if len(bands) else torch.zeros(0)
        given = np.stack([target.numpy(), 1 - target.numpy()], axis=1)
        return self.tree.from_parts(self.tree.parts([self.config.target]), given, self.mix).astype(np.float32)

    def save(self, folder: Path) -> None:
        """Write ``weights.safetensors`` and ``bands.json`` into a folder."""
        folder = Path(folder)
        write_card(folder / CARD, FORMAT_VERSION, self.config, self.tree, self.mix, history=self.history)
        safetensors.torch.save_file(self.network.state_dict(), folder / WEIGHTS)


def load(folder: str | Path, tree: Taxonomy) -> Bands:
    """Read what `Bands.save` wrote.

    Raises
    ------
    ValueError
        A file is missing, too large or not ours, or the network was trained along another tree.
    """
    config, mix, document = read_card(Path(folder) / CARD, FORMAT_VERSION, Config, tree, ("history",))
    path = checked_file(Path(folder) / WEIGHTS, MAX_FILE_BYTES)
    network = build_network(config)
    try:
        network.load_state_dict(safetensors.torch.load_file(path))
    except (RuntimeError, safetensors.SafetensorError) as error:
        raise ValueError(f"the model in {folder} cannot be used: {error}") from error
    return Bands(config, tree, mix, network, document["history"])


def _inputs(light_curves: LightCurves, config: Config) -> tuple[Tensor, Tensor]:
    if not light_curves.dereddened:
        light_curves = light_curves.deredden()
    unknown = np.zeros(len(light_curves))
    metadata = np.stack([np.nan_to_num(light_curves.context.get(name, unknown)) for name in METADATA], axis=-1)
    return torch.from_numpy(padded_bands(light_curves, config.n_rows)), torch.from_numpy(metadata.astype(np.float32))


def fit(
    train: LightCurves,
    validation: LightCurves,
    tree: Taxonomy,
    config: Config,
    *,
    folder: Path,
    progress: Progress | None = None,
    seed: int = 0,
) -> Bands:
    """Train a network, or go on from the checkpoint in `folder`; the epoch with the lowest validation loss is kept.

    Parameters
    ----------
    train, validation : LightCurves
        Labelled objects with all their rows.
    tree : Taxonomy
    config : Config
    folder : path
        For the checkpoint, written after every epoch.
    progress : rich.progress.Progress, optional
        Shows epochs done and time left.
    seed : int

    Raises
    ------
    ValueError
        No training object is of the target, or the checkpoint is of another run.
    """
    with torch.random.fork_rng(devices=[]):
        trainer = _Trainer(train, validation, tree, config, Path(folder), seed)
        trainer.resume()
        task = progress.add_task(config.network, total=config.epochs, completed=trainer.epoch) if progress else None
        while not trainer.finished:
            trainer.run_epoch()
            if progress and task is not None:
                progress.update(task, completed=trainer.epoch)
        if progress and task is not None:
            progress.update(task, completed=config.epochs)
        return trainer.model()


class _Trainer:
    """One training run between two epochs."""

    def __init__(
        self, train: LightCurves, validation: LightCurves, tree: Taxonomy, config: Config, folder: Path, seed: int
    ) -> None:
        self.tree, self.config, self.folder, self.seed = tree, config, folder, seed
        below = tree.ancestors[:, tree.index(config.target)]
        node = tree.labels(train.label)
        self.data = [_inputs(cut(part, np.inf, config.view), config) for part in (train, validation)]
        self.truth = [
            torch.from_numpy(below[tree.labels(part.label)].astype(np.float32)) for part in (train, validation)
        ]
        if not self.truth[0].any():
            raise ValueError(f"none of the {len(train)} training objects is a {config.target}")
        self.mix = np.bincount(
            np.searchsorted(tree.leaves, node[np.isin(node, tree.leaves)]), minlength=tree.leaves.size
        )
        said = json.dumps([asdict(config), seed, tree.nodes, train.n_rows, train.object_id.tolist(), node.tolist()])
        self.identity = hashlib.sha256(said.encode()).hexdigest()
        torch.manual_seed(seed)
        self.network = build_network(config).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        rate, decay = config.learning_rate, config.weight_decay
        self.optimiser = torch.optim.AdamW(self.network.parameters(), lr=rate, weight_decay=decay)
        self.best = {name: weight.clone() for name, weight in self.network.state_dict().items()}
        self.history: list[dict[str, float]] = []

    @property
    def epoch(self) -> int:
        return len(self.history)

    @property
    def _best_epoch(self) -> int:
        return int(np.argmin([line["validation_loss"] for line in self.history]))

    @property
    def finished(self) -> bool:
        return self.epoch >= self.config.epochs or (
            self.epoch > 0 and self.epoch - 1 - self._best_epoch >= self.config.patience
        )

    def run_epoch(self) -> None:
        rng = np.random.default_rng([self.seed, self.epoch])
        torch.manual_seed(int(rng.integers(2**62)))
        self.network.train()
        (bands, metadata), truth, total = self.data[0], self.truth[0], 0.0
        for batch in torch.from_numpy(rng.permutation(len(truth))).split(self.config.batch_size):
            with torch.autocast("cpu", torch.bfloat16, enabled=self.config.precision == "bfloat16"):
                logits = self.network(bands[batch], metadata[batch])
            loss = self._loss(logits.float(), truth[batch])
            self.optimiser.zero_grad()
            loss.backward()
            self.optimiser.step()
            total += loss.item() * len(batch)
        self.history.append(
            {"epoch": self.epoch, "loss": total / len(truth), "validation_loss": self._validation_loss()}
        )
        if self._best_epoch == self.epoch - 1:
            self.best = {name: weight.clone() for name, weight in self.network.state_dict().items()}
        self._save_checkpoint()

    def _loss(self, logits: Tensor, truth: Tensor) -> Tensor:
        """Focal loss of one class against the rest (Lin et al. 2017)."""
        sign = 2 * truth - 1
        log_p = nn.functional.logsigmoid(sign * logits)
        weight = torch.where(truth > 0, self.config.alpha, 1 - self.config.alpha)
        return -(weight * (-torch.expm1(log_p)).clamp(min=1e-12) ** self.config.gamma * log_p).mean()

    @torch.no_grad()
    def _validation_loss(self) -> float:
        self.network.eval()
        parts = zip(*(column.split(_BATCH) for column in (*self.data[1], self.truth[1])), strict=True)
        return float(sum(self._loss(self.network(*given), truth).item() * len(truth) for *given, truth in parts)) / len(
            self.truth[1]
        )

    def model(self) -> Bands:
        network = build_network(self.config)
        network.load_state_dict(self.best)
        return Bands(self.config, self.tree, self.mix.astype(float), network, self.history)

    def _save_checkpoint(self) -> None:
        tensors = {f"network.{name}": weight for name, weight in self.network.state_dict().items()}
        tensors |= {f"best.{name}": weight for name, weight in self.best.items()}
        for index, moments in self.optimiser.state_dict()["state"].items():
            tensors |= {f"optimiser.{index}.{name}": value for name, value in moments.items()}
        self.folder.mkdir(parents=True, exist_ok=True)
        unfinished = self.folder / f"{CHECKPOINT}.new"
        metadata = {"identity": self.identity, "history": json.dumps(self.history)}
        contiguous = {name: tensor.contiguous() for name, tensor in tensors.items()}
        unfinished.write_bytes(safetensors.torch.save(contiguous, metadata))
        os.replace(unfinished, self.folder / CHECKPOINT)

    def resume(self) -> None:
        """Go on from the checkpoint in the folder, if there is one."""
        path = self.folder / CHECKPOINT
        if not path.is_file():
            return
        with safetensors.safe_open(path, "pt") as file:
            metadata, tensors = file.metadata() or {}, {n: file.get_tensor(n) for n in file.keys()}  # noqa: SIM118 - not a dict
        if metadata.get("identity") != self.identity:
            raise ValueError(
                f"{path} is of a run with other data, tree, configuration or seed; remove it to start anew"
            )
        parts: dict[str, dict[str, Any]] = {"network": {}, "best": {}, "optimiser": {}}
        for name, value in tensors.items():
            kind, rest = name.split(".", 1)
            parts[kind][rest] = value
        self.network.load_state_dict(parts["network"])
        self.best = parts["best"]
        moments: dict[int, dict[str, Tensor]] = {}
        for name, value in parts["optimiser"].items():
            index, moment = name.split(".")
            moments.setdefault(int(index), {})[moment] = value
        self.optimiser.load_state_dict({**self.optimiser.state_dict(), "state": moments})
        self.history = json.loads(metadata["history"])
