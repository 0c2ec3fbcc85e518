"""What is known of an object at a given day: its rows (full or alert view) and its context."""

from typing import Literal, get_args

import numpy as np
from numpy.typing import ArrayLike, NDArray

from telperion.lightcurves import LightCurves

View = Literal["full", "alert"]
Context = Literal["specz", "photoz", "none"]

FORCED = 1.0
"""Days after the first detection from which on forced photometry is known: it is made within 24 hours."""

HISTORY = 30.0
"""Days before the first detection to which a live alert's forced photometry reaches back."""

SPECZ = ("redshift", "redshift_err", "redshift_final", "redshift_final_err", "hostgal_specz", "hostgal_specz_err")
"""The context that needs a spectrum. ``redshift`` is the best known, so without it the photometric one takes over."""


def view(light_curves: LightCurves, days: ArrayLike = np.inf, kind: View = "full") -> LightCurves:
    """Cut light curves to what is known some days after the first detection.

    Parameters
    ----------
    light_curves : LightCurves
    days : float or array, shape ``(n_objects,)``
        Days after the first detection; an object without one keeps its rows only where `days` is infinite.
    kind : {"full", "alert"}
        *full*: every row up to then, as the published studies have it. *alert*: what a live alert tells: in the first
        night the detections alone, from the next day on forced photometry too, which reaches back at most 30 days
        before the first detection. An object without a detection raises no alert: it has no rows.

    Returns
    -------
    LightCurves
        The same objects with fewer rows.

    Raises
    ------
    ValueError
        The kind is unknown, or days are NaN.

    Examples
    --------
    >>> curves = LightCurves(["a"], [0, 4], [10.0, 50.0, 60.0, 63.0], [1, 1, 1, 1], [1, 1, 9, 2], [1, 1, 1, 1],
    ...                      [False, False, True, False])
    >>> view(curves, 2.0, "full").time, view(curves, 2.0, "alert").time, view(curves, 0.0, "alert").time
    (array([10., 50., 60.]), array([50., 60.]), array([60.]))
    """
    if kind not in get_args(View):
        raise ValueError(f"view is {kind!r}, expected one of {', '.join(get_args(View))}")
    days = np.asarray(days, dtype=np.float64)
    if np.isnan(days).any():
        raise ValueError("days must not be NaN")
    seen = light_curves if np.isposinf(days).all() else light_curves.until(days)
    if kind == "full":
        return seen
    since = seen.days_since_first_detection
    forced = np.broadcast_to(days >= FORCED, len(seen))[seen.object_index]
    return seen.select_rows(np.where(forced, since >= -HISTORY, seen.detected))


def keep_context(light_curves: LightCurves, which: Context) -> LightCurves:
    """Keep only a kind of context: ``specz`` keeps all, ``photoz`` what needs no spectrum, ``none`` nothing.

    Fluxes that are not dereddened yet are dereddened first where nothing is kept, since E(B-V) goes too.

    Examples
    --------
    >>> curves = LightCurves(["a"], [0, 1], [1.0], [1], [1.0], [1.0], [True],
    ...                      {"hostgal_specz": [0.5], "hostgal_photoz": [0.4], "mwebv": [0.1]})
    >>> sorted(keep_context(curves, "photoz").context)
    ['hostgal_photoz', 'mwebv', 'redshift']
    """
    if which not in get_args(Context):
        raise ValueError(f"context is {which!r}, expected one of {', '.join(get_args(Context))}")
    if which == "specz":
        return light_curves
    if which == "none":
        if not light_curves.dereddened and "mwebv" in light_curves.context:
            light_curves = light_curves.deredden()
        return light_curves.with_context({})
    context = {name: values for name, values in light_curves.context.items() if name not in SPECZ}
    for name, photometric in (("redshift", "hostgal_photoz"), ("redshift_err", "hostgal_photoz_err")):
        if photometric in context:
            context[name] = context[photometric]
    return light_curves.with_context(context)


def days_known(light_curves: LightCurves) -> NDArray[np.float64]:
    """Give the days after the first detection up to which objects are known, shape ``(n_objects,)``.

    That is the time from the first detection to the last row; at least one day where a row is no detection, since
    forced photometry comes a day later. 0 before the first detection, NaN without rows.

    Examples
    --------
    >>> curves = LightCurves(["a", "b", "c"], [0, 2, 3, 3], [10.0, 14.5, 9.0], [1, 1, 1], [1, 9, 1], [1, 1, 1],
    ...                      [True, False, True])
    >>> days_known(curves)
    array([4.5, 0. , nan])
    """
    result = np.full(len(light_curves), np.nan)
    filled = light_curves.lengths > 0
    last = light_curves.time[light_curves.offsets[1:][filled] - 1]
    forced = np.bincount(light_curves.object_index[~light_curves.detected], minlength=len(light_curves))[filled] > 0
    result[filled] = days_since(light_curves.first_detection[filled], last, forced)
    return result


def days_since(detection: NDArray, last: NDArray, forced: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Give `days_known` from the times of the first detection and the last row, and whether a row is no detection."""
    days = np.fmax(last - detection, np.where(forced, FORCED, 0))
    return np.where(np.isnan(last), np.nan, np.where(np.isnan(detection), 0, days))


def held_context(light_curves: LightCurves) -> NDArray[np.str_]:
    """Say which context each object really has, shape ``(n_objects,)``, in the words of `Context`.

    ``specz``: a spectroscopic redshift (``redshift``, where a table has no redshift of hosts). ``photoz``: columns of
    hosts, be they empty for this object: somebody looked. ``none``: neither.

    Examples
    --------
    >>> curves = LightCurves(["a", "b"], [0, 0, 0], [], [], [], [], [], {"hostgal_specz": [0.5, np.nan]})
    >>> held_context(curves), held_context(keep_context(curves, "none"))
    (array(['specz', 'photoz'], dtype='<U6'), array(['none', 'none'], dtype='<U6'))
    """
    context = light_curves.context
    host = any(name.startswith("hostgal_") for name in context)
    spectroscopic = "hostgal_specz" if context.keys() & {"hostgal_specz", "hostgal_photoz"} else "redshift"
    result = np.full(len(light_curves), "photoz" if host else "none", dtype="<U6")
    result[np.isfinite(context.get(spectroscopic, np.full(len(light_curves), np.nan)))] = "specz"
    return result
