"""Answers at once for light curves that no stream has seen: the latest of many, and the whole track of one."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from telperion.classifier import Classifier
from telperion.encode.view import days_known, held_context, view
from telperion.lightcurves import LightCurves
from telperion.portal.shown import Shown, Track

MOST_MOMENTS = 60
"""Moments of one object's track: of more nights with detections, these are spread evenly over them in order."""

_NIGHT = 0.5  # d: detections closer than this are one night's


def moments(curves: LightCurves) -> NDArray[np.float64]:
    """Give the days after the first detection at which an object is answered: after each night with a detection.

    Parameters
    ----------
    curves : LightCurves
        Of one object.

    Returns
    -------
    array, shape ``(n_moments,)``, d
        Rising; at least the last row's, where that is later. Without a detection there are none.

    Examples
    --------
    >>> curve = LightCurves(["a"], [0, 4], [1.0, 5.0, 5.1, 9.0], [1, 1, 2, 1], [1, 9, 9, 9], [1, 1, 1, 1], [0, 1, 1, 1])
    >>> moments(curve).round(2)
    array([0.1, 4. ])
    """
    since = curves.days_since_first_detection
    seen = since[curves.detected]
    if not seen.size:
        return np.zeros(0)
    last = np.append(np.diff(seen) > _NIGHT, True)
    found = np.unique(np.append(seen[last], max(since[-1], seen[-1])))
    if found.size > MOST_MOMENTS:
        found = found[np.unique(np.linspace(0, found.size - 1, MOST_MOMENTS).round().astype(int))]
    return np.asarray(found)


def without_dust(curves: LightCurves) -> LightCurves:
    """Correct fluxes for dust as far as E(B-V) is known, as the stream does: where it is not they stay as they are."""
    return curves if curves.dereddened else curves.deredden(unknown=0.0)


def track(classifier: Classifier, curves: LightCurves) -> Track:
    """Answer one object as if its light curve grew night by night.

    Parameters
    ----------
    classifier : Classifier
    curves : LightCurves
        Of one object.
    """
    when = moments(curves)
    known = _known(classifier, _repeated(curves, when.size), when)
    probabilities, leaf, confident = _said(classifier, known)
    return Track(curves.first_detection[0] + when, when, known.lengths, probabilities, leaf, confident)


def latest(classifier: Classifier, curves: LightCurves) -> Track:
    """Give the latest answer on each object, in their order; days are NaN of an object without a detection."""
    since = curves.days_since_first_detection
    when = np.full(len(curves), np.nan)
    rows = np.flatnonzero(np.isfinite(since))
    np.fmax.at(when, curves.object_index[rows], since[rows])
    known = _known(classifier, curves, np.nan_to_num(when))
    probabilities, leaf, confident = _said(classifier, known)
    return Track(curves.first_detection + when, when, known.lengths, probabilities, leaf, confident)


def shown(classifier: Classifier, name: str, curves: LightCurves) -> Shown:
    """Give one object with its track, as its page shows it."""
    level = float("nan") if classifier.promise is None else classifier.promise.usual
    kind = str(held_context(curves)[0])
    return Shown(curves, track(classifier, curves), classifier.tree, name, classifier.fingerprint, level, kind)


def _repeated(curves: LightCurves, times: int) -> LightCurves:
    def tiled(values: NDArray) -> NDArray:
        return np.tile(values, times)

    return LightCurves(
        np.arange(times).astype(np.str_), np.arange(times + 1) * curves.n_rows, tiled(curves.time), tiled(curves.band),
        tiled(curves.flux), tiled(curves.flux_err), tiled(curves.detected),
        context={name: np.repeat(values, times) for name, values in curves.context.items()},
        dereddened=curves.dereddened,
    )  # fmt: skip


def _known(classifier: Classifier, curves: LightCurves, when: NDArray[np.float64]) -> LightCurves:
    return view(without_dust(curves), when, classifier.view)


def _said(
    classifier: Classifier, known: LightCurves
) -> tuple[NDArray[np.float32], NDArray[np.int64], NDArray[np.int64]]:
    probabilities = classifier.predict(known, view="full")
    if not len(known):
        none = np.zeros(0, dtype=np.int64)
        return probabilities, none, none
    if classifier.promise is None:
        confident = classifier.tree.confident(probabilities)
    else:
        confident = classifier.promised(probabilities, np.nan_to_num(days_known(known)), held_context(known))
    return probabilities, classifier.decide(probabilities), np.where(known.lengths > 0, confident, 0)
