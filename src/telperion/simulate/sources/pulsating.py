"""Pulsating stars: RR Lyrae, Cepheids and Delta Scuti, by Fourier series of their magnitudes.

A star's magnitude is ``m0 + A sum_k R_k cos(2 pi k phase + psi_k)`` (Simon & Lee 1981), with R_k and psi_k from the
literature of each class, scattered from star to star.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from telperion.bands import BANDS
from telperion.simulate.source import FIRST_PEAK, GALACTIC, Array, Light, Sky
from telperion.simulate.stars import lognormal, magnitudes, some, star_flux, template

HARMONICS = 8

RELATIVE = np.array([1.0, 1.0, 0.7, 0.55, 0.5, 0.48])
"""Amplitude in each band over that in g, mag."""


SUN = 8.2
"""kpc from the Galaxy's centre."""

INNER, OUTER, BREAK, FLATTENED = -2.4, -4.4, 25.0, 0.65
"""Halo of RR Lyrae: powers of the density, where they change, kpc, and axis ratio."""

NEAREST, FARTHEST = 8.0, 250.0
"""kpc; nearer ones saturate."""


@dataclass(frozen=True, eq=False)
class Pulsations:
    """Pulsating stars; a `Drawn`.

    Parameters
    ----------
    redshift : array, shape ``(n,)``
    mean, template : array, shape ``(n, 6)``, nJy
        Flux at the mean magnitude, and in the template image.
    amplitude, lag : array, shape ``(n, 6)``
        Peak to peak, mag, and by which share of the period a band is late.
    shape : array of complex, shape ``(n, HARMONICS)``
        Fourier coefficients of the magnitude, one mag from peak to peak.
    period, epoch : array, shape ``(n,)``, days and MJD
    second : array, shape ``(n, 3)``
        Second mode: its amplitude over the first, its period in days, its phase in radians.
    swing : array, shape ``(n, 3)``
        Slow modulation (Blazhko): by which share the amplitude varies, over how many days, its phase in radians.
    """

    redshift: Array
    mean: Array
    template: Array
    amplitude: Array
    lag: Array
    shape: NDArray[np.complex128]
    period: Array
    epoch: Array
    second: Array
    swing: Array

    def brightest(self) -> Array:
        """Give what the difference stays within, shape ``(n, 6)``, nJy."""
        curve = fold(self.shape, np.broadcast_to(np.linspace(0, 1, 64), (len(self.shape), 64)))
        grown, beat = 1 + self.swing[:, :1], self.second[:, :1] / 2
        low, high = (extreme[:, None] * 1.1 * grown for extreme in (curve.min(axis=1), curve.max(axis=1)))
        above = self.mean * 10 ** (-0.4 * self.amplitude * (low - beat)) - self.template
        below = self.template - self.mean * 10 ** (-0.4 * self.amplitude * (high + beat))
        return np.asarray(np.maximum(above, below))

    def take(self, objects: NDArray[np.int64]) -> Pulsations:
        """Give some of the objects, in that order."""
        return replace(self, **some(self, objects))

    def flux(self, owner: NDArray[np.int64], time: Array, band: NDArray) -> Array:
        """Give the flux of objects at times in bands, nJy."""
        since = time - self.epoch[owner]
        share, slow, phase = self.swing[owner].T
        beat = share * np.cos(2 * np.pi * since / slow + phase)
        turn = share * np.sin(2 * np.pi * since / slow + phase) / 20
        first = fold(self.shape[owner], (since / self.period[owner] - self.lag[owner, band] + turn)[:, None])[:, 0]
        ratio, period, phase = self.second[owner].T
        second = ratio / 2 * np.cos(2 * np.pi * since / period + phase)
        magnitude = self.amplitude[owner, band] * (first * (1 + beat) + second)
        return np.asarray(self.mean[owner, band] * 10 ** (-0.4 * magnitude))

    def light(self, sky: Sky, rng: np.random.Generator) -> Light:
        """Give the light at the visits of a sky with as many objects."""
        del rng
        owner = sky.owner
        steady = self.template[owner, sky.band]
        return Light(self.flux(owner, sky.time, sky.band) - steady, steady)


