"""Tuning: settings are chosen on the training set alone, the run's own are among them, a killed study goes on."""

import threading
from dataclasses import replace

import numpy as np
import pytest
import tomli_w

from telperion import find as module_of_find
from telperion import tune as module
from telperion.cli import main
from telperion.find import Cell, cells, find
from telperion.folding import folds
from telperion.formats.parquet import write
from telperion.run import Run
from telperion.simulate.drawn import draw
from telperion.taxonomy import Taxonomy
from telperion.tune import JOURNAL, tuned

pytest.importorskip("optuna", reason="tuning is an extra: pip install 'telperion[tune]'")

RUN = Run.from_dict({
    "name": "small",
    "tree": "plasticc",
    "target": "TDE",
    "views": ["full"],
    "days": [np.inf],
    "folds": 3,
    "validation": 0.0,
    "model": {
        "kind": "boost",
        "preset": "outburst",
        "families": ["brightness", "host"],
        "classes": ["TDE"],
        "truncations": 1,
        "rounds": 3,
        "boosters": 1,
        "min_rows": 2,
    },
    "tune": {"trials": 7, "folds": 2, "ranges": {"leaves": [2, 9], "l2": [0.1, 100.0], "thinning": [0.0, 0.5]}},
})  # fmt: skip


@pytest.fixture(scope="module", autouse=True)
def own_cache(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))
        yield


@pytest.fixture(scope="module")
def curves():
    drawn = draw(n_per_class=9, seed=5)
    return drawn.with_context(
        {
            **drawn.context,
            "field": np.array([(drawn.label[:k] == drawn.label[k]).sum() for k in range(len(drawn))], dtype=float),
        }
    )


def by_rule(monkeypatch, score):
    """Score trials by a rule in place of trainings; give what was tried."""
    tried = []

    def judge(run, curves, folding, fold, n_folds, folder, seed):
        tried.append((run.config(), fold))
        return score(run.config(), fold)

    monkeypatch.setattr(module, "_average_precision", judge)
    return tried


def test_the_best_settings_are_taken_and_the_others_stay(curves, tmp_path, monkeypatch):
    tried = by_rule(monkeypatch, lambda config, fold: -abs(config.leaves - 6))
    found = tuned(RUN, curves, folding="random", folder=tmp_path, seed=0)
    best = min((config for config, _ in tried), key=lambda config: abs(config.leaves - 6))
    assert found.config() == best
    assert not found.tune
    assert replace(found, model=RUN.model, tune=RUN.tune) == RUN


def test_the_runs_own_settings_are_tried_first(curves, tmp_path, monkeypatch):
    tried = by_rule(monkeypatch, lambda config, fold: 0.5)
    tuned(RUN, curves, folding="random", folder=tmp_path, seed=0)
    assert tried[0][0] == RUN.config()
    for config, _ in tried:
        assert 2 <= config.leaves <= 9
        assert 0.1 <= config.l2 <= 100
        assert 0 <= config.thinning <= 0.5


def test_a_trial_worse_than_the_median_is_cut_short(curves, tmp_path, monkeypatch):
    numbers = iter(range(100))
    tried = by_rule(monkeypatch, lambda config, fold: -next(numbers))  # each worse than all before
    tuned(replace(RUN, tune={**RUN.tune, "trials": 8}), curves, folding="random", folder=tmp_path, seed=0)
    assert [fold for _, fold in tried] == [0, 1] * 5 + [0] * 3


@pytest.mark.parametrize("after", [1, 6, 11])
def test_a_killed_study_goes_on_to_the_same_settings(curves, tmp_path, monkeypatch, after):
    def score(config, fold):
        return -abs(np.log(config.l2)) + 0.1 * config.thinning - 0.01 * fold

    by_rule(monkeypatch, score)
    whole = tuned(RUN, curves, folding="random", folder=tmp_path / "whole", seed=3)
    left = iter(range(after))

    def until_killed(config, fold):
        if next(left, None) is None:
            raise KeyboardInterrupt
        return score(config, fold)

    by_rule(monkeypatch, until_killed)
    with pytest.raises(KeyboardInterrupt):
        tuned(RUN, curves, folding="random", folder=tmp_path / "killed", seed=3)
    by_rule(monkeypatch, score)
    assert tuned(RUN, curves, folding="random", folder=tmp_path / "killed", seed=3) == whole


def test_no_trial_begins_when_time_is_up(curves, tmp_path, monkeypatch):
    tried = by_rule(monkeypatch, lambda config, fold: 0.5)
    tuned(replace(RUN, tune={**RUN.tune, "minutes": 1e-9}), curves, folding="random", folder=tmp_path, seed=0)
    assert len(tried) == 2


def test_trials_learn_and_are_scored_within_the_training_set(curves, tmp_path, monkeypatch):
    seen, train = [], module.train
    monkeypatch.setattr(module, "train", lambda run, given, **more: seen.append(given) or train(run, given, **more))
    short = replace(RUN, tune={**RUN.tune, "trials": 1})
    given = curves[curves.context["field"] > 0]
    tuned(short, given, folding="field", folder=tmp_path, seed=1)
    fold = folds(given, Taxonomy.load("plasticc"), 2, "field", 1)
    for number, taught in enumerate(seen):
        assert set(taught.object_id) == set(given.object_id[fold != number])
    assert (tmp_path / JOURNAL).is_file()


