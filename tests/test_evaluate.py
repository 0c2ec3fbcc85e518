"""Scores against scikit-learn's, their properties, and what is refused."""

import numpy as np
import pytest

from telperion.evaluate import LEVELS, evaluate, level_nodes, reliability, roc_curve
from telperion.intervals import bootstrap, bootstrap_gap, wilson
from telperion.taxonomy import Taxonomy

TREE = Taxonomy.load("plasticc")


@pytest.fixture
def tied(rng):
    """Predictions with many ties, and labels that leave three leaves out."""
    leaves = rng.multinomial(10, rng.dirichlet(np.ones(len(TREE.leaves)), size=400)) / 10
    return TREE.from_leaves(leaves), rng.choice(TREE.leaves[:-3], size=400)


def drawn(rng, n=400, strength=1.0):
    """Predictions without ties that favour the truth as strongly as wanted."""
    truth = rng.integers(len(TREE.leaves), size=n)
    logits = rng.normal(size=(n, len(TREE.leaves)))
    logits[np.arange(n), truth] += strength
    leaves = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    return TREE.from_leaves(leaves), TREE.leaves[truth]


def columns(labels, level):
    """The true class of each label as a column of the level."""
    return TREE.ancestors[labels][:, level_nodes(TREE, level)].argmax(axis=1)


# -- a second opinion ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("level", LEVELS)
def test_decisions_score_as_in_sklearn(tied, level):
    metrics = pytest.importorskip("sklearn.metrics")
    probabilities, labels = tied
    scores = evaluate(probabilities, labels, TREE)[level]
    truth, decided = columns(labels, level), probabilities[:, level_nodes(TREE, level)].argmax(axis=1)
    everything = np.arange(len(scores.classes))
    theirs = metrics.precision_recall_fscore_support(truth, decided, labels=everything, zero_division=0)
    for mine, other in zip((scores.precision, scores.recall, scores.f1, scores.support), theirs, strict=True):
        np.testing.assert_allclose(mine, other)
    np.testing.assert_array_equal(scores.confusion, metrics.confusion_matrix(truth, decided, labels=everything))
    assert scores.accuracy == pytest.approx(metrics.accuracy_score(truth, decided))
    for average in ("macro", "weighted"):
        mine = getattr(scores, average)
        theirs = metrics.precision_recall_fscore_support(
            truth, decided, labels=np.unique(truth), average=average, zero_division=0
        )
        assert (mine.precision, mine.recall, mine.f1) == pytest.approx(theirs[:3])


@pytest.mark.parametrize("level", LEVELS)
def test_auc_with_ties_is_that_of_sklearn_and_nan_for_absent_classes(tied, level):
    metrics = pytest.importorskip("sklearn.metrics")
    probabilities, labels = tied
    scores, truth, nodes = (
        evaluate(probabilities, labels, TREE)[level],
        columns(labels, level),
        level_nodes(TREE, level),
    )
    for k, node in enumerate(nodes):
        if (truth == k).any():
            assert scores.auc[k] == pytest.approx(metrics.roc_auc_score(truth == k, probabilities[:, node]))
        else:
            assert np.isnan(scores.auc[k])
            assert np.isnan(scores.roc[k]).all()
    assert scores.macro.auc == pytest.approx(np.nanmean(scores.auc))


def test_auc_is_the_statistic_of_mann_and_whitney(rng):
    stats = pytest.importorskip("scipy.stats")
    score, positive = rng.integers(6, size=200), rng.random(200) < 0.3
    false_alarms, hits = roc_curve(score, positive)
    u = stats.mannwhitneyu(score[positive], score[~positive]).statistic
    assert np.trapezoid(hits, false_alarms) == pytest.approx(u / (positive.sum() * (~positive).sum()))


def test_roc_curve_is_that_of_sklearn(rng):
    metrics = pytest.importorskip("sklearn.metrics")
    score, positive = rng.integers(9, size=300), rng.random(300) < 0.4
    theirs = metrics.roc_curve(positive, score, drop_intermediate=False)
    np.testing.assert_allclose(roc_curve(score, positive), theirs[:2])


