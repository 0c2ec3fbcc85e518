"""`LightCurves`: one ragged, checked, immutable table of many light curves with their context and labels."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import ArrayLike, NDArray

from telperion.bands import BANDS, EXTINCTION

FORMAT_VERSION = b"1"
_ROW_COLUMNS = {"time": np.float64, "band": np.int8, "flux": np.float32, "flux_err": np.float32, "detected": np.bool_}
_THICK = 10.0  # mag of E(B-V), up to which a flux that a survey can measure stays one
_NOT_CONTEXT = {"object_id", "label", *_ROW_COLUMNS}


class RepairWarning(UserWarning):
    """Data were mended or left out on the way in; the message says what, how many and the first object."""


@dataclass(frozen=True, eq=False)
class LightCurves:
    """Light curves of many objects, rows sorted by time within each; one alert is a table of one object.

    Parameters
    ----------
    object_id : array of str, shape ``(n_objects,)``
        Distinct names.
    offsets : array of int, shape ``(n_objects + 1,)``
        Object ``i`` owns rows ``offsets[i]:offsets[i + 1]``.
    time : array, shape ``(n_rows,)``, MJD (TAI)
        Rows of an object are sorted by time, those of one time by band; none repeats another's time and band.
    band : array of int, shape ``(n_rows,)``
        Position in `telperion.bands.BANDS`.
    flux, flux_err : array, shape ``(n_rows,)``, nJy
        Difference-image flux, finite, may be negative; its standard error, above zero.
    detected : array of bool, shape ``(n_rows,)``
        Whether the survey's pipeline calls the row a detection.
    context : mapping of str to array, shape ``(n_objects,)``
        What is known of the object beside its light curve (redshift, host, dust), NaN where unknown.
    label : array of str, shape ``(n_objects,)``, optional
        Class, as named by the data set or by any node of a tree; "" where unknown, by default everywhere.
    dereddened : bool
        Whether fluxes are corrected for dust in the Milky Way.

    Raises
    ------
    ValueError
        A rule above is broken; the message says which, how often and where first.

    Examples
    --------
    >>> curves = LightCurves(["a", "b"], [0, 2, 3], [1.0, 2.0, 1.5], [1, 2, 1], [5.0, 9.0, 3.0], [1.0, 1.0, 1.0],
    ...                      [False, True, True])
    >>> len(curves), curves.lengths, curves[1].object_id
    (2, array([2, 1]), array(['b'], dtype='<U1'))
    """

    object_id: NDArray[np.str_]
    offsets: NDArray[np.int64]
    time: NDArray[np.float64]
    band: NDArray[np.int8]
    flux: NDArray[np.float32]
    flux_err: NDArray[np.float32]
    detected: NDArray[np.bool_]
    context: Mapping[str, NDArray[np.float64]] = field(default_factory=dict)
    label: NDArray[np.str_] = field(default_factory=lambda: np.zeros(0, dtype=np.str_))
    dereddened: bool = False

    def __post_init__(self) -> None:
        columns: dict[str, ArrayLike] = {name: getattr(self, name) for name in _ROW_COLUMNS}
        for name, values in columns.items():
            self._freeze(name, _as_column(name, values, _ROW_COLUMNS[name]))
        self._freeze("object_id", np.asarray(self.object_id, dtype=np.str_))
        self._freeze("offsets", np.asarray(self.offsets, dtype=np.int64))
        label = np.asarray(self.label, dtype=np.str_)
        self._freeze("label", label if label.size else np.full(len(self), "", dtype=np.str_))
        context = {name: np.asarray(values, dtype=np.float64) for name, values in self.context.items()}
        for values in context.values():
            values.flags.writeable = False
        object.__setattr__(self, "context", context)
        self._check_shapes()
        self._check_values()

    def _freeze(self, name: str, values: np.ndarray) -> None:
        view = values.view()
        view.flags.writeable = False
        object.__setattr__(self, name, view)

    # -- checks ------------------------------------------------------------------------------------------------

    def _check_shapes(self) -> None:
        n, rows = self.object_id.size, self.time.size
        if self.object_id.ndim != 1 or self.offsets.shape != (n + 1,):
            raise ValueError(f"offsets have shape {self.offsets.shape}, expected ({n + 1},) for {n} objects")
        for name in _ROW_COLUMNS:
            if getattr(self, name).shape != (rows,):
                raise ValueError(f"{name} has shape {getattr(self, name).shape}, expected ({rows},) as time has")
        if self.offsets[0] != 0 or self.offsets[-1] != rows or (np.diff(self.offsets) < 0).any():
            raise ValueError(f"offsets must rise from 0 to the number of rows, {rows}")
        for name, values in self.context.items():
            if name in _NOT_CONTEXT:
                raise ValueError(f"{name!r} cannot be the name of a context column")
            if values.shape != (n,):
                raise ValueError(f"context {name!r} has shape {values.shape}, expected ({n},)")
        if self.label.shape != (n,):
            raise ValueError(f"label has shape {self.label.shape}, expected ({n},)")
        distinct, first, count = np.unique(self.object_id, return_index=True, return_counts=True)
        if (count > 1).any():
            name = distinct[count > 1][np.argmin(first[count > 1])]
            raise ValueError(f"object_id is not unique for {(count > 1).sum()} objects, first '{name}'")

    def _check_values(self) -> None:
        self._reject(~np.isfinite(self.time), "time is not finite")
        self._reject(~np.isfinite(self.flux), "flux is not finite")
        self._reject(~(np.isfinite(self.flux_err) & (self.flux_err > 0)), "flux_err is not a finite number above zero")
        self._reject((self.band < 0) | (self.band >= len(BANDS)), "band is not a position in 'ugrizy'")
        inside = np.ones(self.n_rows, dtype=bool)
        inside[self.offsets[:-1][self.lengths > 0]] = False
        later, same = inside.copy(), inside.copy()
        later[1:] &= self.time[1:] < self.time[:-1]
        self._reject(later, "time goes back")
        same[1:] &= self.time[1:] == self.time[:-1]
        repeat, unsorted = same.copy(), same
        repeat[1:] &= self.band[1:] == self.band[:-1]
        self._reject(repeat, "time and band repeat the row before")
        unsorted[1:] &= self.band[1:] < self.band[:-1]
        self._reject(unsorted, "rows of one time are not in the order of their bands")
        for name, values in self.context.items():
            if (wrong := np.flatnonzero(np.isinf(values))).size:
                first = self.object_id[wrong[0]]
                raise ValueError(f"context {name!r} is infinite for {wrong.size} objects, first '{first}'")

    def _reject(self, wrong: NDArray[np.bool_], rule: str) -> None:
        if wrong.any():
            row = int(np.argmax(wrong))
            owner = int(np.searchsorted(self.offsets, row, side="right")) - 1
            place = f"'{self.object_id[owner]}' (its row {row - self.offsets[owner]})"
            raise ValueError(f"{rule} in {int(wrong.sum())} rows, first at object {place}")

    # -- making ------------------------------------------------------------------------------------------------

    @classmethod
    def from_rows(
        cls,
        object_id: ArrayLike,
        time: ArrayLike,
        band: ArrayLike,
        flux: ArrayLike,
        flux_err: ArrayLike,
        detected: ArrayLike,
        *,
        objects: ArrayLike | None = None,
        context: Mapping[str, ArrayLike] | None = None,
        label: ArrayLike | None = None,
        dereddened: bool = False,
    ) -> LightCurves:
        """Build the table from rows in any order, one object id (text or integer) a row.

        Parameters
        ----------
        object_id, time, band, flux, flux_err, detected : array, shape ``(n_rows,)``
        objects : array, shape ``(n_objects,)``, optional
            Distinct ids, in the order that the table, `context` and `label` have; an object without rows is kept.
            By default the ids of the rows, in the order of their first appearance.

        Raises
        ------
        ValueError
            A row belongs to none of `objects`, or a rule of `LightCurves` is broken.

        Examples
        --------
        >>> LightCurves.from_rows([7, 3, 7], [2.0, 1.0, 1.0], [1, 1, 1], [1, 2, 3], [1, 1, 1], [1, 0, 0]).time
        array([1., 2., 1.])
        """
        row_id = np.asarray(object_id)
        if objects is None:
            distinct, first, inverse = np.unique(row_id, return_index=True, return_inverse=True)
            order = np.argsort(first, kind="stable")
            rank = np.empty_like(order)
            rank[order] = np.arange(order.size)
            objects, code = distinct[order], rank[inverse]
        else:
            code = _position(row_id, np.asarray(objects))
        return cls.from_codes(
            code, time, band, flux, flux_err, detected,
            objects=objects, context=context, label=label, dereddened=dereddened,
        )  # fmt: skip

    @classmethod
    def from_codes(
        cls,
        code: ArrayLike,
        time: ArrayLike,
        band: ArrayLike,
        flux: ArrayLike,
        flux_err: ArrayLike,
        detected: ArrayLike,
        *,
        objects: ArrayLike,
        context: Mapping[str, ArrayLike] | None = None,
        label: ArrayLike | None = None,
        dereddened: bool = False,
    ) -> LightCurves:
        """As `from_rows`, with each row's position in `objects` in place of its id (no search: the fast way)."""
        names = np.asarray(objects).astype(np.str_)
        code = np.asarray(code, dtype=np.int64)
        given = zip(_ROW_COLUMNS, (time, band, flux, flux_err, detected), strict=True)
        columns = {name: np.asarray(column) for name, column in given}
        offsets = np.concatenate([[0], np.cumsum(np.bincount(code, minlength=names.size))])
        step = np.diff(code)
        if not ((step > 0) | ((step == 0) & (np.diff(columns["time"]) > 0))).all():
            order = np.lexsort((columns["band"], columns["time"], code))
            columns = {name: column[order] for name, column in columns.items()}
        label = np.zeros(0, dtype=np.str_) if label is None else np.asarray(label)
        columns_of_objects = {name: np.asarray(values) for name, values in (context or {}).items()}
        return cls(names, offsets, **columns, context=columns_of_objects, label=label, dereddened=dereddened)

    @classmethod
    def concatenate(cls, parts: Sequence[LightCurves]) -> LightCurves:
        """Put tables one after the other; a context that one of them lacks is NaN there.

        Raises
        ------
        ValueError
            No part is given, an object stands in two parts, or only some parts are dereddened.
        """
        if not parts:
            raise ValueError("nothing to concatenate: the list of light curves is empty")
        if len({part.dereddened for part in parts}) > 1:
            raise ValueError("some of the parts are dereddened and some are not; call deredden() on those first")
        names = dict.fromkeys(name for part in parts for name in part.context)
        starts = np.cumsum([0] + [part.n_rows for part in parts])
        ends = [part.offsets[1:] + start for part, start in zip(parts, starts, strict=False)]
        return cls(
            np.concatenate([part.object_id for part in parts]),
            np.concatenate([[0], *ends]),
            **{name: np.concatenate([getattr(part, name) for part in parts]) for name in _ROW_COLUMNS},
            context={n: np.concatenate([p.context.get(n, np.full(len(p), np.nan)) for p in parts]) for n in names},
            label=np.concatenate([part.label for part in parts]),
            dereddened=parts[0].dereddened,
        )

    # -- looking -----------------------------------------------------------------------------------------------

    def __len__(self) -> int:
        return int(self.object_id.size)

    def __repr__(self) -> str:
        dust = "" if self.dereddened else "not "
        context = ", ".join(self.context) or "none"
        return f"LightCurves({len(self)} objects, {self.n_rows} rows, {dust}dereddened, context: {context})"

    @property
    def n_objects(self) -> int:
        """Number of objects, also ``len(self)``."""
        return len(self)

    @property
    def n_rows(self) -> int:
        """Number of observations of all objects together."""
        return int(self.time.size)

    @property
    def lengths(self) -> NDArray[np.int64]:
        """Number of rows of each object, shape ``(n_objects,)``."""
        return np.diff(self.offsets)

    @property
    def object_index(self) -> NDArray[np.int64]:
        """The object each row belongs to, shape ``(n_rows,)``."""
        return np.repeat(np.arange(len(self)), self.lengths)

    @property
    def first_detection(self) -> NDArray[np.float64]:
        """Time of each object's first detection, shape ``(n_objects,)``, MJD; NaN without one."""
        first = np.full(len(self), np.nan)
        row = np.flatnonzero(self.detected)[::-1]
        first[np.searchsorted(self.offsets, row, side="right") - 1] = self.time[row]
        return first

    @property
    def days_since_first_detection(self) -> NDArray[np.float64]:
        """Days from the object's first detection to each row, shape ``(n_rows,)``; below zero before, NaN without."""
        return self.time - self.first_detection[self.object_index]

    # -- slicing -----------------------------------------------------------------------------------------------

    def __getitem__(self, which: int | slice | list[int] | NDArray[Any]) -> LightCurves:
        """Select objects by position, slice, mask or array of positions (in that order; none twice)."""
        chosen = np.atleast_1d(np.arange(len(self))[which])
        lengths = self.lengths[chosen]
        offsets = np.concatenate([[0], np.cumsum(lengths)])
        rows = np.arange(offsets[-1]) + np.repeat(self.offsets[chosen] - offsets[:-1], lengths)
        if np.unique(chosen).size < chosen.size:
            raise ValueError("an object is selected twice")
        return self._with(
            object_id=self.object_id[chosen],
            offsets=offsets,
            **{name: getattr(self, name)[rows] for name in _ROW_COLUMNS},
            context={name: values[chosen] for name, values in self.context.items()},
            label=self.label[chosen],
        )

    def _with(self, **columns: Any) -> LightCurves:
        """Swap columns for parts of themselves, or scaled ones: what was checked once is not checked again."""
        made = object.__new__(LightCurves)
        for name in self.__dataclass_fields__:
            object.__setattr__(made, name, columns.get(name, getattr(self, name)))
        for name in columns.keys() & {"object_id", "offsets", "label", *_ROW_COLUMNS}:
            made._freeze(name, columns[name])
        return made

    def select_rows(self, keep: ArrayLike) -> LightCurves:
        """Keep the rows where `keep`, shape ``(n_rows,)``, is true; every object stays, be it without rows."""
        mask = np.asarray(keep, dtype=bool)
        if mask.shape != (self.n_rows,):
            raise ValueError(f"keep has shape {mask.shape}, expected ({self.n_rows},)")
        offsets = np.concatenate([[0], np.cumsum(mask)])[self.offsets]
        return self._with(offsets=offsets, **{name: getattr(self, name)[mask] for name in _ROW_COLUMNS})

    def between(self, start: float, stop: float) -> LightCurves:
        """Keep the rows with ``start <= time < stop``, MJD."""
        return self.select_rows((self.time >= start) & (self.time < stop))

    def until(self, days: ArrayLike) -> LightCurves:
        """Keep the rows up to `days` after each object's first detection (one number, or one an object).

        Rows before the first detection stay. An object without a detection has no such day: it loses all its rows
        (and stays in the table), unless `days` is infinite.
        """
        limit = self.first_detection + np.asarray(days, dtype=np.float64)
        limit[np.isnan(limit) & np.isposinf(np.broadcast_to(days, limit.shape))] = np.inf
        return self.select_rows(self.time <= limit[self.object_index])

    # -- context, labels, dust -----------------------------------------------------------------------------------

    def with_context(self, context: Mapping[str, ArrayLike]) -> LightCurves:
        """Replace the whole context; give ``{**self.context, "name": values}`` to add to it."""
        return replace(self, context={name: np.asarray(values) for name, values in context.items()})

    def with_label(self, label: ArrayLike) -> LightCurves:
        """Replace the labels, shape ``(n_objects,)``."""
        return replace(self, label=np.asarray(label))

    def deredden(self) -> LightCurves:
        """Correct fluxes and errors for dust in the Milky Way with context ``mwebv``.

        Raises
        ------
        ValueError
            The fluxes are dereddened already, or E(B-V) is unknown for an object that has rows, or so large that fluxes
            come to no number.
        """
        if self.dereddened:
            raise ValueError("the fluxes are dereddened already")
        ebv = np.asarray(self.context.get("mwebv", np.full(len(self), np.nan)))
        if (unknown := np.flatnonzero(np.isnan(ebv) & (self.lengths > 0))).size:
            raise ValueError(f"mwebv is unknown for {unknown.size} objects, first '{self.object_id[unknown[0]]}'")
        with np.errstate(over="ignore"):
            factor = (10 ** (0.4 * EXTINCTION[self.band] * ebv[self.object_index])).astype(np.float32)
            flux, error = self.flux * factor, self.flux_err * factor
        if np.fmax.reduce(ebv, initial=0.0) > _THICK:
            self._reject(~(np.isfinite(flux) & np.isfinite(error)), "corrected for dust, the flux is not finite")
        return self._with(flux=flux, flux_err=error, dereddened=True)

    # -- Arrow -------------------------------------------------------------------------------------------------

    def to_arrow(self) -> pa.Table:
        """Give one row an object, observations in list columns (the same memory wherever Arrow allows it)."""
        columns: dict[str, pa.Array] = {"object_id": pa.array(self.object_id, pa.string())}
        lists, size = (pa.ListArray, pa.int32()) if self.n_rows < 2**31 else (pa.LargeListArray, pa.int64())
        for name in _ROW_COLUMNS:
            columns[name] = lists.from_arrays(pa.array(self.offsets, size), pa.array(getattr(self, name)))
        columns |= {name: pa.array(values) for name, values in self.context.items()}
        columns["label"] = pa.array(self.label, pa.string())
        dust = b"true" if self.dereddened else b"false"
        return pa.table(columns).replace_schema_metadata({"telperion": FORMAT_VERSION, "dereddened": dust})

    @classmethod
    def from_arrow(cls, table: pa.Table) -> LightCurves:
        """Read back what `to_arrow` gave (columns beyond the known ones are context).

        Raises
        ------
        ValueError
            The table is not ours: a column is missing, of another version, or its lists disagree in length.
        """
        metadata = table.schema.metadata or {}
        if metadata.get(b"telperion") != FORMAT_VERSION:
            raise ValueError(f"the table is not a Telperion table of version {FORMAT_VERSION.decode()}")
        if missing := [n for n in ("object_id", *_ROW_COLUMNS) if n not in table.column_names]:
            raise ValueError(f"the table lacks the columns {', '.join(missing)}")
        table = table.combine_chunks()
        rows: dict[str, np.ndarray] = {}
        offsets = np.zeros(0, dtype=np.int64)
        for name in _ROW_COLUMNS:
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
        context = {
            name: _single(table.column(name)).cast(pa.float64()).to_numpy(zero_copy_only=False)
            for name in table.column_names
            if name not in _NOT_CONTEXT
        }
        ids, label = (
            np.array(table[name].to_pylist() if name in table.column_names else [], dtype=np.str_)
            for name in ("object_id", "label")
        )
        dereddened = metadata.get(b"dereddened") == b"true"
        return cls(ids, offsets, **rows, context=context, label=label, dereddened=dereddened)


def _single(column: pa.ChunkedArray) -> pa.Array:
    return column.chunk(0) if column.num_chunks == 1 else pa.concat_arrays(column.chunks or [pa.array([], column.type)])


def _as_column(name: str, values: ArrayLike, dtype: type) -> np.ndarray:
    array = np.asarray(values)
    if dtype is np.int8 and array.size and (array.dtype.kind not in "iu" or array.min() < -128 or array.max() > 127):
        raise ValueError(f"{name} must be small integers, positions in 'ugrizy'")
    with np.errstate(over="ignore"):  # what is too large becomes infinite, which is refused in clearer words
        return array.astype(dtype, copy=False)


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
