"""`simulate`: light curves of nineteen classes as the first three years of the survey would see them.

Places are drawn on the sky, sources at the places, and what triggers is kept until there is enough of each class. The
work is cut into batches that each have a seed of their own, so that neither the number of processes nor an interruption
changes what comes out.
"""

from __future__ import annotations

import multiprocessing
from collections.abc import Iterator, Mapping
from dataclasses import replace
from functools import partial

import numpy as np
from numpy.typing import NDArray

from telperion.lightcurves import LightCurves
from telperion.simulate.cadence import Cadence, shipped_cadence
from telperion.simulate.host import context
from telperion.simulate.observe import PUBLISHED, Rules, could_be_seen, could_trigger, observe
from telperion.simulate.source import GALACTIC, Array, Light, Sky, Source, ragged

BATCH = 2000
"""Objects of a batch."""

MOST_AT_ONCE, FEWEST_AT_ONCE = 10_000, 128
"""Objects that are drawn together."""

HARDEST = 1_000_000
"""Objects drawn of one kind in one batch until it is given up."""

SHIFT = 0.25
"""Degrees by which a place is shifted at most, for each object anew."""

DEEP_SHARE = 0.03
"""Share of the objects drawn that are in deep fields."""

BY_VISIT = frozenset({"M-dwarf Flare"})
"""Classes that come and go within a night: they are drawn by when a place is visited (others get a sky without visits),
and not in deep fields, where the visits of a night are taken together."""

OLD_STARS = (20383.0, -1757.7, 65.293, -1.1885, 0.010405, -3.5119e-5)
YOUNG_STARS = (1.001, -5.5556e-2, 1.23457e-3, -1.37174e-5, 7.62079e-8, -1.69351e-10)
RED_DWARFS = (
    -3.2823e-3, 3.01446e-2, -4.65144e-3, 3.16809e-4, -1.20480e-5, 2.76898e-7, -3.92467e-9, 3.34751e-11, -1.57114e-13,
    3.10724e-16,
)  # fmt: skip
"""How many there are by Galactic latitude: polynomials of its absolute value in degrees, from the power zero up."""

DENSITY = {
    "RR Lyrae": OLD_STARS, "EB": OLD_STARS, "uLens": OLD_STARS, "Cepheid": YOUNG_STARS, "Delta Scuti": YOUNG_STARS,
    "Dwarf Novae": YOUNG_STARS, "M-dwarf Flare": RED_DWARFS,
}  # fmt: skip


def simulate_batch(
    counts: Mapping[str, int],
    kinds: Mapping[str, Mapping[Source, float]],
    cadence: Cadence,
    seed: tuple[int, ...],
    rules: Rules = PUBLISHED,
) -> LightCurves:
    """Simulate so many light curves of each class, in one process, shuffled.

    Parameters
    ----------
    counts : mapping of str to int
        Light curves of each class.
    kinds : mapping
        The sources of each class and their shares of what happens, of which the bright trigger more often.
    cadence : Cadence
    seed : tuple of int
        Also makes the objects' names.
    rules : Rules

    Raises
    ------
    RuntimeError
        Hardly any object of a class triggers.
    """
    pieces = []
    for label, wanted in counts.items():
        rng = np.random.default_rng([*seed, *label.encode()])
        pieces += _triggered(label, kinds[label], wanted, cadence, rng, rules)
    whole = LightCurves.concatenate(pieces)
    mixed = whole[np.random.default_rng(seed).permutation(len(whole))]
    stem = "-".join(map(str, seed))
    return replace(mixed, object_id=np.array([f"{stem}-{number:04d}" for number in range(len(mixed))]))


def batches(
    counts: Mapping[str, int],
    kinds: Mapping[str, Mapping[Source, float]],
    cadence: Cadence | None = None,
    *,
    seed: int = 0,
    jobs: int = 1,
    rules: Rules = PUBLISHED,
) -> Iterator[LightCurves]:
    """Simulate light curves batch by batch, each a fair sample of the whole.

    Parameters
    ----------
    counts : mapping of str to int
        Light curves of each class in all batches together.
    kinds : mapping
        As `simulate_batch`.
    cadence : Cadence, optional
        By default the one that ships.
    seed : int
    jobs : int
        Processes.
    rules : Rules
    """
    parts = dict(enumerate(split(counts)))
    return numbered(parts, kinds, cadence or shipped_cadence(), seed=seed, jobs=jobs, rules=rules)


def numbered(
    parts: Mapping[int, Mapping[str, int]],
    kinds: Mapping[str, Mapping[Source, float]],
    cadence: Cadence,
    *,
    seed: int,
    jobs: int = 1,
    rules: Rules = PUBLISHED,
) -> Iterator[LightCurves]:
    """Simulate some batches of a survey, given by their numbers."""
    work = partial(_simulate_part, kinds=kinds, cadence=cadence, seed=seed, rules=rules)
    if jobs == 1 or len(parts) < 2:
        yield from map(work, parts.items())
        return
    with multiprocessing.get_context("forkserver").Pool(jobs) as pool:
        yield from pool.imap(work, parts.items())


