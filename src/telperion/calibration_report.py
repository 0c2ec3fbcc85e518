"""What calibration and promises are worth on objects that had no part in them: measures, tables, figures."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike, NDArray
from rich.console import Console

from telperion.calibrating import Answers
from telperion.calibration_figures import depth_figure, error_phases_figure, node_reliability_figure
from telperion.calibration_scores import DepthScores, are_right, class_errors, depth_scores, reliabilities, top_error
from telperion.classifier import Classifier
from telperion.encode.view import Context
from telperion.page import Album
from telperion.scores import PHASES
from telperion.tables import Table, day_name, number, to_markdown, to_rich
from telperion.taxonomy import Taxonomy

SHOWN = (0.0, *PHASES)
"""Days after the first detection that tables show."""


@dataclass(frozen=True, eq=False)
class Trust:
    """How far a classifier can be believed in one context at one moment, before and after its calibration.

    Parameters
    ----------
    context, days
        Of the `Answers`.
    before, after : array, shape ``(n_nodes, n_bins, 3)``
        See `telperion.calibration_scores.reliabilities`.
    top : pair of float
        Calibration errors of the likeliest leaf, before and after.
    promised, plain : DepthScores
        Of the promised nodes, and of those with a probability above .9.
    """

    context: Context
    days: float
    before: NDArray[np.float64]
    after: NDArray[np.float64]
    top: tuple[float, float]
    promised: DepthScores
    plain: DepthScores


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
        for place, day in enumerate(each.days):
            tables = [reliabilities(part[place], each.labels, classifier.tree) for part in (before, after)]
            top = [top_error(part[place], each.labels, classifier.tree) for part in (before, after)]
            plain = classifier.tree.confident(after[place], threshold)
            depths = [depth_scores(part, each.labels, classifier.tree) for part in (nodes[place], plain)]
            found.append(Trust(each.context, float(day), tables[0], tables[1], (top[0], top[1]), depths[0], depths[1]))
    return found


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


def calibration_table(trusts: Sequence[Trust], leaves: NDArray[np.int64], days: Sequence[float] = SHOWN) -> Table:
    """Set calibration errors before and after beside each other; the node of the largest error counts for its row."""
    rows = []
    for each in trusts:
        if each.days in days:
            before, after = class_errors(each.before), class_errors(each.after)
            pairs = [(part[leaves].mean(), part[leaves].max(), part.max()) for part in (before, after)]
            cells = [number(value) for pair in zip(*pairs, strict=True) for value in pair]
            rows.append([each.context, day_name(each.days), *cells, *map(number, each.top)])
    columns = [("", "context"), ("", "days")]
    for group in ("leaves, mean", "leaves, largest", "nodes, largest", "likeliest leaf"):
        columns += [(group, "before"), (group, "after")]
    return Table("Class-wise calibration error", columns, rows, n_words=2)


def promise_table(trusts: Sequence[Trust], days: Sequence[float] = SHOWN, level: float = 0.9) -> Table:
    """Set what is promised beside the rule of a threshold."""
    rows = []
    for each in trusts:
        if each.days in days:
            cells = [
                value for part in (each.promised, each.plain) for value in (part.coverage, part.depth, part.at_leaf)
            ]
            rows.append(
                [each.context, day_name(each.days), *map(number, cells), *map(number, each.promised.coverage_at[1:])]
            )
    columns = [("", "context"), ("", "days")]
    for group in (f"promised at {level:g}", "p > .9"):
        columns += [(group, "right"), (group, "depth"), (group, "leaf")]
    depths = len(trusts[0].promised.share) if trusts else 1
    columns += [("promised, right at depth", str(depth)) for depth in range(1, depths)]
    return Table("Answers along the tree", columns, rows, n_words=2)


def mix_of(labels: NDArray[np.int64], tree: Taxonomy) -> NDArray[np.float64]:
    """Give the class mix of labels, shape ``(n_leaves,)``; an inner node counts for all leaves below it alike."""
    below = tree.leaves_below[labels[labels >= 0]]
    return tree.mix((below / below.sum(axis=1, keepdims=True)).sum(axis=0))


def always_table(shares: dict[Context, float], level: float = 0.9) -> Table:
    """Say how many objects have right answers at all phases together, which is not promised."""
    rows = [[context, number(share)] for context, share in shares.items()]
    return Table(
        f"Promised at {level:g}: right at all days of the tables together", [("", "context"), ("", "objects")], rows
    )


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
        rules = {f"promised at {level:g}": [each.promised for each in own], "p > .9": [each.plain for each in own]}
        draw = partial(depth_figure, days, rules, level, context)
        album.add(f"depth {context}", f"{context}: answers along the tree", draw)
