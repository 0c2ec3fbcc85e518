"""Report how near a simulated set comes to a real one: tables, or a folder with JSON, figures and one HTML page."""

from __future__ import annotations

import html
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console

from telperion import __version__
from telperion.bands import BANDS
from telperion.page import Album, facts, page, write_json
from telperion.realism.compare import Realism
from telperion.realism.groups import GROUPS
from telperion.realism.leaks import Leaks
from telperion.realism.quantities import Distance, Distributions
from telperion.realism.telling import Telling
from telperion.realism.transfer import DIRECTIONS, Transfer
from telperion.realism_figures import distributions_figure, transfer_figure
from telperion.tables import Table, day_name, spread, to_html, to_markdown, to_rich

NOTE = (
    "Distances are Kolmogorov and Smirnov's: 0 is perfect, and 95 % of pairs of samples of one distribution stay below "
    "the limit. Areas under ROC curves are cross-validated within each class on as many simulated as real objects: 0.5 "
    "is perfect; ± is a standard error. F1 is of boosters in which classes count alike, alert view; ± is the standard "
    "deviation over seeds. The context photoz is photometric redshift, its error, dust and host; none is none of them. "
    "Like for like: pairs of rows of one band and age, one a night, with equal errors; cadence and noise are left out."
)
WORST = 3
"""Quantities that are named of each class."""

OF_SURVEYS = frozenset({"observations", "nights", *(f"error in {band}" for band in BANDS)})
"""Quantities that tell of when and how deep a survey looked."""


def realism_tables(found: Realism) -> list[Table]:
    """Give all tables: transfer, classes, confusion, distances, and what tells simulated from real."""
    tables = []
    if found.transfers:
        tables += [transfer_table(found.transfers), *(class_tables(found.transfers)), confusion_table(_main(found))]
    tables += [*worst_tables(found.distributions), distances_table(found.distributions)]
    for view, tellings in found.tellings.items():
        if tellings:
            tables += [telling_table(tellings, view), betrayers_table(tellings, view)]
    return tables


def leaks_table(found: Leaks) -> Table:
    """Show how well each class is told by its traces: F1, a row a class."""
    columns = [("", "class"), *(("", what) for what in found.f1)]
    rows = [[name, *(_two(values[k]) for values in found.f1.values())] for k, name in enumerate(found.classes)]
    rows.append(["macro", *(_short(f"{value:.3f}") for value in found.macro_f1.values())])
    return Table("F1 by traces of the simulation, alert view at 64 d", columns, rows, rules=[len(rows) - 1])


def show_leaks(found: Leaks, *, markdown: bool = False) -> None:
    """Print what leaks, for the terminal or as Markdown."""
    table, console = leaks_table(found), Console()
    if markdown:
        console.print(to_markdown(table), markup=False, highlight=False, soft_wrap=True)
    else:
        console.print(to_rich(table))


def show_realism(found: Realism, *, markdown: bool = False, console: Console | None = None) -> None:
    """Print all tables and what was left out, for the terminal or as Markdown."""
    console = console or Console()
    for table in realism_tables(found):
        if markdown:
            console.print(to_markdown(table), end="\n\n", markup=False, highlight=False, soft_wrap=True)
        else:
            console.print(to_rich(table))
    for note in found.notes:
        console.print(f"- {note}", markup=False, highlight=False, soft_wrap=True)


def write_realism_report(
    folder: str | Path,
    found: Realism,
    *,
    simulated: str,
    real: str,
    command: str,
    formats: Sequence[str] = ("png",),
) -> Path:
    """Write ``realism.json``, ``figures/`` and ``index.html`` into a folder.

    Parameters
    ----------
    folder : path
        Made where it is missing; files of these names in it are replaced.
    found : Realism
    simulated, real, command : str
        Which sets were compared, and the command that gave the numbers.
    formats : sequence of str
        Formats in which figures are written (``png``, ``svg``, ``pdf``); without any, tables only and no matplotlib.

    Returns
    -------
    Path
        The page.

    Raises
    ------
    ImportError
        Figures are wanted and matplotlib is missing.
    """
    folder = Path(folder)
    album = Album(folder / "figures", formats)
    about = {"telperion": __version__, "simulated": simulated, "real": real, "command": command}
    write_json(folder / "realism.json", about | to_dict(found))
    objects = ", ".join(f"{name} {ours:,} / {theirs:,}" for name, (ours, theirs) in found.counts.items())
    lines = {
        "simulated": html.escape(simulated),
        "real": html.escape(real),
        "command": f"<code>{html.escape(command)}</code>",
        "objects, simulated / real": html.escape(objects),
        "written by": f"Telperion {__version__}",
    }
    notes = "".join(f"<li>{html.escape(note)}</li>" for note in found.notes)
    top = [facts(lines), f"<details><summary>What was left out</summary><ul>{notes}</ul></details>"]
    index = folder / "index.html"
    index.write_text(page("Simulated and real", top, html.escape(NOTE), _sections(found, album)), encoding="utf-8")
    return index


