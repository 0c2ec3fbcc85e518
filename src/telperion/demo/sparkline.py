"""A light curve in two lines of text."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

BLOCKS = " ▁▂▃▄▅▆▇█"
_FULL = len(BLOCKS) - 1


def sparkline(time: ArrayLike, flux: ArrayLike, flux_err: ArrayLike, width: int = 20) -> str:
    """Draw fluxes over time, the faintest at the bottom, as two lines of blocks; gaps in time are left blank.

    Parameters
    ----------
    time, flux, flux_err : array, shape ``(n_rows,)``
        Of one band.
    width : int
        Characters of a line.

    Examples
    --------
    >>> print(sparkline([0, 1, 2, 3, 9], [0, 8, 16, 12, 4], [1, 1, 1, 1, 1], width=10))
      █▄
    ▁███     ▄
    """
    when, value, weight = (np.asarray(values, dtype=float) for values in (time, flux, flux_err))
    if not when.size:
        return "\n"
    weight = 1 / np.maximum(weight, 1e-9) ** 2
    span = max(np.ptp(when), 1e-9)
    place = np.minimum(((when - when.min()) / span * width).astype(int), width - 1)
    total = np.bincount(place, weight, width)
    known = total > 0
    mean = np.bincount(place, weight * value, width)[known] / total[known]
    height = np.zeros(width, dtype=int)
    low, high = mean.min(), mean.max()
    share = (mean - low) / (high - low) if high > low else np.full(mean.size, 0.5)
    height[known] = np.clip(np.ceil(share * 2 * _FULL), 1, 2 * _FULL).astype(int)
    upper = "".join(BLOCKS[max(each - _FULL, 0)] for each in height.tolist())
    lower = "".join(BLOCKS[min(each, _FULL)] for each in height.tolist())
    return f"{upper.rstrip()}\n{lower.rstrip()}"
