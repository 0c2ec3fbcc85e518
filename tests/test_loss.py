"""Losses against a slow version, by gradient checks, and at the ends of floating point."""

import math

import numpy as np
import pytest
import torch

from telperion.loss import (
    assumed_mix,
    build_loss,
    class_weights,
    flat_cross_entropy,
    focal_loss,
    hierarchical_cross_entropy,
    label_log_probability,
    taught_cross_entropy,
)
from telperion.taxonomy import Taxonomy


@pytest.fixture(scope="module")
def tree():
    return Taxonomy.load("elasticc")


@pytest.fixture
def batch(rng, tree):
    logits = torch.from_numpy(rng.normal(size=(40, len(tree))))
    labels = torch.from_numpy(rng.choice(tree.leaves, 40))
    return logits, labels


def slow_whxe(logits, labels, tree, alpha, weights):
    """Walk up from each label, one node at a time, with plain Python numbers."""
    total = 0.0
    for row, node in zip(logits.tolist(), labels.tolist(), strict=True):
        while tree.parent[node] >= 0:
            siblings = [other for other in range(len(tree)) if tree.parent[other] == tree.parent[node]]
            p = math.exp(row[node]) / sum(math.exp(row[other]) for other in siblings)
            total -= weights[node] * math.exp(-alpha * tree.depth[node]) * math.log(p)
            node = tree.parent[node]
    return total / len(labels)


@pytest.mark.parametrize("alpha", [0.0, 0.5, 2.0])
def test_whxe_equals_the_slow_version(rng, tree, batch, alpha):
    weights = class_weights(rng.choice(tree.leaves, 300), tree)
    fast = hierarchical_cross_entropy(*batch, tree, alpha=alpha, weights=weights)
    assert fast.item() == pytest.approx(slow_whxe(*batch, tree, alpha, weights), rel=1e-12)


def test_hxe_is_whxe_with_weights_of_one(tree, batch):
    ones = np.ones(len(tree))
    assert hierarchical_cross_entropy(*batch, tree) == hierarchical_cross_entropy(*batch, tree, weights=ones)


def test_hxe_without_depth_weight_is_flat_cross_entropy(tree, batch):
    hierarchical = hierarchical_cross_entropy(*batch, tree, alpha=0.0)
    torch.testing.assert_close(hierarchical, flat_cross_entropy(*batch, tree))


def test_label_probabilities_are_those_of_the_tree(tree, batch):
    logits, labels = batch
    expected = tree.probabilities(logits.numpy())[np.arange(40), labels.numpy()]
    np.testing.assert_allclose(label_log_probability(logits, labels, tree).exp().numpy(), expected, rtol=1e-12)


def test_focal_loss_by_hand(tree, batch):
    p = label_log_probability(*batch, tree).exp()
    torch.testing.assert_close(focal_loss(*batch, tree, gamma=3.0), (-((1 - p) ** 3) * p.log()).mean())


@pytest.mark.parametrize("name", ["whxe", "flat", "focal"])
def test_gradients_agree_with_finite_differences(rng, tree, name):
    labels = torch.from_numpy(rng.choice(len(tree), 5))
    loss = build_loss(name, rng.choice(tree.leaves, 300), tree, alpha=0.5, balance=1.0)
    logits = torch.from_numpy(rng.normal(size=(5, len(tree)))).requires_grad_()
    assert torch.autograd.gradcheck(lambda values: loss(values, labels), logits)


@pytest.mark.parametrize("name", ["whxe", "flat", "focal"])
@pytest.mark.parametrize("size", [1e4, -1e4, 3e38])
def test_huge_logits_do_not_overflow(tree, name, size):
    labels = torch.from_numpy(tree.leaves)
    logits = torch.zeros(labels.numel(), len(tree))
    logits[torch.arange(labels.numel()), labels] = size
    logits.requires_grad_()
    value = build_loss(name, tree.leaves, tree, alpha=0.5, balance=1.0)(logits, labels)
    value.backward()
    assert torch.isfinite(logits.grad).all()
    assert torch.isfinite(value) or size > 1e38


