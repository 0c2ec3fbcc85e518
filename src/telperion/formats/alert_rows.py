"""Which rows of an alert count, and in which order: one a visit and detector, the source before forced photometry."""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray

REASONS = (
    "",
    "upper limit",
    "withdrawn",
    "flagged",
    "no time",
    "no band",
    "no flux",
    "no error",
    "repeated",
    "beside a source",
    "same visit",
    "same time",
)
"""Why a row is dropped, by its code; 0 is kept. The first that applies counts.

upper limit: a row of ZTF that says only how faint nothing was seen. no time, no band, no flux, no error: null, NaN,
infinite in single precision, or beyond reason (a time outside MJD 1 to 200,000, a band other than ugrizy, an error that
is not above zero). repeated: a source that stands there twice. beside a source: forced photometry of a visit and
detector, or of a time and band, that a source tells of. same visit, same time: two of a kind.
"""

(LIMIT, WITHDRAWN, FLAGGED, NO_TIME, NO_BAND, NO_FLUX, NO_ERROR, REPEATED, BESIDE, VISIT, TIME) = range(1, 12)

TIMES = (1.0, 200_000.0)
"""MJD within which there are observations."""

_TICKS = 2**28  # of a day: .3 ms
_ODD = np.uint64(0x9E3779B97F4A7C15)


@dataclass(frozen=True, eq=False)
class Rows:
    """Rows of many alerts in any order, shape ``(n_rows,)`` each.

    Parameters
    ----------
    code : array of int
        The alert that a row is of.
    time : array, MJD
    band : array of int8
        Position in `telperion.bands.BANDS`, -1 unknown.
    flux, flux_err : array of float32, nJy
    detected : array of bool
        Whether it is a source; forced photometry is not.
    source_id : array of int64
        Of a source or of forced photometry, each of its own kind; 0 unknown.
    visit, detector : array of int64
        -1 unknown.
    reason : array of int8
        Why it is dropped.
    """

    code: NDArray
    time: NDArray
    band: NDArray
    flux: NDArray
    flux_err: NDArray
    detected: NDArray
    source_id: NDArray
    visit: NDArray
    detector: NDArray
    reason: NDArray

    def __getitem__(self, which: NDArray | slice) -> Rows:
        return Rows(*(getattr(self, item.name)[which] for item in fields(self)))

    @classmethod
    def concatenate(cls, parts: list[Rows]) -> Rows:
        """Put rows one after the other."""
        return cls(*(np.concatenate([getattr(part, item.name) for part in parts]) for item in fields(cls)))


def judged(rows: Rows) -> Rows:
    """Give the rows with a reason for each that is of no use by itself, unless it has one already."""
    low, high = TIMES
    wrong = (
        (~(np.isfinite(rows.flux_err) & (rows.flux_err > 0)), NO_ERROR),
        (~np.isfinite(rows.flux), NO_FLUX),
        (rows.band < 0, NO_BAND),
        (~((rows.time >= low) & (rows.time <= high)), NO_TIME),
    )
    reason = np.zeros_like(rows.reason)
    for mask, code in wrong:
        reason[mask] = code
    reason = np.where(rows.reason > 0, rows.reason, reason)
    return Rows(*(reason if item.name == "reason" else getattr(rows, item.name) for item in fields(rows)))


