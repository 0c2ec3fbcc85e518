"""`rank`: live objects in the order in which a night's spectra are worth their time."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
from numpy.typing import ArrayLike, NDArray

from telperion.bands import BANDS
from telperion.classifier import Classifier
from telperion.encode.view import Context, days_known, held_context, keep_context
from telperion.encode.view import view as cut
from telperion.lightcurves import LightCurves, RepairWarning
from telperion.rank.forecast import Usual, forecast
from telperion.rank.telescope import Telescope
from telperion.rank.value import Aim, Sought, information, value
from telperion.rank.visibility import SITES, Site, Visibility, dark, visibility
from telperion.taxonomy import Taxonomy

Array = NDArray[np.float64]

PLANNED, BEYOND = "planned", "beyond the hours"
NOT_LIVE, NO_PLACE, NOT_UP, NO_BRIGHTNESS = "not live", "no position", "not up", "no brightness"
TOO_FAINT, WORTHLESS = "too faint", "worth nothing"


@dataclass(frozen=True)
class Observing:
    """A night at a telescope, and what is wanted of it.

    Parameters
    ----------
    night : str or float
        As `Site.midnight` takes it.
    site : Site
    telescope : Telescope
    hours : float, optional
        Of the night that there are, overheads included; by default as long as it is dark.
    sought : mapping of str to float
        Nodes that are sought and their weights; none: information on all leaves.
    aim : {"finding", "learning"}
    among : str
        See `telperion.rank.value.value`.
    bands : str
        In the brightest of these the brightness counts.
    airmass, moon : float
        The largest airmass, the least distance from the Moon in degrees.
    recent : float, d
        An object is live whose last detection is no longer ago.

    Raises
    ------
    ValueError
        A number is out of its range, or the night cannot be read.
    """

    night: str | float
    site: Site = SITES["cerro-pachon"]
    telescope: Telescope = field(default_factory=Telescope)
    hours: float | None = None
    sought: Sought = field(default_factory=dict)
    aim: Aim = "finding"
    among: str = ""
    bands: str = "gri"
    airmass: float = 2.0
    moon: float = 0.0
    recent: float = 30.0

    def __post_init__(self) -> None:
        self.site.midnight(self.night)
        least = {"hours": 0, "airmass": 1, "moon": 0, "recent": 0}
        for name, bound in least.items():
            given = getattr(self, name)
            if given is not None and not bound <= given < np.inf:
                raise ValueError(f"{name} is {given}, expected a number of at least {bound}")

    def worth(self, probabilities: ArrayLike, tree: Taxonomy) -> Array:
        """Give what knowing each object's class would be worth, shape ``(n,)``: see `telperion.rank.value.value`."""
        return value(probabilities, tree, self.sought, self.aim, self.among)


class Exposures(NamedTuple):
    """What spectra of objects would take; arrays of shape ``(n,)``, NaN where none is possible.

    Attributes
    ----------
    band : array of int
        In which the object is brightest, -1 where nothing is known.
    magnitude, error : array, mag
        The forecast for the best time.
    hours : array
        Of the exposure, without overhead.
    success : array
        The chance that it is long enough, 0 where there is none.
    """

    band: NDArray[np.int64]
    magnitude: Array
    error: Array
    hours: Array
    success: Array


