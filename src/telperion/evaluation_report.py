"""The evaluation of Shah et al. (2025) re-run on any labelled set, as one HTML page: each of their tables and figures."""

from __future__ import annotations

import html
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from rich.progress import Progress

from telperion import __version__
from telperion.classifier import Classifier
from telperion.course import THRESHOLD
from telperion.course_figures import mean_scores_figure, redshifts_figure, separations_figure, waits_figure
from telperion.encode.view import Context, View, keep_context
from telperion.evaluate import bootstrap
from telperion.evaluation_tables import (
    alike_table,
    before_table,
    calibration_table,
    counts_table,
    fastest,
    gaps_table,
    glance_table,
    milliseconds,
    names_table,
    plus_minus,
    separations_table,
    times_table,
    waits_table,
)
from telperion.examination import Examined, detected, examine, gaps, same_tree
from telperion.examples import best_sampled, hardest, look_alikes, typical
from telperion.figures import (
    class_phases_figure,
    confusion_figure,
    learning_figure,
    macro_figure,
    phases_figure,
    reliability_figure,
    roc_figure,
)
from telperion.light_curve_figures import Track, gallery_figure, samples_figure
from telperion.lightcurves import LightCurves
from telperion.page import Album, cards, facts, page
from telperion.phases import predictions
from telperion.population import deep_fields, redshifts, separations
from telperion.scores import LEVELS, PHASES, Evaluation
from telperion.simulate.save import sources
from telperion.style import load_matplotlib
from telperion.tables import DAYS, class_table, comparison_table, day_name, shown_days, to_html
from telperion.timing import processor

if TYPE_CHECKING:
    from matplotlib.figure import Figure

NOTE = (
    "Days count from the first detection. The full view knows every row up to then, forced photometry long before the "
    "first detection among them, as published studies have it; the alert view knows what a live alert of that day tells: "
    "detections alone in the first night, from the next day on forced photometry back to 30 days before. Macro averages "
    "run over the classes present and weigh them alike; 0/0 counts as 0; ± is a standard error bootstrapped over the "
    "objects. Precision and F1 depend on the class mix, which stands under “The scored set”. (*) ELAsTiCC2 is another "
    "simulation with other light curves: its published figures stand beside for orientation, not for comparison."
)
RARE = ("TDE", "KN")
"""Classes whose days until confident are drawn, and whose hosts, where the tree has them."""
ALIKE = "CaRT"
"""The class whose look-alikes are shown; in a tree without it, that of the lowest F1."""
APART = ("SNII", "TDE")
"""Classes whose distances from the host are drawn."""


@dataclass(frozen=True, eq=False)
class Picture:
    """A figure to be drawn: its name, a caption that can be understood alone, and how it is drawn."""

    name: str
    caption: str
    draw: Callable[[], Figure]


Sections = dict[str, list["str | Picture"]]


