"""MALLORN, the challenge of tidal disruption events in simulated LSST light curves: two logs, 20 splits of CSV files."""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from telperion.bands import BANDS, MICROJANSKY, band_index, to_njy
from telperion.formats.delimited import NAME, categories, read_columns
from telperion.formats.rules import FormatError, check_ranges, naming, warn_repair, warn_without_rows
from telperion.lightcurves import LightCurves

LOOKS_FOR = "a folder with train_log.csv or test_log.csv, and split_01, split_02, ... beside it"

DETECTION = 5.0
"""Signal-to-noise ratio above which a row counts as a detection; the files have no flag of their own."""

_LOG = {
    "object_id": pa.string(),
    "Z": pa.float64(),
    "Z_err": pa.float64(),
    "EBV": pa.float64(),
    "SpecType": pa.string(),
    "split": pa.string(),
}
_ROWS = {
    "object_id": NAME,
    "Time (MJD)": pa.float64(),
    "Flux": pa.float64(),
    "Flux_err": pa.float64(),
    "Filter": NAME,
}
_CONTEXT = {"redshift": "Z", "redshift_err": "Z_err", "mwebv": "EBV"}


@dataclass(frozen=True)
class _Log:
    """What ``train_log.csv`` or ``test_log.csv`` says, one object a line."""

    file: Path
    object_id: NDArray[np.str_]
    split: NDArray[np.str_]
    context: dict[str, NDArray[np.float64]]
    label: NDArray[np.str_] | None


def recognises(path: Path) -> bool:
    """Tell whether `path` is a MALLORN folder."""
    return any((path / f"{part}_log.csv").is_file() for part in ("train", "test"))


def read(path: str | Path, part: Literal["train", "test", "all"] = "train") -> LightCurves:
    """Read the challenge's folder as unpacked from Kaggle.

    Fluxes are microjansky in the files and not corrected for dust in the Milky Way. A row with S/N > 5 counts as a
    detection. The rows of an object are unsorted in the files and sorted by time here; objects keep the log's order.

    Parameters
    ----------
    path : str or Path
        Folder with ``train_log.csv``, ``test_log.csv`` and ``split_01`` to ``split_20``.
    part : "train", "test" or "all"
        "all" puts the test objects after the training objects.

    Returns
    -------
    LightCurves
        Context ``redshift``, ``redshift_err``, ``mwebv`` and ``split`` (1 to 20). Labels are spectroscopic types
        ("AGN", "SN Ia", "TDE", ...); the test part has none. Redshifts are spectroscopic in the training part,
        simulated photometric ones in the test part. There ``redshift_err`` is an artefact of the simulation,
        0.02 (1 + true redshift): do not compute the true redshift from it, nor use it as a feature.

    Raises
    ------
    FormatError
        A file breaks a rule; the message names the file, the object or row, and the rule.

    Warns
    -----
    RepairWarning
        Rows without a flux are dropped; objects of the log that have no rows are kept without.

    Examples
    --------
    >>> read("mallorn", part="test")  # doctest: +SKIP
    LightCurves(7135 objects, 1143103 rows, not dereddened, context: redshift, redshift_err, mwebv, split)
    """
    if part not in ("train", "test", "all"):
        raise ValueError(f"part is {part!r}, expected 'train', 'test' or 'all'")
    folder = Path(path)
    parts = ("train", "test") if part == "all" else (part,)
    curves, dropped = zip(*(_read_part(folder, name) for name in parts), strict=True)
    with naming(folder):
        whole = curves[0] if len(curves) == 1 else LightCurves.concatenate(curves)
    warn_repair(folder, "flux is NaN, rows dropped", whole.object_id, np.concatenate(dropped))
    warn_without_rows(folder, whole.object_id, whole.lengths)
    return whole


