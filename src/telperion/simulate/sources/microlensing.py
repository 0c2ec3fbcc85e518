"""Microlensing: a point lens passes in front of a star (Paczynski 1986), seen from the moving Earth.

The magnification is ``A(u) = (u^2 + 2) / (u sqrt(u^2 + 4))`` with u the distance in Einstein radii. Annual parallax
bends the path of u (Gould 2004), the star's own disc rounds off what comes very close, and light of other stars in the
same place is not magnified. One event in ten has two bumps: half of them are two wide lenses, whose magnifications add
up, half have a spike between two caustic crossings with the inverse square root of the distance inside; neither is a
solution of the binary-lens equation. Events last three times longer in the plane than towards the bulge (Mroz et al.
2020); the survey sees little of either, and durations are drawn from in between.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from telperion.simulate.source import FIRST_PEAK, LAST_PEAK, Array, Light, Sky, nanojansky
from telperion.simulate.stars import lognormal, magnitudes, some, star_colours, star_flux

YEAR = 365.25

EQUINOX = 60754.4
"""MJD of the equinox of March 2025, when the Sun's ecliptic longitude is zero."""

OBLIQUITY = np.radians(23.44)

PROBES: Array = np.arange(FIRST_PEAK - 250, LAST_PEAK + 250, 0.5).astype(np.float64)
"""MJD at which paths that parallax bends strongly are probed for their closest approach."""

STRAIGHT = 0.1
"""Bend of a path, ``parallax (2 pi tE / year)^2 / 2``, below which its closest approach is u0."""

SOFT = 0.01
"""Share of the time between two caustic crossings over which the star's disc softens a spike."""


@dataclass(frozen=True, eq=False)
class Lensings:
    """Microlensing events; a `Drawn`.

    Parameters
    ----------
    redshift : array, shape ``(n,)``
    source, blend : array, shape ``(n, 6)``, nJy
        Flux of the star behind the lens without it, and of the others.
    place : array, shape ``(n, 2)``, degrees
        Right ascension and declination.
    time, crossing, impact : array, shape ``(n,)``
        t0 in MJD, tE in days, u0 in Einstein radii, of a path that touches the Earth's at t0.
    disc : array, shape ``(n,)``
        Radius of the star over the Einstein radius.
    parallax : array, shape ``(n, 2)``
        North and east.
    companion : array, shape ``(n, 4)``
        Second lens: share of its magnification, t0, tE and u0.
    spike : array, shape ``(n, 3)``
        Caustic crossings: height, MJD of the first, and days between them.
    closest : array, shape ``(n,)``
        What u never goes below.
    """

    redshift: Array
    source: Array
    blend: Array
    place: Array
    time: Array
    crossing: Array
    impact: Array
    disc: Array
    parallax: Array
    companion: Array
    spike: Array
    closest: Array

    def brightest(self) -> Array:
        """Give the flux at the closest approach, shape ``(n, 6)``, nJy."""
        added = magnification(self.closest, self.disc) - 1
        added += self.companion[:, 0] * (magnification(self.companion[:, 3], self.disc) - 1)
        added += self.spike[:, 0] / np.sqrt(SOFT)
        return np.asarray(added[:, None] * self.source)

    def take(self, objects: NDArray[np.int64]) -> Lensings:
        """Give some of the objects, in that order."""
        return replace(self, **some(self, objects))

    def separation(self, owner: NDArray[np.int64], time: Array) -> Array:
        """Give u, the distance of star and lens in Einstein radii."""
        since = time - self.time[owner]
        along, across = since / self.crossing[owner], self.impact[owner]
        north, east = _sun(self.place[owner], self.time[owner], since)
        to_north, to_east = self.parallax[owner].T
        along = along + to_north * north + to_east * east
        across = across - to_east * north + to_north * east
        return np.asarray(np.hypot(along, across))

    def light(self, sky: Sky, rng: np.random.Generator) -> Light:
        """Give the light at the visits of a sky with as many objects; the template is taken without a lens."""
        del rng
        owner = sky.owner
        added = magnification(self.separation(owner, sky.time), self.disc[owner]) - 1
        share, time, crossing, impact = self.companion[owner].T
        second = np.hypot((sky.time - time) / crossing, impact)
        added += share * (magnification(second, self.disc[owner]) - 1)
        height, first, days = self.spike[owner].T
        inside = (sky.time - first) / days
        sharp = np.sqrt(np.maximum(inside * (1 - inside), SOFT))
        added += np.where((inside > 0) & (inside < 1), height / sharp, 0.0)
        difference = added * self.source[owner, sky.band]
        return Light(difference, (self.source + self.blend)[owner, sky.band])


