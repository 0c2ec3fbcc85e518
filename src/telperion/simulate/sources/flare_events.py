"""Flares of M dwarfs as Kepler saw them: 1,000 events with magnitudes in six bands, drawn where they can be seen.

Events of Yang et al. (2017) as black bodies of the star and of the flare at its distance (the library of ELAsTiCC, half
an hour between points). Brightness and duration are redrawn. As in `telperion.simulate.sources.flaring` they are drawn
by how long they shine, and near visits.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cache

import numpy as np
from numpy.typing import NDArray

from telperion.bands import BANDS
from telperion.simulate.lclib import read_events
from telperion.simulate.literature import Files
from telperion.simulate.source import Array, Light, Sky, nanojansky
from telperion.simulate.sources.flaring import FAINTEST, near_visits
from telperion.simulate.stars import some

STRETCH = 1.25
"""Largest factor, and inverse of the smallest one, by which time is stretched."""

STRONGER = 0.4
"""Scatter of the natural logarithm of the flare's light over that of its star."""

NEARER = 0.5
"""Scatter of the distances, mag."""

VISITS = 1500
"""More than any place has."""


@dataclass(frozen=True, eq=False)
class Library:
    """Flares on one table, the last point repeated where they have fewer than the longest.

    Parameters
    ----------
    time : array, shape ``(n, n_points)``, days
        Since the template row; rising to the last point.
    flux : array, shape ``(n, n_points, 6)``, nJy
        Above the quiet star; zero in the beginning and at the end.
    quiet : array, shape ``(n, 6)``, nJy
    length : array, shape ``(n,)``, days
    """

    time: Array
    flux: Array
    quiet: Array
    length: Array


@cache
def library(path: str) -> Library:
    """Read a library of flares."""
    events = read_events(path, "ugrizY")
    if bare := [event.number for event in events if event.quiet is None]:
        raise ValueError(f"{path}: {len(bare)} events have no template row, first {bare[0]}")
    size = max(len(event.time) for event in events)
    time, flux = np.zeros((len(events), size)), np.zeros((len(events), size, len(BANDS)))
    for k, event in enumerate(events):
        rows = len(event.time)
        time[k] = np.minimum(np.arange(size), rows - 1)
        time[k, :] = (event.time - event.time[0])[time[k].astype(int)]
        flux[k, :rows] = np.maximum(nanojansky(event.magnitude) - nanojansky(event.magnitude[0]), 0)
        flux[k, rows - 1 :] = 0
    return Library(time, flux, np.stack([nanojansky(event.quiet) for event in events]), time[:, -1])  # type: ignore[arg-type]


@dataclass(frozen=True, eq=False)
class Events:
    """M dwarfs with one flare each; a `Drawn`.

    Parameters
    ----------
    library : Library
    redshift : array, shape ``(n,)``
    which : array of int, shape ``(n,)``
        Event.
    bright, strong : array, shape ``(n,)``
        Factors of the star's light, and of the flare's beside that.
    stretch : array, shape ``(n,)``
    start : array, shape ``(n,)``, MJD
    lasting : array, shape ``(n,)``, days
        How long from its start a flare may be brighter than `FAINTEST`.
    """

    library: Library
    redshift: Array
    which: NDArray[np.int64]
    bright: Array
    strong: Array
    stretch: Array
    start: Array
    lasting: Array

    def brightest(self) -> Array:
        """Give the light of the flares at their peaks, shape ``(n, 6)``, nJy."""
        return self.library.flux.max(axis=1)[self.which] * (self.bright * self.strong * (1 + 1e-9))[:, None]

    def take(self, objects: NDArray[np.int64]) -> Events:
        """Give some of the objects, in that order."""
        return replace(self, **some(self, objects, "library"))

    def light(self, sky: Sky, rng: np.random.Generator) -> Light:
        """Give the light at the visits of a sky with as many objects; the template shows the quiet star."""
        del rng
        owner, table = sky.owner, self.library
        since = (sky.time - self.start[owner]) / self.stretch[owner]
        lit = np.flatnonzero((since > 0) & (since < table.length[self.which[owner]]))
        own, since = owner[lit], since[lit]
        which = self.which[own]
        point = np.minimum((table.time[which] <= since[:, None]).sum(axis=1) - 1, table.time.shape[1] - 2)
        step = table.time[which, point + 1] - table.time[which, point]
        share = (since - table.time[which, point]) / np.where(step > 0, step, 1)
        band = sky.band[lit]
        shape = table.flux[which, point, band] * (1 - share) + table.flux[which, point + 1, band] * share
        difference = np.zeros(len(owner))
        difference[lit] = shape * self.bright[own] * self.strong[own]
        return Light(difference, table.quiet[self.which[owner], sky.band] * self.bright[owner])


@dataclass(frozen=True)
class FlareEvents:
    """Flares of M dwarfs, one each.

    Flares with a visit while they shine come more often than by chance, all alike, as `FlareStar`'s do.
    """

    files: Files
    name: str = "Mdwarf-events"
    label: str = "M-dwarf Flare"
    galactic: bool = True

    def draw(self, sky: Sky, rng: np.random.Generator) -> Events:
        """Draw one star with one flare at each place of a sky."""
        n, table = len(sky), library(self.files.paths[0])
        kept: list[Events] = [_events(rng, table, self.files.chosen, 0)]
        while (missing := n - sum(len(part.which) for part in kept)) > 0:
            # first by how long the events take, then by how much of that they shine
            drawn = _events(rng, table, self.files.chosen, 4 * missing + 1000)
            lucky = rng.uniform(size=len(drawn.which)) < drawn.lasting / (STRETCH * table.length[drawn.which])
            kept.append(drawn.take(np.flatnonzero(lucky)[:missing]))
        names = "redshift", "which", "bright", "strong", "stretch", "start", "lasting"
        flares = Events(table, **{name: np.concatenate([getattr(part, name) for part in kept]) for name in names})
        return replace(flares, start=near_visits(sky, rng, flares.lasting, VISITS))


def _events(rng: np.random.Generator, table: Library, chosen: NDArray[np.int64], n: int) -> Events:
    """Draw flares that have not started yet, each event as often as it is long."""
    which = rng.choice(chosen, n, p=table.length[chosen] / table.length[chosen].sum())
    bright, strong = 10 ** (-0.4 * rng.normal(0, NEARER, n)), rng.lognormal(0, STRONGER, n)
    stretch = STRETCH ** rng.uniform(-1, 1, n)
    over = table.flux.max(axis=2)[which] * (bright * strong)[:, None] > FAINTEST
    # until the point after the last one above the limit
    last = np.where(over.any(axis=1), over.shape[1] - 1 - over[:, ::-1].argmax(axis=1), -1)
    until = table.time[which, np.minimum(last + 1, over.shape[1] - 1)]
    lasting = np.where(last >= 0, until * stretch, 0.0)
    return Events(table, np.full(n, np.nan), which, bright, strong, stretch, np.full(n, np.nan), lasting)
