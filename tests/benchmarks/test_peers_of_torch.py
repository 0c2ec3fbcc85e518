import dataclasses
import json
from importlib.util import find_spec

import numpy as np
import pytest

pytest.importorskip("torch", reason="the peers need telperion[train]")

import torch

from benchmarks.peers.fitting import Recipe
from benchmarks.peers.peer import Steps, make
from benchmarks.peers.rapid import GRID, encode, interpolated, trigger_step
from benchmarks.peers.scone import SconeNetwork, images
from benchmarks.peers.training import plateau
from telperion.encode.view import view
from telperion.lightcurves import LightCurves
from telperion.simulate.drawn import draw
from telperion.taxonomy import Taxonomy
from telperion.train import split

TREE = Taxonomy.load("plasticc")
TORCH = ("telperion", "oracle", "flat-gru", "local-hierarchy", "rapid", "scone", "attention")
no_keras = pytest.mark.skipif(find_spec("keras") is None, reason="Keras is not installed: pip install keras")
PEERS = [*TORCH, pytest.param("oracle-keras", marks=no_keras)]


@pytest.fixture(scope="module")
def curves():
    return draw(n_per_class=5, seed=1)


@pytest.fixture(scope="module", params=PEERS)
def fitted(request, curves, tmp_path_factory):
    folder = tmp_path_factory.mktemp(request.param)
    peer = make(request.param)
    peer.most_epochs, peer.view_of_training = 2, "alert"
    if request.param in ("attention", "oracle-keras"):
        curves = short(curves)
    peer.fit(*split(curves, TREE, 0.2, 0), TREE, folder, seed=0, context="specz")
    other = make(request.param)
    other.load(folder, TREE)
    return other, folder


def short(curves):
    """Few objects, for the peers that take their time."""
    return curves[np.arange(len(curves)) % 5 < 2]


def test_probabilities_sum_along_the_tree_and_tell_objects_apart(fitted, curves):
    said = fitted[0].predict(view(curves, 8.0, "alert"))
    assert said.shape == (len(curves), len(TREE))
    assert said.dtype == np.float32
    assert np.allclose(said[:, 0], 1, atol=1e-5)
    for group in TREE.groups[1:]:
        assert np.allclose(said[:, group].sum(axis=1), said[:, TREE.parent[group[0]]], atol=1e-5)
    assert said.std(axis=0).max() > 1e-5


def test_neither_order_nor_padding_matters(fitted, curves, rng):
    peer, known = fitted[0], view(curves[::4], 64.0, "alert")
    said, order = peer.predict(known), rng.permutation(len(known))
    assert np.allclose(peer.predict(known[order]), said[order], atol=1e-5)
    alone = [peer.predict(known[k : k + 1])[0] for k in range(6)]
    assert np.allclose(alone, said[:6], atol=1e-5)


def test_training_is_described(fitted):
    peer, folder = fitted
    told = json.loads((folder / "training.json").read_text())
    assert told["epochs"] == 2
    assert told["seconds"] > 0
    assert told["n_parameters"] == peer.n_parameters > 1000
    assert told["plateau"] in (True, False)


def test_one_row_after_the_other_says_what_all_rows_say(fitted, curves):
    peer = fitted[0]
    if not isinstance(peer, Steps):
        pytest.skip("reads whole light curves")
    known = view(curves[::7], 64.0, "alert")
    known = known[known.lengths > 1]
    last = np.isin(np.arange(known.n_rows), known.offsets[1:] - 1)
    _, state = peer.step(peer.start(len(known)), known.select_rows(~last))
    stepped, _ = peer.step(state, known.select_rows(last))
    assert np.allclose(stepped, peer.predict(known), atol=1e-5)
    assert peer.state_bytes < 4000


@pytest.mark.parametrize("name", ["rapid", "scone"])
def test_a_stopped_fit_goes_on_to_the_same_weights(name, curves, tmp_path):
    parts = split(short(curves), TREE, 0.5, 0)
    said = []
    for place, stops in (("at-once", (3,)), ("stopped", (1, 3))):
        folder = tmp_path / place
        folder.mkdir()
        for epochs in stops:
            peer = make(name)
            peer.most_epochs = epochs
            peer.fit(*parts, TREE, folder, seed=0, context="specz")
        peer.load(folder, TREE)
        said.append(peer.predict(view(curves[:9], 8.0, "alert")))
    assert np.allclose(said[0], said[1], atol=1e-6)


