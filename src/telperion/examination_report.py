"""The evaluation of Shah et al. (2025) re-run on any labelled set: their tables and figures on one HTML page."""

from __future__ import annotations

import html
from collections.abc import Mapping, Sequence
from pathlib import Path

from rich.progress import Progress

from telperion import __version__
from telperion import examination_sections as sections
from telperion.calibration_section import calibration
from telperion.classifier import Classifier
from telperion.encode.view import Context, View
from telperion.examination.examine import Examined, detected, examine, same_tree
from telperion.examination.population import sources
from telperion.examination_sections import Scored
from telperion.lightcurves import LightCurves
from telperion.page import Album, Parts, Picture, facts, page
from telperion.scores import PHASES
from telperion.style import load_matplotlib
from telperion.tables import DAYS, shown_days

NOTE = (
    "Days count from the first detection. The full view knows every row up to then, be it from long before the first "
    "detection, as published studies have it; the alert view knows what a live alert of that day tells: detections "
    "alone in the first night, from the next day on forced photometry back to 30 days before. Macro averages run over "
    "the classes present and weigh them alike; 0/0 counts as 0; ± is a standard error bootstrapped over the objects. "
    "Precision and F1 depend on the class mix, which stands under “The scored set”. (*) ELAsTiCC2 is another "
    "simulation with other light curves: what is published of it stands beside for orientation, not for comparison."
)


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
    paths = [str(model) for model in models]
    if twice := [path for place, path in enumerate(paths) if path in paths[:place]]:
        raise ValueError(f"{twice[0]!r} is given twice")
    last = [Path(path).name for path in paths]
    return [name if last.count(name) == 1 else path for name, path in zip(last, paths, strict=True)]


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
        Of the HTML file; its folder is made where it is missing.
    classifiers : mapping of str to Classifier
        By name; those after the first stand beside it, along the same tree.
    light_curves : LightCurves
    data : path
        Where they were read from; of a simulated survey the page tells its sources.
    command : str
        What made the page.
    days, views, context
        As for `telperion.examination.examine.examine`.
    progress : rich.progress.Progress, optional
        Shows what is done and the time left.

    Raises
    ------
    ValueError
        The trees differ, or the light curves have no labels, or some that the tree does not know.
    ImportError
        Matplotlib is missing.
    """
    load_matplotlib()
    path = Path(path)
    if path.is_dir():
        raise IsADirectoryError(f"{path} is a folder: the page is one HTML file")
    tree = same_tree(list(classifiers.values()))
    light_curves = detected(light_curves)
    scored = Scored(light_curves, tree.labels(light_curves.label), str(data), sources(data), context)
    examined = [
        examine(name, classifier, light_curves, days=days, views=views, context=context, progress=progress)
        for name, classifier in classifiers.items()
    ]
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(html_page(examined, scored, command=command, progress=progress), encoding="utf-8")
    return examined


def html_page(
    examined: Sequence[Examined],
    scored: Scored,
    *,
    command: str,
    days: Sequence[float] = DAYS,
    progress: Progress | None = None,
) -> str:
    """Give the page as HTML that needs no other file.

    Parameters
    ----------
    examined : sequence of Examined
        The classifier that the page is about, then those beside it, on the same objects along the same tree.
    scored : Scored
    command : str
    days : sequence of float, d
        Phases of tables and of figures by phase; see `telperion.tables.shown_days`.
    progress : rich.progress.Progress, optional
    """
    first = examined[0]
    shown = shown_days(list(first.evaluations.values()), days)
    parts: dict[str, Parts] = {
        "At a glance": sections.glance(examined, shown),
        "The scored set": sections.scored_set(first, scored),
        "Scores by phase": sections.scores_by_phase(first),
        "Scores by class": sections.scores_by_class(first, shown),
        "Side by side": sections.beside(examined, scored, shown),
        "Confusions": sections.confusions(first, shown),
        "ROC curves": sections.roc_curves(first, shown),
        "Mean class scores": sections.mean_scores(first),
        "Sample light curves": sections.samples(first, scored),
        "Days until confident": sections.waits(first),
        "Before the first detection": sections.before_detection(first),
        "Look-alikes": sections.alike(first, scored, shown),
        "Distances from hosts": sections.hosts(first, scored),
        "Calibration and promises": calibration(first, shown),
        "Run time": sections.times(examined),
        "Training": sections.training(examined),
    }
    drawn = _draw({heading: found for heading, found in parts.items() if found}, progress)
    return page(f"{first.name}, evaluated as ORACLE was", [_facts(examined, scored, command)], NOTE, drawn)


def _draw(parts: Mapping[str, Parts], progress: Progress | None) -> dict[str, list[str]]:
    album = Album(None, ("png",))
    pictures = sum(isinstance(part, Picture) for found in parts.values() for part in found)
    task = progress.add_task("figures drawn", total=pictures) if progress else None
    drawn: dict[str, list[str]] = {heading: [] for heading in parts}
    for heading, found in parts.items():
        for part in found:
            if isinstance(part, str):
                drawn[heading].append(part)
                continue
            drawn[heading].append(album.add(part.name, part.caption, part.draw))
            if progress and task is not None:
                progress.advance(task)
    return drawn


def _facts(examined: Sequence[Examined], scored: Scored, command: str) -> str:
    first, others = examined[0], ", ".join(each.name for each in examined[1:])
    known = {"specz": "all that the data have", "photoz": "all but spectroscopic redshifts", "none": "none"}
    card = first.classifier.card
    taught = f"{card['objects']:,} objects of {card['data']}: scores on those flatter it" if "data" in card else ""
    about = {
        "classifier": f"{html.escape(first.name)}, taught on the {first.classifier.view} view",
        "taught by": html.escape(taught),
        "beside it": html.escape(others),
        "data": f"{html.escape(scored.data)}, {len(scored.labels):,} objects",
        "context": known[scored.context],
        "command": f"<code>{html.escape(command)}</code>",
        "after": "Shah et al. (2025, ApJ 995, 4), here “the paper”: the tables and figures of ORACLE",
        "written by": f"Telperion {__version__}",
    }
    return facts({name: text for name, text in about.items() if text})
