"""Nights of alerts: packets give the light curves back, no more than was known, and nothing of the labels."""

import io
import json
from dataclasses import replace

import numpy as np
import pytest

from telperion.encode.view import view
from telperion.formats.avro import schema_json
from telperion.formats.packets import decode_alerts
from telperion.simulate.cadence import shipped_cadence
from telperion.simulate.kinds import KINDS
from telperion.simulate.night import Night
from telperion.simulate.packets import shipped_schema
from telperion.simulate.survey import simulate_batch
from telperion.simulate.timeline import START

SCHEMAS = {100: shipped_schema()}
LONG = {"visits": 250, "nights": 3}


@pytest.fixture(scope="module")
def simulated():
    return simulate_batch({"SNIa": 20, "EB": 15, "AGN": 15, "RR Lyrae": 10}, KINDS, shipped_cadence(), (1, 0))


def decoded(night):
    pytest.importorskip("numba", reason="decoding needs telperion[stream]")
    messages = [message for visit in night for message in visit.messages]
    alerts = decode_alerts(messages, SCHEMAS)
    assert len(alerts) == len(messages)
    assert not alerts.broken
    assert set(alerts.dropped) <= {"beside a source"}
    return alerts


def own_light_curves(night, curves, alerts):
    """Give each alert's object as it was then: the original rows, moved, up to the alert."""
    truth = night.truth()
    names = dict(zip(truth["diaObjectId"].to_pylist(), truth["object_id"].to_pylist(), strict=True))
    place = {name: k for k, name in enumerate(curves.object_id.tolist())}
    line = night.timeline
    inside = {name: k for k, name in enumerate(line.curves.object_id.tolist())}
    for k, number in enumerate(alerts.object_id.tolist()):
        own = curves[place[names[int(number)]]]
        rows = alerts.rows[alerts.offsets[k] : alerts.offsets[k + 1]]
        (new,) = np.flatnonzero(rows.source_id == alerts.source_id[k])[-1:]
        (old,) = np.flatnonzero(own.flux == rows.flux[new])
        now = alerts.alert_time[k]
        moved = replace(own, time=own.time + (now - own.time[old]))
        there = inside[own.object_id[0]]
        own_rows = np.arange(*line.curves.offsets[there : there + 2])
        known = line.known(own_rows, np.full(own_rows.size, there))
        yield k, now, moved, known


def assert_alike(found, expected):
    np.testing.assert_allclose(found.time, expected.time, rtol=0, atol=1e-8)
    np.testing.assert_array_equal(found.band, expected.band)
    np.testing.assert_array_equal(found.detected, expected.detected)
    np.testing.assert_allclose(found.flux, expected.flux, rtol=3e-7)
    np.testing.assert_allclose(found.flux_err, expected.flux_err, rtol=3e-7)


@pytest.mark.parametrize("which", ["crowded", "simulated"])
@pytest.mark.parametrize("delay", [0.0, 2.0])
def test_an_alert_shows_its_object_as_far_as_it_was_known(request, which, delay):
    curves = request.getfixturevalue(which)
    night = Night(curves, **LONG, delay=delay, seed=2)
    alerts = decoded(night)
    assert len(alerts) > len(curves)
    found = alerts.light_curves()
    some = 0
    for k, now, moved, known in own_light_curves(night, curves, alerts):
        arrived = (moved.time <= now + 1e-9) & (moved.time >= now - 365) & (moved.detected | (known <= now))
        reach = moved.detected | (moved.time >= moved.first_detection[0] - 30)
        seen = moved.select_rows(arrived & reach)
        dust = {"mwebv": np.nan_to_num(moved.context["mwebv"].astype(np.float32))}
        assert_alike(view(found[k], kind="alert"), view(seen.with_context(dust).deredden(), kind="alert"))
        some += not seen.detected.all()
    assert some > 10


def test_photometry_that_is_known_at_once_gives_the_alert_view_that_classifiers_learn_from(simulated):
    night = Night(simulated, **LONG, delay=0.0, seed=4)
    alerts = decoded(night)
    found = alerts.as_observed()
    for k, now, moved, _ in own_light_curves(night, simulated, alerts):
        days = now - moved.first_detection[0]
        expected = view(moved, days + 1e-9, "alert")
        assert_alike(found[k], expected.select_rows(expected.time >= now - 365))


