"""Rows of the list of objects, as the page shows them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from telperion.serve.sky import Listed
from telperion.taxonomy import Taxonomy

NAMED = 3
"""Classes of an object that its row names."""


@dataclass(frozen=True)
class Share:
    """A class and its probability, and where its part of the bar begins, of 100."""

    name: str
    chance: float
    start: float
    place: int


@dataclass(frozen=True)
class Row:
    """One object of the list.

    Parameters
    ----------
    listed : Listed
    shares : tuple of Share
        The likeliest classes, first the likeliest.
    path : str
        Names from below the root down to what is promised; "" where nothing is.
    chance : float
        Probability of what is promised.
    """

    listed: Listed
    shares: tuple[Share, ...]
    path: str
    chance: float


def rows(found: Sequence[Listed], tree: Taxonomy) -> list[Row]:
    """Make rows of what the sky gave."""
    if not found:
        return []
    probabilities = np.stack([np.asarray(each.probabilities, dtype=np.float64) for each in found])
    leaves = tree.leaves
    order = np.argsort(-probabilities[:, leaves], axis=1, kind="stable")[:, :NAMED]
    above = {
        name: " › ".join(tree.nodes[k] for k in np.flatnonzero(tree.ancestors[place]) if k)
        for place, name in enumerate(tree.nodes)
    }  # fmt: skip
    made = []
    for each, said, best in zip(found, probabilities, leaves[order], strict=True):
        values = said[best]
        starts = np.concatenate([[0], np.cumsum(values)])[:-1] * 100
        shares = tuple(
            Share(tree.nodes[leaf], float(value), float(start), place)
            for place, (leaf, value, start) in enumerate(zip(best, values, starts, strict=True))
        )
        made.append(Row(each, shares, above.get(each.confident, ""), float(each.confident_probability)))
    return made
