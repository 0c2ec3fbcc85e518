"""Hydrogen-poor superluminous supernovae: a magnetar heats the ejecta as it spins down.

Kasen & Bildsten (2010). Spins, fields, masses and velocities are spread as those of the 38 supernovae that Nicholl,
Guillochon & Berger (2017) fitted, who also find that the light below 0.3 micrometre falls in proportion to wavelength.
Their sample is what surveys saw; corrected for that, the peak at 0.4 micrometre is at -21.1 with a scatter of 0.7 mag
(Lunnan et al. 2018), some 0.4 mag below what is drawn here, and supernovae fainter than `FAINTEST` are not called
superluminous.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from telperion.simulate.photosphere import at, diffuse, diffusion_time, photosphere, shine
from telperion.simulate.source import (
    Array,
    Explosions,
    Parameters,
    Sky,
    explode,
    host_dust,
    planck,
    redshifts,
    star_formation,
)
from telperion.simulate.templates import ZERO_MAGNITUDE

NIGHTS = np.concatenate([np.arange(0, 120, 1.5), np.geomspace(120, 600, 60)])
"""Days since the explosion at which luminosity and temperature are worked out."""

LEAK = 3 * 0.1 * 1.98847e33 / (4 * np.pi * 1e10) / 86400.0**2
"""Days squared after which gamma rays leak out, for one solar mass at 1 km/s and 0.1 cm^2/g."""

FAINTEST = -20.0
"""Absolute AB magnitude at the peak at `BLUE`."""

BLUE = 0.4
"""Micrometre."""


@dataclass(frozen=True)
class Superluminous:
    """Superluminous supernovae of type I."""

    name: str = "SLSN-magnetar"
    label: str = "SLSN"
    galactic: bool = False

    def draw(self, sky: Sky, rng: np.random.Generator) -> Explosions:
        """Draw one supernova at each place of a sky; phase zero is the explosion."""
        n = len(sky)
        luminosity, temperature = bright(rng, n)
        parameters = {
            "row": np.arange(n, dtype=float),
            "cut": np.clip(rng.normal(0.30, 0.03, n), 0.24, 0.40),
            "power": rng.uniform(0.5, 1.5, n),
        }

        def spectrum(given: Parameters, phase: Array, wavelength: Array) -> Array:
            light = at(luminosity, NIGHTS, given["row"], phase)
            hot = at(temperature, NIGHTS, given["row"], np.maximum(phase, 0.5))
            return shine(light, hot, wavelength) * np.minimum(wavelength / given["cut"], 1.0) ** given["power"]

        return explode(
            sky, rng, spectrum, parameters,
            redshift=redshifts(rng, n, star_formation, 0.02, 2.95), phases=(0.0, 500.0),
            probes=(4.0, 9.0, 15.0, 25.0, 35.0, 50.0, 70.0, 100.0), extinction=host_dust(rng, n, 0.2),
        )  # fmt: skip


def bright(rng: np.random.Generator, n: int) -> tuple[Array, Array]:
    """Draw luminosities and temperatures on `NIGHTS`, erg/s and K, of supernovae brighter than `FAINTEST`.

    Returns
    -------
    array, array, shape ``(n, n_times)``
    """
    more = 2 * n + 50  # six of seven are bright enough
    spin = np.clip(10 ** rng.normal(0.38, 0.26, more), 0.8, 7.0)  # ms
    field = 10 ** np.clip(rng.normal(-0.10, 0.45, more), -1.3, 0.9)  # 1e14 G
    mass = np.clip(10 ** rng.normal(0.68, 0.38, more), 1.5, 30)
    velocity = np.clip(rng.normal(10_000, 2_500, more), 5_000, 18_000)
    floor = np.clip(rng.normal(6_500, 1_000, more), 4_500, 9_500)
    luminosity = magnetar(spin, field, mass, velocity)
    temperature = photosphere(luminosity, NIGHTS, velocity, floor)
    peak = (luminosity * planck(np.array(BLUE), temperature)).max(axis=1)
    chosen = np.argsort(peak < ZERO_MAGNITUDE * 10 ** (-0.4 * FAINTEST), kind="stable")[:n]
    return luminosity[chosen], temperature[chosen]


def magnetar(spin: Array, field: Array, mass: Array, velocity: Array) -> Array:
    """Give the luminosity of ejecta around a magnetar on `NIGHTS`, erg/s, shape ``(n, n_times)``.

    Parameters
    ----------
    spin, field : array, shape ``(n,)``, ms and 1e14 G
    mass, velocity : array, shape ``(n,)``, solar masses and km/s
    """
    energy = 2.6e52 * spin**-2.0  # erg
    age = 1.3e5 * spin**2 / field**2 / 86400.0  # days in which it spins down
    power = (energy / (age * 86400.0))[:, None] / (1 + NIGHTS / age[:, None]) ** 2
    leak = (LEAK * mass / velocity**2)[:, None]
    kept = -np.expm1(-leak / np.maximum(NIGHTS, 1e-3) ** 2)
    return diffuse(power * kept, NIGHTS, diffusion_time(mass, velocity, 0.15))
