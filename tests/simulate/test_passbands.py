"""Passbands: the formulae stand for the survey's own curves."""

import numpy as np
import pytest

from telperion.bands import WAVELENGTH
from telperion.simulate.passbands import Passbands, passbands


def black_body(wavelength, temperature):
    return wavelength**-3.0 / np.expm1(14387.769 / (wavelength * temperature))


def magnitudes(bands, temperature):
    return -2.5 * np.log10((bands.weight * black_body(bands.wavelength, temperature)).sum(axis=1))


def test_wavelengths_are_those_of_the_bands():
    bands = passbands()
    np.testing.assert_allclose(bands.weight.sum(axis=1), 1)
    np.testing.assert_allclose((bands.weight * bands.wavelength).sum(axis=1), WAVELENGTH, rtol=0.05)
    assert (np.diff(bands.wavelength, axis=1) > 0).all()


def test_a_flat_curve_is_integrated_exactly(tmp_path):
    length = np.linspace(400, 600, 2001)
    bands = Passbands.from_curves([(length, np.ones_like(length))] * 6)
    photons = np.trapezoid(black_body(length / 1000, 6000.0) / length, length) / np.trapezoid(1 / length, length)
    np.testing.assert_allclose(magnitudes(bands, 6000.0), -2.5 * np.log10(photons), atol=2e-3)


def test_curves_that_are_none_are_refused(tmp_path):
    with pytest.raises(ValueError, match=r"lacks the throughput curve total_u\.dat"):
        Passbands.read(tmp_path)
    (tmp_path / "total_u.dat").write_text("300 0.1\n290 0.2\n")
    with pytest.raises(ValueError, match="wavelengths must rise"):
        Passbands.read(tmp_path)


@pytest.mark.parametrize("temperature", [5000.0, 10_000.0, 30_000.0])
def test_black_bodies_are_as_bright_as_through_the_surveys_curves(lsst_data, temperature):
    folder = lsst_data / "templates" / "bands"
    exact = []
    for band in "ugrizy":
        length, share = np.loadtxt(folder / f"total_{band}.dat", unpack=True)
        light = np.trapezoid(black_body(length / 1000, temperature) * share / length, length)
        exact.append(-2.5 * np.log10(light / np.trapezoid(share / length, length)))
    np.testing.assert_allclose(magnitudes(Passbands.read(folder), temperature), exact, atol=3e-3)
    np.testing.assert_allclose(magnitudes(passbands(), temperature), exact, atol=8e-3)
