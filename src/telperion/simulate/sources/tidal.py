"""Tidal disruption events: the debris of a star falls back on a massive black hole and shines as a hot black body.

The debris returns at a rate that falls as time^-5/3 once the whole star is torn (Rees 1988; Guillochon & Ramirez-Ruiz
2013), more steeply where a core survives (Coughlin & Nixon 2019); an accretion disc delays it by a viscous time, and
the Eddington luminosity limits it softly (Mockler, Guillochon & Ramirez-Ruiz 2019). Peak luminosities follow a double
power law, bright end after van Velzen (2018); temperatures and time scales are those of van Velzen et al. (2021) and
Hammerstein et al. (2023), who fit light that dust in the host has reddened already, so there is little more of it;
they lose most of a magnitude in 40 days, as those of Hinkle et al. (2020) do. The rate in redshift is that of PLAsTiCC
(Kessler et al. 2019).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from telperion.simulate.photosphere import at, shine
from telperion.simulate.source import (
    TEN_PARSEC_NJY,
    Array,
    Explosions,
    Parameters,
    Sky,
    explode,
    host_dust,
    nanojansky,
    planck,
    redshifts,
)  # fmt: skip

NIGHTS = np.concatenate([np.arange(0, 100, 2.0), np.geomspace(100, 600, 60)])
"""Rest-frame days since the first light at which the luminosity is worked out."""

EDDINGTON = 1.26e38
"""erg/s, of one solar mass of ionised hydrogen."""

FAINTEST, BRIGHTEST, KNEE = -16.8, -22.3, -18.2
"""Absolute g magnitudes at peak: the limits, and where the luminosity function steepens."""


@dataclass(frozen=True)
class TidalDisruption:
    """Tidal disruption events."""

    name: str = "TDE-fallback"
    label: str = "TDE"
    galactic: bool = False

    def draw(self, sky: Sky, rng: np.random.Generator) -> Explosions:
        """Draw one event at each place of a sky; phase zero is the first light."""
        n = len(sky)
        hot = np.clip(rng.lognormal(np.log(23_000), 0.33, n), 11_000, 45_000)
        peak = nanojansky(peak_magnitudes(rng, n)) / TEN_PARSEC_NJY / planck(np.array(0.477), hot)
        hole = np.maximum(10 ** np.clip(rng.normal(6.35, 0.45, n), 5.5, 7.8), peak / (0.75 * EDDINGTON))
        scale = np.clip(41 * np.sqrt(hole / 1e6) * rng.lognormal(np.log(0.42), 0.45, n), 12, 90)
        whole = rng.uniform(size=n) < 0.7
        steepness = np.where(whole, rng.normal(5 / 3, 0.12, n), rng.uniform(1.9, 2.4, n))
        viscous = 10 ** rng.uniform(-0.5, 0.8, n)
        luminosity = fallback(peak, hole, scale, rng.uniform(0.35, 0.9, n) * scale, steepness, viscous)
        parameters = {
            "row": np.arange(n, dtype=float),
            "hot": hot,
            "peak": NIGHTS[luminosity.argmax(axis=1)],
            "warming": np.clip(rng.normal(0.07, 0.1, n), -0.2, 0.3),  # share of it in 100 days
        }

        def spectrum(given: Parameters, phase: Array, wavelength: Array) -> Array:
            temperature = given["hot"] * (1 + given["warming"] * np.clip((phase - given["peak"]) / 100, -0.5, 2.0))
            return shine(at(luminosity, NIGHTS, given["row"], phase), np.clip(temperature, 8_000, 60_000), wavelength)

        return explode(
            sky, rng, spectrum, parameters, redshift=redshifts(rng, n, lambda z: 10 ** (-5 * z / 6), 0.01, 2.9),
            phases=(0.0, 500.0), probes=(8.0, 14.0, 20.0, 27.0, 36.0, 48.0, 65.0, 90.0, 130.0, 200.0),
            extinction=host_dust(rng, n, 0.2),
        )  # fmt: skip


def peak_magnitudes(rng: np.random.Generator, n: int) -> Array:
    """Draw absolute g magnitudes at peak: numbers per mag fall as luminosity^-1.5 beyond the knee, ^-0.4 below."""
    magnitude = np.linspace(BRIGHTEST, FAINTEST, 500)
    brighter = 0.4 * (KNEE - magnitude)  # dex
    share = np.cumsum(1 / (10 ** (1.5 * brighter) + 10 ** (0.4 * brighter)))
    return np.interp(rng.uniform(share[0], share[-1], n), share, magnitude)


def fallback(peak: Array, hole: Array, fall: Array, rise: Array, steepness: Array, viscous: Array) -> Array:
    """Give the luminosity of what falls back on `NIGHTS`, erg/s, shape ``(n, n_times)``.

    Parameters
    ----------
    peak, hole : array, shape ``(n,)``, erg/s and solar masses
        Luminosity at peak, below the Eddington luminosity of the black hole.
    fall, rise, viscous : array, shape ``(n,)``, days
    steepness : array, shape ``(n,)``
        Power of time with which the debris' return slows down.
    """
    supply = -np.expm1(-((NIGHTS / rise[:, None]) ** 2)) * (1 + NIGHTS / fall[:, None]) ** -steepness[:, None]
    fed = np.zeros(supply.shape)
    for k in range(1, len(NIGHTS)):
        left = np.exp(-(NIGHTS[k] - NIGHTS[k - 1]) / viscous)
        fed[:, k] = fed[:, k - 1] * left + (supply[:, k] + supply[:, k - 1]) / 2 * (1 - left)
    share = peak / (EDDINGTON * hole)
    raw = fed / fed.max(axis=1, keepdims=True) * (share / (1 - share))[:, None]
    return (EDDINGTON * hole)[:, None] * raw / (1 + raw)
