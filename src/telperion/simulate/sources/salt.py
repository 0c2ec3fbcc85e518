"""Normal supernovae of type Ia by the surfaces of SALT3 (Kenworthy et al. 2021; retrained as F22, Taylor et al. 2023).

Stretch, colour, rate and scatter are those of `telperion.simulate.sources.normal_ia`, and so is how it fades on after
the last day of the surfaces.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from telperion.simulate.grid import CELLS, LAST_DAY, SHORTEST, STEP, Grid, cells, kept
from telperion.simulate.literature import Files
from telperion.simulate.photosphere import at
from telperion.simulate.source import TEN_PARSEC_NJY, Array, Explosions, Parameters, Sky, explode, redshifts
from telperion.simulate.sources.normal_ia import ALPHA, COHERENT, TEMPLATE, rate, two_sided
from telperion.simulate.spectra import read_salt
from telperion.simulate.templates import KNOTS, SCATTER

BETA = 3.1
"""Mag in B by which one unit of colour dims."""


@dataclass(frozen=True)
class SaltIa:
    """Normal supernovae of type Ia."""

    files: Files
    name: str = "SNIa-SALT3"
    label: str = "SNIa"
    galactic: bool = False

    def draw(self, sky: Sky, rng: np.random.Generator) -> Explosions:
        """Draw one supernova at each place of a sky; phase zero is the maximum in B."""
        n = len(sky)
        grid = kept(self.files.digest, self.files.paths, surfaces)
        x1 = two_sided(rng, n, 0.973, 1.472, 0.222, -3.0, 2.0)
        colour = two_sided(rng, n, -0.054, 0.043, 0.101, -0.3, 0.5)
        tint = rng.normal(size=(n, len(KNOTS))) * SCATTER
        tint += (COHERENT * rng.normal(size=n) - ALPHA * x1 + BETA * colour)[:, None]
        parameters = {"row": np.arange(n, dtype=float), "x1": x1, "colour": colour}

        def spectrum(given: Parameters, phase: Array, wavelength: Array) -> Array:
            mean, more, law = (grid(np.array(k), phase, wavelength) for k in range(3))
            dimmer = given["colour"] * law + at(tint, KNOTS, given["row"], np.maximum(wavelength, KNOTS[0]))
            light = np.maximum(mean + given["x1"] * more, 0) * 10 ** (-0.4 * dimmer)
            return light * (phase >= -20) / TEN_PARSEC_NJY

        return explode(
            sky, rng, spectrum, parameters, redshift=redshifts(rng, n, rate, 0.02, 1.65), phases=(-20.0, 300.0),
            probes=(-8.0, -2.5, 3.0, 11.0, 25.0),
        )  # fmt: skip


def surfaces(files: tuple[str, ...]) -> Grid:
    """Give a grid of three: both surfaces of SALT, nJy at 10 pc, and the colour law, mag, alike on all days."""
    salt = read_salt(Path(files[0]).parent)
    day, length = np.arange(salt.mean.phase[0], LAST_DAY + 1), np.exp(SHORTEST + STEP * np.arange(CELLS))
    last = salt.mean.phase[-1]
    fainter = np.maximum(TEMPLATE(day[:, None], length) - TEMPLATE(np.array(last), length), 0) * (day > last)[:, None]
    parts = [
        np.stack([np.interp(day, series.phase, column) for column in cells(series).T], axis=1) * 10 ** (-0.4 * fainter)
        for series in (salt.mean, salt.stretched)
    ]  # the surfaces are the light at 10 pc: -19.36 mag in B
    values = np.stack([*parts, np.broadcast_to(salt.colour_law(1e4 * length), parts[0].shape)])
    return Grid(values.astype(np.float32), (float(day[0]), 1.0), (SHORTEST, STEP))
