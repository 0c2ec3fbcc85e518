"""An exported graph says what the classifier says: whole, row by row, from encoded rows, in two runtimes."""

import numpy as np
import onnxruntime
import pytest

import telperion
from telperion import LightCurves
from telperion.encode.view import days_known, keep_context, view
from telperion.models.gru import encoder

onnx = pytest.importorskip("onnx", reason="writing ONNX needs telperion[train]")

from onnx.reference import ReferenceEvaluator  # noqa: E402 - it comes with onnx

from telperion.export.feed import feed  # noqa: E402 - it needs onnx
from telperion.export.graphs import build  # noqa: E402

ROWS = ("time", "band", "flux", "flux_err", "detected")
OBJECTS = ("context", "given", "ebv")
CLOSE = 1e-5


def session(model):
    return onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])


def go(run, given, width, layers, hidden, n_nodes, n_rows=None):
    """Go through light curves row by row, each object as far as it has rows, from zeros."""
    n, n_times = given["time"].shape
    probabilities, days = np.zeros((n, n_nodes), np.float32), np.full(n, np.nan)
    memory, state = np.zeros((n, width)), np.zeros((n, layers, hidden), np.float32)
    for place in range(n_rows or n_times):
        on = given["lengths"] > place
        row = {name: given[name][on, place] for name in ROWS} | {name: given[name][on] for name in OBJECTS}
        answer = run(None, row | {"memory": memory[on], "state": state[on]})
        probabilities[on], days[on], memory[on], state[on] = answer
    return probabilities, days, memory, state


@pytest.mark.parametrize("name", ["rhythm", "layers"])
@pytest.mark.parametrize("context", ["specz", "photoz", "none"])
def test_whole_light_curves_get_what_predict_says(small, curves, name, context):
    classifier = small(name)
    run = session(build(classifier)).run
    for days in (0.0, 8.0, np.inf):
        known = view(keep_context(curves, context), days, "alert")
        probabilities, found, memory, state = run(None, feed(known))
        np.testing.assert_allclose(probabilities, classifier.predict(known, view="full"), rtol=0, atol=CLOSE)
        np.testing.assert_allclose(found, days_known(known), rtol=0, atol=1e-9)
        _, there = classifier.step(classifier.start(len(known)), known)
        np.testing.assert_allclose(memory, there.memory, rtol=1e-6, atol=1e-6)
        np.testing.assert_allclose(state, there.hidden, rtol=0, atol=CLOSE)


@pytest.mark.parametrize("name", ["rhythm", "layers"])
def test_row_by_row_gets_what_step_says(small, curves, name):
    classifier = small(name)
    config = classifier.model.config
    model = build(classifier, "step")
    width = model.graph.input[-2].type.tensor_type.shape.dim[1].dim_value
    known = view(curves, 60.0, "alert")
    probabilities, days, memory, _ = go(
        session(model).run, feed(known), width, config.layers, config.hidden, len(classifier.tree)
    )
    expected, state = classifier.step(classifier.start(len(known)), known)
    np.testing.assert_allclose(probabilities, expected, rtol=0, atol=CLOSE)
    np.testing.assert_allclose(days, days_known(known), rtol=0, atol=1e-9)
    np.testing.assert_allclose(memory, state.memory, rtol=1e-6, atol=1e-6)


def test_a_hundred_rows_of_the_flagship_one_by_one(curves):
    classifier = telperion.load("elasticc")
    known = curves[curves.lengths >= 100][:4]
    assert len(known) == 4
    given = feed(known)
    run, hidden = session(build(classifier, "step")).run, classifier.model.config.hidden
    some = {name: values[:, :100] if name in ROWS else values for name, values in given.items()}
    probabilities = go(run, some, 268, 1, hidden, len(classifier.tree))[0]
    first = known.select_rows(np.concatenate([np.arange(length) < 100 for length in known.lengths]))
    np.testing.assert_allclose(probabilities, classifier.predict(first, view="full"), rtol=0, atol=CLOSE)


def test_the_ends_of_single_precision_give_probabilities():
    end, least = 3.4e38, 1e-45
    flux = [[end, -end, end], [end] * 3, [1, 2, 3], [end, 1, -end], [least] * 3, [0.0] * 3]
    errors = [[1.0] * 3, [end] * 3, [end] * 3, [least] * 3, [least] * 3, [least, 1, end]]
    n, classifier = len(flux), telperion.load("elasticc")
    extreme = LightCurves(
        [f"{k}" for k in range(n)], np.arange(0, 3 * n + 1, 3), np.tile([61000.0, 61000.02, 61003.0], n), [2, 3, 1] * n,
        np.ravel(flux), np.ravel(errors), np.ones(3 * n, bool), dereddened=True,
        context={"hostgal_specz": [19.9, np.nan] * 3},
    )  # fmt: skip
    probabilities = session(build(classifier)).run(None, feed(extreme))[0]
    np.testing.assert_allclose(probabilities, classifier.predict(extreme, view="full"), rtol=0, atol=1e-4)


