"""The pixel of each place at the order by which HATS catalogues are sorted, and parts that hold about as many."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from telperion.scale.catalogue import Pixel
from telperion.scale.columns import HEALPIX
from telperion.serve.healpix import ORDER, pixel_of


def pixels(ra: NDArray[np.float64], decl: NDArray[np.float64]) -> NDArray[np.int64]:
    """Give the pixel of order 29, nested scheme, of each place.

    Parameters
    ----------
    ra, decl : array, shape ``(n,)``, degrees

    Raises
    ------
    ValueError
        A place is unknown.
    """
    if unknown := int(np.sum(~(np.isfinite(ra) & np.isfinite(decl)))):
        raise ValueError(f"the position of {unknown} objects is unknown, and with it the part that they belong to")
    return pixel_of(ra, decl, ORDER)


def with_pixels(table: pa.Table, ra: str, decl: str) -> pa.Table:
    """Give a table the column `HEALPIX`, first, where it has none."""
    if HEALPIX in table.column_names:
        return table
    place = (np.asarray(table.column(name).cast(pa.float64()).to_numpy()) for name in (ra, decl))
    return table.add_column(0, HEALPIX, pa.array(pixels(*place)))


def cut(pixel: NDArray[np.int64], most: int) -> tuple[list[Pixel], NDArray[np.int64]]:
    """Cut the sky into pixels of adaptive order, none with more objects than `most`.

    Parameters
    ----------
    pixel : array of int, shape ``(n,)``
        Of order 29.
    most : int

    Returns
    -------
    list of Pixel
        Those that hold anything, in the order of the sky.
    array of int, shape ``(n_pixels,)``
        The first pixel of order 29 in each.

    Examples
    --------
    >>> cut(np.array([0, 1, 2 << 56]), 2)[0]
    [Pixel(order=1, number=0), Pixel(order=1, number=2)]
    """
    ordered = np.sort(pixel)
    todo, found = [Pixel(0, number) for number in reversed(range(12))], []
    while todo:
        here = todo.pop()
        shift = 2 * (ORDER - here.order)
        first, last = np.searchsorted(ordered, [here.number << shift, here.number + 1 << shift])
        if last - first > most and here.order < ORDER:
            todo += [Pixel(here.order + 1, 4 * here.number + part) for part in (3, 2, 1, 0)]
        elif last > first:
            found.append(here)
    return found, np.array([here.number << 2 * (ORDER - here.order) for here in found], dtype=np.int64)
