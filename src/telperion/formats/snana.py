"""SNANA FITS, as in ELAsTiCC and ELAsTiCC2: pairs of HEAD and PHOT files, gzipped or not."""

import gzip
import io
import re
import warnings
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from telperion.bands import FLUXCAL, band_index, to_njy
from telperion.formats.rules import FormatError, check_distinct, check_ranges, naming, warn_repair, warn_without_rows
from telperion.lightcurves import LightCurves, RepairWarning

LOOKS_FOR = "a file *_HEAD.FITS[.gz] with its *_PHOT.FITS[.gz], a folder of such pairs, or a folder of such folders"

DETECTED, SATURATED = 4096, 1024
"""Bits of PHOTFLAG; a header may give another one for detections (PHOTFLAG_DETECT)."""

SEPARATOR = -777.0
"""MJD of the row that closes an object's light curve in a PHOT file."""

_HEAD = re.compile(r"(?P<stem>.+)_HEAD\.FITS(\.gz)?")
_MODEL = re.compile(r"ELASTICC2?_(TRAIN|TEST)_\d+(_\d+percent)?_(?P<model>.+)")
_IN_HEAD = ("SNID", "NOBS", "PTROBS_MIN", "PTROBS_MAX")
_IN_PHOT = ("MJD", "BAND", "PHOTFLAG", "FLUXCAL", "FLUXCALERR")
_TYPES = ("SIM_TYPE_INDEX", "SNTYPE", "SIM_TYPE_NAME")
_PLAIN = re.compile(r"\S+ 1?[BIJKED]|(?!NOBS|PTROBS|MJD|PHOT|FLUX)\S+ \d*A")  # name and TFORM of a column
_LARGEST = 4 * 2**30  # bytes of a gzipped file once unpacked
_Columns = dict[str, NDArray[Any]]
_CONTEXT = re.compile(r"RA|DEC|(MWEBV|VPEC)(_ERR)?|REDSHIFT_\w+|HOSTGAL\d*_(?!OBJID)\w+")
_RENAMED = {"DEC": "decl", "REDSHIFT_HELIO": "redshift", "REDSHIFT_HELIO_ERR": "redshift_err"}

MISSING = (
    (re.compile(r"\w*_MAG(ERR)?_[ugrizY]"), (999.0, 99.0, -9.0, -99.0, -999.0, -9999.0)),
    (re.compile(r"VPEC"), (-9999.0,)),
    (re.compile(r"\w*_LOGs?SFR|\w*_COLOR|\w*_CONFUSION"), (-99.0, -999.0, -9999.0)),
    (re.compile(r"RA|DEC|\w*_RA|\w*_DEC|\w*_SB_FLUXCAL_[ugrizY]"), (-999.0, -9999.0)),
    (re.compile(r"\w+"), (-9.0, -99.0, -999.0, -9999.0)),
)
"""The codes for "missing", by column; the first pattern that fits the whole name counts. A declination of -9, or a
specific star-formation rate of 10^-9, is a value; a redshift of -9 is not. 99 and 999 are codes of magnitudes only."""


def recognises(path: Path) -> bool:
    """Tell whether `path` is a HEAD file, or a folder that holds some, or a folder of such folders."""
    return bool(_HEAD.fullmatch(path.name)) if path.is_file() else bool(_head_files(path))


