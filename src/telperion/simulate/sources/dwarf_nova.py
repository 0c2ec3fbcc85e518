"""Dwarf novae: a white dwarf's accretion disc that flares up by magnitudes again and again.

Outbursts rise in a day or so, stay bright for days and decline by some 0.4 mag a day; some stars have superoutbursts,
longer and brighter, every few. The rarer the outbursts the larger they are (Kukarkin & Parenago 1934; Warner 1995),
with much scatter, as Otulakowska-Hypka et al. (2016) find that relation only for superoutbursts. Durations and rates
are round numbers after Coppejans et al. (2016) and Mroz et al. (2015).
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from telperion.bands import BANDS
from telperion.simulate.passbands import passbands
from telperion.simulate.source import FIRST_PEAK, LAST_PEAK, Array, Light, Sky, nanojansky, planck
from telperion.simulate.stars import lognormal, magnitudes, some, template

SLOTS = 120
"""Outbursts drawn for each star; enough for one every 15 days."""

DEEP = 1.5
"""An outburst starts so many magnitudes below the quiet star."""


@dataclass(frozen=True, eq=False)
class Outbursts:
    """Dwarf novae; a `Drawn`.

    Parameters
    ----------
    redshift : array, shape ``(n,)``
    quiet, template : array, shape ``(n, 6)``, nJy
        Flux of the quiet star, and in the template image.
    peak : array, shape ``(n,)``, nJy
        Flux in g that an outburst adds.
    range : array, shape ``(n,)``
        Magnitudes an outburst rises by, from a start below the quiet star.
    rise, decline, hot, cool : array, shape ``(n,)``
        Days, days for a mag, and temperatures of the disc at peak and at the end, K.
    hump : array, shape ``(n, 2)``
        Half the orbital variation of the quiet star, as a share, and its period in days.
    start, plateau, boost : array, shape ``(n, SLOTS)``
        MJD and days, rising, and factor of each outburst.
    """

    redshift: Array
    quiet: Array
    template: Array
    peak: Array
    range: Array
    rise: Array
    decline: Array
    hot: Array
    cool: Array
    hump: Array
    start: Array
    plateau: Array
    boost: Array

    def brightest(self) -> Array:
        """Give what the difference stays within, shape ``(n, 6)``, nJy."""
        n = len(self.redshift)
        owner, band = (axis.ravel() for axis in np.indices((n, len(BANDS))))
        shapes = (np.full(owner.size, 10**-power) for power in np.linspace(0, 2.5, 12))
        probes = np.max([self._disc(owner, shape, band) for shape in shapes], axis=0).reshape(n, len(BANDS))
        above = 1.2 * self.boost.max(axis=1)[:, None] * probes + self.quiet * (1 + self.hump[:, :1])
        return np.asarray(np.maximum(above - np.minimum(self.template, self.quiet), self.template))

    def take(self, objects: NDArray[np.int64]) -> Outbursts:
        """Give some of the objects, in that order."""
        return replace(self, **some(self, objects))

    def flux(self, owner: NDArray[np.int64], time: Array, band: NDArray) -> Array:
        """Give the flux of objects at times in bands, nJy."""
        share, period = self.hump[owner].T
        flux = self.quiet[owner, band] * (1 + share * np.cos(2 * np.pi * (time - FIRST_PEAK) / period))
        apart, middle = 1e5, (FIRST_PEAK + LAST_PEAK) / 2
        offset = np.arange(len(self.start)) * apart
        begun = np.searchsorted((self.start - middle + offset[:, None]).ravel(), time - middle + offset[owner])
        slot = begun - 1 - owner * SLOTS
        lit = np.flatnonzero(slot >= 0)
        own, slot = owner[lit], slot[lit]
        shape = self._shape(own, time[lit] - self.start[own, slot], self.plateau[own, slot])
        flux[lit] += self.boost[own, slot] * self._disc(own, shape, band[lit])
        return np.asarray(flux)

    def light(self, sky: Sky, rng: np.random.Generator) -> Light:
        """Give the light at the visits of a sky with as many objects."""
        del rng
        owner = sky.owner
        steady = self.template[owner, sky.band]
        return Light(self.flux(owner, sky.time, sky.band) - steady, steady)

    def _shape(self, owner: NDArray[np.int64], since: Array, plateau: Array) -> Array:
        """Give the light of the disc over that at peak, at days since an outburst began."""
        rise, decline = self.rise[owner], self.decline[owner]
        up = self.range[owner] * np.maximum(1 - since / rise, 0) ** 1.5
        held = np.clip(since - rise, 0, plateau)
        down = np.maximum(since - rise - plateau, 0) / decline
        return np.asarray(10 ** (-0.4 * (up + 0.07 * held + down)))

    def _disc(self, owner: NDArray[np.int64], shape: Array, band: NDArray) -> Array:
        """Give the flux of a disc whose light in g has this share of the peak; it cools as it fades."""
        hot, cool = self.hot[owner], self.cool[owner]
        temperature = cool * (hot / cool) ** (shape**0.3)
        return np.asarray(self.peak[owner] * shape * _through(temperature, band) / _through(temperature, 1 + 0 * band))


def _through(temperature: Array, band: NDArray) -> Array:
    bands = passbands()
    return np.asarray((planck(bands.wavelength[band], temperature[:, None]) * bands.weight[band]).sum(axis=1))


@dataclass(frozen=True)
class DwarfNova:
    """Dwarf novae, six of ten with superoutbursts; most have a template of the quiet star."""

    name: str = "DwarfNova-formula"
    label: str = "Dwarf Novae"
    galactic: bool = True

    def draw(self, sky: Sky, rng: np.random.Generator) -> Outbursts:
        """Draw one star at each place of a sky."""
        n = len(sky)
        recurrence = lognormal(rng, n, 60, 0.8, 15, 300)
        rise, decline = lognormal(rng, n, 0.9, 0.35, 0.5, 2.0), lognormal(rng, n, 2.5, 0.35, 1.0, 5.0)
        amplitude = np.clip(0.5 + 1.75 * np.log10(recurrence) + rng.normal(0, 0.9, n), 2, 7)
        size = (n, SLOTS)
        every = np.where(rng.uniform(size=n) < 0.6, rng.integers(2, 9, n), 10 * SLOTS)
        superb = (np.arange(SLOTS) + rng.integers(0, 1000, n)[:, None]) % every[:, None] == 0
        usual = rng.uniform(1.5, 5, n)
        longer = rng.uniform(7, 15, n)
        plateau = np.where(superb, longer[:, None], usual[:, None]) * rng.lognormal(0, 0.25, size)
        plateau = np.clip(plateau, 1, 18)
        strong = 10 ** (0.4 * rng.uniform(0.3, 1.0, n))[:, None]
        boost = np.where(superb, strong, 1.0) * 10 ** (0.4 * np.clip(rng.normal(0, 0.2, size), -0.6, 0.6))
        length = rise[:, None] + plateau + 3 * decline[:, None]
        wait = np.maximum(recurrence[:, None] * rng.lognormal(0, 0.35, size), length)
        start = FIRST_PEAK - 50 - rng.uniform(0, 1, n)[:, None] * wait[:, :1] + np.cumsum(wait, axis=1) - wait[:, :1]
        quiet = _quiet(rng, n)
        stars = Outbursts(
            redshift=np.full(n, np.nan), quiet=quiet, template=quiet,
            peak=quiet[:, 1] * (10 ** (0.4 * amplitude) - 1), range=amplitude + DEEP, rise=rise, decline=decline,
            hot=rng.uniform(10_000, 20_000, n), cool=rng.uniform(5_000, 7_500, n),
            hump=np.stack([rng.uniform(0, 0.15, n), rng.uniform(0.055, 0.35, n)], axis=1), start=start,
            plateau=plateau, boost=boost,
        )  # fmt: skip
        odd = template(rng, n, stars.flux, 1)
        return replace(stars, template=np.where(rng.uniform(size=n)[:, None] < 0.15, odd, quiet))


def _quiet(rng: np.random.Generator, n: int) -> Array:
    """Draw quiet stars: a disc and a white dwarf as one black body, and a red dwarf, nJy, shape ``(n, 6)``."""
    owner, band = (axis.ravel() for axis in np.indices((n, len(BANDS))))
    warm, red = rng.uniform(6_500, 12_000, n), rng.uniform(2_700, 3_700, n)
    light = [_through(hot[owner], band).reshape(n, len(BANDS)) for hot in (warm, red)]
    disc, dwarf = (part / part[:, 2:3] for part in light)
    share = rng.uniform(0, 0.6, n)[:, None]
    return nanojansky(magnitudes(rng, n, 18.0, 24.0, 0.15))[:, None] * ((1 - share) * disc + share * dwarf)
