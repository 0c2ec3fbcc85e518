import io
import json

import numpy as np
import pytest

from telperion.formats.avro import parse_schema, read_schema, schema_json
from telperion.formats.avro_columns import encode_columns
from telperion.formats.avro_write import encode

ITEM = {"type": "record", "name": "item", "fields": [{"name": "id", "type": "int"}, {"name": "p", "type": "float"}]}
SCHEMA = parse_schema(
    {
        "type": "record",
        "name": "answer",
        "fields": [
            {"name": "key", "type": {"type": "long", "logicalType": "timestamp-millis"}},
            {"name": "when", "type": ["null", "long"]},
            {"name": "late", "type": ["double", "null"]},
            {"name": "name", "type": "string"},
            {"name": "model", "type": "string"},
            {"name": "sure", "type": "boolean"},
            {
                "name": "inner",
                "type": {"type": "record", "name": "inner", "fields": [{"name": "raw", "type": "bytes"}]},
            },
            {"name": "classes", "type": {"type": "array", "items": ITEM}},
            {"name": "days", "type": {"type": "array", "items": "double"}},
            {"name": "note", "type": ["null", "string"], "default": None},
        ],
    }
)


def make_columns(rng, n: int) -> tuple[dict, list[dict]]:
    counts = rng.integers(0, 30, n)
    offsets = np.concatenate([[0], np.cumsum(counts)])
    days = np.concatenate([[0], np.cumsum(rng.integers(0, 3, n))])
    when = np.ma.masked_array(rng.integers(-(2**63), 2**63 - 1, n), rng.random(n) < 0.5)
    late = np.ma.masked_array(rng.normal(size=n), rng.random(n) < 0.5)
    columns = {
        "key": rng.integers(0, 2**63 - 1, n) >> rng.integers(0, 63, n),
        "when": when,
        "late": late,
        "name": np.array(["ZTF18abc", "", "ψ", "a" * 200])[rng.integers(0, 4, n)],
        "model": "plasticc-gru 1.0",
        "sure": rng.random(n) < 0.5,
        "inner.raw": np.array([b"\x80\xff", b"x"])[rng.integers(0, 2, n)],
        "classes": offsets,
        "classes[].id": rng.integers(-5000, 5000, offsets[-1]),
        "classes[].p": rng.random(offsets[-1]).astype(np.float32),
        "days": days,
        "days[]": rng.normal(size=days[-1]),
    }
    records = [
        {
            "key": int(columns["key"][k]),
            "when": None if when.mask[k] else int(when.data[k]),
            "late": None if late.mask[k] else float(late.data[k]),
            "name": str(columns["name"][k]),
            "model": "plasticc-gru 1.0",
            "sure": bool(columns["sure"][k]),
            "inner": {"raw": bytes(columns["inner.raw"][k])},
            "classes": [
                {"id": int(columns["classes[].id"][i]), "p": float(columns["classes[].p"][i])}
                for i in range(offsets[k], offsets[k + 1])
            ],
            "days": columns["days[]"][days[k] : days[k + 1]].tolist(),
        }
        for k in range(n)
    ]
    return columns, records


@pytest.mark.parametrize("n", [0, 1, 200])
def test_columns_are_written_as_their_records_are(rng, n):
    columns, records = make_columns(rng, n)
    bodies = encode_columns(SCHEMA, columns, n)
    assert bodies == [encode(SCHEMA, record) for record in records]
    assert encode_columns(SCHEMA, columns, n, b"\0head") == [b"\0head" + body for body in bodies]


def test_text_is_taken_as_bytes_of_utf_8_too(rng):
    columns, _ = make_columns(rng, 50)
    given = columns | {"name": np.char.encode(columns["name"], "utf-8"), "inner.raw": b"x"}
    assert encode_columns(SCHEMA, given, 50) == encode_columns(SCHEMA, columns | {"inner.raw": b"x"}, 50)
    plain = columns | {"name": np.array(["ZTF18abc", "", "a" * 200])[rng.integers(0, 3, 50)].astype(">U200")}
    swapped = columns | {"name": plain["name"].astype("<U200")}
    assert encode_columns(SCHEMA, plain, 50) == encode_columns(SCHEMA, swapped, 50)


