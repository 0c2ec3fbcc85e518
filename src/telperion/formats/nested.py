"""Nested Arrow columns, as brokers dump alerts to Parquet, asked for by the same paths as decoded packets."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

_LONGEST = 64


class Nested:
    """A table whose rows are alerts: structs within rows, lists of structs for what an alert has many of.

    Parameters
    ----------
    table : pyarrow.Table

    Examples
    --------
    >>> table = pa.table({"diaSource": [{"x": 1}, None], "prv": [[{"y": 2.0}], None]})
    >>> nested = Nested(table)
    >>> nested.null("diaSource.x"), nested.numbers("prv[].y"), nested.offsets("prv")
    (array([False,  True]), array([2.]), array([0, 1, 1]))
    """

    def __init__(self, table: pa.Table) -> None:
        self.table = table
        self.columns: dict[str, pa.Array | None] = {}

    def __len__(self) -> int:
        return self.table.num_rows

    def __contains__(self, path: str) -> bool:
        return self._column(path) is not None

    def _column(self, path: str) -> pa.Array | None:
        """Find what a path leads to; a value below a null is null."""
        if path in self.columns:
            return self.columns[path]
        above, _, name = path.removesuffix("[]").rpartition(".")
        found = None
        if not above:
            if name in self.table.column_names:
                column = self.table.column(name)
                found = pa.concat_arrays(column.chunks or [pa.array([], column.type)])
        elif (parent := self._column(above)) is not None and pa.types.is_struct(parent.type):
            found = pc.struct_field(parent, name) if parent.type.get_field_index(name) >= 0 else None
        if path.endswith("[]") and found is not None:
            found = found.flatten() if _is_list(found.type) else None
        self.columns[path] = found
        return found

    def _given(self, path: str) -> pa.Array:
        column = self._column(path)
        if column is None:
            raise KeyError(path)
        return column

    def null(self, path: str) -> NDArray[np.bool_]:
        """Tell where a column is null, shape ``(n_rows,)``."""
        return self._given(path).is_null().to_numpy(zero_copy_only=False)

    def exact(self, path: str) -> bool:
        """Tell whether a column holds integers, not floats that may have lost digits of them."""
        return pa.types.is_integer(self._given(path).type)

    def numbers(self, path: str) -> NDArray[np.float64]:
        """Give a column of numbers, shape ``(n_rows,)``; NaN where it is null, too."""
        column = self._given(path)
        if pa.types.is_boolean(column.type):
            column = column.cast(pa.int8())
        column = column.cast(pa.float64(), safe=False)
        return np.asarray(pc.fill_null(column, np.nan).to_numpy(zero_copy_only=False), dtype=np.float64)

    def integers(self, path: str, missing: int = 0) -> NDArray[np.int64]:
        """Give a column of integers, shape ``(n_rows,)``; `missing` where it is null or NaN."""
        column = self._given(path)
        if pa.types.is_floating(column.type):
            numbers = self.numbers(path)
            known = np.isfinite(numbers) & (np.abs(numbers) < 2.0**63)
            return np.where(known, np.where(known, numbers, 0).astype(np.int64), missing)
        return np.asarray(pc.fill_null(column.cast(pa.int64()), missing).to_numpy(zero_copy_only=False), dtype=np.int64)

    def texts(self, path: str) -> NDArray[np.bytes_]:
        """Give a column of text, shape ``(n_rows,)``, cut at 64 letters; "" where it is null."""
        column = pc.utf8_slice_codeunits(pc.fill_null(self._given(path).cast(pa.large_string()), ""), 0, _LONGEST)
        return np.char.encode(np.array(column.to_pylist(), dtype=np.str_), "utf-8")

    def offsets(self, array: str) -> NDArray[np.int64]:
        """Give where each row's items of a list begin among all, shape ``(n_alerts + 1,)``; none if not there."""
        column = self._column(array)
        if column is None or not _is_list(column.type):
            return np.zeros(len(self) + 1, dtype=np.int64)
        lengths = pc.fill_null(pc.list_value_length(column).cast(pa.int64()), 0)
        return np.concatenate([[0], np.cumsum(lengths.to_numpy(zero_copy_only=False))]).astype(np.int64)


def _is_list(kind: pa.DataType) -> bool:
    return pa.types.is_list(kind) or pa.types.is_large_list(kind)
