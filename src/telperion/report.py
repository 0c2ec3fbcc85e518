"""Report evaluations: tables on the terminal, or a folder with JSON, figures and one HTML page.

The page holds all that it shows and needs nothing else.
"""

from __future__ import annotations

import html
import json
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console

from telperion import __version__
from telperion.card_figures import figures_of, without_roots
from telperion.figures import (
    FEWEST,
    class_phases_figure,
    confusion_figure,
    learning_figure,
    phases_figure,
    reliability_figure,
    roc_figure,
)
from telperion.page import Album, facts, page, write_json
from telperion.scores import LEVELS, Evaluation
from telperion.tables import (
    DAYS,
    Runs,
    Table,
    by_name,
    class_table,
    comparison_table,
    day_name,
    recall_table,
    shown_days,
    summary_table,
    to_html,
    to_rich,
)

FEW = 1000
"""Objects below which shares are shown with their intervals."""

History = Sequence[Mapping[str, float]]
"""One mapping an epoch, with ``epoch``, ``loss`` and perhaps ``validation_loss``."""

NOTE = (
    "Macro averages run over the classes present in the truth; 0/0 counts as 0. Several runs of one name (seeds or "
    "folds) stand as mean ± standard deviation. Log-losses are in nat; calibration errors use 15 bins of equal width."
)


def show(runs: Runs, *, days: Sequence[float] = DAYS, console: Console | None = None) -> None:
    """Print evaluations: every class and level of one classifier, or several classifiers side by side.

    Parameters
    ----------
    runs : sequence of (str, Evaluation)
        Those of one name, view and context are repeats.
    days : sequence of float, d
        Phases that are shown; see `telperion.tables.shown_days`.
    console : Console, optional
    """
    gathered = by_name(runs)
    if len(gathered) > 1:
        tables = [comparison_table(runs, "f1", [level], days) for level in LEVELS]
        tables.append(comparison_table(runs, "balanced_log_loss", ["leaves"], days))
    else:
        (repeats,) = gathered.values()
        tables = [*(class_table(repeats, level, days) for level in LEVELS), summary_table(repeats, days)]
    if max(run.phases[run.days[0]]["leaves"].n_objects for _, run in runs) < FEW:
        tables.append(recall_table(runs, days=days))
    console = console or Console()
    for table in tables:
        console.print(to_rich(table))


def write_scores(path: str | Path, runs: Runs, **about: str) -> None:
    """Write evaluations under their names, and what is said about them, as JSON."""
    entries = [{"name": name, **run.to_dict()} for name, run in runs]
    write_json(path, {"telperion": __version__, **about, "runs": entries})


def read_scores(path: str | Path) -> list[tuple[str, Evaluation]]:
    """Read what `write_scores` wrote (also the ``scores.json`` of a report)."""
    record = json.loads(Path(path).read_text(encoding="utf-8"))
    return [(entry["name"], Evaluation.from_dict(entry)) for entry in record["runs"]]


def model_card(*paths: str | Path) -> dict[str, Any]:
    """Sum up the ``scores.json`` of a cross-validation, or of evaluations, for a classifier's card.

    Paths from the root of a machine are cut to their last name: a card goes out into the world.

    Parameters
    ----------
    *paths : path
        One or, of evaluations in several contexts, some.

    Returns
    -------
    dict
        Objects, protocol, data, command, and ``figures``: F1 of the leaves by view, context, day and class.

    Raises
    ------
    ValueError
        The scores are of several classifiers or objects, or twice of one view and context.
    """
    records = [json.loads(Path(path).read_text(encoding="utf-8")) for path in paths]
    about = {(Path(record["data"]).name, record["command"].startswith("telperion crossvalidate")) for record in records}
    runs = [each for path in paths for each in read_scores(path)]
    sizes = {next(iter(run.phases.values()))["leaves"].n_objects for _, run in runs}
    if (several := len({name for name, _ in runs})) != 1:
        raise ValueError(f"{paths[0]} has scores of {several} runs, a card is about one")
    if len(about) > 1 or len(sizes) > 1:
        raise ValueError(
            f"the scores are of {max(len(about), len(sizes))} sets of objects, a card's figures are of one"
        )
    ((data, crossed),), (n_objects,) = about, sizes
    gathered: dict[tuple[str, str], list[Evaluation]] = {}
    for _, run in runs:
        gathered.setdefault((run.view, run.context), []).append(run)
    if not crossed and (twice := [kind for kind, repeats in gathered.items() if len(repeats) > 1]):
        raise ValueError(f"the view {twice[0][0]} with context {twice[0][1]} is scored twice")
    return {
        "objects": n_objects,
        "protocol": f"{'cross-validated' if crossed else 'measured'} on {n_objects:,} objects",
        "data": data,
        "command": "; ".join(without_roots(record["command"]) for record in records),
        "figures": [figures_of(repeats) for repeats in gathered.values()],
    }


