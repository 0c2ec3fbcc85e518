import io
import json
import subprocess
import sys
import time

import numpy as np
import pytest

from telperion.formats import avro_files
from telperion.formats.avro import Node, least_bytes, parse_schema, read_schema, read_schemas, schema_json
from telperion.formats.avro_files import Bodies, read_container
from telperion.formats.avro_plan import make_plan
from telperion.formats.avro_write import container, encode

pytest.importorskip("numba", reason="decoding needs telperion[stream]")
from telperion.formats.avro_decode import Columns, decode
from telperion.formats.avro_loop import NULL, REASONS

fastavro = pytest.importorskip("fastavro", reason="the second opinion comes with telperion[dev]")

POINT = {
    "type": "record",
    "name": "point",
    "namespace": "test.v1_2",
    "fields": [
        {"name": "id", "type": "long"},
        {"name": "flag", "type": ["null", "boolean"], "default": None},
        {"name": "skipped", "type": ["null", "float"]},
        {"name": "flux", "type": ["null", "float"]},
        {"name": "wide", "type": ["double", "null"]},
        {"name": "band", "type": ["null", "string"]},
        {"name": "count", "type": "int"},
        {"name": "kind", "type": {"type": "enum", "name": "kind", "symbols": ["a", "b", "c"]}},
        {"name": "hash", "type": {"type": "fixed", "name": "md", "size": 3}},
    ],
}
ALERT = {
    "type": "record",
    "name": "alert",
    "namespace": "test.v1_2",
    "fields": [
        {"name": "key", "type": {"type": "long", "logicalType": "of our own"}},
        {"name": "first", "type": POINT},
        {"name": "before", "type": ["null", {"type": "array", "items": "point"}], "default": None},
        {"name": "more", "type": {"type": "map", "values": ["null", "long"]}},
        {"name": "maybe", "type": ["null", "point"]},
        {"name": "odd", "type": ["null", "string", "double", {"type": "array", "items": "int"}]},
        {"name": "image", "type": ["null", "bytes"]},
    ],
}
SCHEMA = parse_schema(ALERT)
FASTAVRO = fastavro.parse_schema(ALERT)
LEAVES = ("id", "flag", "flux", "wide", "band", "count", "kind", "hash")
WANTED = ["key", "image", "maybe", *(f"{at}.{leaf}" for at in ("first", "before[]", "maybe") for leaf in LEAVES)]
PLAN = make_plan(SCHEMA, WANTED)


def make_point(rng) -> dict:
    def maybe(value):
        return None if rng.random() < 0.3 else value

    flux = float(np.float32(rng.normal(scale=1000))) if rng.random() < 0.9 else float("nan")
    return {
        "id": int(rng.integers(-(2**63), 2**63 - 1)),
        "flag": maybe(bool(rng.random() < 0.5)),
        "skipped": maybe(1.0),
        "flux": maybe(flux),
        "wide": maybe(float(rng.normal())),
        "band": maybe(str(rng.choice(["u", "g", "ultraviolet", "", "ψ"]))),
        "count": int(rng.integers(-(2**31), 2**31)),
        "kind": str(rng.choice(["a", "b", "c"])),
        "hash": rng.bytes(3),
    }


def make_alert(rng) -> dict:
    return {
        "key": int(rng.integers(0, 2**40)),
        "first": make_point(rng),
        "before": None if rng.random() < 0.2 else [make_point(rng) for _ in range(rng.integers(0, 6))],
        "more": {f"k{i}": (None if i % 2 else i) for i in range(rng.integers(0, 4))},
        "maybe": None if rng.random() < 0.5 else make_point(rng),
        "odd": [None, "text", 2.5, [1, -2, 3]][rng.integers(0, 4)],
        "image": None if rng.random() < 0.5 else rng.bytes(int(rng.integers(0, 200))),
    }


