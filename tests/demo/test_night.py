import pytest

from telperion.demo.night import Arrivals, Folders, first_packet, make_night, simulate, spoilt
from telperion.formats.avro import schema_id
from telperion.formats.packets import decode_alerts
from telperion.simulate.packets import shipped_schema


@pytest.fixture
def folders(tmp_path):
    folders = Folders(tmp_path / "demo")
    folders.claim()
    return folders


def test_each_spoilt_packet_but_the_repeated_one_is_broken(few, folders):
    packet, schema = first_packet(make_night(folders, few, 1)), shipped_schema()
    packets = spoilt(packet)
    alerts = decode_alerts([packet, *packets.values()], {schema_id(schema): schema})
    assert [broken.packet for broken in alerts.broken] == [1, 2, 3, 4]
    assert len(alerts) + alerts.repeated.size == 2


def test_visits_come_one_by_one_with_the_spoilt_packets_behind_them(few, folders):
    make_night(folders, few, 1)
    names = sorted(file.name for file in folders.night.glob("visit-*"))
    arrivals = Arrivals(folders, {"first": b"1", "second": b"2"})
    came = []
    while not arrivals():
        now = sorted(file.name for file in folders.alerts.iterdir())
        assert now[: len(came)] == came  # what comes later is later in the order of names, as the stream asks
        came = now
    assert arrivals()
    stems = [name.removesuffix(".avro") for name in names]
    assert came == sorted([*names, f"{stems[1]}_first.avro", f"{stems[2]}_second.avro"])
    assert came[:4] == [names[0], names[1], f"{stems[1]}_first.avro", names[2]]
    assert not list(folders.night.glob("visit-*"))


def test_of_few_visits_the_last_takes_all_spoilt_packets(folders):
    folders.night.mkdir()
    (folders.night / "visit-00003.avro").write_bytes(b"")
    arrivals = Arrivals(folders, {"first": b"1", "second": b"2"})
    assert not arrivals()
    assert len(list(folders.alerts.iterdir())) == 3


def test_too_few_light_curves_for_all_classes_are_refused():
    with pytest.raises(ValueError, match="18 light curves are fewer than one of each of 19 classes"):
        simulate(18, 1, lambda _: None)


def test_a_folder_is_claimed_once(folders):
    with pytest.raises(ValueError, match="is not empty"):
        folders.claim()
