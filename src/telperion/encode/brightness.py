"""Statistics of the brightness, by band and over all bands: level, scatter, shape of the distribution, trend."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from telperion.bands import BANDS
from telperion.encode.observations import N_BANDS, Observations, magnitude
from telperion.encode.segments import Segments, ratio, take

LEVELS = (0.1, 0.25, 0.5, 0.75, 0.9)


def brightness(rows: Observations) -> dict[str, NDArray]:
    """Statistics of each band (``max_mag_r``, ``chi2_r``, ...) and of all bands together (``chi2_all``, ...).

    Returns
    -------
    dict of str to array, shape ``(n_objects,)``
    """
    out: dict[str, NDArray] = {}
    per_band = {**extremes(rows), **scatter(rows, rows.by_band), **trend(rows)}
    for name, values in per_band.items():
        for column, band in zip(values.reshape(-1, N_BANDS).T, BANDS, strict=True):
            out[f"{name}_{band}"] = column
    for name, values in scatter(rows, rows.by_object, rows.flux - _band_mean(rows)).items():
        out[f"{name}_all"] = values
    out |= {f"snr_{name}_all": values for name, values in _distribution(rows.by_object, rows.snr).items()}
    out["max_mag_all"] = magnitude(take(rows.flux, rows.peak), take(rows.error, rows.peak))
    out["max_band_all"] = take(rows.band, rows.peak)
    return out


def extremes(rows: Observations) -> dict[str, NDArray]:
    """Highest, lowest and latest flux of each band, and when."""
    groups = rows.by_band
    top, bottom, last = groups.argmax(rows.flux), groups.argmax(-rows.flux), groups.last()
    highest, lowest = take(rows.flux, top), take(rows.flux, bottom)
    mag = magnitude(rows.flux, rows.error)
    return {
        "rows": groups.count(),
        "detections": groups.count(rows.detected),
        "max_mag": take(mag, top),
        "max_snr": groups.max(rows.snr),
        "min_snr": groups.min(rows.snr),
        "min_to_max": ratio(lowest, np.maximum(highest, take(rows.error, top))),
        "days_of_max": take(rows.days, top),
        "days_of_min": take(rows.days, bottom),
        "last_mag": take(mag, last),
        "last_snr": take(rows.snr, last),
        "last_to_max": ratio(take(rows.flux, last), np.maximum(highest, take(rows.error, top))),
        "days_since_last": np.repeat(take(rows.days, rows.by_object.last()), N_BANDS) - take(rows.days, last),
        "median_log_error": np.log10(groups.quantiles(rows.error, (0.5,))[0]),
    }


def scatter(rows: Observations, groups: Segments, flux: NDArray | None = None) -> dict[str, NDArray]:
    """Scatter of the flux of each group about its mean, and the shape of its distribution."""
    flux = rows.flux if flux is None else flux
    n, weight = groups.count(), rows.error**-2
    mean = groups.mean(flux, weight)
    plain = groups.mean(flux)
    deviation = flux - plain[groups.key]
    std = np.sqrt(groups.mean(deviation**2))
    pull = (flux - mean[groups.key]) / rows.error
    chi2 = groups.sum(pull**2)
    standard = pull * np.sqrt(ratio(n, np.maximum(n - 1, 0)))[groups.key]
    absolute = groups.sum(np.abs(standard))
    previous = groups.previous()
    step = np.where(previous >= 0, (flux - take(flux, previous)) ** 2, 0.0)
    pairs = np.where(previous >= 0, standard * take(standard, previous), 0.0)
    several = np.where(n > 1, 1.0, np.nan)
    return {
        "mean_flux": np.arcsinh(mean / 100.0),
        "std_flux": np.log10(np.maximum(std, 1e-3)) * several,
        "relative_std": ratio(std, np.abs(plain)) * several,
        "skew": ratio(groups.mean(deviation**3), std**3) * several,
        "kurtosis": ratio(groups.mean(deviation**4), std**4) * several,
        "chi2": np.log10(np.maximum(ratio(chi2, n - 1), 1e-3)) * several,
        "excess_variance": ratio(std**2 - groups.mean(rows.error**2), plain**2) * several,
        "von_neumann_eta": ratio(groups.sum(step), groups.sum(deviation**2)) * several,
        "stetson_j": ratio(groups.sum(np.sign(pairs) * np.sqrt(np.abs(pairs))), n - 1) * several,
        "stetson_k": ratio(absolute, np.sqrt(n * groups.sum(standard**2))) * several,
        **_distribution(groups, flux),
    }


def _distribution(groups: Segments, values: NDArray) -> dict[str, NDArray]:
    q10, q25, q50, q75, q90 = groups.quantiles(values, LEVELS)
    low, high = groups.min(values), groups.max(values)
    return {
        "median_place": ratio(q50 - low, high - low),
        "width_80": ratio(q90 - q10, high - low),
        "width_50": ratio(q75 - q25, high - low),
        "upper_to_lower": ratio(q90 - q50, q50 - q10),
    }


def trend(rows: Observations) -> dict[str, NDArray]:
    """Rise to and decline from the brightest row of each band, and the slope of the last three weeks, mag a day."""
    groups, mag = rows.by_band, magnitude(rows.flux, rows.error)
    top, first, last = groups.argmax(rows.flux), groups.first(rows.detected), groups.last()
    weight = rows.error**-2
    recent = (take(rows.days, last)[groups.key] - rows.days) <= 21.0
    slope, slope_snr = line(groups, rows.days, rows.flux, np.where(recent, weight, 0.0))
    level = np.maximum(take(rows.flux, top), take(rows.error, top))
    return {
        "rise_slope": ratio(take(mag, top) - take(mag, first), take(rows.days, top) - take(rows.days, first)),
        "decline_slope": ratio(take(mag, last) - take(mag, top), take(rows.days, last) - take(rows.days, top)),
        "decline_days": take(rows.days, last) - take(rows.days, top),
        "recent_slope": ratio(slope, level),
        "recent_slope_snr": slope_snr,
        "negative_share": ratio(groups.count(rows.snr < -3), groups.count()),
        "detected_share": ratio(groups.count(rows.detected), groups.count()),
    }


def line(groups: Segments, x: NDArray, y: NDArray, weight: NDArray) -> tuple[NDArray, NDArray]:
    """Weighted least-squares slope of each group and its significance; NaN with fewer than two distinct x.

    Returns
    -------
    slope, slope / error : arrays, shape ``(n_groups,)``
    """
    centre = groups.mean(x, weight)[groups.key]
    centre_y = groups.mean(y, weight)[groups.key]
    lever = groups.sum(weight * (x - centre) ** 2)
    lever = np.where(lever > 1e-12, lever, np.nan)
    slope = groups.sum(weight * (x - centre) * (y - centre_y)) / lever
    return slope, slope * np.sqrt(lever)


def _band_mean(rows: Observations) -> NDArray[np.float64]:
    """Weighted mean flux of the row's own band, shape ``(n_rows,)``."""
    return rows.by_band.mean(rows.flux, rows.error**-2)[rows.by_band.key]