def fast(value, schema=FASTAVRO) -> bytes:
    stream = io.BytesIO()
    fastavro.schemaless_writer(stream, schema, value)
    return stream.getvalue()


def batch(messages: list[bytes]) -> Bodies:
    ends = np.cumsum([0] + [len(message) for message in messages])
    return Bodies(np.frombuffer(b"".join(messages), np.uint8), ends[:-1], ends[1:])


def get(columns: Columns, path: str) -> list:
    """The column as Python values."""
    kind, null = columns.plan.columns[path][2], columns.null(path)
    if kind == "text":
        table, cell, _ = columns.plan.columns[path]
        spans = columns.rows[table][:, cell : cell + 2]
        values = [None if n else columns.buffer[s : s + c].tobytes() for n, (s, c) in zip(null, spans, strict=True)]
    else:
        values = (columns.numbers if kind == "float" else columns.integers)(path).tolist()
    return [None if n else value for n, value in zip(null, values, strict=True)]


def cell(record: dict | None, leaf: str):
    value = None if record is None else record[leaf]
    if leaf == "kind" and value is not None:
        return "abc".index(value)
    return value.encode() if isinstance(value, str) else int(value) if isinstance(value, bool) else value


def same(found, expected) -> bool:
    return found == expected or (isinstance(found, float) and found != found and expected != expected)


def check(columns: Columns, k: int, record: dict) -> None:
    """Hold what was decoded of body `k` against the record that fastavro gives."""
    start, stop = columns.offsets("before")[k : k + 2]
    assert stop - start == len(record["before"] or [])
    assert columns.integers("key")[k] == record["key"]
    assert columns.null("maybe")[k] == (record["maybe"] is None)
    for leaf in LEAVES:
        assert same(get(columns, f"first.{leaf}")[k], cell(record["first"], leaf))
        assert same(get(columns, f"maybe.{leaf}")[k], cell(record["maybe"], leaf))
        for found, item in zip(get(columns, f"before[].{leaf}")[start:stop], record["before"] or [], strict=True):
            assert same(found, cell(item, leaf))


def one(columns: Columns, k: int) -> Columns:
    """The columns of one body alone."""
    offsets = columns.offsets("before")
    rows = [columns.rows[0][k : k + 1], columns.rows[1][offsets[k] : offsets[k + 1]]]
    ends = np.array([[offsets[k + 1] - offsets[k]]])
    return Columns(columns.error[k : k + 1], columns.position[k : k + 1], columns.buffer, columns.plan, rows, ends)


# -- what fastavro wrote is read ------------------------------------------------------------------------------------


def test_random_records_are_read_as_fastavro_wrote_them(rng):
    records = [make_alert(rng) for _ in range(300)]
    columns = decode(PLAN, batch([fast(record) for record in records]))
    assert not columns.error.any()
    for k, record in enumerate(records):
        check(one(columns, k), 0, record)


def make_schema(rng, depth: int, names: list[str]):
    kinds = ["null", "boolean", "int", "long", "float", "double", "string", "bytes", "fixed", "enum"]
    kind = str(rng.choice(kinds if depth == 0 else [*kinds, *["record", "array", "map", "union"] * 3]))
    names.append(f"n{len(names)}")
    if kind == "fixed":
        return {"type": "fixed", "name": names[-1], "size": int(rng.integers(0, 5))}
    if kind == "enum":
        return {"type": "enum", "name": names[-1], "symbols": ["x", "y"]}
    if kind == "record":
        name = names[-1]
        fields = [{"name": f"f{i}", "type": make_schema(rng, depth - 1, names)} for i in range(rng.integers(0, 5))]
        return {"type": "record", "name": name, "fields": fields}
    if kind in ("array", "map"):
        return {"type": kind, "items" if kind == "array" else "values": make_schema(rng, depth - 1, names)}
    if kind == "union":
        parts = [make_schema(rng, depth - 1, names) for _ in range(rng.integers(1, 4))]
        distinct = {
            (part if isinstance(part, str) else part["type"]): part for part in parts if not isinstance(part, list)
        }
        numbers = [kind for kind in distinct if kind in ("int", "long", "float", "double")]
        bag = {k: v for k, v in distinct.items() if k not in numbers[1:] and k not in ("map", "bytes", "enum", "fixed")}
        return ["null", *[part for kind, part in bag.items() if kind != "null"]]
    return kind


