"""Numbers supernovae like SN 1991bg are known by (Taubenberger et al. 2008; Gonzalez-Gaitan et al. 2014)."""

import numpy as np
import pytest

from telperion.bands import NJY
from telperion.simulate.source import TEN_PARSEC_NJY
from telperion.simulate.sources.subluminous_ia import SubluminousIa

BESSELL = {"U": (0.360, 0.022, 0.79), "B": (0.437, 0.037, -0.09), "V": (0.545, 0.036, 0.02), "R": (0.64, 0.05, 0.21),
           "I": (0.79, 0.05, 0.45), "Y": (1.02, 0.04, 0.63)}  # fmt: skip
"""Centre and width of a Gaussian that stands for each band, micrometre, and AB minus Vega."""
DAYS = np.arange(-26, 61, 0.5)


def magnitudes(drawn, band, days=DAYS):
    """Absolute magnitude (Vega) of each object at rest-frame days, without dust of the host."""
    centre, width, vega = BESSELL[band]
    length = np.linspace(centre - 2.5 * width, centre + 2.5 * width, 25)
    weight = np.exp(-(((length - centre) / width) ** 2) / 2) / length
    given = {name: values[:, None] for name, values in drawn.parameters.items()}
    shape = len(drawn.redshift), len(length)
    light = [drawn.spectrum(given, np.full((shape[0], 1), day), np.broadcast_to(length, shape)) for day in days]
    flux = (np.array(light) * weight).sum(axis=2).T / weight.sum()
    return NJY - vega - 2.5 * np.log10(flux * TEN_PARSEC_NJY + 1e-30)


def after(curve, days, reference=None):
    """Magnitude this long after the maximum of a curve, or of a reference curve."""
    peak = (curve if reference is None else reference).argmin(axis=1)
    return curve[np.arange(len(curve)), peak + round(2 * days)]


def maxima(curve):
    """Days of the maxima of one curve."""
    inner = curve[1:-1]
    return DAYS[1:-1][(inner < curve[:-2]) & (inner < curve[2:])]


@pytest.fixture(scope="module")
def population(make_sky):
    drawn = SubluminousIa().draw(make_sky(600), np.random.default_rng(0))
    return {band: magnitudes(drawn, band) for band in BESSELL}


def test_absolute_magnitudes_in_b(population):
    peak = population["B"].min(axis=1)
    assert np.median(peak) == pytest.approx(-17.1, abs=0.1)
    assert 0.25 < peak.std() < 0.36
    assert population["V"].min(axis=1).mean() == pytest.approx(-17.65, abs=0.15)


def test_fast_and_fainter_if_red(population):
    blue = population["B"]
    decline = after(blue, 15) - blue.min(axis=1)
    assert np.median(decline) == pytest.approx(1.9, abs=0.1)
    assert 1.55 < np.quantile(decline, 0.05) < 1.75
    assert 2.05 < np.quantile(decline, 0.95) < 2.35
    colour = after(blue, 0) - after(population["V"], 0, blue)
    assert np.corrcoef(colour, decline)[0, 1] > 0.4
    assert np.corrcoef(colour, blue.min(axis=1))[0, 1] > 0.4
    rise = -DAYS[np.argmax(blue < 0, axis=1)]
    assert 11 < np.median(rise) < 14.5


def test_colours(population):
    colour = {day: after(population["B"], day) - after(population["V"], day, population["B"]) for day in (0, 15, 30)}
    assert np.median(colour[0]) == pytest.approx(0.557, abs=0.06)
    assert colour[0].std() == pytest.approx(0.175, abs=0.04)
    assert np.median(colour[15]) == pytest.approx(1.4, abs=0.12)  # Garnavich et al. (2004), SN 1999by
    assert np.median(colour[30]) == pytest.approx(1.07, abs=0.12)  # all meet on Lira's line


def test_one_maximum_after_that_in_b(population):
    for band in ("I", "Y"):
        found = [maxima(curve) for curve in population[band]]
        assert all(len(days) and np.ptp(days) < 3 for days in found)
        assert 1 < np.median(np.concatenate(found)) < 9


def test_fades_for_a_long_time(make_sky):
    drawn = SubluminousIa().draw(make_sky(20), np.random.default_rng(0))
    steps = np.diff(magnitudes(drawn, "V", np.arange(60.0, 290.0, 10)), axis=1) / 10
    assert (steps > 0.005).all()
    assert (steps < 0.06).all()


def test_light_is_finite_bounded_and_zero_before_the_explosion(make_sky):
    sky = make_sky(300)
    drawn = SubluminousIa().draw(sky, np.random.default_rng(1))
    light = drawn.light(sky, np.random.default_rng(2))
    assert np.isfinite(light.difference).all()
    assert (light.difference >= 0).all()
    assert (light.steady == 0).all()
    assert (light.difference <= drawn.brightest()[sky.owner, sky.band]).all()
    assert (light.difference > 0).any()
    early = (sky.time - drawn.time[sky.owner]) / (1 + drawn.redshift[sky.owner]) < -20.5
    assert early.any()
    assert (light.difference[early] == 0).all()


def test_brightest_bounds_every_phase(make_sky):
    drawn = SubluminousIa().draw(make_sky(200), np.random.default_rng(3))
    bound, days = drawn.brightest(), np.arange(-20.0, 50.0)
    owner = np.repeat(np.arange(200), len(days))
    for band in range(6):
        flux = drawn._flux(owner, np.tile(days, 200), np.full(len(owner), band)).reshape(200, -1).max(axis=1)
        assert (flux <= bound[:, band]).all()
        assert (flux > 0.6 * bound[:, band]).all()
