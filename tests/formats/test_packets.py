import io
import sys
import time
import warnings

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import telperion
from telperion.bands import BANDS
from telperion.encode.view import view
from telperion.formats import FormatError, packets
from telperion.formats.avro import parse_schema, read_schemas, schema_json
from telperion.formats.avro_files import confluent
from telperion.formats.avro_write import container, encode
from telperion.formats.packets import decode_alert, decode_alerts, known_schemas, read_alerts
from telperion.lightcurves import RepairWarning

pytest.importorskip("numba", reason="decoding needs telperion[stream]")

MJD = 61_000.25


def fields(**types) -> list[dict]:
    """Fields by name; a trailing ? is "or null"."""
    return [
        {"name": name, "type": ["null", kind[:-1]], "default": None}
        if isinstance(kind, str) and kind.endswith("?")
        else {"name": name, "type": kind}
        for name, kind in types.items()
    ]


def record(name: str, **types) -> dict:
    return {"type": "record", "name": f"test.v20_1.{name}", "fields": fields(**types)}


def maybe(kind, array=False) -> list:
    return ["null", {"type": "array", "items": kind} if array else kind]


SOURCE = record(
    "diaSource", diaSourceId="long", visit="long", detector="int", diaObjectId="long?", midpointMjdTai="double",
    ra="double", dec="double", apFlux="float?", psfFlux="float?", psfFluxErr="float?", psfFlux_flag="boolean?",
    psfFlux_flag_edge="boolean?", pixelFlags_saturatedCenter="boolean?", pixelFlags_cr="boolean?", isDipole="boolean?",
    band="string?", timeWithdrawnMjdTai="double?",
)  # fmt: skip
FORCED = record(
    "diaForcedSource", diaForcedSourceId="long", visit="long", detector="int", psfFlux="float?", psfFluxErr="float?",
    midpointMjdTai="double", band="string?", timeWithdrawnMjdTai="double?",
)  # fmt: skip
RUBIN = record(
    "alert", diaSourceId="long", observation_reason="string?", diaSource=SOURCE,
    prvDiaSources=maybe("diaSource", array=True), prvDiaForcedSources=maybe(FORCED, array=True),
    diaObject=maybe(record("diaObject", diaObjectId="long", ra="double", dec="double", nDiaSources="int?")),
    ssSource=maybe(record("ssSource", ssObjectId="long?")), cutoutScience="bytes?",
)  # fmt: skip
RUBIN_SCHEMA = parse_schema(RUBIN)
SCHEMAS = {2001: RUBIN_SCHEMA}


def source(k: int, **changes) -> dict:
    """A source of visit k, seen k days after MJD."""
    made = dict.fromkeys(RUBIN_SCHEMA.fields["diaSource"].fields) | {
        "diaSourceId": 1000 + k, "visit": 500 + k, "detector": 7, "midpointMjdTai": MJD + k, "ra": 10.0, "dec": -5.0,
        "psfFlux": 900.0 + k, "psfFluxErr": 30.0, "band": BANDS[k % 6],
    }  # fmt: skip
    return made | changes


def forced(k: int, **changes) -> dict:
    made = {
        "diaForcedSourceId": 5000 + k, "visit": 500 + k, "detector": 7, "psfFlux": 1.0 + k, "psfFluxErr": 31.0,
        "midpointMjdTai": MJD + k, "band": BANDS[k % 6], "timeWithdrawnMjdTai": None,
    }  # fmt: skip
    return made | changes


def alert(previous=(), later=(), new=None, **changes) -> dict:
    """An alert of visit 10."""
    new = new or source(10)
    made = {
        "diaSourceId": new["diaSourceId"], "observation_reason": "ddf_cosmos", "diaSource": new,
        "prvDiaSources": list(previous) or None, "prvDiaForcedSources": list(later),
        "diaObject": {"diaObjectId": 169813006680588318, "ra": 11.0, "dec": -6.0, "nDiaSources": 1 + len(previous)},
        "ssSource": None, "cutoutScience": None,
    }  # fmt: skip
    return made | changes


def packet(made: dict, schema_id: int = 2001) -> bytes:
    return confluent(schema_id, encode(RUBIN_SCHEMA, made))


def decode(*made: dict):
    return decode_alerts([packet(one) for one in made], SCHEMAS)


# -- rows -----------------------------------------------------------------------------------------------------------


def test_an_alert_shows_its_source_its_history_and_forced_photometry_in_the_order_of_time():
    alerts = decode(alert([source(8), source(3)], [forced(5), forced(1)]))
    rows = alerts.rows
    np.testing.assert_array_equal(rows.time, MJD + np.array([1, 3, 5, 8, 10]))
    np.testing.assert_array_equal(rows.band, [1, 3, 5, 2, 4])
    np.testing.assert_array_equal(rows.flux, [2, 903, 6, 908, 910])
    np.testing.assert_array_equal(rows.flux_err, [31, 30, 31, 30, 30])
    assert rows.detected.tolist() == [False, True, False, True, True]
    np.testing.assert_array_equal(rows.visit, [501, 503, 505, 508, 510])
    np.testing.assert_array_equal(rows.detector, 7)
    assert alerts.alert_id.tolist() == alerts.source_id.tolist() == [1010]
    assert alerts.object_id.tolist() == ["169813006680588318"]
    assert alerts.alert_time.tolist() == [MJD + 10]
    assert {name: values.tolist() for name, values in alerts.context.items()} == {"ra": [11.0], "decl": [-6.0]}
    assert alerts.dropped == {}


