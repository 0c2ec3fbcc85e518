"""A survey read epoch by epoch: the same light curves whenever asked for, all of them in turn."""

import subprocess
import sys
import time

import numpy as np
import pytest

from telperion.formats.parquet import read
from telperion.processes import Processes
from telperion.simulate.save import Survey, save
from telperion.simulate.stream import Stream

COUNTS = {"SLSN": 20, "EB": 16}


@pytest.fixture(autouse=True)
def _small_parts(monkeypatch):
    monkeypatch.setattr("telperion.simulate.survey.BATCH", 9)


def test_epochs_go_through_the_survey_and_begin_again(tmp_path):
    stream = Stream(Survey(tmp_path / "sky", COUNTS, seed=5), 18, ahead=False)
    assert stream.size == 18
    assert stream.counts == COUNTS
    first, second, third = (stream.epoch(number) for number in range(3))
    assert sorted(path.name for path in (tmp_path / "sky").glob("*.parquet")) == [
        f"part-0000{k}.parquet" for k in range(4)
    ]
    assert not set(first.object_id) & set(second.object_id)
    np.testing.assert_array_equal(third.object_id, first.object_id)
    np.testing.assert_array_equal(third.flux, first.flux)
    save(tmp_path / "whole", COUNTS, seed=5)
    names = read(tmp_path / "whole").object_id
    np.testing.assert_array_equal(np.concatenate([first.object_id, second.object_id]), names)


def test_the_next_epoch_is_simulated_meanwhile_and_is_the_same(tmp_path):
    ahead = Stream(Survey(tmp_path / "ahead", COUNTS, seed=5), 9)
    alone = Stream(Survey(tmp_path / "alone", COUNTS, seed=5), 9, ahead=False)
    for number in (0, 1):
        np.testing.assert_array_equal(ahead.epoch(number).flux, alone.epoch(number).flux)
    ahead._process.join()
    assert (tmp_path / "ahead" / "part-00002.parquet").is_file()  # nobody has asked for it yet
    assert not (tmp_path / "alone" / "part-00002.parquet").is_file()


def test_of_several_processes_each_simulates_its_share(tmp_path, monkeypatch):
    survey, met = Survey(tmp_path / "sky", COUNTS, seed=5), []

    class OneOfTwo(Processes):
        def wait(self):
            met.append(sorted(path.name for path in (tmp_path / "sky").glob("*.parquet")))
            for _ in survey.make(range(0, 4, 2)):  # what the first one does meanwhile
                pass

    monkeypatch.setattr("telperion.simulate.stream.processes", lambda: OneOfTwo(1, 2))
    stream = Stream(survey, 18, ahead=False)
    together = stream.epoch(0)
    assert met == [["part-00001.parquet"]]
    monkeypatch.undo()
    monkeypatch.setattr("telperion.simulate.survey.BATCH", 9)
    alone = Stream(Survey(tmp_path / "alone", COUNTS, seed=5), 18, ahead=False).epoch(0)
    np.testing.assert_array_equal(together.flux, alone.flux)


def test_what_a_stream_is_shows_in_its_identity(tmp_path):
    def identity(name, *, seed=5, size=9):
        return Stream(Survey(tmp_path / name, COUNTS, seed=seed), size, ahead=False).identity

    assert identity("one") == identity("two")
    assert identity("one") != identity("three", seed=6)
    assert identity("one") != identity("one", size=18)


def test_an_epoch_cannot_be_empty_or_larger_than_the_survey(tmp_path):
    survey = Survey(tmp_path / "sky", COUNTS, seed=5)
    for size in (0, 37):
        with pytest.raises(ValueError, match="expected 1 to 36"):
            Stream(survey, size)


KILLED = """
import sys, time
import telperion.simulate.survey
telperion.simulate.survey.BATCH = 9
from telperion.simulate.save import Survey
from telperion.simulate.stream import Stream
stream = Stream(Survey(sys.argv[1], {"SNIa": 720}, seed=5), 360)
stream.epoch(0)
print(stream._process.pid, flush=True)
time.sleep(60)
"""


def test_who_simulates_ahead_ends_after_the_part_in_hand_when_the_training_is_killed(tmp_path):
    psutil = pytest.importorskip("psutil")
    sky = tmp_path / "sky"
    with subprocess.Popen([sys.executable, "-c", KILLED, str(sky)], stdout=subprocess.PIPE, text=True) as training:
        ahead = psutil.Process(int(training.stdout.readline()))
        while not (sky / "part-00040.parquet").is_file():  # the first one that it makes
            assert training.poll() is None
            time.sleep(0.002)
        training.kill()
    made = len(list(sky.glob("*.parquet")))
    deadline = time.monotonic() + 30
    while ahead.is_running() and ahead.status() != psutil.STATUS_ZOMBIE:  # nobody may be there to reap it
        assert time.monotonic() < deadline
        time.sleep(0.01)
    assert made <= len(list(sky.glob("*.parquet"))) <= made + 2 < 80
