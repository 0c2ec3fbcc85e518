"""Statistics of light curves by the light-curve package, after those of ALeRCE's classifier."""

from __future__ import annotations

from functools import cache

import light_curve as lc
import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from benchmarks.peers.around import cores
from telperion.bands import BANDS, to_njy
from telperion.lightcurves import LightCurves

MISSING = -999.0
"""What stands for a statistic that is not defined, as in ALeRCE's tables."""

LARGEST = 1e30
PLACES = ("ra", "dec", "decl", "ddf")
"""Ends of the names of context that tells where, not what, an object is."""

FASTEST, FREQUENCIES = 10.0, 2**14 + 1
"""Highest frequency of the periodogram, 1/day, and how many from zero to it."""

_FIELDS = {"t": "time", "m": "flux", "sigma": "flux_err"}


@cache
def extractor() -> lc.Extractor:
    """Give the statistics of one band; the fit is the analytic supernova model that ALeRCE's comes from."""
    names = (
        "Amplitude", "AndersonDarlingNormal", "BeyondNStd", "Cusum", "Duration", "Eta", "EtaE", "ExcessVariance",
        "InterPercentileRange", "Kurtosis", "LinearFit", "LinearTrend", "MagnitudePercentageRatio", "MaximumSlope",
        "Mean", "Median", "MedianAbsoluteDeviation", "MedianBufferRangePercentage", "ObservationCount",
        "PercentAmplitude", "ReducedChi2", "Skew", "StandardDeviation", "StetsonK", "TimeStandardDeviation",
        "WeightedMean",
    )  # fmt: skip
    return lc.Extractor(*(getattr(lc, name)() for name in names), lc.VillarFit("lmsder"))


@cache
def periodogram() -> lc.Periodogram:
    """Give the periodogram of all bands, each brought to the same mean and spread."""
    return lc.Periodogram(peaks=1, freqs=np.linspace(0, 2 * np.pi * FASTEST, FREQUENCIES), fast=True)


def context_names(light_curves: LightCurves) -> list[str]:
    """Name the context that tells what an object is."""
    return sorted(name for name in light_curves.context if name.split("_")[-1] not in PLACES)


def features(light_curves: LightCurves, named: list[str]) -> NDArray[np.float32]:
    """Give the table of statistics, shape ``(n_objects, n_features)``; `MISSING` where one is not defined.

    Parameters
    ----------
    light_curves : LightCurves
        Cut to what is known.
    named : list of str
        Columns of the context that end the table, missing where they are not there.
    """
    curves = light_curves
    if not curves.dereddened and "mwebv" in curves.context:
        curves = curves.deredden()
    flux, error = curves.flux / to_njy(23.9), curves.flux_err / to_njy(23.9)  # microjansky
    columns = [_many(extractor(), curves, flux, error, curves.band == band) for band in range(len(BANDS))]
    columns.append(
        _many(periodogram(), curves, _standard(curves), np.ones(curves.n_rows), np.ones(curves.n_rows, dtype=bool))
    )
    columns += [_colours(curves, flux, error), _sums(curves)]
    unknown = np.full(len(curves), np.nan)
    columns += [curves.context.get(name, unknown)[:, None] for name in named]
    table = np.concatenate(columns, axis=1)
    return np.where(np.abs(table) < LARGEST, table, MISSING).astype(np.float32)


def _many(what: lc.Extractor, curves: LightCurves, flux: NDArray, error: NDArray, mask: NDArray) -> NDArray:
    """Compute features of some of the rows of every object."""
    offsets = np.concatenate([[0], np.cumsum(mask)])[curves.offsets]
    filled = np.diff(offsets) > 0  # some statistics panic where there is nothing
    found = np.full((len(curves), len(what.names)), np.nan)
    if filled.any():
        values = {"time": curves.time[mask], "flux": flux[mask], "flux_err": error[mask]}
        rows = pa.StructArray.from_arrays([pa.array(each.astype(np.float64)) for each in values.values()], list(values))
        lists = pa.LargeListArray.from_arrays(pa.array(np.append(offsets[:-1][filled], offsets[-1])), rows)
        found[filled] = what.many(
            lists, fill_value=np.nan, sorted=True, check=False, n_jobs=cores(), arrow_fields=dict(_FIELDS)
        )
    return found


def _means(curves: LightCurves, values: NDArray, weights: NDArray) -> NDArray[np.float64]:
    """Give weighted means by object and band, shape ``(n_objects, 6)``."""
    cell, size = curves.object_index * len(BANDS) + curves.band, len(curves) * len(BANDS)
    with np.errstate(invalid="ignore"):
        mean = np.bincount(cell, weights * values, size) / np.bincount(cell, weights, size)
    return mean.reshape(-1, len(BANDS))


def _standard(curves: LightCurves) -> NDArray[np.float64]:
    """Bring each band of each object to mean zero and spread one."""
    where, ones = (curves.object_index, curves.band), np.ones(curves.n_rows)
    away = curves.flux - _means(curves, curves.flux, ones)[where]
    return away / np.maximum(np.sqrt(_means(curves, away**2, ones)[where]), 1e-9)


def _colours(curves: LightCurves, flux: NDArray, error: NDArray) -> NDArray[np.float64]:
    """Give colours of neighbouring bands, mag, at the mean and at the brightest."""
    brightest = np.full((len(curves), len(BANDS)), -np.inf)
    np.maximum.at(brightest, (curves.object_index, curves.band), flux)
    with np.errstate(invalid="ignore", divide="ignore"):
        tables = [-2.5 * np.log10(each) for each in (_means(curves, flux, error**-2.0), brightest)]
        return np.concatenate([np.diff(each, axis=1) for each in tables], axis=1)


def _sums(curves: LightCurves) -> NDArray[np.float64]:
    """Give rows, the shares of them that are detections and positive, and days from the first detection to the last."""
    n = np.maximum(curves.lengths, 1)
    since = np.full(len(curves), -np.inf)
    np.maximum.at(since, curves.object_index, curves.days_since_first_detection)
    shares = [
        np.bincount(curves.object_index[mask], minlength=len(curves)) / n for mask in (curves.detected, curves.flux > 0)
    ]
    return np.stack([curves.lengths, *shares, since], axis=1)
