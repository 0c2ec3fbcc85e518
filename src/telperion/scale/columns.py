"""Which columns of a catalogue of objects, with their light curves nested in them, hold what."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Literal, get_args

import pyarrow as pa

from telperion.formats.alert_surveys import USELESS
from telperion.serve.catalogue_columns import KNOWN

Role = Literal["light_curve", "sources", "forced"]

ROLES: dict[Role, tuple[str, ...]] = {
    "light_curve": ("lc", "light_curve", "lightcurve"),
    "sources": ("diaSource", "diaSources", "prvDiaSources"),
    "forced": (
        "diaObjectForcedSource", "diaForcedSource", "diaForcedSources", "prvDiaForcedSources", "forcedSourceOnDiaObject"
    ),
}  # fmt: skip
"""Names by which nested columns are known: all rows of an object, its detections, its forced photometry."""

ROWS = {
    "time": ("midpointMjdTai", "time", "mjd", "expMidptMJD", "midPointTai"),
    "band": ("band", "filter", "filterName"),
    "flux": ("psfDiffFlux", "flux", "psfFlux", "psFlux"),
    "flux_err": ("psfDiffFluxErr", "flux_err", "fluxerr", "psfFluxErr", "psFluxErr"),
    "detected": ("detected",),
    "visit": ("visit",),
    "detector": ("detector",),
    "row_id": ("diaSourceId", "diaForcedSourceId", "forcedSourceOnDiaObjectId"),
}
"""Names of what a row has. ``psfDiffFlux``, on the difference image, goes before ``psfFlux``, which forced photometry
of Rubin's releases has on the direct image too."""

OBJECTS = {
    "object_id": ("diaObjectId", "object_id", "objectId", "id"),
    "ra": ("ra", "coord_ra"),
    "decl": ("dec", "decl", "coord_dec"),
}
"""Names of what an object must have."""

HEALPIX = "_healpix_29"
DEREDDENED = b"dereddened"
"""What a table's metadata say of its fluxes."""
NEEDED = ("time", "band", "flux", "flux_err")
FLAGS = (*USELESS, "invalidPsfFlag", "diff_PixelFlags_nodataCenter")
"""Flags of a row whose flux is of no use, beside the flux's own."""

_WITHDRAWN = "timeWithdrawnMjdTai"
_MEANINGS = (*OBJECTS, *get_args(Role), *ROWS, *KNOWN)


@dataclass(frozen=True)
class Part:
    """A nested column, or lists side by side.

    Parameters
    ----------
    column : str
        "" where the lists stand among the columns of the object themselves.
    role : {"light_curve", "sources", "forced"}
    fields : mapping of str to str
        The field of each of `ROWS` that there is.
    flags : tuple of str
        Fields that say of a row that it is of no use.
    edge : str
        The field that takes back what the flux's own flag says; "" if there is none.
    withdrawn : str
        The field that is known where a row was withdrawn; "" if there is none.
    """

    column: str
    role: Role
    fields: Mapping[str, str]
    flags: tuple[str, ...] = ()
    edge: str = ""
    withdrawn: str = ""

    def read(self) -> list[str]:
        """Give all fields that are read."""
        return [*self.fields.values(), *self.flags, *filter(None, (self.edge, self.withdrawn))]


@dataclass(frozen=True)
class Layout:
    """What the columns of a catalogue mean.

    Parameters
    ----------
    object_id, ra, decl : str
        Columns.
    parts : tuple of Part
    context : mapping of str to str
        The column of each context.
    healpix : bool
        Whether there is a column `HEALPIX`.
    dereddened : bool
        Whether fluxes are corrected for dust in the Milky Way.
    detected_above : float or None
        Flux over its error above which a row counts as a detection, where no column says so.
    """

    object_id: str
    ra: str
    decl: str
    parts: tuple[Part, ...]
    context: Mapping[str, str] = field(default_factory=dict)
    healpix: bool = True
    dereddened: bool = False
    detected_above: float | None = None

    def kept(self) -> list[str]:
        """Give the columns that answers keep."""
        return [*([HEALPIX] if self.healpix else []), self.object_id, self.ra, self.decl]

    def read(self) -> list[str]:
        """Give all columns that are read, nested ones as ``column.field``."""
        nested = [f"{part.column}.{name}" if part.column else name for part in self.parts for name in part.read()]
        return list(dict.fromkeys([*self.kept(), *self.context.values(), *nested]))

    def check(self, schema: pa.Schema) -> None:
        """Refuse a table that lacks some of it.

        Raises
        ------
        ValueError
            Says which columns.
        """
        there = _paths(schema)
        if lacking := [name for name in self.read() if name not in there]:
            raise ValueError(f"the columns {', '.join(lacking)} are missing; there are {_listed(schema.names)}")


