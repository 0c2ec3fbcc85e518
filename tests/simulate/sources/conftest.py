"""How tests look at explosions: absolute magnitudes without dust, and what is read off their light curves."""

from types import SimpleNamespace

import numpy as np
import pytest

from telperion.bands import BANDS, NJY
from telperion.simulate.passbands import passbands
from telperion.simulate.source import TEN_PARSEC_NJY

BESSELL = {"U": (0.360, 0.022, 0.79), "B": (0.437, 0.037, -0.09), "V": (0.545, 0.036, 0.02), "R": (0.64, 0.05, 0.21),
           "I": (0.79, 0.05, 0.45), "Y": (1.02, 0.04, 0.63)}  # fmt: skip
"""Centre and width of a Gaussian that stands for each band, micrometre, and AB minus Vega."""

DAYS = np.arange(-26, 61, 0.5)


@pytest.fixture(scope="session")
def absolute():
    """``absolute(drawn, phase, band)``: AB magnitudes, shape ``(n, n_phases)``; V is at 0.55 micrometre."""

    def look(drawn, phase, band):
        bands, n = passbands(), len(drawn.redshift)
        wavelength, weight = np.array([0.55]), np.ones(1)
        if band != "V":
            wavelength, weight = bands.wavelength[BANDS.index(band)], bands.weight[BANDS.index(band)]
        given = {name: values[:, None] for name, values in drawn.parameters.items()}
        flux = [(drawn.spectrum(given, np.full((n, 1), when), wavelength[None]) * weight).sum(axis=1) for when in phase]
        return NJY - 2.5 * np.log10(np.maximum(TEN_PARSEC_NJY * np.stack(flux, axis=1), 1e-30))

    return look


@pytest.fixture(scope="session")
def vega():
    """Vega magnitudes in Bessell's bands over days from the maximum in B: ``vega.magnitudes(drawn, band)``."""
    return SimpleNamespace(bands=BESSELL, days=DAYS, magnitudes=_magnitudes, after=_after, maxima=_maxima)


def _magnitudes(drawn, band, days=DAYS):
    """Give the magnitude of each object at rest-frame days."""
    centre, width, vega = BESSELL[band]
    length = np.linspace(centre - 2.5 * width, centre + 2.5 * width, 25)
    weight = np.exp(-(((length - centre) / width) ** 2) / 2) / length
    given = {name: values[:, None] for name, values in drawn.parameters.items()}
    shape = len(drawn.redshift), len(length)
    light = [drawn.spectrum(given, np.full((shape[0], 1), day), np.broadcast_to(length, shape)) for day in days]
    flux = (np.array(light) * weight).sum(axis=2).T / weight.sum()
    return NJY - vega - 2.5 * np.log10(flux * TEN_PARSEC_NJY + 1e-30)


def _after(curve, days, reference=None):
    """Give the magnitude this long after the maximum of a curve, or of a reference curve."""
    peak = (curve if reference is None else reference).argmin(axis=1)
    return curve[np.arange(len(curve)), peak + round(2 * days)]


def _maxima(curve):
    """Give the days of the maxima of one curve."""
    inner = curve[1:-1]
    return DAYS[1:-1][(inner < curve[:-2]) & (inner < curve[2:])]


@pytest.fixture(scope="session")
def spread():
    """Twentieth, middle and last twentieth of values."""
    return lambda values: np.percentile(values, [5, 50, 95])


@pytest.fixture(scope="session")
def is_bounded():
    """``is_bounded(source, make_sky, before)``: light is finite, none before these days, and within a close bound."""

    def check(source, make_sky, before):
        sky = make_sky(300)
        drawn = source.draw(sky, np.random.default_rng(1))
        light = drawn.light(sky, np.random.default_rng(2))
        assert np.isfinite(light.difference).all()
        assert (light.difference >= 0).all()
        assert (light.steady == 0).all()
        assert (light.difference <= drawn.brightest()[sky.owner, sky.band]).all()
        assert (light.difference > 0).any()
        early = (sky.time - drawn.time[sky.owner]) / (1 + drawn.redshift[sky.owner]) < before
        assert early.any()
        assert (light.difference[early] == 0).all()
        bound, days = drawn.brightest(), np.arange(-20.0, 50.0)
        owner = np.repeat(np.arange(300), len(days))
        for band in range(len(BANDS)):
            flux = drawn._flux(owner, np.tile(days, 300), np.full(len(owner), band)).reshape(300, -1).max(axis=1)
            assert (flux <= bound[:, band]).all()
            assert (flux > 0.6 * bound[:, band]).all()

    return check
