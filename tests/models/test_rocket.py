"""ROCKET with a booster: what it promises, and what its files are checked for."""

import json
from dataclasses import replace

import numpy as np
import pytest

pytest.importorskip("aeon", reason="ROCKET is the extra 'rocket'")

from telperion.encode.cache import kept
from telperion.models import rocket
from telperion.simulate.drawn import draw
from telperion.taxonomy import Taxonomy

SMALL = replace(rocket.PRESETS["2k"], target="AGN", kernels=40, points=30, rounds=12, patience=4, leaves=4)


@pytest.fixture(scope="module")
def tree():
    return Taxonomy.load("plasticc")


@pytest.fixture(scope="module")
def curves():
    return draw(n_per_class=8, seed=2)


@pytest.fixture(scope="module")
def model(curves, tree, tmp_path_factory):
    return rocket.fit(curves, curves[::3], tree, SMALL, folder=tmp_path_factory.mktemp("rocket"))


def test_a_kernel_gives_its_largest_response_and_the_share_of_positive_ones(curves):
    table = rocket.features(curves, SMALL, seed=0)
    assert table.shape == (len(curves), 6 * 2 * SMALL.kernels)
    assert np.isfinite(table).all()
    shares = table[:, ::2]
    assert ((shares >= 0) & (shares <= 1)).all()


def test_kept_features_are_those_computed(curves, tmp_path):
    fresh = rocket.features(curves, SMALL, seed=0)
    with kept(tmp_path):
        np.testing.assert_array_equal(rocket.features(curves[::2], SMALL, seed=0), fresh[::2])
        np.testing.assert_array_equal(rocket.features(curves, SMALL, seed=0), fresh)
        assert (rocket.features(curves, SMALL, seed=1) != fresh).any()
    assert len(list(tmp_path.glob("*/*.npz"))) == 3


def test_probabilities_sum_up_the_tree(model, curves, tree):
    found = model.predict(curves)
    np.testing.assert_allclose(found[:, 0], 1, atol=1e-5)
    np.testing.assert_allclose(found[:, tree.leaves].sum(axis=1), 1, atol=1e-5)


def test_an_object_is_classified_alone_as_in_company(model, curves):
    together = model.predict(curves)
    for index in range(0, len(curves), 13):
        np.testing.assert_allclose(model.predict(curves[index])[0], together[index], atol=1e-6)


def test_it_learns(model, curves, tree):
    score = model.predict(curves)[:, tree.index("AGN")]
    truth = curves.label == "AGN"
    assert score[truth].mean() > 2 * score[~truth].mean()


def test_it_survives_a_folder(model, curves, tree, tmp_path):
    model.save(tmp_path)
    again = rocket.load(tmp_path, tree)
    np.testing.assert_array_equal(again.predict(curves), model.predict(curves))


def test_a_finished_booster_is_not_fitted_again(curves, tree, tmp_path):
    one = rocket.fit(curves, curves[::3], tree, SMALL, folder=tmp_path)
    stamp = (tmp_path / rocket.BOOSTER).stat().st_mtime_ns
    other = rocket.fit(curves, curves[::3], tree, SMALL, folder=tmp_path)
    assert (tmp_path / rocket.BOOSTER).stat().st_mtime_ns == stamp
    np.testing.assert_array_equal(one.predict(curves), other.predict(curves))


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"kernels": "0" * 64}, "other kernels"),
        ({"format": 0}, "has format 0"),
        ({"nodes": ["a"]}, "another tree"),
        ({"config": {"colour": 1}}, "setting unknown"),
    ],
)
def test_a_folder_that_does_not_fit_is_refused(model, tree, tmp_path, change, said):
    model.save(tmp_path)
    card = tmp_path / rocket.CARD
    card.write_text(json.dumps(json.loads(card.read_text()) | change))
    with pytest.raises(ValueError, match=said):
        rocket.load(tmp_path, tree)


def test_without_the_target_or_validation_there_is_nothing_to_fit(curves, tree, tmp_path):
    with pytest.raises(ValueError, match="is a TDE"):
        rocket.fit(curves[curves.label != "TDE"], curves, tree, replace(SMALL, target="TDE"), folder=tmp_path)
    with pytest.raises(ValueError, match="validation objects"):
        rocket.fit(curves, curves[:0], tree, SMALL, folder=tmp_path)


@pytest.mark.parametrize("wrong", [{"points": 4}, {"kernels": 0}, {"learning_rate": 0.0}, {"view": "half"}])
def test_settings_out_of_range_are_refused(wrong):
    with pytest.raises(ValueError, match=next(iter(wrong))):
        replace(SMALL, **wrong)
