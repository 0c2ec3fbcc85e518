"""The sections of the page about a classifier: each shows some of the tables and figures of Shah et al. (2025)."""

from __future__ import annotations

import html
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from telperion.encode.view import Context, keep_context
from telperion.examination.course import THRESHOLD
from telperion.examination.examine import Examined, gaps
from telperion.examination.examples import best_sampled, hardest, look_alikes, well_sampled
from telperion.examination.phases import predictions
from telperion.examination.population import deep_fields, redshifts, separations
from telperion.examination.timing import processor
from telperion.examination_figures import mean_scores_figure, redshifts_figure, separations_figure, waits_figure
from telperion.examination_tables import (
    alike_table,
    before_table,
    counts_table,
    gaps_table,
    glance_table,
    milliseconds,
    names_table,
    plus_minus,
    promised_waits_table,
    separations_table,
    times_table,
    waits_table,
)
from telperion.figures import (
    class_phases_figure,
    confusion_figure,
    learning_figure,
    macro_figure,
    phases_figure,
    roc_figure,
)
from telperion.intervals import bootstrap
from telperion.light_curve_figures import Track, gallery_figure, samples_figure
from telperion.lightcurves import LightCurves
from telperion.page import Parts, Picture, cards, heading
from telperion.scores import LEVELS, Evaluation
from telperion.tables import class_table, comparison_table, day_name, phase_name, to_html

if TYPE_CHECKING:
    from matplotlib.figure import Figure

RARE = ("TDE", "KN")
"""Classes whose days until confident are drawn, where the tree has them."""
ALIKE = "CaRT"
"""The class whose look-alikes are shown; where there is none of it, the one of the lowest F1."""
APART = ("SNII", "TDE")
"""Classes whose distances from the host are drawn."""


@dataclass(frozen=True, eq=False)
class Scored:
    """The objects on which classifiers were examined.

    Parameters
    ----------
    light_curves : LightCurves
        Each with a detection.
    labels : array of int, shape ``(n_objects,)``
        Positions of the true nodes, -1 where unknown.
    data : str
        Where they come from.
    sources : mapping
        Of simulated ones: the sources of each class and their shares.
    context : {"specz", "photoz", "none"}
        What the classifiers were told beside the light curves.
    """

    light_curves: LightCurves
    labels: NDArray[np.int64]
    data: str
    sources: Mapping[str, Mapping[str, float]]
    context: Context


def glance(examined: Sequence[Examined], days: Sequence[float]) -> Parts:
    """Show the figures that matter most, and macro precision, recall and F1 against days (Figure 5)."""
    first = examined[0]
    view, run = first.own
    early, late = days[0], days[min(2, len(days) - 1)]
    time = max(first.times, key=lambda time: time.batch)
    leaves, kinds = f"macro F1 of the leaves, {view} view", f"macro F1 of level 2, {view} view"
    shown = {f"{leaves}, {day_name(day)}": bootstrap(run.phases[day]["leaves"]) for day in (early, late)}
    shown[f"{kinds}, {day_name(early)}"] = bootstrap(run.phases[early]["level 2"])
    error = run.phases[late]["leaves"].summary["calibration_error"]
    numbers = {what: plus_minus(interval) for what, interval in shown.items()} | {
        f"calibration error of the leaves, {view} view, {day_name(late)}": f"{error:.3f}",
        f"for one whole light curve on one core, in batches of {time.batch:,}": milliseconds(time.median),
    }
    caption = (
        f"Macro precision, recall and F1 of {first.name} on each level of the tree against days since the first "
        "detection; solid: the view it was taught on, dashed: the other (Figure 5 of the paper)."
    )
    views = {f"{each} view": found for each, found in first.evaluations.items()}
    return [
        cards(numbers),
        to_html(glance_table(examined, days)),
        Picture("macro", caption, partial(macro_figure, views)),
    ]


def scored_set(first: Examined, scored: Scored) -> Parts:
    """Show the tree, who is in the set (Table 3), what stands for a class (Table 9) and redshifts (Figure 2)."""
    tree = first.classifier.tree
    parts: Parts = [
        '<div class="beside">',
        to_html(counts_table(scored.labels, deep_fields(scored.light_curves), tree)),
        f"<figure><pre>{html.escape(tree.draw())}</pre><figcaption>The class tree (Figure 1 of the paper). Level 1 is "
        "the row below the root, level 2 the next; a leaf above a level counts on it.</figcaption></figure>",
        "</div>",
        "<p>Table 3 of the paper: all of these objects are scored at every phase.</p>",
        to_html(names_table(tree, scored.sources)),
        "<p>Table 9 of the paper: the models whose light curves count as a class.</p>",
    ]
    if found := redshifts(scored.light_curves, scored.labels, tree):
        caption = (
            "Best known redshifts of each class that has any, in the wide survey and in the four deep fields, with the "
            "number of objects (Figure 2 of the paper). Spectroscopic where there is a spectrum, else photometric."
        )
        parts.append(Picture("redshifts", caption, partial(redshifts_figure, found)))
    return parts


