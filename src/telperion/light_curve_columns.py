"""The columns of a table of light curves: their types, the rules that they keep, and rows put into their order."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import ArrayLike, NDArray

from telperion.bands import BANDS

ROW_COLUMNS: dict[str, type[np.generic]] = {
    "time": np.float64, "band": np.int8, "flux": np.float32, "flux_err": np.float32, "detected": np.bool_,
}  # fmt: skip
"""What is said of every row, in the order in which tables take it."""

NOT_CONTEXT = {"object_id", "label", *ROW_COLUMNS}
"""Names that no context column may have."""


def as_column(name: str, values: ArrayLike) -> np.ndarray:
    """Give a column of `ROW_COLUMNS` in its type.

    Raises
    ------
    ValueError
        Bands are no small integers.
    """
    array, dtype = np.asarray(values), ROW_COLUMNS[name]
    if dtype is np.int8 and array.size and (array.dtype.kind not in "iu" or array.min() < -128 or array.max() > 127):
        raise ValueError(f"{name} must be small integers, positions in 'ugrizy'")
    with np.errstate(over="ignore"):  # what is too large becomes infinite, which is refused in clearer words
        return array.astype(dtype, copy=False)


def as_context(context: Mapping[str, ArrayLike]) -> dict[str, NDArray[np.float64]]:
    """Give context columns in their type; they cannot be written any more."""
    columns = {name: np.asarray(values, dtype=np.float64) for name, values in context.items()}
    for values in columns.values():
        values.flags.writeable = False
    return columns


# -- rules -------------------------------------------------------------------------------------------------------


def check(
    object_id: np.ndarray, offsets: np.ndarray, rows: Mapping[str, np.ndarray], context: Mapping[str, np.ndarray],
    label: np.ndarray,
) -> None:  # fmt: skip
    """Hold a table's columns against each other, and each value against its rule.

    Raises
    ------
    ValueError
        A rule of `telperion.lightcurves.LightCurves` is broken.
    """
    _check_shapes(object_id, offsets, rows, label)
    check_context(object_id, context)
    _check_values(object_id, offsets, rows)


def check_context(object_id: np.ndarray, context: Mapping[str, np.ndarray]) -> None:
    """Hold context columns against the objects that they are of.

    Raises
    ------
    ValueError
        A name is taken, a column has another length than it should have, or a value is infinite.
    """
    n = object_id.size
    for name, values in context.items():
        if name in NOT_CONTEXT:
            raise ValueError(f"{name!r} cannot be the name of a context column")
        if values.shape != (n,):
            raise ValueError(f"context {name!r} has shape {values.shape}, expected ({n},)")
        if (infinite := np.flatnonzero(np.isinf(values))).size:
            first = object_id[infinite[0]]
            raise ValueError(f"context {name!r} is infinite for {infinite.size} objects, first '{first}'")


def check_fluxes(
    object_id: np.ndarray, offsets: np.ndarray, flux: np.ndarray, error: np.ndarray, when: str = ""
) -> None:
    """Hold fluxes and their errors against their rules; `when` begins the message.

    Raises
    ------
    ValueError
        A flux is not finite, or an error is none.
    """
    _reject(~np.isfinite(flux), f"{when}flux is not finite", object_id, offsets)
    wrong = ~(np.isfinite(error) & (error > 0))
    _reject(wrong, f"{when}flux_err is not a finite number above zero", object_id, offsets)


def _check_shapes(
    object_id: np.ndarray, offsets: np.ndarray, rows: Mapping[str, np.ndarray], label: np.ndarray
) -> None:
    n, n_rows = object_id.size, rows["time"].size
    if object_id.ndim != 1 or offsets.shape != (n + 1,):
        raise ValueError(f"offsets have shape {offsets.shape}, expected ({n + 1},) for {n} objects")
    for name, values in rows.items():
        if values.shape != (n_rows,):
            raise ValueError(f"{name} has shape {values.shape}, expected ({n_rows},) as time has")
    if offsets[0] != 0 or offsets[-1] != n_rows or (np.diff(offsets) < 0).any():
        raise ValueError(f"offsets must rise from 0 to the number of rows, {n_rows}")
    if label.shape != (n,):
        raise ValueError(f"label has shape {label.shape}, expected ({n},)")
    distinct, first, count = np.unique(object_id, return_index=True, return_counts=True)
    if (count > 1).any():
        name = distinct[count > 1][np.argmin(first[count > 1])]
        raise ValueError(f"object_id is not unique for {(count > 1).sum()} objects, first '{name}'")


def _check_values(object_id: np.ndarray, offsets: np.ndarray, rows: Mapping[str, np.ndarray]) -> None:
    def refuse(wrong: NDArray[np.bool_], rule: str) -> None:
        _reject(wrong, rule, object_id, offsets)

    time, band = rows["time"], rows["band"]
    refuse(~np.isfinite(time), "time is not finite")
    check_fluxes(object_id, offsets, rows["flux"], rows["flux_err"])
    refuse((band < 0) | (band >= len(BANDS)), "band is not a position in 'ugrizy'")
    inside = np.ones(time.size, dtype=bool)
    inside[offsets[:-1][np.diff(offsets) > 0]] = False
    later, same = inside.copy(), inside
    later[1:] &= time[1:] < time[:-1]
    refuse(later, "time goes back")
    same[1:] &= time[1:] == time[:-1]
    repeat, unsorted = same.copy(), same
    repeat[1:] &= band[1:] == band[:-1]
    refuse(repeat, "time and band repeat the row before")
    unsorted[1:] &= band[1:] < band[:-1]
    refuse(unsorted, "rows of one time are not in the order of their bands")


def _reject(wrong: NDArray[np.bool_], rule: str, object_id: np.ndarray, offsets: np.ndarray) -> None:
    """Refuse rows that break a rule, shape ``(n_rows,)``: says how many they are, and where the first is."""
    if wrong.any():
        row = int(np.argmax(wrong))
        owner = int(np.searchsorted(offsets, row, side="right")) - 1
        place = f"'{object_id[owner]}' (its row {row - offsets[owner]})"
        raise ValueError(f"{rule} in {int(wrong.sum())} rows, first at object {place}")


# -- rows in any order -------------------------------------------------------------------------------------------


def owners(row_id: ArrayLike, objects: ArrayLike | None = None) -> tuple[np.ndarray, NDArray[np.int64]]:
    """Give the distinct ids of objects, and the position among them of each row's id.

    Parameters
    ----------
    row_id : array, shape ``(n_rows,)``
    objects : array, shape ``(n_objects,)``, optional
        By default the ids in the order of their first appearance.

    Raises
    ------
    ValueError
        A row belongs to none of `objects`.
    """
    row_id = np.asarray(row_id)
    if objects is not None:
        return np.asarray(objects), _position(row_id, np.asarray(objects))
    distinct, first, inverse = np.unique(row_id, return_index=True, return_inverse=True)
    order = np.argsort(first, kind="stable")
    rank = np.empty_like(order)
    rank[order] = np.arange(order.size)
    return distinct[order], rank[inverse]


def in_order(
    code: NDArray[np.int64], rows: Mapping[str, np.ndarray], n_objects: int
) -> tuple[NDArray[np.int64], Mapping[str, np.ndarray]]:
    """Sort rows by object, time and band, where they are not; gives the objects' offsets and the rows.

    Parameters
    ----------
    code : array of int64, shape ``(n_rows,)``
        The object that each row belongs to.
    rows : mapping of str to array, shape ``(n_rows,)``
    n_objects : int
    """
    offsets = np.concatenate([[0], np.cumsum(np.bincount(code, minlength=n_objects))])
    step = np.diff(code)
    if not ((step > 0) | ((step == 0) & (np.diff(rows["time"]) > 0))).all():
        order = np.lexsort((rows["band"], rows["time"], code))
        rows = {name: column[order] for name, column in rows.items()}
    return offsets, rows


def _position(row_id: np.ndarray, objects: np.ndarray) -> NDArray[np.int64]:
    """Find the position in `objects` of each row's id."""
    if objects.size == 0:
        if row_id.size:
            raise ValueError(f"{row_id.size} rows belong to no listed object, first '{row_id[0]}'")
        return np.zeros(0, dtype=np.int64)
    if (row_id.dtype.kind in "iu") != (objects.dtype.kind in "iu"):
        row_id, objects = row_id.astype(np.str_), objects.astype(np.str_)
    order = np.argsort(objects, kind="stable")
    place = np.minimum(np.searchsorted(objects, row_id, sorter=order), objects.size - 1)
    code = order[place]
    if (foreign := np.flatnonzero(objects[code] != row_id)).size:
        raise ValueError(f"{foreign.size} rows belong to no listed object, first '{row_id[foreign[0]]}'")
    return code
