"""`Parts`: the partitions of a HATS catalogue, in a folder here or behind an address."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import astuple, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from telperion.formats.rules import naming
from telperion.serve.hats import open_hats, properties, recognises
from telperion.serve.healpix import Pixels

if TYPE_CHECKING:
    from upath import UPath

SCHEME = "hats://"
_BUFFER = 1 << 20


@dataclass(frozen=True, order=True)
class Pixel:
    """A pixel of HEALPix, nested scheme.

    Examples
    --------
    >>> Pixel(3, 12345).path
    'Norder=3/Dir=10000/Npix=12345.parquet'
    """

    order: int
    number: int

    @property
    def path(self) -> str:
        """Where its rows lie below ``dataset/``."""
        return f"Norder={self.order}/Dir={self.number // 10_000 * 10_000}/Npix={self.number}.parquet"


@dataclass(frozen=True)
class Parts:
    """A HATS catalogue, none of its parts opened yet.

    Parameters
    ----------
    name : str
    address : str
        Of its folder.
    pixels : list of Pixel
    files : list of list of str
        Those of each pixel.
    position : tuple of str or None
        Its columns of right ascension and declination, as it says.
    """

    name: str
    address: str
    pixels: list[Pixel]
    files: list[list[str]]
    position: tuple[str, str] | None

    def __len__(self) -> int:
        return len(self.pixels)

    def schema(self) -> pa.Schema:
        """Give the schema of the first part."""
        with opened(self.files[0][0]) as file:
            return file.schema_arrow


def is_hats(address: str) -> bool:
    """Tell whether an address is one of a HATS catalogue: ``hats://...``, or a folder with its properties.

    Examples
    --------
    >>> is_hats("hats://https://example.org/dia_object_lc"), is_hats("light-curves.parquet")
    (True, False)
    """
    return address.startswith(SCHEME) or ("://" not in address and recognises(Path(address)))


def open_catalogue(address: str) -> Parts:
    """Find the parts of a HATS catalogue; of a collection, those of its main catalogue.

    Parameters
    ----------
    address : str
        A folder, or whatever fsspec knows (``https://``, ``s3://``; needs the extra ``scale``); ``hats://`` before it
        is passed over.

    Raises
    ------
    FileNotFoundError
        Nothing is there.
    FormatError
        It is no HATS catalogue of objects, or has no parts.
    """
    place = address.removeprefix(SCHEME)
    if "://" in place:
        return _remote(place)
    folder = Path(place).expanduser().absolute()
    if not folder.exists():
        raise FileNotFoundError(f"{folder}: no such folder")
    with naming(folder):
        if not recognises(folder):
            raise ValueError(
                "this is no HATS catalogue: it has neither hats.properties nor properties beside a dataset"
            )
    hats = open_hats(folder)
    columns = {meaning: column for column, meaning in hats.hints.items()}
    found = sorted((_pixel(path), place) for place, path in enumerate(hats.parts))
    files = [[str(file) for file in hats.files(place)] for _, place in found]
    return Parts(folder.name, str(folder), [pixel for pixel, _ in found], files, _position(columns))


def _pixel(path: Path) -> Pixel:
    order, number = (part.partition("=")[2].partition(".")[0] for part in (path.parts[-3], path.name))
    return Pixel(int(order), int(number))


def _position(columns: dict[str, str]) -> tuple[str, str] | None:
    return (columns["ra"], columns["decl"]) if columns.keys() >= {"ra", "decl"} else None


def _remote(address: str) -> Parts:
    """Find the parts behind an address, where nothing can be searched: by what the catalogue lists."""
    folder = _upath(address)
    with naming(address):
        said = _said(folder, "collection.properties")
        if said:
            folder = folder / said.get("hats_primary_table_url", "")
        said = _said(folder, "hats.properties") or _said(folder, "properties")
        if not said:
            raise ValueError("there is no HATS catalogue: neither hats.properties nor properties can be read")
        if (kind := said.get("dataproduct_type", "object")) not in ("object", "source"):
            raise ValueError(f"this is a HATS catalogue of the kind {kind!r}, expected one of objects")
        text = _text(folder, "partition_info.csv")
        if text is None:
            raise ValueError("there is no partition_info.csv, which lists the parts")
        rows = list(csv.DictReader(io.StringIO(text)))
        pixels = sorted({Pixel(int(row["Norder"]), int(row["Npix"])) for row in rows})
        if not pixels:
            raise ValueError("its partition_info.csv lists no parts")
        Pixels(*(np.array(column, dtype=np.int64) for column in zip(*map(astuple, pixels), strict=True)))  # real ones
        suffix = said.get("hats_npix_suffix", ".parquet")
        files = [_files(folder / "dataset", pixel, suffix) for pixel in pixels]
    columns = {meaning: said[key] for key, meaning in (("hats_col_ra", "ra"), ("hats_col_dec", "decl")) if key in said}
    return Parts(said.get("obs_collection", folder.name), str(folder), pixels, files, _position(columns))


def _files(dataset: UPath, pixel: Pixel, suffix: str) -> list[str]:
    path = dataset / pixel.path.removesuffix(".parquet")
    if suffix.strip("/"):
        return [str(path) + suffix]
    return sorted(str(file) for file in path.iterdir() if file.name.endswith(".parquet"))


def _text(folder: UPath, name: str) -> str | None:
    try:
        return (folder / name).read_text(encoding="utf-8")
    except FileNotFoundError:
        return None


def _said(folder: UPath, name: str) -> dict[str, str]:
    return properties(_text(folder, name) or "")


def _upath(address: str) -> UPath:
    try:
        from upath import UPath
    except ImportError as missing:
        raise ImportError(f"addresses of files elsewhere need telperion[scale]: {missing}") from missing
    return UPath(address)


@contextmanager
def opened(file: str) -> Iterator[pq.ParquetFile]:
    """Open a Parquet file, here or behind an address, so that no more than what is asked for is held in memory.

    Raises
    ------
    FormatError
        It cannot be read.
    """
    with naming(file):
        if "://" not in file:
            with pq.ParquetFile(file, buffer_size=_BUFFER, pre_buffer=False) as parquet:
                yield parquet
            return
        with (
            _upath(file).open("rb") as stream,
            pq.ParquetFile(stream, buffer_size=_BUFFER, pre_buffer=False) as parquet,
        ):
            yield parquet
