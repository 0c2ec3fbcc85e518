"""What an object's charts show, as plain numbers for the browser, and as sentences and tables for whoever reads."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from telperion.bands import BANDS
from telperion.portal.shown import Shown, magnitudes
from telperion.portal.words import chance, count, days, decimals

SIGMA = 5.0
"""Of what is no detection, a limit is drawn at so many standard errors."""

_ELSEWHERE = ("ra", "decl")
_WORDS = {
    "mwebv": "E(B−V)", "redshift": "redshift", "redshift_final": "redshift, final", "specz": "redshift, spectrum",
    "photoz": "redshift, photometric", "snsep": "separation, arcsec", "logmass": "log mass", "dec": "Dec, deg",
    "ra": "RA, deg", "sqradius": "squared radius", "ddf": "deep field",
}  # fmt: skip

TABLE_ROWS = 300
"""Rows of the light curve that the page lists: the latest; the file that can be fetched has all."""


def chart_data(shown: Shown) -> dict[str, Any]:
    """Give what the two charts draw; days count from `Shown.zero`.

    Returns
    -------
    dict
        ``zero`` (MJD), ``rows`` (``day``, ``band``, ``flux``, ``error``, ``detected``, columns of the light curve) and
        ``track`` (``day``, and for each leading class its ``name`` and ``chance`` at these days).
    """
    curves, track, zero = shown.curves, shown.track, shown.zero
    return {
        "object": shown.object_id,
        "zero": round(zero, 5),
        "rows": {
            "day": _rounded(curves.time - zero, 5),
            "band": curves.band.tolist(),
            "flux": _rounded(curves.flux, 2),
            "error": _rounded(curves.flux_err, 2),
            "detected": curves.detected.astype(int).tolist(),
        },
        "track": {
            "day": _rounded(track.time - zero, 5),
            "rows": track.n_rows.tolist(),
            "promised": [shown.tree.nodes[node] for node in track.confident],
            "classes": [
                {"name": shown.tree.nodes[leaf], "chance": _rounded(track.probabilities[:, leaf], 4)}
                for leaf in shown.leading
            ],
        },
    }


def light_curve_summary(shown: Shown) -> str:
    """Say in a sentence or two what the light curve shows."""
    curves = shown.curves
    if not curves.n_rows:
        return "There is no observation."
    bands = [band for place, band in enumerate(BANDS) if (curves.band == place).any()]
    span = float(curves.time[-1] - curves.time[0])
    text = f"{count(curves.n_rows, 'observation')} in {' '.join(bands)} over {days(span)}, "
    text += f"{int(curves.detected.sum()):,} of them detections."
    bright = np.flatnonzero(curves.detected & (curves.flux > 0))
    if bright.size:
        peak = bright[np.argmax(curves.flux[bright])]
        magnitude = magnitudes(curves.flux[peak : peak + 1])[0]
        since = days(float(curves.time[peak] - shown.zero))
        text += (
            f" Brightest: {decimals(magnitude)} mag in {BANDS[curves.band[peak]]}, {since} after the first detection."
        )
    return text


def track_summary(shown: Shown) -> str:
    """Say in a sentence or two how the answers went."""
    track, nodes = shown.track, shown.tree.nodes
    if not len(track):
        return "Nothing can be said yet: there is no detection."
    first, last = track.probabilities[0], track.probabilities[-1]
    begin, end = track.leaf[0], track.leaf[-1]
    text = f"{count(len(track), 'answer')}. At first {nodes[begin]} ({chance(first[begin])}), "
    return text + f"now {nodes[end]} ({chance(last[end])}), {days(float(track.days[-1]))} after the first detection."


@dataclass(frozen=True)
class Step:
    """A node that became, or ceased to be, the deepest one promised, and since when."""

    node: str
    path: str
    day: float
    now: bool


def promises(shown: Shown) -> list[Step]:
    """Give how the promised node went: an entry whenever it changed."""
    track, tree = shown.track, shown.tree
    if not len(track):
        return []
    changes = np.flatnonzero(np.diff(track.confident, prepend=-1) != 0)
    nodes = track.confident
    return [
        Step(tree.nodes[nodes[k]], path_of(shown, int(nodes[k])), float(track.days[k]), bool(k == changes[-1]))
        for k in changes
    ]


def path_of(shown: Shown, node: int) -> str:
    """Give the names from the root's children down to a node; of the root its own.

    The root stands for what is not decided yet.
    """
    above = np.flatnonzero(shown.tree.ancestors[node])
    names = [shown.tree.nodes[place] for place in above[np.argsort(shown.tree.depth[above])]]
    return " › ".join(names[1:] or names)


def table_rows(shown: Shown) -> list[dict[str, Any]]:
    """Give the latest rows of the light curve, latest first, as the page lists them."""
    curves = shown.curves
    chosen = np.arange(curves.n_rows)[::-1][:TABLE_ROWS]
    bright = magnitudes(curves.flux)
    return [
        {
            "day": float(curves.time[k] - shown.zero), "time": float(curves.time[k]), "band": BANDS[curves.band[k]],
            "flux": float(curves.flux[k]), "error": float(curves.flux_err[k]), "magnitude": float(bright[k]),
            "detected": bool(curves.detected[k]),
        }
        for k in chosen
    ]  # fmt: skip


def answer_rows(shown: Shown) -> list[dict[str, Any]]:
    """Give the answers, latest first, as the page lists them."""
    track, nodes = shown.track, shown.tree.nodes
    return [
        {
            "day": float(track.days[k]), "time": float(track.time[k]), "rows": int(track.n_rows[k]),
            "leaf": nodes[track.leaf[k]], "chance": float(track.probabilities[k, track.leaf[k]]),
            "promised": nodes[track.confident[k]],
        }
        for k in range(len(track))[::-1]
    ]  # fmt: skip


def context_rows(context: Mapping[str, NDArray[np.float64]]) -> list[tuple[str, float, float]]:
    """Give what is known of one object beside its light curve and position: names, values, errors (NaN without one).

    Examples
    --------
    >>> context_rows({"ra": np.array([5.0]), "hostgal_mag_g": np.array([19.3]), "hostgal_magerr_g": np.array([0.02])})
    [('host g, mag', 19.3, 0.02)]
    """
    known = {name: float(values[0]) for name, values in context.items() if np.isfinite(values[0])}
    rows = []
    for name, value in known.items():
        if name in _ELSEWHERE or name.endswith("_err") or "_magerr_" in name:
            continue
        error = known.get(
            f"{name}_err", known.get(name.replace("_mag_", "_magerr_"), np.nan) if "_mag_" in name else np.nan
        )
        lead, _, rest = name.partition("_")
        if lead in ("hostgal", "hostgal2") and rest:
            host = "host" if lead == "hostgal" else "second host"
            shown = f"{rest.removeprefix('mag_')}, mag" if rest.startswith("mag_") else _WORDS.get(rest, rest)
            rows.append((f"{host} {shown}", value, float(error)))
        else:
            rows.append((_WORDS.get(name, name), value, float(error)))
    return rows


def to_csv(shown: Shown) -> str:
    """Give the light curve as a file to upload again; a name that a spreadsheet would reckon with is marked."""
    curves = shown.curves
    lines = ["object_id,time,band,flux,flux_err,detected"]
    name = shown.object_id.replace('"', '""').replace("\n", " ").replace("\r", " ")
    name = f"'{name}" if name[:1] in "=+-@\t" else name
    lines += [
        f'"{name}",{curves.time[k]:.6f},{BANDS[curves.band[k]]},{curves.flux[k]:.6g},{curves.flux_err[k]:.6g},'
        f"{int(curves.detected[k])}"
        for k in range(curves.n_rows)
    ]
    return "\n".join(lines) + "\n"


def _rounded(values: NDArray[Any], places: int) -> list[float]:
    return [float(value) for value in np.asarray(values, dtype=np.float64).round(places)]