def rank(
    classifier: Classifier,
    light_curves: LightCurves,
    observing: Observing,
    *,
    context: Context = "specz",
    prior: ArrayLike | None = None,
) -> pa.Table:
    """Order live objects by the expected worth of their spectra for the time that these take.

    Nothing counts that is observed after it becomes dark in that night. The score of an object is the worth of knowing
    its class, times the chance that the exposure is long enough, for an hour of exposure and overhead. The hours of the
    night are given away in that order, to each object that still fits: for such a knapsack this is within one object of
    the best. When in the night an object is taken is left to the observer.

    Parameters
    ----------
    classifier : Classifier
    light_curves : LightCurves
        With ``ra`` and ``decl`` (degrees) in the context. E(B-V) that is unknown is taken to be 0, with a warning.
    observing : Observing
    context : {"specz", "photoz", "none"}
        Which context the classifier is shown, see `telperion.encode.view.keep_context`.
    prior : array, shape ``(n_leaves,)``, optional
        The class mix among which the objects stand, where it is not that of the classifier.

    Returns
    -------
    pyarrow.Table
        A row an object, the best first; then those with no score, whose ``status`` says why. ``value`` is in bits or
        weights, ``score`` that times ``success`` an hour, ``bits_per_hour`` the same of the information; times are MJD
        (UTC); ``total_hours`` is the sum of ``hours`` of what is planned so far; then one column a node that is sought.

    Raises
    ------
    ValueError
        There are no positions, or what is sought is not as it should be.
    """
    tree, where = classifier.tree, observing.site
    observing.worth(np.ones((0, len(tree))), tree)  # before anything is worked out
    if missing := {"ra", "decl"} - light_curves.context.keys():
        raise ValueError(f"positions are needed, but the context lacks {' and '.join(sorted(missing, reverse=True))}")
    midnight = where.midnight(observing.night)
    nightfall, daybreak = dark(where, midnight)
    live = _live(light_curves, nightfall, observing.recent)
    known = cut(light_curves[live], nightfall - light_curves.first_detection[live], classifier.view)
    shown = keep_context(_dereddened(known), context)
    said = classifier.predict(shown, view="full", prior=prior)
    place = known.context["ra"], known.context["decl"]
    seen = visibility(*place, where, midnight, most_airmass=observing.airmass, from_moon=observing.moon)
    taken = exposures(known, Usual.of(said, tree), seen, nightfall, observing)
    worth, bits = observing.worth(said, tree), information(said, tree)
    cost = taken.hours + observing.telescope.overhead / 60
    rate = np.where(taken.success > 0, taken.success / cost, 0.0)
    hours = (daybreak - nightfall) * 24 if observing.hours is None else observing.hours
    order, chosen = greedy(worth * rate, cost, hours)
    status = _status(place, seen, taken, worth, chosen)
    columns: dict[str, Any] = {
        "object_id": known.object_id, "status": status, "score": worth * rate, "value": worth, "information": bits,
        "bits_per_hour": bits * rate, **_answers(classifier, shown, said, prior),
        "band": np.where(taken.band >= 0, np.array([*BANDS, ""])[taken.band], ""),
        "magnitude": taken.magnitude, "magnitude_err": taken.error,
        "best_time": seen.best, "altitude": seen.altitude, "airmass": seen.airmass, "up_from": seen.start,
        "up_until": seen.stop, "hours_up": seen.hours, "moon": seen.moon,
        "exposure_minutes": taken.hours * 60, "success": taken.success, "hours": cost,
        "total_hours": _running(order, chosen, cost),
    }  # fmt: skip
    columns |= {name: said[:, tree.index(name)] for name in observing.sought}
    table = pa.table({name: pa.array(values) for name, values in columns.items()}).take(order)
    rest = {"object_id": light_curves.object_id[~live], "status": np.full((~live).sum(), NOT_LIVE)}
    return pa.concat_tables([table, pa.table(rest)], promote_options="default")


def exposures(known: LightCurves, usual: Usual, seen: Visibility, now: ArrayLike, observing: Observing) -> Exposures:
    """Forecast brightness at each object's best time, and choose the exposures.

    Parameters
    ----------
    known : LightCurves
    usual : Usual
        Of these objects.
    seen : Visibility
    now : float or array, shape ``(n,)``, MJD
        Up to which rows count.
    observing : Observing
    """
    when = np.fmax(np.where(np.isnan(seen.best), -np.inf, seen.best), now)
    band, magnitude, error = forecast(known, when, now, usual).brightest(observing.bands)
    hours, success = observing.telescope.exposure(magnitude, error, seen.airmass, seen.hours)
    return Exposures(band, magnitude, error, hours, success)


