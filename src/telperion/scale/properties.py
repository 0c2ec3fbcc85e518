"""What makes a HATS catalogue of a folder of parts: properties, a list of the parts, their common schema."""

from __future__ import annotations

import os
import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

import pyarrow.parquet as pq

from telperion.scale.catalogue import Pixel
from telperion.scale.columns import DEREDDENED, HEALPIX
from telperion.serve.healpix import ORDER

NAMES = ("properties", "hats.properties")
"""Of the file by which a catalogue is known, in both of the names that there were."""

ROW_GROUPS = 1_000
"""In all parts, above which there is no ``_metadata``, nor where types differ: it may be absent, and
costs 90 kB of memory a row group to write."""


def write_properties(folder: Path, name: str, pixels: Sequence[Pixel], *, ra: str, decl: str) -> int:
    """Make a folder of parts a HATS catalogue; a folder without this is none, so it comes last.

    Parameters
    ----------
    folder : Path
        With ``dataset/Norder=.../Dir=.../Npix=....parquet`` of each pixel.
    name : str
        Of the catalogue.
    pixels : sequence of Pixel
    ra, decl : str
        Columns.

    Returns
    -------
    int
        Rows of the catalogue.
    """
    rows, largest, size = 0, 0, 0
    schema = pq.read_schema(folder / "dataset" / pixels[0].path)
    kept: list[pq.FileMetaData] | None = []
    groups = 0
    for pixel in pixels:
        file = folder / "dataset" / pixel.path
        metadata = pq.read_metadata(file)
        rows, largest, size = rows + metadata.num_rows, max(largest, metadata.num_rows), size + file.stat().st_size
        groups += metadata.num_row_groups
        if groups > ROW_GROUPS or not metadata.schema.to_arrow_schema().equals(schema):
            kept = None
        elif kept is not None:
            metadata.set_file_path(pixel.path)
            kept.append(metadata)
    said = {key: value for key, value in (schema.metadata or {}).items() if key == DEREDDENED}
    schema = schema.with_metadata(said)
    with _whole(folder / "dataset" / "_common_metadata") as path:
        pq.write_metadata(schema, path)
    if kept is not None:
        with _whole(folder / "dataset" / "_metadata") as path:
            pq.write_metadata(schema, path, metadata_collector=kept)
    lines = ["Norder,Npix", *(f"{pixel.order},{pixel.number}" for pixel in sorted(pixels))]
    _write(folder / "partition_info.csv", lines)
    share = sum(1 / (12 * 4**pixel.order) for pixel in pixels)
    properties = {
        "obs_collection": name,
        "dataproduct_type": "object",
        "hats_nrows": rows,
        "hats_col_ra": ra,
        "hats_col_dec": decl,
        "hats_col_healpix": HEALPIX,
        "hats_col_healpix_order": ORDER,
        "hats_npix_suffix": ".parquet",
        "hats_max_rows": largest,
        "hats_order": max(pixel.order for pixel in pixels),
        "hats_estsize": size // 1024,
        "moc_sky_fraction": f"{share:.6g}",
        "hats_builder": f"telperion v{version('telperion')}",
        "hats_creation_date": datetime.now(UTC).strftime("%Y-%m-%dT%H:%MUTC"),
        "hats_version": "v1.0",
    }
    text = ["#HATS catalog", *(f"{key}={value}" for key, value in properties.items())]
    for file_name in NAMES:
        _write(folder / file_name, text)
    return rows


def withdraw(folder: Path) -> None:
    """Make a folder no catalogue any more, until `write_properties`."""
    for name in NAMES:
        (folder / name).unlink(missing_ok=True)


def _write(path: Path, lines: list[str]) -> None:
    with _whole(path) as partial:
        partial.write_text("\n".join(lines) + "\n", encoding="utf-8")


@contextmanager
def _whole(path: Path) -> Iterator[Path]:
    """Give a path to write to, which becomes this one when it is whole, whoever else writes it."""
    partial = path.with_name(f".{path.name}-{uuid.uuid4().hex}.partial")
    try:
        yield partial
        with partial.open("rb+") as file:
            os.fsync(file.fileno())
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)
