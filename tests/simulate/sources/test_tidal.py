"""Tidal disruption events against what surveys of them found."""

import numpy as np
import pytest

from telperion.simulate.sources.tidal import EDDINGTON, NIGHTS, TidalDisruption, fallback, peak_magnitudes

N = 400


@pytest.fixture(scope="module")
def drawn(make_sky):
    return TidalDisruption().draw(make_sky(N), np.random.default_rng(1))


def durations(magnitude, phase):
    """Days from half of the peak up to it, and from it to 1/e of it."""
    peak, best = magnitude.min(axis=1), magnitude.argmin(axis=1)
    rise = phase[best] - phase[(magnitude < peak[:, None] + 0.753).argmax(axis=1)]
    faded = (magnitude > peak[:, None] + 1.086) & (np.arange(len(phase)) > best[:, None])
    return rise, phase[faded.argmax(axis=1)] - phase[best], phase[best]


def test_peaks_span_the_observed_magnitudes_and_faint_ones_are_more_common(drawn, absolute):
    # van Velzen (2018), Yao et al. (2023): M_g -17 to -22, numbers falling steeply with luminosity
    phase = np.arange(1.0, 200.0, 2.0)
    peak = absolute(drawn, phase, "g").min(axis=1)
    assert peak.max() < -16.5
    assert peak.min() > -22.5
    assert -18.3 < np.median(peak) < -17.2
    assert 1 < (peak < -19).sum() < 0.25 * N


def test_bright_end_of_the_luminosity_function():
    # dN/dlogL falls as L^-1.5 (van Velzen 2018): from -19.5 to -20.5 by 10^0.6
    magnitude = peak_magnitudes(np.random.default_rng(0), 200_000)
    brighter, fainter = (np.abs(magnitude + 20.5) < 0.25).sum(), (np.abs(magnitude + 19.5) < 0.25).sum()
    assert 3.0 < fainter / brighter < 4.5


def test_they_rise_for_weeks_and_decline_for_months(drawn, absolute):
    # van Velzen et al. (2021), Hammerstein et al. (2023)
    phase = np.arange(0.5, 400.0, 1.0)
    magnitude = absolute(drawn, phase, "g")
    rise, decline, peak = durations(magnitude, phase)
    assert 18 < np.median(peak) < 40
    assert np.percentile(peak, 5) > 8
    assert np.percentile(peak, 95) < 75
    assert 8 < np.median(rise) < 30
    assert 40 < np.median(decline) < 75
    assert np.percentile(decline, 5) > 15
    # Hinkle et al. (2020): 0.2 to 0.8 dex in 40 days
    best = magnitude.argmin(axis=1)
    faded = magnitude[np.arange(N), best + 40] - magnitude.min(axis=1)
    assert 0.6 < np.median(faded) < 1.3


def test_they_are_blue_and_stay_so(drawn, absolute):
    # 12,000 to 40,000 K: g-r -0.5 to 0 (van Velzen et al. 2021)
    phase = np.array([35.0, 150.0])
    early, late = (absolute(drawn, phase, "g") - absolute(drawn, phase, "r")).T
    assert np.percentile(early, 5) > -0.5
    assert np.percentile(early, 95) < 0.05
    assert np.median(early) < -0.25
    assert np.percentile(np.abs(late - early), 90) < 0.15
    assert early.std() > 0.05


def test_fallback_ends_as_time_to_the_minus_five_thirds():
    one = np.ones(1)
    light = fallback(one * 1e43, one * 1e7, one * 20.0, one * 8.0, one * 5 / 3, one * 1.0)[0]
    late = NIGHTS > 250
    slope = np.polyfit(np.log(NIGHTS[late] + 20), np.log(light[late]), 1)[0]
    assert slope == pytest.approx(-5 / 3, abs=0.06)
    assert light.max() == pytest.approx(1e43, rel=1e-6)


def test_viscosity_delays_and_the_eddington_limit_flattens():
    one = np.ones(1)
    given = (one * 40.0, one * 15.0, one * 5 / 3)
    quick, slow = (fallback(one * 1e43, one * 1e7, *given, one * viscous)[0] for viscous in (0.3, 15.0))
    assert NIGHTS[slow.argmax()] > NIGHTS[quick.argmax()] + 5
    limited = fallback(one * 0.9 * EDDINGTON * 1e6, one * 1e6, *given, one * 0.3)[0]
    assert (limited > limited.max() / 2).sum() > 1.5 * (quick > quick.max() / 2).sum()


def test_the_brightest_holds_at_every_phase(drawn):
    brightest, every = drawn.brightest(), np.arange(N)
    for phase in np.geomspace(1, 450, 25):
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
    assert drawn.redshift.min() > 0.0099
    assert drawn.redshift.max() < 2.91
    assert drawn.extinction.max() <= 3