@dataclass(frozen=True, eq=False)
class Scored:
    """The objects on which classifiers were examined.

    Parameters
    ----------
    light_curves : LightCurves
        Each with a detection.
    labels : array of int, shape ``(n_objects,)``
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


def names(models: Sequence[str | Path]) -> list[str]:
    """Call each model by the last name of its path, or by its whole path where two share that.

    Raises
    ------
    ValueError
        A model is given twice.

    Examples
    --------
    >>> names(["plasticc", "runs/a/oracle"]), names(["a/best", "b/best"])
    (['plasticc', 'oracle'], ['a/best', 'b/best'])
    """
    if len(set(map(str, models))) < len(models):
        twice = next(str(model) for model in models if [*map(str, models)].count(str(model)) > 1)
        raise ValueError(f"{twice!r} is given twice")
    last = [Path(model).name for model in models]
    return [name if last.count(name) == 1 else str(model) for name, model in zip(last, models, strict=True)]


def report_on(
    path: str | Path,
    classifiers: Mapping[str, Classifier],
    light_curves: LightCurves,
    *,
    data: str | Path,
    command: str,
    days: Sequence[float] = PHASES,
    views: Sequence[View] = ("full", "alert"),
    context: Context = "specz",
    progress: Progress | None = None,
) -> list[Examined]:
    """Examine classifiers on labelled light curves and write the page about the first of them.

    Parameters
    ----------
    path : path
        Of the HTML file.
    classifiers : mapping of str to Classifier
        By name; those after the first stand beside it, along the same tree.
    light_curves : LightCurves
    data : path
        Where they were read from; of a simulated survey the page tells its sources.
    command : str
        What made the page.
    days, views, context
        As for `telperion.examination.examine`.
    progress : rich.progress.Progress, optional

    Raises
    ------
    ValueError
        The trees differ, or the light curves have no labels, or some that the tree does not know.
    ImportError
        Matplotlib is missing.
    """
    load_matplotlib()
    tree = same_tree(list(classifiers.values()))
    light_curves = detected(light_curves)
    scored = Scored(light_curves, tree.labels(light_curves.label), str(data), sources(data), context)
    examined = [
        examine(name, classifier, light_curves, days=days, views=views, context=context, progress=progress)
        for name, classifier in classifiers.items()
    ]
    write_evaluation(path, examined, scored, command=command, days=DAYS, progress=progress)
    return examined


def write_evaluation(
    path: str | Path,
    examined: Sequence[Examined],
    scored: Scored,
    *,
    command: str,
    days: Sequence[float] = DAYS,
    progress: Progress | None = None,
) -> Path:
    """Write the page.

    Parameters
    ----------
    path : path
        Of the HTML file; its folder is made where it is missing.
    examined : sequence of Examined
        The classifier that the page is about, then those beside it, on the same objects along the same tree.
    scored : Scored
    command : str
        What made the page.
    days : sequence of float, d
        Phases of tables and of figures by phase; see `telperion.tables.shown_days`.
    progress : rich.progress.Progress, optional

    Raises
    ------
    ValueError
        The trees differ.
    ImportError
        Matplotlib is missing.
    """
    same_tree([each.classifier for each in examined])
    first, path = examined[0], Path(path)
    shown = shown_days(list(first.evaluations.values()), days)
    sections = {
        "At a glance": _glance(examined, shown),
        "The scored set": _set(first, scored),
        "Scores by phase": _phases(first),
        "Precision, recall, F1": _classes(first, shown),
        **(_beside(examined, scored, shown) if len(examined) > 1 else {}),
        "Confusions": _by_level(first, shown, confusion_figure, _CONFUSION, "Figures 7 to 9"),
        "ROC curves": _by_level(first, shown, roc_figure, _ROC, "Figures 13 to 15"),
        "Mean class scores": _mean_scores(first),
        "Sample light curves": _samples(first, scored),
        "Days until confident": _waits(first),
        "Before the first detection": _before(first),
        **_look_alikes(first, scored, shown),
        **_hosts(first, scored),
        "Calibration and promises": _calibration(first, shown),
        "Run time": _times(examined),
        **_training(examined),
    }
    album = Album(None, ("png",))
    n_pictures = sum(isinstance(part, Picture) for parts in sections.values() for part in parts)
    task = progress.add_task("figures drawn", total=n_pictures) if progress else None
    drawn: dict[str, list[str]] = {}
    for heading, parts in sections.items():
        drawn[heading] = []
        for part in parts:
            if isinstance(part, str):
                drawn[heading].append(part)
                continue
            drawn[heading].append(album.add(part.name, part.caption, part.draw))
            if progress and task is not None:
                progress.advance(task)
    path.parent.mkdir(parents=True, exist_ok=True)
    title = f"{first.name}: an evaluation after Shah et al. (2025)"
    path.write_text(page(title, [_facts(examined, scored, command)], NOTE, drawn), encoding="utf-8")
    return path


def _facts(examined: Sequence[Examined], scored: Scored, command: str) -> str:
    first = examined[0]
    known = {"specz": "all that the data have", "photoz": "all but spectroscopic redshifts", "none": "none"}
    beside = ", ".join(each.name for each in examined[1:])
    return facts({
        "classifier": f"{html.escape(first.name)}, taught on the {first.classifier.view} view",
        **({"beside it": html.escape(beside)} if beside else {}),
        "data": f"{html.escape(scored.data)}, {len(scored.labels):,} objects",
        "context": known[scored.context],
        "command": f"<code>{html.escape(command)}</code>",
        "written by": f"Telperion {__version__}",
    })  # fmt: skip


# -- sections ----------------------------------------------------------------------------------------------------


def _glance(examined: Sequence[Examined], days: Sequence[float]) -> list[str | Picture]:
    first = examined[0]
    view, run = next(iter(first.evaluations.items()))
    early, late = days[0], days[min(2, len(days) - 1)]
    figures = {}
    for day in dict.fromkeys((early, late)):
        figures[f"leaf macro F1, {day_name(day)} after the first detection, {view} view"] = plus_minus(
            bootstrap(run.phases[day]["leaves"])
        )
    figures[f"level-2 macro F1, {day_name(early)}, {view} view"] = plus_minus(bootstrap(run.phases[early]["level 2"]))
    error = run.phases[late]["leaves"].summary["calibration_error"]
    figures[f"calibration error of the leaves, {day_name(late)}, {view} view"] = f"{error:.3f}"
    time = fastest(first.times)
    figures[f"for one whole light curve on one core, in batches of {time.batch:,}"] = milliseconds(time.median)
    return [cards(figures), to_html(glance_table(examined, days)), _macro(first)]


def _macro(first: Examined) -> Picture:
    views = {f"{view} view": run for view, run in first.evaluations.items()}
    caption = (
        f"Macro precision, recall and F1 of {first.name} against days since the first detection, for the two classes of "
        "level 1, the classes of level 2 and the leaves; solid: the view it was taught on, dashed: the other "
        "(Figure 5 of the paper)."
    )
    return Picture("macro", caption, partial(macro_figure, views))


def _set(first: Examined, scored: Scored) -> list[str | Picture]:
    tree = first.classifier.tree
    deep = deep_fields(scored.light_curves)
    parts: list[str | Picture] = [
        '<div class="beside">',
        to_html(counts_table(scored.labels, deep, tree)),
        f"<figure><pre>{html.escape(tree.draw())}</pre><figcaption>The class tree (Figure 1 of the paper). Level 1 is the "
        "row below the root, level 2 the next; a leaf above a level counts on it.</figcaption></figure>",
        "</div>",
        "<p>Table 3 of the paper. All of these objects are scored at every phase.</p>",
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


def _phases(first: Examined) -> list[str | Picture]:
    runs = {f"{view} view": [run] for view, run in first.evaluations.items()}
    parts: list[str | Picture] = []
    for level in LEVELS:
        caption = (
            f"F1 of each class of {_named(level)} against days since the first detection, {first.name}, in either view "
            "(Figure 6 of the paper)."
        )
        parts.append(Picture(f"F1 {level}", caption, partial(class_phases_figure, runs, level)))
    return parts


def _classes(first: Examined, days: Sequence[float]) -> list[str | Picture]:
    parts: list[str | Picture] = ["<p>Table 5 of the paper, in either view.</p>"]
    for view, run in first.evaluations.items():
        parts.append(f"<h3>{view.capitalize()} view</h3>")
        parts += [to_html(class_table([run], level, days)) for level in LEVELS]
    return parts


_CONFUSION = "Confusion of {level}, {name}, {phase} after the first detection, {view} view: {how}"
_ROC = "ROC curves, each class of {level} against all others, {name}, {phase} after the first detection, {view} view"


def _by_level(
    first: Examined, days: Sequence[float], figure: Callable[..., Figure], caption: str, paper: str
) -> list[str | Picture]:
    """Draw one figure a level and phase, the classifier's own view in sight and the other folded away."""
    how = "per cent of each true class, with its number of objects; rules part siblings"
    parts: list[str | Picture] = [f"<p>{paper} of the paper.</p>"]
    for place, (view, run) in enumerate(first.evaluations.items()):
        parts.append(f"<details><summary>In the {view} view</summary>" if place else "")
        for level in LEVELS:
            parts += [f"<h3>{_named(level).capitalize()}, {view} view</h3>", '<div class="pair">']
            for day in days:
                text = caption.format(level=_named(level), name=first.name, phase=day_name(day), view=view, how=how)
                name = f"{figure.__name__} {level} {view} {day_name(day)}"
                parts.append(Picture(name, f"{text}.", partial(figure, run.phases[day][level], day_name(day))))
            parts.append("</div>")
        parts.append("</details>" if place else "")
    return parts


