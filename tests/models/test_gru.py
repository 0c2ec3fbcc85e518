"""The GRU: the published sizes, one answer whole, stepwise and in torch, and training that survives a kill."""

import io
import json
import re
import signal
import subprocess
import sys
import time
from dataclasses import replace

import numpy as np
import onnxruntime
import pytest
import safetensors.torch
import torch
from rich.console import Console

from telperion.encode.view import days_known, keep_context, view
from telperion.lightcurves import LightCurves
from telperion.models.gru import CARD, MAX_FILE_BYTES, Gru, GruState, encoder
from telperion.models.gru_config import ORACLE, TELPERION, GruConfig
from telperion.models.gru_network import OracleNetwork, build_network
from telperion.models.gru_onnx import export_onnx, read_weights
from telperion.models.gru_training import CHECKPOINT, Trainer, fit
from telperion.progress import progress_bar
from telperion.taxonomy import Taxonomy

SMALL = {
    "oracle": replace(ORACLE, hidden=12, epochs=4, batch_size=16, learning_rate=5e-3),
    "telperion": replace(TELPERION, hidden=16, head=24, layers=2, epochs=4, batch_size=16, learning_rate=5e-3),
    "rhythm": replace(TELPERION, hidden=16, head=24, rhythm=True, epochs=4, batch_size=16, learning_rate=5e-3),
}
LEAVES = ("SNIa", "SNII", "AGN")


def make_curves(seed, n):
    """Make transients and a variable of ragged lengths, the last with a single row."""
    rng = np.random.default_rng(seed)
    lengths = np.append(rng.integers(2, 60, n - 1), 1)
    owner = np.repeat(np.arange(n), lengths)
    time = 60000 + rng.uniform(0, 300, owner.size)
    kind = np.arange(n) % 3
    width = np.array([400.0, 3000.0, 1e9])[kind][owner]
    flux = 4000 * np.exp(-((time - 60120) ** 2) / width) + rng.normal(0, 150, owner.size)
    z = np.where(rng.random(n) < 0.2, np.nan, rng.uniform(0.02, 1, n))
    return LightCurves.from_rows(
        owner, time, rng.integers(0, 6, owner.size), flux, rng.uniform(50, 200, owner.size), flux > 600,
        objects=np.arange(n), label=np.array(LEAVES)[kind], dereddened=True,
        context={"hostgal_specz": z, "hostgal_photoz": z * 0.9, "mwebv": rng.uniform(0, 0.2, n)},
    )  # fmt: skip


