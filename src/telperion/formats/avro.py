"""Avro schemas: JSON with references into types, and back."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

PRIMITIVES = ("null", "boolean", "int", "long", "float", "double", "string", "bytes")
FIXED_WIDTH = {"boolean": 1, "float": 4, "double": 8}
"""Bytes of the types that always take as many."""

_DEEPEST = 64
_LOGICAL = ("int", "long", "string")  # their logical types need no more than a name
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*(\.[A-Za-z_][A-Za-z0-9_]*)*")
_VERSION = re.compile(r".*\.v(\d+)_(\d+)")


@dataclass(eq=False, repr=False)
class Node:
    """A type of a schema; a named record that is used twice is one node, so that nodes may form a ring.

    Parameters
    ----------
    kind : str
        A name of `PRIMITIVES`, or fixed, enum, record, array, map, union. Logical types are what they are based on.
    logical : str
        The logical type of a number or text, such as ``timestamp-micros``: kept, not looked at.
    name : str
        Full name of a record, an enum or a fixed.
    fields : dict of str to Node
        Of a record, in order.
    defaults : dict of str to any
        What a record's fields are where a writer leaves them out.
    docs : dict of str to str
        What a schema says of a record's fields.
    parts : tuple of Node
        The one type of the items of an array or map; the branches of a union.
    symbols : tuple of str
        Of an enum.
    size : int
        Bytes of a fixed.
    """

    kind: str
    name: str = ""
    fields: dict[str, Node] = field(default_factory=dict)
    defaults: dict[str, Any] = field(default_factory=dict)
    parts: tuple[Node, ...] = ()
    symbols: tuple[str, ...] = ()
    size: int = 0
    logical: str = ""
    docs: dict[str, str] = field(default_factory=dict)


def parse_schema(definition: Any, named: Mapping[str, Any] | None = None) -> Node:
    """Read a schema.

    Parameters
    ----------
    definition : str, bytes, dict or list
        JSON, or what JSON holds.
    named : mapping of str to dict, optional
        Definitions by full name that `definition` may refer to.

    Raises
    ------
    ValueError
        It is no schema: the message says what and where.

    Examples
    --------
    >>> node = parse_schema('{"type": "record", "name": "a.point", "fields": [{"name": "x", "type": ["null", "int"]}]}')
    >>> node.name, node.fields["x"].kind, [part.kind for part in node.fields["x"].parts]
    ('a.point', 'union', ['null', 'int'])
    """
    try:
        if isinstance(definition, bytes):
            definition = definition.decode("utf-8")
        if isinstance(definition, str) and definition not in PRIMITIVES:
            definition = json.loads(definition)
        return _parse(definition, "", {}, named or {}, 0)
    except RecursionError as error:
        raise ValueError("the schema is nested too deeply") from error


def _parse(definition: Any, space: str, known: dict[str, Node], named: Mapping[str, Any], depth: int) -> Node:
    if depth > _DEEPEST:
        raise ValueError(f"the schema is nested more than {_DEEPEST} deep")
    if isinstance(definition, list):
        return _union([_parse(branch, space, known, named, depth + 1) for branch in definition])
    if isinstance(definition, str):
        if definition in PRIMITIVES:
            return Node(definition)
        for name in (definition, f"{space}.{definition}"):
            if name in known:
                return known[name]
            if name in named:
                return _parse(named[name], "", known, named, depth + 1)
        raise ValueError(f"the schema names the type {definition!r} and does not define it")
    if not isinstance(definition, dict) or "type" not in definition:
        raise ValueError(f"{json.dumps(definition, default=str)[:80]} is not a type of Avro")
    kind = definition["type"]
    if kind == "array" or kind == "map":
        key = "items" if kind == "array" else "values"
        return Node(kind, parts=(_parse(definition.get(key), space, known, named, depth + 1),))
    if kind not in ("record", "error", "enum", "fixed"):
        node = _parse(kind, space, known, named, depth + 1)
        if kind in _LOGICAL and isinstance(definition.get("logicalType"), str):
            node.logical = definition["logicalType"]
        return node
    return _parse_named(definition, space, known, named, depth)


def _parse_named(definition: Any, space: str, known: dict[str, Node], named: Mapping[str, Any], depth: int) -> Node:
    name = full_name(definition, space)
    if name in known:
        raise ValueError(f"the schema defines {name!r} twice")
    kind = "record" if definition["type"] == "error" else definition["type"]
    node = known[name] = Node(kind, name)
    if kind == "fixed":
        node.size = definition.get("size", -1)
        if not isinstance(node.size, int) or not 0 <= node.size < 2**30:
            raise ValueError(f"the size of {name!r} is {node.size!r}")
    elif kind == "enum":
        node.symbols = tuple(map(str, _list(definition, "symbols")))
    else:
        for item in _list(definition, "fields"):
            if not isinstance(item, dict) or not isinstance(item.get("name"), str) or "type" not in item:
                raise ValueError(f"a field of {name!r} has no name or no type")
            if item["name"] in node.fields:
                raise ValueError(f"{name!r} has two fields {item['name']!r}")
            node.fields[item["name"]] = _parse(item["type"], name.rpartition(".")[0], known, named, depth + 1)
            if "default" in item:
                node.defaults[item["name"]] = item["default"]
            if isinstance(item.get("doc"), str):
                node.docs[item["name"]] = item["doc"]
    return node


def _list(definition: Mapping[str, Any], key: str) -> list[Any]:
    if not isinstance(found := definition.get(key), list):
        raise ValueError(f"{definition['name']!r} has no list of {key}")
    return found


def full_name(definition: Mapping[str, Any], space: str = "") -> str:
    """Give the name of a record, an enum or a fixed with its namespace, which by default is `space`."""
    name = definition.get("name")
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        raise ValueError(f"the schema calls a type {name!r}")
    space = definition.get("namespace", space)
    return f"{space}.{name}" if space and "." not in name else name


def _union(branches: list[Node]) -> Node:
    kinds = [branch.name or branch.kind for branch in branches]
    if "union" in kinds or len(set(kinds)) < len(kinds) or not kinds:
        raise ValueError(f"a union of {', '.join(kinds) or 'nothing'} is not allowed")
    return Node("union", parts=tuple(branches))


def schema_json(node: Node) -> str:
    """Give a schema as JSON that needs no other definitions."""
    return json.dumps(_plain(node, set()))


def _plain(node: Node, seen: set[str]) -> Any:
    if node.kind == "union":
        return [_plain(part, seen) for part in node.parts]
    if node.kind in ("array", "map"):
        return {"type": node.kind, "items" if node.kind == "array" else "values": _plain(node.parts[0], seen)}
    if not node.name or node.name in seen:
        plain = node.name or node.kind
        return {"type": plain, "logicalType": node.logical} if node.logical else plain
    seen.add(node.name)
    about: dict[str, Any] = {"type": node.kind, "name": node.name}
    if node.kind == "fixed":
        return about | {"size": node.size}
    if node.kind == "enum":
        return about | {"symbols": list(node.symbols)}
    fields = [{"name": name, "type": _plain(part, seen)} for name, part in node.fields.items()]
    for item in fields:
        if item["name"] in node.defaults:
            item["default"] = node.defaults[item["name"]]
        if item["name"] in node.docs:
            item["doc"] = node.docs[item["name"]]
    return about | {"fields": fields}


def read_schema(file: str | Path) -> Node:
    """Read a schema from an ``.avsc`` file; what it refers to is looked for in the ``.avsc`` files beside it."""
    named = {}
    for other in sorted(Path(file).parent.glob("*.avsc")):
        definition = json.loads(other.read_text())
        if isinstance(definition, dict):
            named[full_name(definition)] = definition
    return parse_schema(Path(file).read_text(), named)


def read_schemas(folder: str | Path) -> dict[int, Node]:
    """Read every ``*.alert.avsc`` below a folder, by Rubin's registry id: ``lsst.v11_0.alert`` is 1100.

    Parameters
    ----------
    folder : str or Path
        Such as ``python/lsst/alert/packet/schema`` of Rubin's alert_packet. Alerts whose namespace ends in no version
        ``.v<major>_<minor>`` are left out.

    Raises
    ------
    FileNotFoundError
        There is none.
    """
    files = sorted(Path(folder).rglob("*.alert.avsc"))
    if not files:
        raise FileNotFoundError(f"{folder}: no file *.alert.avsc in it or below")
    schemas = {}
    for file in files:
        node = read_schema(file)
        if (number := schema_id(node)) is not None:
            schemas[number] = node
    return schemas


def schema_id(node: Node) -> int | None:
    """Give the registry id that the namespace of a record says, as Rubin counts them; None where it says no version.

    Examples
    --------
    >>> schema_id(parse_schema({"type": "record", "name": "lsst.v11_0.alert", "fields": []}))
    1100
    """
    match = _VERSION.fullmatch(node.name.rpartition(".")[0])
    return int(match[1]) * 100 + int(match[2]) if match else None


def least_bytes(node: Node) -> int:
    """Give the fewest bytes that a value takes, or fewer, where records hold themselves."""
    try:
        return _least(node, {})
    except RecursionError as error:
        raise ValueError("the schema is nested too deeply") from error


def _least(node: Node, known: dict[str, int]) -> int:
    if node.kind in FIXED_WIDTH:
        return FIXED_WIDTH[node.kind]
    if node.kind == "union":
        return 1 + min(_least(part, known) for part in node.parts)
    if node.kind == "record":
        if node.name not in known:
            known[node.name] = 0  # while it is worked out
            known[node.name] = sum(_least(part, known) for part in node.fields.values())
        return known[node.name]
    return {"null": 0, "fixed": node.size}.get(node.kind, 1)
