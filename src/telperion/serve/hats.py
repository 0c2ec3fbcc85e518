"""HATS catalogues: Parquet files along HEALPix pixels of adaptive order, as survey archives hand them out."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from telperion.formats.rules import naming
from telperion.serve.healpix import Pixels

_PROPERTIES = ("hats.properties", "properties")
_COLLECTION = "collection.properties"
_ORDER = re.compile(r"Norder=(\d{1,2})")
_NUMBER = re.compile(r"Npix=(\d{1,19})(?P<suffix>\..+)?")
_WITHOUT_POSITIONS = ("association", "index", "map", "margin")


@dataclass(frozen=True, eq=False)
class Hats:
    """The parts of a HATS catalogue, none of them opened yet.

    Parameters
    ----------
    parts : list of Path
        A file, or a folder of files, for each pixel.
    pixels : Pixels
        In the same order.
    hints : dict of str to str
        What the catalogue says of its columns of positions.
    """

    parts: list[Path]
    pixels: Pixels
    hints: dict[str, str]

    def files(self, part: int) -> list[Path]:
        """Give the files of a part, in the order of their names."""
        path = self.parts[part]
        return parquet_files(path) if path.is_dir() else [path]


def parquet_files(folder: Path) -> list[Path]:
    """Find the Parquet files in a folder and its folders, in the order of their names.

    Raises
    ------
    FormatError
        There are none.
    """
    with naming(folder):
        if not (files := sorted(folder.rglob("*.parquet"))):
            raise ValueError("the folder holds no file *.parquet")
    return files


def recognises(folder: Path) -> bool:
    """Tell by the names of its files whether a folder is a HATS catalogue or a collection of such."""
    return (folder / _COLLECTION).is_file() or _is_catalogue(folder)


def open_hats(folder: Path) -> Hats:
    """Find the parts of a HATS catalogue; of a collection, those of its main catalogue.

    Raises
    ------
    FormatError
        It holds no positions, no parts, or parts that lie in each other.
    """
    if (folder / _COLLECTION).is_file():
        with naming(folder / _COLLECTION):
            main = _said(folder / _COLLECTION).get("hats_primary_table_url", "")
            if not main or "://" in main or not _is_catalogue(folder / main):
                raise ValueError(f"hats_primary_table_url is {main!r}, which is no HATS catalogue in this folder")
        folder = folder / main
    said = _said(next(folder / name for name in _PROPERTIES if (folder / name).is_file()))
    with naming(folder):
        if (kind := said.get("dataproduct_type", "object")) in _WITHOUT_POSITIONS:
            raise ValueError(f"this is a HATS catalogue of the kind {kind!r}, expected one of objects")
        suffix = said.get("hats_npix_suffix", ".parquet").strip("/")
        parts, orders, numbers = [], [], []
        for path in sorted((folder / "dataset").glob("Norder=*/Dir=*/Npix=*")):
            order, number = _ORDER.fullmatch(path.parts[-3]), _NUMBER.fullmatch(path.name)
            if order and number and (number["suffix"] or "") == suffix:
                parts.append(path)
                orders.append(int(order[1]))
                numbers.append(int(number[1]))
        if not parts:
            raise ValueError(f"no part dataset/Norder=*/Dir=*/Npix=*{suffix} is there")
        pixels = Pixels(np.array(orders, dtype=np.int64), np.array(numbers, dtype=np.int64))
    columns = {"hats_col_ra": "ra", "hats_col_dec": "decl"}
    return Hats(parts, pixels, {said[name]: meaning for name, meaning in columns.items() if name in said})


def _is_catalogue(folder: Path) -> bool:
    return any((folder / name).is_file() for name in _PROPERTIES) and (folder / "dataset").is_dir()


def properties(text: str) -> dict[str, str]:
    r"""Read lines ``name = value``.

    Examples
    --------
    >>> properties("#HATS catalog\nobs_collection = dia_object")
    {'obs_collection': 'dia_object'}
    """
    lines = [line.strip() for line in text.splitlines()]
    pairs = [line.partition("=") for line in lines if not line.startswith(("#", "!"))]
    return {name.strip(): value.strip() for name, sign, value in pairs if sign}


def _said(file: Path) -> dict[str, str]:
    with naming(file):
        return properties(file.read_text(encoding="utf-8"))
