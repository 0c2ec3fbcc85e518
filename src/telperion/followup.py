"""What a spectrum that tells the class would tell, and how long it takes: where lists and rankings agree.

The information is the entropy of what is not known (Shannon 1948). The exposure is that of a spectrograph limited by
the sky, ``10^(0.8 (m - limit))`` hours.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from telperion.taxonomy import Taxonomy

TRANSIENT = "Transient"
"""The node of what does not come back: what varies for ever can be looked at on any other night."""

LIMIT = 21.5
"""The faintest object, mag, of which an hour gives a spectrum that tells the class, on the usual telescope."""

OVERHEAD = 10.0
"""Minutes beside an exposure."""

LONGEST = 2.0
"""Of an exposure, hours."""

SHORTEST = 1 / 60
"""Of an exposure, hours."""

LEAST = 0.067
"""Chance of success below which nothing is exposed."""


def exposure(magnitude: ArrayLike, limit: float = LIMIT) -> NDArray[np.float64]:
    """Give the exposure that an object at the zenith needs, hours, `SHORTEST` at least.

    Examples
    --------
    >>> exposure([21.5, 20.5, 10.0]).round(3)
    array([1.   , 0.158, 0.017])
    """
    return np.asarray(np.maximum(10 ** (0.8 * (np.asarray(magnitude) - limit)), SHORTEST))


def information(probabilities: ArrayLike, tree: Taxonomy, among: str = "") -> NDArray[np.float64]:
    """Give the entropy of the leaves: what a spectrum that tells the class would tell.

    Parameters
    ----------
    probabilities : array, shape ``(n, n_nodes)``
    tree : Taxonomy
    among : str
        A node: leaves that do not stand below it count as one class, so that it is worth nothing to tell them apart.

    Returns
    -------
    array, shape ``(n,)``, bits

    Raises
    ------
    KeyError
        The node is unknown.

    Examples
    --------
    >>> tree = Taxonomy("toy", {"Alert": {"Transient": {"SN": {}, "TDE": {}}, "Variable": {"EB": {}, "AGN": {}}}})
    >>> said = tree.from_leaves(np.array([[0.5, 0.5, 0, 0], [0, 0, 0.5, 0.5], [0.5, 0, 0.5, 0]]))
    >>> information(said, tree).round(2), information(said, tree, "Transient").round(2)
    (array([1., 1., 1.]), array([1., 0., 1.]))
    """
    chance = np.asarray(probabilities, dtype=np.float64)
    if not among:
        return bits(chance[:, tree.leaves]).sum(axis=1)
    node = tree.index(among)
    own = chance[:, tree.leaves[tree.ancestors[tree.leaves, node]]]
    return bits(own).sum(axis=1) + bits(np.clip(1 - own.sum(axis=1), 0, 1))


def followed(tree: Taxonomy) -> str:
    """Give the node whose leaves follow-up is for unless something is sought: transients, "" where a tree has none."""
    return TRANSIENT if TRANSIENT in tree.nodes else ""


def bits(chance: NDArray[np.float64]) -> NDArray[np.float64]:
    """Give ``-p log2 p``; 0 at 0, and at what rounding leaves above 1."""
    inside = np.clip(chance, 1e-300, 1)
    return np.asarray(-inside * np.log2(inside))
