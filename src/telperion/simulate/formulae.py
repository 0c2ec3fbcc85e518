"""A textbook formula for the light of each of fourteen classes, without noise: what `telperion.simulate.drawn` draws.

Round numbers from the literature, one small function a class; explosions share one expanding and cooling photosphere.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from telperion.bands import NJY, WAVELENGTH
from telperion.cosmology import distance_modulus

Array = NDArray[np.float64]
Phase = Callable[[Array, float, float], Array]


class Light(NamedTuple):
    """Light of one object at its visits, without noise.

    Attributes
    ----------
    difference, steady : array, shape ``(n_rows,)``, nJy
        Flux that is left after subtracting the template, and flux that the template takes away.
    redshift : float
        NaN in the Galaxy.
    """

    difference: Array
    steady: Array
    redshift: float = np.nan


Source = Callable[[np.random.Generator, Array, NDArray[np.int64]], Light]
"""Draws one object: ``source(rng, time, band)`` with MJD and band position of every visit, shapes ``(n_rows,)``."""


def nanojansky(magnitude: Array | float) -> Array:
    """Give the flux of an AB magnitude, nJy."""
    return np.asarray(10 ** (0.4 * (NJY - np.asarray(magnitude))))


def _planck(wavelength: Array | float, temperature: Array | float) -> Array:
    """Give a black body's spectrum per unit frequency, at unit bolometric flux (wavelength in micrometre, K)."""
    return np.asarray(wavelength**-3.0 / np.expm1(14388.0 / (wavelength * temperature)) / (temperature / 1e4) ** 4)


def _colour(temperature: float) -> Array:
    """Give the AB magnitudes of a black body relative to r, shape ``(6,)``."""
    spectrum = _planck(WAVELENGTH, temperature)
    return -2.5 * np.log10(spectrum / spectrum[2])


def _moment(rng: np.random.Generator, time: Array) -> float:
    """Draw a time within an observing season: near one of the visits."""
    return float(rng.choice(time) + rng.uniform(-5, 5))


def pulse(phase: Array, rise: float, fall: float) -> Array:
    """Exponential fall after a logistic rise (Bazin et al. 2009), peak 1 at phase 0."""
    late = rise * np.log(fall / rise - 1)
    shape = -(phase + late) / fall - np.logaddexp(0, -(phase + late) / rise)
    return np.exp(shape - (-late / fall - np.logaddexp(0, -late / rise)))


def plateau(phase: Array, rise: float, fall: float) -> Array:
    """Fast rise, slow decline while hydrogen recombines (`fall` days), a drop, then the tail of cobalt-56 (111 d)."""
    tail = 1 / (1 + np.exp(np.clip((phase - fall) / 4, -50, 50)))
    glow = np.exp(-np.maximum(phase, 0) / 90) * tail + 0.12 * np.exp(-np.maximum(phase, 0) / 111.3) * (1 - tail)
    return glow * -np.expm1(-np.maximum(phase + 4 * rise, 0) / rise)


def fallback(phase: Array, rise: float, fall: float) -> Array:
    """Gaussian rise, then the t^(-5/3) law of stellar debris falling back on a black hole (Rees 1988)."""
    return np.where(phase < 0, np.exp(-((phase / rise) ** 2) / 2), (1 + np.maximum(phase, 0) / fall) ** (-5 / 3))


