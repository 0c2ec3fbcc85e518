"""The light curves that all peers learn from and are scored on."""

from __future__ import annotations

from pathlib import Path

import numpy as np

import telperion
from telperion.encode.view import Context, keep_context
from telperion.lightcurves import LightCurves
from telperion.taxonomy import Taxonomy
from telperion.train import labelled

HELD = 0.1
"""Share of the training objects that validate."""


def take(folder: Path, tree: Taxonomy, context: Context, most: int | None) -> LightCurves:
    """Read the objects that have a detection and a leaf as label, at most so many a class; the same ones every time.

    Raises
    ------
    ValueError
        There is none.
    """
    curves = labelled(telperion.read(folder), tree)
    curves = curves[np.isin(tree.labels(curves.label), tree.leaves) & np.isfinite(curves.first_detection)]
    if not len(curves):
        raise ValueError(f"no object in {folder} has a detection and a leaf of {tree.name!r} as label")
    if most is not None:
        curves = capped(curves, tree, most)
    return keep_context(curves, context)


def capped(curves: LightCurves, tree: Taxonomy, most: int) -> LightCurves:
    """Keep at most so many objects of each class, drawn by their ids alone."""
    drawn = np.random.default_rng(0).permutation(np.argsort(curves.object_id))
    label = tree.labels(curves.label)[drawn]
    by_class = np.argsort(label, kind="stable")
    first = np.searchsorted(label[by_class], label[by_class])
    return curves[np.sort(drawn[by_class[np.arange(len(curves)) - first < most]])]


def class_mix(curves: LightCurves, tree: Taxonomy) -> np.ndarray:
    """Give the share of each leaf among the objects, shape ``(n_leaves,)``."""
    place = np.searchsorted(tree.leaves, tree.labels(curves.label))
    return np.bincount(place, minlength=tree.leaves.size) / len(curves)
