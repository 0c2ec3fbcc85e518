"""All comparisons of a simulated with a real set: distributions, transfer, and what tells them apart."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib.util import find_spec

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
from telperion.realism.transfer import DIRECTIONS, Transfer, confusions

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

MADE_ALIKE = ("cadence", "noise")
"""Groups of features that are left out where they were made alike."""

Pair = tuple[LightCurves, LightCurves]
"""Simulated and real objects."""

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
    if find_spec("lightgbm") is None:
        raise ModuleNotFoundError("these comparisons need lightgbm: pip install 'telperion[boost]'")
    sets = comparable(simulated, real, tree=tree)
    pairs = [(_draw(sets.simulated, sets, per_class, seed), _draw(sets.real, sets, per_class, seed)) for seed in seeds]
    first, notes = pairs[0], list(sets.notes)
    several = len(sets.classes) > 1
    if not several:
        notes.append("only one class is shared: there is no transfer to measure")
    phases = sorted(set(days)) if several else []
    n_tables = len(seeds) * len(phases) + 1 + (AGE not in phases)
    tick = _bar(progress, "statistics", n_tables * sum(map(len, first)))
    trained = _bar(progress, "transfer", len(seeds) * len(phases) * len(CONTEXTS))
    told = _bar(progress, "simulated or real", len(VIEWS) * len(sets.classes))
    aged, whole = _tables(first, AGE, "alert", tick), _tables(first, np.inf, "full", tick)
    tellings = {
        VIEWS[0]: _tellings(sets.classes, first, aged, seeds[0], told),
        VIEWS[1]: _tellings(sets.classes, first, whole, seeds[0], told),
        VIEWS[2]: _like_for_like(sets.classes, first, seeds[0], notes, told),
    }
    found: dict[tuple[float, Context], list[dict[str, NDArray[np.int64]]]] = {}
    for pair, seed in zip(pairs, seeds, strict=True):
        for day in phases:
            known = day == AGE and pair is first
            tables = aged if known else _tables(pair, day, "alert", tick)
            for context in CONTEXTS:
                found.setdefault((day, context), []).append(_transfer(sets.classes, pair, tables, context, seed))
                trained(1)
    return Realism(
        sets.classes,
        {name: (_members(sets.simulated, name).size, _members(sets.real, name).size) for name in sets.classes},
        _distributions(sets.classes, first, whole),
        [Transfer(*key, sets.classes, {name: np.stack([one[name] for one in each]) for name in DIRECTIONS})
         for key, each in found.items()],
        tellings,
        notes,
    )  # fmt: skip


def _members(curves: LightCurves, name: str) -> NDArray[np.int64]:
    return np.flatnonzero(curves.label == name)


def _draw(curves: LightCurves, sets: Sets, most: int, seed: int) -> LightCurves:
    """Draw objects of each class, shuffled: a class's first are as random as all of them."""
    rng = np.random.default_rng(seed)
    return curves[np.concatenate([rng.permutation(_members(curves, name))[:most] for name in sets.classes])]


def _bar(progress: Progress | None, what: str, total: int) -> Callable[[int], None]:
    """Start a bar of so many steps; give what advances it."""
    if progress is None or total == 0:
        return lambda _: None
    task = progress.add_task(what, total=total)
    return lambda steps: progress.advance(task, steps)


def _tables(pair: Pair, days: float, kind: View, tick: Callable[[int], None]) -> tuple[Statistics, Statistics]:
    """Work out the statistics of two sets at one phase, without spectroscopic redshifts."""
    ours, theirs = (_statistics(view(side, days, kind), tick) for side in pair)
    return ours, theirs


def _statistics(curves: LightCurves, tick: Callable[[int], None] = lambda _: None) -> Statistics:
    known = keep_context(curves, "photoz")
    parts = []
    for start in range(0, len(known), CHUNK):
        parts.append(statistics(known[start : start + CHUNK], ANY_PHASE))
        tick(len(parts[-1].values))
    return Statistics(parts[0].names, np.concatenate([part.values for part in parts]))


def _transfer(
    classes: Sequence[str], pair: Pair, tables: tuple[Statistics, Statistics], context: Context, seed: int
) -> dict[str, NDArray[np.int64]]:
    columns = np.flatnonzero([context != "none" or not name.startswith(WITH_CONTEXT) for name in tables[0].names])
    order = {name: k for k, name in enumerate(classes)}
    label, real_label = (np.array([order[str(name)] for name in side.label]) for side in pair)
    ours, theirs = (table.values[:, columns] for table in tables)
    return confusions(ours, label, theirs, real_label, len(classes), seed)


def _tellings(
    classes: Sequence[str],
    pair: Pair,
    tables: tuple[Statistics, Statistics],
    seed: int,
    told: Callable[[int], None],
) -> list[Telling]:
    found = []
    for name in classes:
        ours, theirs = (table.values[_members(side, name)] for table, side in zip(tables, pair, strict=True))
        found.append(tell(name, ours, theirs, tables[0].names, seed=seed))
        told(1)
    return found


def _like_for_like(
    classes: Sequence[str], pair: Pair, seed: int, notes: list[str], told: Callable[[int], None]
) -> list[Telling]:
    """Tell pairs apart whose cadence and errors are alike; what is too few is noted."""
    found = []
    for name in classes:
        own = [view(side[_members(side, name)], AGE, "alert") for side in pair]
        n = min(map(len, own))
        ours, theirs = alike(own[0][:n], own[1][:n], np.random.default_rng([seed, *name.encode()]))
        if len(ours) < FEWEST:
            notes.append(f"{name} is not told apart like for like: {len(ours)} of {n} pairs keep enough rows")
        else:
            tables = _statistics(ours), _statistics(theirs)
            found.append(
                tell(name, tables[0].values, tables[1].values, tables[0].names, seed=seed, without=MADE_ALIKE)
            )  # fmt: skip
        told(1)
    return found


def _distributions(classes: Sequence[str], pair: Pair, whole: tuple[Statistics, Statistics]) -> list[Distributions]:
    ours, theirs = (quantities(side, table) for side, table in zip(pair, whole, strict=True))
    return [
        Distributions(
            name,
            {key: values[_members(pair[0], name)] for key, values in ours.items()},
            {key: values[_members(pair[1], name)] for key, values in theirs.items()},
        )
        for name in classes
    ]
