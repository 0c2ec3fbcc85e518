"""What the model page says: the card, how reliable probabilities are, what is taken for what, what it is not for."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from telperion.classifier import Classifier
from telperion.portal.evaluations import Measured
from telperion.scores import LevelScores

CONTEXTS = {
    "specz": "with a spectroscopic redshift",
    "photoz": "with host and photometric redshift",
    "none": "light curve only",
}
"""Kinds of context, in words."""

UNKNOWN = (
    "Light curves of other surveys' depth, cadence or bands: it has learnt LSST's ugrizy, simulated.",
    "Counting rates or populations: its probabilities assume the class mix below; other mixes need other weights.",
    "Deciding alone about what costs much: the promise holds for objects like those it was measured on, on average, at "
    "one moment; not for each object, not for classes it does not know, not at all moments of a stream together.",
    "Solar-system objects, artefacts and anything that is no point source in the difference image.",
)
"""What a classifier must not be used for of which nobody has written it down."""


@dataclass(frozen=True)
class Cell:
    """One cell of the confusion matrix: share of its true class, number, and how dark it is drawn."""

    share: float
    number: int
    shade: float


@dataclass(frozen=True)
class Bin:
    """One bin of the reliability diagram, in its coordinates of 0 to 100, upwards counted from the top."""

    belief: float
    frequency: float
    number: int
    low: float
    high: float
    radius: float


@dataclass(frozen=True, eq=False)
class Found:
    """What was measured with one context at one phase."""

    context: str
    day: float
    classes: tuple[str, ...]
    cells: list[list[Cell]]
    bins: list[Bin]
    scores: LevelScores
    calibration_error: float


def found(measured: Measured, context: str, day: float) -> Found:
    """Choose what is shown of a measurement: the context and the day that are asked for, or the nearest there are."""
    run = measured.run(context)
    nearest = min(run.days, key=lambda each: abs(np.log1p(min(each, 1e6)) - np.log1p(max(day, 0.0))))
    scores = run.phases[nearest]["leaves"]
    return Found(
        run.context, nearest, scores.classes, _cells(scores), _bins(scores), scores,
        float(np.nanmax(scores.calibration_error)),
    )  # fmt: skip


def wilson(hits: NDArray[np.floating], n: NDArray[np.floating]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Give the 95 % interval of a share (Wilson 1927, J. Am. Stat. Assoc. 22, 209).

    Examples
    --------
    >>> low, high = wilson(np.array([8.0]), np.array([10.0]))
    >>> low.round(3), high.round(3)
    (array([0.49]), array([0.943]))
    """
    z = 1.959964
    share, size = hits / n, 1 + z**2 / n
    middle = (share + z**2 / (2 * n)) / size
    half = z / size * np.sqrt(share * (1 - share) / n + z**2 / (4 * n**2))
    return middle - half, middle + half


def facts(classifier: Classifier) -> list[tuple[str, str]]:
    """Give what the card says, as names and texts."""
    run, card = classifier.run, classifier.card
    settings = run.get("model", {})
    lines = [
        ("kind", f"{classifier.kind}{', goes on observation by observation' if classifier.steppable else ''}"),
        ("tree", f"{classifier.tree.name}: {len(classifier.tree)} nodes, {classifier.tree.leaves.size} classes"),
        ("view", "what a live alert tells" if classifier.view == "alert" else "whole light curves"),
        ("fingerprint", classifier.fingerprint or "not saved"),
        ("measured", str(card.get("protocol", "not known"))),
        ("by the command", str(card.get("command", "not known"))),
    ]
    if size := settings.get("hidden"):
        lines.insert(1, ("size", f"{settings.get('layers', 1)} layer of {size} units"))
    if promise := classifier.promise:
        levels = ", ".join(f"{100 * level:g} %" for level in promise.levels)
        lines.append(("promises", f"{levels}; shown here: {100 * promise.usual:g} %"))
    else:
        lines.append(("promises", "none: what is shown as promised is the deepest node above 0.9"))
    calibration = "vector scaling along the tree, by phase" if classifier.calibration else "none of its own"
    lines.append(("calibration", calibration))
    lines.append(("strangeness", "known, see an object's page" if classifier.aliens else "not known"))
    return lines


def mix(classifier: Classifier) -> list[tuple[str, float]]:
    """Give the class mix that probabilities assume, largest first."""
    names = [classifier.tree.nodes[leaf] for leaf in classifier.tree.leaves]
    return sorted(zip(names, classifier.mix.tolist(), strict=True), key=lambda pair: -pair[1])


def scores_by_day(measured: Measured) -> list[tuple[str, list[tuple[float, float, float]]]]:
    """Give, for each context, its days with the leaves' macro F1 and the largest calibration error of a class."""
    table = []
    for run in measured.runs:
        days = []
        for day, scores in run.phases.items():
            leaves = scores["leaves"]
            days.append((day, leaves.macro.f1, float(np.nanmax(leaves.calibration_error))))
        table.append((run.context, days))
    return table


def _cells(scores: LevelScores) -> list[list[Cell]]:
    total = np.maximum(scores.support[:, None], 1)
    share = scores.confusion / total
    return [
        [Cell(float(s), int(n), round(float(s) ** 0.6, 3)) for s, n in zip(row, numbers, strict=True)]
        for row, numbers in zip(share, scores.confusion, strict=True)
    ]


def _bins(scores: LevelScores) -> list[Bin]:
    rows = scores.reliability[scores.reliability[:, 2] > 0]
    if not len(rows):
        return []
    belief, frequency, number = rows.T
    low, high = wilson(frequency * number, number)
    radius = 1.2 + 2.2 * np.sqrt(number / number.max())
    return [
        Bin(100 * b, 100 - 100 * f, int(n), 100 - 100 * lo, 100 - 100 * hi, round(float(r), 2))
        for b, f, n, lo, hi, r in zip(belief, frequency, number, low, high, radius, strict=True)
    ]