def make_value(rng, node: Node):
    if node.kind == "union":
        return make_value(rng, node.parts[rng.integers(0, len(node.parts))])
    if node.kind == "record":
        return {name: make_value(rng, part) for name, part in node.fields.items()}
    if node.kind == "array":
        return [make_value(rng, node.parts[0]) for _ in range(rng.integers(0, 4))]
    if node.kind == "map":
        return {f"k{i}": make_value(rng, node.parts[0]) for i in range(rng.integers(0, 4))}
    return {
        "null": None,
        "boolean": True,
        "int": int(rng.integers(-(2**31), 2**31)),
        "long": int(rng.integers(-(2**63), 2**63 - 1)),
        "float": 1.5,
        "double": float(rng.normal()),
        "string": "text",
        "bytes": b"\x80\x00",
        "fixed": b"\xff" * node.size,
        "enum": "y",
    }[node.kind]


@pytest.mark.parametrize("seed", range(60))
def test_random_schemas_are_skipped_to_the_last_byte_and_written_as_fastavro_does(seed):
    rng = np.random.default_rng(seed)
    names: list[str] = []
    fields = [{"name": f"g{i}", "type": make_schema(rng, 3, names)} for i in range(3)]
    definition = {"type": "record", "name": "root", "fields": [*fields, {"name": "last", "type": "long"}]}
    node, schema = parse_schema(json.dumps(definition)), fastavro.parse_schema(definition)
    values = [make_value(rng, node) for _ in range(20)]
    bodies = [fast(value, schema) for value in values]
    columns = decode(make_plan(node, ["last"]), batch(bodies))
    assert not columns.error.any(), REASONS[columns.error.max()]
    assert columns.integers("last").tolist() == [value["last"] for value in values]
    assert columns.position.tolist() == [len(body) for body in bodies]
    assert [encode(node, value) for value in values] == bodies
    again = fastavro.parse_schema(json.loads(schema_json(node)))
    assert fastavro.schemaless_reader(io.BytesIO(bodies[0]), again, None) == values[0]


def test_null_is_told_from_nan():
    schema = parse_schema({"type": "record", "name": "a", "fields": [{"name": "x", "type": ["null", "double"]}]})
    reserved = b"\2" + NULL.to_bytes(8, "little")
    bodies = [encode(schema, {"x": None}), encode(schema, {"x": float("nan")}), reserved, encode(schema, {"x": 1.0})]
    columns = decode(make_plan(schema, ["x"]), batch(bodies))
    assert columns.null("x").tolist() == [True, False, False, False]
    assert np.isnan(columns.numbers("x")).tolist() == [True, True, True, False]


def test_an_integer_that_would_look_like_null_is_refused():
    schema = parse_schema({"type": "record", "name": "a", "fields": [{"name": "x", "type": "long"}]})
    columns = decode(make_plan(schema, ["x"]), batch([encode(schema, {"x": x}) for x in (NULL, 5)]))
    assert [REASONS[code] for code in columns.error] == ["a number has the value that stands for null here", ""]
    assert columns.integers("x", missing=-1).tolist() == [-1, 5]


def test_tables_grow_beyond_what_was_thought_enough():
    schema = parse_schema(
        {"type": "record", "name": "a", "fields": [{"name": "x", "type": {"type": "array", "items": "int"}}]}
    )
    counts = [0, 5000, 3, 40_000, 0, 1]
    bodies = [encode(schema, {"x": list(range(count))}) for count in counts]
    columns = decode(make_plan(schema, ["x[]"]), batch(bodies))
    assert np.diff(columns.offsets("x")).tolist() == counts
    assert columns.integers("x[]").tolist() == [x for count in counts for x in range(count)]


