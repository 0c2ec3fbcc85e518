import numpy as np
import pytest

from telperion.encode.view import keep_context, view
from telperion.simulate.drawn import draw
from telperion.taxonomy import Taxonomy

pytest.importorskip("imblearn", reason="imbalanced-learn is not installed: the forests cannot grow")
pytest.importorskip("light_curve", reason="light-curve is not installed: the forests have no statistics")

from benchmarks.peers.forest import Forest, answers, flat, grow
from benchmarks.peers.forest_features import MISSING, context_names, features

TREE = Taxonomy.load("plasticc")


@pytest.fixture(scope="module")
def sky():
    return keep_context(draw(n_per_class=5, seed=1), "photoz")


@pytest.fixture(scope="module")
def fitted(sky, tmp_path_factory):
    folder = tmp_path_factory.mktemp("forest")
    peer = Forest()
    peer.most_epochs = 20
    peer.fit(sky[:56], sky[56:], TREE, folder, seed=1, context="photoz")
    return peer, folder


def test_siblings_sum_to_their_parent_at_any_age(fitted, sky, adds_up):
    adds_up(fitted[0], sky)


def test_it_learns_what_it_is_shown(fitted, sky):
    said = fitted[0].predict(view(sky[:56], np.inf, "alert"))
    assert (TREE.leaf(said) == TREE.labels(sky.label[:56])).mean() > 0.8


def test_what_is_read_back_says_the_same_and_another_tree_is_refused(fitted, sky, is_kept):
    is_kept(*fitted, view(sky, 8.0, "alert"))


def test_arrays_say_what_scikit_learn_says():
    rng = np.random.default_rng(1)
    table = rng.normal(size=(300, 5)).astype(np.float32)
    label = np.where(table[:, 0] + table[:, 1] ** 2 > 1, 2, 0)
    forest = grow(table, label, 15, seed=1)
    found = answers(flat(forest, 3), table)
    np.testing.assert_allclose(found[:, [0, 2]], forest.predict_proba(table), atol=1e-6)
    assert not found[:, 1].any()


def test_statistics_of_a_light_curve_do_not_depend_on_others_nor_on_where_it_is(sky):
    named = context_names(sky)
    assert "redshift" in named
    assert not {"ra", "decl", "ddf"} & set(named)
    table = features(sky, named)
    np.testing.assert_array_equal(features(sky[10:13], named), table[10:13])
    assert np.isfinite(table).all()


def test_objects_without_rows_and_context_that_is_not_there_are_missing(sky):
    named = context_names(sky)
    nothing = keep_context(sky, "none").select_rows(np.zeros(sky.n_rows))
    table = features(nothing, named)
    assert (table[:, -len(named) :] == MISSING).all()
    assert np.isfinite(table).all()
