"""What goes with phase and context: numbers at knots of phase for each kind of context, interpolated and checked."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

KNOTS = (0.0, *(2.0**n for n in range(11)))
"""Days after the first detection between which is interpolated."""

ANY = "any"
"""The name of the kind of context where kinds are not told apart."""

FEWEST = 500
"""A kind of context of fewer rows than this gets the numbers of all kinds together."""

MAX_NUMBERS = 1_000_000
"""No table of a file may have more."""


def interpolation(days: NDArray[np.float64], knots: NDArray[np.float64]) -> tuple[NDArray[np.int64], NDArray]:
    """Give the knot before each day and the weight of the knot after it, linear in ``log(1 + days)``.

    Parameters
    ----------
    days : array, shape ``(n,)``, d
        Beyond the last knot its value holds.
    knots : array, shape ``(n_knots,)``, d

    Examples
    --------
    >>> interpolation(np.array([0.0, 1.0, 5000.0]), np.array([0.0, 3.0, 15.0]))
    (array([0, 0, 1]), array([0. , 0.5, 1. ]))
    """
    left = np.clip(np.searchsorted(knots, days, side="right") - 1, 0, knots.size - 2)
    place, scale = np.log1p(days), np.log1p(knots)
    return left, np.clip((place - scale[left]) / (scale[left + 1] - scale[left]), 0, 1)


def at(values: NDArray[np.float64], days: NDArray[np.float64], knots: NDArray[np.float64]) -> NDArray[np.float64]:
    """Interpolate ``values``, shape ``(n_knots, ...)``, at days, shape ``(n,)``: shape ``(n, ...)``."""
    left, weight = interpolation(days, knots)
    weight = weight.reshape(-1, *[1] * (values.ndim - 1))
    return values[left] * (1 - weight) + values[left + 1] * weight


def as_numbers(values: ArrayLike, what: str) -> NDArray[np.float64]:
    """Make an array of numbers, or say what is none."""
    try:
        return np.asarray(values, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise ValueError(f"{what} is no table of numbers: {error}") from error


def checked_knots(knots: ArrayLike) -> NDArray[np.float64]:
    """Check knots, shape ``(n_knots,)``: two or more, rising from 0."""
    values = as_numbers(knots, "knots")
    rising = values.ndim == 1 and values.size > 1 and values[0] == 0 and (np.diff(values) > 0).all()
    if not rising or not np.isfinite(values).all():
        raise ValueError("knots must be two or more finite days that rise from 0")
    return values


def checked_days(days: ArrayLike, n_objects: int) -> NDArray[np.float64]:
    """Check days, shape ``(n_objects,)``: finite and not below zero."""
    values = np.asarray(days, dtype=np.float64)
    if values.shape != (n_objects,):
        raise ValueError(f"days have shape {values.shape}, expected ({n_objects},), one an object")
    if (wrong := np.flatnonzero(~(np.isfinite(values) & (values >= 0)))).size:
        raise ValueError(f"days are not finite or below zero for {wrong.size} objects, first at object {wrong[0]}")
    return values


def checked_contexts(contexts: tuple[str, ...]) -> None:
    """Check the names of kinds of context: one or more, all different."""
    if not contexts or len(set(contexts)) < len(contexts):
        raise ValueError(f"contexts are {contexts}, expected one or more different names")


def read_contexts(document: Mapping[str, Any]) -> tuple[str, ...]:
    """Read the names of kinds of context of a file."""
    names = document["contexts"]
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise ValueError("contexts are no list of names")
    return tuple(names)


def context_places(context: ArrayLike | None, contexts: tuple[str, ...], n_objects: int) -> NDArray[np.int64]:
    """Give the place of each object's kind of context among those known, shape ``(n_objects,)``.

    Where there is but one, objects need not say theirs.

    Raises
    ------
    ValueError
        A kind is unknown, or none is given where there are several.
    """
    if len(contexts) == 1:
        return np.zeros(n_objects, dtype=np.int64)
    given = np.asarray(context if context is not None else [], dtype=np.str_)
    if given.shape != (n_objects,):
        raise ValueError(f"contexts are given for {given.size} objects of {n_objects}: say of each which it has")
    if (wrong := np.flatnonzero(~np.isin(given, contexts))).size:
        first = str(given[wrong[0]])
        raise ValueError(f"the context of {wrong.size} objects is unknown, first {first!r}; known: {contexts}")
    order = np.argsort(contexts)
    return order[np.searchsorted(np.asarray(contexts)[order], given)]


def checked_table(document: Mapping[str, Any], name: str, shape: tuple[int, ...]) -> NDArray[np.float64]:
    """Read a table of numbers of a file.

    Raises
    ------
    ValueError
        It is missing, of another shape, too large, or a number is not finite.
    """
    if name not in document:
        raise ValueError(f"it lacks {name!r}")
    if int(np.prod(shape)) > MAX_NUMBERS:
        raise ValueError(f"{name} would have {np.prod(shape)} numbers, at most {MAX_NUMBERS} are read")
    values = as_numbers(document[name], name)
    if values.shape != shape:
        raise ValueError(f"{name} has shape {values.shape}, expected {shape}")
    if not np.isfinite(values).all():
        raise ValueError(f"{name} is not finite in {(~np.isfinite(values)).sum()} places")
    return values


def checked_keys(document: Any, known: set[str], what: str) -> None:
    """Refuse a document that is no table, lacks an entry, or has one that is unknown."""
    if not isinstance(document, Mapping):
        raise ValueError(f"{what} is no table")
    if wrong := sorted(set(document) ^ known):
        raise ValueError(f"{what} {'lacks' if wrong[0] in known else 'knows no'} {wrong[0]!r}")
