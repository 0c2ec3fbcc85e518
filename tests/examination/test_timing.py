"""Times are of the work that is named."""

import os
import threading
import time

import numpy as np
import pytest

from telperion.classifier import Classifier
from telperion.examination import timing
from telperion.examination.timing import one_core, processor, run_time


class Slow:
    """A model that takes two milliseconds a light curve."""

    steppable, mix = False, np.full(4, 0.25)

    def __init__(self, tree):
        self.tree, self.asked = tree, []

    def predict(self, light_curves):
        self.asked.append(len(light_curves))
        time.sleep(0.002 * len(light_curves))
        return np.ones((len(light_curves), len(self.tree)), dtype=np.float32)


def test_a_time_is_for_one_light_curve_whatever_the_batch(toy, curves):
    for batch in (1, 10):
        model = Slow(toy)
        found = run_time(Classifier(model, "slow", view="full"), curves, batch=batch, runs=5)
        assert model.asked == [batch] * 6  # one goes before
        assert (found.batch, found.runs) == (batch, 5)
        assert 0.002 <= found.fastest <= found.median <= found.slowest
        assert found.fastest < 0.02


def test_batches_must_be_filled(shipped, curves):
    with pytest.raises(ValueError, match="a batch of 57 cannot be made of 56"):
        run_time(shipped, curves, batch=57, runs=1)
    with pytest.raises(ValueError, match="runs is 0"):
        run_time(shipped, curves, batch=1, runs=0)


@pytest.mark.skipif(not hasattr(os, "sched_getaffinity"), reason="threads are held on a core on Linux only")
def test_all_threads_are_held_on_one_core_and_let_go():
    before, seen, stop = os.sched_getaffinity(0), [], threading.Event()

    def idle():
        stop.wait(10)
        seen.append(os.sched_getaffinity(0))

    thread = threading.Thread(target=idle)
    thread.start()
    with one_core():
        assert len(os.sched_getaffinity(0)) == 1
        stop.set()
        thread.join()
    assert len(seen[0]) == 1
    assert os.sched_getaffinity(0) == before


@pytest.mark.skipif(not hasattr(os, "sched_getaffinity"), reason="threads are held on a core on Linux only")
def test_an_error_lets_threads_go_too(toy, curves):
    before = os.sched_getaffinity(0)
    with pytest.raises(AttributeError):
        run_time(Classifier(None, "none"), curves, batch=1, runs=1)
    assert os.sched_getaffinity(0) == before


def test_the_processor_has_a_name(monkeypatch):
    assert processor()
    monkeypatch.setattr(timing.Path, "is_file", lambda path: False)
    assert processor()
