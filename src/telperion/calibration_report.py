"""What calibration and promises are worth on objects that had no part in them: measures, tables, figures."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from rich.console import Console

from telperion.calibrating import Answers
from telperion.calibration_figures import depth_figure, error_phases_figure, node_reliability_figure
from telperion.calibration_scores import Trust, are_right, class_errors, trust_in
from telperion.calibration_tables import SHOWN
from telperion.card_figures import CALIBRATION_ERROR, PROMISED, figures_of, without_roots
from telperion.classifier import Classifier
from telperion.encode.view import Context
from telperion.evaluate import evaluate
from telperion.page import Album
from telperion.scores import Evaluation
from telperion.tables import DAYS, Table, day_name, to_markdown, to_rich
from telperion.taxonomy import Taxonomy


def trust(
    classifier: Classifier,
    answers: Sequence[Answers],
    *,
    prior: ArrayLike | None = None,
    level: float = 0.9,
    threshold: float = 0.9,
) -> list[Trust]:
    """Measure a calibrated classifier on objects that neither taught nor calibrated it.

    Parameters
    ----------
    classifier : Classifier
        With calibration and promise.
    answers : sequence of Answers
    prior : array, shape ``(n_leaves,)``, optional
        The class mix of the objects, where it is not that of the calibration.
    level, threshold : float
        What is promised, and the threshold of probability to set it beside.

    Returns
    -------
    list of Trust
        Contexts in their order, moments inside.

    Raises
    ------
    ValueError
        The classifier has no calibration or promises nothing.
    """
    found = []
    for each in answers:
        before, after, nodes = _said(classifier, each, prior, level)
        for day, raw, right, promised in zip(each.days, before, after, nodes, strict=True):
            plain = classifier.tree.confident(right, threshold)
            said = {"before": raw, "after": right, "promised": promised, "plain": plain}
            found.append(trust_in(each.context, float(day), each.labels, classifier.tree, **said))
    return found


def measured_card(classifier: Classifier, answers: Sequence[Answers], *, data: str, command: str) -> dict[str, Any]:
    """Give what a calibrated classifier is worth on objects that taught it nothing, for its card.

    Parameters
    ----------
    classifier : Classifier
    answers : sequence of Answers
    data, command : str
        What the objects are called, and what measured them.

    Returns
    -------
    dict
        Objects, protocol, data, command, and ``figures`` by context and day: F1 of the leaves and of each class, the
        largest calibration error of a leaf and, of a classifier that promises, what its usual level is worth.

    Raises
    ------
    ValueError
        The classifier has no calibration.
    """
    calibration, tree = classifier.calibration, classifier.tree
    if calibration is None:
        raise ValueError("the classifier is not calibrated")
    figures, n_objects = [], answers[0].labels.size
    for each in answers:
        shown = each.at(DAYS)
        if not shown.days.size:
            continue
        phases = {}
        for day, raw, known in zip(shown.days, shown.probabilities, shown.known, strict=True):
            said = calibration.apply(raw, known)
            phases[float(day)] = evaluate(said, shown.labels, tree, decided=classifier.decide(said))
        figures.append(
            figures_of([Evaluation(classifier.view, each.context, phases)]) | _trust_on_card(classifier, shown)
        )
    return {
        "objects": n_objects,
        "protocol": f"measured on {n_objects:,} objects that taught it nothing",
        "data": data,
        "command": without_roots(command),
        "figures": figures,
    }


def _trust_on_card(classifier: Classifier, answers: Answers) -> dict[str, Any]:
    """Give calibration errors and what is promised, by day; nothing of a classifier that promises nothing."""
    if classifier.promise is None:
        return {}
    level, leaves = classifier.promise.usual, classifier.tree.leaves
    measured = {f"{each.days:g}": each for each in trust(classifier, [answers], level=level)}
    kept = {day: each.promised for day, each in measured.items() if each.promised is not None}
    worth = {
        what: {day: round(float(getattr(scores, name)), 4) for day, scores in kept.items()}
        for what, name in (("right", "coverage"), ("depth", "depth"), ("leaves", "at_leaf"))
    }
    errors = {day: round(float(class_errors(each.after)[leaves].max()), 4) for day, each in measured.items()}
    return {CALIBRATION_ERROR: errors, PROMISED: {"level": level, **worth}}


def always_right(
    classifier: Classifier,
    answers: Sequence[Answers],
    *,
    days: Sequence[float] = SHOWN,
    prior: ArrayLike | None = None,
    level: float = 0.9,
) -> dict[Context, float]:
    """Give, for each context, the share of objects whose promised nodes are right at all of some days together."""
    found: dict[Context, float] = {}
    for each in answers:
        nodes = _said(classifier, each, prior, level)[2][np.isin(each.days, days)]
        found[each.context] = float(are_right(nodes, each.labels[None], classifier.tree).all(axis=0).mean())
    return found


def _said(
    classifier: Classifier, answers: Answers, prior: ArrayLike | None, level: float
) -> tuple[NDArray, NDArray, NDArray]:
    """Give probabilities before and after calibration, and the promised nodes, at each moment."""
    calibration, promise, tree = classifier.calibration, classifier.promise, classifier.tree
    if calibration is None or promise is None:
        raise ValueError("the classifier is not calibrated, or promises nothing")
    before, after, nodes = [], [], []
    for said, known in zip(answers.probabilities, answers.known, strict=True):
        right = calibration.apply(said, known)
        raw = np.where(np.isnan(known)[:, None], tree.from_leaves(classifier.model.mix[None]), said)
        if prior is not None:
            right = tree.reweight(right, calibration.mix, prior).astype(np.float32)
            raw = tree.reweight(raw, classifier.model.mix, prior)
        before.append(raw)
        after.append(right)
        nodes.append(promise.nodes(right, known, answers.held, level=level))
    return np.stack(before), np.stack(after), np.stack(nodes)


def show_trust(tables: Sequence[Table], *, markdown: bool = False, console: Console | None = None) -> None:
    """Print tables, for the terminal or as Markdown."""
    console = console or Console()
    for table in tables:
        if markdown:
            console.print(to_markdown(table) + "\n", markup=False, highlight=False, soft_wrap=True)
        else:
            console.print(to_rich(table))


def draw_trust(folder: str | Path, trusts: Sequence[Trust], tree: Taxonomy, *, level: float = 0.9) -> None:
    """Draw reliability before and after at each node and phase, errors against phase, and coverage and depth.

    Parameters
    ----------
    folder : path
    trusts : sequence of Trust
    tree : Taxonomy
    level : float
        That was promised.
    """
    album = Album(Path(folder), ("png",))
    for context in dict.fromkeys(each.context for each in trusts):
        own = [each for each in trusts if each.context == context]
        for each in own:
            if each.days in SHOWN:
                title = f"{context}, {day_name(each.days)}: before and after calibration"
                draw = partial(node_reliability_figure, each.before, each.after, tree.nodes, title)
                album.add(f"reliability {context} {each.days:g}", title, draw)
        days, before, after = ([getattr(each, name) for each in own] for name in ("days", "before", "after"))
        draw = partial(error_phases_figure, days, before, after, tree.nodes, context)
        album.add(f"errors {context}", f"{context}: calibration errors", draw)
        promised = [each.promised for each in own if each.promised is not None]
        rules = {f"promised at {level:g}": promised, "p > .9": [each.plain for each in own]}
        draw = partial(depth_figure, days, rules, level, context)
        album.add(f"depth {context}", f"{context}: answers along the tree", draw)
