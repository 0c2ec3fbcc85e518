"""The six LSST bands: their order, wavelengths, zero points and dust extinction.

Every flux inside Telperion is in nanojansky (AB zero point 31.4); readers convert at the door with `to_njy`.
"""

import numpy as np
from numpy.typing import ArrayLike, NDArray

BANDS = ("u", "g", "r", "i", "z", "y")

WAVELENGTH = np.array([0.360, 0.476, 0.6215, 0.7545, 0.870, 1.015])
"""Mean wavelength of each band, shape ``(6,)``, micrometre (as in Shah et al. 2025)."""

EXTINCTION = np.array([4.15, 3.24, 2.27, 1.68, 1.32, 1.09])
"""A_band / E(B-V), shape ``(6,)``, mag: Schlafly & Finkbeiner (2011) with the Fitzpatrick (1999) law, R_V = 3.1."""

NJY = 31.4
FLUXCAL = 27.5
MICROJANSKY = 23.9
"""AB zero points: magnitude = zero point - 2.5 log10(flux)."""


def to_njy(zeropoint: float) -> float:
    """Give the factor that turns a flux with this AB zero point into nanojansky.

    Examples
    --------
    >>> round(to_njy(FLUXCAL), 4), round(to_njy(MICROJANSKY), 6)
    (36.3078, 1000.0)
    """
    return float(10 ** (0.4 * (NJY - zeropoint)))


def band_index(names: ArrayLike) -> NDArray[np.int8]:
    """Turn band names into positions in `BANDS`; "Y" is y, blanks around a name do not matter.

    Parameters
    ----------
    names : array of str, shape ``(n,)``

    Returns
    -------
    array of int8, shape ``(n,)``

    Raises
    ------
    ValueError
        A name is not one of the six bands.

    Examples
    --------
    >>> band_index(["g", "Y "])
    array([1, 5], dtype=int8)
    """
    distinct, inverse = np.unique(np.asarray(names, dtype=np.str_), return_inverse=True)
    known = {name: index for index, name in enumerate(BANDS)} | {"Y": 5}
    index = np.array([known.get(str(name).strip(), -1) for name in distinct], dtype=np.int8)[inverse.reshape(-1)]
    if (unknown := np.flatnonzero(index < 0)).size:
        first = distinct[inverse.reshape(-1)[unknown[0]]]
        raise ValueError(f"band is unknown in {unknown.size} rows, first '{first}' at row {unknown[0]}; known: ugrizy")
    return index
