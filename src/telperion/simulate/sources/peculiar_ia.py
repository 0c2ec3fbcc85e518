"""Peculiar thermonuclear supernovae by templates: SN 1991bg's spectra (Nugent), and Iax with the lines of normal ones.

The subluminous ones are spectra over time of SN 1991bg (Nugent, Kim & Perlmutter 2002) with the stretches, colours and
luminosities of `telperion.simulate.sources.subluminous_ia`. For Iax the light curves in broad bands are those of
`telperion.simulate.sources.iax`, and on them are the lines of normal supernovae (Hsiao et al. 2007), weaker, and redder
since their ejecta are slower.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from telperion.simulate.grid import SHORTEST, STEP, Grid, cells, kept, stack
from telperion.simulate.literature import Bounded, Files, magnitudes_in
from telperion.simulate.photosphere import at
from telperion.simulate.source import MARGIN, TEN_PARSEC_NJY, Array, Explosions, Parameters, Sky, explode, redshifts
from telperion.simulate.sources import iax
from telperion.simulate.sources.subluminous_ia import (
    B_PEAK,
    COHERENT,
    COLOUR,
    COLOUR_WIDTH,
    CORRELATION,
    FADING,
    STRETCH,
    STRETCH_WIDTH,
    rate,
)
from telperion.simulate.spectra import Series, read_image
from telperion.simulate.templates import KNOTS, REDDENING, SCATTER

SMOOTH = 0.2
"""Over which spectra are averaged, in the logarithm of the wavelength, to have their lines apart."""


@dataclass(frozen=True)
class NugentSubluminousIa:
    """Supernovae like SN 1991bg."""

    files: Files
    name: str = "SNI91bg-Nugent"
    label: str = "SNI91bg"
    galactic: bool = False

    def draw(self, sky: Sky, rng: np.random.Generator) -> Explosions:
        """Draw one supernova at each place of a sky; phase zero is the maximum in B."""
        n = len(sky)
        grid = kept(self.files.digest, self.files.paths, subluminous)
        fast, red = rng.multivariate_normal([0, 0], [[1, CORRELATION], [CORRELATION, 1]], n).T
        stretch = np.clip(STRETCH + STRETCH_WIDTH * fast, 0.65, 1.25)
        redder = np.clip(COLOUR + COLOUR_WIDTH * red, 0, 1) - COLOUR
        tint = redder[:, None] * (REDDENING - REDDENING[KNOTS == 0.44] + FADING)
        tint += rng.normal(size=(n, len(KNOTS))) * (SCATTER + 0.03) + COHERENT * rng.normal(size=n)[:, None]
        parameters = {
            "row": np.arange(n, dtype=float),
            "before": stretch * rng.lognormal(0, 0.06, n),
            "after": stretch * rng.lognormal(0, 0.05, n),
            "swing": rng.normal(0, 0.1, n),
            "shift": rng.normal(0, 0.004, n),
        }

        def spectrum(given: Parameters, phase: Array, wavelength: Array) -> Array:
            day = phase / np.where(phase < 0, given["before"], given["after"])
            dimmer = at(tint, KNOTS, given["row"], np.maximum(wavelength, KNOTS[0]))
            dimmer += given["swing"] * np.clip(day / 15, -0.7, 1.5) * np.clip((0.55 - wavelength) / 0.11, -1.5, 2)
            light = grid(np.array(0), day, wavelength * (1 + given["shift"]))
            return light * 10 ** (-0.4 * dimmer) / TEN_PARSEC_NJY

        return explode(
            sky, rng, spectrum, parameters, redshift=redshifts(rng, n, rate, 0.02, 1.2), phases=(-22.0, 300.0),
            probes=(-5.0, -2.0, 1.0, 5.0, 9.0),
        )  # fmt: skip


def subluminous(files: tuple[str, ...]) -> Grid:
    """Give the grid of SN 1991bg, its maximum in B on day zero and as bright there as the usual one, nJy at 10 pc."""
    found = read_image(files[0])
    raw = stack([found])
    curve = magnitudes_in(raw, 0.437, 0.037)[0]
    day = raw.phase[0] + float(curve.argmin())
    scale = 10 ** (0.4 * (curve.min() - B_PEAK))
    return stack([Series(found.phase - day, found.wavelength, found.flux * scale)])


@dataclass(frozen=True)
class HsiaoIax:
    """Supernovae of type Iax."""

    files: Files
    name: str = "SNIax-Hsiao"
    label: str = "SNIax"
    galactic: bool = False

    def draw(self, sky: Sky, rng: np.random.Generator) -> Bounded:
        """Draw one supernova at each place of a sky; phase zero is the maximum in B."""
        n = len(sky)
        grid = kept(self.files.digest, self.files.paths, lines)
        drawn = iax.Iax().draw(sky, rng)
        more = {"lines": rng.uniform(0.4, 0.9, n), "slower": 1 + rng.normal(0.014, 0.005, n)}

        def spectrum(given: Parameters, phase: Array, wavelength: Array) -> Array:
            day = phase / np.where(phase < 0, given["before"], given["after"])
            through = grid(np.array(0), day, wavelength / given["slower"]) ** given["lines"]
            return drawn.spectrum(given, phase, wavelength) * through

        def highest(given: Parameters, phase: Array, wavelength: Array) -> Array:
            del phase
            probed = [drawn.spectrum(given, np.full_like(wavelength, day), wavelength) for day in drawn.probes]
            through = grid.highest(np.array(0), np.array(0.0), wavelength / given["slower"]) ** given["lines"]
            return MARGIN * np.max(probed, axis=0) * through

        given = {**drawn.parameters, **more}
        return Bounded(**{**vars(drawn), "spectrum": spectrum, "parameters": given}, highest=highest)


def lines(files: tuple[str, ...]) -> Grid:
    """Give a grid of normal supernovae over the same averaged widely in wavelength: lines, around one."""
    found = read_image(files[0])
    light = np.maximum(cells(found), 1e-30)
    wide = _averaged(light)
    # a continuum averaged over a width is not itself where it bends: take out what a second average has in excess
    ratio = np.clip(light * _averaged(wide) / wide**2, 0.3, 2.5)
    return Grid(ratio[None].astype(np.float32), (float(found.phase[0]), 1.0), (SHORTEST, STEP))


def _averaged(light: Array) -> Array:
    """Average spectra over `SMOOTH`."""
    reach = int(SMOOTH / STEP / 2)
    total = np.cumsum(np.pad(light, ((0, 0), (reach + 1, reach)), mode="edge"), axis=1)
    return np.asarray((total[:, 2 * reach + 1 :] - total[:, : -2 * reach - 1]) / (2 * reach + 1))