def test_a_history_can_be_gone_on_from_row_by_row(small, curves):
    classifier = small("rhythm")
    early, late = view(curves, 5.0, "full"), view(curves, 5.5, "full")
    new = late.lengths - early.lengths
    assert new.any()
    _, _, memory, state = session(build(classifier)).run(None, feed(early))
    given, run = feed(late), session(build(classifier, "step")).run
    probabilities = classifier.predict(early, view="full")
    for place in range(new.max()):
        on = np.flatnonzero(new > place)
        row = {name: given[name][on, early.lengths[on] + place] for name in ROWS}
        row |= {name: given[name][on] for name in OBJECTS}
        answer = run(None, row | {"memory": memory[on], "state": state[on]})
        probabilities[on], _, memory[on], state[on] = answer
    np.testing.assert_allclose(probabilities, classifier.predict(late, view="full"), rtol=0, atol=CLOSE)


def test_without_rows_the_answer_is_the_class_mix(small, curves):
    classifier = small("rhythm")
    given = feed(curves[:3])
    given["lengths"][1] = 0
    for name in ("time", "flux", "flux_err"):  # what stands behind the last row is not read
        given[name][np.arange(given[name].shape[1]) >= given["lengths"][:, None]] = np.nan
    given["band"][1] = 99
    probabilities, days, memory, state = session(build(classifier)).run(None, given)
    mix = classifier.tree.from_leaves(classifier.mix[None])[0]
    np.testing.assert_allclose(probabilities[1], mix, rtol=1e-6)
    assert np.isnan(days[1])
    assert not state[1].any()
    assert np.isfinite(probabilities).all()
    again, _ = classifier.step(classifier.start(1), curves[0])
    np.testing.assert_allclose(probabilities[:1], again, rtol=0, atol=CLOSE)
    assert not memory[1].any()  # zeros, with which whoever begins may begin


@pytest.mark.parametrize("name", ["rhythm", "oracle"])
@pytest.mark.parametrize("calibrated", [True, False])
def test_encoded_rows_get_what_predict_says(small, curves, name, calibrated):
    classifier = small(name, calibrated=calibrated)
    inputs = encoder(classifier.model.config)
    known = curves.deredden() if inputs.dereddens else curves
    static = inputs.static(known)
    rows, lengths, _ = inputs.rows(known, static, inputs.start(len(known)))
    hidden = classifier.start(len(known)).hidden
    given = {"rows": rows, "lengths": lengths.astype(np.int32), "static": static, "state": hidden}
    given["days"] = days_known(known)
    probabilities, _ = session(build(classifier, "encoded")).run(None, given)
    np.testing.assert_allclose(probabilities, classifier.predict(known, view="full"), rtol=0, atol=CLOSE)


@pytest.mark.parametrize("form", ["whole", "step"])
def test_the_reference_of_the_format_says_the_same(small, curves, form):
    """A second opinion on the file: onnx's own evaluator, operator by operator in numpy."""
    classifier = small("rhythm")
    known = view(curves[:3], 3.0, "full")
    given = feed(known)
    model = build(classifier, form)
    other = ReferenceEvaluator(model)
    if form == "whole":
        each = [feed(known[place]) for place in range(len(known))]  # its GRU does not look at lengths
        probabilities = np.concatenate([other.run(None, one)[0] for one in each])
    else:
        probabilities = go(other.run, given, 268, 1, 12, len(classifier.tree))[0]
    np.testing.assert_allclose(probabilities, classifier.predict(known, view="full"), rtol=0, atol=CLOSE)


def test_real_light_curves_get_what_predict_says(lsst_data):
    folder = lsst_data / "elasticc2"
    if not folder.is_dir():
        pytest.skip(f"no ELAsTiCC2 at {folder}")
    classifier = telperion.load("elasticc")
    known = view(telperion.read(folder)[:20], 8.0, "alert")
    probabilities = session(build(classifier)).run(None, feed(known))[0]
    np.testing.assert_allclose(probabilities, classifier.predict(known, view="full"), rtol=0, atol=CLOSE)


def test_what_is_no_single_network_is_refused(small):
    with pytest.raises(ValueError, match="kind 'stack' is no single network"):
        build(telperion.load("plasticc"))
    with pytest.raises(ValueError, match="preset 'oracle' can be exported as 'encoded' alone, not 'step'"):
        build(small("oracle"), "step")