@pytest.fixture(scope="module", autouse=True)
def one_thread():
    """Networks this small are slower on several threads."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(scope="module")
def tree():
    return Taxonomy.load("plasticc")


@pytest.fixture(scope="module")
def curves():
    return make_curves(1, 50)


@pytest.fixture(scope="module", params=SMALL)
def model(request, tree, tmp_path_factory):
    folder = tmp_path_factory.mktemp(request.param)
    return fit(make_curves(0, 60), make_curves(2, 20), tree, SMALL[request.param], folder=folder)


def rows_between(curves, first, last):
    rank = np.arange(curves.n_rows) - curves.offsets[curves.object_index]
    return curves.select_rows((rank >= first) & (rank < last))


# -- the published network -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(("n_static", "weights"), [(23, 122_294), (0, 121_054)])
def test_oracle_has_the_published_number_of_weights(n_static, weights):
    network = OracleNetwork(ORACLE, 26, n_static=n_static)
    assert sum(weight.numel() for weight in network.parameters()) == weights


def test_oracle_starts_as_keras_does():
    network = OracleNetwork(ORACLE, 26)
    recurrent = network.gru.weight_hh_l0.detach()
    torch.testing.assert_close(recurrent.T @ recurrent, torch.eye(100), atol=1e-5, rtol=0)
    assert network.gru.weight_ih_l1.abs().max().item() == pytest.approx((6 / 400) ** 0.5, rel=1e-3)
    assert not network.gru.bias_hh_l0.any()


def test_oracle_without_any_context_has_an_empty_static_branch():
    network = OracleNetwork(ORACLE, 26)
    rows, missing, places = torch.randn(1, 4, 5), torch.full((1, 23), -9.0), torch.tensor([[3]])
    changed = OracleNetwork(ORACLE, 26)
    changed.load_state_dict(network.state_dict())
    torch.nn.init.normal_(changed.static.weight)
    torch.testing.assert_close(network(rows, missing, places), changed(rows, missing, places))


# -- classifying ---------------------------------------------------------------------------------------------------


def test_onnx_equals_torch_on_trained_weights_and_ragged_lengths(tree, curves, tmp_path):
    for name, config in SMALL.items():
        trainer = Trainer(make_curves(0, 60), None, tree, config, tmp_path / name, 0)
        for _ in range(3):
            trainer.run_epoch()
        trainer.network.load_state_dict(trainer.best)
        inputs = encoder(config)
        static = inputs.static(curves)
        rows, lengths, _ = inputs.rows(curves, static, inputs.start(len(curves)))
        with torch.no_grad():
            last = torch.from_numpy(lengths - 1)[:, None]
            logits = trainer.network.eval()(torch.from_numpy(rows), torch.from_numpy(static), last)[:, 0]
        expected = tree.probabilities(logits.double().numpy())
        np.testing.assert_allclose(trainer.model().predict(curves), expected, atol=1e-5)


def test_streaming_equals_the_full_run_after_every_row(model, curves):
    state = model.start(len(curves))
    for count in range(1, int(curves.lengths.max()) + 1):
        probabilities, state = model.step(state, rows_between(curves, count - 1, count))
        np.testing.assert_allclose(probabilities, model.predict(rows_between(curves, 0, count)), atol=1e-5)


def test_a_state_knows_up_to_which_day_its_objects_are_known(model, curves):
    state = model.start(len(curves))
    assert np.isnan(state.days).all()
    for count in range(0, int(curves.lengths.max()), 3):
        _, state = model.step(state, rows_between(curves, count, count + 3))
        np.testing.assert_allclose(state.days, days_known(rows_between(curves, 0, count + 3)), atol=1e-9)


def test_steps_of_any_size_equal_the_full_run(model, curves, rng):
    cuts = np.sort(rng.integers(0, 60, (len(curves), 4)), axis=1)
    edges = np.concatenate([np.zeros((len(curves), 1), int), cuts, np.full((len(curves), 1), 60)], axis=1)
    state = model.start(len(curves))
    for step in range(5):
        own = curves.object_index
        part = rows_between(curves, edges[own, step], edges[own, step + 1])
        probabilities, state = model.step(state, part)
    np.testing.assert_allclose(probabilities, model.predict(curves), atol=1e-5)


def test_one_object_is_classified_alone_as_in_company(model, curves):
    together = model.predict(curves)
    alone = np.concatenate([model.predict(curves[index]) for index in range(len(curves))])
    np.testing.assert_allclose(alone, together, atol=1e-5)


def test_probabilities_are_those_of_a_tree(model, curves):
    probabilities = model.predict(curves)
    assert probabilities.shape == (len(curves), len(model.tree))
    assert probabilities.dtype == np.float32
    np.testing.assert_allclose(probabilities[:, model.tree.leaves].sum(axis=1), 1, atol=1e-5)
    np.testing.assert_array_equal(probabilities[:, 0], 1)


def test_an_object_without_rows_gets_the_prior_and_keeps_its_state(model, curves):
    nothing = rows_between(curves, 0, 0)
    probabilities, state = model.step(model.start(len(curves)), nothing)
    np.testing.assert_allclose(probabilities, model.tree.from_leaves(np.tile(model.mix, (len(curves), 1))), atol=1e-6)
    np.testing.assert_array_equal(state.hidden, 0)
    assert model.mix.sum() == pytest.approx(1)


def test_every_context_is_classified(model, curves):
    for which in ("specz", "photoz", "none"):
        assert np.isfinite(model.predict(keep_context(curves, which))).all()


def test_a_long_light_curve_is_classified(model, rng):
    rows = 50_000
    long = LightCurves(["a"], [0, rows], np.sort(rng.uniform(6e4, 6.4e4, rows)), rng.integers(0, 6, rows),
                       rng.normal(size=rows), np.ones(rows), rng.random(rows) < 0.5, dereddened=True)  # fmt: skip
    assert np.isfinite(model.predict(long)).all()


def test_a_state_takes_less_than_4_kb_an_object(tree):
    for config in (ORACLE, TELPERION, replace(TELPERION, hidden=256, rhythm=True)):
        inputs = encoder(config)
        n_bytes = inputs.start(1).nbytes + 4 * (config.layers * config.hidden + len(tree)) + 8
        assert n_bytes < 4096


def test_states_are_selected_and_joined(model, curves):
    _, state = model.step(model.start(len(curves)), curves)
    joined = GruState.concatenate([state[:7], state[np.arange(7, len(curves))]])
    np.testing.assert_array_equal(joined.memory, state.memory)
    np.testing.assert_array_equal(joined.hidden, state.hidden)


def test_a_state_of_other_objects_is_refused(model, curves):
    with pytest.raises(ValueError, match="the state is of 3 objects, the light curves of 50"):
        model.step(model.start(3), curves)


# -- files ---------------------------------------------------------------------------------------------------------


def test_saved_and_loaded_model_predicts_the_same(model, curves, tmp_path):
    model.save(tmp_path)
    again = Gru.load(tmp_path, model.tree)
    np.testing.assert_array_equal(again.predict(curves), model.predict(curves))
    assert (again.config, again.history) == (model.config, model.history)


def test_bad_model_folders_are_refused(model, tmp_path):
    def broken(change, message, tree=model.tree):
        model.save(tmp_path)
        change()
        with pytest.raises(ValueError, match=message):
            Gru.load(tmp_path, tree)

    network, document = tmp_path / "network.onnx", tmp_path / "gru.json"
    broken(network.unlink, "network.onnx is missing")
    broken(document.unlink, "gru.json is missing")
    broken(lambda: network.write_bytes(b"no network"), "cannot be used")
    broken(lambda: network.write_bytes(model.network[:-500]), "cannot be used")
    broken(lambda: network.write_bytes(bytes(MAX_FILE_BYTES + 1)), "larger than")
    broken(lambda: document.write_text("{"), "not the card of a model")
    broken(lambda: document.write_text('{"format": 99}'), "has format 99, this version reads 1")
    broken(lambda: None, "another tree than 'mallorn'", Taxonomy.load("mallorn"))
    altered = json.loads(document.read_text())
    altered["config"]["hiden"] = 3
    broken(lambda: document.write_text(json.dumps(altered)), "setting unknown to this version: .hiden")


def test_a_network_of_another_preset_is_refused(tree, tmp_path):
    trainer = Trainer(make_curves(0, 12), None, tree, SMALL["oracle"], tmp_path, 0)
    model = trainer.model()
    with pytest.raises(ValueError, match="expected"):
        Gru(SMALL["telperion"], tree, model.mix, model.network)


# -- training ------------------------------------------------------------------------------------------------------


def weights(model):
    return np.concatenate([np.ravel(v) for v in model.predict(make_curves(5, 30))])


@pytest.mark.parametrize("preset", SMALL)
def test_training_is_reproducible_from_its_seed(preset, tree, tmp_path):
    def train(seed, folder):
        return fit(make_curves(0, 40), None, tree, SMALL[preset], folder=tmp_path / folder, seed=seed)

    first = train(3, "a")
    assert first.network == train(3, "b").network
    assert first.network != train(4, "c").network


def test_training_lowers_the_loss(tree, tmp_path):
    config = replace(SMALL["telperion"], epochs=8, learning_rate=0.01, dropout=0.0, phases=3)
    history = fit(make_curves(0, 60), make_curves(2, 20), tree, config, folder=tmp_path).history
    assert history[-1]["loss"] < 0.8 * history[0]["loss"]
    assert min(line["validation_loss"] for line in history) < history[0]["validation_loss"]


def test_a_log_of_a_training_has_a_line_an_epoch(tree, tmp_path):
    config, log = replace(SMALL["telperion"], epochs=3), io.StringIO()
    with progress_bar(Console(file=log)) as progress:
        model = fit(make_curves(0, 40), make_curves(2, 20), tree, config, folder=tmp_path, progress=progress)
    said = re.findall(r"^training \(loss (.+), validation (.+), rate (.+)\): (\d) of 3, .+ left$", log.getvalue(), re.M)
    names = ("loss", "validation_loss", "learning_rate")
    expected = [[*(line[name] for name in names), line["epoch"] + 1] for line in model.history]
    np.testing.assert_allclose(np.array(said, dtype=float), expected, rtol=0.05, atol=1e-4)


class StopAfter:
    """Stands for a progress display during which somebody presses Ctrl-C."""

    def __init__(self, epochs):
        self.left = epochs

    def add_task(self, *args, **kwargs):
        return 0

    def update(self, *args, **kwargs):
        self.left -= 1
        if self.left == 0:
            raise KeyboardInterrupt


@pytest.mark.parametrize("preset", SMALL)
def test_a_stopped_run_goes_on_to_the_same_result(preset, tree, tmp_path):
    config = SMALL[preset]
    train, validation = make_curves(0, 40), make_curves(2, 20)
    straight = fit(train, validation, tree, config, folder=tmp_path / "straight")
    with pytest.raises(KeyboardInterrupt):
        fit(train, validation, tree, config, folder=tmp_path / "stopped", progress=StopAfter(2))
    resumed = fit(train, validation, tree, config, folder=tmp_path / "stopped")
    assert resumed.network == straight.network
    assert [line["loss"] for line in resumed.history] == [line["loss"] for line in straight.history]


def test_a_killed_run_goes_on_to_the_same_result(tree, tmp_path):
    script = (
        "import sys; sys.path.insert(0, sys.argv[1]); import test_gru as t;"
        "t.fit(t.make_curves(0, 40), None, t.Taxonomy.load('plasticc'), t.SMALL['telperion'], folder=sys.argv[2])"
    )
    here = str(__file__).rsplit("/", 1)[0]
    process = subprocess.Popen([sys.executable, "-c", script, here, str(tmp_path / "killed")])
    deadline = time.monotonic() + 60
    while not (tmp_path / "killed" / CHECKPOINT).exists() and time.monotonic() < deadline:
        time.sleep(0.002)
    process.send_signal(signal.SIGKILL)
    process.wait()
    config = SMALL["telperion"]
    resumed = fit(make_curves(0, 40), None, tree, config, folder=tmp_path / "killed")
    straight = fit(make_curves(0, 40), None, tree, config, folder=tmp_path / "straight")
    np.testing.assert_allclose(weights(resumed), weights(straight), atol=1e-6)


def test_a_checkpoint_of_another_run_is_refused(tree, tmp_path):
    config = replace(SMALL["oracle"], epochs=1)
    fit(make_curves(0, 20), None, tree, config, folder=tmp_path)
    with pytest.raises(ValueError, match="is of a run with other data"):
        fit(make_curves(0, 21), None, tree, config, folder=tmp_path)
    (tmp_path / CHECKPOINT).write_bytes(b"garbage")
    with pytest.raises(ValueError, match="is no checkpoint"):
        fit(make_curves(0, 20), None, tree, config, folder=tmp_path)


def test_the_best_epoch_is_kept_and_patience_ends_training(tree, tmp_path):
    config = replace(SMALL["telperion"], epochs=60, patience=2, learning_rate=0.3, schedule="exponential", average=0.0)
    model = fit(make_curves(0, 40), make_curves(2, 20), tree, config, folder=tmp_path)
    losses = [line["validation_loss"] for line in model.history]
    assert len(losses) == int(np.argmin(losses)) + 3


def test_labels_above_the_leaves_train_and_unknown_ones_are_left_out(tree, tmp_path):
    curves = make_curves(0, 30)
    labels = np.where(np.arange(30) % 3 == 0, "SN", curves.label)
    labels = np.where(np.arange(30) % 5 == 0, "", labels)
    trainer = Trainer(curves.with_label(labels), None, tree, SMALL["telperion"], tmp_path, 0)
    used = (labels != "") & (view(curves, np.inf, "alert").lengths > 0)
    assert len(trainer.labels) == used.sum()
    assert np.isfinite(trainer.run_epoch()["loss"])


def test_nothing_to_train_on_is_an_error(tree, tmp_path):
    curves = make_curves(0, 10)
    with pytest.raises(ValueError, match="none of the 10 training objects has a label and rows"):
        fit(curves.with_label(np.full(10, "")), None, tree, SMALL["oracle"], folder=tmp_path)


def test_diverged_training_says_so(tree, tmp_path):
    trainer = Trainer(make_curves(0, 20), None, tree, SMALL["oracle"], tmp_path, 0)
    torch.nn.init.constant_(trainer.network.logits.bias, float("nan"))
    with pytest.raises(FloatingPointError, match="diverged in epoch 0"):
        trainer.run_epoch()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"preset": "lstm"}, "preset is 'lstm', expected one of telperion, oracle"),
        ({"dropout": 1.5}, "dropout is 1.5, expected 0 to 0.95"),
        ({"context_mix": (1, 0)}, "expected three shares"),
        ({"preset": "oracle"}, "knows no rhythm and no groups of context"),
    ],
)
def test_a_configuration_out_of_range_is_refused(change, message):
    with pytest.raises(ValueError, match=message):
        GruConfig(**change)


def test_networks_are_small_files(tree):
    for config in (ORACLE, TELPERION):
        network = build_network(config, len(tree))
        assert sum(weight.numel() for weight in network.parameters()) * 4 < 1_000_000


def test_classifying_needs_no_torch():
    code = "import sys, telperion.models.gru; sys.exit('torch' in sys.modules or 'onnx' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
    assert onnxruntime.get_available_providers()


def test_a_training_may_start_from_the_weights_of_another(curves, tree, tmp_path):
    config = SMALL["telperion"]
    fit(curves, None, tree, config, folder=tmp_path / "first")
    start = replace(config, start=str(tmp_path / "first" / CHECKPOINT))
    again = Trainer(curves, None, tree, start, tmp_path / "second", 1)
    scratch = Trainer(curves, None, tree, config, tmp_path / "third", 1)
    assert again.run_epoch()["loss"] < scratch.run_epoch()["loss"]
    other = Taxonomy("other", {"Alert": {name: {} for name in LEAVES[:3]}})
    few = curves[np.isin(curves.label, LEAVES[:3])]
    moved = Trainer(few, None, other, start, tmp_path / "fourth", 1).network.state_dict()
    assert moved["logits.weight"].shape[0] == len(other)
    kept = safetensors.torch.load_file(tmp_path / "first" / CHECKPOINT)
    assert torch.equal(moved["gru.weight_hh_l0"], kept["best.gru.weight_hh_l0"])
    with pytest.raises(ValueError, match="no checkpoint and no recurrent classifier 'nowhere'"):
        Trainer(curves, None, tree, replace(config, start="nowhere"), tmp_path, 1)
    with pytest.raises(ValueError, match="other layers"):
        Trainer(curves, None, tree, replace(start, hidden=config.hidden + 1), tmp_path, 1)


def test_no_validation_objects_are_as_good_as_none(curves, tree, tmp_path):
    found = fit(curves, curves[:0], tree, replace(SMALL["telperion"], epochs=1), folder=tmp_path)
    assert "validation_loss" not in found.history[0]


@pytest.mark.parametrize("preset", SMALL)
def test_the_weights_are_read_back_from_the_graph(preset, tree, tmp_path):
    """A classifier's folder is enough to start a training from: its graph holds what torch had."""
    torch.manual_seed(4)
    network = build_network(replace(SMALL[preset], layers=2), len(tree)).eval()
    model = Gru(replace(SMALL[preset], layers=2), tree, np.ones(tree.leaves.size), export_onnx(network))
    for name, weight in network.state_dict().items():
        assert torch.equal(read_weights(model.network)[name], weight)
    model.save(tmp_path / "classifier" / "model")
    start = replace(SMALL[preset], layers=2, start=str(tmp_path / "classifier"))
    begun = Trainer(make_curves(0, 12), None, tree, start, tmp_path / "training", 1).network.state_dict()
    assert all(torch.equal(begun[name], weight) for name, weight in network.state_dict().items())


