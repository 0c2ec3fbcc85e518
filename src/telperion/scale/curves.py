"""Rows of a catalogue's table as light curves, one a visit and detector, corrected for dust; an account of the rest."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from telperion.bands import BANDS, EXTINCTION
from telperion.formats.alert_fields import integers, within, without_codes
from telperion.formats.alert_rows import FLAGGED, REASONS, WITHDRAWN, Rows, judged, settle
from telperion.formats.nested import Nested
from telperion.lightcurves import LightCurves
from telperion.scale.columns import Layout, Part

if TYPE_CHECKING:
    from telperion.serve.dust_map import DustMap

_LARGEST = 38.0
"""Powers of ten that a flux may have."""

_BAND = {name: place for place, name in enumerate(BANDS)} | {"Y": len(BANDS) - 1}


def to_curves(table: pa.Table, layout: Layout) -> tuple[LightCurves, Counter[str]]:
    """Make light curves of the rows of a table, an object each, in their order.

    Parameters
    ----------
    table : pyarrow.Table
        With the columns of the layout.
    layout : Layout

    Returns
    -------
    LightCurves
        Objects without a row that counts are kept without.
    Counter of str
        Rows that are left out, by reason (`telperion.formats.alert_rows.REASONS`), and values of the ``context`` that
        cannot be and are NaN now.

    Raises
    ------
    ValueError
        An object has no id, or the id of another; lists of an object have different lengths; or a column is of a type
        that it cannot have.

    Examples
    --------
    >>> from telperion.scale.columns import understand
    >>> row = {"midpointMjdTai": 61000.1, "band": "r", "psfFlux": 850.0, "psfFluxErr": 110.0}
    >>> table = pa.table({"diaObjectId": [1, 2], "ra": [0.0, 1.0], "dec": [0.0, 0.0],
    ...                   "diaSource": [[row, row | {"psfFlux": None}], []]})
    >>> curves, mended = to_curves(table, understand(table.schema))
    >>> curves.lengths, dict(mended)
    (array([1, 0]), {'no flux': 1})
    """
    ids = table.column(layout.object_id)
    if ids.null_count:
        raise ValueError(f"{layout.object_id} is null for {ids.null_count} objects")
    parts = [_rows(table, part, layout) for part in layout.parts]
    rows, counts = settle(judged(Rows.concatenate(parts)))
    mended = Counter({reason: int(count) for reason, count in zip(REASONS, counts, strict=True) if count})
    context: dict[str, NDArray[np.float64]] = {
        name: np.asarray(without_codes(name, _numbers(table, column)), dtype=np.float64)
        for name, column in layout.context.items()
    }
    ra = _numbers(table, layout.ra)
    context |= {"ra": np.where(ra < 0, ra + 360, ra), "decl": _numbers(table, layout.decl)}  # some count from -180
    known, outside = within(context)
    if outside:
        mended["context"] = outside
    offsets = np.concatenate([[0], np.cumsum(np.bincount(rows.code, minlength=len(table)))])
    names = np.array(ids.cast(pa.string()).to_pylist(), dtype=np.str_).reshape(len(table))
    curves = LightCurves(
        names, offsets, rows.time, rows.band, rows.flux, rows.flux_err, rows.detected, known,
        dereddened=layout.dereddened,
    )  # fmt: skip
    return curves, mended


def without_dust(curves: LightCurves, dust: DustMap | None = None) -> tuple[LightCurves, int]:
    """Correct fluxes for dust in the Milky Way, where they are not yet; where E(B-V) is unknown they stay as they are.

    Parameters
    ----------
    curves : LightCurves
    dust : DustMap, optional
        Tells E(B-V) where the context does not.

    Returns
    -------
    LightCurves
        Dereddened, or taken as if they were.
    int
        Objects of which E(B-V) is unknown, or so large that fluxes would come to no number.

    Examples
    --------
    >>> seen = LightCurves(["a", "b"], [0, 1, 2], [1.0, 1.0], [2, 2], [10.0, 10.0], [1.0, 1.0], [True, True],
    ...                    {"mwebv": [0.1, np.nan]})
    >>> corrected, unknown = without_dust(seen)
    >>> corrected.flux.round(1), unknown
    (array([12.3, 10. ], dtype=float32), 1)
    """
    if curves.dereddened:
        return curves, 0
    known = curves.context.get("mwebv", np.full(len(curves), np.nan))
    if dust is not None:
        known = np.where(np.isnan(known), dust.ebv(curves.context["ra"], curves.context["decl"]), known)
    known = np.where(_beyond(curves, known), np.nan, known)
    corrected = curves.with_context({**curves.context, "mwebv": known}).deredden(unknown=0.0)
    return corrected, int(np.isnan(known).sum())


def _beyond(curves: LightCurves, ebv: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Tell for which objects E(B-V) is so large that fluxes, themselves absurd, come to no number."""
    largest = np.maximum(np.abs(curves.flux), curves.flux_err).astype(np.float64)
    powers = np.log10(np.maximum(largest, 1)) + 0.4 * EXTINCTION[curves.band] * ebv[curves.object_index]
    rows = np.bincount(curves.object_index[powers > _LARGEST], minlength=len(curves))
    return rows > 0


