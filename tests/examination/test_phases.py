"""Many phases in one pass are the same as each of them alone."""

from typing import NamedTuple

import numpy as np
import pytest

import telperion
from telperion.classifier import Classifier
from telperion.encode.oracle import MAX_ROWS
from telperion.examination.phases import predictions
from telperion.lightcurves import LightCurves

DAYS = (8, -30, 0, 0.5, 1, 64, 2, 2)


def assert_same_as_alone(classifier, curves, days, view):
    given = list(predictions(classifier, curves, days, view=view))
    assert [day for day, _ in given] == sorted(set(days))
    for day, said in given:
        np.testing.assert_allclose(said, classifier.predict(curves, days=day, view=view), atol=2e-5, err_msg=f"{day} d")


@pytest.mark.parametrize("view", ["full", "alert"])
def test_days_in_one_pass_say_what_each_day_says_alone(shipped, curves, view):
    assert_same_as_alone(shipped, curves, (*DAYS, np.inf), view)


def test_by_default_the_view_is_the_classifiers_own(shipped, curves):
    ((_, said),) = predictions(shipped, curves, [4])
    np.testing.assert_array_equal(said, shipped.predict(curves, days=4))


def test_a_model_that_cannot_step_is_asked_day_by_day(fixed, curves):
    assert_same_as_alone(fixed, curves, (2, 8), "full")


@pytest.mark.parametrize("view", ["full", "alert"])
def test_an_object_without_a_detection_stays_without_a_phase(shipped, curves, view):
    blind = curves.select_rows(curves.object_index > 2)
    blind = LightCurves.concatenate([blind, curves[[3]].with_label([""])._with(object_id=np.array(["never"]))])
    never = blind.object_index == len(blind) - 1
    blind = blind._with(detected=np.where(never, False, blind.detected))
    assert_same_as_alone(shipped, blind, (1, 8, np.inf), view)


def test_days_must_be_numbers(shipped, curves):
    with pytest.raises(ValueError, match="NaN"):
        next(predictions(shipped, curves, [1.0, np.nan]))


class Counted(NamedTuple):
    rows: np.ndarray
    days: np.ndarray


class LastRows:
    """A steppable model that, like the published network, reads the last rows of a call alone, and counts them."""

    steppable = True

    def __init__(self, tree):
        self.tree, self.mix = tree, np.full(tree.leaves.size, 1 / tree.leaves.size)

    def predict(self, light_curves):
        return self.step(self.start(len(light_curves)), light_curves)[0]

    def save(self, folder):
        raise NotImplementedError

    def start(self, n_objects):
        return Counted(np.zeros(n_objects), np.full(n_objects, np.nan))

    def step(self, state, light_curves):
        rows = state.rows + np.minimum(light_curves.lengths, MAX_ROWS)
        first = np.where(rows > 0, rows / 1e4, 0.25)[:, None]
        said = self.tree.from_leaves(np.hstack([first, np.repeat((1 - first) / 3, 3, axis=1)])).astype(np.float32)
        return said, Counted(rows, state.days)


def test_light_curves_longer_than_a_call_reads_are_read_anew(toy, rng):
    lengths = [MAX_ROWS + 150, 40, MAX_ROWS]
    owner = np.repeat(np.arange(3), lengths)
    time = np.concatenate([np.linspace(0, 400, length) for length in lengths])
    n = owner.size
    curves = LightCurves.from_rows(
        owner, time, rng.integers(6, size=n), rng.normal(0, 3000, n), np.full(n, 90.0), time > 100
    )
    classifier = Classifier(LastRows(toy), "last", view="full")
    assert_same_as_alone(classifier, curves, (-150, -50, 0, 100, 250, 299, 300, 400), "full")


def test_phases_of_real_light_curves_are_those_of_each_day_alone(lsst_data):
    from telperion.formats import plasticc

    curves = plasticc.read(lsst_data / "plasticc")[::80]
    assert_same_as_alone(telperion.load("plasticc-gru"), curves, (1, 2, 8, 64, 1024), "alert")