def test_blocks_with_a_byte_size_are_read():
    schema = parse_schema(
        {"type": "record", "name": "a", "fields": [{"name": "x", "type": {"type": "array", "items": "int"}}]}
    )
    body = bytes([3, 4, 2, 4]) + bytes([1, 2, 6]) + bytes([0])  # -2 items in 2 bytes, -1 item in 1 byte
    columns = decode(make_plan(schema, ["x[]"]), batch([body]))
    assert columns.integers("x[]").tolist() == [1, 2, 3]


def test_text_is_given_as_bytes_and_a_zero_in_it_is_seen():
    schema = parse_schema({"type": "record", "name": "a", "fields": [{"name": "x", "type": ["null", "string"]}]})
    bodies = [encode(schema, {"x": x}) for x in ("r", None, "", "r\0", "ZTF18abc", "y" * 100)]
    texts = decode(make_plan(schema, ["x"]), batch(bodies)).texts("x")
    assert texts.tolist() == [b"r", b"", b"", b"r\xff", b"ZTF18abc", b"y" * 64]


# -- what is broken is said, and harms nobody -------------------------------------------------------------------------


def spoil(rng, body: bytes, other: bytes) -> bytes:
    kind = rng.integers(0, 6)
    place = int(rng.integers(0, max(len(body), 1)))
    if kind == 0:
        return body[:place]
    if kind == 1:
        flipped = bytearray(body)
        for at in rng.integers(0, len(body), rng.integers(1, 4)):
            flipped[at] ^= 1 << int(rng.integers(0, 8))
        return bytes(flipped)
    if kind == 2:
        return body[:place] + other[int(rng.integers(0, len(other))) :]
    if kind == 3:
        return body + rng.bytes(int(rng.integers(1, 2000)))
    if kind == 4:
        return rng.bytes(int(rng.integers(0, 300)))
    return body[:place] + bytes(rng.choice([0, 1, 127, 128, 255], int(rng.integers(1, 12))).tolist()) + body[place:]


def test_ten_thousand_spoilt_packets_harm_no_neighbour_and_are_errors_or_what_fastavro_reads(rng):
    sound = [fast(make_alert(rng)) for _ in range(50)]
    reference = decode(PLAN, batch(sound))
    messages, which = [], []
    for k in range(10_000):
        good, other = k % 50, int(rng.integers(0, 50))
        messages += [spoil(rng, sound[good], sound[other]), sound[good]]
        which.append(good)
    started = time.perf_counter()
    columns = decode(PLAN, batch(messages))
    assert time.perf_counter() - started < 60
    assert not columns.error[1::2].any()
    for path, (table, at, kind) in PLAN.columns.items():
        if kind == "text":
            continue
        expected, found = reference.rows[table][:, at], columns.rows[table][:, at]
        if table == 0:
            np.testing.assert_array_equal(found[1::2], expected[which], err_msg=path)
        else:
            ends, offsets = columns.offsets("before"), reference.offsets("before")
            for k in range(0, 10_000, 37):
                mine = found[ends[2 * k + 1] : ends[2 * k + 2]]
                np.testing.assert_array_equal(mine, expected[offsets[which[k]] : offsets[which[k] + 1]])
    accepted = np.flatnonzero(columns.error[::2] == 0)
    assert 50 < accepted.size < 5_000
    assert len(set(columns.error[::2].tolist())) >= 9
    for k in accepted:
        stream = io.BytesIO(messages[2 * k])
        record = fastavro.schemaless_reader(stream, FASTAVRO, None, handle_unicode_errors="replace")
        assert stream.tell() == len(messages[2 * k])
        alone = one(columns, 2 * k)
        texts = {**record, **{part: record[part] and {**record[part], "band": None} for part in ("first", "maybe")}}
        texts["before"] = [{**item, "band": None} for item in record["before"] or []]
        for leaf in set(LEAVES) - {"band"}:
            assert same(get(alone, f"first.{leaf}")[0], cell(record["first"], leaf))
            assert same(get(alone, f"maybe.{leaf}")[0], cell(record["maybe"], leaf))
            for found, item in zip(get(alone, f"before[].{leaf}"), record["before"] or [], strict=True):
                assert same(found, cell(item, leaf))


