"""Kilonovae: two components of neutron-rich ejecta, heated by the decay of what the r-process made.

Heating 2e10 erg/s/g at a day, falling as time^-1.3 (Korobkin et al. 2012), of which a share becomes heat (Barnes et
al. 2016); it diffuses out of a blue component, poor in lanthanides, and a red one, rich in them, each a black body down
to a floor in temperature (Villar et al. 2017), lines swallowing ever more of the blue.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from telperion.simulate.photosphere import SOLAR_MASS, at, diffuse, diffusion_time, photosphere, shine
from telperion.simulate.source import Array, Explosions, Parameters, Sky, explode, host_dust, redshifts

DAYS = np.concatenate([[0.0], np.geomspace(0.01, 40, 70)])
"""Rest-frame days since the merger at which luminosity and temperature are worked out."""

LIGHT_KMS = 299792.458


@dataclass(frozen=True)
class Kilonova:
    """Kilonovae of two components."""

    name: str = "KN-two-component"
    label: str = "KN"
    galactic: bool = False

    def draw(self, sky: Sky, rng: np.random.Generator) -> Explosions:
        """Draw one kilonova at each place of a sky; phase zero is the merger."""
        n = len(sky)
        rich = 10 ** rng.normal(0, 0.12, n)  # heating rates of the r-process are known to some 30 %
        curtain = np.where(rng.uniform(size=n) < 0.15, 0.1, 1.0)  # some show hardly any blue ejecta
        blue = component(
            10 ** rng.uniform(-2.7, -1.3, n) * curtain, rng.uniform(0.15, 0.32, n),
            rng.lognormal(np.log(0.5), 0.3, n), np.clip(rng.normal(2_650, 350, n), 2_000, 3_800), rich,
        )  # fmt: skip
        red = component(
            10 ** rng.uniform(-2.7, -1.0, n), rng.uniform(0.05, 0.2, n), rng.uniform(3, 10, n),
            np.clip(rng.normal(2_350, 300, n), 1_600, 3_000), rich,
        )  # fmt: skip
        parameters = {"row": np.arange(n, dtype=float), "cut": rng.uniform(0.5, 0.7, n)}
        parameters["power"] = rng.uniform(0.5, 1.5, n)

        def spectrum(given: Parameters, phase: Array, wavelength: Array) -> Array:
            return glow(blue, red, given, phase, wavelength)

        return explode(
            sky, rng, spectrum, parameters, redshift=redshifts(rng, n, np.ones_like, 0.011, 0.28), phases=(0.0, 40.0),
            probes=(0.05, 0.1, 0.2, 0.3, 0.45, 0.65, 0.9, 1.3, 1.8, 2.5, 3.5, 5.0, 7.0, 10.0, 14.0),
            extinction=host_dust(rng, n, 0.25),
        )  # fmt: skip


def component(mass: Array, speed: Array, opacity: Array, floor: Array, rich: Array) -> tuple[Array, Array]:
    """Give luminosity and temperature of one component on `DAYS`, erg/s and K, each of shape ``(n, n_times)``.

    Parameters
    ----------
    mass, speed, opacity, floor : array, shape ``(n,)``, solar masses, c, cm^2/g and K
    rich : array, shape ``(n,)``
        Heating over the usual.
    """
    time = np.maximum(DAYS, 0.005)
    power = 2e10 * (rich * mass)[:, None] * SOLAR_MASS * time**-1.3 * thermalised(mass, speed, time)
    velocity = speed * LIGHT_KMS
    luminosity = diffuse(power, DAYS, diffusion_time(mass, velocity, opacity))
    return luminosity, photosphere(luminosity, DAYS, velocity, floor)


def thermalised(mass: Array, speed: Array, time: Array) -> Array:
    """Give the share of the decays' energy that heats the ejecta, shape ``(n, n_times)`` (Barnes et al. 2016).

    Their table of three numbers for masses and velocities is written as power laws, which hold to 15 %.

    Parameters
    ----------
    mass, speed : array, shape ``(n,)``, solar masses and c
    time : array, shape ``(n_times,)``, days
    """
    heavy, fast = (mass / 0.01)[:, None], (speed / 0.2)[:, None]
    a, b, d = 1.35 * heavy**-0.53 * fast**1.22, 0.245 * heavy**-0.40 * fast**0.74, 1.08 * heavy**-0.12 * fast**0.46
    slow = 2 * b * time**d
    return np.asarray(0.36 * (np.exp(-a * time) + np.log1p(slow) / slow))


def glow(
    blue: tuple[Array, Array], red: tuple[Array, Array], given: Parameters, phase: Array, wavelength: Array
) -> Array:
    """Give the spectrum of two components, each a pair of tables of luminosity and temperature on `DAYS`."""
    when = np.maximum(phase, DAYS[1])
    total = np.zeros(())
    for luminosity, temperature in (blue, red):
        light = at(luminosity, DAYS, given["row"], phase)
        total = total + shine(light, at(temperature, DAYS, given["row"], when), wavelength)
    return np.asarray(total * np.minimum(wavelength / given["cut"], 1.0) ** (given["power"] * np.minimum(when, 5.0)))
