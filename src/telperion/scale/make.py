"""`make_hats`: light curves in our Parquet, simulated ones for instance, as a HATS catalogue."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from telperion.bands import BANDS
from telperion.formats import parquet
from telperion.lightcurves import LightCurves
from telperion.scale.columns import DEREDDENED, HEALPIX
from telperion.scale.healpix import cut, pixels
from telperion.scale.part import UNFINISHED
from telperion.scale.properties import write_properties

_ROWS = ("time", "band", "flux", "flux_err", "detected")
_ROW_GROUP = 4096


def make_hats(source: str | Path, folder: str | Path, *, objects: int = 20_000, name: str = "") -> int:
    """Make a HATS catalogue of light curves, one file or part at a time in memory.

    Parameters
    ----------
    source : path
        A Parquet file of `telperion.formats.parquet`, or a folder of such, as `telperion simulate` writes it. Every
        object needs ``ra`` and ``decl``.
    folder : path
        A new one. A row an object: `HEALPIX`, ``object_id``, ``ra``, ``dec``, the context, ``label``, and the light
        curve nested in ``lc`` (time, band as a letter, flux, flux_err, detected), as nested-pandas stores it.
    objects : int
        Of a part, at most.
    name : str
        Of the catalogue, by default that of the folder.

    Returns
    -------
    int
        Objects in it.

    Raises
    ------
    ValueError
        Positions are missing, or the folder is not empty.
    """
    given, target = Path(source), Path(folder).absolute()
    files = sorted(given.glob("*.parquet")) if given.is_dir() else [given]
    if not files:
        raise ValueError(f"{given} holds no file *.parquet")
    if target.is_dir() and any(target.iterdir()):
        raise ValueError(f"{target} is not empty")
    pixel = np.concatenate([_pixels(pq.read_table(file, columns=_positions(file))) for file in files])
    if not pixel.size:
        raise ValueError(f"{given} holds no light curves")
    parts, starts = cut(pixel, objects)
    pieces: dict[int, list[Path]] = {number: [] for number in range(len(parts))}
    (target / UNFINISHED).mkdir(parents=True, exist_ok=True)
    for place, file in enumerate(files):
        table = nested(parquet.read(file))
        part = np.searchsorted(starts, table.column(HEALPIX).to_numpy(), side="right") - 1
        for number in np.unique(part).tolist():
            pieces[number].append(target / UNFINISHED / f"{number}-{place}.parquet")
            pq.write_table(table.take(np.flatnonzero(part == number)), pieces[number][-1])
    for number, one in enumerate(parts):
        table = pa.concat_tables([pq.read_table(piece) for piece in pieces[number]]).sort_by(HEALPIX)
        path = target / "dataset" / one.path
        path.parent.mkdir(parents=True, exist_ok=True)
        pq.write_table(table, path, row_group_size=_ROW_GROUP, compression="zstd")
    shutil.rmtree(target / UNFINISHED)
    return write_properties(target, name or target.name, parts, ra="ra", decl="dec")


def nested(light_curves: LightCurves) -> pa.Table:
    """Give light curves as a table of a HATS catalogue, an object a row, in their order.

    Raises
    ------
    ValueError
        An object has no position.
    """
    table = light_curves.to_arrow()
    lists = {name: table.column(name).combine_chunks() for name in _ROWS}
    lists = {name: column.chunk(0) if isinstance(column, pa.ChunkedArray) else column for name, column in lists.items()}
    letters = pc.take(pa.array(BANDS), pa.array(light_curves.band))
    lists["band"] = type(lists["time"]).from_arrays(lists["time"].offsets, letters)
    columns: dict[str, pa.Array | pa.ChunkedArray] = {
        HEALPIX: pa.array(_pixels(table)),
        "object_id": table.column("object_id"),
        "ra": table.column("ra"),
        "dec": table.column("decl"),
    }
    known = ("object_id", "ra", "decl", *_ROWS)
    columns |= {other: table.column(other) for other in table.column_names if other not in known}
    columns["lc"] = pa.StructArray.from_arrays(list(lists.values()), list(lists))
    metadata = {DEREDDENED: b"true"} if light_curves.dereddened else None
    return pa.table(columns).replace_schema_metadata(metadata)


def _positions(file: Path) -> list[str]:
    names = pq.read_schema(file).names
    if lacking := [name for name in ("ra", "decl") if name not in names]:
        raise ValueError(f"{file} has no {' and '.join(lacking)}: where its objects are is not known")
    return ["ra", "decl"]


def _pixels(table: pa.Table) -> np.ndarray:
    if lacking := [name for name in ("ra", "decl") if name not in table.column_names]:
        raise ValueError(f"the light curves have no {' and '.join(lacking)}: where they are is not known")
    return pixels(*(table.column(name).to_numpy() for name in ("ra", "decl")))
