"""Dwarf novae by outbursts that OGLE saw: their shapes in g, with amplitudes, recurrence and colours of the formula.

The tables are smooth curves through outbursts of stars of Mroz et al. (2015), most of them brought to one peak and cut
before the star is quiet again, some of them flat. So they are taken as shapes: those count that rise and vary by a
magnitude or more; after a table's end the outburst declines as the formula's do, see
`telperion.simulate.sources.dwarf_nova`.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from functools import cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from telperion.simulate.lclib import read_outburst
from telperion.simulate.literature import Files
from telperion.simulate.source import Array, Sky
from telperion.simulate.sources.dwarf_nova import DwarfNova, Outbursts

STEP = 0.1
"""Days between the points of a table."""

LEAST = 1.0
"""Mag by which a table varies that counts as a shape."""

QUIET = 0.02
"""Share of the amplitude below which an outburst has not begun."""

SUPER = 1.35
"""An outburst brighter than the usual one by this factor is a superoutburst."""


@cache
def shapes(paths: tuple[str, ...]) -> Array:
    """Give by how much of its amplitude each outburst is below its peak, shape ``(n, n_points)``, NaN after its end."""
    found = []
    for path in paths:
        below = read_outburst(path)
        below = (below - below.min()) / max(float(np.ptp(below)), 1e-9)
        found.append(below[np.flatnonzero(below[: below.argmin() + 1] > 1 - QUIET).max(initial=0) :])
    size = max(len(shape) for shape in found)
    return np.stack([np.pad(shape, (0, size - len(shape)), constant_values=np.nan) for shape in found])


def rises(path: str | Path) -> bool:
    """Tell whether a table counts: it rises to its peak and varies by `LEAST`."""
    magnitude = read_outburst(path)
    return bool(magnitude.argmin() >= 10 and magnitude[: magnitude.argmin()].max() - magnitude.min() >= LEAST)


@dataclass(frozen=True, eq=False)
class TabledOutbursts(Outbursts):
    """Dwarf novae with outbursts of given shapes; a `Drawn`.

    The plateau of each outburst is how much longer it takes than its shape.

    Parameters
    ----------
    shape : array, shape ``(n, n_points)``
        See `shapes`; of each star.
    end : array of int, shape ``(n,)``
        Last point of it.
    """

    shape: Array
    end: NDArray[np.int64]

    def _shape(self, owner: NDArray[np.int64], since: Array, plateau: Array) -> Array:
        place = np.maximum(since, 0) / STEP / plateau
        last = self.end[owner]
        point = np.minimum(place.astype(np.int64), last - 1)
        share = np.minimum(place - point, 1.0)
        below = self.shape[owner, point] * (1 - share) + self.shape[owner, point + 1] * share
        after = np.maximum(place - last, 0) * STEP * plateau / self.decline[owner]
        return np.asarray(10 ** (-0.4 * (below * self.range[owner] + after)))


@dataclass(frozen=True)
class TabledDwarfNova:
    """Dwarf novae; stars and recurrence are those of the formula."""

    files: Files
    name: str = "DwarfNova-OGLE"
    label: str = "Dwarf Novae"
    galactic: bool = True

    def draw(self, sky: Sky, rng: np.random.Generator) -> TabledOutbursts:
        """Draw one star at each place of a sky."""
        n, table = len(sky), shapes(self.files.paths)
        stars = DwarfNova().draw(sky, rng)
        usual = 1.25 ** rng.uniform(-1, 1, n)[:, None] * rng.lognormal(0, 0.1, stars.boost.shape)
        longer = np.where(stars.boost > SUPER, rng.uniform(1.2, 1.8, n)[:, None], 1.0)
        which = rng.choice(self.files.chosen, n)
        end = np.isfinite(table[which]).sum(axis=1) - 1
        wait = np.diff(stars.start, axis=1, append=np.inf)
        own = {field.name: getattr(stars, field.name) for field in fields(stars)}
        own["plateau"] = np.minimum(usual * longer, wait / (STEP * end)[:, None])  # over before the next one
        return TabledOutbursts(**own, shape=table[which], end=end)
