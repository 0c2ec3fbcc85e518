"""Trials in a store: counted over all processes, drawn alike by one, taken over from the dead."""

import signal
import subprocess
import sys
import threading
import time

import pytest

from telperion import trials as module
from telperion.trials import Trials, one_at_a_time

optuna = pytest.importorskip("optuna", reason="tuning is an extra: pip install 'telperion[tune]'")

PATIENCE = 300  # seconds, on a machine that has much else to do; alone a few
OWN = {"x": 3.0}

WORKER = """
import sys, time
from pathlib import Path
from telperion.trials import Trials

store, folder, name = sys.argv[1], Path(sys.argv[2]), sys.argv[3]
(folder / name).touch()
while len(list(folder.glob("worker-*"))) < 2:
    time.sleep(0.01)
trials = Trials(store, "study", total=12, own={"x": 3.0}, seed=1, shared=True)
while (trial := trials.take(float("inf"))) is not None:
    with trials.at_work(trial):
        x = trial.suggest_float("x", 0, 10)
        time.sleep(0.3)
        trials.finish(trial, -abs(x - 6))
        print(trial.number, x, flush=True)
print(trials.best(folder)["x"])
"""


def trials(store, **changes):
    return Trials(store, "study", **{"total": 12, "own": OWN, "seed": 1, "shared": False} | changes)


def work(study, ends=float("inf"), most=1000):
    """Do trials; give the settings tried."""
    tried = []
    while len(tried) < most and (trial := study.take(ends)) is not None:
        with study.at_work(trial):
            tried.append(trial.suggest_float("x", 0, 10))
            study.finish(trial, -abs(tried[-1] - 6))
    return tried


def worker(store, folder, name):
    command = [sys.executable, "-c", WORKER, str(store), str(folder), name]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


@pytest.fixture(params=["journal", "sqlite"])
def store(request, tmp_path):
    return str(tmp_path / "study.journal") if request.param == "journal" else f"sqlite:///{tmp_path}/study.db"


@pytest.mark.timeout(PATIENCE)
def test_two_processes_do_the_trials_of_one_study(store, tmp_path):
    """As many trials as are wanted over both, no two alike, and the same settings are the best to both."""
    (tmp_path / "at").mkdir()
    both = [worker(store, tmp_path / "at", f"worker-{k}") for k in (1, 2)]
    said = [process.communicate(timeout=PATIENCE)[0].split("\n")[:-1] for process in both]
    assert [process.returncode for process in both] == [0, 0]
    done = [[line.split() for line in lines[:-1]] for lines in said]
    assert all(done)
    everything = done[0] + done[1]
    assert len({number for number, _ in everything}) == len({x for _, x in everything}) == len(everything) == 12
    assert sum(float(x) == OWN["x"] for _, x in everything) == 1
    best = min((float(x) for _, x in everything), key=lambda x: abs(x - 6))
    assert [float(lines[-1]) for lines in said] == [best, best]


def test_a_process_alone_draws_the_same_trials_whether_or_not_the_store_is_shared(tmp_path):
    tried = [work(trials(tmp_path / f"{shared}.journal", shared=shared)) for shared in (False, True)]
    assert tried[0] == tried[1]
    assert len(tried[0]) == 12
    assert tried[0][0] == OWN["x"]
    assert tried[0] != work(trials(tmp_path / "other.journal", seed=2))


@pytest.mark.parametrize("shared", [False, True])
def test_a_study_that_was_stopped_goes_on_to_the_same_trials(tmp_path, shared):
    whole = work(trials(tmp_path / "whole.journal"))
    study = trials(tmp_path / "stopped.journal", shared=shared)
    tried = work(study, most=7)

    def stopped():
        trial = study.take(float("inf"))
        with study.at_work(trial):
            trial.suggest_float("x", 0, 10)
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        stopped()
    tried += work(trials(tmp_path / "stopped.journal", shared=shared))
    assert tried == whole


