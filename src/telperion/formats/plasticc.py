"""PLAsTiCC, the classification challenge of 2018, as released on Zenodo: a light-curve file and a metadata file."""

import re
from pathlib import Path

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from telperion.bands import FLUXCAL, to_njy
from telperion.formats.delimited import column_names, numbers, read_columns
from telperion.formats.rules import FormatError, check_distinct, check_ranges, naming, warn_without_rows
from telperion.lightcurves import LightCurves

LOOKS_FOR = "plasticc_train_lightcurves.csv[.gz] with plasticc_train_metadata.csv[.gz] beside it, or their folder"

_FILE = re.compile(r"(?P<set>.+)_lightcurves(?P<batch>_\d+)?\.csv(\.gz)?")
_ROWS = {
    "object_id": pa.int64(),
    "mjd": pa.float64(),
    "passband": pa.int8(),
    "flux": pa.float64(),
    "flux_err": pa.float64(),
    "detected_bool": pa.bool_(),
}
_METADATA = {
    "object_id": pa.int64(),
    "ra": pa.float64(),
    "decl": pa.float64(),
    "ddf_bool": pa.bool_(),
    "hostgal_specz": pa.float64(),
    "hostgal_photoz": pa.float64(),
    "hostgal_photoz_err": pa.float64(),
    "mwebv": pa.float64(),
}
_TARGETS = ("true_target", "target")


def recognises(path: Path) -> bool:
    """Tell whether `path` is a PLAsTiCC light-curve file or a folder that has one."""
    return bool(_FILE.fullmatch(path.name)) if path.is_file() else bool(_light_curve_files(path))


def read(path: str | Path) -> LightCurves:
    """Read a PLAsTiCC light-curve file and its metadata, plain or gzipped.

    Fluxes are FLUXCAL (zero point 27.5) in the files and already corrected for dust in the Milky Way.

    Parameters
    ----------
    path : str or Path
        A file ``<set>_lightcurves.csv``, with ``<set>_metadata.csv`` beside it, or a folder with one such file (of
        several, the one with "train" in its name). Of a numbered batch, such as ``plasticc_test_lightcurves_01.csv``,
        the objects with rows in that batch are read.

    Returns
    -------
    LightCurves
        Labels are the target numbers as text ("90" is a SN Ia). Context: ``ra``, ``decl``, ``ddf``, ``mwebv``,
        ``hostgal_specz``, ``hostgal_photoz``, ``hostgal_photoz_err``, and ``redshift`` (``hostgal_specz``, where
        unknown ``hostgal_photoz``) with ``redshift_err`` (unknown for spectroscopic ones). A redshift of 0 means
        none and becomes NaN. In the training set ``hostgal_specz`` is the *true* redshift of every extragalactic
        object, which a survey would not have: a figure that rests on it must say so. The distance modulus is left
        out, a function of ``hostgal_photoz``.

    Raises
    ------
    FormatError
        A file breaks a rule; the message names the file, the object or row, and the rule.

    Warns
    -----
    RepairWarning
        Objects of the metadata that have no rows are kept without.

    Examples
    --------
    >>> read("plasticc")  # doctest: +SKIP
    LightCurves(5852 objects, 1058182 rows, dereddened, context: ra, decl, ddf, mwebv, hostgal_specz, ...)
    """
    file = _choose(Path(path))
    metadata_file = _metadata_file(file)
    object_id, context, label = _read_metadata(metadata_file)
    table = read_columns(file, _ROWS)
    with naming(file):
        code = _position(numbers(table, "object_id"), object_id, metadata_file.name)
        if _is_batch(file):
            present = np.unique(code)
            code = np.searchsorted(present, code)
            object_id, context = object_id[present], {name: values[present] for name, values in context.items()}
            label = None if label is None else label[present]
        curves = LightCurves.from_codes(
            code,
            numbers(table, "mjd"),
            numbers(table, "passband"),
            numbers(table, "flux") * to_njy(FLUXCAL),
            numbers(table, "flux_err") * to_njy(FLUXCAL),
            numbers(table, "detected_bool"),
            objects=object_id,
            context=context,
            label=label,
            dereddened=True,
        )
    warn_without_rows(metadata_file, curves.object_id, curves.lengths)
    return curves