ARRAY = {"type": "array", "items": "long"}


@pytest.mark.parametrize(
    ("kind", "body", "reason"),
    [
        ("long", b"", "too early"),
        ("long", b"\xff" * 9 + b"\x02", "64 bits"),
        ("long", b"\xff" * 400, "64 bits"),
        ("int", b"\x80\x80\x80\x80\x20", "32 bits"),
        ("string", b"\x01", "negative"),
        ("string", b"\xfe\xff\xff\xff\xff\xff\xff\xff\xff\x01", "too early"),
        ("bytes", b"\x08abc", "too early"),
        (["null", "long"], b"\x04", "no such branch"),
        (["null", "long"], b"\x01", "no such branch"),
        (["null", "float"], b"\x84\x00", "no such branch"),
        (["null", "long", "string"], b"\x06", "no such branch"),
        ({"type": "enum", "name": "e", "symbols": ["y"]}, b"\x02", "no such symbol"),
        ({"type": "fixed", "name": "f", "size": 4}, b"abc", "too early"),
        (ARRAY, b"\x04\x02", "more items"),
        (ARRAY, b"\xfe\xff\xff\xff\xff\xff\xff\xff\xff\x01", "more items"),
        (ARRAY, b"\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01\x02\x00", "more items"),
        (ARRAY, b"\x01\x01\x02\x00", "negative"),
        (ARRAY, b"\x01\x80\x01\x02\x00", "too early"),
        ({"type": "array", "items": "null"}, b"\xfe\xff\xff\xff\xff\xff\xff\xff\xff\x01\x00", "more items"),
        ({"type": "map", "values": "null"}, b"\x80\x80\x80\x02\x00", "more items"),
        ("long", b"\x02\x02", "left over"),
    ],
)
@pytest.mark.parametrize("taken", [False, True])
def test_a_hostile_value_is_refused_with_a_reason(kind, body, reason, taken):
    node = parse_schema({"type": "record", "name": "a", "fields": [{"name": "x", "type": kind}]})
    path = "x[]" if node.fields["x"].kind == "array" else "x"
    wanted = [path] if taken and node.fields["x"].kind != "map" and body != b"\x06" else []
    sound = encode(node, {"x": make_value(np.random.default_rng(1), node.fields["x"])})
    columns = decode(make_plan(node, wanted), batch([sound, body, sound]))
    assert reason in REASONS[columns.error[1]]
    assert columns.error[[0, 2]].tolist() == [0, 0]
    assert 0 <= columns.position[1] <= len(body)


def test_a_wrong_boolean_is_refused_where_it_is_taken():
    node = parse_schema({"type": "record", "name": "a", "fields": [{"name": "x", "type": ["null", "boolean"]}]})
    assert REASONS[decode(make_plan(node, ["x"]), batch([b"\2\2"])).error[0]] == "a true-or-false is neither 0 nor 1"
    assert not decode(make_plan(node, []), batch([b"\2\2"])).error[0]


def test_an_array_of_nulls_is_read_up_to_a_bound():
    node = parse_schema(
        {"type": "record", "name": "a", "fields": [{"name": "x", "type": {"type": "array", "items": "null"}}]}
    )
    bodies = [encode(node, {"x": [None] * count}) for count in (0, 65_536, 65_537)]
    assert decode(make_plan(node, ["x[]"]), batch(bodies)).error.astype(bool).tolist() == [False, False, True]


