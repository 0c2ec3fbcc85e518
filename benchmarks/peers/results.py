"""The files of results, and the one table that they make."""

from __future__ import annotations

import json
from collections.abc import Sequence
from itertools import groupby
from pathlib import Path
from typing import Any

import numpy as np

from telperion.evaluate import LEVELS
from telperion.tables import Table

RESULT = "result.json"
UNKNOWN = "–"


def finished(out: Path) -> list[Path]:
    """Name the folders in which a result lies: the peer by which it is asked for, and the seed."""
    return sorted(path.parent for path in out.glob(f"*/{RESULT}"))


def read_results(folder: Path) -> list[dict[str, Any]]:
    """Read all that is finished in a folder, seeds of one peer beside each other.

    Raises
    ------
    ValueError
        Nothing is finished there.
    """
    found = [json.loads((each / RESULT).read_text(encoding="utf-8")) for each in finished(folder)]
    if not found:
        raise ValueError(f"nothing is finished in {folder}")
    return found


def write_result(folder: Path, result: dict[str, Any]) -> None:
    """Write a finished result in one go."""
    new = folder / f"{RESULT}.new"
    new.write_text(json.dumps(result, indent=1, allow_nan=False), encoding="utf-8")
    new.replace(folder / RESULT)


def result_table(results: Sequence[dict[str, Any]]) -> Table:
    """Show one peer a line, seeds averaged, the best at the leaves first; times are ms an object on one core."""
    named = groupby(sorted(results, key=lambda one: one["name"]), key=lambda one: one["name"])
    groups = [list(group) for _, group in named]
    days = [day for day in results[0]["scores"] if all(day in one["scores"] for one in results)]
    groups.sort(key=lambda seeds: -float(np.mean([_over(seeds, "leaves", "f1", day) for day in days])))
    columns = [("", "peer"), *(("macro F1", level) for level in LEVELS), ("", "± of leaves"), ("", "calibration error")]
    columns += [("ms an object", heading) for heading in ("in a batch", "alone", "new observation")]
    columns += [("", heading) for heading in ("state, bytes", "parameters", "training", "epochs", "plateau", "seeds")]
    phases = ", ".join(f"{float(day):g}" for day in days)
    return Table(f"Peers at {phases} days", columns, [_row(seeds, days) for seeds in groups])


def _row(seeds: list[dict[str, Any]], days: list[str]) -> list[str]:
    leaves = np.array([[one["scores"][day]["leaves"]["f1"] for day in days] for one in seeds])
    training = [one["training"] for one in seeds]
    state, parameters = seeds[0]["state_bytes"], training[0]["n_parameters"]
    return [
        seeds[0]["name"],
        *(" / ".join(f"{_over(seeds, level, 'f1', day):.3f}" for day in days) for level in LEVELS),
        f"{leaves.std(axis=0, ddof=1).mean():.3f}" if len(seeds) > 1 else UNKNOWN,
        " / ".join(f"{_over(seeds, 'leaves', 'calibration_error', day):.4f}" for day in days),
        *(_milliseconds([one["times"][what] for one in seeds]) for what in ("batch_ms", "one_ms", "step_ms")),
        UNKNOWN if state is None else f"{state:,}",
        UNKNOWN if parameters is None else f"{parameters:,}",
        _clock(float(np.mean([one["seconds"] for one in training]))),
        f"{np.mean([one['epochs'] for one in training]):.0f}",
        "yes" if all(one["plateau"] for one in training) else "no",
        str(len(seeds)),
    ]


def _over(seeds: list[dict[str, Any]], level: str, what: str, day: str) -> float:
    """Average a number over seeds."""
    return float(np.mean([one["scores"][day][level][what] for one in seeds]))


def _milliseconds(taken: list[float | None]) -> str:
    known = [value for value in taken if value is not None]
    return f"{np.median(known):.3g}" if known else UNKNOWN


def _clock(seconds: float) -> str:
    return f"{seconds / 60:.1f} min" if seconds < 6000 else f"{seconds / 3600:.1f} h"
