"""Supernovae that shine by nickel-56: stripped envelopes (Ib, Ic, broad-lined Ic), calcium-rich, pair-instability.

Nickel and cobalt heat the ejecta (Nadyozhin 1994). Gamma rays leak out (Clocchiatti & Wheeler 1997); the rest diffuses
(Arnett 1982) to a photosphere that cools to a floor and then recedes (Nicholl, Guillochon & Berger 2017). Stripped
envelopes look hotter than that, as electrons scatter what comes from deeper layers (Dessart & Hillier 2005). Lines of
metals swallow the blue, more after the peak. Priors are wider than what Taddia et al. (2018), Prentice et al. (2019)
and Barbarino et al. (2021; all stripped envelopes), De et al. (2020; calcium-rich) and Kasen, Woosley & Heger (2011;
pair instability) found, and luminosities scatter beyond what nickel explains: stripped envelopes as in a volume (Li et
al. 2011, R -16.1 ± 1.24), where those with measured nickel are the bright ones.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from telperion.simulate.photosphere import DAY, KM, SOLAR_MASS, at, diffuse, diffusion_time, photosphere, shine
from telperion.simulate.source import (
    Array,
    Explosions,
    Parameters,
    Sky,
    core_collapse_rate,
    explode,
    host_dust,
    redshifts,
    star_formation,
)

NICKEL, COBALT = 6.45e43, 1.45e43
"""erg/s from one solar mass at first."""

NICKEL_LIFE, COBALT_LIFE = 8.8, 111.3
"""Days in which decays fall by e."""

POSITRONS = 0.032
"""Share of cobalt's power that cannot leak out."""

LEAK = np.sqrt(3 * 0.027 * SOLAR_MASS / (4 * np.pi * KM**2)) / DAY
"""Days after which gamma rays leak out of one solar mass at 1 km/s, at 0.027 cm^2/g."""

NIGHTS = np.concatenate([np.arange(0, 20, 0.5), np.arange(20, 60, 1.0), np.geomspace(60, 900, 60)])
"""Days since the explosion at which luminosity and temperature are worked out."""

SLOW_NIGHTS = np.concatenate([np.arange(0, 300, 4.0), np.geomspace(300, 1500, 60)])
"""The same for pair-instability supernovae."""

BROAD_LINED = 0.10
"""Share of broad-lined Ic."""

RIPPLES = (0.6, 0.4, 0.27)
"""Lengths of waves along the spectrum, in the natural logarithm of the wavelength."""

CALCIUM, CALCIUM_TRIPLET, OXYGEN = 0.7307, 0.8579, 0.6316
"""Micrometre, of forbidden Ca II, the infrared Ca II triplet and forbidden O I."""


@dataclass(frozen=True, eq=False)
class Ejecta:
    """Tables of what leaves nickel-heated ejecta.

    Parameters
    ----------
    nights : array, shape ``(n_times,)``, days since the explosion
    luminosity, temperature : array, shape ``(n, n_times)``, erg/s and K
    """

    nights: Array
    luminosity: Array
    temperature: Array

    @property
    def rise(self) -> Array:
        """Days from the explosion to the peak of the luminosity, shape ``(n,)``."""
        return self.nights[self.luminosity.argmax(axis=1)]

    def spectrum(self, given: Parameters, age: Array, wavelength: Array) -> Array:
        """Give the spectrum at days since the explosion, erg/s/Hz, as a `telperion.simulate.source.Spectrum`.

        It reads the parameters ``row``, ``rise``, and those of `blanketing` and `warps`.
        """
        light = at(self.luminosity, self.nights, given["row"], age)
        hot = at(self.temperature, self.nights, given["row"], np.maximum(age, 0.5))
        cut = between(given["early"], given["late"], (age - given["rise"] - given["turn"]) / given["pace"])
        return (
            shine(light, hot, wavelength) * blanketed(wavelength, cut, given["steep"]) * warped(given, age, wavelength)
        )


