"""Columns of simulated alerts into packets of any of Rubin's schemas, or of one of our own with hosts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from telperion.formats.alert_surveys import HOST
from telperion.formats.avro import Node, parse_schema, read_schemas, schema_id
from telperion.formats.avro_columns import encode_columns
from telperion.simulate.source import Array

SHIPPED = "alert.avsc"

CUTOUTS = {"cutoutDifference": (12, 14), "cutoutScience": (12, 14), "cutoutTemplate": (20, 24)}
"""Fewest and most blocks of FITS of each image: 139 kB in all, as of real packets."""

BLOCK = 2880
HISTORIES = ("prvDiaSources", "prvDiaForcedSources")

_ROW = ("visit", "detector", "midpointMjdTai", "band", "psfFlux", "psfFluxErr")
_NEEDED = (
    "diaSourceId", "diaObject.diaObjectId",
    *(f"{part}.{name}" for part in ("diaSource", "prvDiaSources[]") for name in ("diaSourceId", *_ROW)),
    *(f"prvDiaForcedSources[].{name}" for name in ("diaForcedSourceId", *_ROW)),
)  # fmt: skip
_MISSING = {"_mag_": 999.0, "_magerr_": 999.0, "_ellipticity": -9999.0, "_sqradius": -9999.0}
_ZEROS: dict[str, Any] = {"boolean": False, "string": "", "bytes": b"", "array": [], "map": {}, "null": None}


@cache
def shipped_schema() -> Node:
    """Give our own schema of alerts, ``telperion.v1_0.alert``: a few fields of Rubin's, and hosts as ELAsTiCC has them.

    Examples
    --------
    >>> schema = shipped_schema()
    >>> schema_id(schema), "hostgal_zphot" in schema.fields["diaObject"].parts[1].fields
    (100, True)
    """
    return parse_schema((files("telperion.simulate") / SHIPPED).read_text(encoding="utf-8"))


def newest_schema(folder: str | Path) -> Node:
    """Read the newest of Rubin's schemas below a folder, as `telperion.formats.avro.read_schemas` finds them.

    Raises
    ------
    ValueError
        There is none with a version.
    """
    found = read_schemas(folder)
    if not found:
        raise ValueError(f"{folder}: no schema there has a version, such as lsst.v11_0.alert")
    return found[max(found)]


class Packing:
    """Packets of one schema, in Confluent's wire format.

    Parameters
    ----------
    schema : Node, optional
        An alert of Rubin's; by default our own. Of what it has and the columns lack, null is written, or the default,
        or zero; columns that it lacks are left out.

    Raises
    ------
    ValueError
        The schema is no alert of Rubin's, or its namespace ends in no version.
    """

    def __init__(self, schema: Node | None = None) -> None:
        self.schema = schema or shipped_schema()
        if missing := [path for path in _NEEDED if not _has(self.schema, path)]:
            name = self.schema.name or self.schema.kind
            raise ValueError(f"the schema {name} is no alert of Rubin's: it lacks {missing[0]}")
        number = schema_id(self.schema)
        if number is None:
            raise ValueError(
                f"the namespace of the schema {self.schema.name} does not end in a version, such as .v11_0"
            )
        self.header = b"\0" + number.to_bytes(4, "big")
        self._filled = _filled(self.schema, {})

    def pack(self, columns: Mapping[str, Any], n: int) -> list[bytes]:
        """Write alerts, given by columns as `telperion.formats.avro_columns.encode_columns` takes them.

        A history without items is null where the schema allows it.
        """
        kept = {path: values for path, values in columns.items() if _has(self.schema, path)}
        for path in HISTORIES:
            if self.schema.fields[path].kind == "union":
                kept[path] = np.ma.masked_array(kept[path], np.append(np.diff(kept[path]) == 0, False))
        return encode_columns(self._filled, kept, n, self.header)


def below(path: str, columns: Mapping[str, Any]) -> dict[str, Any]:
    """Give columns of a record by their paths in the alert."""
    return {f"{path}.{name}": values for name, values in columns.items()}


def array(path: str, places: NDArray[np.int64], columns: Mapping[str, Any]) -> dict[str, Any]:
    """Give columns of an array's items, which begin at some places for each alert, by their paths."""
    return {path: places, **below(f"{path}[]", columns)}


def host_columns(context: Mapping[str, Array], objects: NDArray[np.int64]) -> dict[str, Array]:
    """Give dust, redshift and host of objects by ELAsTiCC's names, with its codes for what is unknown.

    Examples
    --------
    >>> host_columns({"hostgal_mag_y": np.array([23.5, np.nan]), "redshift": np.array([np.nan, 0.5])}, np.array([1]))
    {'z_final': array([0.5]), 'hostgal_mag_Y': array([999.])}
    """
    found: dict[str, Array] = {}
    for name, field in HOST.items():
        if name in context and field not in found:
            codes = [code for part, code in _MISSING.items() if part in field]
            code = codes[0] if codes else -999.0 if field.endswith(("_ra", "_dec")) else -9.0
            values = context[name][objects]
            found[field] = np.where(np.isnan(values), code, values)
    return found


def cutouts(n: int, rng: np.random.Generator) -> dict[str, NDArray[np.bytes_]]:
    """Give images of random bytes, as large as real ones."""
    found = {}
    for name, (least, most) in CUTOUTS.items():
        noise = rng.integers(1, 256, 2 * most * BLOCK, dtype=np.uint8)
        size, start = rng.integers(least, most + 1, n), rng.integers(0, most * BLOCK, n)
        image = np.zeros((n, most * BLOCK), dtype=np.uint8)
        for blocks in np.unique(size):
            which, width = np.flatnonzero(size == blocks), int(blocks) * BLOCK
            image[which, :width] = np.lib.stride_tricks.sliding_window_view(noise, width)[start[which]]
        found[name] = image.view(f"S{most * BLOCK}").ravel()
    return found


def _has(node: Node, path: str) -> bool:
    """Tell whether a schema has a field, given by its path."""
    for name in path.split("."):
        record = _beyond_null(node)
        field, array = name.removesuffix("[]"), name.endswith("[]")
        if field not in record.fields:
            return False
        node = record.fields[field]
        if array:
            node = _beyond_null(node)
            if node.kind != "array":
                return False
            node = node.parts[0]
    return True


def _beyond_null(node: Node) -> Node:
    others = [part for part in node.parts if part.kind != "null"]
    return others[0] if node.kind == "union" and others else node


def _filled(node: Node, known: dict[int, Node]) -> Node:
    """Give a schema of which every field has a default: the one that it has, null, or zero."""
    if id(node) not in known:
        made = known[id(node)] = replace(node, fields={}, defaults={})
        made.parts = tuple(_filled(part, known) for part in node.parts)
        for name, field in node.fields.items():
            made.fields[name] = _filled(field, known)
            made.defaults[name] = node.defaults[name] if name in node.defaults else _blank(field)
    return known[id(node)]


def _blank(node: Node) -> Any:
    if node.kind == "union":
        return None if any(part.kind == "null" for part in node.parts) else _blank(node.parts[0])
    if node.kind == "record":
        return {name: node.defaults.get(name, _blank(field)) for name, field in node.fields.items()}
    if node.kind == "fixed":
        return bytes(node.size)
    return node.symbols[0] if node.kind == "enum" else _ZEROS.get(node.kind, 0)
