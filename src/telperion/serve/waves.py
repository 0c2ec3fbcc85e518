"""Batches in which an object stands more than once, part by part."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray


def waves(object_id: ArrayLike) -> list[NDArray[np.int64]]:
    """Part a batch so that each part has one alert an object, and later parts have later ones.

    Parameters
    ----------
    object_id : array of str, shape ``(n_alerts,)``

    Returns
    -------
    list of array of int64
        Positions in their order; all of them together are each position once.

    Examples
    --------
    >>> waves(["a", "b", "a", "a", "c"])
    [array([0, 1, 4]), array([2]), array([3])]
    """
    _, code = np.unique(object_id, return_inverse=True)
    order = np.argsort(code, kind="stable")
    first = np.flatnonzero(np.diff(code[order], prepend=-1))
    rank = np.empty(code.size, dtype=np.int64)
    rank[order] = np.arange(code.size) - np.repeat(first, np.diff(first, append=code.size))
    return [np.flatnonzero(rank == k) for k in range(int(rank.max(initial=-1)) + 1)]
