"""Supernovae with hydrogen: light curves, colours and populations against the literature."""

import numpy as np
import pytest

from telperion.simulate.source import TEN_PARSEC_NJY
from telperion.simulate.sources.hydrogen_rich import FRACTIONS, Interacting, Linear, Plateau, StrippedHydrogen, cooling

KINDS = [Plateau(), Linear(), StrippedHydrogen(), Interacting()]
NAMES = [kind.name for kind in KINDS]
AGES = np.concatenate([np.arange(0.5, 14, 0.5), np.arange(14, 240, 2.0)])
PAST = np.concatenate([np.arange(-64, 40, 2.0), np.arange(40, 400, 10.0)])


def at(magnitude, phase, when):
    """Magnitudes at one phase, or one phase an object."""
    when = np.broadcast_to(when, len(magnitude))
    return np.array([np.interp(when[k], phase, magnitude[k]) for k in range(len(magnitude))])


@pytest.fixture(scope="module")
def drawn(make_sky):
    return {kind.name: kind.draw(make_sky(300), np.random.default_rng(3)) for kind in KINDS}


def test_fractions_sum_to_one_and_name_the_kinds():
    assert sum(FRACTIONS.values()) == pytest.approx(1)
    assert list(FRACTIONS) == NAMES
    assert FRACTIONS["SNIIP-formula"] > 0.5 > FRACTIONS["SNIIb-formula"] > FRACTIONS["SNIIn-formula"]


def test_plateaus_are_as_bright_as_found(drawn, absolute, spread):
    """M_V of -16.7 +- 1.0 at the peak, -13.8 to -18.8 (Anderson et al. 2014)."""
    peak = absolute(drawn["SNIIP-formula"], AGES, "V").min(axis=1)
    low, median, high = spread(peak)
    assert median == pytest.approx(-17.0, abs=0.3)
    assert -19 < low < -18
    assert -16.2 < high < -14.8


def test_plateaus_rise_within_days_and_faster_in_the_blue(drawn, absolute):
    """Rises of 5 to 12 days (Gonzalez-Gaitan et al. 2015)."""
    early = AGES < 20
    rise = {band: AGES[early][absolute(drawn["SNIIP-formula"], AGES[early], band).argmin(axis=1)] for band in "ugV"}
    assert 4 < np.percentile(rise["V"], 10) < np.median(rise["V"]) < 12
    assert np.median(rise["u"]) < np.median(rise["g"]) < np.median(rise["V"])


def test_a_plateau_is_flat_then_drops_to_the_tail_of_cobalt(drawn, absolute, spread):
    """Declines of -0.5 to 2 mag in 100 days on the plateau (Anderson et al. 2014); 0.98 on the tail."""
    source = drawn["SNIIP-formula"]
    magnitude, end = absolute(source, AGES, "V"), source.parameters["end"]
    slope = (at(magnitude, AGES, 65) - at(magnitude, AGES, 40)) / 0.25
    assert spread(slope) == pytest.approx([-0.2, 0.8, 1.7], abs=0.3)
    drop = at(magnitude, AGES, end + 12) - at(magnitude, AGES, end - 12)
    assert 0.9 < spread(drop)[0] < spread(drop)[2] < 2.9
    tail = (at(magnitude, AGES, 230) - at(magnitude, AGES, 190)) / 0.4
    assert np.median(tail) == pytest.approx(0.98, abs=0.1)
    assert 75 < end.min() + 1 < end.max() < 141


def test_u_and_g_fall_on_the_plateau_while_i_and_z_stay(drawn, absolute):
    source = drawn["SNIIP-formula"]
    lost = {}
    for band in "ugriz":
        magnitude = absolute(source, AGES, band)
        lost[band] = np.median(at(magnitude, AGES, 60) - at(magnitude, AGES, 12))
    assert lost["u"] > 1.8
    assert lost["u"] > lost["g"] + 1 > lost["r"] + 1.5
    assert abs(lost["i"]) < 0.4
    assert abs(lost["z"]) < 0.4


