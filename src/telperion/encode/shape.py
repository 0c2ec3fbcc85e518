"""The shape of an outburst, read off the Gaussian process: peak, rise, decline and colours, as observed and at rest."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from telperion.bands import BANDS, WAVELENGTH
from telperion.cosmology import distance_modulus
from telperion.encode.host import REDSHIFTS
from telperion.encode.observations import Observations
from telperion.encode.segments import take

GRID = np.arange(-50.0, 130.1, 2.5)
"""Days from the row with the highest signal to noise, where the process is searched for its peak."""

PHASES = np.array([-20.0, -10.0, -5.0, 0.0, 5.0, 10.0, 15.0, 20.0, 30.0, 45.0, 60.0, 90.0])
"""Days from the peak at which fluxes and colours are read."""

COLOUR_PHASES = (-10.0, 0.0, 10.0, 20.0, 30.0, 45.0)
RECENT = (2.0, 5.0, 15.0)
"""Days before the last row against which it is compared."""

LEVELS = (0.75, 0.5, 0.25, 0.1)
REST_WAVELENGTH = np.array([0.36, 0.44, 0.55, 0.65, 0.80])
REST_NAMES = ("U", "B", "V", "R", "I")
COVERED = (0.33, 1.07)
"""Micrometre: outside, a rest-frame wavelength is not observed."""

REFERENCE = 0.48
"""Micrometre at rest: the peak is sought here, or at the nearest observed wavelength."""

MARGIN = 3.0
"""Days by which the process is trusted before the first and after the last row."""

FLOOR = 0.02
"""Part of the peak flux below which a predicted flux counts as this."""


def shape(rows: Observations) -> dict[str, NDArray]:
    """Peak, widths, relative fluxes and colours in the observer's frame.

    Returns
    -------
    dict of str to array, shape ``(n_objects,)``
    """
    process, wavelengths = rows.process, np.tile(np.log(WAVELENGTH), (rows.n_objects, 1))
    time = take(rows.days, rows.peak)[:, None] + GRID
    flux = _observed(rows, time, process.predict(time, wavelengths))  # (n_objects, n_grid, 6)
    peak = _peak_time(time, flux[:, :, 1:5].sum(axis=2))
    out = {
        "time_scale": process.time_scale,
        "log_likelihood": process.log_likelihood,
        "amplitude": np.log10(process.amplitude),
        "peak_time": peak,
        "days_after_peak": take(rows.days, rows.by_object.last()) - peak,
    }
    for index in range(1, 5):
        band_peak = _peak_time(time, flux[:, :, index])
        out[f"peak_delay_{BANDS[index]}"] = band_peak - peak
        out |= _widths(BANDS[index], time, flux[:, :, index], band_peak)
    moments = peak[:, None] + PHASES
    out |= _profile(BANDS, _observed(rows, moments, process.predict(moments, wavelengths)))
    out |= _recent(rows, wavelengths)
    return out


def rest_shape(rows: Observations) -> dict[str, NDArray]:
    """Peak, widths and colours at rest-frame wavelengths and phases, with absolute magnitudes, for each redshift.

    Returns
    -------
    dict of str to array, shape ``(n_objects,)``
        NaN for an object without that redshift.
    """
    out: dict[str, NDArray] = {}
    unknown = np.full(rows.n_objects, np.nan)
    for name, column in REDSHIFTS.items():
        z = np.asarray(rows.light_curves.context.get(column, unknown), dtype=np.float64)
        known = z > 0
        stretch = np.where(known, 1 + z, np.nan)[:, None]
        wavelength = REST_WAVELENGTH * stretch
        wavelength[(wavelength < COVERED[0]) | (wavelength > COVERED[1])] = np.nan
        reference = np.log(np.clip(REFERENCE * stretch, 0.40, 0.95))
        time = take(rows.days, rows.peak)[:, None] + GRID
        flux = _observed(rows, time, rows.process.predict(time, reference))[:, :, 0]
        peak = _peak_time(time, flux)
        moments = peak[:, None] + PHASES * stretch
        at_rest = _observed(rows, moments, rows.process.predict(moments, np.log(wavelength)))
        found = _profile(REST_NAMES, at_rest) | {
            key: values / stretch[:, 0] for key, values in _widths("reference", time, flux, peak).items()
        }
        modulus = distance_modulus(np.where(known, z, np.nan)) - 2.5 * np.log10(stretch[:, 0])
        found |= {f"absolute_{band}": found.pop(f"peak_mag_{band}") - modulus for band in REST_NAMES}
        out |= {f"{key}_{name}": values for key, values in found.items()}
    return out


def _recent(rows: Observations, wavelengths: NDArray) -> dict[str, NDArray]:
    """Colours at the first detection and at the last row, and the change of brightness up to now."""
    last = take(rows.days, rows.by_object.last())
    time = np.stack([np.zeros_like(last), last, *(last - days for days in RECENT)], axis=1)
    flux = _observed(rows, time, rows.process.predict(time, wavelengths))
    floor = FLOOR * rows.process.amplitude[:, None, None]
    mag = np.where(np.isnan(flux), np.nan, -2.5 * np.log10(np.maximum(flux, np.maximum(floor, 1.0))))
    out = {}
    for step, name in ((0, "at_first"), (1, "now")):
        for blue in range(5):
            out[f"{BANDS[blue]}_{BANDS[blue + 1]}_{name}"] = mag[:, step, blue] - mag[:, step, blue + 1]
    for step, days in enumerate(RECENT):
        for band in range(1, 5):
            out[f"change_{days:.0f}_{BANDS[band]}"] = mag[:, 1, band] - mag[:, 2 + step, band]
    for band in range(1, 5):
        out[f"change_all_{BANDS[band]}"] = mag[:, 1, band] - mag[:, 0, band]
    return out


def _observed(rows: Observations, time: NDArray, flux: NDArray) -> NDArray[np.float64]:
    """Blank what lies before the first or after the last row of an object."""
    first = take(rows.days, rows.by_object.first())[:, None] - MARGIN
    last = take(rows.days, rows.by_object.last())[:, None] + MARGIN
    return np.where(((time >= first) & (time <= last))[:, :, None], flux, np.nan)


def _peak_time(time: NDArray, flux: NDArray) -> NDArray[np.float64]:
    """Time of the highest flux on the grid, refined by a parabola through its neighbours, shape ``(n_objects,)``."""
    filled = np.where(np.isnan(flux), -np.inf, flux)
    place = np.clip(np.argmax(filled, axis=1), 1, time.shape[1] - 2)
    row = np.arange(len(time))
    before, top, after = (flux[row, place + shift] for shift in (-1, 0, 1))
    bend = before - 2 * top + after
    offset = np.where(bend < 0, np.clip(0.5 * (before - after) / np.where(bend < 0, bend, 1.0), -0.5, 0.5), 0.0)
    step = time[:, 1] - time[:, 0]
    exact = time[row, place] + np.where(np.isfinite(offset), offset, 0.0) * step
    known = np.isfinite(flux).any(axis=1)
    return np.where(known, np.where(np.isfinite(top), exact, time[row, np.argmax(filled, axis=1)]), np.nan)


def _widths(name: str, time: NDArray, flux: NDArray, peak: NDArray) -> dict[str, NDArray]:
    """Days from the peak, forwards and back, until the flux has first fallen to parts of its peak value."""
    top = np.nanmax(np.where(np.isnan(flux), -np.inf, flux), axis=1)[:, None]
    out = {}
    relative = flux / np.where(top > 0, top, np.nan)
    later, earlier = time > peak[:, None], time < peak[:, None]
    for level in LEVELS:
        percent = round(100 * level)
        low = relative < level
        fallen, risen = low & later, (low & earlier)[:, ::-1]
        fall = np.take_along_axis(time, np.argmax(fallen, axis=1)[:, None], axis=1)[:, 0] - peak
        rise = peak - np.take_along_axis(time[:, ::-1], np.argmax(risen, axis=1)[:, None], axis=1)[:, 0]
        out[f"fall_{percent}_{name}"] = np.where(fallen.any(axis=1), fall, np.nan)
        out[f"rise_{percent}_{name}"] = np.where(risen.any(axis=1), rise, np.nan)
    return out


def _profile(names: tuple[str, ...], flux: NDArray) -> dict[str, NDArray]:
    """Peak magnitude, magnitudes below the peak at `PHASES`, and colours, from fluxes ``(n_objects, n_phases, n)``."""
    zero = int(np.flatnonzero(PHASES == 0)[0])
    top = flux[:, zero].copy()
    floor = FLOOR * np.nanmax(np.where(np.isnan(top), 0.0, top), axis=1)[:, None, None]
    mag = 31.4 - 2.5 * np.log10(np.maximum(flux, np.maximum(floor, 1.0)))
    mag = np.where(np.isnan(flux), np.nan, mag)
    out = {f"peak_mag_{name}": mag[:, zero, index] for index, name in enumerate(names)}
    for step, phase in enumerate(PHASES):
        if phase != 0:
            for index, name in enumerate(names):
                out[f"drop_{phase:+.0f}_{name}"] = mag[:, step, index] - mag[:, zero, index]
        if phase in COLOUR_PHASES:
            for index in range(len(names) - 1):
                out[f"{names[index]}_{names[index + 1]}_{phase:+.0f}"] = mag[:, step, index] - mag[:, step, index + 1]
    return out
