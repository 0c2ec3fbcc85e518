"""Stars that repeat themselves, by folded light curves of ZTF: RR Lyrae, Cepheids, Delta Scuti, ellipsoidal binaries.

Templates of stars in ZTF's third data release with types and periods of the VSX catalogue, in g, r and i (ellipsoidal:
g and r), without the dust of the Milky Way. Bands that they lack vary as the next one does, times the ratio of usual
amplitudes. Periods, amplitudes and brightness are redrawn.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import cache
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

from telperion.bands import BANDS
from telperion.simulate.lclib import read_cycles
from telperion.simulate.literature import Files
from telperion.simulate.source import FIRST_PEAK, Array, Light, Sky
from telperion.simulate.sources.eclipsing import eclipsing_magnitudes
from telperion.simulate.sources.pulsating import (
    RELATIVE,
    cepheid_magnitudes,
    delta_scuti_magnitudes,
    rr_lyrae_magnitudes,
)
from telperion.simulate.stars import some, star_colours, star_flux, template


@dataclass(frozen=True)
class Kind:
    """One kind of folded stars.

    Parameters
    ----------
    label, file, bands : str
    relative : tuple of float
        Usual amplitude in each band.
    coolest, hottest : float, K
        Within which the temperature of a star's colour is held.
    magnitudes : callable
        Draws mean r magnitudes in the directions of a sky, as the formula's.
    """

    label: str
    file: str
    bands: str
    relative: tuple[float, ...]
    coolest: float
    hottest: float
    magnitudes: Callable[[np.random.Generator, Sky], Array]


_PULSATING = tuple(RELATIVE.tolist())

KINDS: Mapping[str, Kind] = MappingProxyType({
    "RRLyrae-ZTF": Kind("RR Lyrae", "ztf_rr_lyrae.lclib", "gri", _PULSATING, 5_800, 7_600, rr_lyrae_magnitudes),
    "Cepheid-ZTF": Kind("Cepheid", "ztf_cepheid.lclib", "gri", _PULSATING, 4_800, 6_600, cepheid_magnitudes),
    "DeltaScuti-ZTF": Kind(
        "Delta Scuti", "ztf_delta_scuti.lclib", "gri", _PULSATING, 6_600, 8_600, delta_scuti_magnitudes,
    ),
    "EB-ellipsoidal-ZTF": Kind(
        "EB", "ztf_ellipsoidal.lclib", "gr", (1.05, 1.0, 0.96, 0.93, 0.91, 0.90), 3_500, 9_000,
        eclipsing_magnitudes,
    ),
})  # fmt: skip
"""Kinds by the names of their sources."""


@dataclass(frozen=True, eq=False)
class Cycles:
    """Stars that repeat a light curve; a `Drawn`.

    Parameters
    ----------
    redshift : array, shape ``(n,)``
    shapes : array, shape ``(n_templates, 6, n_points)``, mag
        About the mean, over one cycle.
    which : array of int, shape ``(n,)``
        Template.
    mean, template : array, shape ``(n, 6)``, nJy
        Flux at the mean magnitude, and in the template image.
    amplitude : array, shape ``(n, 6)``
        By which the template's is multiplied.
    period, epoch : array, shape ``(n,)``, days and MJD
    """

    redshift: Array
    shapes: Array
    which: NDArray[np.int64]
    mean: Array
    template: Array
    amplitude: Array
    period: Array
    epoch: Array

    def brightest(self) -> Array:
        """Give what the difference stays within, shape ``(n, 6)``, nJy."""
        low, high = (extreme[self.which] for extreme in (self.shapes.min(axis=2), self.shapes.max(axis=2)))
        most, least = (self.mean * 10 ** (-0.4 * self.amplitude * edge) for edge in (low, high))
        return np.asarray(np.maximum(most - self.template, self.template - least)) * (1 + 1e-9)

    def take(self, objects: NDArray[np.int64]) -> Cycles:
        """Give some of the objects, in that order."""
        return replace(self, **some(self, objects, "shapes"))

    def flux(self, owner: NDArray[np.int64], time: Array, band: NDArray) -> Array:
        """Give the flux of objects at times in bands, nJy."""
        points = self.shapes.shape[2]
        turn = (time - self.epoch[owner]) / self.period[owner] % 1 * points
        first = turn.astype(np.int64) % points
        share, which = turn - np.floor(turn), self.which[owner]
        shape = self.shapes[which, band, first] * (1 - share) + self.shapes[which, band, (first + 1) % points] * share
        return np.asarray(self.mean[owner, band] * 10 ** (-0.4 * self.amplitude[owner, band] * shape))

    def light(self, sky: Sky, rng: np.random.Generator) -> Light:
        """Give the light at the visits of a sky with as many objects."""
        del rng
        owner = sky.owner
        steady = self.template[owner, sky.band]
        return Light(self.flux(owner, sky.time, sky.band) - steady, steady)


@dataclass(frozen=True)
class FoldedStars:
    """Stars of one of the `KINDS`, by its name."""

    files: Files
    name: str

    galactic: bool = True

    @property
    def label(self) -> str:
        """Leaf of the tree ``elasticc``."""
        return KINDS[self.name].label

    def draw(self, sky: Sky, rng: np.random.Generator) -> Cycles:
        """Draw one star at each place of a sky."""
        n, kind = len(sky), KINDS[self.name]
        period, colour, shapes = cycles(self.files.paths[0], self.name)
        which = rng.choice(self.files.chosen, n)
        # a template's colour gives the star's temperature, by which it has all others
        temperature = np.interp(colour[which] + rng.normal(0, 0.05, n), *_thermometer())
        temperature = np.clip(temperature, kind.coolest, kind.hottest)
        new = period[which] * rng.lognormal(0, 0.03, n)
        stars = Cycles(
            redshift=np.full(n, np.nan), shapes=shapes, which=which,
            mean=star_flux(rng, temperature, kind.magnitudes(rng, sky)),
            template=np.zeros((n, len(BANDS))),
            amplitude=rng.lognormal(0, 0.1, n)[:, None] * rng.lognormal(0, 0.03, (n, len(BANDS))), period=new,
            epoch=FIRST_PEAK + rng.uniform(size=n) * new,
        )  # fmt: skip
        return replace(stars, template=template(rng, n, stars.flux))


@cache
def cycles(path: str, name: str) -> tuple[Array, Array, Array]:
    """Give the templates of one kind: periods, days; mean g-r; magnitudes about the mean as `Cycles` has them."""
    kind = KINDS[name]
    _, period, found = read_cycles(path, kind.bands)
    mean = found.mean(axis=2)
    shapes = found - mean[:, :, None]
    first, last = (BANDS.index(kind.bands[k]) for k in (0, -1))
    nearest = np.clip(np.arange(len(BANDS)), first, last)
    relative = np.array(kind.relative)
    return period, mean[:, 0] - mean[:, 1], shapes[:, nearest - first] * (relative / relative[nearest])[:, None]


def _thermometer() -> tuple[Array, Array]:
    """Give g-r, rising, and the temperatures that go with it, K."""
    temperature = np.linspace(12_000, 3_400, 200)
    return star_colours(temperature)[:, 1], temperature