def test_a_record_that_holds_itself_is_followed_to_a_depth():
    chain = {"type": "record", "name": "link", "fields": [{"name": "next", "type": ["null", "link"]}]}
    node = parse_schema({"type": "record", "name": "a", "fields": [{"name": "x", "type": chain}]})
    columns = decode(make_plan(node, []), batch([b"\2" * 20 + b"\0", b"\2" * 5000 + b"\0"]))
    assert [REASONS[code] for code in columns.error] == ["", "the records are nested too deeply"]


def test_schemas_that_double_at_every_level_stay_small():
    fields = [{"name": "a", "type": "long"}, {"name": "b", "type": "null"}]
    inner = {"type": "record", "name": "r0", "fields": fields}
    for level in range(1, 40):
        pair = [{"name": "a", "type": inner}, {"name": "b", "type": f"r{level - 1}"}]
        inner = {"type": "record", "name": f"r{level}", "fields": pair}
    node = parse_schema({"type": "record", "name": "root", "fields": [{"name": "x", "type": inner}]})
    plan = make_plan(node, [])
    assert plan.code.size < 1000
    assert decode(plan, batch([b"\0" * 5000])).error[0]


def test_schemas_that_lead_from_name_to_name_too_far_are_refused():
    fields = [{"name": "f0", "type": {"type": "record", "name": "r0", "fields": [{"name": "x", "type": "long"}]}}]
    for k in range(1, 3000):
        inner = {"type": "record", "name": f"r{k}", "fields": [{"name": "x", "type": f"r{k - 1}"}]}
        fields.append({"name": f"f{k}", "type": inner})
    text = json.dumps({"type": "record", "name": "root", "fields": fields[::-1]})
    with pytest.raises(ValueError, match="does not define"):
        parse_schema(text)
    node = parse_schema({"type": "record", "name": "root", "fields": fields})
    chain = node.fields.pop("f2999")
    with pytest.raises(ValueError, match="nested too deeply"):
        make_plan(chain, [])
    with pytest.raises(ValueError, match="nested too deeply"):
        least_bytes(chain)


def test_a_packet_that_is_too_large_is_not_read():
    schema = parse_schema({"type": "record", "name": "a", "fields": [{"name": "x", "type": "bytes"}]})
    messages = [encode(schema, {"x": bytes(size)}) for size in (10, 2000, 10)]
    columns = decode(make_plan(schema, []), batch(messages), largest=1000)
    assert [REASONS[code] for code in columns.error] == ["", "the packet is too large", ""]


def test_bodies_outside_the_buffer_are_refused():
    with pytest.raises(ValueError, match="not within the buffer"):
        decode(PLAN, Bodies(np.zeros(4, np.uint8), np.array([0]), np.array([5])))


# -- plans ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("path", "message"),
    [("before", "array, which cannot be a column"), ("more", "map"), ("odd", "float in one branch|text in one branch")],
)
def test_what_cannot_be_a_column_is_said(path, message):
    with pytest.raises(ValueError, match=message):
        make_plan(SCHEMA, [path])


def test_an_array_within_an_array_is_no_table():
    inner = {"type": "array", "items": {"type": "array", "items": "int"}}
    node = parse_schema({"type": "record", "name": "a", "fields": [{"name": "x", "type": inner}]})
    with pytest.raises(ValueError, match="array within the array x"):
        make_plan(node, ["x[][]"])


def test_paths_that_the_schema_lacks_are_left_out():
    assert make_plan(SCHEMA, ["nothing", "first.nothing", "key.deeper", "before[].no"]).columns == {}


