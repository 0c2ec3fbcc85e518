"""How bright objects will be in a night, from the rows that are known before it.

A line in magnitude over time for each object: each band has a level of its own, all share one slope. A row counts by
its error and by how long ago it was, since a line does not last; the slope is held near what is usual at such an age in
such a class. The numbers were set on simulated light curves; docs/followup.md says how far forecasts are off.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from telperion.bands import BANDS, EXTINCTION, NJY
from telperion.lightcurves import LightCurves
from telperion.taxonomy import Taxonomy

Array = NDArray[np.float64]

WINDOW = 30.0
"""Days before the night whose rows count."""

LEAST = 3.0
"""Flux over its error from which a row has a magnitude."""

_MAGNITUDE = 2.5 / np.log(10)


AGE = 24.0
"""Days after the first detection when slopes are half as steep."""

BEND = 0.7
"""How far a line is off after a day, in units of the usual slope."""


@dataclass(frozen=True, eq=False)
class Usual:
    """What is usual of light curves at their first detection, for all or for each object.

    Parameters
    ----------
    slope, deviation : float or array, shape ``(n_objects,)``, mag / d
        Mean and standard deviation of slopes; both fall with age.
    scatter : float or array, shape ``(n_objects,)``, mag
        How far off a forecast is at least.
    """

    slope: float | Array = 0.0
    deviation: float | Array = 0.06
    scatter: float | Array = 0.04

    @classmethod
    def of(cls, probabilities: ArrayLike, tree: Taxonomy) -> Usual:
        """Mix what is usual of the leaves (`LEAVES`) by their probabilities, shape ``(n_objects, n_nodes)``."""
        chance = np.asarray(probabilities, dtype=np.float64)[:, tree.leaves]
        chance = chance / chance.sum(axis=1, keepdims=True)
        plain = cls()
        names = (tree.nodes[leaf] for leaf in tree.leaves)
        rows = np.array([LEAVES.get(name, (plain.slope, plain.deviation, plain.scatter)) for name in names])
        slope = chance @ rows[:, 0]
        variance = chance @ (rows[:, 1] ** 2 + rows[:, 0] ** 2) - slope**2
        return cls(slope, np.sqrt(variance), np.sqrt(chance @ rows[:, 2] ** 2))


LEAVES: Mapping[str, tuple[float, float, float]] = {
    "AGN": (-0.02, 0.08, 0.08), "CaRT": (0.02, 0.08, 0.02), "Cepheid": (0.04, 0.02, 0.8),
    "Delta Scuti": (0.02, 0.02, 0.8), "Dwarf Novae": (0.3, 0.3, 0.8), "EB": (0.0, 0.02, 0.4), "KN": (0.5, 0.5, 0.02),
    "M-dwarf Flare": (0.5, 0.5, 0.8), "PISN": (0.0, 0.02, 0.02), "RR Lyrae": (0.04, 0.2, 0.8),
    "SLSN": (0.02, 0.04, 0.04), "SNI91bg": (0.02, 0.06, 0.15), "SNII": (0.0, 0.06, 0.02), "SNIa": (0.0, 0.08, 0.08),
    "SNIax": (0.02, 0.08, 0.08), "SNIb/c": (0.0, 0.06, 0.08), "TDE": (0.0, 0.02, 0.04), "uLens": (0.0, 0.12, 0.02),
}  # fmt: skip
"""Slope, deviation and scatter of leaves, as `Usual` has them; of others its defaults. Likeliest values on light curves
that a classifier learns from, one class at a time; flares, which are gone the next day, are given a guess."""


@dataclass(frozen=True, eq=False)
class Forecast:
    """Brightness at a time, all bands.

    Parameters
    ----------
    magnitude, error : array, shape ``(n_objects, n_bands)``, mag (AB)
        Of the difference flux, and the standard error; NaN where a band has no row that counts.
    """

    magnitude: Array
    error: Array

    def brightest(self, bands: str = "gri") -> tuple[NDArray[np.int64], Array, Array]:
        """Give the brightest of some bands with its magnitude and error, shape ``(n_objects,)``; -1 and NaN if none.

        Raises
        ------
        ValueError
            A band is unknown, or none is given.
        """
        if not bands or not set(bands) <= set(BANDS):
            raise ValueError(f"bands are {bands!r}, expected some of {''.join(BANDS)}")
        places = np.array([BANDS.index(band) for band in bands])
        values = self.magnitude[:, places]
        best = np.argmin(np.where(np.isnan(values), np.inf, values), axis=1)
        every = np.arange(len(values))
        band = np.where(np.isnan(values[every, best]), -1, places[best])
        return band, values[every, best], self.error[:, places][every, best]


def forecast(light_curves: LightCurves, when: ArrayLike, now: ArrayLike, usual: Usual | None = None) -> Forecast:
    """Say how bright objects will be.

    Parameters
    ----------
    light_curves : LightCurves
        Where fluxes are dereddened, context ``mwebv`` puts the dust back; unknown, there was none.
    when : float or array, shape ``(n_objects,)``, MJD
        The time that is asked about.
    now : float or array, shape ``(n_objects,)``, MJD
        Rows up to this time are used, none later.
    usual : Usual, optional
        By default nothing is known of the class.

    Raises
    ------
    ValueError
        A time is not finite or before what is known.

    Examples
    --------
    >>> curves = LightCurves(["a"], [0, 3], [0.0, 3.0, 6.0], [1, 1, 1], [10000, 8000, 6000], [50, 50, 50], [True] * 3)
    >>> said = forecast(curves, when=7.0, now=6.5)
    >>> said.magnitude[0, 1].round(1), said.error[0, 1].round(1)
    (np.float64(22.0), np.float64(0.1))
    """
    n = len(light_curves)
    when, now = (np.broadcast_to(np.asarray(time, dtype=np.float64), (n,)) for time in (when, now))
    if (wrong := np.flatnonzero(~(np.isfinite(when) & np.isfinite(now) & (when >= now)))).size:
        first = f"'{light_curves.object_id[wrong[0]]}' at {when[wrong[0]]} from {now[wrong[0]]}"
        raise ValueError(f"a forecast must be of a time after what is known: {wrong.size} are not, first {first}")
    owner, flux, error = light_curves.object_index, light_curves.flux, light_curves.flux_err
    since = light_curves.time - when[owner]
    counts = (light_curves.time <= now[owner]) & (since >= -WINDOW) & (flux > LEAST * error)
    owner, flux, error, since = owner[counts], flux[counts], error[counts], since[counts]
    y = NJY - 2.5 * np.log10(flux.astype(np.float64))
    if light_curves.dereddened and "mwebv" in light_curves.context:
        y += EXTINCTION[light_curves.band[counts]] * np.nan_to_num(light_curves.context["mwebv"])[owner]
    usual = usual or Usual()
    known = np.where(light_curves.first_detection <= now, now - light_curves.first_detection, 0.0)
    steep = usual.deviation / (1 + known / AGE)
    prior = _Prior(usual.slope / (1 + known / AGE), steep, np.broadcast_to(usual.scatter, (n,)))
    variance = (_MAGNITUDE * error / flux) ** 2 + (BEND * steep[owner] * since) ** 2
    return _lines(owner * len(BANDS) + light_curves.band[counts], since, y, 1 / variance, prior)


class _Prior(NamedTuple):
    slope: Array
    deviation: Array
    scatter: Array


def _lines(cell: NDArray[np.int64], x: Array, y: Array, weight: Array, prior: _Prior) -> Forecast:
    """Fit lines of one slope an object, normal before, and one level a cell, and give them at x = 0."""
    shape = (prior.slope.size, len(BANDS))

    def sums(values: Array) -> Array:
        return np.asarray(np.bincount(cell, values, shape[0] * shape[1]), dtype=np.float64)

    total = sums(weight)
    filled = np.where(total > 0, total, np.nan)
    middle, level = sums(weight * x) / filled, sums(weight * y) / filled
    away = x - middle[cell]
    certainty = sums(weight * away**2).reshape(shape).sum(axis=1) + prior.deviation**-2
    rise = sums(weight * away * (y - level[cell])).reshape(shape).sum(axis=1) + prior.slope * prior.deviation**-2
    slope, reach = (rise / certainty)[:, None], middle.reshape(shape)
    variance = 1 / filled.reshape(shape) + reach**2 / certainty[:, None] + prior.scatter[:, None] ** 2
    return Forecast(level.reshape(shape) - slope * reach, np.sqrt(variance))
