import io
import json
import tempfile
from pathlib import Path

import fastavro
import numpy as np
import pyarrow.parquet as pq
import pytest
from rich.console import Console

import telperion
from telperion.cli import main
from telperion.demo import play as module
from telperion.demo.play import play
from telperion.formats.avro import schema_id
from telperion.formats.packets import read_alerts
from telperion.serve.worker import COUNTS
from telperion.simulate.packets import shipped_schema

SCHEMA = shipped_schema()


def records(keep: Path) -> list[dict]:
    """The alerts of the night, read by another code."""
    found = []
    for file in sorted(keep.glob("alerts/visit-?????.avro")):
        with file.open("rb") as stream:
            found += list(fastavro.reader(stream))
    return found


def test_every_packet_is_accounted_for(played):
    status, keep, _ = played
    assert status.counts["packets"] == sum(status.counts[name] for name in COUNTS[1:])
    assert status.counts["answered"] == len(records(keep))
    assert status.counts["dead"] == 4
    assert status.counts["repeated"] == 1
    assert not list(keep.glob("night/visit-*"))


def test_every_alert_is_answered_once(played):
    _, keep, _ = played
    answers = pq.read_table(keep / "answers")
    asked = sorted(alert["diaSourceId"] for alert in records(keep))
    assert sorted(answers["source_id"].to_pylist()) == asked
    assert len(set(asked)) == len(asked)


def test_dead_letters_say_which_packet_and_why(played):
    _, keep, text = played
    letters = [json.loads(line) for line in (keep / "dead.jsonl").read_text().splitlines()]
    names = {letter["place"].split("_")[1].removesuffix(".avro") for letter in letters}
    assert names == {"cut-short", "overwritten", "unknown-schema", "no-packet"}
    assert all(name in text for name in names)


def test_the_stream_answers_as_the_classifier_does_of_all_that_a_packet_shows(played):
    _, keep, _ = played
    classifier, answers = telperion.load("elasticc"), pq.read_table(keep / "answers")
    alerts = read_alerts(keep / "alerts", {schema_id(SCHEMA): SCHEMA})
    said = dict(zip(answers["alert_id"].to_pylist(), range(answers.num_rows), strict=True))
    order = [said[alert] for alert in alerts.alert_id.tolist()]
    nodes = np.stack([answers[name].to_numpy() for name in classifier.tree.nodes], axis=1)
    np.testing.assert_allclose(nodes[order], classifier.predict(alerts.light_curves()), atol=1e-4)


def test_what_is_shown_fits_a_hundred_columns_and_two_screens(played):
    status, _, text = played
    lines = text.splitlines()
    shown = [line.rstrip() for line in lines if "telperion stream" not in line and not line.startswith("Kept in")]
    assert max(map(len, shown)) <= 100
    assert len(lines) < 80
    assert "…" not in text
    assert f"{status.counts['packets']:,} packets" in text
    assert "an illustration" in text.lower()
    assert "docs/results.md" in text
    assert all(leaf in text for leaf in ("SNIb/c", "M-dwarf Flare", "Delta Scuti"))


def test_what_is_kept_goes_through_the_stream_again_by_the_command_that_is_shown(played, tmp_path, monkeypatch):
    status, _, text = played
    command = next(line.split() for line in text.splitlines() if line.startswith("  telperion stream"))
    monkeypatch.setattr("signal.signal", lambda *_: None)  # the stream takes Ctrl-C for itself
    out = tmp_path / "again.jsonl"
    assert main([*command[1:5], "-o", str(out), "-s", str(tmp_path / "state")]) == 0
    assert len(out.read_text().splitlines()) == status.counts["answered"]


def test_nothing_is_left_behind(few, tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    monkeypatch.setattr(module, "simulate", lambda *_: few)
    console = Console(file=io.StringIO(), width=100, force_terminal=True)
    play(console=console)
    assert "visit " in console.file.getvalue()  # the live view
    assert not list(tmp_path.iterdir())

    def stopped(*_):
        assert list(tmp_path.iterdir())
        raise KeyboardInterrupt

    monkeypatch.setattr(module, "classify", stopped)
    with pytest.raises(KeyboardInterrupt):
        play(console=console)
    assert not list(tmp_path.iterdir())


def test_a_folder_in_use_is_refused(tmp_path, capsys):
    (tmp_path / "mine.txt").write_text("mine")
    assert main(["demo", "--keep", str(tmp_path)]) == 2
    assert "is not empty" in capsys.readouterr().err.replace("\n", " ")
    assert [file.name for file in tmp_path.iterdir()] == ["mine.txt"]


def test_a_classifier_of_whole_light_curves_is_refused_before_anything_is_simulated(tmp_path):
    pytest.importorskip("lightgbm", reason="plasticc needs telperion[boost]")
    with pytest.raises(ValueError, match="plasticc reads whole light curves"):
        play("plasticc", keep=tmp_path / "kept")
    assert not (tmp_path / "kept").exists()
