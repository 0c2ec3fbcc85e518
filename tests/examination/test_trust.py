"""What is gathered on the way is what would be found by asking again."""

from dataclasses import replace

import numpy as np
import pytest

from telperion.calibrating import ask, calibrate
from telperion.calibration_scores import class_errors, reliabilities
from telperion.encode.view import days_known, held_context, keep_context, view
from telperion.examination.before import NETWORK, before_detection
from telperion.examination.examine import examine
from telperion.simulate.drawn import draw

DAYS = (0, 8, 64)


@pytest.fixture(scope="module")
def calibrated(shipped):
    return calibrate(shipped, ask(shipped, draw(n_per_class=20, seed=6), days=(0, 1, 8, 64)))


@pytest.fixture(scope="module")
def examined(calibrated, curves):
    return examine("ours", calibrated, curves, days=DAYS, context="photoz", batches={1: 1})


def test_before_is_what_the_classifier_says_without_its_calibration(calibrated, curves, examined):
    bare, known = replace(calibrated, calibration=None, promise=None), keep_context(curves, "photoz")
    labels = calibrated.tree.labels(curves.label)
    even = np.ones(calibrated.tree.leaves.size)
    for each in examined.trusted.phases:
        said = bare.predict(known, days=each.days).astype(np.float64)
        expected = reliabilities(calibrated.tree.reweight(said, bare.mix, even), labels, calibrated.tree)
        np.testing.assert_allclose(class_errors(each.before), class_errors(expected), atol=0.02)
        assert np.abs(class_errors(each.before) - class_errors(each.after)).max() > 0.02


def test_errors_of_leaves_are_those_of_the_evaluation(calibrated, examined):
    run = examined.evaluations["alert"]
    for each in examined.trusted.phases:
        errors = class_errors(each.after)[calibrated.tree.leaves]
        np.testing.assert_allclose(errors, run.phases[each.days]["leaves"].calibration_error, atol=1e-5)


def test_answers_are_those_of_each_object_asked_alone(calibrated, curves, examined):
    tree, known = calibrated.tree, keep_context(curves, "photoz")
    labels, days, right, named = tree.labels(curves.label), examined.trusted.days, [], []
    assert days[0] == 0
    assert set(DAYS) < set(days.tolist())
    for day in days:
        cut = view(known, day, "alert")
        nodes = calibrated.promised(calibrated.predict(known, days=day), days_known(cut), held_context(cut))
        right.append(tree.ancestors[labels, nodes])
        named.append((nodes == labels, np.isin(nodes, tree.leaves) & (nodes != labels)))
        if day in DAYS:
            (trust,) = (each for each in examined.trusted.phases if each.days == day)
            assert trust.promised.coverage == pytest.approx(right[-1].mean())
    assert examined.trusted.promised_always == pytest.approx(np.all(right, axis=0).mean())
    assert examined.trusted.plain_always <= min(each.plain.coverage for each in examined.trusted.phases)
    for name, found in examined.trusted.waits.items():
        truly, falsely = np.array(named)[:, :, curves.label == name].swapaxes(0, 1)
        ever = truly.any(axis=0)
        until = days[truly.argmax(axis=0)][ever]
        assert (found.objects, found.reached) == (ever.size, ever.mean())
        assert found.mistaken == falsely.any(axis=0).mean()
        assert found.median == np.median(until) if ever.any() else np.isnan(found.median)
    assert sum(found.reached for found in examined.trusted.waits.values()) > 0
    assert sum(found.mistaken for found in examined.trusted.waits.values()) > 0


def test_a_promise_is_for_the_view_that_it_was_made_for(calibrated, curves):
    other = examine("ours", calibrated, curves, days=(8,), views=["full"], batches={1: 1}).trusted
    assert (other.view, other.level, other.promised_always, other.waits) == ("full", None, None, {})
    assert other.phases[0].promised is None
    assert other.phases[0].before is not None


def test_objects_without_a_label_count_nowhere(shipped, curves):
    label = np.where(np.arange(len(curves)) % 2, "", curves.label)
    some = examine("ours", shipped, curves.with_label(label), days=(8,), views=["alert"], batches={1: 1}).trusted
    half = examine("ours", shipped, curves[::2], days=(8,), views=["alert"], batches={1: 1}).trusted
    assert some.phases[0].plain.coverage == pytest.approx(half.phases[0].plain.coverage)
    assert some.plain_always == pytest.approx(half.plain_always)
    assert some.level is some.phases[0].before is None


def test_before_the_first_detection_the_network_is_asked_as_it_is(shipped, calibrated, curves):
    """No calibration was fitted on context alone."""
    labels = shipped.tree.labels(curves.label)
    ours = before_detection(replace(calibrated, power=shipped.power), curves, labels).scores[NETWORK]
    plain = before_detection(shipped, curves, labels).scores[NETWORK]
    np.testing.assert_array_equal(ours["leaves"].confusion, plain["leaves"].confusion)
    assert ours["leaves"].summary == plain["leaves"].summary
