"""The networks by band: their published sizes, padding that does not matter, training that survives a stop."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from telperion.models import bands, bands_network
from telperion.simulate.drawn import draw
from telperion.taxonomy import Taxonomy

SMALL = {name: replace(preset, n_rows=40, epochs=3, target="AGN") for name, preset in bands_network.PRESETS.items()}


@pytest.fixture(scope="module", autouse=True)
def one_thread():
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(scope="module")
def tree():
    return Taxonomy.load("plasticc")


@pytest.fixture(scope="module")
def curves():
    return draw(n_per_class=4, seed=2)


@pytest.fixture(scope="module", params=SMALL)
def model(request, curves, tree, tmp_path_factory):
    folder = tmp_path_factory.mktemp(request.param)
    return bands.fit(curves, curves[::3], tree, SMALL[request.param], folder=folder)


@pytest.mark.parametrize(("name", "size"), [("cnn", 545_537), ("transformer", 175_681)])
def test_the_networks_have_the_published_sizes(name, size):
    network = bands_network.build_network(bands_network.PRESETS[name])
    assert sum(weight.numel() for weight in network.parameters()) == size


@pytest.mark.parametrize("n_rows", [40, 90, 200])
def test_convolving_the_known_rows_alone_changes_nothing(n_rows, rng):
    encode = bands_network.build_network(bands_network.PRESETS["cnn"]).encoders
    rows = torch.from_numpy(rng.normal(size=(30, 6, len(bands_network.CHANNELS), n_rows))).float()
    lengths = torch.from_numpy(rng.integers(0, n_rows + 1, (30, 6)))
    known = torch.arange(n_rows) < lengths[..., None]
    rows = rows * known[:, :, None]
    rows[:, :, -1] = known
    rows = rows.flatten(1, 2)
    found = bands_network._mean_response(encode, rows, lengths.amax(dim=1))
    torch.testing.assert_close(found, encode(rows[:, :, None])[:, :, 0].mean(dim=-1), rtol=1e-5, atol=1e-6)


def test_no_band_is_convolved_with_another(rng):
    encode = bands_network.build_network(bands_network.PRESETS["cnn"]).encoders
    rows = torch.from_numpy(rng.normal(size=(1, 6 * len(bands_network.CHANNELS), 1, 40))).float()
    changed = rows.clone()
    changed[:, : len(bands_network.CHANNELS)] += 1
    same = (encode(rows) == encode(changed)).all(dim=-1).flatten().unflatten(0, (6, 128)).all(dim=1)
    assert same.tolist() == [False] + [True] * 5


def test_probabilities_sum_up_the_tree(model, curves, tree):
    found = model.predict(curves)
    np.testing.assert_allclose(found[:, 0], 1, atol=1e-5)
    np.testing.assert_allclose(found[:, tree.leaves].sum(axis=1), 1, atol=1e-5)


def test_an_object_is_classified_alone_as_in_company(model, curves):
    together = model.predict(curves)
    for index in range(0, len(curves), 9):
        np.testing.assert_allclose(model.predict(curves[index])[0], together[index], atol=2e-6)


def test_an_object_without_rows_is_no_reason_to_fail(model, curves):
    empty = curves.select_rows(curves.object_index > 0)
    assert np.isfinite(model.predict(empty)).all()


def test_room_for_more_rows_does_not_change_what_attention_says(curves):
    torch.manual_seed(0)
    network = bands_network.build_network(replace(bands_network.TRANSFORMER, dropout=0.0)).eval()
    few = curves[:6].select_rows(np.arange(curves[:6].n_rows) % 5 == 0)
    with torch.no_grad():
        found = [network(*bands._inputs(few, replace(bands_network.TRANSFORMER, n_rows=n))) for n in (100, 200)]
    torch.testing.assert_close(found[0], found[1], rtol=1e-4, atol=1e-5)


def test_a_stopped_run_goes_on_to_the_same_weights(model, curves, tree, tmp_path):
    short = bands._Trainer(curves, curves[::3], tree, model.config, tmp_path, 0)
    short.run_epoch()
    again = bands.fit(curves, curves[::3], tree, model.config, folder=tmp_path)
    np.testing.assert_allclose(again.predict(curves), model.predict(curves), atol=1e-6)
    with pytest.raises(ValueError, match="of a run with other data"):
        bands.fit(curves, curves[::3], tree, model.config, folder=tmp_path, seed=1)


def test_a_saved_model_reads_back(model, curves, tree, tmp_path):
    model.save(tmp_path)
    np.testing.assert_allclose(bands.load(tmp_path, tree).predict(curves), model.predict(curves), atol=1e-6)
    with pytest.raises(ValueError, match="another tree"):
        bands.load(tmp_path, Taxonomy.load("elasticc"))
    (tmp_path / bands.WEIGHTS).write_bytes(b"no weights")
    with pytest.raises(ValueError, match="cannot be used"):
        bands.load(tmp_path, tree)
    (tmp_path / bands.WEIGHTS).unlink()
    with pytest.raises(ValueError, match="missing or larger"):
        bands.load(tmp_path, tree)


def test_a_target_that_is_not_there_is_refused(curves, tree, tmp_path):
    with pytest.raises(ValueError, match=r"none of the .* training objects is a AGN"):
        bands.fit(curves[curves.label != "AGN"], curves, tree, SMALL["cnn"], folder=tmp_path)


@pytest.mark.parametrize(
    "change", [{"network": "rnn"}, {"precision": "half"}, {"epochs": 0}, {"alpha": 1.0}, {"learning_rate": 0.0}]
)
def test_settings_out_of_range_are_refused(change):
    with pytest.raises(ValueError, match=r"expected|at least|above 0"):
        replace(bands_network.CNN, **change)
