"""What a catalogue would know of an object beside its light curve: its host galaxy, redshifts, dust; NaN where unknown.

Galaxies are mixtures of an old and a young population; their photometric redshifts have the errors that ten years of
the survey promise, outliers included; spectroscopic ones exist as often as a survey of the 4MOST kind gives them.
Objects in the Milky Way have no host.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from telperion.bands import BANDS, NJY
from telperion.cosmology import distance_modulus
from telperion.simulate.observe import dimming
from telperion.simulate.passbands import passbands
from telperion.simulate.source import TEN_PARSEC_NJY, Array, Sky, planck

COLUMNS = (
    "ra", "decl", "mwebv", "mwebv_err", "redshift", "redshift_err",
    "hostgal_photoz", "hostgal_photoz_err", "hostgal_specz", "hostgal_specz_err",
    "hostgal_ra", "hostgal_dec", "hostgal_snsep", "hostgal_ellipticity", "hostgal_sqradius", "hostgal_logmass",
    *(f"hostgal_mag_{band}" for band in BANDS), *(f"hostgal_magerr_{band}" for band in BANDS),
)  # fmt: skip
"""Names of the context, in order."""

MAIN_SPECZ = np.array([
    [0.02, 1], [0.03, 0.90], [0.04, 0.70], [0.06, 0.40], [0.08, 0.25], [0.09, 0.15], [0.10, 0.072], [0.15, 0.073],
    [0.20, 0.067], [0.25, 0.062], [0.30, 0.058], [0.35, 0.053], [0.40, 0.044], [0.45, 0.032], [0.50, 0.024],
    [0.55, 0.015], [0.60, 0.008], [0.70, 0.003], [0.80, 0.0004], [0.90, 0],
]).T  # fmt: skip
"""Redshifts, and the share of hosts there in the main survey that have a spectroscopic one."""

DEEP_SPECZ = np.array([
    [0.02, 1], [0.10, 0.81], [0.20, 0.80], [0.30, 0.81], [0.40, 0.73], [0.50, 0.60], [0.60, 0.39], [0.70, 0.34],
    [0.75, 0.25], [0.80, 0.18], [0.90, 0.069], [1.00, 0.026], [1.10, 0.013], [1.20, 0.0008], [1.30, 0],
]).T  # fmt: skip

DEPTH = np.array([26.1, 27.4, 27.5, 26.8, 26.1, 24.9])
"""Five-sigma depth of the images that hosts are measured on, AB mag."""

LEAST_MAG_ERR = 0.016
WIDTH, WIDTH_SPREAD = 0.025, 0.8
"""Usual scatter of photometric redshifts over ``1 + z``, and that of its natural logarithm: of the released objects of
PLAsTiCC it is .02 to .03, of ELAsTiCC2's .10, and ten years of the survey are to reach .02."""

OUTLIERS = 0.05
"""Share of photometric redshifts that are anywhere."""

NEARBY_OUTLIERS = 2.0
"""How many times more of them there are nearby, where the colours of hosts tell least: of the released objects of
PLAsTiCC an eighth to a sixth are off by .15 (1 + z) below z = .3, a twentieth beyond; of ELAsTiCC2's a tenth."""

NUCLEAR = frozenset({"AGN", "TDE"})
"""Classes at the centres of their hosts."""

MASSES = {
    "SNIa": (10.4, 0.6), "SNI91bg": (10.8, 0.5), "KN": (9.5, 0.8), "CaRT": (10.5, 0.7), "TDE": (10.2, 0.5),
    "AGN": (10.8, 0.4), "SLSN": (8.9, 0.7), "PISN": (9.0, 0.7),
}  # fmt: skip
"""Mean and spread of the log10 of the stellar mass in solar masses of star-forming hosts, 9.9 and 0.7 in other classes:
normal supernovae after Sullivan et al. (2010), superluminous ones after Perley et al. (2016), kilonovae as of short
bursts of gamma rays (Nugent et al. 2022); quasars' are massive. Passive hosts are of at least 10.7 on average."""