def test_a_long_value_in_front_of_short_records_spoils_no_neighbour():
    """What is left of the widest row must not be written over the beginning of the next record."""
    fields = [{"name": "a", "type": "int"}, {"name": "b", "type": {"type": "array", "items": "string"}}]
    schema = parse_schema({"type": "record", "name": "r", "fields": [*fields, {"name": "c", "type": "string"}]})
    columns = {"a": [1, 2, 3], "b": [0, 2, 2, 3], "b[]": ["x" * 300, "", "y"], "c": ["z" * 99, "", "w"]}
    records = [
        {"a": 1, "b": ["x" * 300, ""], "c": "z" * 99},
        {"a": 2, "b": [], "c": ""},
        {"a": 3, "b": ["y"], "c": "w"},
    ]
    assert encode_columns(schema, columns, 3) == [encode(schema, record) for record in records]


NESTED = parse_schema(
    {
        "type": "record",
        "name": "alert",
        "fields": [
            {"name": "head", "type": ["null", ITEM]},
            {"name": "rows", "type": [{"type": "array", "items": "item"}, "null"]},
            {"name": "tail", "type": ["null", {"type": "array", "items": ["null", "string"]}]},
            {"name": "none", "type": ["null", "item"], "default": None},
            {"name": "end", "type": "int"},
        ],
    }
)


@pytest.mark.parametrize("n", [1, 100])
def test_records_and_arrays_that_may_be_null_are_written_as_their_records_are(rng, n):
    counts, names = rng.integers(0, 4, n), rng.integers(0, 3, n)
    rows, tail = (np.concatenate([[0], np.cumsum(some)]) for some in (counts, names))
    null = np.append((counts == 0) & (rng.random(n) < 0.5), False)
    texts = np.ma.masked_array(np.array(["g", "", "λy"])[rng.integers(0, 3, tail[-1])])
    texts[rng.random(tail[-1]) < 0.3] = np.ma.masked
    columns = {
        "head.id": rng.integers(-300, 300, n),
        "head.p": 0.5,
        "rows": np.ma.masked_array(rows, null),
        "rows[].id": rng.integers(-(2**31), 2**31, rows[-1]),
        "rows[].p": rng.random(rows[-1]).astype(np.float32),
        "tail": tail,
        "tail[]": texts,
        "end": np.arange(n),
    }
    records = [
        {
            "head": {"id": int(columns["head.id"][k]), "p": 0.5},
            "rows": None
            if null[k]
            else [
                {"id": int(columns["rows[].id"][i]), "p": float(columns["rows[].p"][i])}
                for i in range(rows[k], rows[k + 1])
            ],
            "tail": [None if text is np.ma.masked else str(text) for text in texts[tail[k] : tail[k + 1]]],
            "end": k,
        }
        for k in range(n)
    ]
    bodies = [encode(NESTED, record) for record in records]
    assert encode_columns(NESTED, columns, n) == bodies
    encoded = np.ma.masked_array(np.char.encode(texts.data, "utf-8"), texts.mask)
    assert encode_columns(NESTED, columns | {"tail[]": encoded}, n) == bodies
    gone = {"rows": None, "tail": None, "end": 0}
    assert encode_columns(NESTED, gone | {"head": None}, 1) == [encode(NESTED, gone | {"head": None})]


def test_texts_of_very_many_lengths_are_written_as_they_are(rng):
    schema = parse_schema({"type": "record", "name": "a", "fields": [{"name": "b", "type": "bytes"}]})
    texts = np.array([bytes(rng.integers(1, 256, size, dtype=np.uint8)) for size in rng.permutation(3000)[:500]])
    bodies = encode_columns(schema, {"b": texts}, 500)
    assert bodies == [encode(schema, {"b": bytes(text)}) for text in texts]


