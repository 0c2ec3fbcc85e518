"""Kilonovae against GW170817."""

import numpy as np
import pytest

from telperion.bands import BANDS
from telperion.simulate.passbands import passbands
from telperion.simulate.source import TEN_PARSEC_NJY
from telperion.simulate.sources.kilonova import Kilonova, component, glow, thermalised

N = 400


@pytest.fixture(scope="module")
def drawn(make_sky):
    return Kilonova().draw(make_sky(N), np.random.default_rng(1))


DAYS_SEEN = np.geomspace(0.05, 15, 300)


def gw170817(band):
    """Magnitudes on `DAYS_SEEN` of ejecta near the fit of Villar et al. (2017), the red more opaque, slower."""
    one, bands = np.ones(1), passbands()
    blue = component(one * 0.020, one * 0.27, one * 0.5, one * 2_600, one * 1.2)
    red = component(one * 0.05, one * 0.12, one * 6.0, one * 2_300, one * 1.2)
    given = {"row": np.zeros((1, 1)), "cut": np.full((1, 1), 0.6), "power": np.ones((1, 1))}
    k = BANDS.index(band)
    light = (glow(blue, red, given, DAYS_SEEN[:, None], bands.wavelength[k][None]) * bands.weight[k]).sum(axis=1)
    return 31.4 - 2.5 * np.log10(TEN_PARSEC_NJY * light)


def test_gw170817_peaks_as_seen():
    # Villar et al. (2017), at 40 Mpc: g 17.3 to 17.6 and i 17.0 to 17.3 in the first day
    assert -16.0 < gw170817("g").min() < -15.2
    assert 0.4 < DAYS_SEEN[gw170817("g").argmin()] < 1.0
    assert -16.2 < gw170817("i").min() < -15.6


def test_gw170817_fades_as_seen():
    # Drout et al. (2017), Villar et al. (2017): g some 1.5 to 2 mag a day, z 0.5 to 0.7; our g is slower later
    def slope(band, first, last):
        return np.diff(np.interp([first, last], DAYS_SEEN, gw170817(band)))[0] / (last - first)

    assert 1.5 < slope("g", 1, 3) < 2.3
    assert 1.1 < slope("g", 2, 4) < 2.0
    assert 0.5 < slope("z", 2, 4) < 0.75
    assert slope("u", 1, 3) > slope("g", 1, 3) > slope("r", 1, 3) > slope("i", 1, 3) > slope("y", 1, 3)


def test_gw170817_turns_red():
    # g-i about 0 to 0.6 at half a day, above 2.5 at four days
    colour = gw170817("g") - gw170817("i")
    assert -0.2 < np.interp(0.5, DAYS_SEEN, colour) < 0.7
    assert np.interp(4.0, DAYS_SEEN, colour) > 2.0


def test_thermalisation_follows_the_table_of_barnes():
    # their Table 1: a, b, d at 0.01 solar masses and 0.2 c are 1.31, 0.21 and 1.13; at 0.001 and 0.1 c 2.01, 0.28, 1.12
    time = np.array([0.5, 1.0, 3.0, 7.0])
    for mass, speed, a, b, d in ((0.01, 0.2, 1.31, 0.21, 1.13), (0.001, 0.1, 2.01, 0.28, 1.12)):
        slow = 2 * b * time**d
        theirs = 0.36 * (np.exp(-a * time) + np.log(1 + slow) / slow)
        np.testing.assert_allclose(thermalised(np.array([mass]), np.array([speed]), time)[0], theirs, rtol=0.08)


def test_the_population_is_fast_faint_and_varied(drawn, absolute):
    phase = np.geomspace(0.05, 20, 120)
    green, red = absolute(drawn, phase, "g"), absolute(drawn, phase, "z")
    assert -15.3 < np.median(green.min(axis=1)) < -14.0
    assert green.min(axis=1).std() > 0.4
    assert green.min() > -17.5
    assert np.median(phase[green.argmin(axis=1)]) < 1.0

    def lasts(magnitude):
        return np.median([phase[m < m.min() + 1].max() for m in magnitude])

    assert lasts(red) > 1.4 * lasts(green)
    assert lasts(red) < 6


def test_the_brightest_holds_at_every_phase(drawn):
    brightest, every = drawn.brightest(), np.arange(N)
    for phase in np.geomspace(0.02, 35, 30):
        for band in range(6):
            assert (drawn._flux(every, np.full(N, phase), np.full(N, band)) <= brightest[:, band]).all(), phase


def test_it_is_dark_before_the_explosion(drawn, make_sky):
    sky = make_sky(N)
    difference = drawn.light(sky, np.random.default_rng(2)).difference
    before = sky.time < drawn.time[sky.owner]
    assert before.any()
    assert (difference[before] == 0).all()
    assert (difference[~before] > 0).any()
    assert (difference >= 0).all()


def test_redshifts_are_in_range(drawn):
    assert drawn.redshift.min() > 0.0109
    assert drawn.redshift.max() < 0.281
    assert drawn.extinction.max() <= 3
