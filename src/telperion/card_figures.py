"""The figures on a classifier's card: what is put there of evaluations, and what is read of cards old and new."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, SupportsFloat

import numpy as np

from telperion.scores import Evaluation
from telperion.tables import deviation

LEAF_F1 = "leaf macro F1"
SPREAD = "spread over seeds"
CLASS_F1 = "class F1"
CALIBRATION_ERROR = "largest calibration error of a leaf"
PROMISED = "promised"


def figures_of(repeats: Sequence[Evaluation]) -> dict[str, Any]:
    """Sum up evaluations of one view and context, seeds of one classifier, for a card.

    Parameters
    ----------
    repeats : sequence of Evaluation

    Returns
    -------
    dict
        ``view``, ``context``, ``seeds``; by day, the days as text, ``leaf macro F1``, of several seeds its ``spread
        over seeds``, and ``class F1``: of each class that some object has, the mean F1 of the seeds.

    Raises
    ------
    ValueError
        They differ in view or context.
    """
    if len({(run.view, run.context) for run in repeats}) != 1:
        raise ValueError(f"{len(repeats)} evaluations are not all of one view and context")
    leaves = {f"{day:g}": [run.phases[day]["leaves"] for run in repeats] for day in repeats[0].days}
    f1 = {day: [scores.macro.f1 for scores in several] for day, several in leaves.items()}
    found: dict[str, Any] = {"view": repeats[0].view, "context": repeats[0].context, "seeds": len(repeats)}
    found[LEAF_F1] = {day: _short(float(np.mean(values))) for day, values in f1.items()}
    if len(repeats) > 1:
        found[SPREAD] = {day: deviation(values) for day, values in f1.items()}
    found[CLASS_F1] = {
        day: {
            name: _short(value)
            for name, value, count in zip(
                several[0].classes,
                np.mean([scores.f1 for scores in several], axis=0),
                several[0].support,
                strict=True,
            )
            if count
        }
        for day, several in leaves.items()
    }
    return found


def class_f1(figure: Mapping[str, Any]) -> dict[str, dict[str, float]]:
    """Give the F1 of each class by day, days as text; empty of a card written before there were any.

    Examples
    --------
    >>> class_f1({"view": "alert", "leaf macro F1": {"2": 0.7}})
    {}
    """
    return {str(day): dict(scores) for day, scores in figure.get(CLASS_F1, {}).items()}


def without_roots(command: str) -> str:
    """Cut paths from the root of a machine to their last name: a card goes out into the world.

    Examples
    --------
    >>> without_roots("telperion classify /home/me/data -o out/classes.parquet")
    'telperion classify data -o out/classes.parquet'
    """
    return " ".join(Path(word).name if word.startswith("/") else word for word in command.split())


def _short(value: SupportsFloat) -> float:
    return round(float(value), 4)
