"""Evaluations as tables: one classifier class by class, or several side by side; for terminal, Markdown and HTML.

Evaluations of one name, view and context are repeats (seeds or folds) and are shown as mean ± standard deviation.
"""

from __future__ import annotations

import html
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Literal

import numpy as np
import rich.box
import rich.table
from numpy.typing import NDArray

from telperion.intervals import wilson
from telperion.scores import LEVELS, Evaluation, LevelScores, shared_days

Runs = Sequence[tuple[str, Evaluation]]
"""Evaluations by name; those of one name, view and context are repeats."""

DAYS = (2, 8, 64, 1024)
"""Days since first detection that ORACLE's tables show."""

MEASURES = {
    "precision": "precision",
    "recall": "recall",
    "f1": "F1",
    "auc": "ROC-AUC",
    "accuracy": "accuracy",
    "log_loss": "log-loss",
    "balanced_log_loss": "balanced log-loss",
    "top_label_calibration_error": "calibration error",
}
"""Entries of `LevelScores.summary` that the tables show, with their headings; the first four are macro averages."""


@dataclass(frozen=True)
class Table:
    """Text in rows and columns, to be drawn by `to_rich`, `to_markdown` or `to_html`.

    Parameters
    ----------
    title : str
    columns : sequence of (str, str)
        Group and heading of each column; neighbours of one group (other than "") share a heading above theirs.
    rows : sequence of sequence of str
    n_words : int
        Leading columns that hold words and are set to the left.
    rules : sequence of int
        Positions of the rows that a rule is drawn above.
    """

    title: str
    columns: Sequence[tuple[str, str]]
    rows: Sequence[Sequence[str]]
    n_words: int = 1
    rules: Sequence[int] = ()


def by_name(runs: Runs) -> dict[str, list[Evaluation]]:
    """Gather repeats, in order of appearance; view and context join the name where the runs differ in them.

    Raises
    ------
    ValueError
        There are no runs.
    """
    if not runs:
        raise ValueError("no evaluation is given")
    several = [what for what in ("view", "context") if len({getattr(run, what) for _, run in runs}) > 1]
    gathered: dict[str, list[Evaluation]] = {}
    for name, run in runs:
        gathered.setdefault(", ".join([name, *(f"{getattr(run, what)} {what}" for what in several)]), []).append(run)
    return gathered


def shown_days(evaluations: Sequence[Evaluation], days: Sequence[float] = DAYS) -> list[float]:
    """Give those of `days` at which all evaluations are scored, or all that they share where that leaves none."""
    shared = shared_days(evaluations)
    return [day for day in days if day in shared] or shared


def class_table(repeats: Sequence[Evaluation], level: str = "leaves", days: Sequence[float] = DAYS) -> Table:
    """Show precision, recall and F1 of every class at a few phases, as Table 5 of Shah et al. (2025); repeats averaged.

    Parameters
    ----------
    repeats : sequence of Evaluation
        One classifier, over seeds or folds.
    level : str
        One of `LEVELS`.
    days : sequence of float, d
        Wanted phases; see `shown_days`.
    """
    days = shown_days(repeats, days)
    scores = [[run.phases[day][level] for day in days] for run in repeats]
    values = np.mean([np.hstack([_class_block(phase) for phase in run]) for run in scores], axis=0)
    support = np.mean([run[0].support for run in scores], axis=0)
    names = [*scores[0][0].classes, "accuracy", "macro average", "weighted average"]
    objects = [*support, *[support.sum()] * 3]
    rows = [
        [name, f"{count:,.0f}", *(number(value, unknown="") for value in line)]
        for name, count, line in zip(names, objects, values, strict=True)
    ]
    columns = [("", level), ("", "objects")]
    columns += [(day_name(day), heading) for day in days for heading in ("precision", "recall", "F1")]
    mean = f", mean of {len(repeats)} runs" if len(repeats) > 1 else ""
    return Table(f"{level.capitalize()} by days since first detection{mean}", columns, rows, rules=[support.size])


def summary_table(repeats: Sequence[Evaluation], days: Sequence[float] | None = None) -> Table:
    """Show what describes each level as a whole, phase by phase; precision, recall, F1, ROC-AUC are macro averages."""
    days = shown_days(repeats, repeats[0].days if days is None else days)
    rows = [
        [
            level,
            day_name(day),
            *(spread([run.phases[day][level].summary[name] for run in repeats]) for name in MEASURES),
        ]
        for level in LEVELS
        for day in days
    ]
    columns = [("", "level"), ("", "phase"), *(("", heading) for heading in MEASURES.values())]
    rules = [len(days) * place for place in range(1, len(LEVELS))]
    return Table("Levels by days since first detection (macro averages)", columns, rows, n_words=2, rules=rules)


