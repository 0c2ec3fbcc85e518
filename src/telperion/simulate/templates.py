"""Spectra as magnitudes at knots of phase and wavelength, lines on top: what thermonuclear supernovae share."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import ArrayLike

from telperion.bands import NJY
from telperion.simulate.source import TEN_PARSEC_NJY, Array

ZERO_MAGNITUDE = 10 ** (0.4 * NJY) / TEN_PARSEC_NJY
"""Luminosity of absolute AB magnitude zero, erg/s/Hz."""

KNOTS = np.array([0.12, 0.17, 0.22, 0.27, 0.32, 0.36, 0.44, 0.55, 0.64, 0.78, 0.89, 1.02, 1.12])
"""Wavelengths of the knots, micrometre."""

REDDENING = np.array([10.0, 9.0, 7.2, 5.7, 4.7, 4.1, 3.1, 2.1, 1.55, 1.05, 0.75, 0.5, 0.4])
"""Mag by which one unit of colour, a mag of B-V, dims the light at `KNOTS` (Guy et al. 2007)."""

SCATTER = np.array([0.6, 0.5, 0.4, 0.22, 0.12, 0.06, 0.03, 0.03, 0.03, 0.04, 0.05, 0.06, 0.06])
"""Mag of scatter at each of `KNOTS` apart (after Guy et al. 2010)."""


class Template:
    """Magnitudes over phase and wavelength: a smooth surface through knots, and lines as Gaussians on it.

    Parameters
    ----------
    phases, wavelengths : array
        Knots, rising: rest-frame days, and micrometres. Beyond them the surface is held, but after the last phase it
        goes on as it went.
    magnitudes : array, shape ``(n_phases, n_wavelengths)``
    lines : sequence of (centre, width, depths)
        Micrometres, and the mag of depth at some phases; linear in between and held beyond.

    Examples
    --------
    >>> line = (0.6, 0.01, {0: 0.0, 10: 1.0})
    >>> template = Template([0, 5, 10], [0.4, 0.5, 0.8], np.zeros((3, 3)), [line])
    >>> template(np.array([10.0, 5.0, 5.0]), np.array([0.6, 0.6, 0.7])).round(2)
    array([1. , 0.5, 0. ])
    """

    STEP = 0.0025
    """Micrometres between the stored wavelengths; the stored phases are a day apart."""

    def __init__(
        self, phases: ArrayLike, wavelengths: ArrayLike, magnitudes: ArrayLike,
        lines: Sequence[tuple[float, float, Mapping[int, float]]],
    ) -> None:  # fmt: skip
        phases, wavelengths = np.asarray(phases, dtype=float), np.asarray(wavelengths, dtype=float)
        day = np.arange(phases[0], phases[-1] + 1)
        length = wavelengths[0] + self.STEP * np.arange(round((wavelengths[-1] - wavelengths[0]) / self.STEP) + 1)
        over_phase = _smooth(phases, np.asarray(magnitudes, dtype=float), day)
        self._first = float(day[0]), float(length[0])
        self._smooth = _smooth(wavelengths, over_phase.T, length).T
        self._lines = np.zeros_like(self._smooth)
        for centre, width, depths in lines:
            depth = np.interp(day, list(depths), list(depths.values()))
            self._lines += depth[:, None] * np.exp(-(((length - centre) / width) ** 2) / 2)

    def __call__(
        self, phase: Array, wavelength: Array, strength: Array | float = 1.0, shift: Array | float = 0.0
    ) -> Array:  # fmt: skip
        """Give magnitudes; the lines are this many times as deep, and bluer by this share of their wavelength."""
        smooth = self._at(self._smooth, phase, wavelength)
        return smooth + strength * self._at(self._lines, phase, wavelength * (1 + shift))

    def _at(self, grid: Array, phase: Array, wavelength: Array) -> Array:
        row = np.maximum(phase - self._first[0], 0)
        column = np.clip((wavelength - self._first[1]) / self.STEP, 0, grid.shape[1] - 1)
        i = np.minimum(row.astype(np.int64), grid.shape[0] - 2)
        j = np.minimum(column.astype(np.int64), grid.shape[1] - 2)
        down, across = row - i, column - j
        place, flat = i * grid.shape[1] + j, grid.ravel()
        upper = flat[place] * (1 - across) + flat[place + 1] * across
        place += grid.shape[1]
        lower = flat[place] * (1 - across) + flat[place + 1] * across
        return np.asarray(upper * (1 - down) + lower * down)


def rising(phase: Array, age: Array | float, scale: Array | float) -> Array:
    """Give the share of light that is out: as the square of the time since the explosion early, one late.

    Parameters
    ----------
    phase : array, days from the maximum
    age, scale : array or float, days
        From the explosion to the maximum, and until most light is out.
    """
    return -np.expm1(-((np.maximum(phase + age, 0) / scale) ** 2))


def _smooth(knots: Array, values: Array, wanted: Array) -> Array:
    """Interpolate along the first axis by cubic Hermite pieces."""
    slopes = np.gradient(values, knots, axis=0)
    k = np.clip(np.searchsorted(knots, wanted, side="right") - 1, 0, len(knots) - 2)
    width = (knots[k + 1] - knots[k])[:, None]
    share = ((wanted - knots[k]) / (knots[k + 1] - knots[k]))[:, None]
    low, high = values[k], values[k + 1]
    bend = share * (1 - share) * width * ((1 - share) * slopes[k] - share * slopes[k + 1])
    return np.asarray(low + (high - low) * share**2 * (3 - 2 * share) + bend)