@dataclass(frozen=True)
class StrippedEnvelope:
    """Supernovae of types Ib and Ic, broad lines included."""

    name: str = "SNIb/c-nickel"
    label: str = "SNIb/c"
    galactic: bool = False

    def draw(self, sky: Sky, rng: np.random.Generator) -> Explosions:
        """Draw one supernova at each place of a sky; phase zero is the peak of the luminosity."""
        n = len(sky)
        broad = rng.uniform(size=n) < BROAD_LINED
        ejecta = heated(
            np.where(broad, lognormal(rng, n, 0.32, 0.40, 0.10, 1.0), lognormal(rng, n, 0.13, 0.45, 0.03, 0.5)),
            np.where(broad, lognormal(rng, n, 3.2, 0.40, 1.5, 9.0), lognormal(rng, n, 2.4, 0.55, 0.8, 12.0)),
            np.where(broad, normal(rng, n, 17_000, 3_000, 12_000, 25_000), normal(rng, n, 9_000, 1_500, 6_000, 14_000)),
            rng.uniform(0.05, 0.09, n), normal(rng, n, 4_700, 400, 4_000, 6_500), rng.uniform(0.05, 0.35, n),
            rng.normal(1.0, 1.1, n), hotter=rng.uniform(1.2, 1.5, n),
        )  # fmt: skip
        parameters = {
            "row": np.arange(n, dtype=float), "rise": ejecta.rise, **warps(rng, n), **ripples(rng, n),
            **blanketing(rng, n, early=(0.25, 0.40), late=(0.40, 0.50), turn=(0, 8), pace=(4, 8)),
            "oxygen": rng.uniform(0.0, 1.2, n), "calcium": rng.uniform(0.1, 1.2, n),
        }  # fmt: skip

        def spectrum(given: Parameters, phase: Array, wavelength: Array) -> Array:
            nebular = np.maximum(phase - 30, 0) / 60
            lines = given["oxygen"] * line(wavelength, OXYGEN, 0.015) + given["calcium"] * line(
                wavelength, CALCIUM, 0.015
            )
            lines += given["calcium"] * line(wavelength, CALCIUM_TRIPLET, 0.020)
            lit = ejecta.spectrum(given, phase + given["rise"], wavelength) * rippled(given, wavelength)
            return lit * (1 + np.minimum(nebular, 2) * lines)

        return explode(
            sky, rng, spectrum, parameters,
            redshift=redshifts(rng, n, core_collapse_rate, 0.011, 1.5), phases=(-70.0, 500.0),
            probes=(-42.0, -33.0, -25.0, -19.0, -15.0, -12.0, -9.0, -6.5, -4.0, -1.0, 4.0, 10.0),
            extinction=host_dust(rng, n, 0.4),
        )  # fmt: skip


@dataclass(frozen=True)
class CalciumRich:
    """Calcium-rich gap transients: little mass, soon red and nebular."""

    name: str = "CaRT-nickel"
    label: str = "CaRT"
    galactic: bool = False

    def draw(self, sky: Sky, rng: np.random.Generator) -> Explosions:
        """Draw one transient at each place of a sky; phase zero is the peak of the luminosity."""
        n = len(sky)
        ejecta = heated(
            lognormal(rng, n, 0.018, 0.45, 0.005, 0.05), lognormal(rng, n, 0.45, 0.35, 0.2, 0.8),
            normal(rng, n, 8_000, 1_500, 5_000, 12_000), rng.uniform(0.07, 0.16, n),
            normal(rng, n, 4_600, 400, 3_700, 5_800), rng.uniform(0.10, 0.40, n), rng.normal(0, 0.25, n),
        )  # fmt: skip
        parameters = {
            "row": np.arange(n, dtype=float), "rise": ejecta.rise, **warps(rng, n),
            **blanketing(rng, n, early=(0.32, 0.39), late=(0.39, 0.46), turn=(-4, 6), pace=(3, 6)),
            "calcium": rng.uniform(0.3, 2.0, n), "triplet": rng.uniform(0.3, 1.5, n),
        }  # fmt: skip

        def spectrum(given: Parameters, phase: Array, wavelength: Array) -> Array:
            nebular = np.minimum(np.maximum(phase + 3, 0) / 20, 4)
            lines = given["calcium"] * line(wavelength, CALCIUM, 0.015)
            lines += given["triplet"] * line(wavelength, CALCIUM_TRIPLET, 0.020)
            return ejecta.spectrum(given, phase + given["rise"], wavelength) * (1 + nebular * lines)

        return explode(
            sky, rng, spectrum, parameters,
            redshift=redshifts(rng, n, star_formation, 0.012, 0.5), phases=(-30.0, 400.0),
            probes=(-11.0, -9.0, -7.0, -5.0, -3.0, 0.0, 4.0, 9.0), extinction=host_dust(rng, n, 0.3),
        )  # fmt: skip


