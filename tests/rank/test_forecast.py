from dataclasses import replace

import numpy as np
import pytest

from telperion.lightcurves import LightCurves
from telperion.rank.forecast import LEAVES, Usual, forecast
from telperion.simulate.drawn import draw
from telperion.taxonomy import Taxonomy

NOW = 61_000.0 - 2.0


def test_a_line_goes_on(lines):
    slopes = np.array([-0.1, 0.0, 0.03, 0.1])
    said = forecast(lines(slopes), NOW + 1, NOW)
    assert said.magnitude[:, 2] == pytest.approx(19.1 + slopes * 19.5, abs=0.06)
    assert (said.magnitude[:, 3] - said.magnitude[:, 1]) == pytest.approx(0.2, abs=0.02)
    assert np.isnan(said.magnitude[:, [0, 4, 5]]).all()


def test_the_future_is_not_looked_at(lines):
    curves = lines(np.linspace(-0.1, 0.1, 5))
    later = curves.time > NOW - 8
    spoilt = replace(curves, flux=np.where(later, 1e6, curves.flux))
    one, other = (forecast(data, NOW, NOW - 8) for data in (curves, spoilt))
    assert np.array_equal(one.magnitude, other.magnitude, equal_nan=True)
    assert np.array_equal(one.error, other.error, equal_nan=True)
    assert not np.array_equal(one.magnitude, forecast(spoilt, NOW, NOW - 4).magnitude, equal_nan=True)


def test_objects_do_not_mind_their_neighbours(lines):
    curves = lines(np.linspace(-0.1, 0.1, 5))
    together, alone = forecast(curves, NOW + 1, NOW), forecast(curves[3], NOW + 1, NOW)
    assert together.magnitude[3] == pytest.approx(alone.magnitude[0], nan_ok=True)
    assert together.error[3] == pytest.approx(alone.error[0], nan_ok=True)


def test_farther_times_and_noisier_rows_are_less_certain(lines):
    errors = [forecast(lines(0.02), NOW + days, NOW).error[0, 2] for days in (0.5, 2, 5, 10)]
    assert (np.diff(errors) > 0).all()
    noisy = [forecast(lines(0.02, error=error), NOW + 1, NOW).error[0, 2] for error in (0.01, 0.1, 0.3)]
    assert (np.diff(noisy) > 0).all()


def test_a_single_row_is_followed_by_what_is_usual_of_the_class():
    curves = LightCurves(["a"], [0, 1], [NOW - 0.5], [2], [5000.0], [50.0], [True])
    tree = Taxonomy.load("elasticc")
    sure = np.zeros((2, len(tree)))
    for row, name in enumerate(("KN", "SLSN")):
        sure[row] = tree.ancestors[tree.index(name)]
    usual = [Usual.of(row[None], tree) for row in sure]
    kilonova, slow = (forecast(curves, NOW + 1, NOW, mine) for mine in usual)
    assert kilonova.magnitude[0, 2] - slow.magnitude[0, 2] > 0.5
    assert kilonova.error[0, 2] > 5 * slow.error[0, 2]


def test_what_is_usual_of_a_mixture_spreads_over_its_classes():
    tree = Taxonomy.load("elasticc")
    half = tree.ancestors[[tree.index("KN"), tree.index("SNIa")]].mean(axis=0)
    mixed = Usual.of(half[None], tree)
    rows = np.array([LEAVES["KN"], LEAVES["SNIa"]])
    draws = np.random.default_rng(0).normal(rows[:, 0], rows[:, 1], (100_000, 2)).ravel()
    assert mixed.slope == pytest.approx(draws.mean(), abs=0.01)
    assert mixed.deviation == pytest.approx(draws.std(), abs=0.01)


def test_leaves_of_the_table_are_those_of_the_tree():
    tree = Taxonomy.load("elasticc")
    assert set(LEAVES) <= {tree.nodes[leaf] for leaf in tree.leaves}


def test_without_rows_that_count_there_is_no_brightness():
    curves = LightCurves(
        ["faint", "old", "none"], [0, 1, 2, 2], [NOW - 1, NOW - 50], [2, 2], [5.0, 500.0], [5.0, 5.0], [True, True]
    )
    band, magnitude, error = forecast(curves, NOW, NOW).brightest()
    assert band.tolist() == [-1, -1, -1]
    assert np.isnan(magnitude).all()
    assert np.isnan(error).all()


def test_the_brightest_band_is_one_of_those_asked_for(lines):
    said = forecast(lines([0.0]), NOW, NOW)
    assert said.brightest("gri")[0] == [1]
    assert said.brightest("ri")[0] == [2]
    with pytest.raises(ValueError, match="expected some of ugrizy"):
        said.brightest("gx")


def test_dust_is_put_back(lines):
    curves = lines([0.0, 0.1])
    dusty = curves.with_context({"mwebv": np.array([0.3, 0.1])})
    one, other = forecast(dusty, NOW + 1, NOW), forecast(dusty.deredden(), NOW + 1, NOW)
    assert other.magnitude == pytest.approx(one.magnitude, nan_ok=True, abs=1e-5)
    assert other.error == pytest.approx(one.error, nan_ok=True, rel=1e-4)


def test_bad_questions_are_refused(lines):
    curves = lines([0.0, 0.1])
    for when in (NOW - 1, np.nan):
        with pytest.raises(ValueError, match="2 are not, first 'o0'"):
            forecast(curves, when, NOW)


def test_pulls_of_simulated_explosions_are_near_to_normal(rng):
    """On the first row within four days after a detection, of other light curves than those that set the numbers."""
    curves = replace(draw(n_per_class=80, seed=11), dereddened=False)
    explosions = np.isin(curves.label, ["SNIa", "SNIb/c", "SNII", "SLSN", "TDE"])
    curves = curves[explosions & ~np.isnan(curves.first_detection)]
    rows = np.flatnonzero(curves.detected)
    count = np.bincount(curves.object_index[rows], minlength=len(curves))
    now = curves.time[rows[np.cumsum(count) - count + (rng.random(len(curves)) * count).astype(int)]] + 0.02
    since = curves.time - now[curves.object_index]
    later = np.flatnonzero((since > 0.3) & (since <= 4) & (curves.flux > 3 * curves.flux_err))
    some, first = np.unique(curves.object_index[later], return_index=True)
    row = later[first]
    flux, band = curves.flux[row].astype(float), curves.band[row]
    said = forecast(curves[some], curves.time[row], now[some])
    every = np.arange(some.size)
    noise = 1.0857 * curves.flux_err[row] / flux
    pull = (31.4 - 2.5 * np.log10(flux) - said.magnitude[every, band]) / np.hypot(said.error[every, band], noise)
    pull = pull[np.isfinite(pull)]
    assert pull.size > 60
    assert abs(np.median(pull)) < 0.4
    assert 0.5 < np.mean(np.abs(pull) < 1) < 0.9
    assert np.mean(np.abs(pull) < 2) > 0.8
