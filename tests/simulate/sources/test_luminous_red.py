"""Luminous red novae and their like against what is known of them."""

import numpy as np
import pytest

from telperion.simulate.sources.luminous_red import LuminousRed

N = 400


@pytest.fixture(scope="module")
def drawn(make_sky):
    return LuminousRed().draw(make_sky(N), np.random.default_rng(1))


PHASE = np.arange(1.0, 300.0, 1.0)


def test_peaks_are_between_novae_and_supernovae(drawn, absolute):
    # Pastorello et al. (2019), Karambelkar et al. (2023), Cai et al. (2021): M_R -11 to -15.5
    peak = absolute(drawn, PHASE, "r").min(axis=1)
    assert peak.min() > -16.3
    assert peak.max() < -10.2
    assert -13.7 < np.median(peak) < -12.3
    assert peak.std() > 0.8


def test_they_rise_fast_and_stay_long(drawn, absolute):
    magnitude = absolute(drawn, PHASE, "i")
    peak = magnitude.min(axis=1, keepdims=True)
    near = magnitude < peak + 2.0
    lasts = PHASE[-1] - PHASE[near[:, ::-1].argmax(axis=1)] - PHASE[near.argmax(axis=1)]
    assert 50 < np.median(lasts) < 150
    assert np.percentile(lasts, 95) > 120
    first = PHASE[(magnitude < peak + 1.5).argmax(axis=1)]
    assert np.percentile(first, 95) < 20


def test_they_turn_from_blue_or_yellow_to_red(drawn, absolute):
    # g-r about 0 to 0.5 at the flash, above 1 after months (Pastorello et al. 2019)
    colour = absolute(drawn, PHASE, "g") - absolute(drawn, PHASE, "r")
    assert np.percentile(colour[:, 4], 5) < 0.35
    assert np.median(colour[:, 99] - colour[:, 4]) > 0.4
    assert np.median(colour[:, 99]) > 1.0


def test_some_have_a_flash_before_a_plateau(drawn, absolute):
    flash = drawn.parameters["flash"] > 0
    assert 0.5 < flash.mean() < 0.7
    magnitude = absolute(drawn, PHASE, "g")
    drop = magnitude[:, 30] - magnitude[:, :15].min(axis=1)
    assert np.median(drop[flash]) > np.median(drop[~flash]) + 0.2


def test_the_brightest_holds_at_every_phase(drawn):
    brightest, every = drawn.brightest(), np.arange(N)
    for phase in np.geomspace(0.5, 400, 30):
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
    assert drawn.redshift.max() < 0.501
    assert drawn.extinction.max() <= 3
