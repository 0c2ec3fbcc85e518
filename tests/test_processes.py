"""Processes that train together: the same weights as one alone, one set of files, and nobody who waits for the dead."""

import os
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
import tomli_w

from telperion.classifier import Classifier
from telperion.cli import main
from telperion.processes import Processes, processes
from telperion.run import Run
from telperion.simulate.drawn import draw

torch = pytest.importorskip("torch", reason="training needs telperion[train]")
safetensors = pytest.importorskip("safetensors.torch", reason="training needs telperion[train]")

TWO = (sys.executable, "-m", "torch.distributed.run", "--nproc-per-node", "2")
EPOCHS = 20  # more than are done before anybody notices the first
PATIENCE = 600  # seconds, on a machine that has much else to do; alone a few

TRAINED = """
import sys
from dataclasses import replace
from pathlib import Path
import safetensors.torch
import torch
from telperion.models.gru_config import ORACLE, TELPERION
from telperion.models.gru_training import Trainer
from telperion.simulate.drawn import draw
from telperion.taxonomy import Taxonomy

def train(folder):
    torch.set_num_threads(1)
    curves, validation = draw(n_per_class=3, seed=1)[:33], draw(n_per_class=1, seed=2)
    for config in (ORACLE, replace(TELPERION, layers=2, dropout=0.0, head=16)):
        config = replace(config, hidden=12, batch_size=16, learning_rate=5e-3)
        trainer = Trainer(curves, validation, Taxonomy.load("plasticc"), config, folder / config.preset, 3)
        trainer.resume()
        for _ in range(2):
            trainer.run_epoch()
        tensors = trainer.network.state_dict() | {f"average.{n}": each for n, each in trainer.average.items()}
        said = [[line["loss"], line["validation_loss"]] for line in trainer.history]
        tensors["history"] = torch.tensor(said, dtype=torch.float64)
        here = trainer.processes
        safetensors.torch.save_file(tensors, folder / f"{config.preset}-{here.rank}-of-{here.size}")
"""


def started(*arguments, **options):
    """Start a command in an environment without what torchrun may have left in ours."""
    own = {name: value for name, value in os.environ.items() if name not in ("RANK", "WORLD_SIZE")}
    return subprocess.Popen(
        [str(each) for each in arguments],
        env=own | {"OMP_NUM_THREADS": "1"},
        stderr=subprocess.PIPE,
        text=True,
        **options,
    )


def ended(process):
    """Give status and errors of a process; it is not left behind."""
    try:
        _, errors = process.communicate(timeout=PATIENCE)
    finally:
        process.kill()
    return process.returncode, errors


def wait_for(path, process):
    deadline = time.monotonic() + PATIENCE
    while not path.exists():
        assert process.poll() is None, process.stderr.read()
        assert time.monotonic() < deadline
        time.sleep(0.002)


# -- alone ---------------------------------------------------------------------------------------------------------


def test_shares_are_all_there_is_and_alike_in_size(rng):
    lengths = np.sort(rng.integers(1, 500, 256))
    for size in (1, 2, 3, 7):
        parts = [Processes(rank, size).share(lengths) for rank in range(size)]
        np.testing.assert_array_equal(np.sort(np.concatenate(parts)), lengths)
        rows = [part.sum() for part in parts]
        assert max(rows) - min(rows) <= lengths[-1]


def test_one_process_gives_back_what_it_is_given(tmp_path):
    one, values = Processes(), torch.ones(3)
    assert one.add(values) is one.tell(values) is values
    assert one.tell_bytes(b"x") == b"x"
    assert one.tell_numbers([1.0]) == [1.0]
    assert one.add_gradients([values], 0.5) == 0.5
    with one.first_before_others(), one.file_of_first(tmp_path / "a") as path:
        assert path == tmp_path / "a"
    one.wait()
    one.alone("anything")


def test_who_one_is_stands_in_the_environment(monkeypatch):
    monkeypatch.delenv("WORLD_SIZE", raising=False)
    monkeypatch.delenv("RANK", raising=False)
    assert processes() == Processes(0, 1)
    monkeypatch.setenv("WORLD_SIZE", "4")
    monkeypatch.setenv("RANK", "3")
    assert processes() == Processes(3, 4)
    for rank, message in (("4", "expected 0 <= RANK < WORLD_SIZE"), ("-1", "expected whole numbers")):
        monkeypatch.setenv("RANK", rank)
        with pytest.raises(ValueError, match=message):
            processes()


