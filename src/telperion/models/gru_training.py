"""Training of the GRU: length-bucketed batches, random cuts, checkpoints that survive a kill."""

from __future__ import annotations

import hashlib
import json
import math
import os
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import safetensors
import safetensors.torch
import torch
from numpy.typing import NDArray
from rich.progress import Progress
from torch import Tensor

from telperion.encode import context, sequence
from telperion.encode.resample import resample
from telperion.encode.truncate import draw_days, draw_shares, keep_share, perturb
from telperion.encode.view import view
from telperion.lightcurves import LightCurves
from telperion.loss import assumed_mix, build_loss, taught_cross_entropy
from telperion.models.gru import Gru, encoder
from telperion.models.gru_config import GruConfig
from telperion.models.gru_network import build_network, precision
from telperion.models.gru_onnx import export_onnx
from telperion.models.gru_start import read_checkpoint, start_from
from telperion.models.gru_teacher import Teacher
from telperion.processes import processes
from telperion.simulate.stream import Stream
from telperion.taxonomy import Taxonomy

CHECKPOINT = "checkpoint.safetensors"
VALIDATION_DAYS = (2.0, 8.0, 64.0, 1024.0)
VALIDATION_SHARES = (0.1, 0.4, 0.6, 1.0)
_VALIDATION_BATCH = 512
_LOST_GROUPS = np.array([[False] * 4, [True, False, False, False], [True] * 4])  # (context_mix, context.GROUPS)


@dataclass(frozen=True, eq=False)
class Batch:
    """Objects of similar length as tensors: this process's share of a batch."""

    rows: Tensor  # (n, n_times, n_features)
    static: Tensor  # (n, n_static)
    places: Tensor  # (n, n_phases), rows after which a loss is taken
    labels: Tensor  # (n,)
    n_objects: int  # of the whole batch


def fit(
    train: LightCurves | Stream,
    validation: LightCurves | None,
    tree: Taxonomy,
    config: GruConfig,
    *,
    folder: str | Path,
    progress: Progress | None = None,
    seed: int = 0,
) -> Gru:
    """Train a GRU, or go on from the checkpoint in `folder`.

    The checkpoint is written after every epoch, and every random number is drawn from (seed, epoch): a run that was
    killed goes on to the same weights as one that was not. So does one that was stopped with Ctrl-C, which raises
    KeyboardInterrupt as usual.

    Where torchrun has started several processes (`telperion.processes`), each learns from its share of every batch, to
    the weights of one process up to rounding and dropout; the first writes the checkpoint, from which any number of
    processes goes on.

    Parameters
    ----------
    train : LightCurves or Stream
        Labelled, uncut (the view is taken here); a stream has other light curves in each epoch.
    validation : LightCurves, optional
        Labelled, uncut. The weights kept are those with the lowest validation loss at 2, 8, 64
        and 1024 days (preset `oracle`: at 10, 40, 60 and 100 % of the rows); without validation objects, the last.
    tree : Taxonomy
    config : GruConfig
    folder : path
        For the checkpoint; made if absent.
    progress : rich.progress.Progress, optional
        Shows epochs done, losses, the learning rate and the time left.
    seed : int

    Returns
    -------
    Gru
        Its attribute `history` lists epoch, losses and seconds.

    Raises
    ------
    ValueError
        No labelled object can be trained on, the checkpoint is of another run, or that to start from does not fit.
    FloatingPointError
        Training diverged.
    """
    trainer = Trainer(train, validation, tree, config, Path(folder), seed)
    with torch.random.fork_rng(devices=[]), precision(config.precision):
        trainer.resume()
        task = progress.add_task("training", total=config.epochs, completed=len(trainer.history)) if progress else None
        while not trainer.finished:
            line = trainer.run_epoch()
            if trainer.processes.first:
                trainer.save_checkpoint()
            if progress and task is not None:
                losses = [f"{n.split('_')[0]} {line[n]:.4f}" for n in ("loss", "validation_loss") if n in line]
                said = f"training ({', '.join(losses)}, rate {line['learning_rate']:.1e})"
                progress.update(task, advance=1, description=said)
        if progress and task is not None:
            progress.update(task, completed=config.epochs)
    return trainer.model()


