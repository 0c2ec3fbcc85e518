"""Losses along a class tree: hierarchical cross-entropies (HXE, WHXE), flat cross-entropy and focal loss.

Every loss reads logits, shape ``(n, n_nodes)``, through the softmax among siblings, and labels, shape ``(n,)``: node
positions. A label above the leaves teaches down to that node and no further; the root teaches nothing.
"""

from collections.abc import Callable
from typing import Literal, get_args

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from torch import Tensor

from telperion.taxonomy import Taxonomy

LossName = Literal["whxe", "flat", "focal"]
Loss = Callable[[Tensor, Tensor], Tensor]


def log_conditionals(logits: Tensor, tree: Taxonomy) -> Tensor:
    """Give log p(node | parent), shape ``(n, n_nodes)``: log-softmax among siblings, safe for any finite logits."""
    siblings = logits.split([group.size for group in tree.groups], dim=-1)  # breadth first, siblings are neighbours
    return torch.cat([group.log_softmax(dim=-1) for group in siblings], dim=-1)


def hierarchical_cross_entropy(
    logits: Tensor, labels: Tensor, tree: Taxonomy, *, alpha: float = 0.5, weights: ArrayLike | None = None
) -> Tensor:
    r"""Hierarchical cross-entropy, averaged over the objects: HXE, or WHXE with class weights.

    .. math:: L = -\sum_{l=0}^{h-1} W(C_l) \, e^{-\alpha d(C_l)} \log p(C_l | C_{l+1})

    over the path from the label :math:`C_0` to the root :math:`C_h`, where d is the depth of a node.

    Parameters
    ----------
    logits : Tensor, shape ``(n, n_nodes)``
    labels : Tensor of int, shape ``(n,)``
        Node positions.
    alpha : float
        0 weighs all depths alike, more favours the upper nodes.
    weights : array, shape ``(n_nodes,)``, optional
        W, see `class_weights`; 1 by default.

    References
    ----------
    Bertinetto et al. 2020 (HXE); Villar et al. 2023 (WHXE); Shah et al. 2025 (ORACLE).

    Examples
    --------
    >>> tree = Taxonomy.load("plasticc")
    >>> label = torch.tensor([tree.index("AGN")])
    >>> round(hierarchical_cross_entropy(torch.zeros(1, len(tree)), label, tree, alpha=0.0).item(), 4)  # ln 2 + ln 2
    1.3863
    """
    scale = np.exp(-alpha * tree.depth) * (1.0 if weights is None else np.asarray(weights, dtype=np.float64))
    factor = torch.from_numpy(tree.ancestors * scale).to(logits)  # (n_nodes, n_nodes), a row the path of a label
    return -(factor[labels] * log_conditionals(logits, tree)).sum(dim=-1).mean()


def label_log_probability(logits: Tensor, labels: Tensor, tree: Taxonomy) -> Tensor:
    """Give the log of the absolute probability of each label, shape ``(n,)``: summed along its path."""
    path = torch.from_numpy(tree.ancestors).to(logits)
    return (path[labels] * log_conditionals(logits, tree)).sum(dim=-1)


def taught_cross_entropy(logits: Tensor, taught: Tensor, tree: Taxonomy) -> Tensor:
    r"""Cross-entropy along the tree to the probabilities of a teacher, averaged over the objects.

    .. math:: L = -\sum_n p_{teacher}(n) \log p(n | parent(n))

    over all nodes: that of the leaves' probabilities. With the teacher certain of the label it is HXE with alpha 0.

    Parameters
    ----------
    logits, taught : Tensor, shape ``(n, n_nodes)``
        Of the network that learns, and of the teacher.
    """
    path = torch.from_numpy(tree.ancestors).to(logits)
    probability = (log_conditionals(taught, tree) @ path.T).exp()
    return -(probability * log_conditionals(logits, tree))[:, 1:].sum(dim=-1).mean()