def greedy(score: ArrayLike, cost: ArrayLike, hours: float) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """Go through objects from the highest score down, and take each that still fits.

    Parameters
    ----------
    score, cost : array, shape ``(n,)``
        Objects of no score, or of unknown cost, are not taken.
    hours : float

    Returns
    -------
    order : array of int, shape ``(n,)``
        By score, ties as they come.
    chosen : array of bool, shape ``(n,)``

    Examples
    --------
    >>> greedy([1.0, 5.0, 3.0, 0.0], [0.5, 1.0, 2.0, 0.1], 1.6)
    (array([1, 2, 0, 3]), array([ True,  True, False, False]))
    """
    score, cost = np.asarray(score, dtype=np.float64), np.asarray(cost, dtype=np.float64)
    order = np.argsort(-score, kind="stable")
    chosen, rest, left = np.zeros(score.size, dtype=bool), order[(score > 0)[order]], hours
    while (rest := rest[cost[rest] <= left]).size:
        total = np.cumsum(cost[rest])
        n = int(np.searchsorted(total, left, side="right"))
        chosen[rest[:n]], left, rest = True, left - total[n - 1], rest[n:]
    return order, chosen


def _live(light_curves: LightCurves, now: float, recent: float) -> NDArray[np.bool_]:
    """Say which objects have a detection that is recent and known."""
    rows = light_curves.detected & (light_curves.time <= now) & (light_curves.time >= now - recent)
    return np.bincount(light_curves.object_index[rows], minlength=len(light_curves)) > 0


def _dereddened(known: LightCurves) -> LightCurves:
    """Correct fluxes for dust, where some E(B-V) is unknown; else leave that to the classifier."""
    ebv = known.context.get("mwebv", np.full(len(known), np.nan))
    unknown = np.isnan(ebv) & (known.lengths > 0)
    if known.dereddened or not unknown.any():
        return known
    first = known.object_id[np.argmax(unknown)]
    warnings.warn(
        f"mwebv is unknown for {unknown.sum()} objects, first '{first}': classified as if there were no dust",
        RepairWarning, stacklevel=3,
    )  # fmt: skip
    return known.deredden(unknown=0.0)


def _running(order: NDArray[np.int64], chosen: NDArray[np.bool_], cost: Array) -> Array:
    result = np.empty_like(cost)
    result[order] = np.cumsum(np.where(chosen, cost, 0)[order])
    return result


def _status(
    place: tuple[Array, Array], seen: Visibility, taken: Exposures, worth: Array, chosen: NDArray[np.bool_]
) -> NDArray[np.str_]:
    reasons: Mapping[str, NDArray[np.bool_]] = {
        PLANNED: chosen, NO_PLACE: np.isnan(place[0] + place[1]), NOT_UP: seen.hours == 0,
        NO_BRIGHTNESS: taken.band < 0, TOO_FAINT: taken.success <= 0, WORTHLESS: worth <= 0,
    }  # fmt: skip
    return np.select(list(reasons.values()), list(reasons), BEYOND)


def _answers(
    classifier: Classifier, known: LightCurves, said: NDArray[np.floating], prior: ArrayLike | None
) -> dict[str, Any]:
    """Give the leaf with its probability and the node that is promised, or sure where nothing is."""
    tree: Taxonomy = classifier.tree
    leaf, names = classifier.decide(said, prior=prior), np.array(tree.nodes)
    if classifier.promise is None or prior is not None:
        node = tree.confident(said)
    else:
        node = classifier.promised(said, days_known(known), held_context(known))
    chance = said[np.arange(len(known)), leaf]
    return {"leaf": names[leaf], "leaf_probability": chance, "confident_node": names[node]}