def split(counts: Mapping[str, int]) -> list[dict[str, int]]:
    """Part counts into batches that are alike.

    Examples
    --------
    >>> split({"KN": 3000, "TDE": 1000})
    [{'KN': 1500, 'TDE': 500}, {'KN': 1500, 'TDE': 500}]
    """
    number = max(1, -(-sum(counts.values()) // BATCH))
    ends = {label: np.arange(number + 1) * count // number for label, count in counts.items()}
    return [{label: int(end[k + 1] - end[k]) for label, end in ends.items()} for k in range(number)]


def _simulate_part(
    part: tuple[int, Mapping[str, int]],
    kinds: Mapping[str, Mapping[Source, float]],
    cadence: Cadence,
    seed: int,
    rules: Rules,
) -> LightCurves:
    number, counts = part
    return simulate_batch(counts, kinds, cadence, (seed, number), rules)


def _triggered(
    label: str,
    sources: Mapping[Source, float],
    wanted: int,
    cadence: Cadence,
    rng: np.random.Generator,
    rules: Rules = PUBLISHED,
) -> list[LightCurves]:
    """Draw objects of one class until enough of them trigger."""
    shares = np.array(list(sources.values()), dtype=float)
    found: list[LightCurves] = []
    kept = tried = 0
    while kept < wanted:
        if tried > HARDEST:
            raise RuntimeError(f"of {tried:,} objects of {label} only {kept} trigger, {wanted} are wanted")
        expected = (wanted - kept) * (tried / max(kept, 1) if tried else 2.0) * 1.2
        number = int(np.clip(expected, FEWEST_AT_ONCE, MOST_AT_ONCE))
        drawn = rng.multinomial(number, shares / shares.sum())
        some = [(source, int(n)) for source, n in zip(sources, drawn, strict=True) if n]
        curves = LightCurves.concatenate(
            [attempt(source, cadence, n, rng, first=tried, rules=rules) for source, n in some]
        )
        found.append(curves[rng.permutation(len(curves))[: wanted - kept]])
        tried, kept = tried + number, kept + len(curves)
    return found


def attempt(
    source: Source,
    cadence: Cadence,
    n: int,
    rng: np.random.Generator,
    *,
    first: int = 0,
    rules: Rules = PUBLISHED,
) -> LightCurves:
    """Draw objects of one kind all over the sky, and give those that trigger, called by source and number."""
    sky, place = places(cadence, n, source.label, rng)
    if source.label in BY_VISIT:
        sky = visited(sky, place, cadence)
    drawn = source.draw(sky, rng)
    bright = np.flatnonzero(could_trigger(drawn.brightest(), sky.mwebv, cadence.deepest[place]))
    sky, drawn = visited(sky.take(bright), place[bright], cadence), drawn.take(bright)
    light = drawn.light(sky, rng)
    shining = np.flatnonzero(could_be_seen(sky, light, 1 if rules.single else 2))
    _, own = ragged(sky.offsets, shining)
    sky, light, bright = sky.take(shining), Light(light.difference[own], light.steady[own]), bright[shining]
    known, under = context(sky, drawn.redshift[shining], source.label, rng)
    rows = observe(sky, light, rng, under, rules)
    names = [f"{source.name}-{first + number}" for number in bright[rows.objects]]
    return LightCurves(
        np.array(names, dtype=np.str_), rows.offsets, rows.time, rows.band, rows.flux.astype(np.float32),
        rows.flux_err.astype(np.float32), rows.detected, {name: values[rows.objects] for name, values in known.items()},
        np.full(len(names), source.label),
    )  # fmt: skip


def places(cadence: Cadence, n: int, label: str, rng: np.random.Generator) -> tuple[Sky, NDArray[np.int64]]:
    """Draw places for objects of a class: anywhere in the survey, stars where there are more of them.

    Returns
    -------
    sky : Sky
        Without visits yet.
    place : array of int, shape ``(n,)``
        Of the cadence.
    """
    latitude = galactic_latitude(cadence.ra, cadence.decl)
    weight = np.ones(len(cadence))
    if label in DENSITY:
        weight = np.maximum(np.polynomial.polynomial.polyval(np.abs(latitude), DENSITY[label]), 0)
    deep = 0.0 if label in BY_VISIT else DEEP_SHARE
    for kind, share in ((cadence.deep, deep), (~cadence.deep, 1 - deep)):
        weight[kind] *= share / max(weight[kind].sum(), 1e-300)
    place = rng.choice(len(cadence), n, p=weight / weight.sum())
    north = np.clip(cadence.decl[place] + rng.uniform(-SHIFT, SHIFT, n), -90, 90)
    east = (cadence.ra[place] + rng.uniform(-SHIFT, SHIFT, n) / np.cos(np.radians(north))) % 360
    none = np.zeros(0)
    dust = extinction_at(latitude[place], rng)
    return Sky(east, north, dust, cadence.deep[place], np.zeros(n + 1, int), none, none.astype(np.int8), none), place


def visited(sky: Sky, place: NDArray[np.int64], cadence: Cadence) -> Sky:
    """Give a sky the visits of its places."""
    offsets, rows = ragged(cadence.offsets, place)
    return replace(
        sky, offsets=offsets, time=cadence.time[rows], band=cadence.band[rows], depth=cadence.depth[rows]
    )  # fmt: skip


def galactic_latitude(ra: Array, decl: Array) -> Array:
    """Give the Galactic latitude, degrees.

    Examples
    --------
    >>> galactic_latitude(np.array([192.8595, 0.0]), np.array([27.1283, 0.0])).round(1)
    array([ 90. , -60.2])
    """
    east, north = np.radians(ra), np.radians(decl)
    direction = np.stack([np.cos(north) * np.cos(east), np.cos(north) * np.sin(east), np.sin(north)])
    return np.degrees(np.arcsin(np.clip(GALACTIC[2] @ direction, -1, 1)))


def extinction_at(latitude: Array, rng: np.random.Generator) -> Array:
    """Draw E(B-V) of the Milky Way at Galactic latitudes: a slab of dust, patchy, mag."""
    slab = 0.022 / np.maximum(np.sin(np.radians(np.abs(latitude))), 0.03)
    return np.minimum(slab * rng.lognormal(0, 0.5, len(slab)), 3.0)
