"""How much of the class of simulated objects stands in what no classifier should learn it from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from telperion.encode.view import view
from telperion.lightcurves import LightCurves
from telperion.realism.boosting import Matrix, folds, train
from telperion.scores import precision_recall_f1

DAYS = 64.0
"""After the first detection, in the alert view."""

FOLDS = 5
REDSHIFTS = frozenset({"redshift", "hostgal_photoz", "hostgal_specz"})
CLOSE = 0.001
"""Redshift from the end of what occurs that counts as the end."""


@dataclass(frozen=True, eq=False)
class Leaks:
    """What a booster makes of traces that a simulation leaves.

    Parameters
    ----------
    classes : list of str
    f1 : dict of str to array, shape ``(n_classes,)``
        Of each class by all traces, by all but the noise, and by each kind of trace alone; means of the seeds.
    """

    classes: list[str]
    f1: dict[str, NDArray[np.float64]]

    @property
    def macro_f1(self) -> dict[str, float]:
        """Mean of all classes; guessing gives about one over their number."""
        return {what: float(values.mean()) for what, values in self.f1.items()}


def traces(light_curves: LightCurves) -> tuple[Matrix, NDArray[np.str_]]:
    """Give, of labelled objects as an alert shows them after 64 days, all that is no light of theirs.

    Which values of the context are missing; whether redshifts stand at the end of what occurs; MJD of the first and the
    last row; number and span of the rows before the first detection; whether rows are in order; the smallest error,
    which holds the photon noise of a star's own light.

    Returns
    -------
    table : array, shape ``(n_objects, n_traces)``
    kinds : array of str, shape ``(n_traces,)``
        Kind of each trace.
    """
    seen = view(light_curves, DAYS, "alert")
    n, owner = len(seen), seen.object_index
    columns: list[tuple[str, NDArray]] = []
    for name, values in seen.context.items():
        values = np.asarray(values, dtype=float)
        columns.append(("missing values", np.isnan(values)))
        if name in REDSHIFTS and np.isfinite(values).any():
            ends = np.nanmin(values), np.nanmax(values)
            columns += [("redshift limits", np.abs(values - end) < CLOSE) for end in ends]
    early = seen.days_since_first_detection < 0
    first, last = _extremes(seen.time, owner, n)
    before, until = _extremes(seen.time[early], owner[early], n)
    columns += [
        ("MJD", first), ("MJD", last), ("earlier rows", np.bincount(owner[early], minlength=n)),
        ("earlier rows", until - before),
        ("order", np.bincount(owner[1:], (np.diff(seen.time) < 0) & (np.diff(owner) == 0), minlength=n)),
        ("noise", _extremes(seen.flux_err, owner, n)[0]),
    ]  # fmt: skip
    return np.stack([values for _, values in columns], axis=1).astype(np.float32), np.array(
        [kind for kind, _ in columns]
    )


def leaks(light_curves: LightCurves, *, per_class: int = 500, seeds: Sequence[int] = (0, 1, 2)) -> Leaks:
    """Tell classes apart by their traces alone, cross-validated, every class counting alike.

    Parameters
    ----------
    light_curves : LightCurves
        Simulated, labelled.
    per_class : int
        Objects of a class that are drawn at most, once a seed.
    seeds : sequence of int
        Of the draws, the folds and the boosters, whose figures are averaged.

    Raises
    ------
    ValueError
        There are fewer than two classes with as many objects as folds.
    """
    known, counts = np.unique(light_curves.label, return_counts=True)
    classes = known[(counts >= FOLDS) & (known != "")].tolist()
    if len(classes) < 2:
        raise ValueError(f"{len(classes)} classes have {FOLDS} objects, at least two are needed")
    draws = []
    for seed in seeds:
        rng = np.random.default_rng(seed)
        members = [rng.permutation(np.flatnonzero(light_curves.label == name))[:per_class] for name in classes]
        drawn = light_curves[np.sort(np.concatenate(members))]
        draws.append((*traces(drawn), np.searchsorted(classes, drawn.label), seed))
    kinds = draws[0][1]
    chosen = {"all": kinds != "", "all but noise": kinds != "noise"}
    chosen |= {kind: kinds == kind for kind in dict.fromkeys(kinds.tolist())}
    return Leaks(classes, {
        what: np.mean([_f1(table[:, some], label, len(classes), seed) for table, _, label, seed in draws], axis=0)
        for what, some in chosen.items()
    })  # fmt: skip


def _f1(table: Matrix, label: NDArray[np.int64], n_classes: int, seed: int) -> NDArray[np.float64]:
    fold = folds(label, FOLDS, seed)
    decided = np.zeros(len(label), dtype=np.int64)
    for one in range(FOLDS):
        out = fold == one
        decided[out] = train(table[~out], label[~out], n_classes, seed).predict(table[out]).argmax(axis=1)
    confusion = np.zeros((n_classes, n_classes))
    np.add.at(confusion, (label, decided), 1)
    return precision_recall_f1(confusion)[2]


def _extremes(values: NDArray, owner: NDArray[np.int64], n: int) -> tuple[NDArray, NDArray]:
    """Give the least and the largest value of each object, NaN where it has none."""
    least, largest = np.full(n, np.inf), np.full(n, -np.inf)
    np.minimum.at(least, owner, values)
    np.maximum.at(largest, owner, values)
    none = np.isinf(least)
    return np.where(none, np.nan, least), np.where(none, np.nan, largest)
