"""Simulated alerts in schemas: our own, Rubin's, and made-up ones with every type that nobody can fill."""

import io
import json

import numpy as np
import pytest

from telperion.formats.alert_surveys import HOST
from telperion.formats.avro import parse_schema, read_schemas, schema_json
from telperion.formats.packets import decode_alerts
from telperion.simulate.host import COLUMNS
from telperion.simulate.night import Night
from telperion.simulate.packets import Packing, cutouts, host_columns, newest_schema, shipped_schema


def changed(**changes):
    """Our own schema as JSON with another namespace, and fields of records changed, added or (None) left out."""
    plain = json.loads(schema_json(shipped_schema()).replace("telperion.v1_0", changes.pop("space", "test.v12_3")))
    parts = {field["name"]: field["type"] for field in plain["fields"]}
    records = {
        "alert": plain, "diaSource": parts["diaSource"], "diaObject": parts["diaObject"][1],
        "diaForcedSource": parts["prvDiaForcedSources"][1]["items"],
    }  # fmt: skip
    for path, kind in changes.items():
        record, _, name = path.partition("__")
        fields = records[record]["fields"]
        fields[:] = [field for field in fields if field["name"] != name]
        fields += [{"name": name, "type": kind}] if kind else []
    return plain


def test_our_schema_has_a_field_for_all_that_the_simulator_knows_of_hosts():
    fields = shipped_schema().fields["diaObject"].parts[1].fields
    unknown = {HOST.get(name, name) for name in COLUMNS} - set(fields) - {"decl"}
    assert unknown == {"hostgal_logmass"}  # which packets of ELAsTiCC lack, too
    assert not {"label", "class", "simVersion"} & set(fields)


def test_fields_that_nobody_knows_are_null_or_their_default_or_zero(crowded):
    fastavro = pytest.importorskip("fastavro", reason="the second opinion comes with telperion[dev]")
    inner = {
        "type": "record",
        "name": "inner",
        "fields": [{"name": "a", "type": "double"}, {"name": "b", "type": "int"}],
    }
    fixed = {"type": "fixed", "name": "code", "size": 3}
    symbols = {"type": "enum", "name": "kind", "symbols": ["ONE", "TWO"]}
    plain = changed(
        alert__inner=inner, alert__code=fixed, alert__kind=symbols, alert__words={"type": "array", "items": "string"},
        alert__pairs={"type": "map", "values": "int"}, alert__note=["string", "int"], alert__alertId="long",
        diaSource__x="float", diaSource__flag="boolean", diaSource__name="string", diaSource__raw=["null", "bytes"],
        diaForcedSource__n="int", diaObject__hostgal_mag_Y=None, diaObject__mwebv="float",
    )  # fmt: skip
    plain["fields"].append({"name": "count", "type": "int", "default": 7})
    schema = parse_schema(plain)
    (visit,) = Night(crowded, visits=1, seed=1, schema=schema)
    parsed = fastavro.parse_schema(plain)
    forced = 0
    for number, message in zip(visit.alert_id.tolist(), visit.messages, strict=True):
        assert message[:5] == b"\0" + (1203).to_bytes(4, "big")
        with io.BytesIO(message[5:]) as body:
            made = fastavro.schemaless_reader(body, parsed, None)
            assert not body.read()
        assert made["inner"] == {"a": 0, "b": 0}
        given = [made[name] for name in ("code", "kind", "words", "pairs", "note", "count")]
        assert given == [b"\0\0\0", "ONE", [], {}, "", 7]
        assert made["diaSourceId"] == made["alertId"] == made["diaSource"]["diaSourceId"] == number
        for row in [made["diaSource"], *(made["prvDiaSources"] or [])]:
            assert [row[name] for name in ("x", "flag", "name", "raw")] == [0, False, "", None]
        for row in made["prvDiaForcedSources"] or []:
            assert row["n"] == 0
            forced += 1
        assert "hostgal_mag_Y" not in made["diaObject"]
    assert forced


def test_arrays_that_cannot_be_null_are_empty(crowded):
    pytest.importorskip("numba", reason="decoding needs telperion[stream]")
    plain = changed()
    for field in plain["fields"]:
        if field["name"].startswith("prv"):
            field["type"] = field["type"][1]
            del field["default"]
    schema = parse_schema(plain)
    (mine,), (ours,) = (Night(crowded, visits=1, seed=1, schema=each) for each in (schema, None))
    one, two = (decode_alerts(v.messages, {1203: schema, 100: shipped_schema()}) for v in (mine, ours))
    assert not one.broken
    np.testing.assert_array_equal(one.rows.flux, two.rows.flux)


