"""From what a sky knows of an object to what its page shows."""

from __future__ import annotations

import numpy as np

from telperion.portal.shown import Shown, Track
from telperion.serve.sky import Known, Sky


def shown_of(sky: Sky, known: Known) -> Shown:
    """Give what a page shows of an object of a sky."""
    answers = known.answers
    track = Track(
        answers.alert_time, answers.days, answers.n_rows.astype(np.int64), answers.probabilities, answers.leaf,
        answers.confident,
    )  # fmt: skip
    kind = str(answers.context[-1]) if len(answers) else ""
    return Shown(known.light_curve, track, sky.tree, sky.name, sky.version, sky.level, kind)
