"""Normal thermonuclear supernovae: magnitudes at knots of phase and wavelength, lines on top, stretched and coloured.

The knots are round numbers chosen by hand, and corrected by hand until the light through broad bands did what is known
of a normal supernova: B as in Goldhaber et al. (2001), the second maximum as in Nobili et al. (2005) and Folatelli et
al. (2010), B-V late along Lira's line (Phillips et al. 1999), the ultraviolet as in Brown et al. (2010), all bands to
0.1 or 0.2 mag as in Hsiao et al. (2007); they were chosen with an eye on that template, so agreement with it is no
test. Luminosity, stretch and colour go together as in Tripp (1998) and Guy et al. (2007), with the populations of
Scolnic & Kessler (2016).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from telperion.simulate.photosphere import at
from telperion.simulate.source import Array, Explosions, Parameters, Sky, explode, redshifts
from telperion.simulate.templates import KNOTS, REDDENING, SCATTER, ZERO_MAGNITUDE, Template, rising

ALPHA = 0.14
"""Mag by which one unit of x1 brightens."""

B_PEAK = -19.45
"""AB magnitude of a supernova with x1 and colour zero around 0.44 micrometre at its peak: -19.36 in B (Vega)."""

COHERENT = 0.10
"""Mag of scatter at all wavelengths at once (after Guy et al. 2010)."""

PHASES = (-18, -10, -5, 0, 5, 10, 15, 20, 25, 30, 35, 40, 50, 70, 100, 300)
"""Days from the maximum in B."""

# a row for each of PHASES; a column for each of KNOTS: mag below the peak in B
_MAGNITUDES = np.array([
    # 0.12 0.17 0.22 0.27  0.32  0.36  0.44  0.55  0.64  0.78  0.89  1.02  1.12
    [7.8, 6.6, 6.0, 3.35, 1.65, 0.95, 0.90, 1.02, 1.10, 1.40, 1.30, 1.70, 1.80],
    [6.8, 5.7, 4.9, 2.65, 1.22, 0.65, 0.60, 0.82, 0.88, 1.18, 1.20, 1.55, 1.65],
    [6.0, 5.0, 4.2, 2.15, 0.75, 0.23, 0.02, 0.35, 0.44, 0.80, 0.82, 1.12, 1.20],
    [6.4, 5.4, 4.6, 2.50, 0.90, 0.20, -0.16, 0.07, 0.23, 0.86, 0.76, 1.17, 1.20],
    [7.1, 6.0, 5.2, 3.10, 1.55, 0.50, -0.06, 0.08, 0.28, 1.07, 0.97, 1.52, 1.50],
    [7.9, 6.8, 6.0, 3.80, 2.20, 1.02, 0.33, 0.28, 0.59, 1.37, 1.16, 1.75, 1.80],
    [8.7, 7.6, 6.8, 4.65, 3.00, 1.72, 0.84, 0.56, 0.94, 1.52, 1.20, 1.76, 2.00],
    [9.4, 8.3, 7.4, 5.47, 3.85, 2.50, 1.36, 0.82, 1.07, 1.33, 1.08, 1.56, 1.90],
    [9.9, 8.7, 7.7, 5.95, 4.45, 3.14, 1.89, 1.01, 1.19, 1.18, 1.08, 1.28, 1.75],
    [10.2, 8.9, 7.9, 6.05, 4.65, 3.54, 2.25, 1.28, 1.42, 1.22, 1.25, 1.10, 1.65],
    [10.4, 9.1, 8.1, 6.10, 4.75, 3.77, 2.50, 1.60, 1.79, 1.50, 1.63, 1.19, 1.75],
    [10.5, 9.2, 8.2, 6.15, 4.85, 3.88, 2.73, 1.85, 2.11, 1.90, 2.01, 1.48, 2.00],
    [10.6, 9.3, 8.3, 6.25, 5.00, 4.05, 2.92, 2.18, 2.49, 2.37, 2.53, 1.93, 2.50],
    [11.1, 9.9, 9.0, 6.55, 5.30, 4.40, 3.20, 2.75, 3.12, 3.29, 3.40, 3.00, 3.50],
    [11.7, 10.5, 9.6, 6.95, 5.65, 4.90, 3.65, 3.58, 4.15, 4.50, 4.65, 4.50, 4.80],
    [14.7, 13.5, 12.6, 9.90, 8.70, 7.90, 6.60, 6.60, 7.40, 7.60, 7.80, 7.80, 8.00],
])  # fmt: skip

# centre and width, micrometre; mag of depth at days from the maximum, negative where the line shines
_LINES = (
    (0.375, 0.007, {-15: 0.9, 0: 0.7, 20: 0.6, 60: 0.8}),  # Ca II H and K
    (0.432, 0.009, {-10: 0.1, 5: 0.2, 20: 0.4, 60: 0.5}),  # Mg II, Fe II
    (0.486, 0.016, {-10: 0.35, 0: 0.55, 15: 0.5, 60: 0.55}),  # Fe II, Fe III, Si II
    (0.510, 0.008, {0: 0.0, 15: 0.2, 30: 0.5, 60: 0.5}),  # Fe II
    (0.540, 0.006, {-10: 0.1, 0: 0.2, 12: 0.0}),  # S II
    (0.572, 0.007, {0: 0.1, 15: 0.3, 40: 0.5, 80: 0.6}),  # Si II, later Na I
    (0.613, 0.006, {-12: 0.3, 0: 0.6, 10: 0.6, 25: 0.2, 40: 0.1}),  # Si II
    (0.650, 0.012, {5: 0.0, 20: -0.3, 40: -0.4, 100: -0.4}),  # between Fe II lines
    (0.750, 0.010, {-10: 0.1, 0: 0.2, 15: 0.2, 30: 0.0}),  # O I
    (0.820, 0.011, {-15: 0.5, -5: 0.25, 5: 0.3, 15: 0.6, 30: 1.1, 60: 1.0}),  # Ca II
    (0.870, 0.018, {-5: 0.0, 5: -0.2, 20: -0.5, 35: -0.5, 60: -0.2}),  # Ca II
)


@dataclass(frozen=True)
class NormalIa:
    """Normal supernovae of type Ia."""

    name: str = "SNIa-formula"
    label: str = "SNIa"
    galactic: bool = False

    def draw(self, sky: Sky, rng: np.random.Generator) -> Explosions:
        """Draw one supernova at each place of a sky; phase zero is the maximum in B."""
        n = len(sky)
        x1 = two_sided(rng, n, 0.973, 1.472, 0.222, -3.0, 2.0)
        colour = two_sided(rng, n, -0.054, 0.043, 0.101, -0.3, 0.5)
        return normal(sky, rng, x1, colour, redshifts(rng, n, rate, 0.02, 1.65))


def rate(z: Array) -> Array:
    """Give the rate of normal supernovae per year and cubic megaparsec (Dilday et al. 2008, Hounsell et al. 2018)."""
    return np.where(z < 1, 2.5e-5 * (1 + z) ** 1.5, 9.7e-5 * (1 + z) ** -0.5)


def normal(
    sky: Sky, rng: np.random.Generator, x1: Array, colour: Array, redshift: Array, scatter: float = 1.0
) -> Explosions:  # fmt: skip
    """Give normal supernovae of known stretch and colour, one at each place of a sky.

    Parameters
    ----------
    sky : Sky
    rng : numpy.random.Generator
    x1, colour, redshift : array, shape ``(n,)``
    scatter : float
        Share of the scatter that stretch and colour leave.
    """
    n = len(sky)
    apart = scatter * rng.normal(size=(n, len(KNOTS))) * SCATTER
    coherent = scatter * COHERENT * rng.normal(size=n)
    tint = B_PEAK + colour[:, None] * REDDENING + apart + (coherent - ALPHA * x1)[:, None]
    parameters = {
        "row": np.arange(n, dtype=float),
        "stretch": 0.98 + 0.091 * x1 + 0.003 * x1**2 - 0.00075 * x1**3,  # Guy et al. (2007)
        "age": 18.0 + scatter * rng.normal(0, 0.8, n),
        "second": 0.10 * x1 + scatter * rng.normal(0, 0.06, n),
        "lines": np.clip(1 + scatter * rng.normal(0, 0.2, n), 0.3, 1.7),
        "shift": scatter * rng.normal(0, 0.004, n),
    }

    def spectrum(given: Parameters, phase: Array, wavelength: Array) -> Array:
        day = phase / given["stretch"]
        second = given["second"] * np.exp(-(((day - 26) / 9) ** 2)) * np.clip((wavelength - 0.62) / 0.13, 0, 1)
        magnitude = at(tint, KNOTS, given["row"], np.maximum(wavelength, KNOTS[0])) - second
        magnitude += TEMPLATE(day, wavelength, given["lines"], given["shift"])
        return ZERO_MAGNITUDE * 10 ** (-0.4 * magnitude) * rising(day, given["age"], 7.0)

    return explode(
        sky, rng, spectrum, parameters, redshift=redshift, phases=(-26.0, 300.0), probes=(-8.0, -2.5, 3.0, 11.0, 25.0)
    )


def two_sided(
    rng: np.random.Generator, n: int, mode: float, left: float, right: float, low: float, high: float
) -> Array:  # fmt: skip
    """Draw from a Gaussian with another width on either side of its mode, between two limits.

    Examples
    --------
    >>> drawn = two_sided(np.random.default_rng(0), 1000, 1.0, 1.0, 0.1, -3.0, 2.0)
    >>> bool(0.2 < drawn.mean() < 0.4), bool(drawn.max() < 1.5)
    (True, True)
    """
    grid = np.linspace(low, high, 2001)
    density = np.exp(-(((grid - mode) / np.where(grid < mode, left, right)) ** 2) / 2)
    total = np.cumsum(density)
    return np.interp(rng.uniform(total[0], total[-1], n), total, grid)


TEMPLATE = Template(PHASES, KNOTS, _MAGNITUDES, _LINES)
"""Mag below the peak in B of a supernova with stretch one; multiply its light by `rising`."""
