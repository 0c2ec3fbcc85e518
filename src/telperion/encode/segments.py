"""Ragged groups of rows, reduced without a Python loop over the groups.

A light-curve statistic is a reduction over the rows of one object, or of one band of one object. `Segments` holds
such a grouping; its methods turn ``(n_rows,)`` arrays into ``(n_groups,)`` arrays, NaN (or the row index -1) where
a group is empty.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, eq=False)
class Segments:
    """A partition of rows into groups.

    Parameters
    ----------
    key : array, shape ``(n_rows,)``, int
        The group of each row, from 0 to ``n_groups - 1``; rows stand in time order within their group.
    n_groups : int
        Number of groups; a group may be empty.

    Examples
    --------
    >>> groups = Segments(np.array([0, 0, 2]), 3)
    >>> groups.sum(np.array([1.0, 2.0, 5.0]))
    array([3., 0., 5.])
    >>> groups.max(np.array([1.0, 2.0, 5.0]))
    array([ 2., nan,  5.])
    """

    key: NDArray[np.int64]
    n_groups: int

    @cached_property
    def order(self) -> NDArray[np.int64]:
        """Rows sorted by group, in time order within each, shape ``(n_rows,)``."""
        return np.argsort(self.key, kind="stable")

    @cached_property
    def starts(self) -> NDArray[np.int64]:
        """Where each group begins in `order`, shape ``(n_groups + 1,)``."""
        return np.concatenate([[0], np.cumsum(np.bincount(self.key, minlength=self.n_groups))]).astype(np.int64)

    def where(self, mask: NDArray[np.bool_]) -> tuple[Segments, NDArray[np.int64]]:
        """Keep the rows of the mask: the same groups of fewer rows, and the indices of those rows."""
        rows = np.flatnonzero(mask)
        return Segments(self.key[rows], self.n_groups), rows

    def count(self, mask: NDArray[np.bool_] | None = None) -> NDArray[np.float64]:
        """Rows of each group (for which the mask holds), shape ``(n_groups,)``."""
        key = self.key if mask is None else self.key[mask]
        return np.bincount(key, minlength=self.n_groups).astype(np.float64)

    def sum(self, values: NDArray, mask: NDArray[np.bool_] | None = None) -> NDArray[np.float64]:
        """Sum over each group; 0 for an empty one."""
        if mask is not None:
            return self.where(mask)[0].sum(values[mask])
        return np.bincount(self.key, weights=np.asarray(values, np.float64), minlength=self.n_groups).astype(np.float64)

    def mean(self, values: NDArray, weights: NDArray | None = None) -> NDArray[np.float64]:
        """Mean over each group, weighted or not; NaN for an empty one."""
        if weights is None:
            return ratio(self.sum(values), self.count())
        return ratio(self.sum(values * weights), self.sum(weights))

    def max(self, values: NDArray) -> NDArray[np.float64]:
        """Largest value of each group; NaN for an empty one."""
        return self._reduce(np.maximum, values)

    def min(self, values: NDArray) -> NDArray[np.float64]:
        """Smallest value of each group; NaN for an empty one."""
        return self._reduce(np.minimum, values)

    def _reduce(self, ufunc: np.ufunc, values: NDArray) -> NDArray[np.float64]:
        out = np.full(self.n_groups, np.nan)
        filled = self.starts[1:] > self.starts[:-1]
        if filled.any():
            out[filled] = ufunc.reduceat(values[self.order].astype(np.float64), self.starts[:-1][filled])
        return out

    def first(self, mask: NDArray[np.bool_] | None = None) -> NDArray[np.int64]:
        """Index of the first row of each group (for which the mask holds); -1 where there is none."""
        order = self.order if mask is None else self.order[mask[self.order]]
        out = np.full(self.n_groups, -1, dtype=np.int64)
        out[self.key[order[::-1]]] = order[::-1]
        return out

    def last(self, mask: NDArray[np.bool_] | None = None) -> NDArray[np.int64]:
        """Index of the last row of each group (for which the mask holds); -1 where there is none."""
        order = self.order if mask is None else self.order[mask[self.order]]
        out = np.full(self.n_groups, -1, dtype=np.int64)
        out[self.key[order]] = order
        return out

    def argmax(self, values: NDArray, mask: NDArray[np.bool_] | None = None) -> NDArray[np.int64]:
        """Index of the row with the largest value (the last of equals) of each group; -1 where there is none."""
        rows = np.arange(len(self.key)) if mask is None else np.flatnonzero(mask)
        order = rows[np.lexsort((values[rows], self.key[rows]))]
        out = np.full(self.n_groups, -1, dtype=np.int64)
        out[self.key[order]] = order
        return out

    def quantiles(self, values: NDArray, levels: tuple[float, ...]) -> NDArray[np.float64]:
        """Quantiles by linear interpolation, shape ``(n_levels, n_groups)``; NaN for an empty group."""
        out = np.full((len(levels), self.n_groups), np.nan)
        counts = np.diff(self.starts)
        filled = counts > 0
        ordered = values[np.lexsort((values, self.key))].astype(np.float64)
        start, last = self.starts[:-1][filled], counts[filled] - 1
        for row, level in enumerate(levels):
            position = level * last
            low = np.floor(position).astype(np.int64)
            high = np.minimum(low + 1, last)
            fraction = position - low
            out[row, filled] = ordered[start + low] * (1 - fraction) + ordered[start + high] * fraction
        return out

    def previous(self) -> NDArray[np.int64]:
        """Index of the row before each row in its group; -1 for the first, shape ``(n_rows,)``."""
        out = np.full(len(self.key), -1, dtype=np.int64)
        follows = self.key[self.order[1:]] == self.key[self.order[:-1]]
        out[self.order[1:][follows]] = self.order[:-1][follows]
        return out


def ratio(numerator: NDArray, denominator: NDArray) -> NDArray[np.float64]:
    """Quotient that is NaN where the denominator is zero or not finite."""
    out = np.full(np.broadcast_shapes(np.shape(numerator), np.shape(denominator)), np.nan)
    np.divide(numerator, denominator, out=out, where=(denominator != 0) & np.isfinite(denominator))
    return out


def take(values: NDArray, index: NDArray[np.int64]) -> NDArray[np.float64]:
    """Pick rows by index; NaN where the index is -1."""
    if len(values) == 0:
        return np.full(index.shape, np.nan)
    return np.where(index >= 0, values[np.maximum(index, 0)].astype(np.float64), np.nan)
