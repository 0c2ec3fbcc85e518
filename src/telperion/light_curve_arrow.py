"""A table of light curves as an Arrow table, one row an object, and back."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pyarrow as pa

from telperion.light_curve_columns import NOT_CONTEXT, ROW_COLUMNS

FORMAT_VERSION = b"1"


def to_table(
    object_id: np.ndarray, offsets: np.ndarray, rows: Mapping[str, np.ndarray], context: Mapping[str, np.ndarray],
    label: np.ndarray, *, dereddened: bool,
) -> pa.Table:  # fmt: skip
    """Give one row an object, observations in list columns (the same memory wherever Arrow allows it)."""
    columns: dict[str, pa.Array] = {"object_id": pa.array(object_id, pa.string())}
    lists, size = (pa.ListArray, pa.int32()) if offsets[-1] < 2**31 else (pa.LargeListArray, pa.int64())
    columns |= {name: lists.from_arrays(pa.array(offsets, size), pa.array(values)) for name, values in rows.items()}
    columns |= {name: pa.array(values) for name, values in context.items()}
    columns["label"] = pa.array(label, pa.string())
    dust = b"true" if dereddened else b"false"
    return pa.table(columns).replace_schema_metadata({"telperion": FORMAT_VERSION, "dereddened": dust})


def from_table(table: pa.Table) -> dict[str, Any]:
    """Read back what `to_table` gave, as the arguments of `telperion.lightcurves.LightCurves`.

    Raises
    ------
    ValueError
        The table is not ours: a column is missing, of another version, or its lists disagree in length.
    """
    metadata = table.schema.metadata or {}
    if metadata.get(b"telperion") != FORMAT_VERSION:
        raise ValueError(f"the table is not a Telperion table of version {FORMAT_VERSION.decode()}")
    if missing := [n for n in ("object_id", *ROW_COLUMNS) if n not in table.column_names]:
        raise ValueError(f"the table lacks the columns {', '.join(missing)}")
    table = table.combine_chunks()
    offsets, rows = _rows(table)
    context = {
        name: _single(table.column(name)).cast(pa.float64()).to_numpy(zero_copy_only=False)
        for name in table.column_names
        if name not in NOT_CONTEXT
    }
    ids, label = (
        np.array(table[name].to_pylist() if name in table.column_names else [], dtype=np.str_)
        for name in ("object_id", "label")
    )
    dereddened = metadata.get(b"dereddened") == b"true"
    return {"object_id": ids, "offsets": offsets, **rows, "context": context, "label": label, "dereddened": dereddened}


def _rows(table: pa.Table) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    rows: dict[str, np.ndarray] = {}
    offsets = np.zeros(0, dtype=np.int64)
    for name in ROW_COLUMNS:
        column = _single(table.column(name))
        if not pa.types.is_list(column.type) and not pa.types.is_large_list(column.type):
            raise ValueError(f"column {name!r} is {column.type}, expected a list")
        if column.null_count or column.values.null_count:
            raise ValueError(f"column {name!r} holds nulls")
        ends = column.offsets.to_numpy().astype(np.int64)
        if rows and not np.array_equal(ends - ends[0], offsets):
            raise ValueError(f"the lists of {name!r} have other lengths than those of 'time'")
        offsets = ends - ends[0]
        rows[name] = column.values.slice(ends[0], offsets[-1]).to_numpy(zero_copy_only=False)
    return offsets, rows


def _single(column: pa.ChunkedArray) -> pa.Array:
    return column.chunk(0) if column.num_chunks == 1 else pa.concat_arrays(column.chunks or [pa.array([], column.type)])