def read(path: str | Path) -> LightCurves:
    """Read simulated or real light curves that SNANA wrote as FITS.

    Fluxes are FLUXCAL (zero point 27.5) in the files, and corrected for dust in the Milky Way only if the header says
    so (MWEBV_APPLYFLAG; those of ELAsTiCC are not). Bit 4096 of PHOTFLAG marks a detection.

    Parameters
    ----------
    path : str or Path
        One ``*_HEAD.FITS`` or ``*_HEAD.FITS.gz``, a folder of such files (one model of ELAsTiCC), or a folder of such
        folders. Each needs its ``*_PHOT`` file beside it.

    Returns
    -------
    LightCurves
        Objects in the order of the files' names, called by their SNID; if two models share an SNID, all objects are
        called ``<model>_<SNID>`` and a `RepairWarning` says so.

        Context is the sky position and every MWEBV, REDSHIFT, VPEC, HOSTGAL and HOSTGAL2 column, under its own name in
        lower case, except ``decl`` (DEC), ``redshift`` and ``redshift_err`` (REDSHIFT_HELIO and its error:
        spectroscopic if known, else photometric). A code for "missing" (`MISSING`) and a column that the files of
        one model lack become NaN. Left out are the identifiers of galaxies (OBJID), which measure nothing, and all that
        a survey would not know at the time: SIM_*, PEAKMJD, SNTYPE, the times of the trigger and the last detection.

        Labels are the names of ELAsTiCC's models, taken from the folder: ``ELASTICC2_TRAIN_01_1percent_KN_K17`` holds
        "KN_K17". Elsewhere the label is SIM_TYPE_NAME; where that is unknown, SIM_TYPE_INDEX or, in real data, SNTYPE
        as a number in text; else "".

    Raises
    ------
    FormatError
        A file breaks a rule; the message names the file, the object or row, and the rule.

    Warns
    -----
    RepairWarning
        Saturated rows (bit 1024 of PHOTFLAG) are dropped; objects without rows are kept.

    Examples
    --------
    >>> read("elasticc2").label  # doctest: +SKIP
    array(['KN_K17', 'KN_K17', ..., 'SNIb-Templates'], dtype='<U14')
    """
    files = [Path(path)] if Path(path).is_file() else _head_files(Path(path))
    if not files:
        raise FormatError(f"{path}: the folder holds no file *_HEAD.FITS or *_HEAD.FITS.gz")
    pieces = {file: pair for file in files if len((pair := _read_pair(file))[0])}
    if not pieces:
        raise FormatError(f"{path}: the {len(files)} HEAD files list no objects")
    with naming(path):
        curves = LightCurves.concatenate(_distinct({file: piece for file, (piece, _) in pieces.items()}))
    dropped = np.concatenate([dropped for _, dropped in pieces.values()])
    warn_repair(path, f"PHOTFLAG has the saturation bit {SATURATED}, rows dropped", curves.object_id, dropped)
    warn_without_rows(path, curves.object_id, curves.lengths)
    return curves


def _head_files(folder: Path) -> list[Path]:
    """Find the HEAD files in a folder or, if it has none, in its folders; a plain file rather than its gzipped copy."""
    for pattern in ("*_HEAD.FITS*", "*/*_HEAD.FITS*"):
        if files := sorted(file for file in folder.glob(pattern) if _HEAD.fullmatch(file.name)):
            return [file for file in files if file.suffix != ".gz" or file.with_suffix("") not in files]
    return []


def _distinct(pieces: dict[Path, LightCurves]) -> list[LightCurves]:
    """Put the model's name before every object's if files of two models use the same SNID."""
    names = np.concatenate([piece.object_id for piece in pieces.values()])
    distinct, counts = np.unique(names, return_counts=True)
    if distinct.size == names.size:
        return list(pieces.values())
    message = f"{(counts > 1).sum()} SNIDs stand in several files, first {str(distinct[counts > 1][0])!r}"
    warnings.warn(f"{message}; objects are now called <model>_<SNID>", RepairWarning, stacklevel=3)
    return [
        replace(piece, object_id=np.char.add(f"{_model(file) or file.parent.name}_", piece.object_id))
        for file, piece in pieces.items()
    ]


