"""What a spectrum that tells the class would be worth: what it finds, or what it teaches.

A spectrum that tells the class without error takes away all that is not known, the entropy of the probabilities
(Shannon 1948). That is what uncertainty sampling asks for, one of the strategies that Ishida et al. (2019) and RESSPECT
(Kennamer et al. 2020) compare for choosing spectroscopic targets. A search for a few classes has another aim: the
expected number of objects found, which is the sum of their probabilities.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, get_args

import numpy as np
from numpy.typing import ArrayLike, NDArray

from telperion.followup import bits, information
from telperion.taxonomy import Taxonomy

__all__ = ["Aim", "Sought", "checked", "information", "value"]

Aim = Literal["finding", "learning"]

Sought = Mapping[str, float]
"""Nodes that are sought, with what one of each is worth."""


def value(
    probabilities: ArrayLike, tree: Taxonomy, sought: Sought | None = None, aim: Aim = "finding", among: str = ""
) -> NDArray[np.float64]:
    """Give what knowing each object's class would be worth.

    Parameters
    ----------
    probabilities : array, shape ``(n, n_nodes)``
    tree : Taxonomy
    sought : mapping of str to float, optional
        Nodes none of which stands above another, and their weights. Without any, information on all leaves.
    aim : {"finding", "learning"}
        *finding*: sum of ``w p``, the expected worth of what is found. *learning*: sum of ``w h(p)``, where h is the
        binary entropy: how much is learnt about who is one.
    among : str
        Without anything sought: the node on whose leaves information counts, see `telperion.followup.information`.

    Returns
    -------
    array, shape ``(n,)``
        Bits where it is information, else in the unit of the weights.

    Raises
    ------
    ValueError
        The aim is unknown, or the nodes that are sought are not as they should be.

    Examples
    --------
    >>> tree = Taxonomy("toy", {"Alert": {"TDE": {}, "SN": {}, "AGN": {}}})
    >>> said = [[1, 0.5, 0.5, 0], [1, 0.9, 0.1, 0]]
    >>> value(said, tree).round(2), value(said, tree, {"TDE": 2}).round(2), value(said, tree, {"TDE": 2}, "learning")[0]
    (array([1.  , 0.47]), array([1. , 1.8]), np.float64(2.0))
    """
    if aim not in get_args(Aim):
        raise ValueError(f"the aim is {aim!r}, expected one of {', '.join(get_args(Aim))}")
    if not sought:
        return information(probabilities, tree, among)
    weights = checked(sought, tree)
    chance = np.asarray(probabilities, dtype=np.float64)[:, [tree.index(name) for name in sought]]
    return (chance if aim == "finding" else bits(chance) + bits(1 - chance)) @ weights


def checked(sought: Sought, tree: Taxonomy) -> NDArray[np.float64]:
    """Give the weights of nodes that are sought.

    Raises
    ------
    ValueError
        A weight is no number above zero, or one node stands above another.
    KeyError
        A node is unknown.
    """
    tree.parts(list(sought))
    weights = np.array(list(sought.values()), dtype=np.float64)
    if (wrong := np.flatnonzero(~(np.isfinite(weights) & (weights > 0)))).size:
        name = list(sought)[wrong[0]]
        raise ValueError(f"{wrong.size} weights are not above zero, first that of {name!r}: {sought[name]}")
    return weights