def write_report(
    folder: str | Path,
    runs: Runs,
    *,
    title: str,
    data: str,
    command: str,
    histories: Mapping[str, History] | None = None,
    days: Sequence[float] = DAYS,
    formats: Sequence[str] = ("png",),
) -> Path:
    """Write ``scores.json``, ``figures/`` and ``index.html`` into a folder.

    Parameters
    ----------
    folder : path
        Made where it is missing; files of these names in it are replaced.
    runs : sequence of (str, Evaluation)
        Evaluations by name; those of one name, view and context are repeats (seeds or folds).
    title, data, command : str
        What the page is called, which objects were scored, and the command that gave the numbers.
    histories : mapping of str to `History`, optional
        Losses by epoch of trainings, by name.
    days : sequence of float, d
        Phases that tables and figures by phase show; see `telperion.tables.shown_days`.
    formats : sequence of str
        Formats in which figures are written (``png``, ``svg``, ``pdf``); without any, tables only and no matplotlib.

    Returns
    -------
    Path
        The page.

    Raises
    ------
    ValueError
        There are no runs, or a format is unknown.
    ImportError
        Figures are wanted and matplotlib is missing.
    """
    gathered = by_name(runs)
    folder = Path(folder)
    album = Album(folder / "figures", formats)
    write_scores(folder / "scores.json", runs, title=title, data=data, command=command)
    sections = {"Side by side": _comparison(runs, gathered, days, album)} if len(gathered) > 1 else {}
    sections |= {name: _run(name, repeats, days, album) for name, repeats in gathered.items()}
    for name, history in (histories or {}).items():
        draw = partial(learning_figure, history)
        sections[f"Training of {name}"] = [album.add(f"learning {name}", f"Losses by epoch, {name}.", draw)]
    index = folder / "index.html"
    index.write_text(page(title, _facts(data, command, gathered), NOTE, sections), encoding="utf-8")
    return index


# -- sections ----------------------------------------------------------------------------------------------------


def _comparison(
    runs: Runs, gathered: Mapping[str, Sequence[Evaluation]], days: Sequence[float], album: Album
) -> list[str]:
    measures = ("f1", "auc", "balanced_log_loss", "top_label_calibration_error")
    draw = partial(class_phases_figure, gathered)
    return [
        album.add("macro F1", "Macro F1 by level and days since first detection.", partial(phases_figure, gathered)),
        *(to_html(comparison_table(runs, measure, days=days)) for measure in measures),
        album.add("F1 by class", "F1 of each leaf by days since first detection.", draw),
    ]


def _run(name: str, repeats: Sequence[Evaluation], days: Sequence[float], album: Album) -> list[str]:
    alone = {name: repeats}
    draw = partial(class_phases_figure, alone)
    return [
        album.add(
            f"{name} macro F1", "Macro F1 by level and days since first detection.", partial(phases_figure, alone)
        ),
        to_html(summary_table(repeats)),
        album.add(f"{name} F1 by class", "F1 of each leaf by days since first detection.", draw),
        *(to_html(class_table(repeats, level, days)) for level in reversed(LEVELS)),
        *(part for day in shown_days(repeats, days) for part in _phase(name, repeats, day, album)),
    ]


def _phase(name: str, repeats: Sequence[Evaluation], day: float, album: Album) -> list[str]:
    """Show one phase of the first repeat; its confusions, ROC curves and reliability cannot be averaged."""
    if not album.formats:
        return []
    phase, scores = day_name(day), repeats[0].phases[day]
    which = f" (first of {len(repeats)} runs)" if len(repeats) > 1 else ""
    leaves = partial(confusion_figure, scores["leaves"])
    level = partial(confusion_figure, scores["level 2"])
    roc = partial(roc_figure, scores["leaves"])
    reliability = f"Reliability, {phase}{which}; hollow: fewer than {FEWEST} objects."
    return [
        f"<h3>{phase} after first detection</h3>" if np.isfinite(day) else "<h3>Whole light curves</h3>",
        '<div class="pair">',
        album.add(f"{name} confusion of leaves {phase}", f"Confusion of the leaves, {phase}{which}.", leaves),
        album.add(f"{name} confusion of level 2 {phase}", f"Confusion of level 2, {phase}{which}.", level),
        "</div>",
        album.add(f"{name} ROC {phase}", f"One-vs-rest ROC curves of the leaves, {phase}{which}.", roc),
        album.add(f"{name} reliability {phase}", reliability, partial(reliability_figure, scores)),
    ]


def _facts(data: str, command: str, gathered: Mapping[str, Sequence[Evaluation]]) -> list[str]:
    """State what was scored, on what and how; the class mix stands beside, since precision and F1 hang on it."""
    evaluations = [run for repeats in gathered.values() for run in repeats]
    leaves = evaluations[0].phases[evaluations[0].days[0]]["leaves"]
    about = {
        "data": html.escape(data),
        "view": html.escape(", ".join(dict.fromkeys(run.view for run in evaluations))),
        "context": html.escape(", ".join(dict.fromkeys(run.context for run in evaluations))),
        "command": f"<code>{html.escape(command)}</code>",
        "objects": f"{leaves.n_objects:,} with a leaf as label, {leaves.left_out:,} without",
        "written by": f"Telperion {__version__}",
    }
    total = max(leaves.n_objects, 1)
    counts = zip(leaves.classes, leaves.support, strict=True)
    rows = [(name, f"{count:,}", f"{100 * count / total:.1f} %") for name, count in counts]
    mix = Table("Class mix", [("", "class"), ("", "objects"), ("", "share")], rows)
    return [
        facts(about),
        f"<details><summary>Class mix (precision and F1 depend on it)</summary>{to_html(mix)}</details>",
    ]
