"""What the fields of alert packets mean, survey by survey: Rubin, ELAsTiCC and ZTF, in the same columns."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from telperion.bands import NJY
from telperion.formats.alert_fields import Packets, Taken, bands, first_of, integers, numbers, within, without_codes
from telperion.formats.alert_rows import FLAGGED, LIMIT, WITHDRAWN, Rows, judged

USELESS = (
    "psfFlux_flag_noGoodPixels",
    "pixelFlags_saturatedCenter",
    "pixelFlags_nodataCenter",
    "pixelFlags_offimage",
    "pixelFlags_injectedCenter",
    "pixelFlags_injected_templateCenter",
)
"""Flags of a source whose flux is of no use: nothing was fitted, it is saturated, there are no data at its centre,
or it was put into the image. ``psfFlux_flag`` counts, too, unless ``psfFlux_flag_edge`` says that the fit only lacked
part of the PSF. Cosmic rays, streaks, interpolated or suspect pixels and dipoles leave a flux with an error."""


@dataclass(frozen=True)
class Survey:
    """A survey's fields, and what makes `Taken` of them.

    Parameters
    ----------
    name : str
    sign : str
        A path that tells the survey's packets from others.
    paths : tuple of str
        All that is read of a packet.
    take : callable
    """

    name: str
    sign: str
    paths: tuple[str, ...]
    take: Callable[[Packets], Taken]


def survey_of(has: Callable[[str], bool]) -> Survey:
    """Tell whose packets these are by a field that they have.

    Raises
    ------
    ValueError
        No survey's.
    """
    for survey in SURVEYS:
        if has(survey.sign):
            return survey
    signs = ", ".join(f"{survey.sign} ({survey.name})" for survey in SURVEYS)
    raise ValueError(f"this is no alert of a survey that is known; looked for the fields {signs}")


# -- Rubin and ELAsTiCC -----------------------------------------------------------------------------------------------

_RUBIN = {"time": "midpointMjdTai", "band": "band", "flux": "psfFlux", "flux_err": "psfFluxErr", "decl": "dec"}
_ELASTICC = {"time": "midPointTai", "band": "filterName", "flux": "psFlux", "flux_err": "psFluxErr", "decl": "decl"}
_FLAGS = ("psfFlux_flag", "psfFlux_flag_edge", *USELESS)
_ROW = ("visit", "detector", "timeWithdrawnMjdTai")
_SOLAR = ("ssSource", "ssObject")

_SHAPE = ("ellipticity", "sqradius", "snsep", "ra", "dec", *(f"zphot_q{part:03d}" for part in range(0, 101, 10)))
HOST = {name: name for name in ("mwebv", "mwebv_err")}
HOST |= {f"{new}{end}": f"z_final{end}" for new in ("redshift", "redshift_final") for end in ("", "_err")}
for _host in ("hostgal", "hostgal2"):
    HOST |= {f"{_host}_{name}": f"{_host}_{name}" for name in _SHAPE}
    HOST |= {
        f"{_host}_{kind}_{band.lower()}": f"{_host}_{kind}_{band}" for kind in ("mag", "magerr") for band in "ugrizY"
    }
    for _new, _old in (("specz", "zspec"), ("photoz", "zphot")):
        HOST |= {f"{_host}_{_new}{end}": f"{_host}_{_old}{end}" for end in ("", "_err")}
"""Fields of ELAsTiCC's diaObject, besides its position, by the names of the context."""

ROW_FIELDS = (*(_RUBIN[name] for name in ("time", "band", "flux", "flux_err")), *_ROW, *_FLAGS)
"""What is read of Rubin's rows, besides their ids."""

CONTEXT = ("ra", "decl", *HOST)
"""What alerts may tell of an object beside its light curve, as `telperion.formats.snana` names it."""


def _dia_paths(names: dict[str, str]) -> tuple[str, ...]:
    columns = [names[name] for name in ("time", "band", "flux", "flux_err")]
    source = [*columns, *_ROW, *_FLAGS, "diaSourceId"]
    forced = [*columns, *_ROW, "diaForcedSourceId"]
    return (
        "diaSourceId", "alertId", *_SOLAR, "diaObject.diaObjectId", "diaObject.nDiaSources",
        *(f"diaObject.{name}" for name in ("ra", names["decl"], *dict.fromkeys(HOST.values()))),
        *(f"diaSource.{name}" for name in (*source, "diaObjectId", "ra", names["decl"])),
        *(f"prvDiaSources[].{name}" for name in source), *(f"prvDiaForcedSources[].{name}" for name in forced),
    )  # fmt: skip


