"""Context encoded inside a graph is what the classifier encodes; the table of distances is the same."""

import numpy as np
import onnxruntime
import pytest

from telperion.encode.context import GROUPS, N_STATIC, encode_context
from telperion.encode.view import keep_context

onnx = pytest.importorskip("onnx", reason="writing ONNX needs telperion[train]")

from telperion.export.feed import feed  # noqa: E402 - it needs onnx
from telperion.export.operators import BOOL, DOUBLE, FLOAT, IR_VERSION, OPSET, Graph, tensor  # noqa: E402
from telperion.export.surroundings import COLUMNS, UNITS, encode_surroundings  # noqa: E402


@pytest.fixture(scope="module")
def run():
    graph = Graph("g")
    encode_surroundings(graph, graph.value("context"), graph.value("given")).named("static")
    inputs = [tensor("context", DOUBLE, "n", len(COLUMNS)), tensor("given", BOOL, "n", len(GROUPS))]
    proto = graph.proto("context", inputs, [tensor("static", FLOAT, "n", N_STATIC)])
    opsets = [onnx.helper.make_opsetid("", OPSET)]
    model = onnx.helper.make_model(proto, opset_imports=opsets, ir_version=IR_VERSION)
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    return lambda curves: session.run(None, {name: feed(curves)[name] for name in ("context", "given")})[0]


@pytest.mark.parametrize("kind", ["specz", "photoz"])
def test_context_is_what_the_classifier_encodes(run, curves, kind):
    known = keep_context(curves, kind)
    np.testing.assert_allclose(run(known), encode_context(known), rtol=1e-6, atol=1e-6)


def test_what_nobody_looked_for_is_zero(run, curves):
    known = keep_context(curves, "none")
    assert not run(known).any()
    assert not encode_context(known).any()


def test_redshift_alone_stands_for_that_of_the_host(run, curves):
    known = curves.with_context({"redshift": curves.context["hostgal_specz"], "mwebv": curves.context["mwebv"]})
    np.testing.assert_allclose(run(known), encode_context(known), rtol=1e-6, atol=1e-6)


def test_redshifts_from_the_nearest_to_the_farthest(run, curves):
    redshift = np.concatenate([[-0.05, 0.0, 1e-4, 20.0], np.geomspace(1e-5, 19.99, len(curves) - 4)])
    known = curves.with_context(
        {"hostgal_specz": redshift, "hostgal_specz_err": redshift / 9, "mwebv": 0 * redshift + 0.1}
    )
    np.testing.assert_allclose(run(known), encode_context(known), rtol=1e-6, atol=1e-6)


def test_each_column_has_a_unit():
    assert len(COLUMNS) == len(UNITS) == 14


def test_without_extinction_rows_cannot_be_fed(curves):
    with pytest.raises(ValueError, match="mwebv is unknown for 28 objects, first"):
        feed(curves.with_context({}))
    assert not feed(curves.deredden())["ebv"].any()
