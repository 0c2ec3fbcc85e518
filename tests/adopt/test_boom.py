"""A broker without Telperion, such as BOOM in Rust: the exported file alone says how to feed it and what comes out.

`fed` and `promised` are written from the file's own properties, loop by loop as such a broker would, and read none of
Telperion's code.
"""

import json
import math

import numpy as np
import onnxruntime
import pytest
from numpy.testing import assert_allclose, assert_array_equal

pytest.importorskip("onnx", reason="writing ONNX needs telperion[train]")

from telperion.encode.view import days_known, held_context
from telperion.export.write import export

TAI_UTC = 37.0 / 86_400  # d


@pytest.fixture(scope="module")
def session(elasticc):
    return onnxruntime.InferenceSession(export(elasticc, name="elasticc"), providers=["CPUExecutionProvider"])


@pytest.fixture(scope="module")
def about(session):
    return session.get_modelmeta().custom_metadata_map


@pytest.fixture
def documents(held, rng):
    """Objects as BOOM stores them: Julian days of UTC, the alert apart from its history, rows in any order."""

    def photometry(row):
        time = row["midpointMjdTai"] - TAI_UTC + 2_400_000.5
        return {"jd": time, "flux": row["psfFlux"], "flux_err": row["psfFluxErr"], "band": row["band"]}

    made = []
    for name, sources, forced in zip(*held, strict=True):
        rows, fits = [photometry(row) for row in sources], [photometry(row) for row in forced]
        document = {"objectId": name, "candidate": rows[-1], "prv_candidates": rows, "fp_hists": fits + rows[:2]}
        document["fp_hists"].append({"jd": rows[0]["jd"] - 0.01, "flux": None, "flux_err": 3.0, "band": "r"})
        rng.shuffle(document["prv_candidates"])
        rng.shuffle(document["fp_hists"])
        made.append(document)
    return made


def fed(about, documents, ebv=None):
    """Give the inputs of a batch of documents, in the types that `docs/export.md` lists."""
    bands = json.loads(about["bands"])
    columns, groups = list(json.loads(about["context"])), json.loads(about["context_groups"])
    objects = []
    for document in documents:
        rows = {}
        for row, detected in (
            *((row, True) for row in (*document["prv_candidates"], document["candidate"])),
            *((row, False) for row in document["fp_hists"]),
        ):
            flux, error = row["flux"], row["flux_err"]
            usable = flux is not None and math.isfinite(flux) and error > 0 and row["band"] in bands
            if usable:  # the first of a time and band counts, and detections come first
                rows.setdefault((row["jd"] - 2_400_000.5, bands.index(row["band"])), (flux, error, detected))
        first = min((time for (time, _), (*_, detected) in rows.items() if detected), default=math.inf)
        objects.append([(*key, *rows[key]) for key in sorted(rows) if key[0] >= first - 30])
    n, longest = len(objects), max(map(len, objects))
    inputs = {
        "time": np.zeros((n, longest)),
        "band": np.zeros((n, longest), dtype=np.int64),
        "flux": np.zeros((n, longest), dtype=np.float32),
        "flux_err": np.ones((n, longest), dtype=np.float32),
        "detected": np.zeros((n, longest), dtype=bool),
    }
    for k, rows in enumerate(objects):
        for place, row in enumerate(rows):
            for name, value in zip(inputs, row, strict=True):
                inputs[name][k, place] = value
    context, given = np.full((n, len(columns)), np.nan), np.zeros((n, len(groups)), dtype=bool)
    if ebv is not None:
        context[:, columns.index("mwebv")], given[:, groups.index("dust")] = ebv, True
    lengths = np.array([len(rows) for rows in objects], dtype=np.int32)
    return inputs | {"lengths": lengths, "context": context, "given": given, "ebv": np.zeros(n) if ebv is None else ebv}


def promised(about, probabilities, days, context, level=0.9):
    """Give the deepest promised node of one object, as the property ``promise_rule`` says."""
    nodes, parents, table = (json.loads(about[name]) for name in ("nodes", "parents", "promise"))
    prices = table["price"][table["levels"].index(level)][table["contexts"].index(context)]
    price = [np.interp(math.log1p(days), np.log1p(table["knots"]), step) for step in zip(*prices, strict=True)]
    node, best, total = nodes[0], (probabilities[0], nodes[0]), 0.0
    for step in price:
        children = [name for name in nodes if parents[name] == node]
        if not children:
            break
        node = max(children, key=lambda name: probabilities[nodes.index(name)])
        total += step
        if probabilities[nodes.index(node)] + total > best[0]:
            best = probabilities[nodes.index(node)] + total, node
    return best[1]


def test_the_file_says_what_to_feed(session, about, documents):
    inputs = fed(about, documents)
    assert {each.name for each in session.get_inputs()} == set(inputs) == set(json.loads(about["inputs"]))
    types = {
        "tensor(double)": "f8",
        "tensor(int64)": "i8",
        "tensor(float)": "f4",
        "tensor(bool)": "?",
        "tensor(int32)": "i4",
    }
    for each in session.get_inputs():
        assert inputs[each.name].dtype == types[each.type]
        assert inputs[each.name].ndim == len(each.shape)


def test_what_comes_out_is_what_predict_says(session, about, documents, sky, elasticc):
    probabilities, days, *_ = session.run(None, fed(about, documents))
    assert_allclose(probabilities, elasticc.predict(sky), atol=1e-5)  # 37 s between TAI and UTC change nothing
    assert_allclose(days, days_known(sky), atol=1e-6)
    assert json.loads(about["nodes"]) == list(elasticc.tree.nodes)


def test_dust_is_for_the_graph_to_take_away(session, about, documents, sky, elasticc):
    ebv = np.linspace(0, 1, len(sky))
    probabilities = session.run(["probabilities"], fed(about, documents, ebv))[0]
    raw = type(sky)(
        sky.object_id, sky.offsets, sky.time, sky.band, sky.flux, sky.flux_err, sky.detected, {"mwebv": ebv}
    )
    assert_allclose(probabilities, elasticc.predict(raw.deredden()), atol=1e-5)


def test_one_object_a_call_is_the_same(session, about, documents, sky, elasticc):
    for k in range(4):
        probabilities = session.run(["probabilities"], fed(about, documents[k : k + 1]))[0]
        assert_allclose(probabilities, elasticc.predict(sky[k]), atol=1e-5)


def test_the_promised_node_follows_from_the_files_tables(session, about, documents, sky, elasticc):
    probabilities, days, *_ = session.run(None, fed(about, documents))
    expected = elasticc.promised(probabilities, days_known(sky), held_context(sky))
    said = [promised(about, row, day, "none") for row, day in zip(probabilities.astype(float), days, strict=True)]
    assert_array_equal(said, np.array(elasticc.tree.nodes)[expected])
    assert len(set(said)) > 3
