"""Superluminous supernovae: the numbers they are known by (Nicholl et al. 2017; De Cia et al. 2018)."""

import numpy as np
import pytest

from telperion.bands import NJY
from telperion.simulate.source import TEN_PARSEC_NJY
from telperion.simulate.sources.superluminous import NIGHTS, Superluminous, magnetar


@pytest.fixture(scope="module")
def curves(make_sky):
    """Absolute magnitudes in g of 600 supernovae over rest-frame days, without dust, and the days."""
    drawn = Superluminous().draw(make_sky(600), np.random.default_rng(0))
    given = {name: values[:, None] for name, values in drawn.parameters.items()}
    days = np.arange(1.0, 250.0, 2.0)
    light = [drawn.spectrum(given, np.full((600, 1), day), np.full((600, 1), 0.477))[:, 0] for day in days]
    return days, NJY - 2.5 * np.log10(TEN_PARSEC_NJY * np.array(light).T + 1e-30)


def test_peaks_rises_and_declines(curves):
    days, magnitude = curves
    peak, rise = magnitude.min(axis=1), days[magnitude.argmin(axis=1)]
    # -21.1 with a scatter of 0.7, corrected for what surveys miss (Lunnan et al. 2018); -22 to -20 (De Cia et al. 2018)
    assert -22 < np.median(peak) < -21.1
    assert 0.5 < peak.std() < 0.9
    assert peak.max() < -19.5
    assert 30 < np.median(rise) < 50
    fallen = [days[(days > at) & (row > row.min() + 1)][:1] for at, row in zip(rise, magnitude, strict=True)]
    decline = np.concatenate([late - at for late, at in zip(fallen, rise, strict=True)])
    assert 25 < np.median(decline) < 60


def test_what_spins_down_is_what_is_shone():
    """Slow magnetars in little mass: all the energy that is not lost to expansion before a few days comes out."""
    spin, field, mass, velocity = (np.array([value]) for value in (3.0, 0.4, 2.0, 15_000.0))
    light = magnetar(spin, field, mass, velocity)[0]
    age = 1.3e5 * 9 / 0.16 / 86400
    late = NIGHTS > 60
    power = 2.6e52 / 9 / (age * 86400) / (1 + NIGHTS / age) ** 2
    assert (light[late] <= 1.1 * power[late]).all()
    assert light[NIGHTS.searchsorted(60)] == pytest.approx(power[NIGHTS.searchsorted(60)], rel=0.35)
    assert light[0] == 0