def comparison_table(
    runs: Runs, measure: str = "f1", levels: Sequence[str] = LEVELS, days: Sequence[float] = DAYS
) -> Table:
    """Show one measure of several classifiers side by side, a column for each level and phase."""
    days = shown_days([run for _, run in runs], days)
    rows = [
        [
            name,
            *(spread([run.phases[day][level].summary[measure] for run in repeats]) for level in levels for day in days),
        ]
        for name, repeats in by_name(runs).items()
    ]
    columns = [("", "run"), *((level, day_name(day)) for level in levels for day in days)]
    return Table(f"{_heading(measure)} by level and days since first detection", columns, rows)


def recall_table(runs: Runs, levels: Sequence[str] = ("level 2", "leaves"), days: Sequence[float] = DAYS) -> Table:
    """Show which share of each true class is decided rightly, with its 95 % interval; for sets of few objects.

    Repeats of one name are counted together, as if each object had been drawn as often.
    """
    days = shown_days([run for _, run in runs], days)
    rows: list[list[str]] = []
    rules = []
    for level in levels:
        rules.append(len(rows))
        classes = runs[0][1].phases[days[0]][level].classes
        for place, label in [(None, "all"), *enumerate(classes)]:
            for name, repeats in by_name(runs).items():
                cells = []
                for day in days:
                    confusion = np.sum([run.phases[day][level].confusion for run in repeats], axis=0)
                    right, objects = np.diagonal(confusion), confusion.sum(axis=1)
                    chosen = slice(None) if place is None else place
                    hits, trials = right[chosen].sum(), objects[chosen].sum()
                    low, high = wilson(hits, trials)
                    cells.append(f"{number(hits / trials)} [{number(low)}, {number(high)}]" if trials else "")
                if any(cells):
                    rows.append([level, label, name, f"{trials:,}", *cells])
    columns = [("", "level"), ("", "class"), ("", "run"), ("", "objects"), *(("", day_name(day)) for day in days)]
    title = "Share decided rightly by days since first detection [95 % interval]"
    return Table(title, columns, rows, n_words=3, rules=rules[1:])


def gap_table(
    ours: Sequence[Evaluation],
    theirs: Sequence[Evaluation],
    measure: str = "f1",
    days: Sequence[float] = DAYS,
    names: tuple[str, str] = ("ours", "theirs"),
) -> Table:
    """Show one measure of a classifier minus another's, with its spread over repeats paired by their order.

    Raises
    ------
    ValueError
        The numbers of repeats differ, or a pair differs in view or context.
    """
    if len(ours) != len(theirs):
        raise ValueError(f"repeats are paired, but there are {len(ours)} of ours and {len(theirs)} of theirs")
    for place, (mine, other) in enumerate(zip(ours, theirs, strict=True)):
        if (mine.view, mine.context) != (other.view, other.context):
            raise ValueError(f"view or context differ within a pair, first in pair {place}")
    days = shown_days([*ours, *theirs], days)

    def gap(level: str, day: float) -> str:
        pairs = zip(ours, theirs, strict=True)
        return spread([_entry(a, day, level, measure) - _entry(b, day, level, measure) for a, b in pairs], signed=True)

    rows = [[level, *(gap(level, day) for day in days)] for level in LEVELS]
    return Table(
        f"{_heading(measure)}, {names[0]} minus {names[1]}",
        [("", "level"), *(("", day_name(day)) for day in days)],
        rows,
    )


# -- drawing -----------------------------------------------------------------------------------------------------


LONGEST_WORD = 24
"""Letters of what is not wrapped in the terminal."""


def to_rich(table: Table) -> rich.table.Table:
    """Draw for the terminal; print it with ``rich.console.Console().print``."""
    drawn = rich.table.Table(title=table.title, box=rich.box.SIMPLE_HEAD, title_justify="left", title_style="bold")
    grouped, seen = any(group for group, _ in table.columns), ""
    for place, (group, heading) in enumerate(table.columns):
        above = group if group != seen else ""
        seen = group
        word = place < table.n_words
        justify: Literal["left", "right"] = "left" if word else "right"
        short = word and max((len(row[place]) for row in table.rows), default=0) <= LONGEST_WORD
        drawn.add_column(
            f"{above}\n{heading}" if grouped else heading,
            justify=justify,
            no_wrap=short,
            overflow="fold",
            header_style="bold",
        )
    for place, row in enumerate(table.rows):
        if place in table.rules:
            drawn.add_section()
        drawn.add_row(*row)
    return drawn


