"""Before the first detection nothing of it is known."""

import numpy as np
import pytest

from telperion.encode.view import keep_context
from telperion.evaluate import evaluate
from telperion.examination.before import BOTH, CONTEXT, NETWORK, NON_DETECTIONS, before_detection
from telperion.scores import LEVELS


@pytest.fixture
def before(shipped, curves):
    return before_detection(shipped, curves, shipped.tree.labels(curves.label))


def test_rows_from_the_first_detection_on_change_nothing(shipped, curves, before):
    later = curves.time >= curves.first_detection[curves.object_index]
    other = curves._with(flux=np.where(later, 1e6, curves.flux).astype(np.float32))
    again = before_detection(shipped, other, shipped.tree.labels(curves.label))
    for known, scores in before.scores.items():
        for level in LEVELS:
            np.testing.assert_array_equal(scores[level].confusion, again.scores[known][level].confusion)


def test_scores_are_those_of_each_object_asked_alone(shipped, curves, before):
    labels = shipped.tree.labels(curves.label)
    start = curves.first_detection
    cut = [curves[k].between(0, start[k]) for k in range(len(curves))]
    assert before.without_rows == sum(one.n_rows == 0 for one in cut)
    for known, given in {BOTH: cut, NON_DETECTIONS: [keep_context(one, "none") for one in cut]}.items():
        said = np.concatenate([shipped.predict(one, view="full") for one in given])
        expected = evaluate(said, labels, shipped.tree, decided=shipped.decide(said), mix=shipped.mix)
        for level in LEVELS:
            np.testing.assert_array_equal(before.scores[known][level].confusion, expected[level].confusion)


def test_without_rows_all_fall_to_one_class_but_the_network_tells_by_context(before):
    assert list(before.scores) == [NON_DETECTIONS, CONTEXT, NETWORK, BOTH]
    assert before.network_asked
    assert (before.scores[CONTEXT]["leaves"].confusion.sum(axis=0) > 0).sum() == 1
    assert (before.scores[NETWORK]["leaves"].confusion.sum(axis=0) > 0).sum() > 1


def test_only_a_recurrent_network_is_asked(fixed, curves):
    curves = curves[np.isin(curves.label, ["SNIa", "SNII", "AGN", "EB"])]
    found = before_detection(fixed, curves, fixed.tree.labels(curves.label))
    assert list(found.scores) == [NON_DETECTIONS, CONTEXT, BOTH]
    assert not found.network_asked


def test_an_object_without_a_detection_has_no_time_before_it(shipped, curves):
    blind = curves._with(detected=curves.detected & (curves.object_index != 1))
    with pytest.raises(ValueError, match=f"1 objects have no detection, first '{curves.object_id[1]}'"):
        before_detection(shipped, blind, shipped.tree.labels(curves.label))
