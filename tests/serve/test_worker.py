import base64
import json
import shutil

import numpy as np
import pyarrow.parquet as pq
import pytest

pytest.importorskip("lmdb", reason="the stream needs telperion[stream]")
pytest.importorskip("numba", reason="the stream needs telperion[stream]")
from telperion.encode.view import view
from telperion.formats.packets import read_alerts
from telperion.serve.stream import Stream
from telperion.simulate.save_night import save_night


@pytest.fixture(scope="module")
def folder(night, tmp_path_factory):
    """The night's alerts in files."""
    place = tmp_path_factory.mktemp("night")
    save_night(place, night)
    return place


def go(stream, turns=None):
    """Run a worker to the end, or for some turns, after which nothing of it is finished."""
    worker = stream.worker()
    try:
        worker.resume()
        while (turns is None or turns > 0) and worker.turn():
            turns = None if turns is None else turns - 1
        if turns is None:
            worker.close()
        return dict(worker.counts)
    finally:
        worker.store.close()


def lines(path):
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_every_alert_of_a_folder_is_answered_once_as_the_batch_classifier_does(folder, flagship, tmp_path):
    outputs = (str(tmp_path / "answers.jsonl"), str(tmp_path / "table"), f"lasair+{tmp_path / 'notes.jsonl'}")
    counts = go(Stream(str(folder), outputs, tmp_path / "state"))
    alerts = read_alerts(folder)
    said = lines(tmp_path / "answers.jsonl")
    assert counts["packets"] == counts["answered"] == len(said) == len(alerts)
    assert [answer["alertId"] for answer in said] == alerts.alert_id.tolist()
    table = pq.read_table(tmp_path / "table")
    assert table["alert_id"].to_pylist() == alerts.alert_id.tolist()
    assert len(lines(tmp_path / "notes.jsonl")) == len(alerts)
    shown = view(alerts.light_curves(), kind="alert")
    wanted = flagship.predict(shown, view="full")
    same = table["n_obs"].to_numpy() == shown.lengths
    assert same.mean() > 0.9
    found = np.stack([table[name].to_numpy() for name in flagship.tree.nodes], axis=1)
    np.testing.assert_allclose(found[same], wanted[same], atol=1e-5)
    assert not (tmp_path / "state" / "dead.jsonl").read_text()


@pytest.mark.parametrize("most", [2000, 7])
def test_a_stream_that_breaks_off_anywhere_goes_on_as_if_it_had_not(folder, tmp_path, rng, most):
    files = sorted(folder.glob("visit-*.avro"))
    whole, broken = (
        Stream(str(place), (f"{place}.jsonl", f"{place}-table"), tmp_path / f"{place.name}-state", most=most)
        for place in (tmp_path / "whole", tmp_path / "broken")
    )
    for name in ("whole", "broken"):
        (tmp_path / name).mkdir()
    for file in files:
        shutil.copy(file, tmp_path / "whole")
    expected = go(whole)
    for file in files:  # one after the other, and cut off after each but for what a process leaves behind
        shutil.copy(file, tmp_path / "broken")
        go(broken, turns=1)
        with open(tmp_path / "broken.jsonl", "ab") as torn:
            torn.write(b'{"alertId": 12, half of a li')
    found = go(broken)
    assert {name: found[name] for name in ("packets", "answered", "new")} == {
        name: expected[name] for name in ("packets", "answered", "new")
    }
    one, other = (lines(tmp_path / f"{name}.jsonl") for name in ("whole", "broken"))
    assert [answer["alertId"] for answer in one] == [answer["alertId"] for answer in other]
    assert [answer["probabilities"] for answer in one] == [answer["probabilities"] for answer in other]
    tables = [pq.read_table(tmp_path / f"{name}-table") for name in ("whole", "broken")]
    assert tables[0]["alert_id"].to_pylist() == tables[1]["alert_id"].to_pylist()


def test_what_is_not_wanted_is_counted_and_not_published(folder, tmp_path):
    wanted = "SN > 0.5 and days >= 0"
    counts = go(Stream(str(folder), (str(tmp_path / "some.jsonl"),), tmp_path / "state", keep=wanted))
    said = lines(tmp_path / "some.jsonl")
    assert 0 < len(said) == counts["answered"] < counts["packets"]
    assert counts["answered"] + counts["filtered"] == counts["packets"]
    assert all(answer["probabilities"]["SN"] > 0.5 for answer in said)


def test_broken_packets_are_set_aside_with_the_reason_and_harm_no_other(folder, packets, tmp_path):
    some = tmp_path / "some"
    some.mkdir()
    for k, (_, packet) in enumerate(packets[:20]):
        (some / f"packet-{k:02d}.avro").write_bytes(packet if k % 4 else packet[: len(packet) // 2])
    (some / "packet-99.avro").write_bytes(b"nothing of the kind")
    counts = go(Stream(str(some), (str(tmp_path / "a.jsonl"),), tmp_path / "state", dead=str(tmp_path / "dead.jsonl")))
    dead = lines(tmp_path / "dead.jsonl")
    assert counts["packets"] == 21
    assert counts["answered"] == len(lines(tmp_path / "a.jsonl")) == 15
    assert counts["dead"] == len(dead) == 6
    assert all(letter["reason"] for letter in dead)
    assert dead[-1]["place"] == "packet-99.avro"
    letters = [base64.b64decode(letter["packet"]) for letter in dead]  # each is a file of its own
    assert letters == [(some / letter["place"]).read_bytes() for letter in dead]
    assert letters[-1] == b"nothing of the kind"


def test_an_alert_that_no_light_curve_can_be_made_of_harms_no_other(folder, tmp_path, monkeypatch):
    from telperion.serve.engine import Engine

    bad = read_alerts(folder).alert_id[7]
    answer = Engine.answer

    def refusing(engine, alerts, *more, **known):
        if bad in alerts.alert_id:
            raise ValueError("such a value")
        return answer(engine, alerts, *more, **known)

    monkeypatch.setattr(Engine, "answer", refusing)
    counts = go(Stream(str(folder), (str(tmp_path / "a.jsonl"),), tmp_path / "state"))
    assert counts["dead"] == 1
    assert counts["answered"] == counts["packets"] - 1
    (letter,) = lines(tmp_path / "state" / "dead.jsonl")
    assert letter["reason"] == "such a value"
    assert bad not in [line["alertId"] for line in lines(tmp_path / "a.jsonl")]


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"outputs": ("avro+x.jsonl",)}, "Avro goes to a topic"),
        ({"keep": "TDEE > 1"}, "TDE"),
        ({"model": "plasticc"}, "reads whole light curves"),
        ({"source": "nowhere"}, "no such file"),
    ],
)
def test_what_cannot_be_is_said_at_once(folder, tmp_path, changes, words):
    known = {"source": str(folder), "outputs": (str(tmp_path / "a.jsonl"),), "state": tmp_path / "state"}
    with pytest.raises((ValueError, FileNotFoundError), match=words):
        Stream(**known | changes).worker()
