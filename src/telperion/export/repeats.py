"""How a light curve repeats, one row further, inside a graph: `telperion.encode.rhythm`, operator by operator."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from telperion.encode import rhythm
from telperion.export.operators import DOUBLE, FLOAT, Graph, Value

_N_LAGS, _N = len(rhythm.LAGS) + 1, len(rhythm.FREQUENCIES)
_SIZES = (1, 1, 1, _N_LAGS, _N_LAGS, _N, _N, _N)
_FROM, _TO = np.append(-np.inf, rhythm.LAGS)[None], np.append(rhythm.LAGS, np.inf)[None]
_LARGEST, _EPOCH, _LONGEST = 3.0, 60_000.0, 600.0 * rhythm.FORGETTING


def encode_repeats(
    graph: Graph, time: Value, flux: Value, error: Value, gap: Value, sums: Sequence[Value], memory: Value
) -> tuple[Value, Value]:
    """Encode how each object's next row repeats what was before.

    Parameters
    ----------
    graph : Graph
        To which operators are added.
    time, flux, error : Value, shape ``(n, 1)``
    gap : Value, shape ``(n, 1)``, d
        Since the row before, 0 without one.
    sums : sequence of 4 Values, shape ``(n, 1)``
        Of the row's band up to it: rows, and the sums of w, w flux and w flux^2.
    memory : Value, shape ``(n, n_memory)``

    Returns
    -------
    columns, memory : Value
        As `telperion.encode.rhythm.encode_rhythm` has them, features last.
    """
    before, elapsed, squares, products, numbers, cosines, sines, power = memory.split(_SIZES)
    now = _deviation(graph, flux, error, sums)
    compared = (gap > _FROM) & (gap <= _TO) & ~before.equals(0.0) & ~now.equals(0.0)  # (n, n_lags)
    products = products + graph.where(compared, before * now, 0.0)
    numbers = numbers + compared.cast(DOUBLE)
    growth = (gap.below(_LONGEST) / rhythm.FORGETTING).exp()
    turns = (time - _EPOCH) * rhythm.FREQUENCIES[None]  # (n, n_frequencies)
    angle = ((turns - graph.add("Round", turns)) * (2 * np.pi)).cast(FLOAT)
    cosines, sines = (
        sums_so_far / growth + graph.add(wave, angle).cast(DOUBLE) * now
        for wave, sums_so_far in (("Cos", cosines), ("Sin", sines))
    )
    squares = squares / growth + now * now
    fading = 1.0 - (-gap / rhythm.FORGETTING).exp()
    elapsed = elapsed + fading
    power = power + (cosines * cosines + sines * sines) * (fading / (squares + 1e-9))
    columns = [
        products / (numbers + 1.0),
        numbers.log1p() / 3.0,
        (power / (elapsed + 0.5)).log1p() / 3.0,
    ]
    kept = [now, elapsed, squares, products, numbers, cosines, sines, power]
    return graph.concatenate(columns), graph.concatenate(kept)


def _deviation(graph: Graph, flux: Value, error: Value, sums: Sequence[Value]) -> Value:
    count, weight, first, second = sums
    weight = weight.above(1e-300)
    mean = first / weight
    variance = (second / weight - mean * mean).above(0.0) + error * error
    deviation = ((flux - mean) / variance.root()).above(-_LARGEST).below(_LARGEST)
    return graph.where(count > 1.0, deviation, 0.0)
