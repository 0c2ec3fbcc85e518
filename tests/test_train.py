import dataclasses
import tomllib

import numpy as np
import pytest
import tomli_w

from telperion.classifier import Classifier
from telperion.lightcurves import RepairWarning
from telperion.run import Run
from telperion.simulate.drawn import draw
from telperion.taxonomy import Taxonomy
from telperion.train import POWERS, choose_power, labelled, simulated, split, train

SMALL = {"name": "small", "tree": "plasticc", "model": {"kind": "gru", "epochs": 2, "hidden": 8, "head": 8}}


@pytest.fixture(scope="module")
def curves():
    return draw(n_per_class=8, seed=5)


def test_a_run_survives_its_own_toml():
    run = Run.from_dict(SMALL)
    again = Run.from_dict(tomllib.loads(tomli_w.dumps(run.to_dict())))
    assert again.to_dict() == run.to_dict()
    assert again.config() == run.config()


def test_a_preset_is_the_base_of_what_a_run_changes():
    run = Run.from_dict(SMALL | {"model": {"kind": "gru", "preset": "oracle", "batch_size": 64}})
    assert (run.config().preset, run.config().batch_size, run.config().learning_rate) == ("oracle", 64, 2e-4)


def test_settings_may_be_changed_where_a_run_is_read(tmp_path):
    path = tmp_path / "run.toml"
    path.write_text(tomli_w.dumps(SMALL))
    run = Run.load(
        path, ["name=other", "model.kind=gru", "model.hidden=7", "seeds=[3, 4]", "model.context_mix=[1, 0, 0]"]
    )
    assert (run.name, run.seeds, run.config().hidden, run.config().context_mix) == ("other", (3, 4), 7, (1.0, 0.0, 0.0))
    for change, what in (
        ("hidden", "changes no setting"),
        ("model.hiden=7", "perhaps 'hidden'"),
        ("name.x=1", "no table"),
    ):
        with pytest.raises(ValueError, match=what):
            Run.load(path, ["model.kind=gru", change]).config()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"vews": ["full"]}, "has no setting 'vews', perhaps 'views'"),
        ({"model": {"kind": "gru", "epoch": 3}}, "has no setting 'epoch', perhaps 'epochs'"),
        ({"model": {"kind": "gru", "epochs": "many"}}, "epochs is 'many', expected <class 'int'>"),
        ({"model": {"kind": "gru", "preset": "orakel"}}, "no preset 'orakel'"),
        ({"model": {"kind": "forest"}}, "must be one of bands, boost, gru, portrait, rocket, stack"),
        ({"views": ["half"]}, "views is \\['half'\\]"),
        ({"validation": 0.9}, "expected 0 <= validation < 0.5"),
    ],
)
def test_a_wrong_setting_is_refused_by_name(change, message):
    with pytest.raises(ValueError, match=message):
        Run.from_dict(SMALL | change).config()


def test_a_missing_setting_is_named():
    with pytest.raises(ValueError, match="lacks the setting 'tree'"):
        Run.from_dict({"name": "x", "model": {"kind": "boost"}})


def test_objects_without_a_label_are_left_out_with_a_notice(curves):
    tree = Taxonomy.load("plasticc")
    label = curves.label.copy()
    label[3] = ""
    with pytest.warns(RepairWarning, match="1 objects without a label"):
        assert len(labelled(curves.with_label(label), tree)) == len(curves) - 1
    with pytest.raises(ValueError, match="no object has a label"):
        labelled(curves.with_label(np.full(len(curves), "")), tree)


def test_the_split_keeps_class_shares_and_depends_on_names_and_seed_only(curves, rng):
    tree = Taxonomy.load("plasticc")
    taught, held = split(curves, tree, 0.25, seed=1)
    assert not set(taught.object_id) & set(held.object_id)
    assert np.bincount(tree.labels(held.label))[tree.leaves].tolist() == [2] * 14
    shuffled = curves[rng.permutation(len(curves))]
    assert set(split(shuffled, tree, 0.25, seed=1)[1].object_id) == set(held.object_id)
    assert set(split(curves, tree, 0.25, seed=2)[1].object_id) != set(held.object_id)


