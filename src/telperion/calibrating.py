"""Ask a classifier about objects that taught it nothing at many moments; calibrate it, and have it promise."""

from __future__ import annotations

import dataclasses
import warnings
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from rich.progress import Progress

from telperion.calibrate import Calibration
from telperion.classifier import Classifier, decide
from telperion.encode.view import FORCED, Context, View, days_known, held_context, keep_context
from telperion.encode.view import view as cut
from telperion.lightcurves import LightCurves, RepairWarning
from telperion.models import Model, SteppableModel
from telperion.promise import LEVELS, Promise
from telperion.scores import PHASES, precision_recall_f1
from telperion.train import POWERS, labelled

DAYS = (0.0, *(2.0 ** (n / 2) for n in range(21)))
"""Moments, in days after the first detection, at which objects are asked about."""

CONTEXTS: tuple[Context, ...] = ("specz", "photoz", "none")

_BATCH = 4000


@dataclass(frozen=True, eq=False)
class Answers:
    """What a model says of labelled objects at several moments in one context, before any calibration.

    Parameters
    ----------
    context : {"specz", "photoz", "none"}
        What was kept of the context.
    days : array, shape ``(n_moments,)``, d
    probabilities : array of float32, shape ``(n_moments, n_objects, n_nodes)``
    known : array, shape ``(n_moments, n_objects)``, d
        See `telperion.encode.view.days_known`; NaN where no row is known.
    held : array of str, shape ``(n_objects,)``
        See `telperion.encode.view.held_context`.
    labels : array of int, shape ``(n_objects,)``
    order : array of int, shape ``(n_objects,)``
        The objects by their ids.
    """

    context: Context
    days: NDArray[np.float64]
    probabilities: NDArray[np.float32]
    known: NDArray[np.float64]
    held: NDArray[np.str_]
    labels: NDArray[np.int64]
    order: NDArray[np.int64]

    def __getitem__(self, which: NDArray[np.bool_]) -> Answers:
        """Select objects."""
        order = np.argsort(np.argsort(self.order)[which])
        return dataclasses.replace(
            self, probabilities=self.probabilities[:, which], known=self.known[:, which], held=self.held[which],
            labels=self.labels[which], order=order,
        )  # fmt: skip

    def at(self, days: ArrayLike) -> Answers:
        """Select moments: those of `days`, d, that there are."""
        which = np.isin(self.days, days)
        return dataclasses.replace(
            self, days=self.days[which], probabilities=self.probabilities[which], known=self.known[which]
        )


def ask(
    classifier: Classifier,
    light_curves: LightCurves,
    *,
    contexts: Sequence[Context] = CONTEXTS,
    days: Sequence[float] = DAYS,
    view: View | None = None,
    progress: Progress | None = None,
) -> list[Answers]:
    """Ask a classifier's model about labelled objects at several moments.

    Parameters
    ----------
    classifier : Classifier
    light_curves : LightCurves
        Objects without a label or a detection are left out with a notice.
    contexts : sequence of {"specz", "photoz", "none"}
    days : sequence of float, d
        Rising.
    view : {"full", "alert"}, optional
        By default the classifier's own.
    progress : rich.progress.Progress, optional

    Returns
    -------
    list of Answers
        One a context.

    Raises
    ------
    ValueError
        Nothing is labelled and detected, days do not rise from 0 or later, or no context is given.
    """
    moments = np.asarray(days, dtype=np.float64)
    if not moments.size or not (np.diff(moments) > 0).all() or not moments[0] >= 0 or not contexts:
        raise ValueError("objects are asked about in one context or more, at days that rise and are not below zero")
    known = labelled(light_curves, classifier.tree)
    detected = np.isfinite(known.first_detection)
    if not detected.any():
        raise ValueError("none of the labelled objects has a detection")
    if not detected.all():
        first = str(known.object_id[~detected][0])
        warnings.warn(
            f"{(~detected).sum()} objects without a detection are left out, first {first!r}", RepairWarning, 2
        )
        known = known[detected]
    task = progress.add_task("asking", total=len(contexts) * len(known)) if progress else None
    found = []
    for context in contexts:
        curves = keep_context(known, context)
        said, through = [], []
        for start in range(0, len(curves), _BATCH):
            part = curves[start : start + _BATCH]
            probabilities, phase = _ask(classifier.model, part, moments, view or classifier.view)
            said.append(probabilities)
            through.append(phase)
            if progress and task is not None:
                progress.advance(task, len(part))
        labels, order = classifier.tree.labels(curves.label), np.argsort(curves.object_id)
        rows = np.concatenate(said, axis=1), np.concatenate(through, axis=1)
        found.append(Answers(context, moments, *rows, held_context(curves), labels, order))
    return found


