"""The tables of a classifier's evaluation that are not scores by class: at a glance, counts, times, waits, gaps."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from telperion.encode.view import View
from telperion.examination.before import Before
from telperion.examination.course import THRESHOLD, Course, Wait, wait
from telperion.examination.examine import Examined
from telperion.examination.population import Separations, class_counts
from telperion.examination.trust import Trusted
from telperion.intervals import Interval, bootstrap
from telperion.scores import LEVELS, Evaluation, LevelScores
from telperion.tables import DAYS, Table, day_name, number, shown_days
from telperion.taxonomy import Taxonomy

PUBLISHED = {
    "leaves": {2: 0.60, 8: 0.66, 64: 0.80, 1024: 0.84},
    "level 2": {2: 0.86, 8: 0.89, 64: 0.96, 1024: 0.97},
}
"""Macro F1 of ORACLE on ELAsTiCC2 (Shah et al. 2025, Table 5)."""

PUBLISHED_BEFORE = {
    "non-detections only": (0.79, 0.21, 0.06), "context only, the network asked": (0.50, 0.26, 0.05),
    "both": (0.94, 0.83, 0.54),
}  # fmt: skip
"""The same before the first detection, by level (Table 6)."""


def glance_table(examined: Sequence[Examined], days: Sequence[float] = DAYS) -> Table:
    """Show the macro F1 of leaves and level 2 with bootstrapped errors, and the leaves' calibration error, by view."""
    days = shown_days([run for each in examined for run in each.evaluations.values()], days)
    rows = []
    for each in examined:
        for view, run in each.evaluations.items():
            cells = [plus_minus(bootstrap(run.phases[day][level], n_draws=400)) for level in PUBLISHED for day in days]
            errors = [number(run.phases[day]["leaves"].summary["calibration_error"]) for day in days]
            rows.append([each.name, view, *cells, *errors])
    if examined[0].classifier.tree.name == "elasticc":
        known = [f"{PUBLISHED[level][int(day)]:.2f}" if day in DAYS else "–" for level in PUBLISHED for day in days]
        rows.append(["ORACLE as published, on ELAsTiCC2 (*)", "full", *known, *["–"] * len(days)])
    groups = ("macro F1 of the leaves", "macro F1 of level 2", "calibration error of the leaves")
    columns = [("", "classifier"), ("", "view"), *((group, day_name(day)) for group in groups for day in days)]
    return Table("Days since first detection", columns, rows, n_words=2)


def counts_table(labels: NDArray[np.int64], deep: NDArray[np.bool_], tree: Taxonomy) -> Table:
    """Count the scored objects of each class, and those of them in the deep fields."""
    count, inside = class_counts(labels, tree), class_counts(np.where(deep, labels, -1), tree)
    total = max(sum(count.values()), 1)
    rows = [
        [name, f"{number:,}", f"{100 * number / total:.1f} %", f"{inside.get(name, 0):,}"]
        for name, number in count.items()
    ]
    rows.append(["total", f"{sum(count.values()):,}", "", f"{sum(inside.values()):,}"])
    columns = [("", "class"), ("", "objects"), ("", "share"), ("", "in deep fields")]
    return Table("Objects that are scored", columns, rows, rules=[len(count)])


def names_table(tree: Taxonomy, sources: Mapping[str, Mapping[str, float]]) -> Table:
    """Show where each leaf stands in the tree, its names in other data sets, and the sources it was simulated from."""
    others: Mapping[str, Sequence[str]] = tree.to_dict()["aliases"]
    columns = ["class", "under", "also called", *(["simulated as (share of the class)"] if sources else [])]
    rows = []
    for leaf in tree.leaves:
        name = tree.nodes[leaf]
        above = [tree.nodes[node] for node in np.flatnonzero(tree.ancestors[leaf]) if 0 < node != leaf]
        made = ", ".join(f"{source} ({100 * share:.0f} %)" for source, share in sources.get(name, {}).items())
        rows.append([name, " › ".join(above), ", ".join(others.get(name, ())), *([made] if sources else [])])
    return Table("The classes and what stands for them", [("", name) for name in columns], rows, n_words=len(columns))


def before_table(before: Before, *, published: bool) -> Table:
    """Show macro F1 before the first detection by what is known then; beside it, if wanted, ORACLE's published one."""
    rows = []
    for known, scores in before.scores.items():
        paper = [f"{value:.2f}" for value in PUBLISHED_BEFORE.get(known, ())] or ["–"] * len(LEVELS)
        rows.append([known, *(number(scores[level].macro.f1) for level in LEVELS), *(paper if published else [])])
    columns = [("", "known"), *(("macro F1", level) for level in LEVELS)]
    columns += [("as published, on ELAsTiCC2 (*)", level) for level in LEVELS] if published else []
    return Table("Before the first detection, full view", columns, rows)


