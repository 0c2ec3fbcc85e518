"""Finding one class: measures against scikit-learn's, thresholds against every other one."""

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import average_precision_score, f1_score, precision_score, recall_score, roc_auc_score

from telperion.found import average_precision, best_threshold, bootstrap_f1, expected_threshold, found


@pytest.fixture
def scored(rng):
    truth = rng.random(400) < 0.1
    return np.round(rng.normal(truth * 1.5, 1), 1), truth  # rounded, so that there are ties


def test_measures_are_those_of_scikit_learn(scored):
    score, truth = scored
    result = found(score, truth, score > 1)
    assert result.f1 == pytest.approx(f1_score(truth, score > 1))
    assert result.precision == pytest.approx(precision_score(truth, score > 1))
    assert result.recall == pytest.approx(recall_score(truth, score > 1))
    assert result.average_precision == pytest.approx(average_precision_score(truth, score))
    assert result.roc_auc == pytest.approx(roc_auc_score(truth, score))


def test_no_threshold_is_better_than_the_best(scored):
    score, truth = scored
    best = f1_score(truth, score > best_threshold(score, truth))
    assert best == max(f1_score(truth, score > level) for level in np.arange(-5, 5, 0.05))


def test_the_best_threshold_may_call_everything():
    assert best_threshold([1.0, 2.0], [True, True]) < 1


def test_a_bootstrap_brackets_the_estimate(scored):
    score, truth = scored
    interval = bootstrap_f1(truth, score > 1)
    assert interval.low < interval.estimate < interval.high
    assert interval.estimate == pytest.approx(f1_score(truth, score > 1))
    draws = np.random.default_rng(1).integers(400, size=(300, 400))
    slow = [f1_score(truth[draw], score[draw] > 1) for draw in draws]
    assert interval.standard_error == pytest.approx(np.std(slow), rel=0.2)


def test_nothing_called_and_nothing_there_give_zero_and_nan():
    result = found([0.1, 0.2], [False, False], [False, False])
    assert (result.precision, result.recall, result.f1) == (0, 0, 0)
    assert np.isnan(result.average_precision)


@pytest.mark.parametrize(
    ("score", "truth", "message"),
    [
        ([], [], "length above 0"),
        ([1.0], [True, False], "one length"),
        ([np.nan, 1.0], [True, False], "for 1 objects, first at position 0"),
    ],
)
def test_bad_scores_are_refused(score, truth, message):
    with pytest.raises(ValueError, match=message):
        average_precision(score, truth)


def test_calls_of_another_shape_are_refused():
    with pytest.raises(ValueError, match="called has shape"):
        found([0.1, 0.2], [True, False], [True])


def test_the_expected_threshold_loses_less_on_further_objects():
    """Scores as a classifier of rare objects gives them; each threshold chosen on few is judged on many."""
    rng = np.random.default_rng(1)

    def draw(n):
        truth = rng.random(n) < 0.05
        odds = np.where(truth, rng.normal(1.2, 1.6, n), rng.normal(-4.2, 2.0, n))
        return 1 / (1 + np.exp(-odds)), truth

    many = draw(40_000)
    chosen = []
    for _ in range(60):
        few = draw(1500)
        chosen.append([found(*many, many[0] > choose(*few)).f1 for choose in (best_threshold, expected_threshold)])
    raw, expected = np.mean(chosen, axis=0)
    assert raw + 0.001 < expected < found(*many, many[0] > best_threshold(*many)).f1


def test_the_curve_is_that_of_scikit_learn_however_extreme_the_scores(rng):
    truth = rng.random(2000) < 0.05
    odds = np.where(truth, rng.normal(0, 6, 2000), rng.normal(-8, 4, 2000))
    score = 1 / (1 + np.exp(-odds))
    inputs = (np.log(score.clip(1e-6, 1 - 1e-6) / (1 - score.clip(1e-6, 1 - 1e-6)))[:, None] / 5) ** np.arange(3)
    curve = LogisticRegression(C=10, fit_intercept=False, tol=1e-8, max_iter=1000).fit(inputs, truth)
    likely = curve.predict_proba(inputs)[:, 1]
    order = np.argsort(-score)
    expected = 2 * np.cumsum(likely[order]) / (np.arange(1, 2001) + likely.sum())
    called = (score > expected_threshold(score, truth)).sum()
    assert abs(called - 1 - np.argmax(expected)) <= 5  # the weak priors are not the same


def test_the_expected_threshold_is_the_best_one_of_many_calibrated_objects(rng):
    score = rng.beta(0.3, 3, 200_000)
    truth = rng.random(200_000) < score
    assert expected_threshold(score, truth) == pytest.approx(best_threshold(score, truth), abs=0.02)


def test_the_expected_threshold_stands_apart_classes_and_refuses_what_is_no_probability():
    score, truth = np.array([0.9, 0.8, 0.2, 0.1]), np.array([True, True, False, False])
    assert 0.2 <= expected_threshold(score, truth) <= 0.8
    with pytest.raises(ValueError, match="are not probabilities"):
        expected_threshold(score + 1, truth)