def fold(shape: NDArray[np.complex128], phase: Array) -> Array:
    """Sum the Fourier series of objects at phases in periods, shapes ``(n, HARMONICS)`` and ``(n, n_phases)``."""
    turn = np.exp(2j * np.pi * phase)
    total = np.zeros(phase.shape, dtype=complex)
    for k in range(shape.shape[1] - 1, -1, -1):
        total = (total + shape[:, k : k + 1]) * turn
    return np.asarray(total.real)


def series(rng: np.random.Generator, ratio: Array, step: Array) -> NDArray[np.complex128]:
    """Give Fourier coefficients with psi_k - k psi_1 = (k - 1) step, as sawtooth stars have them, scattered.

    Parameters
    ----------
    ratio : array, shape ``(n, HARMONICS)``
        R_k, the first one.
    step : array, shape ``(n,)``, radians
        phi_21 of the cosine series.
    """
    k = np.arange(HARMONICS)
    loose = rng.lognormal(0, 0.1 * (k > 0), ratio.shape), rng.normal(0, 0.06 * k, ratio.shape)
    return np.asarray(ratio * loose[0] * np.exp(1j * (k * step[:, None] + loose[1])))


def ratios(second: Array, fall: Array) -> Array:
    """Give amplitude ratios R_k: one, the second, each later one `fall` times the one before."""
    k = np.arange(HARMONICS)
    return np.where(k == 0, 1.0, second[:, None] * fall[:, None] ** np.maximum(k - 1, 0))


def pulsate(
    rng: np.random.Generator, *, period: Array, amplitude: Array, shape: NDArray[np.complex128], temperature: Array,
    magnitude: Array, second: Array | None = None, swing: Array | None = None,
) -> Pulsations:  # fmt: skip
    """Give pulsating stars of these periods (days), amplitudes in g (mag), shapes, temperatures (K), mean r (mag)."""
    n = len(period)
    curve = fold(shape, np.broadcast_to(np.linspace(0, 1, 128, endpoint=False), (n, 128)))
    power = np.clip(rng.normal(1, 0.12, n), 0.7, 1.3)[:, None]
    relative = RELATIVE**power * rng.lognormal(0, 0.04, (n, len(BANDS)))
    stars = Pulsations(
        redshift=np.full(n, np.nan), mean=star_flux(rng, temperature, magnitude), template=np.zeros((n, len(BANDS))),
        amplitude=amplitude[:, None] * relative,
        lag=rng.uniform(0, 0.05, n)[:, None] * np.array([-0.2, 0.0, 0.35, 0.65, 0.85, 1.0]),
        shape=shape / np.ptp(curve, axis=1)[:, None], period=period,
        epoch=FIRST_PEAK + rng.uniform(size=n) * period, second=_still(n) if second is None else second,
        swing=_still(n) if swing is None else swing,
    )  # fmt: skip
    return replace(stars, template=template(rng, n, stars.flux))


def _still(n: int) -> Array:
    return np.tile([0.0, 1.0, 0.0], (n, 1))


@dataclass(frozen=True)
class RrLyrae:
    """RR Lyrae: three of four sawtooth stars in the fundamental mode (ab), the rest rounder in the first overtone (c).

    Fourier numbers in V after Jurcsik & Kovacs (1996) and Simon & Teays (1982), amplitudes from Bailey's diagram,
    double modes and the Blazhko effect as often as in the OGLE catalogue (Soszynski et al. 2014), nearly. They are in
    the halo, see `distances`, at an absolute magnitude of 0.6.
    """

    name: str = "RRLyrae-formula"
    label: str = "RR Lyrae"
    galactic: bool = True

    def draw(self, sky: Sky, rng: np.random.Generator) -> Pulsations:
        """Draw one star at each place of a sky."""
        n = len(sky)
        over = rng.uniform(size=n) < 0.25
        period = np.where(over, _normal(rng, n, 0.32, 0.04, 0.22, 0.42), _normal(rng, n, 0.57, 0.075, 0.40, 0.80))
        bailey = np.clip(0.92 - 2.2 * (period - 0.57) + rng.normal(0, 0.15, n), 0.5, 1.3)
        amplitude = np.where(over, rng.uniform(0.3, 0.6, n), bailey)
        ratio = np.where(
            over[:, None], ratios(rng.uniform(0.05, 0.22, n), np.full(n, 0.45)),
            ratios(np.clip(rng.normal(0.47, 0.04, n), 0.35, 0.57), np.clip(0.54 + 0.15 * amplitude, 0.5, 0.72)),
        )  # fmt: skip
        step = np.where(over, rng.normal(4.7, 0.3, n), rng.normal(4.2 + 0.8 * (period - 0.57), 0.10, n))
        temperature = np.where(over, rng.normal(6_950, 150, n), 6_500 - 1_400 * (period - 0.57) + rng.normal(0, 150, n))
        double = over & (rng.uniform(size=n) < 0.15)
        second = np.stack([rng.uniform(0.2, 0.9, n) * double, period / 0.745, _angle(rng, n)], axis=1)
        unsteady = rng.uniform(size=n) < np.where(over, 0.08, 0.35)
        swing = np.stack([rng.uniform(0.05, 0.35, n) * unsteady, rng.uniform(20, 200, n), _angle(rng, n)], axis=1)
        return pulsate(
            rng, period=period, amplitude=amplitude, shape=series(rng, ratio, step),
            temperature=np.clip(temperature, 6_000, 7_200), second=second, swing=swing,
            magnitude=rr_lyrae_magnitudes(rng, sky),
        )  # fmt: skip