def _take_dia(packets: Packets, names: dict[str, str]) -> Taken:
    n = len(packets)
    key = first_of(packets, ("diaSourceId", "alertId", "diaSource.diaSourceId"))
    paths = ["diaObject.diaObjectId", "diaSource.diaObjectId"]
    if paths[0] in packets and not packets.exact(paths[0]):
        paths.reverse()
    object_id = first_of(packets, paths)
    moving = np.zeros(n, dtype=bool)
    for path in _SOLAR:
        if path in packets:
            moving |= ~packets.null(path)
    offsets = {part: packets.offsets(part) for part in ("prvDiaSources", "prvDiaForcedSources")}
    parts = [_dia_rows(packets, names, "diaSource", np.arange(n), "diaSourceId")]
    for part, identifier in (("prvDiaSources", "diaSourceId"), ("prvDiaForcedSources", "diaForcedSourceId")):
        code = np.repeat(np.arange(n), np.diff(offsets[part]))
        parts.append(_dia_rows(packets, names, f"{part}[]", code, identifier))
    known = integers(packets, "diaObject.nDiaSources", n, 0)
    ra, decl = (
        np.where(np.isnan(above := numbers(packets, f"diaObject.{name}", n)), below, above)
        for name in ("ra", names["decl"])
        for below in (numbers(packets, f"diaSource.{name}", n),)
    )
    context = {"ra": ra, "decl": decl}
    for name, field in HOST.items():
        if f"diaObject.{field}" in packets:
            context[name] = without_codes(name, packets.numbers(f"diaObject.{field}"))
    context, outside = within(context)
    return Taken(
        key,
        parts[0].source_id,
        np.where(object_id == 0, "", object_id.astype(np.str_)),
        parts[0].time,
        moving | (object_id == 0),
        known > 1 + np.diff(offsets["prvDiaSources"]),
        context,
        outside,
        judged(Rows.concatenate(parts)),
    )


def rubin_rows(packets: Packets, part: str, code: NDArray, identifier: str) -> Rows:
    """Take rows of Rubin's sources or forced photometry from wherever they stand under the names that Rubin gave them.

    Parameters
    ----------
    packets : Packets
    part : str
        Where they stand, such as ``prvDiaSources[]``.
    code : array of int, shape ``(n_rows,)``
        The alert that each is of.
    identifier : {"diaSourceId", "diaForcedSourceId"}
        Of detections, or of forced photometry.

    Returns
    -------
    Rows
        Flagged and withdrawn ones have a reason; `judged` finds the others that are of no use.
    """
    return _dia_rows(packets, _RUBIN, part, code, identifier)


def _dia_rows(packets: Packets, names: dict[str, str], part: str, code: NDArray, identifier: str) -> Rows:
    n = code.size
    reason = np.zeros(n, dtype=np.int8)
    if identifier == "diaSourceId":
        wrong = integers(packets, f"{part}.psfFlux_flag", n, 0) > 0
        wrong &= integers(packets, f"{part}.psfFlux_flag_edge", n, 0) == 0
        for flag in USELESS:
            if (path := f"{part}.{flag}") in packets:
                wrong |= packets.integers(path) > 0
        reason[wrong] = FLAGGED
    if (path := f"{part}.timeWithdrawnMjdTai") in packets:
        reason[~np.isnan(packets.numbers(path))] = WITHDRAWN
    time, flux, error = (numbers(packets, f"{part}.{names[name]}", n) for name in ("time", "flux", "flux_err"))
    with np.errstate(over="ignore"):
        flux, error = flux.astype(np.float32), error.astype(np.float32)
    return Rows(
        code,
        time,
        bands(packets, f"{part}.{names['band']}", n),
        flux,
        error,
        np.full(n, identifier == "diaSourceId"),
        integers(packets, f"{part}.{identifier}", n, 0),
        integers(packets, f"{part}.visit", n, -1),
        integers(packets, f"{part}.detector", n, -1),
        reason,
    )


# -- ZTF --------------------------------------------------------------------------------------------------------------

