"""Conformal depth: coverage on exchangeable objects, nested answers, and deeper than a threshold."""

import json
from itertools import pairwise

import numpy as np
import pytest

from telperion.promise import LEVELS, Promise, _answers, _quantile, _worth
from telperion.taxonomy import Taxonomy

TREE = Taxonomy(
    "toy",
    {
        "Alert": {
            "Transient": {"SN": {"SNIa": {}, "SNII": {}, "SNIb/c": {}}, "Fast": {"KN": {}, "uLens": {}}},
            "AGN": {},
        }
    },
)
MOMENTS = np.array([0.0, 1.0, 3.0, 8.0, 30.0, 100.0])


def draw(rng, n, *, overconfident=1.0):
    """Draw objects whose probabilities get surer by phase: probabilities, labels, days, moments, objects."""
    logits = rng.normal(0, 1.0, (n, len(TREE)))
    label = np.array([rng.choice(TREE.leaves, p=row) for row in TREE.probabilities(logits)[:, TREE.leaves]])
    said, days = [], []
    for moment in MOMENTS:
        sharper = logits * 1.0
        for group in TREE.groups[1:]:  # evidence for the true path comes in with time
            true = TREE.ancestors[label][:, group]
            sharper[:, group] += true * np.log1p(moment) * rng.gamma(2, 0.4, (n, 1))
        said.append(TREE.probabilities(sharper * overconfident))
        days.append(moment * rng.uniform(0.3, 1, n))
    object_ = np.tile(np.arange(n), len(MOMENTS))
    return np.concatenate(said), np.tile(label, len(MOMENTS)), np.concatenate(days), np.repeat(MOMENTS, n), object_


def fit(data, **more):
    said, label, days, moment, object_ = data
    n = object_.max() + 1
    return Promise.fit(said, label, days, TREE, moment=moment.astype(int), chooses=object_ < n // 2, **more)


def right(promise, data, level=0.9):
    return TREE.ancestors[data[1], promise.nodes(data[0], data[2], level=level)]


@pytest.fixture(scope="module")
def fitted():
    rng = np.random.default_rng(0)
    return fit(draw(rng, 4000)), draw(rng, 4000)


def test_the_level_holds_at_each_moment_over_many_draws():
    """However bad the probabilities are: these are far too sure of themselves."""
    rng = np.random.default_rng(5)
    covered = []
    for _ in range(30):
        promise = fit(draw(rng, 120, overconfident=3.0), levels=(0.8,))
        test = draw(rng, 400, overconfident=3.0)
        covered.append(right(promise, test, 0.8).reshape(len(MOMENTS), -1).mean(axis=1))
    covered = np.array(covered)
    error = covered.std(axis=0) / np.sqrt(len(covered))
    assert (covered.mean(axis=0) > 0.8 - 2.5 * error).all()


def test_the_quantile_has_its_finite_sample_correction(rng):
    """Of n + 1 exchangeable numbers the last is not below the factor with at least the level's probability."""
    hits = []
    for _ in range(4000):
        numbers = rng.random(20)
        hits.append(numbers[-1] >= _quantile(numbers[:-1], 0.9))
    assert np.mean(hits) == pytest.approx(0.9, abs=0.015)  # 18 of 20
    assert _quantile(rng.random(8), 0.9) == 0  # too few to promise anything


def test_levels_and_depths_hold_on_fresh_objects(fitted):
    promise, test = fitted
    for level in LEVELS:
        covered = right(promise, test, level).reshape(len(MOMENTS), -1).mean(axis=1)
        assert (covered > level - 0.015).all()
    depth = TREE.depth[promise.nodes(test[0], test[2], level=0.9)].reshape(len(MOMENTS), -1)
    hits = right(promise, test).reshape(len(MOMENTS), -1)
    for own, hit in zip(depth, hits, strict=True):
        for each in range(1, 4):
            assert (own == each).mean() < 0.02 or hit[own == each].mean() > 0.84


def test_the_promise_goes_deeper_than_a_threshold_of_the_same_level(fitted):
    promise, test = fitted
    plain = TREE.depth[TREE.confident(test[0], 0.9)].reshape(len(MOMENTS), -1).mean(axis=1)
    ours = TREE.depth[promise.nodes(test[0], test[2], level=0.9)].reshape(len(MOMENTS), -1).mean(axis=1)
    assert (ours > plain).all()
    assert (ours - plain)[:4].min() > 0.1


def test_a_higher_level_never_goes_deeper_and_stays_on_the_path(fitted):
    promise, test = fitted
    answers = [promise.nodes(test[0], test[2], level=level) for level in LEVELS]
    for lower, higher in pairwise(answers):
        assert TREE.ancestors[lower, higher].all()
    path = TREE.path(test[0])
    assert (path == answers[0][:, None]).any(axis=1).all()


def test_the_largest_factor_is_where_an_answer_turns_wrong(rng):
    belief = np.sort(rng.random((500, 4)), axis=1)[:, ::-1]
    belief[:, 0] = 1
    depth, right = np.tile(np.arange(4), (500, 1)), np.arange(4) < rng.integers(1, 5, (500, 1))
    price = rng.uniform(0.01, 0.3, (500, 3))
    worth = _worth(belief, depth, right, price)
    rows = np.arange(500)
    for factor in (0.1, 0.5, 1.0, 2.0, 5.0):
        is_right = right[rows, _answers(belief, depth, factor * price)]
        clear = ~np.isclose(worth, factor)
        np.testing.assert_array_equal(is_right[clear], (worth >= factor)[clear])
    assert (worth[right.all(axis=1)] == np.inf).all()


def test_one_object_is_answered_as_in_company_and_one_without_rows_by_the_root(fitted):
    promise, test = fitted
    together = promise.nodes(test[0][:30], test[2][:30])
    alone = [promise.nodes(test[0][k : k + 1], test[2][k : k + 1])[0] for k in range(30)]
    np.testing.assert_array_equal(alone, together)
    assert promise.nodes(test[0][:1], [np.nan]).tolist() == [0]


def test_kinds_of_context_have_prices_of_their_own(rng):
    good, bad = draw(rng, 2000), draw(rng, 2000, overconfident=4.0)
    said, label, days, moment, object_ = (np.concatenate(pair) for pair in zip(good, bad, strict=True))
    kind = np.repeat(["good", "bad"], len(good[0]))
    promise = Promise.fit(
        said, label, days, TREE, moment=moment.astype(int), chooses=object_ < 1000, context=kind,
        contexts=("good", "bad", "never seen"), levels=(0.9,),
    )  # fmt: skip
    test = draw(rng, 3000, overconfident=4.0)
    answers = {
        name: promise.nodes(test[0], test[2], np.full(len(test[0]), name)) for name in ("good", "bad", "never seen")
    }
    covered = {name: TREE.ancestors[test[1], nodes].mean() for name, nodes in answers.items()}
    assert covered["bad"] > 0.89 > covered["good"]
    with pytest.raises(ValueError, match="context of 1 objects is unknown, first 'other'"):
        promise.nodes(test[0][:1], test[2][:1], ["other"])
    with pytest.raises(ValueError, match="say of each which it has"):
        promise.nodes(test[0][:1], test[2][:1])


def test_what_is_written_is_read_back(fitted):
    promise, test = fitted
    again = Promise.from_dict(json.loads(json.dumps(promise.to_dict())), TREE)
    np.testing.assert_array_equal(again.price, promise.price)
    np.testing.assert_array_equal(again.nodes(test[0], test[2]), promise.nodes(test[0], test[2]))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"levels": [0.9, 0.8, 0.95, 0.96, 0.97]}, "rise within 0 to 1"),
        ({"levels": [0.8, 0.85, 0.9, 0.95, 1.0]}, "rise within 0 to 1"),
        ({"levels": []}, "rise within 0 to 1"),
        ({"levels": ["high"]}, "levels"),
        ({"price": [[[[1.0]]]]}, "price has shape"),
        ({"price": None}, "price"),
        ({"contexts": []}, "contexts"),
        ({"contexts": "any"}, "contexts are no list of names"),
        ({"contexts": ["any", "any"]}, "contexts"),
        ({"knots": [0.0, float("inf")]}, "knots"),
        ({"more": 1}, "a promise knows no 'more'"),
    ],
)
def test_a_table_that_cannot_be_is_refused(fitted, change, message):
    with pytest.raises(ValueError, match=message):
        Promise.from_dict(fitted[0].to_dict() | change, TREE)