def understand(
    schema: pa.Schema,
    names: Mapping[str, str] | None = None,
    *,
    position: tuple[str, str] | None = None,
    dereddened: bool = False,
    detected_above: float | None = None,
) -> Layout:
    """Tell what the columns of a table mean.

    Parameters
    ----------
    schema : pyarrow.Schema
    names : mapping of str to str, optional
        What columns of other names mean, nested ones as ``column.field``: ``{"myId": "object_id", "points":
        "light_curve", "points.t": "time", "ebv": "mwebv"}``. They go before all names that are known.
    position : tuple of str, optional
        Columns of right ascension and declination, as the catalogue itself has it.
    dereddened : bool
        Whether fluxes are corrected for dust; a table of ours says so itself.
    detected_above : float, optional
        Flux over its error above which a row counts as a detection, where no column says so.

    Raises
    ------
    ValueError
        A column is missing, or `names` speaks of columns or meanings that there are not.

    Examples
    --------
    >>> row = pa.struct({"midpointMjdTai": pa.float64(), "band": pa.string(), "psfFlux": pa.float32(),
    ...                  "psfFluxErr": pa.float32()})
    >>> schema = pa.schema({"diaObjectId": pa.int64(), "ra": pa.float64(), "dec": pa.float64(),
    ...                     "diaSource": pa.list_(row)})
    >>> layout = understand(schema)
    >>> layout.object_id, layout.parts[0].role, layout.parts[0].fields["flux"]
    ('diaObjectId', 'sources', 'psfFlux')
    """
    names = dict(names or {})
    _check_names(names, schema)
    given = {meaning: column for column, meaning in names.items() if "." not in column}
    hints = dict(zip(("ra", "decl"), position or (), strict=False))
    objects = {}
    for meaning, known in OBJECTS.items():
        asked = [given[meaning]] if meaning in given else [hints[meaning]] if meaning in hints else known
        objects[meaning] = _first(asked, schema.names)
        if not objects[meaning]:
            raise ValueError(_missing(meaning, asked, schema.names, f"{{NAME: {meaning!r}}}"))
    metadata = schema.metadata or {}
    return Layout(
        **objects,
        parts=_parts(schema, names, given, detected_above),
        context={name: given.get(name, name) for name in KNOWN if given.get(name, name) in schema.names},
        healpix=HEALPIX in schema.names,
        dereddened=dereddened or metadata.get(DEREDDENED) == b"true",
        detected_above=detected_above,
    )


def _parts(
    schema: pa.Schema, names: Mapping[str, str], given: Mapping[str, str], detected_above: float | None
) -> tuple[Part, ...]:
    """Find nested columns: one of all rows, or detections and forced photometry, or lists of our own."""
    columns = {role: _first([given[role]] if role in given else known, schema.names) for role, known in ROLES.items()}
    if "light_curve" in given or (columns["light_curve"] and not given.keys() & {"sources", "forced"}):
        chosen: list[Role] = ["light_curve"]
    else:
        chosen = [role for role in ("sources", "forced") if columns[role]]
    if chosen:
        parts = [_part(columns[role], role, _fields(schema, columns[role]), names) for role in chosen]
    elif all(_is_list(schema, name) for name in NEEDED):
        parts = [_part("", "light_curve", [name for name in schema.names if _is_list(schema, name)], names)]
    else:
        looked = "; ".join(f"{role}: {', '.join(known)}" for role, known in ROLES.items())
        raise ValueError(
            f"no nested column of light curves; looked for {looked}; there are {_listed(schema.names)}. "
            "Say which it is by names={NAME: 'light_curve'}"
        )
    whole = parts[0]
    if whole.role == "light_curve" and "detected" not in whole.fields and detected_above is None:
        raise ValueError(
            f"{whole.column or 'the table'} has no field 'detected', which says whether a row is a detection: name it "
            "by names={'"
            + (f"{whole.column}." if whole.column else "")
            + "NAME': 'detected'}, or give detected_above, "
            "the flux over its error from which a row is taken for one"
        )
    if [part.role for part in parts] == ["forced"] and detected_above is None:
        raise ValueError(
            f"{parts[0].column} holds forced photometry alone and no column has detections: name one by names={{NAME: "
            "'sources'}, or give detected_above, the flux over its error from which a row is taken for one"
        )
    return tuple(parts)


