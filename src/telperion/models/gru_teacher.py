"""A trained GRU that teaches another one what it says of the same rows (Hinton, Vinyals & Dean 2015)."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor

from telperion.models.card import SHIPPED, checked_file, read_card
from telperion.models.gru import CARD, FORMAT_VERSION, MAX_FILE_BYTES, NETWORK, encoder
from telperion.models.gru_config import GruConfig
from telperion.models.gru_network import build_network
from telperion.models.gru_onnx import read_weights
from telperion.taxonomy import Taxonomy


class Teacher:
    """What a classifier's network says, before calibration.

    Parameters
    ----------
    name : str
        A classifier's folder or, of one that comes with the package, its name.
    config : GruConfig
        Of the network that learns: it reads the same rows and context.
    tree : Taxonomy

    Raises
    ------
    ValueError
        There is no such classifier, or it is of another tree, preset or view, or reads other rows.
    """

    def __init__(self, name: str, config: GruConfig, tree: Taxonomy) -> None:
        folder = (Path(name) if Path(name).is_dir() else SHIPPED / name) / "model"
        if not (folder / NETWORK).is_file():
            raise ValueError(f"there is no recurrent classifier {name!r} to learn from")
        own, _, _ = read_card(folder / CARD, FORMAT_VERSION, GruConfig, tree)
        if (own.preset, own.view) != (config.preset, config.view):
            raise ValueError(
                f"the teacher {name} is of the preset {own.preset!r} and the {own.view} view, "
                f"what learns of the preset {config.preset!r} and the {config.view} view"
            )
        self._n_features = encoder(own).n_features
        if self._n_features > encoder(config).n_features:
            raise ValueError(f"the teacher {name} reads the rhythm of light curves, what learns does not")
        self._network = build_network(own, len(tree))
        weights = read_weights(checked_file(folder / NETWORK, MAX_FILE_BYTES).read_bytes())
        try:
            self._network.load_state_dict(weights)
        except RuntimeError as error:
            raise ValueError(f"the network in {folder} is not that of its card: {error}") from error
        self._network.eval()

    @torch.no_grad()
    def __call__(self, rows: Tensor, static: Tensor, places: Tensor) -> Tensor:
        """Give its logits, shape ``(n, n_places, n_nodes)``; of rows it reads the first features, without rhythm."""
        logits: Tensor = self._network(rows[..., : self._n_features].contiguous(), static, places)
        return logits
