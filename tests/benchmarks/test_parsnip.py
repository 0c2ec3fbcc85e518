import numpy as np
import pytest

from telperion.encode.view import keep_context, view
from telperion.simulate.drawn import draw
from telperion.taxonomy import Taxonomy

pytest.importorskip("parsnip", reason="astro-parsnip is not installed: its model cannot be trained")

import lcdata
from parsnip.instruments import get_band_effective_wavelength

from benchmarks.peers.parsnip import NAMES, Parsnip, ParsnipAnew, dataset, make_model, published, rising
from benchmarks.peers.parsnip_training import train_model

TREE = Taxonomy.load("plasticc")
SMALL = {f"encode_{name}_architecture": [8] for name in ("fc", "time", "latent_prepool", "latent_postpool")}
SMALL |= {"encode_conv_architecture": [16], "encode_conv_dilations": [1], "decode_architecture": [8]}
SMALL |= {"spectrum_bins": 50, "band_oversampling": 11}


@pytest.fixture(scope="module")
def sky():
    return keep_context(view(draw(n_per_class=4, seed=1), 60.0), "photoz")


@pytest.fixture(scope="module")
def fitted(sky, tmp_path_factory):
    folder = tmp_path_factory.mktemp("parsnip")
    peer = ParsnipAnew()
    peer.most_epochs, peer.settings = 0, SMALL
    peer.fit(sky[:46], sky[46:], TREE, folder, seed=1, context="photoz")
    return peer, folder


def test_siblings_sum_to_their_parent_at_any_age(fitted, sky, adds_up):
    adds_up(fitted[0], sky)


def test_answers_do_not_depend_on_the_order_of_objects_and_nothing_seen_says_nothing(fitted, sky, minds_no_order):
    minds_no_order(fitted[0], sky, atol=1e-4)


def test_what_is_read_back_says_the_same_and_the_training_is_told(fitted, sky, is_kept):
    is_kept(*fitted, sky, epochs=0)


def test_without_redshifts_it_refuses(fitted, sky, tmp_path):
    bare = keep_context(sky, "none")
    with pytest.raises(ValueError, match="without any redshift"):
        ParsnipAnew().fit(bare, bare, TREE, tmp_path, seed=1, context="none")
    with pytest.raises(ValueError, match="have no redshifts"):
        fitted[0].predict(bare)


class Many(lcdata.Dataset):
    """Says that it is large, so that an epoch of the package goes through it only once."""

    def __len__(self):
        return 25000


def test_a_training_that_was_stopped_goes_on_as_if_it_had_not_been(sky, tmp_path):
    found = []
    for name, stops in (("straight", [2]), ("stopped", [1, 2])):
        for stop in stops:
            model = make_model(tmp_path / name, SMALL)
            data = rising(model.preprocess(dataset([sky]), verbose=False))
            many = Many(data.meta, data.light_curves)
            history = train_model(model, many, data, tmp_path / f"{name}.safetensors", stop, seed=3)
        found.append(model.state_dict())
        assert len(history) == 2
        assert all(np.isfinite(line["validation_loss"]) for line in history)
    for name, weights in found[0].items():
        np.testing.assert_allclose(found[1][name], weights, atol=1e-6, err_msg=name)


def test_bands_lie_where_rubin_s_lie(tmp_path):
    model = make_model(tmp_path, SMALL)
    assert list(model.settings["bands"]) == NAMES
    middle = [get_band_effective_wavelength(name) for name in NAMES]
    np.testing.assert_allclose(middle, [3710, 4770, 6190, 7540, 8670, 9750], atol=60)


def explained(model, sky):
    """Give the share of the flux's scatter about zero that a model leaves over, the median of all objects."""
    said = model.predict_dataset(model.preprocess(dataset([sky]), verbose=False))
    return np.median(said["model_chisq"] / said["total_s2n"] ** 2)


@pytest.mark.parametrize("name", ["plasticc", "plasticc_photoz"])
def test_published_weights_draw_light_curves_that_untrained_ones_cannot(sky, tmp_path, name):
    settings = {"predict_redshift": name.endswith("photoz")}
    trained, untrained = (make_model(tmp_path, settings) for _ in range(2))
    trained.load_state_dict(published(name))
    assert explained(trained, sky) < 0.2 < 0.5 * explained(untrained, sky)


def test_with_published_weights_only_the_booster_is_taught(sky, tmp_path, adds_up):
    peer = Parsnip()
    peer.fit(sky[:46], sky[46:], TREE, tmp_path, seed=1, context="photoz")
    adds_up(peer, sky)
    again = Parsnip()
    again.load(tmp_path, TREE)
    np.testing.assert_allclose(again.predict(sky), peer.predict(sky), atol=1e-6)
    kept = again._model.state_dict()
    assert all(np.array_equal(kept[name], weights) for name, weights in published("plasticc_photoz").items())
