"""Supernovae of type Iax: thermonuclear, slow of ejecta, from almost as bright as normal ones to very dim.

Knots chosen by hand, see `telperion.simulate.sources.normal_ia`, after the light of SN 2005hk (Phillips et al. 2007,
Stritzinger et al. 2015); the dim ones are faster and redder, as SN 2008ha is (Foley et al. 2009). Luminosities and
rates after Foley et al. (2013) and Jha (2017), rise times after Magee et al. (2016). Their luminosity function is broad
and rises to the dim end. The lines are narrow and left out, and the dust is half of ELAsTiCC's, which is that of young
stars; the well-observed ones have little.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from telperion.simulate.photosphere import at
from telperion.simulate.source import Array, Explosions, Parameters, Sky, explode, host_dust, redshifts, star_formation
from telperion.simulate.stars import magnitudes
from telperion.simulate.templates import KNOTS, REDDENING, SCATTER, ZERO_MAGNITUDE, Template, rising

BRIGHT, DIM = -18.9, -14.2
"""Absolute V magnitudes, before dust, between which they are drawn (Foley et al. 2013)."""

SLOPE = 0.15
"""dex by which there are more of them a magnitude fainter."""

RISE = 15.5
"""Days from the explosion to the maximum in B of the template."""

PHASES = (-16, -10, -5, 0, 5, 10, 15, 20, 25, 30, 40, 60, 100, 300)
"""Days from the maximum in B."""

# a row for each of PHASES; a column for each of KNOTS: mag below the peak in V
_MAGNITUDES = np.array([
    # 0.12 0.17 0.22 0.27  0.32  0.36  0.44  0.55  0.64  0.78  0.89  1.02  1.12
    [4.6, 3.2, 2.1, 1.20, 0.65, 0.45, 0.50, 0.70, 0.90, 1.25, 1.40, 1.70, 1.80],
    [4.8, 3.4, 2.3, 1.30, 0.65, 0.38, 0.33, 0.50, 0.70, 1.05, 1.20, 1.50, 1.60],
    [5.3, 3.9, 2.7, 1.55, 0.75, 0.38, 0.07, 0.28, 0.48, 0.82, 0.95, 1.25, 1.35],
    [6.2, 4.8, 3.5, 2.20, 1.10, 0.52, -0.10, 0.06, 0.23, 0.53, 0.65, 0.93, 1.05],
    [7.2, 5.8, 4.5, 3.05, 1.80, 1.05, 0.09, 0.00, 0.08, 0.33, 0.46, 0.72, 0.85],
    [8.4, 7.0, 5.7, 4.15, 2.85, 1.95, 0.70, 0.15, 0.12, 0.27, 0.38, 0.62, 0.75],
    [9.5, 8.1, 6.8, 5.20, 3.90, 2.95, 1.53, 0.50, 0.38, 0.38, 0.46, 0.65, 0.76],
    [10.3, 8.9, 7.6, 5.90, 4.60, 3.60, 2.03, 0.86, 0.72, 0.60, 0.65, 0.78, 0.86],
    [10.7, 9.3, 8.0, 6.30, 4.95, 3.95, 2.32, 1.15, 1.00, 0.83, 0.85, 0.95, 1.02],
    [11.0, 9.6, 8.3, 6.55, 5.20, 4.20, 2.55, 1.40, 1.22, 1.04, 1.05, 1.13, 1.20],
    [11.3, 9.9, 8.6, 6.85, 5.50, 4.50, 2.85, 1.78, 1.58, 1.40, 1.40, 1.48, 1.55],
    [11.8, 10.4, 9.1, 7.35, 6.00, 4.95, 3.20, 2.30, 2.12, 1.92, 1.95, 2.05, 2.12],
    [12.5, 11.1, 9.8, 8.05, 6.70, 5.65, 3.90, 3.05, 2.85, 2.65, 2.70, 2.90, 3.00],
    [15.0, 13.6, 12.3, 10.55, 9.20, 8.20, 6.50, 5.60, 5.30, 5.10, 5.20, 5.50, 5.60],
])  # fmt: skip


@dataclass(frozen=True)
class Iax:
    """Supernovae of type Iax."""

    name: str = "SNIax-formula"
    label: str = "SNIax"
    galactic: bool = False

    def draw(self, sky: Sky, rng: np.random.Generator) -> Explosions:
        """Draw one supernova at each place of a sky; phase zero is the maximum in B."""
        n = len(sky)
        peak = magnitudes(rng, n, BRIGHT, DIM, SLOPE) + rng.normal(0, 0.12, n)
        rise = np.clip(15.6 - 1.35 * (peak + 18.0) + rng.normal(0, 1.1, n), 8.5, 17.5)
        redder = 0.07 * (peak + 18.0) + rng.normal(0, 0.08, n)
        apart = rng.normal(size=(n, len(KNOTS))) * (SCATTER + 0.05)
        parameters = {
            "row": np.arange(n, dtype=float),
            "before": rise / RISE,
            "after": np.clip((rise / RISE) ** 0.8 * rng.lognormal(0, 0.12, n), 0.5, 1.5),
            "swing": rng.normal(0, 0.12, n),
            "tail": rng.normal(0, 0.004, n),
        }
        tint = (peak + 0.02)[:, None] + redder[:, None] * (REDDENING - REDDENING[KNOTS == 0.55]) + apart

        def spectrum(given: Parameters, phase: Array, wavelength: Array) -> Array:
            day = phase / np.where(phase < 0, given["before"], given["after"])
            magnitude = at(tint, KNOTS, given["row"], np.maximum(wavelength, KNOTS[0]))
            magnitude += TEMPLATE(day, wavelength)
            magnitude += given["swing"] * np.clip(day / 15, -0.7, 1.5) * np.clip((0.55 - wavelength) / 0.11, -1.5, 2)
            magnitude += given["tail"] * np.clip(day - 25, 0, 75)
            return ZERO_MAGNITUDE * 10 ** (-0.4 * magnitude) * rising(day, RISE, 7.0)

        return explode(
            sky, rng, spectrum, parameters,
            redshift=redshifts(rng, n, star_formation, 0.02, 1.2), phases=(-18.0, 300.0),
            probes=(-8.0, -5.0, -2.0, 1.0, 5.0, 10.0), extinction=host_dust(rng, n, 0.8),
        )  # fmt: skip


TEMPLATE = Template(PHASES, KNOTS, _MAGNITUDES, [])
"""Mag below the peak in V of a supernova that rises in `RISE` days; multiply its light by `rising`."""
