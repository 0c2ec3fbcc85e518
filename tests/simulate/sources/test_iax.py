"""Numbers supernovae of type Iax are known by (Foley et al. 2013; Stritzinger et al. 2015; Magee et al. 2016)."""

import numpy as np
import pytest

from telperion.simulate.sources.iax import Iax


@pytest.fixture(scope="module")
def population(make_sky, vega):
    drawn = Iax().draw(make_sky(600), np.random.default_rng(0))
    return {band: vega.magnitudes(drawn, band) for band in vega.bands}


def test_absolute_magnitudes_in_v(population):
    peak = population["V"].min(axis=1)
    # -18.9 to -14.2 (Foley et al. 2013), more dim ones than bright ones
    assert -19.4 < peak.min() < -18.4
    assert -14.3 < peak.max() < -13.4
    assert (peak > -16.5).sum() > 1.3 * (peak < -16.5).sum()
    assert 1.0 < peak.std() < 1.5


def test_the_dim_are_fast_and_red(population, vega):
    blue, visual = population["B"], population["V"]
    peak = visual.min(axis=1)
    rise = vega.days[blue.argmin(axis=1)] - vega.days[np.argmax(blue < 0, axis=1)]
    decline = vega.after(blue, 15) - blue.min(axis=1)
    bright, dim = peak < -17.5, peak > -15
    assert 13.5 < np.median(rise[bright]) < 16.5  # SN 2005hk: 15 days
    assert 8.5 < np.median(rise[dim]) < 11.5  # SN 2008ha: 10 days
    assert np.quantile(rise, [0.02, 0.98]) == pytest.approx([9.0, 16.8], abs=1.2)
    assert np.median(decline[bright]) == pytest.approx(1.5, abs=0.15)  # SN 2005hk: 1.56, SN 2012Z: 1.43
    assert np.median(decline[dim]) == pytest.approx(2.1, abs=0.2)  # SN 2008ha: 2.2
    colour = vega.after(blue, 0) - vega.after(visual, 0, blue)
    assert np.median(colour[bright]) == pytest.approx(0.03, abs=0.08)
    assert np.median(colour[dim]) > np.median(colour[bright]) + 0.15


def test_blue_early_and_soon_red(population, vega):
    blue = population["B"]
    early, late = (vega.after(population["U"], day, blue) - vega.after(blue, day) for day in (-5, 15))
    assert np.median(early) < -0.5
    assert np.median(late) > 0.5
    assert np.median(vega.after(blue, 15) - vega.after(population["V"], 15, blue)) == pytest.approx(1.2, abs=0.15)


def test_one_maximum_later_than_in_b(population, vega):
    found = [vega.maxima(curve) for curve in population["I"]]
    assert all(len(days) and np.ptp(days) < 3 for days in found)
    assert 4 < np.median(np.concatenate(found)) < 11


def test_slow_in_the_end(make_sky, vega):
    drawn = Iax().draw(make_sky(20), np.random.default_rng(0))
    steps = np.diff(vega.magnitudes(drawn, "V", np.arange(50.0, 290.0, 10)), axis=1) / 10
    assert (steps > 0.004).all()
    assert (steps < 0.05).all()


def test_dust_dims_some_by_much(make_sky):
    dust = Iax().draw(make_sky(1000), np.random.default_rng(0)).extinction
    assert 0.4 < np.median(dust) < 0.65
    assert dust.max() < 3


def test_light_is_finite_bounded_and_zero_before_the_explosion(make_sky, is_bounded):
    is_bounded(Iax(), make_sky, -18)