def test_a_search_tunes_for_every_model_on_what_it_may_see(curves, tmp_path, monkeypatch):
    asked, tune = [], module.tuned
    monkeypatch.setattr(
        "telperion.find.tuned", lambda run, given, **more: asked.append(given) or tune(run, given, **more)
    )
    run = replace(RUN, foldings=("field",), tune={**RUN.tune, "trials": 2})
    found = find(run, curves, folder=tmp_path)
    for cell, given in zip(cells(run), asked, strict=True):
        fold = folds(curves, Taxonomy.load("plasticc"), 3, "field", 0)
        assert set(given.object_id) == set(curves.object_id[~np.isin(fold, cell.without)])
    assert len(found) == 1
    assert (tmp_path / Cell(0, "field", 0, (0,)).folder / "tuning" / JOURNAL).is_file()


def test_with_a_storage_trials_are_shared_by_searches_in_other_folders(curves, tmp_path, monkeypatch):
    """A study is found again by what is tuned on which objects, not by where its search is kept."""
    tried = by_rule(monkeypatch, lambda config, fold: -abs(config.leaves - 6))
    shared = RUN.with_storage(str(tmp_path / "study.journal"))
    found = [tuned(shared, curves, folding="random", folder=tmp_path / where, seed=0) for where in ("a", "b")]
    assert found[0] == found[1]
    assert len(tried) <= 14
    assert found[0] == tuned(RUN, curves, folding="random", folder=tmp_path / "alone", seed=0)
    count = len(tried)
    tuned(shared, curves[:-1], folding="random", folder=tmp_path / "a", seed=0)
    assert len(tried) > count


def test_where_trials_are_shared_is_no_part_of_the_experiment():
    shared = RUN.with_storage("postgresql://me:secret@host/studies")
    assert shared.tuning.storage == "postgresql://me:secret@host/studies"
    assert shared.to_dict() == RUN.to_dict()
    assert RUN.with_storage(None) == RUN
    with pytest.raises(ValueError, match="no table tune"):
        replace(RUN, tune={}).with_storage("study.journal")


def test_two_searches_with_one_folder_and_store_train_every_model_once(curves, tmp_path, monkeypatch):
    trained, train = [], module_of_find.train
    monkeypatch.setattr(
        module_of_find, "train", lambda run, given, **more: trained.append(1) or train(run, given, **more)
    )
    by_rule(monkeypatch, lambda config, fold: -abs(config.leaves - 6))
    run = replace(RUN, tune={**RUN.tune, "trials": 2}).with_storage(str(tmp_path / "study.journal"))
    found = {}
    both = [
        threading.Thread(target=lambda k=k: found.update({k: find(run, curves, folder=tmp_path / "out")}))
        for k in range(2)
    ]
    for each in both:
        each.start()
    for each in both:
        each.join(120)
    assert len(trained) == len(list(cells(run)))
    np.testing.assert_array_equal(found[0][0].score, found[1][0].score)


def test_a_second_command_with_the_same_store_finds_all_done(curves, tmp_path, capsys):
    run = {**RUN.to_dict(), "tune": {**RUN.tune, "trials": 1}}
    del run["days"]
    (tmp_path / "run.toml").write_text(tomli_w.dumps(run))
    write(curves, tmp_path / "curves.parquet")
    command = ["train", str(tmp_path / "run.toml"), str(tmp_path / "curves.parquet"), "-o", str(tmp_path / "model")]
    for said in ("saved", "has been saved by another process"):
        assert main([*command, "--storage", f"sqlite:///{tmp_path}/study.db"]) == 0
        assert said in " ".join(capsys.readouterr().out.split())
    assert "storage" not in (tmp_path / "model" / "run.toml").read_text()
    assert main([*command[:-1], str(tmp_path / "other"), "--set", "tune={}", "--storage", "study.journal"]) == 2
    assert "no table tune" in capsys.readouterr().err


def test_a_fold_without_the_target_is_refused(curves, tmp_path):
    few = curves[(curves.label != "TDE") | (curves.context["field"] < 1)]
    with pytest.raises(ValueError, match="no TDE is in fold"):
        tuned(RUN, few, folding="random", folder=tmp_path, seed=0)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"ranges": {"leavs": [2, 5]}}, "'leavs', which is no number"),
        ({"ranges": {"families": [2, 5]}}, "'families', which is no number"),
        ({"ranges": {"leaves": [5, 2]}}, "expected two numbers that rise"),
        ({"ranges": {"leaves": [6, 9]}}, "leaves is 4, outside"),
        ({"ranges": {}}, "needs ranges"),
        ({"trials": 0}, "at least 1 trial"),
        ({"trails": 3}, "perhaps 'trials'"),
    ],
)
def test_a_wrong_table_is_refused(change, message):
    with pytest.raises(ValueError, match=message):
        replace(RUN, tune={**RUN.tune, **change})


def test_only_an_honest_search_with_one_model_is_tuned():
    for change in ({"optimistic": True}, {"target": ""}, {"model": {"kind": "stack", "members": [RUN.model] * 2}}):
        with pytest.raises(ValueError, match="one model can be tuned"):
            replace(RUN, **change)
