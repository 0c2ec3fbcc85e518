"""What calibration and promises are worth, as tables."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from telperion.calibration_scores import Trust, class_errors
from telperion.encode.view import Context
from telperion.scores import PHASES
from telperion.tables import Table, day_name, number

SHOWN = (0.0, *PHASES)
"""Days after the first detection that tables show."""


def calibration_table(trusts: Sequence[Trust], leaves: NDArray[np.int64], days: Sequence[float] = SHOWN) -> Table:
    """Set calibration errors before and after beside each other; the node of the largest error counts for its row.

    Where there is no calibration there is one column of each.
    """
    both = all(each.before is not None for each in trusts)
    rows = []
    for each in trusts:
        if each.days in days:
            errors = [class_errors(part) for part in (each.before, each.after) if part is not None]
            groups = [[part[leaves].mean(), part[leaves].max(), part.max()] for part in errors]
            top = [value for value in each.top if value is not None]
            cells = [value for group in (*zip(*groups, strict=True), top) for value in group]
            rows.append([each.context, day_name(each.days), *map(number, cells)])
    columns = [("", "context"), ("", "days")]
    for group in ("leaves, mean", "leaves, largest", "nodes, largest", "likeliest leaf"):
        columns += [(group, "before"), (group, "after")] if both else [("", group)]
    return Table("Class-wise calibration error", columns, rows, n_words=2)


def promise_table(trusts: Sequence[Trust], days: Sequence[float] = SHOWN, level: float = 0.9) -> Table:
    """Set what is promised, if anything is, beside the rule of a threshold; coverage by depth of the former."""
    promised = [each.promised for each in trusts if each.promised is not None]
    rules = {f"promised at {level:g}": promised} if promised else {}
    rules["p > .9"] = [each.plain for each in trusts]
    first = next(iter(rules))
    rows = []
    for place, each in enumerate(trusts):
        if each.days in days:
            found = [scores[place] for scores in rules.values()]
            cells = [value for part in found for value in (part.coverage, part.depth, part.at_leaf)]
            rows.append([each.context, day_name(each.days), *map(number, [*cells, *found[0].coverage_at[1:]])])
    columns = [("", "context"), ("", "days")]
    for group in rules:
        columns += [(group, "right"), (group, "depth"), (group, "leaf")]
    depths = len(trusts[0].plain.share) if trusts else 1
    columns += [(f"{first}: right at depth", str(depth)) for depth in range(1, depths)]
    return Table("Answers along the tree", columns, rows, n_words=2)


def always_table(shares: Mapping[Context, float], level: float = 0.9) -> Table:
    """Say how many objects have right answers at all phases together, which is not promised."""
    rows = [[context, number(share)] for context, share in shares.items()]
    return Table(
        f"Promised at {level:g}: right at all days of the tables together", [("", "context"), ("", "objects")], rows
    )
