"""The networks of the two GRU presets, in torch, for training."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn

from telperion.models.gru import encoder
from telperion.models.gru_config import GruConfig
from telperion.models.gru_layer import GruLayers


class OracleNetwork(nn.Module):
    """The published network, layer by layer (Shah et al. 2025, Fig. 4): 122,294 weights for 26 nodes.

    Parameters
    ----------
    n_static : int
        23, or 0 for the twin without metadata (121,054 weights).
    """

    def __init__(self, config: GruConfig, n_nodes: int, *, n_static: int = 23) -> None:
        super().__init__()
        self.gru = GruLayers(encoder(config).n_features, config.hidden, config.layers)
        self.series = nn.Linear(config.hidden, 100)
        self.static = nn.Linear(n_static, 10) if n_static else None
        self.joint = nn.Linear(100 + 10 * bool(n_static), 100)
        self.latent = nn.Linear(100, 64)
        self.logits = nn.Linear(64, n_nodes)
        initialise_like_keras(self)

    def forward(self, rows: Tensor, static: Tensor, places: Tensor) -> Tensor:
        """Give the logits, shape ``(n, n_places, n_nodes)``, after the rows at `places`, shape ``(n, n_places)``."""
        joint = self.series(take_rows(self.gru(rows), places)).tanh()  # (n, n_places, 100)
        if self.static is not None:
            known = (static != -9).any(dim=1, keepdim=True)  # Keras' mask: an object without any context gives zeros
            branch = self.static(static * known)[:, None].expand(-1, places.shape[1], -1)
            joint = torch.cat([joint, branch], dim=-1)
        return self.logits(self.latent(self.joint(joint).relu()).relu())


class TelperionNetwork(nn.Module):
    """Our own: rows and context are mixed before the GRU, and its head sees the last row and the context once more.

    The last row holds the running statistics of the whole light curve, so that what a booster reads off them needs no
    detour through the recurrence.
    """

    def __init__(self, config: GruConfig, n_nodes: int) -> None:
        super().__init__()
        inputs = encoder(config)
        self.rows = nn.Linear(inputs.n_features, config.hidden)
        self.static = nn.Linear(inputs.n_static, config.hidden, bias=False)
        self.gru = GruLayers(config.hidden, config.hidden, config.layers)
        self.dropout = nn.Dropout(config.dropout)
        self.head = nn.Linear(config.hidden + inputs.n_features + inputs.n_static, config.head)
        self.latent = nn.Linear(config.head, config.head)
        self.logits = nn.Linear(config.head, n_nodes)
        initialise_like_keras(self.gru)

    def forward(self, rows: Tensor, static: Tensor, places: Tensor) -> Tensor:
        """Give the logits, shape ``(n, n_places, n_nodes)``, after the rows at `places`, shape ``(n, n_places)``."""
        mixed = nn.functional.silu(self.rows(rows) + self.static(static)[:, None])  # (n, n_times, hidden)
        state = take_rows(self.gru(self.dropout(mixed)), places)  # (n, n_places, hidden)
        context = static[:, None].expand(-1, places.shape[1], -1)
        joint = torch.cat([self.dropout(state), take_rows(rows, places), context], dim=-1)
        latent = self.dropout(nn.functional.silu(self.head(joint)))
        return self.logits(self.dropout(nn.functional.silu(self.latent(latent))))


def build_network(config: GruConfig, n_nodes: int) -> OracleNetwork | TelperionNetwork:
    """Build the untrained network of a configuration."""
    return OracleNetwork(config, n_nodes) if config.preset == "oracle" else TelperionNetwork(config, n_nodes)


def take_rows(values: Tensor, places: Tensor) -> Tensor:
    """Take the rows at `places`, shape ``(n, n_places)``, from values, shape ``(n, n_times, n_features)``."""
    return values.gather(1, places[:, :, None].expand(-1, -1, values.shape[2]))


def initialise_like_keras(network: nn.Module) -> None:
    """Draw weights as Keras does: Glorot uniform, orthogonal for recurrent ones, zero for biases."""
    for name, weight in network.named_parameters():
        if weight.dim() == 1:
            nn.init.zeros_(weight)
        elif "weight_hh" in name:
            nn.init.orthogonal_(weight)
        else:
            nn.init.xavier_uniform_(weight)


@contextmanager
def precision(name: str) -> Iterator[None]:
    """Let products of matrices be rounded to bfloat16 inside, where the processor is faster with it."""
    before = torch.get_float32_matmul_precision()
    torch.set_float32_matmul_precision("medium" if name == "bfloat16" else before)
    try:
        yield
    finally:
        torch.set_float32_matmul_precision(before)