def test_a_checkpoint_of_other_objects_is_refused(curves, tmp_path):
    train, valid = split(short(curves), TREE, 0.5, 0)
    peer = make("rapid")
    peer.most_epochs = 1
    peer.fit(train, valid, TREE, tmp_path, seed=0, context="specz")
    with pytest.raises(ValueError, match="other data"):
        peer.fit(train[1:], valid, TREE, tmp_path, seed=0, context="specz")


def test_scone_has_the_weights_that_its_publication_names():
    assert sum(weight.numel() for weight in SconeNetwork(6, n_context=0).parameters()) == 22_606


def test_scone_sees_a_bright_source_where_it_is_and_nothing_to_come():
    days = np.arange(0.0, 20.0, 2.0)
    flux = 1000 * np.exp(-(((days - 10) / 5) ** 2)) + 50
    curve = LightCurves.from_rows(
        ["a"] * 10, days + 60_000, [2] * 10, flux, [5.0] * 10, [True] * 10, dereddened=True
    )  # fmt: skip
    (image,) = images(curve).astype(float)
    assert abs(image[0].max(axis=0).argmax() - 60) <= 1  # 50 days before the first detection, then ten
    assert image[0].max() == pytest.approx(1, abs=0.01)
    assert not image[:, :, 50 + 19 :].any()
    assert image[1, 14, 59] < image[1, 14, 20]  # surer beside rows than a month before


def test_rapid_interpolates_and_looks_at_nothing_later():
    days = np.array([0.0, 4.0, 8.0])
    curve = LightCurves.from_rows(
        ["a"] * 3, days + 60_000, [1] * 3, [1000.0, 3000.0, 2000.0], [9.0] * 3, [True] * 3, dereddened=True
    )  # fmt: skip
    series, lengths = encode(curve)
    assert lengths.tolist() == [trigger_step() + 1 + 2]  # 8 days are seen at the next step, on day 8
    near = interpolated(curve, days, np.array([-3.0, 0.0, 2.0, 4.0, 20.0]))[0, :, 1]
    bright = np.arcsinh([1.0, 3.0, 2.0])
    assert np.allclose(near, [0, bright[0], (bright[0] + bright[1]) / 2, bright[1], bright[2]])
    assert not series[0, :, [0, 2, 3, 4, 5]].any()
    assert (GRID[0], GRID.size) == (-70, 50)


@no_keras
def test_the_network_in_keras_is_as_large_as_published_and_its_loss_is_ours():
    from keras import ops

    from benchmarks.peers.oracle_keras import build, weighted_paths, whxe
    from telperion.loss import build_loss

    assert build(26, 20).count_params() == 122_294
    labels = TREE.leaves[np.arange(40) % TREE.leaves.size]
    logits = np.random.default_rng(0).normal(size=(40, len(TREE))).astype(np.float32)
    theirs = ops.convert_to_numpy(whxe(TREE)(weighted_paths(labels, TREE)[labels], logits))
    ours = build_loss("whxe", labels, TREE, alpha=0.5, balance=1.0)(torch.from_numpy(logits), torch.from_numpy(labels))
    assert theirs.mean() == pytest.approx(ours.item(), rel=1e-5)


@no_keras
def test_with_the_weights_of_the_recipe_keras_says_what_it_says(curves, tmp_path):
    parts, said = split(curves, TREE, 0.2, 0), []
    for name in ("oracle", "oracle-keras"):
        peer, folder = make(name), tmp_path / f"{name}-0"
        folder.mkdir()
        peer.most_epochs = 2
        peer.fit(*parts, TREE, folder, seed=0, context="specz")
        peer.load(folder, TREE)
        said.append(peer.predict(view(curves, 8.0, "alert")))
    np.testing.assert_allclose(*said, rtol=0, atol=1e-5)


def test_the_rate_falls_where_the_loss_does_not():
    recipe = Recipe(learning_rate=1.0, wait=2)
    assert [recipe.rate([3.0, 2.0, 2.5, 2.5][:n]) for n in range(5)] == [1, 1, 1, 1, 0.5]
    assert dataclasses.replace(recipe, epochs=9).shortened(4).epochs == 4


def test_a_plateau_is_patience_run_out_or_next_to_nothing_gained():
    assert plateau([3.0, 1.0, 1.1, 1.2], 2)
    assert plateau([3.0, 2.0, 1.5, 1.2, 1.0, 1.0, 1.0, 1.0, 1.0, 0.999], 100)
    assert not plateau(list(np.linspace(3, 1, 20)), 100)