def times_table(examined: Sequence[Examined]) -> Table:
    """Show the time for a light curve by batch size."""
    rows = [
        [each.name, f"{time.batch:,}", *(milliseconds(value) for value in (time.median, time.fastest, time.slowest)),
         f"{1 / time.median:,.0f}", f"{time.runs}"]
        for each in examined for time in each.times
    ]  # fmt: skip
    headings = ("classifier", "light curves per batch", "median", "fastest", "slowest", "light curves a second", "runs")
    return Table("Time for one light curve", [("", heading) for heading in headings], rows)


def waits_table(course: Course, view: View) -> Table:
    """Show, class by class and level by level, the median wait, the share that is ever confident, and the mistaken."""
    present = [name for name, count in zip(course.classes, course.support, strict=True) if count]
    found = {name: [wait(course, name, level) for level in LEVELS] for name in present}
    rows = [
        [name, f"{levels[0].objects:,}", *(cell for each in levels for cell in _wait_cells(each))]
        for name, levels in found.items()
    ]
    columns = [("", "class"), ("", "objects")]
    columns += [(level, heading) for level in LEVELS for heading in ("median", "ever", "mistaken")]
    return Table(f"Days until p > {THRESHOLD:g} for the true class, {view} view", columns, rows)


def promised_waits_table(trusted: Trusted) -> Table:
    """Show, class by class, the median wait until it is promised, the share that ever is, and the mistaken."""
    rows = [[name, f"{found.objects:,}", *_wait_cells(found)] for name, found in trusted.waits.items()]
    columns = [("", heading) for heading in ("class", "objects", "median", "ever", "mistaken")]
    return Table(f"Days until the true class is promised at {trusted.level:g}, {trusted.view} view", columns, rows)


def _wait_cells(found: Wait) -> tuple[str, str, str]:
    median = "–" if np.isnan(found.median) else f"{found.median:g} d"
    return median, f"{100 * found.reached:.0f} %", f"{100 * found.mistaken:.0f} %"


def alike_table(run: Evaluation, name: str, others: Sequence[str], days: Sequence[float]) -> Table:
    """Show, by phase, how often a class is taken for its look-alikes and they for it, in per cent of the true class."""
    days = shown_days([run], days)
    levels = [run.phases[day]["leaves"] for day in days]
    rows = [[f"{name} recognised", *(_share(scores, name, name) for scores in levels)]]
    rows += [[f"{name} taken for {other}", *(_share(scores, name, other) for scores in levels)] for other in others]
    rows += [[f"{other} taken for {name}", *(_share(scores, other, name) for scores in levels)] for other in others]
    columns = [("", "share of the true class"), *(("", day_name(day)) for day in days)]
    return Table(f"{name} and its look-alikes", columns, rows, rules=[1, 1 + len(others)])


def separations_table(separations: Mapping[str, Separations]) -> Table:
    """Show the distances from the host of every class that has hosts."""
    rows = []
    for name, found in separations.items():
        low, middle, high = np.quantile(found.arcsec, [0.16, 0.5, 0.84])
        total = found.arcsec.size + found.unknown
        share = f"{100 * found.unknown / total:.1f} %"
        rows.append([name, f"{total:,}", f"{middle:.2f}", f"{low:.2f} to {high:.2f}", share])
    headings = ("class", "objects", "median (arcsec)", "middle 68 %", "without")
    return Table("Separation from the host", [("", heading) for heading in headings], rows)


def gaps_table(gaps: Mapping[View, Mapping[str, Mapping[float, Interval]]], ours: str, theirs: str) -> Table:
    """Show the macro F1 of one classifier minus another's with its 95 % interval over objects."""
    days = list(next(iter(gaps.values()))["leaves"])
    rows = [
        [view, level, *(f"{gap.estimate:+.3f} ({gap.low:+.3f} to {gap.high:+.3f})" for gap in levels[level].values())]
        for view, levels in gaps.items() for level in LEVELS
    ]  # fmt: skip
    columns = [("", "view"), ("", "level"), *(("", day_name(day)) for day in days)]
    return Table(f"Macro F1, {ours} minus {theirs} (95 % interval)", columns, rows, n_words=2)


def plus_minus(interval: Interval) -> str:
    """Give an estimate and its standard error."""
    return f"{interval.estimate:.3f} ± {interval.standard_error:.3f}"


def milliseconds(seconds: float) -> str:
    """Give a time of seconds with three digits, in milliseconds."""
    return f"{float(f'{1000 * seconds:.3g}'):g} ms"


def _share(scores: LevelScores, true: str, decided: str) -> str:
    row = scores.confusion[scores.classes.index(true)]
    return f"{100 * row[scores.classes.index(decided)] / max(row.sum(), 1):.1f} %"
