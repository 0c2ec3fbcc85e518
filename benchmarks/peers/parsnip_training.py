"""ParSNIP's own training, an epoch at a time, so that it can go on after a kill; checkpoints without pickle."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import numpy as np
import safetensors.torch
import torch

from telperion.models.gru_start import read_checkpoint

History = list[dict[str, float]]


def train_model(model: Any, taught: Any, scored: Any, path: Path, most_epochs: int, seed: int) -> History:
    """Let the package train until its learning rate has fallen below its least, or so many epochs are done.

    Parameters
    ----------
    model : parsnip.ParsnipModel
    taught, scored : lcdata.Dataset
        Preprocessed.
    path : path
        Of the checkpoint, read if it is there.
    most_epochs, seed : int

    Returns
    -------
    list of dict
        ``rate``, ``validation_loss`` and ``seconds`` of each epoch.
    """
    history = resume(model, path) if path.is_file() else []
    while len(history) < most_epochs and not finished(model, history):
        began = time.perf_counter()
        np.random.seed(seed + len(history))  # noqa: NPY002 - what the package draws from
        torch.manual_seed(seed + len(history))
        model.epoch = len(history)
        model.fit(taught, max_epochs=model.epoch + 1)
        with torch.no_grad():
            loss = model.score(scored)
        rate = model.optimizer.param_groups[0]["lr"]
        history.append({"rate": rate, "validation_loss": loss, "seconds": time.perf_counter() - began})
        keep(model, path, history)
    if not history:
        keep(model, path, history)
    return history


def finished(model: Any, history: History) -> bool:
    """Say whether the package would end here."""
    return bool(history) and history[-1]["rate"] < model.settings["min_learning_rate"]


def keep(model: Any, path: Path, history: History) -> None:
    """Write weights, the optimiser's moments and the history."""
    kept = {f"model.{name}": each for name, each in model.state_dict().items()}
    for place, moments in model.optimizer.state_dict()["state"].items():
        kept |= {f"optimiser.{place}.{name}": each for name, each in moments.items()}
    kept = {name: each.detach().cpu().clone().contiguous() for name, each in kept.items()}
    plan = {name: each for name, each in model.scheduler.state_dict().items() if isinstance(each, (int, float, list))}
    new = path.with_suffix(".new")
    new.write_bytes(safetensors.torch.save(kept, {"history": json.dumps(history), "plan": json.dumps(plan)}))
    new.replace(path)


def resume(model: Any, path: Path) -> History:
    """Take up what `keep` wrote."""
    metadata, found = read_checkpoint(path)
    history: History = json.loads(metadata["history"])
    model.load_state_dict({name[6:]: each for name, each in found.items() if name.startswith("model.")})
    state: dict[int, dict[str, Any]] = {}
    for name, each in found.items():
        if name.startswith("optimiser."):
            _, place, moment = name.split(".")
            state.setdefault(int(place), {})[moment] = each
    model.optimizer.load_state_dict({**model.optimizer.state_dict(), "state": state})
    for group in model.optimizer.param_groups:
        group["lr"] = history[-1]["rate"] if history else group["lr"]
    model.scheduler.load_state_dict(json.loads(metadata["plan"]))
    return history
