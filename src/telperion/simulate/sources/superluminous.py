"""Hydrogen-poor superluminous supernovae: a magnetar heats the ejecta as it spins down.

Kasen & Bildsten (2010); numbers and priors after Nicholl, Guillochon & Berger (2017), wider.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from telperion.simulate.photosphere import at, diffuse, diffusion_time, photosphere, shine
from telperion.simulate.source import Array, Explosions, Parameters, Sky, explode, host_dust, redshifts, star_formation

NIGHTS = np.concatenate([np.arange(0, 120, 1.5), np.geomspace(120, 600, 60)])
"""Days since the explosion at which luminosity and temperature are worked out."""

LEAK = 3 * 0.1 * 1.98847e33 / (4 * np.pi * 1e10) / 86400.0**2
"""Days squared after which gamma rays leak out, for one solar mass at 1 km/s and 0.1 cm^2/g."""


@dataclass(frozen=True)
class Superluminous:
    """Superluminous supernovae of type I."""

    name: str = "SLSN-magnetar"
    label: str = "SLSN"
    galactic: bool = False

    def draw(self, sky: Sky, rng: np.random.Generator) -> Explosions:
        """Draw one supernova at each place of a sky; phase zero is the explosion."""
        n = len(sky)
        spin, field = rng.uniform(1.0, 5.0, n), 10 ** rng.uniform(-0.5, 0.7, n)  # ms, 1e14 G
        mass = np.clip(rng.lognormal(np.log(6), 0.6, n), 2, 25)
        velocity = np.clip(rng.normal(10_000, 2_500, n), 5_000, 18_000)
        floor = np.clip(rng.normal(6_500, 1_000, n), 4_500, 9_500)
        luminosity = magnetar(spin, field, mass, velocity)
        parameters = {
            "row": np.arange(n, dtype=float),
            "cut": np.clip(rng.normal(0.31, 0.03, n), 0.24, 0.40),
            "power": rng.uniform(0.5, 2.0, n),
        }
        temperature = photosphere(luminosity, NIGHTS, velocity, floor)

        def spectrum(given: Parameters, phase: Array, wavelength: Array) -> Array:
            light = at(luminosity, NIGHTS, given["row"], phase)
            hot = at(temperature, NIGHTS, given["row"], np.maximum(phase, 0.5))
            return shine(light, hot, wavelength) * np.minimum(wavelength / given["cut"], 1.0) ** given["power"]

        return explode(
            sky, rng, spectrum, parameters,
            redshift=redshifts(rng, n, star_formation, 0.02, 2.95), phases=(0.0, 500.0),
            probes=(4.0, 9.0, 15.0, 25.0, 35.0, 50.0, 70.0, 100.0), extinction=host_dust(rng, n, 0.2),
        )  # fmt: skip


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
