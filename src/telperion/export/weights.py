"""A network's weights kept in fewer bits; they are unpacked as a runtime loads them, the arithmetic stays float32."""

from __future__ import annotations

from typing import Literal

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

Kept = Literal["float32", "float16", "int8"]

_FEWEST = 1024  # numbers of a table that is worth it


def shrink(model: onnx.ModelProto, kept: Kept) -> onnx.ModelProto:
    """Keep the tables of weights as float16, or as int8 with a scale for each of their outputs.

    Parameters
    ----------
    model : onnx.ModelProto
        Not changed.
    kept : {"float32", "float16", "int8"}

    Returns
    -------
    onnx.ModelProto
        It computes in float32 all the same: operators unpack the weights, once, as a runtime loads them.
    """
    result = onnx.ModelProto.FromString(model.SerializeToString())
    if kept == "float32":
        return result
    nodes: list[onnx.NodeProto] = []
    constants: list[onnx.TensorProto] = []
    for constant in result.graph.initializer:
        if "weight" not in constant.name or np.prod(constant.dims) < _FEWEST:
            constants.append(constant)
            continue
        weights = numpy_helper.to_array(constant)
        parts = _halved(constant.name, weights) if kept == "float16" else _as_bytes(constant.name, weights)
        nodes += [part for part in parts if isinstance(part, onnx.NodeProto)]
        constants += [part for part in parts if isinstance(part, onnx.TensorProto)]
    del result.graph.initializer[:]
    result.graph.initializer.extend(constants)
    behind = list(result.graph.node)
    del result.graph.node[:]
    result.graph.node.extend([*nodes, *behind])
    onnx.checker.check_model(result, full_check=True)
    return result


def _halved(name: str, weights: NDArray[np.float32]) -> list[onnx.TensorProto | onnx.NodeProto]:
    return [
        numpy_helper.from_array(weights.astype(np.float16), f"{name}.float16"),
        helper.make_node("Cast", [f"{name}.float16"], [name], to=TensorProto.FLOAT),
    ]


def _as_bytes(name: str, weights: NDArray[np.float32]) -> list[onnx.TensorProto | onnx.NodeProto]:
    """Round to -127..127 times a scale; a GRU has its inputs last, a linear layer first."""
    inputs = -1 if weights.ndim == 3 else 0
    scale = np.maximum(np.abs(weights).max(axis=inputs, keepdims=True), 1e-30) / np.float32(127)
    return [
        numpy_helper.from_array(np.rint(weights / scale).astype(np.int8), f"{name}.int8"),
        numpy_helper.from_array(scale.astype(np.float32), f"{name}.scale"),
        helper.make_node("Cast", [f"{name}.int8"], [f"{name}.integers"], to=TensorProto.FLOAT),
        helper.make_node("Mul", [f"{name}.integers", f"{name}.scale"], [name]),
    ]
