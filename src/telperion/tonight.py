"""`score_sky`: the objects of a sky in the order in which spectra of them are worth their time tonight."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from telperion.followup import LEAST, followed
from telperion.rank.forecast import Usual
from telperion.rank.plan import Observing, exposures
from telperion.rank.visibility import SITES, Site, dark, visibility
from telperion.serve.sky import Sky
from telperion.serve.sky_rows import Several
from telperion.serve.sky_sink import SkySink
from telperion.taxonomy import Taxonomy

UNIX = 40_587
"""MJD at which Unix time begins."""

_LIVE = 2.0  # days since the latest alert for which a sky is of now
_AT_ONCE = 5000


def score_sky(folder: str | Path, observing: Observing | None = None) -> int:
    """Give all live objects of a sky the score that `telperion.rank.plan.rank` would, by the answers that they have.

    Rows up to the latest alert count, of tonight too. Objects that are too faint for the telescope stand behind the
    others, as if the chance of success were `telperion.followup.LEAST`; those that are not up, not live, or of
    unknown place or brightness have 0. Alerts that come later have a score of their own (see
    `telperion.serve.sky_messages.first_score`) until the next time, 0 where the object is not up.

    Parameters
    ----------
    folder : path
    observing : Observing, optional
        By default `usual`.

    Returns
    -------
    int
        Objects that are live.

    Raises
    ------
    ValueError
        There is no sky, or what is sought is not in its tree.
    telperion.serve.store_error.StoreError
        It cannot be written.
    """
    sky = Sky(folder)
    observing = observing or usual(sky)
    observing.worth(np.ones((0, len(sky.nodes))), sky.tree)  # before anything is worked out
    midnight = observing.site.midnight(observing.night)
    nightfall, _ = dark(observing.site, midnight)
    since, n_live, sink = nightfall - observing.recent, 0, SkySink(folder)
    try:
        sink.silence(since)
        for part in sky.several(since, at_once=_AT_ONCE):
            score, up = scores(part, sky.tree, observing)
            names, alerts = part.light_curves.object_id.tolist(), part.alert_id.tolist()
            sink.score(list(zip(names, alerts, score.tolist(), up.tolist(), strict=True)))
            n_live += len(names)
    finally:
        sink.close()
    return n_live


def tonight(sky: Sky, now: Callable[[], float] = time.time) -> float:
    """Say which night it is for a sky, MJD: now where alerts come, and the latest alert's in a sky of the past.

    Parameters
    ----------
    sky : Sky
    now : callable
        Unix time, seconds.
    """
    moment, latest = now() / 86_400 + UNIX, sky.latest_alert()
    return moment if math.isnan(latest) or abs(moment - latest) < _LIVE else latest


def usual(sky: Sky, site: Site = SITES["cerro-pachon"]) -> Observing:
    """Give what is wanted unless somebody says otherwise: information on transients, in the night that `tonight` says.

    Parameters
    ----------
    sky : Sky
    site : Site
    """
    return Observing(tonight(sky), site, among=followed(sky.tree))


def scores(part: Several, tree: Taxonomy, observing: Observing) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Score objects by what is said of them.

    Parameters
    ----------
    part : Several
    tree : Taxonomy
    observing : Observing

    Returns
    -------
    score : array, shape ``(n_objects,)``
        Bits or weights an hour, see `telperion.rank.value.value`.
    up : array, shape ``(n_objects,)``
        1 for objects that can be observed in that night, else 0.
    """
    curves, telescope = part.light_curves, observing.telescope
    midnight = observing.site.midnight(observing.night)
    nightfall, _ = dark(observing.site, midnight)
    seen = visibility(
        curves.context["ra"], curves.context["decl"], observing.site, midnight,
        most_airmass=observing.airmass, from_moon=observing.moon,
    )  # fmt: skip
    now = np.fmax(nightfall, part.alert_time)
    taken = exposures(curves, Usual.of(part.probabilities, tree), seen, now, observing)
    worth = observing.worth(part.probabilities, tree)
    overhead = telescope.overhead / 60
    rate = np.where(taken.success > 0, taken.success / (taken.hours + overhead), 0.0)
    faint = (taken.success <= 0) & (taken.band >= 0) & (seen.hours > 0)
    rate[faint] = LEAST / (telescope.hours(taken.magnitude[faint], seen.airmass[faint]) + overhead)
    last = np.full(len(curves), -np.inf)
    np.maximum.at(last, curves.object_index[curves.detected], curves.time[curves.detected])
    live = last >= nightfall - observing.recent
    return np.where(live, worth * rate, 0.0), (seen.hours > 0).astype(np.float64)
