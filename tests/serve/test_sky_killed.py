"""A stream that writes a sky and is killed at any moment: what comes of it is what comes of one that is not."""

import os
import signal
import subprocess
import time
from dataclasses import replace

import numpy as np
import pytest

pytest.importorskip("lmdb", reason="the stream needs telperion[stream]")
pytest.importorskip("numba", reason="the stream needs telperion[stream]")

from telperion.serve.run import run_worker
from telperion.serve.sky import Sky, Wanted
from telperion.serve.sky_sink import SkySink
from telperion.serve.store_error import StoreError
from telperion.serve.stream import Stream
from telperion.simulate.save_night import save_night

KILLS = int(os.environ.get("TELPERION_KILLS", "3"))
WAIT = 60.0


@pytest.fixture(scope="module")
def stream(night, tmp_path_factory) -> Stream:
    top = tmp_path_factory.mktemp("killed")
    save_night(top / "night", night)
    return Stream(str(top / "night"), (f"sky+{top / 'sky'}",), top / "state", dead=str(top / "dead.jsonl"), most=7)


@pytest.fixture(scope="module")
def whole(stream, tmp_path_factory) -> Sky:
    """The sky of a stream that nothing happened to."""
    top = tmp_path_factory.mktemp("whole")
    run_worker(replace(stream, outputs=(f"sky+{top}",), state=top / "state"), stop=lambda: False)
    return Sky(top)


def same(one: Sky, other: Sky) -> None:
    listed = one.objects(Wanted(sort="newest"), limit=10_000)
    assert [each.object_id for each in listed]
    assert one.count(Wanted()) == other.count(Wanted()) == len(listed)
    for each in listed:
        ours, theirs = one.object(each.object_id), other.object(each.object_id)
        np.testing.assert_array_equal(ours.answers.alert_id, theirs.answers.alert_id)
        np.testing.assert_array_equal(ours.light_curve.flux, theirs.light_curve.flux)
        np.testing.assert_allclose(ours.answers.probabilities, theirs.answers.probabilities, atol=1e-5)
        assert ours.listed.alert_time == theirs.listed.alert_time


def version(folder: str) -> int:
    try:
        return Sky(folder).version_now()
    except ValueError:  # there is none so far
        return 0


@pytest.mark.timeout(600)
def test_a_stream_that_is_killed_again_and_again_leaves_the_same_sky(stream, whole, packets, worker_command, rng):
    folder, killed = stream.outputs[0].removeprefix("sky+"), 0
    batches = len(packets) // 7
    while True:
        worker = subprocess.Popen(worker_command(stream, 0))
        begun = version(folder)
        reach = begun + rng.integers(1, max(batches // (KILLS + 2), 2))
        until = time.monotonic() + WAIT
        while worker.poll() is None and (killed == KILLS or version(folder) < reach):
            assert time.monotonic() < until, "it takes too long"
            time.sleep(0.002)
        if worker.poll() is not None:
            break
        worker.send_signal(signal.SIGKILL)
        worker.wait()
        killed += 1
    assert (worker.returncode, killed) == (0, KILLS)
    same(Sky(folder), whole)


def test_a_write_that_breaks_off_leaves_nothing_and_comes_again(stream, whole, tmp_path, monkeypatch):
    broken = replace(stream, outputs=(f"sky+{tmp_path / 'sky'}",), state=tmp_path / "state")
    put, times = SkySink._insert, [0]

    def fail(self, *arguments):
        times[0] += 1
        if times[0] == 8:  # the light curves of the third batch
            raise StoreError("the disk is full")
        put(self, *arguments)

    monkeypatch.setattr(SkySink, "_insert", fail)
    with pytest.raises(StoreError, match="disk is full"):
        run_worker(broken, stop=lambda: False)
    sky = Sky(tmp_path / "sky")
    assert sky.version_now() == 2
    found = sky.objects(Wanted(), limit=100)
    assert sum(len(sky.object(each.object_id).answers) for each in found) == 14
    run_worker(broken, stop=lambda: False)
    same(sky, whole)