@pytest.mark.parametrize("name", ["whxe", "flat", "focal"])
def test_a_label_above_the_leaves_stops_the_loss_there(rng, tree, name):
    label = torch.tensor([tree.index("SN")])
    logits = torch.from_numpy(rng.normal(size=(1, len(tree)))).requires_grad_()
    build_loss(name, tree.leaves, tree, alpha=0.5, balance=1.0)(logits, label).backward()
    taught = np.flatnonzero(logits.grad[0].numpy())
    above = [tree.parent[node] for node in np.flatnonzero(tree.ancestors[label[0]])]
    assert set(tree.parent[taught]) == set(above) - {-1}


def test_the_root_as_label_teaches_nothing(tree):
    logits = torch.randn(1, len(tree)).requires_grad_()
    value = hierarchical_cross_entropy(logits, torch.tensor([0]), tree)
    value.backward()
    assert value == 0
    assert not logits.grad.any()


def test_class_weights_by_hand():
    toy = Taxonomy("toy", {"Alert": {"SN": {"SNIa": {}, "SNII": {}, "KN": {}}, "AGN": {}}})
    labels = toy.labels(["SNIa", "SNIa", "SNIa", "SNII", "AGN", "AGN", "SN", ""])  # N = 7, N_nodes = 6
    expected = [7 / (6 * 7), 7 / (6 * 5), 7 / (6 * 2), 7 / (6 * 3), 7 / (6 * 1), 0.0]
    np.testing.assert_allclose(class_weights(labels, toy), expected)
    np.testing.assert_allclose(class_weights(labels, toy, power=0.5), np.sqrt(expected))


@pytest.mark.parametrize(("name", "balance"), [("whxe", 1.0), ("whxe", 0.0), ("flat", 0.5), ("flat", 1.0)])
def test_the_assumed_mix_minimises_the_loss(rng, tree, name, balance):
    labels = rng.choice(tree.leaves, 500, p=rng.dirichlet(np.ones(tree.leaves.size)))
    loss = build_loss(name, labels, tree, alpha=0.5, balance=balance)
    constant = torch.zeros(1, len(tree), dtype=torch.float64, requires_grad=True)
    truth = torch.from_numpy(labels)
    optimiser = torch.optim.LBFGS([constant], max_iter=500, line_search_fn="strong_wolfe")

    def closure():
        optimiser.zero_grad()
        value = loss(constant.expand(labels.size, -1), truth)
        value.backward()
        return value

    optimiser.step(closure)
    fitted = tree.probabilities(constant.detach().numpy())[0]
    np.testing.assert_allclose(assumed_mix(name, labels, tree, balance=balance), fitted, atol=2e-3)


def test_an_unknown_loss_is_named(tree):
    with pytest.raises(ValueError, match="loss is 'mse', expected one of whxe, flat, focal"):
        build_loss("mse", tree.leaves, tree, alpha=0.5, balance=1.0)


def test_a_certain_teacher_is_the_label(batch, tree):
    logits, labels = batch
    path = torch.from_numpy(tree.ancestors[labels].astype(float))
    expected = hierarchical_cross_entropy(logits, labels, tree, alpha=0.0)
    torch.testing.assert_close(taught_cross_entropy(logits, 1e3 * path, tree), expected)


def test_what_is_taught_is_the_cross_entropy_of_the_leaves(batch, tree, rng):
    logits, taught = batch[0], torch.from_numpy(rng.normal(size=(40, len(tree))))
    leaves = tree.probabilities(taught.numpy())[:, tree.leaves]
    said = tree.probabilities(logits.numpy())[:, tree.leaves]
    assert taught_cross_entropy(logits, taught, tree).item() == pytest.approx(-(leaves * np.log(said)).sum(1).mean())


def test_nothing_is_left_to_learn_where_the_teacher_says_the_same(tree, rng):
    taught = torch.from_numpy(rng.normal(size=(40, len(tree))))
    logits = taught.clone().requires_grad_()
    taught_cross_entropy(logits, taught, tree).backward()
    torch.testing.assert_close(logits.grad, torch.zeros_like(logits), atol=1e-12, rtol=0)
