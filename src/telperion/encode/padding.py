"""Ragged rows of many objects in one rectangle, column by column."""

from functools import cached_property

import numpy as np
from numpy.typing import ArrayLike, NDArray


class Padding:
    """The rectangle ``(n_objects, n_times)`` that holds the rows of objects of different lengths.

    Parameters
    ----------
    lengths : array of int, shape ``(n_objects,)``

    Examples
    --------
    >>> Padding([2, 1]).fill([1.0, 2.0, 3.0], 0.0)
    array([[1., 2.],
           [3., 0.]])
    """

    def __init__(self, lengths: ArrayLike) -> None:
        self.lengths = np.asarray(lengths, dtype=np.int64)
        self.n_times = int(self.lengths.max(initial=0))
        self.shape = (self.lengths.size, self.n_times)

    @cached_property
    def mask(self) -> NDArray[np.bool_]:
        """Where a row stands, shape ``(n_objects, n_times)``."""
        return np.arange(self.n_times) < self.lengths[:, None]

    @cached_property
    def full(self) -> bool:
        """Whether no place is padding."""
        return bool((self.lengths == self.n_times).all())

    def fill(self, column: ArrayLike, padding: float) -> NDArray:
        """Lay out one column of rows, shape ``(n_rows,)``, with a value in the empty places."""
        column = np.asarray(column)
        if self.full:
            return column.reshape(self.shape)
        result = np.full(self.shape, padding, dtype=column.dtype)
        result[self.mask] = column
        return result
