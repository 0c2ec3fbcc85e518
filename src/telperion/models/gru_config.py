"""How a GRU is built and trained: its settings with their ranges, and two sets of them, ours and ORACLE's."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from telperion.encode.view import View


@dataclass(frozen=True)
class GruConfig:
    """How a GRU is built and trained; the defaults are the preset `telperion`, `ORACLE` is the published recipe.

    Parameters
    ----------
    preset : {"telperion", "oracle"}
        Inputs and architecture.
    view : {"full", "alert"}
        Which rows of an object it learns from (`telperion.encode.view`).
    hidden, layers : int
        Width and number of the GRU's layers.
    head : int
        Width of the layers after it (preset `telperion`).
    rhythm : bool
        Whether rows also tell how the light curve repeats, `telperion.encode.rhythm` (preset `telperion`).
    dropout : float
        Share of activations dropped in training (preset `telperion`).
    loss : {"whxe", "flat", "focal"}
    alpha, balance : float
        Depth weight of WHXE; power of the class weights (0: none, 1: full).
    phases : int
        0: cut each object's rows to a share drawn from U(0.1, 1), as ORACLE. n: cut at n days after the first detection
        drawn log-uniformly, with a loss at each.
    short : float
        Of `phases`: share of the objects that are cut within the first 80 days.
    context_mix : tuple of 3 floats
        Shares of the objects of an epoch that keep all context, lose the spectroscopic redshift, lose everything.
    group_dropout : float
        Chance of each group of context to be lost beyond that.
    context_noise : float
        Augmentation: how much errors of redshifts and what is known of hosts are blurred
        (`telperion.encode.context.jitter`).
    resampled : float
        Augmentation: share of an epoch's objects that are farther, noisier copies (`telperion.encode.resample`).
    noise, row_dropout : float
        Augmentation: noise added, in standard errors; up to which share of an object's rows is left out.
    epochs, patience : int
        Most epochs; how many without a better validation loss until training stops.
    batch_size : int
    learning_rate, weight_decay : float
        Of AdamW.
    schedule : {"cosine", "exponential"}
        Warm-up and cosine down to zero, or ORACLE's factor 0.9 every 10,000 steps.
    clip : float
        Largest norm of the gradient; infinite for none.
    average : float
        Decay of the running average of the weights, which is what is validated and kept; 0 for none.
    start : str
        What was learnt on other objects or along another tree, whose weights this training begins with
        (`telperion.models.gru_start.start_from`): a classifier that comes with the package, by its name, one in a
        folder, or the checkpoint of a finished training; none if empty.
    teacher : str
        A classifier, as of `start`, from which this one learns what it says of the same rows
        (`telperion.models.gru_teacher`); none if empty.
    taught : float
        Share of the teacher's loss (`telperion.loss.taught_cross_entropy`).
    precision : {"float32", "bfloat16"}
        To which the factors of products of matrices may be rounded in training; the sums are float32 either way.

    Raises
    ------
    ValueError
        A value is out of its range.
    """

    preset: Literal["telperion", "oracle"] = "telperion"
    view: View = "alert"
    hidden: int = 96
    layers: int = 1
    head: int = 128
    rhythm: bool = False
    dropout: float = 0.4
    loss: Literal["whxe", "flat", "focal"] = "whxe"
    alpha: float = 0.0
    balance: float = 0.5
    phases: int = 4
    short: float = 0.0
    context_mix: tuple[float, float, float] = (0.4, 0.3, 0.3)
    group_dropout: float = 0.1
    context_noise: float = 0.0
    resampled: float = 0.7
    noise: float = 0.3
    row_dropout: float = 0.3
    epochs: int = 120
    patience: int = 120
    batch_size: int = 128
    learning_rate: float = 3e-3
    weight_decay: float = 0.01
    schedule: Literal["cosine", "exponential"] = "cosine"
    clip: float = 1.0
    average: float = 0.99
    start: str = ""
    teacher: str = ""
    taught: float = 0.5
    precision: Literal["float32", "bfloat16"] = "float32"

    def __post_init__(self) -> None:
        object.__setattr__(self, "context_mix", tuple(float(share) for share in self.context_mix))
        for name, allowed in _CHOICES.items():
            if getattr(self, name) not in allowed:
                raise ValueError(f"{name} is {getattr(self, name)!r}, expected one of {', '.join(allowed)}")
        for name, (low, high) in _RANGES.items():
            if not low <= getattr(self, name) <= high:
                raise ValueError(f"{name} is {getattr(self, name)}, expected {low} to {high}")
        if len(self.context_mix) != 3 or min(self.context_mix) < 0 or sum(self.context_mix) <= 0:
            raise ValueError(f"context_mix is {self.context_mix}, expected three shares that are not negative")
        ours = self.rhythm or self.group_dropout or self.context_noise or any(self.context_mix[1:])
        if self.preset == "oracle" and ours:
            raise ValueError(
                "the preset 'oracle' knows no rhythm and no groups of context: context_mix (1, 0, 0), group_dropout 0"
            )


_CHOICES = {
    "preset": ("telperion", "oracle"),
    "view": ("full", "alert"),
    "loss": ("whxe", "flat", "focal"),
    "schedule": ("cosine", "exponential"),
    "precision": ("float32", "bfloat16"),
}
_RANGES = {
    "hidden": (1, 4096), "layers": (1, 8), "head": (1, 4096), "dropout": (0, 0.95), "alpha": (0, 10), "balance": (0, 2),
    "phases": (0, 1000), "short": (0, 1), "group_dropout": (0, 1), "context_noise": (0, 10), "resampled": (0, 1),
    "noise": (0, 10), "row_dropout": (0, 0.95), "epochs": (1, 100_000), "patience": (1, 100_000),
    "batch_size": (1, 1_000_000), "learning_rate": (1e-9, 1), "weight_decay": (0, 10), "clip": (1e-9, float("inf")),
    "average": (0, 0.99999), "taught": (0, 1),
}  # fmt: skip

TELPERION = GruConfig()

ORACLE = GruConfig(
    preset="oracle", view="full", hidden=100, layers=2, dropout=0.0, loss="whxe", alpha=0.5, balance=1.0, phases=0,
    context_mix=(1, 0, 0), group_dropout=0.0, resampled=0.0, noise=0.0, row_dropout=0.0, epochs=1000, patience=1000,
    batch_size=1024, learning_rate=2e-4, weight_decay=0.0, schedule="exponential", clip=float("inf"), average=0.0,
)  # fmt: skip
"""The recipe of Shah et al. (2025), Table 4."""

PRESETS = {"telperion": TELPERION, "oracle": ORACLE}
