import json

import numpy as np
import pytest

from benchmarks.peers import __main__ as command
from benchmarks.peers.data import capped, class_mix
from benchmarks.peers.measure import repeated, times
from benchmarks.peers.peer import PEERS, make
from benchmarks.peers.results import read_results, result_table
from telperion.formats.parquet import write
from telperion.lightcurves import LightCurves
from telperion.simulate.drawn import draw
from telperion.taxonomy import Taxonomy

TREE = Taxonomy.load("plasticc")


class Dummy:
    """Knows the class mix and the number of an object's rows."""

    name, what = "A dummy", "nobody's"
    view_of_training = "full"
    n_parameters, state_bytes = len(TREE.leaves), 8

    def __init__(self):
        self.fits = 0

    def fit(self, train, valid, tree, folder, *, seed, context):
        self.fits += 1
        assert self.view_of_training == "alert"
        assert not np.intersect1d(train.object_id, valid.object_id).size
        (folder / "mix.json").write_text(json.dumps(class_mix(train, tree).tolist()))
        training = {"epochs": 1, "seconds": 0.5, "plateau": True, "n_parameters": self.n_parameters}
        (folder / "training.json").write_text(json.dumps(training))

    def load(self, folder, tree):
        self.mix = np.array(json.loads((folder / "mix.json").read_text()))

    def predict(self, known):
        return TREE.from_leaves(np.repeat(self.mix[None], len(known), axis=0)).astype(np.float32)

    def start(self, n_objects):
        return np.zeros(n_objects)

    def step(self, state, light_curves):
        return self.predict(light_curves), state + light_curves.lengths


@pytest.fixture
def folders(tmp_path):
    for name, seed in (("train", 1), ("test", 2)):
        (tmp_path / name).mkdir()
        write(draw(n_per_class=6, seed=seed), tmp_path / name / "curves.parquet")
    return tmp_path


def order(folders, *more):
    given = ["run", "dummy", "--train", folders / "train", "--test", folders / "test", "-o", folders / "out"]
    return [str(word) for word in (*given, "--tree", "plasticc", "--most", 5, "--batch", 90, *more)]


def test_the_command_trains_scores_times_and_shows(folders, monkeypatch, capsys):
    dummy = Dummy()
    monkeypatch.setattr(command, "make", {"dummy": dummy}.__getitem__)
    assert command.main(order(folders, "--seeds", 0, 1, "--days", 2, 64)) == 0
    first, second = read_results(folders / "out")
    n_classes = len(np.unique(draw(n_per_class=1).label))
    assert (first["seed"], second["seed"]) == (0, 1)
    assert first["objects"]["test"] == 5 * n_classes
    assert first["objects"]["train"] + first["objects"]["valid"] == 5 * n_classes
    assert list(first["scores"]) == ["2", "64"]
    assert first["scores"]["2"]["leaves"]["accuracy"] == pytest.approx(1 / n_classes)
    assert all(first["times"][name] > 0 for name in ("batch_ms", "one_ms", "step_ms"))
    assert command.main(["table", str(folders / "out")]) == 0
    (line,) = [line for line in capsys.readouterr().out.splitlines() if line.startswith("| A dummy")]
    assert line.endswith("| 8 | 14 | 0.0 min | 1 | yes | 2 |")


def test_what_is_finished_is_left_alone_and_other_settings_are_refused(folders, monkeypatch, capsys):
    dummy = Dummy()
    monkeypatch.setattr(command, "make", {"dummy": dummy}.__getitem__)
    assert [command.main(order(folders)), command.main(order(folders))] == [0, 0]
    assert dummy.fits == 1
    assert command.main(order(folders, "--context", "none")) == 1
    assert "result of other settings" in capsys.readouterr().err


def test_times_are_taken_anew_and_scores_stay(folders, monkeypatch, capsys):
    dummy = Dummy()
    monkeypatch.setattr(command, "make", {"dummy": dummy}.__getitem__)
    command.main(order(folders))
    (before,) = read_results(folders / "out")
    monkeypatch.setattr(command, "times", lambda peer, test, view, batch: {"batch_ms": len(test) + batch, "view": view})
    assert command.main(["time", str(folders / "out")]) == 0
    (after,) = read_results(folders / "out")
    assert after["times"] == {"batch_ms": before["objects"]["test"] + 90, "view": "alert"}
    assert after["scores"] == before["scores"]
    assert dummy.fits == 1


def test_an_unknown_peer_is_refused_with_the_nearest_name():
    with pytest.raises(ValueError, match="perhaps 'telperion'"):
        make("telperoin")


def test_the_cap_takes_the_same_objects_in_any_order(rng):
    curves = draw(n_per_class=4, seed=3)
    some = capped(curves, TREE, 2)
    assert np.unique(some.label, return_counts=True)[1].tolist() == [2] * 14
    other = capped(curves[rng.permutation(len(curves))], TREE, 2)
    assert set(some.object_id) == set(other.object_id)


def test_repeated_light_curves_are_the_same_ones_again():
    curves = draw(n_per_class=1, seed=3)
    many = repeated(curves, 30)
    assert len(many) == 30
    for row in ("time", "flux", "band"):
        assert np.array_equal(getattr(many[14:28], row), getattr(curves, row))
    assert np.array_equal(many.context["mwebv"][28:], curves.context["mwebv"][:2], equal_nan=True)


def test_a_peer_without_steps_has_no_time_of_one(monkeypatch):
    class Whole:
        def predict(self, known: LightCurves):
            return np.zeros((len(known), len(TREE)))

    assert times(Whole(), draw(n_per_class=1), "alert", 20)["step_ms"] is None


def test_the_best_at_the_leaves_comes_first(folders, monkeypatch):
    dummy = Dummy()
    monkeypatch.setattr(command, "make", {"dummy": dummy}.__getitem__)
    command.main(order(folders))
    (result,) = read_results(folders / "out")
    better = json.loads(json.dumps(result).replace('"f1": 0.0', '"f1": 0.9')) | {"name": "better"}
    assert [row[0] for row in result_table([result, better]).rows] == ["better", "A dummy"]


def test_every_peer_has_a_module_and_a_class():
    assert all(home.startswith("benchmarks.peers.") and home.count(":") == 1 for home in PEERS.values())