@pytest.mark.parametrize("level", LEVELS)
def test_log_loss_is_that_of_sklearn(rng, level):
    metrics = pytest.importorskip("sklearn.metrics")
    probabilities, labels = drawn(rng)
    scores, truth, nodes = (
        evaluate(probabilities, labels, TREE)[level],
        columns(labels, level),
        level_nodes(TREE, level),
    )
    weights = 1 / np.bincount(truth)[truth]
    belief = probabilities[:, nodes]
    assert scores.log_loss == pytest.approx(metrics.log_loss(truth, belief))
    assert scores.balanced_log_loss == pytest.approx(metrics.log_loss(truth, belief, sample_weight=weights))


# -- properties ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["elasticc", "plasticc", "mallorn"])
def test_perfect_predictions_score_one_everywhere(name):
    tree = Taxonomy.load(name)
    labels = np.repeat(tree.leaves, 3)
    scores = evaluate(tree.ancestors[labels].astype(float), labels, tree)
    for level in LEVELS:
        summary = scores[level].summary
        assert [summary[m] for m in ("precision", "recall", "f1", "auc", "accuracy", "weighted_f1")] == [1] * 6
        assert summary["log_loss"] == summary["calibration_error"] == summary["top_label_calibration_error"] == 0


@pytest.mark.parametrize("name", ["elasticc", "plasticc", "mallorn"])
def test_every_leaf_belongs_to_one_class_of_each_level(name):
    tree = Taxonomy.load(name)
    for level in LEVELS:
        assert (tree.ancestors[tree.leaves][:, level_nodes(tree, level)].sum(axis=1) == 1).all()


def test_order_of_objects_does_not_matter(rng):
    probabilities, labels = drawn(rng)
    order = rng.permutation(labels.size)
    first, second = (
        evaluate(p, t, TREE).to_dict() for p, t in ((probabilities, labels), (probabilities[order], labels[order]))
    )
    for level in LEVELS:
        assert first[level]["summary"] == pytest.approx(second[level]["summary"], nan_ok=True)


def test_every_object_twice_changes_no_score(rng):
    probabilities, labels = drawn(rng)
    once, twice = (
        evaluate(probabilities, labels, TREE),
        evaluate(np.tile(probabilities, (2, 1)), np.tile(labels, 2), TREE),
    )
    assert once["leaves"].summary == pytest.approx(twice["leaves"].summary)


def test_macro_and_weighted_averages_agree_on_a_balanced_set(rng):
    probabilities, _ = drawn(rng, n=28)
    scores = evaluate(probabilities, np.repeat(TREE.leaves, 2), TREE)["leaves"]
    assert scores.macro.f1 == pytest.approx(scores.weighted.f1)
    assert scores.log_loss == pytest.approx(scores.balanced_log_loss)


def test_uniform_belief_costs_the_logarithm_of_the_number_of_classes():
    uniform = TREE.from_leaves(np.full((5, 14), 1 / 14))
    assert evaluate(uniform, TREE.leaves[:5], TREE)["leaves"].log_loss == pytest.approx(np.log(14))


def test_certain_and_wrong_costs_a_finite_loss():
    wrong = TREE.ancestors[[TREE.index("KN")]].astype(float)
    assert evaluate(wrong, [TREE.index("EB")], TREE)["leaves"].log_loss == pytest.approx(-np.log(1e-15))


def test_an_inner_label_counts_down_to_its_own_level(rng):
    probabilities, labels = drawn(rng, n=50)
    labels[:7] = TREE.index("SN")
    scores = evaluate(probabilities, labels, TREE)
    assert [scores[level].left_out for level in LEVELS] == [0, 0, 7]
    assert [scores[level].n_objects for level in LEVELS] == [50, 50, 43]


def test_an_unknown_label_and_the_root_count_nowhere(rng):
    probabilities, labels = drawn(rng, n=50)
    labels[:3], labels[3] = -1, 0
    rest = evaluate(probabilities[4:], labels[4:], TREE)
    scores = evaluate(probabilities, labels, TREE)
    assert [scores[level].left_out for level in LEVELS] == [4, 4, 4]
    assert scores["leaves"].summary == rest["leaves"].summary


