"""What every training leaves behind: how long it took, and whether it reached its plateau."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from benchmarks.peers.peer import TRAINING

LATE, GAIN = 0.2, 0.005
"""Of the epochs, the last share; the relative fall of the loss within it that is not yet a plateau."""


def write_training(
    folder: Path,
    history: Sequence[Mapping[str, float]],
    patience: int,
    n_parameters: int,
    beforehand: float = 0.0,
) -> None:
    """Write `TRAINING` from a history with ``validation_loss`` and ``seconds`` a line, and the seconds before it."""
    losses = [line["validation_loss"] for line in history]
    document = {
        "epochs": len(losses),
        "seconds": round(beforehand + sum(line["seconds"] for line in history), 1),
        "plateau": plateau(losses, patience),
        "n_parameters": n_parameters,
        "validation_losses": losses,
    }
    (folder / TRAINING).write_text(json.dumps(document), encoding="utf-8")


def plateau(losses: Sequence[float], patience: int) -> bool:
    """Say whether a training ended since patience ran out, or had all but ceased to gain in its last epochs."""
    best = int(np.argmin(losses))
    late = max(int(len(losses) * LATE), 1)
    if len(losses) - 1 - best >= patience:
        return True
    return len(losses) >= 1 / LATE and min(losses[:-late]) - losses[best] < GAIN * abs(losses[best])
