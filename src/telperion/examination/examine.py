"""`examine`: scores, courses, what is known before the first detection, and run times of one classifier."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from rich.progress import Progress

from telperion.classifier import Classifier
from telperion.encode.view import Context, View, keep_context
from telperion.evaluate import evaluate
from telperion.examination.before import Before, before_detection
from telperion.examination.course import AFTER, BEFORE, Course, Follower
from telperion.examination.phases import predictions
from telperion.examination.timing import RunTime, run_time
from telperion.examination.trust import Trusted, TrustFollower
from telperion.intervals import Interval, bootstrap_gap
from telperion.lightcurves import LightCurves, RepairWarning
from telperion.scores import LEVELS, PHASES, Evaluation
from telperion.taxonomy import Taxonomy

BATCHES = {2000: 5, 1: 200}
"""Light curves handed over at once, and how often that is timed."""


@dataclass(frozen=True, eq=False)
class Examined:
    """One classifier on one set of objects.

    Parameters
    ----------
    name : str
    classifier : Classifier
    evaluations : mapping of View to Evaluation
        The classifier's own view first.
    said : mapping of (View, float) to array, shape ``(n_objects, n_nodes)``
        Node probabilities by view and phase.
    courses : mapping of View to Course
    trusted : Trusted
        How far it can be believed in its own view.
    before : Before
    times : list of RunTime
    """

    name: str
    classifier: Classifier
    evaluations: Mapping[View, Evaluation]
    said: Mapping[tuple[View, float], NDArray[np.float32]]
    courses: Mapping[View, Course]
    trusted: Trusted
    before: Before
    times: list[RunTime]

    @property
    def own(self) -> tuple[View, Evaluation]:
        """The view that the classifier was taught on, if it was scored in it, else the other; its evaluation."""
        return next(iter(self.evaluations.items()))


def detected(light_curves: LightCurves) -> LightCurves:
    """Leave out objects without a detection, with a notice; they have no phase at which they could be scored.

    Raises
    ------
    ValueError
        No object has a label.
    """
    if not (light_curves.label != "").any():
        raise ValueError("the light curves have no labels to score against")
    undetected = np.isnan(light_curves.first_detection)
    if undetected.any():
        first = str(light_curves.object_id[undetected][0])
        left = f"{undetected.sum()} objects without a detection are not scored, first {first!r}"
        warnings.warn(left, RepairWarning, stacklevel=3)
        light_curves = light_curves[~undetected]
    return light_curves


def score(
    classifier: Classifier,
    light_curves: LightCurves,
    *,
    days: Sequence[float] = PHASES,
    view: View | None = None,
    context: Context = "specz",
) -> Evaluation:
    """Score a classifier, decision rule and all, on labelled light curves at several days after first detection.

    Parameters
    ----------
    classifier : Classifier
    light_curves : LightCurves
        Objects without a detection are left out with a notice; an empty label counts as left out on every level.
    days : sequence of float, d
    view : {"full", "alert"}, optional
        By default the view that the classifier was trained on.
    context : {"specz", "photoz", "none"}

    Raises
    ------
    ValueError
        No object has a label, or the tree does not know one.
    """
    light_curves = detected(light_curves)
    labels = classifier.tree.labels(light_curves.label)
    known = keep_context(light_curves, context)
    phases = {}
    for day, said in predictions(classifier, known, days, view=view):
        phases[day] = evaluate(said, labels, classifier.tree, decided=classifier.decide(said), mix=classifier.mix)
    return Evaluation(view or classifier.view, context, phases)


def examine(
    name: str,
    classifier: Classifier,
    light_curves: LightCurves,
    *,
    days: Sequence[float] = PHASES,
    views: Sequence[View] = ("full", "alert"),
    context: Context = "specz",
    batches: Mapping[int, int] | None = None,
    progress: Progress | None = None,
) -> Examined:
    """Score a classifier at several phases in each view, follow its probabilities, ask it before detections, time it.

    Parameters
    ----------
    name : str
        What it is called.
    classifier : Classifier
    light_curves : LightCurves
        Labelled, each with a detection (see `detected`).
    days : sequence of float, d
        Phases that are scored. A steppable classifier is followed at many more (`telperion.examination.course`); any
        other costs as much at each, and is followed at these alone.
    views : sequence of {"full", "alert"}
    context : {"specz", "photoz", "none"}
    batches : mapping of int to int, optional
        Sizes of the batches that are timed, and how often; by default `BATCHES`. One that the objects do not fill is
        made of all of them.
    progress : rich.progress.Progress, optional

    Raises
    ------
    ValueError
        An object has no detection, the tree does not know a label, no label is a leaf, or no day is finite.
    """
    if not np.isfinite(days).any():
        raise ValueError("no finite day is given: there is no phase at which probabilities could be followed")
    labels, known = classifier.tree.labels(light_curves.label), keep_context(light_curves, context)
    order = sorted(views, key=lambda view: view != classifier.view)
    grids = {view: _grid(classifier, days, view) for view in order}
    total = sum(len(grid) for grid in grids.values()) + 2
    task = progress.add_task(f"{name}: examined", total=total) if progress else None

    def advance() -> None:
        if progress and task is not None:
            progress.advance(task)

    evaluations: dict[View, Evaluation] = {}
    courses: dict[View, Course] = {}
    kept: dict[tuple[View, float], NDArray[np.float32]] = {}
    trust = TrustFollower(classifier, known, labels, order[0], context)
    for view, grid in grids.items():
        follower, phases = Follower(labels, classifier.tree), {}
        for day, said in predictions(classifier, known, grid, view=view):
            if np.isfinite(day):
                follower.add(day, said)
            if view == order[0]:
                trust.add(day, said, scored=day in days)
            if day in days:
                decided = classifier.decide(said)
                phases[day] = evaluate(said, labels, classifier.tree, decided=decided, mix=classifier.mix)
                kept[view, day] = said
            advance()
        evaluations[view], courses[view] = Evaluation(view, context, phases), follower.course()
    before = before_detection(classifier, known, labels)
    advance()
    sizes = {min(batch, len(known)): runs for batch, runs in (batches or BATCHES).items()}
    times = [run_time(classifier, known, batch=batch, runs=runs) for batch, runs in sizes.items()]
    advance()
    return Examined(name, classifier, evaluations, kept, courses, trust.trusted(), before, times)


def gaps(
    ours: Examined, theirs: Examined, labels: NDArray[np.int64], *, days: Sequence[float], n_draws: int = 1000
) -> dict[View, dict[str, dict[float, Interval]]]:
    """Bootstrap the macro F1 of one classifier minus another's over the objects, by view, level and phase.

    Parameters
    ----------
    ours, theirs : Examined
        On the same objects, along one tree.
    labels : array of int, shape ``(n_objects,)``
    days : sequence of float, d
        Those at which both were scored are compared.

    Raises
    ------
    ValueError
        Their trees differ.
    """
    tree = same_tree([ours.classifier, theirs.classifier])
    found: dict[View, dict[str, dict[float, Interval]]] = {}
    for view in ours.evaluations:
        pairs = {
            day: (ours.said[view, day], theirs.said[view, day])
            for day in days
            if (view, day) in ours.said and (view, day) in theirs.said
        }
        found[view] = {level: {} for level in LEVELS}
        for day, (mine, other) in pairs.items():
            decided = ours.classifier.decide(mine), theirs.classifier.decide(other)
            for level in LEVELS:
                found[view][level][day] = bootstrap_gap(
                    mine, other, labels, tree, level, decided=decided, n_draws=n_draws
                )
    return found


def same_tree(classifiers: Sequence[Classifier]) -> Taxonomy:
    """Give the tree that classifiers share.

    Raises
    ------
    ValueError
        They have not all the same nodes.
    """
    tree = classifiers[0].tree
    if other := [each.tree.name for each in classifiers if each.tree != tree]:
        raise ValueError(f"{len(other)} classifiers have another tree than {tree.name!r}, first {other[0]!r}")
    return tree


def _grid(classifier: Classifier, days: Sequence[float], view: View) -> list[float]:
    followed = ((*BEFORE, *AFTER) if view == "full" else AFTER) if classifier.steppable else ()
    return sorted({float(day) for day in (*days, *followed)})