PASSIVE = {"SNIa": 0.35, "SNI91bg": 0.85, "SNIax": 0.15, "TDE": 0.5, "KN": 0.25, "CaRT": 0.6, "AGN": 0.3}
"""Share of hosts nearby that form hardly any stars, 0.03 in other classes; it falls as one over ``1 + redshift``."""

BRIGHTER = 0.4
"""dex by which old stars of a mass shine brighter for a unit of redshift, up to 2; in B it is .6 to .8 (van der Wel et
al. 2005)."""

MORE_YOUNG = 1.6
"""Power of ``1 + redshift`` with which young stars gain on old ones; fewer stars are new today for the same mass
(Speagle et al. 2014), but the old ones are fainter too."""

SMALL_YOUNG = -0.3
"""Power of the stellar mass with which young stars gain on old ones (the same paper)."""

STILL_YOUNG = 0.02
"""Bolometric light of young stars over that of the old ones in galaxies that form hardly any."""


def context(sky: Sky, redshift: Array, label: str, rng: np.random.Generator) -> tuple[dict[str, Array], Array]:
    """Draw what is known of objects of one class.

    Parameters
    ----------
    sky : Sky
    redshift : array, shape ``(n,)``
        NaN in the Galaxy.
    label : str
    rng : Generator

    Returns
    -------
    context : dict of str to array, shape ``(n,)``
        As `COLUMNS` names them: degrees, mag, arcsec, log10 of solar masses; AB magnitudes not corrected for dust.
    under : array, shape ``(n, 6)``, nJy
        Light of the host within a point source's image, after the dust of the Milky Way.
    """
    n = len(sky)
    known = dict.fromkeys(COLUMNS, np.full(n, np.nan))
    known |= {
        "ra": sky.ra,
        "decl": sky.decl,
        "mwebv": sky.mwebv * rng.normal(1, 0.05, n),
        "mwebv_err": 0.05 * sky.mwebv,
    }
    under = np.zeros((n, len(BANDS)))
    hosted = np.flatnonzero(np.isfinite(redshift))
    if hosted.size:
        found, light = _host(redshift[hosted], sky.deep[hosted], sky.mwebv[hosted], label, rng)
        for name, values in found.items():
            known[name] = np.full(n, np.nan)
            known[name][hosted] = values
        under[hosted] = light
        away = known["hostgal_snsep"] / 3600 / np.sqrt(2)
        known["hostgal_ra"] = sky.ra + away / np.cos(np.radians(sky.decl))
        known["hostgal_dec"] = sky.decl + away
    return known, under


