"""One row of a light curve encoded inside a graph: `telperion.encode.sequence` and `history`, operator by operator."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from telperion.bands import BANDS
from telperion.encode import history, rhythm, sequence
from telperion.export.operators import DOUBLE, FLOAT, Graph, Value
from telperion.export.repeats import encode_repeats

_N = len(BANDS)
_SIZES = (*[_N] * 5, 1, *[_N] * 4, 1, 1, 1, 1, 1, 1)
_TINY = 1e-30


@dataclass(frozen=True)
class Row:
    """A row an object, each value of shape ``(n, 1)``: fluxes are dereddened, in nJy, as float64."""

    time: Value
    band: Value
    flux: Value
    error: Value
    detected: Value


@dataclass(frozen=True)
class Redshift:
    """What `telperion.encode.context.best_redshift` says of objects, each value of shape ``(n, 1)`` in float64."""

    known: Value
    stretch: Value
    modulus: Value


@dataclass(frozen=True)
class _Past:
    """The memory in its parts, ``(n, 6)`` of each band or ``(n, 1)``, in the order in which it is kept."""

    times: Value
    fluxes: Value
    errors: Value
    highest: Value
    deepest: Value
    peak: Value
    count: Value
    weight: Value
    first: Value
    second: Value
    rows: Value
    detections: Value
    last: Value
    first_detection: Value
    last_detection: Value
    peak_time: Value


def memory_size(with_rhythm: bool) -> int:
    """Give how many numbers are remembered of an object."""
    return history.N_MEMORY + rhythm.N_MEMORY * with_rhythm


def encode_row(graph: Graph, row: Row, redshift: Redshift, memory: Value, *, with_rhythm: bool) -> tuple[Value, Value]:
    """Encode each object's next row.

    Parameters
    ----------
    graph : Graph
        To which operators are added.
    row : Row
    redshift : Redshift
    memory : Value, shape ``(n, n_memory)``
        As Telperion keeps it; all zero for an object of which nothing was seen.
    with_rhythm : bool

    Returns
    -------
    features : Value of float32, shape ``(n, n_features)``
    memory : Value of float64, shape ``(n, n_memory)``
    """
    parts = remembered(graph, memory, with_rhythm).split([*_SIZES, *([rhythm.N_MEMORY] if with_rhythm else [])])
    past = _Past(*parts[: len(_SIZES)])
    seen = row.band.equals(np.arange(_N)[None])  # (n, 6)
    now = _remember(graph, row, past, seen)
    blocks = [
        *_days(graph, row, past, now, redshift),
        *_fluxes(graph, row, past, now),
        *_counts(graph, now),
        *_luminosities(graph, row, now, redshift),
        *_flags(row, now, seen),
    ]
    kept = list(vars(now).values())
    if with_rhythm:
        gap = (row.time - past.last).filled().above(0.0)
        sums = [_own(graph, each, row) for each in (now.count, now.weight, now.first, now.second)]
        repeats, more = encode_repeats(graph, row.time, row.flux, row.error, gap, sums, parts[-1])
        blocks.append(repeats)
        kept.append(more)
    return graph.concatenate(blocks).cast(FLOAT), graph.concatenate(kept)


def days_of(graph: Graph, memory: Value, *, with_rhythm: bool) -> Value:
    """Give `telperion.encode.history.days_known`, shape ``(n, 1)``: NaN where nothing was seen."""
    memory = remembered(graph, memory, with_rhythm)
    past = _Past(*memory.split([*_SIZES, *([rhythm.N_MEMORY] if with_rhythm else [])])[: len(_SIZES)])
    least = (past.rows > past.detections).cast(DOUBLE)  # forced photometry is known a day later
    days = (past.last - past.first_detection).filled().above(least)
    days = graph.where(past.first_detection.missing(), 0.0, days)
    return graph.where(past.last.missing(), np.nan, days)


def remembered(graph: Graph, memory: Value, with_rhythm: bool) -> Value:
    """Let what is remembered begin where no row was seen, so that whoever starts may start with zeros."""
    start = sequence.start(1, rhythm=with_rhythm)
    rows = memory.columns([sum(_SIZES[:10])])
    return graph.where(rows > 0.0, memory, start)


def _own(graph: Graph, values: Value, row: Row) -> Value:
    """Take the value of the row's own band."""
    return graph.add("GatherElements", values, row.band, axis=1)


