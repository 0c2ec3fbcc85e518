"""Vector scaling along the tree: exact sums, what was bent is bent back, bad tables are refused."""

import json

import numpy as np
import pytest

from telperion.calibrate import Calibration, _loss
from telperion.taxonomy import Taxonomy

TREE = Taxonomy("toy", {"Alert": {"Transient": {"SN": {"SNIa": {}, "SNII": {}, "SNIb/c": {}}, "KN": {}}, "AGN": {}}})
DAYS = np.array([0.0, 1.0, 4.0, 16.0, 64.0, 1024.0])


def draw(rng, n, bend=lambda logits, days: logits):
    """Draw objects with true probabilities, labels of those, and logits bent by phase."""
    logits = rng.normal(0, 1.5, (n, len(TREE)))
    days = 2 ** rng.uniform(0, 10, n) - 1
    true = TREE.probabilities(logits)
    leaf = np.array([rng.choice(TREE.leaves, p=row / row.sum()) for row in true[:, TREE.leaves]])
    return true, TREE.probabilities(bend(logits, days)), leaf, days


def bend(logits, days):
    """Make probabilities too sharp late, and the first children too likely early."""
    place = np.log1p(days)[:, None] / np.log(1024)
    bias = np.zeros(len(TREE))
    bias[[TREE.index("SNIa"), TREE.index("KN")]] = 1.2, -0.8
    return logits * (1 + place) + bias * (1 - place)


def log_loss(probabilities, leaf):
    return -np.log(probabilities[np.arange(len(leaf)), leaf]).mean()


@pytest.fixture(scope="module")
def bent():
    rng = np.random.default_rng(1)
    true, said, leaf, days = draw(rng, 20_000, bend)
    return true, said, leaf, days, Calibration.fit(said, leaf, days, TREE)


def identity(mix=None):
    shape = (2, len(TREE))
    return Calibration(TREE, np.ones(5) if mix is None else mix, [0.0, 1024.0], np.ones(shape), np.zeros(shape))


def test_siblings_sum_to_their_parent_whatever_is_said(bent, rng):
    calibration = bent[4]
    sharp = TREE.probabilities(rng.normal(0, 30, (500, len(TREE)))).astype(np.float32)  # zeros and ones among them
    result = calibration.apply(sharp, rng.uniform(0, 3000, 500)).astype(np.float64)
    assert (result[:, 0] == 1).all()
    for group in TREE.groups[1:]:
        np.testing.assert_allclose(result[:, group].sum(axis=1), result[:, TREE.parent[group[0]]], atol=1e-6)
    assert np.isfinite(result).all()


def test_the_identity_changes_nothing(rng):
    said = TREE.probabilities(rng.normal(0, 2, (300, len(TREE))))
    np.testing.assert_allclose(identity().apply(said, np.full(300, 7.0)), said, atol=1e-6)


def test_a_known_bias_and_temperature_are_taken_back(bent):
    true, said, leaf, days, calibration = bent
    right = calibration.apply(said, days)
    assert log_loss(right, leaf) < log_loss(said, leaf) - 0.05
    assert log_loss(right, leaf) == pytest.approx(log_loss(true, leaf), abs=0.004)
    assert np.abs(right - true).mean() < 0.01
    group = TREE.groups[1]
    late = 1 / calibration.sharpness[-1, group[0]]
    assert late == pytest.approx(2.0, rel=0.1)


def test_probabilities_that_are_right_are_left_alone(rng):
    true, _, leaf, days = draw(rng, 10_000)
    calibration = Calibration.fit(true, leaf, days, TREE)
    assert np.abs(calibration.apply(true, days) - true).mean() < 0.015


def test_newton_ends_where_the_gradient_vanishes_and_the_gradient_is_that_of_the_loss(rng):
    logarithm, truth = rng.normal(0, 1, (200, 3)), rng.integers(0, 3, 200)
    weight = rng.random(200)
    spans = [(0, logarithm, truth, np.stack([1 - weight, weight]))]
    found = np.column_stack([rng.uniform(0.5, 2, 3), rng.normal(0, 1, (3, 3))])
    value, gradient, curve = _loss(found, spans, 1.0)
    for place in np.ndindex(found.shape):
        moved = found.copy()
        moved[place] += 1e-6
        higher, tilted, _ = _loss(moved, spans, 1.0)
        assert (higher - value) / 1e-6 == pytest.approx(gradient[place], abs=1e-3)
        column = curve[:, np.ravel_multi_index(place, found.shape)]
        np.testing.assert_allclose((tilted - gradient).ravel() / 1e-6, column, atol=1e-3)


