"""Look at the states of a classifier's network at many moments, and let it know what is strange among them."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from rich.progress import Progress

from telperion.aliens.known import DIRECTIONS, MOMENTS, KnownObjects, thinned
from telperion.aliens.strangeness import Aliens
from telperion.classifier import Classifier
from telperion.encode.view import FORCED, Context, held_context, keep_context
from telperion.encode.view import view as cut
from telperion.lightcurves import LightCurves
from telperion.train import labelled

DAYS = (0.0, *(2.0**n for n in range(11)))
"""Moments, in days after the first detection, at which objects are looked at."""

CONTEXTS: tuple[Context, ...] = ("specz", "photoz", "none")

_BATCH = 2000


@dataclass(frozen=True, eq=False)
class States:
    """What a network makes of labelled objects; a row an object, context and moment at which a row of it is known.

    Parameters
    ----------
    hidden : array of float32, shape ``(n, n_hidden)``
    labels : array of str, shape ``(n,)``
    days : array, shape ``(n,)``, d
        After the first detection, up to which each is known.
    rows : array of int, shape ``(n,)``
        How many of its rows are known.
    held : array of str, shape ``(n,)``
        The context that each really has (`telperion.encode.view.held_context`).
    kept : array of str, shape ``(n,)``
        The context that was asked for.
    moment : array, shape ``(n,)``, d
        At which it was looked at.
    object_id : array of str, shape ``(n,)``
    """

    hidden: NDArray[np.float32]
    labels: NDArray[np.str_]
    days: NDArray[np.float64]
    rows: NDArray[np.int64]
    held: NDArray[np.str_]
    kept: NDArray[np.str_]
    moment: NDArray[np.float64]
    object_id: NDArray[np.str_]


def look(
    classifier: Classifier,
    light_curves: LightCurves,
    *,
    contexts: Sequence[Context] = CONTEXTS,
    days: Sequence[float] = DAYS,
    progress: Progress | None = None,
) -> States:
    """Look at the states of labelled objects at several moments, in the classifier's own view.

    Parameters
    ----------
    classifier : Classifier
        Steppable.
    light_curves : LightCurves
        Objects without a label are left out with a notice.
    contexts : sequence of {"specz", "photoz", "none"}
    days : sequence of float, d
        Rising.
    progress : rich.progress.Progress, optional

    Raises
    ------
    TypeError
        The classifier has no states.
    ValueError
        Nothing is labelled, days do not rise from 0 or later, or no context is given.
    """
    moments = np.asarray(days, dtype=np.float64)
    if not moments.size or not (np.diff(moments) > 0).all() or not moments[0] >= 0 or not contexts:
        raise ValueError("objects are looked at in one context or more, at days that rise and are not below zero")
    known = labelled(light_curves, classifier.tree)
    task = progress.add_task("looking", total=len(contexts) * len(known)) if progress else None
    parts: list[dict[str, NDArray]] = []
    for context in contexts:
        curves = keep_context(known, context)
        for start in range(0, len(curves), _BATCH):
            some = curves[start : start + _BATCH]
            parts += [part | {"kept": np.full(part["days"].size, context)} for part in _look(classifier, some, moments)]
            if progress and task is not None:
                progress.advance(task, len(some))
    names = [field.name for field in dataclasses.fields(States)]
    return States(**{name: np.concatenate([part[name] for part in parts]) for name in names})


def _look(classifier: Classifier, curves: LightCurves, moments: NDArray[np.float64]) -> list[dict[str, NDArray]]:
    """Go on from one moment to the next; of each, the objects of which a row is known."""
    state, before, found = classifier.start(len(curves)), -np.inf, []
    label, held = np.asarray(curves.label, dtype=np.str_), held_context(curves)
    for moment in moments:
        known = cut(curves, moment, classifier.view)
        if classifier.view == "alert" and before < FORCED <= moment:  # forced photometry reaches back
            state, before = classifier.start(len(curves)), -np.inf
        new = known if before == -np.inf else known.select_rows(known.days_since_first_detection > before)
        state, before = classifier.advance(state, new), moment
        seen = known.lengths > 0
        values = {
            "hidden": state.hidden[:, -1], "labels": label, "days": state.days, "rows": known.lengths, "held": held,
            "moment": np.full(len(curves), moment), "object_id": curves.object_id,
        }  # fmt: skip
        found.append({name: column[seen] for name, column in values.items()})
    return found


def acquaint(classifier: Classifier, states: States, *, seed: int = 0) -> Classifier:
    """Let a classifier know what is strange among objects that taught it nothing.

    Half of the objects, drawn at random, say what the classes are like; the other half, how far known objects are.

    Parameters
    ----------
    classifier : Classifier
        Aliens that it knows are replaced.
    states : States
        From `look`.
    seed : int
        The order of the objects does not matter, their ids do.

    Raises
    ------
    ValueError
        There are too few objects (see `telperion.aliens.distance.Distance.fit`).
    """
    names = np.unique(states.object_id)
    measuring = np.random.default_rng(seed).permutation(names)[: names.size // 2]
    contexts = CONTEXTS if np.unique(states.kept).size > 1 or states.kept[0] != "none" else ("none",)
    aliens = Aliens.fit(
        states.hidden, states.labels, states.days, states.rows, measures=np.isin(states.object_id, measuring),
        context=states.held, contexts=contexts,
    )  # fmt: skip
    return dataclasses.replace(classifier, aliens=aliens)


def keep(classifier: Classifier, light_curves: LightCurves, *, progress: Progress | None = None) -> Classifier:
    """Let a classifier keep labelled objects with their light curves, to show which of them another looks like.

    Parameters
    ----------
    classifier : Classifier
        That knows what is strange (`acquaint`).
    light_curves : LightCurves
        Some objects of each class: all of them are kept.
    progress : rich.progress.Progress, optional

    Raises
    ------
    TypeError
        The classifier does not know what is strange.
    ValueError
        As `look`.
    """
    if classifier.aliens is None:
        raise TypeError("this classifier does not know what is strange: acquaint it first")
    distance = classifier.aliens.distance
    states = look(classifier, light_curves, days=MOMENTS, progress=progress)
    known = labelled(light_curves, classifier.tree)
    order = np.argsort(known.object_id)
    place = order[np.searchsorted(known.object_id[order], states.object_id)]
    width = min(DIRECTIONS, distance.turn.shape[2])
    turned = np.full((len(CONTEXTS), len(MOMENTS), len(known), width), np.nan, dtype=np.float16)
    for number, context in enumerate(CONTEXTS):
        for step, moment in enumerate(MOMENTS):
            mine = (states.kept == context) & (states.moment == moment)
            turned[number, step, place[mine]] = distance.turned(states.hidden[mine], moment)[:, :width]
    redshift = known.context.get("redshift", np.full(len(known), np.nan))
    shown = thinned(cut(known, np.inf, classifier.view)).with_context({"redshift": redshift})
    objects = KnownObjects(shown, CONTEXTS, np.asarray(MOMENTS), turned)
    return dataclasses.replace(classifier, aliens=dataclasses.replace(classifier.aliens, known=objects))


def alarms(classifier: Classifier, states: States, levels: Sequence[float]) -> dict[tuple[str, float], NDArray]:
    """Give the shares of known objects whose strangeness is above each level, by context asked for and moment.

    Raises
    ------
    TypeError
        The classifier knows of no aliens.
    """
    if classifier.aliens is None:
        raise TypeError("this classifier does not know what is strange")
    score = classifier.aliens.score(states.hidden, states.days, states.rows, states.held)
    found = {}
    for context in dict.fromkeys(states.kept.tolist()):
        for moment in np.unique(states.moment):
            mine = score[(states.kept == context) & (states.moment == moment)]
            found[context, float(moment)] = np.mean(mine[:, None] > np.asarray(levels), axis=0)
    return found


def alike(classifier: Classifier, states: States) -> dict[tuple[str, float], float]:
    """Give the share of objects whose nearest known object is of their own class, by context asked for and moment.

    Raises
    ------
    TypeError
        The classifier keeps no known objects.
    """
    if classifier.aliens is None or classifier.aliens.known is None:
        raise TypeError("this classifier keeps no known objects")
    known, distance = classifier.aliens.known, classifier.aliens.distance
    own = np.zeros(states.days.size, dtype=bool)
    for k in range(own.size):
        nearest, _ = known.nearest(distance, states.hidden[k], float(states.days[k]), str(states.held[k]), 1)
        own[k] = nearest.size > 0 and known.curves.label[nearest[0]] == states.labels[k]
    return {
        (context, float(moment)): float(own[(states.kept == context) & (states.moment == moment)].mean())
        for context in dict.fromkeys(states.kept.tolist())
        for moment in np.unique(states.moment)
    }
