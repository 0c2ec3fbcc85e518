"""Kilonovae by radiative transfer: the grid of Kasen et al. (2017), one model or the light of two added up.

Two components are a fast one poor in lanthanides and a slower one rich in them. Luminosities, time scales and colours
are widened beyond the grid.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from telperion.simulate.grid import Grid, kept
from telperion.simulate.literature import Bounded, Files
from telperion.simulate.source import Array, Parameters, Sky, explode, host_dust, redshifts
from telperion.simulate.spectra import Kilonovae, read_kilonovae

TWO = 0.5
"""Share with two components."""

POOR, RICH = 1e-4, 1e-2
"""Most and least share of lanthanides of the two components."""

FIRST, STEP, LAST = 0.1, 0.06, 40.0
"""First day of the grid, step of its logarithm, last day."""


@dataclass(frozen=True)
class KasenKilonova:
    """Kilonovae.

    Parameters
    ----------
    files : Files
        One file; its templates are the models' names.
    poor, rich : tuple of int
        Models for the two components.
    """

    files: Files
    poor: tuple[int, ...]
    rich: tuple[int, ...]
    name: str = "KN-Kasen"
    label: str = "KN"
    galactic: bool = False

    @classmethod
    def of(cls, files: Files, found: Kilonovae) -> KasenKilonova:
        """Give the source of a file and what was read from it."""
        chosen = files.chosen
        poor = chosen[(found.lanthanides[chosen] <= POOR) & (found.velocity[chosen] >= 0.1)]
        rich = chosen[(found.lanthanides[chosen] >= RICH) & (found.velocity[chosen] <= 0.2)]
        return cls(files, tuple(poor.tolist()), tuple(rich.tolist()))

    def draw(self, sky: Sky, rng: np.random.Generator) -> Bounded:
        """Draw one kilonova at each place of a sky; phase zero is the merger."""
        n = len(sky)
        grid = kept(self.files.digest, self.files.paths, models)
        two = (rng.uniform(size=n) < TWO) & bool(self.poor and self.rich)
        alone = rng.choice(self.files.chosen, n)
        pair = [rng.choice(part or (0,), n) for part in (self.poor, self.rich)]
        scale = rng.lognormal(0, 0.25, n)
        parameters = {
            "first": np.where(two, pair[0], alone).astype(float), "second": pair[1].astype(float),
            "scale": scale, "again": scale * two * rng.lognormal(0, 0.15, n),
            "stretch": 1.25 ** rng.uniform(-1, 1, n), "tilt": rng.normal(0, 0.2, n),
        }  # fmt: skip

        def tilted(given: Parameters, wavelength: Array) -> Array:
            return np.asarray((wavelength / 0.62) ** given["tilt"])

        def spectrum(given: Parameters, phase: Array, wavelength: Array) -> Array:
            day = np.maximum(phase / given["stretch"], 1e-6)
            dawn = np.minimum(day / FIRST, 1.0)
            light = given["scale"] * grid(given["first"], np.log(day), wavelength)
            light += given["again"] * grid(given["second"], np.log(day), wavelength)
            return light * dawn * tilted(given, wavelength)

        def highest(given: Parameters, phase: Array, wavelength: Array) -> Array:
            light = given["scale"] * grid.highest(given["first"], phase, wavelength)
            light += given["again"] * grid.highest(given["second"], phase, wavelength)
            return light * tilted(given, wavelength)

        drawn = explode(
            sky, rng, spectrum, parameters, redshift=redshifts(rng, n, np.ones_like, 0.011, 0.28), phases=(0.0, LAST),
            probes=(), extinction=host_dust(rng, n, 0.25),
        )  # fmt: skip
        return Bounded(**vars(drawn), highest=highest)


def models(files: tuple[str, ...]) -> Grid:
    """Give the grid of all models over the logarithm of the day, erg/s/Hz; they fade on after their last day.

    Raises
    ------
    ValueError
        The wavelengths are not equally apart in their logarithm.
    """
    found = read_kilonovae(files[0])
    length = np.log(found.wavelength / 1e4)
    step = (length[-1] - length[0]) / (len(length) - 1)
    if np.abs(np.diff(length) / step - 1).max() > 1e-3:
        raise ValueError(f"{files[0]}: the wavelengths are not equally apart in their logarithm")
    day = FIRST * np.exp(STEP * np.arange(int(np.log(LAST / FIRST) / STEP) + 2))
    place = np.clip(np.searchsorted(found.day, day) - 1, 0, len(found.day) - 2)
    share = np.clip((day - found.day[place]) / (found.day[place + 1] - found.day[place]), 0, 1)[:, None]
    light = found.luminosity * found.wavelength**2 / 2.99792458e18
    inside = light[:, place] * (1 - share) + light[:, place + 1] * share
    half = int(np.searchsorted(found.day, 0.75 * found.day[-1]))
    whole = np.maximum(light.sum(axis=2), 1e-30)
    slope = np.clip(np.log(whole[:, half] / whole[:, -1]) / (found.day[-1] - found.day[half]), 0.05, 1.0)
    late = np.exp(-slope[:, None, None] * np.maximum(day - found.day[-1], 0)[:, None])
    return Grid((inside * late).astype(np.float32), (float(np.log(FIRST)), STEP), (float(length[0]), float(step)))
