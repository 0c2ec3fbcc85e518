"""After ATAT (Cabrera-Vives et al. 2024): a transformer over rows, time modulated a band, and one over a table."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from benchmarks.peers.fitting import Inputs, Recipe, cuts, dust_free
from benchmarks.peers.network_peer import NetworkPeer
from telperion.bands import BANDS
from telperion.encode.context import encode_context
from telperion.encode.gaussian_process import thinned
from telperion.encode.padding import Padding
from telperion.encode.segments import Segments
from telperion.encode.statistics import statistics
from telperion.lightcurves import LightCurves

FAMILIES = ("colours", "structure")
"""Statistics of the light curve that stand in the table beside the context."""

WIDTH, HEADS, LAYERS, TABLE_WIDTH = 96, 4, 3, 48
HARMONICS, LONGEST = 32, 1500.0
MOST_OF_A_BAND = 65
N_ROW = 4
N_QUANTILES = 33


class TimeModulation(nn.Module):
    """Turn rows into tokens, scaled and shifted by Fourier series of the time that each band has for itself."""

    frequency: Tensor

    def __init__(self, width: int) -> None:
        super().__init__()
        self.rows = nn.Linear(N_ROW, width)
        self.series = nn.Parameter(torch.randn(len(BANDS), 2 * HARMONICS, 2 * width) / math.sqrt(HARMONICS))
        self.register_buffer("frequency", 2 * math.pi * torch.arange(1, HARMONICS + 1) / LONGEST)

    def forward(self, rows: Tensor, time: Tensor, band: Tensor) -> Tensor:
        """Give tokens, shape ``(n, n_times, width)``."""
        angle = time[:, :, None] * self.frequency
        basis = torch.cat([angle.sin(), angle.cos()], dim=-1)  # (n, n_times, 2 harmonics)
        modulation = basis.new_zeros(*basis.shape[:2], self.series.shape[2])
        for place in range(len(BANDS)):
            mine = band == place
            modulation[mine] = basis[mine] @ self.series[place]
        scale, shift = modulation.chunk(2, dim=-1)
        return self.rows(rows) * scale + shift


class Reader(nn.Module):
    """A transformer whose first token, learnt, is what the others are summed up in."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.token = nn.Parameter(torch.randn(width) * 0.02)
        layer = nn.TransformerEncoderLayer(
            width, HEADS, 2 * width, dropout=0.1, activation="gelu", batch_first=True, norm_first=True
        )
        layer.self_attn.dropout = 0.0  # torch has no fast attention with dropped weights
        self.layers = nn.TransformerEncoder(layer, LAYERS, norm=nn.LayerNorm(width), enable_nested_tensor=False)

    def forward(self, tokens: Tensor, absent: Tensor | None = None) -> Tensor:
        """Give the state of the token, shape ``(n, width)``; what is absent is not looked at."""
        first = self.token.expand(len(tokens), 1, -1)
        if absent is not None:
            absent = nn.functional.pad(absent, (1, 0), value=False)
        read: Tensor = self.layers(torch.cat([first, tokens], dim=1), src_key_padding_mask=absent)
        return read[:, 0]


class AttentionNetwork(nn.Module):
    """Both branches and three heads: of the light curve, of the table, of both."""

    def __init__(self, n_leaves: int, n_columns: int) -> None:
        super().__init__()
        self.modulation, self.curve, self.table = TimeModulation(WIDTH), Reader(WIDTH), Reader(TABLE_WIDTH)
        self.scale = nn.Parameter(torch.randn(n_columns, TABLE_WIDTH) * 0.2)
        self.place = nn.Parameter(torch.randn(n_columns, TABLE_WIDTH) * 0.2)
        self.missing = nn.Parameter(torch.randn(n_columns, TABLE_WIDTH) * 0.2)
        both = WIDTH + TABLE_WIDTH
        self.heads = nn.ModuleList([nn.Linear(WIDTH, n_leaves), nn.Linear(TABLE_WIDTH, n_leaves)])
        self.mixed = nn.Sequential(nn.Linear(both, both), nn.GELU(), nn.Dropout(0.1), nn.Linear(both, n_leaves))

    def forward(self, rows: Tensor, time: Tensor, band: Tensor, table: Tensor) -> Tensor:
        """Give the logits of the head that reads both."""
        return self.answers(rows, time, band, table)[-1]

    def answers(self, rows: Tensor, time: Tensor, band: Tensor, table: Tensor) -> list[Tensor]:
        """Give the logits of all heads."""
        curve = self.curve(self.modulation(rows, time, band), band < 0)
        known = torch.isfinite(table)[:, :, None]
        value = torch.where(known, table[:, :, None].nan_to_num(), 0.0) * self.scale
        read = self.table(self.place + torch.where(known, value, self.missing))
        return [self.heads[0](curve), self.heads[1](read), self.mixed(torch.cat([curve, read], dim=1))]


