"""Logits become calibrated probabilities inside a graph as they do outside, at any phase and in any tree."""

import numpy as np
import onnxruntime
import pytest

from telperion.calibrate import Calibration
from telperion.taxonomy import Taxonomy

onnx = pytest.importorskip("onnx", reason="writing ONNX needs telperion[train]")

from telperion.export.answer import answer  # noqa: E402 - it needs onnx
from telperion.export.operators import DOUBLE, FLOAT, IR_VERSION, OPSET, Graph, tensor  # noqa: E402

TREES = {
    "flat": Taxonomy("flat", {"Alert": {"SN": {}, "KN": {}, "AGN": {}}}),
    "lopsided": Taxonomy("lopsided", {"Alert": {"A": {"B": {"C": {"D": {}}, "E": {}}}, "F": {}}}),
    "elasticc": Taxonomy.load("elasticc"),
}


def answered(tree, calibration, mix, logits, days):
    graph = Graph("g")
    answer(graph, graph.value("logits"), graph.value("days"), tree, calibration, mix).named("probabilities")
    inputs = [tensor("logits", FLOAT, "n", len(tree)), tensor("days", DOUBLE, "n", 1)]
    proto = graph.proto("answer", inputs, [tensor("probabilities", FLOAT, "n", len(tree))])
    opsets = [onnx.helper.make_opsetid("", OPSET)]
    model = onnx.helper.make_model(proto, opset_imports=opsets, ir_version=IR_VERSION)
    run = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"]).run
    return run(None, {"logits": logits, "days": days[:, None]})[0]


def drawn(rng, tree):
    knots = np.array([0.0, 1.0, 10.0, 100.0])
    sharpness, bias = np.ones((4, len(tree))), rng.normal(0, 1, (4, len(tree)))
    for group in tree.groups[1:]:
        sharpness[:, group] = rng.uniform(0.5, 2, (4, 1))
    return Calibration(tree, rng.uniform(1, 2, tree.leaves.size), knots, sharpness, bias)


@pytest.mark.parametrize("name", TREES)
@pytest.mark.parametrize("calibrated", [True, False])
def test_probabilities_are_those_of_the_tree_and_its_calibration(rng, name, calibrated):
    tree = TREES[name]
    calibration = drawn(rng, tree)
    logits = rng.normal(0, 4, (200, len(tree))).astype(np.float32)
    days = np.concatenate([[0, 1, 10, 100, 5000], 10 ** rng.uniform(-2, 4, 195)])
    expected = tree.probabilities(logits.astype(np.float64)).astype(np.float32)
    if calibrated:
        expected = calibration.apply(expected, days)
    found = answered(tree, calibration if calibrated else None, calibration.mix, logits, days)
    np.testing.assert_allclose(found, expected, rtol=0, atol=2e-7)


def test_siblings_sum_to_their_parent_however_sure_the_network_is(rng):
    tree = TREES["elasticc"]
    logits = rng.choice([-200.0, 0.0, 200.0], (50, len(tree))).astype(np.float32)
    calibration = drawn(rng, tree)
    found = answered(tree, calibration, calibration.mix, logits, np.full(50, 4.0))
    np.testing.assert_array_equal(found[:, 0], 1)
    for group in tree.groups[1:]:
        np.testing.assert_allclose(found[:, group].sum(axis=1), found[:, tree.parent[group[0]]], atol=1e-6)


def test_without_rows_it_is_the_mix(rng):
    tree = TREES["lopsided"]
    calibration = drawn(rng, tree)
    found = answered(tree, calibration, calibration.mix, np.zeros((1, len(tree)), np.float32), np.array([np.nan]))
    np.testing.assert_allclose(found, tree.from_leaves(calibration.mix[None]), rtol=1e-6)
