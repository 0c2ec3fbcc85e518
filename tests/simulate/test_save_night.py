"""Nights in folders: what is there is kept, what is missing is made, nothing else is touched."""

import io
import json
from dataclasses import replace

import numpy as np
import pyarrow.parquet as pq
import pytest

import telperion
from telperion.formats.packets import decode_alerts, read_alerts
from telperion.simulate.night import Night
from telperion.simulate.packets import shipped_schema
from telperion.simulate.save_night import light_curves_folder, save_night


def files(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_files_hold_the_packets_of_their_visits(crowded, tmp_path):
    pytest.importorskip("numba", reason="decoding needs telperion[stream]")
    night = Night(crowded, visits=4, nights=2, seed=1)
    total = save_night(tmp_path / "night", night)
    assert total == night.sizes.sum()
    read = read_alerts(tmp_path / "night")
    messages = [message for visit in night for message in visit.messages]
    made = decode_alerts(messages, {100: shipped_schema()})
    assert not read.broken
    for name in ("alert_id", "object_id", "alert_time"):
        np.testing.assert_array_equal(getattr(read, name), getattr(made, name))
    for name in ("time", "band", "flux", "flux_err", "detected"):
        np.testing.assert_array_equal(getattr(read.rows, name), getattr(made.rows, name))
    visits = sorted(path.name for path in (tmp_path / "night").glob("*.avro"))
    assert visits == [f"visit-{k:05d}.avro" for k in np.flatnonzero(night.sizes)]
    assert (night.sizes == 0).any()  # and there is no file without alerts


def test_fastavro_reads_the_files(crowded, tmp_path):
    fastavro = pytest.importorskip("fastavro", reason="the second opinion comes with telperion[dev]")
    night = Night(crowded, visits=2, seed=1)
    save_night(tmp_path, night)
    for visit in night:
        body = io.BytesIO((tmp_path / f"visit-{visit.number:05d}.avro").read_bytes())
        made = list(fastavro.reader(body))
        assert [alert["diaSourceId"] for alert in made] == visit.alert_id.tolist()
        assert [alert["diaObject"]["diaObjectId"] for alert in made] == visit.object_id.tolist()


def test_the_truth_lies_beside_the_packets_and_nowhere_in_them(crowded, tmp_path):
    save_night(tmp_path, Night(crowded.with_label(np.char.add("secret-", crowded.label)), visits=2, seed=1))
    truth = pq.read_table(tmp_path / "truth.parquet")
    assert truth.column_names == ["object_id", "diaObjectId", "label", "redshift"]
    assert sorted(truth["object_id"].to_pylist()) == sorted(crowded.object_id)
    for name, data in files(tmp_path).items():
        assert (b"secret" in data) == (name == "truth.parquet")


def test_a_folder_is_read_as_alerts_whatever_lies_beside_them(crowded, tmp_path):
    pytest.importorskip("numba", reason="decoding needs telperion[stream]")
    known = crowded.with_context({**crowded.context, "mwebv": np.full(len(crowded), 0.1)})
    save_night(tmp_path, Night(known, visits=2, seed=1))
    assert len(telperion.read(tmp_path)) == len(crowded)


def test_what_was_cut_off_is_made_up_for_and_the_rest_left_alone(crowded, tmp_path):
    folder = tmp_path / "night"
    save_night(folder, Night(crowded, visits=5, seed=1))
    whole = files(folder)
    (folder / "visit-00002.avro").unlink()
    (folder / "visit-00003.avro").rename(folder / "visit-00003.avro.partial")
    (folder / "truth.parquet").unlink()
    kept = (folder / "visit-00001.avro").stat().st_mtime_ns
    save_night(folder, Night(crowded, visits=5, seed=1))
    assert files(folder) == whole
    assert (folder / "visit-00001.avro").stat().st_mtime_ns == kept


@pytest.mark.parametrize("change", ["seed", "visits", "delay", "cutouts", "light curves", "labels", "first_share"])
def test_a_folder_with_another_night_is_refused(crowded, tmp_path, change):
    settings = {"visits": 2, "seed": 1}
    save_night(tmp_path, Night(crowded, **settings))
    before = files(tmp_path)
    other = {"seed": 2, "visits": 3, "delay": 0.0, "cutouts": True, "first_share": 0.3}
    curves = replace(crowded, flux=crowded.flux + 1) if change == "light curves" else crowded
    curves = crowded.with_label(crowded.label[::-1]) if change == "labels" else curves
    settings |= {change: other[change]} if change in other else {}
    with pytest.raises(ValueError, match=r"holds another night, .* see its night\.json"):
        save_night(tmp_path, Night(curves, **settings))
    assert files(tmp_path) == before


def test_a_folder_with_something_else_is_refused(crowded, tmp_path):
    (tmp_path / "letter.txt").write_text("dear")
    for attempt in (lambda: save_night(tmp_path, Night(crowded)), lambda: light_curves_folder(tmp_path)):
        with pytest.raises(ValueError, match="is not empty and holds no night"):
            attempt()
    assert list(files(tmp_path)) == ["letter.txt"]


def test_the_card_says_how_a_night_came_about(crowded, tmp_path):
    save_night(tmp_path, Night(crowded, alerts=10, delay=2.0, seed=4))
    card = json.loads((tmp_path / "night.json").read_text())
    assert card["telperion"] == telperion.__version__
    assert [card[name] for name in ("objects", "visits", "nights", "seed", "delay")] == [60, 6, 1, 4, 2.0]
    assert card["schema"]["name"] == "telperion.v1_0.alert"


def test_progress_counts_alerts_and_those_that_were_there(crowded, tmp_path):
    class Bar:
        def add_task(self, *_, total, completed):
            self.total, self.done = total, completed
            return 0

        def advance(self, _, by):
            self.done += by

    bar, night = Bar(), Night(crowded, visits=3, seed=1)
    assert save_night(tmp_path, night, progress=bar) == bar.total == bar.done == night.sizes.sum()
    (tmp_path / "visit-00001.avro").unlink()
    save_night(tmp_path, night, progress=bar)
    assert bar.total == bar.done