def _mean_scores(first: Examined) -> list[str | Picture]:
    return [
        Picture(
            f"mean scores {view}",
            f"Mean probability of every leaf against days since the first detection, a panel a true class with its number "
            f"of objects, {first.name}, {view} view. Wide and dark: the true class; in colour: those that rise highest "
            "beside it; grey ground: before the first detection, when objects of which nothing is known yet are given "
            "the class mix (Figures 16 and 17 of the paper).",
            partial(mean_scores_figure, course, f"{view} view"),
        )
        for view, course in first.courses.items()
    ]


def _samples(first: Examined, scored: Scored) -> list[str | Picture]:
    view, course = next(iter(first.courses.items()))
    last = max(day for kind, day in first.said if kind == view)
    decided = first.classifier.decide(first.said[view, last])
    tree = first.classifier.tree
    chosen = typical(scored.light_curves, scored.labels, decided, tree)
    curves = scored.light_curves[list(chosen.values())]
    tracks = _tracks(first, keep_context(curves, scored.context), course.days, view, list(chosen))
    caption = (
        "One light curve of each class: that of the median number of detections among those decided rightly at "
        f"{day_name(last)}. Filled: detected; hollow: forced photometry; dotted, right axis: the probability that "
        f"{first.name} gives to the true class, {view} view; grey: before the first detection (Figures 18 and 19 of the "
        "paper)."
    )
    return [Picture("samples", caption, partial(samples_figure, curves, tracks))]