def test_nodes_of_the_same_name_keep_what_was_learnt_of_them(tree, tmp_path):
    config = SMALL["telperion"]
    network = build_network(config, len(tree)).eval()
    Gru(config, tree, np.ones(tree.leaves.size), export_onnx(network)).save(tmp_path / "old" / "model")
    other = Taxonomy("other", {"Alert": {"SNIa": {}, "Nova": {}, "AGN": {}, "SNII": {}}})
    start = replace(config, start=str(tmp_path / "old"))
    begun = Trainer(make_curves(0, 12), None, other, start, tmp_path / "new", 1).network.state_dict()
    for name in LEAVES:
        for part in ("logits.weight", "logits.bias"):
            assert torch.equal(begun[part][other.index(name)], network.state_dict()[part][tree.index(name)])
    assert not torch.equal(begun["logits.weight"][other.index("Nova")], network.state_dict()["logits.weight"][0])
    card = tmp_path / "old" / "model" / CARD
    card.write_text(json.dumps({**json.loads(card.read_text()), "nodes": list(LEAVES[:2])}))
    with pytest.raises(ValueError, match="does not name the nodes"):
        Trainer(make_curves(0, 12), None, other, start, tmp_path / "newer", 1)


@pytest.mark.parametrize("preset", SMALL)
def test_context_alone_is_asked_as_after_a_series_of_length_zero(preset, tree):
    """Against torch: a state of zeros and, for our own preset, a last row of zeros."""
    torch.manual_seed(3)
    network = build_network(SMALL[preset], len(tree)).eval()
    model = Gru(SMALL[preset], tree, np.ones(tree.leaves.size), export_onnx(network))
    curves = make_curves(2, 9)
    static = torch.from_numpy(encoder(SMALL[preset]).static(curves))
    state = torch.zeros(len(curves), SMALL[preset].hidden)
    with torch.no_grad():
        if preset == "oracle":
            joint = torch.cat([network.series(state).tanh(), network.static(static)], dim=1)
            logits = network.logits(network.latent(network.joint(joint).relu()).relu())
        else:
            rows = torch.zeros(len(curves), encoder(SMALL[preset]).n_features)
            joint = torch.cat([state, rows, static], dim=1)
            latent = torch.nn.functional.silu(network.head(joint))
            logits = network.logits(torch.nn.functional.silu(network.latent(latent)))
    said = model.predict_context(curves)
    np.testing.assert_allclose(said, tree.probabilities(logits.double().numpy()), atol=1e-5)
    np.testing.assert_array_equal(said, model.predict_context(curves.select_rows(np.zeros(curves.n_rows, dtype=bool))))