def scores_by_phase(first: Examined) -> Parts:
    """Show F1 by class against days, level by level (Figure 6)."""
    runs = {f"{view} view": [run] for view, run in first.evaluations.items()}
    return [
        Picture(
            f"F1 {level}",
            f"F1 of each class of {named(level)} against days since the first detection, {first.name} "
            "(Figure 6 of the paper).",
            partial(class_phases_figure, runs, level),
        )
        for level in LEVELS
    ]


def scores_by_class(first: Examined, days: Sequence[float]) -> Parts:
    """Show precision, recall and F1 by class, level and view (Table 5)."""
    parts: Parts = ["<p>Table 5 of the paper.</p>"]
    for view, run in first.evaluations.items():
        parts += [heading(f"{view} view"), *(to_html(class_table([run], level, days)) for level in LEVELS)]
    return parts


def confusions(first: Examined, days: Sequence[float]) -> Parts:
    """Show confusion matrices by level, phase and view (Figures 7 to 9)."""
    what = "Confusion within {level}, in per cent of each true class, with its number of objects"
    return ["<p>Figures 7 to 9 of the paper.</p>", *_by_level(first, days, confusion_figure, what)]


def roc_curves(first: Examined, days: Sequence[float]) -> Parts:
    """Show ROC curves by level, phase and view (Figures 13 to 15)."""
    what = "ROC curves of each class of {level} against all others, with the area below each"
    return ["<p>Figures 13 to 15 of the paper.</p>", *_by_level(first, days, roc_figure, what)]


def _by_level(first: Examined, days: Sequence[float], figure: Callable[..., Figure], what: str) -> Parts:
    """Draw a figure a level and phase, the classifier's own view in sight and the other folded away."""
    parts: Parts = []
    for place, (view, run) in enumerate(first.evaluations.items()):
        parts += [f"<details><summary>In the {view} view</summary>"] if place else []
        for level in LEVELS:
            parts += [heading(f"{named(level)}, {view} view"), '<div class="pair">']
            for day in days:
                caption = f"{what.format(level=named(level))}: {first.name}, {phase_name(day)}, {view} view."
                draw = partial(figure, run.phases[day][level], day_name(day))
                parts.append(Picture(f"{figure.__name__} {level} {view} {day:g}", caption, draw))
            parts.append("</div>")
        parts += ["</details>"] if place else []
    return parts


def mean_scores(first: Examined) -> Parts:
    """Show the mean probabilities of all leaves against days, by true class (Figures 16 and 17)."""
    about = (
        "Wide and dark: the true class; in colour: those that rise highest beside it; grey ground: before the first "
        "detection, where objects of which nothing is known yet are given the class mix (Figures 16 and 17 of the "
        "paper)."
    )
    return [
        Picture(
            f"mean scores {view}",
            "Mean probability of every leaf against days since the first detection, a panel a true class with its "
            f"number of objects: {first.name}, {view} view. {about}",
            partial(mean_scores_figure, course, f"{view.capitalize()} view"),
        )
        for view, course in first.courses.items()
    ]


def samples(first: Examined, scored: Scored) -> Parts:
    """Show a light curve of each class with the probability of its true class (Figures 18 and 19)."""
    view, course = next(iter(first.courses.items()))
    last = max(day for kind, day in first.said if kind == view)
    tree, decided = first.classifier.tree, first.classifier.decide(first.said[view, last])
    chosen = well_sampled(scored.light_curves, scored.labels, decided, tree)
    curves = scored.light_curves[list(chosen.values())]
    known = keep_context(curves, scored.context)
    said = np.stack([found for _, found in predictions(first.classifier, known, course.days, view=view)])
    tracks = {name: Track(course.days, said[:, place], tree) for place, name in enumerate(chosen)}
    caption = (
        f"One light curve of each class, with more detections than three quarters of those decided rightly, "
        f"{phase_name(last)}. Filled: detected; hollow: not; dotted, right axis: the probability of the true class by "
        f"{first.name}, {view} view; grey ground: before the first detection (Figures 18 and 19 of the paper)."
    )
    return [Picture("samples", caption, partial(samples_figure, curves, tracks))]


def waits(first: Examined) -> Parts:
    """Show how soon classes are confident on each level (Figure 10)."""
    course = next(iter(first.courses.values()))
    rare = [name for name in RARE if name in course.classes and course.support[course.classes.index(name)]]
    parts: Parts = []
    if rare:
        views = {f"{view} view": each for view, each in first.courses.items()}
        caption = (
            f"Share of the objects whose true class has had a probability above {THRESHOLD:g} by each day, on each "
            f"level: {first.name}. A point marks the median day of those that ever get there (after Figure 10 of the "
            "paper)."
        )
        parts.append(Picture("waits", caption, partial(waits_figure, views, rare)))
    steps = (
        "at steps of a day for a month and of an eighth of the time then" if first.classifier.steppable else "scored"
    )
    return [
        *parts,
        *(to_html(waits_table(each, view)) for view, each in first.courses.items()),
        *([to_html(promised_waits_table(first.trusted))] if first.trusted.waits else []),
        "<p>Median: of those that ever get there. Ever: their share. Mistaken: the share that was at some day as "
        "confident of, or promised, another class of that level. Days: those from "
        f"{course.days[course.days >= 0][0]:g} to {course.days[-1]:g} {steps}.</p>",
    ]