def _remember(graph: Graph, row: Row, past: _Past, seen: Value) -> _Past:
    mark, detected = seen.cast(DOUBLE), row.detected.cast(DOUBLE)
    height, depth = row.flux - row.error, -row.flux - row.error
    weight = 1.0 / (row.error * row.error)
    weighted = weight * row.flux
    peak = past.peak.above(height)
    return _Past(
        times=graph.where(seen, row.time, past.times),
        fluxes=graph.where(seen, row.flux, past.fluxes),
        errors=graph.where(seen, row.error, past.errors),
        highest=past.highest.above(height * mark),
        deepest=past.deepest.above(depth * mark),
        peak=peak,
        count=past.count + mark,
        weight=past.weight + weight * mark,
        first=past.first + weighted * mark,
        second=past.second + weighted * row.flux * mark,
        rows=past.rows + 1.0,
        detections=past.detections + detected,
        last=row.time,
        first_detection=graph.where(row.detected & past.first_detection.missing(), row.time, past.first_detection),
        last_detection=graph.where(row.detected, row.time, past.last_detection),
        peak_time=graph.where(peak > past.peak, row.time, past.peak_time),
    )


def _days(graph: Graph, row: Row, past: _Past, now: _Past, redshift: Redshift) -> list[Value]:
    rest = redshift.known * (-redshift.stretch).exp()
    since_detection, since_peak = row.time - now.first_detection, row.time - now.peak_time
    block = graph.concatenate(
        [
            row.time - past.last,
            row.time - _own(graph, past.times, row),
            since_detection,
            row.time - now.last_detection,
            since_peak,
            now.peak_time - now.first_detection,
            since_detection * rest,
            since_peak * rest,
            row.time - now.times,
        ]
    )
    return [block.filled().above(0.0).log1p() / 3.0]


def _fluxes(graph: Graph, row: Row, past: _Past, now: _Past) -> list[Value]:
    peak = now.peak.above(sequence.SOFTENING)
    mean = now.first / now.weight.above(_TINY)
    asinh = graph.concatenate([row.flux, peak, now.fluxes, now.highest, now.deepest, mean])
    share = graph.concatenate([row.flux, now.fluxes, now.highest]) / peak
    error = _own(graph, past.errors, row)
    change = (row.flux - _own(graph, past.fluxes, row)) / (row.error * row.error + error * error).root()
    snr = graph.concatenate([row.flux / row.error, change, now.fluxes / now.errors])
    return [(asinh / sequence.SOFTENING).asinh() / 4.0, share.above(-2.0).below(2.0), snr.asinh() / 3.0]


def _counts(graph: Graph, now: _Past) -> list[Value]:
    scatter = now.second - now.first * now.first / now.weight.above(_TINY)
    scatter = (scatter / (now.count - 1.0).above(1.0)).above(0.0)
    return [graph.concatenate([now.rows, now.detections, now.count, scatter]).log1p() / 3.0]


def _luminosities(graph: Graph, row: Row, now: _Past, redshift: Redshift) -> list[Value]:
    """Write absolute magnitudes, rounded to float32 at every step, as there: they are large, and roundings show."""
    flux = graph.concatenate([row.flux, now.peak]).cast(FLOAT).above(np.float32(sequence.SOFTENING))
    known, stretch, modulus = (each.cast(FLOAT) for each in (redshift.known, redshift.stretch, redshift.modulus))
    logarithm = (flux.cast(DOUBLE).log() * (1 / np.log(10))).cast(FLOAT)
    zero = np.float32(31.4 + 18) - (modulus - np.float32(2.5 / np.log(10)) * stretch)
    magnitude = logarithm * (known * np.float32(-2.5 / 3)) + known * zero / np.float32(3)
    return [magnitude.cast(DOUBLE)]


def _flags(row: Row, now: _Past, seen: Value) -> list[Value]:
    flags = [row.detected, now.rows.equals(1.0), now.detections > 0.0, seen]
    return [(row.error / sequence.SOFTENING).log() / 2.0, *(flag.cast(DOUBLE) for flag in flags)]