def test_no_packet_tells_the_future_and_first_alerts_have_no_history(crowded):
    fastavro = pytest.importorskip("fastavro", reason="the second opinion comes with telperion[dev]")
    night = Night(crowded, **LONG, seed=5)
    schema = fastavro.parse_schema(json.loads(schema_json(shipped_schema())))
    seen: dict[tuple, tuple] = {}
    first = forced = 0
    for visit in night:
        for message in visit.messages:
            made = fastavro.schemaless_reader(io.BytesIO(message[5:]), schema, None)
            now = made["diaSource"]["midpointMjdTai"]
            about = made["diaObject"]
            begun = about["firstDiaSourceMjdTai"]
            for row in made["prvDiaSources"] or []:
                assert now - 365 <= row["midpointMjdTai"] <= now
                assert row["diaSourceId"] != made["diaSourceId"]
            for row in made["prvDiaForcedSources"] or []:
                assert row["timeProcessedMjdTai"] <= now
                assert row["timeProcessedMjdTai"] >= max(row["midpointMjdTai"], begun + 1)
                assert row["midpointMjdTai"] >= max(begun - 30, now - 365)
                forced += 1
            if begun == now and about["nDiaSources"] == 1:
                assert made["prvDiaSources"] is made["prvDiaForcedSources"] is None
                first += 1
            rows = [made["diaSource"], *(made["prvDiaSources"] or []), *(made["prvDiaForcedSources"] or [])]
            for row in rows:  # the same in all packets
                key = "diaSourceId" in row, row.get("diaSourceId") or row["diaForcedSourceId"]
                assert seen.setdefault(key, tuple(row.values())) == tuple(row.values())
    assert first >= 0.25 * len(crowded)
    assert forced > 100


def test_fastavro_reads_what_the_decoder_reads(simulated):
    fastavro = pytest.importorskip("fastavro", reason="the second opinion comes with telperion[dev]")
    night = Night(simulated, visits=5, seed=6)
    alerts = decoded(night)
    schema = fastavro.parse_schema(json.loads(schema_json(shipped_schema())))
    messages = [message for visit in night for message in visit.messages]
    for k, message in enumerate(messages):
        made = fastavro.schemaless_reader(io.BytesIO(message[5:]), schema, None)
        sources = [made["diaSource"], *(made["prvDiaSources"] or [])]
        times = {row["midpointMjdTai"] for row in sources}
        rows = [(row["midpointMjdTai"], "ugrizy".index(row["band"]), row["psfFlux"], True) for row in sources]
        rows += [
            (row["midpointMjdTai"], "ugrizy".index(row["band"]), row["psfFlux"], False)
            for row in made["prvDiaForcedSources"] or []
            if row["midpointMjdTai"] not in times
        ]
        own = alerts.rows[alerts.offsets[k] : alerts.offsets[k + 1]]
        found = [own.time, own.band, own.flux, own.detected]
        assert sorted(rows) == list(zip(*(column.tolist() for column in found), strict=True))
        assert made["diaSourceId"] == alerts.alert_id[k]
        assert made["diaObject"]["nDiaSources"] >= len(sources)


def test_hosts_and_dust_come_back_and_what_is_unknown_stays_so(crowded):
    night = Night(crowded, visits=4, seed=1)
    alerts = decoded(night)
    truth = night.truth()
    names = dict(zip(truth["diaObjectId"].to_pylist(), truth["object_id"].to_pylist(), strict=True))
    place = [crowded.object_id.tolist().index(names[int(number)]) for number in alerts.object_id]
    for name, values in crowded.context.items():
        exact = np.float64 if name in ("ra", "decl", "hostgal_ra") else np.float32
        np.testing.assert_array_equal(alerts.context[name], values[place].astype(exact))
    assert np.isnan(alerts.context["hostgal_mag_g"]).all()  # the table has none


def test_alerts_come_visit_by_visit_each_object_once_and_evenly(crowded):
    night = Night(crowded, visits=6, nights=2, seed=1)
    assert len(night) == 12
    anchored, everything = 0, []
    for number, visit in enumerate(night):
        assert visit.number == number
        assert len(visit) == night.sizes[number] == len(visit.object_id)
        assert len(np.unique(visit.object_id)) == len(visit)
        everything.append(visit.alert_id)
    assert (night.sizes[:6] >= 10).all()
    assert [visit.time for visit in night] == [START + day + k * 39 / 86_400 for day in range(2) for k in range(6)]
    alerts = decoded(night)
    np.testing.assert_array_equal(alerts.alert_id, np.concatenate(everything))
    assert len(np.unique(alerts.alert_id)) == len(alerts)
    middle = np.repeat([visit.time for visit in night], night.sizes)
    assert (np.abs(alerts.alert_time - middle) <= 19.5 / 86_400 + 1e-9).all()
    anchored = alerts.object_id[alerts.alert_time == middle]
    assert set(anchored) == set(night.truth()["diaObjectId"].cast("string").to_pylist())
    for places in np.split(np.arange(len(alerts)), np.cumsum(night.sizes)[:-1]):
        assert (np.diff(alerts.alert_time[places]) >= 0).all()


