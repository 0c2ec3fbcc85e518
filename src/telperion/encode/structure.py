"""Statistics of when an object was seen: spans, nights, gaps, seasons, changes within a night, alternations."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from telperion.encode.observations import N_BANDS, NIGHT, Observations
from telperion.encode.segments import Segments, ratio, take

SEASON_GAP = 60.0
"""Days without a row that part two seasons."""


def structure(rows: Observations) -> dict[str, NDArray]:
    """Spans and counts of detections, change within nights, and how often the flux crosses its mean.

    Returns
    -------
    dict of str to array, shape ``(n_objects,)``; times in days
    """
    return {**detections(rows), **within_night(rows), **alternations(rows)}


def detections(rows: Observations) -> dict[str, NDArray]:
    """Count and span of rows, detections and nights."""
    groups, days, detected = rows.by_object, rows.days, rows.detected
    first, last = groups.first(), groups.last()
    last_detected = take(days, groups.last(detected))
    after = days >= 0
    before = groups.last(days < 0)
    night = _distinct(groups, days, NIGHT)
    seen, index = groups.where(detected)
    detected_night = _distinct(seen, days[index], NIGHT)
    season = _distinct(seen, days[index], SEASON_GAP)
    gap = np.where(groups.previous() >= 0, days - take(days, groups.previous()), 0.0)
    n, n_after = groups.count(), groups.count(after)
    positive = rows.snr > 3
    negative = rows.snr < -3
    return {
        "rows": n,
        "detections": groups.count(detected),
        "nights": groups.sum(night),
        "detected_nights": seen.sum(detected_night),
        "detected_seasons": seen.sum(season),
        "span": take(days, last) - take(days, first),
        "days": take(days, last),
        "detected_span": last_detected,
        "days_since_detection": take(days, last) - last_detected,
        "detected_share": ratio(groups.count(detected & after), n_after),
        "days_from_nondetection": -take(days, before),
        "snr_before": take(rows.snr, before),
        "longest_gap": groups.max(gap),
        "days_of_peak": take(days, rows.peak),
        "peak_to_last_detection": last_detected - take(days, rows.peak),
        "positive_share": ratio(groups.count(positive & after), n_after),
        "negative_share": ratio(groups.count(negative & after), n_after),
        "negative_detections": ratio(groups.count(detected & (rows.flux < 0)), groups.count(detected)),
        "mean_snr_before": groups.where(days < 0)[0].mean(rows.snr[days < 0]),
        "mean_snr_after": groups.where(after)[0].mean(rows.snr[after]),
        "first_snr": take(rows.snr, groups.first(detected)),
        "bands_detected": _bands(rows, detected),
        "median_interval": groups.quantiles(gap, (0.5,))[0],
    }


def _distinct(groups: Segments, days: NDArray, apart: float) -> NDArray[np.float64]:
    """1 for a row that comes later than `apart` days after the row before it in its group, or is the first."""
    previous = groups.previous()
    return np.where((previous < 0) | (days - take(days, previous) > apart), 1.0, 0.0)


def _bands(rows: Observations, mask: NDArray[np.bool_]) -> NDArray[np.float64]:
    return (rows.by_band.count(mask) > 0).reshape(-1, N_BANDS).sum(axis=1).astype(np.float64)


def within_night(rows: Observations) -> dict[str, NDArray]:
    """Change between successive rows of one band: within a night, and fastest of all (flares, pulsators)."""
    groups = rows.by_band
    previous = groups.previous()
    paired = previous >= 0
    gap = np.where(paired, rows.days - take(rows.days, previous), np.inf)
    noise = np.hypot(rows.error, take(rows.error, previous))
    change = np.where(paired, (rows.flux - take(rows.flux, previous)) / np.where(paired, noise, 1.0), 0.0)
    out: dict[str, NDArray] = {}
    for name, longest in (("night", NIGHT), ("3_days", 3.0), ("10_days", 10.0)):
        near, index = rows.by_object.where(gap < longest)
        out[f"rise_within_{name}"] = near.max(change[index])
        out[f"fall_within_{name}"] = near.min(change[index])
        out[f"rms_within_{name}"] = np.sqrt(near.mean(change[index] ** 2))
    return out


def alternations(rows: Observations) -> dict[str, NDArray]:
    """How often the flux crosses its band's mean, against the number of rows; and the same for 3-sigma swings."""
    groups = rows.by_band
    mean = groups.mean(rows.flux, rows.error**-2)[groups.key]
    pull = (rows.flux - mean) / rows.error
    previous = groups.previous()
    crossed = (previous >= 0) & (np.sign(pull) != np.sign(take(pull, previous)))
    strong = crossed & (np.abs(pull) > 3) & (np.abs(take(pull, previous)) > 3)
    n = rows.by_object.count(previous >= 0)
    return {
        "crossings": ratio(rows.by_object.count(crossed), n),
        "strong_crossings": ratio(rows.by_object.count(strong), n),
        "strong_crossings_count": rows.by_object.count(strong),
    }