def test_scikit_learn_finds_the_same_temperature_and_biases(rng):
    """One group, one phase: a logistic regression of the labels on log-probabilities, restricted to one slope."""
    linear_model = pytest.importorskip("sklearn.linear_model", reason="comes with telperion[train]")
    pair = Taxonomy("pair", {"Alert": {"SN": {}, "AGN": {}}})
    chance = rng.beta(0.6, 0.9, 20_000)
    label = np.where(rng.random(20_000) < 1 / (1 + np.exp(-(0.6 * np.log(chance / (1 - chance)) - 0.7))), 1, 2)
    said = np.column_stack([np.ones(20_000), chance, 1 - chance])
    ours = Calibration.fit(said, label, np.zeros(20_000), pair)
    theirs = linear_model.LogisticRegression(C=np.inf, tol=1e-8).fit(np.log(chance / (1 - chance))[:, None], label == 1)
    assert ours.sharpness[0, 1] == pytest.approx(theirs.coef_[0, 0], abs=2e-3)
    assert ours.bias[0, 1] - ours.bias[0, 2] == pytest.approx(theirs.intercept_[0], abs=2e-3)


def test_a_single_object_is_calibrated_as_in_company(bent, rng):
    _, said, _, days, calibration = bent
    together = calibration.apply(said[:20], days[:20])
    alone = np.concatenate([calibration.apply(said[k : k + 1], days[k : k + 1]) for k in range(20)])
    np.testing.assert_allclose(alone, together, atol=1e-7)


def test_undoing_gives_back_what_was_calibrated(rng):
    said = TREE.from_leaves(rng.dirichlet(np.full(TREE.leaves.size, 0.3), 500))
    label = rng.choice(TREE.leaves, 500, p=rng.dirichlet(np.ones(TREE.leaves.size)))
    days = rng.choice([0.0, 3.0, 100.0, 3000.0], 500)
    calibration = Calibration.fit(said, label, days, TREE)
    calibrated = calibration.apply(said, days)
    assert np.abs(calibrated - said).max() > 0.1
    np.testing.assert_allclose(calibration.undo(calibrated, days), said, atol=1e-5)
    certain = TREE.ancestors[TREE.leaves].astype(float)
    there = calibration.apply(certain, np.zeros(len(certain)))
    np.testing.assert_allclose(calibration.undo(there, np.zeros(len(certain))), certain, atol=1e-5)
    with pytest.raises(ValueError, match="days are not finite or below zero for 1 objects, first at object 0"):
        calibration.undo(calibrated[:1], [np.nan])


def test_an_object_without_rows_gets_the_mix_of_the_objects_calibrated_on(bent):
    _, said, leaf, _, calibration = bent
    share = np.bincount(leaf, minlength=len(TREE))[TREE.leaves] / len(leaf)
    np.testing.assert_allclose(calibration.mix, share, atol=1e-12)
    np.testing.assert_allclose(calibration.apply(said[:1], [np.nan])[0, TREE.leaves], share, atol=1e-6)


def test_an_inner_node_teaches_down_to_itself(bent):
    _, said, leaf, days, calibration = bent
    inner = np.where(TREE.ancestors[leaf][:, TREE.index("SN")], TREE.index("SN"), leaf)
    with pytest.warns(UserWarning, match="3 classes have no object to calibrate on, first 'SNIa'"):
        partly = Calibration.fit(said, inner, days, TREE)
    above = np.concatenate(TREE.groups[1:3])
    np.testing.assert_allclose(partly.bias[:, above], calibration.bias[:, above], atol=1e-6)
    below = TREE.groups[3]
    np.testing.assert_array_equal(partly.bias[:, below], 0)
    np.testing.assert_array_equal(partly.sharpness[:, below], 1)


def test_a_class_without_objects_keeps_the_share_that_the_model_gives_it(rng):
    """The others change from even to nine in ten against one; the third stays at a third."""
    flat = Taxonomy("flat", {"Alert": {"A": {}, "B": {}, "C": {}}})
    said, label = np.full((5000, 4), 1 / 3), np.repeat([1, 2], [4500, 500])
    said[:, 0] = 1
    with pytest.warns(UserWarning, match="1 classes have no object to calibrate on, first 'C'"):
        calibration = Calibration.fit(said, label, np.zeros(5000), flat)
    np.testing.assert_allclose(calibration.apply(said[:1], [0.0])[0], [1, 0.6, 0.0667, 0.3333], atol=2e-3)
    np.testing.assert_allclose(calibration.mix, [0.6, 0.0667, 0.3333], atol=1e-3)
    flat.reweight(calibration.apply(said[:1], [0.0]), calibration.mix, [1, 1, 1])  # can be moved to any mix