_JD = 2_400_000.5
_CANDIDATE = ("candid", "jd", "fid", "pid", "rcid", "isdiffpos", "magpsf", "sigmapsf")
_FP = ("jd", "fid", "pid", "rcid", "forcediffimflux", "forcediffimfluxunc", "magzpsci")
_OF_CANDIDATE = (*_CANDIDATE, "ra", "dec", "ndethist")
_ZTF_PATHS = (
    "candid",
    "objectId",
    *(f"candidate.{name}" for name in _OF_CANDIDATE),
    *(f"prv_candidates[].{name}" for name in _CANDIDATE),
    *(f"fp_hists[].{name}" for name in _FP),
)


def _take_ztf(packets: Packets) -> Taken:
    n = len(packets)
    parts = [_candidates(packets, "candidate", np.arange(n))]
    previous = np.repeat(np.arange(n), np.diff(packets.offsets("prv_candidates")))
    parts.append(_candidates(packets, "prv_candidates[]", previous))
    if "fp_hists[].forcediffimflux" in packets:
        parts.append(_forced(packets, np.repeat(np.arange(n), np.diff(packets.offsets("fp_hists")))))
    found = np.bincount(previous[parts[1].reason != LIMIT], minlength=n)
    position = {"ra": numbers(packets, "candidate.ra", n), "decl": numbers(packets, "candidate.dec", n)}
    context, outside = within(position)
    return Taken(
        first_of(packets, ("candid", "candidate.candid")),
        parts[0].source_id,
        np.char.decode(packets.texts("objectId"), "utf-8", "replace") if "objectId" in packets else np.full(n, ""),
        parts[0].time,
        np.zeros(n, dtype=bool),
        integers(packets, "candidate.ndethist", n, 0) > 1 + found,
        context,
        outside,
        judged(Rows.concatenate(parts)),
    )


def _candidates(packets: Packets, part: str, code: NDArray) -> Rows:
    """Take detections; rows without a candid are upper limits."""
    n = code.size
    candid = integers(packets, f"{part}.candid", n, 0)
    sign = np.full(n, np.nan)
    if (path := f"{part}.isdiffpos") in packets:
        text = packets.texts(path)
        sign[(text == b"t") | (text == b"1")] = 1
        sign[(text == b"f") | (text == b"0")] = -1
    magnitude, error = (numbers(packets, f"{part}.{name}", n) for name in ("magpsf", "sigmapsf"))
    with np.errstate(over="ignore"):
        flux = 10 ** (0.4 * (NJY - magnitude))
    reason = np.where(candid == 0, LIMIT, 0).astype(np.int8)
    return _ztf_rows(packets, part, code, sign * flux, flux * error * np.log(10) / 2.5, candid, reason, True)


def _forced(packets: Packets, code: NDArray) -> Rows:
    """Take forced photometry in counts, of the zero point that stands beside it (schema 4 on)."""
    n = code.size
    flux, error, zero = (numbers(packets, f"fp_hists[].{name}", n) for name in _FP[-3:])
    with np.errstate(over="ignore"):
        scale = 10 ** (0.4 * (NJY - zero))
    blank = np.zeros(n, dtype=np.int64)
    return _ztf_rows(packets, "fp_hists[]", code, flux * scale, error * scale, blank, blank.astype(np.int8), False)


def _ztf_rows(
    packets: Packets, part: str, code: NDArray, flux: NDArray, error: NDArray, source_id: NDArray, reason: NDArray,
    detected: bool,
) -> Rows:  # fmt: skip
    n = code.size
    band = integers(packets, f"{part}.fid", n, 0)
    with np.errstate(over="ignore", invalid="ignore"):
        flux, error = flux.astype(np.float32), error.astype(np.float32)
    return Rows(
        code,
        numbers(packets, f"{part}.jd", n) - _JD,
        np.where((band >= 1) & (band <= 3), band, -1).astype(np.int8),  # 1, 2, 3 are g, r, i: as in `BANDS`
        flux,
        error,
        np.full(n, detected),
        source_id,
        integers(packets, f"{part}.pid", n, -1),
        integers(packets, f"{part}.rcid", n, -1),
        reason,
    )


SURVEYS = (
    Survey("Rubin", "diaSource.psfFlux", _dia_paths(_RUBIN), lambda packets: _take_dia(packets, _RUBIN)),
    Survey("ELAsTiCC", "diaSource.psFlux", _dia_paths(_ELASTICC), lambda packets: _take_dia(packets, _ELASTICC)),
    Survey("ZTF", "candidate.magpsf", _ZTF_PATHS, _take_ztf),
)
"""In the order in which `survey_of` looks."""