def rr_lyrae_magnitudes(rng: np.random.Generator, sky: Sky) -> Array:
    """Draw mean r magnitudes in the directions of a sky, of stars in the halo."""
    return np.asarray(0.6 + rng.normal(0, 0.15, len(sky)) + 5 * np.log10(distances(rng, sky) / 0.01))


def distances(rng: np.random.Generator, sky: Sky) -> Array:
    """Draw distances of stars in the halo in the directions of a sky, kpc, shape ``(n,)``.

    Their density falls as a power of the distance from the Galaxy's centre, `INNER` up to `BREAK` (Watkins et al. 2009)
    and `OUTER` beyond (Hernitschek et al. 2018), on spheroids flattened by `FLATTENED` (Sesar et al. 2013).
    """
    east, north = np.radians(sky.ra), np.radians(sky.decl)
    towards = np.stack([np.cos(north) * np.cos(east), np.cos(north) * np.sin(east), np.sin(north)], axis=1)
    along, up = towards @ GALACTIC[0], towards @ GALACTIC[2]
    far = np.geomspace(NEAREST, FARTHEST, 200)
    height = far * up[:, None]
    squared = far**2 - 2 * far * SUN * along[:, None] + SUN**2 + height**2 * (FLATTENED**-2 - 1)
    radius = np.sqrt(squared) / BREAK
    density = np.where(radius < 1, radius**INNER, radius**OUTER) * far**3  # of the logarithm of the distance
    total = np.cumsum(density, axis=1)
    wanted = rng.uniform(size=len(sky)) * total[:, -1]
    k = (total < wanted[:, None]).sum(axis=1)
    return np.asarray(far[k] * (far[1] / far[0]) ** rng.uniform(-0.5, 0.5, len(sky)))


@dataclass(frozen=True)
class Cepheid:
    """Classical Cepheids: fundamental mode, with the bump of the Hertzsprung progression, and some first overtones.

    Fourier numbers after Simon & Lee (1981) and Soszynski et al. (2015): R_21 falls towards 10 days, where a second
    bump, which comes after maximum light at 6 days and before it at 16, coincides with the maximum. Few are too
    faint to saturate: those of ELAsTiCC, stars that ZTF saw, have r of 12.6, 14.3 and 19.0 (5, 50 and 95 %).
    """

    name: str = "Cepheid-formula"
    label: str = "Cepheid"
    galactic: bool = True

    def draw(self, sky: Sky, rng: np.random.Generator) -> Pulsations:
        """Draw one star at each place of a sky."""
        n = len(sky)
        period = lognormal(rng, n, 4.5, 0.75, 1.0, 60.0)
        over = (rng.uniform(size=n) < 0.25) & (period < 6)
        log = np.log10(period)
        typical = np.interp(log, [0, 0.5, 0.85, 1.0, 1.2, 1.5, 1.8], [0.72, 0.75, 0.70, 0.65, 0.95, 1.05, 0.9])
        amplitude = np.where(over, rng.uniform(0.4, 0.6, n), np.clip(typical * rng.lognormal(0, 0.2, n), 0.4, 1.2))
        lead = np.interp(log, [0, 0.5, 0.8, 1.0, 1.2, 1.5, 1.8], [0.46, 0.44, 0.34, 0.10, 0.36, 0.38, 0.30])
        lead = np.where(over, np.where(period < 3, 0.20, 0.08), lead) * rng.lognormal(0, 0.12, n)
        shape = series(rng, ratios(lead, np.where(over, 0.35, 0.55)), 4.1 + 0.6 * log + rng.normal(0, 0.12, n))
        height = 0.5 * np.exp(-(((log - 1.0) / 0.13) ** 2) / 2) * rng.lognormal(0, 0.3, n) * ~over
        shape = shape + _bump(shape, height, np.clip(-1.7 * (log - 1.0), -0.4, 0.4), rng.uniform(0.06, 0.09, n))
        temperature = 6_050 - 550 * (log - 0.3) + 150 * over + rng.normal(0, 150, n)
        return pulsate(
            rng, period=period, amplitude=amplitude, shape=shape, temperature=np.clip(temperature, 5_000, 6_200),
            magnitude=cepheid_magnitudes(rng, sky),
        )  # fmt: skip


