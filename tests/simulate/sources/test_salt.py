"""Normal supernovae of SALT3: numbers they are known by, and the formula as a second opinion."""

from pathlib import Path

import numpy as np
import pytest

from telperion.bands import NJY
from telperion.simulate.grid import Grid, kept
from telperion.simulate.literature import magnitudes_in
from telperion.simulate.source import TEN_PARSEC_NJY
from telperion.simulate.sources.normal_ia import NormalIa
from telperion.simulate.sources.salt import surfaces
from telperion.simulate.spectra import read_salt

BANDS = {"B": (0.437, 0.037, -0.09), "V": (0.545, 0.036, 0.02), "R": (0.64, 0.05, 0.21), "I": (0.79, 0.05, 0.45)}
"""Centre and width, micrometre, and AB minus Vega."""


def curve(grid, band, k=0):
    centre, width, vega = BANDS[band]
    return magnitudes_in(Grid(grid.values[k : k + 1], grid.phase, grid.wavelength), centre, width)[0] - vega


@pytest.fixture(scope="module")
def grid(real_sources):
    files = real_sources["SNIa-SALT3"].files
    return kept(files.digest, files.paths, surfaces)


def test_the_mean_supernova_has_the_numbers_of_the_literature(grid):
    blue, visual, infrared = (curve(grid, band) for band in "BVI")
    day = grid.phase[0] + np.arange(len(blue))
    peak = int(blue.argmin())
    assert day[peak] == pytest.approx(0, abs=1)
    assert blue[peak] == pytest.approx(-19.365, abs=0.04)  # SALT's own zero point
    assert blue[peak + 15] - blue[peak] == pytest.approx(1.1, abs=0.12)  # dm15 of x1 = 0
    assert blue[peak] - visual[peak] == pytest.approx(0.0, abs=0.1)
    second = day[20:60][1:-1][(infrared[21:59] < infrared[20:58]) & (infrared[21:59] < infrared[22:60])]
    assert ((second > 18) & (second < 32)).any()  # the second maximum in I
    assert blue[day == 200] - blue[peak] == pytest.approx(6, abs=1)
    assert magnitudes_in(Grid(grid.values[:1], grid.phase, grid.wavelength), 1.02, 0.04)[0][peak] == pytest.approx(
        -18.0, abs=0.4
    )  # Y, AB, which the surfaces themselves have a magnitude fainter


def test_stretch_widens_and_colour_reddens(grid):
    wide = Grid(grid.values[:1] + grid.values[1:2], grid.phase, grid.wavelength)
    narrow = Grid(grid.values[:1] - grid.values[1:2], grid.phase, grid.wavelength)
    fading = [np.diff(curve(one, "B")[[20, 35]])[0] for one in (wide, narrow)]
    assert fading[0] < fading[1] - 0.15
    length = np.array([0.430257, 0.542855, 0.35])
    law = grid(np.full(3, 2), np.zeros(3), length)
    np.testing.assert_allclose(law[:2], [0, -1], atol=0.02)
    assert law[2] > 0.5


def test_redrawn_supernovae_are_those_of_the_formula(real_sources, make_sky):
    """An independent description of the same class: within some tenths of a magnitude in all that matters."""
    sky, found = make_sky(400), []
    for source in (real_sources["SNIa-SALT3"], NormalIa()):
        drawn = source.draw(sky, np.random.default_rng(5))
        given = {name: values[:, None] for name, values in drawn.parameters.items()}
        colours = []
        for day in (-8.0, 0.0, 10.0, 25.0):
            light = drawn.spectrum(given, np.full((400, 1), day), np.tile([0.36, 0.44, 0.55, 0.64, 0.78], (400, 1)))
            colours.append(NJY - 2.5 * np.log10(np.maximum(light * TEN_PARSEC_NJY, 1e-3)))
        found.append(np.median(colours, axis=1))
        spread = np.std(colours[1][:, 1])
        assert 0.2 < spread < 0.7
    apart = found[0] - found[1]
    assert np.abs(apart[:, 1:]).max() < 0.45  # U is where lines differ
    assert np.abs(apart[:, 1:].mean()) < 0.15


def test_surfaces_and_colour_law_are_sncosmos(real_sources):
    sncosmo = pytest.importorskip("sncosmo", reason="the second opinion on SALT3 is sncosmo's")
    folder = Path(real_sources["SNIa-SALT3"].files.paths[0]).parent
    salt, other = read_salt(folder), sncosmo.SALT3Source(modeldir=str(folder))
    other.set(x0=1e12, x1=-1.3, c=0.2)  # its surfaces are scaled by 1e-12
    wavelength = salt.mean.wavelength[20:-20:7]
    law = 10 ** (-0.4 * 0.2 * salt.colour_law(wavelength))
    for row in (10, 20, 45):
        mine = (salt.mean.flux - 1.3 * salt.stretched.flux)[row, 20:-20:7] * law
        theirs = other.flux(salt.mean.phase[row], wavelength)
        np.testing.assert_allclose(mine, theirs, rtol=1e-3, atol=1e-4 * np.abs(theirs).max())


def test_made_up_surfaces_give_back_their_light(made_up_sources, made_up, make_sky):
    files = made_up_sources["SNIa-SALT3"].files
    grid = kept(files.digest, files.paths, surfaces)
    assert grid.phase == (-20.0, 1.0)
    expected = made_up.light(np.array([0.0]), np.array([5500.0]), -19.36) * 5500**2 / 2.99792458e18 * 1e32
    assert grid(np.array(0), np.array(0.0), np.array(0.55)) == pytest.approx(expected.item(), rel=0.01)
    assert grid(np.array(1), np.array(7.0), np.array(0.5)) == pytest.approx(
        0.05 * grid(np.array(0), np.array(7.0), np.array(0.5)), rel=1e-3
    )