@pytest.mark.parametrize("kind", ["float", "double"])
@pytest.mark.parametrize("n", [0, 7])
def test_a_record_of_like_numbers_may_be_one_column(rng, kind, n):
    fields = [{"name": name, "type": kind} for name in "abc"]
    outer = [{"name": "id", "type": "int"}, {"name": "p", "type": {"type": "record", "name": "p", "fields": fields}}]
    schema = parse_schema({"type": "record", "name": "outer", "fields": outer})
    matrix = rng.normal(size=(n, 5)).astype(np.float32)[:, ::2]
    ids = np.arange(n)
    apart = {"id": ids} | {f"p.{name}": matrix[:, k] for k, name in enumerate("abc")}
    assert encode_columns(schema, {"id": ids, "p": matrix}, n) == encode_columns(schema, apart, n)
    with pytest.raises(ValueError, match=r"'p' has the shape"):
        encode_columns(schema, {"id": ids, "p": matrix[:, :2]}, n)
    with pytest.raises(ValueError, match=r"the schema has no field p\.a"):
        encode_columns(schema, {"id": ids, "p": matrix, "p.a": matrix[:, 0]}, n)


def test_an_array_that_is_null_has_no_items():
    columns = {"head": None, "rows": np.ma.masked_array([0, 1], [True, False]), "rows[].id": [1], "rows[].p": [1.0]}
    with pytest.raises(ValueError, match="'rows' is masked in 1 rows, which have items"):
        encode_columns(NESTED, {**columns, "tail": None, "end": 0}, 1)
    columns["rows"] = np.ma.masked_array([0, 0], [True, False])
    columns |= {"rows[].id": [], "rows[].p": []}
    with pytest.raises(ValueError, match="float64, which is not written as int"):
        encode_columns(NESTED, {**columns, "tail": None, "end": 0}, 1)
    with pytest.raises(ValueError, match=r"'classes' is masked in 1 rows, .* or cannot be null"):
        encode_columns(SCHEMA, {**make_columns(np.random.default_rng(0), 1)[0], "classes": columns["rows"]}, 1)


def test_fastavro_reads_answers_of_elasticc(rng, lsst_data):
    fastavro = pytest.importorskip("fastavro", reason="the second opinion comes with telperion[dev]")
    file = lsst_data / "alerts" / "schema" / "elasticc" / "elasticc.v0_9_1.brokerClassification.avsc"
    if not file.is_file():
        pytest.skip(f"no schema at {file}")
    schema = read_schema(file)
    n, classes = 50, np.array([200, 300, 2222, 2332])
    probability = rng.dirichlet(np.ones(4), n).astype(np.float32)
    columns = {
        "alertId": np.arange(n),
        "diaSourceId": 10**17 + np.arange(n),
        "elasticcPublishTimestamp": 1_700_000_000_000 + np.arange(n),
        "brokerIngestTimestamp": None,
        "brokerName": "telperion",
        "brokerVersion": "0.1",
        "classifierName": "gru",
        "classifierParams": "",
        "classifications": 4 * np.arange(n + 1),
        "classifications[].classId": np.tile(classes, n),
        "classifications[].probability": probability.ravel(),
    }
    parsed = fastavro.parse_schema(json.loads(schema_json(schema)))
    for k, body in enumerate(encode_columns(schema, columns, n)):
        answer = fastavro.schemaless_reader(io.BytesIO(body), parsed, None)
        assert answer["diaSourceId"] == 10**17 + k
        assert [item["classId"] for item in answer["classifications"]] == classes.tolist()
        assert [item["probability"] for item in answer["classifications"]] == probability[k].tolist()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"key": None}, "'key': the value is None"),
        ({"key": [1.5, 2.5]}, "float64, which is not written as long"),
        ({"key": [1, 2, 3]}, "shape"),
        ({"classes[].id": [2**31]}, "does not fit the type int"),
        ({"classes": [0, 1]}, "must rise"),
        ({"classes": [0, 2, 1]}, "must rise"),
        ({"nothing": 1}, "no field nothing"),
        ({"sure": np.ma.masked_array([True, False], [True, False])}, "masked in 1 rows"),
    ],
)
def test_what_does_not_fit_is_refused_by_name(rng, change, message):
    columns = {**make_columns(rng, 2)[0], "classes": [0, 1, 1], "classes[].id": [7], "classes[].p": [0.5]}
    encode_columns(SCHEMA, columns, 2)
    with pytest.raises(ValueError, match=message):
        encode_columns(SCHEMA, columns | change, 2)


def test_a_missing_column_is_named(rng):
    columns, _ = make_columns(rng, 2)
    del columns["model"]
    with pytest.raises(ValueError, match="'model' is missing"):
        encode_columns(SCHEMA, columns, 2)