def _rows(table: pa.Table, part: Part, layout: Layout) -> Rows:
    """Take the rows of a nested column, flat, with a reason for those that are flagged or withdrawn."""
    lists, lengths = _flat(table, part, layout)
    code = np.repeat(np.arange(len(table)), lengths)
    n, names = code.size, part.fields
    reason = np.zeros(n, dtype=np.int8)
    for flag in part.flags:
        wrong = lists.integers(flag) > 0
        if part.edge and flag == f"{names['flux']}_flag":
            wrong &= lists.integers(part.edge) == 0
        reason[wrong] = FLAGGED
    if part.withdrawn:
        reason[~np.isnan(lists.numbers(part.withdrawn))] = WITHDRAWN
    with np.errstate(over="ignore"):  # what is too large is infinite, and of no use
        flux, error = (lists.numbers(names[name]).astype(np.float32) for name in ("flux", "flux_err"))
    whole = {name: integers(lists, names.get(name, ""), n, -1) for name in ("visit", "detector")}
    return Rows(
        code,
        lists.numbers(names["time"]),
        _bands(lists.table.column(names["band"])),
        flux,
        error,
        _detected(lists, part, layout, flux, error),
        integers(lists, names.get("row_id", ""), n, 0),
        whole["visit"],
        whole["detector"],
        reason,
    )


def _detected(
    lists: Nested, part: Part, layout: Layout, flux: NDArray[np.float32], error: NDArray[np.float32]
) -> NDArray[np.bool_]:
    if part.role == "sources":
        return np.ones(flux.size, dtype=bool)
    if "detected" in part.fields:
        return lists.integers(part.fields["detected"]) > 0
    if layout.detected_above is None:
        return np.zeros(flux.size, dtype=bool)
    with np.errstate(invalid="ignore", over="ignore"):
        return flux > np.float32(layout.detected_above) * error


def _flat(table: pa.Table, part: Part, layout: Layout) -> tuple[Nested, NDArray[np.int64]]:
    """Put the lists of all objects one after the other; their lengths, too."""
    wanted = part.read()
    if not part.column:
        lists = {name: _whole(table.column(name)) for name in wanted}
    else:
        column = _whole(table.column(part.column))
        if not pa.types.is_struct(column.type):
            flat, lengths = column.flatten(), _lengths(column)
            return Nested(pa.table({name: pc.struct_field(flat, name) for name in wanted})), lengths
        lists = {name: pc.struct_field(column, name) for name in wanted}
    first = _lengths(lists[wanted[0]])
    for name, column in lists.items():
        if (other := np.flatnonzero(_lengths(column) != first)).size:
            objects = table.column(layout.object_id)
            raise ValueError(
                f"{part.column + '.' if part.column else ''}{name} has lists of another length than {wanted[0]} for "
                f"{other.size} objects, first {str(objects[int(other[0])])!r}"
            )
    return Nested(pa.table({name: column.flatten() for name, column in lists.items()})), first


def _whole(column: pa.ChunkedArray) -> pa.Array:
    return pa.concat_arrays(column.chunks or [pa.array([], column.type)])


def _lengths(column: pa.Array) -> NDArray[np.int64]:
    if not (pa.types.is_list(column.type) or pa.types.is_large_list(column.type)):
        raise ValueError(f"a column of light curves is {column.type}, expected lists")
    lengths = pc.fill_null(pc.list_value_length(column).cast(pa.int64()), 0)
    return np.asarray(lengths.to_numpy(zero_copy_only=False), dtype=np.int64)


def _bands(column: pa.ChunkedArray) -> NDArray[np.int8]:
    """Turn letters, or positions in `BANDS`, into such positions; -1 where it is neither."""
    whole = _whole(column)
    if pa.types.is_integer(whole.type):
        place = pc.fill_null(whole.cast(pa.int64()), -1).to_numpy(zero_copy_only=False)
        return np.where((place >= 0) & (place < len(BANDS)), place, -1).astype(np.int8)
    if not pa.types.is_dictionary(whole.type):
        if not (pa.types.is_string(whole.type) or pa.types.is_large_string(whole.type)):
            raise ValueError(f"a column of bands is {whole.type}, expected text or positions in '{''.join(BANDS)}'")
        whole = whole.dictionary_encode()
    letters = np.array([_BAND.get(text, -1) for text in whole.dictionary.to_pylist()] + [-1], dtype=np.int8)
    place = pc.fill_null(whole.indices.cast(pa.int64()), len(letters) - 1).to_numpy(zero_copy_only=False)
    return letters[place]


def _numbers(table: pa.Table, name: str) -> NDArray[np.float64]:
    return Nested(table.select([name])).numbers(name)
