"""Weights in fewer bits: how far they are off, what is left alone, what it does to answers."""

import numpy as np
import pytest

onnx = pytest.importorskip("onnx", reason="writing ONNX needs telperion[train]")

import onnxruntime  # noqa: E402
from onnx.reference import ReferenceEvaluator  # noqa: E402 - it comes with onnx

import telperion  # noqa: E402
from telperion.export.feed import feed  # noqa: E402 - it needs onnx
from telperion.export.graphs import build  # noqa: E402
from telperion.export.weights import shrink  # noqa: E402

SIZES = {"float16": 0.6, "int8": 0.4}


@pytest.fixture(scope="module")
def flagship():
    return build(telperion.load("elasticc"))


def weights(model):
    """Evaluate what unpacks the weights, without the rest of the graph."""
    packed = [node for node in model.graph.node if any("weight" in name for name in node.output)]
    names = [node.output[0] for node in packed if not node.output[0].endswith(".integers")]
    plain = {each.name: onnx.numpy_helper.to_array(each) for each in model.graph.initializer if "weight" in each.name}
    if not packed:
        return plain
    outputs = [onnx.helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, None) for name in names]
    graph = onnx.helper.make_graph(packed, "weights", [], outputs, model.graph.initializer)
    unpacked = ReferenceEvaluator(onnx.helper.make_model(graph, opset_imports=model.opset_import)).run(None, {})
    return dict(zip(names, unpacked, strict=True))


@pytest.mark.parametrize("kept", SIZES)
def test_weights_are_off_by_what_the_bits_allow(flagship, kept):
    before, after = weights(flagship), weights(shrink(flagship, kept))
    assert any("gru.weight_hh" in name for name in after)
    for name, values in after.items():
        true = before[name]
        if kept == "float16":
            np.testing.assert_allclose(values, true, rtol=2**-11, atol=2**-25)
        else:
            largest = np.abs(true).max(axis=-1 if true.ndim == 3 else 0, keepdims=True)
            assert (np.abs(values - true) <= largest * 0.5001 / 127).all()


@pytest.mark.parametrize("kept", SIZES)
def test_files_shrink(flagship, kept):
    assert shrink(flagship, kept).ByteSize() < SIZES[kept] * flagship.ByteSize()


def test_float32_is_the_same_and_nothing_is_changed_in_place(flagship):
    before = flagship.SerializeToString()
    assert shrink(flagship, "float32").SerializeToString() == before
    shrink(flagship, "int8")
    assert flagship.SerializeToString() == before


@pytest.mark.parametrize(("kept", "mean"), [("float16", 1e-4), ("int8", 3e-3)])
def test_answers_hardly_change(flagship, curves, kept, mean):
    few = feed(curves[:6].until(20.0))
    runs = [
        onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"]).run
        for model in (flagship, shrink(flagship, kept))
    ]
    plain, shrunk = (run(["probabilities"], few)[0] for run in runs)
    assert 0 < np.abs(plain - shrunk).mean() < mean
