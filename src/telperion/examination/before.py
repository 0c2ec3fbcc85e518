"""Before the first detection: what non-detections, context and both tell, as in Table 6 of Shah et al. (2025)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from telperion.classifier import Classifier
from telperion.encode.view import keep_context
from telperion.evaluate import evaluate
from telperion.lightcurves import LightCurves
from telperion.models.gru import Gru
from telperion.scores import Scores

NON_DETECTIONS, CONTEXT, BOTH = "non-detections only", "context only", "both"
NETWORK = "context only, the network asked"


@dataclass(frozen=True, eq=False)
class Before:
    """Scores before the first detection.

    Parameters
    ----------
    scores : mapping of str to Scores
        By what is known: `NON_DETECTIONS`, `CONTEXT` (a classifier gives the class mix to an object without rows),
        `NETWORK` (of a recurrent network alone: what it says after no rows, which it never learnt and no
        calibration was fitted on) and `BOTH`.
    without_rows : int
        Objects that were not visited before their first detection.
    objects : int
    """

    scores: dict[str, Scores]
    without_rows: int
    objects: int

    @property
    def network_asked(self) -> bool:
        """Whether `NETWORK` is among them."""
        return NETWORK in self.scores


def before_detection(classifier: Classifier, light_curves: LightCurves, labels: NDArray[np.int64]) -> Before:
    """Score a classifier on what is known of objects before their first detection, in the full view.

    A live alert knows nothing of that time before there is a detection, so that there is no alert view of it.

    Parameters
    ----------
    classifier : Classifier
    light_curves : LightCurves
        Each with a detection; rows from that on are not looked at.
    labels : array of int, shape ``(n_objects,)``
        As in `telperion.evaluate.evaluate`.

    Raises
    ------
    ValueError
        An object has no detection.
    """
    start = light_curves.first_detection
    if (undetected := np.flatnonzero(np.isnan(start))).size:
        first = light_curves.object_id[undetected[0]]
        raise ValueError(f"{undetected.size} objects have no detection, first '{first}'")
    both = light_curves.select_rows(light_curves.time < start[light_curves.object_index])
    alone = both.select_rows(np.zeros(both.n_rows, dtype=bool))
    said = {
        NON_DETECTIONS: classifier.predict(keep_context(both, "none"), view="full"),
        CONTEXT: classifier.predict(alone, view="full"),
    }
    if isinstance(classifier.model, Gru):
        said[NETWORK] = classifier.model.predict_context(alone)
    said[BOTH] = classifier.predict(both, view="full")
    scores = {}
    for known, found in said.items():
        mix = classifier.model.mix if known == NETWORK else classifier.mix
        decided = classifier.decide(found, prior=mix)
        scores[known] = evaluate(found, labels, classifier.tree, decided=decided, mix=mix)
    return Before(scores, int((both.lengths == 0).sum()), len(both))
