"""The networks of `telperion.models.bands`, and their settings."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor, nn

from telperion.bands import BANDS
from telperion.encode.by_band import CHANNELS
from telperion.encode.view import View

METADATA = ("redshift", "mwebv")
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
