"""RAPID (Muthukrishna et al. 2019): a GRU over a regular grid, with a loss at every step."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from benchmarks.peers.fitting import Inputs, Recipe, dust_free
from benchmarks.peers.network_peer import NetworkPeer
from telperion.bands import BANDS
from telperion.lightcurves import LightCurves

FIRST, LAST, STEP = -70.0, 80.0, 3.0
GRID = np.arange(FIRST, LAST, STEP)
"""Days after the first detection."""

FLUX = 1000.0  # nJy, where asinh turns from linear to logarithmic
N_INPUTS = len(BANDS) + 2


class RapidNetwork(nn.Module):
    """Two GRUs of 100, each with dropout and batch normalisation, and a dense layer, at every step."""

    def __init__(self, n_leaves: int, hidden: int = 100, dropout: float = 0.2) -> None:
        super().__init__()
        self.first = nn.GRU(N_INPUTS, hidden, batch_first=True)
        self.second = nn.GRU(hidden, hidden, batch_first=True)
        self.norms = nn.ModuleList([nn.BatchNorm1d(hidden) for _ in range(2)])
        self.dropout = nn.Dropout(dropout)
        self.leaves = nn.Linear(hidden, n_leaves)

    def forward(self, series: Tensor, lengths: Tensor) -> Tensor:
        """Give the logits of every step, shape ``(n, n_steps, n_leaves)``; beyond its length nothing is read."""
        held = torch.arange(series.shape[1]) < lengths[:, None]
        hidden = self._normalise(self.dropout(self.first(series)[0]), held, self.norms[0])
        hidden = self._normalise(self.dropout(self.second(hidden)[0]), held, self.norms[1])
        return self.leaves(self.dropout(hidden))

    @staticmethod
    def _normalise(values: Tensor, held: Tensor, norm: nn.Module) -> Tensor:
        result = torch.zeros_like(values)
        result[held] = norm(values[held])
        return result


def loss_of_steps(network: nn.Module, inputs: list[Tensor], labels: Tensor) -> Tensor:
    """Cross-entropy of all steps from that of the first detection to the last known, every object counting alike."""
    logits, lengths = network(*inputs), inputs[1]
    step = torch.arange(logits.shape[1])
    counts = (step < lengths[:, None]) & (step >= trigger_step())
    said = nn.functional.cross_entropy(logits.transpose(1, 2), labels[:, None].expand(counts.shape), reduction="none")
    return ((said * counts).sum(dim=1) / counts.sum(dim=1)).mean()


def trigger_step() -> int:
    """Give the step that sees the first detection."""
    return int(np.ceil(-FIRST / STEP))


class Rapid(NetworkPeer):
    name = "RAPID"
    what = (
        "Muthukrishna et al. 2019: GRU 100 + 100, batch norm, dropout 0.2, loss at every step of a 3-day grid from -70 "
        "to +80 d; six bands, asinh of dereddened flux, redshift and E(B-V) at every step; learns from random cuts, so "
        "that nothing is interpolated towards a later observation, and has no class for what precedes an explosion"
    )
    recipe = Recipe(batch_size=64, learning_rate=1e-3)
    loss = staticmethod(loss_of_steps)

    def build(self, n_leaves: int) -> nn.Module:
        return RapidNetwork(n_leaves)

    def encode(self, known: LightCurves) -> Inputs:
        return encode(known)

    def leaf_probabilities(self, inputs: list[Tensor]) -> NDArray[np.float32]:
        last = inputs[1] - 1
        said: Tensor = self.network(*inputs)[torch.arange(len(last)), last]
        return said.softmax(dim=-1).numpy()


def encode(known: LightCurves) -> Inputs:
    """Lay light curves out on the grid.

    Returns
    -------
    series : array of float32, shape ``(n_objects, n_steps, 8)``
        Flux in each band, redshift and E(B-V) (-1 where unknown); n_steps reaches to the last row known of any.
    lengths : array of int, shape ``(n_objects,)``
        Steps of each: the last one sees the object's last row.
    """
    fluxes = dust_free(known)
    since = fluxes.days_since_first_detection
    newest = np.full(len(known), FIRST)
    np.maximum.at(newest, known.object_index, np.nan_to_num(since, nan=FIRST))
    lengths = np.clip(np.ceil((newest - FIRST) / STEP).astype(np.int64) + 1, trigger_step() + 1, GRID.size)
    n_steps = int(lengths.max(initial=1))
    series = np.zeros((len(known), n_steps, N_INPUTS), dtype=np.float32)
    series[:, :, : len(BANDS)] = interpolated(fluxes, since, GRID[:n_steps])
    for place, name in enumerate(("redshift", "mwebv"), start=len(BANDS)):
        series[:, :, place] = np.nan_to_num(known.context.get(name, np.full(len(known), np.nan)), nan=-1.0)[:, None]
    return series, lengths


def interpolated(curves: LightCurves, since: NDArray[np.float64], grid: NDArray[np.floating]) -> NDArray[np.float64]:
    """Interpolate asinh(flux) of each band linearly: 0 before a band's first row, its last value after the last.

    Returns
    -------
    array, shape ``(n_objects, n_steps, n_bands)``
    """
    key = curves.object_index * len(BANDS) + curves.band
    near = np.flatnonzero(np.abs(since) < 200)
    order = near[np.lexsort((since[near], key[near]))]
    n_series, apart = len(curves) * len(BANDS), 1000.0
    starts = np.searchsorted(key[order], np.arange(n_series + 1))
    given = starts[1:] > starts[:-1]
    result = np.zeros((n_series, grid.size))
    if given.any():
        first, last = since[order[starts[:-1][given]]], since[order[starts[1:][given] - 1]]
        asked = np.clip(grid, first[:, None], last[:, None]) + apart * np.flatnonzero(given)[:, None]
        flux = np.arcsinh(curves.flux[order] / FLUX)
        found = np.interp(asked.ravel(), since[order] + apart * key[order], flux).reshape(asked.shape)
        result[given] = np.where(grid >= first[:, None], found, 0.0)
    return result.reshape(len(curves), len(BANDS), grid.size).transpose(0, 2, 1)