def loss_of_heads(network: nn.Module, inputs: list[Tensor], labels: Tensor) -> Tensor:
    """Mean cross-entropy of the three heads in training; of the one that answers in validation."""
    assert isinstance(network, AttentionNetwork)
    answers = network.answers(*inputs)[0 if network.training else -1 :]
    return torch.stack([nn.functional.cross_entropy(said, labels) for said in answers]).mean()


class Attention(NetworkPeer):
    name = "transformer (ATAT)"
    what = (
        "after Cabrera-Vives et al. 2024: transformer of 3 layers, 4 heads, width 96 over at most 65 rows a band with "
        "Fourier modulation of time (32 harmonics) a band, another of width 48 over context and statistics by "
        "quantiles, learnt tokens, three heads; the statistics are the project's (colours, structure)"
    )
    recipe = Recipe(batch_size=128, learning_rate=5e-4, weight_decay=1e-3)
    loss = staticmethod(loss_of_heads)
    quantiles: NDArray[np.float32]

    def learn(self, train: LightCurves, folder: Path) -> None:
        """Take the quantiles of the table's columns at random cuts."""
        drawn = table_of(cuts(train, self.view_of_training)(np.random.default_rng(0)))
        kept = np.full((N_QUANTILES, drawn.shape[1]), np.nan, dtype=np.float32)
        some = np.isfinite(drawn).any(axis=0)
        kept[:, some] = np.nanquantile(drawn[:, some], np.linspace(0, 1, N_QUANTILES), axis=0)
        np.save(folder / "quantiles.npy", kept, allow_pickle=False)
        self.quantiles = kept

    def remember(self, folder: Path) -> None:
        self.quantiles = np.load(folder / "quantiles.npy", allow_pickle=False)

    def build(self, n_leaves: int) -> nn.Module:
        return AttentionNetwork(n_leaves, self.quantiles.shape[1])

    def encode(self, known: LightCurves) -> Inputs:
        table = table_of(known)
        ranks = [ranked(column, steps) for column, steps in zip(table.T, self.quantiles.T, strict=True)]
        return *rows_of(known), np.stack(ranks, axis=1)


def rows_of(known: LightCurves) -> tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.int64]]:
    """Encode rows: flux and error by asinh, detection, days since the first detection; time and band (-1: padding)."""
    curves = dust_free(known)
    groups = Segments(curves.object_index * len(BANDS) + curves.band, len(curves) * len(BANDS))
    curves = curves.select_rows(np.isin(np.arange(curves.n_rows), thinned(groups, MOST_OF_A_BAND)))
    padding = Padding(curves.lengths)
    since = np.nan_to_num(curves.days_since_first_detection)
    features = [np.arcsinh(curves.flux / 1000), np.arcsinh(curves.flux_err / 1000), curves.detected, since / 100]
    first = curves.time[np.minimum(curves.offsets[:-1], max(curves.n_rows - 1, 0))] if curves.n_rows else np.zeros(0)
    rows = np.stack([padding.fill(column.astype(np.float32), 0.0) for column in features], axis=-1)
    time = (curves.time - first[curves.object_index]).astype(np.float32)
    return rows, padding.fill(time, 0.0), padding.fill(curves.band.astype(np.int64), -1)


def table_of(known: LightCurves) -> NDArray[np.float32]:
    """Give context and statistics, shape ``(n_objects, n_columns)``."""
    return np.concatenate([encode_context(known), statistics(known, FAMILIES).values], axis=1)


def ranked(values: NDArray[np.float32], steps: NDArray[np.float32]) -> NDArray[np.float32]:
    """Give the rank of values among quantiles, -1 to 1; NaN where a value or the quantiles are unknown."""
    if np.isnan(steps).any():
        return np.full(values.shape, np.nan, dtype=np.float32)
    left, right = (np.searchsorted(steps, values, side=side) for side in ("left", "right"))
    between = np.interp(values, steps, np.linspace(-1, 1, steps.size))
    tied = (left + right - 1) / (steps.size - 1) - 1  # the middle of quantiles that are the same
    rank = np.where(right - left > 1, tied, between)
    return np.where(np.isnan(values), np.nan, rank).astype(np.float32)
