"""Rows of an upload into `LightCurves`, every value looked at, and what is wrong said at its row."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from telperion.bands import BANDS, to_njy
from telperion.lightcurves import LightCurves
from telperion.portal.upload_columns import CONTEXT, FEWEST_SIGMA, UNITS, allowed

SHOWN = 20
"""Faults that are shown at most; the rest is counted."""

LONGEST_NAME = 200
_LATEST, _BRIGHTEST = 200_000.0, 1e15  # MJD: the year 2406; nJy: the Sun has 1e20
_TRUE, _FALSE = ("true", "t", "yes", "1", "1.0"), ("false", "f", "no", "0", "0.0")


@dataclass(frozen=True)
class Fault:
    """What is wrong, and where: the line of the file, counted from 1, or 0 for the file as a whole."""

    line: int
    column: str
    what: str


class UploadError(ValueError):
    """A file that cannot be taken.

    Parameters
    ----------
    faults : sequence of Fault
        The first of them.
    count : int
        All of them.
    """

    def __init__(self, faults: Sequence[Fault], count: int | None = None) -> None:
        self.faults = tuple(faults[:SHOWN])
        self.count = len(faults) if count is None else count
        super().__init__("; ".join(f"line {f.line}: {f.what}" if f.line else f.what for f in self.faults[:3]))


def whole(what: str) -> UploadError:
    """Say what is wrong with a file as a whole."""
    return UploadError([Fault(0, "", what)])


def light_curves(
    columns: Mapping[str, Sequence[str]], lines: NDArray[np.int64], *, unit: str, most_objects: int
) -> LightCurves:
    """Make light curves of columns of text.

    Parameters
    ----------
    columns : mapping of str to sequence of str, length ``n_rows``
        By our names (`telperion.portal.upload_columns`), with all that must be there.
    lines : array of int, shape ``(n_rows,)``
        Where in its file each row stands.
    unit : str
        Of fluxes: one of `UNITS`.
    most_objects : int

    Raises
    ------
    UploadError
        What is wrong, each at its line.
    """
    check = _Check(columns, lines)
    name = check.names()
    time = check.numbers("time", 0.0, _LATEST, "an MJD")
    band = check.bands()
    flux, error = check.fluxes(unit)
    detected = check.detected(flux, error)
    context = {c.name: check.numbers(c.name, *allowed(c.name), empty=True) for c in CONTEXT if c.name in columns}
    check.raise_faults()
    ids, first, code = np.unique(name, return_index=True, return_inverse=True)
    if ids.size > most_objects:
        raise whole(f"there are {ids.size:,} objects, at most {most_objects:,} are taken at a time")
    check.distinct(code, time, band)
    per_object = {key: check.same_in_object(key, values, code, ids.size) for key, values in context.items()}
    check.raise_faults()
    order = np.argsort(first, kind="stable")
    rank = np.empty_like(order)
    rank[order] = np.arange(order.size)
    return LightCurves.from_codes(
        rank[code], time, band, flux.astype(np.float32), error.astype(np.float32), detected,
        objects=ids[order], context={key: values[order] for key, values in per_object.items()},
    )  # fmt: skip


class _Check:
    """Goes through columns and gathers what is wrong."""

    def __init__(self, columns: Mapping[str, Sequence[str]], lines: NDArray[np.int64]) -> None:
        self._text = {key: np.char.strip(np.asarray(values, dtype=np.str_)) for key, values in columns.items()}
        self._lines, self._n = lines, lines.size
        self._faults: list[Fault] = []
        self._count = 0

    def raise_faults(self) -> None:
        if self._count:
            raise UploadError(sorted(self._faults, key=lambda fault: fault.line), self._count)

    def names(self) -> NDArray[np.str_]:
        if "object_id" not in self._text:
            return np.full(self._n, "upload")
        text = self._text["object_id"]
        self._note("object_id", text == "", "the object has no name")
        self._note("object_id", np.char.str_len(text) > LONGEST_NAME, f"the name is longer than {LONGEST_NAME} letters")
        return text

    def numbers(
        self, key: str, low: float = -np.inf, high: float = np.inf, expected: str = "a number", *, empty: bool = False
    ) -> NDArray[np.float64]:
        text = self._text[key]
        values, bad = _floats(text)
        blank = np.isin(np.char.lower(text), ("", "nan", "null", "none"))
        bad &= ~blank
        self._note(key, bad, "{!r} is not " + expected)
        if not empty:
            self._note(key, blank, f"it is empty, expected {expected}")
        else:
            values[blank] = np.nan
        finite = ~bad & ~blank
        self._note(key, finite & ~np.isfinite(values), "{!r} is not finite")
        outside = finite & np.isfinite(values) & ((values < low) | (values > high))
        self._note(key, outside, f"{{!r}} is outside {low:g} to {high:g}")
        return values

    def bands(self) -> NDArray[np.int8]:
        text = self._text["band"]
        bare = np.char.lower(text)
        for lead in ("lsst", "ztf", "_", "-"):
            bare = np.where(np.char.startswith(bare, lead), np.char.replace(bare, lead, "", count=1), bare)
        found = np.full(self._n, -1, dtype=np.int8)
        for place, band in enumerate(BANDS):
            found[(bare == band) | (bare == str(place))] = place
        self._note("band", found < 0, "{!r} is no band: u, g, r, i, z or y")
        return found

    def fluxes(self, unit: str) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        if "flux" in self._text:
            factor = to_njy(UNITS[unit])
            flux = self.numbers("flux", -_BRIGHTEST / factor, _BRIGHTEST / factor) * factor
            error = self.numbers("flux_err", 0.0, _BRIGHTEST / factor) * factor
            self._note("flux_err", error == 0, "an error must be above zero")
            return flux, error
        magnitude = self.numbers("mag", -10, 40, "a magnitude")
        error = self.numbers("mag_err", 0.0, 5.0)
        self._note("mag_err", error == 0, "an error must be above zero")
        flux = 10 ** (-0.4 * (np.nan_to_num(magnitude) - 31.4))
        return flux, flux * error * np.log(10) / 2.5

    def detected(self, flux: NDArray[np.float64], error: NDArray[np.float64]) -> NDArray[np.bool_]:
        if "detected" not in self._text:
            return np.asarray(flux >= FEWEST_SIGMA * error)
        text = np.char.lower(self._text["detected"])
        yes, no = np.isin(text, _TRUE), np.isin(text, _FALSE)
        self._note("detected", ~yes & ~no, "{!r} is neither true nor false")
        return yes

    def distinct(self, code: NDArray[np.int64], time: NDArray[np.float64], band: NDArray[np.int8]) -> None:
        order = np.lexsort((np.arange(self._n), band, time, code))
        same = np.zeros(self._n, dtype=bool)
        same[order[1:]] = (
            (np.diff(code[order]) == 0) & (np.diff(time[order]) == 0) & (np.diff(band[order]) == 0)
        )  # fmt: skip
        self._note("time", same, "{!r} stands twice in this band")

    def same_in_object(
        self, key: str, values: NDArray[np.float64], code: NDArray[np.int64], n: int
    ) -> NDArray[np.float64]:
        result = np.full(n, np.nan)
        known = np.flatnonzero(np.isfinite(values))[::-1]
        result[code[known]] = values[known]
        self._note(key, np.isfinite(values) & (values != result[code]), "{!r} differs from the object's first row")
        return result

    def _note(self, column: str, wrong: NDArray[np.bool_], what: str) -> None:
        rows = np.flatnonzero(wrong)
        self._count += rows.size
        text = self._text[column] if column in self._text else np.full(self._n, "")
        for row in rows[:SHOWN]:
            self._faults.append(Fault(int(self._lines[row]), column, what.format(str(text[row])[:60])))


def _floats(text: NDArray[np.str_]) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Turn text into numbers, and say which is none."""
    try:
        return text.astype(np.float64), np.zeros(text.size, dtype=bool)
    except ValueError:
        pass
    values, bad = np.zeros(text.size), np.zeros(text.size, dtype=bool)
    for row, word in enumerate(text.tolist()):  # slow, but only where something is wrong, and rows are bounded
        try:
            values[row] = float(word)
        except ValueError:
            values[row], bad[row] = np.nan, True
    return values, bad