def _ask(
    model: Model, light_curves: LightCurves, moments: NDArray[np.float64], view: View
) -> tuple[NDArray[np.float32], NDArray[np.float64]]:
    """Predict at each moment; a steppable model goes on from one to the next."""
    said, through = [], []
    state, before = None, -np.inf
    for moment in moments:
        known = cut(light_curves, moment, view)
        if isinstance(model, SteppableModel) and model.steppable:
            if state is None or (view == "alert" and before < FORCED <= moment):  # forced photometry reaches back
                state, before = model.start(len(known)), -np.inf
            new = known if before == -np.inf else known.select_rows(known.days_since_first_detection > before)
            probabilities, state = model.step(state, new)
        else:
            probabilities = model.predict(known)
        said.append(probabilities)
        through.append(days_known(known))
        before = moment
    return np.stack(said), np.stack(through)


def calibrate(
    classifier: Classifier, answers: Sequence[Answers], *, levels: Sequence[float] = LEVELS, seed: int = 0
) -> Classifier:
    """Calibrate a classifier, and have it promise.

    Half of the objects, drawn at random, fit the calibration and choose the prices of promises; the other half holds
    these. The power of the decision rule is chosen anew on all.

    Parameters
    ----------
    classifier : Classifier
        A calibration that it has is replaced.
    answers : sequence of Answers
        From `ask`, in the classifier's own view, of objects that taught it nothing.
    levels : sequence of float
        Levels to promise.
    seed : int

    Returns
    -------
    Classifier

    Raises
    ------
    ValueError
        The classifier has a target, or a half would have no object.
    """
    tree, model = classifier.tree, classifier.model
    n_objects, repeats = answers[0].labels.size, sum(each.days.size for each in answers)
    if n_objects < 2:
        raise ValueError(f"{n_objects} objects cannot be halved")
    first = halves(answers[0], seed)
    rows = [_rows(each[first]) for each in answers]
    said, known, labels = (np.concatenate([part[k] for part in rows]) for k in range(3))
    calibration = Calibration.fit(said, labels, known, tree, mix=model.mix, repeats=repeats)
    rows = [_rows(each) for each in answers]
    said, known, labels, held = (np.concatenate([part[k] for part in rows]) for k in range(4))
    seen = np.concatenate([np.isfinite(each.known).ravel() for each in answers])
    moment = np.concatenate([part[4] + number * answers[0].days.size for number, part in enumerate(rows)])
    promise = Promise.fit(
        calibration.apply(said, known), labels, known, tree, moment=moment,
        chooses=np.tile(first, repeats)[seen], levels=levels, context=held, contexts=CONTEXTS,
    )  # fmt: skip
    made = dataclasses.replace(classifier, calibration=calibration, promise=promise)
    return dataclasses.replace(made, power=_best_power(calibration, answers))


def halves(answers: Answers, seed: int = 0) -> NDArray[np.bool_]:
    """Say which objects fit a calibration and choose prices in `calibrate`, shape ``(n_objects,)``.

    The order of the objects does not matter, their ids do.
    """
    first = np.zeros(answers.labels.size, dtype=bool)
    first[np.random.default_rng(seed).permutation(answers.order)[: answers.labels.size // 2]] = True
    return first


def _rows(answers: Answers) -> tuple[NDArray, NDArray, NDArray, NDArray, NDArray]:
    """Put moments one after the other: probabilities, days known, labels, contexts and moments of objects with rows."""
    seen = np.isfinite(answers.known).ravel()
    n_moments = answers.days.size
    moment = np.repeat(np.arange(n_moments), answers.labels.size)
    columns = (
        np.concatenate(answers.probabilities), answers.known.ravel(), np.tile(answers.labels, n_moments),
        np.tile(answers.held, n_moments), moment,
    )  # fmt: skip
    return tuple(column[seen] for column in columns)


def _best_power(calibration: Calibration, answers: Sequence[Answers]) -> float:
    """Choose the power of the decision rule with the best macro F1 over leaves, mean over contexts and phases."""
    tree = calibration.tree
    total = dict.fromkeys(POWERS, 0.0)
    for each in answers:
        leaf = np.isin(each.labels, tree.leaves)
        truth = np.searchsorted(tree.leaves, each.labels[leaf])
        present = np.bincount(truth, minlength=tree.leaves.size) > 0
        for place in np.flatnonzero(np.isin(each.days, PHASES)) if present.any() else ():
            said = calibration.apply(each.probabilities[place, leaf], each.known[place, leaf])
            for power in POWERS:
                decided = np.searchsorted(tree.leaves, decide(said, tree, calibration.mix, power))
                confusion = np.zeros((tree.leaves.size, tree.leaves.size))
                np.add.at(confusion, (truth, decided), 1)
                total[power] += precision_recall_f1(confusion)[2][present].mean()
    return max(total, key=lambda power: total[power])
