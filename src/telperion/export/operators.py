"""Arithmetic written down as ONNX operators: formulae read as in numpy, and a graph comes of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import onnx
from numpy.typing import ArrayLike
from onnx import TensorProto, helper, numpy_helper

OPSET = 17
IR_VERSION = 8

FLOAT, DOUBLE, BOOL = TensorProto.FLOAT, TensorProto.DOUBLE, TensorProto.BOOL
INT32, INT64 = TensorProto.INT32, TensorProto.INT64


class Graph:
    """Operators and constants, collected in order; every value is known by its name.

    Parameters
    ----------
    prefix : str
        Of the names of its values, which may not be those of another graph inside or around it.

    Examples
    --------
    >>> graph = Graph("g")
    >>> (graph.value("flux") / 100.0).log1p().named("scaled")
    >>> [node.op_type for node in graph.nodes]
    ['Div', 'Add', 'Log', 'Identity']
    """

    def __init__(self, prefix: str) -> None:
        self.prefix = prefix
        self.nodes: list[onnx.NodeProto] = []
        self.constants: list[onnx.TensorProto] = []
        self._known: dict[tuple[str, tuple[int, ...], bytes], str] = {}

    def value(self, what: Value | str | ArrayLike) -> Value:
        """Give a value by its name, or a constant: Python's numbers are float64, those of numpy keep their type."""
        if isinstance(what, Value):
            return what
        if isinstance(what, str):
            return Value(what, self)
        array = np.ascontiguousarray(
            what if isinstance(what, (np.ndarray, np.generic)) else np.asarray(what, np.float64)
        )
        array = array.reshape(np.shape(what))  # numpy makes one dimension of none
        key = array.dtype.str, array.shape, array.tobytes()
        if key not in self._known:
            self._known[key] = f"{self.prefix}_constant{len(self.constants)}"
            self.constants.append(numpy_helper.from_array(array, self._known[key]))
        return Value(self._known[key], self)

    def add(self, operator: str, *inputs: Value | str | ArrayLike, **attributes: Any) -> Value:
        """Add an operator with one output."""
        return self.add_many(operator, *inputs, n_outputs=1, **attributes)[0]

    def add_many(
        self, operator: str, *inputs: Value | str | ArrayLike, n_outputs: int, **attributes: Any
    ) -> list[Value]:
        """Add an operator with several outputs."""
        names = [self.value(each).name for each in inputs]
        outputs = [f"{self.prefix}_{len(self.nodes)}_{k}" for k in range(n_outputs)]
        self.nodes.append(helper.make_node(operator, names, outputs, **attributes))
        return [Value(name, self) for name in outputs]

    def where(self, mask: Value, then: Value | ArrayLike, otherwise: Value | ArrayLike) -> Value:
        """Choose between two values place by place."""
        return self.add("Where", mask, then, otherwise)

    def concatenate(self, parts: Sequence[Value], axis: int = 1) -> Value:
        """Put values side by side."""
        return self.add("Concat", *parts, axis=axis)

    def embed(self, graph: onnx.GraphProto, names: Mapping[str, str]) -> None:
        """Take in all operators and constants of another graph, its values renamed where `names` has them."""
        for node in graph.node:
            taken = onnx.NodeProto.FromString(node.SerializeToString())
            taken.input[:] = [names.get(name, name) for name in node.input]
            taken.output[:] = [names.get(name, name) for name in node.output]
            self.nodes.append(taken)
        self.constants += graph.initializer

    def proto(
        self, name: str, inputs: Sequence[onnx.ValueInfoProto], outputs: Sequence[onnx.ValueInfoProto]
    ) -> onnx.GraphProto:
        """Make the graph of what was collected."""
        return helper.make_graph(self.nodes, name, inputs, outputs, self.constants)


