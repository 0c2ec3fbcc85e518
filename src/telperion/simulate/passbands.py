"""What the six bands let through, and AB fluxes through them, by a few wavelengths a band.

The throughput of a band is written as two logistic edges and a slope between them: numbers that stand for the curves of
the Rubin project (v1.9) to 8 mmag for black bodies from 5,000 to 30,000 K. Those curves can be read instead.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from telperion.bands import BANDS

NODES = 6
"""Wavelengths a band."""

# blue edge, its width, red edge, its width (nm), slope and curvature across the band
_SHAPE = np.array([
    [332.51, 3.57, 393.94, 3.46, 0.670, -0.121],
    [399.18, 2.75, 551.39, 4.91, 0.195, -0.149],
    [548.54, 3.49, 689.79, 4.54, 0.124, 0.031],
    [692.91, 5.17, 818.71, 5.45, 0.014, 0.232],
    [816.93, 4.54, 925.99, 3.76, -0.158, -0.178],
    [920.56, 3.38, 1006.74, 26.55, 0.224, -0.169],
])  # fmt: skip


@dataclass(frozen=True, eq=False)
class Passbands:
    """Wavelengths and weights by which a spectrum becomes an AB flux: the mean of f_nu, counting photons.

    Parameters
    ----------
    wavelength : array, shape ``(6, NODES)``, micrometre
    weight : array, shape ``(6, NODES)``
        Of f_nu at these; they sum to one in each band.

    Examples
    --------
    >>> bands = passbands()
    >>> (bands.wavelength * bands.weight).sum(axis=1).round(3)
    array([0.371, 0.477, 0.619, 0.754, 0.867, 0.975])
    """

    wavelength: NDArray[np.float64]
    weight: NDArray[np.float64]

    @property
    def coarse(self) -> Passbands:
        """Three wavelengths a band: where some percent do not matter."""
        weight = self.weight.reshape(len(BANDS), 3, -1)
        mean = (self.wavelength.reshape(weight.shape) * weight).sum(axis=2) / weight.sum(axis=2)
        return Passbands(mean, weight.sum(axis=2))

    @classmethod
    def from_curves(cls, curves: list[tuple[NDArray[np.float64], NDArray[np.float64]]]) -> Passbands:
        """Reduce throughput curves, pairs of wavelength (nm) and share of the light, to Gauss-Legendre-like nodes.

        Each band's photons are cut into `NODES` parts of equal number for a flat f_nu; a part's light is taken at its
        mean wavelength.
        """
        wavelength, weight = [], []
        for length, share in curves:
            photons = np.maximum(share, 0) / length
            total = np.concatenate([[0], np.cumsum((photons[1:] + photons[:-1]) / 2 * np.diff(length))])
            moment = photons * length
            first = np.concatenate([[0], np.cumsum((moment[1:] + moment[:-1]) / 2 * np.diff(length))])
            edges = np.interp(np.linspace(0, total[-1], NODES + 1), total, length)
            sums = [np.diff(np.interp(edges, length, running)) for running in (total, first)]
            wavelength.append(sums[1] / sums[0] / 1000)
            weight.append(sums[0] / sums[0].sum())
        return cls(np.array(wavelength), np.array(weight))

    @classmethod
    def read(cls, folder: str | Path) -> Passbands:
        """Read ``total_u.dat`` .. ``total_y.dat``, two columns of wavelength in nm and throughput, as Rubin gives them.

        Raises
        ------
        ValueError
            A file is missing or not such a curve.
        """
        curves = []
        for band in BANDS:
            path = Path(folder) / f"total_{band}.dat"
            if not path.is_file():
                raise ValueError(f"{folder} lacks the throughput curve {path.name}")
            length, share = np.loadtxt(path, unpack=True, ndmin=2)[:2]
            if (np.diff(length) <= 0).any() or not np.isfinite(share).all() or share.max() <= 0:
                raise ValueError(
                    f"{path} is no throughput curve: its wavelengths must rise and some light come through"
                )
            curves.append((length, share))
        return cls.from_curves(curves)


@cache
def passbands() -> Passbands:
    """Give the passbands of the formulae above."""
    return Passbands.from_curves(throughputs())


def throughputs() -> list[tuple[NDArray[np.float64], NDArray[np.float64]]]:
    """Give the formulae as curves, a pair of wavelength (nm) and relative throughput a band.

    Examples
    --------
    >>> [round(float(length[np.argmax(share)])) for length, share in throughputs()]
    [383, 519, 669, 799, 849, 961]
    """
    curves = []
    for blue, soft, red, softer, slope, curvature in _SHAPE:
        length = np.linspace(blue - 6 * soft, min(red + 6 * softer, 1090.0), 2000)
        across = (length - (blue + red) / 2) / ((red - blue) / 2)
        share = (1 + slope * across + curvature * across**2) / (1 + np.exp((blue - length) / soft))
        curves.append((length, np.maximum(share, 0) / (1 + np.exp((length - red) / softer))))
    return curves
