"""Folded stars: the light of the file, in the bands that it has and in those that it lacks."""

import numpy as np
import pytest

from telperion.simulate.sources.folded import KINDS, cycles
from telperion.simulate.sources.pulsating import RELATIVE, RrLyrae


def test_cycles_are_the_files_and_the_bands_it_lacks_are_scaled(made_up_sources):
    period, colour, shapes = cycles(made_up_sources["RRLyrae-ZTF"].files.paths[0], "RRLyrae-ZTF")
    np.testing.assert_allclose(period, 0.5 + 0.05 * np.arange(6))
    np.testing.assert_allclose(colour, -0.1, atol=2e-3)
    assert shapes.shape == (6, 6, 16)
    np.testing.assert_allclose(shapes.mean(axis=2), 0, atol=1e-12)
    size = np.ptp(shapes[0], axis=1)
    np.testing.assert_allclose(size[1:4], 0.8 / (1 + 0.3 * np.arange(3)), atol=2e-3)
    np.testing.assert_allclose(size[[0, 4, 5]] / size[[1, 3, 3]], RELATIVE[[0, 4, 5]] / RELATIVE[[1, 3, 3]])
    two_bands = cycles(made_up_sources["EB-ellipsoidal-ZTF"].files.paths[0], "EB-ellipsoidal-ZTF")[2]
    np.testing.assert_allclose(np.ptp(two_bands[0], axis=1)[3] / np.ptp(two_bands[0], axis=1)[2], 0.93 / 0.96)


def test_a_star_repeats_itself(made_up_sources, make_sky):
    stars = made_up_sources["Cepheid-ZTF"].draw(make_sky(30), np.random.default_rng(0))
    owner, band = np.arange(30), np.full(30, 2)
    time = 60500 + np.linspace(0, 5, 30)
    once, again = (stars.flux(owner, time + k * stars.period, band) for k in (0, 7))
    np.testing.assert_allclose(once, again, rtol=1e-6)
    whole = np.array([stars.flux(owner, stars.epoch + share * stars.period, band) for share in np.arange(64) / 64])
    size = 2.5 * np.log10(whole.max(axis=0) / whole.min(axis=0))
    np.testing.assert_allclose(size, 0.8 / 1.3 * stars.amplitude[:, 2], rtol=0.02)


@pytest.mark.parametrize("name", list(KINDS))
def test_real_stars_are_of_their_kind(name, real_sources, make_sky):
    stars = real_sources[name].draw(make_sky(600), np.random.default_rng(0))
    shortest, longest = {
        "RRLyrae-ZTF": (0.18, 1.0), "Cepheid-ZTF": (0.3, 110), "DeltaScuti-ZTF": (0.035, 0.13),
        "EB-ellipsoidal-ZTF": (0.06, 15),
    }[name]  # fmt: skip
    assert shortest < stars.period.min() < stars.period.max() < longest
    size = np.ptp(stars.shapes[stars.which], axis=2) * stars.amplitude
    assert 0.02 < size[:, 1].min() < size[:, 1].max() < 2.5
    if name != "EB-ellipsoidal-ZTF":
        assert (np.median(size[:, 1]) > np.median(size[:, 2])) & (np.median(size[:, 2]) > np.median(size[:, 3]))


def test_rr_lyrae_are_the_formulas_in_amplitude_and_colour(real_sources, make_sky):
    sky = make_sky(800)
    stars, formula = (source.draw(sky, np.random.default_rng(1)) for source in (real_sources["RRLyrae-ZTF"], RrLyrae()))
    size = np.ptp(stars.shapes[stars.which, 1], axis=1) * stars.amplitude[:, 1]
    assert np.median(size) == pytest.approx(np.median(formula.amplitude[:, 1]), abs=0.2)
    assert np.median(stars.period) == pytest.approx(np.median(formula.period), abs=0.06)
    colour = [np.median(-2.5 * np.log10(one.mean[:, 1] / one.mean[:, 2])) for one in (stars, formula)]
    assert colour[0] == pytest.approx(colour[1], abs=0.12)