def before_detection(first: Examined) -> Parts:
    """Show what is known before the first detection (Table 6)."""
    before = first.before
    text = (
        f"Table 6 of the paper: what is known before the first detection; {before.without_rows:,} of "
        f"{before.objects:,} objects were not visited before it. A live alert knows nothing of that time, so that "
        "there is the full view alone. An object of which no row is known is given the class mix, so that all "
        "of these fall to one class."
    )
    asked = (
        " What the network itself says of the context alone, after a series without rows, stands beside: as in the "
        "paper, it never learnt from such input."
    )
    if first.classifier.calibration is not None:
        asked += " Nor was its calibration fitted on such input: this line alone is not calibrated."
    table = before_table(before, published=first.classifier.tree.name == "elasticc")
    return [to_html(table), f"<p>{text}{asked if before.network_asked else ''}</p>"]


def alike(first: Examined, scored: Scored, days: Sequence[float]) -> Parts:
    """Show which classes one class is taken for, and how their light curves look (Figure 11)."""
    view, run = first.own
    levels, tree = [run.phases[day]["leaves"] for day in days], first.classifier.tree
    present = dict(zip(levels[-1].classes, levels[-1].support, strict=True))
    name = ALIKE if present.get(ALIKE) else hardest(levels[-1])
    others = [other for other in look_alikes(levels, name) if present[other]]
    rows = [best_sampled(scored.light_curves, scored.labels, tree.index(each), 4) for each in (name, *others)]
    chosen = scored.light_curves[np.concatenate(rows)]
    chosen = chosen.with_label(np.repeat([name, *others], [row.size for row in rows]))
    caption = (
        f"The light curves with the most detections of {name} and of the classes that it is taken for, or that are "
        "taken for it, most often; from thirty days before the first detection to thirty after the last (after Figure "
        "11 of the paper)."
    )
    return [
        to_html(alike_table(run, name, others, days)),
        f"<p>{html.escape(first.name)}, {view} view, in per cent of the objects of the class named first.</p>",
        Picture("look-alikes", caption, partial(gallery_figure, chosen, [name, *others], 4)),
    ]


def hosts(first: Examined, scored: Scored) -> Parts:
    """Show how far from their hosts the objects of each class are (Figure 12); nothing where that is unknown."""
    found = separations(scored.light_curves, scored.labels, first.classifier.tree)
    drawn = {name: found[name] for name in APART if name in found}
    parts: Parts = []
    if len(drawn) > 1:
        caption = (
            f"How far objects of {' and '.join(drawn)} are from their hosts, each class of the same area, with the "
            "share of which no separation is known (Figure 12 of the paper)."
        )
        parts.append(Picture("separations", caption, partial(separations_figure, drawn)))
    return [*parts, to_html(separations_table(found))] if found else []


def times(examined: Sequence[Examined]) -> Parts:
    """Show the run time (Table 7)."""
    text = (
        "Table 7 of the paper: whole light curves in the classifier’s own view, from memory to probabilities, their "
        f"encoding included, on one core of {html.escape(processor())}."
    )
    return [to_html(times_table(examined)), f"<p>{text}</p>"]


def training(examined: Sequence[Examined]) -> Parts:
    """Show the losses by epoch of those classifiers that have a history of them (Figure 4)."""
    histories = {each.name: getattr(each.classifier.model, "history", ()) for each in examined}
    return [
        Picture(
            f"training {name}",
            f"Losses of {name} by epoch of its training (Figure 4 of the paper).",
            partial(learning_figure, history, name),
        )
        for name, history in histories.items()
        if history
    ]


def beside(examined: Sequence[Examined], scored: Scored, days: Sequence[float]) -> Parts:
    """Show a classifier beside others on the same objects, and how sure its gap to each is; nothing of one alone."""
    first, parts = examined[0], Parts()
    for view in first.evaluations if len(examined) > 1 else ():
        runs = [(each.name, each.evaluations[view]) for each in examined]
        alone: dict[str, Sequence[Evaluation]] = {name: [run] for name, run in runs}
        names, measures = ", ".join(alone), ("f1", "auc", "balanced_log_loss")
        level = f"Macro F1 on each level against days since the first detection, {view} view: {names}."
        leaf = f"F1 of each leaf against days since the first detection, {view} view: {names}."
        parts += [
            heading(f"{view} view"),
            Picture(f"beside {view}", level, partial(phases_figure, alone)),
            *(to_html(comparison_table(runs, measure, days=days)) for measure in measures),
            Picture(f"beside by class {view}", leaf, partial(class_phases_figure, alone)),
        ]
    for other in examined[1:]:
        parts.append(to_html(gaps_table(gaps(first, other, scored.labels, days=days), first.name, other.name)))
    return [*parts, "<p>Gaps are bootstrapped over the objects, each drawn for both at once.</p>"] if parts else []


def named(level: str) -> str:
    """Name a level within a sentence."""
    return "the leaves" if level == "leaves" else level
