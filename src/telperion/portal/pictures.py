"""Small pictures of light curves, drawn by the server: an object and what it looks like, on one axis of days."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from telperion.bands import BANDS
from telperion.lightcurves import LightCurves
from telperion.portal.neighbours import Similar
from telperion.portal.shown import magnitudes
from telperion.portal.words import count, days, decimals

WIDTH, HEIGHT = 240, 64
"""Of a picture, in its own units."""

MOST = 120
"""Points that a picture has at most."""

_EDGE = 4.0
_BEFORE = 0.06  # share of the axis before the first detection


@dataclass(frozen=True)
class Point:
    """One observation in a picture."""

    x: float
    y: float
    band: str
    detected: bool
    later: bool


@dataclass(frozen=True)
class Picture:
    """One light curve, each scaled to its own brightness.

    Parameters
    ----------
    points : tuple of Point
    now : float
        Where the day stands up to which the object asked about is known; what lies behind is `later`.
    zero : float
        Height of flux 0.
    words : str
        The same for whoever does not see it.
    brightest : str
        Magnitude and band of the brightest detection; "" without one.
    """

    points: tuple[Point, ...]
    now: float
    zero: float
    words: str
    brightest: str


def axis(day: float, similar: Sequence[Similar]) -> float:
    """Give the last day that the pictures show: what became of the known objects, as far as it went, in proportion.

    Examples
    --------
    >>> axis(4.0, ())
    30.0
    """
    last = max((float(each.curve.time[-1]) for each in similar if each.curve.n_rows), default=0.0)
    return max(30.0, min(3.0 * day, last), day)


def picture(curve: LightCurves, day: float, last: float, name: str, *, zero: float = 0.0) -> Picture:
    """Draw one light curve.

    Parameters
    ----------
    curve : LightCurves
        Of one object.
    day, last : float, d
        The object asked about is known up to `day`; the axis ends at `last`.
    name : str
        What it is, for the words.
    zero : float
        The time from which days count.
    """
    first = -_BEFORE * last
    since = curve.time - zero
    chosen = np.flatnonzero((since >= first) & (since <= last))
    if chosen.size > MOST:
        chosen = chosen[np.linspace(0, chosen.size - 1, MOST).round().astype(np.int64)]
    time, flux = since[chosen], curve.flux[chosen].astype(np.float64)
    low, high = min(0.0, float(flux.min(initial=0.0))), max(float(flux.max(initial=0.0)), 1e-9)
    across, up = (WIDTH - 2 * _EDGE) / (last - first), (HEIGHT - 2 * _EDGE) / (high - low)
    points = tuple(
        Point(
            _EDGE + float(time[k] - first) * across, HEIGHT - _EDGE - float(flux[k] - low) * up,
            BANDS[curve.band[chosen[k]]], bool(curve.detected[chosen[k]]), bool(time[k] > day),
        )
        for k in range(chosen.size)
    )  # fmt: skip
    bright = np.flatnonzero(curve.detected & (curve.flux > 0))
    brightest = ""
    if bright.size:
        peak = bright[np.argmax(curve.flux[bright])]
        brightest = f"{decimals(float(magnitudes(curve.flux[peak : peak + 1])[0]), 1)} mag in {BANDS[curve.band[peak]]}"
    span = float(time[-1] - time[0]) if time.size else 0.0
    words = f"Light curve of {name}: {count(chosen.size, 'observation')} over {days(span)}"
    words += f", brightest {brightest}" if brightest else ""
    now, level = _EDGE + (day - first) * across, HEIGHT - _EDGE + low * up
    return Picture(points, now, level, words, brightest)