def _tracks(
    first: Examined, curves: LightCurves, days: NDArray[np.float64], view: View, names: Sequence[str]
) -> dict[str, Track]:
    said = np.stack([said for _, said in predictions(first.classifier, curves, days, view=view)])
    return {name: Track(days, said[:, place], first.classifier.tree) for place, name in enumerate(names)}


def _waits(first: Examined) -> list[str | Picture]:
    course = next(iter(first.courses.values()))
    rare = [name for name in RARE if name in course.classes and (course.leaf == course.classes.index(name)).any()]
    parts: list[str | Picture] = []
    if rare:
        views = {f"{view} view": each for view, each in first.courses.items()}
        caption = (
            f"Share of the objects whose true class has had a probability above {THRESHOLD:g} by each day, at each level "
            f"of the tree, {first.name}; a point marks the median day of those that ever get there (after Figure 10 of the "
            "paper, which shows the distribution for TDEs)."
        )
        parts.append(Picture("waits", caption, partial(waits_figure, views, rare)))
    follow = (
        "a day in the first month, an eighth of the time later" if first.classifier.steppable else "the phases scored"
    )
    parts += [
        to_html(waits_table(first.courses)),
        f"<p>Median: of those that ever get there. Ever: their share. Mistaken: the share that was at some time as "
        f"confident of another class of that level. Looked at from day 0 to {course.days[-1]:g} at steps of {follow}.</p>",
    ]
    return parts


def _before(first: Examined) -> list[str | Picture]:
    before = first.before
    text = (
        f"Table 6 of the paper: macro F1 from what is known before the first detection; {before.without_rows:,} of "
        f"{before.objects:,} objects were not visited before it. A live alert knows nothing of that time, so that there is "
        "the full view alone. An object without any row is given the class mix, and all fall to one class."
    )
    if len(before.scores) == 4:
        text += (
            " What the network itself would say of the context alone, after a series of no rows, stands beside; like the "
            "paper’s, it never learnt from such input."
        )
    return [to_html(before_table(before, published=first.classifier.tree.name == "elasticc")), f"<p>{text}</p>"]