def to_dict(found: Realism) -> dict[str, Any]:
    """Give plain nested dicts of all that was measured."""
    return {
        "objects": {name: list(pair) for name, pair in found.counts.items()},
        "notes": list(found.notes),
        "transfer": [
            {
                "days": one.days,
                "context": one.context,
                "macro f1": {name: one.macro_f1(name).tolist() for name in DIRECTIONS},
                "f1": {name: dict(zip(one.classes, one.f1(name).mean(axis=0).tolist(), strict=True))
                       for name in DIRECTIONS},
                "confusion": {name: one.confusion[name].tolist() for name in DIRECTIONS},
            }
            for one in found.transfers
        ],
        "distances": {one.label: [vars(each) for each in one.distances] for one in found.distributions},
        "simulated or real": {
            view: {one.label: _telling(one) for one in tellings} for view, tellings in found.tellings.items()
        },
    }  # fmt: skip


def _telling(one: Telling) -> dict[str, Any]:
    return {
        "objects of either": one.n,
        "auc": vars(one.everything),
        "groups": {name: vars(area) for name, area in one.groups.items()},
        "features": [vars(each) | {"alone": vars(each.alone)} for each in one.betrayers],
    }


# -- tables ------------------------------------------------------------------------------------------------------


def transfer_table(transfers: Sequence[Transfer]) -> Table:
    """Show the macro F1 of each direction by context and phase."""
    rows = [
        [one.context, day_name(one.days), *(_short(spread(one.macro_f1(name).tolist())) for name in DIRECTIONS)]
        for one in sorted(transfers, key=lambda each: each.context, reverse=True)
    ]
    columns = [("", "context"), ("", "phase"), *(("", name) for name in DIRECTIONS)]
    n_classes = len(transfers[0].classes)
    return Table(f"Leaf macro F1 of {n_classes} classes", columns, rows, 2)


def class_tables(transfers: Sequence[Transfer]) -> list[Table]:
    """Show the F1 of each class in each direction at the last phase, a table a context, mean over seeds."""
    last = max(one.days for one in transfers)
    tables = []
    for one in transfers:
        if one.days == last:
            values = [one.f1(name).mean(axis=0) for name in DIRECTIONS]
            rows = [[name, *(_two(column[k]) for column in values)] for k, name in enumerate(one.classes)]
            columns = [("", "class"), *(("", name) for name in DIRECTIONS)]
            tables.append(Table(f"F1 by class, {day_name(last)}, context {one.context}", columns, rows))
    return tables


def confusion_table(one: Transfer) -> Table:
    """Show what real objects are called by a booster that learnt on simulated ones, per cent of their class."""
    confusion = one.confusion["simulated to real"].sum(axis=0)
    share = 100 * confusion / np.maximum(confusion.sum(axis=1, keepdims=True), 1)
    rows = [[name, *(f"{value:.0f}" if value >= 0.5 else "" for value in share[k])]
            for k, name in enumerate(one.classes)]  # fmt: skip
    title = f"What real objects are called after learning on simulated ones, %, {day_name(one.days)}, {one.context}"
    return Table(title, [("", "true class"), *(("", name) for name in one.classes)], rows)


def worst_tables(distributions: Sequence[Distributions]) -> list[Table]:
    """Show what is farthest apart in each class, with medians: of all quantities, and of those of the sources."""
    tables = []
    for skipped, which in ((frozenset(), ""), (OF_SURVEYS, ", apart from cadence and noise")):
        rows = []
        for one in distributions:
            worst = [_worst(each) for each in one.distances if each.quantity not in skipped][:WORST]
            rows.append([one.label, *worst, *[""] * (WORST - len(worst))])
        columns = [("", "class"), *(("", name) for name in ("farthest apart", "second", "third"))]
        title = f"Distance of distributions (median simulated / real){which}"
        tables.append(Table(title, columns, rows, 1 + WORST))
    return tables


