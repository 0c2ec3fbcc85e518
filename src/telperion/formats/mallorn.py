"""MALLORN, the challenge to find tidal disruption events in simulated LSST light curves: CSV files in 20 splits."""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from telperion.bands import BANDS, MICROJANSKY, band_index, to_njy
from telperion.formats.delimited import NAME, categories, most_rows, numbers, read_columns
from telperion.formats.rules import FormatError, check_distinct, check_ranges, naming, warn_repair, warn_without_rows
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
_COLUMNS: dict[str, type] = {
    "time": np.float64,
    "band": np.int8,
    "flux": np.float32,
    "flux_err": np.float32,
    "detected": np.bool_,
}
_CONTEXT = {"redshift": "Z", "redshift_err": "Z_err", "mwebv": "EBV"}


@dataclass(frozen=True)
class _Log:
    """What the logs say, one object a line: ``part`` is "train" or "test", ``split`` the folder of its rows."""

    object_id: NDArray[np.str_]
    part: NDArray[np.str_]
    split: NDArray[np.str_]
    context: dict[str, NDArray[np.float64]]
    label: NDArray[np.str_]


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
    log = _merge([_read_log(folder, name) for name in (("train", "test") if part == "all" else (part,))])
    with naming(folder):
        curves, dropped = _read_rows(folder, log)
    warn_repair(folder, "flux is NaN, rows dropped", curves.object_id, dropped)
    warn_without_rows(folder, curves.object_id, curves.lengths)
    return curves


def _read_rows(folder: Path, log: _Log) -> tuple[LightCurves, NDArray[np.int64]]:
    """Give the light curves of all splits in the order of the log, and the number of rows dropped from each object.

    Rows go straight to where they will stay: gathering the splits first would hold everything twice.
    """
    splits = _splits(folder, log)
    room = sum(most_rows(file) for file, _ in splits)
    rows: dict[str, np.ndarray] = {name: np.empty(room, dtype=kind) for name, kind in _COLUMNS.items()}
    n_rows, lengths, dropped = 0, [], []
    for file, place in splits:
        piece, lost = _read_split(file, log, place)
        for name, column in rows.items():
            column[n_rows : n_rows + piece.n_rows] = getattr(piece, name)
        n_rows += piece.n_rows
        lengths.append(piece.lengths)
        dropped.append(lost)
    order = np.concatenate([place for _, place in splits])
    time, band, flux, flux_err, detected = (column[:n_rows] for column in rows.values())
    offsets = np.concatenate([[0], np.cumsum(np.concatenate(lengths))])
    context = {name: values[order] for name, values in log.context.items()}
    curves = LightCurves(
        log.object_id[order], offsets, time, band, flux, flux_err, detected, context, log.label[order]
    )  # fmt: skip
    back = np.argsort(order)
    if (np.diff(order) != 1).any():  # the log does not go split by split
        curves = curves[back]
    return curves, np.concatenate(dropped)[back]


def _splits(folder: Path, log: _Log) -> list[tuple[Path, NDArray[np.int64]]]:
    """Give the light-curve files, and the places in the log of each one's objects."""
    splits = []
    for part in dict.fromkeys(log.part.tolist()):
        name = f"{part}_full_lightcurves.csv"
        on_disk = {file.parent.name for file in folder.glob(f"split_*/{name}")}
        for split in sorted(on_disk.union(log.split[log.part == part].tolist())):
            file, place = folder / split / name, np.flatnonzero((log.part == part) & (log.split == split))
            if not file.is_file():
                raise FormatError(f"{file}: the file is missing; {part}_log.csv puts {place.size} objects there")
            splits.append((file, place))
    return splits


def _read_log(folder: Path, part: str) -> _Log:
    file = folder / f"{part}_log.csv"
    table = read_columns(file, _LOG)
    object_id, label, split = (_text(table, name) for name in ("object_id", "SpecType", "split"))
    wrong = [place for place, name in enumerate(split.tolist()) if not re.fullmatch(r"split_\d+", name)]
    if wrong:
        first = f"{str(split[wrong[0]])!r} at object {str(object_id[wrong[0]])!r}"
        raise FormatError(f"{file}: split is not like 'split_01' for {len(wrong)} objects, first {first}")
    context = {name: numbers(table, column) for name, column in _CONTEXT.items()}
    context["split"] = np.char.replace(split, "split_", "").astype(np.float64)
    with naming(file):
        check_distinct(object_id)
        check_ranges(context, object_id)
    return _Log(object_id, np.full(object_id.size, part), split, context, label)


def _merge(logs: list[_Log]) -> _Log:
    object_id, part, split, label = (
        np.concatenate([getattr(log, name) for log in logs]) for name in ("object_id", "part", "split", "label")
    )
    context = {name: np.concatenate([log.context[name] for log in logs]) for name in logs[0].context}
    return _Log(object_id, part, split, context, label)


def _read_split(file: Path, log: _Log, place: NDArray[np.int64]) -> tuple[LightCurves, NDArray[np.int64]]:
    """Read the rows of the objects that stand at `place` in the log; count those dropped from each."""
    table = read_columns(file, _ROWS)
    with naming(file):
        code = _position(table, log, place)
        names, name = categories(table, "Filter")
        # A name that is no band goes the long way, where the error counts rows.
        band = band_index(names)[name] if np.isin(names, BANDS).all() else band_index(names[name])
        flux, flux_err = (numbers(table, column) * to_njy(MICROJANSKY) for column in ("Flux", "Flux_err"))
        lost = np.isnan(flux)
        rows = (code, numbers(table, "Time (MJD)"), band, flux, flux_err, flux > DETECTION * flux_err)
        curves = LightCurves.from_codes(
            *(column[~lost] for column in rows),
            objects=log.object_id[place],
            context={name: values[place] for name, values in log.context.items()},
            label=log.label[place],
        )
    return curves, np.bincount(code[lost], minlength=place.size)


def _position(table: pa.Table, log: _Log, place: NDArray[np.int64]) -> NDArray[np.int64]:
    """Give the position in `place` of each row's object, shape ``(n_rows,)``."""
    names, code = categories(table, "object_id")
    position = {object_id: index for index, object_id in enumerate(log.object_id[place].tolist())}
    if foreign := [name for name in names.tolist() if name not in position]:
        listed = dict(zip(log.object_id.tolist(), log.split.tolist(), strict=True))
        where = f"which belongs in {listed[foreign[0]]}" if foreign[0] in listed else "which it does not list"
        raise ValueError(f"rows belong to {len(foreign)} objects that the log does not put here, "
                         f"first {foreign[0]!r}, {where}")  # fmt: skip
    return np.array([position[name] for name in names.tolist()], dtype=np.int64)[code]


def _text(table: pa.Table, name: str) -> NDArray[np.str_]:
    return np.array(table[name].to_pylist(), dtype=np.str_)
