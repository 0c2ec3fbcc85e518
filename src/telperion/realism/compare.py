"""All comparisons of a simulated with a real set: distributions, transfer, and what tells them apart."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import product

import numpy as np
from numpy.typing import NDArray
from rich.progress import Progress

from telperion.encode.statistics import ANY_PHASE, Statistics, statistics
from telperion.encode.view import Context, View, keep_context, view
from telperion.lightcurves import LightCurves
from telperion.realism.matching import alike
from telperion.realism.quantities import Distributions, quantities
from telperion.realism.sets import FEWEST, Sets, comparable
from telperion.realism.telling import Telling, tell
from telperion.realism.transfer import Transfer, confusions

DAYS = (2.0, 8.0, 64.0)
AGE = 64.0
"""Days after the first detection at which simulated and real objects are told apart in the alert view."""

PER_CLASS = 500
SEEDS = (0, 1, 2)
CONTEXTS: tuple[Context, ...] = ("photoz", "none")
CHUNK = 500
"""Objects whose statistics are computed at a time."""

WITH_CONTEXT = ("host.", "rest_shape.")
"""Families of statistics that need context."""

VIEWS = (f"alert {AGE:g} d", "full", "like for like")
"""Views in which simulated and real objects are told apart; the last is the first one with cadence and errors made
alike (`telperion.realism.matching.alike`)."""


@dataclass(frozen=True, eq=False)
class Realism:
    """How near a simulated set comes to a real one.

    Parameters
    ----------
    classes : tuple of str
    counts : mapping of str to (int, int)
        Simulated and real objects of each class that could be compared.
    distributions : sequence of Distributions
        One a class.
    transfers : sequence of Transfer
        One a phase and context; none where only one class is shared.
    tellings : mapping of str to sequence of Telling
        By view (`VIEWS`), one a class.
    notes : sequence of str
        What was left out.
    """

    classes: tuple[str, ...]
    counts: Mapping[str, tuple[int, int]]
    distributions: Sequence[Distributions]
    transfers: Sequence[Transfer]
    tellings: Mapping[str, Sequence[Telling]]
    notes: Sequence[str]


def compare(
    simulated: LightCurves,
    real: LightCurves,
    *,
    days: Sequence[float] = DAYS,
    per_class: int = PER_CLASS,
    seeds: Sequence[int] = SEEDS,
    tree: str | None = None,
    progress: Progress | None = None,
) -> Realism:
    """Compare a simulated with a real set.

    Parameters
    ----------
    simulated, real : LightCurves
        Labelled.
    days : sequence of float, d
        Phases of the transfer.
    per_class : int
        Objects of each class that are drawn from either set at most, once a seed.
    seeds : sequence of int
        Draw of the objects, folds and boosters.
    tree : str, optional
        Tree that knows the labels of the real set; by default the first that does.
    progress : rich.progress.Progress, optional

    Raises
    ------
    ValueError
        The sets have no class in common, or a setting is out of range.
    """
    if per_class < FEWEST or not seeds or not days:
        raise ValueError(f"at least {FEWEST} objects a class, one seed and one day are needed")
    sets = comparable(simulated, real, tree=tree)
    drawn = _Drawn(sets, per_class, seeds, progress)
    notes = list(sets.notes)
    if len(sets.classes) < 2:
        notes.append("only one class is shared: there is no transfer to measure")
    transfers = list(_transfers(sets, drawn, days, seeds, progress)) if len(sets.classes) > 1 else []
    whole = drawn.table(np.inf, "full")
    tellings = {
        VIEWS[0]: _tellings(sets, drawn, drawn.table(AGE, "alert"), seeds[0], VIEWS[0], progress),
        VIEWS[1]: _tellings(sets, drawn, whole, seeds[0], VIEWS[1], progress),
        VIEWS[2]: _like_for_like(sets, drawn, seeds[0], notes, progress),
    }
    values = [quantities(curves, found) for curves, found in zip(drawn.curves, whole, strict=True)]
    distributions = [
        Distributions(name, *(
            {key: of[curves.label == name] for key, of in side.items()}
            for curves, side in zip(drawn.curves, values, strict=True)
        )) for name in sets.classes
    ]  # fmt: skip
    counts = {
        name: (int((sets.simulated.label == name).sum()), int((sets.real.label == name).sum())) for name in sets.classes
    }
    return Realism(sets.classes, counts, distributions, transfers, tellings, tuple(notes))


class _Drawn:
    """Objects drawn from both sets, and their statistics, worked out once.

    Attributes
    ----------
    curves : (LightCurves, LightCurves)
        Simulated and real objects that any seed draws.
    """

    def __init__(self, sets: Sets, per_class: int, seeds: Sequence[int], progress: Progress | None) -> None:
        self._progress = progress
        self._tables: dict[tuple[float, View], tuple[Statistics, Statistics]] = {}
        sides = (sets.simulated, sets.real)
        draws = [[_draw(side.label, sets.classes, per_class, seed) for seed in seeds] for side in sides]
        wanted = [np.unique(np.concatenate(own)) for own in draws]
        self.curves = (sides[0][wanted[0]], sides[1][wanted[1]])
        self._members = {
            seed: tuple(np.searchsorted(want, own[k]) for want, own in zip(wanted, draws, strict=True))
            for k, seed in enumerate(seeds)
        }

    def members(self, seed: int) -> tuple[NDArray[np.int64], ...]:
        """Positions in `curves` of what a seed draws, in random order, of either side."""
        return self._members[seed]

    def table(self, days: float, kind: View) -> tuple[Statistics, Statistics]:
        """Statistics of `curves` at one phase, without spectroscopic redshifts."""
        if (days, kind) not in self._tables:
            what = f"statistics, {days:g} d" if np.isfinite(days) else "statistics, whole light curves"
            cut = [keep_context(view(side, days, kind), "photoz") for side in self.curves]
            first, second = _statistics(cut, what, self._progress)
            self._tables[days, kind] = (first, second)
        return self._tables[days, kind]


def _draw(label: NDArray[np.str_], classes: Sequence[str], most: int, seed: int) -> NDArray[np.int64]:
    """Draw objects of each class, shuffled: a class's first are as random as all of them."""
    rng = np.random.default_rng(seed)
    return np.concatenate([rng.permutation(np.flatnonzero(label == name))[:most] for name in classes])


