"""The class tree as nested rows for a page: every node with its probability, the promised one and the decided one."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from telperion.taxonomy import Taxonomy


@dataclass
class TreeRow:
    """One node.

    Parameters
    ----------
    name : str
    depth : int
    chance : float
        Its probability; NaN where nothing is said.
    promised, decided, leaf : bool
        Whether it is the deepest node promised, the class decided for, a class at all.
    sure : bool
        Whether it is the promised node or stands above it.
    below : list of TreeRow
    """

    name: str
    depth: int
    chance: float
    promised: bool
    decided: bool
    leaf: bool
    sure: bool
    below: list[TreeRow] = field(default_factory=list)


def tree_rows(
    tree: Taxonomy, probabilities: NDArray[np.floating] | None = None, confident: int = -1, leaf: int = -1
) -> TreeRow:
    """Give the root, with all nodes below it.

    Parameters
    ----------
    tree : Taxonomy
    probabilities : array, shape ``(n_nodes,)``, optional
    confident, leaf : int
        Positions in the tree; -1 for none.

    Examples
    --------
    >>> tree = Taxonomy("toy", {"Alert": {"SN": {"SNIa": {}}, "AGN": {}}})
    >>> root = tree_rows(tree, np.array([1, 0.9, 0.1, 0.9]), 1, 3)
    >>> root.sure, [(row.name, row.promised) for row in root.below], root.below[0].below[0].decided
    (True, [('SN', True), ('AGN', False)], True)
    """
    leaves = set(tree.leaves.tolist())
    above = tree.ancestors[confident] if confident >= 0 else np.zeros(len(tree), dtype=bool)
    rows = [
        TreeRow(
            name, int(tree.depth[k]), float("nan") if probabilities is None else float(probabilities[k]),
            k == confident, k == leaf, k in leaves, bool(above[k]),
        )
        for k, name in enumerate(tree.nodes)
    ]  # fmt: skip
    for k, row in enumerate(rows[1:], start=1):
        rows[tree.parent[k]].below.append(row)
    return rows[0]


def options(tree: Taxonomy) -> list[tuple[str, str]]:
    """Give all nodes in the order of the drawn tree, each with its name indented by depth, for a list to choose from.

    Examples
    --------
    >>> [text for _, text in options(Taxonomy("toy", {"Alert": {"SN": {"SNIa": {}}, "AGN": {}}}))]
    ['SN', '· SNIa', 'AGN']
    """
    found: list[tuple[str, str]] = []

    def walk(row: TreeRow) -> None:
        if row.depth:
            found.append((row.name, "· " * (row.depth - 1) + row.name))
        for each in row.below:
            walk(each)

    walk(tree_rows(tree))
    return found
