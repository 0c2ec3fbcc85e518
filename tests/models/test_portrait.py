"""The portrait network: NumPy says what torch says, objects stand alone, files are checked."""

import json
from dataclasses import replace

import numpy as np
import pytest
import torch

from telperion.encode.portrait import COURSE, EDGES, GRID, NUMBERS, SURFACE, Portraits, portraits
from telperion.lightcurves import RepairWarning
from telperion.models import portrait
from telperion.models.portrait_training import PortraitNetwork, fold
from telperion.simulate.drawn import draw
from telperion.taxonomy import Taxonomy

SMALL = portrait.Config(networks=2, width=8, head=12, epochs=15, batch_size=16, copies=1, learning_rate=0.02)


@pytest.fixture(scope="module")
def tree():
    return Taxonomy.load("plasticc")


@pytest.fixture(scope="module")
def curves():
    return draw(n_per_class=8, seed=0)


@pytest.fixture(scope="module")
def model(curves, tree, tmp_path_factory):
    return portrait.fit(curves, curves[:0], tree, SMALL, folder=tmp_path_factory.mktemp("portrait"), seed=0)


def test_pictures_have_their_shapes_and_are_known(curves):
    drawn = portraits(curves)
    for array, shape in ((drawn.surface, SURFACE), (drawn.course, COURSE), (drawn.numbers, NUMBERS)):
        assert array.shape == (len(curves), *shape)
        assert array.dtype == np.float32
        assert np.isfinite(array).all()


def test_the_surface_peaks_at_the_peak_and_is_surest_near_rows(curves):
    supernovae = curves[curves.label == "SNIa"]
    mean, deviation = np.split(portraits(supernovae).surface, 2, axis=1)
    highest = GRID[mean.max(axis=1).argmax(axis=1)]
    assert np.abs(np.median(highest)) < 10
    assert (deviation > 0).all()
    assert deviation.min() < 0.1 < 0.6 < deviation.max()


def test_the_course_counts_every_row_within_reach(curves):
    course = portraits(curves).course
    counted = np.expm1(course[:, 3]).sum(axis=1)
    assert (counted <= curves.lengths + 0.01).all()
    short = curves.time[curves.offsets[1:] - 1] - curves.time[curves.offsets[:-1]] < EDGES[-1]
    np.testing.assert_allclose(counted[short], curves.lengths[short], rtol=1e-4)


def test_an_object_is_drawn_the_same_in_any_company(curves, rng):
    order = rng.permutation(len(curves))
    for name in ("surface", "course", "numbers"):
        together, apart = (getattr(portraits(each), name) for each in (curves, curves[order]))
        np.testing.assert_allclose(apart, together[order], atol=1e-6)


def test_numpy_says_what_torch_says(tree, rng):
    torch.manual_seed(0)
    network = PortraitNetwork(SMALL, len(tree))
    given = [rng.normal(size=(40, *shape)).astype(np.float32) for shape in (SURFACE, COURSE, NUMBERS)]
    network.train()
    for _ in range(5):  # moves the running means and variances
        network(*map(torch.from_numpy, given))
    weights = fold(network.eval(), SMALL)
    assert {name: array.shape for name, array in weights.items()} == portrait.shapes(SMALL, len(tree))
    with torch.no_grad():
        expected = network(*map(torch.from_numpy, given)).numpy()
    np.testing.assert_allclose(portrait.logits(Portraits(*given), weights), expected, atol=1e-5)


def test_probabilities_sum_up_the_tree(model, curves, tree):
    found = model.predict(curves)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found[:, 0], 1, atol=1e-5)
    np.testing.assert_allclose(found[:, tree.leaves].sum(axis=1), 1, atol=1e-5)


def test_it_learns(model, curves, tree):
    hit = tree.leaf(model.predict(curves)) == tree.labels(curves.label)
    assert hit.mean() > 0.5


