import numpy as np
import pytest

from telperion.realism.boosting import auc, folds


def test_the_area_is_that_of_scikit_learn(rng):
    metrics = pytest.importorskip("sklearn.metrics")
    real = rng.random(300) < 0.4
    score = (rng.normal(size=300) + real).round(1)  # with ties
    assert auc(score, real, np.zeros(300, dtype=int))[0] == pytest.approx(metrics.roc_auc_score(real, score))


def test_the_error_is_how_far_areas_of_many_samples_scatter(rng):
    real, one = np.repeat([False, True], 60), np.zeros(120, dtype=int)
    found = np.array([auc(rng.normal(size=120) + 0.7 * real, real, one) for _ in range(400)])
    assert found[:, 1].mean() == pytest.approx(found[:, 0].std(), rel=0.15)


def test_scores_are_compared_within_their_fold_only(rng):
    real, fold = np.tile([False, True], 50), np.repeat([0, 1], 50)
    score = rng.normal(size=100) + real
    assert auc(score + 100 * fold, real, fold)[0] == pytest.approx(auc(score, real, fold)[0])


def test_folds_share_each_class_evenly():
    label = np.repeat([0, 1, 2], [10, 31, 7])
    fold = folds(label, 3, seed=5)
    for value in range(3):
        counts = np.bincount(fold[label == value], minlength=3)
        assert counts.max() - counts.min() <= 1
    assert (fold != folds(label, 3, seed=6)).any()
