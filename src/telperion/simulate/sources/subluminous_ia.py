"""Subluminous thermonuclear supernovae like SN 1991bg: faint, fast and red, with one maximum in the near infrared.

Knots chosen by hand, see `telperion.simulate.sources.normal_ia`, after the light of SN 1991bg (Filippenko et al. 1992,
Leibundgut et al. 1993), SN 1999by (Garnavich et al. 2004) and SN 2005bl (Taubenberger et al. 2008). Stretch and colour
are drawn together as Gonzalez-Gaitan et al. (2014) and Kessler et al. (2019) have them.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from telperion.simulate.photosphere import at
from telperion.simulate.source import Array, Explosions, Parameters, Sky, explode, redshifts
from telperion.simulate.templates import KNOTS, REDDENING, SCATTER, ZERO_MAGNITUDE, Template, rising

STRETCH, STRETCH_WIDTH = 0.975, 0.096
COLOUR, COLOUR_WIDTH = 0.557, 0.175
CORRELATION = -0.656
"""Of stretch and colour, B-V at maximum: the fast ones are the red ones."""

B_PEAK = -17.19
"""AB magnitude around 0.44 micrometre at the peak, for the mean colour: -17.1 in B (Vega)."""

FADING = 1.2
"""Mag in B for one mag of colour; less than dust would take, since dim and red go together by temperature."""

COHERENT = 0.2
"""Mag of scatter at all wavelengths at once."""

PHASES = (-14, -10, -5, 0, 5, 10, 15, 20, 25, 30, 40, 60, 100, 300)
"""Days from the maximum in B."""

# a row for each of PHASES; a column for each of KNOTS: mag below the peak in B
_MAGNITUDES = np.array([
    # 0.12 0.17 0.22 0.27  0.32  0.36  0.44   0.55   0.64   0.78   0.89   1.02   1.12
    [8.6, 7.1, 5.8, 3.70, 2.10, 1.60, 0.70, 0.50, 0.55, 0.75, 0.80, 1.00, 1.10],
    [8.3, 6.8, 5.5, 3.50, 1.90, 1.40, 0.40, 0.30, 0.35, 0.55, 0.60, 0.80, 0.90],
    [8.1, 6.6, 5.3, 3.35, 1.75, 1.15, 0.00, -0.08, -0.05, 0.10, 0.12, 0.35, 0.45],
    [8.4, 6.9, 5.5, 3.50, 1.85, 1.05, -0.30, -0.48, -0.53, -0.32, -0.28, -0.03, 0.00],
    [9.4, 7.9, 6.5, 4.50, 2.70, 1.70, 0.10, -0.41, -0.56, -0.48, -0.45, -0.23, -0.20],
    [10.6, 9.1, 7.7, 5.60, 3.70, 2.50, 1.09, 0.03, -0.21, -0.29, -0.36, -0.27, -0.25],
    [11.2, 9.7, 8.3, 6.20, 4.30, 3.02, 1.73, 0.44, 0.18, 0.02, -0.08, -0.03, 0.00],
    [11.6, 10.1, 8.7, 6.60, 4.65, 3.32, 2.07, 0.85, 0.60, 0.42, 0.27, 0.27, 0.30],
    [11.9, 10.4, 9.0, 6.90, 4.90, 3.57, 2.28, 1.22, 1.00, 0.82, 0.62, 0.63, 0.65],
    [12.1, 10.6, 9.2, 7.10, 5.10, 3.80, 2.48, 1.54, 1.30, 1.13, 0.97, 0.99, 1.00],
    [12.4, 10.9, 9.5, 7.40, 5.40, 4.08, 2.77, 1.95, 1.77, 1.62, 1.48, 1.55, 1.57],
    [12.9, 11.4, 10.0, 7.90, 5.90, 4.52, 3.21, 2.55, 2.42, 2.25, 2.20, 2.40, 2.45],
    [13.9, 12.4, 11.0, 8.90, 6.80, 5.40, 4.10, 3.66, 3.55, 3.35, 3.40, 3.70, 3.80],
    [17.5, 16.0, 14.6, 12.50, 10.40, 9.00, 7.70, 7.20, 7.10, 6.90, 7.00, 7.40, 7.50],
])  # fmt: skip

# centre and width, micrometre; mag of depth at days from the maximum
_LINES = (
    (0.377, 0.008, {-10: 0.8, 0: 0.7, 30: 0.7}),  # Ca II H and K
    (0.420, 0.012, {-10: 0.3, 0: 0.55, 15: 0.6, 40: 0.4}),  # Ti II
    (0.487, 0.009, {-10: 0.2, 0: 0.3, 30: 0.3}),  # Fe II, Mg II
    (0.573, 0.006, {-10: 0.25, 0: 0.3, 15: 0.4, 40: 0.5}),  # Si II, later Na I
    (0.613, 0.006, {-10: 0.4, 0: 0.6, 10: 0.5, 25: 0.1}),  # Si II
    (0.745, 0.010, {-10: 0.3, 0: 0.5, 15: 0.5, 30: 0.2}),  # O I
    (0.825, 0.011, {-10: 0.4, 0: 0.4, 15: 0.9, 40: 0.9}),  # Ca II
    (0.865, 0.016, {0: 0.0, 15: -0.3, 40: -0.3, 80: 0.0}),  # Ca II
)


@dataclass(frozen=True)
class SubluminousIa:
    """Supernovae like SN 1991bg."""

    name: str = "SNI91bg-formula"
    label: str = "SNI91bg"
    galactic: bool = False

    def draw(self, sky: Sky, rng: np.random.Generator) -> Explosions:
        """Draw one supernova at each place of a sky; phase zero is the maximum in B."""
        n = len(sky)
        fast, red = rng.multivariate_normal([0, 0], [[1, CORRELATION], [CORRELATION, 1]], n).T
        stretch = np.clip(STRETCH + STRETCH_WIDTH * fast, 0.65, 1.25)
        redder = np.clip(COLOUR + COLOUR_WIDTH * red, 0, 1) - COLOUR
        apart = rng.normal(size=(n, len(KNOTS))) * (SCATTER + 0.03)
        tint = B_PEAK + redder[:, None] * (REDDENING - REDDENING[KNOTS == 0.44] + FADING) + apart
        tint += COHERENT * rng.normal(size=n)[:, None]
        parameters = {
            "row": np.arange(n, dtype=float),
            "before": stretch * rng.lognormal(0, 0.06, n),
            "after": stretch * rng.lognormal(0, 0.05, n),
            "swing": rng.normal(0, 0.1, n),
            "lines": np.clip(rng.normal(1, 0.2, n), 0.3, 1.7),
            "shift": rng.normal(0, 0.004, n),
        }

        def spectrum(given: Parameters, phase: Array, wavelength: Array) -> Array:
            day = phase / np.where(phase < 0, given["before"], given["after"])
            magnitude = at(tint, KNOTS, given["row"], np.maximum(wavelength, KNOTS[0]))
            magnitude += TEMPLATE(day, wavelength, given["lines"], given["shift"])
            magnitude += given["swing"] * np.clip(day / 15, -0.7, 1.5) * np.clip((0.55 - wavelength) / 0.11, -1.5, 2)
            return ZERO_MAGNITUDE * 10 ** (-0.4 * magnitude) * rising(day, 13.0, 5.5)

        return explode(
            sky, rng, spectrum, parameters,
            redshift=redshifts(rng, n, rate, 0.02, 1.2), phases=(-22.0, 300.0), probes=(-5.0, -2.0, 1.0, 5.0, 9.0),
        )  # fmt: skip


def rate(z: Array) -> Array:
    """Give the rate per year and cubic megaparsec: an eighth of that of normal supernovae."""
    return 3e-6 * (1 + z) ** 1.5


TEMPLATE = Template(PHASES, KNOTS, _MAGNITUDES, _LINES)
"""Mag below the peak in B of a supernova with stretch one; multiply its light by `rising`."""