def _statistics(sides: Sequence[LightCurves], what: str, progress: Progress | None) -> list[Statistics]:
    tick = _bar(progress, what, sum(len(side) for side in sides))
    found = []
    for side in sides:
        parts = []
        for start in range(0, len(side), CHUNK):
            parts.append(statistics(side[start : start + CHUNK], ANY_PHASE))
            tick(len(parts[-1].values))
        found.append(Statistics(parts[0].names, np.concatenate([part.values for part in parts])))
    return found


def _bar(progress: Progress | None, what: str, total: int) -> Callable[[int], None]:
    """Start a bar of so many steps; give what advances it."""
    if progress is None:
        return lambda _: None
    task = progress.add_task(what, total=total)
    return lambda steps: progress.advance(task, steps)


def _transfers(
    sets: Sets, drawn: _Drawn, days: Sequence[float], seeds: Sequence[int], progress: Progress | None
) -> list[Transfer]:
    tables = {day: drawn.table(day, "alert") for day in days}
    tick = _bar(progress, "transfer", len(days) * len(CONTEXTS) * len(seeds))
    order = {name: k for k, name in enumerate(sets.classes)}
    label = [np.array([order[str(name)] for name in side.label]) for side in drawn.curves]
    found = []
    for day, context in product(days, CONTEXTS):
        ours, theirs = tables[day]
        columns = np.flatnonzero([context != "none" or not name.startswith(WITH_CONTEXT) for name in ours.names])
        by_seed = []
        for seed in seeds:
            a, b = drawn.members(seed)
            by_seed.append(
                confusions(ours.values[np.ix_(a, columns)], label[0][a], theirs.values[np.ix_(b, columns)],
                           label[1][b], len(order), seed)
            )  # fmt: skip
            tick(1)
        stacked = {name: np.stack([one[name] for one in by_seed]) for name in by_seed[0]}
        found.append(Transfer(day, context, sets.classes, stacked))
    return found


def _tellings(
    sets: Sets, drawn: _Drawn, tables: tuple[Statistics, Statistics], seed: int, what: str, progress: Progress | None
) -> list[Telling]:
    tick = _bar(progress, f"simulated or real, {what}", len(sets.classes))
    found = []
    for name in sets.classes:
        own = [
            table.values[members[curves.label[members] == name]]
            for table, members, curves in zip(tables, drawn.members(seed), drawn.curves, strict=True)
        ]
        found.append(tell(name, own[0], own[1], tables[0].names, seed=seed))
        tick(1)
    return found


def _like_for_like(sets: Sets, drawn: _Drawn, seed: int, notes: list[str], progress: Progress | None) -> list[Telling]:
    """Tell pairs apart whose cadence and errors are alike."""
    tick = _bar(progress, f"simulated or real, {VIEWS[2]}", len(sets.classes))
    cut = [view(curves, AGE, "alert") for curves in drawn.curves]
    found = []
    for name in sets.classes:
        own = [members[curves.label[members] == name]
               for curves, members in zip(drawn.curves, drawn.members(seed), strict=True)]  # fmt: skip
        n = min(map(len, own))
        pairs = alike(cut[0][own[0][:n]], cut[1][own[1][:n]], np.random.default_rng([seed, *name.encode()]))
        if len(pairs[0]) < FEWEST:
            notes.append(f"{name} is not told apart like for like: {len(pairs[0])} of {n} pairs keep enough rows")
        else:
            ours, theirs = _statistics([keep_context(side, "photoz") for side in pairs], "", None)
            found.append(tell(name, ours.values, theirs.values, ours.names, seed=seed, without=("cadence", "noise")))
        tick(1)
    return found
