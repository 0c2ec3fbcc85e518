"""A GRU network as one ONNX graph that goes on from a given state, written operator by operator, and read back."""

from __future__ import annotations

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper
from torch import Tensor, from_numpy, nn

from telperion.models.gru_network import OracleNetwork, TelperionNetwork

OPSET = 17
IR_VERSION = 8


def export_onnx(network: OracleNetwork | TelperionNetwork) -> bytes:
    """Write the graph (rows, lengths, static, state) -> (logits, state).

    Inputs are rows ``(n, t, n_features)``, lengths ``(n,)`` int32, all above zero, static ``(n, n_static)`` and state
    ``(n, n_layers, n_hidden)``; outputs are the logits ``(n, n_nodes)`` and the state after each object's last row.
    """
    graph = _Graph()
    if isinstance(network, OracleNetwork):
        features, logits = network.gru.input_size, _write_oracle(graph, network)
    else:
        features, logits = network.rows.in_features, _write_telperion(graph, network)
    graph.rename(logits, "logits")
    layers, hidden = network.gru.num_layers, network.gru.hidden_size
    static = network.static.in_features if network.static is not None else 0
    shapes: dict[str, list[str | int | None]] = {
        "rows": ["n", "t", features],
        "static": ["n", static],
        "state": ["n", layers, hidden],
    }
    inputs = [helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name, shape in shapes.items()]
    inputs.append(helper.make_tensor_value_info("lengths", TensorProto.INT32, ["n"]))
    outputs: dict[str, list[str | int | None]] = {
        "logits": ["n", network.logits.out_features],
        "new_state": ["n", layers, hidden],
    }
    results = [helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name, shape in outputs.items()]
    model = helper.make_model(
        helper.make_graph(graph.nodes, "gru", inputs, results, graph.constants),
        opset_imports=[helper.make_opsetid("", OPSET)],
        ir_version=IR_VERSION,
        producer_name="telperion",
    )
    onnx.checker.check_model(model, full_check=True)
    return bytes(model.SerializeToString())


def read_weights(graph: bytes) -> dict[str, Tensor]:
    """Give the weights in a graph that `export_onnx` wrote, under the names that torch has for them.

    Raises
    ------
    ValueError
        It is no such graph, or one of an older version, in which weights have no names.
    """
    weights = {}
    for tensor in onnx.load_from_string(graph).graph.initializer:
        array = numpy_helper.to_array(tensor)
        if "_l" in tensor.name:
            for name, part in zip(tensor.name.split("+"), np.split(array[0], tensor.name.count("+") + 1), strict=True):
                weights[name] = _swap_gates(part)
        elif tensor.name.endswith((".weight", ".bias")):
            weights[tensor.name] = array.T
    if not weights:
        raise ValueError("the weights in the network's graph have no names: it cannot be started from")
    return {name: from_numpy(np.array(array, order="C")) for name, array in weights.items()}