def test_prices_must_fall_with_the_level_and_not_below_zero(fitted):
    table = np.array(fitted[0].to_dict()["price"])
    for wrong in (table[::-1], -table):
        with pytest.raises(ValueError, match="a price is below zero, or higher at a higher level"):
            Promise.from_dict(fitted[0].to_dict() | {"price": wrong.tolist()}, TREE)


def test_a_level_that_is_not_kept_is_not_promised(fitted):
    promise, test = fitted
    with pytest.raises(ValueError, match=r"nothing is promised at level 0.7; levels are 0.8, 0.85"):
        promise.nodes(test[0], test[2], level=0.7)


def test_without_a_level_the_one_nearest_to_nine_tenths_is_taken(fitted):
    promise, test = fitted
    assert promise.usual == 0.9
    np.testing.assert_array_equal(promise.nodes(test[0], test[2]), promise.nodes(test[0], test[2], level=0.9))
    assert Promise(TREE, [0.5, 0.8, 0.99], promise.contexts, promise.knots, promise.price[:3]).usual == 0.99


def test_a_promise_needs_labels_and_both_parts(rng):
    said, label, days, moment, object_ = draw(rng, 20)
    given = {"moment": moment.astype(int), "chooses": object_ < 10}
    with pytest.raises(ValueError, match="unknown for 120 objects, first at object 0"):
        Promise.fit(said, np.full(len(label), -1), days, TREE, **given)
    with pytest.raises(ValueError, match="some objects must choose"):
        Promise.fit(said, label, days, TREE, **given | {"chooses": object_ < 99})
    with pytest.raises(ValueError, match="have shapes"):
        Promise.fit(said, label, days, TREE, **given | {"moment": [1]})
