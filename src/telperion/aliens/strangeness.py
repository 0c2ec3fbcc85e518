"""`Aliens`: how strange an object is among the known ones of its phase, context and number of rows, from 0 to 1.

The distance of a state from what is known is no number by itself: young objects are all alike, old ones are not. So it
is placed among the distances of known objects held out from its fit, at the same phase, with the same kind of context
and about as many rows. What is published is the share of these that are nearer: for known objects a number drawn
evenly from 0 to 1 at all phases, one minus a conformal p-value (Vovk, Gammerman & Shafer 2005; Bates et al. 2023, Ann.
Stat. 51, 149), as far as cells hold enough objects and are alike inside.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike, NDArray

from telperion.aliens.distance import Distance
from telperion.aliens.files import opened, write_arrays
from telperion.aliens.known import FILE as KNOWN
from telperion.aliens.known import KnownObjects
from telperion.phases import ANY, FEWEST, checked_contexts, context_places

FORMAT = 1
FILE = "aliens.npz"
MAX_BYTES = 1_000_000

PHASES = (0.0, 4.0, 16.0, 64.0)
"""Days after the first detection at which the phases of the distance begin."""

CELLS = (0.0, 0.5, 1.5, 3.0, 6.0, 12.0, 24.0, 48.0, 96.0, 192.0, 384.0, 768.0)
"""Days after the first detection at which cells of phase begin, within which distances are compared."""

LEVELS = np.concatenate([np.linspace(0, 0.9, 46), np.linspace(0.9, 0.99, 19)[1:], np.linspace(0.99, 1, 21)[1:]])
"""Shares of which the distance is kept in every cell."""

_CROWDS = 3  # thirds of the objects of a cell by their number of rows


@dataclass(frozen=True, eq=False)
class Aliens:
    """A score of strangeness of a classifier's objects.

    Parameters
    ----------
    distance : Distance
    contexts : tuple of str
        Kinds of context that are told apart; of one alone, objects need not say which they have.
    cells : array, shape ``(n_cells,)``, d
        Where each cell of phase begins, rising from 0.
    crowds : array, shape ``(n_contexts, n_cells, n_crowds - 1)``
        Number of rows from which on an object is in the next crowd of its cell.
    levels : array, shape ``(n_levels,)``
        Shares, rising from 0 to 1.
    nearer : array, shape ``(n_contexts, n_cells, n_crowds, n_levels)``
        The distance than which this share of known objects is nearer.
    known : KnownObjects, optional
        Some of them, to be shown beside what looks like them.

    Raises
    ------
    ValueError
        A shape is wrong, a number is not finite, or something that must rise does not.
    """

    distance: Distance
    contexts: tuple[str, ...]
    cells: NDArray[np.float64]
    crowds: NDArray[np.float64]
    levels: NDArray[np.float64]
    nearer: NDArray[np.float64]
    known: KnownObjects | None = None

    def __post_init__(self) -> None:
        checked_contexts(self.contexts)
        for name in ("cells", "levels"):
            values = getattr(self, name)
            if values.ndim != 1 or values.size < 1 or values[0] != 0 or not (np.diff(values) > 0).all():
                raise ValueError(f"{name} must be numbers that rise from 0")
        if self.levels[-1] != 1 or self.crowds.ndim != 3:
            raise ValueError(f"levels end at {self.levels[-1]}, crowds have shape {self.crowds.shape}")
        shape = (len(self.contexts), self.cells.size, self.crowds.shape[2])
        expected = {"crowds": shape, "nearer": (*shape[:2], shape[2] + 1, self.levels.size)}
        for name, wanted in expected.items():
            values = getattr(self, name)
            if values.shape != wanted or not np.isfinite(values).all() or (np.diff(values, axis=-1) < 0).any():
                raise ValueError(f"{name} of shape {values.shape} must be of shape {wanted}, finite and rising")
        if self.known is not None and self.known.turned.shape[3] > (n_kept := self.distance.turn.shape[2]):
            raise ValueError(f"known objects have {self.known.turned.shape[3]} directions, the distance has {n_kept}")

    @classmethod
    def fit(
        cls,
        hidden: ArrayLike,
        labels: ArrayLike,
        days: ArrayLike,
        rows: ArrayLike,
        *,
        measures: ArrayLike,
        context: ArrayLike | None = None,
        contexts: Sequence[str] = (ANY,),
        kept: int = 48,
    ) -> Aliens:
        """Learn what is known from some objects, and how far others are from it.

        Parameters
        ----------
        hidden : array, shape ``(n, n_hidden)``
            States of known objects that taught the network nothing, each object perhaps at several moments.
        labels : array, shape ``(n,)``
            Their classes.
        days : array, shape ``(n,)``, d
            After the first detection, up to which each is known (`telperion.encode.view.days_known`).
        rows : array of int, shape ``(n,)``
            How many rows are known.
        measures : array of bool, shape ``(n,)``
            True for the objects that are held out and whose distances are kept; all others fit the distance.
        context : array of str, shape ``(n,)``, optional
            Each one's kind of context, where there are several.
        contexts : sequence of str
            Kinds that are told apart.
        kept : int
            See `Distance.fit`.

        Raises
        ------
        ValueError
            As `Distance.fit`, or all objects or none are held out.
        """
        state, label, day = np.asarray(hidden), np.asarray(labels), np.asarray(days, dtype=np.float64)
        held, count = np.asarray(measures, dtype=bool), np.asarray(rows, dtype=np.float64)
        if not held.shape == count.shape == day.shape:
            raise ValueError(f"days, rows and those held out have shapes {day.shape}, {count.shape}, {held.shape}")
        if held.all() or not held.any():
            raise ValueError("some objects must fit the distance, and others measure how far known objects are")
        kind = context_places(context, tuple(contexts), day.size)
        distance = Distance.fit(state[~held], label[~held], day[~held], edges=PHASES, kept=kept)
        far = distance(state[held], day[held])
        where = _cell(day[held], np.asarray(CELLS)), kind[held]
        crowds = np.empty((len(contexts), len(CELLS), _CROWDS - 1))
        nearer = np.empty((len(contexts), len(CELLS), _CROWDS, LEVELS.size))
        for number in range(len(contexts)):
            for cell in range(len(CELLS)):
                mine = _enough(*where, cell, number)
                crowds[number, cell] = np.quantile(count[held][mine], np.arange(1, _CROWDS) / _CROWDS)
                crowd = np.searchsorted(crowds[number, cell], count[held][mine], side="right")
                for third in range(_CROWDS):
                    some = far[mine][crowd == third]
                    some = some if some.size >= FEWEST else far[mine]
                    nearer[number, cell, third] = np.quantile(some, LEVELS, method="weibull")
        return cls(distance, tuple(contexts), np.asarray(CELLS), crowds, LEVELS, nearer)

    def score(
        self, hidden: ArrayLike, days: ArrayLike, rows: ArrayLike, context: ArrayLike | None = None
    ) -> NDArray[np.float64]:
        """Give the share of known objects that look less strange.

        Parameters
        ----------
        hidden : array, shape ``(n, n_hidden)``
            The last layer's state of the network, ``state.hidden[:, -1]``.
        days : array, shape ``(n,)``, d
            After the first detection, up to which each is known: ``state.days``; NaN without rows.
        rows : array of int, shape ``(n,)``
            How many rows are known.
        context : array of str, shape ``(n,)``, optional
            What `telperion.encode.view.held_context` says, where kinds of context are told apart.

        Returns
        -------
        array, shape ``(n,)``
            0 to 1; 1 for what is farther than every object that measured. NaN without rows.
        """
        day, count = np.asarray(days, dtype=np.float64), np.asarray(rows, dtype=np.float64)
        if count.shape != day.shape:
            raise ValueError(f"rows are given for {count.size} objects of {day.size}")
        kind, far = context_places(context, self.contexts, day.size), self.distance(hidden, day)
        cell = _cell(np.where(np.isfinite(day), day, 0), self.cells)
        crowd = (count[:, None] >= self.crowds[kind, cell]).sum(axis=1)
        result = np.full(day.size, np.nan)
        place = (kind * self.cells.size + cell) * self.nearer.shape[2] + crowd
        for each in np.unique(place[np.isfinite(day)]):
            mine = np.isfinite(day) & (place == each)
            known = self.nearer.reshape(-1, self.levels.size)[each]
            result[mine] = np.interp(far[mine], known, self.levels)
        return result

    def save(self, folder: str | Path) -> None:
        """Write ``aliens.npz`` into a folder, a triangle of each root, float32; and known objects, if there are any."""
        if self.known is not None:
            self.known.save(folder)
        triangle = np.triu_indices(self.distance.turn.shape[2])
        arrays = {
            "format": np.array([FORMAT]),
            "contexts": np.array(self.contexts),
            "edges": self.distance.edges,
            "turn": self.distance.turn,
            "mean": self.distance.mean,
            "root": self.distance.root[:, :, triangle[0], triangle[1]],
            "cells": self.cells,
            "crowds": self.crowds,
            "levels": self.levels,
            "nearer": self.nearer,
        }
        write_arrays(Path(folder) / FILE, arrays)

    @classmethod
    def load(cls, folder: str | Path) -> Aliens:
        """Read what `save` wrote.

        Raises
        ------
        ValueError
            The file is missing, too large, not ours or of another format, or what it holds does not fit together.
        """
        with opened(Path(folder) / FILE, MAX_BYTES, FORMAT, "score of strangeness") as found:
            turn, packed = found["turn"], found["root"]
            n_kept = turn.shape[-1]
            triangle = np.triu_indices(n_kept)
            if packed.ndim != 3 or packed.shape[2] != triangle[0].size:
                raise ValueError(f"root has shape {packed.shape}, which is no triangle of {n_kept}")
            root = np.zeros((*packed.shape[:2], n_kept, n_kept), dtype=np.float32)
            root[:, :, triangle[0], triangle[1]] = packed
            contexts = tuple(str(name) for name in found["contexts"])
            distance = Distance(found["edges"], turn, found["mean"], root)
            known = KnownObjects.load(folder) if (Path(folder) / KNOWN).exists() else None
            return cls(distance, contexts, found["cells"], found["crowds"], found["levels"], found["nearer"], known)


def _cell(days: NDArray[np.float64], cells: NDArray[np.float64]) -> NDArray[np.int64]:
    return np.searchsorted(cells, days, side="right") - 1


def _enough(cell: NDArray[np.int64], kind: NDArray[np.int64], wanted: int, number: int) -> NDArray[np.bool_]:
    """Choose a cell's objects with their context; with those of cells around it where they are few, at last all."""
    for reach in range(len(CELLS)):
        mine = (np.abs(cell - wanted) <= reach) & (kind == number)
        if mine.sum() >= FEWEST:
            return mine
    return np.ones(cell.size, dtype=bool)