class Value:
    """What an operator gives; numbers and arrays beside it become constants."""

    __array_ufunc__ = None  # so that numpy's numbers leave the arithmetic to this class

    def __init__(self, name: str, graph: Graph) -> None:
        self.name, self._graph = name, graph

    def __add__(self, other: Value | ArrayLike) -> Value:
        return self._graph.add("Add", self, other)

    def __radd__(self, other: ArrayLike) -> Value:
        return self._graph.add("Add", other, self)

    def __sub__(self, other: Value | ArrayLike) -> Value:
        return self._graph.add("Sub", self, other)

    def __rsub__(self, other: ArrayLike) -> Value:
        return self._graph.add("Sub", other, self)

    def __mul__(self, other: Value | ArrayLike) -> Value:
        return self._graph.add("Mul", self, other)

    def __rmul__(self, other: ArrayLike) -> Value:
        return self._graph.add("Mul", other, self)

    def __truediv__(self, other: Value | ArrayLike) -> Value:
        return self._graph.add("Div", self, other)

    def __rtruediv__(self, other: ArrayLike) -> Value:
        return self._graph.add("Div", other, self)

    def __neg__(self) -> Value:
        return self._graph.add("Neg", self)

    def __gt__(self, other: Value | ArrayLike) -> Value:
        return self._graph.add("Greater", self, other)

    def __le__(self, other: Value | ArrayLike) -> Value:
        return self._graph.add("LessOrEqual", self, other)

    def __and__(self, other: Value) -> Value:
        return self._graph.add("And", self, other)

    def __or__(self, other: Value) -> Value:
        return self._graph.add("Or", self, other)

    def __invert__(self) -> Value:
        return self._graph.add("Not", self)

    def equals(self, other: Value | ArrayLike) -> Value:
        """Say where two values are the same."""
        return self._graph.add("Equal", self, other)

    def missing(self) -> Value:
        """Say where it is NaN."""
        return self._graph.add("IsNaN", self)

    def filled(self, instead: float = 0.0) -> Value:
        """Put a number in place of NaN."""
        return self._graph.where(self.missing(), instead, self)

    def above(self, least: Value | ArrayLike) -> Value:
        """Raise what is below to `least`."""
        return self._graph.add("Max", self, least)

    def below(self, largest: Value | ArrayLike) -> Value:
        """Lower what is above to `largest`."""
        return self._graph.add("Min", self, largest)

    def exp(self) -> Value:
        """Give the exponential."""
        return self._graph.add("Exp", self)

    def log(self) -> Value:
        """Give the natural logarithm."""
        return self._graph.add("Log", self)

    def log1p(self) -> Value:
        """Give log(1 + x); in float64, what it loses near zero is below 1e-15."""
        return (self + 1.0).log()

    def root(self) -> Value:
        """Give the square root."""
        return self._graph.add("Sqrt", self)

    def asinh(self) -> Value:
        """Give the inverse hyperbolic sine, which runtimes lack in float64."""
        size = self._graph.add("Abs", self)
        return self._graph.add("Sign", self) * (size + (size * size + 1.0).root()).log()

    def cast(self, kind: int) -> Value:
        """Change the type of its numbers, one of `FLOAT`, `DOUBLE` and so on."""
        return self._graph.add("Cast", self, to=kind)

    def split(self, sizes: Sequence[int]) -> list[Value]:
        """Part its columns."""
        return self._graph.add_many("Split", self, np.array(sizes, np.int64), n_outputs=len(sizes), axis=1)

    def columns(self, places: ArrayLike) -> Value:
        """Take columns by their places."""
        return self._graph.add("Gather", self, np.asarray(places, np.int64), axis=1)

    def widened(self, axis: int = 1) -> Value:
        """Add an axis of length one."""
        return self._graph.add("Unsqueeze", self, np.array([axis], np.int64))

    def narrowed(self, axis: int = 1) -> Value:
        """Take away an axis of length one."""
        return self._graph.add("Squeeze", self, np.array([axis], np.int64))

    def named(self, name: str) -> None:
        """Give it a name of its own, as outputs of a graph need."""
        self._graph.nodes.append(helper.make_node("Identity", [self.name], [name]))


def tensor(name: str, kind: int, *shape: str | int) -> onnx.ValueInfoProto:
    """Describe an input or output."""
    return helper.make_tensor_value_info(name, kind, list(shape))
