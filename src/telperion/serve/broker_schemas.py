"""Avro schemas of what brokers publish: our own, with a field a node, and ELAsTiCC's brokerClassification."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from telperion.formats.avro import Node, parse_schema
from telperion.taxonomy import Taxonomy

NAME = "telperion.v1_0.classification"
"""The full name of our own record."""

SCHEMA_ID = 100
"""Of our own schema in Confluent's wire format: version 1.0, counted as Rubin counts its own (7.1 is 701)."""

_MICROS = {"type": "long", "logicalType": "timestamp-micros"}
_MILLIS = {"type": "long", "logicalType": "timestamp-millis"}


def classification_schema(tree: Taxonomy) -> Node:
    """Give our own schema for the answers along a tree.

    Probabilities are a record of one float a node. So each is a column wherever brokers store or query messages, a
    message needs 4 bytes for each and no names, and the schema alone says which node is which: where a node's name is
    no name in Avro, the field's ``doc`` has it as it is.

    Parameters
    ----------
    tree : Taxonomy

    Examples
    --------
    >>> schema = classification_schema(Taxonomy("toy", {"Alert": {"SNIb/c": {}, "RR Lyrae": {}}}))
    >>> schema.fields["probabilities"].docs
    {'Alert': 'Alert', 'SNIb_c': 'SNIb/c', 'RR_Lyrae': 'RR Lyrae'}
    """
    nodes = [
        {"name": name, "type": "float", "doc": node}
        for name, node in zip(avro_names(tree.nodes), tree.nodes, strict=True)
    ]
    fields: dict[str, tuple[Any, str]] = {
        "alertId": ("long", "Rubin's diaSourceId, ELAsTiCC's alertId, ZTF's candid: one answer an id"),
        "diaSourceId": ("long", "the new source's own"),
        "objectId": ("string", "Rubin's diaObjectId as text, ZTF's objectId"),
        "alertMjd": (["null", "double"], "when the new source was seen, MJD (TAI; ZTF: UTC)"),
        "days": (["null", "double"], "from the first detection to the last row known; null without a row"),
        "nObservations": ("int", "rows of the light curve that the answer stands on"),
        "context": ("string", "what is known beside the light curve: specz, photoz or none"),
        "historyTruncated": ("boolean", "whether the survey counts more sources than the packet holds"),
        "leaf": ("string", "the class decided for"),
        "confidentNode": ("string", "the deepest node that is promised at promisedLevel; the root promises nothing"),
        "probabilities": (
            {"type": "record", "name": "probabilities", "fields": nodes},
            "of each node of the tree; siblings sum to their parent",
        ),
        "brokerIngestTimestamp": (_MICROS, "when the alert came in"),
        "brokerPublishTimestamp": (_MICROS, "when the answer was made"),
        "latency": ("float", "from the one to the other, ms"),
        "treeName": ("string", "the class tree"),
        "classifierName": ("string", "the classifier"),
        "classifierVersion": ("string", "tells it from others of that name"),
        "promisedLevel": ("float", "share of answers for which confidentNode is right"),
        "brokerName": ("string", "who ran it"),
        "brokerVersion": ("string", "the version of that"),
    }
    return _record(NAME, {name: {"type": kind, "doc": doc} for name, (kind, doc) in fields.items()})


def avro_names(names: Sequence[str]) -> tuple[str, ...]:
    """Turn names into as many different ones that Avro allows: letters, digits and underscores.

    Examples
    --------
    >>> avro_names(["SN Ia", "SN-Ia", "91bg"])
    ('SN_Ia', 'SN_Ia_2', '_91bg')
    """
    taken: dict[str, None] = {}
    for name in names:
        plain = re.sub(r"[^A-Za-z0-9_]", "_", name)
        plain = plain if re.match(r"[A-Za-z_]", plain) else f"_{plain}"
        count, chosen = 1, plain
        while chosen in taken:
            count += 1
            chosen = f"{plain}_{count}"
        taken[chosen] = None
    return tuple(taken)


def elasticc_schema() -> Node:
    """Give the schema of ELAsTiCC's brokerClassification 0.9.1; its name is misspelt, as everybody's is."""
    dictionary = {"classId": {"type": "int"}, "probability": {"type": "float"}}
    items = _fields("classificationDict", dictionary)
    fields: dict[str, dict[str, Any]] = {
        "alertId": {"type": "long"},
        "diaSourceId": {"type": "long"},
        "elasticcPublishTimestamp": {"type": _MILLIS},
        "brokerIngestTimestamp": {"type": ["null", _MILLIS]},
        "brokerName": {"type": "string"},
        "brokerVersion": {"type": "string"},
        "classifierName": {"type": "string"},
        "classifierParams": {"type": "string"},
        "classifications": {"type": {"type": "array", "items": items}},
    }
    return _record("elasticc.v0_9_1.brokerClassfication", fields)


RESIDUAL, NOT_CLASSIFIED = 200, 300
"""ELAsTiCC's numbers for what is none of the classes, and for no answer."""

CLASS_IDS = {
    "SNIa": 2222,
    "SNIb/c": 2223,
    "SNII": 2224,
    "SNIax": 2225,
    "SNI91bg": 2226,
    "KN": 2232,
    "M-dwarf Flare": 2233,
    "Dwarf Novae": 2234,
    "uLens": 2235,
    "SLSN": 2242,
    "TDE": 2243,
    "ILOT": 2244,
    "CaRT": 2245,
    "PISN": 2246,
    "Cepheid": 2322,
    "RR Lyrae": 2323,
    "Delta Scuti": 2324,
    "EB": 2325,
    "Mira": 2326,
    "AGN": 2332,
}
"""ELAsTiCC's numbers for the leaves of our trees."""


def class_ids(tree: Taxonomy) -> list[int]:
    """Give ELAsTiCC's number for each leaf of a tree.

    Raises
    ------
    ValueError
        Leaves are no classes of ELAsTiCC's.
    """
    leaves = [tree.nodes[leaf] for leaf in tree.leaves]
    if unknown := [name for name in leaves if name not in CLASS_IDS]:
        raise ValueError(
            f"{len(unknown)} of the {len(leaves)} leaves of the tree {tree.name!r} are no classes of ELAsTiCC's, "
            f"first {unknown[0]!r}"
        )
    return [CLASS_IDS[name] for name in leaves]


def _fields(name: str, fields: dict[str, dict[str, Any]]) -> dict[str, Any]:
    space, _, short = name.rpartition(".")
    about = {"type": "record", "name": short} | ({"namespace": space} if space else {})
    return about | {"fields": [{"name": name, **about} for name, about in fields.items()]}


def _record(name: str, fields: dict[str, dict[str, Any]]) -> Node:
    return parse_schema(_fields(name, fields))