def test_a_level_that_no_label_reaches_is_nan_not_an_error(rng):
    probabilities, _ = drawn(rng, n=4)
    scores = evaluate(probabilities, np.full(4, TREE.index("SN")), TREE)
    assert scores["leaves"].n_objects == 0
    assert np.isnan(list(scores["leaves"].summary.values())).all()
    assert scores["level 2"].accuracy >= 0


def test_a_class_alone_has_no_auc(rng):
    probabilities, _ = drawn(rng, n=9)
    scores = evaluate(probabilities, np.full(9, TREE.index("KN")), TREE)["leaves"]
    assert np.isnan(scores.auc).all()
    assert np.isnan(scores.roc).all()
    assert np.isnan(scores.macro.auc)


def test_agn_is_a_class_of_level_two_and_a_leaf():
    labels = np.array([TREE.index("AGN")])
    scores = evaluate(TREE.ancestors[labels].astype(float), labels, TREE)
    assert all(dict(zip(scores[level].classes, scores[level].support, strict=True))["AGN"] == 1 for level in LEVELS[1:])


def test_a_prior_moves_decisions_of_leaves_and_no_belief(rng):
    probabilities, labels = drawn(rng)
    prior = np.ones(14)
    prior[0] = 1e-6
    plain, moved = evaluate(probabilities, labels, TREE), evaluate(probabilities, labels, TREE, leaf_prior=prior)
    assert moved["leaves"].recall[0] == 1
    assert moved["leaves"].log_loss == plain["leaves"].log_loss
    np.testing.assert_array_equal(moved["leaves"].auc, plain["leaves"].auc)
    np.testing.assert_array_equal(moved["leaves"].reliability, plain["leaves"].reliability)
    assert moved["level 2"].summary == plain["level 2"].summary


def test_a_flat_prior_changes_nothing(rng):
    probabilities, labels = drawn(rng)
    flat = evaluate(probabilities, labels, TREE, leaf_prior=np.full(14, 0.2))
    np.testing.assert_array_equal(flat["leaves"].confusion, evaluate(probabilities, labels, TREE)["leaves"].confusion)


def test_given_decisions_score_as_the_rule_that_made_them(rng):
    probabilities, labels = drawn(rng)
    labels[:5] = TREE.index("SN")
    prior = rng.random(14) + 0.1
    decided = TREE.leaves[(probabilities[:, TREE.leaves] / prior).argmax(axis=1)]
    by_rule, given = (
        evaluate(probabilities, labels, TREE, **how) for how in ({"leaf_prior": prior}, {"decided": decided})
    )
    assert by_rule.to_dict() == given.to_dict()


def test_calibration_error_is_small_for_honest_and_large_for_bold_beliefs(rng):
    leaves = rng.dirichlet(np.full(14, 0.3), size=20_000)
    labels = TREE.leaves[(leaves.cumsum(axis=1) > rng.random((20_000, 1))).argmax(axis=1)]
    bold = leaves**3 / (leaves**3).sum(axis=1, keepdims=True)
    honest, overconfident = (evaluate(TREE.from_leaves(p), labels, TREE)["leaves"].summary for p in (leaves, bold))
    assert honest["top_label_calibration_error"] < 0.02
    assert honest["calibration_error"] < 0.01
    assert overconfident["top_label_calibration_error"] > 0.1
    assert overconfident["calibration_error"] > 2 * honest["calibration_error"]


def test_reliability_bins_hold_every_object(rng):
    belief = np.concatenate([[0, 1], rng.random(98)])
    table = reliability(belief, rng.random(100) < belief)
    assert table[:, 2].sum() == 100
    assert np.nansum(table[:, 0] * table[:, 2]) == pytest.approx(belief.sum())


