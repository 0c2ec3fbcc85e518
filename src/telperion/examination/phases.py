"""What a classifier says as days go by: the probabilities at many phases, with the work between them shared."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import groupby

import numpy as np
from numpy.typing import NDArray

from telperion.classifier import Classifier
from telperion.encode.oracle import MAX_ROWS
from telperion.encode.view import FORCED, View
from telperion.encode.view import view as cut
from telperion.lightcurves import LightCurves


def predictions(
    classifier: Classifier, light_curves: LightCurves, days: Iterable[float], *, view: View | None = None
) -> Iterator[tuple[float, NDArray[np.float32]]]:
    """Give what `Classifier.predict` gives at each day, one day after the other.

    A steppable classifier reads each row once and goes on from its state. In the alert view it starts anew when forced
    photometry first comes in, a day after the first detection, since that reaches back. A light curve is read anew at
    each change once it has more rows than every steppable model reads in one call (500).

    Parameters
    ----------
    classifier : Classifier
    light_curves : LightCurves
    days : iterable of float, d
        Days after the first detection; negative ones are before it.
    view : {"full", "alert"}, optional
        By default the view that the classifier was trained on.

    Yields
    ------
    day : float
        The days in rising order, each once.
    probabilities : array of float32, shape ``(n_objects, n_nodes)``

    Raises
    ------
    ValueError
        A day is NaN.

    Examples
    --------
    >>> import telperion
    >>> from telperion.simulate.drawn import draw
    >>> curves = draw(n_per_class=1, seed=1)
    >>> [(day, said.shape) for day, said in predictions(telperion.load("plasticc-gru"), curves, [8, 2])]
    [(2.0, (14, 21)), (8.0, (14, 21))]
    """
    wanted = sorted({float(day) for day in days})
    if np.isnan(wanted).any():
        raise ValueError("days must not be NaN")
    kind = view or classifier.view
    if not classifier.steppable:
        for day in wanted:
            yield day, classifier.predict(light_curves, days=day, view=kind)
        return
    for _, stretch in groupby(wanted, key=lambda day: kind == "alert" and day >= FORCED):
        yield from _steps(classifier, light_curves, list(stretch), kind)


def _steps(
    classifier: Classifier, light_curves: LightCurves, days: list[float], kind: View
) -> Iterator[tuple[float, NDArray[np.float32]]]:
    """Step through days within which no row is added but at the end."""
    known = cut(light_curves, days[-1], kind)
    start, state = light_curves.first_detection, classifier.start(len(known))
    seen, read = np.zeros(known.n_rows, dtype=bool), np.zeros(len(known), dtype=np.int64)
    anew = np.zeros((len(known), len(classifier.tree)), dtype=np.float32)
    mix = classifier.tree.from_leaves(classifier.mix[None].astype(np.float32))  # of objects without rows
    for day in days:
        now = np.isposinf(day) | (known.time <= (start + day)[known.object_index])  # undetected: on the last day only
        fresh = known.select_rows(now & ~seen)
        result, state = classifier.step(state, fresh)
        read += fresh.lengths
        long = read > MAX_ROWS
        if (grown := long & (fresh.lengths > 0)).any():
            anew[grown] = classifier.predict(known.select_rows(now)[grown], view="full")
        seen = now
        yield day, np.select([(read == 0)[:, None], long[:, None]], [mix, anew], result)
