"""Cross-validations side by side, whatever they judged, and what the first gains on each other one."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from telperion.crossvalidate import comparison_tables, document, gap_tables, names_of
from telperion.find import finished_search, searches
from telperion.search_report import gain_table, search_tables
from telperion.tables import Table


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