def settle(rows: Rows) -> tuple[Rows, NDArray[np.int64]]:
    """Keep one row a visit and detector and one a time and band of every alert, in the order of their times.

    Parameters
    ----------
    rows : Rows
        Of rows that tell the same, the one that stands first is kept, a source before forced photometry.

    Returns
    -------
    Rows
        Those that are kept, in the order of alert, time, band and id.
    array of int, shape ``(n_reasons,)``
        How many rows were dropped for each of `REASONS`.

    Examples
    --------
    >>> def column(*values, dtype=np.int64):
    ...     return np.array(values, dtype=dtype)
    >>> rows = Rows(column(0, 0), column(9.0, 9.0, dtype=float), column(1, 1), column(5.0, 4.0, dtype="f4"),
    ...             column(1.0, 1.0, dtype="f4"), column(False, True, dtype=bool), column(7, 8), column(3, 3),
    ...             column(0, 0), column(0, 0))
    >>> kept, dropped = settle(rows)
    >>> kept.flux, REASONS[dropped.argmax()]
    (array([4.], dtype=float32), 'beside a source')
    """
    dropped = np.bincount(rows.reason, minlength=len(REASONS))
    dropped[0] = 0
    rows = rows[rows.reason == 0]
    rows = rows[_order(rows)]
    same = np.zeros(rows.code.size, dtype=bool)
    same[1:] = (rows.code[1:] == rows.code[:-1]) & (rows.time[1:] == rows.time[:-1]) & (rows.band[1:] == rows.band[:-1])
    if same.any():
        start = np.maximum.accumulate(np.where(same, 0, np.arange(same.size)))
        rows = _without(rows, np.flatnonzero(same), start[same], dropped)
    rows = _without(rows, *_repeats(rows, rows.source_id > 0, (rows.source_id, rows.detected)), dropped)
    rows = _without(rows, *_repeats(rows, rows.visit >= 0, (rows.visit, rows.detector)), dropped)
    return rows, dropped


def _order(rows: Rows) -> NDArray[np.intp]:
    """Sort by alert, time, band, source before forced, id: by one integer, if that is enough, which is much faster."""
    n_alerts = int(rows.code.max(initial=0)) + 1
    if n_alerts < 2**17:
        ticks = (rows.time * _TICKS).astype(np.int64)
        key = (rows.code.astype(np.int64) << 46) | ticks
        order = np.argsort(key, kind="stable")
        key, first, second = key[order], order[:-1], order[1:]
        tie = np.flatnonzero(key[1:] == key[:-1])
        first, second = first[tie], second[tie]
        sorted_ = np.zeros(tie.size, dtype=bool)
        equal = np.ones(tie.size, dtype=bool)
        for column in (rows.time, rows.band, ~rows.detected, rows.source_id):
            sorted_ |= equal & (column[first] < column[second])
            equal &= column[first] == column[second]
        if (sorted_ | equal).all():
            return order
    return np.lexsort((rows.source_id, ~rows.detected, rows.band, rows.time, rows.code))


def _repeats(
    rows: Rows, known: NDArray[np.bool_], columns: tuple[NDArray, ...]
) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Find known rows of an alert that are alike in some columns: the later ones, and the first of each."""
    key = rows.code.astype(np.uint64)
    for column in columns:
        key = (key ^ (key >> np.uint64(29))) * _ODD + column.astype(np.uint64)
    key = np.sort(key[known])
    if not (key[1:] == key[:-1]).any():  # as nearly always
        return np.zeros(0, dtype=np.intp), np.zeros(0, dtype=np.intp)
    row = np.flatnonzero(known)
    row = row[np.lexsort((~rows.detected[row], *(column[row] for column in columns), rows.code[row]))]
    same = np.zeros(row.size, dtype=bool)
    same[1:] = True
    for column in (rows.code, *columns):
        same[1:] &= column[row[1:]] == column[row[:-1]]
    start = np.maximum.accumulate(np.where(same, 0, np.arange(same.size)))
    return row[same], row[start[same]]


def _without(rows: Rows, late: NDArray, early: NDArray, dropped: NDArray[np.int64]) -> Rows:
    """Drop rows that tell what an earlier one tells already, and count why."""
    if not late.size:
        return rows
    alike = (rows.detected[late] == rows.detected[early]) & (rows.source_id[late] == rows.source_id[early])
    visit = (rows.visit[late] == rows.visit[early]) & (rows.detector[late] == rows.detector[early])
    visit &= rows.visit[late] >= 0
    beside = rows.detected[early] & ~rows.detected[late]
    reason = np.select([alike & (rows.source_id[late] > 0), beside, visit], [REPEATED, BESIDE, VISIT], TIME)
    dropped += np.bincount(reason, minlength=len(REASONS))
    keep = np.ones(rows.code.size, dtype=bool)
    keep[late] = False
    return rows[keep]