def cepheid_magnitudes(rng: np.random.Generator, sky: Sky) -> Array:
    """Draw mean r magnitudes, mostly bright."""
    return magnitudes(rng, len(sky), 15.2, 20.5, -0.12)


@dataclass(frozen=True)
class DeltaScuti:
    """Delta Scuti stars: short periods, the strongest of them sawtooth-like, half with a second mode.

    Periods and amplitudes after Breger (2000), with the large amplitudes that a survey finds (SX Phoenicis among them);
    fundamental mode and first overtone have a period ratio of 0.773 (Petersen & Christensen-Dalsgaard 1996). Few are
    faint: disc and halo end at an r of some 20 for them; ELAsTiCC's have 14.5, 17.1 and 18.9 (5, 50 and 95 %).
    """

    name: str = "DeltaScuti-formula"
    label: str = "Delta Scuti"
    galactic: bool = True

    def draw(self, sky: Sky, rng: np.random.Generator) -> Pulsations:
        """Draw one star at each place of a sky."""
        n = len(sky)
        period = lognormal(rng, n, 0.07, 0.40, 0.03, 0.25)
        amplitude = lognormal(rng, n, 0.22, 0.6, 0.05, 0.6)
        lead = np.clip(0.05 + 0.65 * amplitude, 0, 0.42) * rng.lognormal(0, 0.2, n)
        shape = series(rng, ratios(lead, rng.uniform(0.35, 0.55, n)), rng.normal(4.0, 0.15, n))
        two, radial = rng.uniform(size=n) < 0.5, rng.uniform(size=n) < 0.5
        times = np.where(radial, rng.normal(0.773, 0.003, n), rng.uniform(0.6, 0.96, n))
        second = np.stack([rng.uniform(0.1, 0.7, n) * two, period * times, _angle(rng, n)], axis=1)
        return pulsate(
            rng, period=period, amplitude=amplitude, shape=shape,
            temperature=np.clip(rng.normal(7_600, 350, n), 7_000, 8_500),
            magnitude=delta_scuti_magnitudes(rng, sky), second=second,
        )  # fmt: skip


def delta_scuti_magnitudes(rng: np.random.Generator, sky: Sky) -> Array:
    """Draw mean r magnitudes."""
    return magnitudes(rng, len(sky), 15.2, 21.5, -0.04)


def _normal(rng: np.random.Generator, n: int, mean: float, sigma: float, low: float, high: float) -> Array:
    drawn = rng.normal(mean, sigma, n)
    while (beyond := np.flatnonzero((drawn < low) | (drawn > high))).size:
        drawn[beyond] = rng.normal(mean, sigma, beyond.size)
    return drawn


def _angle(rng: np.random.Generator, n: int) -> Array:
    return rng.uniform(0, 2 * np.pi, n)


def _bump(shape: NDArray[np.complex128], height: Array, late: Array, width: Array) -> NDArray[np.complex128]:
    """Give the Fourier coefficients of a Gaussian brightening, at phases after maximum light, in periods."""
    phase = np.linspace(0, 1, 64, endpoint=False)
    curve = fold(shape, np.broadcast_to(phase, (len(shape), 64)))
    k = np.arange(1, HARMONICS + 1)
    where = (phase[curve.argmin(axis=1)] + late)[:, None]
    width = width[:, None]
    size = -height[:, None] * 2 * np.sqrt(2 * np.pi) * width * np.exp(-2 * (np.pi * k * width) ** 2)
    return np.asarray(size * np.exp(-2j * np.pi * k * where))
