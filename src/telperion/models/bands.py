"""Networks on whole light curves, band by band: the CNN and the Transformer of a study on finding TDEs.

Both answer one question, whether an object is of one class (the *target*); what they leave is shared among the other
leaves as the training set has them. They see whole light curves, so they are not steppable.
"""

from __future__ import annotations

import hashlib
import json
import math
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import safetensors.torch
import torch
from numpy.typing import NDArray
from rich.progress import Progress
from torch import Tensor, nn

from telperion.bands import BANDS
from telperion.encode.by_band import CHANNELS, padded_bands
from telperion.encode.view import View
from telperion.encode.view import view as cut
from telperion.lightcurves import LightCurves
from telperion.models.card import checked_file, read_card, write_card
from telperion.taxonomy import Taxonomy

FORMAT_VERSION = 1
MAX_FILE_BYTES = 32_000_000
WEIGHTS, CARD, CHECKPOINT = "weights.safetensors", "bands.json", "checkpoint.safetensors"
METADATA = ("redshift", "mwebv")
_BATCH = 256
_LENGTHS = (32, 48, 64, 128)
"""Rows of a band up to which objects are treated together."""


@dataclass(frozen=True)
class Config:
    """How a network is built and trained.

    Parameters
    ----------
    network : {"cnn", "transformer"}
    target : str
        The node that is looked for.
    view : {"full", "alert"}
    n_rows : int
        Rows of a band that the network sees.
    epochs, patience : int
        Most epochs; how many without a better validation loss until training stops.
    batch_size : int
    learning_rate, weight_decay : float
        Of AdamW.
    dropout : float
    alpha, gamma : float
        Of the focal loss (Lin et al. 2017): weight of the target, and how little easy objects count.
    precision : {"float32", "bfloat16"}
        Of the products in training. The shorter one is twice as fast for the CNN, on processors that multiply it.

    Raises
    ------
    ValueError
        A value is out of its range.
    """

    network: Literal["cnn", "transformer"] = "cnn"
    target: str = "TDE"
    view: View = "full"
    n_rows: int = 200
    epochs: int = 100
    patience: int = 20
    batch_size: int = 64
    learning_rate: float = 1e-3
    weight_decay: float = 0.01
    dropout: float = 0.1
    alpha: float = 0.75
    gamma: float = 2.0
    precision: Literal["float32", "bfloat16"] = "float32"

    def __post_init__(self) -> None:
        if self.network not in ("cnn", "transformer") or self.precision not in ("float32", "bfloat16"):
            raise ValueError(
                f"expected a cnn or transformer, float32 or bfloat16, got {self.network!r}, {self.precision!r}"
            )
        if min(self.n_rows, self.epochs, self.patience, self.batch_size) < 1:
            raise ValueError("n_rows, epochs, patience and batch_size must be at least 1")
        if not 0 <= self.dropout < 1 or not 0 < self.alpha < 1 or min(self.gamma, self.weight_decay) < 0:
            raise ValueError("expected 0 <= dropout < 1, 0 < alpha < 1, and neither gamma nor weight_decay below 0")
        if self.learning_rate <= 0:
            raise ValueError("learning_rate must be above 0")


CNN = Config()
TRANSFORMER = Config(network="transformer", learning_rate=5e-4)
PRESETS = {"cnn": CNN, "transformer": TRANSFORMER}


class LightCurveCNN(nn.Module):
    """An encoder of four convolutions for each band, averaged over its rows, and one head for all (545,537 weights).

    The encoders of all bands are convolved together, as groups of channels.
    """

    def __init__(self, config: Config) -> None:
        super().__init__()
        self.encoders = nn.Sequential(*_convolutions(len(CHANNELS)))
        self.head = nn.Sequential(
            nn.Linear(128 * len(BANDS) + len(METADATA), 128), nn.ReLU(), nn.Dropout(config.dropout),
            nn.Linear(128, 64), nn.ReLU(), nn.Dropout(config.dropout), nn.Linear(64, 1),
        )  # fmt: skip

    def forward(self, bands: Tensor, metadata: Tensor) -> Tensor:
        """Give the logit of the target, shape ``(n,)``, from ``(n, n_bands, n_channels, n_rows)`` and ``(n, 2)``."""
        lengths = bands[:, :, -1].sum(dim=-1).amax(dim=1)
        mean = _mean_response(self.encoders, bands.flatten(1, 2), lengths)
        return self.head(torch.cat([mean, metadata], dim=-1)).squeeze(-1)


_REACH = 8
"""Rows to either side that a response depends on: four convolutions of five rows."""


