"""An object as small pictures for a network: the surface of its outburst, the course of its years, and a few numbers.

Whole light curves only. Everything is in the rest frame of the brightest outburst and in units of its peak, so that a
network need not learn distances or time dilation.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from telperion.bands import WAVELENGTH
from telperion.encode.cache import store
from telperion.encode.gaussian_process import matern
from telperion.encode.observations import N_BANDS, Observations
from telperion.encode.segments import ratio
from telperion.lightcurves import LightCurves

STEP = 3.0
GRID = np.arange(-66.0, 160.0, STEP)
"""Rest-frame days from the peak at which the surface is drawn."""

MARGIN, MOST = 24.0, 90
"""Days beyond the grid whose rows count, and rows used of an object (evenly thinned beyond)."""

VARIANCE, SHORTEST, ACROSS = 0.5, 12.0, 0.8
"""Of the process: variance in units of the peak, least time scale / d, scale in ln(wavelength)."""

SCATTER, FLOOR = 0.07, 0.02
"""Parts of a row's flux, and of the peak, added to its error in quadrature."""

EDGES = np.concatenate([np.arange(-1500.0, -60, 60), np.arange(-60.0, 180, 20), np.arange(180.0, 1561, 60)])
"""Rest-frame days from the peak between which the rows of all bands are summed up for the course."""

LARGEST = 2.0
"""In units of the peak, beyond which a mean flux is cut."""

SURFACE, COURSE, NUMBERS = (2 * N_BANDS, len(GRID)), (4, len(EDGES) - 1), (4,)
"""Shapes of an object's pictures."""


@dataclass(frozen=True, eq=False)
class Portraits:
    """Pictures of many objects; zero where nothing is known.

    Parameters
    ----------
    surface : array, shape ``(n, 2 * n_bands, n_phases)``, float32
        Mean of the Gaussian process in each band, then its standard deviation.
    course : array, shape ``(n, 4, n_bins)``, float32
        Weighted mean flux, how uncertain it is (1 without rows), ln(1 + chi^2 against darkness), ln(1 + rows).
    numbers : array, shape ``(n, 4)``, float32
        ln z, brightness and absolute magnitude of the peak and ln(1 + rows), brought to order one.
    """

    surface: NDArray[np.float32]
    course: NDArray[np.float32]
    numbers: NDArray[np.float32]


def portraits(light_curves: LightCurves) -> Portraits:
    """Draw the pictures of many objects; kept on disk inside `telperion.encode.cache.kept`.

    Parameters
    ----------
    light_curves : LightCurves
        Dereddened here if they are not yet.
    """
    sizes = [int(np.prod(shape)) for shape in (SURFACE, COURSE, NUMBERS)]
    kept = store()
    table = kept.through(light_curves, ("portrait",), sum(sizes), _draw) if kept else _draw(light_curves)
    surface_part, course_part, numbers = np.split(table, np.cumsum(sizes)[:-1], axis=1)
    return Portraits(surface_part.reshape(-1, *SURFACE), course_part.reshape(-1, *COURSE), numbers)


def _draw(light_curves: LightCurves) -> NDArray[np.float32]:
    rows = Observations(light_curves)
    with np.errstate(all="ignore"):
        mean, deviation = surface(rows)
        parts = [np.concatenate([mean, deviation], axis=2).transpose(0, 2, 1), _course(rows), _numbers(rows)]
    return np.concatenate([part.reshape(rows.n_objects, int(np.prod(part.shape[1:]))) for part in parts], axis=1)


def surface(rows: Observations) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Mean and standard deviation of a Gaussian process through each outburst, in units of its peak.

    Returns
    -------
    mean, deviation : array, shape ``(n_objects, n_phases, n_bands)``
        0 and the process's own where an object has no rows.
    """
    burst, log_wavelength = rows.outburst, np.log(WAVELENGTH)
    shape = (rows.n_objects, len(GRID), N_BANDS)
    mean, deviation = np.zeros(shape, dtype=np.float32), np.full(shape, np.sqrt(VARIANCE), dtype=np.float32)
    for k in range(rows.n_objects):
        index = window(rows, k, GRID[0] - MARGIN, GRID[-1] + MARGIN, MOST)
        if not index.size:
            continue
        phase, colour = burst.phase[index], log_wavelength[rows.band[index]]
        flux, error = rows.flux[index] / burst.level[k], rows.error[index] / burst.level[k]
        scale = max(burst.process.time_scale[k], SHORTEST)
        kernel = VARIANCE * matern(phase[:, None] - phase, scale) * matern(colour[:, None] - colour, ACROSS)
        kernel[np.diag_indices_from(kernel)] += error**2 + (SCATTER * flux) ** 2 + FLOOR**2
        in_time = matern(GRID[:, None] - phase, scale)
        across = VARIANCE * matern(log_wavelength[:, None] - colour, ACROSS)
        cross = (in_time[:, None] * across).reshape(-1, len(index))
        factor = np.linalg.cholesky(kernel)
        half = np.linalg.solve(factor, cross.T)
        mean[k] = (half.T @ np.linalg.solve(factor, flux)).reshape(shape[1:])
        deviation[k] = np.sqrt(np.maximum(VARIANCE - (half**2).sum(axis=0), 1e-6)).reshape(shape[1:])
    return mean, deviation


def window(rows: Observations, k: int, start: float, stop: float, most: int) -> NDArray[np.int64]:
    """Rows of an object within phases, evenly thinned."""
    offsets = rows.light_curves.offsets
    index = np.arange(offsets[k], offsets[k + 1])
    phase = rows.outburst.phase[index]
    index = index[(phase >= start) & (phase <= stop)]
    return index if len(index) <= most else index[np.linspace(0, len(index) - 1, most).astype(int)]


def _course(rows: Observations) -> NDArray[np.float32]:
    n_bins = len(EDGES) - 1
    place = np.searchsorted(EDGES, rows.outburst.phase, side="right") - 1
    inside = (place >= 0) & (place < n_bins)
    cell, level = (rows.object * n_bins + place)[inside], rows.outburst.level[rows.object][inside]
    flux, error = rows.flux[inside] / level, np.hypot(rows.error[inside] / level, FLOOR)
    count, weight, flux_sum, chi2 = (
        np.bincount(cell, values, minlength=rows.n_objects * n_bins)
        for values in (None, error**-2, flux * error**-2, (flux / error) ** 2)
    )
    mean = np.clip(np.nan_to_num(ratio(flux_sum, weight)), -LARGEST, LARGEST)
    parts = [mean, 1 / np.sqrt(1 + weight), np.log1p(chi2 / np.maximum(count, 1)), np.log1p(count)]
    return np.stack([part.reshape(-1, n_bins) for part in parts], axis=1).astype(np.float32)


def _numbers(rows: Observations) -> NDArray[np.float32]:
    burst = rows.outburst
    magnitude = 2.5 * np.log10(burst.level) + burst.modulus
    columns = [np.log(burst.redshift), np.log(burst.level) / 2 - 4.5, magnitude / 2 - 25.5]
    told = np.stack([*columns, np.log1p(rows.by_object.count()) - 5], axis=1)
    return np.nan_to_num(told, nan=0.0, posinf=0.0, neginf=0.0).astype(np.float32)
