"""`LightCurves`: one ragged, checked, immutable table of many light curves with their context and labels."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import ArrayLike, NDArray

from telperion import light_curve_arrow
from telperion.bands import EXTINCTION
from telperion.light_curve_columns import (
    ROW_COLUMNS,
    as_column,
    as_context,
    check,
    check_context,
    check_fluxes,
    in_order,
    owners,
)


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
        for name, values in self._rows().items():
            self._freeze(name, as_column(name, values))
        self._freeze("object_id", np.asarray(self.object_id, dtype=np.str_))
        self._freeze("offsets", np.asarray(self.offsets, dtype=np.int64))
        label = np.asarray(self.label, dtype=np.str_)
        self._freeze("label", label if label.size else np.full(len(self), "", dtype=np.str_))
        object.__setattr__(self, "context", as_context(self.context))
        check(self.object_id, self.offsets, self._rows(), self.context, self.label)

    def _freeze(self, name: str, values: np.ndarray) -> None:
        view = values.view()
        view.flags.writeable = False
        object.__setattr__(self, name, view)

    def _rows(self) -> dict[str, np.ndarray]:
        return {name: getattr(self, name) for name in ROW_COLUMNS}

    # -- making ------------------------------------------------------------------------------------------------

    @classmethod
    def from_rows(
        cls, object_id: ArrayLike, time: ArrayLike, band: ArrayLike, flux: ArrayLike, flux_err: ArrayLike,
        detected: ArrayLike, *, objects: ArrayLike | None = None, context: Mapping[str, ArrayLike] | None = None,
        label: ArrayLike | None = None, dereddened: bool = False,
    ) -> LightCurves:  # fmt: skip
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
        objects, code = owners(object_id, objects)
        return cls.from_codes(
            code, time, band, flux, flux_err, detected,
            objects=objects, context=context, label=label, dereddened=dereddened,
        )  # fmt: skip

    @classmethod
    def from_codes(
        cls, code: ArrayLike, time: ArrayLike, band: ArrayLike, flux: ArrayLike, flux_err: ArrayLike,
        detected: ArrayLike, *, objects: ArrayLike, context: Mapping[str, ArrayLike] | None = None,
        label: ArrayLike | None = None, dereddened: bool = False,
    ) -> LightCurves:  # fmt: skip
        """As `from_rows`, with each row's position in `objects` in place of its id (no search: the fast way)."""
        names = np.asarray(objects).astype(np.str_)
        code = np.asarray(code, dtype=np.int64)
        given = zip(ROW_COLUMNS, (time, band, flux, flux_err, detected), strict=True)
        columns = {name: np.asarray(column) for name, column in given}
        offsets, rows = in_order(code, columns, names.size)
        label = np.zeros(0, dtype=np.str_) if label is None else np.asarray(label)
        columns_of_objects = {name: np.asarray(values) for name, values in (context or {}).items()}
        return cls(names, offsets, **rows, context=columns_of_objects, label=label, dereddened=dereddened)

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
            **{name: np.concatenate([getattr(part, name) for part in parts]) for name in ROW_COLUMNS},
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
            **{name: getattr(self, name)[rows] for name in ROW_COLUMNS},
            context={name: values[chosen] for name, values in self.context.items()},
            label=self.label[chosen],
        )

    def _with(self, **columns: Any) -> LightCurves:
        """Swap columns for parts of themselves, or scaled ones: what was checked once is not checked again."""
        made = object.__new__(LightCurves)
        for name in self.__dataclass_fields__:
            object.__setattr__(made, name, columns.get(name, getattr(self, name)))
        for name in columns.keys() & {"object_id", "offsets", "label", *ROW_COLUMNS}:
            made._freeze(name, columns[name])
        return made

    def select_rows(self, keep: ArrayLike) -> LightCurves:
        """Keep the rows where `keep`, shape ``(n_rows,)``, is true; every object stays, be it without rows."""
        mask = np.asarray(keep, dtype=bool)
        if mask.shape != (self.n_rows,):
            raise ValueError(f"keep has shape {mask.shape}, expected ({self.n_rows},)")
        offsets = np.concatenate([[0], np.cumsum(mask)])[self.offsets]
        return self._with(offsets=offsets, **{name: getattr(self, name)[mask] for name in ROW_COLUMNS})

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
        columns = as_context(context)
        check_context(self.object_id, columns)
        return self._with(context=columns)

    def with_label(self, label: ArrayLike) -> LightCurves:
        """Replace the labels, shape ``(n_objects,)``."""
        return replace(self, label=np.asarray(label))

    def deredden(self, *, unknown: float = np.nan) -> LightCurves:
        """Correct fluxes and errors for dust in the Milky Way with context ``mwebv``.

        Parameters
        ----------
        unknown : float, mag
            Taken for E(B-V) where it is not known; the context stays as it is.

        Raises
        ------
        ValueError
            The fluxes are dereddened already, or E(B-V) is unknown for an object that has rows, or so large that fluxes
            come to no number.
        """
        if self.dereddened:
            raise ValueError("the fluxes are dereddened already")
        ebv = np.asarray(self.context.get("mwebv", np.full(len(self), np.nan)))
        ebv = np.where(np.isnan(ebv), unknown, ebv)
        if (nobody := np.flatnonzero(np.isnan(ebv) & (self.lengths > 0))).size:
            raise ValueError(f"mwebv is unknown for {nobody.size} objects, first '{self.object_id[nobody[0]]}'")
        with np.errstate(over="ignore", invalid="ignore"):  # what comes of it is refused in clearer words
            factor = (10 ** (0.4 * EXTINCTION[self.band] * ebv[self.object_index])).astype(np.float32)
            flux, error = self.flux * factor, self.flux_err * factor
        check_fluxes(self.object_id, self.offsets, flux, error, "corrected for dust, ")
        return self._with(flux=flux, flux_err=error, dereddened=True)

    # -- Arrow -------------------------------------------------------------------------------------------------

    def to_arrow(self) -> pa.Table:
        """Give one row an object, observations in list columns (the same memory wherever Arrow allows it)."""
        about = self.object_id, self.offsets, self._rows(), self.context, self.label
        return light_curve_arrow.to_table(*about, dereddened=self.dereddened)

    @classmethod
    def from_arrow(cls, table: pa.Table) -> LightCurves:
        """Read back what `to_arrow` gave (columns beyond the known ones are context).

        Raises
        ------
        ValueError
            The table is not ours: a column is missing, of another version, or its lists disagree in length.
        """
        return cls(**light_curve_arrow.from_table(table))
