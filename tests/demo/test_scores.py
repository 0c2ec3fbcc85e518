"""Scores of a hand-made case: five answers on four objects of a tree of three classes."""

import numpy as np
import pyarrow as pa
import pytest

from telperion.demo.scores import by_class, by_span, latest, promises, right_at, surest
from telperion.taxonomy import Taxonomy

TREE = Taxonomy("toy", {"Alert": {"Transient": {"SN": {"Ia": {}, "II": {}}}, "Variable": {"EB": {}}}})
NAMES = ["Alert", "Transient", "Variable", "SN", "EB", "Ia", "II"]
IA, II, EB = TREE.index("Ia"), TREE.index("II"), TREE.index("EB")


@pytest.fixture
def truth():
    return pa.table({
        "object_id": ["a", "b", "c", "d", "e"],
        "diaObjectId": pa.array([11, 4, 7, 9, 1], pa.int64()),
        "label": ["Ia", "Ia", "II", "EB", "EB"],
    })  # fmt: skip


def answers(truth, *, order=slice(None)):
    said = [  # object, MJD, days, p(Ia), p(II), decided, promised
        ("11", 50.0, 0.0, 0.2, 0.1, "EB", "Variable"),
        ("11", 60.0, 10.0, 0.6, 0.3, "Ia", "SN"),
        ("4", 55.0, 5.0, 0.3, 0.6, "II", "SN"),
        ("7", 51.0, None, 0.0, 0.9, "II", "II"),
        ("9", 52.0, 25.0, 0.4, 0.3, "Ia", "Transient"),
    ][order]
    name, time, days, ia, ii, leaf, promised = (list(column) for column in zip(*said, strict=True))
    probabilities = TREE.from_leaves([[_eb(a, b), a, b] for a, b in zip(ia, ii, strict=True)])
    return pa.table({
        "object_id": name, "alert_time": pa.array(time), "alert_id": pa.array(time).cast(pa.int64()),
        "days": pa.array(days, pa.float64()),
        "n_obs": np.arange(len(said)), "leaf": leaf, "confident_node": promised,
        **{node: pa.array(probabilities[:, k].astype(np.float32)) for k, node in enumerate(TREE.nodes)},
    })  # fmt: skip


def _eb(ia, ii):
    return 1 - ia - ii


def test_the_tree_is_as_the_case_has_it():
    assert list(TREE.nodes) == NAMES
    assert TREE.leaves.tolist() == [EB, IA, II]


@pytest.mark.parametrize("order", [slice(None), slice(None, None, -1)], ids=["in time", "backwards"])
def test_the_latest_answer_on_each_object_counts(truth, order):
    found = latest(answers(truth, order=order), truth, TREE)
    assert dict(zip(found.object_id.tolist(), found.leaf.tolist(), strict=True)) == {
        "11": IA,
        "4": II,
        "7": II,
        "9": IA,
    }
    assert dict(zip(found.object_id.tolist(), found.label.tolist(), strict=True)) == {
        "11": IA,
        "4": IA,
        "7": II,
        "9": EB,
    }
    assert dict(zip(found.object_id.tolist(), found.alert_id.tolist(), strict=True)) == {
        "11": 60,
        "4": 55,
        "7": 51,
        "9": 52,
    }
    assert found.days[found.object_id == "7"] == 0


def test_decisions_are_right_level_by_level(truth):
    found = latest(answers(truth), truth, TREE)
    right = dict(zip(found.object_id.tolist(), right_at(found, TREE).tolist(), strict=True))
    assert right == {"11": [True] * 3, "4": [True, True, False], "7": [True] * 3, "9": [False] * 3}


def test_classes_are_counted_in_the_order_of_the_tree(truth):
    counts = by_class(latest(answers(truth), truth, TREE), TREE)
    assert list(counts) == ["Ia", "II", "EB"]
    assert (counts["Ia"].objects, counts["Ia"].days, counts["Ia"].right) == (2, 7.5, [2, 2, 1])
    assert (counts["EB"].objects, counts["EB"].right) == (1, [0, 0, 0])


def test_spans_part_the_objects_and_their_f1_is_as_worked_out_by_hand(truth):
    spans = by_span(latest(answers(truth), truth, TREE), TREE)
    assert {name: n for name, (n, _) in spans.items()} == {"under 2 d": 1, "2 to 20 d": 2, "over 20 d": 1, "all": 4}
    # all: Ia is decided for 11 and 9, II for 4 and 7: F1 of Ia 1/2, of II 2/3, of EB 0
    assert spans["all"][1][2] == pytest.approx((1 / 2 + 2 / 3 + 0) / 3)
    assert spans["all"][1][0] == pytest.approx((2 * 3 / (3 + 4) + 0) / 2)  # Transient for all four, three are
    assert spans["over 20 d"][1] == [0, 0, 0]


def test_promises_are_right_above_the_truth(truth):
    scores = promises(latest(answers(truth), truth, TREE), TREE)
    assert scores.coverage == 3 / 4
    assert scores.depth == (2 + 2 + 3 + 1) / 4
    assert scores.at_leaf == 1 / 4


def test_the_surest_object_is_of_those_decided_for_the_class(truth):
    found = latest(answers(truth), truth, TREE)
    chosen = surest(found, TREE, ("II", "EB", "Ia"))
    assert found.object_id[chosen].tolist() == ["7", "11"]  # none is decided to be EB


def test_labels_that_the_tree_lacks_are_not_scored(truth):
    strange = truth.set_column(2, "label", [["Ia", "Ia", "II", "oak", "EB"]])
    found = latest(answers(truth), strange, TREE)
    assert by_span(found, TREE)["all"][0] == 3
    assert "over 20 d" not in by_span(found, TREE)
    assert promises(found, TREE).coverage == 1


def test_an_answer_on_an_unknown_object_is_refused(truth):
    with pytest.raises(ValueError, match="the truth lacks 1 objects, first '9'"):
        latest(answers(truth), truth.slice(0, 3), TREE)