def _part(column: str, role: Role, fields: list[str], names: Mapping[str, str]) -> Part:
    prefix = f"{column}." if column else ""
    asked = {
        meaning: name.removeprefix(prefix) for name, meaning in names.items()
        if name.startswith(prefix) and meaning in ROWS
    }  # fmt: skip
    found = {}
    for meaning, known in ROWS.items():
        if name := _first([asked[meaning]] if meaning in asked else known, fields):
            found[meaning] = name
        elif meaning in NEEDED:
            raise ValueError(_missing(meaning, known, fields, f"{{'{prefix}NAME': {meaning!r}}}", column))
    own = f"{found['flux']}_flag"
    edge = f"{own}_edge"
    return Part(
        column,
        role,
        found,
        tuple(name for name in (own, *FLAGS) if name in fields),
        edge if own in fields and edge in fields else "",
        _WITHDRAWN if _WITHDRAWN in fields else "",
    )


def _check_names(names: Mapping[str, str], schema: pa.Schema) -> None:
    there = _paths(schema)
    for name, meaning in names.items():
        if name not in there:
            raise ValueError(f"names speaks of {name!r}, which is not there; there are {_listed(schema.names)}")
        if meaning not in _MEANINGS:
            near = difflib.get_close_matches(meaning, _MEANINGS, n=1)
            raise ValueError(f"nothing is called {meaning!r}" + (f", perhaps {near[0]!r}?" if near else ""))
    for meaning in set(names.values()):
        same = [name for name, other in names.items() if other == meaning]
        if len({name.rpartition(".")[0] for name in same}) < len(same):
            raise ValueError(f"names gives {meaning!r} to several columns: {', '.join(same)}")


def _paths(schema: pa.Schema) -> set[str]:
    return {
        path for name in schema.names
        for path in (name, *(f"{name}.{inner}" for inner in _fields(schema, name, strict=False)))
    }  # fmt: skip


def _fields(schema: pa.Schema, column: str, *, strict: bool = True) -> list[str]:
    """Give the fields of a nested column, be it a struct of lists or a list of structs."""
    kind = schema.field(column).type
    if pa.types.is_list(kind) or pa.types.is_large_list(kind):
        kind = kind.value_type
    if pa.types.is_struct(kind):
        return [kind.field(place).name for place in range(kind.num_fields)]
    if strict:
        raise ValueError(f"{column} is {schema.field(column).type}, expected a nested column: lists with named fields")
    return []


def _is_list(schema: pa.Schema, name: str) -> bool:
    kind = schema.field(name).type if name in schema.names else None
    return kind is not None and (pa.types.is_list(kind) or pa.types.is_large_list(kind))


def _first(known: Iterable[str], there: Iterable[str]) -> str:
    names = set(there)
    return next((name for name in known if name in names), "")


def _missing(meaning: str, known: Iterable[str], there: Iterable[str], example: str, column: str = "") -> str:
    where = f"{column} has no field" if column else "there is no column"
    return (
        f"{where} of {meaning!r}; looked for {', '.join(known)}; there are {_listed(there)}. "
        f"Say which it is by names={example}"
    )


def _listed(names: Iterable[str], most: int = 30) -> str:
    listed = list(names)
    return ", ".join(listed[:most]) + (f" and {len(listed) - most} more" if len(listed) > most else "")