@dataclass(frozen=True)
class Explosion:
    """An expanding, cooling photosphere at cosmological distance.

    Parameters
    ----------
    shape : function of phase, rise, fall
        Bolometric light curve, rest-frame days from peak.
    magnitude, scatter : float, AB mag
        Absolute magnitude at 0.44 micrometre at peak and its spread.
    redshift : tuple of float
        Range, drawn uniformly.
    rise, fall : float, day
    hot, cold, cooling : float, K, K, day
        Temperature at peak, at the end, and the e-folding time between.
    blanketing : float
        Power of the wavelength with which metal lines swallow light below 0.4 micrometre.
    second_peak : float
        Height of the near-infrared second maximum, 25 days after the first.
    """

    shape: Phase
    magnitude: float
    scatter: float
    redshift: tuple[float, float]
    rise: float
    fall: float
    hot: float
    cold: float
    cooling: float
    blanketing: float = 0.0
    second_peak: float = 0.0

    def __call__(self, rng: np.random.Generator, time: Array, band: NDArray[np.int64]) -> Light:
        """Draw one object."""
        z = rng.uniform(*self.redshift)
        stretch = rng.lognormal(0, 0.08)
        phase = (time - _moment(rng, time)) / (1 + z)
        magnitude = (
            rng.normal(self.magnitude, self.scatter) + float(distance_modulus(np.array(z))) - 2.5 * np.log10(1 + z)
        )
        relative = self.spectrum(phase / stretch, WAVELENGTH[band] / (1 + z)) / self.spectrum(np.zeros(1), 0.44)
        host = np.full(time.shape, nanojansky(rng.uniform(20, 23)))
        return Light(nanojansky(magnitude) * relative, host, z)

    def spectrum(self, phase: Array, wavelength: Array | float) -> Array:
        """Give the luminosity per unit frequency at rest-frame days from peak and micrometre, arbitrary units."""
        temperature = self.cold + (self.hot - self.cold) * np.exp(-np.maximum(phase, -self.cooling / 2) / self.cooling)
        blanket = np.minimum(wavelength / 0.4, 1) ** self.blanketing
        bump = 1 + self.second_peak * np.exp(-(((phase - 25) / 8) ** 2) / 2) * (np.asarray(wavelength) > 0.68)
        return self.shape(phase, self.rise, self.fall) * _planck(wavelength, temperature) * blanket * bump


def _varying(brightness: Array, variation: Array, redshift: float = np.nan) -> Light:
    """Subtract a template at mean light, `brightness`, from a source that is `variation` magnitudes fainter than it."""
    steady = nanojansky(brightness)
    return Light(steady * (10 ** (-0.4 * variation) - 1), steady, redshift)


def agn(rng: np.random.Generator, time: Array, band: NDArray[np.int64]) -> Light:
    """Damped random walk, time scale and amplitude as MacLeod et al. (2010) give them."""
    z = rng.uniform(0.2, 2.0)
    absolute, mass, rest = rng.uniform(-25, -22), rng.uniform(7, 9), WAVELENGTH[band] / (1 + z) / 0.4
    tau = 10 ** (2.4 + 0.03 * (absolute + 23) + 0.21 * (mass - 9)) * (1 + z)
    spread = 10 ** (-0.51 - 0.479 * np.log10(rest) + 0.13 * (absolute + 23) + 0.18 * (mass - 9)) / np.sqrt(2)
    kept = np.exp(-np.diff(time, prepend=-np.inf) / tau)
    decay = np.exp(-(time - time[0]) / tau)
    walk = decay * np.cumsum(rng.normal(size=time.size) * np.sqrt(1 - kept**2) / decay)
    brightness = (
        absolute
        + float(distance_modulus(np.array(z)))
        - 2.5 * np.log10(1 + z)
        - 1.2 * np.log10(WAVELENGTH[band] / 0.75)
    )
    return _varying(brightness, spread * (walk - rng.normal()), z)


def rr_lyrae(rng: np.random.Generator, time: Array, band: NDArray[np.int64]) -> Light:
    """Sawtooth of six harmonics, bluer when brighter."""
    cycle = 2 * np.pi * (time / rng.uniform(0.4, 0.75) + rng.uniform())
    sawtooth = sum((np.sin(k * cycle) / k for k in range(1, 7)), np.zeros(time.size)) / 3
    amplitude = rng.uniform(0.5, 1.1) * np.array([1.0, 1.0, 0.7, 0.55, 0.5, 0.48])
    return _varying((rng.uniform(16.5, 20) + _colour(6800))[band], sawtooth * amplitude[band])


def mira(rng: np.random.Generator, time: Array, band: NDArray[np.int64]) -> Light:
    """Sine of hundreds of days, very red, larger in the blue."""
    cycle = 2 * np.pi * (time / rng.uniform(150, 450) + rng.uniform())
    amplitude = rng.uniform(0.4, 1.0) * np.array([2.5, 2.5, 2.2, 1.6, 1.1, 0.9])
    return _varying((rng.uniform(18, 21) + _colour(2300))[band], np.sin(cycle) * amplitude[band])