def _host(
    redshift: Array, deep: NDArray[np.bool_], mwebv: Array, label: str, rng: np.random.Generator
) -> tuple[dict[str, Array], Array]:
    n = len(redshift)
    passive = rng.uniform(size=n) * (1 + redshift) < PASSIVE.get(label, 0.03)
    mean, spread = MASSES.get(label, (9.9, 0.7))
    mass = np.where(passive, rng.normal(max(mean, 10.7), 0.5, n), rng.normal(mean, spread, n))
    forming = 10 ** (rng.normal(-0.25, 0.35, n) + SMALL_YOUNG * (mass - 9.9))
    young = np.where(passive, STILL_YOUNG, forming) * (1 + redshift) ** MORE_YOUNG
    flux = galaxy(redshift, mass, young) * dimming(mwebv)
    noise = 0.2 * 10 ** (0.4 * (NJY - DEPTH))
    measured = np.maximum(flux + noise * rng.normal(size=flux.shape), 0.3 * noise)
    magnitude = NJY - 2.5 * np.log10(measured)
    error = np.hypot(2.5 / np.log(10) * noise / measured, LEAST_MAG_ERR)
    faint = error[:, 3] > 0.5  # no host is found
    size = np.clip(rng.lognormal(np.log(3.5), 0.4, n) * 10 ** (0.2 * (mass - 10.3)), 0.5, 15)  # kpc, half of the light
    kpc_per_arcsec = 10 ** (0.2 * distance_modulus(redshift) - 2) / (1 + redshift) ** 2 / 206_265
    radius = size / kpc_per_arcsec
    nuclear = label in NUCLEAR
    away = radius * np.sqrt(-2 * np.log(rng.uniform(1e-4, 1, n))) * (0.0 if nuclear else 0.75)
    away = np.hypot(away, 0.05 * np.abs(rng.normal(size=n)))
    point = 1.5 / np.maximum(1.5, np.pi * radius**2) * np.exp(-away / np.maximum(radius, 0.3))
    width = np.clip(rng.lognormal(np.log(WIDTH), WIDTH_SPREAD, n), 0.006, 0.5)
    width *= 1 + np.maximum(magnitude[:, 3] - 23, 0)
    photoz = redshift + width * (1 + redshift) * rng.normal(size=n)
    often = OUTLIERS * (1 + NEARBY_OUTLIERS * np.exp(-((redshift / 0.25) ** 2)) + np.maximum(magnitude[:, 3] - 23.5, 0))
    lost = rng.uniform(size=n) < often
    photoz = np.clip(np.where(lost, rng.uniform(0.01, 3, n), photoz), 0.001, 3.0)
    photoz_err = np.where(lost, rng.uniform(0.1, 1.2, n), width * (1 + photoz))
    share = np.where(deep, np.interp(redshift, *DEEP_SPECZ), np.interp(redshift, *MAIN_SPECZ))
    typed = (rng.uniform(size=n) < share) & ~faint
    specz = np.where(typed, redshift, np.nan)
    none = np.where(faint, np.nan, 1.0)
    known = {
        "hostgal_photoz": photoz * none,
        "hostgal_photoz_err": photoz_err * none,
        "hostgal_specz": specz,
        "hostgal_specz_err": np.where(typed, 0.001, np.nan),
        "hostgal_snsep": away * none,
        "hostgal_ellipticity": np.clip(rng.beta(1.6, 3.2, n), 0, 0.95) * none,
        "hostgal_sqradius": radius * none,
        "hostgal_logmass": (mass + 0.2 * rng.normal(size=n)) * none,
    }
    known["redshift"] = np.where(typed, specz, known["hostgal_photoz"])
    known["redshift_err"] = np.where(typed, 0.001, known["hostgal_photoz_err"])
    for position, band in enumerate(BANDS):
        known[f"hostgal_mag_{band}"] = magnitude[:, position] * none
        known[f"hostgal_magerr_{band}"] = error[:, position] * none
    return known, flux * point[:, None]


def galaxy(redshift: Array, mass: Array, young: Array) -> Array:
    """Give the flux of a galaxy in each band, nJy, shape ``(n, 6)``, without dust in the Milky Way.

    Parameters
    ----------
    redshift : array, shape ``(n,)``
    mass : array, shape ``(n,)``
        log10 of the stellar mass in solar masses.
    young : array, shape ``(n,)``
        Bolometric light of young stars over that of the old ones.
    """
    bands = passbands()
    wavelength = bands.wavelength / (1 + redshift)[:, None, None]
    old = planck(wavelength, np.array(4900.0)) / (1 + (0.4 / wavelength) ** 8)  # the break at 4000 A
    fresh = 0.45 * planck(wavelength, np.array(16_000.0)) / (1 + (0.091 / wavelength) ** 40)
    evolved = mass + BRIGHTER * np.minimum(redshift, 2.0)
    solar = 0.5 * 3.8e33 * 10.0 ** evolved[:, None, None]  # half a solar luminosity a solar mass today
    light = solar * (old + young[:, None, None] * fresh)
    far = 10 ** (-0.4 * distance_modulus(redshift)) * (1 + redshift)
    return np.asarray(TEN_PARSEC_NJY * far[:, None] * (light * bands.weight).sum(axis=2))