def _read_pair(head_file: Path) -> tuple[LightCurves, NDArray[np.int64]]:
    """Read a HEAD file and its PHOT file; count the saturated rows dropped from each object."""
    phot_file = _phot_file(head_file)
    (head, flags), (phot, _) = _read_table(head_file, _IN_HEAD), _read_table(phot_file, _IN_PHOT)
    with naming(head_file):
        object_id = np.char.strip(head["SNID"].astype(np.str_))
        check_distinct(object_id)
        context = _read_context(head)
        check_ranges(context, object_id)
        label = _labels(head, _model(head_file))
        row, code = _rows(head, phot, object_id)
    with naming(phot_file):
        flag = phot["PHOTFLAG"].astype(np.int64)[row]
        saturated = (flag & SATURATED) != 0
        row, kept, flag = row[~saturated], code[~saturated], flag[~saturated]
        curves = LightCurves.from_codes(
            kept,
            phot["MJD"][row].astype(np.float64),
            band_index(phot["BAND"][row]),
            phot["FLUXCAL"][row].astype(np.float64) * to_njy(FLUXCAL),
            phot["FLUXCALERR"][row].astype(np.float64) * to_njy(FLUXCAL),
            (flag & (flags["PHOTFLAG_DETECT"] or DETECTED)) != 0,
            objects=object_id,
            context=context,
            label=label,
            dereddened=flags["MWEBV_APPLYFLAG"] == 1,
        )
    return curves, np.bincount(code[saturated], minlength=object_id.size)


def _phot_file(head_file: Path) -> Path:
    if (match := _HEAD.fullmatch(head_file.name)) is None:
        raise FormatError(f"{head_file}: the file is not named like *_HEAD.FITS or *_HEAD.FITS.gz")
    for suffix in ("_PHOT.FITS", "_PHOT.FITS.gz"):
        if (file := head_file.with_name(match["stem"] + suffix)).is_file():
            return file
    raise FormatError(f"{head_file}: {match['stem']}_PHOT.FITS[.gz] is missing beside it")


def _read_table(file: Path, needed: tuple[str, ...]) -> tuple[_Columns, dict[str, np.int32]]:
    """Read the table of a file, as far as it is of use here, and two flags of its primary header (0 if absent)."""
    from astropy.io import fits  # not above: `import telperion` would take a fifth of a second longer

    with naming(file), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # astropy's, of sizes and odd keywords: _columns checks what is of use here
        content = file.read_bytes()
        try:
            if content.startswith(b"\x1f\x8b"):
                with gzip.open(io.BytesIO(content)) as stream:
                    content = stream.read(min(_LARGEST, 1032 * len(content)))  # deflate's best
            with fits.open(io.BytesIO(content), memmap=False, disable_image_compression=True) as hdus:
                flags = {key: np.int32(hdus[0].header.get(key, 0)) for key in ("MWEBV_APPLYFLAG", "PHOTFLAG_DETECT")}
                header, is_table = hdus[1].header, isinstance(hdus[1], fits.BinTableHDU)
                fields = hdus[1].columns if is_table and header["TFIELDS"] < 1000 else fits.ColDefs([])  # FITS's limit
                data = np.frombuffer(content, np.uint8, offset=hdus[1].fileinfo()["datLoc"])
        except Exception as error:  # astropy raises errors of every kind on a damaged header
            raise ValueError(f"astropy cannot read it (cut short, damaged, no FITS table?): {error}") from error
        return _columns(fields, header, data, needed), flags


