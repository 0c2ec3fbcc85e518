"""Cross-validations side by side, whatever they judged, and what the first gains on each other one."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from telperion.crossvalidate import CONTEXTS, Said, document, evaluations, finished
from telperion.find import finished_search, searches
from telperion.intervals import Interval, bootstrap_gap
from telperion.scores import LEVELS
from telperion.search_report import gain_table, search_tables
from telperion.tables import Table, comparison_table, day_name
from telperion.taxonomy import Taxonomy


def tables(folders: Sequence[str | Path]) -> list[Table]:
    """Show what is finished in the folders of cross-validations, or of searches for one class.

    Raises
    ------
    ValueError
        A folder holds none, or some judge classes and others search for one.
    """
    kinds = {bool(document(folder).get("target")) for folder in folders}
    if len(kinds) > 1:
        raise ValueError("some folders hold a search for one class and others do not: they cannot be compared")
    if kinds == {False}:
        ours, *others = folders
        return [*comparison_tables(folders), *(gap for other in others for gap in gap_tables(ours, other))]
    found = {}
    for name, folder in zip(names_of(folders), folders, strict=True):
        run = finished_search(folder)
        found[f"{name} (OPTIMISTIC)" if run.optimistic else name] = searches(run, folder)
    first, *rest = found.items()
    return [*search_tables(found), *(gain_table(first, other) for other in rest)]


def comparison_tables(folders: Sequence[str | Path]) -> list[Table]:
    """Show cross-validations side by side, by view and context: macro F1 of each level and log-loss of the leaves.

    What is finished is shown, of several seeds the mean and the standard deviation; under the folders' names where two
    runs have one name.

    Raises
    ------
    ValueError
        A folder holds no cross-validation, or none has a finished one.
    """
    names = names_of(folders)
    gathered = [
        (name, one)
        for name, folder in zip(names, folders, strict=True)
        for run in finished(folder)
        for one in evaluations(run, folder)
    ]
    tables = []
    for view in dict.fromkeys(one.view for _, one in gathered):
        own = sorted(
            (pair for pair in gathered if pair[1].view == view), key=lambda pair: CONTEXTS.index(pair[1].context)
        )
        for measure, level in (("f1", "leaves"), ("balanced_log_loss", "leaves"), ("f1", "level 2"), ("f1", "level 1")):
            table = comparison_table(own, measure, [level])
            tables.append(dataclasses.replace(table, title=f"{table.title}, {view} view"))
    if not tables:
        raise ValueError("none of the cross-validations is finished")
    return tables


def gap_tables(ours: str | Path, theirs: str | Path) -> list[Table]:
    """Compare the macro F1 of two finished cross-validations on the same objects, one table a view.

    An entry is ours minus theirs and its standard error, from a bootstrap that draws each object for both; of several
    seeds the mean.

    Parameters
    ----------
    ours, theirs : path
        Folders of cross-validations. Views, contexts, seeds and days that both have are compared.

    Raises
    ------
    ValueError
        They have nothing in common, or scored other objects.
    """
    folders = Path(ours), Path(theirs)
    names = names_of(folders)
    tables = []
    for mine, other in itertools.product(finished(ours), finished(theirs)):
        view, tree = mine.views[0], Taxonomy.load(mine.tree)
        contexts, days, seeds = (
            [value for value in getattr(mine, name) if value in getattr(other, name)]
            for name in ("contexts", "days", "seeds")
        )
        if other.views[0] != view or not (contexts and days and seeds):
            continue
        rows = []
        for context in contexts:
            pairs = [
                [Said(run, folder, view, context, seed) for run, folder in zip((mine, other), folders, strict=True)]
                for seed in seeds
            ]
            for level in LEVELS:
                gaps = [[_gap(pair, day, tree, level) for pair in pairs] for day in days]
                rows.append([context, level, *(_entry(gap) for gap in gaps)])
        columns = [("", "context"), ("", "level"), *(("", day_name(day)) for day in days)]
        rules = [len(LEVELS) * place for place in range(1, len(contexts))]
        tables.append(Table(f"Macro F1, {names[0]} minus {names[1]}, {view} view", columns, rows, 2, rules))
    if not tables:
        raise ValueError(f"{ours} and {theirs} share no view, context, day and seed that is finished")
    return tables


def names_of(folders: Sequence[str | Path]) -> list[str]:
    """Name cross-validations by their runs, or by their folders where two runs have one name.

    Raises
    ------
    ValueError
        A folder holds no cross-validation.
    """
    names = [document(folder)["name"] for folder in folders]
    return names if len(set(names)) == len(names) else [Path(folder).name for folder in folders]


def _gap(pair: list[Said], day: float, tree: Taxonomy, level: str) -> Interval:
    if not np.array_equal(pair[0].object_id, pair[1].object_id):
        raise ValueError("the two cross-validations scored other objects")
    said = [one.at(day) for one in pair]
    return bootstrap_gap(
        said[0]["probabilities"], said[1]["probabilities"], pair[0].labels, tree, level,
        decided=(said[0]["decided"], said[1]["decided"]),
    )  # fmt: skip


def _entry(gaps: list[Interval]) -> str:
    error = np.sqrt(np.mean([gap.standard_error**2 for gap in gaps]))
    return f"{np.mean([gap.estimate for gap in gaps]):+.3f} ± {error:.3f}"