def test_float32_predictions_are_taken(rng):
    probabilities, labels = drawn(rng)
    single = evaluate(probabilities.astype(np.float32), labels, TREE)["leaves"]
    assert single.log_loss == pytest.approx(evaluate(probabilities, labels, TREE)["leaves"].log_loss, rel=1e-5)


# -- bootstrap -----------------------------------------------------------------------------------------------------


def test_bootstrap_holds_the_estimate_and_narrows_with_more_objects(rng):
    few, many = (evaluate(*drawn(rng, n), TREE)["leaves"] for n in (300, 30_000))
    for scores in (few, many):
        interval = bootstrap(scores)
        assert interval.estimate == scores.macro.f1
        assert interval.low < interval.estimate < interval.high
    assert bootstrap(many).standard_error < 0.2 * bootstrap(few).standard_error


def test_bootstrap_of_cells_agrees_with_drawing_objects(rng):
    probabilities, labels = drawn(rng, n=500)
    slow = []
    for _ in range(200):
        chosen = rng.integers(labels.size, size=labels.size)
        slow.append(evaluate(probabilities[chosen], labels[chosen], TREE)["level 2"].macro.f1)
    fast = bootstrap(evaluate(probabilities, labels, TREE)["level 2"], n_draws=2000)
    assert fast.standard_error == pytest.approx(np.std(slow), rel=0.25)
    assert fast.low == pytest.approx(np.percentile(slow, 2.5), abs=0.02)


def test_bootstrap_repeats_with_its_seed(rng):
    scores = evaluate(*drawn(rng), TREE)["leaves"]
    assert bootstrap(scores, seed=3) == bootstrap(scores, seed=3) != bootstrap(scores, seed=4)


@pytest.mark.parametrize("level", LEVELS)
def test_the_gap_of_a_pair_is_surer_than_its_sides(rng, level):
    probabilities, labels = drawn(rng, n=1000)
    noise = np.exp(0.2 * rng.normal(size=(1000, 14)))
    leaves = probabilities[:, TREE.leaves] * noise
    other = TREE.from_leaves(leaves / leaves.sum(axis=1, keepdims=True))
    mine, theirs = (evaluate(p, labels, TREE)[level] for p in (probabilities, other))
    gap = bootstrap_gap(probabilities, other, labels, TREE, level)
    assert gap.estimate == pytest.approx(mine.macro.f1 - theirs.macro.f1)
    assert gap.low <= gap.estimate <= gap.high
    assert gap.standard_error < bootstrap(mine).standard_error


def test_the_gap_honours_decisions_and_leaves_out_shallow_labels(rng):
    probabilities, labels = drawn(rng)
    labels[:9] = TREE.index("Fast")
    other = rng.choice(TREE.leaves, size=labels.size)
    plain, moved = (evaluate(probabilities, labels, TREE, decided=d)["leaves"].macro.f1 for d in (None, other))
    gap = bootstrap_gap(probabilities, probabilities, labels, TREE, decided=(None, other), n_draws=10)
    assert gap.estimate == pytest.approx(plain - moved)


def test_nothing_to_draw_is_an_error(rng):
    probabilities, _ = drawn(rng, n=4)
    with pytest.raises(ValueError, match="nothing to draw"):
        bootstrap(evaluate(probabilities, np.full(4, -1), TREE)["leaves"])


# -- bad input -----------------------------------------------------------------------------------------------------


def broken(rng, place, value):
    probabilities, labels = drawn(rng, n=20)
    probabilities[place] = value
    return probabilities, labels


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (np.nan, "probabilities are not finite for 2 objects, first at object 7"),
        (np.inf, "probabilities are not finite for 2 objects, first at object 7"),
        (-0.2, "probabilities are not within 0 to 1 for 2 objects, first at object 7"),
        (1.0, "probabilities do not sum to one over level 1 for 2 objects, first at object 7"),
    ],
)
def test_bad_probabilities_are_counted_and_the_first_is_named(rng, value, message):
    with pytest.raises(ValueError, match=message):
        evaluate(*broken(rng, ([7, 9],), value), TREE)