def eclipsing_binary(rng: np.random.Generator, time: Array, band: NDArray[np.int64]) -> Light:
    """Two eclipses a period, and a little ellipsoidal variation."""
    cycle = (time / rng.lognormal(0, 1) + rng.uniform()) % 1
    width, deep, shallow = rng.uniform(0.03, 0.09), rng.uniform(0.2, 0.9), rng.uniform(0.1, 0.9)
    primary = np.exp(-((np.minimum(cycle, 1 - cycle) / width) ** 4))
    secondary = np.exp(-(((cycle - 0.5) / width) ** 4))
    variation = deep * (primary + shallow * secondary) + rng.uniform(0, 0.04) * np.cos(4 * np.pi * cycle)
    return _varying((rng.uniform(18, 21) + _colour(rng.uniform(4000, 7500)))[band], variation)


def microlensing(rng: np.random.Generator, time: Array, band: NDArray[np.int64]) -> Light:
    """Point lens before a point source (Paczynski 1986) that shares its pixel with a steady star."""
    passage = (time - _moment(rng, time)) / rng.lognormal(np.log(25), 0.6)
    u2 = rng.uniform(0.05, 0.6) ** 2 + passage**2
    magnification = (u2 + 2) / np.sqrt(u2 * (u2 + 4))
    steady = nanojansky((rng.uniform(18.5, 22) + _colour(rng.uniform(3700, 5500)))[band])
    return Light(rng.uniform(0.5, 1) * steady * (magnification - 1), steady)


def flare(rng: np.random.Generator, time: Array, band: NDArray[np.int64]) -> Light:
    """One to three flares of 10,000 K that fade within hours, each seen from its start, on a red dwarf."""
    steady = nanojansky((rng.uniform(19.5, 22.5) + _colour(3100))[band])
    light = np.zeros(time.size)
    for _ in range(rng.integers(1, 4)):
        phase = time - rng.choice(time) + rng.uniform(0, 0.01)
        fading = np.exp(-np.maximum(phase, 0) / rng.uniform(0.02, 0.1))
        light += nanojansky(rng.uniform(19.5, 23)) * np.where(phase < 0, 0, fading)
    return Light(light * 10 ** (-0.4 * _colour(10000))[band], steady)


# fmt: off
FORMULAE: dict[str, Source] = {
    #                     shape   magnitude      redshift   rise fall     hot   cold cooling blanketing second_peak
    "SNIa":    Explosion(pulse,    -18.9, 0.3, (0.10, 0.60),  3.5, 22, 11000,  5200,    15,         5,         0.6),
    "SNI91bg": Explosion(pulse,    -17.1, 0.3, (0.08, 0.33),  2.5, 16,  6500,  3800,    15,         5),
    "SNIax":   Explosion(pulse,    -17.2, 0.7, (0.05, 0.38),  2.5, 22, 10000,  4800,    10,         4),
    "SNIb/c":  Explosion(pulse,    -16.9, 0.7, (0.06, 0.35),  3.0, 25,  7500,  4500,    15,         4),
    "SNII":    Explosion(plateau,  -16.9, 0.8, (0.05, 0.40),  1.0, 90, 15000,  5500,    18,         1),
    "SLSN":    Explosion(pulse,    -21.9, 0.5, (0.50, 2.00), 10.0, 40, 14000,  7000,    50,         1),
    "TDE":     Explosion(fallback, -18.5, 0.7, (0.08, 0.45), 12.0, 30, 20000, 20000,   100),
    "KN":      Explosion(pulse,    -15.3, 0.5, (0.02, 0.13),  0.3,  2,  6000,  2500,     1),
    "AGN": agn,
    "RR Lyrae": rr_lyrae,
    "EB": eclipsing_binary,
    "Mira": mira,
    "uLens": microlensing,
    "M-dwarf Flare": flare,
}
# fmt: on
"""Class -> formula."""
