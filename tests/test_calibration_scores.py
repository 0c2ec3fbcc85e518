import numpy as np
import pytest

from telperion.calibration_scores import class_errors, depth_scores, mix_of, reliabilities, top_error, trust_in
from telperion.evaluate import evaluate
from telperion.taxonomy import Taxonomy

TREE = Taxonomy.load("elasticc")


@pytest.fixture
def scored(rng):
    probabilities = TREE.from_leaves(rng.dirichlet(np.full(TREE.leaves.size, 0.3), 800))
    return probabilities, rng.choice(TREE.leaves, 800)


def test_errors_at_leaves_are_those_of_an_evaluation(scored):
    errors = class_errors(reliabilities(*scored, TREE))
    by_name = dict(zip(TREE.nodes, errors, strict=True))
    scores = evaluate(*scored, TREE)
    for level in ("level 1", "level 2", "leaves"):
        expected = dict(zip(scores[level].classes, scores[level].calibration_error, strict=True))
        assert {name: by_name[name] for name in expected} == pytest.approx(expected)


def test_probabilities_that_are_drawn_from_have_small_errors_and_shifted_ones_large(rng):
    leaves = rng.dirichlet(np.full(TREE.leaves.size, 0.3), 20_000)
    label = TREE.leaves[[rng.choice(TREE.leaves.size, p=row) for row in leaves]]
    right = TREE.from_leaves(leaves)
    wrong = TREE.reweight(right, np.ones(19), np.where(np.arange(19) == 0, 20.0, 1.0))
    assert class_errors(reliabilities(right, label, TREE)).max() < 0.02
    assert class_errors(reliabilities(wrong, label, TREE)).max() > 0.2
    assert top_error(right, label, TREE) < 0.02 < 0.1 < top_error(wrong, label, TREE)


def test_an_inner_label_says_nothing_of_the_nodes_below(scored):
    probabilities, label = scored
    label = np.where(TREE.ancestors[label][:, TREE.index("SN")], TREE.index("SN"), label)
    count = reliabilities(probabilities, label, TREE)[:, :, 2].sum(axis=1)
    assert count[TREE.index("SN")] == 800
    assert count[TREE.index("SNIa")] == (label != TREE.index("SN")).sum()


def test_an_answer_above_the_truth_is_right_and_counts_at_its_depth():
    nodes = [TREE.index(name) for name in ("Alert", "SN", "SNIa", "SNII", "AGN")]
    scores = depth_scores(nodes, [TREE.index("SNIa")] * 4 + [TREE.index("AGN")], TREE)
    assert (scores.coverage, scores.depth, scores.at_leaf) == pytest.approx((0.8, 2.0, 0.6))
    np.testing.assert_allclose(scores.share, [0.2, 0, 0.4, 0.4])
    np.testing.assert_allclose(scores.coverage_at, [1, np.nan, 1, 0.5])


def test_answers_without_labels_are_not_scored():
    with pytest.raises(ValueError, match="2 answers are scored, of which 1 have no label"):
        depth_scores([0, 0], [3, -1], TREE)


def test_trust_puts_the_measures_of_a_moment_together(scored):
    probabilities, label = scored
    nodes = {"promised": TREE.leaf(probabilities), "plain": TREE.confident(probabilities)}
    bent = TREE.reweight(probabilities, np.ones(19), np.arange(1, 20))
    found = trust_in("none", 8.0, label, TREE, before=bent, after=probabilities, **nodes)
    np.testing.assert_array_equal(found.before, reliabilities(bent, label, TREE))
    np.testing.assert_array_equal(found.after, reliabilities(probabilities, label, TREE))
    assert found.top == (top_error(bent, label, TREE), top_error(probabilities, label, TREE))
    assert found.promised.coverage == (nodes["promised"] == label).mean()
    assert found.plain.depth == depth_scores(nodes["plain"], label, TREE).depth
    alone = trust_in("none", 8.0, label, TREE, before=None, after=probabilities, promised=None, plain=nodes["plain"])
    assert (alone.before, alone.promised, alone.top[0]) == (None, None, None)


def test_the_mix_of_an_inner_node_is_that_of_the_leaves_below_it():
    shares = dict(
        zip((TREE.nodes[leaf] for leaf in TREE.leaves), mix_of(TREE.labels(["SN", "AGN", ""]), TREE), strict=True)
    )
    assert shares.pop("AGN") == 0.5
    assert [share for share in shares.values() if share] == pytest.approx([0.1] * 5)