def test_the_networks_are_averaged_and_differ(model, curves, tree):
    alone = [portrait.Portrait(tree, SMALL, model.mix, [each]).predict(curves) for each in model.weights]
    np.testing.assert_allclose(np.mean(alone, axis=0), model.predict(curves), atol=1e-6)
    assert np.abs(alone[0] - alone[1]).max() > 0.01


def test_an_object_without_rows_gets_the_class_mix(model, curves, tree):
    none = curves.select_rows(np.zeros(curves.n_rows, bool))[:2]
    np.testing.assert_allclose(model.predict(none)[:, tree.leaves], np.tile(model.mix, (2, 1)), atol=1e-6)


def test_the_same_seed_gives_the_same_networks_and_a_finished_one_is_not_trained_again(
    model, curves, tree, tmp_path, monkeypatch
):
    (tmp_path / "network-0.npz").parent.mkdir(exist_ok=True)
    portrait.write_weights(tmp_path / "network-0.npz", model.weights[0])
    again = portrait.fit(curves, curves[:0], tree, SMALL, folder=tmp_path, seed=0)
    np.testing.assert_array_equal(again.predict(curves), model.predict(curves))
    monkeypatch.setattr("telperion.models.portrait_training.train_network", None)
    portrait.fit(curves, curves[:0], tree, SMALL, folder=tmp_path, seed=0)


def test_half_known_objects_teach_and_unknown_ones_are_left_out_with_a_notice(curves, tree, tmp_path):
    label = curves.label.copy()
    label[label == "TDE"] = "Transient"
    label[0] = ""
    with pytest.warns(RepairWarning, match="1 objects without a label or without rows"):
        portrait.fit(curves.with_label(label), curves[:0], tree, replace(SMALL, networks=1, epochs=1), folder=tmp_path)
    with pytest.raises(ValueError, match="none of the 2 training objects"):
        portrait.fit(curves[:2].with_label(["", ""]), curves[:0], tree, SMALL, folder=tmp_path / "none")


def test_saved_and_loaded_it_predicts_the_same(model, curves, tree, tmp_path):
    model.save(tmp_path)
    np.testing.assert_array_equal(portrait.load(tmp_path, tree).predict(curves), model.predict(curves))


def test_foreign_files_are_refused(model, tree, tmp_path):
    with pytest.raises(ValueError, match=r"portrait\.json is missing"):
        portrait.load(tmp_path, tree)
    model.save(tmp_path)
    with pytest.raises(ValueError, match="another tree"):
        portrait.load(tmp_path, Taxonomy.load("mallorn"))
    card = json.loads((tmp_path / portrait.CARD).read_text())
    (tmp_path / portrait.CARD).write_text(json.dumps(card | {"config": card["config"] | {"wings": 2}}))
    with pytest.raises(ValueError, match="'wings'"):
        portrait.load(tmp_path, tree)
    (tmp_path / portrait.CARD).write_text(json.dumps(card | {"config": card["config"] | {"width": 10}}))
    with pytest.raises(ValueError, match="does not fit"):
        portrait.load(tmp_path, tree)
    (tmp_path / portrait.CARD).write_text(json.dumps(card))
    broken = {name: array * np.nan for name, array in model.weights[0].items()}
    portrait.write_weights(tmp_path / "network-0.npz", broken)
    with pytest.raises(ValueError, match="no finite 32-bit floats"):
        portrait.load(tmp_path, tree)
    (tmp_path / "network-0.npz").write_bytes(b"no archive")
    with pytest.raises(ValueError, match="not a network's file"):
        portrait.load(tmp_path, tree)
    (tmp_path / "network-0.npz").unlink()
    with pytest.raises(ValueError, match="missing or larger"):
        portrait.load(tmp_path, tree)


@pytest.mark.parametrize(
    "change", [{"networks": 0}, {"view": "half"}, {"dropout": 1.0}, {"learning_rate": 0.0}, {"copies": -1}]
)
def test_settings_out_of_range_are_refused(change):
    with pytest.raises(ValueError, match=r"must be|expected"):
        replace(SMALL, **change)
