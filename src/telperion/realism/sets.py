"""Two labelled sets made comparable: leaves of one tree, the main survey, the context that both have, no dust."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from telperion.lightcurves import LightCurves
from telperion.simulate.cadence import DEEP, DEEP_RADIUS
from telperion.simulate.survey import SHIFT
from telperion.taxonomy import Taxonomy

TREES = ("elasticc", "plasticc", "mallorn")
"""Trees that are tried, in this order, until one knows all labels of a set."""

FEWEST = 10
"""Objects that a class needs on either side to be compared."""

IDENTITY = frozenset({"ra", "decl", "hostgal_ra", "hostgal_dec", "ddf"})
"""Context that says where an object is, not what."""


@dataclass(frozen=True, eq=False)
class Sets:
    """A simulated and a real set that can be compared.

    Parameters
    ----------
    simulated, real : LightCurves
        Dereddened; labels are leaves, all of `classes`; both have the same context.
    classes : tuple of str
        Leaves of which both have enough objects, in the order of the tree.
    notes : tuple of str
        What was left out, and why.
    """

    simulated: LightCurves
    real: LightCurves
    classes: tuple[str, ...]
    notes: tuple[str, ...]


def comparable(simulated: LightCurves, real: LightCurves, *, tree: str | None = None) -> Sets:
    """Make two labelled sets comparable.

    Parameters
    ----------
    simulated, real : LightCurves
        Objects without a label, with an inner node as label, without a detection or in deep fields are left out.
    tree : str, optional
        Tree that knows the labels of the real set; by default the first of `TREES` that does.

    Raises
    ------
    ValueError
        No tree knows the labels of a set, or no class has `FEWEST` objects in both.

    Examples
    --------
    >>> from telperion.simulate.drawn import draw
    >>> comparable(draw(10, seed=1), draw(10, seed=2)).classes[:3]
    ('AGN', 'SNIa', 'SNIb/c')
    """
    notes: list[str] = []
    leaves = _leaves(real, tree, "real")
    ours = _prepared(simulated, _leaves(simulated, None, "simulated"), "simulated", notes)
    theirs = _prepared(real, leaves, "real", notes)
    have, have_real = Counter(ours.label.tolist()), Counter(theirs.label.tolist())
    classes = []
    for name in leaves:
        n, m = have[name], have_real[name]
        if min(n, m) >= FEWEST:
            classes.append(name)
        elif m:
            notes.append(f"{name} is not compared: {n} simulated and {m} real objects, {FEWEST} are needed")
    if not classes:
        raise ValueError(f"no class has {FEWEST} objects in both sets: nothing to compare")
    context = _shared(ours, theirs, notes)
    return Sets(_keep(ours, classes, context), _keep(theirs, classes, context), tuple(classes), tuple(notes))


def _keep(curves: LightCurves, classes: list[str], context: list[str]) -> LightCurves:
    kept = curves[np.isin(curves.label, classes)]
    return kept.with_context({name: kept.context[name] for name in context})


def _leaves(curves: LightCurves, tree: str | None, what: str) -> dict[str, NDArray[np.bool_]]:
    """Give which objects are of each leaf of the first tree that knows all labels, in its order."""
    first = ""
    for name in [tree] if tree else TREES:
        try:
            taxonomy = Taxonomy.load(name)
            nodes = taxonomy.labels(curves.label)
        except ValueError as error:
            first = first or str(error)
            continue
        return {taxonomy.nodes[leaf]: nodes == leaf for leaf in taxonomy.leaves}
    raise ValueError(f"the labels of the {what} set are of no tree: {first}")


def _prepared(curves: LightCurves, leaves: dict[str, NDArray[np.bool_]], what: str, notes: list[str]) -> LightCurves:
    """Name the leaves, and leave out what has none, deep fields, and what is never detected; without dust."""
    label = np.full(len(curves), "", dtype=f"<U{max(map(len, leaves))}")
    for name, members in leaves.items():
        label[members] = name
    unlabelled, undetected = label == "", np.isnan(curves.first_detection)
    deep = _deep(curves)
    if deep is None:
        notes.append(f"the {what} set has neither ddf nor positions: objects in deep fields stay in it")
        deep = np.zeros(len(curves), dtype=bool)
    for wrong, why in (
        (unlabelled, "without a leaf as label"),
        (undetected, "without a detection"),
        (deep, "in deep fields"),
    ):
        if wrong.any():
            notes.append(f"{wrong.sum():,} {what} objects {why} are left out")
    named = curves.with_label(label)[~(unlabelled | undetected | deep)]
    return named if named.dereddened else named.deredden()


def _deep(curves: LightCurves) -> NDArray[np.bool_] | None:
    """Tell which objects are in deep fields: by context ``ddf``, else by position; None where neither is known."""
    context = curves.context
    if "ddf" in context:
        return np.asarray(context["ddf"] > 0)
    if {"ra", "decl"} - context.keys():
        return None
    near = _direction(context["ra"], context["decl"]) @ _direction(*DEEP.T).T
    return np.asarray(near.max(axis=1) > np.cos(np.radians(DEEP_RADIUS + SHIFT)))


def _direction(ra: NDArray, decl: NDArray) -> NDArray[np.float64]:
    east, north = np.radians(ra), np.radians(decl)
    return np.stack([np.cos(north) * np.cos(east), np.cos(north) * np.sin(east), np.sin(north)], axis=-1)


def _shared(ours: LightCurves, theirs: LightCurves, notes: list[str]) -> list[str]:
    """Name the context that both have a value of."""
    known = [
        {name for name, values in curves.context.items() if np.isfinite(values).any()} - IDENTITY
        for curves in (ours, theirs)
    ]
    for mine, other, what in ((known[0], known[1], "simulated"), (known[1], known[0], "real")):
        if alone := sorted(mine - other):
            notes.append(f"only the {what} set has {', '.join(alone)}: not compared")
    return sorted(known[0] & known[1])
