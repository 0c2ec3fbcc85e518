"""What the survey makes of light: dust in the way, noise, saturation, detections, the trigger, the seasons kept.

Figures are those measured on the published simulations of the survey: an efficiency of one half at a signal to noise of
5.8, alerts after two detections at least half an hour apart, and whole seasons kept in which there is a detection.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from telperion.bands import EXTINCTION, NJY
from telperion.simulate.source import Array, Light, Sky

HALF, SLOPE, LEAST = 5.6, 0.9, 3.0
"""True signal to noise at which half is detected, the width of the logistic curve; the least one measured."""

FAINTEST = 2.0
"""Signal to noise, in the deepest visit of all, below which a light curve is not worked out."""

APART = 0.021
"""Days between the two detections of a trigger."""

SETTLING = 60.0
"""Days after a place's first visit within which what is seen may have been there all along."""

SEASON_GAP = 60.0
"""Days without a visit that part two seasons."""

FEWEST_ROWS = 10
"""Unsaturated rows in grizy that an object must have."""

GAMMA = np.array([0.038, 0.039, 0.039, 0.039, 0.039, 0.039])
"""Of the survey's noise formula (Ivezic et al. 2019)."""

ZEROPOINT = 0.005
"""Scatter of the zero points, mag; part of the error that is stated."""

SATURATION = np.array([14.7, 15.7, 15.8, 15.8, 15.3, 13.9])
"""AB magnitudes beyond which a point source saturates in 30 s."""

_BRIGHT = 10 ** (0.4 * (NJY - SATURATION))


@dataclass(frozen=True)
class Rules:
    """Which objects trigger, and which of their rows are kept; the default is what the published simulations have.

    Parameters
    ----------
    single : float
        Share of the objects that trigger with one detection, as the survey's own alerts do, in place of two.
    whole : float
        Share of the objects of which every row is kept, not only those of seasons in which there is a detection.

    Raises
    ------
    ValueError
        A share is not within 0 to 1.
    """

    single: float = 0.0
    whole: float = 0.0

    def __post_init__(self) -> None:
        if not (0 <= self.single <= 1 and 0 <= self.whole <= 1):
            raise ValueError(f"shares are {self.single} and {self.whole}, expected numbers from 0 to 1")

    def draw(self, n: int, rng: np.random.Generator) -> tuple[Array, NDArray[np.bool_]]:
        """Draw, for each of n objects, how far apart two detections must be, d (0: one is enough), and what is kept."""
        apart = np.where(rng.random(n) < self.single, 0.0, APART) if self.single else np.full(n, APART)
        return apart, rng.random(n) < self.whole if self.whole else np.zeros(n, dtype=bool)


PUBLISHED = Rules()


@dataclass(frozen=True, eq=False)
class Rows:
    """What is kept of the visits of those objects that trigger.

    Parameters
    ----------
    objects : array of int, shape ``(n_kept,)``
        Which of the objects observed these are.
    offsets : array of int, shape ``(n_kept + 1,)``
    time, band, flux, flux_err, detected : array, shape ``(n_rows,)``
        As `LightCurves` has them: MJD, position, nJy, nJy, bool.
    trigger : array of int, shape ``(n_kept,)``
        Row of the detection that raised the first alert.
    """

    objects: NDArray[np.int64]
    offsets: NDArray[np.int64]
    time: Array
    band: NDArray[np.int8]
    flux: Array
    flux_err: Array
    detected: NDArray[np.bool_]
    trigger: NDArray[np.int64]


def could_trigger(brightest: Array, mwebv: Array, deepest: Array) -> NDArray[np.bool_]:
    """Tell which objects could be detected at all, from a bound on their light in each band.

    What is no brighter than `FAINTEST` times the noise of the deepest visit is left out without working out its light
    curve: a hundredth of its best visits would be detections. The rest is decided by `observe`.

    Parameters
    ----------
    brightest : array, shape ``(n, 6)``, nJy
        Before the dust of the Milky Way.
    mwebv : array, shape ``(n,)``, mag
    deepest : array, shape ``(n, 6)``, AB mag
        Five-sigma depth of the deepest visit in each band; minus infinity without any.
    """
    noise = 0.2 * 10 ** (0.4 * (NJY - deepest))
    return np.asarray((brightest * dimming(mwebv) > FAINTEST * noise).any(axis=1))


def could_be_seen(sky: Sky, light: Light, times: int) -> NDArray[np.bool_]:
    """Tell which objects exceed `FAINTEST` times the noise of the sky at so many visits at least, shape ``(n,)``."""
    owner = sky.owner
    noise = 0.2 * 10 ** (0.4 * (NJY - sky.depth))
    seen = np.abs(light.difference) * dimming(sky.mwebv)[owner, sky.band] > FAINTEST * noise
    return np.bincount(owner[seen], minlength=len(sky)) >= times


def dimming(mwebv: Array) -> Array:
    """Give the share of light that the dust of the Milky Way lets through in each band, shape ``(n, 6)``."""
    return np.asarray(10 ** (-0.4 * mwebv[:, None] * EXTINCTION))


