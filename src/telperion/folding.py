"""Folds for the search for one class: random ones, or such that kindred objects stay together."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from telperion.lightcurves import LightCurves
from telperion.taxonomy import Taxonomy

RANDOM = "random"


def folds(light_curves: LightCurves, tree: Taxonomy, n_folds: int, folding: str, seed: int) -> NDArray[np.int64]:
    """Part objects into folds, stratified by the tree's nodes down to the second level, by their names and the seed.

    Parameters
    ----------
    light_curves : LightCurves
        Labelled objects.
    tree : Taxonomy
    n_folds : int
    folding : str
        "random", or the name of a context column whose equals stay together.
    seed : int

    Returns
    -------
    array of int, shape ``(n_objects,)``

    Raises
    ------
    ValueError
        The light curves have no such context column, or it has fewer values than there are folds.
    """
    from sklearn.model_selection import StratifiedGroupKFold, StratifiedKFold  # an extra

    order = np.argsort(light_curves.object_id)
    node = tree.labels(light_curves.label)[order]
    while (tree.depth[node] > 2).any():
        node = np.where(tree.depth[node] > 2, tree.parent[node], node)
    if folding == RANDOM:
        parts = StratifiedKFold(n_folds, shuffle=True, random_state=seed).split(order, node)
    else:
        if folding not in light_curves.context:
            raise ValueError(f"folding {folding!r} is neither {RANDOM!r} nor a context column of the light curves")
        group = light_curves.context[folding][order]
        if np.isnan(group).any() or np.unique(group).size < n_folds:
            raise ValueError(f"context {folding!r} is unknown for objects, or has fewer values than {n_folds} folds")
        parts = StratifiedGroupKFold(n_folds, shuffle=True, random_state=seed).split(order, node, group)
    result = np.empty(len(order), dtype=np.int64)
    for fold, (_, scored) in enumerate(parts):
        result[order[scored]] = fold
    return result
