import numpy as np
import pytest
import torch

from telperion.bands import FLUXCAL, to_njy
from telperion.encode.view import keep_context, view
from telperion.lightcurves import LightCurves
from telperion.simulate.drawn import draw
from telperion.taxonomy import Taxonomy

pytest.importorskip("supernnova", reason="supernnova is not installed: its network cannot be trained")

from benchmarks.peers.supernnova import UNKNOWN, Plateau, SuperNNova, _nights

TREE = Taxonomy.load("plasticc")


@pytest.fixture(scope="module")
def sky():
    return keep_context(view(draw(n_per_class=4, seed=1), 60.0), "photoz")


@pytest.fixture(scope="module")
def fitted(sky, tmp_path_factory):
    folder = tmp_path_factory.mktemp("supernnova")
    peer = SuperNNova()
    peer.most_epochs = 1
    peer.fit(sky[:46], sky[46:], TREE, folder, seed=1, context="photoz")
    return peer, folder


def test_siblings_sum_to_their_parent_at_any_age(fitted, sky, adds_up):
    adds_up(fitted[0], sky)


def test_answers_do_not_depend_on_the_order_of_objects_and_nothing_seen_says_nothing(fitted, sky, minds_no_order):
    minds_no_order(fitted[0], sky, atol=1e-5)


def test_what_is_read_back_says_the_same_and_the_training_is_told(fitted, sky, is_kept):
    is_kept(*fitted, sky, epochs=1)


def test_a_night_is_one_row_of_its_best_observations():
    time = [10.0, 10.1, 10.3, 10.4, 12.0]
    flux, error = to_njy(FLUXCAL) * np.array([[1.0, 2.0, 3.0, 4.0, 5.0], [2.0, 1.0, 1.0, 1.0, 1.0]])
    curves = LightCurves(["a", "b"], [0, 5, 6], [*time, 9.0], [1, 1, 2, 5, 2, 0], [*flux, 7], [*error, 1], [True] * 6)
    columns, first = _nights(curves)
    np.testing.assert_array_equal(first, [0, 3, 4])
    np.testing.assert_allclose(columns["FLUXCAL_g"], [2, 0, 0, 0], rtol=1e-6)
    np.testing.assert_allclose(columns["FLUXCAL_r"], [3, 0, 5, 0], rtol=1e-6)
    np.testing.assert_allclose(columns["delta_time"], [0, 0.4, 1.6, 0])
    assert columns["FLT"].tolist() == ["gr", "Y", "r", "u"]
    assert set(columns["HOSTGAL_SPECZ"]) == {UNKNOWN}


def test_nights_are_the_package_s_own(sky):
    """Its own function, which needs a pandas before 3, groups rows alike; here its rule, row by row."""
    columns, first = _nights(sky)
    for place in range(0, len(sky), 7):
        nights, last = 0, -np.inf
        for each in sky[place].time:
            nights, last = (nights + 1, each) if each - last > 0.33 else (nights, last)
        assert first[place + 1] - first[place] == nights
    assert len(columns["FLT"]) == first[-1]


def test_the_rate_is_cut_where_accuracy_ceases_to_gain_and_the_third_time_ends():
    rng, rule = np.random.default_rng(0), Plateau(reduce_lr_on_plateau=True)
    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=1.0)
    gaining = [rule.step(0.005 * epoch + 0.02 * rng.normal(), optimizer) for epoch in range(100)]
    assert not any(gaining)
    assert optimizer.param_groups[0]["lr"] == 1.0
    ended = [rule.step(0.6, optimizer) for _ in range(3 * Plateau.PATIENCE + Plateau.MEAN)]
    assert ended.index(True) == Plateau.MEAN + 3 * Plateau.PATIENCE - 1
    assert optimizer.param_groups[0]["lr"] == pytest.approx(1e-3)
