"""Features of a light curve: named statistics, each computed for many ragged light curves at once.

A family is a function ``Observations -> dict of name to (n_objects,) array``; `FAMILIES` names them. Every feature is
defined for a single row (NaN where it needs more), knows nothing of what lies outside the light curve it is given, and
never uses the position in the sky or the calendar.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray

from telperion.encode.blackbody import blackbody
from telperion.encode.brightness import brightness
from telperion.encode.cache import store
from telperion.encode.colours import colours
from telperion.encode.evolution import evolution
from telperion.encode.fits import fits
from telperion.encode.host import host
from telperion.encode.observations import Observations
from telperion.encode.quiescence import quiescence
from telperion.encode.shape import rest_shape, shape
from telperion.encode.smoothness import smoothness
from telperion.encode.structure import structure
from telperion.encode.variability import variability
from telperion.lightcurves import LightCurves

FAMILIES: dict[str, Callable[[Observations], dict[str, NDArray]]] = {
    "brightness": brightness,
    "colours": colours,
    "structure": structure,
    "shape": shape,
    "host": host,
    "rest_shape": rest_shape,
    "blackbody": blackbody,
    "evolution": evolution,
    "fits": fits,
    "quiescence": quiescence,
    "smoothness": smoothness,
    "variability": variability,
}
"""The families of features by name; all from ``host`` on read the context."""

ANY_PHASE = ("brightness", "colours", "structure", "shape", "host", "rest_shape")
"""Families made for light curves of any age."""

PHYSICS = ("blackbody", "evolution", "fits", "quiescence", "smoothness", "variability")
"""Families that describe one outburst in its rest frame, its colours as a black body's, and what lies beside it."""

LARGEST = 1e30
"""A feature beyond this, from a ratio to almost nothing, counts as undefined."""


@dataclass(frozen=True, eq=False)
class Statistics:
    """A table of named features.

    Parameters
    ----------
    names : tuple of str
    values : array, shape ``(n_objects, n_features)``, float32
        NaN where a feature is not defined.
    """

    names: tuple[str, ...]
    values: NDArray[np.float32]

    def __getitem__(self, name: str) -> NDArray[np.float32]:
        """One feature by its name, shape ``(n_objects,)``."""
        return self.values[:, self.names.index(name)]


def statistics(light_curves: LightCurves, families: Sequence[str] = ANY_PHASE) -> Statistics:
    """Compute features of many light curves.

    Parameters
    ----------
    light_curves : LightCurves
        Already cut to the view in question; dereddened here if they are not yet.
    families : sequence of str
        Which of `FAMILIES`, in which order.

    Returns
    -------
    Statistics
        One row an object, in order; names are ``family.feature``.

    Raises
    ------
    ValueError
        A family is unknown, or the light curves cannot be dereddened.

    Examples
    --------
    >>> curve = LightCurves.from_rows(["a"] * 2, [0.0, 3.0], [1, 2], [500.0, 900.0], [90.0, 90.0], [True, True],
    ...                               dereddened=True)
    >>> statistics(curve)["structure.detections"]
    array([2.], dtype=float32)
    """
    if unknown := [name for name in families if name not in FAMILIES]:
        raise ValueError(f"families are unknown: {', '.join(unknown)}; known: {', '.join(FAMILIES)}")
    if kept := store():
        names = feature_names(tuple(families))
        table = kept.through(light_curves, families, len(names), lambda part: _compute(part, families).values)
        return Statistics(names, table)
    return _compute(light_curves, families)


@cache
def feature_names(families: tuple[str, ...]) -> tuple[str, ...]:
    """Name the features of families, in order."""
    none = np.empty(0)
    empty = LightCurves.from_rows(none, none, none.astype(np.int8), none, none, none, dereddened=True)
    return _compute(empty, families).names


def _compute(light_curves: LightCurves, families: Sequence[str]) -> Statistics:
    rows = Observations(light_curves)
    names: list[str] = []
    columns: list[NDArray] = []
    with np.errstate(all="ignore"):
        for family in families:
            for name, values in FAMILIES[family](rows).items():
                names.append(f"{family}.{name}")
                columns.append(np.where(np.abs(values) < LARGEST, values, np.nan))
    table = np.stack(columns, axis=1).astype(np.float32) if columns else np.empty((len(light_curves), 0), np.float32)
    return Statistics(tuple(names), table)
