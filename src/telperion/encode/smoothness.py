"""How the outburst's flux goes together over time and over wavelength: the scales of a Gaussian process, by likelihood.

Flares of one temperature go together in all bands; what cools, or is a mixture of lines, does not.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from telperion.encode.gaussian_process import SOFTENING, TIME_SCALES, solve, thinned
from telperion.encode.observations import Observations
from telperion.encode.outburst import AFTER, BEFORE
from telperion.encode.segments import Segments, ratio

WAVELENGTH_SCALES = (0.2, 0.6, 1.8, 5.4)
"""In ln(wavelength): at the first the bands know nothing of one another, at the last they are one."""

MOST = 40
"""Rows used of an object (evenly thinned beyond)."""


def smoothness(rows: Observations) -> dict[str, NDArray]:
    """Scales of the process through the outburst.

    Returns
    -------
    dict of str to array, shape ``(n_objects,)``
        NaN without rows there. Scales are means of their natural logarithm over the lists, weighted by likelihood;
        ``one_colour`` and ``no_colour`` are what the likelihood loses when the bands go together or each alone.
    """
    phase, n = rows.outburst.phase, rows.n_objects
    used = np.flatnonzero((phase >= -BEFORE) & (phase < AFTER))
    used = used[thinned(Segments(rows.object[used], n), MOST)]
    groups = Segments(rows.object[used], n)
    level = np.maximum(groups.max(np.abs(rows.flux[used])), 1e-3)[groups.key]
    y, noise = rows.flux[used] / level, (rows.error[used] / level) ** 2 + SOFTENING**2
    likelihood = np.array(
        [
            [
                solve(groups, phase[used], rows.band[used], y, noise, np.full(n, time), wavelength)[0]
                for time in TIME_SCALES
            ]
            for wavelength in WAVELENGTH_SCALES
        ]
    )  # (n_wavelength_scales, n_time_scales, n_objects)
    best = likelihood.max(axis=(0, 1))
    best[groups.count() == 0] = np.nan
    chance = np.exp(likelihood - best)
    chance /= chance.sum(axis=(0, 1))
    nothing = -0.5 * groups.sum(y**2 / noise + np.log(noise))
    return {
        "time_scale": np.log(TIME_SCALES) @ chance.sum(axis=0),
        "wavelength_scale": np.log(WAVELENGTH_SCALES) @ chance.sum(axis=1),
        "one_colour": likelihood[-1].max(axis=0) - best,
        "no_colour": likelihood[0].max(axis=0) - best,
        "likelihood": ratio(best, groups.count()),
        "gain": np.log1p(np.maximum(best - nothing, 0)),
    }