@dataclass(frozen=True)
class PairInstability:
    """Pair-instability supernovae: very much of everything, hence slow."""

    name: str = "PISN-nickel"
    label: str = "PISN"
    galactic: bool = False

    def draw(self, sky: Sky, rng: np.random.Generator) -> Explosions:
        """Draw one supernova at each place of a sky; phase zero is the peak of the luminosity."""
        n = len(sky)
        core = rng.uniform(size=n) ** 1.3  # heavier cores make more nickel
        ejecta = heated(
            3 * (40 / 3) ** core, 80 + 180 * np.clip(core + rng.normal(0, 0.25, n), 0, 1),
            normal(rng, n, 8_500, 1_500, 5_000, 12_000), rng.uniform(0.03, 0.07, n),
            normal(rng, n, 5_200, 500, 4_200, 6_500), rng.uniform(0.15, 0.45, n), rng.normal(0.3, 0.30, n), SLOW_NIGHTS,
        )  # fmt: skip
        parameters = {
            "row": np.arange(n, dtype=float),
            "rise": ejecta.rise,
            **warps(rng, n),
            **blanketing(rng, n, early=(0.35, 0.43), late=(0.38, 0.46), turn=(-60, 30), pace=(15, 40)),
        }

        def spectrum(given: Parameters, phase: Array, wavelength: Array) -> Array:
            return ejecta.spectrum(given, phase + given["rise"], wavelength)

        return explode(
            sky, rng, spectrum, parameters,
            redshift=redshifts(rng, n, star_formation, 0.02, 2.2), phases=(-260.0, 1150.0),
            probes=(-110.0, -98.0, -88.0, -78.0, -68.0, -58.0, -48.0, -38.0, -26.0, -10.0, 15.0),
            extinction=host_dust(rng, n, 0.3),
        )  # fmt: skip


def heated(
    nickel: Array, mass: Array, velocity: Array, opacity: Array, floor: Array, dark: Array, fainter: Array,
    nights: Array = NIGHTS, hotter: Array | float = 1.0,
) -> Ejecta:  # fmt: skip
    """Give what leaves ejecta that nickel heats.

    Parameters
    ----------
    nickel, mass : array, shape ``(n,)``, solar masses
    velocity : array, shape ``(n,)``, km/s
    opacity : array, shape ``(n,)``, cm^2/g
    floor : array, shape ``(n,)``, K
        What the photosphere cools to.
    dark : array, shape ``(n,)``
        Share of the diffusion time before light from nickel, which sits deep, comes out (Piro & Nakar 2013).
    fainter : array, shape ``(n,)``, mag
        Than nickel makes it.
    nights : array, shape ``(n_times,)``, days since the explosion
    hotter : array, shape ``(n,)``
        Than the photosphere, what its light looks like.
    """
    power = (nickel * 10 ** (-0.4 * fainter))[:, None] * decay(nights, (LEAK * np.sqrt(mass) / velocity)[:, None])
    scale = diffusion_time(mass, velocity, opacity)
    luminosity = diffuse(power, nights, scale) * -np.expm1(-((nights / (dark * scale)[:, None]) ** 2))
    hot = photosphere(luminosity, nights, velocity, np.full(len(mass), 1.0))
    cooled = (hot**8 + floor[:, None] ** 8) ** 0.125
    return Ejecta(nights, luminosity, cooled * np.broadcast_to(hotter, len(mass))[:, None])