def test_training_is_reproducible_from_its_seed(curves, tmp_path):
    run = Run.from_dict(SMALL)
    first, second, other = (train(run, curves, folder=tmp_path / str(i), seed=max(i - 1, 0)) for i in range(3))
    assert np.array_equal(first.predict(curves, days=8), second.predict(curves, days=8))
    assert not np.array_equal(first.predict(curves, days=8), other.predict(curves, days=8))


def test_the_power_is_one_of_those_on_offer(classifiers, curves):
    model = classifiers["boost"].model
    assert choose_power(model, curves, "alert", ("specz", "none"), (2.0,)) in POWERS


def test_a_trained_classifier_remembers_its_run(classifier):
    assert classifier.run["seeds"] == [0]
    assert Run.from_dict(classifier.run).to_dict() == dict(classifier.run)
    assert isinstance(classifier, Classifier)
    assert dataclasses.is_dataclass(classifier)


STREAMED = {
    "name": "streamed",
    "tree": "elasticc",
    "days": [2, 64],
    "model": {"kind": "gru", "epochs": 3, "hidden": 8, "head": 8, "resampled": 0.0},
    "stream": {"light_curves": 80, "epoch": 40, "validation": 20, "mix": "EB=1,SLSN=1"},
}


def test_a_run_learns_from_a_survey_that_is_simulated_meanwhile(tmp_path, monkeypatch):
    """A training that is stopped, with half of its survey simulated, goes on to the same weights."""
    monkeypatch.setattr("telperion.simulate.survey.BATCH", 40)
    run = Run.from_dict(STREAMED)
    stream, held = simulated(run, tmp_path / "sky")
    straight = train(run, stream, folder=tmp_path / "straight", held=held)
    stream, held = simulated(run, tmp_path / "new")
    _stop_after(1, monkeypatch)
    with pytest.raises(KeyboardInterrupt):
        train(run, stream, folder=tmp_path / "stopped", held=held)
    monkeypatch.undo()
    monkeypatch.setattr("telperion.simulate.survey.BATCH", 40)
    stream, held = simulated(run, tmp_path / "new")
    resumed = train(run, stream, folder=tmp_path / "stopped", held=held)
    assert resumed.model.network == straight.model.network
    assert [line["validation_loss"] for line in resumed.model.history] == [
        line["validation_loss"] for line in straight.model.history
    ]
    assert dict(zip(resumed.tree.nodes, resumed.tree.from_leaves(resumed.mix[None])[0], strict=True))["KN"] < 1e-9
    assert not set(held.object_id) & set(stream.epoch(0).object_id)


def _stop_after(epochs, monkeypatch):
    from telperion.models.gru_training import Trainer

    save = Trainer.save_checkpoint

    def stop(trainer):
        save(trainer)
        if len(trainer.history) == epochs:
            raise KeyboardInterrupt

    monkeypatch.setattr(Trainer, "save_checkpoint", stop)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"model": {"kind": "boost"}}, "only a model of kind gru learns from a stream"),
        ({"stream": {"light_curves": 10, "epoch": 20, "validation": 5}}, "0 < epoch <= light_curves"),
        ({"stream": {"light_curves": 10, "epoch": 5, "validation": 5, "validation_seed": 1}}, "two seeds"),
        ({"stream": {"light_curve": 10}}, "perhaps 'light_curves'"),
    ],
)
def test_a_wrong_stream_is_refused(change, message):
    with pytest.raises(ValueError, match=message):
        Run.from_dict(STREAMED | change)


def test_a_stream_needs_objects_that_are_held_back(tmp_path):
    run = Run.from_dict(STREAMED)
    stream, _ = simulated(run, tmp_path)
    with pytest.raises(ValueError, match="held back"):
        train(run, stream, folder=tmp_path / "out")