def _look_alikes(first: Examined, scored: Scored, days: Sequence[float]) -> Sections:
    view, run = next(iter(first.evaluations.items()))
    levels = [run.phases[day]["leaves"] for day in days]
    last, tree = levels[-1], first.classifier.tree
    name = ALIKE if ALIKE in last.classes and last.support[last.classes.index(ALIKE)] else hardest(last)
    others = [other for other in look_alikes(levels, name) if last.support[last.classes.index(other)]]
    rows = [best_sampled(scored.light_curves, scored.labels, tree.index(each), 4) for each in (name, *others)]
    chosen = scored.light_curves[np.concatenate(rows)]
    chosen = chosen.with_label(np.repeat([name, *others], [row.size for row in rows]))
    caption = (
        f"The light curves with the most detections of {name} and of the classes that it is most often taken for or that "
        "are taken for it, from thirty days before the first detection to thirty after the last (after Figure 11 of the "
        "paper)."
    )
    draw = partial(gallery_figure, chosen, [name, *others], 4)
    table = to_html(alike_table(run, name, others, days))
    about = f"<p>{html.escape(first.name)}, {view} view, in per cent of the objects of the class named first.</p>"
    return {f"{name} and its look-alikes": [table, about, Picture("look-alikes", caption, draw)]}


def _hosts(first: Examined, scored: Scored) -> Sections:
    found = separations(scored.light_curves, scored.labels, first.classifier.tree)
    if not found:
        return {}
    drawn = {name: found[name] for name in APART if name in found}
    parts: list[str | Picture] = []
    if len(drawn) > 1:
        caption = (
            f"How far objects of the classes {' and '.join(drawn)} are from their hosts, each class of area one, with the "
            "share of which no separation is known (Figure 12 of the paper)."
        )
        parts.append(Picture("separations", caption, partial(separations_figure, drawn)))
    return {"Distances from the host": [*parts, to_html(separations_table(found))]}


def _calibration(first: Examined, days: Sequence[float]) -> list[str | Picture]:
    view, run = next(iter(first.evaluations.items()))
    parts: list[str | Picture] = [to_html(calibration_table(run))]
    parts.append(
        "<p>Distance between probability and frequency in 15 bins of equal width, of the probabilities moved to the class "
        "mix of the objects scored.</p>"
    )
    for day in days:
        caption = (
            f"How often the most probable class is true against its probability, {first.name}, {day_name(day)} after the "
            f"first detection, {view} view; grey columns: how the objects spread over the bins."
        )
        draw = partial(reliability_figure, run.phases[day], day_name(day))
        parts.append(Picture(f"reliability {day_name(day)}", caption, draw))
    return parts


def _times(examined: Sequence[Examined]) -> list[str | Picture]:
    return [
        to_html(times_table(examined)),
        f"<p>Table 7 of the paper: whole light curves in the classifier’s own view, from memory to probabilities, encoding "
        f"among it, on one core of {html.escape(processor())}.</p>",
    ]


def _training(examined: Sequence[Examined]) -> Sections:
    parts: list[str | Picture] = []
    for each in examined:
        history = getattr(each.classifier.model, "history", None)
        if history:
            caption = f"Losses of {each.name} by epoch of its training (Figure 4 of the paper)."
            parts.append(Picture(f"training {each.name}", caption, partial(learning_figure, history, each.name)))
    return {"Training": ['<div class="pair">', *parts, "</div>"]} if parts else {}


def _beside(examined: Sequence[Examined], scored: Scored, days: Sequence[float]) -> Sections:
    first = examined[0]
    parts: list[str | Picture] = []
    for view in first.evaluations:
        runs = [(each.name, each.evaluations[view]) for each in examined]
        alone: dict[str, Sequence[Evaluation]] = {name: [run] for name, run in runs}
        names = ", ".join(alone)
        caption = f"Macro F1 of {names} on each level against days since the first detection, {view} view."
        parts += [
            f"<h3>{view.capitalize()} view</h3>",
            Picture(f"beside {view}", caption, partial(phases_figure, alone)),
            *(to_html(comparison_table(runs, measure, days=days)) for measure in ("f1", "auc", "balanced_log_loss")),
            Picture(
                f"beside classes {view}",
                f"F1 of each leaf against days since the first detection, {names}, {view} view.",
                partial(class_phases_figure, alone),
            ),
        ]
    parts.append("<h3>How sure the gap is</h3>")
    for other in examined[1:]:
        found = gaps(first, other, scored.labels, days=days)
        parts.append(to_html(gaps_table(found, first.name, other.name)))
    parts.append("<p>Bootstrapped over the objects, each drawn for both classifiers at once.</p>")
    return {"Side by side": parts}


def _named(level: str) -> str:
    return "the leaves" if level == "leaves" else level