def flat_cross_entropy(logits: Tensor, labels: Tensor, tree: Taxonomy, *, weights: ArrayLike | None = None) -> Tensor:
    """Cross-entropy of the label's absolute probability, each object weighed by `weights` of its label."""
    return focal_loss(logits, labels, tree, gamma=0.0, weights=weights)


def focal_loss(
    logits: Tensor, labels: Tensor, tree: Taxonomy, *, gamma: float = 2.0, weights: ArrayLike | None = None
) -> Tensor:
    """Focal loss -(1 - p)^gamma log p of the label's absolute probability p (Lin et al. 2017), averaged."""
    log_p = label_log_probability(logits, labels, tree)
    weight = 1.0 if weights is None else torch.as_tensor(np.asarray(weights)).to(logits)[labels]
    easy = 1.0 if gamma == 0 else (-torch.expm1(log_p)).clamp(min=1e-12) ** gamma  # slope stays finite at p = 1
    return -(weight * easy * log_p).mean()


def class_weights(labels: ArrayLike, tree: Taxonomy, *, power: float = 1.0) -> NDArray[np.float64]:
    """Weigh the nodes against their frequency: (N / (N_nodes N_c)) ** power, 0 for a node without objects.

    Parameters
    ----------
    labels : array of int, shape ``(n,)``
        Node positions of the training objects; those of unknown class (-1) do not count.
    power : float
        1 as in WHXE, 0 for no weights, between them for a compromise.

    Returns
    -------
    array, shape ``(n_nodes,)``

    Examples
    --------
    >>> tree = Taxonomy("toy", {"Alert": {"SN": {}, "AGN": {}}})
    >>> class_weights([1, 1, 1, 2], tree).round(3)  # N = 4, N_nodes = 3
    array([0.333, 0.444, 1.333])
    """
    known = np.asarray(labels)[np.asarray(labels) >= 0]
    count = tree.ancestors[known].sum(axis=0)
    weight = known.size / (len(tree) * np.maximum(count, 1))
    return np.where(count > 0, weight**power, 0.0)


def build_loss(name: LossName, labels: ArrayLike, tree: Taxonomy, *, alpha: float, balance: float) -> Loss:
    """Build the loss that a configuration names, ``(logits, labels) -> Tensor``.

    Parameters
    ----------
    name : {"whxe", "flat", "focal"}
    labels : array of int, shape ``(n,)``
        Node positions of the training objects, for the class weights.
    alpha : float
        Depth weight of WHXE.
    balance : float
        Power of the class weights; WHXE with 0 is HXE.

    Raises
    ------
    ValueError
        The name is unknown.
    """
    weights = class_weights(labels, tree, power=balance)
    if name == "whxe":
        return lambda logits, truth: hierarchical_cross_entropy(logits, truth, tree, alpha=alpha, weights=weights)
    if name == "flat":
        return lambda logits, truth: flat_cross_entropy(logits, truth, tree, weights=weights)
    if name == "focal":
        return lambda logits, truth: focal_loss(logits, truth, tree, weights=weights)
    raise ValueError(f"loss is {name!r}, expected one of {', '.join(get_args(LossName))}")


def assumed_mix(name: LossName, labels: ArrayLike, tree: Taxonomy, *, balance: float) -> NDArray[np.float64]:
    """Give the node probabilities that minimise a loss without looking at the objects: the mix a model assumes.

    WHXE (balance 1) assumes that siblings are equally frequent, the unweighted losses what the training set has.
    A class without training objects has probability 0.

    Returns
    -------
    array, shape ``(n_nodes,)``
    """
    known = np.asarray(labels)[np.asarray(labels) >= 0]
    weights = class_weights(known, tree, power=balance)
    if name == "whxe":
        mass = tree.ancestors[known].sum(axis=0) * weights
    else:
        mass = (tree.ancestors[known] * weights[known, None]).sum(axis=0)
    for group in tree.groups:
        mass[group] = mass[group] if mass[group].any() else 1.0
    with np.errstate(divide="ignore"):
        return np.asarray(tree.probabilities(np.log(mass)[None])[0])