def test_forced_rows_fill_only_visits_without_a_source():
    alerts = decode(alert([source(3), source(4)], [forced(k) for k in (3, 4, 5, 10)]))
    assert (alerts.rows.time - MJD).tolist() == [3, 4, 5, 10]
    assert alerts.rows.detected.tolist() == [True, True, False, True]
    assert alerts.dropped == {"beside a source": 3}


def test_a_visit_is_known_by_its_number_though_times_differ_a_little():
    alerts = decode(alert([source(3)], [forced(3, midpointMjdTai=MJD + 3.0001)]))
    assert alerts.rows.detected.tolist() == [True, True]
    assert alerts.dropped == {"beside a source": 1}


def test_another_detector_of_a_visit_is_another_row():
    alerts = decode(alert([source(3)], [forced(3, detector=8, midpointMjdTai=MJD + 3.0001)]))
    assert alerts.rows.detector.tolist() == [7, 8, 7]


def test_two_rows_of_one_time_and_band_are_one():
    alerts = decode(alert([source(3), source(3, diaSourceId=1, detector=9, psfFlux=5.0)]))
    assert alerts.rows.flux.tolist() == [5.0, 910.0]
    assert alerts.dropped == {"same time": 1}


def test_a_source_that_stands_twice_counts_once():
    twice = source(4, diaSourceId=1003, visit=777, midpointMjdTai=MJD + 4.5)
    alerts = decode(alert([source(3), source(3), twice, source(10)]))
    assert (alerts.rows.time - MJD).tolist() == [3, 10]
    assert alerts.dropped == {"repeated": 3}


def test_rows_of_one_time_are_in_the_order_of_their_bands():
    rows = decode(alert([source(3, band=band, visit=k, diaSourceId=k) for k, band in enumerate("yzgriu", 1)])).rows
    assert rows.band.tolist() == [0, 1, 2, 3, 4, 5, 4]


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"psfFlux": None}, "no flux"),
        ({"psfFlux": float("nan")}, "no flux"),
        ({"psfFlux": float("inf")}, "no flux"),
        ({"psfFluxErr": None}, "no error"),
        ({"psfFluxErr": float("nan")}, "no error"),
        ({"psfFluxErr": 0.0}, "no error"),
        ({"psfFluxErr": -1.0}, "no error"),
        ({"band": None}, "no band"),
        ({"band": "k"}, "no band"),
        ({"band": "rr"}, "no band"),
        ({"band": "r\0"}, "no band"),
        ({"band": ""}, "no band"),
        ({"midpointMjdTai": float("nan")}, "no time"),
        ({"midpointMjdTai": -3.0}, "no time"),
        ({"midpointMjdTai": 1e300}, "no time"),
        ({"timeWithdrawnMjdTai": 61_001.0}, "withdrawn"),
    ],
)
@pytest.mark.parametrize("make", [source, forced])
def test_a_row_of_no_use_is_dropped_and_counted_and_leaves_its_visit_to_another(make, change, reason):
    history = {source: {"previous": [source(3, **change)]}, forced: {"later": [forced(3, **change)]}}[make]
    alerts = decode(alert(**history), alert(new=source(11)))
    assert alerts.dropped == {reason: 1}
    assert np.diff(alerts.offsets).tolist() == [1, 1]
    both = decode(alert([source(3, **change)], [forced(3)]))
    assert both.rows.detected.tolist() == [False, True]


def test_a_time_of_withdrawal_that_is_nan_withdraws_nothing():
    assert decode(alert([source(3, timeWithdrawnMjdTai=float("nan"))])).dropped == {}


@pytest.mark.parametrize(
    ("change", "kept"),
    [
        ({"psfFlux_flag": True}, False),
        ({"psfFlux_flag": True, "psfFlux_flag_edge": True}, True),
        ({"psfFlux_flag": False}, True),
        ({"pixelFlags_saturatedCenter": True}, False),
        ({"pixelFlags_cr": True, "isDipole": True}, True),
    ],
)
def test_flags_that_make_a_flux_useless_drop_its_row(change, kept):
    alerts = decode(alert([source(3, **change)]))
    assert alerts.rows.code.size == 1 + kept
    assert alerts.dropped == ({} if kept else {"flagged": 1})


def test_negative_fluxes_keep_their_sign():
    assert decode(alert([source(3, psfFlux=-1230.5)])).rows.flux.tolist() == [-1230.5, 910.0]


def test_missing_history_is_normal():
    for previous, later in ((None, None), ([], []), ([], None)):
        alerts = decode(alert(prvDiaSources=previous, prvDiaForcedSources=later))
        assert alerts.rows.code.size == 1
        assert alerts.dropped == {}


