"""What sources made of the literature's templates share: which templates are held out, and a bound on their light."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from telperion.bands import BANDS, NJY
from telperion.simulate.grid import Grid
from telperion.simulate.source import Array, Explosions, Source, Spectrum

HELD_OUT = 0.25
"""Share of the templates of a family that a training set does not get."""


JOHNSON = {"B": (0.437, 0.037, -0.09), "R": (0.64, 0.06, 0.21)}
"""Centre and width of a band as a Gaussian, micrometre, and AB minus Vega, mag."""


@dataclass(frozen=True)
class Files:
    """Template files of one family.

    Parameters
    ----------
    paths : tuple of str
    digest : str
        Of their content, see `telperion.simulate.grid.digest`.
    templates : tuple of str
        Names, in the order of the paths or as they stand in the one file.
    held_out : bool
        Use the templates that are held out, in place of the others.
    """

    paths: tuple[str, ...]
    digest: str
    templates: tuple[str, ...]
    held_out: bool = False

    @property
    def chosen(self) -> NDArray[np.int64]:
        """Which of the templates are used."""
        return split(self.templates, self.held_out)


def split(names: Sequence[str], held_out: bool) -> NDArray[np.int64]:
    """Give which templates are held out of training, or which are kept; a template that is alone is both.

    A quarter is held out, to the nearest, but one at least: the first ones in the order of the names' hashes.

    Examples
    --------
    >>> names = ["SN1998bw", "SN2006aj", "SN2009bb", "SN2012ap"]
    >>> split(names, True), split(names, False)
    (array([3]), array([0, 1, 2]))
    """
    if len(names) < 2:
        return np.arange(len(names))
    order = sorted(range(len(names)), key=lambda k: hashlib.blake2b(names[k].encode(), digest_size=8).digest())
    last = max(1, round(HELD_OUT * len(names)))
    return np.array(sorted(order[:last] if held_out else order[last:]))


def templates(kinds: Mapping[str, Mapping[Source, float]]) -> dict[str, dict[str, dict[str, Any]]]:
    """Say by class and source which templates are used: their number, whether held out, the digest of their files.

    Classes without any are left out.
    """
    found = {
        label: {
            source.name: {"templates": len(files.chosen), "held_out": files.held_out, "digest": files.digest}
            for source in sources if isinstance(files := getattr(source, "files", None), Files)
        }
        for label, sources in kinds.items()
    }  # fmt: skip
    return {label: sources for label, sources in found.items() if sources}


@dataclass(frozen=True, eq=False)
class Bounded(Explosions):
    """Explosions whose spectra have a known bound; a `telperion.simulate.source.Drawn`.

    Parameters
    ----------
    highest : Spectrum
        What the spectrum exceeds at no phase; the phase is ignored.
    """

    highest: Spectrum

    def brightest(self) -> Array:
        """Give the flux in each band of the bound, nJy, shape ``(n, 6)``."""
        n = len(self.redshift)
        owner, band = (axis.ravel() for axis in np.indices((n, len(BANDS))))
        found = replace(self, spectrum=self.highest)._flux(owner, np.zeros(owner.size), band)
        return found.reshape(n, len(BANDS)) * (1 + 1e-6)  # float32 rounds


def magnitudes_in(grid: Grid, centre: float, width: float) -> Array:
    """Give the absolute AB magnitude of templates in a Gaussian band, micrometre, shape ``(n, n_phases)``."""
    length = np.linspace(centre - 2.5 * width, centre + 2.5 * width, 40)
    weight = np.exp(-(((length - centre) / width) ** 2) / 2) / length
    n, rows, _ = grid.values.shape
    which, phase = np.indices((n, rows))
    phases = grid.phase[0] + grid.phase[1] * phase
    light = grid(which[..., None], phases[..., None], length) @ weight / weight.sum()
    return np.asarray(NJY - 2.5 * np.log10(np.maximum(light, 1e-30)))


@cache
def peaks_in(grid: Grid, band: str) -> Array:
    """Give the absolute magnitude (Vega) of templates at their peaks in `JOHNSON`'s B or R, shape ``(n,)``."""
    centre, width, vega = JOHNSON[band]
    return np.asarray(magnitudes_in(grid, centre, width).min(axis=1) - vega)