def test_a_path_below_what_has_no_fields_moves_nothing(rng):
    wanted = [
        "first.flux.deeper",
        "first.band[]",
        "image.x",
        "more.k1",
        "odd[].x",
        "maybe[]",
        "before.id",
        "first.count",
    ]
    records = [make_alert(rng) for _ in range(50)]
    columns = decode(make_plan(SCHEMA, [*wanted, "first.count"]), batch([fast(record) for record in records]))
    assert not columns.error.any()
    assert list(columns.plan.columns) == ["first.count"]
    assert columns.integers("first.count").tolist() == [record["first"]["count"] for record in records]


# -- schemas --------------------------------------------------------------------------------------------------------


def test_a_schema_keeps_what_it_says_of_fields_and_logical_types():
    moment = {"type": "long", "logicalType": "timestamp-micros"}
    fields = [{"name": "when", "type": ["null", moment], "doc": "of what?"}, {"name": "n", "type": moment}]
    definition = {"type": "record", "name": "a.b", "fields": fields}
    node = parse_schema(definition)
    assert json.loads(schema_json(node)) == {"type": "record", "name": "a.b", "fields": fields}
    assert node.docs == {"when": "of what?"}
    assert [node.fields["when"].parts[1].logical, node.fields["n"].logical] == ["timestamp-micros"] * 2


@pytest.mark.parametrize(
    ("definition", "message"),
    [
        ("{", "Expecting"),
        ('"nothing"', "does not define"),
        ("3", "not a type"),
        ([], "union"),
        (["null", "null"], "union"),
        (["null", ["int"]], "union"),
        ({"type": "record", "name": "3", "fields": []}, "calls a type"),
        ({"type": "record", "name": "a", "fields": [{"name": "x"}]}, "no type"),
        ({"type": "record", "name": "a", "fields": [{"name": "x", "type": "int"}] * 2}, "two fields"),
        ({"type": "fixed", "name": "a", "size": -1}, "size"),
        ({"type": "array"}, "not a type"),
        ({"type": "record", "name": "a"}, "no list of fields"),
        ({"type": "record", "name": "a", "fields": 3}, "no list of fields"),
        ({"type": "record", "name": "a", "fields": [3]}, "no name"),
        ({"type": "enum", "name": "a", "symbols": "xy"}, "no list of symbols"),
        ("[" * 100_000, "deep|recursion"),
        ('{"type":' * 200 + '"int"' + "}" * 200, "deep"),
    ],
)
def test_what_is_no_schema_is_refused(definition, message):
    with pytest.raises(ValueError, match=message):
        parse_schema(definition)


def write_schemas(folder, version="v1_2"):
    text = json.dumps(ALERT).replace("v1_2", version)
    definition = json.loads(text)
    point = definition["fields"][1].pop("type")
    definition["fields"][1]["type"] = f"test.{version}.point"
    (folder / f"test.{version}.point.avsc").write_text(json.dumps(point))
    (folder / f"test.{version}.alert.avsc").write_text(json.dumps(definition))


def test_schemas_in_a_folder_refer_to_each_other_and_have_an_id_each(tmp_path, rng):
    for version in ("v1_2", "v11_0"):
        (tmp_path / version).mkdir()
        write_schemas(tmp_path / version, version)
    schemas = read_schemas(tmp_path)
    assert sorted(schemas) == [102, 1100]
    record = make_alert(rng)
    assert encode(schemas[1100], record) == fast(record)
    assert read_schema(tmp_path / "v1_2" / "test.v1_2.alert.avsc").name == "test.v1_2.alert"
    with pytest.raises(FileNotFoundError, match=r"alert\.avsc"):
        read_schemas(tmp_path / "v1_2" / "nothing")


# -- container files ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("codec", ["null", "deflate"])
def test_container_files_of_fastavro_are_read(codec, rng):
    records = [make_alert(rng) for _ in range(100)]
    stream = io.BytesIO()
    fastavro.writer(stream, FASTAVRO, records, codec=codec, sync_interval=2000)
    schema, bodies = read_container(stream.getvalue())
    assert bodies.fault is None
    assert (bodies.starts >= 0).sum() > 5  # blocks
    columns = decode(make_plan(schema, WANTED), bodies)
    assert not columns.error.any()
    for k in range(0, 100, 9):
        check(one(columns, k), 0, records[k])