@pytest.mark.timeout(PATIENCE)
def test_the_trial_of_a_process_that_was_killed_is_taken_over(store, tmp_path, monkeypatch):
    """Others go on meanwhile, and wait for it no longer than for a sign of life."""
    (tmp_path / "worker-0").touch()
    process = worker(store, tmp_path, "worker-1")
    process.stdout.readline()
    process.send_signal(signal.SIGKILL)
    process.wait()
    monkeypatch.setattr(module, "SILENCE", 0.4)
    monkeypatch.setattr(module, "LOOK", 0.05)
    study = trials(store, shared=True)
    before = {each.number: each for each in study.study.trials}
    tried = work(study)
    states = [each.state.name for each in study.study.trials]
    assert states.count("COMPLETE") == 12
    assert "RUNNING" not in states
    left = [each for each in before.values() if each.state.name == "RUNNING" and each.params]
    assert [each.params["x"] in tried for each in left] == [True] * len(left)


def test_a_trial_that_gives_signs_of_life_is_waited_for(tmp_path, monkeypatch):
    monkeypatch.setattr(module, "BEAT", 0.02)
    monkeypatch.setattr(module, "SILENCE", 1.0)
    monkeypatch.setattr(module, "LOOK", 0.05)
    slow, other = (trials(tmp_path / "study.journal", shared=True, total=3) for _ in range(2))
    trial, done = slow.take(float("inf")), []
    with slow.at_work(trial):
        thread = threading.Thread(target=lambda: done.append(work(other)))
        thread.start()
        time.sleep(2.5)
        assert not done
        slow.finish(trial, -abs(trial.suggest_float("x", 0, 10) - 6))
    thread.join(60)
    assert len(done[0]) == 2
    assert [each.state.name for each in other.study.trials] == ["COMPLETE"] * 3


def test_a_trial_taken_for_dead_is_left_to_who_took_it(tmp_path, monkeypatch):
    monkeypatch.setattr(module, "SILENCE", 0.1)
    monkeypatch.setattr(module, "LOOK", 0.05)
    asleep, other = (trials(tmp_path / "study.journal", shared=True, total=2) for _ in range(2))
    trial = asleep.take(float("inf"))
    with asleep.at_work(trial):
        x = trial.suggest_float("x", 0, 10)
        assert x in work(other)
        trial.report(0.5, 0)
        pytest.fail("a trial that was taken over can still be reported")
    asleep.finish(trial, 1e9)
    assert asleep.finished == 2
    assert all(each.value is None or each.value <= 0 for each in other.study.trials)
    assert asleep.best(tmp_path) == other.best(tmp_path)


def test_what_was_found_best_stays_so_for_all_who_ask(tmp_path):
    study = trials(tmp_path / "study.journal", shared=True)
    work(study, ends=0.0)
    assert study.finished == 1
    assert study.best(tmp_path) == OWN
    again = trials(tmp_path / "study.journal", shared=True)
    assert work(again) == []
    assert again.best(tmp_path) == OWN
    assert len(work(trials(tmp_path / "study.journal", shared=True, total=15))) == 14


def test_studies_of_other_names_in_one_store_are_apart(tmp_path):
    first = trials(tmp_path / "study.journal", shared=True, total=2)
    second = Trials(tmp_path / "study.journal", "other", total=2, own={"x": 1.0}, seed=1, shared=True)
    assert work(first)[0] == 3.0
    assert work(second)[0] == 1.0


def test_one_at_a_time_goes_in(tmp_path):
    inside = []

    def go(number):
        with one_at_a_time(tmp_path / "place"):
            inside.append(number)
            time.sleep(0.02)
            inside.append(number)

    threads = [threading.Thread(target=go, args=(k,)) for k in range(5)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    assert inside[::2] == inside[1::2]


def test_a_database_that_cannot_be_opened_is_an_error_of_one_line(tmp_path, monkeypatch):
    monkeypatch.setattr(module, "LOOK", 0.01)
    with pytest.raises(OSError, match=r"the database \(sqlite\) cannot be opened"):
        trials(f"sqlite:///{tmp_path}/no/such/folder/study.db")


def test_no_store_is_read_by_pickle(tmp_path):
    with pytest.raises(ValueError, match="read by pickle"):
        trials("redis://localhost")
    with pytest.raises(ValueError, match="is a folder"):
        trials(tmp_path)
    backend = optuna.storages.journal.JournalFileBackend
    assert not hasattr(backend, "load_snapshot")  # snapshots are pickles
