"""Supernovae that shine by nickel-56: their energy, and populations against the literature."""

import numpy as np
import pytest

from telperion.simulate.sources import nickel
from telperion.simulate.sources.nickel import CalciumRich, PairInstability, StrippedEnvelope, blanketed, decay, heated

KINDS = [StrippedEnvelope(), CalciumRich(), PairInstability()]
NAMES = [kind.name for kind in KINDS]
PHASES = {"SNIb/c-nickel": (-40, 105, 1.0), "CaRT-nickel": (-25, 80, 1.0), "PISN-nickel": (-160, 160, 5.0)}


@pytest.fixture(scope="module")
def curves(make_sky, absolute):
    """Objects of each kind, their phases, magnitudes in r, peak phases and a way to read other bands."""
    found = {}
    for kind in KINDS:
        drawn = kind.draw(make_sky(300), np.random.default_rng(3))
        phase = np.arange(*PHASES[kind.name])
        red = absolute(drawn, phase, "r")
        found[kind.name] = drawn, phase, red, phase[red.argmin(axis=1)]
    return found


def decline(curve, days):
    """Magnitudes lost in r in days after the peak there."""
    _, phase, red, peak = curve
    later = [np.interp(peak[k] + days, phase, red[k]) for k in range(len(red))]
    return np.array(later) - red.min(axis=1)


@pytest.fixture(scope="module")
def colour(absolute):
    """``colour(curve, one, other, days)``: the median colour at days after the peak in r."""

    def median(curve, one, other, days):
        drawn, phase, _, peak = curve
        difference = absolute(drawn, phase, one) - absolute(drawn, phase, other)
        return np.median([np.interp(peak[k] + days, phase, difference[k]) for k in range(len(difference))])

    return median


def rise(curve):
    drawn, _, _, peak = curve
    return peak + drawn.parameters["rise"]


def test_nickel_and_cobalt_power_is_that_of_nadyozhin_1994():
    assert decay(np.array(0.0), np.array(1e9)) == pytest.approx(7.9e43)
    late = decay(np.array([200.0, 311.3]), np.array(1e9))
    assert late[1] / late[0] == pytest.approx(np.exp(-1), rel=1e-3)


def test_positrons_stay_when_gamma_rays_leak_out():
    assert decay(np.array(300.0), np.array(1e-3)) / decay(np.array(300.0), np.array(1e9)) == pytest.approx(0.032)


def test_ejecta_peak_with_about_what_is_heated_then():
    one = np.ones(1)
    ejecta = heated(0.1 * one, 3 * one, 9000 * one, 0.07 * one, 5000 * one, 0.2 * one, 0 * one)
    power = 0.1 * decay(ejecta.rise, 9e9 * one)
    assert ejecta.luminosity.max() == pytest.approx(power[0], rel=0.1)  # Arnett's rule
    assert 14 < ejecta.rise[0] < 20


def test_the_photosphere_cools_to_its_floor():
    one = np.ones(1)
    ejecta = heated(0.1 * one, 3 * one, 9000 * one, 0.07 * one, 5000 * one, 0.2 * one, 0 * one)
    assert ejecta.temperature[0, ejecta.nights > 60] == pytest.approx(5000, rel=0.02)
    assert ejecta.temperature[0, 10] > 6000


def test_lines_swallow_the_blue_only():
    share = blanketed(np.array([0.2, 0.4, 0.8]), np.array(0.4), 8.0)
    assert share[0] < 0.01
    assert share[1] == pytest.approx(0.5)
    assert share[2] > 0.99


def test_stripped_envelopes_are_as_bright_and_fast_as_found(curves, spread):
    """Peaks in a volume as Li et al. (2011), R -16.1 ± 1.24; rises and declines of Taddia et al. (2015)."""
    curve = curves["SNIb/c-nickel"]
    peak = curve[2].min(axis=1)
    assert peak.mean() == pytest.approx(-16.1, abs=0.4)
    assert peak.std() == pytest.approx(1.24, abs=0.2)
    assert 12 < spread(rise(curve))[0] < 18 < spread(rise(curve))[1] + 2 < 22 < spread(rise(curve))[2] < 32
    assert spread(decline(curve, 15)) == pytest.approx([0.3, 0.55, 0.9], abs=0.15)


def test_broad_lined_ones_are_a_magnitude_brighter(curves, make_sky, monkeypatch, absolute):
    """M_R of -18.5 against -17.5 (Drout et al. 2011; Taddia et al. 2019)."""
    monkeypatch.setattr(nickel, "BROAD_LINED", 1.0)
    drawn = StrippedEnvelope().draw(make_sky(300), np.random.default_rng(3))
    peak = np.median(absolute(drawn, np.arange(-20, 20, 1.0), "r").min(axis=1))
    assert peak - np.median(curves["SNIb/c-nickel"][2].min(axis=1)) == pytest.approx(-1.0, abs=0.4)


def test_stripped_envelopes_redden_after_the_peak(curves, colour):
    """g-r of 0.4 at the peak and 0.9 twenty days later (Taddia et al. 2015; Stritzinger et al. 2018)."""
    curve = curves["SNIb/c-nickel"]
    assert colour(curve, "g", "r", 0) == pytest.approx(0.4, abs=0.15)
    assert colour(curve, "g", "r", 20) == pytest.approx(0.9, abs=0.2)
    assert colour(curve, "u", "g", 20) > 1.5
    assert colour(curve, "r", "i", 0) == pytest.approx(0.0, abs=0.1)
    assert colour(curve, "r", "i", 20) == pytest.approx(0.1, abs=0.1)


