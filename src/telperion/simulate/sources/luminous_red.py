"""Intermediate-luminosity optical transients: luminous red novae and their like, fed by interaction of slow shells.

A short blue flash of fast gas, then a red plateau while shells collide and recombine (Metzger & Pejcha 2017, Soker &
Kashi 2016); a part of them has no flash and fades slowly after one peak (as AT 2017be or SN 2008S: Cai et al. 2021).
Luminosities, durations and temperatures are those of Pastorello et al. (2019) and Karambelkar et al. (2023).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from telperion.simulate.photosphere import shine
from telperion.simulate.source import (
    Array,
    Explosions,
    Parameters,
    Sky,
    core_collapse_rate,
    explode,
    host_dust,
    redshifts,
)  # fmt: skip

FAINTEST, BRIGHTEST = 40.0, 41.5
"""Plateau luminosities, log10 of erg/s."""

TILT = 0.4
"""Numbers per dex fall as luminosity to the minus this."""

TWO_PEAKS = 0.6
"""Share with a blue flash."""


@dataclass(frozen=True)
class LuminousRed:
    """Intermediate-luminosity optical transients."""

    name: str = "ILOT-interaction"
    label: str = "ILOT"
    galactic: bool = False

    def draw(self, sky: Sky, rng: np.random.Generator) -> Explosions:
        """Draw one transient at each place of a sky; phase zero is the first light."""
        n = len(sky)
        ends = 10 ** (-TILT * np.array([FAINTEST, BRIGHTEST]))
        plateau = rng.uniform(ends[1], ends[0], n) ** (-1 / TILT)
        flashes = rng.uniform(size=n) < TWO_PEAKS
        flash = np.minimum(plateau * rng.lognormal(np.log(1.6), 0.5, n), 10**41.8)
        lasts = np.clip(rng.lognormal(np.log(95), 0.4, n) * (plateau / 10**40.7) ** 0.15, 50, 220)
        late = rng.uniform(size=n) < 0.4
        single = rng.uniform(5, 14, n)
        parameters = {
            "plateau": plateau,
            "flash": np.where(flashes, flash, 0.0),
            "flashed": rng.uniform(4, 9, n),
            "hot": np.clip(rng.normal(8_000, 1_200, n), 5_500, 12_000),
            "rise": np.where(flashes & late, rng.uniform(0.15, 0.45, n) * lasts, single),
            "lasts": lasts,
            "end": rng.uniform(0.04, 0.15, n),
            "tail": rng.uniform(0.02, 0.12, n),
            "fade": np.where(flashes, rng.uniform(-0.3, 0.7, n), rng.uniform(0.5, 1.8, n)),  # mag over the plateau
            "warm": np.clip(rng.normal(5_000, 500, n), 3_800, 6_300),
            "cool": np.clip(rng.normal(3_200, 350, n), 2_500, 4_000),
            "power": rng.uniform(0.5, 3.0, n),
        }
        return explode(
            sky, rng, spectrum, parameters, redshift=redshifts(rng, n, core_collapse_rate, 0.011, 0.4),
            phases=(0.0, 450.0), probes=(2.0, 3.0, 4.0, 6.0, 9.0, 13.0, 20.0, 32.0, 50.0, 75.0, 110.0, 150.0),
            extinction=host_dust(rng, n, 0.35),
        )  # fmt: skip


def spectrum(given: Parameters, phase: Array, wavelength: Array) -> Array:
    """Give the light of flash and plateau; a `telperion.simulate.source.Spectrum`."""
    time = np.maximum(phase, 0.0)
    flash = given["flash"] * time / given["flashed"] * np.exp(1 - time / given["flashed"])
    hot = np.maximum(given["hot"] * np.exp(-time / (8 * given["flashed"])), given["cool"])
    share = time / given["lasts"]
    slope = 10 ** (-0.4 * given["fade"] * np.minimum(share, 1.0))
    holds = 1 / (1 + np.exp(np.minimum((share - 1) / given["end"], 500.0)))
    holds = holds + given["tail"] * (1 - holds) * np.exp(-np.maximum(share - 1, 0.0) / 0.5)
    plateau = given["plateau"] * -np.expm1(-((time / given["rise"]) ** 2)) * slope * holds
    warm = given["cool"] + (given["warm"] - given["cool"]) * np.exp(-(share**1.5))
    reddened = np.minimum(wavelength / 0.5, 1.0) ** given["power"]  # metal lines
    return np.asarray(shine(flash, hot, wavelength) + shine(plateau, warm, wavelength) * reddened)
