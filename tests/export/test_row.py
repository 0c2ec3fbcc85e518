"""Rows encoded inside a graph are those that the classifier encodes, feature by feature."""

import numpy as np
import onnxruntime
import pytest

from telperion.encode import rhythm, sequence
from telperion.encode.context import N_STATIC, encode_context
from telperion.encode.history import days_known

onnx = pytest.importorskip("onnx", reason="writing ONNX needs telperion[train]")

from telperion.export.operators import (  # noqa: E402 - it needs onnx
    BOOL,
    DOUBLE,
    FLOAT,
    INT64,
    IR_VERSION,
    OPSET,
    Graph,
    tensor,
)
from telperion.export.row import Row, days_of, encode_row, memory_size  # noqa: E402
from telperion.export.surroundings import best_redshift  # noqa: E402

KINDS = {"time": DOUBLE, "band": INT64, "flux": DOUBLE, "error": DOUBLE, "detected": BOOL}
NAMES = np.array([*sequence.NAMES, *rhythm.NAMES])


@pytest.fixture(scope="module")
def run():
    graph = Graph("g")
    row = Row(*(graph.value(name) for name in KINDS))
    redshift = best_redshift(graph, graph.value("static"))
    features, memory = encode_row(graph, row, redshift, graph.value("memory"), with_rhythm=True)
    features.named("features")
    memory.named("new_memory")
    days_of(graph, memory, with_rhythm=True).named("days")
    inputs = [tensor(name, kind, "n", 1) for name, kind in KINDS.items()]
    inputs += [tensor("static", FLOAT, "n", N_STATIC), tensor("memory", DOUBLE, "n", memory_size(True))]
    outputs = [tensor("features", FLOAT, "n", len(NAMES)), tensor("new_memory", DOUBLE, "n", memory_size(True))]
    proto = graph.proto("row", inputs, [*outputs, tensor("days", DOUBLE, "n", 1)])
    opsets = [onnx.helper.make_opsetid("", OPSET)]
    model = onnx.helper.make_model(proto, opset_imports=opsets, ir_version=IR_VERSION)
    return onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"]).run


def test_every_feature_and_the_memory_are_those_of_the_classifier(run, curves):
    known = curves.deredden()
    static = encode_context(known)
    rows, lengths, kept = sequence.encode_rows(known, static, sequence.start(len(known), rhythm=True), rhythm=True)
    memory = np.zeros((len(known), memory_size(True)))
    for place in range(60):
        on = np.flatnonzero(lengths > place)
        at = known.offsets[on] + place
        columns = known.time, known.band.astype(np.int64), known.flux, known.flux_err, known.detected
        types = np.float64, np.int64, np.float64, np.float64, np.bool_
        given = {name: values[at, None].astype(kind) for name, values, kind in zip(KINDS, columns, types, strict=True)}
        features, memory[on], days = run(None, given | {"static": static[on], "memory": memory[on]})
        wrong = np.abs(features - rows[on, place]).max(axis=0) > 3e-6
        assert not wrong.any(), f"row {place}: {NAMES[wrong]}"
    ended = lengths <= 60
    assert ended.any()
    np.testing.assert_allclose(memory[ended], kept[ended], rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(days[lengths[on] == 60][:, 0], days_known(kept[on][lengths[on] == 60]))


def test_rows_of_an_object_never_detected(run):
    memory = np.zeros((1, memory_size(True)))
    static = np.zeros((1, N_STATIC), np.float32)
    for time in (60000.0, 60003.0):
        given = {"time": [[time]], "band": [[2]], "flux": [[5.0]], "error": [[50.0]], "detected": [[False]]}
        given = {name: np.array(values) for name, values in given.items()}
        features, memory, days = run(None, given | {"static": static, "memory": memory})
    assert days[0, 0] == 0
    assert np.isfinite(features).all()
    assert features[0, list(NAMES).index("log_days:since_first_detection")] == 0
