"""What makes a HATS catalogue of a folder of parts: properties, a list of the parts, their common schema."""

from __future__ import annotations

import os
from collections.abc import Sequence
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

import pyarrow.parquet as pq

from telperion.scale.catalogue import Pixel
from telperion.scale.columns import DEREDDENED, HEALPIX
from telperion.scale.healpix import ORDER

ROW_GROUPS = 20_000
"""In all parts, above which there is no ``_metadata``: it would be larger than what it saves."""


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
    rows, largest, size, groups = 0, 0, 0, 0
    kept: list[pq.FileMetaData] = []
    for pixel in pixels:
        file = folder / "dataset" / pixel.path
        metadata = pq.read_metadata(file)
        rows, largest, size = rows + metadata.num_rows, max(largest, metadata.num_rows), size + file.stat().st_size
        groups += metadata.num_row_groups
        if groups <= ROW_GROUPS:
            metadata.set_file_path(pixel.path)
            kept.append(metadata)
    schema = pq.read_schema(folder / "dataset" / pixels[0].path)
    said = {key: value for key, value in (schema.metadata or {}).items() if key == DEREDDENED}
    schema = schema.with_metadata(said)
    pq.write_metadata(schema, folder / "dataset" / "_common_metadata")
    if groups <= ROW_GROUPS:
        pq.write_metadata(schema, folder / "dataset" / "_metadata", metadata_collector=kept)
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
    for file_name in ("properties", "hats.properties"):
        _write(folder / file_name, text)
    return rows


def _write(path: Path, lines: list[str]) -> None:
    partial = path.with_name(path.name + ".partial")
    with partial.open("w", encoding="utf-8") as file:
        file.write("\n".join(lines) + "\n")
        file.flush()
        os.fsync(file.fileno())
    partial.replace(path)
