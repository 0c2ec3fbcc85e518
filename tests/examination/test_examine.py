"""An examination is what its parts say, put together."""

import numpy as np
import pytest
from rich.progress import Progress

from telperion.classifier import Classifier
from telperion.evaluate import evaluate
from telperion.examination.examine import detected, examine, gaps, same_tree, score
from telperion.intervals import bootstrap_gap
from telperion.lightcurves import LightCurves, RepairWarning
from telperion.scores import LEVELS
from telperion.taxonomy import Taxonomy

TREE = Taxonomy("toy", {"Alert": {"Transient": {"SN": {}, "KN": {}}, "Variable": {"AGN": {}, "EB": {}, "Mira": {}}}})
DAYS = (2, 8)


class Oracle:
    """A model that reads the truth from the context, and believes in it but half."""

    tree, steppable, mix = TREE, False, np.full(5, 0.2)

    def predict(self, light_curves):
        place = np.searchsorted(TREE.leaves, light_curves.context["redshift"].astype(int))
        return TREE.from_leaves(0.5 * np.eye(5)[place] + 0.1).astype(np.float32)


@pytest.fixture
def labelled(rng):
    leaves = rng.choice(TREE.leaves, size=30)
    ids = np.repeat(np.arange(30), 3)
    time, flags = np.tile([1.0, 2.0, 30.0], 30), np.tile([True, False, True], 30)
    labels = np.array(TREE.nodes)[leaves]
    return LightCurves.from_rows(
        ids, time, ids * 0, ids, ids * 0 + 1, flags, context={"redshift": leaves}, label=labels, dereddened=True
    )


@pytest.fixture(scope="module")
def examined(shipped, curves):
    with Progress(disable=True) as progress:
        found = examine("ours", shipped, curves, days=DAYS, batches={20: 2, 1: 3}, progress=progress)
    assert all(task.finished for task in progress.tasks)
    return found


def test_a_classifier_is_scored_with_its_own_view_and_rule(labelled):
    classifier = Classifier(Oracle(), "oracle", view="alert")
    scores = score(classifier, labelled, days=[2, np.inf])
    assert (scores.view, scores.context, scores.days) == ("alert", "specz", (2, np.inf))
    assert scores.phases[2]["leaves"].macro.f1 == 1
    assert scores.phases[2]["leaves"].balanced_log_loss == pytest.approx(-np.log(0.6), abs=1e-6)


def test_undetected_objects_are_left_out_with_a_notice(labelled):
    blind = labelled.select_rows(labelled.object_index > 1)
    with pytest.warns(RepairWarning, match="2 objects without a detection are not scored, first '0'"):
        scores = score(Classifier(Oracle(), "oracle"), blind, days=[2])
    assert scores.phases[2]["leaves"].n_objects == 28


def test_scoring_needs_labels(labelled):
    with pytest.raises(ValueError, match="no labels"):
        score(Classifier(Oracle(), "oracle"), labelled.with_label([""] * 30))
    with pytest.raises(ValueError, match="no labels"):
        detected(labelled.with_label([""] * 30))


def test_the_own_view_comes_first(examined):
    assert list(examined.evaluations) == ["alert", "full"]
    assert examined.own == ("alert", examined.evaluations["alert"])


@pytest.mark.parametrize("view", ["full", "alert"])
def test_scores_are_those_of_each_phase_alone(examined, shipped, curves, view):
    alone = score(shipped, curves, days=DAYS, view=view)
    for day in DAYS:
        said = shipped.predict(curves, days=day, view=view)
        np.testing.assert_allclose(examined.said[view, day], said, atol=2e-5)
        labels = shipped.tree.labels(curves.label)
        expected = evaluate(said, labels, shipped.tree, decided=shipped.decide(said), mix=shipped.mix)
        for level in LEVELS:
            for found in (alone, examined.evaluations[view]):
                np.testing.assert_array_equal(found.phases[day][level].confusion, expected[level].confusion)


def test_a_steppable_classifier_is_followed_beyond_the_phases_scored(examined):
    full, alert = examined.courses["full"].days, examined.courses["alert"].days
    assert full[0] < 0 <= alert[0]
    assert {*DAYS, 3, 1024} <= set(alert.tolist())
    assert list(examined.evaluations["full"].days) == list(DAYS)


def test_another_is_followed_at_the_phases_scored(labelled):
    found = examine("theirs", Classifier(Oracle(), "oracle"), labelled, days=(2, np.inf), batches={1: 1})
    assert found.courses["full"].days.tolist() == [2]
    assert found.evaluations["full"].days == (2, np.inf)
    with pytest.raises(ValueError, match="no finite day"):
        examine("theirs", Classifier(Oracle(), "oracle"), labelled, days=[np.inf])


def test_run_times_are_of_the_batches_asked_for(examined):
    assert [(time.batch, time.runs) for time in examined.times] == [(20, 2), (1, 3)]


def test_gaps_are_bootstrapped_with_each_ones_decisions(examined, shipped, curves):
    other = Classifier(shipped.model, "gru", "full", power=0.5)
    theirs = examine("theirs", other, curves, days=DAYS, views=["alert"], batches={1: 1})
    labels = shipped.tree.labels(curves.label)
    found = gaps(theirs, examined, labels, days=[2], n_draws=50)
    assert list(found) == ["alert"]
    said = theirs.said["alert", 2], examined.said["alert", 2]
    decided = other.decide(said[0]), shipped.decide(said[1])
    for level in LEVELS:
        expected = bootstrap_gap(*said, labels, shipped.tree, level, decided=decided, n_draws=50)
        assert found["alert"][level][2] == expected


def test_classifiers_beside_each_other_share_a_tree(shipped):
    with pytest.raises(ValueError, match="1 classifiers have another tree than 'plasticc', first 'toy'"):
        same_tree([shipped, Classifier(Oracle(), "oracle")])
