"""What is compared of each class: quantities that need no classifier, and how far apart two samples of one are."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from telperion.bands import BANDS
from telperion.encode.observations import N_BANDS, Observations, magnitude
from telperion.encode.segments import take
from telperion.encode.statistics import Statistics
from telperion.lightcurves import LightCurves
from telperion.realism.sets import FEWEST

COLOURS = ((1, 2), (2, 3), (3, 4))
"""Bands whose magnitudes at their brightest detections are subtracted: g-r, r-i, i-z."""

HALF_BANDS = "griz"
"""Bands over which the time above half of the peak is averaged."""


@dataclass(frozen=True)
class Distance:
    """How far apart two samples of one quantity are.

    Parameters
    ----------
    quantity : str
    distance : float
        Kolmogorov and Smirnov's: the largest difference of the two cumulative distributions.
    limit : float
        What 95 % of pairs of samples of one distribution stay below.
    simulated, real : float
        Medians.
    n_simulated, n_real : int
        Objects of which the quantity is known.
    known_simulated, known_real : float
        Share of the objects of which it is known.
    """

    quantity: str
    distance: float
    limit: float
    simulated: float
    real: float
    n_simulated: int
    n_real: int
    known_simulated: float
    known_real: float


@dataclass(frozen=True, eq=False)
class Distributions:
    """Samples of all quantities of one class.

    Parameters
    ----------
    label : str
    simulated, real : mapping of str to array, shape ``(n,)``
        NaN where unknown.
    """

    label: str
    simulated: Mapping[str, NDArray[np.float64]]
    real: Mapping[str, NDArray[np.float64]]

    @cached_property
    def distances(self) -> tuple[Distance, ...]:
        """Distance of every quantity that enough objects of both sides have, the farthest apart first."""
        found = []
        for name, ours in self.simulated.items():
            theirs = self.real[name]
            a, b = ours[np.isfinite(ours)], theirs[np.isfinite(theirs)]
            if min(len(a), len(b)) >= FEWEST:
                found.append(
                    Distance(name, ks_distance(a, b), ks_limit(len(a), len(b)), float(np.median(a)),
                             float(np.median(b)), len(a), len(b), len(a) / len(ours), len(b) / len(theirs))
                )  # fmt: skip
        return tuple(sorted(found, key=lambda one: -one.distance))


def quantities(light_curves: LightCurves, statistics: Statistics) -> dict[str, NDArray[np.float64]]:
    """Work out what is compared.

    Parameters
    ----------
    light_curves : LightCurves
        Whole, dereddened.
    statistics : Statistics
        Of the same light curves.

    Returns
    -------
    dict of str to array, shape ``(n_objects,)``
        Counts, days, magnitudes, signal to noise, redshifts; NaN where unknown. The median errors are log10 of nJy.
    """
    with np.errstate(all="ignore"):
        out = {
            "observations": statistics["structure.rows"],
            "nights": statistics["structure.nights"],
            "detections": statistics["structure.detections"],
            "peak S/N": np.fmax.reduce([statistics[f"brightness.max_snr_{band}"] for band in BANDS]),
            **_brightest(Observations(light_curves)),
            "days of detections": statistics["structure.detected_span"],
            "days above half": _mean([
                statistics[f"shape.rise_50_{band}"] + statistics[f"shape.fall_50_{band}"] for band in HALF_BANDS
            ]),
            **{f"error in {band}": statistics[f"brightness.median_log_error_{band}"] for band in BANDS},
        }  # fmt: skip
    out |= {_NAMES.get(name, name.removeprefix("hostgal_")): values for name, values in light_curves.context.items()
            if name == "mwebv" or name.startswith("hostgal_")}  # fmt: skip
    return {name: values.astype(np.float32).astype(np.float64) for name, values in out.items()}  # one file has less


_NAMES = {
    "mwebv": "E(B-V)",
    "hostgal_specz": "spec-z",
    "hostgal_specz_err": "spec-z error",
    "hostgal_photoz": "photo-z",
    "hostgal_photoz_err": "photo-z error",
    "hostgal_snsep": "host separation",
    "hostgal_logmass": "host mass",
    "hostgal_ellipticity": "host ellipticity",
    "hostgal_sqradius": "host radius",
    **{f"hostgal_mag_{band}": f"host {band}" for band in BANDS},
    **{f"hostgal_magerr_{band}": f"host {band} error" for band in BANDS},
}


def _brightest(rows: Observations) -> dict[str, NDArray]:
    """Magnitude in r and colours of the brightest detections in their bands, NaN where a band has none."""
    top = rows.by_band.argmax(rows.flux, rows.detected & (rows.flux > 0))
    mag = magnitude(take(rows.flux, top), take(rows.error, top)).reshape(-1, N_BANDS)
    return {"peak r": mag[:, 2]} | {f"{BANDS[b]}-{BANDS[r]} at peak": mag[:, b] - mag[:, r] for b, r in COLOURS}


def _mean(values: list[NDArray]) -> NDArray[np.float64]:
    """Mean of those that are known."""
    table = np.stack(values).astype(np.float64)
    known = np.isfinite(table)
    return np.where(known, table, 0).sum(axis=0) / np.where(known.any(axis=0), known.sum(axis=0), np.nan)


def ks_distance(a: NDArray, b: NDArray) -> float:
    """Give the largest difference of the cumulative distributions of two samples (Kolmogorov & Smirnov).

    Examples
    --------
    >>> ks_distance(np.array([1.0, 2, 3, 4]), np.array([3.0, 4, 5, 6]))
    0.5
    """
    at = np.concatenate([a, b])
    below = [np.searchsorted(np.sort(sample), at, side="right") / len(sample) for sample in (a, b)]
    return float(np.abs(below[0] - below[1]).max())


def ks_limit(n: int, m: int) -> float:
    """Give the distance that 95 % of pairs of samples of one distribution stay below, for large samples."""
    return float(1.358 * np.sqrt((n + m) / (n * m)))