def to_markdown(table: Table) -> str:
    """Draw as a Markdown table below its title, if it has one, in bold.

    Examples
    --------
    >>> print(to_markdown(Table("Days", [("", "class"), ("2 d", "F1")], [["KN", ".50"]])))
    **Days**
    <BLANKLINE>
    | class | 2 d F1 |
    |:--|--:|
    | KN | .50 |
    """
    head = [f"{group} {heading}".strip() for group, heading in table.columns]
    marks = [":--" if place < table.n_words else "--:" for place in range(len(head))]
    lines = [f"| {' | '.join(cell.replace('|', '&#124;') for cell in row)} |" for row in (head, *table.rows)]
    title = [f"**{table.title}**", ""] if table.title else []
    return "\n".join([*title, lines[0], f"|{'|'.join(marks)}|", *lines[1:]])


def to_html(table: Table) -> str:
    """Draw as an HTML table; every text is escaped."""
    above = [(group, len(list(cells))) for group, cells in groupby(group for group, _ in table.columns)]
    head = [f'<th colspan="{span}" class="group">{html.escape(group)}</th>' for group, span in above]
    parts = [f'<div class="scroll"><table><caption>{html.escape(table.title)}</caption><thead>']
    parts += [f"<tr>{''.join(head)}</tr>"] if any(group for group, _ in above) else []
    parts += [f"<tr>{_cells('th', [heading for _, heading in table.columns], table.n_words)}</tr></thead><tbody>"]
    for place, row in enumerate(table.rows):
        rule = ' class="rule"' if place in table.rules else ""
        parts.append(f"<tr{rule}>{_cells('td', row, table.n_words)}</tr>")
    return "\n".join([*parts, "</tbody></table></div>"])


def _cells(tag: str, texts: Sequence[str], n_words: int) -> str:
    words = ' class="word"'
    return "".join(f"<{tag}{words if k < n_words else ''}>{html.escape(text)}</{tag}>" for k, text in enumerate(texts))


# -- numbers as text -----------------------------------------------------------------------------------------------


def day_name(days: float) -> str:
    """Name a phase: ``"64 d"``, or ``"all"`` for whole light curves."""
    return "all" if np.isinf(days) else f"{days:g} d"


def phase_name(day: float) -> str:
    """Name a phase within a sentence."""
    return f"{day:g} d after the first detection" if np.isfinite(day) else "whole light curves"


def number(value: float, *, unknown: str = "–") -> str:
    """Give a number three decimals, and NaN a dash."""
    return unknown if np.isnan(value) else f"{value:.3f}"


def deviation(values: Sequence[float]) -> float | None:
    """Give the standard deviation of repeats (ddof 1), to four digits; None of a single one.

    Examples
    --------
    >>> deviation([0.60, 0.62]), deviation([0.6])
    (0.0141, None)
    """
    return round(float(np.std(values, ddof=1)), 4) if len(values) > 1 else None


def spread(values: Sequence[float], *, signed: bool = False) -> str:
    """Give the mean of repeats and, of two or more, their standard deviation (ddof 1).

    Examples
    --------
    >>> spread([0.60, 0.62]), spread([0.6]), spread([-0.01], signed=True)
    ('0.610 ± 0.014', '0.600', '-0.010')
    """
    mean = np.mean(values)
    if np.isnan(mean):
        return "–"
    text = f"{mean:+.3f}" if signed else f"{mean:.3f}"
    return f"{text} ± {np.std(values, ddof=1):.3f}" if len(values) > 1 else text


def _class_block(scores: LevelScores) -> NDArray[np.float64]:
    """Precision, recall, F1 of the classes, then accuracy, macro and weighted averages, shape (n_classes + 3, 3)."""
    averages = [[mean.precision, mean.recall, mean.f1] for mean in (scores.macro, scores.weighted)]
    by_class = np.column_stack([scores.precision, scores.recall, scores.f1])
    return np.vstack([by_class, [np.nan, np.nan, scores.accuracy], *averages])


def _entry(run: Evaluation, day: float, level: str, measure: str) -> float:
    return run.phases[day][level].summary[measure]


def _heading(measure: str) -> str:
    if measure not in MEASURES:
        raise ValueError(f"no measure {measure!r}; there are {', '.join(MEASURES)}")
    heading = MEASURES[measure]
    return f"Macro {heading}" if measure in ("precision", "recall", "f1", "auc") else heading.capitalize()
