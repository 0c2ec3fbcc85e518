"""Light curves band by band in rectangles of one size, for networks and transforms that want them so.

Fluxes are divided by the largest absolute flux of their object; times count from its first row, in its rest frame where
the redshift is known.
"""

import numpy as np
from numpy.typing import NDArray

from telperion.bands import BANDS
from telperion.lightcurves import LightCurves

CHANNELS = ("time", "gap", "flux", "error", "snr", "log_flux", "known")
"""What `padded_bands` says of a row; `known` is 1, and 0 in the padding."""

_YEAR = 365.25
_FAINTEST = 1e-3


def padded_bands(light_curves: LightCurves, n_rows: int = 200) -> NDArray[np.float32]:
    """Lay out the rows of each band, the rest zero; a band with more rows than there is room is thinned evenly.

    Parameters
    ----------
    light_curves : LightCurves
    n_rows : int

    Returns
    -------
    array, shape ``(n_objects, n_bands, n_channels, n_rows)``
        Channels as in `CHANNELS`: years since the object's first row and since the row before in the band; flux and
        error over the largest flux; asinh of the signal to noise; log10 of the flux over the largest, at least -3.

    Examples
    --------
    >>> curves = LightCurves(["a"], [0, 3], [1.0, 2.0, 4.0], [1, 2, 1], [5, 8, 10], [1, 1, 1], [True] * 3)
    >>> padded_bands(curves, 3)[0, 1, CHANNELS.index("flux")]
    array([0.5, 1. , 0. ], dtype=float32)
    """
    time, flux, error = _scaled(light_curves)
    order, group, place, count = _places(light_curves)
    crowd = np.maximum(count, n_rows)[group]
    slot = place * n_rows // crowd
    kept = slot != (place - 1) * n_rows // crowd  # the first row of each slot
    rows, group, slot = order[kept], group[kept], slot[kept]
    gap = np.diff(time[rows], prepend=0)
    gap[np.flatnonzero(np.diff(group, prepend=-1))] = 0
    result = np.zeros((len(light_curves) * len(BANDS), len(CHANNELS), n_rows), dtype=np.float32)
    brightness = np.log10(np.maximum(flux[rows], _FAINTEST))
    snr = np.arcsinh(flux[rows] / error[rows])
    columns = (time[rows] / _YEAR, gap / _YEAR, flux[rows], error[rows], snr, brightness, np.ones(rows.size))
    for channel, values in enumerate(columns):
        result[group, channel, slot] = values
    return result.reshape(len(light_curves), len(BANDS), len(CHANNELS), n_rows)


def gridded_bands(light_curves: LightCurves, n_points: int = 100) -> NDArray[np.float32]:
    """Interpolate each band linearly on a grid from the object's first row to its last; 0 in a band without rows.

    Returns
    -------
    array, shape ``(n_objects, n_bands, n_points)``
        Fluxes over the largest; before a band's first row and after its last, those stand.

    Examples
    --------
    >>> curves = LightCurves(["a"], [0, 3], [1.0, 2.0, 5.0], [1, 2, 1], [5, 8, 10], [1, 1, 1], [True] * 3)
    >>> gridded_bands(curves, 5)[0, 1:3]
    array([[0.5  , 0.625, 0.75 , 0.875, 1.   ],
           [0.8  , 0.8  , 0.8  , 0.8  , 0.8  ]], dtype=float32)
    """
    time, flux, _ = _scaled(light_curves)
    order, _, _, count = _places(light_curves)
    ends = np.concatenate([[0], np.cumsum(count)])
    span = np.zeros(len(light_curves))
    seen = light_curves.lengths > 0
    span[seen] = time[light_curves.offsets[1:][seen] - 1]
    result = np.zeros((count.size, n_points), dtype=np.float32)
    for one in np.flatnonzero(count):
        rows = order[ends[one] : ends[one + 1]]
        result[one] = np.interp(np.linspace(0, span[one // len(BANDS)], n_points), time[rows], flux[rows])
    return result.reshape(len(light_curves), len(BANDS), n_points)


def _scaled(light_curves: LightCurves) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Give times from the first row, in the rest frame, and fluxes and errors over the largest absolute flux."""
    owner = light_curves.object_index
    first = np.zeros(len(light_curves))
    largest = np.zeros(len(light_curves))
    seen = light_curves.lengths > 0
    first[seen] = light_curves.time[light_curves.offsets[:-1][seen]]
    np.maximum.at(largest, owner, np.abs(light_curves.flux))
    largest[largest == 0] = 1
    z = np.nan_to_num(light_curves.context.get("redshift", np.zeros(len(light_curves))))
    time = (light_curves.time - first[owner]) / (1 + np.maximum(z, 0))[owner]
    return time, light_curves.flux / largest[owner], light_curves.flux_err / largest[owner]


def _places(
    light_curves: LightCurves,
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    """Sort rows by object, band and time: the order, the group (object, band) and place of each; sizes of groups."""
    group = light_curves.object_index * len(BANDS) + light_curves.band
    order = np.argsort(group, kind="stable")
    count = np.bincount(group, minlength=len(light_curves) * len(BANDS))
    starts = np.cumsum(count) - count
    return order, group[order], np.arange(order.size) - starts[group[order]], count