def test_a_knot_without_objects_takes_after_its_neighbours(rng):
    _, said, leaf, _ = draw(rng, 3000, bend)
    calibration = Calibration.fit(said, leaf, np.full(3000, 4.0), TREE)
    assert np.ptp(calibration.bias, axis=0).max() < 0.35 * np.abs(calibration.bias).max()


def test_repeated_rows_fit_as_the_rows_once(rng):
    _, said, leaf, days = draw(rng, 2000, bend)
    once = Calibration.fit(said, leaf, days, TREE)
    thrice = Calibration.fit(np.tile(said, (3, 1)), np.tile(leaf, 3), np.tile(days, 3), TREE, repeats=3)
    np.testing.assert_allclose(thrice.bias, once.bias, atol=1e-5)


def test_what_is_written_is_read_back(bent):
    _, said, _, days, calibration = bent
    again = Calibration.from_dict(json.loads(json.dumps(calibration.to_dict())), TREE)
    np.testing.assert_allclose(again.apply(said, days), calibration.apply(said, days), atol=1e-6)
    np.testing.assert_allclose(again.mix, calibration.mix)


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        (("bias", "KN"), [0.0], "KN has shape"),
        (("bias", "KN"), None, "KN has shape|KN is no table"),
        (("bias", "KN"), ["a"] * 12, "KN is no table of numbers"),
        (("bias", "KN"), [float("nan")] * 12, "KN is not finite in 12 places"),
        (("temperature", "SN"), [0.0] * 12, "temperature below 'SN' is not above zero"),
        (("temperature", "SN"), [-1.0] * 12, "temperature below 'SN' is not above zero"),
        (("knots",), [1.0, 0.5], "knots must be"),
        (("knots",), [0.0], "knots must be"),
        (("mix", "KN"), -1.0, "class mix must be finite"),
        (("mix",), {}, "the mix of the calibration lacks"),
        (("mix",), 3, "the mix of the calibration is no table"),
        (("colour",), 3, "a calibration knows no 'colour'"),
    ],
)
def test_a_table_that_cannot_be_is_refused(bent, path, value, message):
    document = json.loads(json.dumps(bent[4].to_dict()))
    place = document
    for name in path[:-1]:
        place = place[name]
    place[path[-1]] = value
    with pytest.raises(ValueError, match=message):
        Calibration.from_dict(document, TREE)


def test_a_calibration_of_another_tree_is_refused(bent):
    with pytest.raises(ValueError, match="the mix of the calibration"):
        Calibration.from_dict(bent[4].to_dict(), Taxonomy.load("mallorn"))


def test_siblings_share_one_temperature():
    sharpness = np.ones((2, len(TREE)))
    sharpness[0, -1] = 2
    with pytest.raises(ValueError, match="siblings share one temperature"):
        Calibration(TREE, np.ones(5), [0.0, 1.0], sharpness, np.zeros((2, len(TREE))))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"labels": np.full(10, -1)}, "no object has a label"),
        ({"labels": np.ones(9, dtype=int)}, "labels are int64 of shape"),
        ({"labels": np.full(10, 0.5)}, "labels are float64"),
        ({"days": np.full(10, -1.0)}, "below zero for 10 objects, first at object 0"),
        ({"days": np.full(10, np.nan)}, "days are not finite"),
        ({"probabilities": np.full((10, len(TREE)), 2.0)}, "not within 0 to 1 for 10 objects, first at object 0"),
        ({"probabilities": np.full((10, 3), 0.5)}, r"probabilities have shape \(10, 3\)"),
        ({"repeats": 0}, "repeats are 0"),
    ],
)
def test_what_cannot_be_fitted_is_refused(change, message, rng):
    given = {"probabilities": TREE.probabilities(rng.normal(size=(10, len(TREE)))), "labels": np.full(10, 3)}
    given |= {"days": np.zeros(10), "tree": TREE} | change
    with pytest.raises(ValueError, match=message):
        Calibration.fit(**given)
