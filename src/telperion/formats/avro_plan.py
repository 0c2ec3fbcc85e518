"""From a schema and the fields that are wanted to a plan: a list of integers that one loop goes through."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from telperion.formats.avro import FIXED_WIDTH, PRIMITIVES, Node, least_bytes

STRIDE = 5
"""Integers of a step: what to do, which branch is null (1 the first, 2 the second, 0 none), where to put it, and two
more whose meaning depends on what to do."""

(END, SKIP, RUN, BOOLEAN, INT, LONG, FLOAT, DOUBLE, TEXT, FIXED, ENUM, MARK, UNION, JUMP, ARRAY, NEXT, CALL, RETURN) = (
    range(18)
)  # fmt: skip
_STEPS = {"boolean": BOOLEAN, "int": INT, "long": LONG, "float": FLOAT, "double": DOUBLE, "string": TEXT, "bytes": TEXT}
_KINDS = {"boolean": "int", "int": "int", "long": "int", "enum": "int", "float": "float", "double": "float"}
_MOST_STEPS = 100_000


@dataclass(frozen=True, eq=False)
class Plan:
    """How to go through the bodies of one schema, and where what is wanted of them goes.

    Parameters
    ----------
    code : array of int32, shape ``(n_steps * STRIDE,)``
    widths : array of int32
        Bytes of the values in runs of fields that are skipped.
    jumps : array of int32
        Where the branches of unions begin.
    columns : dict of str to (int, int, str)
        Of each path that the schema has: its table, first cell in the table's rows, and kind: int, float, text (two
        cells: start and length) or mark (1 where it is there).
    tables : tuple of str
        The arrays whose items are rows, from table 1 on; table 0 has a row a body.
    cells : tuple of int
        Cells of a row of each table.
    """

    code: NDArray[np.int32]
    widths: NDArray[np.int32]
    jumps: NDArray[np.int32]
    columns: dict[str, tuple[int, int, str]]
    tables: tuple[str, ...]
    cells: tuple[int, ...]


def make_plan(schema: Node, wanted: Iterable[str]) -> Plan:
    """Make the plan that takes some fields and skips all others.

    Parameters
    ----------
    schema : Node
    wanted : iterable of str
        Paths such as ``diaSource.psfFlux``, ``prvDiaSources[].psfFlux``, or ``ssSource`` for whether that record is
        there. Those that the schema lacks are left out.

    Raises
    ------
    ValueError
        A path leads to what cannot be a column (an array, a map, text in one branch and a number in another), or the
        plan would be too long.

    Examples
    --------
    >>> from telperion.formats.avro import parse_schema
    >>> schema = parse_schema({"type": "record", "name": "a", "fields": [{"name": "x", "type": "int"}]})
    >>> make_plan(schema, ["x", "y"]).columns
    {'x': (0, 0, 'int')}
    """
    tree: dict[str, Any] = {}
    for path in wanted:
        branch = tree
        for name in path.replace("[]", ".[]").split("."):
            branch = branch.setdefault(name, {})
        branch[""] = path
    maker = _Maker()
    try:
        maker.take(schema, tree, "", 0)
        maker.step(END)
        maker.subroutines()
    except RecursionError as error:
        raise ValueError("the schema is nested too deeply") from error
    code, jumps = np.array(maker.code, np.int32), np.array(maker.jumps, np.int32)
    return Plan(code, np.array(maker.widths, np.int32), jumps, maker.columns, tuple(maker.tables), tuple(maker.cells))


class _Maker:
    """A plan in the making."""

    def __init__(self) -> None:
        self.code: list[int] = []
        self.widths: list[int] = []
        self.jumps: list[int] = []
        self.columns: dict[str, tuple[int, int, str]] = {}
        self.tables: list[str] = []
        self.cells = [0]
        self.barrier = 0  # steps before it may be jumped over: nothing is merged into them
        self.calls: list[tuple[int, Node]] = []
        self.fixed: dict[str, int | None] = {}

    def step(self, *values: int) -> int:
        """Add a step; give its place."""
        if len(self.code) > _MOST_STEPS * STRIDE:
            raise ValueError(f"the schema needs more than {_MOST_STEPS} steps")
        if max(values) >= 2**31:
            raise ValueError("the schema has a type of 2 GiB or more")
        self.code += [*values, *[0] * (STRIDE - len(values))]
        return len(self.code) - STRIDE

    def land(self) -> int:
        """Give the place of the next step, to jump to."""
        self.barrier = len(self.code)
        return self.barrier

    def column(self, path: str, table: int, kind: str) -> int:
        """Give the cell of a column, counted from 1; two branches of a union may write to the same one."""
        if path in self.columns:
            _, cell, before = self.columns[path]
            if {kind, before} == {"int", "float"}:
                raise ValueError(f"{path} is an integer in one branch of a union and not in another")
            if kind != before:
                raise ValueError(f"{path} is {before} in one branch of a union and {kind} in another")
            return cell + 1
        cell = self.cells[table]
        self.columns[path] = table, cell, kind
        self.cells[table] += 2 if kind == "text" else 1
        return cell + 1

    # -- what is wanted ------------------------------------------------------------------------------------------

    def take(self, node: Node, tree: dict[str, Any], path: str, table: int, null: int = 0) -> None:
        """Add the steps for a type of which `tree` is wanted."""
        if not tree:
            self.skip(node)
        elif node.kind == "union":
            self.union(node, tree, path, table)
        elif node.kind == "record":
            if "" in tree:
                self.step(MARK, 0, self.column(tree[""], table, "mark"))
            for name, part in node.fields.items():
                self.take(part, tree.get(name, {}), f"{path}.{name}" if path else name, table)
        elif node.kind == "array" and "" not in tree and "[]" in tree:
            if table:
                raise ValueError(f"{path} is an array within the array {self.tables[table - 1]}")
            self.tables.append(path)
            self.cells.append(0)
            self.array(node, tree["[]"], f"{path}[]", len(self.tables))
        elif "" not in tree or node.kind == "null":
            self.skip(node)  # what is wanted of it is not there
        elif node.kind in ("array", "map"):
            raise ValueError(f"{tree['']} is of the type {node.kind}, which cannot be a column")
        else:
            out = self.column(tree[""], table, _KINDS.get(node.kind, "text"))
            about = node.size if node.kind == "fixed" else len(node.symbols)
            self.step({**_STEPS, "fixed": FIXED, "enum": ENUM}[node.kind], null, out, about)

    def union(self, node: Node, tree: dict[str, Any], path: str, table: int) -> None:
        """Add the steps for a union; a value that may be null takes one step."""
        null, other = _nullable(node)
        if other is not None and (other.kind in PRIMITIVES or other.kind in ("fixed", "enum")):
            if "" in tree:
                self.take(other, tree, path, table, null)
            elif other.kind in FIXED_WIDTH or other.kind == "fixed":
                self.run(null, FIXED_WIDTH.get(other.kind, other.size))
            else:
                self.step(_STEPS.get(other.kind, ENUM), null, 0, len(other.symbols))
            return
        first = len(self.jumps)
        self.step(UNION, 0, 0, first, len(node.parts))
        self.jumps += [0] * len(node.parts)
        ends = []
        for branch, part in enumerate(node.parts):
            self.jumps[first + branch] = self.land()
            self.take(part, tree, path, table)
            ends.append(self.step(JUMP))
        for end in ends:
            self.code[end + 3] = self.land()

    def array(self, node: Node, tree: dict[str, Any], path: str, table: int) -> None:
        """Add the steps for an array or a map, whose items are rows of a table if that is not 0."""
        item = node.parts[0]
        start = self.step(ARRAY, 0, table, 0, min(least_bytes(item) + (node.kind == "map"), 2**31 - 1))
        self.land()
        if node.kind == "map":
            self.step(TEXT)
        self.take(item, tree, path, table)
        self.step(NEXT, 0, 0, start)
        self.code[start + 3] = self.land()

    # -- what is not ---------------------------------------------------------------------------------------------

    def skip(self, node: Node) -> None:
        """Add the steps over a type of which nothing is wanted; there is none where it takes no bytes."""
        width = _width(node, self.fixed)
        if width is not None:
            self.skip_bytes(width)
        elif node.kind == "union":
            self.union(node, {}, "", 0)
        elif node.kind == "record":
            self.calls.append((self.step(CALL), node))
        elif node.kind in ("array", "map"):
            self.array(node, {}, "", 0)
        else:
            self.step(_STEPS.get(node.kind, ENUM), 0, 0, len(node.symbols))

    def skip_bytes(self, width: int) -> None:
        """Add to the step before, where that skips bytes too."""
        last = len(self.code) - STRIDE
        if self.barrier <= last and self.code[last] == SKIP and self.code[last + 3] + width < 2**31:
            self.code[last + 3] += width
        elif width:
            self.step(SKIP, 0, 0, width)

    def run(self, null: int, width: int) -> None:
        """Skip a value of so many bytes that may be null, together with those before it."""
        last = len(self.code) - STRIDE
        if self.barrier <= last and self.code[last] == RUN and self.code[last + 1] == null:
            self.code[last + 4] += 1
        else:
            self.step(RUN, null, 0, len(self.widths), 1)
        self.widths.append(width)

    def subroutines(self) -> None:
        """Add the steps over records that are skipped, each record once."""
        places: dict[str, int] = {}
        while self.calls:
            place, node = self.calls.pop()
            if node.name not in places:
                places[node.name] = self.land()
                for part in node.fields.values():
                    self.skip(part)
                self.step(RETURN)
            self.code[place + 3] = places[node.name]


def _nullable(node: Node) -> tuple[int, Node | None]:
    """Give which branch is null, 1 or 2, and the other one, of a union of null and one type."""
    kinds = [part.kind for part in node.parts]
    if len(kinds) != 2 or "null" not in kinds:
        return 0, None
    null = kinds.index("null") + 1
    return null, node.parts[2 - null]


def _width(node: Node, known: dict[str, int | None]) -> int | None:
    """Give the bytes of a type that always takes as many, else None; `known` remembers records."""
    if node.kind != "record":
        return FIXED_WIDTH.get(node.kind, {"null": 0, "fixed": node.size}.get(node.kind))
    if node.name not in known:
        known[node.name] = None  # while it is worked out: one that holds itself never ends
        widths = [_width(part, known) for part in node.fields.values()]
        known[node.name] = None if None in widths else sum(width for width in widths if width is not None)
    return known[node.name]
