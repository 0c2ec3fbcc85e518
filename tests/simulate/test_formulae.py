"""The formulae of the classes, without noise."""

import numpy as np
import pytest

from telperion.bands import BANDS
from telperion.cosmology import distance_modulus
from telperion.simulate.formulae import FORMULAE, Explosion, fallback, nanojansky, plateau, pulse

TIME = np.linspace(60000, 61000, 4000)
EXPLOSIONS = [name for name, formula in FORMULAE.items() if isinstance(formula, Explosion)]
VARIABLES = ["AGN", "RR Lyrae", "EB", "Mira"]


def in_band(name: str) -> np.ndarray:
    return np.full(TIME.size, BANDS.index(name))


@pytest.mark.parametrize("name", FORMULAE)
def test_every_formula_gives_finite_light(name, rng):
    band = rng.integers(0, 6, TIME.size)
    for _ in range(20):
        light = FORMULAE[name](rng, TIME, band)
        assert np.isfinite(light.difference).all()
        assert (light.steady > 0).all()


@pytest.mark.parametrize("name", FORMULAE)
def test_only_classes_beyond_the_galaxy_have_a_redshift(name, rng):
    light = FORMULAE[name](rng, TIME, in_band("r"))
    assert (light.redshift > 0) == (name in EXPLOSIONS or name == "AGN")


@pytest.mark.parametrize("name", EXPLOSIONS)
def test_an_explosion_only_adds_light(name, rng):
    assert (FORMULAE[name](rng, TIME, in_band("i")).difference >= 0).all()


@pytest.mark.parametrize("name", VARIABLES)
def test_a_variable_never_loses_more_than_its_light(name, rng):
    light = FORMULAE[name](rng, TIME, in_band("z"))
    assert (light.difference >= -light.steady).all()
    assert light.difference.min() < 0 < light.difference.max()


def test_a_pulse_peaks_with_one_at_phase_zero():
    phase = np.linspace(-50, 100, 3001)
    shape = pulse(phase, 4.0, 20.0)
    assert shape.max() == pytest.approx(1, abs=1e-6)
    assert phase[shape.argmax()] == pytest.approx(0, abs=0.1)


def test_fallback_fades_as_time_to_the_minus_five_thirds():
    late = fallback(np.array([1e6, 2e6]), 12.0, 30.0)
    assert late[1] / late[0] == pytest.approx(2 ** (-5 / 3), rel=1e-3)


def test_a_plateau_ends_in_the_tail_of_cobalt():
    assert plateau(np.array([60.0]), 1.0, 90.0) > 3 * plateau(np.array([120.0]), 1.0, 90.0)
    tail = plateau(np.array([200.0, 311.3]), 1.0, 90.0)
    assert tail[1] / tail[0] == pytest.approx(np.exp(-1), rel=1e-3)


def test_type_ia_supernovae_peak_near_minus_nineteen(rng):
    peaks = []
    for _ in range(50):
        light = FORMULAE["SNIa"](rng, TIME, in_band("r"))
        peaks.append(31.4 - 2.5 * np.log10(light.difference.max()) - distance_modulus(np.array(light.redshift)))
    assert -19.6 < np.median(peaks) < -18.8


def test_an_explosion_reddens_as_it_cools(rng):
    explosion = FORMULAE["SNII"]
    assert isinstance(explosion, Explosion)
    colour = [
        explosion.spectrum(np.array([day]), 0.48) / explosion.spectrum(np.array([day]), 0.75) for day in (0.0, 40.0)
    ]
    assert colour[0] > 2 * colour[1]


def test_microlensing_has_no_colour():
    ratios = []
    for name in BANDS:
        light = FORMULAE["uLens"](np.random.default_rng(3), TIME, in_band(name))
        ratios.append(light.difference / light.steady)
    np.testing.assert_allclose(ratios, np.broadcast_to(ratios[0], (6, TIME.size)), rtol=1e-10)


def test_a_periodic_star_comes_back(rng):
    """The strongest period in a noise-free RR Lyrae lies within the range it was drawn from."""
    time = np.linspace(0, 30, 3000)
    difference = FORMULAE["RR Lyrae"](rng, time, in_band("g")[: time.size]).difference
    frequency = np.linspace(0.5, 4, 1000)
    power = np.abs(np.exp(-2j * np.pi * frequency[:, None] * time) @ difference)
    assert 0.39 < 1 / frequency[power.argmax()] < 0.76


def test_magnitude_and_flux_agree_with_the_ab_system():
    np.testing.assert_allclose(nanojansky(np.array([31.4, 23.9])), [1, 1000])
