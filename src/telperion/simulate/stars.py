"""What all kinds of stars need: colours by temperature, magnitudes, draws between limits, template images."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields
from typing import Any

import numpy as np
from numpy.typing import NDArray

from telperion.bands import BANDS
from telperion.simulate.source import FIRST_PEAK, LAST_PEAK, Array, nanojansky

TEMPLATE_EPOCHS = 3
"""Visits whose mean is the template image of a star that always varies."""

STARS = np.array([
    [2650, 2.55, 1.70, 2.30, 1.25, 0.60], [2800, 2.60, 1.60, 2.00, 1.10, 0.52], [3050, 2.65, 1.54, 1.70, 0.92, 0.42],
    [3200, 2.62, 1.50, 1.45, 0.79, 0.36], [3400, 2.58, 1.48, 1.20, 0.66, 0.30], [3550, 2.55, 1.45, 1.00, 0.55, 0.26],
    [3700, 2.52, 1.42, 0.82, 0.46, 0.21], [3850, 2.50, 1.36, 0.63, 0.36, 0.17], [4400, 2.20, 1.05, 0.42, 0.24, 0.11],
    [5000, 1.75, 0.75, 0.26, 0.14, 0.07], [5500, 1.53, 0.54, 0.17, 0.07, 0.04], [5772, 1.43, 0.44, 0.12, 0.03, 0.02],
    [6200, 1.22, 0.33, 0.08, 0.00, 0.00], [6500, 1.14, 0.24, 0.04, -0.03, -0.01],
    [7000, 1.10, 0.13, -0.02, -0.08, -0.03], [7500, 1.10, 0.03, -0.07, -0.11, -0.05],
    [8500, 1.15, -0.10, -0.14, -0.15, -0.07], [9500, 1.05, -0.22, -0.20, -0.18, -0.09],
    [12000, 0.60, -0.32, -0.26, -0.21, -0.11], [20000, 0.00, -0.45, -0.33, -0.27, -0.14],
])  # fmt: skip
"""Temperature, K, and u-g, g-r, r-i, i-z, z-y of stars, AB mag: round numbers after Covey et al. (2007), West et al.
(2011) and Kraus & Hillenbrand (2007)."""


def some(drawn: Any, objects: NDArray[np.int64], whole: str = "") -> dict[str, Any]:
    """Give every field of a dataclass of arrays for some of its objects, but one that all share as a whole."""
    return {field.name: getattr(drawn, field.name)[objects] for field in fields(drawn) if field.name != whole}


def star_colours(temperature: Array) -> Array:
    """Give the magnitudes of stars relative to r, AB, shape ``(n, 6)``.

    Examples
    --------
    >>> star_colours(np.array([3200.0, 5772.0])).round(2)
    array([[ 4.12,  1.5 ,  0.  , -1.45, -2.24, -2.6 ],
           [ 1.87,  0.44,  0.  , -0.12, -0.15, -0.17]])
    """
    steps = [np.interp(np.log(temperature), np.log(STARS[:, 0]), column) for column in STARS[:, 1:].T]
    blue, green, red, far, farther = steps
    return np.stack([blue + green, green, 0 * green, -red, -red - far, -red - far - farther], axis=1)


def star_flux(rng: np.random.Generator, temperature: Array, magnitude: Array) -> Array:
    """Give the flux of stars of these r magnitudes, their colours scattered, nJy, shape ``(n, 6)``."""
    scatter = np.cumsum(rng.normal(0, 0.03, (len(temperature), len(BANDS))), axis=1)
    scatter -= scatter[:, 2:3]
    scatter[:, 0] += rng.normal(0, 0.1, len(temperature))
    return nanojansky(magnitude[:, None] + star_colours(temperature) + scatter)


def magnitudes(rng: np.random.Generator, n: int, bright: float, faint: float, slope: float = 0.08) -> Array:
    """Draw magnitudes whose number rises as ``10**(slope * magnitude)``."""
    return bright + np.log10(1 + rng.uniform(size=n) * (10 ** (slope * (faint - bright)) - 1)) / slope


def lognormal(rng: np.random.Generator, n: int, median: float, sigma: float, low: float, high: float) -> Array:
    """Draw from a log-normal distribution, sigma that of the natural logarithm, what lies between two limits."""
    drawn = rng.lognormal(np.log(median), sigma, n)
    while (beyond := np.flatnonzero((drawn < low) | (drawn > high))).size:
        drawn[beyond] = rng.lognormal(np.log(median), sigma, beyond.size)
    return drawn


def template(
    rng: np.random.Generator, n: int, flux: Callable[[NDArray[np.int64], Array, NDArray], Array],
    epochs: int = TEMPLATE_EPOCHS,
) -> Array:  # fmt: skip
    """Give the mean flux of a few random visits in each band, shape ``(n, 6)``.

    Parameters
    ----------
    flux : callable
        Of object, time and band of each visit.
    """
    shape = n, len(BANDS), epochs
    owner, band, _ = (axis.ravel() for axis in np.indices(shape))
    taken = flux(owner, rng.uniform(FIRST_PEAK, LAST_PEAK, owner.size), band)
    return np.asarray(taken.reshape(shape).mean(axis=2))
