"""The brightest outburst of every light curve: where its peak lies, how bright it is, and a smooth surface through it.

Phases are days from the peak in the rest frame, as observed where no redshift is known. The redshift is the best known
one (context ``redshift``); its quoted error is never read.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from telperion.bands import WAVELENGTH
from telperion.cosmology import distance_modulus
from telperion.encode.gaussian_process import GaussianProcess, gaussian_process
from telperion.encode.segments import take

if TYPE_CHECKING:
    from telperion.encode.observations import Observations

SMOOTHING = 6.0
"""Rest-frame days to either side over which the flux is averaged to find the brightest time."""

TICKS = 1024
"""Of a day, to which times are rounded for that."""

RELATIVE = 0.1
"""Part of a row's flux added to its error in quadrature in that average, so that no single row rules it."""

CAUTION = 3.0
"""Standard errors that are taken off that average, so that no noisy row wins."""

BEFORE, AFTER = 100.0, 250.0
"""Rest-frame days around the brightest time through which the surface goes."""

STEP, NEAR = 2.0, 2
SEARCHED = np.arange(-60.0, 100.1, STEP)
"""Rest-frame days around the brightest time where the surface is searched for its peak: so many steps from a row."""

REFERENCE, BLUEST, REDDEST = 0.48, 0.40, 0.95
"""Micrometre at rest where the peak is sought; clipped to these observed wavelengths."""

MARGIN = 4.0
"""Rest-frame days by which the surface is trusted before the first and after the last row."""


@dataclass(frozen=True, eq=False)
class Outburst:
    """Where the outbursts of many light curves lie.

    Parameters
    ----------
    redshift, stretch, modulus : array, shape ``(n_objects,)``
        Best known redshift (NaN where none is above zero), 1 + that (1 where unknown), distance modulus / mag.
    phase : array, shape ``(n_rows,)``
        Days from the peak, in the rest frame.
    origin : array, shape ``(n_objects,)``
        The peak in the time of `process`.
    peak : array, shape ``(n_objects, n_bands)``, nJy
        Flux of the surface at the peak.
    level : array, shape ``(n_objects,)``, nJy
        The largest of those; like them NaN without rows.
    first, last : array, shape ``(n_objects,)``
        Phase of the first and the last row.
    process : GaussianProcess
        The surface, in rest-frame days from the brightest time.
    """

    redshift: NDArray[np.float64]
    stretch: NDArray[np.float64]
    modulus: NDArray[np.float64]
    phase: NDArray[np.float64]
    origin: NDArray[np.float64]
    peak: NDArray[np.float64]
    level: NDArray[np.float64]
    first: NDArray[np.float64]
    last: NDArray[np.float64]
    process: GaussianProcess

    def surface(self, phase: NDArray, log_wavelength: NDArray) -> NDArray[np.float64]:
        """Flux of the surface, NaN before the first and after the last row.

        Parameters
        ----------
        phase : array, shape ``(n_phases,)``, rest-frame days from the peak
        log_wavelength : array, shape ``(n_objects, n_wavelengths)``, ln(micrometre) as observed

        Returns
        -------
        array, shape ``(n_objects, n_phases, n_wavelengths)``, nJy
        """
        flux = self.process.predict(self.origin[:, None] + phase, log_wavelength)
        seen = (phase >= self.first[:, None] - MARGIN) & (phase <= self.last[:, None] + MARGIN)
        return np.where(seen[:, :, None], flux, np.nan)


def outburst(rows: Observations) -> Outburst:
    """Find the brightest outburst of every object."""
    n = rows.n_objects
    redshift = np.asarray(rows.light_curves.context.get("redshift", np.full(n, np.nan)), dtype=np.float64)
    redshift = np.where(redshift > 0, redshift, np.nan)
    stretch = 1 + np.nan_to_num(redshift)
    rest = rows.days / stretch[rows.object]
    brightest = rows.by_object.argmax(_smoothed(rows, rest))
    time = rest - take(rest, brightest)[rows.object]
    process = gaussian_process(rows.by_object, time, rows.band, rows.flux, rows.error, brightest, BEFORE, AFTER)
    first, last = take(time, rows.by_object.first()), take(time, rows.by_object.last())
    reference = np.log(np.clip(REFERENCE * stretch, BLUEST, REDDEST))[:, None]
    searched = np.tile(SEARCHED, (n, 1))
    flux = process.predict(searched, reference)[:, :, 0]
    highest = np.argmax(np.where(_near_rows(rows.object, time, n), flux, -np.inf), axis=1)
    origin = np.where(brightest >= 0, SEARCHED[highest], np.nan)
    peak = process.predict(origin[:, None], np.tile(np.log(WAVELENGTH), (n, 1)))[:, 0]
    return Outburst(
        redshift=redshift,
        stretch=stretch,
        modulus=distance_modulus(redshift),
        phase=time - origin[rows.object],
        origin=origin,
        peak=peak,
        level=np.maximum(peak.max(axis=1), 1e-3),
        first=first - origin,
        last=last - origin,
        process=process,
    )


def _near_rows(owner: NDArray[np.int64], time: NDArray, n_objects: int) -> NDArray[np.bool_]:
    """Tell where on `SEARCHED` an object was observed: in a gap the surface may rise as it likes."""
    near = np.zeros((n_objects, SEARCHED.size), dtype=bool)
    place = np.round((time - SEARCHED[0]) / STEP).astype(np.int64)
    for shift in range(-NEAR, NEAR + 1):
        inside = (place + shift >= 0) & (place + shift < SEARCHED.size)
        near[owner[inside], place[inside] + shift] = True
    return near


def _smoothed(rows: Observations, rest: NDArray) -> NDArray[np.float64]:
    """Give the mean flux over the rows around each row less three standard errors, shape ``(n_rows,)``."""
    if not rest.size:
        return np.zeros(0)
    weight = 1 / (rows.error**2 + (RELATIVE * rows.flux) ** 2)
    ticks = np.round(rest * TICKS).astype(np.int64) + rows.object * 2**40  # the objects far apart on one line
    around = round(SMOOTHING * TICKS)
    ends = np.stack([np.searchsorted(ticks, ticks - around), np.searchsorted(ticks, ticks + around, "right")], axis=1)
    total, sums = (
        np.add.reduceat(np.append(part, 0.0), ends.ravel())[::2] for part in (weight, weight * rows.flux)
    )  # fmt: skip
    return sums / total - CAUTION / np.sqrt(total)