def test_plateaus_are_blue_at_first_and_red_later(drawn, absolute):
    """g-r of -0.2 at first, 0.0 after 15 days, 0.9 after 50 (de Jaeger et al. 2018); u-g of 2 (U-B of SN 1999em)."""
    source = drawn["SNIIP-formula"]
    u, g, r = (absolute(source, AGES, band) for band in "ugr")
    assert np.median(at(g - r, AGES, 3)) == pytest.approx(-0.2, abs=0.15)
    assert np.median(at(g - r, AGES, 15)) == pytest.approx(0.0, abs=0.15)
    assert np.median(at(g - r, AGES, 50)) == pytest.approx(0.9, abs=0.2)
    assert np.median(at(u - g, AGES, 50)) == pytest.approx(2.0, abs=0.4)


def test_linear_ones_decline_steadily_and_are_brighter(drawn, absolute, spread):
    """1.5 to 5 mag in 100 days (Faran et al. 2014; Valenti et al. 2016)."""
    magnitude = absolute(drawn["SNIIL-formula"], AGES, "V")
    slope = (at(magnitude, AGES, 60) - at(magnitude, AGES, 30)) / 0.3
    assert 1.3 < spread(slope)[0] < np.median(slope) < spread(slope)[2] < 5.5
    assert np.median(slope) > 2
    assert np.median(magnitude.min(axis=1)) == pytest.approx(-17.8, abs=0.25)


def test_stripped_ones_peak_like_type_ib(drawn, absolute, spread):
    """M_R of -17.2 +- 0.9, rises of about 20 days (Taddia et al. 2018)."""
    source = drawn["SNIIb-formula"]
    bare = source.parameters["shocked"] == 0
    magnitude = absolute(source.take(np.flatnonzero(bare)), AGES, "r")
    rise = AGES[magnitude.argmin(axis=1)]
    assert np.median(magnitude.min(axis=1)) == pytest.approx(-17.1, abs=0.3)
    assert 12 < spread(rise)[0] < np.median(rise) < spread(rise)[2] < 28
    assert np.median(at(magnitude, AGES, rise + 15) - magnitude.min(axis=1)) == pytest.approx(0.55, abs=0.2)


def test_half_of_the_stripped_ones_have_a_first_peak_of_days(drawn, absolute):
    """As SN 1993J and SN 2016gkg had."""
    source = drawn["SNIIb-formula"]
    shocked = source.parameters["shocked"] > 0
    magnitude = absolute(source, AGES, "g")
    dip = magnitude[:, (AGES > 3) & (AGES < 14)].max(axis=1) - magnitude[:, AGES <= 3].min(axis=1)
    assert 0.4 < shocked.mean() < 0.6
    assert (dip[shocked] > 0.2).mean() > 0.6
    assert (dip[~shocked] <= 0).all()


def test_a_shocked_envelope_has_cooled_after_days():
    given = {"shocked": 2e43, "expansion": 5e3, "diffusion": 1e5, "radius": 1e13, "speed": 1.8e9}
    given |= {"tilt": 0.0, "wave": 0.0, "beat": 1.0, "start": 0.0, "skew": 0.0}
    given = {name: np.array([[value]]) for name, value in given.items()}
    green = cooling(given, np.array([[-1.0], [0.0], [1.0], [8.0]]), np.array([[0.5]]))[:, 0]
    assert green[0] == green[1] == 0
    assert -18.5 < 31.4 - 2.5 * np.log10(TEN_PARSEC_NJY * green[2]) < -16.5
    assert green[3] < 1e-3 * green[2]


