"""Numbers supernovae like SN 1991bg are known by (Taubenberger et al. 2008; Gonzalez-Gaitan et al. 2014)."""

import numpy as np
import pytest

from telperion.simulate.sources.subluminous_ia import SubluminousIa


@pytest.fixture(scope="module")
def population(make_sky, vega):
    drawn = SubluminousIa().draw(make_sky(600), np.random.default_rng(0))
    return {band: vega.magnitudes(drawn, band) for band in vega.bands}


def test_absolute_magnitudes_in_b(population):
    peak = population["B"].min(axis=1)
    assert np.median(peak) == pytest.approx(-17.1, abs=0.1)
    assert 0.25 < peak.std() < 0.36
    assert population["V"].min(axis=1).mean() == pytest.approx(-17.65, abs=0.15)


def test_fast_and_fainter_if_red(population, vega):
    blue = population["B"]
    decline = vega.after(blue, 15) - blue.min(axis=1)
    assert np.median(decline) == pytest.approx(1.9, abs=0.1)
    assert 1.55 < np.quantile(decline, 0.05) < 1.75
    assert 2.05 < np.quantile(decline, 0.95) < 2.35
    colour = vega.after(blue, 0) - vega.after(population["V"], 0, blue)
    assert np.corrcoef(colour, decline)[0, 1] > 0.4
    assert np.corrcoef(colour, blue.min(axis=1))[0, 1] > 0.4
    rise = -vega.days[np.argmax(blue < 0, axis=1)]
    assert 11 < np.median(rise) < 14.5


def test_colours(population, vega):
    colour = {
        day: vega.after(population["B"], day) - vega.after(population["V"], day, population["B"]) for day in (0, 15, 30)
    }
    assert np.median(colour[0]) == pytest.approx(0.557, abs=0.06)
    assert colour[0].std() == pytest.approx(0.175, abs=0.04)
    assert np.median(colour[15]) == pytest.approx(1.4, abs=0.12)  # Garnavich et al. (2004), SN 1999by
    assert np.median(colour[30]) == pytest.approx(1.07, abs=0.12)  # all meet on Lira's line


def test_one_maximum_after_that_in_b(population, vega):
    for band in ("I", "Y"):
        found = [vega.maxima(curve) for curve in population[band]]
        assert all(len(days) and np.ptp(days) < 3 for days in found)
        assert 1 < np.median(np.concatenate(found)) < 9


def test_fades_for_a_long_time(make_sky, vega):
    drawn = SubluminousIa().draw(make_sky(20), np.random.default_rng(0))
    steps = np.diff(vega.magnitudes(drawn, "V", np.arange(60.0, 290.0, 10)), axis=1) / 10
    assert (steps > 0.005).all()
    assert (steps < 0.06).all()


def test_light_is_finite_bounded_and_zero_before_the_explosion(make_sky, is_bounded):
    is_bounded(SubluminousIa(), make_sky, -20.5)