def test_history_is_truncated_where_the_survey_counts_more():
    of = {"diaObjectId": 5, "ra": 1.0, "dec": 1.0}
    counts = [3, 4, None]
    made = [
        alert([source(1), source(2)], new=source(20 + k), diaObject={**of, "nDiaSources": n})
        for k, n in enumerate(counts)
    ]
    assert decode(*made).history_truncated.tolist() == [False, True, False]


def settle_plainly(made: dict) -> list[tuple]:
    """The rules of rows, an alert at a time: time, band, flux, detected."""
    rows = []
    sources = [made["diaSource"], *(made["prvDiaSources"] or [])]
    for row in [*sources, *(made["prvDiaForcedSources"] or [])]:
        if row["psfFlux"] is not None and row["timeWithdrawnMjdTai"] is None:
            known = "diaSourceId" in row
            rows.append((row["midpointMjdTai"], BANDS.index(row["band"]), not known, row.get("diaSourceId") or row.get(
                "diaForcedSourceId"), row["visit"], row["detector"], row["psfFlux"]))  # fmt: skip
    for key in (lambda r: r[:2], lambda r: r[2:4], lambda r: r[4:6]):
        best = {}
        for row in sorted(rows, key=lambda r: r[:4]):  # stable: of equals the first in the packet
            if key(row) not in best or (best[key(row)][2] and not row[2]):
                best[key(row)] = row
        rows = list(best.values())
    return [(time, band, flux, not forced) for time, band, forced, _, _, _, flux in sorted(rows)]


def test_random_alerts_are_settled_as_a_plain_loop_does(rng):
    def draw(make, name, n):
        rows = []
        for k in rng.integers(0, 12, n):
            about = {name: int(rng.integers(1, 60)), "detector": int(rng.integers(1, 3))}
            withdrawn = 61_000.0 if rng.random() < 0.1 else None
            flux = None if rng.random() < 0.1 else float(rng.integers(-999, 999))
            late = rng.choice([0.0, 0.0, 1e-4, 1e-9])
            about["band"] = BANDS[rng.integers(0, 2)]
            about |= {"midpointMjdTai": MJD + float(k) + late, "psfFlux": flux, "timeWithdrawnMjdTai": withdrawn}
            rows.append(make(int(k), **about))
        return rows

    made = [
        alert(
            draw(source, "diaSourceId", rng.integers(0, 8)),
            draw(forced, "diaForcedSourceId", rng.integers(0, 15)),
            new=source(10, diaSourceId=10_000 + k),
        )
        for k in range(500)
    ]
    alerts = decode(*made)
    for k, one in enumerate(made):
        rows = alerts.rows[alerts.offsets[k] : alerts.offsets[k + 1]]
        found = [rows.time, rows.band, rows.flux, rows.detected]
        assert list(zip(*(column.tolist() for column in found), strict=True)) == settle_plainly(one)
    given = sum(1 + len(one["prvDiaSources"] or []) + len(one["prvDiaForcedSources"]) for one in made)
    assert given == alerts.rows.code.size + sum(alerts.dropped.values())
    assert len(alerts.dropped) >= 6


# -- alerts ---------------------------------------------------------------------------------------------------------


def test_solar_system_alerts_are_routed_away():
    of_object = alert(new=source(12))
    moving = alert(new=source(13), ssSource={"ssObjectId": 5})
    nobody = alert(new=source(14, diaObjectId=0), diaObject=None)
    nulls = alert(new=source(15), diaObject=None)
    alerts = decode(moving, of_object, nobody, nulls)
    assert alerts.solar_system.tolist() == [0, 2, 3]
    assert alerts.packet.tolist() == [1]
    assert not alerts.broken
    assert alerts.rows.code.tolist() == [0]


def test_the_object_of_a_source_counts_where_there_is_no_summary_of_it():
    assert decode(alert(new=source(12, diaObjectId=77), diaObject=None)).object_id.tolist() == ["77"]


def test_every_packet_is_accounted_for_in_its_place():
    good = [packet(alert(new=source(20 + k))) for k in range(4)]
    asteroid = packet(alert(new=source(30), ssSource={"ssObjectId": 1}))
    messages = [
        good[0],
        b"",
        good[1][:50],
        good[2],
        asteroid,
        good[0],
        b"\0\0\0\0\7abc",
        b"hello",
        good[1],
        good[1] + b"\0",
    ]
    alerts = decode_alerts(messages, SCHEMAS)
    assert alerts.packet.tolist() == [0, 3, 8]
    assert alerts.solar_system.tolist() == [4]
    assert alerts.repeated.tolist() == [5]
    assert [entry.packet for entry in alerts.broken] == [1, 2, 6, 7, 9]
    for entry, reason in zip(
        alerts.broken, ("begins with", "too early", "id 7 is unknown", "begins", "left over"), strict=True
    ):
        assert reason in entry.reason
    assert 5 < alerts.broken[1].position <= 50
    assert alerts.broken[4].position == len(good[1])
    with pytest.raises(ValueError, match=rf"ends too early, at byte {alerts.broken[1].position}"):
        decode_alert(messages[2], SCHEMAS)
    assert len(decode_alert(good[3], SCHEMAS)) == 1