def test_interacting_ones_are_bright_slow_and_blue(drawn, absolute, spread):
    """-18.5 +- 1.2 after 10 to 50 days, 0.3 to 4 mag in 100 days, blue for weeks (Nyholm et al. 2020)."""
    source = drawn["SNIIn-formula"]
    g, r = absolute(source, PAST, "g"), absolute(source, PAST, "r")
    peak = r.min(axis=1)
    assert np.median(peak) == pytest.approx(-18.6, abs=0.3)
    assert 1.0 < peak.std() < 1.4
    assert 8 <= spread(source.parameters["rise"])[0] < spread(source.parameters["rise"])[2] < 55
    slope = (at(r, PAST, 80) - at(r, PAST, 30)) / 0.5
    assert 0.15 < spread(slope)[0] < 1 < np.median(slope) < spread(slope)[2] < 4.5
    assert np.median(at(g - r, PAST, 0)) == pytest.approx(0.0, abs=0.15)
    assert np.median(at(g - r, PAST, 200)) > 0.5


def test_some_interacting_ones_last_for_years(drawn, absolute):
    r = absolute(drawn["SNIIn-formula"], np.array([0.0, 700.0]), "r")
    assert 0.08 < (r[:, 1] - r[:, 0] < 4).mean() < 0.4


@pytest.mark.parametrize("kind", KINDS, ids=NAMES)
def test_light_is_finite_and_never_above_the_brightest(kind, make_sky):
    sky = make_sky(400)
    source = kind.draw(sky, np.random.default_rng(1))
    light = source.light(sky, np.random.default_rng(2))
    assert np.isfinite(light.difference).all()
    assert (light.difference <= source.brightest()[sky.owner, sky.band]).all()
    assert (light.steady == 0).all()


@pytest.mark.parametrize("kind", KINDS, ids=NAMES)
def test_no_phase_outshines_the_brightest(kind, make_sky):
    source = kind.draw(make_sky(200), np.random.default_rng(4))
    bound = source.brightest()
    phases = np.linspace(-60, 60, 41) if kind.name == "SNIIn-formula" else np.geomspace(0.05, 130, 41)
    for phase in phases:
        for band in range(6):
            flux = source._flux(np.arange(200), np.full(200, phase), np.full(200, band))
            assert (flux <= bound[:, band]).all(), (phase, band)


@pytest.mark.parametrize("kind", KINDS, ids=NAMES)
def test_there_is_no_light_before_the_explosion_and_some_after(kind, make_sky):
    sky = make_sky(300)
    source = kind.draw(sky, np.random.default_rng(1))
    wait = source.parameters["rise"] if kind.name == "SNIIn-formula" else 0.0
    start = source.time - wait * (1 + source.redshift)
    light = source.light(sky, np.random.default_rng(2)).difference
    before = sky.time < start[sky.owner] - 1e-6
    assert (light[before] == 0).all()
    assert (light[~before] > 0).any()
    assert np.max(wait) <= -source.phases[0]


@pytest.mark.parametrize("kind", KINDS, ids=NAMES)
def test_taking_objects_takes_their_light(kind, make_sky):
    sky, chosen = make_sky(60), np.array([41, 3, 17])
    source = kind.draw(sky, np.random.default_rng(1))
    whole = source.light(sky, np.random.default_rng(2)).difference
    part = source.take(chosen).light(sky.take(chosen), np.random.default_rng(2)).difference
    rows = np.concatenate([np.arange(sky.offsets[k], sky.offsets[k + 1]) for k in chosen])
    np.testing.assert_allclose(part, whole[rows])


@pytest.mark.parametrize("kind", KINDS, ids=NAMES)
def test_a_seed_draws_the_same_again_and_redshifts_stay_in_range(kind, make_sky):
    sky = make_sky(50)
    one, other = (kind.draw(sky, np.random.default_rng(7)) for _ in range(2))
    again = [source.light(sky, np.random.default_rng(k)).difference for k, source in enumerate((one, other))]
    np.testing.assert_array_equal(*again)
    assert 0.011 <= one.redshift.min() < one.redshift.max() <= 2.0
