"""Sources of other populations than those that were trained on: fainter, redder, slower, each object by its own share.

What a classifier has learnt by heart from one simulation shows when it is tested on another. The shift is the same for
all classes, so it tells no class from another.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from telperion.bands import WAVELENGTH
from telperion.simulate.source import Array, Drawn, Light, Sky, Source
from telperion.simulate.survey import BY_VISIT

FAINTER = 0.25, 0.35
"""Mean and scatter of the mag by which objects are dimmed at all wavelengths."""

REDDER = 0.15, 0.10
"""Mean and scatter of the mag by which they are dimmed at twice the frequency of the r band, and brightened at half."""

SLOWER = 0.10, 0.10
"""Mean and scatter of the logarithm of the factor by which they are slowed."""

MIDDLE = 60827.5
"""MJD in the middle of the survey, from which times are stretched."""


@dataclass(frozen=True)
class Shifted:
    """A source of another population.

    Parameters
    ----------
    source : Source
    slowed : bool
        False for what is drawn by when a place is visited, which cannot be slowed.
    """

    source: Source
    slowed: bool = True

    @property
    def name(self) -> str:
        """A name of its own among all sources."""
        return f"{self.source.name}-shifted"

    @property
    def label(self) -> str:
        """Leaf of the tree ``elasticc``."""
        return self.source.label

    @property
    def galactic(self) -> bool:
        """Whether it is in the Milky Way."""
        return self.source.galactic

    @property
    def files(self) -> object:
        """Template files that the source is made of, None without any."""
        return getattr(self.source, "files", None)

    def draw(self, sky: Sky, rng: np.random.Generator) -> Shift:
        """Draw one object at each place of a sky."""
        n = len(sky)
        tilt = np.log2(WAVELENGTH[2] / WAVELENGTH)
        dimming = rng.normal(*FAINTER, n)[:, None] + rng.normal(*REDDER, n)[:, None] * tilt
        slowing = np.exp(rng.normal(*SLOWER, n)) if self.slowed else np.ones(n)
        return Shift(self.source.draw(sky, rng), 10 ** (-0.4 * dimming), slowing)


@dataclass(frozen=True, eq=False)
class Shift:
    """Objects of another population; a `Drawn`.

    Parameters
    ----------
    drawn : Drawn
        Before the shift.
    share : array, shape ``(n, 6)``
        Of the light in each band that is left.
    slowing : array, shape ``(n,)``
        Factor on all times.
    """

    drawn: Drawn
    share: Array
    slowing: Array

    @property
    def redshift(self) -> Array:
        """Redshifts, NaN in the Galaxy, shape ``(n,)``."""
        return self.drawn.redshift

    def brightest(self) -> Array:
        """Give what the light difference never exceeds in each band, nJy, shape ``(n, 6)``."""
        return self.drawn.brightest() * self.share

    def take(self, objects: NDArray[np.int64]) -> Shift:
        """Give some of the objects, in that order."""
        return Shift(self.drawn.take(objects), self.share[objects], self.slowing[objects])

    def light(self, sky: Sky, rng: np.random.Generator) -> Light:
        """Give the light at the visits of a sky with as many objects."""
        owner = sky.owner
        time = MIDDLE + (sky.time - MIDDLE) / self.slowing[owner]
        light, share = self.drawn.light(replace(sky, time=time), rng), self.share[owner, sky.band]
        return Light(light.difference * share, light.steady * share)


def shifted(kinds: Mapping[str, Mapping[Source, float]]) -> dict[str, dict[Source, float]]:
    """Shift every source of every class."""
    return {
        label: {Shifted(source, slowed=label not in BY_VISIT): share for source, share in sources.items()}
        for label, sources in kinds.items()
    }