def observe(
    sky: Sky, light: Light, rng: np.random.Generator, host: Array | None = None, rules: Rules = PUBLISHED
) -> Rows:
    """Observe light at the visits of a sky, and keep the objects that trigger.

    Parameters
    ----------
    sky : Sky
    light : Light
    rng : Generator
    host : array, shape ``(n, 6)``, nJy, optional
        Light of the host under the source in each band, which only adds noise; after the dust of the Milky Way.
    rules : Rules

    Returns
    -------
    Rows
        Saturated rows are left out, and by the rules seasons without a detection.
    """
    owner, band = sky.owner, sky.band
    clear = dimming(sky.mwebv)[owner, band]
    flux, steady = light.difference * clear, light.steady * clear
    below = steady + (0 if host is None else host[owner, band])
    limit = 10 ** (0.4 * (NJY - sky.depth))
    gamma = GAMMA[band]
    photons = np.maximum(flux + below, 0)
    error = np.sqrt(gamma * limit**2 + (0.04 - gamma) * photons * limit + (ZEROPOINT * np.log(10) / 2.5 * flux) ** 2)
    measured = flux + error * rng.normal(size=flux.size)
    unsaturated = flux + steady < _BRIGHT[band]
    detectable = detections(flux / error, measured / error, rng) & unsaturated
    apart, whole = rules.draw(len(sky), rng)
    detected = detectable & (sky.time >= beginnings(sky, detectable, apart, rng)[owner])
    second = triggers(sky, detected, apart)
    enough = np.bincount(owner[unsaturated & (band > 0)], minlength=len(sky)) >= FEWEST_ROWS
    chosen = np.flatnonzero((second >= 0) & enough)
    season = seasons(sky)
    wanted = np.zeros(season.max(initial=-1) + 1, dtype=bool)
    wanted[season[detectable]] = True
    kept = np.zeros(len(sky), dtype=bool)
    kept[chosen] = True
    rows = unsaturated & (wanted[season] | whole[owner]) & kept[owner]
    position = np.cumsum(rows) - 1
    offsets = np.concatenate([[0], np.cumsum(np.bincount(owner[rows], minlength=len(sky))[chosen])])
    return Rows(
        chosen, offsets, sky.time[rows], band[rows], measured[rows], error[rows], detected[rows],
        position[second[chosen]],
    )  # fmt: skip


def detections(true: Array, measured: Array, rng: np.random.Generator) -> NDArray[np.bool_]:
    """Decide what is detected: by the signal to noise without noise, and never below `LEAST` with it.

    So noise alone raises hardly an alert, and of what is measured at a signal to noise of 5.8 half is detected.
    """
    chance = 1 / (1 + np.exp(np.clip((HALF - np.abs(true)) / SLOPE, -50, 50)))
    return np.asarray((np.abs(measured) > LEAST) & (rng.uniform(size=len(true)) < chance))


def beginnings(sky: Sky, detectable: NDArray[np.bool_], apart: Array, rng: np.random.Generator) -> Array:
    """Draw when alerts of each object begin, MJD, shape ``(n,)``; minus infinity where that is of no matter.

    Images are searched from when there is a template, which comes early here and late there. Were it there from the
    first night on, what always varies would be found in the first nights, and the date of its first detection would
    tell it from what flares up once. So what is seen in the first `SETTLING` days is found from any visit on after
    which it can still trigger.
    """
    first = _first(len(sky), sky.owner, detectable)
    last = _last(len(sky), sky.owner, detectable)
    until = np.where(last >= 0, sky.time[last], -np.inf)
    latest = _last(len(sky), sky.owner, detectable & (sky.time <= (until - apart)[sky.owner]))
    start = sky.offsets[:-1]
    chosen = start + (rng.uniform(size=len(sky)) * (latest - start + 1)).astype(np.int64)
    early = (latest >= 0) & (sky.time[first] <= sky.time[np.minimum(start, len(sky.time) - 1)] + SETTLING)
    return np.where(early, sky.time[np.where(early, chosen, 0)], -np.inf)


def triggers(sky: Sky, detected: NDArray[np.bool_], apart: Array) -> NDArray[np.int64]:
    """Find the first detection so many days after the first one; -1 where none is, shape ``(n,)``."""
    n, owner = len(sky), sky.owner
    first = _first(n, owner, detected)
    since = np.where(first >= 0, sky.time[first], np.inf)
    return _first(n, owner, detected & (sky.time >= (since + apart)[owner]))


def seasons(sky: Sky) -> NDArray[np.int64]:
    """Give the number of each row's season, counted through all objects, shape ``(n_rows,)``."""
    new = np.diff(sky.time, prepend=-np.inf) > SEASON_GAP
    new[sky.offsets[:-1][np.diff(sky.offsets) > 0]] = True
    return np.cumsum(new) - 1


def _last(n: int, owner: NDArray[np.int64], mask: NDArray[np.bool_]) -> NDArray[np.int64]:
    """Give the last marked row of each object, -1 where none is."""
    rows = np.flatnonzero(mask)
    result = np.full(n, -1)
    result[owner[rows]] = rows
    return result


def _first(n: int, owner: NDArray[np.int64], mask: NDArray[np.bool_]) -> NDArray[np.int64]:
    """Give the first marked row of each object, -1 where none is."""
    rows = np.flatnonzero(mask)[::-1]
    result = np.full(n, -1)
    result[owner[rows]] = rows
    return result