def _columns(fields: Any, header: Any, data: NDArray[np.uint8], needed: tuple[str, ...]) -> _Columns:
    """Take the columns that are needed, context or labels, each of shape ``(n_rows,)``, from the bytes of a table."""
    names = [str(name) for name in fields.names]
    if missing := [name for name in needed if names.count(name) != 1]:
        raise ValueError(f"columns {', '.join(missing)} are missing or repeated")
    wanted = {n: name for n, name in enumerate(names, 1) if name in (*needed, *_TYPES) or _CONTEXT.fullmatch(name)}
    changed = {n for n in wanted for key in ("TDIM", "TSCAL", "TZERO") if f"{key}{n}" in header}
    form = {n: f"{name} {header.get(f'TFORM{n}')}" for n, name in wanted.items()}
    if odd := [name for n, name in wanted.items() if n in changed or not _PLAIN.fullmatch(form[n])]:
        raise ValueError(f"columns {', '.join(odd)} are not of plain numbers or text")
    row, width, n_rows = fields.dtype.newbyteorder(">"), header.get("NAXIS1"), header.get("NAXIS2", -1)
    if width != row.itemsize or not 0 <= n_rows * width <= data.size:
        raise ValueError(f"NAXIS2 claims {n_rows} rows of {width} bytes, unlike its columns or size (cut short?)")
    rows = data[: n_rows * width].view(row)
    return {name: rows[name].astype(row[name].newbyteorder("=")) for name in wanted.values()}


def _rows(head: _Columns, phot: _Columns, object_id: NDArray[np.str_]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Follow the pointers of HEAD: the rows of PHOT in use, and the position of each one's object in HEAD."""
    start, stop, n_obs = (head[name].astype(np.int64) for name in ("PTROBS_MIN", "PTROBS_MAX", "NOBS"))
    start, n_phot = start - 1, phot["MJD"].size
    by_start = np.argsort(start, kind="stable")
    shared = np.zeros(start.size, dtype=bool)
    shared[by_start[1:]] = start[by_start[1:]] < stop[by_start[:-1]]
    for wrong, rule in (
        ((start < 0) | (stop > n_phot) | (stop < start), f"PTROBS_MIN and PTROBS_MAX leave the {n_phot} rows of PHOT"),
        (stop - start != n_obs, "PTROBS_MIN to PTROBS_MAX are not NOBS rows"),
        (shared, "PTROBS_MIN points into the rows of another object"),
    ):
        if wrong.any():
            raise ValueError(f"{rule} for {wrong.sum()} objects, first {str(object_id[np.argmax(wrong)])!r}")
    code = np.repeat(np.arange(start.size), n_obs)
    row = np.arange(code.size) + np.repeat(start - np.cumsum(n_obs) + n_obs, n_obs)
    separator = phot["MJD"].astype(np.float64) == SEPARATOR
    if (inside := np.flatnonzero(separator[row])).size:
        first = str(object_id[code[inside[0]]])
        raise ValueError(f"{inside.size} separator rows lie within light curves, first in object {first!r}")
    separator[row] = True
    if (stray := np.flatnonzero(~separator)).size:
        raise ValueError(f"{stray.size} rows of PHOT belong to no object, first row {stray[0] + 1}")
    return row, code


def _read_context(head: _Columns) -> dict[str, NDArray[np.float64]]:
    context = {}
    for name, column in head.items():
        if _CONTEXT.fullmatch(name) and column.dtype.kind not in "SU":
            codes = next(codes for pattern, codes in MISSING if pattern.fullmatch(name))
            context[_RENAMED.get(name, name.lower())] = np.where(np.isin(column, codes), np.nan, column)
    return context


def _model(head_file: Path) -> str:
    """Give the name of ELAsTiCC's model that the folder's name carries, or ""."""
    return match["model"] if (match := _MODEL.fullmatch(head_file.absolute().parent.name)) else ""


def _labels(head: _Columns, model: str) -> NDArray[np.str_]:
    """Give the label of each object, shape ``(n_objects,)``."""
    if model:
        return np.full(head["SNID"].size, model)
    label = np.full(head["SNID"].size, "", dtype="U32")
    if number := next((name for name in _TYPES[:2] if name in head), None):
        label = np.where(head[number].astype(np.int64) > 0, head[number].astype(np.str_), label)
    if "SIM_TYPE_NAME" in head:
        name = np.char.strip(head["SIM_TYPE_NAME"].astype(np.str_))
        label = np.where(np.isin(name, ("", "NULL", "UNKNOWN")), label, name)
    return label
