"""How light curves and answers are kept in a sky, and read again."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from telperion.lightcurves import LightCurves
from telperion.serve.answers import Answers

ROW = np.dtype([("time", "<f8"), ("flux", "<f4"), ("flux_err", "<f4"), ("band", "i1"), ("detected", "?")])
"""A row of a light curve as it is kept. Compressed it has nine tenths of the size, for a hundred times the work."""

UNKNOWN = -1.0
"""A time that is not known, as it is kept: times are sorted by."""


class Several(NamedTuple):
    """Many objects at once, in the order of their numbers.

    Attributes
    ----------
    light_curves : LightCurves
        As observed; of the context ``ra`` and ``decl``.
    probabilities : array of float32, shape ``(n_objects, n_nodes)``
        Of the latest answer.
    alert_id : array of int64, shape ``(n_objects,)``
        That it answers.
    alert_time : array, shape ``(n_objects,)``, MJD
        NaN unknown.
    """

    light_curves: LightCurves
    probabilities: NDArray[np.float32]
    alert_id: NDArray[np.int64]
    alert_time: NDArray[np.float64]


def unpack_rows(packed: bytes) -> NDArray:
    """Read rows of light curves, of the type `ROW`.

    Raises
    ------
    ValueError
        The bytes are not whole rows.
    """
    if len(packed) % ROW.itemsize:
        raise ValueError(f"a light curve of the sky is damaged: {len(packed)} bytes are not whole rows")
    return np.frombuffer(packed, dtype=ROW)


def read_light_curves(names: Sequence[str], packed: Sequence[bytes], context: dict[str, NDArray]) -> LightCurves:
    """Give light curves, one an object, with a context that is at hand."""
    rows = unpack_rows(b"".join(packed))
    lengths = np.array([len(each) for each in packed], dtype=np.int64) // ROW.itemsize
    offsets = np.concatenate([[0], np.cumsum(lengths)])
    return LightCurves(
        np.array(names, dtype=np.str_), offsets, rows["time"], rows["band"], rows["flux"], rows["flux_err"],
        rows["detected"], context,
    )  # fmt: skip


def read_answers(object_id: str, rows: Sequence[Sequence[Any]]) -> Answers:
    """Give the answers to one object, of rows of the table of answers."""
    alert, source, time, days, n_rows, leaf, confident, context, truncated, received, published, packed, _ = (
        zip(*rows, strict=True) if rows else [()] * 13
    )
    n = len(rows)
    return Answers(
        alert_id=np.array(alert, dtype=np.int64),
        source_id=np.array(source, dtype=np.int64),
        object_id=np.full(n, object_id),
        alert_time=np.array([read_time(each) for each in time], dtype=np.float64),
        days=np.array(days, dtype=np.float64),
        n_rows=np.array(n_rows, dtype=np.int32),
        probabilities=np.array([np.frombuffer(each, dtype="<f4") for each in packed], dtype=np.float32).reshape(n, -1),
        leaf=np.array(leaf, dtype=np.int64),
        confident=np.array(confident, dtype=np.int64),
        context=np.array(context, dtype=np.str_),
        history_truncated=np.array(truncated, dtype=bool),
        received=np.array(received, dtype=np.float64),
        published=np.array(published, dtype=np.float64),
    )


def read_number(kept: float | None) -> float:
    """Give a number, NaN where none is kept."""
    return math.nan if kept is None else kept


def read_time(kept: float) -> float:
    """Give a time, NaN where it is not known."""
    return math.nan if kept == UNKNOWN else kept
