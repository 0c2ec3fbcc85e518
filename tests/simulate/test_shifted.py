"""A second test set: every class fainter, redder and slower by the same shift, and otherwise what it was."""

import numpy as np
import pytest

from telperion.simulate.kinds import KINDS
from telperion.simulate.shifted import FAINTER, REDDER, Shifted, shifted
from telperion.simulate.sources.flaring import FlareStar
from telperion.simulate.sources.pulsating import RrLyrae
from telperion.simulate.sources.superluminous import Superluminous
from telperion.simulate.survey import batches

SOURCES = [source for kinds in shifted(KINDS).values() for source in kinds]


@pytest.mark.parametrize("source", SOURCES, ids=lambda source: source.name)
def test_light_stays_bounded_and_each_objects_own(source, make_sky):
    sky, chosen = make_sky(20, seed=3), np.array([11, 4])
    drawn = source.draw(sky, np.random.default_rng(4))
    light = drawn.light(sky, np.random.default_rng(0))
    assert np.isfinite(light.difference).all()
    assert (np.abs(light.difference) <= drawn.brightest()[sky.owner, sky.band] * (1 + 1e-9)).all()
    alone = drawn.take(chosen).light(sky.take(chosen), np.random.default_rng(0)).difference
    whole = np.concatenate([light.difference[sky.offsets[k] : sky.offsets[k + 1]] for k in chosen])
    np.testing.assert_allclose(alone, whole, rtol=1e-9, atol=1e-9)


def test_the_shift_is_that_which_is_said(make_sky):
    sky = make_sky(4000)
    drawn = Shifted(RrLyrae()).draw(sky, np.random.default_rng(1))
    dimming = -2.5 * np.log10(drawn.share)
    assert dimming[:, 2].mean() == pytest.approx(FAINTER[0], abs=0.02)
    assert dimming[:, 2].std() == pytest.approx(FAINTER[1], abs=0.02)
    octaves = np.log2(1.015 / 0.360)
    assert (dimming[:, 0] - dimming[:, 5]).mean() == pytest.approx(REDDER[0] * octaves, abs=0.01)
    assert np.median(drawn.slowing) == pytest.approx(1.105, abs=0.01)


def test_a_slowed_outburst_lasts_longer_by_its_factor(make_sky):
    sky = make_sky(300, seed=5)
    drawn = Shifted(Superluminous()).draw(sky, np.random.default_rng(2))
    shining = drawn.light(sky, np.random.default_rng(0)).difference > 0
    for k in np.flatnonzero(np.bincount(sky.owner[shining], minlength=300))[:50]:
        seen = sky.time[sky.offsets[k] : sky.offsets[k + 1]][shining[sky.offsets[k] : sky.offsets[k + 1]]]
        assert np.ptp(seen) <= 500 * (1 + drawn.redshift[k]) * drawn.slowing[k]


def test_flares_stay_where_the_visits_are(make_sky):
    assert not next(iter(shifted({"M-dwarf Flare": {FlareStar(): 1.0}})["M-dwarf Flare"])).slowed


def test_the_second_test_set_is_another_survey():
    wanted = {"SLSN": 20, "RR Lyrae": 20}
    (mine,), (other,) = batches(wanted, KINDS, seed=1), batches(wanted, shifted(KINDS), seed=1)
    assert len(mine) == len(other) == 40
    assert mine.n_rows != other.n_rows or (mine.flux != other.flux).any()