@pytest.mark.parametrize("codec", ["null", "deflate"])
def test_fastavro_reads_container_files_of_ours(codec, rng):
    records = [make_alert(rng) for _ in range(500)]
    data = container(SCHEMA, [encode(SCHEMA, record) for record in records], codec)
    again = list(fastavro.reader(io.BytesIO(data)))
    assert [encode(SCHEMA, record) for record in again] == [encode(SCHEMA, record) for record in records]


def test_a_broken_record_spoils_its_block_and_no_other(rng):
    bodies = [encode(SCHEMA, make_alert(rng)) for _ in range(3000)]
    bodies[100] = b"\xff" * 50
    schema, found = read_container(container(SCHEMA, bodies))
    columns = decode(make_plan(schema, ["key"]), found)
    blocks = np.flatnonzero(found.starts >= 0)
    assert blocks.size > 3
    assert not columns.error[:100].any()
    assert columns.error[100 : blocks[1]].all()
    assert not columns.error[blocks[1] :].any()


def test_a_container_cut_short_gives_what_is_whole_and_says_where_it_ends(rng):
    bodies = [encode(SCHEMA, make_alert(rng)) for _ in range(3000)]
    data = container(SCHEMA, bodies)
    schema, found = read_container(data[:-1000])
    assert 0 < found.starts.size < 3000
    assert found.fault is not None
    assert "cut short" in found.fault[1]
    assert not decode(make_plan(schema, []), found).error.any()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda data: b"PK" + data[2:], "begins with"),
        (lambda data: data.replace(b"avro.codec\x08null", b"avro.codec\x08zstd"), "codec 'zstd'"),
        (lambda data: data[:30], "header|ends"),
        (lambda data: data[:4] + b"\xfe\xff\xff\xff\x0f" + data[5:], "header|ends"),
    ],
)
def test_a_damaged_header_is_refused(change, message):
    with pytest.raises(ValueError, match=message):
        read_container(change(container(SCHEMA, [])))


def test_fuzzed_containers_never_raise_anything_else(rng):
    data = container(SCHEMA, [encode(SCHEMA, make_alert(rng)) for _ in range(30)], "deflate")
    refused = 0
    for _ in range(1500):
        try:
            schema, bodies = read_container(spoil(rng, data, data))
            decode(make_plan(schema, ["key"]), bodies)
        except ValueError:
            refused += 1
    assert refused > 300


def test_a_block_that_claims_too_many_records_is_a_fault():
    data = container(parse_schema("null"), [b""])
    assert read_container(data)[1].starts.size == 1
    huge = data[: -16 - 2] + avro_long(2**60) + b"\0" + data[-16:]
    found = read_container(huge)[1]
    assert found.starts.size == 0
    assert "claims" in found.fault[1]


def avro_long(value: int) -> bytes:
    return encode(parse_schema("long"), value)


def test_numbers_go_through_reading_and_writing():
    for value in (0, -1, 63, 64, 2**31, -(2**63), 2**63 - 1):
        assert avro_files.read_long(avro_long(value), 0) == (value, len(avro_long(value)))


def test_encoding_names_the_field_that_does_not_fit(rng):
    record = make_alert(rng)
    with pytest.raises(ValueError, match=r"first\.count is 2147483648"):
        encode(SCHEMA, {**record, "first": {**record["first"], "count": 2**31}})
    with pytest.raises(ValueError, match="lacks the field 'key'"):
        encode(SCHEMA, {})


def test_without_numba_the_extra_is_named():
    code = "import sys; sys.modules['numba'] = None; import telperion.formats.avro_decode"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert "pip install 'telperion[stream]'" in done.stderr
