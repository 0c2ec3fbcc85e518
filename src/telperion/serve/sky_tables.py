"""The tables of a sky, which `telperion.serve.sky` reads and `telperion.serve.sky_sink` writes.

Lists are filtered and sorted within indexes that hold all that a list may ask for, so that no object is looked up that
does not end up on the page. Of probabilities that is the path down to the leaf decided for, one number a level: objects
that are wanted for a node are decided for it or for one below it, and so the node stands on their path.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
from numpy.typing import NDArray

from telperion.taxonomy import Taxonomy

FILE, FORMAT = "sky.sqlite", 1

_SCHEMA = """
CREATE TABLE about (name TEXT PRIMARY KEY, value) WITHOUT ROWID;
CREATE TABLE words (id INTEGER PRIMARY KEY, text TEXT NOT NULL UNIQUE);
CREATE TABLE objects (
    id INTEGER PRIMARY KEY, object_id TEXT NOT NULL UNIQUE, alert_id INTEGER NOT NULL, changed INTEGER NOT NULL,
    ra REAL, decl REAL, alert_time REAL NOT NULL, days REAL, n_rows INTEGER NOT NULL, magnitude REAL, band INTEGER,
    leaf INTEGER NOT NULL, confident INTEGER NOT NULL, rarity REAL NOT NULL, score REAL NOT NULL, up REAL NOT NULL,
    surest REAL NOT NULL, {levels} probabilities BLOB NOT NULL
);
CREATE INDEX by_score ON objects (score, {filters});
CREATE INDEX by_time ON objects (alert_time, {filters});
CREATE INDEX by_chance ON objects (surest, {filters});
CREATE INDEX by_rarity ON objects (rarity, {filters});
CREATE INDEX by_change ON objects (changed);
CREATE TABLE curves (
    object INTEGER PRIMARY KEY, since REAL NOT NULL, told INTEGER NOT NULL, context BLOB NOT NULL, rows BLOB NOT NULL
);
CREATE TABLE answers (
    object INTEGER NOT NULL, alert_id INTEGER NOT NULL, source_id INTEGER NOT NULL, alert_time REAL NOT NULL,
    days REAL, n_rows INTEGER NOT NULL, leaf INTEGER NOT NULL, confident INTEGER NOT NULL, context TEXT NOT NULL,
    truncated INTEGER NOT NULL, received REAL NOT NULL, published REAL NOT NULL, version INTEGER NOT NULL,
    probabilities BLOB NOT NULL, PRIMARY KEY (object, alert_id)
) WITHOUT ROWID
"""


def statements(tree: Taxonomy) -> list[str]:
    """Give the statements that make the tables for answers along a tree."""
    levels = level_columns(tree)
    filters = ", ".join(["id", "leaf", "confident", "days", "n_rows", "surest", *levels, "object_id"])
    made = "".join(f"{name} REAL NOT NULL, " for name in levels)
    return _SCHEMA.format(levels=made, filters=filters).split(";")


def level_columns(tree: Taxonomy) -> list[str]:
    """Give the columns that hold probabilities of inner nodes on the path: one a level between root and leaves.

    Examples
    --------
    >>> level_columns(Taxonomy("toy", {"Alert": {"Transient": {"SN": {"Ia": {}}}, "AGN": {}}}))
    ['level1', 'level2']
    """
    return [f"level{depth}" for depth in range(1, int(tree.depth.max()))]


def chance_column(tree: Taxonomy, node: int) -> str:
    """Give the column that holds the probability of a node, in objects decided for it or for one below it."""
    return "surest" if node == 0 or node in tree.leaves else f"level{tree.depth[node]}"


def path_chances(probabilities: NDArray[np.float32], leaf: NDArray[np.int64], tree: Taxonomy) -> NDArray[np.float64]:
    """Give the probabilities along each object's path, the leaf's own in place of levels that it has not.

    Parameters
    ----------
    probabilities : array of float32, shape ``(n, n_nodes)``
    leaf : array of int64, shape ``(n,)``
    tree : Taxonomy

    Returns
    -------
    array, shape ``(n, 1 + n_levels)``
        First of the leaf (``surest``), then of each of `level_columns`.
    """
    nodes = [leaf]
    for depth in range(1, int(tree.depth.max())):
        there = tree.ancestors & (tree.depth == depth)
        above = np.where(there.any(axis=1), there.argmax(axis=1), np.arange(len(tree)))
        nodes.append(above[leaf])
    return np.take_along_axis(probabilities, np.stack(nodes, axis=1), axis=1).astype(np.float64)


@contextmanager
def written(connection: sqlite3.Connection) -> Iterator[int]:
    """Write in one transaction; gives the number of this write."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        connection.execute("UPDATE about SET value = value + 1 WHERE name = 'written'")
        yield int(connection.execute("SELECT value FROM about WHERE name = 'written'").fetchone()[0])
        connection.execute("COMMIT")
    except BaseException:
        connection.execute("ROLLBACK")
        raise