def test_further_detections_in_later_visits_and_nights_are_alerts_too(simulated):
    night = Night(simulated, **LONG, seed=1)
    assert night.sizes[:250].sum() > len(simulated)
    assert night.sizes[250:].sum() > 0
    curves = night.timeline.curves
    days = curves.time[curves.detected] - (START - 19.5 / 86_400)
    inside = (days >= 0) & (days < 3) & (days % 1 < 250 * 39 / 86_400)
    assert night.sizes.sum() == pytest.approx(inside.sum(), abs=2)  # two within one visit are one


def test_labels_change_nothing_in_the_packets(crowded):
    label = np.random.default_rng(9).permutation(np.char.add("secret-", crowded.label))
    mine, other = (Night(each, visits=3, seed=8) for each in (crowded, crowded.with_label(label)))
    for one, two in zip(mine, other, strict=True):
        assert one.messages == two.messages
        assert (two.label != one.label).all()
        assert not any(b"secret" in message or b"object-" in message for message in two.messages)
    of = dict(zip(crowded.object_id, crowded.label, strict=True))
    truth = mine.truth().to_pylist()
    assert {row["object_id"]: row["label"] for row in truth} == of
    about = {row["diaObjectId"]: (row["label"], row["redshift"]) for row in truth}
    for visit in mine:
        assert [about[number][0] for number in visit.object_id] == visit.label.tolist()
        np.testing.assert_array_equal([about[number][1] for number in visit.object_id], visit.redshift)


def test_the_order_of_a_table_does_not_show_in_the_ids(simulated):
    order = np.argsort(simulated.label)
    visits = list(Night(simulated[order], visits=1, seed=1))
    by_id = visits[0].label[np.argsort(visits[0].object_id)]
    assert (by_id[1:] != by_id[:-1]).sum() > 20


@pytest.mark.parametrize("cutouts", [False, True])
def test_a_seed_gives_the_same_bytes_in_any_order_and_another_does_not(crowded, cutouts):
    mine = Night(crowded, visits=3, seed=8, cutouts=cutouts)
    visits = [visit.messages for visit in mine]
    again = Night(crowded, visits=3, seed=8, cutouts=cutouts)
    assert [again.visit(k).messages for k in (2, 1, 0)] == visits[::-1]
    third = Night(crowded, visits=3, seed=9, cutouts=cutouts)
    assert third.truth()["object_id"] != mine.truth()["object_id"]
    other = [visit.messages for visit in third]
    assert not {message for some in visits for message in some} & {message for some in other for message in some}


def test_packets_in_pieces_are_the_same(crowded, monkeypatch):
    whole = Night(crowded, visits=1, seed=8).visit(0).messages
    monkeypatch.setattr("telperion.simulate.night.AT_ONCE", 7)
    assert Night(crowded, visits=1, seed=8).visit(0).messages == whole


def test_images_make_packets_as_large_as_real_ones(crowded):
    plain, full = (next(iter(Night(crowded, visits=3, seed=8, cutouts=images))) for images in (False, True))
    extra = np.array([len(b) - len(a) for a, b in zip(plain.messages, full.messages, strict=True)])
    assert ((extra > 125_000) & (extra < 155_000)).all()
    assert len(set(extra)) > 3
    pytest.importorskip("numba", reason="decoding needs telperion[stream]")
    few, all_ = (decode_alerts(visit.messages, SCHEMAS) for visit in (plain, full))
    np.testing.assert_array_equal(few.rows.flux, all_.rows.flux)


@pytest.mark.parametrize(
    ("asked", "visits", "objects"),
    [({}, 10, 60), ({"alerts": 7}, 9, 60), ({"visits": 4}, 4, 60), ({"visits": 4, "alerts": 5}, 4, 20)],
)
def test_light_curves_are_shared_out_as_asked(crowded, asked, visits, objects):
    night = Night(crowded, **asked)
    assert (len(night), night.truth().num_rows) == (visits, objects)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"visits": 0}, "0 visits"),
        ({"visits": 2216}, "2215 visits at most"),
        ({"nights": 0}, "0 nights"),
        ({"alerts": 0}, "0 alerts a visit"),
        ({"visits": 10, "alerts": 7}, "70 objects are needed, of 60"),
        ({"first_share": 1.5}, "first_share is 1.5"),
        ({"delay": -1.0}, "delay -1.0"),
        ({"delay": np.nan}, "delay nan"),
        ({"seed": -1}, "seed is -1"),
    ],
)
def test_what_cannot_be_is_refused(crowded, change, message):
    with pytest.raises(ValueError, match=message):
        Night(crowded, **change)


def test_dereddened_fluxes_are_refused(crowded):
    with pytest.raises(ValueError, match="dereddened"):
        Night(crowded.with_context({"mwebv": np.zeros(len(crowded))}).deredden())
