"""`Taxonomy`: the class tree, and everything that is worked out along it, in one place."""

from __future__ import annotations

import difflib
import tomllib
from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

TREES = Path(__file__).parent / "trees"


class Taxonomy:
    """A tree of classes with its nodes in one breadth-first order, root first.

    Parameters
    ----------
    name : str
    tree : mapping
        Nested tables, a child under its parent, an empty one for a leaf; exactly one root.
    aliases : mapping of str to list of str
        Node -> the names that data sets have for it.

    Attributes
    ----------
    nodes : tuple of str, length ``n_nodes``
    parent : array of int, shape ``(n_nodes,)``
        Position of each node's parent, -1 for the root.
    depth : array of int, shape ``(n_nodes,)``
    leaves : array of int, shape ``(n_leaves,)``
        Positions of the nodes without children.
    groups : tuple of arrays of int
        Positions of siblings: first the root alone, then the children of each inner node.
    ancestors : array of bool, shape ``(n_nodes, n_nodes)``
        ``[i, j]`` is true where ``j`` is ``i`` or stands above it.

    Examples
    --------
    >>> tree = Taxonomy("toy", {"Alert": {"Transient": {"SN": {}, "KN": {}}, "Variable": {}}})
    >>> tree.nodes
    ('Alert', 'Transient', 'Variable', 'SN', 'KN')
    >>> tree.probabilities([[0.0, 0.0, 0.0, 1.0, 1.0]])
    array([[1.  , 0.5 , 0.5 , 0.25, 0.25]])
    """

    def __init__(self, name: str, tree: Mapping[str, Any], aliases: Mapping[str, list[str]] | None = None) -> None:
        if len(tree) != 1:
            raise ValueError(f"tree {name!r} needs exactly one root, it has {len(tree)}")
        self.name = name
        nodes: list[str] = []
        parent: list[int] = []
        queue = [(key, -1, below) for key, below in tree.items()]
        while queue:
            node, above, below = queue.pop(0)
            if not isinstance(below, Mapping):
                raise ValueError(f"tree {name!r}: what stands under {node!r} is no table")
            queue += [(key, len(nodes), value) for key, value in below.items()]
            nodes.append(node)
            parent.append(above)
        if repeated := sorted({node for node in nodes if nodes.count(node) > 1}):
            raise ValueError(f"tree {name!r} names {len(repeated)} nodes twice, first {repeated[0]!r}")
        self.nodes = tuple(nodes)
        self.parent = np.array(parent)
        self.ancestors = np.eye(len(nodes), dtype=bool)
        for place in range(1, len(nodes)):
            self.ancestors[place] |= self.ancestors[parent[place]]
        self.depth = self.ancestors.sum(axis=1) - 1
        self.leaves = np.setdiff1d(np.arange(len(nodes)), self.parent)
        inner = np.setdiff1d(np.arange(len(nodes)), self.leaves)
        self.groups = (np.array([0]), *(np.flatnonzero(self.parent == above) for above in inner))
        # breadth first: siblings stand side by side, and so do the nodes of one depth
        self._starts = np.array([group[0] for group in self.groups])
        self._group = np.repeat(np.arange(len(self.groups)), [group.size for group in self.groups])
        edges = np.searchsorted(self.depth, np.arange(2, self.depth.max() + 2))
        self._deeper = list(zip(edges[:-1].tolist(), edges[1:].tolist(), strict=True))
        self._tree, self._aliases = tree, {node: list(names) for node, names in (aliases or {}).items()}
        self._names = self._resolve_names()

    def _resolve_names(self) -> dict[str, int]:
        names = {node: index for index, node in enumerate(self.nodes)}
        for node, others in self._aliases.items():
            if node not in self.nodes:
                raise ValueError(f"tree {self.name!r}: aliases are given for {node!r}, which is no node")
            for other in others:
                if names.setdefault(other, names[node]) != names[node]:
                    raise ValueError(f"tree {self.name!r}: {other!r} stands for two nodes")
        return names

    @classmethod
    def load(cls, name: str | Path) -> Taxonomy:
        """Load one of the shipped trees (``elasticc``, ``plasticc``, ``mallorn``) or a TOML file.

        Examples
        --------
        >>> elasticc = Taxonomy.load("elasticc")
        >>> len(elasticc.nodes), len(elasticc.leaves), elasticc.nodes[elasticc.index("KN_K17")]
        (26, 19, 'KN')
        """
        path = Path(name) if str(name).endswith(".toml") else TREES / f"{name}.toml"
        if not path.is_file():
            known = ", ".join(sorted(p.stem for p in TREES.glob("*.toml")))
            raise FileNotFoundError(f"no tree {str(name)!r}: give a .toml file or one of {known}")
        return cls.from_dict(tomllib.loads(path.read_text(encoding="utf-8")))

    @classmethod
    def from_dict(cls, document: Mapping[str, Any]) -> Taxonomy:
        """Build a tree from the tables ``name``, ``tree`` and ``aliases`` (the inverse of `to_dict`)."""
        if unknown := sorted(set(document) - {"name", "tree", "aliases"}):
            raise ValueError(f"a tree has no table {unknown[0]!r}; it has name, tree, aliases")
        return cls(document["name"], document["tree"], document.get("aliases"))

    def to_dict(self) -> dict[str, Any]:
        """Give the tree as plain tables, as its TOML holds them."""
        return {"name": self.name, "tree": self._tree, "aliases": self._aliases}

    def __len__(self) -> int:
        return len(self.nodes)

    def __contains__(self, name: str) -> bool:
        return name in self._names

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Taxonomy) and self.nodes == other.nodes and np.array_equal(self.parent, other.parent)

    def __hash__(self) -> int:
        return hash(self.nodes)

    def __repr__(self) -> str:
        return f"Taxonomy({self.name!r}, {len(self.nodes)} nodes, {len(self.leaves)} leaves)"

    # -- names and places ----------------------------------------------------------------------------------------

    def index(self, name: str) -> int:
        """Find a node by its name or by a data set's own name for it.

        Raises
        ------
        KeyError
            The tree does not know the name; the nearest known one is suggested.
        """
        if name not in self._names:
            near = difflib.get_close_matches(name, self._names, n=1)
            hint = f", perhaps {near[0]!r}?" if near else ""
            raise KeyError(f"tree {self.name!r} knows no {name!r}{hint}")
        return self._names[name]

    def labels(self, names: ArrayLike) -> NDArray[np.int64]:
        """Turn class names, shape ``(n,)``, into node positions; "" (unknown) gives -1.

        Raises
        ------
        ValueError
            Names that the tree does not know.
        """
        distinct, inverse = np.unique(np.asarray(names, dtype=np.str_), return_inverse=True)
        unknown = [str(name) for name in distinct if name and name not in self._names]
        if unknown:
            count = int(np.isin(np.asarray(names), unknown).sum())
            raise ValueError(f"tree {self.name!r} does not know the labels of {count} objects, first {unknown[0]!r}")
        return np.array([self._names[str(n)] if n else -1 for n in distinct], dtype=np.int64)[inverse.reshape(-1)]

    def level(self, depth: int) -> NDArray[np.int64]:
        """Give the nodes at a depth (1 and 2 are the levels of the tables; for the leaves see `leaves`)."""
        return np.flatnonzero(self.depth == depth)

    @cached_property
    def leaves_below(self) -> NDArray[np.bool_]:
        """Whether a leaf stands below a node (or is it), shape ``(n_nodes, n_leaves)``."""
        return self.ancestors[self.leaves].T

    def draw(self) -> str:
        """Draw the tree as text.

        Examples
        --------
        >>> print(Taxonomy("toy", {"Alert": {"SN": {"SNIa": {}, "SNII": {}}, "AGN": {}}}).draw())
        Alert
        ├── SN
        │   ├── SNIa
        │   └── SNII
        └── AGN
        """

        def lines(node: int, indent: str) -> list[str]:
            children = np.flatnonzero(self.parent == node)
            drawn = []
            for child in children:
                last = child == children[-1]
                drawn.append(f"{indent}{'└── ' if last else '├── '}{self.nodes[child]}")
                drawn += lines(int(child), indent + ("    " if last else "│   "))
            return drawn

        return "\n".join([self.nodes[0], *lines(0, "")])

    # -- probabilities -------------------------------------------------------------------------------------------

    def conditionals(self, logits: ArrayLike) -> NDArray[np.floating]:
        """Give p(node | parent): the softmax of the logits, shape ``(n, n_nodes)``, among siblings."""
        logits = self._rows(logits, "logits")
        shifted = np.exp(logits - np.maximum.reduceat(logits, self._starts, axis=1)[:, self._group])
        return shifted / np.add.reduceat(shifted, self._starts, axis=1)[:, self._group]

    def probabilities(self, logits: ArrayLike) -> NDArray[np.floating]:
        """Give the probability of every node: the product of `conditionals` along its path, root 1."""
        result = self.conditionals(logits)
        for start, stop in self._deeper:
            result[:, start:stop] *= result[:, self.parent[start:stop]]
        return result

    def log_conditionals(self, probabilities: ArrayLike, smallest: float = 1e-7) -> NDArray[np.float64]:
        """Give log p(node | parent) from the probabilities of nodes; the inverse of `probabilities` up to a constant.

        Parameters
        ----------
        probabilities : array, shape ``(n, n_nodes)``
        smallest : float
            No p(node | parent) counts as less. Siblings under a parent of probability zero are alike.

        Raises
        ------
        ValueError
            A probability is not within 0 to 1.
        """
        values = self._rows(probabilities, "probabilities").astype(np.float64)
        if (wrong := np.flatnonzero(~((values >= -1e-3) & (values <= 1 + 1e-3)).all(axis=1))).size:
            raise ValueError(
                f"probabilities are not within 0 to 1 for {wrong.size} objects, first at object {wrong[0]}"
            )
        total = np.add.reduceat(values, self._starts, axis=1)[:, self._group]  # float32: siblings all but sum to it
        alike = 1 / np.bincount(self._group)[self._group]
        share = np.divide(values, total, out=np.broadcast_to(alike, values.shape).copy(), where=total > 0)
        return np.log(np.maximum(share, smallest))

    def from_leaves(self, leaf_probabilities: ArrayLike) -> NDArray[np.floating]:
        """Sum leaf probabilities, shape ``(n, n_leaves)`` in the order of `leaves`, up to every node."""
        values = np.asarray(leaf_probabilities)
        if values.ndim != 2 or values.shape[1] != self.leaves.size:
            raise ValueError(f"leaf probabilities have shape {values.shape}, expected (n, {self.leaves.size})")
        return values @ self.leaves_below.T.astype(values.dtype)

    def parts(self, nodes: Sequence[str]) -> NDArray[np.int64]:
        """Part the leaves among nodes; what is under none of them is one part more, the last.

        Returns
        -------
        array of int, shape ``(n_leaves,)``
            The part of each leaf.

        Raises
        ------
        ValueError
            A node is unknown, or stands above another one.
        """
        below = np.array([self.leaves_below[self.index(name)] for name in nodes]).reshape(len(nodes), -1)
        if (below.sum(axis=0) > 1).any():
            twice = self.nodes[self.leaves[np.argmax(below.sum(axis=0) > 1)]]
            raise ValueError(f"of {', '.join(nodes)} one is above another: both have the leaf {twice!r}")
        return np.where(below.any(axis=0), np.argmax(below, axis=0) if len(nodes) else 0, len(nodes))

    def from_parts(self, parts: ArrayLike, probabilities: ArrayLike, mix: ArrayLike) -> NDArray[np.floating]:
        """Give all nodes' probabilities from those of parts of the leaves, within which leaves share as in a class mix.

        Parameters
        ----------
        parts : array of int, shape ``(n_leaves,)``
            See `parts`.
        probabilities : array, shape ``(n, n_parts)``
        mix : array, shape ``(n_leaves,)``

        Examples
        --------
        >>> tree = Taxonomy("toy", {"Alert": {"TDE": {}, "SN": {}, "AGN": {}}})
        >>> tree.from_parts(tree.parts(["TDE"]), [[0.6, 0.4]], [0.1, 0.6, 0.3]).round(3)
        array([[1.   , 0.6  , 0.267, 0.133]])
        """
        given, share = np.asarray(probabilities, dtype=np.float64), self.mix(mix)
        part = np.asarray(parts)
        total = np.bincount(part, weights=share, minlength=given.shape[1])
        alike = np.bincount(part, minlength=given.shape[1])[part]
        within = np.where(total[part] > 0, share / np.where(total[part] > 0, total[part], 1), 1 / alike)
        return self.from_leaves(given[:, part] * within)

    def reweight(self, probabilities: ArrayLike, old: ArrayLike, new: ArrayLike) -> NDArray[np.floating]:
        """Move probabilities from one class mix to another: p' ~ p new / old on the leaves, summed up again.

        Parameters
        ----------
        probabilities : array, shape ``(n, n_nodes)``
        old, new : array, shape ``(n_leaves,)``
            Share of each leaf in the mix that the probabilities assume, and in the mix that is wanted.

        Raises
        ------
        ValueError
            A mix is negative, sums to nothing, or `old` lacks a class that `new` has.
        """
        values = self._rows(probabilities, "probabilities")
        before, after = self.mix(old), self.mix(new)
        if (lost := np.flatnonzero((before == 0) & (after > 0))).size:
            name = self.nodes[self.leaves[lost[0]]]
            raise ValueError(f"the old mix lacks {lost.size} classes of the new one, first {name!r}")
        leaf = values[:, self.leaves] * np.divide(after, before, out=np.zeros_like(after), where=before > 0)
        total = leaf.sum(axis=1, keepdims=True)
        leaf = np.where(total > 0, leaf / np.where(total > 0, total, 1), after)
        return self.from_leaves(leaf.astype(values.dtype))

    def mix(self, shares: ArrayLike) -> NDArray[np.float64]:
        """Check a class mix, shape ``(n_leaves,)``, and scale it to sum to one."""
        values = np.asarray(shares, dtype=np.float64)
        if values.shape != (self.leaves.size,):
            raise ValueError(f"a class mix has shape {values.shape}, expected ({self.leaves.size},), one a leaf")
        if not np.isfinite(values).all() or (values < 0).any() or values.sum() <= 0:
            raise ValueError("a class mix must be finite, not negative, and not zero everywhere")
        return values / values.sum()

    def leaf(self, probabilities: ArrayLike) -> NDArray[np.int64]:
        """Give the most probable leaf as a node position, shape ``(n,)``."""
        return self.leaves[np.argmax(self._rows(probabilities, "probabilities")[:, self.leaves], axis=1)]

    def confident(self, probabilities: ArrayLike, threshold: float = 0.9) -> NDArray[np.int64]:
        """Give the deepest node whose probability exceeds the threshold (at least one half), shape ``(n,)``.

        Above one half at most one node of each depth qualifies, and they lie on one path; the root always does.
        """
        if not 0.5 <= threshold < 1:
            raise ValueError(f"threshold is {threshold}, expected 0.5 <= threshold < 1")
        sure = self._rows(probabilities, "probabilities") > threshold
        sure[:, 0] = True
        return np.argmax(np.where(sure, self.depth + 1, 0), axis=1)

    def path(self, probabilities: ArrayLike) -> NDArray[np.int64]:
        """Go from the root to the likeliest child until a leaf: node positions, shape ``(n, n_depths)``.

        A path that ends above the deepest leaves repeats its own.

        Examples
        --------
        >>> tree = Taxonomy("toy", {"Alert": {"SN": {"SNIa": {}, "SNII": {}}, "AGN": {}}})
        >>> tree.path([[1.0, 0.6, 0.4, 0.35, 0.25], [1.0, 0.3, 0.7, 0.1, 0.2]])
        array([[0, 1, 3],
               [0, 2, 2]])
        """
        values = self._rows(probabilities, "probabilities")
        path = np.zeros((len(values), int(self.depth.max()) + 1), dtype=np.int64)
        for depth in range(1, path.shape[1]):
            below = self.parent[None] == path[:, depth - 1 : depth]
            path[:, depth] = np.where(
                below.any(axis=1), np.argmax(np.where(below, values, -1), axis=1), path[:, depth - 1]
            )
        return path

    def _rows(self, values: ArrayLike, what: str) -> NDArray[np.floating]:
        array = np.asarray(values)
        if array.dtype.kind != "f":
            array = array.astype(np.float64)
        if array.ndim != 2 or array.shape[1] != len(self):
            raise ValueError(f"{what} have shape {array.shape}, expected (n, {len(self)})")
        return array
