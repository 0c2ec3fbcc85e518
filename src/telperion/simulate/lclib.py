"""Light curves of stars as the literature gives them: SNANA's LCLIB, and tables of outbursts of dwarf novae."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from telperion.simulate.source import Array
from telperion.simulate.spectra import check_size

FAINTEST_OF_ALL = 60.0
"""Magnitude beyond which a number is no magnitude."""


@dataclass(frozen=True, eq=False)
class Event:
    """One event of an LCLIB.

    Parameters
    ----------
    number : str
    values : tuple of str
        What stands behind ``PARVAL:``.
    time : array, shape ``(n_rows,)``, days
        Rising.
    magnitude : array, shape ``(n_rows, n_bands)``
    quiet : array, shape ``(n_bands,)``, optional
        Of the template row, where there is one; its time is the first.
    """

    number: str
    values: tuple[str, ...]
    time: Array
    magnitude: Array
    quiet: Array | None


def read_events(path: str | Path, bands: str) -> list[Event]:
    """Read the events of an LCLIB, with one template row at the most, before the others.

    Parameters
    ----------
    path : path
    bands : str
        Bands that it must have, in order, such as ``gri``.

    Raises
    ------
    ValueError
        It is no such file; an event is cut short, has other than its rows, or numbers that are no magnitudes.
    """
    check_size(path)
    lines = Path(path).read_text(encoding="ascii", errors="replace").splitlines()
    starts = [k for k, line in enumerate(lines) if line.startswith("START_EVENT:")]
    header = {words[0]: words[1:] for line in lines[: starts[0] if starts else None] if (words := line.split())}
    if not starts or "".join(header.get("FILTERS:", [])) != bands:
        raise ValueError(f"{path} is no library of light curves in {bands}")
    ends = [*starts[1:], len(lines)]
    return [_event(path, lines[start:end], len(bands)) for start, end in zip(starts, ends, strict=True)]


def _event(path: str | Path, lines: list[str], n_bands: int) -> Event:
    number = lines[0].split(":", 1)[1].strip()
    parts: dict[str, list[list[str]]] = {}
    for words in (line.split() for line in lines if line.strip()):
        parts.setdefault(words[0], []).append(words[1:])
    try:
        if parts["END_EVENT:"] != [[number]]:
            raise ValueError("its end is another's")
        values = tuple(" ".join(parts["PARVAL:"][0]).replace(",", " ").split())
        quiet, rows = parts.get("T:", []), parts.get("S:", [])
        if len(quiet) > 1:
            raise ValueError(f"{len(quiet)} template rows")
        table = np.array([[float(word) for word in row] for row in [*quiet, *rows]])
        if len(table) != int(parts["NROW:"][0][0]) or table.shape[1:] != (1 + n_bands,) or len(rows) < 2:
            raise ValueError(f"{len(table)} rows of {table.shape[1:]} numbers")
    except (KeyError, IndexError, ValueError) as error:
        raise ValueError(f"{path}: event {number} is cut short or damaged ({error})") from None
    if (
        not np.isfinite(table).all()
        or (np.abs(table[:, 1:]) > FAINTEST_OF_ALL).any()
        or (np.diff(table[:, 0]) <= 0).any()
    ):
        raise ValueError(f"{path}: event {number} has times that do not rise, or numbers that are no magnitudes")
    return Event(number, values, table[:, 0], table[:, 1:], table[0, 1:] if quiet else None)


def read_cycles(path: str | Path, bands: str) -> tuple[list[str], Array, Array]:
    """Read folded light curves, each one cycle of equal steps with its end on its beginning.

    Returns
    -------
    names : list of str
        Numbers of the stars in their catalogue.
    period : array, shape ``(n,)``, days
    magnitude : array, shape ``(n, n_bands, n_points)``
        The end left out.

    Raises
    ------
    ValueError
        As `read_events`; or events differ in length, or a period is none.
    """
    events = read_events(path, bands)
    lengths = {len(event.time) for event in events}
    if len(lengths) > 1 or any(event.quiet is not None or len(event.values) < 2 for event in events):
        raise ValueError(f"{path}: its cycles have {len(lengths)} lengths, or are none")
    for event in events:
        if not 0 < float(event.values[1]) < 1e4 or abs(event.time[-1] / float(event.values[1]) - 1) > 0.02:
            raise ValueError(f"{path}: event {event.number} is not one cycle of {event.values[1]} days")
    magnitude = np.stack([event.magnitude[:-1].T for event in events])
    return [event.values[0] for event in events], np.array([float(event.values[1]) for event in events]), magnitude


def read_outburst(path: str | Path) -> Array:
    """Read the absolute g magnitudes of one outburst, a tenth of a day apart, from a table of luminosities.

    Raises
    ------
    ValueError
        It is no such table.
    """
    check_size(path)
    with open(path, newline="", encoding="ascii", errors="replace") as file:
        try:
            values = np.array([float(row["m_abs_g"]) for row in csv.DictReader(file)])
        except (KeyError, TypeError, ValueError, csv.Error) as error:
            raise ValueError(f"{path} is no table with a column m_abs_g of numbers: {error}") from None
    if len(values) < 20 or not np.isfinite(values).all() or (np.abs(values) > FAINTEST_OF_ALL).any():
        raise ValueError(f"{path}: {len(values)} magnitudes, expected 20 or more that are finite")
    return values
