"""Farther, noisier and sparser copies of real light curves: more examples to learn from, at honest signal to noise.

The idea is Boone's (2019), without his interpolation: a copy keeps the object's own epochs, is dimmed (for an object
with a redshift: moved out to where that dimming puts it), gets the noise that its errors call for, loses nights, and is
detected anew with the efficiency of the survey. Its first detection is later, so its early light curve is another one.
"""

from __future__ import annotations

from dataclasses import replace
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from telperion.cosmology import distance_modulus, redshift_at
from telperion.encode.observations import NIGHT
from telperion.lightcurves import LightCurves

HALF_DETECTED, SOFTNESS = 5.55, 1.0
"""Signal to noise at which half the rows are detections, and the width of the step (measured on PLAsTiCC)."""

FARTHEST = 0.08
"""Largest change of ln(1 + z): half the distance of two bands, so that no band needs to be interpolated."""

REDSHIFTS = ("hostgal_specz", "redshift", "hostgal_photoz")


def resample(
    light_curves: LightCurves, rng: np.random.Generator | int, dimming: float = 1.0, thinning: float = 0.4
) -> LightCurves:
    """Draw one copy of every object.

    Parameters
    ----------
    light_curves : LightCurves
    rng : numpy.random.Generator or int
        A number draws that copy of each object from its name alone: the same one in any company.
    dimming : float, mag
        An object is dimmed by up to this, drawn uniformly.
    thinning : float
        An object loses up to this share of its nights, drawn uniformly.

    Returns
    -------
    LightCurves
        The same objects in the same order; one that would be left with fewer than two detections is unchanged.

    Examples
    --------
    >>> curve = LightCurves.from_rows(["a"] * 2, [0.0, 3.0], [1, 2], [5e4, 9e4], [90.0, 90.0], [True, True])
    >>> bool((resample(curve, np.random.default_rng(0), thinning=0.0).flux <= curve.flux).all())
    True
    """
    n, owner = len(light_curves), light_curves.object_index
    drawn = _draw(light_curves, rng)
    stretch, magnitudes = _stretch(light_curves, dimming * drawn.dimming)
    factor = 10 ** (-0.4 * magnitudes)[owner]
    noise = light_curves.flux_err * np.sqrt(1 - factor**2) * drawn.noise
    flux = light_curves.flux * factor + noise
    efficiency = _efficiency(flux / light_curves.flux_err) / _efficiency(light_curves.flux / light_curves.flux_err)
    detected = light_curves.detected & (drawn.detection < efficiency)
    keep = drawn.night[_night(light_curves)] >= thinning * drawn.thinning[owner]
    fails = np.bincount(owner, weights=detected & keep, minlength=n) < 2
    first = np.where(np.isnan(light_curves.first_detection), 0.0, light_curves.first_detection)
    time = first[owner] + (light_curves.time - first[owner]) * stretch[owner]
    unchanged = fails[owner]
    copy = replace(
        light_curves,
        time=np.where(unchanged, light_curves.time, time),
        flux=np.where(unchanged, light_curves.flux, flux),
        detected=np.where(unchanged, light_curves.detected, detected),
        context=_context(light_curves, np.where(fails, 1.0, stretch)),
    )
    return copy.select_rows(keep | unchanged)


class _Drawn(NamedTuple):
    """What chance decides of a copy: two numbers an object, three a row; those of ``night`` go night by night."""

    dimming: NDArray[np.float64]
    noise: NDArray[np.float64]
    detection: NDArray[np.float64]
    night: NDArray[np.float64]
    thinning: NDArray[np.float64]


def _draw(light_curves: LightCurves, rng: np.random.Generator | int) -> _Drawn:
    n, n_rows = len(light_curves), light_curves.n_rows
    if isinstance(rng, np.random.Generator):
        return _Drawn(rng.random(n), rng.standard_normal(n_rows), rng.random(n_rows), rng.random(n_rows), rng.random(n))
    drawn = _Drawn(np.empty(n), np.empty(n_rows), np.empty(n_rows), np.empty(n_rows), np.empty(n))
    night = np.append(_night(light_curves), n_rows)
    for k, name in enumerate(light_curves.object_id):
        start, stop = light_curves.offsets[k], light_curves.offsets[k + 1]
        its = np.random.default_rng([rng, *str(name).encode()])
        drawn.dimming[k], drawn.thinning[k] = its.random(2)
        drawn.noise[start:stop] = its.standard_normal(stop - start)
        drawn.detection[start:stop] = its.random(stop - start)
        nights = drawn.night[night[start] : night[start] + stop - start]  # the next object overwrites what is its own
        nights[:] = its.random(nights.size)
    return drawn


def _stretch(light_curves: LightCurves, magnitudes: NDArray) -> tuple[NDArray, NDArray]:
    """(1 + z') / (1 + z) of the farther copy, 1 without a redshift, and the dimming that it really has."""
    unknown = np.full(len(light_curves), np.nan)
    z = np.asarray(light_curves.context.get("hostgal_specz", light_curves.context.get("redshift", unknown)))
    z = np.where(z > 0, z, np.nan)
    modulus = distance_modulus(z)
    farther = np.minimum(redshift_at(modulus + magnitudes), (1 + z) * np.exp(FARTHEST) - 1)
    known = np.isfinite(farther)
    stretch = np.where(known, (1 + farther) / (1 + z), 1.0)
    return np.maximum(stretch, 1.0), np.where(known, np.maximum(distance_modulus(farther) - modulus, 0.0), magnitudes)


def _efficiency(snr: NDArray) -> NDArray[np.float64]:
    """Chance that a row of this signal to noise is a detection."""
    return 1 / (1 + np.exp(-(np.abs(snr) - HALF_DETECTED) / SOFTNESS))


def _night(light_curves: LightCurves) -> NDArray[np.int64]:
    """Count the nights of all objects: the number of each row's, shape ``(n_rows,)``."""
    new = np.ones(light_curves.n_rows, dtype=bool)
    new[1:] = (np.diff(light_curves.time) > NIGHT) | (np.diff(light_curves.object_index) > 0)
    return np.cumsum(new) - 1


def _context(light_curves: LightCurves, stretch: NDArray) -> dict[str, NDArray]:
    context = dict(light_curves.context)
    for name in REDSHIFTS:
        if name in context:
            context[name] = (1 + context[name]) * stretch - 1
    return context
