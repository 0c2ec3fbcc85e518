import json
import os

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

pytest.importorskip("numba", reason="alert packets need telperion[stream]")
from telperion.formats.avro_write import container
from telperion.formats.packets import decode_alerts
from telperion.serve import files as module
from telperion.serve.files import Files
from telperion.serve.taken import Origin
from telperion.simulate.packets import shipped_schema


@pytest.fixture
def folder(packets, tmp_path):
    """Files of one, two, three ... alerts, written in another order than that of their names."""
    first = 0
    parts = {}
    for k in range(8):
        parts[f"visit-{k}.avro"] = [value[5:] for _, value in packets[first : first + k + 1]]
        first += k + 1
    for name in reversed(parts):
        (tmp_path / name).write_bytes(container(shipped_schema(), parts[name]))
    return tmp_path


def take_all(source) -> list:
    taken = []
    while (one := source.take()) is not None:
        taken.append(one)
    return taken


def test_files_are_taken_in_the_order_of_their_names_and_packets_are_called_by_them(folder, packets):
    source = Files(folder)
    source.resume({})
    (taken,) = take_all(source)
    expected = decode_alerts([value for _, value in packets[:36]], {100: shipped_schema()})
    assert taken.alerts.alert_id.tolist() == expected.alert_id.tolist()
    assert taken.n_packets == 36
    assert [taken.origin(k) for k in (0, 1, 2, 3, 35)] == [
        Origin("visit-0.avro", 0),
        Origin("visit-1.avro", 0),
        Origin("visit-1.avro", 1),
        Origin("visit-2.avro", 0),
        Origin("visit-7.avro", 7),
    ]


@pytest.mark.parametrize(("name", "value", "batches"), [("MANY", 3, 3), ("AT_ONCE", 1, 8), ("MANY", 1, 8)])
def test_batches_are_of_files_enough_and_each_can_be_gone_on_from(folder, monkeypatch, name, value, batches):
    monkeypatch.setattr(module, name, value)
    source = Files(folder)
    source.resume({})
    taken = take_all(source)
    assert len(taken) == batches
    assert sum(one.n_packets for one in taken) == 36
    for k, one in enumerate(taken):
        again = Files(folder)
        again.resume(one.positions)
        rest = take_all(again)
        assert sum(each.n_packets for each in rest) == sum(each.n_packets for each in taken[k + 1 :])


def test_the_same_folder_by_another_path_is_gone_on_with(folder, monkeypatch):
    source = Files(folder)
    source.resume({})
    (taken,) = take_all(source)
    monkeypatch.chdir(folder.parent)
    again = Files(folder.name)
    again.resume(taken.positions)
    assert take_all(again) == []


def test_what_is_no_file_of_alerts_is_a_broken_packet_and_harms_no_other(folder):
    (folder / "visit-2b.avro").write_bytes(b"no alert at all")
    (folder / "visit-3b.avro").mkdir()
    (folder / "visit-4b.avro").symlink_to("nowhere")
    (folder / "visit-5b.avro").write_bytes(b"")
    source = Files(folder)
    source.resume({})
    taken = take_all(source)
    assert sum(one.n_packets for one in taken) == 36 + 4
    assert sum(len(one.alerts) for one in taken) == 36
    wrong = [one.origin(broken.packet).place for one in taken for broken in one.alerts.broken]
    assert wrong == ["visit-2b.avro", "visit-3b.avro", "visit-4b.avro", "visit-5b.avro"]


def test_a_parquet_dump_is_read_one_file_at_a_time_and_one_that_is_none_is_set_aside(folder, tmp_path_factory):
    dump = tmp_path_factory.mktemp("dump")
    row = {
        "diaSourceId": 1,
        "diaObjectId": 7,
        "midpointMjdTai": 61_000.0,
        "band": "r",
        "psfFlux": 9.0,
        "psfFluxErr": 1.0,
    }
    for k in range(3):
        sources = [row | {"diaSourceId": 10 * k + j + 1} for j in range(2)]
        pq.write_table(
            pa.table({"diaSourceId": [one["diaSourceId"] for one in sources], "diaSource": sources}),
            dump / f"{k}.parquet",
        )
    (dump / "1b.parquet").write_bytes(b"PAR1 and nothing else PAR1")
    pq.write_table(pa.table({"x": [1.0]}), dump / "1c.parquet")
    source = Files(dump)
    source.resume({})
    taken = take_all(source)
    assert [one.n_packets for one in taken] == [2, 2, 1, 1, 2]
    assert np.concatenate([one.alerts.alert_id for one in taken]).tolist() == [1, 2, 11, 12, 21, 22]
    assert [bool(one.alerts.broken) for one in taken] == [False, False, True, True, False]
    assert os.path.basename(taken[2].alerts.broken[0].reason.partition(":")[0]) == "1b.parquet"


