import numpy as np
import pytest

from telperion.encode.statistics import ANY_PHASE, statistics
from telperion.realism.groups import group
from telperion.realism.matching import alike
from telperion.realism.telling import TOP, tell

pytest.importorskip("lightgbm")


def told(simulated, real, **settings):
    tables = [statistics(side, ANY_PHASE) for side in (simulated, real)]
    return tell("all", tables[0].values, tables[1].values, tables[0].names, **settings)


def test_halves_of_one_set_cannot_be_told_apart(halves):
    found = told(*halves)
    assert found.n == 105
    assert abs(found.everything.auc - 0.5) < 3 * found.everything.error
    assert max(area.auc for area in found.groups.values()) < 0.7


def test_a_shifted_colour_is_named(halves):
    simulated, real = halves
    factor = np.where(simulated.band == 2, 1.7, 1.0).astype(np.float32)
    found = told(simulated._with(flux=simulated.flux * factor), real, without=("noise",))
    assert found.everything.auc > 0.7
    strongest = max(found.groups, key=lambda name: found.groups[name].auc)
    assert strongest == "colours"
    assert group(found.betrayers[0].name) == "colours"
    assert "noise" not in found.groups


def test_doubled_noise_is_named(halves):
    simulated, real = halves
    rng = np.random.default_rng(2)
    doubled = simulated._with(
        flux=(simulated.flux + np.sqrt(3) * simulated.flux_err * rng.normal(size=simulated.n_rows)).astype(np.float32),
        flux_err=2 * simulated.flux_err,
    )
    found = told(doubled, real)
    assert found.groups["noise"].auc > 0.9
    assert {group(one.name) for one in found.betrayers[:2]} == {"noise"}
    assert found.betrayers[0].alone.auc > 0.8
    assert len(found.betrayers) == TOP


def test_another_cadence_and_depth_tell_nothing_like_for_like(halves):
    simulated, real = halves
    rng = np.random.default_rng(4)
    noisy = simulated._with(
        flux=(simulated.flux + simulated.flux_err * rng.normal(size=simulated.n_rows)).astype(np.float32),
        flux_err=np.sqrt(2).astype(np.float32) * simulated.flux_err,
    )
    sparse = noisy.select_rows(rng.random(noisy.n_rows) < 0.5)
    seen = ~np.isnan(sparse.first_detection)
    plain = told(sparse[seen], real[seen])
    assert min(plain.groups[name].auc for name in ("cadence", "noise")) > 0.8
    fair = told(*alike(sparse[seen], real[seen], rng), without=("cadence", "noise"))
    assert fair.n > 60
    assert abs(fair.everything.auc - 0.5) < 3 * fair.everything.error


def test_features_that_neither_side_has_are_left_out(rng):
    table = rng.normal(size=(60, 3)).astype(np.float32)
    table[:, 1] = np.nan
    found = tell("toy", table[:30], table[30:], ["structure.rows", "shape.odd", "host.mwebv"])
    assert found.groups.keys() == {"cadence", "host"}
