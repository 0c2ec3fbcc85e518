"""Supernovae like SN 1991bg and of type Iax by templates: what they are known by, and the formulae beside them."""

import numpy as np
import pytest

from telperion.bands import NJY
from telperion.simulate.grid import kept
from telperion.simulate.literature import magnitudes_in
from telperion.simulate.source import TEN_PARSEC_NJY
from telperion.simulate.sources.iax import Iax
from telperion.simulate.sources.peculiar_ia import lines, subluminous
from telperion.simulate.sources.subluminous_ia import SubluminousIa


def absolute(drawn, day, wavelengths):
    n = len(drawn.redshift)
    given = {name: values[:, None] for name, values in drawn.parameters.items()}
    light = drawn.spectrum(given, np.full((n, 1), day), np.tile(wavelengths, (n, 1)))
    return NJY - 2.5 * np.log10(np.maximum(light * TEN_PARSEC_NJY, 1e-3))


def test_the_spectra_of_sn_1991bg_do_what_it_did(real_sources):
    files = real_sources["SNI91bg-Nugent"].files
    grid = kept(files.digest, files.paths, subluminous)
    blue, visual = magnitudes_in(grid, 0.437, 0.037)[0] + 0.09, magnitudes_in(grid, 0.545, 0.036)[0] - 0.02
    peak = int(blue.argmin())
    assert grid.phase[0] + peak == 0
    assert blue[peak] == pytest.approx(-17.1, abs=0.02)
    assert 1.5 < blue[peak + 15] - blue[peak] < 2.1  # dm15 of SN 1991bg is 1.9
    assert 0.4 < blue[peak] - visual[peak] < 1.0


def test_subluminous_ones_are_near_the_formulas(real_sources, make_sky):
    sky, length = make_sky(500), [0.44, 0.55, 0.64, 0.78]
    template, formula = (
        [absolute(source.draw(sky, np.random.default_rng(2)), day, length) for day in (-4.0, 0.0, 8.0, 20.0)]
        for source in (real_sources["SNI91bg-Nugent"], SubluminousIa())
    )
    apart = np.median(template, axis=1) - np.median(formula, axis=1)
    assert np.abs(apart).max() < 0.6
    assert np.abs(apart.mean()) < 0.2
    assert np.std(template[1][:, 0]) == pytest.approx(np.std(formula[1][:, 0]), abs=0.1)


def test_lines_lie_around_one(real_sources):
    files = real_sources["SNIax-Hsiao"].files
    grid = kept(files.digest, files.paths, lines)
    assert grid.phase == (-20.0, 1.0)
    optical = grid.values[0, :60, 110:180]
    assert np.mean(optical) == pytest.approx(1, abs=0.05)
    assert np.std(optical) > 0.1
    silicon = grid(np.array(0), np.array(0.0), np.array([0.585, 0.613, 0.65]))
    assert silicon[1] < 0.95 * min(silicon[0], silicon[2])


def test_iax_have_the_formulas_broad_light_and_lines_on_it(real_sources, make_sky):
    sky, length = make_sky(300), np.linspace(0.40, 0.80, 60)
    drawn = real_sources["SNIax-Hsiao"].draw(sky, np.random.default_rng(2))
    plain = Iax().draw(sky, np.random.default_rng(2))
    found, smooth = absolute(drawn, 0.0, length), absolute(plain, 0.0, length)
    assert np.abs((found - smooth).mean(axis=1)).max() < 0.08
    assert 0.03 < np.std(found - smooth, axis=1).mean() < 0.25
    peak = absolute(drawn, 4.0, [0.55])[:, 0]
    assert -19 < np.percentile(peak, 5) < np.percentile(peak, 95) < -13.5