def test_no_two_stripped_envelopes_have_the_same_spectrum(curves, absolute):
    """Colours of single ones at the peak scatter by .15 mag (Stritzinger et al. 2018), not along one line only."""
    drawn = curves["SNIb/c-nickel"][0]
    g, r, i = (absolute(drawn, np.zeros(1), band)[:, 0] for band in "gri")
    assert 0.1 < np.std(r - i) < 0.25
    assert abs(np.corrcoef(g - r, r - i)[0, 1]) < 0.8


def test_calcium_rich_ones_are_faint_fast_and_red(curves, colour, spread):
    """-15 to -16.5 at the peak after 8 to 15 days (Kasliwal et al. 2012; De et al. 2020)."""
    curve = curves["CaRT-nickel"]
    low, median, high = spread(curve[2].min(axis=1))
    assert -16.7 < low < median < high < -14.4
    assert median == pytest.approx(-15.7, abs=0.3)
    assert 8 <= spread(rise(curve))[0] < spread(rise(curve))[2] < 17
    assert np.median(decline(curve, 15)) > 1.6 * np.median(decline(curves["SNIb/c-nickel"], 15))
    assert colour(curve, "g", "r", 20) > 0.9


def test_calcium_rich_ones_glow_in_calcium_when_late(curves, colour):
    curve = curves["CaRT-nickel"]
    assert colour(curve, "r", "i", 40) > colour(curve, "r", "i", 0) + 0.4


def test_pair_instability_is_bright_slow_and_red(curves, colour, spread):
    """-18 to -21.5 after 80 to 150 days, as Kasen, Woosley & Heger (2011) computed for helium stars."""
    curve = curves["PISN-nickel"]
    low, _, high = spread(curve[2].min(axis=1))
    assert -22 < low < -21
    assert -19.4 < high < -18
    assert 75 < spread(rise(curve))[0] < spread(rise(curve))[2] < 165
    assert colour(curve, "g", "r", 0) > 0.5
    assert colour(curve, "u", "g", 0) > 1.2


@pytest.mark.parametrize("kind", KINDS, ids=NAMES)
def test_light_is_finite_and_never_above_the_brightest(kind, make_sky):
    sky = make_sky(400)
    drawn = kind.draw(sky, np.random.default_rng(1))
    light = drawn.light(sky, np.random.default_rng(2))
    assert np.isfinite(light.difference).all()
    assert (light.difference <= drawn.brightest()[sky.owner, sky.band]).all()
    assert (light.steady == 0).all()


@pytest.mark.parametrize("kind", KINDS, ids=NAMES)
def test_no_phase_outshines_the_brightest(kind, make_sky):
    drawn = kind.draw(make_sky(200), np.random.default_rng(4))
    bound = drawn.brightest()
    step = 7.0 if kind.label == "PISN" else 1.3
    for phase in np.arange(-20, 20) * step:
        for band in range(6):
            flux = drawn._flux(np.arange(200), np.full(200, phase), np.full(200, band))
            assert (flux <= bound[:, band]).all(), (phase, band)


@pytest.mark.parametrize("kind", KINDS, ids=NAMES)
def test_there_is_no_light_before_the_explosion_and_some_after(kind, make_sky):
    sky = make_sky(300)
    drawn = kind.draw(sky, np.random.default_rng(1))
    start = drawn.time - drawn.parameters["rise"] * (1 + drawn.redshift)
    light = drawn.light(sky, np.random.default_rng(2)).difference
    before = sky.time < start[sky.owner]
    assert (light[before] == 0).all()
    assert (light[~before] > 0).any()
    assert drawn.parameters["rise"].max() < -drawn.phases[0]


@pytest.mark.parametrize("kind", KINDS, ids=NAMES)
def test_taking_objects_takes_their_light(kind, make_sky):
    sky, chosen = make_sky(60), np.array([41, 3, 17])
    drawn = kind.draw(sky, np.random.default_rng(1))
    whole = drawn.light(sky, np.random.default_rng(2)).difference
    part = drawn.take(chosen).light(sky.take(chosen), np.random.default_rng(2)).difference
    rows = np.concatenate([np.arange(sky.offsets[k], sky.offsets[k + 1]) for k in chosen])
    np.testing.assert_allclose(part, whole[rows])


@pytest.mark.parametrize("kind", KINDS, ids=NAMES)
def test_a_seed_draws_the_same_again_and_redshifts_stay_in_range(kind, make_sky):
    sky = make_sky(50)
    one, other = (kind.draw(sky, np.random.default_rng(7)) for _ in range(2))
    again = [source.light(sky, np.random.default_rng(k)).difference for k, source in enumerate((one, other))]
    np.testing.assert_array_equal(*again)
    low, high = {"SNIb/c": (0.011, 1.5), "CaRT": (0.012, 1.4), "PISN": (0.02, 2.2)}[kind.label]
    assert low <= one.redshift.min() < one.redshift.max() <= high