def test_nothing_gives_nothing():
    alerts = decode_alerts([])
    assert len(alerts) == len(alerts.light_curves()) == 0


def test_a_batch_over_several_buffers_is_as_one_of_small_packets():
    cutout = bytes(3_000_000)
    big = [packet(alert([source(1)], new=source(20 + k), cutoutScience=cutout)) for k in range(8)]
    small = [packet(alert([source(1)], new=source(20 + k))) for k in range(8)]
    one, other = decode_alerts(big, SCHEMAS), decode_alerts(small, SCHEMAS)
    np.testing.assert_array_equal(one.alert_id, other.alert_id)
    np.testing.assert_array_equal(one.rows.flux, other.rows.flux)
    assert one.packet.tolist() == list(range(8))


def test_schemas_mixed_in_a_batch_keep_the_order_of_packets():
    renamed = parse_schema(schema_json(RUBIN_SCHEMA).replace("v20_1", "v21_0"))
    messages = [packet(alert(new=source(20 + k)), 2100 if k % 2 else 2001) for k in range(6)]
    messages[3] = container(RUBIN_SCHEMA, [encode(RUBIN_SCHEMA, alert(new=source(23)))])
    alerts = decode_alerts(messages, SCHEMAS | {2100: renamed})
    assert alerts.packet.tolist() == list(range(6))
    assert alerts.alert_id.tolist() == [1020 + k for k in range(6)]
    assert alerts.alert_time.tolist() == [MJD + 20 + k for k in range(6)]


def test_a_schema_of_something_else_breaks_its_packets_alone():
    other = parse_schema(record("alert", diaSourceId="long", diaSource=record("diaSource", psfFlux="string")))
    text = confluent(2002, encode(other, {"diaSourceId": 1, "diaSource": {"psfFlux": "bright"}}))
    nothing = confluent(2003, b"\2")
    alerts = decode_alerts([text, packet(alert()), nothing], {**SCHEMAS, 2002: other, 2003: parse_schema("long")})
    assert alerts.packet.tolist() == [1]
    assert "psfFlux is a column of the kind text" in alerts.broken[0].reason
    assert "no alert of a survey that is known" in alerts.broken[1].reason


def test_a_packet_that_is_a_container_of_many_is_refused():
    many = container(RUBIN_SCHEMA, [encode(RUBIN_SCHEMA, alert(new=source(k))) for k in range(3)])
    alerts = decode_alerts([many, packet(alert())], SCHEMAS)
    assert [entry.packet for entry in alerts.broken] == [0]
    assert alerts.packet.tolist() == [1]


