from itertools import pairwise

import numpy as np
import pytest

from telperion.taxonomy import Taxonomy

TREES = ("elasticc", "plasticc", "mallorn")


@pytest.fixture(params=TREES)
def tree(request):
    return Taxonomy.load(request.param)


def test_the_elasticc_tree_is_that_of_oracle():
    tree = Taxonomy.load("elasticc")
    assert (len(tree), tree.leaves.size, len(tree.groups)) == (26, 19, 8)
    assert tree.nodes[3:8] == ("SN", "Fast", "Long", "Periodic", "AGN")
    assert tree.nodes[-4:] == ("Cepheid", "RR Lyrae", "Delta Scuti", "EB")


def test_the_32_models_of_elasticc2_find_their_leaf():
    tree = Taxonomy.load("elasticc")
    same_name = ["SNIax", "TDE", "ILOT", "CART", "PISN", "Cepheid", "EB"]
    others = [name for names in tree.to_dict()["aliases"].values() for name in names if name != "SNIa-SALT2"]
    models = set(same_name) | set(others)
    assert len(models) == 32
    assert np.isin(tree.labels(sorted(models)), tree.leaves).all()


def test_the_plasticc_tree_is_the_elasticc_tree_cut_to_its_classes_plus_mira():
    plasticc, elasticc = Taxonomy.load("plasticc"), Taxonomy.load("elasticc")
    assert plasticc.leaves.size == 14
    assert set(plasticc.nodes) - set(elasticc.nodes) == {"Mira"}
    for node, name in enumerate(plasticc.nodes):
        if name not in ("Mira", "Alert"):
            above = elasticc.parent[elasticc.index(name)]
            assert plasticc.nodes[plasticc.parent[node]] == elasticc.nodes[above]


def test_the_mallorn_tree_has_its_16_types_and_tde_is_a_leaf():
    tree = Taxonomy.load("mallorn")
    assert tree.leaves.size == 16
    assert tree.index("TDE") in tree.leaves


def test_parents_stand_before_their_children_and_depths_never_fall(tree):
    assert (tree.parent[1:] < np.arange(1, len(tree))).all()
    assert (np.diff(tree.depth) >= 0).all()


def test_children_sum_to_their_parent_and_the_root_is_one(tree, rng):
    probabilities = tree.probabilities(rng.normal(0, 5, (100, len(tree))))
    assert probabilities[:, 0] == pytest.approx(1)
    for group in tree.groups[1:]:
        assert probabilities[:, group].sum(axis=1) == pytest.approx(probabilities[:, tree.parent[group[0]]])
    assert probabilities[:, tree.leaves].sum(axis=1) == pytest.approx(1)


def test_probabilities_agree_with_a_slow_walk_up_the_tree(tree, rng):
    logits = rng.normal(size=(3, len(tree)))
    for row, probabilities in zip(logits, tree.probabilities(logits), strict=True):
        for node in range(len(tree)):
            expected, here = 1.0, node
            while here != 0:
                siblings = [k for k in range(len(tree)) if tree.parent[k] == tree.parent[here]]
                expected *= np.exp(row[here]) / sum(np.exp(row[k]) for k in siblings)
                here = tree.parent[here]
            assert probabilities[node] == pytest.approx(expected)


def test_huge_logits_do_not_overflow(tree):
    logits = np.zeros((1, len(tree)))
    logits[0, tree.leaves[0]] = 1e4
    assert np.isfinite(tree.probabilities(logits)).all()


def test_leaves_summed_up_are_the_node_probabilities(tree, rng):
    probabilities = tree.probabilities(rng.normal(size=(10, len(tree))))
    assert tree.from_leaves(probabilities[:, tree.leaves]) == pytest.approx(probabilities)


def test_reweighting_there_and_back_changes_nothing_and_sums_stay_exact(tree, rng):
    probabilities = tree.probabilities(rng.normal(size=(10, len(tree))))
    old, new = rng.dirichlet(np.ones(tree.leaves.size), 2)
    moved = tree.reweight(probabilities, old, new)
    assert tree.reweight(moved, new, old) == pytest.approx(probabilities)
    assert tree.from_leaves(moved[:, tree.leaves]) == pytest.approx(moved)


