"""Numbers a normal supernova of type Ia is known by."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits

from telperion.bands import NJY
from telperion.cosmology import distance_modulus
from telperion.simulate.sources.normal_ia import NormalIa, normal, rate


@pytest.fixture(scope="module")
def population(make_sky, vega):
    drawn = NormalIa().draw(make_sky(600), np.random.default_rng(0))
    return {band: vega.magnitudes(drawn, band) for band in vega.bands}


@pytest.fixture(scope="module")
def plain(make_sky):
    """Supernovae of x1 -2, 0 and 1.5, of colour zero and without scatter."""
    x1 = np.array([-2.0, 0.0, 1.5])
    return normal(make_sky(3), np.random.default_rng(0), x1, np.zeros(3), np.full(3, 0.1), scatter=0.0)


def test_absolute_magnitudes_in_b(population):
    peak = population["B"].min(axis=1)
    assert -19.5 < np.median(peak) < -19.2
    assert 0.2 < peak.std() < 0.4


def test_standardised_magnitudes_scatter_by_little(make_sky, vega):
    sky, rng = make_sky(600), np.random.default_rng(2)
    x1, colour = rng.normal(size=600), rng.normal(0, 0.1, 600)
    peak = vega.magnitudes(normal(sky, rng, x1, colour, np.full(600, 0.1)), "B", vega.days[40:66]).min(axis=1)
    slopes, *_ = np.linalg.lstsq(np.column_stack([np.ones(600), x1, colour]), peak, rcond=None)
    left = peak - np.column_stack([np.ones(600), x1, colour]) @ slopes
    assert slopes[1:] == pytest.approx([-0.14, 3.1], abs=0.25)  # Betoule et al. (2014)
    assert 0.08 < left.std() < 0.14


def test_rise_and_decline_in_b(population, plain, vega):
    blue = vega.magnitudes(plain, "B")
    decline = vega.after(blue, 15) - blue.min(axis=1)
    assert decline == pytest.approx([1.48, 1.09, 0.87], abs=0.09)  # Guy et al. (2007), from x1
    assert abs(vega.days[blue[1].argmin()]) <= 1
    assert 16.5 < -vega.days[np.argmax(blue[1] < 0)] < 18.5  # Hayden et al. (2010): 17.4 days
    assert vega.after(blue, -7)[1] - blue[1].min() == pytest.approx(0.45, abs=0.15)
    spread = vega.after(population["B"], 15) - population["B"].min(axis=1)
    assert 0.8 < np.quantile(spread, 0.05) < 0.95
    assert 1.25 < np.quantile(spread, 0.95) < 1.7


def test_colours_at_maximum_and_on_the_line_of_lira(plain, vega):
    blue, visual = vega.magnitudes(plain, "B")[1], vega.magnitudes(plain, "V")[1]
    colour = dict(zip(vega.days, blue - visual, strict=True))
    assert colour[0.0] == pytest.approx(0.0, abs=0.06)
    assert colour[30.0] == pytest.approx(1.07, abs=0.08)  # Phillips et al. (1999): 0.725 - 0.0118 (t_V - 60)
    assert colour[60.0] == pytest.approx(0.75, abs=0.1)
    assert max(colour, key=colour.get) == pytest.approx(30, abs=4)


def test_second_maximum_in_the_near_infrared(plain, vega):
    infrared, far = vega.magnitudes(plain, "I"), vega.magnitudes(plain, "Y")
    for curve in (infrared[1], far[1]):
        first, second = vega.maxima(curve)
        assert -6 <= first <= 0  # before that in B
        assert 22 <= second <= 31
    assert (
        vega.maxima(infrared[0])[-1] < vega.maxima(infrared[2])[-1] - 4
    )  # Folatelli et al. (2010): later in slow decliners
    strength = vega.after(infrared, 26) - infrared.min(axis=1)
    assert strength[0] > strength[1] > strength[2]  # and stronger
    assert len(vega.maxima(vega.magnitudes(plain, "B")[1])) == 1


def test_the_ultraviolet_is_suppressed_and_fades_first(plain):
    given = {name: values[1:2, None] for name, values in plain.parameters.items()}
    light = [plain.spectrum(given, np.array([[day]]), np.array([[0.25, 0.30, 0.44]]))[0] for day in (-5.0, 5.0, 20.0)]
    below = -2.5 * np.log10(np.array(light)[:, :2] / np.array(light)[:, 2:])
    assert (below[:, 0] > 2.4).all()
    assert (np.diff(below, axis=0) > 0.3).all()


def test_light_fades_by_a_hundredth_of_a_mag_a_day_late(plain, vega):
    days = np.arange(60.0, 290.0, 10)
    for band in ("B", "V", "I"):
        steps = np.diff(vega.magnitudes(plain, band, days)) / 10
        assert (steps > 0.005).all()
        assert (steps < 0.06).all()
    assert 0.011 < np.diff(vega.magnitudes(plain, "V", days), axis=1)[:, -15:].mean() / 10 < 0.018


def test_rate_does_not_jump(make_sky):
    assert rate(np.array([0.9999, 1.0001])) == pytest.approx([7e-5, 7e-5], rel=0.03)
    redshift = NormalIa().draw(make_sky(1000), np.random.default_rng(0)).redshift
    assert redshift.min() > 0.02
    assert 1.0 < np.median(redshift) < 1.2
    assert redshift.max() < 1.65


HSIAO = Path.home() / ".cache/lsst-data/sncosmo/models/hsiao/Hsiao_SED_V3.fits"


@pytest.mark.skipif(not HSIAO.is_file(), reason="needs the spectra of Hsiao et al. (2007)")
@pytest.mark.parametrize("redshift", [0.1, 0.2, 0.3, 0.4, 0.5])
def test_agrees_with_hsiao(make_sky, redshift):
    stored = fits.getdata(HSIAO).astype(float)
    length, first = 0.1 + 0.001 * np.arange(stored.shape[1]), -20
    days = np.arange(-10, 41)
    n = len(days)
    drawn = normal(make_sky(1), np.random.default_rng(0), np.zeros(1), np.zeros(1), np.array([0.1]), scatter=0.0)
    drawn = replace(drawn, redshift=np.array([redshift]))
    for band, (tolerance, extreme) in enumerate([(0.4, 0.75)] + [(0.2, 0.3)] * 5):
        wavelength, weight = drawn.bands.wavelength[band] / (1 + redshift), drawn.bands.weight[band]
        theirs = np.array(
            [(np.interp(wavelength, length, stored[day - first] * length**2) * weight).sum() for day in days]
        )
        near = np.exp(-(((length - 0.437) / 0.037) ** 2) / 2) * length
        scale = -2.5 * np.log10((stored[-first] * near).sum() / (near / length**2).sum())
        flux = drawn._flux(np.zeros(n, dtype=int), days.astype(float), np.full(n, band))
        ours = NJY - 2.5 * np.log10(flux / (1 + redshift)) - float(distance_modulus(redshift)) + 19.45
        apart = ours - (-2.5 * np.log10(theirs) - scale)
        assert np.quantile(np.abs(apart), 0.9) < tolerance, band
        assert np.abs(apart).max() < extreme, band


def test_light_is_finite_bounded_and_zero_before_the_explosion(make_sky, is_bounded):
    is_bounded(NormalIa(), make_sky, -25)
