"""Supernovae with hydrogen: plateau (IIP), linear (IIL), stripped (IIb) and interacting (IIn) ones.

IIP and IIL are written by their V light curve, a fast rise, a steeper and a flatter decline, a drop and the tail of
cobalt-56 (Olivares et al. 2010; numbers after Anderson et al. 2014), and a photosphere that cools as a power of time
(Rabinak & Waxman 2011) until hydrogen recombines (Faran, Nakar & Poznanski 2018); then lines swallow the blue. IIb are
stripped envelopes, some with the light of a shocked extended envelope first (Piro 2015). IIn have a hot continuum for
long, with rises and declines after Nyholm et al. (2020).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from telperion.simulate.photosphere import DAY, STEFAN_BOLTZMANN, shine
from telperion.simulate.source import (
    TEN_PARSEC_NJY,
    Array,
    Explosions,
    Parameters,
    Sky,
    core_collapse_rate,
    explode,
    host_dust,
    nanojansky,
    planck,
    redshifts,
)
from telperion.simulate.sources.nickel import (
    CALCIUM_TRIPLET,
    between,
    blanketed,
    blanketing,
    heated,
    line,
    lognormal,
    normal,
    warped,
    warps,
)

H_ALPHA = 0.6563
"""Micrometre."""

V, R = 0.55, 0.64
"""Micrometre, at which light curves are given."""

RATES = {
    "SNIIP-formula": (0.162 + 0.325) * 17 / 24 + 0.162,
    "SNIIL-formula": (0.162 + 0.325) * 7 / 24,
    "SNIIb-formula": 0.109,
    "SNIIn-formula": 2 * 0.0235,
}
"""Share of all core collapses in ELAsTiCC; its components of no named type count as its 17 IIP and 7 IIL templates."""

FRACTIONS = {name: rate / sum(RATES.values()) for name, rate in RATES.items()}
"""Share of each kind among supernovae of type II."""


@dataclass(frozen=True)
class Plateau:
    """Supernovae of type IIP."""

    name: str = "SNIIP-formula"
    label: str = "SNII"
    galactic: bool = False

    def draw(self, sky: Sky, rng: np.random.Generator) -> Explosions:
        """Draw one supernova at each place of a sky; phase zero is the explosion."""
        n = len(sky)
        faint = np.clip(rng.normal(size=n), -1.9, 2.8)
        parameters = {
            "magnitude": -16.75 + 1.0 * faint,
            "slope": np.clip(0.8 - 0.25 * faint + rng.normal(0, 0.45, n), -0.6, 1.9),  # brighter ones decline faster
            "end": np.clip(102 + 4 * faint + rng.normal(0, 12, n), 75, 140),
            "drop": rng.uniform(1.0, 2.5, n), "width": rng.uniform(2.0, 5.0, n),
            "tail": normal(rng, n, 1.0, 0.1, 0.85, 1.5),
            "rise": rng.uniform(2.2, 6.0, n), "excess": rng.uniform(0.05, 0.7, n), "fade": rng.uniform(7.0, 18.0, n),
            "first": normal(rng, n, 32_000, 4_000, 22_000, 42_000), "power": rng.uniform(0.42, 0.52, n),
            "floor": normal(rng, n, 5_700, 400, 4_900, 6_800), "hydrogen": rng.uniform(0.1, 0.6, n), **warps(rng, n),
            **blanketing(rng, n, early=(0.10, 0.25), late=(0.40, 0.47), turn=(16, 34), pace=(5, 14)),
        }  # fmt: skip
        return _recombine(sky, rng, parameters)


@dataclass(frozen=True)
class Linear:
    """Supernovae of type IIL."""

    name: str = "SNIIL-formula"
    label: str = "SNII"
    galactic: bool = False

    def draw(self, sky: Sky, rng: np.random.Generator) -> Explosions:
        """Draw one supernova at each place of a sky; phase zero is the explosion."""
        n = len(sky)
        slope = lognormal(rng, n, 2.3, 0.35, 1.5, 5.0)
        parameters = {
            "magnitude": normal(rng, n, -17.25, 0.8, -19.2, -15.0), "slope": slope,
            "end": normal(rng, n, 85, 12, 60, 120),
            "drop": np.clip(rng.uniform(0.5, 2.0, n) - 0.25 * (slope - 1.5), 0.1, 2),
            "width": rng.uniform(2.0, 6.0, n), "tail": rng.uniform(1.0, 1.8, n),
            "rise": rng.uniform(4.0, 9.0, n), "excess": rng.uniform(0.05, 0.5, n), "fade": rng.uniform(10.0, 20.0, n),
            "first": normal(rng, n, 31_000, 4_000, 21_000, 41_000), "power": rng.uniform(0.38, 0.48, n),
            "floor": normal(rng, n, 5_900, 400, 5_000, 7_200), "hydrogen": rng.uniform(0.1, 0.7, n), **warps(rng, n),
            **blanketing(rng, n, early=(0.10, 0.25), late=(0.37, 0.45), turn=(18, 38), pace=(5, 14)),
        }  # fmt: skip
        return _recombine(sky, rng, parameters)


@dataclass(frozen=True)
class StrippedHydrogen:
    """Supernovae of type IIb: little hydrogen, an extended envelope around half of them."""

    name: str = "SNIIb-formula"
    label: str = "SNII"
    galactic: bool = False

    def draw(self, sky: Sky, rng: np.random.Generator) -> Explosions:
        """Draw one supernova at each place of a sky; phase zero is the explosion."""
        n = len(sky)
        ejecta = heated(
            lognormal(rng, n, 0.11, 0.40, 0.03, 0.30), lognormal(rng, n, 2.0, 0.40, 0.8, 6.0),
            normal(rng, n, 8_500, 1_200, 6_000, 12_000), rng.uniform(0.05, 0.09, n),
            normal(rng, n, 5_200, 400, 4_300, 6_500), rng.uniform(0.10, 0.35, n), rng.normal(0, 0.75, n),
        )  # fmt: skip
        parameters = {
            "row": np.arange(n, dtype=float), "rise": ejecta.rise, **warps(rng, n),
            **blanketing(rng, n, early=(0.25, 0.35), late=(0.37, 0.44), turn=(-4, 8), pace=(3, 7)),
            **envelope(rng, n, share=0.5), "hydrogen": rng.uniform(0.0, 0.4, n),
        }  # fmt: skip

        def spectrum(given: Parameters, phase: Array, wavelength: Array) -> Array:
            grown = np.clip((phase - given["rise"]) / 60, 0, 2)
            lines = given["hydrogen"] * line(wavelength, H_ALPHA, 0.020) + 0.7 * line(
                wavelength, CALCIUM_TRIPLET, 0.020
            )
            return ejecta.spectrum(given, phase, wavelength) * (1 + grown * lines) + cooling(given, phase, wavelength)

        return explode(
            sky, rng, spectrum, parameters,
            redshift=redshifts(rng, n, core_collapse_rate, 0.011, 1.8), phases=(0.0, 500.0),
            probes=(0.1, 0.3, 0.7, 1.3, 2.2, 3.5, 5.5, 7.5, 10.0, 13.0, 17.0, 22.0, 28.0),
            extinction=host_dust(rng, n, 0.35),
        )  # fmt: skip


@dataclass(frozen=True)
class Interacting:
    """Supernovae of type IIn: ejecta run into what the star has lost before."""

    name: str = "SNIIn-formula"
    label: str = "SNII"
    galactic: bool = False

    def draw(self, sky: Sky, rng: np.random.Generator) -> Explosions:
        """Draw one supernova at each place of a sky; phase zero is the peak in R."""
        n = len(sky)
        rise = lognormal(rng, n, 21, 0.5, 8, 65)
        slope = np.clip(1.3 * (20 / rise) ** 0.6 * rng.lognormal(0, 0.55, n), 0.3, 4.5)  # slow rise, slow decline
        years = rng.uniform(size=n) < 0.2
        then = np.where(years, rng.uniform(0.05, 0.35, n), np.clip(slope * 10 ** rng.uniform(-0.4, 0.5, n), 0.4, 5))
        broken, bump = rng.uniform(40, 180, n), rng.uniform(30, 200, n)
        faded = (slope * np.minimum(bump, broken) + then * np.maximum(bump - broken, 0)) / 100
        parameters = {
            "magnitude": normal(rng, n, -18.5, 1.2, -21.5, -15.5), "rise": rise, "form": rng.uniform(1.3, 3.0, n),
            "slope": slope, "then": then, "broken": broken,
            "bump": bump, "spell": bump * rng.uniform(0.08, 0.25, n),
            "extra": np.where(rng.uniform(size=n) < 0.25, rng.uniform(0, 0.6, n) * faded, 0.0),
            "hot": rng.uniform(8_000, 15_000, n), "floor": normal(rng, n, 6_200, 500, 5_000, 7_500),
            "cooling": 15 + rise * rng.uniform(0.8, 3.0, n), "hydrogen": rng.uniform(0.1, 1.2, n), **warps(rng, n),
            **blanketing(rng, n, early=(0.10, 0.25), late=(0.25, 0.38), turn=(20, 70), pace=(8, 25)),
        }  # fmt: skip
        return explode(
            sky, rng, interaction, parameters,
            redshift=redshifts(rng, n, core_collapse_rate, 0.011, 2.0), phases=(-65.0, 1200.0),
            probes=(-50.0, -38.0, -28.0, -18.0, -11.0, -6.0, -2.0, 2.0, 15.0, 45.0, 250.0),
            extinction=host_dust(rng, n, 0.3),
        )  # fmt: skip


def _recombine(sky: Sky, rng: np.random.Generator, parameters: dict[str, Array]) -> Explosions:
    n = len(sky)
    return explode(
        sky, rng, recombination, parameters,
        redshift=redshifts(rng, n, core_collapse_rate, 0.011, 1.8), phases=(0.0, 500.0),
        probes=(0.6, 1.2, 2.0, 3.2, 5.0, 8.0, 13.0, 22.0, 60.0, 90.0, 115.0), extinction=host_dust(rng, n, 0.3),
    )  # fmt: skip


def recombination(given: Parameters, phase: Array, wavelength: Array) -> Array:
    """Give the spectrum of a type IIP or IIL, a `telperion.simulate.source.Spectrum`."""
    age = np.maximum(phase, 0.02)
    late = between(np.zeros(1), np.ones(1), (age - given["end"]) / given["width"])
    cooled = (given["floor"] * (1 - 0.1 * late)) ** 6 + (given["first"] * age ** -given["power"]) ** 6
    temperature = np.minimum(cooled ** (1 / 6), 35_000)
    cut = between(given["early"], given["late"], (age - given["turn"]) / given["pace"])
    through = blanketed(wavelength, cut, given["steep"]) / blanketed(np.array(V), cut, given["steep"])
    colour = planck(wavelength, temperature) / planck(np.array(V), temperature) * through
    grown = np.clip((age - 15) / 60, 0, 1) + 2 * late
    lines = given["hydrogen"] * line(wavelength, H_ALPHA, 0.016) + 0.3 * line(wavelength, CALCIUM_TRIPLET, 0.020)
    level = plateau(given, age, late) * (phase > 0)
    return level / TEN_PARSEC_NJY * colour * (1 + grown * lines) * warped(given, age, wavelength)


def plateau(given: Parameters, age: Array, late: Array) -> Array:
    """Give the V light curve of a type IIP or IIL, nJy at 10 pc.

    Parameters
    ----------
    given : mapping of str to array
        ``magnitude`` (AB, of the flatter decline 30 days after the explosion), ``slope`` and ``tail`` (mag in
        100 days), ``end`` (days) and ``drop`` (mag) of the plateau, ``rise`` (days), ``excess`` and ``fade`` (the share
        by which it is brighter at first and the days in which that goes).
    age, late : array
        Days since the explosion, and how much of the drop has happened, from 0 to 1.
    """
    shone = 10 ** (-0.4 * given["slope"] * (age - 30) / 100) * (1 + given["excess"] * np.exp(-age / given["fade"]))
    fallen = given["drop"] + (given["slope"] * (given["end"] - 30) + given["tail"] * (age - given["end"])) / 100
    rising = -np.expm1(-((age / given["rise"]) ** 2))
    return nanojansky(given["magnitude"]) * (shone * (1 - late) + 10 ** (-0.4 * fallen) * late) * rising


def envelope(rng: np.random.Generator, n: int, share: float) -> dict[str, Array]:
    """Draw the extended envelopes that cool after the shock: erg/s at first, seconds, cm and cm/s (Piro 2015).

    Parameters
    ----------
    share : float
        Of stars that have one; the others get no light from it.
    """
    mass, radius = lognormal(rng, n, 0.03, 0.6, 0.008, 0.1), 10 ** rng.uniform(12.1, 13.2, n)  # solar masses, cm
    energy = 4e49 * (mass / 0.01) ** 0.7 * rng.lognormal(0, 0.4, n)  # erg
    peak = 0.9 * (mass / 0.01) ** 0.57 * rng.lognormal(0, 0.15, n) * DAY
    speed = 2e9 * (mass / 0.01) ** -0.15
    expansion = radius / speed
    has = rng.uniform(size=n) < share
    return {
        "shocked": np.where(has, energy * expansion / peak**2, 0.0), "expansion": expansion, "diffusion": peak,
        "radius": radius, "speed": speed,
    }  # fmt: skip


def cooling(given: Parameters, phase: Array, wavelength: Array) -> Array:
    """Give the spectrum of a shocked extended envelope (Piro 2015), with the parameters of `envelope`."""
    second = np.maximum(phase, 0) * DAY
    faded = second * (second + 2 * given["expansion"]) / (2 * given["diffusion"] ** 2)
    light = given["shocked"] * np.exp(-np.minimum(faded, 100)) * (phase > 0)
    radius = given["radius"] + given["speed"] * second
    temperature = (light / (4 * np.pi * STEFAN_BOLTZMANN * radius**2)) ** 0.25
    return shine(light, np.clip(temperature, 5_500, 40_000), wavelength, cut=0.3, power=1.5) * warped(
        given, phase, wavelength
    )


def interaction(given: Parameters, phase: Array, wavelength: Array) -> Array:
    """Give the spectrum of a type IIn, a `telperion.simulate.source.Spectrum`."""
    past = np.maximum(phase, -given["rise"])
    temperature = given["floor"] + (given["hot"] - given["floor"]) * np.exp(-past / given["cooling"])
    cut = between(given["early"], given["late"], (past - given["turn"]) / given["pace"])
    through = blanketed(wavelength, cut, given["steep"]) / blanketed(np.array(R), cut, given["steep"])
    colour = planck(wavelength, temperature) / planck(np.array(R), temperature) * through
    narrow = given["hydrogen"] * (0.3 + np.clip(past / 150, 0, 3)) * line(wavelength, H_ALPHA, 0.015)
    level = nanojansky(given["magnitude"]) / TEN_PARSEC_NJY * swell(given, past)
    return level * colour * (1 + narrow) * warped(given, past + given["rise"], wavelength)


def swell(given: Parameters, past: Array) -> Array:
    """Give the R light curve of a type IIn over its peak: a power law up, two slopes down and perhaps a bump.

    Parameters
    ----------
    given : mapping of str to array
        ``rise`` (days), ``form`` (of the power law), ``slope`` and ``then`` (mag in 100 days) before and after
        ``broken`` (days), and ``bump``, ``spell`` and ``extra`` (when, how long and how much; days, days, mag).
    past : array, days
        Since the peak; not before the explosion.
    """
    rising = 1 - np.maximum(-past / given["rise"], 0) ** given["form"]
    after, soft = np.maximum(past, 0), 0.3 * given["rise"]
    after = np.sqrt(after**2 + soft**2) - soft
    fainter = given["slope"] * np.minimum(after, given["broken"]) + given["then"] * np.maximum(
        after - given["broken"], 0
    )
    bump = given["extra"] * np.exp(-0.5 * ((past - given["bump"]) / given["spell"]) ** 2)
    return rising * 10 ** (-0.4 * (fainter / 100 - bump))