@pytest.mark.parametrize("label", [-2, len(TREE.nodes)])
def test_labels_outside_the_tree_are_counted_and_the_first_is_named(rng, label):
    probabilities, labels = drawn(rng, n=20)
    labels[[4, 5, 6]] = label
    with pytest.raises(ValueError, match=r"labels are not within -1 to .* for 3 objects, first at object 4"):
        evaluate(probabilities, labels, TREE)


def test_shapes_that_disagree_are_refused(rng):
    probabilities, labels = drawn(rng, n=20)
    with pytest.raises(ValueError, match=r"probabilities have shape \(20, 5\), expected"):
        evaluate(probabilities[:, :5], labels, TREE)
    with pytest.raises(ValueError, match=r"labels have shape \(19,\), expected \(20,\)"):
        evaluate(probabilities, labels[:19], TREE)
    with pytest.raises(ValueError, match="no objects"):
        evaluate(probabilities[:0], labels[:0], TREE)


def test_names_in_place_of_positions_are_refused_with_the_way_out(rng):
    probabilities, _ = drawn(rng, n=2)
    with pytest.raises(ValueError, match=r"Taxonomy\.labels"):
        evaluate(probabilities, ["KN", "EB"], TREE)


def test_a_prior_of_zero_is_refused_with_the_leaf(rng):
    prior = np.ones(14)
    prior[[2, 5]] = 0, np.nan
    with pytest.raises(ValueError, match=r"leaf_prior is not positive for 2 leaves, first 'SNIb/c'"):
        evaluate(*drawn(rng), TREE, leaf_prior=prior)
    with pytest.raises(ValueError, match=r"leaf_prior has shape \(3,\)"):
        evaluate(*drawn(rng), TREE, leaf_prior=[1, 1, 1])


def test_decisions_must_be_leaves_and_not_come_twice(rng):
    probabilities, labels = drawn(rng, n=20)
    with pytest.raises(ValueError, match="decided is no leaf for 20 objects, first at object 0"):
        evaluate(probabilities, labels, TREE, decided=np.full(20, TREE.index("SN")))
    with pytest.raises(ValueError, match=r"expected int of \(20,\)"):
        evaluate(probabilities, labels, TREE, decided=labels[:3])
    with pytest.raises(ValueError, match="not both"):
        evaluate(probabilities, labels, TREE, decided=labels, leaf_prior=np.ones(14))


def test_an_unknown_level_is_named_with_the_known_ones():
    with pytest.raises(ValueError, match="no level 'leaf'; there are level 1, level 2, leaves"):
        level_nodes(TREE, "leaf")


def test_calibration_is_judged_on_the_mix_of_the_objects_scored(rng):
    tree = Taxonomy.load("plasticc")
    n_leaves = tree.leaves.size
    natural = 0.7 ** np.arange(n_leaves)
    natural, assumed = natural / natural.sum(), natural[::-1] / natural.sum()
    truth = rng.choice(n_leaves, 20_000, p=natural)
    seen = rng.normal(np.eye(n_leaves)[truth], 0.8)  # the evidence: likelihood exp(seen / 0.8^2) for each class
    likelihood = np.exp((seen - seen.max(axis=1, keepdims=True)) / 0.64)
    belief = likelihood * assumed
    nodes = tree.from_leaves(belief / belief.sum(axis=1, keepdims=True))
    told = evaluate(nodes, tree.leaves[truth], tree, mix=assumed)
    untold = evaluate(nodes, tree.leaves[truth], tree)
    for level in LEVELS:
        assert told[level].summary["top_label_calibration_error"] < 0.015
        assert told[level].log_loss < untold[level].log_loss
    assert untold["leaves"].summary["top_label_calibration_error"] > 0.03


def test_the_interval_of_a_share_is_wilsons():
    from scipy.stats import binomtest

    for hits, trials in ((0, 5), (17, 19), (3, 14), (150, 162), (7, 7)):
        other = binomtest(hits, trials).proportion_ci(method="wilson")
        np.testing.assert_allclose(wilson(hits, trials), other, atol=1e-6)
    assert wilson([0, 1], [0, 2])[:, 0].tolist() == [0, 1]