def magnification(u: Array, disc: Array | float = 0.0) -> Array:
    """Give the magnification by a point lens of a star of this radius, both in Einstein radii.

    Right for a point and for a disc right behind the lens, in between to some ten per cent.

    Examples
    --------
    >>> magnification(np.array([1.0, 0.1])).round(2)
    array([ 1.34, 10.04])
    """
    squared = u**2 + np.square(disc) / 4
    return np.asarray((squared + 2) / np.sqrt(squared * (squared + 4)))


def _sun(place: Array, reference: Array, since: Array) -> tuple[Array, Array]:
    """Give by how much the Sun has left, as seen in a direction, the line it moved on at a reference time, AU.

    Parameters
    ----------
    place : array, shape ``(n, 2)``, degrees
    reference, since : array, shape ``(n,)``, MJD and days

    Returns
    -------
    array, array
        Towards north and east.
    """
    speed = 2 * np.pi / YEAR
    start = speed * (reference - EQUINOX)
    angle = start + speed * since
    x = np.cos(angle) - np.cos(start) + np.sin(start) * speed * since
    y = np.sin(angle) - np.sin(start) - np.cos(start) * speed * since
    y, z = y * np.cos(OBLIQUITY), y * np.sin(OBLIQUITY)
    ra, decl = np.radians(place.T)
    north = -np.sin(decl) * (np.cos(ra) * x + np.sin(ra) * y) + np.cos(decl) * z
    return north, np.cos(ra) * y - np.sin(ra) * x


@dataclass(frozen=True)
class Microlensing:
    """Microlensing events of stars in the Galaxy."""

    name: str = "uLens-formula"
    label: str = "uLens"
    galactic: bool = True

    def draw(self, sky: Sky, rng: np.random.Generator) -> Lensings:
        """Draw one event at each place of a sky."""
        n = len(sky)
        magnitude = magnitudes(rng, n, 16.5, 24.0, 0.12)
        warm, other = rng.uniform(3_500, 6_000, (2, n))
        alone = rng.uniform(size=n) < 0.3
        share = np.where(alone, 1.0, rng.uniform(0.05, 1.0, n))
        total = star_flux(rng, warm, magnitude)
        tilt = nanojansky(star_colours(other) - star_colours(warm)) / nanojansky(np.zeros(1))
        time, crossing = rng.uniform(FIRST_PEAK, LAST_PEAK, n), lognormal(rng, n, 35, 0.8, 3, 300)
        impact = rng.uniform(0, 1, n)
        kind = rng.choice(3, n, p=[0.90, 0.05, 0.05])  # single, two lenses, caustic crossings
        # heavier lenses take longer and have smaller parallaxes, both as the square root of their mass
        size = 0.20 * (crossing / 20) ** -0.4 * rng.lognormal(0, 0.6, n) * (kind == 0)
        angle = rng.uniform(0, 2 * np.pi, n)
        mass = 10 ** rng.uniform(-1.3, 0, n)
        away = rng.uniform(1.5, 5, n) * rng.choice([-1, 1], n)
        companion = np.stack([
            1.0 * (kind == 1), time + away * crossing, crossing * np.sqrt(mass), rng.uniform(0, 1, n)
        ], axis=1)  # fmt: skip
        days = crossing * rng.uniform(0.05, 0.8, n)
        spike = np.stack([
            rng.lognormal(np.log(1.0), 0.6, n) * (kind == 2), time + crossing * rng.normal(0, 0.3, n) - days / 2, days
        ], axis=1)  # fmt: skip
        events = Lensings(
            redshift=np.full(n, np.nan), source=share[:, None] * total, blend=(1 - share)[:, None] * total * tilt,
            place=np.stack([sky.ra, sky.decl], axis=1), time=time, crossing=crossing, impact=impact,
            disc=lognormal(rng, n, 3e-3, 1.0, 1e-4, 0.1),
            parallax=size[:, None] * np.stack([np.cos(angle), np.sin(angle)], axis=1), companion=companion,
            spike=spike, closest=impact,
        )  # fmt: skip
        return replace(events, closest=_closest(events))


def _closest(events: Lensings) -> Array:
    """Give what u never goes below: u0, or less where parallax bends the path."""
    size = np.hypot(*events.parallax.T)
    speed = 2 * np.pi / YEAR
    closest = events.impact.copy()
    for one in np.flatnonzero(size * (speed * events.crossing) ** 2 / 2 > STRAIGHT):
        path = events.separation(np.full(len(PROBES), one), PROBES)
        fastest = 1 / events.crossing[one] + 2 * size[one] * speed
        closest[one] = max(path.min() - fastest * (PROBES[1] - PROBES[0]) / 2, 0.0)
    return closest
