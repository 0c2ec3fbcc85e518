"""Eclipsing binaries: two limb-darkened discs on Kepler orbits, stretched by their tides.

Overlap of the discs gives the eclipses, of any depth, total or grazing; the stretching follows Morris (1985). One model
serves detached pairs, close ones (beta Lyrae) and those in contact (W Ursae Majoris), which differ in their sizes.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from telperion.bands import BANDS
from telperion.simulate.passbands import passbands
from telperion.simulate.source import FIRST_PEAK, Array, Light, Sky, planck
from telperion.simulate.stars import lognormal, magnitudes, some, star_flux, template

DISCS = (1.0, 0.986, 0.83)
"""Radii of the even discs that make up one with linear limb darkening: the edge, and two for the darkened light."""

TIDE = 1.3
"""Half the ellipsoidal variation over mass ratio times cubed size, for usual limb and gravity darkening (Morris)."""


@dataclass(frozen=True, eq=False)
class Binaries:
    """Eclipsing binaries; a `Drawn`.

    Parameters
    ----------
    redshift : array, shape ``(n,)``
    whole, template : array, shape ``(n, 6)``, nJy
        Flux of both stars outside the eclipses, and in the template image.
    share : array, shape ``(n, 6, 2)``
        Of the light that each star gives; what is left over is a third star's.
    darkening : array, shape ``(n, 6)``
        Linear limb darkening.
    size : array, shape ``(n, 2)``
        Radii over the distance of the stars.
    tide : array, shape ``(n, 2)``
        Half the ellipsoidal variation of each star, as a share of its light.
    cosine : array, shape ``(n,)``
        Of the inclination.
    eccentricity, periastron : array, shape ``(n,)``, the latter radians
    spot, glow : array, shape ``(n,)``
        Half the variation by spots and by mutual heating, as shares.
    period, epoch : array, shape ``(n,)``, days and MJD
    """

    redshift: Array
    whole: Array
    template: Array
    share: Array
    darkening: Array
    size: Array
    tide: Array
    cosine: Array
    eccentricity: Array
    periastron: Array
    spot: Array
    glow: Array
    period: Array
    epoch: Array

    def brightest(self) -> Array:
        """Give what the difference stays within, shape ``(n, 6)``, nJy."""
        covered = np.minimum(1, (self.size[:, ::-1] / (DISCS[-1] * self.size)) ** 2)[:, None, :]
        pull = (self.share * self.tide[:, None, :]).sum(axis=2) / (1 - self.eccentricity[:, None]) ** 3
        wave = pull + (np.abs(self.spot) + self.glow)[:, None]
        least = np.maximum(1 - (self.share * covered).max(axis=2) - wave, 0)
        return np.maximum(self.whole * (1 + wave) - self.template, self.template - self.whole * least)

    def take(self, objects: NDArray[np.int64]) -> Binaries:
        """Give some of the objects, in that order."""
        return replace(self, **some(self, objects))

    def flux(self, owner: NDArray[np.int64], time: Array, band: NDArray) -> Array:
        """Give the flux of objects at times in bands, nJy."""
        eccentricity = self.eccentricity[owner]
        angle, distance = _orbit((time - self.epoch[owner]) / self.period[owner], eccentricity)
        angle += self.periastron[owner]  # a right angle where the first star is eclipsed
        cosine = self.cosine[owner]
        sine = 1 - cosine**2
        apart = distance * np.sqrt(np.maximum(1 - sine * np.sin(angle) ** 2, 0))
        # the first star is eclipsed where the second is in front
        behind = (np.sin(angle) < 0).astype(np.int64)
        back, front = self.size[owner, behind], self.size[owner, 1 - behind]
        share, darkening = self.share[owner, band], self.darkening[owner, band]
        lost = np.zeros(len(owner))
        near = np.flatnonzero(apart < back + front)
        lost[near] = eclipsed(apart[near], back[near], front[near], darkening[near])
        lost *= np.take_along_axis(share, behind[:, None], axis=1)[:, 0]
        pull = (share * self.tide[owner]).sum(axis=1) * sine / distance**3
        wave = pull * np.cos(2 * angle) + self.spot[owner] * np.cos(angle) - self.glow[owner] * np.sin(angle)
        return np.asarray(self.whole[owner, band] * np.maximum((1 + wave) - lost, 0))

    def light(self, sky: Sky, rng: np.random.Generator) -> Light:
        """Give the light at the visits of a sky with as many objects."""
        del rng
        owner = sky.owner
        steady = self.template[owner, sky.band]
        return Light(self.flux(owner, sky.time, sky.band) - steady, steady)


def eclipsed(apart: Array, back: Array, front: Array, darkening: Array) -> Array:
    """Give the share of a limb-darkened disc's light that another disc hides.

    Parameters
    ----------
    apart, back, front : array
        Distance of the centres, and radii of the hidden disc and of the one in front.
    darkening : array
        Linear limb darkening.

    Examples
    --------
    >>> eclipsed(np.array([0.0, 0.5, 2.0]), np.ones(3), np.full(3, 0.5), np.zeros(3)).round(3)
    array([0.25, 0.25, 0.  ])
    """
    edge = (1 - darkening) / (1 - darkening / 3)
    weights = edge, (1 - edge) / 2, (1 - edge) / 2
    parts = (weight * _overlap(apart, back * disc, front) for disc, weight in zip(DISCS, weights, strict=True))
    return np.asarray(sum(parts))


def _overlap(apart: Array, back: Array, front: Array) -> Array:
    """Give the share of a disc that another covers."""
    inside = np.clip(apart, np.abs(back - front) + 1e-9, back + front)
    first = (inside**2 + back**2 - front**2) / (2 * inside * back)
    second = (inside**2 + front**2 - back**2) / (2 * inside * front)
    angles = np.arccos(np.clip(first, -1, 1)), np.arccos(np.clip(second, -1, 1))
    lens = sum(r**2 * (a - np.sin(2 * a) / 2) for r, a in zip((back, front), angles, strict=True))
    return np.where(apart <= np.abs(back - front), np.minimum(1, (front / back) ** 2), lens / (np.pi * back**2))


def _orbit(turns: Array, eccentricity: Array) -> tuple[Array, Array]:
    """Give true anomaly, and distance over the half major axis, at turns since periastron."""
    mean = 2 * np.pi * (turns % 1)
    whole = mean + eccentricity * np.sin(mean) / (1 - np.sin(mean + eccentricity) + np.sin(mean))
    for _ in range(4):
        whole -= (whole - eccentricity * np.sin(whole) - mean) / (1 - eccentricity * np.cos(whole))
    stretch = np.sqrt((1 + eccentricity) / (1 - eccentricity))
    angle = 2 * np.arctan2(stretch * np.sin(whole / 2), np.cos(whole / 2))
    return angle, 1 - eccentricity * np.cos(whole)


@dataclass(frozen=True)
class EclipsingBinary:
    """Eclipsing binaries: half detached, a fifth close, the rest in contact.

    Masses and radii of the main sequence, some stars grown beyond it; the inclination is random among those that
    eclipse. Contact pairs are the cooler the shorter their period (Rucinski 1998) and nearly equally hot.
    """

    name: str = "EB-formula"
    label: str = "EB"
    galactic: bool = True

    def draw(self, sky: Sky, rng: np.random.Generator) -> Binaries:
        """Draw one binary at each place of a sky."""
        n = len(sky)
        kind = rng.choice(3, n, p=[0.5, 0.2, 0.3])  # detached, close, contact
        period = np.choose(kind, [
            lognormal(rng, n, 2.5, 0.95, 0.2, 30.0), lognormal(rng, n, 0.9, 0.5, 0.3, 6.0),
            lognormal(rng, n, 0.36, 0.22, 0.22, 0.60),
        ])  # fmt: skip
        single = 3_500 * (9_000 / 3_500) ** rng.beta(1.6, 1.6, n)
        hot = np.where(kind == 2, 5_600 + 5_200 * (period - 0.36) + rng.normal(0, 400, n), single)
        hot = np.clip(hot, 3_500, 9_000)
        ratio = np.where(kind == 2, rng.uniform(0.15, 1.0, n), rng.uniform(0.3, 1.0, n))
        cool = np.choose(kind, [
            hot * ratio**0.59 * rng.lognormal(0, 0.04, n), hot * rng.uniform(0.5, 1.0, n),
            hot * np.clip(rng.normal(1, 0.03, n), 0.9, 1.1),
        ])  # fmt: skip
        cool = np.clip(cool, 2_800, 10_000)
        size = _sizes(rng, kind, period, (hot / 5_772) ** 1.7, ratio)
        eccentric = (kind == 0) & (size.sum(axis=1) < 0.4) & (rng.uniform(size=n) < 0.5)
        eccentricity = np.where(eccentric, rng.uniform(0, 1, n) * np.minimum(0.5, 1 - 1.8 * size.sum(axis=1)), 0.0)
        periastron = rng.uniform(0, 2 * np.pi, n)
        closest = (1 - eccentricity**2) / (1 + eccentricity * np.abs(np.sin(periastron)))
        bright = _brightness(np.stack([hot, cool], axis=1)) * (size**2)[:, None, :]
        third = np.where(rng.uniform(size=n) < 0.25, rng.uniform(0, 0.5, n), 0.0)
        share = bright / bright.sum(axis=2, keepdims=True) * (1 - third)[:, None, None]
        weight = np.stack([ratio, 1 / ratio], axis=1)
        cosine = rng.uniform(0, 1, n) * np.minimum(size.sum(axis=1) / closest, 0.95)
        spotted = rng.uniform(size=n) < np.where(hot < 6_500, 0.6, 0.1)
        darkening = np.clip(np.array([0.75, 0.72, 0.60, 0.50, 0.45, 0.40]) * (5_772 / hot[:, None]) ** 0.5, 0.2, 0.95)
        mixed = (bright.sum(axis=1) * np.stack([hot, cool], axis=1)).sum(axis=1) / bright.sum(axis=(1, 2))
        pairs = Binaries(
            redshift=np.full(n, np.nan), whole=star_flux(rng, mixed, eclipsing_magnitudes(rng, sky)),
            template=np.zeros((n, len(BANDS))), share=share, darkening=darkening, size=size,
            tide=np.minimum(TIDE * weight * size**3, 0.15), cosine=cosine, eccentricity=eccentricity,
            periastron=periastron, spot=np.clip(rng.normal(0, 0.02, n), -0.06, 0.06) * spotted,
            glow=0.2 * size[:, 0] ** 2 * np.clip(1 - (cool / hot) ** 4, 0, 1) * (kind == 1),
            period=period, epoch=FIRST_PEAK + rng.uniform(size=n) * period,
        )  # fmt: skip
        return replace(pairs, template=template(rng, n, pairs.flux))


def eclipsing_magnitudes(rng: np.random.Generator, sky: Sky) -> Array:
    """Draw mean r magnitudes."""
    return magnitudes(rng, len(sky), 15.5, 23.5, 0.15)


def _sizes(rng: np.random.Generator, kind: NDArray[np.int64], period: Array, mass: Array, ratio: Array) -> Array:
    """Draw radii over the distance of the stars, shape ``(n, 2)``; masses in solar masses."""
    n = len(kind)
    apart = 4.21 * (mass * (1 + ratio) * period**2) ** (1 / 3)  # solar radii, Kepler's third law
    grown = rng.lognormal(0.1, 0.25, (n, 2))
    alone = np.stack([mass, mass * ratio], axis=1) ** 0.9 * grown / apart[:, None]
    total = alone.sum(axis=1)
    alone *= (np.minimum(total, rng.uniform(0.45, 0.62, n)) / total)[:, None]
    # stars that fill their Roche lobes have radii as about the 0.46th power of their masses
    lobe = np.stack([np.ones(n), ratio**0.46], axis=1)
    lobe /= lobe.sum(axis=1, keepdims=True)
    full = np.where(kind == 2, rng.uniform(0.74, 0.80, n), rng.uniform(0.55, 0.72, n))
    return np.where((kind == 0)[:, None], alone, lobe * full[:, None])


def _brightness(temperature: Array) -> Array:
    """Give the surface brightness of black bodies, in any unit, shape ``(n, 6, 2)`` for ``(n, 2)`` temperatures."""
    bands = passbands()
    hot = temperature[:, None, :, None]
    spectrum = planck(bands.wavelength[:, None, :], hot) * (hot / 5_772) ** 4
    return np.asarray((spectrum * bands.weight[:, None, :]).sum(axis=3))