def test_a_dump_with_a_long_name_is_cut(tmp_path):
    candidate = {"candid": 1, "jd": 2_461_000.5, "fid": 1, "magpsf": 18.0, "sigmapsf": 0.1, "isdiffpos": "t"}
    table = pa.table({"objectId": ["n" * 10**6, "ψ" * 100], "candid": [1, 2], "candidate": [candidate] * 2})
    pq.write_table(table, tmp_path / "a.parquet")
    source = Files(tmp_path)
    source.resume({})
    (taken,) = take_all(source)
    assert taken.alerts.object_id.tolist() == ["n" * 64, "ψ" * 64]


def test_a_follower_waits_and_takes_what_comes(folder, packets):
    source = Files(folder, follow=True)
    source.resume({})
    assert source.take().n_packets == 36
    nothing = source.take()
    assert nothing.n_packets == 0
    assert nothing.positions == {}
    (folder / "visit-8.avro").write_bytes(container(shipped_schema(), [packets[40][1][5:]]))
    assert source.take().n_packets == 1


def test_one_file_is_a_source_too(folder):
    source = Files(folder / "visit-3.avro")
    source.resume({})
    assert [one.n_packets for one in take_all(source)] == [4]
    with pytest.raises(FileNotFoundError, match="nowhere"):
        Files(folder / "nowhere")


def test_a_large_file_is_taken_in_batches_and_each_can_be_gone_on_from(folder, packets):
    bodies = [value[5:] for _, value in packets[:36]]
    (folder / "visit-4b.avro").write_bytes(b"no alert at all")
    (folder / "visit-5b.avro").write_bytes(container(shipped_schema(), [*bodies[15:25], bodies[0][:90], bodies[15]]))
    whole = Files(folder)
    whole.resume({})
    (all_of_it,) = take_all(whole)
    wanted = [all_of_it.origin(k) for k in range(all_of_it.n_packets)]
    source = Files(folder, most=7)
    source.resume({})
    taken = take_all(source)
    assert [one.n_packets for one in taken] == [7] * 7 == [7] * (all_of_it.n_packets // 7)
    assert [one.origin(k) for one in taken for k in range(one.n_packets)] == wanted
    assert np.concatenate([one.alerts.alert_id for one in taken]).tolist() == all_of_it.alerts.alert_id.tolist()
    firsts = np.cumsum([0, *(one.n_packets for one in taken)])
    for name in ("packet", "repeated", "solar_system"):
        found = [getattr(one.alerts, name) + first for one, first in zip(taken, firsts, strict=False)]
        assert np.concatenate(found).tolist() == getattr(all_of_it.alerts, name).tolist()
    broken = [one.origin(broken.packet) for one in taken for broken in one.alerts.broken]
    assert broken == [all_of_it.origin(broken.packet) for broken in all_of_it.alerts.broken]
    assert len(broken) == 3
    assert all_of_it.alerts.repeated.size
    kinds = set()
    for k, one in enumerate(taken):
        (position,) = json.loads(json.dumps(one.positions)).values()
        kinds.add(type(position))
        again = Files(folder, most=7)
        again.resume(json.loads(json.dumps(one.positions)))
        rest = take_all(again)
        assert [each.origin(j) for each in rest for j in range(each.n_packets)] == wanted[firsts[k + 1] :]
    assert kinds == {str, list}
    with pytest.raises(ValueError, match="0 alerts a batch"):
        Files(folder, most=0)


def test_a_file_that_is_gone_or_shorter_when_it_is_gone_on_from_harms_no_other(folder):
    source = Files(folder, most=7)
    source.resume({})
    positions = source.take().positions
    assert list(positions.values()) == [["visit-3.avro", 1]]
    (folder / "visit-3.avro").write_bytes(b"")
    source.resume(positions)
    assert sum(one.n_packets for one in take_all(begun_again(folder, positions))) == 26
    (folder / "visit-3.avro").unlink()
    assert sum(one.n_packets for one in take_all(begun_again(folder, positions))) == 26


def begun_again(folder, positions) -> Files:
    source = Files(folder, most=7)
    source.resume(positions)
    return source


def test_a_packet_that_is_a_file_is_known_by_its_bytes(folder, packets):
    cut = packets[0][1][:90]
    (folder / "visit-2b.avro").write_bytes(cut)
    (folder / "visit-3b.avro").mkdir()
    (folder / "visit-4b.avro").write_bytes(container(shipped_schema(), [cut[5:], packets[40][1][5:]]))
    source = Files(folder, {100: shipped_schema()}, most=5)
    source.resume({})
    taken = take_all(source)
    letters = [(one.origin(broken.packet), one.content(broken.packet)) for one in taken for broken in one.alerts.broken]
    assert letters[:2] == [(Origin("visit-2b.avro", 0), cut), (Origin("visit-3b.avro", 0), b"")]
    assert {content for origin, content in letters[2:]} == {b""}
    assert {origin.place for origin, _ in letters[2:]} == {"visit-4b.avro"}