class _Graph:
    """Operators and constants, collected in order; every value is known by its name."""

    def __init__(self) -> None:
        self.nodes: list[onnx.NodeProto] = []
        self.constants: list[onnx.TensorProto] = []

    def constant(self, values: NDArray, name: str = "") -> str:
        name = name or f"c{len(self.constants)}"
        self.constants.append(numpy_helper.from_array(np.ascontiguousarray(values), name))
        return name

    def add(self, operator: str, *inputs: str, n_outputs: int = 1, **attributes: int | list[int]) -> list[str]:
        outputs = [f"v{len(self.nodes)}_{k}" for k in range(n_outputs)]
        node = helper.make_node(operator, list(inputs), outputs)
        node.attribute.extend(helper.make_attribute(name, value) for name, value in attributes.items())
        self.nodes.append(node)
        return outputs

    def rename(self, value: str, name: str) -> None:
        self.nodes.append(helper.make_node("Identity", [value], [name]))

    def linear(self, value: str, network: nn.Module, name: str) -> str:
        weights = dict(network.get_submodule(name).named_parameters())
        (product,) = self.add("MatMul", value, self.constant(_array(weights["weight"]).T, f"{name}.weight"))
        if "bias" in weights:
            (product,) = self.add("Add", product, self.constant(_array(weights["bias"]), f"{name}.bias"))
        return product

    def silu(self, value: str) -> str:
        return self.add("Mul", value, self.add("Sigmoid", value)[0])[0]

    def integers(self, *values: int) -> str:
        return self.constant(np.array(values, dtype=np.int64))

    def gru(self, value: str, gru: nn.GRU) -> str:
        """Run all layers over ``(n, t, features)`` and give the last layer's last state, ``(n, hidden)``."""
        (series,) = self.add("Transpose", value, perm=[1, 0, 2])
        (state,) = self.add("Transpose", "state", perm=[1, 0, 2])
        starts = [state] if gru.num_layers == 1 else self.add("Split", state, n_outputs=gru.num_layers, axis=0)
        finals = []
        for layer, start in enumerate(starts):
            weights = [self.constant(array, name) for name, array in _gru_weights(gru, layer).items()]
            outputs, final = self.add(
                "GRU", series, *weights, "lengths", start,
                n_outputs=2, hidden_size=gru.hidden_size, linear_before_reset=1,
            )  # fmt: skip
            (series,) = self.add("Squeeze", outputs, self.integers(1))
            finals.append(final)
        (joined,) = self.add("Concat", *finals, axis=0)
        self.rename(self.add("Transpose", joined, perm=[1, 0, 2])[0], "new_state")
        return self.add("Squeeze", finals[-1], self.integers(0))[0]


def _array(weight: Tensor) -> NDArray[np.float32]:
    return weight.detach().cpu().numpy().astype(np.float32)


def _gru_weights(gru: nn.GRU, layer: int) -> dict[str, NDArray[np.float32]]:
    """Give the weights W, R and B of the operator, whose gates are in the order update, reset, new."""
    weights = {}
    for kinds in (("weight_ih",), ("weight_hh",), ("bias_ih", "bias_hh")):
        names = [f"{kind}_l{layer}" for kind in kinds]
        arrays = [_swap_gates(_array(getattr(gru, name))) for name in names]
        weights["+".join(f"gru.{name}" for name in names)] = np.concatenate(arrays)[None]
    return weights


def _swap_gates(array: NDArray[np.float32]) -> NDArray[np.float32]:
    """Put the gates reset, update, new in the order update, reset, new, or back."""
    first, second, new = np.split(array, 3)
    return np.concatenate([second, first, new])


def _write_oracle(graph: _Graph, network: OracleNetwork) -> str:
    (joint,) = graph.add("Tanh", graph.linear(graph.gru("rows", network.gru), network, "series"))
    if network.static is not None:
        (missing,) = graph.add("Equal", "static", graph.constant(np.array(-9, np.float32)))
        (known,) = graph.add("Cast", graph.add("Not", missing)[0], to=TensorProto.FLOAT)
        (some,) = graph.add("ReduceMax", known, axes=[1], keepdims=1)
        branch = graph.linear(graph.add("Mul", "static", some)[0], network, "static")
        (joint,) = graph.add("Concat", joint, branch, axis=1)
    for layer in ("joint", "latent"):
        (joint,) = graph.add("Relu", graph.linear(joint, network, layer))
    return graph.linear(joint, network, "logits")


def _write_telperion(graph: _Graph, network: TelperionNetwork) -> str:
    (context,) = graph.add("Unsqueeze", graph.linear("static", network, "static"), graph.integers(1))
    mixed = graph.silu(graph.add("Add", graph.linear("rows", network, "rows"), context)[0])
    state = graph.gru(mixed, network.gru)
    (place,) = graph.add("Sub", graph.add("Cast", "lengths", to=TensorProto.INT64)[0], graph.integers(1))
    (place,) = graph.add("Unsqueeze", place, graph.integers(1))
    (last,) = graph.add("GatherND", "rows", place, batch_dims=1)
    (joint,) = graph.add("Concat", state, last, "static", axis=1)
    for layer in ("head", "latent"):
        joint = graph.silu(graph.linear(joint, network, layer))
    return graph.linear(joint, network, "logits")
