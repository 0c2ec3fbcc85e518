"""Kilonovae of a grid: the light of the file, one component or two."""

import numpy as np
import pytest

from telperion.simulate.grid import kept
from telperion.simulate.sources.kilonova_grid import POOR, RICH, models
from telperion.simulate.spectra import read_kilonovae


def test_the_grid_is_the_file(made_up_sources, made_up):
    files = made_up_sources["KN-Kasen"].files
    grid, arrays = kept(files.digest, files.paths, models), made_up.kilonovae()
    length = arrays["wavelength_A"]
    for day in (1.0, 4.0, 20.0):
        expected = 10 ** arrays["log10_L_lambda"][3, np.argmin(abs(arrays["time_days"] - day))].astype(float)
        found = grid(np.full(40, 3), np.full(40, np.log(day)), length / 1e4)
        np.testing.assert_allclose(found, expected * length**2 / 2.99792458e18, rtol=0.03)
    after = [grid(np.array(3), np.log(np.array(day)), np.array(0.5)) for day in (20.0, 30.0, 40.0)]
    assert after[0] > after[1] > after[2] > 0


@pytest.mark.parametrize("kind", ["made_up_sources", "real_sources"])
def test_components_are_poor_and_rich_in_lanthanides(kind, request, make_sky):
    source = request.getfixturevalue(kind)["KN-Kasen"]
    found = read_kilonovae(source.files.paths[0])
    assert (found.lanthanides[list(source.poor)] <= POOR).all()
    assert (found.lanthanides[list(source.rich)] >= RICH).all()
    assert set(source.poor) | set(source.rich) <= set(source.files.chosen)
    given = source.draw(make_sky(400), np.random.default_rng(0)).parameters
    two = given["again"] > 0
    assert two.mean() == pytest.approx(0.5, abs=0.08)
    assert np.isin(given["first"][two], source.poor).all()
    assert np.isin(given["second"][two], source.rich).all()
    assert np.isin(given["first"], source.files.chosen).all()


def test_peaks_are_where_kilonovae_are(real_sources, make_sky):
    drawn = real_sources["KN-Kasen"].draw(make_sky(400), np.random.default_rng(0))
    given = {name: values[:, None] for name, values in drawn.parameters.items()}
    length = np.full((400, 1), 0.62)
    course = np.array([drawn.spectrum(given, np.full_like(length, day), length)[:, 0] for day in np.geomspace(0.2, 15)])
    peak = -2.5 * np.log10(course.max(axis=0) / 4.345e20)
    assert -17.5 < np.percentile(peak, 1) < np.median(peak) < np.percentile(peak, 80) < -11  # AT 2017gfo: -16
    assert np.median(course[-1] / course.max(axis=0)) < 0.05  # gone in two weeks


def test_unequal_wavelengths_are_refused(made_up, tmp_path):
    arrays = made_up.kilonovae()
    arrays["wavelength_A"] = arrays["wavelength_A"] ** 1.1 + np.linspace(0, 900, 40)
    np.savez(tmp_path / "kn.npz", **arrays)
    with pytest.raises(ValueError, match="not equally apart"):
        models((str(tmp_path / "kn.npz"),))