def _worst(one: Distance) -> str:
    return f"{one.quantity} {_two(one.distance)} ({one.simulated:.3g} / {one.real:.3g})"


def distances_table(distributions: Sequence[Distributions]) -> Table:
    """Show the distance of every quantity, a column a class."""
    found = [{each.quantity: each.distance for each in one.distances} for one in distributions]
    names = dict.fromkeys(name for one in distributions for name in one.simulated)
    rows = [
        [name, *(_two(one[name]) if name in one else "" for one in found)]
        for name in names
        if any(name in one for one in found)
    ]
    limits = [float(np.median([each.limit for each in one.distances])) for one in distributions]
    rows.append(["limit (95 %)", *(_two(value) for value in limits)])
    return Table("Distances", [("", "quantity"), *(("", one.label) for one in distributions)], rows,
                 rules=[len(rows) - 1])  # fmt: skip


def telling_table(tellings: Sequence[Telling], view: str) -> Table:
    """Show the area under the ROC curve of each class, with all features and with those of each group."""
    groups = [name for name in GROUPS if any(name in one.groups for one in tellings)]
    rows = [
        [one.label, f"{one.n}", f"{_two(one.everything.auc)} ± {_two(one.everything.error)}",
         *(_two(one.groups[name].auc) if name in one.groups else "" for name in groups)]
        for one in tellings
    ]  # fmt: skip
    columns = [("", "class"), ("", "objects"), ("", "all"), *(("", name) for name in groups)]
    return Table(f"Area under the ROC curve, simulated against real, {view}", columns, rows)


def betrayers_table(tellings: Sequence[Telling], view: str) -> Table:
    """Show the features that gain most of each class, and what each does alone."""
    rows: list[list[str]] = []
    rules: list[int] = []
    for one in tellings:
        rules.append(len(rows))
        for place, each in enumerate(one.betrayers):
            label = "" if place else one.label
            medians = [_median(each.simulated), _median(each.real)]
            rows.append([label, each.name, f"{100 * each.gain:.0f} %", _two(each.alone.auc), *medians])
    columns = [("", "class"), ("", "feature"), ("", "gain"), ("", "alone"), ("median", "simulated"), ("median", "real")]
    return Table(f"What betrays the simulation, {view}", columns, rows, 2, rules[1:])


def _median(value: float) -> str:
    return "–" if np.isnan(value) else f"{value:.3g}"


def _two(value: float) -> str:
    return _short(f"{value:.2f}")


def _short(text: str) -> str:
    """Leave out the zeros before the points."""
    return text.replace("0.", ".")


# -- sections ----------------------------------------------------------------------------------------------------


def _main(found: Realism) -> Transfer:
    """Give the transfer that is shown in detail: the last phase with a photometric redshift."""
    return max(found.transfers, key=lambda one: (one.days, one.context == "photoz"))


def _sections(found: Realism, album: Album) -> dict[str, list[str]]:
    sections: dict[str, list[str]] = {}
    if found.transfers:
        one = _main(found)
        what = f"{day_name(one.days)}, context {one.context}"
        sections["Transfer"] = [
            to_html(transfer_table(found.transfers)),
            album.add("transfer", f"F1 on the real set by class, {what}.", partial(transfer_figure, one)),
            *(to_html(table) for table in class_tables(found.transfers)),
            to_html(confusion_table(one)),
        ]
    for view, tellings in found.tellings.items():
        if tellings:
            sections[f"Simulated or real, {view}"] = [
                to_html(telling_table(tellings, view)), to_html(betrayers_table(tellings, view)),
            ]  # fmt: skip
    tables = [*worst_tables(found.distributions), distances_table(found.distributions)]
    sections["Distributions"] = [to_html(table) for table in tables]
    for each in found.distributions:
        if each.distances:
            caption = f"{each.label}: the quantities farthest apart, with their distances."
            sections["Distributions"].append(
                album.add(f"distributions {each.label}", caption, partial(distributions_figure, each, each.label))
            )
    return sections
