"""Random cuts of training light curves: what was known at some moment, drawn anew for each object."""

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from telperion.encode.view import FORCED, View, view
from telperion.lightcurves import LightCurves

SHORTEST_DAYS, LONGEST_DAYS = 0.4, 1500.0
"""Range from which days after the first detection are drawn, log-uniformly."""

SHORT_DAYS = 80.0
"""End of that range for objects that are to be young."""


def keep_share(light_curves: LightCurves, shares: NDArray[np.float64]) -> LightCurves:
    """Keep the first rows of each object: the given share, shape ``(n_objects,)``, rounded down, at least one.

    Examples
    --------
    >>> curves = LightCurves(["a"], [0, 4], [1.0, 2.0, 3.0, 4.0], [1] * 4, [1] * 4, [1] * 4, [True] * 4)
    >>> keep_share(curves, np.array([0.8])).time
    array([1., 2., 3.])
    """
    kept = np.maximum((shares * light_curves.lengths).astype(np.int64), 1)
    rows = light_curves.object_index
    return light_curves.select_rows(np.arange(light_curves.n_rows) - light_curves.offsets[rows] < kept[rows])


def draw_shares(light_curves: LightCurves, rng: np.random.Generator) -> tuple[LightCurves, NDArray[np.int64]]:
    """Cut each object to a share of its rows from U(0.1, 1), as ORACLE's paper says.

    Returns
    -------
    light_curves : LightCurves
    places : array of int, shape ``(n_objects, 1)``
        The last row of each object (-1 without rows).
    """
    cut = keep_share(light_curves, rng.uniform(0.1, 1, len(light_curves)))
    return cut, cut.lengths[:, None] - 1


def draw_days(
    light_curves: LightCurves, rng: np.random.Generator, kind: View, n_phases: int, *, short: float = 0.0
) -> tuple[LightCurves, NDArray[np.int64]]:
    """Cut each object at the latest of `n_phases` days after its first detection, drawn log-uniformly.

    An object draws all its days from before or all from after the moment at which forced photometry comes in, so that
    in the alert view, too, what was known at an earlier day is the beginning of what was known at a later one.

    Parameters
    ----------
    light_curves : LightCurves
    kind : {"full", "alert"}
    n_phases : int
    short : float
        Share of the objects all of whose days are below `SHORT_DAYS`: more of what is young, and less to compute.

    Returns
    -------
    light_curves : LightCurves
        The view at the latest of the days.
    places : array of int, shape ``(n_objects, n_phases)``
        The last row at each of the days (-1 without rows).
    """
    span = np.full((len(light_curves), 1), np.log(LONGEST_DAYS / SHORTEST_DAYS))
    if short:
        span[rng.random(len(light_curves)) < short] = np.log(SHORT_DAYS / SHORTEST_DAYS)
    early = np.log(FORCED / SHORTEST_DAYS) / span
    is_early = rng.random((len(light_curves), 1)) < early
    draw = rng.random((len(light_curves), n_phases))
    days = SHORTEST_DAYS * np.exp(span * np.where(is_early, draw * early, early + draw * (1 - early)))
    cut = view(light_curves, days.max(axis=1), kind)
    rows = cut.object_index
    known = cut.days_since_first_detection[:, None] <= days[rows]
    return cut, np.stack([np.bincount(rows[column], minlength=len(cut)) for column in known.T], axis=1) - 1


def perturb(light_curves: LightCurves, rng: np.random.Generator, *, noise: float, row_dropout: float) -> LightCurves:
    """Draw a variant of each object: rows left out at random, and noise added to the fluxes and their errors.

    Parameters
    ----------
    light_curves : LightCurves
    noise : float
        Added noise, in units of each row's standard error.
    row_dropout : float
        Up to which share of its rows an object loses, drawn from U(0, row_dropout); one that would lose all its
        detections keeps all its rows.
    """
    rows = light_curves.object_index
    if row_dropout:
        keep = rng.random(light_curves.n_rows) >= rng.uniform(0, row_dropout, len(light_curves))[rows]
        seen = np.bincount(rows[keep & light_curves.detected], minlength=len(light_curves)) > 0
        light_curves = light_curves.select_rows(keep | ~seen[rows])
    if not noise:
        return light_curves
    added = noise * light_curves.flux_err * rng.standard_normal(light_curves.n_rows, dtype=np.float32)
    error = light_curves.flux_err * np.float32(np.hypot(1, noise))
    return replace(light_curves, flux=light_curves.flux + added, flux_err=error)