def _mean_response(encode: nn.Module, rows: Tensor, lengths: Tensor) -> Tensor:
    """Give the mean response over all rows, padding included, shape ``(n, width)``, to ``(n, n_channels, n_rows)``.

    Beyond the reach of the known rows the response is that to padding alone, which is the same for all objects: so only
    the known rows and twice the reach are convolved, objects of about one length together, to the same result.
    """
    n_rows = rows.shape[-1]
    plane = rows[:, :, None].contiguous(memory_format=torch.channels_last)
    silence = encode(torch.zeros_like(plane[:1]))[0, :, 0]  # (width, n_rows)
    result = rows.new_zeros(len(rows), len(silence))
    shorter = -1
    for longest in (*(size for size in _LENGTHS if size + 2 * _REACH < n_rows), n_rows):
        own = ((lengths > shorter) & (lengths <= longest)).nonzero()[:, 0]
        if len(own):
            touched = min(longest + _REACH, n_rows)
            response = encode(plane[own, ..., : touched + _REACH])[:, :, 0, :touched].sum(dim=-1, dtype=torch.float32)
            result = result.index_copy(
                0, own, (response + silence[:, touched:].sum(dim=-1, dtype=torch.float32)) / n_rows
            )
        shorter = longest
    return result


def _convolutions(channels: int) -> Iterator[nn.Module]:
    for width in (32, 64, 64, 128):
        yield nn.Conv2d(channels * len(BANDS), width * len(BANDS), (1, 5), padding=(0, 2), groups=len(BANDS))
        yield nn.ReLU()
        channels = width


class LightCurveTransformer(nn.Module):
    """Attention within each band, by one encoder for all of them, then across the bands (175,681 weights)."""

    def __init__(self, config: Config, width: int = 64) -> None:
        super().__init__()
        self.rows = nn.Linear(len(CHANNELS), width)
        self.band = nn.Embedding(len(BANDS), width)
        self.within, self.across = _attention(width, 2, config.dropout), _attention(width, 1, config.dropout)
        self.head = nn.Sequential(
            nn.Linear(width * len(BANDS) + len(METADATA), 64), nn.ReLU(), nn.Dropout(config.dropout), nn.Linear(64, 1)
        )
        self.frequency = nn.Buffer(torch.exp(torch.linspace(0, math.log(1000), width // 2)), persistent=False)

    def forward(self, bands: Tensor, metadata: Tensor) -> Tensor:
        """Give the logit of the target, shape ``(n,)``, from ``(n, n_bands, n_channels, n_rows)`` and ``(n, 2)``."""
        n, n_bands = bands.shape[:2]
        rows = bands.flatten(0, 1).transpose(1, 2)  # (n * n_bands, n_rows, n_channels)
        lengths = rows[..., -1].sum(dim=1)
        seen = rows.new_zeros(len(rows), self.band.embedding_dim)
        band = torch.arange(n_bands, device=rows.device).repeat(n)
        shorter = 0
        for longest in (*_LENGTHS, rows.shape[1]):  # attention costs the square of the length: no padding, please
            own = ((lengths > shorter) & (lengths <= longest)).nonzero()[:, 0]
            if len(own):
                seen = seen.index_copy(0, own, self._encode(rows[own, :longest], band[own]))
            shorter = longest
        across = self.across(seen.view(n, n_bands, -1))
        return self.head(torch.cat([across.flatten(1), metadata], dim=-1)).squeeze(-1)

    def _encode(self, rows: Tensor, band: Tensor) -> Tensor:
        """Give the mean over the known rows of each band, shape ``(n, width)``."""
        angle = rows[..., :1] * self.frequency
        given = self.rows(rows) + torch.cat([angle.sin(), angle.cos()], dim=-1) + self.band(band)[:, None]
        known = rows[..., -1:]
        seen = self.within(given, src_key_padding_mask=known[..., 0] == 0)
        return (seen * known).sum(dim=1) / known.sum(dim=1)


def _attention(width: int, layers: int, dropout: float) -> nn.TransformerEncoder:
    layer = nn.TransformerEncoderLayer(width, 4, 4 * width, dropout, batch_first=True)
    layer.self_attn.dropout = 0.0  # of the weights: a quarter of the time, and torch then has a fused kernel
    return nn.TransformerEncoder(layer, layers, enable_nested_tensor=False)


def build_network(config: Config) -> LightCurveCNN | LightCurveTransformer:
    """Build the untrained network of a configuration."""
    return LightCurveCNN(config) if config.network == "cnn" else LightCurveTransformer(config)


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