def test_reweighting_is_the_rule_of_bayes():
    tree = Taxonomy("toy", {"Alert": {"A": {}, "B": {}}})
    moved = tree.reweight([[1.0, 0.5, 0.5]], [0.5, 0.5], [0.9, 0.1])
    assert moved[0].tolist() == pytest.approx([1.0, 0.9, 0.1])


def test_a_mix_without_a_wanted_class_is_refused():
    tree = Taxonomy("toy", {"Alert": {"A": {}, "B": {}}})
    with pytest.raises(ValueError, match="the old mix lacks 1 classes of the new one, first 'B'"):
        tree.reweight([[1.0, 0.5, 0.5]], [1.0, 0.0], [0.5, 0.5])


def test_the_confident_node_is_the_deepest_above_the_threshold():
    tree = Taxonomy.load("elasticc")
    leaves = np.full((2, 19), 1e-3)
    leaves[0, tree.leaves == tree.index("KN")] = 1
    leaves[1, np.isin(tree.leaves, [tree.index("SNIa"), tree.index("SNII")])] = 0.5
    probabilities = tree.from_leaves(leaves / leaves.sum(axis=1, keepdims=True))
    assert [tree.nodes[node] for node in tree.confident(probabilities)] == ["KN", "SN"]
    assert tree.confident(np.full((1, 26), 0.1)).tolist() == [0]


def test_labels_may_be_any_node_or_an_alias_or_unknown():
    tree = Taxonomy.load("plasticc")
    assert tree.labels(["90", "SN", "", "SNIa"]).tolist() == [
        tree.index("SNIa"),
        tree.index("SN"),
        -1,
        tree.index("SNIa"),
    ]


def test_unknown_names_are_counted_and_the_nearest_is_suggested():
    tree = Taxonomy.load("plasticc")
    with pytest.raises(ValueError, match="labels of 2 objects, first '99'"):
        tree.labels(["99", "90", "99"])
    with pytest.raises(KeyError, match="perhaps 'SNIax'"):
        tree.index("SNIaxx")


def test_a_tree_survives_its_own_tables(tree):
    assert Taxonomy.from_dict(tree.to_dict()) == tree


@pytest.mark.parametrize(
    ("tables", "message"),
    [
        ({"A": {}, "B": {}}, "exactly one root"),
        ({"A": {"B": {"C": {}}, "C": {}}}, "names 1 nodes twice, first 'C'"),
        ({"A": {"B": 3}}, "what stands under 'B' is no table"),
    ],
)
def test_a_broken_tree_is_refused(tables, message):
    with pytest.raises(ValueError, match=message):
        Taxonomy("broken", tables)


def test_an_alias_cannot_stand_for_two_nodes():
    with pytest.raises(ValueError, match="stands for two nodes"):
        Taxonomy("broken", {"A": {"B": {}, "C": {}}}, {"B": ["x"], "C": ["x"]})


def test_log_conditionals_undo_probabilities(rng):
    tree = Taxonomy.load("elasticc")
    probabilities = tree.probabilities(rng.normal(size=(50, len(tree))))
    np.testing.assert_allclose(tree.probabilities(tree.log_conditionals(probabilities)), probabilities, atol=1e-6)


def test_log_conditionals_are_finite_where_probabilities_are_zero():
    tree = Taxonomy.load("elasticc")
    certain = tree.ancestors[tree.leaves].astype(np.float32)
    logarithms = tree.log_conditionals(certain)
    assert np.isfinite(logarithms).all()
    np.testing.assert_allclose(tree.probabilities(logarithms), certain, atol=1e-6)


def test_what_is_no_probability_has_no_logarithm():
    tree = Taxonomy.load("elasticc")
    with pytest.raises(ValueError, match="not within 0 to 1 for 1 objects, first at object 0"):
        tree.log_conditionals(np.full((1, len(tree)), np.nan))


def test_the_path_goes_by_the_likeliest_child(rng):
    tree = Taxonomy.load("elasticc")
    probabilities = tree.probabilities(rng.normal(size=(200, len(tree))))
    path = tree.path(probabilities)
    assert (path[:, 0] == 0).all()
    assert np.isin(path[:, -1], tree.leaves).all()
    for row, nodes in zip(probabilities, path, strict=True):
        for above, below in pairwise(nodes):
            children = np.flatnonzero(tree.parent == above)
            assert below == (children[np.argmax(row[children])] if children.size else above)
