"""A two-dimensional Gaussian process (time x log wavelength) through every light curve, many at once.

    f(t, b) ~ GP(0, A^2 / 2 * M((t - t') / tau) * M((ln lambda_b - ln lambda_b') / s)),
    M(x) = (1 + sqrt(3) |x|) exp(-sqrt(3) |x|)                                         (Matern-3/2)

as Boone (2019) has it for PLAsTiCC, but with the time scale tau chosen by likelihood from a short list instead of an
optimiser, the amplitude A read off the data and the wavelength scale s fixed: so all objects of one length are one
batched Cholesky decomposition.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from telperion.bands import WAVELENGTH
from telperion.encode.segments import Segments, take

TIME_SCALES = (4.0, 8.0, 16.0, 32.0, 64.0, 128.0)
"""Days, the list from which the likelihood chooses."""

WAVELENGTH_SCALE = 0.6
"""In ln(wavelength): neighbouring bands lie 0.15 to 0.28 apart."""

VARIANCE = 0.5
"""Prior variance in units of the squared brightest flux."""

SOFTENING = 0.02
"""Part of the brightest flux added to every error in quadrature: no curve is smoother than that."""

BEFORE, AFTER = 60.0, 150.0
"""Days before and after the centre within which rows are used, unless said otherwise."""

MAX_POINTS, SCAN_POINTS = 128, 40
"""Rows used of an object (evenly thinned beyond that), and rows on which the time scale is chosen."""

BUCKETS = (4, 8, 16, 24, 40, 64, 96, 128)
CHUNK = 2_000_000  # elements of one batch of matrices


@dataclass(frozen=True, eq=False)
class GaussianProcess:
    """The fitted processes of many objects.

    Parameters
    ----------
    time, log_wavelength, weight : arrays, shape ``(n_used,)``
        The rows used, in days since the first detection, ln(micrometre), and ``K^-1 flux``.
    groups : Segments
        The object of each of these rows.
    time_scale : array, shape ``(n_objects,)``, days
        NaN without rows.
    amplitude : array, shape ``(n_objects,)``, nJy
    log_likelihood : array, shape ``(n_objects,)``
        Per row, on the rows where the time scale was chosen.
    """

    time: NDArray[np.float64]
    log_wavelength: NDArray[np.float64]
    weight: NDArray[np.float64]
    groups: Segments
    time_scale: NDArray[np.float64]
    amplitude: NDArray[np.float64]
    log_likelihood: NDArray[np.float64]

    def predict(self, time: NDArray, log_wavelength: NDArray) -> NDArray[np.float64]:
        """Mean flux on a grid of times and wavelengths of each object.

        Parameters
        ----------
        time : array, shape ``(n_objects, n_times)``, days since the first detection
        log_wavelength : array, shape ``(n_objects, n_wavelengths)``, ln(micrometre)

        Returns
        -------
        array, shape ``(n_objects, n_times, n_wavelengths)``, nJy
            NaN for an object without rows, and where a time or a wavelength is.
        """
        out = np.full((*time.shape, log_wavelength.shape[1]), np.nan)
        for members, rows, held in batches(self.groups, extra=time.shape[1]):
            scale = self.time_scale[members, None, None]
            in_time = matern(time[members][:, :, None] - self.time[rows][:, None, :], scale)  # (batch, n_times, n_used)
            gap = log_wavelength[members][:, :, None] - self.log_wavelength[rows][:, None, :]
            across = matern(gap, WAVELENGTH_SCALE) * (self.weight[rows] * held)[:, None, :]
            out[members] = VARIANCE * (in_time @ across.transpose(0, 2, 1)) * self.amplitude[members, None, None]
        return out


def gaussian_process(
    objects: Segments,
    days: NDArray,
    band: NDArray,
    flux: NDArray,
    error: NDArray,
    centre: NDArray[np.int64] | None = None,
    before: float = BEFORE,
    after: float = AFTER,
) -> GaussianProcess:
    """Fit the process to each object's rows around one of them.

    Parameters
    ----------
    objects : Segments
        The object of each row.
    days, band, flux, error : arrays, shape ``(n_rows,)``
        Time in days from any origin of the object's own, position in ``BANDS``, flux and its error, nJy.
    centre : array of int, shape ``(n_objects,)``
        The row around which rows are used, -1 where there is none; by default that with the highest signal to noise.
    before, after : float, d
        Days before and after it within which they are.
    """
    since = days - take(days, objects.argmax(flux / error) if centre is None else centre)[objects.key]
    used = np.flatnonzero((since >= -before) & (since <= after))
    used = used[thinned(Segments(objects.key[used], objects.n_groups), MAX_POINTS)]
    groups = Segments(objects.key[used], objects.n_groups)
    amplitude = np.maximum(groups.max(np.abs(flux[used])), 1e-3)
    level = amplitude[groups.key]
    y, noise = flux[used] / level, (error[used] / level) ** 2 + SOFTENING**2
    time, band = days[used], band[used]

    few = thinned(groups, SCAN_POINTS)
    scanned = Segments(groups.key[few], groups.n_groups)
    time_scale, likelihood = np.full(groups.n_groups, np.nan), np.full(groups.n_groups, -np.inf)
    for scale in TIME_SCALES:
        found, _ = solve(scanned, time[few], band[few], y[few], noise[few], np.full(groups.n_groups, scale))
        better = found > likelihood
        time_scale[better], likelihood[better] = scale, found[better]
    _, weight = solve(groups, time, band, y, noise, time_scale)
    per_row = np.where(scanned.count() > 0, likelihood / np.maximum(scanned.count(), 1), np.nan)
    return GaussianProcess(time, np.log(WAVELENGTH)[band], weight, groups, time_scale, amplitude, per_row)


def matern(distance: NDArray, scale: NDArray | float) -> NDArray[np.float64]:
    """Matern-3/2 correlation, 1 at no distance.

    Examples
    --------
    >>> matern(np.array([0.0, 1.0]), 1.0).round(4)
    array([1.    , 0.4834])
    """
    x = np.sqrt(3) * np.abs(distance) / scale
    return (1 + x) * np.exp(-x)


def batches(groups: Segments, extra: int = 0) -> Iterator[tuple[NDArray, NDArray, NDArray]]:
    """Go through the groups in batches of about one length, padded.

    Yields
    ------
    members : array, shape ``(batch,)``
        The groups.
    rows : array, shape ``(batch, n)``
        Their rows; a padded place repeats row 0.
    held : array, shape ``(batch, n)``, bool
        False at padded places.
    """
    counts = np.diff(groups.starts)
    low = 0
    for size in BUCKETS:
        inside = np.flatnonzero((counts > low) & (counts <= size))
        step = max(1, CHUNK // (size * max(size, extra)))
        for start in range(0, len(inside), step):
            members = inside[start : start + step]
            place = np.arange(size)
            held = place < counts[members, None]
            yield members, groups.order[np.where(held, groups.starts[members, None] + place, 0)], held
        low = size


def thinned(groups: Segments, most: int) -> NDArray[np.int64]:
    """Rows that remain when each group is thinned evenly to at most `most`, in order."""
    counts = np.diff(groups.starts)
    place = np.empty(len(groups.key), dtype=np.int64)
    place[groups.order] = np.arange(len(groups.key)) - np.repeat(groups.starts[:-1], counts)
    n = np.maximum(counts[groups.key], most)
    return np.flatnonzero((place + 1) * most // n > place * most // n)


def solve(
    groups: Segments,
    time: NDArray,
    band: NDArray,
    y: NDArray,
    noise: NDArray,
    scale: NDArray,
    wavelength_scale: float = WAVELENGTH_SCALE,
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Solve for many processes at once.

    Parameters
    ----------
    groups : Segments
        The object of each row, at most `MAX_POINTS` each.
    time, band, y, noise : arrays, shape ``(n_rows,)``
        Days, position in ``BANDS``, value and variance of its error, in units of the brightest.
    scale : array, shape ``(n_groups,)``, days
    wavelength_scale : float

    Returns
    -------
    likelihood : array, shape ``(n_groups,)``
        Natural logarithm, without the constant; -inf without rows.
    weight : array, shape ``(n_rows,)``
        ``K^-1 y``.
    """
    likelihood, weight = np.full(groups.n_groups, -np.inf), np.zeros(len(y))
    logw = np.log(WAVELENGTH)
    across = VARIANCE * matern(logw[:, None] - logw, wavelength_scale)
    for members, rows, held in batches(groups):
        t = time[rows]
        kernel = matern(t[:, :, None] - t[:, None, :], scale[members, None, None])
        kernel *= across[band[rows][:, :, None], band[rows][:, None, :]]
        kernel *= held[:, :, None] & held[:, None, :]
        diagonal = np.arange(t.shape[1])
        kernel[:, diagonal, diagonal] += np.where(held, noise[rows], 1.0)
        factor = np.linalg.cholesky(kernel)
        target = np.where(held, y[rows], 0.0)[:, :, None]
        solved = np.linalg.solve(kernel, target)
        log_det = 2 * np.log(factor[:, diagonal, diagonal]).sum(axis=1)
        likelihood[members] = -0.5 * ((target * solved).sum(axis=(1, 2)) + log_det)
        weight[rows[held]] = solved[:, :, 0][held]
    return likelihood, weight
