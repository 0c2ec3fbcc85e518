"""Formulae written as operators give what numpy gives."""

import numpy as np
import onnxruntime
import pytest

onnx = pytest.importorskip("onnx", reason="writing ONNX needs telperion[train]")

from telperion.export.operators import DOUBLE, IR_VERSION, OPSET, Graph, tensor  # noqa: E402 - it needs onnx


def evaluated(formula, x, n_columns=1):
    graph = Graph("g")
    formula(graph.value("x"), graph).named("y")
    proto = graph.proto("test", [tensor("x", DOUBLE, "n", x.shape[1])], [tensor("y", DOUBLE, "n", n_columns)])
    opsets = [onnx.helper.make_opsetid("", OPSET)]
    model = onnx.helper.make_model(proto, opset_imports=opsets, ir_version=IR_VERSION)
    onnx.checker.check_model(model, full_check=True)
    run = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"]).run
    return run(None, {"x": x})[0]


FORMULAE = {
    "arithmetic": (lambda x, _: 2.0 - (1.0 + -x * 3.0) / x, lambda x: 2 - (1 - 3 * x) / x),
    "numbers of numpy": (lambda x, _: np.float64(2) - np.float64(3) / x + np.ones((1, 1)), lambda x: 3 - 3 / x),
    "asinh": (lambda x, _: x.asinh(), np.arcsinh),
    "log1p": (lambda x, _: (x * x).log1p(), lambda x: np.log1p(x * x)),
    "bounds": (lambda x, _: x.above(-1.0).below(2.0), lambda x: np.clip(x, -1, 2)),
    "masks": (
        lambda x, g: g.where((x > 0.0) & ~x.equals(2.0) | (x <= -3.0), 1.0, x * 0.0),
        lambda x: (((x > 0) & (x != 2)) | (x <= -3)).astype(float),
    ),
}


@pytest.mark.parametrize("name", FORMULAE)
def test_formulae_are_those_of_numpy(rng, name):
    x = np.concatenate([rng.normal(0, 10.0 ** rng.integers(-6, 7, 200)), [2.0, -3.0]])[:, None]
    ours, expected = FORMULAE[name]
    np.testing.assert_allclose(evaluated(ours, x), expected(x), rtol=1e-12, atol=1e-15)


def test_what_is_missing_is_filled():
    x = np.array([[np.nan], [np.inf], [-1.0]])
    np.testing.assert_array_equal(evaluated(lambda v, _: v.filled(7.0), x), [[7], [np.inf], [-1]])


def test_columns_are_parted_and_put_together(rng):
    x = rng.normal(size=(5, 4))

    def turned(value, graph):
        first, rest = value.split([1, 3])
        return graph.concatenate([rest.columns([2, 0]), first])

    np.testing.assert_array_equal(evaluated(turned, x, 3), x[:, [3, 1, 0]])


def test_a_constant_is_kept_once_and_by_its_type():
    graph = Graph("g")
    names = [graph.value(each).name for each in (1.0, np.float64(1), np.float32(1), np.int64(1), [1.0])]
    assert names[0] == names[1]
    assert len(set(names)) == len(graph.constants) == 4
