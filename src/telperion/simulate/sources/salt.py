"""Normal supernovae of type Ia by the surfaces of SALT3 (Kenworthy et al. 2021; retrained as F22, Taylor et al. 2023).

Stretch, colour, rate and scatter are those of `telperion.simulate.sources.normal_ia`, and so is how it fades on after
the last day of the surfaces. Beyond 0.87 micrometre, where the surfaces fall off, light is held to a hot black body's.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np

from telperion.simulate.grid import CELLS, LAST_DAY, SHORTEST, STEP, Grid, cells, kept, natural
from telperion.simulate.literature import Bounded, Files
from telperion.simulate.photosphere import at
from telperion.simulate.source import TEN_PARSEC_NJY, Array, Parameters, Sky, explode, redshifts
from telperion.simulate.sources.normal_ia import ALPHA, COHERENT, TEMPLATE, rate, two_sided
from telperion.simulate.spectra import read_salt
from telperion.simulate.templates import KNOTS, SCATTER

LEAST, MOST = -3.0, 2.0
"""Limits of x1."""

TRUSTED = 0.87
"""Micrometre to which the surfaces are trained well; beyond, stretch changes all light alike."""

BETA = 3.1
"""Mag in B by which one unit of colour dims."""


@dataclass(frozen=True)
class SaltIa:
    """Normal supernovae of type Ia."""

    files: Files
    name: str = "SNIa-SALT3"
    label: str = "SNIa"
    galactic: bool = False

    def draw(self, sky: Sky, rng: np.random.Generator) -> Bounded:
        """Draw one supernova at each place of a sky; phase zero is the maximum in B."""
        n = len(sky)
        grid = kept(self.files.digest, self.files.paths, surfaces)
        x1 = two_sided(rng, n, 0.973, 1.472, 0.222, LEAST, MOST)
        colour = two_sided(rng, n, -0.054, 0.043, 0.101, -0.3, 0.5)
        tint = rng.normal(size=(n, len(KNOTS))) * SCATTER
        tint += (COHERENT * rng.normal(size=n) - ALPHA * x1 + BETA * colour)[:, None]
        parameters = {"row": np.arange(n, dtype=float), "x1": x1, "colour": colour}

        def coloured(given: Parameters, light: Array, wavelength: Array) -> Array:
            dimmer = given["colour"] * grid(np.array(2), np.array(0.0), wavelength)
            dimmer = dimmer + at(tint, KNOTS, given["row"], np.maximum(wavelength, KNOTS[0]))
            return np.asarray(np.maximum(light, 0) * 10 ** (-0.4 * dimmer) / TEN_PARSEC_NJY)

        def spectrum(given: Parameters, phase: Array, wavelength: Array) -> Array:
            mean, more = (grid(np.array(k), phase, wavelength) for k in range(2))
            return coloured(given, mean + given["x1"] * more, wavelength)

        def highest(given: Parameters, phase: Array, wavelength: Array) -> Array:
            # what is brightest of all days is convex in x1, so a straight line over whole ones is above it
            whole = np.minimum(np.floor(given["x1"] - LEAST), MOST - LEAST - 1)
            share = given["x1"] - LEAST - whole
            below, above = (envelope(grid)(whole + k, phase, wavelength) for k in (0, 1))
            return coloured(given, below * (1 - share) + above * share, wavelength)

        drawn = explode(
            sky, rng, spectrum, parameters, redshift=redshifts(rng, n, rate, 0.02, 1.65), phases=(-20.0, 300.0),
            probes=(),
        )  # fmt: skip
        return Bounded(**vars(drawn), highest=highest)


@cache
def envelope(grid: Grid) -> Grid:
    """Give the most light at each wavelength for each whole x1 from `LEAST` to `MOST`, of one phase."""
    light = [(grid.values[0] + x1 * grid.values[1]).max(axis=0) for x1 in np.arange(LEAST, MOST + 1)]
    return Grid(np.maximum(light, 0).astype(np.float32)[:, None], (0.0, 1.0), grid.wavelength)


def surfaces(files: tuple[str, ...]) -> Grid:
    """Give a grid of three: both surfaces of SALT, nJy at 10 pc, and the colour law, mag, alike on all days."""
    salt = read_salt(Path(files[0]).parent)
    day, length = np.arange(salt.mean.phase[0], LAST_DAY + 1), np.exp(SHORTEST + STEP * np.arange(CELLS))
    mean, more = natural(cells(salt.mean)), cells(salt.stretched)
    edge = int(np.searchsorted(length, TRUSTED))
    more[:, edge:] = mean[:, edge:] * (more[:, edge] / np.maximum(mean[:, edge], 1e-30))[:, None]
    last = salt.mean.phase[-1]
    fainter = np.maximum(TEMPLATE(day[:, None], length) - TEMPLATE(np.array(last), length), 0) * (day > last)[:, None]
    parts = [
        np.stack([np.interp(day, salt.mean.phase, column) for column in light.T], axis=1) * 10 ** (-0.4 * fainter)
        for light in (mean, more)
    ]  # the surfaces are the light at 10 pc: -19.36 mag in B
    values = np.stack([*parts, np.broadcast_to(salt.colour_law(1e4 * length), parts[0].shape)])
    return Grid(values.astype(np.float32), (float(day[0]), 1.0), (SHORTEST, STEP))
