"""What brokers hold of objects, lists of sources and of forced photometry under Rubin's names, as light curves."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import ArrayLike, NDArray

from telperion.formats.alert_fields import within
from telperion.formats.alert_rows import REASONS, Rows, judged, settle
from telperion.formats.alert_surveys import ROW_FIELDS, rubin_rows
from telperion.formats.alerts import Alerts
from telperion.formats.nested import Nested

NEEDED = ROW_FIELDS[:4]
"""Fields that every row must have: time, band, flux and its error, as ``midpointMjdTai``, ``band`` and so on."""

_IDS = ("diaSourceId", "diaForcedSourceId")
_FIELDS = (*_IDS, *ROW_FIELDS)
_WHOLE = (*_IDS, "visit", "detector")


@dataclass(frozen=True, eq=False)
class Histories:
    """Objects with all their rows, an alert each, and an account of what is of no use.

    Parameters
    ----------
    alerts : Alerts
        One an object, in their order; `Alerts.alert_id` counts them, `Alerts.dropped` says what was left out and why.
    useless : array of int64, shape ``(n_objects,)``
        Rows of each object that are of no use: flagged, withdrawn, or without a time, band, flux or error that can be.
        Rows that say again what another one says are dropped, too, but not among these.
    """

    alerts: Alerts
    useless: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.alerts)


def of_records(
    object_id: Sequence[str],
    sources: Sequence[Sequence[Mapping[str, Any]]],
    forced: Sequence[Sequence[Mapping[str, Any]]] | None = None,
    *,
    context: Mapping[str, ArrayLike] | None = None,
    n_sources: ArrayLike | None = None,
) -> Histories:
    """Gather objects from records, such as JSON gives them.

    Parameters
    ----------
    object_id : sequence of str, shape ``(n_objects,)``
    sources, forced : sequence of sequences of mappings, shape ``(n_objects,)``
        Detections and forced photometry of each object in any order, with the fields of Rubin's diaSource and
        diaForcedSource: `NEEDED`, and ids, visit, detector and flags where they are known. Fluxes are nJy. None and
        NaN are unknown; fields that nobody asks for are passed over.
    context : mapping of str to array, shape ``(n_objects,)``, optional
        What is known beside the light curves, as `telperion.formats.snana` names it; NaN where unknown. E(B-V) is
        ``mwebv``. Values that cannot be are made NaN, and counted as ``context`` among what was dropped.
    n_sources : array of int, shape ``(n_objects,)``, optional
        How many sources the survey counts.

    Raises
    ------
    ValueError
        Lengths differ, no row of an object has a field of `NEEDED`, or a field holds what it cannot.

    Examples
    --------
    >>> source = {"midpointMjdTai": 61000.1, "band": "r", "psfFlux": 850.0, "psfFluxErr": 110.0}
    >>> histories = of_records(["a", "b"], [[source, source | {"band": "v"}], []])
    >>> histories.alerts.light_curves().lengths, histories.useless, histories.alerts.dropped
    (array([1, 0]), array([1, 0]), {'no band': 1})
    """
    n = len(object_id)
    parts = [
        None if records is None else _table(part, object_id, [list(some) for some in records])
        for part, records in (("sources", sources), ("forced", forced))
    ]
    return _gather(object_id, parts[0] or _empty(n), parts[1] or _empty(n), context, n_sources)


def of_lists(
    object_id: Sequence[str],
    sources: Mapping[str, Sequence[Any]],
    forced: Mapping[str, Sequence[Any]] | None = None,
    *,
    context: Mapping[str, ArrayLike] | None = None,
) -> Histories:
    """Gather objects from columns of lists, an item a row, such as data frames of brokers have.

    Parameters
    ----------
    object_id : sequence of str, shape ``(n_objects,)``
    sources, forced : mapping of str to sequence, shape ``(n_objects,)``, of arrays
        By field as for `of_records`; None is a list without items.
    context : mapping of str to array, shape ``(n_objects,)``, optional
        As for `of_records`.

    Raises
    ------
    ValueError
        As for `of_records`, or the lists of an object have different lengths.

    Examples
    --------
    >>> columns = {"midpointMjdTai": [[61000.1, 61003.2], None], "band": [["r", "g"], None],
    ...            "psfFlux": [[850.0, 1900.0], None], "psfFluxErr": [[110.0, 90.0], None]}
    >>> of_lists(["a", "b"], columns).alerts.light_curves().lengths
    array([2, 0])
    """
    parts = [
        _empty(len(object_id)) if not columns else _of_columns(part, object_id, columns)
        for part, columns in (("sources", sources), ("forced", forced))
    ]
    return _gather(object_id, parts[0], parts[1], context, None)


def _gather(
    object_id: Sequence[str], sources: pa.ListArray, forced: pa.ListArray, context: Mapping[str, ArrayLike] | None,
    n_sources: ArrayLike | None,
) -> Histories:  # fmt: skip
    """Keep the rows that count, in their order, and count the others."""
    n, table = len(object_id), Nested(pa.table({"sources": sources, "forced": forced}))
    lengths = {part: np.diff(table.offsets(part)) for part in ("sources", "forced")}
    rows = judged(
        Rows.concatenate(
            [
                rubin_rows(table, f"{part}[]", np.repeat(np.arange(n), lengths[part]), identifier)
                for part, identifier in zip(lengths, _IDS, strict=True)
            ]
        )
    )
    useless = np.bincount(rows.code[rows.reason > 0], minlength=n)
    rows, counts = settle(rows)
    dropped = {reason: int(count) for reason, count in zip(REASONS, counts, strict=True) if count}
    known, outside = within({name: _per_object(name, values, n) for name, values in (context or {}).items()})
    if outside:
        dropped["context"] = outside
    newest = np.full(n, -1)
    found = np.flatnonzero(rows.detected)
    newest[rows.code[found]] = found  # the last one counts, and rows are in the order of time
    seen, nobody = newest >= 0, np.zeros(0, dtype=np.int64)
    time, source_id = np.full(n, np.nan), np.zeros(n, dtype=np.int64)
    time[seen], source_id[seen] = rows.time[newest[seen]], rows.source_id[newest[seen]]
    truncated = lengths["sources"] < (0 if n_sources is None else np.asarray(n_sources, dtype=np.int64))
    offsets = np.concatenate([[0], np.cumsum(np.bincount(rows.code, minlength=n))])
    names = np.asarray(object_id, dtype=np.str_).reshape(n)
    alerts = Alerts(
        np.arange(n), np.arange(n), source_id, names, time, np.broadcast_to(truncated, n), offsets, rows, known,
        dropped, nobody, nobody, [],
    )  # fmt: skip
    return Histories(alerts, useless)


def _per_object(name: str, values: ArrayLike, n: int) -> NDArray[np.float64]:
    column = np.array(values, dtype=np.float64)
    if column.shape != (n,):
        raise ValueError(f"{name} has shape {column.shape}, expected ({n},) for {n} objects")
    return column


# -- columns of lists -------------------------------------------------------------------------------------------------


def _empty(n: int) -> pa.ListArray:
    return pa.array([[]] * n, pa.list_(pa.struct([])))


def _table(part: str, object_id: Sequence[str], records: Sequence[Sequence[Mapping[str, Any]]]) -> pa.ListArray:
    """Put the fields that are asked for into columns."""
    if len(records) != len(object_id):
        raise ValueError(f"{part} are of {len(records)} objects, object_id of {len(object_id)}")
    if odd := [k for k, some in enumerate(records) if not all(isinstance(row, Mapping) for row in some)]:
        raise ValueError(f"{part} hold what is no record for {len(odd)} objects, first {str(object_id[odd[0]])!r}")
    for name in NEEDED:
        without = [k for k, some in enumerate(records) if some and not any(name in row for row in some)]
        if without:
            raise ValueError(
                f"no row of {part} has {name!r} for {len(without)} objects, first {str(object_id[without[0]])!r}"
            )
    rows = list(chain.from_iterable(records))
    given = set(_FIELDS).intersection(chain.from_iterable(rows))
    lengths = np.array([len(some) for some in records], dtype=np.int64)
    columns = {name: _column(name, [row.get(name) for row in rows], object_id, lengths) for name in sorted(given)}
    return _lists(columns, lengths)


def _of_columns(part: str, object_id: Sequence[str], columns: Mapping[str, Sequence[Any]]) -> pa.ListArray:
    """Put lists one after the other."""
    if unknown := [name for name in columns if name not in _FIELDS]:
        raise ValueError(f"{unknown[0]!r} is no field of {part} that is read; known: {', '.join(_FIELDS)}")
    if missing := [name for name in NEEDED if name not in columns]:
        raise ValueError(f"{part} lack {', '.join(missing)}")
    lists = {name: [() if some is None else some for some in values] for name, values in columns.items()}
    lengths: dict[str, NDArray[np.int64]] = {
        name: np.array([len(some) for some in values], dtype=np.int64) for name, values in lists.items()
    }
    first = lengths[NEEDED[0]]
    for name, own in lengths.items():
        if own.size != len(object_id):
            raise ValueError(f"{name} of {part} is of {own.size} objects, object_id of {len(object_id)}")
        if (other := np.flatnonzero(own != first)).size:
            where = f"{other.size} objects, first {str(object_id[other[0]])!r}"
            raise ValueError(f"{name} of {part} has lists of another length than {NEEDED[0]} for {where}")
    return _lists({name: _column(name, _flat(values), object_id, first) for name, values in lists.items()}, first)


def _flat(lists: Sequence[Any]) -> Any:
    """Join lists; in one stroke where they are arrays of numbers."""
    if lists and all(isinstance(some, np.ndarray) and some.dtype.kind in "fiub" for some in lists):
        return np.concatenate(lists)
    return list(chain.from_iterable(lists))


def _lists(columns: Mapping[str, pa.Array], lengths: NDArray[np.int64]) -> pa.ListArray:
    offsets = pa.array(np.concatenate([[0], np.cumsum(lengths)]), pa.int32())
    if not columns:
        return pa.ListArray.from_arrays(offsets, pa.array([], pa.struct([])))
    return pa.ListArray.from_arrays(offsets, pa.StructArray.from_arrays(list(columns.values()), list(columns)))


def _column(name: str, values: Any, object_id: Sequence[str], lengths: NDArray[np.int64]) -> pa.Array:
    """Make a column of one type; say where that cannot be."""
    make = _texts if name == "band" else _whole if name in _WHOLE else _numbers
    try:
        return make(values)
    except (TypeError, ValueError, OverflowError):
        wrong = [row for row, value in enumerate(values) if not _is(make, value)]
        first = int(np.searchsorted(np.cumsum(lengths), wrong[0], side="right"))
        raise ValueError(
            f"{name} is {values[wrong[0]]!r}, or the like, in {len(wrong)} rows, first at object "
            f"{str(object_id[first])!r}: that is no {'text' if make is _texts else 'number'}"
        ) from None


def _texts(values: Iterable[Any]) -> pa.Array:
    return pa.array(values, pa.string())


def _numbers(values: Any) -> pa.Array:
    return pa.array(np.asarray(values, dtype=np.float64))  # None becomes NaN, True 1


def _whole(values: Iterable[Any]) -> pa.Array:
    """Keep all digits of ids, be they texts; unknown ones are null."""
    return pa.array([None if value is None or value != value else int(value) for value in values], pa.int64())


def _is(make: Callable[[Any], pa.Array], value: Any) -> bool:
    try:
        make([value])
    except (TypeError, ValueError, OverflowError):
        return False
    return True
