"""How fast alert packets are decoded, on one core: ``pytest benchmarks/test_alerts.py --benchmark-only``.

The packets are Rubin's of schema 11.0, from the schema in LSST_DATA, with 10 previous sources and 20 forced rows: 4 kB,
or 142 kB with cutouts. fastavro decodes the same ones beside it.
"""

import io
import json
import os
from pathlib import Path

import numpy as np
import pytest

from telperion.encode.view import view
from telperion.formats.avro import Node, parse_schema, read_schema, schema_json
from telperion.formats.avro_columns import encode_columns
from telperion.formats.avro_files import Bodies, confluent
from telperion.formats.avro_write import encode
from telperion.formats.packets import _plan, decode_alerts

pytest.importorskip("numba")
from telperion.formats.avro_decode import decode

CUTOUTS = (34_560, 34_560, 69_120)


@pytest.fixture(scope="module")
def schema() -> Node:
    folder = Path(os.environ.get("LSST_DATA", "~/.cache/lsst-data")).expanduser() / "alerts" / "schema" / "lsst_v11_0"
    if not folder.is_dir():
        pytest.skip(f"no schema at {folder}: set LSST_DATA")
    return read_schema(folder / "lsst.v11_0.alert.avsc")


def fill(node: Node, **known) -> dict:
    """A record in which half of what may be null is not."""
    blank = {"int": 3, "long": 5, "double": 1.5, "float": 2.5, "string": "text", "boolean": False, "bytes": b""}
    made = {}
    for k, (name, part) in enumerate(node.fields.items()):
        kind = part.parts[1].kind if part.kind == "union" else part.kind
        made[name] = None if part.kind == "union" and (k % 2 or kind not in blank) else blank.get(kind)
    return made | known


def make_packets(schema: Node, n: int, cutouts: tuple[int, ...] = ()) -> list[bytes]:
    source, forced = schema.fields["diaSource"], schema.fields["prvDiaForcedSources"].parts[1].parts[0]
    row = {"band": "r", "psfFlux": 900.0, "psfFluxErr": 30.0, "detector": 7, "timeWithdrawnMjdTai": None}
    packets = []
    for k in range(n):
        rows = [
            row | {"visit": visit, "midpointMjdTai": 61_000.0 + visit / 3, "diaSourceId": 100 * k + visit + 1}
            for visit in range(21)
        ]
        alert = {
            "diaSourceId": k + 1,
            "diaSource": fill(source, **rows[20]),
            "prvDiaSources": [fill(source, **one) for one in rows[:10]],
            "prvDiaForcedSources": [fill(forced, **one, diaForcedSourceId=7 + one["visit"]) for one in rows[:20]],
            "diaObject": fill(schema.fields["diaObject"].parts[1], diaObjectId=10**17 + k, nDiaSources=11),
        }
        names = ("cutoutDifference", "cutoutScience", "cutoutTemplate")
        alert |= {name: os.urandom(size) for name, size in zip(names, cutouts, strict=False)}
        packets.append(confluent(1100, encode(schema, alert)))
    return packets


@pytest.fixture(scope="module", params=["bare", "cutouts"])
def packets(request: pytest.FixtureRequest, schema: Node) -> list[bytes]:
    return make_packets(schema, 1000 if request.param == "bare" else 200, CUTOUTS if request.param == "cutouts" else ())


def note(benchmark, packets: list[bytes]) -> None:
    benchmark.extra_info["alerts_per_second"] = round(len(packets) / benchmark.stats.stats.median)
    benchmark.extra_info["bytes"] = len(packets[0])


def test_decoding_alone(benchmark, schema, packets):
    _, plan = _plan(schema)
    ends = np.cumsum([0] + [len(packet) for packet in packets])
    bodies = Bodies(np.frombuffer(b"".join(packets), np.uint8), ends[:-1] + 5, ends[1:])
    columns = benchmark.pedantic(decode, args=(plan, bodies), rounds=15, warmup_rounds=2)
    assert not columns.error.any()
    note(benchmark, packets)


def test_packets_to_alerts(benchmark, schema, packets):
    alerts = benchmark.pedantic(decode_alerts, args=(packets, {1100: schema}), rounds=15, warmup_rounds=2)
    assert len(alerts) == len(packets)
    assert alerts.rows.code.size == 21 * len(packets)
    note(benchmark, packets)


def test_packets_to_the_alert_view(benchmark, schema, packets):
    curves = benchmark.pedantic(
        lambda: view(decode_alerts(packets, {1100: schema}).light_curves(), kind="alert"), rounds=15, warmup_rounds=2
    )
    assert len(curves) == len(packets)
    note(benchmark, packets)


def test_fastavro(benchmark, schema, packets):
    fastavro = pytest.importorskip("fastavro")
    parsed = fastavro.parse_schema(json.loads(schema_json(schema)))
    some = packets[:100]

    def run():
        return [fastavro.schemaless_reader(io.BytesIO(memoryview(packet)[5:]), parsed, None) for packet in some]

    assert len(benchmark.pedantic(run, rounds=5, warmup_rounds=1)) == 100
    note(benchmark, some)


ANSWER = parse_schema(
    {
        "type": "record",
        "name": "answer",
        "fields": [
            {"name": "alertId", "type": "long"},
            {"name": "published", "type": ["null", "long"]},
            {"name": "brokerName", "type": "string"},
            {
                "name": "classifications",
                "type": {
                    "type": "array",
                    "items": {
                        "type": "record",
                        "name": "class",
                        "fields": [{"name": "classId", "type": "int"}, {"name": "probability", "type": "float"}],
                    },
                },
            },
        ],
    }
)


def test_writing_1000_answers_of_19_classes(benchmark):
    rng = np.random.default_rng(0)
    columns = {
        "alertId": rng.integers(0, 2**60, 1000),
        "published": rng.integers(0, 2**41, 1000),
        "brokerName": "telperion",
        "classifications": 19 * np.arange(1001),
        "classifications[].classId": np.tile(np.arange(2220, 2239), 1000),
        "classifications[].probability": rng.random(19_000).astype(np.float32),
    }
    assert len(benchmark(encode_columns, ANSWER, columns, 1000)) == 1000
    benchmark.extra_info["answers_per_second"] = round(1000 / benchmark.stats.stats.median)
