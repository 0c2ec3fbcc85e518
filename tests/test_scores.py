"""The containers of scores: phases in order, and a round trip through strict JSON."""

import json

import numpy as np
import pytest

from telperion.evaluate import evaluate
from telperion.scores import LEVELS, PHASES, Evaluation, Scores, precision_recall_f1, shared_days, weighted_mean
from telperion.taxonomy import Taxonomy

TREE = Taxonomy.load("plasticc")


def drawn(rng, n=60):
    leaves = rng.dirichlet(np.ones(len(TREE.leaves)), size=n)
    return evaluate(TREE.from_leaves(leaves), rng.choice(TREE.leaves[:-2], size=n), TREE)


def test_phases_double_from_one_day():
    assert PHASES == (1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024)


def test_an_evaluation_survives_strict_json(rng):
    evaluation = Evaluation("alert", "photoz", {2: drawn(rng), np.inf: drawn(rng)})
    text = json.dumps(evaluation.to_dict(), allow_nan=False)
    again = Evaluation.from_dict(json.loads(text))
    assert json.dumps(again.to_dict(), allow_nan=False) == text
    assert again.days == (2.0, np.inf)
    assert np.isnan(again.phases[2]["leaves"].auc[-1])  # an absent class
    np.testing.assert_array_equal(again.phases[2]["leaves"].roc, evaluation.phases[2]["leaves"].roc)


def test_a_level_without_objects_survives_json(rng):
    probabilities = TREE.from_leaves(rng.dirichlet(np.ones(14), size=3))
    scores = evaluate(probabilities, np.full(3, TREE.index("SN")), TREE)
    again = Scores.from_dict(json.loads(json.dumps(scores.to_dict(), allow_nan=False)))
    assert np.isnan(again["leaves"].log_loss)
    assert again["leaves"].left_out == 3


def test_phases_are_kept_in_rising_order(rng):
    scores = drawn(rng)
    evaluation = Evaluation("full", "none", {64: scores, np.inf: scores, 2: scores})
    assert evaluation.days == (2, 64, np.inf)
    assert evaluation.curve("leaves", "accuracy") == pytest.approx([scores["leaves"].accuracy] * 3)


def test_an_evaluation_without_phases_is_refused():
    with pytest.raises(ValueError, match="at least one phase"):
        Evaluation("full", "none", {})


def test_evaluations_share_their_common_days(rng):
    scores = drawn(rng)
    early, late = (Evaluation("full", "none", dict.fromkeys(days, scores)) for days in ((1, 2, 8), (2, 8, 64)))
    assert shared_days([early, late]) == [2, 8]
    with pytest.raises(ValueError, match="2 evaluations share no phase"):
        shared_days([early, Evaluation("full", "none", {64: scores})])
    with pytest.raises(ValueError, match="0 evaluations"):
        shared_days([])


def test_an_unknown_level_is_named_with_the_known_ones(rng):
    with pytest.raises(KeyError, match="no level 'leaf'; there are level 1, level 2, leaves"):
        drawn(rng)["leaf"]


def test_classes_know_their_siblings(rng):
    scores = drawn(rng)
    assert dict(zip(scores["leaves"].classes, scores["leaves"].groups, strict=True))["SNIa"] == "SN"
    assert set(scores["level 1"].groups) == {"Alert"}
    assert tuple(scores.levels) == LEVELS


def test_stacked_confusions_score_as_each_alone(rng):
    confusions = rng.integers(5, size=(3, 4, 4))
    together = precision_recall_f1(confusions)
    for k, confusion in enumerate(confusions):
        for many, one in zip(together, precision_recall_f1(confusion), strict=True):
            np.testing.assert_array_equal(many[k], one)


def test_a_mean_without_weight_is_nan():
    assert np.isnan(weighted_mean(np.array([1.0]), np.array([0])))