def test_what_one_process_does_is_refused_to_several(tmp_path, monkeypatch, capsys):
    """Before anything is read or written."""
    from telperion.find import fit_all
    from telperion.train import train

    monkeypatch.setenv("WORLD_SIZE", "2")
    monkeypatch.setenv("RANK", "1")
    curves = draw(n_per_class=2, seed=1)
    gru, boost = ({"kind": kind} for kind in ("gru", "boost"))
    for model in (boost, {"kind": "stack", "members": [gru, boost]}):
        run = Run.from_dict({"name": "a", "tree": "plasticc", "model": model})
        with pytest.raises(ValueError, match=r"kind 'boost' runs in one process, but WORLD_SIZE is 2"):
            train(run, curves, folder=tmp_path / "out")
    run = Run.from_dict({"name": "a", "tree": "plasticc", "model": gru, "target": "TDE"})
    with pytest.raises(ValueError, match="search for one class runs in one process"):
        fit_all(run, curves, folder=tmp_path / "out")
    assert main(["crossvalidate", "none.toml", "nowhere", "-o", str(tmp_path / "out")]) == 2
    assert "telperion crossvalidate runs in one process" in " ".join(capsys.readouterr().err.split())
    assert not (tmp_path / "out").exists()


# -- two -----------------------------------------------------------------------------------------------------------


@pytest.mark.timeout(PATIENCE)
def test_two_processes_learn_what_one_learns(tmp_path):
    """Of 33 objects in batches of 16 the last batch leaves the second process nothing."""
    script = tmp_path / "trained.py"
    script.write_text(TRAINED + "\ntrain(Path(sys.argv[1]))\n")
    status, errors = ended(started(*TWO, script, tmp_path))
    assert status == 0, errors
    own = {}
    exec(compile(TRAINED, "trained", "exec"), own)  # noqa: S102 - the very same lines in this process
    own["train"](tmp_path)
    for preset in ("oracle", "telperion"):
        alone, first, second = (
            safetensors.load_file(tmp_path / f"{preset}-{who}") for who in ("0-of-1", "0-of-2", "1-of-2")
        )
        for name, value in alone.items():
            assert torch.equal(first[name], second[name]), name
            torch.testing.assert_close(first[name], value, atol=1e-5, rtol=0, msg=name)


@pytest.fixture(scope="module")
def small(tmp_path_factory):
    """A run that simulates what it learns from, with dropout, and how it is started."""
    folder = tmp_path_factory.mktemp("small")
    model = {"kind": "gru", "epochs": EPOCHS, "hidden": 8, "head": 8, "resampled": 0.0, "batch_size": 8}
    stream = {"light_curves": 60, "epoch": 20, "validation": 20, "mix": "EB=1,SLSN=1"}
    run = {"name": "small", "tree": "elasticc", "days": [2, 64], "model": model, "stream": stream}
    (folder / "run.toml").write_text(tomli_w.dumps(run))
    return folder / "run.toml"


@pytest.mark.timeout(PATIENCE)
def test_a_training_by_two_that_is_stopped_and_killed_goes_on(small, tmp_path):
    """Both are stopped and say so once; two go on, and when one dies the other ends with an error; one finishes."""
    psutil = pytest.importorskip("psutil")
    arguments = ["train", str(small), str(tmp_path / "sky"), "-o", str(tmp_path / "model")]
    checkpoint = tmp_path / "model.training" / "member-0" / "checkpoint.safetensors"
    process = started(*TWO, "-m", "telperion", *arguments)
    wait_for(checkpoint, process)
    process.send_signal(signal.SIGTERM)
    status, errors = ended(process)
    assert status != 0
    assert errors.count("stopped; the same command goes on from here") == 1
    assert "has lost another one" not in errors
    before = checkpoint.stat().st_mtime_ns
    process = started(*TWO, "-m", "telperion", *arguments)
    while checkpoint.stat().st_mtime_ns == before:
        assert process.poll() is None, process.stderr.read()
        time.sleep(0.002)
    workers = psutil.Process(process.pid).children()
    max(workers, key=lambda each: each.pid).kill()
    status, errors = ended(process)
    assert status != 0
    assert len(workers) == 2
    assert not any(each.is_running() and each.status() != psutil.STATUS_ZOMBIE for each in workers)
    assert not (tmp_path / "model").exists()
    assert main(arguments) == 0
    model = Classifier.load(tmp_path / "model").model
    assert [line["epoch"] for line in model.history] == list(range(EPOCHS))
