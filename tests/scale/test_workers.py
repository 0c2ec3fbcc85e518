"""A Dask cluster of two processes; what `here` and `in_processes` do is tested with the run."""

import os
import signal
import time

import numpy as np
import pyarrow.parquet as pq
import pytest

pytest.importorskip("distributed", reason="Dask comes with telperion[scale]")

import distributed
from tests.scale.made_up import assert_same
from tests.scale.test_run import Watch

from telperion.scale.make import make_hats
from telperion.scale.run import classify_catalogue

pytestmark = pytest.mark.timeout(400)  # workers take their time to start on a busy machine


@pytest.fixture(scope="module")
def scheduler_file(tmp_path_factory):
    return tmp_path_factory.mktemp("cluster") / "scheduler.json"


@pytest.fixture(scope="module")
def cluster(scheduler_file):
    settings = {"n_workers": 2, "threads_per_worker": 1, "dashboard_address": None, "processes": True}
    settings |= {"scheduler_kwargs": {"scheduler_file": str(scheduler_file)}, "silence_logs": 50}
    with distributed.LocalCluster(**settings) as made:
        yield made


@pytest.fixture(scope="module")
def fine(sky, tmp_path_factory):
    """The same light curves in many small parts."""
    folder = tmp_path_factory.mktemp("fine")
    make_hats(sky.parent / "curves.parquet", folder / "fine", objects=1)
    return folder / "fine"


def processes(cluster) -> set[int]:
    with distributed.Client(cluster, set_as_default=False) as client:
        client.wait_for_workers(2)
        return set(client.run(os.getpid).values())


def test_a_worker_that_is_killed_costs_nothing(cluster, fine, tmp_path):
    plain = classify_catalogue(fine, tmp_path / "plain", days=[8.0, np.inf])
    before = processes(cluster)

    def kill(done):
        if done == 2:
            os.kill(min(before), signal.SIGKILL)

    watch = Watch(kill)
    made = classify_catalogue(
        fine, tmp_path / "out", days=[8.0, np.inf], dask=cluster.scheduler_address, progress=watch
    )  # fmt: skip
    assert watch.done == made.parts > 20
    assert_same(made.folder, plain.folder)
    assert not (made.folder / ".unfinished").exists()
    deadline = time.monotonic() + 120
    while min(before) in (now := processes(cluster)) and time.monotonic() < deadline:
        time.sleep(0.5)
    assert min(before) not in now  # it was killed indeed


def test_both_workers_work_and_what_is_done_stays(cluster, scheduler_file, fine, tmp_path):
    processes(cluster)

    def stop(done):
        if done == 5:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        classify_catalogue(fine, tmp_path / "out", dask=str(scheduler_file), progress=Watch(stop))
    done = classify_catalogue(fine, tmp_path / "out", dask=str(scheduler_file))
    assert done.before >= 5


def test_a_part_that_cannot_be_read_fails_alone(cluster, sky, tmp_path):
    import shutil

    shutil.copytree(sky, tmp_path / "sky")
    first = sorted((tmp_path / "sky" / "dataset").glob("Norder=*/Dir=*/Npix=*.parquet"))[-1]
    whole = pq.read_table(first, partitioning=None)
    pq.write_table(whole.drop_columns("lc"), first)
    with pytest.raises(ValueError, match=r"1 of \d+ parts failed, .*: the columns lc.time, .* are missing"):
        classify_catalogue(tmp_path / "sky", tmp_path / "out", dask=cluster.scheduler_address)


def test_nobody_there_is_said(sky, tmp_path, monkeypatch):
    import dask

    with dask.config.set({"distributed.comm.timeouts.connect": "1s"}), pytest.raises(OSError, match=r"127\.0\.0\.1:1"):
        classify_catalogue(sky, tmp_path / "out", dask="tcp://127.0.0.1:1")