def test_rubins_own_schemas_hold_the_same_rows_without_hosts(lsst_data, crowded):
    pytest.importorskip("numba", reason="decoding needs telperion[stream]")
    fastavro = pytest.importorskip("fastavro", reason="the second opinion comes with telperion[dev]")
    folder = lsst_data / "alerts" / "schema"
    if not folder.is_dir():
        pytest.skip(f"no schemas at {folder}")
    schemas = read_schemas(folder) | {100: shipped_schema()}
    assert newest_schema(folder).name == "lsst.v11_0.alert"
    (ours,) = Night(crowded, visits=1, seed=1)
    two = decode_alerts(ours.messages, schemas)
    for number in schemas.keys() - {100}:
        (mine,) = Night(crowded, visits=1, seed=1, schema=schemas[number])
        one = decode_alerts(mine.messages, schemas)
        assert not one.broken
        for name in ("code", "time", "band", "flux", "flux_err", "detected", "visit", "detector", "source_id"):
            np.testing.assert_array_equal(getattr(one.rows, name), getattr(two.rows, name))
        np.testing.assert_array_equal(one.alert_id, two.alert_id)
        np.testing.assert_array_equal(one.history_truncated, two.history_truncated)
        assert set(one.context) == {"ra", "decl"}
        assert not one.solar_system.size
        parsed = fastavro.parse_schema(json.loads(schema_json(schemas[number])))
        made = fastavro.schemaless_reader(io.BytesIO(mine.messages[0][5:]), parsed, None)
        assert made["ssSource"] is made["diaSource"]["apFlux"] is None
        assert made["diaSource"]["isNegative"] == (made["diaSource"]["psfFlux"] < 0)


@pytest.mark.parametrize(
    ("plain", "message"),
    [
        (
            {"type": "record", "name": "x.v1_0.alert", "fields": []},
            "x.v1_0.alert is no alert of Rubin's: it lacks diaS",
        ),
        ("string", "schema string is no alert"),
        (changed(diaSource__psfFlux=None), "lacks diaSource.psfFlux"),
        (changed(alert__prvDiaForcedSources=["null", "int"]), r"lacks prvDiaForcedSources\[\]"),
        (changed(space="test.v12"), "does not end in a version"),
    ],
)
def test_schemas_that_are_no_alerts_of_rubins_are_refused(plain, message):
    with pytest.raises(ValueError, match=message):
        Packing(parse_schema(plain))


def test_a_folder_without_versions_has_no_newest_schema(tmp_path):
    (tmp_path / "x.alert.avsc").write_text(json.dumps({"type": "record", "name": "x.alert", "fields": []}))
    with pytest.raises(ValueError, match="no schema there has a version"):
        newest_schema(tmp_path)
    with pytest.raises(FileNotFoundError):
        newest_schema(tmp_path / "nowhere")


def test_what_is_unknown_has_the_codes_of_elasticc():
    context = {name: np.array([np.nan, 0.5]) for name in HOST}
    found = host_columns(context, np.array([0, 1]))
    assert all(values[1] == 0.5 for values in found.values())
    codes = {"z_final": -9, "hostgal_zphot": -9, "hostgal_snsep": -9, "mwebv": -9, "hostgal_ra": -999}
    codes |= {"hostgal2_dec": -999, "hostgal_mag_Y": 999, "hostgal2_magerr_u": 999, "hostgal_ellipticity": -9999}
    assert {name: found[name][0] for name in codes} == codes
    assert host_columns({"hostgal_logmass": np.zeros(2)}, np.array([0])) == {}


def test_the_first_of_two_redshifts_counts():
    context = {"redshift_final": np.array([0.7]), "redshift": np.array([0.5])}
    assert host_columns(context, np.array([0]))["z_final"].tolist() == [0.5]


def test_images_have_whole_blocks_and_no_two_are_alike(rng):
    found = cutouts(50, rng)
    assert list(found) == ["cutoutDifference", "cutoutScience", "cutoutTemplate"]
    sizes = np.array([[len(image) for image in images] for images in found.values()])
    assert (sizes % 2880 == 0).all()
    assert sizes.sum(axis=0).mean() == pytest.approx(139_000, rel=0.03)
    assert sizes.min() == 34_560
    assert len({bytes(image) for image in found["cutoutScience"]}) == 50