def decay(age: Array, leak: Array) -> Array:
    """Give the power that stays in the ejecta from one solar mass of nickel-56, erg/s.

    Parameters
    ----------
    age, leak : array, days
        Since the explosion, and after which gamma rays leak out; broadcasting.

    Examples
    --------
    >>> bool(abs(decay(np.array(0.0), np.array(100.0)) / 7.9e43 - 1) < 1e-6)
    True
    """
    kept = -np.expm1(-((leak / np.maximum(age, 1e-3)) ** 2))
    cobalt = COBALT * np.exp(-age / COBALT_LIFE) * (kept * (1 - POSITRONS) + POSITRONS)
    return np.asarray(NICKEL * np.exp(-age / NICKEL_LIFE) * kept + cobalt)


def blanketing(
    rng: np.random.Generator, n: int, *, early: tuple[float, float], late: tuple[float, float],
    turn: tuple[float, float], pace: tuple[float, float],
) -> dict[str, Array]:  # fmt: skip
    """Draw below which wavelength lines swallow the light, micrometre: early, late, and when and how fast it changes.

    Each is drawn evenly from its range; `turn` and `pace` are in days.
    """
    ranges = {"early": early, "late": late, "turn": turn, "pace": pace, "steep": (5.0, 10.0)}
    drawn = {name: rng.uniform(*limits, n) for name, limits in ranges.items()}
    return {**drawn, "late": np.maximum(drawn["early"], drawn["late"])}


def blanketed(wavelength: Array, cut: Array, steep: Array | float) -> Array:
    """Give the share of light that metal lines let through: half at the cut, a power of the wavelength far below."""
    return np.asarray(1 / (1 + (cut / wavelength) ** steep))


def between(early: Array, late: Array, turned: Array) -> Array:
    """Go from one value to another along a logistic curve."""
    return np.asarray(early + (late - early) / (1 + np.exp(-np.clip(turned, -50, 50))))


def warps(rng: np.random.Generator, n: int) -> dict[str, Array]:
    """Draw how each object departs from the formula: a tilt of its colours and a slow wave over its light curves."""
    return {
        "tilt": rng.normal(0, 0.30, n),
        "wave": np.clip(rng.normal(0, 0.06, n), -0.15, 0.15),
        "beat": rng.uniform(1.5, 4.0, n),
        "start": rng.uniform(0, 2 * np.pi, n),
        "skew": rng.uniform(-3, 3, n),
    }


def warped(given: Parameters, age: Array, wavelength: Array) -> Array:
    """Give the factor that the `warps` of an object make at days since the explosion and micrometre."""
    colour = np.log(wavelength / 0.62)
    phase = given["beat"] * np.log1p(np.maximum(age, 0)) + given["start"]
    return np.exp(given["tilt"] * colour + given["wave"] * np.sin(phase + given["skew"] * colour))


def ripples(rng: np.random.Generator, n: int) -> dict[str, Array]:
    """Draw how the lines of each object depart from those of its kind: waves along the spectrum, for all its days."""
    heights = {f"height{k}": rng.normal(0, 0.085, n) for k in range(len(RIPPLES))}
    return {**heights, **{f"crest{k}": rng.uniform(0, 2 * np.pi, n) for k in range(len(RIPPLES))}}


def rippled(given: Parameters, wavelength: Array) -> Array:
    """Give the factor that the `ripples` of an object make at micrometre."""
    turns = [2 * np.pi * np.log(wavelength) / length for length in RIPPLES]
    return np.exp(sum(given[f"height{k}"] * np.cos(turn + given[f"crest{k}"]) for k, turn in enumerate(turns)))


def line(wavelength: Array, centre: float, width: float) -> Array:
    """Give a Gaussian emission line of height one."""
    return np.exp(-0.5 * ((wavelength - centre) / width) ** 2)


def lognormal(rng: np.random.Generator, n: int, median: float, spread: float, low: float, high: float) -> Array:
    """Draw from a log-normal distribution, held within limits; the spread is that of the natural logarithm."""
    return np.clip(rng.lognormal(np.log(median), spread, n), low, high)


def normal(rng: np.random.Generator, n: int, mean: float, spread: float, low: float, high: float) -> Array:
    """Draw from a normal distribution, held within limits."""
    return np.clip(rng.normal(mean, spread, n), low, high)
