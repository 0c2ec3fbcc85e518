"""What is asked of packets, whatever the survey, and what is made of them before rows are settled."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from telperion.bands import BANDS
from telperion.formats.alert_rows import Rows
from telperion.formats.rules import RANGES


class Packets(Protocol):
    """Columns of alerts by path, from packets or from a table."""

    def __len__(self) -> int: ...
    def __contains__(self, path: str) -> bool: ...
    def null(self, path: str) -> NDArray[np.bool_]:
        """Tell where a column is null or what holds it is not there."""
        ...

    def exact(self, path: str) -> bool:
        """Tell whether a column holds integers."""
        ...

    def numbers(self, path: str) -> NDArray[np.float64]:
        """Give a column of numbers, NaN where it is null."""
        ...

    def integers(self, path: str, missing: int = 0) -> NDArray[np.int64]:
        """Give a column of integers, `missing` where it is null."""
        ...

    def texts(self, path: str) -> NDArray[np.bytes_]:
        """Give a column of text, "" where it is null."""
        ...

    def offsets(self, array: str) -> NDArray[np.int64]:
        """Give where each alert's items of an array begin among all."""
        ...


@dataclass(frozen=True, eq=False)
class Taken:
    """What a batch of packets says, before rows are settled; shape ``(n_alerts,)``, `rows` apart.

    Parameters
    ----------
    alert_id, source_id : array of int64
    object_id : array of str
        "" where there is none.
    time : array, MJD
        Of the source that the alert is about.
    solar_system : array of bool
    truncated : array of bool
        Whether the survey knows of more sources than the packet holds.
    context : dict of str to array
    outside : int
        Values of the context that cannot be and are NaN now.
    rows : Rows
    """

    alert_id: NDArray[np.int64]
    source_id: NDArray[np.int64]
    object_id: NDArray[np.str_]
    time: NDArray[np.float64]
    solar_system: NDArray[np.bool_]
    truncated: NDArray[np.bool_]
    context: dict[str, NDArray[np.float64]]
    outside: int
    rows: Rows


_REDSHIFTS = ("redshift", "redshift_final", "hostgal_specz", "hostgal_photoz", "hostgal2_specz", "hostgal2_photoz")
_TIGHTER = {"mwebv": (0.0, 10.0)} | dict.fromkeys(
    _REDSHIFTS, (-0.1, 20.0)
)  # more than a classifier takes harms a batch
_MISSING = (-9.0, -99.0, -999.0, -9999.0)
_NO_MAGNITUDE = (*_MISSING, 99.0, 999.0)
_BAND_CODE = np.full(256, -1, dtype=np.int8)
_BAND_CODE[[ord(band) for band in (*BANDS, "Y")]] = [*range(len(BANDS)), len(BANDS) - 1]


def bands(packets: Packets, path: str, n: int) -> NDArray[np.int8]:
    """Turn texts of one letter into positions in `BANDS`, -1 unknown."""
    if path not in packets:
        return np.full(n, -1, dtype=np.int8)
    texts = packets.texts(path)
    letters = texts.view(np.uint8).reshape(n, texts.dtype.itemsize)
    code = _BAND_CODE[letters[:, 0]]
    if letters.shape[1] > 1:
        code[(letters[:, 1:] != 0).any(axis=1)] = -1
    return code


def without_codes(name: str, values: NDArray[np.floating]) -> NDArray[np.floating]:
    """Make NaN of a survey's codes for "missing" in a column of the context."""
    codes = _NO_MAGNITUDE if "_mag" in name else _MISSING[1:] if name.endswith(("_ra", "_dec")) else _MISSING
    missing = values == codes[0]  # of a few values this is faster than numpy.isin
    for code in codes[1:]:
        missing |= values == code
    return np.where(missing, np.nan, values)


def within(context: dict[str, NDArray[np.float64]]) -> tuple[dict[str, NDArray[np.float64]], int]:
    """Make NaN of what cannot be, and count it."""
    outside = 0
    for name, values in context.items():
        low, high = _TIGHTER.get(name, RANGES.get(name, (-np.inf, np.inf)))
        wrong = (values < low) | (values > high) | np.isinf(values)
        if wrong.any():
            outside += int(wrong.sum())
            context[name] = np.where(wrong, np.nan, values)
    return context, outside


def numbers(packets: Packets, path: str, n: int) -> NDArray[np.float64]:
    """Give a column of n numbers, NaN where it is null or the packets have none."""
    return packets.numbers(path) if path in packets else np.full(n, np.nan)


def integers(packets: Packets, path: str, n: int, missing: int) -> NDArray[np.int64]:
    """Give a column of n integers, `missing` where it is null or the packets have none."""
    return packets.integers(path, missing) if path in packets else np.full(n, missing)


def first_of(packets: Packets, paths: Iterable[str]) -> NDArray[np.int64]:
    """Give the first of some columns that is known and not 0, row by row."""
    result = np.zeros(len(packets), dtype=np.int64)
    for path in paths:
        if path in packets and (result == 0).any():
            result = np.where(result == 0, packets.integers(path), result)
    return result