def test_ten_thousand_spoilt_packets_harm_no_neighbour(rng):
    sound = [
        packet(alert([source(1), source(2)], [forced(k) for k in range(3, 9)], new=source(20 + k))) for k in range(20)
    ]
    messages = []
    for k in range(10_000):
        body = bytearray(sound[k % 20])
        for at in rng.integers(0, len(body), rng.integers(1, 6)):
            body[at] ^= 1 << int(rng.integers(0, 8))
        messages.append(bytes(body[: rng.integers(0, len(body))] if k % 3 == 0 else body))
        if k % 500 == 0:
            messages.append(packet(alert([source(1)], new=source(100_000 + k))))
    started = time.perf_counter()
    alerts = decode_alerts(messages, SCHEMAS)
    assert time.perf_counter() - started < 30
    places = np.concatenate([alerts.packet, alerts.solar_system, alerts.repeated, [b.packet for b in alerts.broken]])
    assert sorted(places.tolist()) == list(range(len(messages)))
    assert len(alerts.broken) > 3000
    known = np.flatnonzero(alerts.alert_id >= 101_000)
    known = known[np.isin(alerts.packet[known], [k + k // 500 + 1 for k in range(0, 10_000, 500)])]
    assert known.size == 20
    for k in known:
        assert alerts.rows.flux[alerts.offsets[k] : alerts.offsets[k + 1]].tolist()[0] == 901.0
    alerts.light_curves()


# -- light curves ---------------------------------------------------------------------------------------------------


def test_light_curves_are_what_the_alert_view_and_a_classifier_take_without_any_context():
    early = alert([source(3)], [forced(k) for k in range(-40, 10)])
    first = alert(new=source(11))
    useless = alert(new=source(12, psfFlux=None))
    curves = decode(early, first, useless).light_curves()
    seen = view(curves, kind="alert")
    assert seen.lengths.tolist() == [30 + 1 + 6 + 1, 1, 0]  # 30 days before the first detection, not 43
    assert view(curves, 0.0, "alert").lengths.tolist() == [1, 1, 0]
    classifier = telperion.load("plasticc-gru")
    bare = curves.with_context({})
    probabilities = classifier.predict(bare, view="alert")
    assert np.isfinite(probabilities).all()
    np.testing.assert_allclose(classifier.predict(bare[[1]], view="alert")[0], probabilities[1], atol=1e-6)
    assert np.isfinite(classifier.predict(curves, days=2.0)).all()


def test_extreme_values_harm_no_neighbour_in_a_classifier():
    strange = [
        {"psfFlux": 3e38}, {"psfFlux": -3e38}, {"psfFluxErr": 3e38}, {"psfFluxErr": 1e-40}, {"midpointMjdTai": 1.0},
        {"midpointMjdTai": 199_999.0}, {"ra": 1e9, "dec": float("nan")},
    ]  # fmt: skip
    plain = [alert([source(3)], new=source(20 + k)) for k in range(2)]
    odd = [alert([source(4, **change)], [forced(5)], new=source(50 + k, **change)) for k, change in enumerate(strange)]
    classifier = telperion.load("plasticc-gru")
    with np.errstate(all="ignore"):
        together = classifier.predict(decode(*plain, *odd).light_curves(), view="alert")
    alone = classifier.predict(decode(*plain).light_curves(), view="alert")
    np.testing.assert_allclose(together[:2], alone, atol=1e-6)
    far = elasticc_alert(z_final=-0.3, hostgal_zphot=29.0, hostgal_zspec=float("nan"), mwebv=90.0)
    curves = decode_alerts([container(ELASTICC, [encode(ELASTICC, far)])]).light_curves()
    assert np.isfinite(classifier.predict(curves, view="alert")).all()


def test_dust_is_corrected_where_it_is_known():
    alerts = decode(alert(new=source(20)), alert(new=source(21)))
    plain, dusty = alerts.light_curves(), alerts.light_curves(mwebv=[0.5, np.nan])
    assert plain.dereddened
    assert dusty.dereddened
    np.testing.assert_allclose(plain.flux, alerts.rows.flux)
    assert dusty.flux[0] > 1.5 * plain.flux[0]
    assert dusty.flux[1] == plain.flux[1]
    np.testing.assert_array_equal(dusty.context["mwebv"], [0.5, np.nan])
    assert not alerts.as_observed().dereddened
    with pytest.raises(ValueError, match="mwebv is outside 0 to 100 for 1 alerts, first -1"):
        alerts.light_curves(mwebv=[-1.0, 0.1])


def test_alerts_of_one_object_make_one_light_curve():
    of = {"diaObjectId": 9, "ra": 1.0, "dec": 1.0, "nDiaSources": 3}
    late = alert([source(3), source(10)], [forced(3), forced(5)], new=source(12), diaObject={**of, "ra": 2.0})
    early = alert([source(3)], [forced(4)], diaObject=of)
    other = alert(new=source(20))
    curves = decode(late, other, early).light_curves(mwebv=[0.1, 0.2, 0.3], by_object=True)
    assert curves.object_id.tolist() == ["9", "169813006680588318"]
    assert (curves[0].time - MJD).tolist() == [3, 4, 5, 10, 12]
    assert curves[0].detected.tolist() == [True, False, False, True, True]
    assert curves.context["ra"].tolist() == [2.0, 11.0]
    assert curves.context["mwebv"].tolist() == [0.1, 0.2]


# -- ELAsTiCC and ZTF -----------------------------------------------------------------------------------------------

ELASTICC_OBJECT = record(
    "diaObject", diaObjectId="long", ra="double", decl="double", mwebv="float?", z_final="float?", z_final_err="float?",
    hostgal_zspec="float?", hostgal_zphot="float?", hostgal_zphot_err="float?", hostgal_zphot_q050="float?",
    hostgal_mag_Y="float?", hostgal_mag_u="float?", hostgal_snsep="float?", hostgal_ellipticity="float?",
    hostgal_ra="float?",
)  # fmt: skip
ROW = {"midPointTai": "double", "filterName": "string", "psFlux": "float", "psFluxErr": "float"}
ELASTICC = parse_schema(
    record(
        "alert", alertId="long",
        diaSource=record("diaSource", diaSourceId="long", diaObjectId="long?", ra="double", decl="double", **ROW),
        prvDiaSources=maybe("diaSource", array=True),
        prvDiaForcedSources=maybe(record("forced", diaForcedSourceId="long", **ROW), array=True),
        diaObject=maybe(ELASTICC_OBJECT),
    )
)  # fmt: skip


def elasticc_alert(**of_object) -> dict:
    def row(k, **ids):
        return {"midPointTai": MJD + k, "filterName": "ugrizY"[k], "psFlux": 10.0 * k, "psFluxErr": 1.0, **ids}

    known = {"diaObjectId": 42, "ra": 3.0, "decl": -4.0, "mwebv": 0.25, "z_final": 0.5, "z_final_err": 0.01}
    return {
        "alertId": 7,
        "diaSource": row(5, diaSourceId=70, diaObjectId=42, ra=3.0, decl=-4.0),
        "prvDiaSources": [row(2, diaSourceId=60, diaObjectId=42, ra=3.0, decl=-4.0)],
        "prvDiaForcedSources": [row(k, diaForcedSourceId=80 + k) for k in (1, 2, 3)],
        "diaObject": known | of_object,
    }


def test_elasticc_alerts_have_the_context_of_elasticc_light_curves():
    hosted = elasticc_alert(
        hostgal_zphot=0.5,
        hostgal_zphot_q050=0.45,
        hostgal_mag_Y=24.0,
        hostgal_snsep=0.3,
        hostgal_zspec=-9.0,
        hostgal_ra=182.0,
    )
    missing = dict.fromkeys(["hostgal_zspec", "hostgal_zphot", "z_final", "hostgal_zphot_err", "hostgal_snsep"], -9.0)
    bare = elasticc_alert(
        **missing, hostgal_mag_Y=999.0, hostgal_mag_u=99.0, hostgal_ellipticity=-9999.0, hostgal_ra=-999.0, decl=-9.0
    ) | {"alertId": 8}
    alerts = decode_alerts([container(ELASTICC, [encode(ELASTICC, made)]) for made in (hosted, bare)])
    assert not alerts.broken
    assert alerts.alert_id.tolist() == [7, 8]
    assert alerts.source_id.tolist() == [70, 70]
    assert alerts.rows.band[:4].tolist() == [1, 2, 3, 5]
    assert alerts.rows.detected[:4].tolist() == [False, True, False, True]
    assert alerts.dropped == {"beside a source": 2}
    given = {name: values[0] for name, values in alerts.context.items() if np.isfinite(values[0])}
    assert given == pytest.approx(
        {"ra": 3.0, "decl": -4.0, "mwebv": 0.25, "redshift": 0.5, "redshift_err": 0.01, "redshift_final": 0.5,
         "redshift_final_err": 0.01, "hostgal_photoz": 0.5, "hostgal_zphot_q050": 0.45, "hostgal_mag_y": 24.0,
         "hostgal_snsep": 0.3, "hostgal_ra": 182.0},
        abs=1e-6,
    )  # fmt: skip
    left = {name for name, values in alerts.context.items() if np.isfinite(values[1])}
    assert left == {"ra", "decl", "mwebv", "redshift_err", "redshift_final_err"}
    curves = alerts.light_curves()
    np.testing.assert_allclose(curves.flux[0] / alerts.rows.flux[0], 10 ** (0.4 * 3.24 * 0.25), rtol=1e-6)


def test_context_that_cannot_be_is_nan_and_counted():
    made = elasticc_alert(mwebv=-1.0, z_final=float("inf"))
    alerts = decode_alerts([container(ELASTICC, [encode(ELASTICC, made)])])
    assert alerts.dropped["context"] == 3
    assert np.isnan([alerts.context[name][0] for name in ("mwebv", "redshift", "redshift_final")]).all()
    alerts.light_curves()


CANDIDATE = {
    "jd": "double", "fid": "int", "pid": "long", "isdiffpos": "string?", "magpsf": "float?", "sigmapsf": "float?",
    "diffmaglim": "float?", "candid": "long?",
}  # fmt: skip
ZTF = parse_schema(
    record(
        "alert", objectId="string", candid="long",
        candidate=record("candidate", **CANDIDATE, ra="double", dec="double", ndethist="int"),
        prv_candidates=maybe(record("prv", **CANDIDATE), array=True),
        fp_hists=maybe(
            record("fp", jd="double", fid="int", pid="long", forcediffimflux="float?", forcediffimfluxunc="float?",
                   magzpsci="float?"), array=True,
        ),
    )
)  # fmt: skip


def test_ztf_magnitudes_become_nanojansky_with_the_sign_of_the_difference():
    def candidate(k, **changes):
        made = {
            "jd": 2_458_000.5 + k,
            "fid": 1 + k % 3,
            "pid": 30 + k,
            "isdiffpos": "t",
            "magpsf": 18.9,
            "sigmapsf": 0.1,
        }
        return made | {"diffmaglim": 20.0, "candid": 900 + k} | changes

    made = {
        "objectId": "ZTF18abcdefg", "candid": 905,
        "candidate": candidate(5) | {"ra": 1.0, "dec": 2.0, "ndethist": 9},
        "prv_candidates": [
            candidate(1, isdiffpos="f"), candidate(2, candid=None, magpsf=None, sigmapsf=None, isdiffpos=None),
            candidate(3, isdiffpos="0", magpsf=21.4), candidate(4, isdiffpos="1", fid=4),
        ],
        "fp_hists": [
            {"jd": 2_458_000.5 + k, "fid": 2, "pid": 30 + k, "forcediffimflux": flux, "forcediffimfluxunc": error,
             "magzpsci": 26.4} for k, flux, error in ((0, -50.0, 5.0), (5, 1.0, 1.0), (6, -99999.0, -99999.0))
        ],
    }  # fmt: skip
    alerts = decode_alerts([container(ZTF, [encode(ZTF, made)])])
    assert not alerts.broken
    assert alerts.object_id.tolist() == ["ZTF18abcdefg"]
    assert alerts.rows.time.tolist() == [58_000.0, 58_001.0, 58_003.0, 58_005.0]
    assert alerts.rows.band.tolist() == [2, 2, 1, 3]
    np.testing.assert_allclose(alerts.rows.flux, [-5000.0, -1e5, -1e4, 1e5], rtol=1e-5)
    np.testing.assert_allclose(alerts.rows.flux_err[1:], [9210.34, 921.034, 9210.34], rtol=1e-5)
    assert alerts.rows.detected.tolist() == [False, True, True, True]
    assert alerts.dropped == {"upper limit": 1, "no band": 1, "no error": 1, "beside a source": 1}
    assert alerts.history_truncated.tolist() == [True]


# -- files ----------------------------------------------------------------------------------------------------------


def test_files_and_folders_of_packets_are_light_curves_to_read(tmp_path):
    bodies = [encode(RUBIN_SCHEMA, alert([source(k)], new=source(20 + k))) for k in range(3)]
    (tmp_path / "a.avro").write_bytes(container(RUBIN_SCHEMA, bodies, "deflate"))
    (tmp_path / "b.avro").write_bytes(packet(alert(new=source(30), diaObject=None)))
    (tmp_path / "c.avro").write_bytes(packet(alert(new=source(31, diaObjectId=5), diaObject=None)))
    (tmp_path / "d.avro").write_bytes(b"nonsense")
    (tmp_path / "schema").mkdir()
    (tmp_path / "schema" / "test.v20_1.alert.avsc").write_text(schema_json(RUBIN_SCHEMA))
    alerts = read_alerts(tmp_path)
    assert alerts.packet.tolist() == [0, 1, 2, 4]
    assert alerts.solar_system.tolist() == [3]
    assert [entry.packet for entry in alerts.broken] == [5]
    with pytest.warns(RepairWarning) as caught:
        curves = telperion.read(tmp_path)
    said = " ".join(str(warning.message) for warning in caught)
    for text in (
        "1 packets left out, first packet 5",
        "1 alerts of the Solar System",
        r"E(B-V) is unknown for 2 objects",
    ):
        assert text in said
    assert curves.lengths.tolist() == [6, 1]
    with pytest.warns(RepairWarning, match="unknown for 1 objects"):
        assert len(telperion.read(tmp_path / "c.avro")) == 1
    with pytest.raises(FormatError, match=r"no alert of an object .* begins with"):
        telperion.read(tmp_path / "d.avro")
    with pytest.raises(FileNotFoundError):
        read_alerts(tmp_path / "nothing")
    assert known_schemas(tmp_path / "schema").keys() == {2001}


def test_packets_without_a_schema_say_so(tmp_path):
    (tmp_path / "c.avro").write_bytes(packet(alert()))
    with pytest.raises(FormatError, match="schema id 2001 is unknown"):
        telperion.read(tmp_path)


def test_schemas_of_the_installed_package_are_found(tmp_path, monkeypatch):
    folder = tmp_path / "lsst" / "alert" / "packet"
    (folder / "schema" / "20" / "1").mkdir(parents=True)
    (folder / "__init__.py").write_text("raise RuntimeError('not to be imported')")
    (folder / "schema" / "20" / "1" / "test.v20_1.alert.avsc").write_text(schema_json(RUBIN_SCHEMA))
    assert known_schemas(tmp_path / "nothing") == {}
    monkeypatch.syspath_prepend(str(tmp_path))
    assert known_schemas().keys() == {2001}
    for name in [name for name in sys.modules if name == "lsst" or name.startswith("lsst.")]:
        monkeypatch.delitem(sys.modules, name)


def test_parquet_dumps_say_what_the_packets_said(tmp_path):
    made = [
        alert([source(3), source(4, psfFlux_flag=True)], [forced(3), forced(6)], new=source(20, diaObjectId=77)),
        alert(new=source(21), diaObject=None, ssSource={"ssObjectId": 1}),
        alert([source(5, timeWithdrawnMjdTai=61_000.0)], new=source(22), prvDiaForcedSources=None),
        alert([source(3)], [forced(7, band=None)], new=source(23, psfFlux=None)),
    ]
    pq.write_table(pa.Table.from_pylist(made), tmp_path / "dump.parquet")
    one, other = read_alerts(tmp_path / "dump.parquet"), decode(*made)
    for name in ("packet", "alert_id", "object_id", "alert_time", "history_truncated", "offsets", "solar_system"):
        np.testing.assert_array_equal(getattr(one, name), getattr(other, name), err_msg=name)
    for name in ("time", "band", "flux", "flux_err", "detected", "source_id", "visit", "detector"):
        np.testing.assert_array_equal(getattr(one.rows, name), getattr(other.rows, name), err_msg=name)
    assert one.dropped == other.dropped
    assert packets.recognises(tmp_path / "dump.parquet")
    assert packets.recognises(tmp_path)


def test_object_ids_that_a_dump_keeps_as_floats_are_taken_from_the_source(tmp_path):
    made = alert(new=source(20, diaObjectId=169813006680588318))
    made["diaObject"]["diaObjectId"] = 1.698130066805883e17
    pq.write_table(pa.Table.from_pylist([made]), tmp_path / "dump.parquet")
    assert read_alerts(tmp_path / "dump.parquet").object_id.tolist() == ["169813006680588318"]


def test_parquet_of_our_own_is_no_dump(tmp_path, drawn):
    telperion.formats.parquet.write(drawn, tmp_path / "own.parquet")
    assert not packets.recognises(tmp_path / "own.parquet")
    assert not packets.recognises(tmp_path)
    assert len(telperion.read(tmp_path)) == len(drawn)
    pq.write_table(pa.table({"diaSource": [1]}), tmp_path / "odd.parquet")
    with pytest.raises(FormatError, match=r"odd\.parquet: this is no alert"):
        telperion.read(tmp_path / "odd.parquet")


# -- real packets ---------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def real(lsst_data):
    folder = lsst_data / "alerts"
    if not folder.is_dir():
        pytest.skip(f"no alert packets at {folder}")
    return folder


@pytest.fixture(scope="module")
def schemas(real):
    return read_schemas(real / "schema")


def test_real_packets_are_read(real, schemas):
    fastavro = pytest.importorskip("fastavro", reason="the second opinion comes with telperion[dev]")
    for name in ("lsst_v10_0.avro", "lsst_v11_0.avro"):
        with (real / name).open("rb") as file:
            expected = next(fastavro.reader(file))
        alerts = read_alerts(real / name)
        assert alerts.alert_id.tolist() == [expected["diaSourceId"]]
        assert alerts.object_id.tolist() == [str(expected["diaObject"]["diaObjectId"])]
        assert alerts.rows.code.size == 2  # the two previous ones share a visit and detector
        assert alerts.alert_time[0] == expected["diaSource"]["midpointMjdTai"]
    stream = read_alerts(real / "lsst_confluent_v9_0.avro", schemas)
    assert stream.alert_time == pytest.approx([60961.233], abs=1e-3)
    assert stream.rows.flux == pytest.approx([-1230], abs=0.5)
    assert stream.rows.flux_err == pytest.approx([246], abs=0.5)
    assert stream.rows.band.tolist() == [2]


def test_a_real_packet_of_ztf_is_read_as_fastavro_does(real):
    fastavro = pytest.importorskip("fastavro", reason="the second opinion comes with telperion[dev]")
    with (real / "ztf_alert.avro").open("rb") as file:
        expected = next(fastavro.reader(file))
    alerts = read_alerts(real / "ztf_alert.avro")
    seen = [expected["candidate"], *(row for row in expected["prv_candidates"] if row["candid"])]
    seen.sort(key=lambda row: row["jd"])
    assert alerts.dropped == {"upper limit": 28 - (len(seen) - 1)}
    np.testing.assert_allclose(alerts.rows.time, [row["jd"] - 2400000.5 for row in seen])
    flux = [(1 if row["isdiffpos"] in "t1" else -1) * 10 ** (0.4 * (31.4 - row["magpsf"])) for row in seen]
    np.testing.assert_allclose(alerts.rows.flux, flux, rtol=1e-5)
    assert alerts.object_id.tolist() == [expected["objectId"]]


def test_real_dumps_are_read(real):
    rubin = read_alerts(real / "rubin_sample_data_10_0.parquet")
    assert len(rubin) == 22
    assert rubin.solar_system.size == 3
    assert sorted(np.diff(rubin.offsets).tolist())[-3:] == [3, 17, 23]
    assert not rubin.history_truncated.any()
    assert (rubin.rows.flux < 0).any()
    elasticc = read_alerts(real / "elasticc_sample_seed0.parquet")
    assert len(elasticc) == 89
    assert np.isfinite(elasticc.context["mwebv"]).all()
    assert 0.1 < np.isnan(elasticc.context["hostgal_photoz"]).mean() < 0.4
    classifier = telperion.load("plasticc-gru")
    for alerts in (rubin, elasticc):
        probabilities = classifier.predict(alerts.light_curves(), view="alert")
        assert np.isfinite(probabilities).all()
    with warnings.catch_warnings():
        warnings.simplefilter("error", RepairWarning)
        assert not telperion.read(real / "elasticc_sample_seed0.parquet").dereddened
    with pytest.warns(RepairWarning, match="3 alerts of the Solar System|E.B-V. is unknown for 22"):
        assert len(telperion.read(real / "rubin_sample_data_10_0.parquet")) == 22


def test_spoilt_real_packets_are_broken_or_as_fastavro_has_them(real, schemas, rng):
    fastavro = pytest.importorskip("fastavro", reason="the second opinion comes with telperion[dev]")
    import json

    schema = fastavro.parse_schema(json.loads(schema_json(schemas[1100])))
    with (real / "lsst_v11_0.avro").open("rb") as file:
        first = next(fastavro.reader(file))
    stream = io.BytesIO()
    fastavro.schemaless_writer(stream, schema, first)
    sound = stream.getvalue()
    messages = []
    for k in range(2000):
        body = bytearray(sound)
        for at in rng.integers(0, len(body), rng.integers(1, 4)):
            body[at] ^= 1 << int(rng.integers(0, 8))
        messages.append(confluent(1100, bytes(body[: rng.integers(0, len(body))] if k % 4 == 0 else body)))
    alerts = decode_alerts(messages, schemas)
    broken = {entry.packet for entry in alerts.broken}
    assert len(broken) > 500
    for place, key in zip(alerts.packet.tolist(), alerts.alert_id.tolist(), strict=True):
        stream = io.BytesIO(messages[place][5:])
        assert fastavro.schemaless_reader(stream, schema, None, handle_unicode_errors="replace")["diaSourceId"] == key
        assert not stream.read()
