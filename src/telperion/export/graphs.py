"""Three graphs of one classifier: of whole light curves, of one row more, and of rows encoded elsewhere."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

import numpy as np
import onnx
from onnx import helper

from telperion.bands import EXTINCTION
from telperion.classifier import Classifier
from telperion.encode import context
from telperion.export.answer import answer
from telperion.export.operators import (
    BOOL,
    DOUBLE,
    FLOAT,
    INT32,
    INT64,
    IR_VERSION,
    OPSET,
    Graph,
    Value,
    tensor,
)
from telperion.export.row import Redshift, Row, days_of, encode_row, memory_size
from telperion.export.surroundings import COLUMNS, best_redshift, encode_surroundings
from telperion.models.gru import Gru, encoder

Form = Literal["whole", "step", "encoded"]

_ROWS = {"time": DOUBLE, "band": INT64, "flux": FLOAT, "flux_err": FLOAT, "detected": BOOL}


def network_of(classifier: Classifier) -> Gru:
    """Give the network of a classifier that is one.

    Raises
    ------
    ValueError
        It is of another kind.
    """
    if not isinstance(classifier.model, Gru):
        raise ValueError(f"a classifier of kind {classifier.kind!r} is no single network: only 'gru' can be exported")
    return classifier.model


def build(classifier: Classifier, form: Form = "whole") -> onnx.ModelProto:
    """Write a classifier as one ONNX model, without metadata.

    Parameters
    ----------
    classifier : Classifier
        Of kind ``gru``.
    form : {"whole", "step", "encoded"}
        *whole*: light curves from their start, ``(n, t)``. *step*: one row an object, and what the row before left.
        *encoded*: rows and context that Telperion's encoding made, and the days up to which objects are known.

    Raises
    ------
    ValueError
        The classifier is no single network, or one of the preset ``oracle`` is to read raw rows.
    """
    gru = network_of(classifier)
    if form != "encoded" and gru.config.preset != "telperion":
        raise ValueError(
            f"a network of the preset {gru.config.preset!r} can be exported as 'encoded' alone, not {form!r}"
        )
    graph = Graph("telperion")
    inputs, outputs = {"whole": _whole, "step": _step, "encoded": _encoded}[form](graph, classifier, gru)
    model = helper.make_model(
        graph.proto(f"telperion_{form}", inputs, outputs),
        opset_imports=[helper.make_opsetid("", OPSET)],
        ir_version=IR_VERSION,
        producer_name="telperion",
    )
    onnx.checker.check_model(model, full_check=True)
    return model


_Tensors = list[onnx.ValueInfoProto]


def _embed(graph: Graph, classifier: Classifier, gru: Gru, days: Value, names: Mapping[str, str]) -> None:
    """Add the network, which reads what `names` says, and what makes its logits answers."""
    graph.embed(onnx.load_from_string(gru.network).graph, names)
    logits = graph.value("logits")
    answer(graph, logits, days, classifier.tree, classifier.calibration, classifier.mix).named("probabilities")


def _state(name: str, gru: Gru) -> onnx.ValueInfoProto:
    return tensor(name, FLOAT, "n", gru.config.layers, gru.config.hidden)


def _known(graph: Graph) -> Redshift:
    """Encode the context, as ``static``, and give the redshift."""
    encode_surroundings(graph, graph.value("context"), graph.value("given")).named("static")
    return best_redshift(graph, graph.value("static"))


_OBJECTS: _Tensors = [
    tensor("context", DOUBLE, "n", len(COLUMNS)),
    tensor("given", BOOL, "n", len(context.GROUPS)),
    tensor("ebv", DOUBLE, "n"),
]


def _dereddened(graph: Graph, flux: Value, band: Value, ebv: Value) -> Value:
    """Correct fluxes in float32, as `LightCurves.deredden` does, and give them as float64."""
    extinction = graph.add("Gather", EXTINCTION * (0.4 * np.log(10)), band, axis=0)
    return (flux * (extinction * ebv).exp().cast(FLOAT)).cast(DOUBLE)


def _step(graph: Graph, classifier: Classifier, gru: Gru) -> tuple[_Tensors, _Tensors]:
    with_rhythm, size = gru.config.rhythm, memory_size(gru.config.rhythm)
    redshift = _known(graph)
    time, band, flux, error, detected = (graph.value(name).widened() for name in _ROWS)  # (n, 1)
    ebv = graph.value("ebv").widened()
    flux, error = (_dereddened(graph, each, band, ebv) for each in (flux, error))
    row = Row(time, band, flux, error, detected)
    features, memory = encode_row(graph, row, redshift, graph.value("memory"), with_rhythm=with_rhythm)
    features.widened().named("rows")
    memory.named("new_memory")
    (graph.value("band") * np.int64(0) + np.int64(1)).cast(INT32).named("one")
    days = days_of(graph, memory, with_rhythm=with_rhythm)
    _embed(graph, classifier, gru, days, {"lengths": "one"})
    days.narrowed().named("days")
    inputs = [tensor(name, kind, "n") for name, kind in _ROWS.items()] + _OBJECTS
    inputs += [tensor("memory", DOUBLE, "n", size), _state("state", gru)]
    return inputs, _outputs(classifier, gru)


def _whole(graph: Graph, classifier: Classifier, gru: Gru) -> tuple[_Tensors, _Tensors]:
    with_rhythm, size = gru.config.rhythm, memory_size(gru.config.rhythm)
    redshift = _known(graph)
    band = graph.value("band")
    length = graph.value("lengths")  # (n,)
    place = graph.add("CumSum", band * np.int64(0) + np.int64(1), np.int64(1))
    valid = place <= length.cast(INT64).widened()  # (n, t)
    band = graph.where(valid, band, np.int64(0))
    ebv = graph.value("ebv").widened()
    flux = _dereddened(graph, graph.where(valid, graph.value("flux"), np.float32(0)), band, ebv)
    error = graph.where(valid, graph.value("flux_err"), np.float32(1))
    error = _dereddened(graph, error, band, ebv)
    columns = [
        graph.add("Transpose", each, perm=[1, 0])  # (t, n): evaluators differ in which axes they scan
        for each in (graph.where(valid, graph.value("time"), 0.0), band, flux, error, graph.value("detected"), valid)
    ]
    nothing = length.cast(DOUBLE).widened() * np.zeros((1, size))
    memory, rows = graph.add_many(
        "Scan", nothing, *columns, n_outputs=2, body=_one_row(redshift, size, with_rhythm),
        num_scan_inputs=len(columns),
    )  # fmt: skip
    graph.add("Transpose", rows, perm=[1, 0, 2]).named("rows")
    length.above(np.int32(1)).named("some_lengths")
    layers = gru.config.layers, gru.config.hidden
    empty = length.cast(FLOAT).widened().widened() * np.zeros((1, *layers), np.float32)
    empty.named("no_state")
    days = days_of(graph, memory, with_rhythm=with_rhythm)
    names = {"lengths": "some_lengths", "state": "no_state", "new_state": "some_state"}
    _embed(graph, classifier, gru, days, names)
    days.narrowed().named("days")
    some = (length > np.int32(0)).widened().widened()
    graph.where(some, graph.value("some_state"), empty).named("new_state")
    memory.named("new_memory")
    inputs = [tensor(name, kind, "n", "t") for name, kind in _ROWS.items()] + [tensor("lengths", INT32, "n"), *_OBJECTS]
    return inputs, _outputs(classifier, gru)


def _one_row(redshift: Redshift, size: int, with_rhythm: bool) -> onnx.GraphProto:
    """Write what is done row by row; the redshift is that of the graph around it."""
    graph = Graph("row")
    kinds = {"time": DOUBLE, "band": INT64, "flux": DOUBLE, "error": DOUBLE, "detected": BOOL}
    row = Row(*(graph.value(f"row_{name}").widened() for name in kinds))
    memory = graph.value("row_memory")
    outside = Redshift(*(graph.value(each.name) for each in vars(redshift).values()))
    features, after = encode_row(graph, row, outside, memory, with_rhythm=with_rhythm)
    graph.where(graph.value("row_valid").widened(), after, memory).named("row_memory_after")
    features.named("row_features")
    inputs = [tensor("row_memory", DOUBLE, "n", size)]
    inputs += [tensor(f"row_{name}", kind, "n") for name, kind in kinds.items()] + [tensor("row_valid", BOOL, "n")]
    outputs = [tensor("row_memory_after", DOUBLE, "n", size), tensor("row_features", FLOAT, "n", "f")]
    return graph.proto("row", inputs, outputs)


def _encoded(graph: Graph, classifier: Classifier, gru: Gru) -> tuple[_Tensors, _Tensors]:
    _embed(graph, classifier, gru, graph.value("days").widened(), {})
    shape = encoder(gru.config)
    inputs = [
        tensor("rows", FLOAT, "n", "t", shape.n_features),
        tensor("lengths", INT32, "n"),
        tensor("static", FLOAT, "n", shape.n_static),
        _state("state", gru),
        tensor("days", DOUBLE, "n"),
    ]
    return inputs, [_outputs(classifier, gru)[0], _state("new_state", gru)]


def _outputs(classifier: Classifier, gru: Gru) -> _Tensors:
    return [
        tensor("probabilities", FLOAT, "n", len(classifier.tree)),
        tensor("days", DOUBLE, "n"),
        tensor("new_memory", DOUBLE, "n", memory_size(gru.config.rhythm)),
        _state("new_state", gru),
    ]
