"""Explosions: distance, redshift and dust are those of the textbooks, whatever the spectrum."""

import numpy as np
import pytest

from telperion.cosmology import distance_modulus
from telperion.simulate.passbands import passbands
from telperion.simulate.photosphere import at, diffuse, diffusion_time, photosphere, shine
from telperion.simulate.source import (
    Explosions,
    core_collapse_rate,
    extinction_curve,
    host_dust,
    nanojansky,
    planck,
    redshifts,
    star_formation,
)  # fmt: skip


def flat(given, phase, wavelength):
    """A source of absolute AB magnitude -19 at every wavelength for ten days."""
    level = 4.345e20 * 10 ** (0.4 * 19) * np.ones(np.broadcast(phase, wavelength).shape)  # erg/s/Hz at M = 0
    return np.where((phase >= 0) & (phase <= 10), level * given["scale"], 0.0)


def explosions(n, redshift, extinction=0.0):
    return Explosions(
        flat, {"scale": np.ones(n)}, np.full(n, redshift), np.full(n, 60500.0), (0.0, 10.0), (5.0,),
        np.full(n, extinction), passbands(),
    )  # fmt: skip


@pytest.mark.parametrize("z", [0.01, 0.5, 2.0])
def test_a_flat_spectrum_has_no_colour_and_the_modulus_with_its_bandwidth_term(make_sky, z):
    sky = make_sky(5)
    drawn = explosions(5, z)
    light = drawn.light(sky, np.random.default_rng(0)).difference
    during = (sky.time >= 60500) & (sky.time <= 60500 + 10 * (1 + z))
    assert during.any()
    expected = nanojansky(-19 + distance_modulus(z) - 2.5 * np.log10(1 + z))
    np.testing.assert_allclose(light[during], expected, rtol=2e-3)
    assert (light[~during] == 0).all()
    assert (light.max() <= drawn.brightest()).all()


def test_dust_in_the_host_is_seen_at_its_own_wavelength(make_sky):
    sky, z = make_sky(3), 1.0
    clear, dusty = (explosions(3, z, dust).light(sky, np.random.default_rng(0)).difference for dust in (0.0, 1.0))
    lit = clear > 0
    lost = -2.5 * np.log10(dusty[lit] / clear[lit])
    band = sky.band[lit]
    wavelength = (passbands().wavelength * passbands().weight).sum(axis=1)[band] / (1 + z)
    np.testing.assert_allclose(lost, extinction_curve(wavelength), rtol=0.03)


def test_taking_some_gives_the_same_light(make_sky):
    sky = make_sky(6)
    some = np.array([4, 1])
    drawn = explosions(6, 0.1)
    whole = drawn.light(sky, np.random.default_rng(0)).difference
    part = drawn.take(some).light(sky.take(some), np.random.default_rng(0)).difference
    np.testing.assert_array_equal(part, np.concatenate([whole[sky.offsets[k] : sky.offsets[k + 1]] for k in some]))


def test_a_black_body_shines_what_it_shines():
    wavelength = np.geomspace(0.01, 1000, 100_000)
    frequency = 2.99792458e14 / wavelength
    for temperature in (3000.0, 20_000.0):
        total = -np.trapezoid(planck(wavelength, np.array(temperature)), frequency)
        assert total == pytest.approx(1, abs=1e-4)


def test_the_extinction_curve_is_an_independent_codes():
    dust_extinction = pytest.importorskip("dust_extinction.parameter_averages")
    import astropy.units as u

    wavelength = np.linspace(0.12, 3.0, 300)
    expected = dust_extinction.CCM89(Rv=3.1)(wavelength * u.micron)
    np.testing.assert_allclose(extinction_curve(wavelength), expected, rtol=5e-3, atol=2e-3)


def test_redshifts_fill_the_volume():
    drawn = redshifts(np.random.default_rng(0), 200_000, lambda z: 1 + z, 0.01, 0.1)
    assert (drawn < 0.05).mean() == pytest.approx(0.05**3 / 0.1**3, rel=0.12)  # nearly Euclidean


def test_rates_are_those_of_the_literature():
    assert star_formation(np.array([0.0, 1.9]))[1] == pytest.approx(8.9, rel=0.05)
    assert core_collapse_rate(np.array([0.0]))[0] == pytest.approx(1)
    assert core_collapse_rate(np.array([1.0]))[0] == pytest.approx(5.2, rel=0.1)


def test_host_dust_is_exponential_below_its_limit():
    dust = host_dust(np.random.default_rng(0), 100_000, 0.4)
    assert dust.min() >= 0
    assert dust.max() < 3
    assert np.median(dust) == pytest.approx(0.4 * np.log(2), rel=0.02)


def test_ejecta_obey_arnetts_rule():
    """At the peak as much light comes out as is heated, and the peak is near the diffusion time."""
    time = np.linspace(0, 300, 6001)
    power = np.exp(-time / 9.0)[None] + 0.1 * np.exp(-time / 111.0)[None]
    scale = diffusion_time(np.array([1.4]), np.array([10_000.0]), 0.1)
    shone = diffuse(power, time, scale)[0]
    peak = int(np.argmax(shone))
    assert shone[peak] == pytest.approx(power[0, peak], rel=0.02)
    assert 5 < scale[0] < 15
    assert 0.7 * scale[0] < time[peak] < 2 * scale[0]
    coarse = diffuse(power[:, ::20], time[::20], scale)[0]
    assert coarse.max() == pytest.approx(shone.max(), rel=0.02)


def test_a_photosphere_cools_to_its_floor():
    time = np.array([1.0, 10.0, 200.0])
    temperature = photosphere(np.full((1, 3), 1e43), time, np.array([10_000.0]), np.array([5_000.0]))[0]
    assert temperature[0] > 20_000
    assert temperature[2] == 5_000
    # 1e43 erg/s from v t = 8.64e14 cm
    assert temperature[1] == pytest.approx((1e43 / (4 * np.pi * 5.670374e-5 * 8.64e14**2)) ** 0.25, rel=1e-6)
    spectrum = shine(np.array(1e43), np.array(1e4), np.array([0.1, 0.3, 0.5]), 0.3, 2.0)
    np.testing.assert_allclose(spectrum, 1e43 * planck(np.array([0.1, 0.3, 0.5]), np.array(1e4)) * [1 / 9, 1, 1])


def test_tables_are_read_in_time():
    table = np.array([[0.0, 10.0, 20.0], [1.0, 1.0, 5.0]])
    found = at(table, np.array([0.0, 1.0, 3.0]), np.array([0, 0, 1, 1, 0]), np.array([0.5, 2.0, 9.0, -1.0, -0.1]))
    np.testing.assert_allclose(found, [5, 15, 5, 0, 0])
