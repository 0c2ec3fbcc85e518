"""One file that says all of itself, written by a call or the command line."""

import json
import sys

import numpy as np
import onnxruntime
import pytest

import telperion
from telperion.calibrate import Calibration
from telperion.cli import main
from telperion.saved import digest

onnx = pytest.importorskip("onnx", reason="writing ONNX needs telperion[train]")

from telperion.export.write import export, write  # noqa: E402 - it needs onnx
from telperion.models.card import SHIPPED  # noqa: E402


def properties(content):
    run = onnxruntime.InferenceSession(content, providers=["CPUExecutionProvider"])
    return run, run.get_modelmeta().custom_metadata_map


@pytest.mark.parametrize("form", ["whole", "step", "encoded"])
def test_a_file_says_all_of_itself(form):
    classifier = telperion.load("elasticc")
    run, said = properties(export(classifier, name="elasticc", form=form))
    tree = classifier.tree
    assert json.loads(said["nodes"]) == list(tree.nodes)
    parents = json.loads(said["parents"])
    assert [parents[node] for node in tree.nodes] == [None, *(tree.nodes[place] for place in tree.parent[1:])]
    assert list(json.loads(said["inputs"])) == [each.name for each in run.get_inputs()]
    assert list(json.loads(said["outputs"])) == [each.name for each in run.get_outputs()]
    sizes = {each.name: each.shape[-1] for each in run.get_inputs()}
    for name, what in {
        "context": "context",
        "given": "context_groups",
        "rows": "features",
        "static": "static_features",
    }.items():
        assert (name in sizes) == (what in said)
        assert name not in sizes or len(json.loads(said[what])) == sizes[name]
    again = Calibration.from_dict(json.loads(said["calibration"]), tree)
    np.testing.assert_array_equal(again.bias, classifier.calibration.bias)
    assert json.loads(said["promise"])["levels"] == classifier.promise.levels.tolist()
    np.testing.assert_allclose(list(json.loads(said["class_mix"]).values()), classifier.mix)
    assert said["fingerprint"] == classifier.fingerprint
    assert said["training_sha256"] == digest(SHIPPED / "elasticc" / "run.toml")


def test_a_classifier_without_calibration_or_promise_says_so(small):
    _, said = properties(export(small("layers", calibrated=False), name="small"))
    assert said["calibration"] == said["promise"] == "null"
    assert "promise_rule" not in said


def test_the_same_classifier_gives_the_same_file(tmp_path, small):
    size = write(small("layers"), tmp_path / "a.onnx", name="small", form="step", weights="float16")
    content = (tmp_path / "a.onnx").read_bytes()
    assert size == len(content)
    assert content == export(small("layers"), name="small", form="step", weights="float16")


def test_the_command_writes_a_file(tmp_path, capsys):
    path = tmp_path / "step.onnx"
    assert main(["export", "plasticc-gru", "-o", str(path), "--step", "--int8"]) == 0
    assert f"{path.stat().st_size:,} bytes" in " ".join(capsys.readouterr().out.split())
    _, said = properties(path.read_bytes())
    assert (said["form"], said["weights"], said["classifier"]) == ("step", "int8", "plasticc-gru")


def test_the_command_refuses_what_is_no_network(tmp_path, capsys):
    assert main(["export", "plasticc", "-o", str(tmp_path / "x.onnx")]) == 2
    assert "only 'gru' can be exported" in " ".join(capsys.readouterr().err.split())
    assert not list(tmp_path.iterdir())


def test_without_onnx_the_command_says_what_to_install(tmp_path, capsys, monkeypatch):
    for name in [name for name in sys.modules if name.startswith("telperion.export.")]:
        if not name.endswith(".command"):
            monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "onnx", None)
    assert main(["export", "plasticc-gru", "-o", str(tmp_path / "x.onnx")]) == 2
    assert "telperion[train]" in capsys.readouterr().err.replace("\n", "")
