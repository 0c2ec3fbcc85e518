"""What the training of a GRU begins with: the weights of another one, from its checkpoint or from its graph."""

from __future__ import annotations

import json
from pathlib import Path

import safetensors
import torch
from torch import Tensor

from telperion.models.card import SHIPPED, checked_file
from telperion.models.gru import CARD, MAX_FILE_BYTES, NETWORK
from telperion.models.gru_onnx import read_weights
from telperion.taxonomy import Taxonomy


def read_checkpoint(path: Path) -> tuple[dict[str, str], dict[str, Tensor]]:
    """Read the checkpoint of a training: what is said of it, and its tensors by name; ValueError if it is none."""
    try:
        with safetensors.safe_open(path, "pt") as file:
            return file.metadata() or {}, {n: file.get_tensor(n) for n in file.keys()}  # noqa: SIM118 - not a dict
    except safetensors.SafetensorError as error:
        raise ValueError(f"{path} is no checkpoint; remove it to start anew") from error


def start_from(start: str, network: torch.nn.Module, tree: Taxonomy) -> None:
    """Give a network the weights of another.

    Where the trees differ, nodes of the same name keep what was learnt of them if a classifier is given (a checkpoint
    knows no names), and the last layer is as drawn for all others.

    Parameters
    ----------
    start : str
        The checkpoint of a training, of which the best weights are taken; or a classifier, its folder or, of one that
        comes with the package, its name.
    network : torch.nn.Module
    tree : Taxonomy
        Of the network.

    Raises
    ------
    ValueError
        There is no such thing, or its network has other layers.
    """
    path, own = Path(start), network.state_dict()
    folder = (path if path.is_dir() else SHIPPED / start) / "model"
    if path.is_file():
        found = {
            n.removeprefix("best."): value for n, value in read_checkpoint(path)[1].items() if n.startswith("best.")
        }
    elif (folder / NETWORK).is_file():
        found = read_weights(checked_file(folder / NETWORK, MAX_FILE_BYTES).read_bytes())
        old = json.loads(checked_file(folder / CARD, MAX_FILE_BYTES).read_text(encoding="utf-8")).get("nodes")
        if not isinstance(old, list) or len(old) != len(found.get("logits.bias", ())):
            raise ValueError(f"{folder / CARD} does not name the nodes of its network")
        known = [(new, old.index(node)) for new, node in enumerate(tree.nodes) if node in old]
        for name in ("logits.weight", "logits.bias"):
            rows = own[name].clone()
            rows[[new for new, _ in known]] = found[name][[place for _, place in known]]
            found[name] = rows
    else:
        raise ValueError(f"there is no checkpoint and no recurrent classifier {start!r} to start from")
    other = {name for name in own if name not in found or found[name].shape != own[name].shape}
    if foreign := sorted(name for name in other if not name.startswith("logits.")):
        raise ValueError(f"{start} is of a network with other layers: {foreign[0]!r} does not fit")
    network.load_state_dict(own | {name: value for name, value in found.items() if name not in other})
