"""Means by class and days until confident, against sums written out object by object."""

import numpy as np
import pytest

from telperion.evaluate import level_nodes
from telperion.examination.course import AFTER, BEFORE, Follower, wait
from telperion.scores import LEVELS
from telperion.taxonomy import Taxonomy

TREE = Taxonomy.load("elasticc")
DAYS = (-2, 0, 1, 2, 4)


@pytest.fixture
def followed(rng):
    """Objects of random classes, some labelled with inner nodes or not at all, ever surer by chance."""
    labels = rng.integers(-1, len(TREE), size=60)
    labels[:2] = TREE.leaves[:2]
    follower, said = Follower(labels, TREE), {}
    for day in DAYS:
        leaves = rng.dirichlet(np.full(TREE.leaves.size, 0.02), size=60)
        said[day] = TREE.from_leaves(leaves)
        follower.add(day, said[day])
    return labels, said, follower.course()


def test_days_are_followed_in_order_and_up_to_the_last_phase():
    assert all(np.diff((*BEFORE, *AFTER)) > 0)
    assert (AFTER[0], AFTER[-1]) == (0, 1024)
    assert {2**n for n in range(11)} <= set(AFTER)


def test_mean_scores_are_means_over_the_objects_of_the_true_leaf(followed):
    labels, said, course = followed
    for place, leaf in enumerate(TREE.leaves):
        members = labels == leaf
        assert course.support[place] == members.sum()
        for row, day in enumerate(DAYS):
            expected = said[day][members][:, TREE.leaves].mean(axis=0) if members.any() else np.nan
            np.testing.assert_allclose(course.mean[row, place], expected)


def test_mean_scores_sum_to_one(followed):
    course = followed[2]
    np.testing.assert_allclose(course.mean[:, course.support > 0].sum(axis=-1), 1)


def test_the_days_until_confident_are_those_found_one_by_one(followed):
    labels, said, course = followed
    known = np.flatnonzero(np.isin(labels, TREE.leaves))
    assert course.leaf.size == known.size
    for level in LEVELS:
        nodes = level_nodes(TREE, level)
        for place, item in enumerate(known):
            true = next(node for node in nodes if TREE.ancestors[labels[item], node])
            right = [day for day in DAYS if day >= 0 and said[day][item, true] > 0.9]
            wrong = [day for day in DAYS if day >= 0 and said[day][item, [n for n in nodes if n != true]].max() > 0.9]
            assert course.confident[level][place] == min(right, default=np.inf)
            assert course.mistaken[level][place] == min(wrong, default=np.inf)


def test_a_deeper_level_is_never_confident_sooner(followed):
    course = followed[2]
    assert np.isfinite(course.confident["leaves"]).any()
    assert (course.confident["level 1"] <= course.confident["level 2"]).all()
    assert (course.confident["level 2"] <= course.confident["leaves"]).all()


def test_a_wait_is_the_median_of_those_that_arrive(toy):
    labels = [toy.index("SNIa")] * 4
    follower = Follower(labels, toy)
    sure = np.eye(4)[toy.leaves.tolist().index(toy.index("SNIa"))]
    other = np.eye(4)[toy.leaves.tolist().index(toy.index("EB"))]
    unsure = np.full(4, 0.25)
    for day, rows in {
        0: (unsure, unsure, unsure, unsure), 3: (sure, unsure, unsure, other), 9: (unsure, sure, unsure, unsure)
    }.items():  # fmt: skip
        follower.add(day, toy.from_leaves(np.array(rows)))
    found = wait(follower.course(), "SNIa", "leaves")
    assert (found.median, found.reached, found.mistaken, found.objects) == (6.0, 0.5, 0.25, 4)
    assert wait(follower.course(), "SNIa", "level 1").reached == 0.5
    with pytest.raises(ValueError, match="no object of 'EB'"):
        wait(follower.course(), "EB", "leaves")


def test_a_class_that_never_arrives_has_no_median(toy):
    follower = Follower([toy.index("EB")], toy)
    follower.add(0, toy.from_leaves(np.full((1, 4), 0.25)))
    found = wait(follower.course(), "EB", "leaves")
    assert np.isnan(found.median)
    assert found.reached == 0


def test_days_must_rise_and_a_label_must_be_a_leaf(toy):
    with pytest.raises(ValueError, match="none of 2 objects has a leaf"):
        Follower([-1, 0], toy)
    follower = Follower([toy.index("EB")], toy)
    said = toy.from_leaves(np.full((1, 4), 0.25))
    follower.add(2, said)
    with pytest.raises(ValueError, match="day 1 does not follow 2"):
        follower.add(1, said)
