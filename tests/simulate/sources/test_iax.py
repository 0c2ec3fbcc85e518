"""Numbers supernovae of type Iax are known by (Foley et al. 2013; Stritzinger et al. 2015; Magee et al. 2016)."""

import numpy as np
import pytest

from telperion.bands import NJY
from telperion.simulate.source import TEN_PARSEC_NJY
from telperion.simulate.sources.iax import Iax

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
    drawn = Iax().draw(make_sky(600), np.random.default_rng(0))
    return {band: magnitudes(drawn, band) for band in BESSELL}


def test_absolute_magnitudes_in_v(population):
    peak = population["V"].min(axis=1)
    # -18.9 to -14.2 (Foley et al. 2013), more dim ones than bright ones
    assert -19.4 < peak.min() < -18.4
    assert -14.3 < peak.max() < -13.4
    assert (peak > -16.5).sum() > 1.3 * (peak < -16.5).sum()
    assert 1.0 < peak.std() < 1.5


def test_the_dim_are_fast_and_red(population):
    blue, visual = population["B"], population["V"]
    peak = visual.min(axis=1)
    rise = DAYS[blue.argmin(axis=1)] - DAYS[np.argmax(blue < 0, axis=1)]
    decline = after(blue, 15) - blue.min(axis=1)
    bright, dim = peak < -17.5, peak > -15
    assert 13.5 < np.median(rise[bright]) < 16.5  # SN 2005hk: 15 days
    assert 8.5 < np.median(rise[dim]) < 11.5  # SN 2008ha: 10 days
    assert np.quantile(rise, [0.02, 0.98]) == pytest.approx([9.0, 16.8], abs=1.2)
    assert np.median(decline[bright]) == pytest.approx(1.5, abs=0.15)  # SN 2005hk: 1.56, SN 2012Z: 1.43
    assert np.median(decline[dim]) == pytest.approx(2.1, abs=0.2)  # SN 2008ha: 2.2
    colour = after(blue, 0) - after(visual, 0, blue)
    assert np.median(colour[bright]) == pytest.approx(0.03, abs=0.08)
    assert np.median(colour[dim]) > np.median(colour[bright]) + 0.15


def test_blue_early_and_soon_red(population):
    blue = population["B"]
    early, late = (after(population["U"], day, blue) - after(blue, day) for day in (-5, 15))
    assert np.median(early) < -0.5
    assert np.median(late) > 0.5
    assert np.median(after(blue, 15) - after(population["V"], 15, blue)) == pytest.approx(1.2, abs=0.15)


def test_one_maximum_later_than_in_b(population):
    found = [maxima(curve) for curve in population["I"]]
    assert all(len(days) and np.ptp(days) < 3 for days in found)
    assert 4 < np.median(np.concatenate(found)) < 11


def test_slow_in_the_end(make_sky):
    drawn = Iax().draw(make_sky(20), np.random.default_rng(0))
    steps = np.diff(magnitudes(drawn, "V", np.arange(50.0, 290.0, 10)), axis=1) / 10
    assert (steps > 0.004).all()
    assert (steps < 0.05).all()


def test_dust_dims_some_by_much(make_sky):
    dust = Iax().draw(make_sky(1000), np.random.default_rng(0)).extinction
    assert 0.4 < np.median(dust) < 0.65
    assert dust.max() < 3


def test_light_is_finite_bounded_and_zero_before_the_explosion(make_sky):
    sky = make_sky(300)
    drawn = Iax().draw(sky, np.random.default_rng(1))
    light = drawn.light(sky, np.random.default_rng(2))
    assert np.isfinite(light.difference).all()
    assert (light.difference >= 0).all()
    assert (light.steady == 0).all()
    assert (light.difference <= drawn.brightest()[sky.owner, sky.band]).all()
    assert (light.difference > 0).any()
    early = (sky.time - drawn.time[sky.owner]) / (1 + drawn.redshift[sky.owner]) < -18
    assert early.any()
    assert (light.difference[early] == 0).all()


def test_brightest_bounds_every_phase(make_sky):
    drawn = Iax().draw(make_sky(200), np.random.default_rng(3))
    bound, days = drawn.brightest(), np.arange(-20.0, 50.0)
    owner = np.repeat(np.arange(200), len(days))
    for band in range(6):
        flux = drawn._flux(owner, np.tile(days, 200), np.full(len(owner), band)).reshape(200, -1).max(axis=1)
        assert (flux <= bound[:, band]).all()
        assert (flux > 0.6 * bound[:, band]).all()
