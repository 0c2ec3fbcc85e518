"""What an exported graph reads of light curves: to hold it against the classifier, or as a model for other code."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from telperion.encode.context import GROUPS
from telperion.encode.padding import Padding
from telperion.export.surroundings import COLUMNS
from telperion.lightcurves import LightCurves


def feed(light_curves: LightCurves) -> dict[str, NDArray]:
    """Give the inputs of the form *whole*, for light curves already cut to their view.

    Parameters
    ----------
    light_curves : LightCurves
        With E(B-V) as context ``mwebv`` unless they are dereddened.

    Returns
    -------
    dict of str to array
        Rows ``(n, t)`` under the names that `LightCurves` has, ``lengths``, ``context``, ``given`` and ``ebv``.

    Raises
    ------
    ValueError
        E(B-V) is unknown for an object that has rows, and the fluxes are not dereddened.
    """
    padding = Padding(light_curves.lengths)
    columns: dict[str, tuple[NDArray, float]] = {
        "time": (light_curves.time, 0.0),
        "band": (light_curves.band.astype(np.int64), 0),
        "flux": (light_curves.flux, 0.0),
        "flux_err": (light_curves.flux_err, 1.0),
        "detected": (light_curves.detected, False),
    }
    inputs = {name: padding.fill(values, empty) for name, (values, empty) in columns.items()}
    return inputs | {"lengths": padding.lengths.astype(np.int32)} | _objects(light_curves)


def _objects(light_curves: LightCurves) -> dict[str, NDArray]:
    known = dict(light_curves.context)
    if not known.keys() & {"hostgal_specz", "hostgal_photoz"} and "redshift" in known:
        known["hostgal_specz"] = known["redshift"]
        known["hostgal_specz_err"] = known.get("redshift_err", np.full(len(light_curves), np.nan))
    unknown = np.full(len(light_curves), np.nan)
    looked = {
        "specz": "hostgal_specz" in known,
        "photoz": "hostgal_photoz" in known,
        "host": any(name.startswith("hostgal_mag_") or name == "hostgal_snsep" for name in known),
        "dust": "mwebv" in known,
    }
    given = np.array([looked[group] for group in GROUPS])
    ebv = np.zeros(len(light_curves)) if light_curves.dereddened else known.get("mwebv", unknown)
    if (missing := np.flatnonzero(np.isnan(ebv) & (light_curves.lengths > 0))).size:
        name = str(light_curves.object_id[missing[0]])
        raise ValueError(f"mwebv is unknown for {missing.size} objects, first {name!r}")
    return {
        "context": np.stack([known.get(name, unknown) for name in COLUMNS], axis=1),
        "given": np.repeat(given[None], len(light_curves), axis=0),
        "ebv": np.nan_to_num(ebv),
    }