def _light_curve_files(folder: Path) -> list[Path]:
    """Find the light-curve files of a folder; of a plain and a gzipped copy the plain one."""
    files = sorted(file for file in folder.glob("*_lightcurves*.csv*") if _FILE.fullmatch(file.name))
    return [file for file in files if file.suffix != ".gz" or file.with_suffix("") not in files]


def _choose(path: Path) -> Path:
    if path.is_file():
        if not _FILE.fullmatch(path.name):
            raise FormatError(f"{path}: the file is not named like plasticc_train_lightcurves.csv")
        return path
    files = _light_curve_files(path)
    chosen = [file for file in files if "train" in file.name] if len(files) > 1 else files
    if len(chosen) != 1:
        found = ", ".join(file.name for file in files) or "none"
        raise FormatError(f"{path}: the folder does not hold one training set of light curves; found {found}")
    return chosen[0]


def _is_batch(file: Path) -> bool:
    match = _FILE.fullmatch(file.name)
    return match is not None and match["batch"] is not None


def _metadata_file(file: Path) -> Path:
    stem = file.name[: file.name.rindex("_lightcurves")] + "_metadata.csv"
    for name in (stem, stem + ".gz"):
        if (file.parent / name).is_file():
            return file.parent / name
    raise FormatError(f"{file}: {stem}[.gz] is missing beside it")


def _read_metadata(file: Path) -> tuple[NDArray[np.int64], dict[str, NDArray[np.float64]], NDArray[np.str_] | None]:
    """Give object ids, context and labels, in the order of the file."""
    found = column_names(file)
    target = next((name for name in _TARGETS if name in found), None)
    table = read_columns(file, _METADATA | ({target: pa.int64()} if target else {}))
    object_id = numbers(table, "object_id")
    context = {name.removesuffix("_bool"): numbers(table, name).astype(np.float64) for name in _METADATA}
    del context["object_id"]
    _add_redshift(context)
    with naming(file):
        check_distinct(object_id)
        check_ranges(context, object_id.astype(np.str_))
    return object_id, context, numbers(table, target).astype(np.str_) if target else None


def _add_redshift(context: dict[str, NDArray[np.float64]]) -> None:
    """Turn the codes for no redshift, 0 and -9, into NaN; add the best redshift."""
    for name in ("hostgal_specz", "hostgal_photoz"):
        context[name] = np.where(np.isin(context[name], (0.0, -9.0)), np.nan, context[name])
    specz, photoz = context["hostgal_specz"], context["hostgal_photoz"]
    context["hostgal_photoz_err"] = np.where(np.isnan(photoz), np.nan, context["hostgal_photoz_err"])
    context["redshift"] = np.where(np.isnan(specz), photoz, specz)
    context["redshift_err"] = np.where(np.isnan(specz), context["hostgal_photoz_err"], np.nan)


def _position(row_id: NDArray[np.int64], object_id: NDArray[np.int64], listed_in: str) -> NDArray[np.int64]:
    """Give the position in `object_id` of each row's object, shape ``(n_rows,)``; one search a run of equal ids."""
    starts = np.concatenate([[0], np.flatnonzero(np.diff(row_id)) + 1])
    order = np.argsort(object_id)
    nearest = np.minimum(np.searchsorted(object_id, row_id[starts], sorter=order), object_id.size - 1)
    place = order[nearest]
    foreign = np.unique(row_id[starts][object_id[place] != row_id[starts]])
    if foreign.size:
        raise ValueError(f"rows belong to {foreign.size} objects that {listed_in} lacks, first {foreign[0]}")
    return np.repeat(place, np.diff(starts, append=row_id.size))
