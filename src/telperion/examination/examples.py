"""Which objects a page shows, and which classes are taken for each other; chosen by rules, not by hand."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from telperion.lightcurves import LightCurves
from telperion.scores import LevelScores
from telperion.taxonomy import Taxonomy


def well_sampled(
    light_curves: LightCurves, labels: NDArray[np.int64], decided: NDArray[np.int64], tree: Taxonomy
) -> dict[str, int]:
    """Choose one object of each leaf: with more detections than three quarters of those that are decided rightly.

    A leaf of which none is decided rightly shows one of all its objects; an absent one none.

    Parameters
    ----------
    light_curves : LightCurves
    labels, decided : array of int, shape ``(n_objects,)``
        Positions of the true nodes and of the leaves decided for.

    Returns
    -------
    dict of str to int
        Position of the object by leaf.
    """
    detections = _detections(light_curves)
    chosen = {}
    for leaf in tree.leaves:
        members = np.flatnonzero(labels == leaf)
        right = members[decided[members] == leaf]
        pool = right if right.size else members
        if pool.size:
            order = pool[np.argsort(detections[pool], kind="stable")]
            chosen[tree.nodes[leaf]] = int(order[3 * order.size // 4])
    return chosen


def best_sampled(light_curves: LightCurves, labels: NDArray[np.int64], node: int, most: int) -> NDArray[np.int64]:
    """Give the objects of a class with the most detections, the most first; positions."""
    members = np.flatnonzero(labels == node)
    return members[np.argsort(-_detections(light_curves)[members], kind="stable")][:most]


def hardest(scores: LevelScores) -> str:
    """Name the class that is present and has the lowest F1."""
    return scores.classes[int(np.argmin(np.where(scores.support > 0, scores.f1, np.inf)))]


def look_alikes(scores: Sequence[LevelScores], name: str, most: int = 3) -> list[str]:
    """Name the classes that a class is taken for, and that are taken for it, most often over several phases.

    Both are counted as shares of the true class, so that a common class does not win by its number alone.

    Examples
    --------
    >>> from telperion.evaluate import evaluate
    >>> tree = Taxonomy("toy", {"Alert": {"CaRT": {}, "SNII": {}, "SNIa": {}}})
    >>> said = tree.from_leaves([[0.4, 0.5, 0.1], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]])
    >>> look_alikes([evaluate(said, [1, 2, 3], tree)["leaves"]], "CaRT", most=1)
    ['SNII']
    """
    place = scores[0].classes.index(name)
    alike = np.zeros(len(scores[0].classes))
    for phase in scores:
        share = phase.confusion / np.maximum(phase.support, 1)[:, None]
        alike += share[place] + share[:, place]
    alike[place] = -1
    order = [int(other) for other in np.argsort(-alike, kind="stable") if alike[other] > 0]
    return [scores[0].classes[other] for other in order[:most]]


def _detections(light_curves: LightCurves) -> NDArray[np.int64]:
    return np.bincount(light_curves.object_index[light_curves.detected], minlength=len(light_curves))