class Trainer:
    """One training run between two epochs: network, optimiser, running average, best weights, history."""

    def __init__(
        self,
        train: LightCurves | Stream,
        validation: LightCurves | None,
        tree: Taxonomy,
        config: GruConfig,
        folder: Path,
        seed: int,
    ) -> None:
        self.tree, self.config, self.folder, self.seed = tree, config, folder, seed
        self.processes = processes()
        self.encoder = encoder(config)
        if config.preset == "telperion":
            sequence.compile_loops()
        self.stream = train if isinstance(train, Stream) else None
        if isinstance(train, Stream):
            self.all_labels = tree.labels(list(train.counts)).repeat(list(train.counts.values()))
            self.size = train.size
        else:
            self._take(train)
            self.all_labels, self.size = self.labels, len(self.labels)
        self.validation = self._cut_validation(*self._select(validation, "validation")) if validation else None
        self.loss = build_loss(config.loss, self.all_labels, tree, alpha=config.alpha, balance=config.balance)
        torch.manual_seed(seed)
        self.network = build_network(config, len(tree))
        if config.start:
            start_from(config.start, self.network, tree)
        self.teacher = Teacher(config.teacher, config, tree) if config.teacher else None
        self.optimiser = self._build_optimiser()
        self.average = {name: weight.detach().clone() for name, weight in self.network.state_dict().items()}
        self.best = {name: weight.clone() for name, weight in self.average.items()}
        self.steps = 0
        self.history: list[dict[str, float]] = []

    def _take(self, light_curves: LightCurves) -> None:
        """Take light curves to learn from."""
        self.train, self.labels = self._select(light_curves, "training")
        self.static = self.encoder.static(self.train)

    def _select(self, light_curves: LightCurves, what: str) -> tuple[LightCurves, NDArray[np.int64]]:
        """Keep the objects that have a label and rows in the view."""
        labels = self.tree.labels(light_curves.label)
        usable = (labels > 0) & (view(light_curves, np.inf, self.config.view).lengths > 0)
        if not usable.any():
            raise ValueError(f"none of the {len(light_curves)} {what} objects has a label and rows")
        return self.encoder.prepare(light_curves[usable]), labels[usable]

    def _build_optimiser(self) -> torch.optim.Optimizer:
        rate, decay = self.config.learning_rate, self.config.weight_decay
        matrices = [weight for weight in self.network.parameters() if weight.dim() > 1]
        vectors = [weight for weight in self.network.parameters() if weight.dim() == 1]
        groups = [{"params": matrices, "weight_decay": decay}, {"params": vectors, "weight_decay": 0.0}]
        return torch.optim.AdamW(groups, lr=rate, eps=1e-7)

    # -- data ----------------------------------------------------------------------------------------------------

    def training_batches(self, rng: np.random.Generator) -> Iterator[Batch]:
        """Cut every object anew and give this process's shares of batches of similar length, in random order.

        All processes draw the same numbers for the same objects.
        """
        config = self.config
        curves, static = self._resample(rng)
        curves = perturb(curves, rng, noise=config.noise, row_dropout=config.row_dropout)
        if config.phases:
            cut, places = draw_days(curves, rng, config.view, config.phases, short=config.short)
        else:
            cut, places = draw_shares(view(curves, np.inf, config.view), rng)
        if config.preset == "telperion":
            shares = np.array(config.context_mix) / sum(config.context_mix)
            lost = _LOST_GROUPS[rng.choice(3, len(cut), p=shares)]
            if config.context_noise:
                static = context.jitter(static, rng, config.context_noise)
            static = context.drop(static, lost | (rng.random(lost.shape) < config.group_dropout))
        order = np.argsort(cut.lengths * rng.uniform(0.9, 1.1, len(cut)), kind="stable")
        order = order[cut.lengths[order] > 0]
        n_batches = math.ceil(order.size / config.batch_size)
        for batch in rng.permutation(n_batches):
            chosen = order[batch * config.batch_size : (batch + 1) * config.batch_size]
            yield self._encode(chosen, cut, static, places, self.labels)

    def _resample(self, rng: np.random.Generator) -> tuple[LightCurves, NDArray[np.float32]]:
        """Put copies in the place of some objects; give all objects with their static features."""
        copied = rng.random(len(self.train)) < self.config.resampled
        if not copied.any():
            return self.train, self.static
        copies = resample(self.train[copied], rng)
        static = self.static.copy()
        static[copied] = self.encoder.static(copies)
        both = LightCurves.concatenate([self.train[~copied], copies])
        return both[np.argsort(np.argsort(copied, kind="stable"))], static

    def _encode(
        self,
        chosen: NDArray[np.int64],
        curves: LightCurves,
        static: NDArray[np.float32],
        places: NDArray[np.int64],
        labels: NDArray[np.int64],
    ) -> Batch:
        """Encode this process's share of the chosen objects."""
        own = self.processes.share(chosen)
        cut, known = curves[own], static[own]
        rows, lengths, _ = self.encoder.rows(cut, known, self.encoder.start(len(cut)))
        last = np.maximum(places[own] - (cut.lengths - lengths)[:, None], 0)
        arrays = (rows, known, last, labels[own])
        each = [torch.from_numpy(np.ascontiguousarray(array)) for array in arrays]
        return Batch(each[0], each[1], each[2], each[3], len(chosen))

    def _cut_validation(self, light_curves: LightCurves, labels: NDArray[np.int64]) -> list[Batch]:
        """Cut the validation objects at the fixed phases; contexts take turns, in the shares of `context_mix`."""
        static, batches = self.encoder.static(light_curves), []
        shares = np.cumsum(self.config.context_mix) / sum(self.config.context_mix)
        for k in range(4):
            if self.config.phases:
                cut = view(light_curves, VALIDATION_DAYS[k], self.config.view)
            else:
                whole = view(light_curves, np.inf, self.config.view)
                cut = keep_share(whole, np.full(len(whole), VALIDATION_SHARES[k]))
            known = static
            if self.config.preset == "telperion":
                turn = (np.arange(len(cut)) * 0.618 + 0.25 * k) % 1
                known = context.drop(static, _LOST_GROUPS[np.searchsorted(shares, turn, side="right").clip(max=2)])
            order = np.argsort(cut.lengths, kind="stable")
            order = order[cut.lengths[order] > 0]
            for first in range(0, order.size, _VALIDATION_BATCH):
                chosen = order[first : first + _VALIDATION_BATCH]
                batches.append(self._encode(chosen, cut, known, cut.lengths[:, None] - 1, labels))
        return batches

    # -- learning ------------------------------------------------------------------------------------------------

    @property
    def finished(self) -> bool:
        """Whether all epochs are done, or patience has run out."""
        return len(self.history) >= self.config.epochs or self._epochs_since_best() >= self.config.patience

    def _epochs_since_best(self) -> int:
        losses = [line["validation_loss"] for line in self.history if "validation_loss" in line]
        return len(losses) - 1 - int(np.argmin(losses)) if losses else 0

    def run_epoch(self) -> dict[str, float]:
        """Learn from every object once and validate; gives the line of the history."""
        began, epoch = time.monotonic(), len(self.history)
        rng = np.random.default_rng([self.seed, epoch])
        torch.manual_seed(int(rng.integers(2**62)) + self.processes.rank)  # dropout of its own in each
        if self.stream is not None:
            self._take(self.stream.epoch(epoch))
        self.network.train()
        total, count = 0.0, 0
        for batch in self.training_batches(rng):
            total += self._learn(batch) * batch.n_objects
            count += batch.n_objects
        line = {"epoch": epoch, "learning_rate": self._learning_rate(), "loss": total / count}
        if not math.isfinite(line["loss"]):
            raise FloatingPointError(f"training diverged in epoch {epoch}; try a lower learning_rate")
        if self.validation is not None:
            line["validation_loss"] = self._validate(self.validation)
        self.history.append(line)
        if self._epochs_since_best() == 0:
            self.best = {name: weight.clone() for name, weight in self.average.items()}
        line["seconds"] = round(time.monotonic() - began, 3)
        return line

    def _learn(self, batch: Batch) -> float:
        for group in self.optimiser.param_groups:
            group["lr"] = self._learning_rate()
        self.optimiser.zero_grad()
        loss = self.processes.add_gradients(list(self.network.parameters()), self._learn_share(batch))
        if math.isfinite(self.config.clip):
            torch.nn.utils.clip_grad_norm_(self.network.parameters(), self.config.clip)
        self.optimiser.step()
        self.steps += 1
        decay = min(self.config.average, self.steps / (self.steps + 10))
        for name, weight in self.network.state_dict().items():
            self.average[name].lerp_(weight, 1 - decay)
        return loss

    def _learn_share(self, batch: Batch) -> float:
        """Find the gradients of this process's share of a batch; gives its part of the batch's mean loss."""
        if not len(batch.labels):
            return 0.0
        logits = self.network(batch.rows, batch.static, batch.places)  # (n, n_phases, n_nodes)
        labels = batch.labels[:, None].expand(logits.shape[:2])
        loss = self.loss(logits.flatten(0, 1), labels.flatten())
        if self.teacher is not None:
            said = self.teacher(batch.rows, batch.static, batch.places).flatten(0, 1)
            loss = loss.lerp(taught_cross_entropy(logits.flatten(0, 1), said, self.tree), self.config.taught)
        loss = loss * (len(batch.labels) / batch.n_objects)
        loss.backward()
        return loss.item()

    def _learning_rate(self) -> float:
        if self.config.schedule == "exponential":
            return self.config.learning_rate * 0.9 ** (self.steps / 10_000)
        total = self.config.epochs * math.ceil(self.size / self.config.batch_size)
        warm_up = 0.05 * total
        if self.steps < warm_up:
            return self.config.learning_rate * (self.steps + 1) / (warm_up + 1)
        done = min(1.0, (self.steps - warm_up) / (total - warm_up))
        return self.config.learning_rate * 0.5 * (1 + math.cos(math.pi * done))

    @torch.no_grad()
    def _validate(self, batches: list[Batch]) -> float:
        network = build_network(self.config, len(self.tree))
        network.load_state_dict(self.average)
        network.eval()
        sums = torch.zeros(2, dtype=torch.float64)
        for b in batches:
            if n := len(b.labels):
                loss = self.loss(network(b.rows, b.static, b.places)[:, 0], b.labels).item()
                sums += torch.tensor([loss * n, n], dtype=torch.float64)
        total, count = self.processes.add(sums).tolist()
        return self.processes.tell_numbers([total / count])[0]  # which tells all of them when to stop

    def model(self) -> Gru:
        """Give the trained classifier with the best weights."""
        network = build_network(self.config, len(self.tree))
        network.load_state_dict(self.best)
        prior = assumed_mix(self.config.loss, self.all_labels, self.tree, balance=self.config.balance)
        return Gru(self.config, self.tree, prior[self.tree.leaves], export_onnx(network.eval()), history=self.history)

    # -- checkpoints ---------------------------------------------------------------------------------------------

    def _identity(self) -> str:
        """Say what makes a run the same run: configuration, seed, tree, objects and labels."""
        said = [asdict(self.config), self.seed, self.tree.nodes]
        if self.stream is None:
            said += [self.train.n_rows, self.validation is None, self.labels.tolist(), self.train.object_id.tolist()]
        else:
            said += [self.stream.identity, self.validation is None]
        return hashlib.sha256(json.dumps(said).encode()).hexdigest()

    def save_checkpoint(self) -> None:
        """Write the whole state of the run to one file, which takes the place of the one before at once."""
        tensors = {f"network.{name}": weight for name, weight in self.network.state_dict().items()}
        tensors |= {f"average.{name}": weight for name, weight in self.average.items()}
        tensors |= {f"best.{name}": weight for name, weight in self.best.items()}
        for index, moments in self.optimiser.state_dict()["state"].items():
            tensors |= {f"optimiser.{index}.{name}": value for name, value in moments.items()}
        metadata = {"identity": self._identity(), "steps": str(self.steps), "history": json.dumps(self.history)}
        self.folder.mkdir(parents=True, exist_ok=True)
        written = self.folder / f"{CHECKPOINT}.new"
        written.write_bytes(safetensors.torch.save(tensors, metadata))
        os.replace(written, self.folder / CHECKPOINT)

    def resume(self) -> None:
        """Go on from the first process's checkpoint, if there is one; raises ValueError if it is of another run."""
        identity = self._identity()
        if self.processes.tell_bytes(identity.encode()).decode() != identity:
            raise ValueError(f"process {self.processes.rank} has other data, configuration or seed than the first")
        with self.processes.file_of_first(self.folder / CHECKPOINT) as path:
            found = read_checkpoint(path) if path.is_file() else None
        if found is None:
            for name, weight in self.network.state_dict().items():  # as the first process has drawn or read it
                self.average[name].copy_(self.processes.tell(weight))
            self.best = {name: weight.clone() for name, weight in self.average.items()}
            return
        metadata, tensors = found
        if metadata.get("identity") != identity:
            path = self.folder / CHECKPOINT
            raise ValueError(
                f"{path} is of a run with other data, tree, configuration or seed; remove it to start anew"
            )

        def part(prefix: str) -> dict[str, Tensor]:
            return {name.removeprefix(prefix): value for name, value in tensors.items() if name.startswith(prefix)}

        self.network.load_state_dict(part("network."))
        self.average, self.best = part("average."), part("best.")
        moments: dict[int, dict[str, Tensor]] = {}
        for name, value in part("optimiser.").items():
            index, moment = name.split(".")
            moments.setdefault(int(index), {})[moment] = value
        self.optimiser.load_state_dict({**self.optimiser.state_dict(), "state": moments})
        self.steps, self.history = int(metadata["steps"]), json.loads(metadata["history"])
