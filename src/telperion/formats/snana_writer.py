"""Writing SNANA FITS, as the public simulations are: a pair of HEAD and PHOT files that SNANA's readers open."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from telperion.bands import FLUXCAL, to_njy
from telperion.formats.snana import DETECTED, SEPARATOR
from telperion.lightcurves import LightCurves

TRIGGER = 2048
"""Bit of PHOTFLAG at the detection that raises the alert."""

APART = 0.021
"""Days between two detections of a trigger."""

_NAMES = {"ra": "RA", "decl": "DEC", "redshift": "REDSHIFT_HELIO", "redshift_err": "REDSHIFT_HELIO_ERR"}
_LETTERS = ("u ", "g ", "r ", "i ", "z ", "Y ")
_NEVER = -9.0
_MISSING = (("_MAG", 999.0), ("ELLIPTICITY", -9999.0), ("SQRADIUS", -9999.0), ("LOGMASS", -9999.0), ("_RA", -999.0),
            ("_DEC", -999.0))  # fmt: skip


def write(light_curves: LightCurves, folder: str | Path, stem: str) -> tuple[Path, Path]:
    """Write light curves as ``STEM_HEAD.FITS.gz`` and ``STEM_PHOT.FITS.gz``; each file appears whole or not at all.

    Fluxes become FLUXCAL (zero point 27.5). PHOTFLAG is 4096 at a detection, 6144 at the one that raises the alert (the
    first that comes half an hour or more after another), else 0. The label becomes SIM_TYPE_NAME.

    Parameters
    ----------
    light_curves : LightCurves
        Fluxes are written as they are; the header says whether they are dereddened.
    folder : path
        Made where there is none.
    stem : str

    Returns
    -------
    (Path, Path)
        The two files.
    """
    from astropy.io import fits  # not above: `import telperion` would take a fifth of a second longer

    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    paths = folder / f"{stem}_HEAD.FITS.gz", folder / f"{stem}_PHOT.FITS.gz"
    for path, columns in zip(paths, (_head(light_curves), _phot(light_curves)), strict=True):
        primary = fits.PrimaryHDU()
        said: dict[str, str | int | float] = {
            "SURVEY": "LSST",
            "FILTERS": "ugrizY",
            "DATATYPE": "SIM_SNANA",
            "PHOTFILE": paths[1].name[:-3],
        }
        said |= {"MWEBV_APPLYFLAG": int(light_curves.dereddened), "PHOTFLAG_DETECT": DETECTED, "ZEROPT": FLUXCAL}
        for name, value in said.items():
            primary.header[f"HIERARCH {name}" if len(name) > 8 else name] = value
        table = fits.BinTableHDU.from_columns(
            [fits.Column(name, form, array=values) for name, (form, values) in columns.items()]
        )
        unfinished = path.with_name(f"part-{path.name}")
        fits.HDUList([primary, table]).writeto(unfinished, overwrite=True)
        unfinished.rename(path)
    return paths


def _head(curves: LightCurves) -> dict[str, tuple[str, NDArray[Any]]]:
    first, trigger = _alerts(curves)
    stop = curves.offsets[1:] + np.arange(len(curves))  # a separator follows each object
    columns: dict[str, tuple[str, NDArray[Any]]] = {
        "SNID": (f"{max(curves.object_id.itemsize // 4, 1)}A", curves.object_id),
        "SNTYPE": ("J", np.zeros(len(curves), dtype=np.int32)),
        "NOBS": ("J", curves.lengths.astype(np.int32)),
        "PTROBS_MIN": ("J", (stop - curves.lengths + 1).astype(np.int32)),
        "PTROBS_MAX": ("J", stop.astype(np.int32)),
    }
    for name, values in curves.context.items():
        column = _column(name)
        missing = next((code for part, code in _MISSING if part in column), _NEVER)
        form = "D" if column in ("RA", "DEC", "HOSTGAL_RA", "HOSTGAL_DEC") else "E"
        columns[column] = (form, np.where(np.isnan(values), missing, values))
    for name, row in (("MJD_TRIGGER", trigger), ("MJD_DETECT_FIRST", first)):
        columns[name] = ("D", np.where(row >= 0, curves.time[row] if curves.n_rows else 0.0, _NEVER))
    columns["SIM_TYPE_NAME"] = (f"{max(curves.label.itemsize // 4, 1)}A", curves.label)
    return columns


def _phot(curves: LightCurves) -> dict[str, tuple[str, NDArray[Any]]]:
    _, trigger = _alerts(curves)
    flag = np.where(curves.detected, DETECTED, 0)
    flag[trigger[trigger >= 0]] |= TRIGGER
    ends = curves.offsets[1:]
    scale = to_njy(FLUXCAL)
    columns: dict[str, tuple[str, NDArray[Any], Any]] = {
        "MJD": ("D", curves.time, SEPARATOR),
        "BAND": ("2A", np.array(_LETTERS)[curves.band], "- "),
        "PHOTFLAG": ("J", flag.astype(np.int32), 0),
        "FLUXCAL": ("E", curves.flux / scale, 0.0),
        "FLUXCALERR": ("E", curves.flux_err / scale, 0.0),
        "ZEROPT": ("E", np.full(curves.n_rows, FLUXCAL), 0.0),
    }
    return {name: (form, np.insert(values, ends, between)) for name, (form, values, between) in columns.items()}


def _column(name: str) -> str:
    stem, _, last = name.rpartition("_")
    if len(last) == 1 and last in "ugrizy" and stem:
        return f"{stem.upper()}_{'Y' if last == 'y' else last}"
    return _NAMES.get(name, name.upper())


def _alerts(curves: LightCurves) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Give the rows of each object's first detection and of the one that raises its alert, -1 where there is none."""
    found = []
    ready = curves.detected
    for _ in range(2):
        rows = np.flatnonzero(ready)[::-1]
        first = np.full(len(curves), -1)
        first[curves.object_index[rows]] = rows
        found.append(first)
        since = np.where(first >= 0, curves.time[first] if curves.n_rows else 0.0, np.inf)
        ready = curves.detected & (curves.time >= since[curves.object_index] + APART)
    return found[0], found[1]