def _read_part(folder: Path, part: str) -> tuple[LightCurves, NDArray[np.int64]]:
    """Give the light curves of one log in its order, and the number of rows dropped from each object."""
    log = _read_log(folder / f"{part}_log.csv")
    name = f"{part}_full_lightcurves.csv"
    on_disk = {file.parent.name for file in folder.glob(f"split_*/{name}")}
    places, curves, dropped = [], [], []
    for split in sorted(on_disk.union(log.split.tolist())):
        place = np.flatnonzero(log.split == split)
        piece, lost = _read_split(folder / split / name, log, place)
        places.append(place)
        curves.append(piece)
        dropped.append(lost)
    whole = LightCurves.concatenate(curves)
    order = np.argsort(np.concatenate(places))
    if (np.diff(order) != 1).any():  # the log does not go split by split
        whole = whole[order]
    return whole, np.concatenate(dropped)[order]


def _read_log(file: Path) -> _Log:
    table = read_columns(file, _LOG)
    object_id, spec_type, split = (_text(table, name) for name in ("object_id", "SpecType", "split"))
    names, counts = np.unique(object_id, return_counts=True)
    if (counts > 1).any():
        first = str(names[counts > 1][0])
        raise FormatError(f"{file}: object_id is repeated for {(counts > 1).sum()} objects, first {first!r}")
    wrong = [place for place, name in enumerate(split.tolist()) if not re.fullmatch(r"split_\d+", name)]
    if wrong:
        first = f"{str(split[wrong[0]])!r} at object {str(object_id[wrong[0]])!r}"
        raise FormatError(f"{file}: split is not like 'split_01' for {len(wrong)} objects, first {first}")
    context = {name: table[column].to_numpy() for name, column in _CONTEXT.items()}
    context["split"] = np.char.replace(split, "split_", "").astype(np.float64)
    with naming(file):
        check_ranges(context, object_id)
    return _Log(file, object_id, split, context, spec_type if (spec_type != "").any() else None)


def _read_split(file: Path, log: _Log, place: NDArray[np.int64]) -> tuple[LightCurves, NDArray[np.int64]]:
    """Read the rows of the objects that stand at `place` in the log; count those dropped from each."""
    if not file.is_file():
        raise FormatError(f"{file}: the file is missing; {log.file.name} puts {place.size} objects there")
    table = read_columns(file, _ROWS)
    with naming(file):
        code = _position(table, log, place)
        names, name = categories(table, "Filter")
        # A name that is no band goes the long way, where the error counts rows.
        band = band_index(names)[name] if np.isin(names, BANDS).all() else band_index(names[name])
        flux, flux_err = (table[column].to_numpy() * to_njy(MICROJANSKY) for column in ("Flux", "Flux_err"))
        lost = np.isnan(flux)
        rows = (code, table["Time (MJD)"].to_numpy(), band, flux, flux_err, flux > DETECTION * flux_err)
        curves = LightCurves.from_codes(
            *(column[~lost] for column in rows),
            objects=log.object_id[place],
            context={name: values[place] for name, values in log.context.items()},
            label=None if log.label is None else log.label[place],
        )
    return curves, np.bincount(code[lost], minlength=place.size)


def _position(table: pa.Table, log: _Log, place: NDArray[np.int64]) -> NDArray[np.int64]:
    """Give the position in `place` of each row's object, shape ``(n_rows,)``."""
    names, code = categories(table, "object_id")
    position = {object_id: index for index, object_id in enumerate(log.object_id[place].tolist())}
    if foreign := [name for name in names.tolist() if name not in position]:
        listed = dict(zip(log.object_id.tolist(), log.split.tolist(), strict=True))
        where = f"which the log puts in {listed[foreign[0]]}" if foreign[0] in listed else "which the log lacks"
        raise ValueError(f"rows belong to {len(foreign)} objects not of this split in {log.file.name}, "
                         f"first {foreign[0]!r}, {where}")  # fmt: skip
    return np.array([position[name] for name in names.tolist()], dtype=np.int64)[code]


def _text(table: pa.Table, name: str) -> NDArray[np.str_]:
    return np.array(table[name].to_pylist(), dtype=np.str_)
