"""Packets that are broken or mean harm, among sound ones: each is accounted for, and harms no other."""

import json
import os
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pytest

pytest.importorskip("lmdb", reason="the stream needs telperion[stream]")
pytest.importorskip("numba", reason="the stream needs telperion[stream]")

from telperion.encode import sequence
from telperion.formats.avro import parse_schema
from telperion.formats.avro_files import LARGEST
from telperion.formats.avro_write import container, encode
from telperion.formats.packets import decode_alerts
from telperion.serve.avro_messages import AvroMessages, ElasticcMessages
from telperion.serve.engine import Engine
from telperion.serve.json_messages import JsonMessages, LasairMessages
from telperion.serve.sky_sink import SkyMessages
from telperion.serve.store import Store
from telperion.serve.stream import provenance
from telperion.serve.taken import Origin, Taken
from telperion.serve.worker import COUNTS, LONGEST_LETTER, Worker
from telperion.simulate.packets import shipped_schema

HEAD = b"\0\0\0\0\x64"
pytestmark = pytest.mark.filterwarnings("error::RuntimeWarning")
FUZZED = int(os.environ.get("TELPERION_FUZZ", "300"))


class Packets:
    """A source of packets in memory."""

    def __init__(self, values, size):
        self.values, self.size, self.place = values, size, 0

    def resume(self, positions):
        self.place = positions.get("memory", 0)

    def take(self):
        some = self.values[self.place : self.place + self.size]
        if not some:
            return None
        first, self.place = self.place, self.place + len(some)
        alerts = decode_alerts(some, {100: shipped_schema()})
        return Taken(
            alerts,
            len(some),
            np.full(len(some), 1.8e9),
            lambda k: Origin("memory", first + k),
            some.__getitem__,
            {"memory": self.place},
        )

    def done(self, positions):
        pass

    def close(self):
        pass


class Messages:
    """A sink in memory."""

    def __init__(self, name):
        self.name, self.messages = name, []

    def resume(self, mark):
        pass

    def publish(self, messages):
        self.messages += messages

    def flush(self, *, last=False):
        return ""

    def close(self):
        pass


@dataclass
class Outcome:
    """What became of packets, by their numbers."""

    counts: dict
    answers: dict
    dead: dict


def strictly(text: bytes):
    def refuse(name):
        raise AssertionError(f"{name} in {text!r}")

    return json.loads(text, parse_constant=refuse)


@pytest.fixture(autouse=True, params=["by loops", "feature by feature"])
def way(request, monkeypatch):
    """Encode as streams do, and as they would without numba."""
    monkeypatch.setattr(sequence, "_loops", None)
    if request.param == "by loops":
        assert sequence.compile_loops()


@pytest.fixture
def ask(flagship, tmp_path) -> Callable[..., Outcome]:
    """Send packets through a worker, with the answers in every form that there is."""
    about = provenance(flagship, "elasticc")
    encoders = [form.encode for form in (JsonMessages(about), AvroMessages(about), ElasticcMessages(about))]
    encoders.append(LasairMessages(about, topic="t", url="https://x/{objectId}").encode)
    encoders.append(lambda answers: [b"table"] * min(1, answers.to_arrow(about).num_rows))
    encoders = [lambda answers, _, form=form: form(answers) for form in encoders]
    skies = SkyMessages(about, flagship.mix)
    encoders.append(lambda answers, shown: skies.encode(answers, shown().as_observed()))
    runs = []

    def go(values, size=50):
        runs.append(None)
        with Store(tmp_path / f"state-{len(runs)}", about.version) as store:
            sinks, dead = [Messages(f"{k}") for k in range(len(encoders))], Messages("dead")
            engine = Engine(flagship, store)
            worker = Worker(Packets(values, size), engine, store, list(zip(sinks, encoders, strict=True)), dead=dead)
            worker.resume()
            while worker.turn():
                counts = worker.counts
                assert counts["packets"] == sum(counts[name] for name in COUNTS[1:])
            worker.close()
            answers = {message.origin.number: strictly(message.value) for message in sinks[0].messages}
            letters = {message.origin.number: strictly(message.value) for message in dead.messages}
            counts = worker.counts
        assert counts["packets"] == len(values)
        assert counts["answered"] == len(answers) == len(sinks[0].messages) == len(sinks[1].messages)
        assert counts["dead"] == len(letters) == len(dead.messages)
        assert not answers.keys() & letters.keys()
        for answer in answers.values():
            said = np.array(list(answer["probabilities"].values()))
            assert ((said >= 0) & (said <= 1 + 1e-6)).all()
        assert all(letter["reason"] for letter in letters.values())
        return Outcome(counts, answers, letters)

    return go


@pytest.fixture(scope="session")
def sound(packets) -> list[bytes]:
    return [value for _, value in packets]


@pytest.fixture(scope="session")
def changed(apart, whole) -> Callable[..., bytes]:
    """Give a packet of other ids, with values in their places changed: ``changed(packet, 7, {"a.b": 1.0})``."""

    def make(value: bytes, number: int, changes: dict) -> bytes:
        record = apart(value)
        identity = -(10**12) - number
        record["diaSourceId"] = record["diaSource"]["diaSourceId"] = identity
        record["diaSource"]["diaObjectId"] = record["diaObject"]["diaObjectId"] = identity
        for path, new in changes.items():
            *above, name = path.split(".")
            place = record
            for part in above:
                place = place[part]
            place[name] = new(place[name]) if callable(new) else new
        return whole(record)

    return make


def same(one: dict, other: dict) -> bool:
    """Whether two answers say the same, but for their times."""
    names = ("alertId", "objectId", "alertMjd", "days", "nObservations", "leaf", "confidentNode", "historyTruncated")
    said = [np.array(list(answer["probabilities"].values())) for answer in (one, other)]
    return all(one[name] == other[name] for name in names) and np.allclose(*said, atol=1e-5)


def mixed(sound: list[bytes], poison: list[bytes], rng) -> tuple[list[bytes], np.ndarray, np.ndarray]:
    """Put poison at random places among sound packets; gives the places of both."""
    where = np.sort(rng.choice(len(sound) + len(poison), len(poison), replace=False))
    inside = np.setdiff1d(np.arange(len(sound) + len(poison)), where)
    values: list[bytes] = [b""] * (len(sound) + len(poison))
    for place, value in zip(where, poison, strict=True):
        values[place] = value
    for place, value in zip(inside, sound, strict=True):
        values[place] = value
    return values, inside, where


def check(ask, sound, poison, rng, size=50) -> tuple[Outcome, np.ndarray]:
    """Every sound packet is answered as without the poison; every poisoned one is accounted for."""
    without = ask(sound, size)
    assert without.counts["answered"] == len(sound)
    values, inside, where = mixed(sound, poison, rng)
    found = ask(values, size)
    assert len(found.answers.keys() & set(inside.tolist())) == len(sound)
    for k, place in enumerate(inside.tolist()):
        assert same(found.answers[place], without.answers[k]), (place, found.answers[place], without.answers[k])
    return found, where


def damage(value: bytes, other: bytes, rng) -> bytes:
    """Do one of many things to a packet."""
    kind, data = int(rng.integers(9)), bytearray(value)
    place = int(rng.integers(len(data)))
    if kind == 0:
        return value[:place]
    if kind == 1:
        return value + rng.bytes(int(rng.integers(1, 20)))
    if kind == 2:  # bits
        for bit in rng.integers(0, 8 * len(data), int(rng.integers(1, 6))):
            data[bit // 8] ^= 1 << (bit % 8)
        return bytes(data)
    if kind == 3:  # a number that claims to be huge
        return bytes(data[:place]) + b"\xfe\xff\xff\xff\xff\xff\xff\xff\x7f" + bytes(data[place:])
    if kind == 4:
        return bytes(data[:1]) + rng.bytes(4) + bytes(data[5:])
    if kind == 5:
        return rng.bytes(int(rng.integers(0, 300)))
    if kind == 6:  # half of one, half of another
        return value[:place] + other[int(rng.integers(len(other))) :]
    if kind == 7:
        length = int(rng.integers(1, 30))
        return value[:place] + rng.bytes(length) + value[place + length :]
    return b"Obj\x01" + value[:place]


def own(changed, sound: list[bytes], many: int, rng) -> list[bytes]:
    """Packets of objects of their own, which sound ones cannot be told from."""
    some = [changed(sound[int(k)], 0, {}) for k in rng.integers(0, len(sound), 30)]
    return [some[k % 30] for k in range(many)]


def test_damaged_packets_are_accounted_for_and_harm_no_other(ask, changed, sound, rng):
    whole = own(changed, sound, FUZZED, rng)
    poison = [damage(value, whole[int(rng.integers(len(whole)))], rng) for value in whole]
    found, where = check(ask, sound, poison, rng)
    accounted = found.answers.keys() | found.dead.keys()
    lost = [place for place in where.tolist() if place not in accounted]
    assert len(lost) == found.counts["repeated"] + found.counts["solar system"]
    assert found.counts["dead"] > FUZZED / 2


def test_damaged_packets_of_objects_that_are_known_are_answered_finitely_or_set_aside(ask, sound, rng):
    values = [damage(value, sound[0], rng) if k % 3 == 0 else value for k, value in enumerate(sound[:FUZZED])]
    counts = ask(values, 40).counts
    assert counts["answered"] >= len(values) * 2 // 3 - counts["repeated"]


def rows_set(name, value):
    return lambda rows: [row | {name: value} for row in rows or []]


HOSTILE = {
    **{
        f"time {value}": {"diaSource.midpointMjdTai": value}
        for value in (np.nan, np.inf, -np.inf, 1e300, -1e9, 0.0, 1.0, 2e5, 5e-324)
    },
    **{
        f"history at {value}": {"prvDiaForcedSources": rows_set("midpointMjdTai", value)}
        for value in (np.nan, np.inf, 1.0, 199_999.0, 1e300)
    },
    **{f"flux {value:g}": {"diaSource.psfFlux": value} for value in (np.nan, np.inf, -np.inf, 3e38, -3e38, 1e-45, 0.0)},
    **{f"error {value:g}": {"diaSource.psfFluxErr": value} for value in (np.nan, np.inf, 3e38, 1e-45, 0.0, -1.0)},
    **{f"fluxes {value:g}": {"prvDiaForcedSources": rows_set("psfFlux", value)} for value in (3e38, -3e38, np.nan)},
    **{f"errors {value:g}": {"prvDiaForcedSources": rows_set("psfFluxErr", value)} for value in (3e38, 1e-45)},
    **{f"E(B-V) {value:g}": {"diaObject.mwebv": value} for value in (np.nan, np.inf, -np.inf, -1.0, 10.0, 9.99, 3e38)},
    **{
        f"flux {value:g} without dust": {
            "diaObject.mwebv": 0.0,
            "diaSource.psfFlux": value,
            "diaSource.psfFluxErr": error,
        }
        for value, error in ((3e38, 1.0), (-3e38, 1e-45))
    },
    "bright behind dust": {
        "diaObject.mwebv": 10.0,
        "diaSource.psfFlux": 3e38,
        "diaSource.psfFluxErr": 1.0,
        "diaSource.band": "u",
    },
    **{f"redshift {value:g}": {"diaObject.z_final": value} for value in (np.nan, np.inf, -5.0, 20.0, 3e38)},
    **{
        f"host {value:g}": {
            "diaObject.hostgal_mag_i": value,
            "diaObject.hostgal_zphot": value,
            "diaObject.hostgal_snsep": value,
        }
        for value in (3e38, -3e38, np.inf)
    },
    **{
        f"place {value:g}": {"diaObject.ra": value, "diaObject.dec": value} for value in (np.nan, np.inf, 1e300, -400.0)
    },
    "no object": {"diaObject": None},
    "band of no survey": {"diaSource.band": "Q"},
    "band that is long": {"diaSource.band": "r" * 100_000},
    "no band": {"diaSource.band": None},
    "many detections": {"diaObject.nDiaSources": 2**31 - 1},
    "fewer than none": {"diaObject.nDiaSources": -(2**31)},
    "ids below zero": {"diaSourceId": -1, "diaSource.diaSourceId": -1, "diaObject.diaObjectId": -1},
    "ids as small as can be": {
        "diaSourceId": -(2**63),
        "diaSource.diaSourceId": -(2**63),
        "diaObject.diaObjectId": -(2**63),
    },
    "visits that are large": {"prvDiaForcedSources": rows_set("visit", 2**63 - 1), "diaSource.visit": -(2**63)},
    "all rows the same": {"prvDiaForcedSources": lambda rows: [(rows or [FORCED])[0]] * 3000},
    "rows of one time": {
        "prvDiaForcedSources": lambda rows: [FORCED | {"visit": k, "band": "ugrizy"[k % 6]} for k in range(3000)]
    },
    "many rows": {
        "prvDiaForcedSources": lambda rows: [
            FORCED | {"visit": k, "midpointMjdTai": 61_000 + k / 50} for k in range(20_000)
        ]
    },
    "rows without order": {
        "prvDiaForcedSources": lambda rows: [
            FORCED | {"visit": k, "midpointMjdTai": 61_000 + k * 7919 % 3001 / 50} for k in range(3001)
        ]
    },
}
FORCED = {
    "diaForcedSourceId": 1,
    "visit": 1,
    "detector": 1,
    "midpointMjdTai": 61_000.0,
    "psfFlux": 100.0,
    "psfFluxErr": 10.0,
    "band": "r",
    "timeProcessedMjdTai": 61_000.0,
}


def test_values_that_cannot_be_are_answered_finitely_or_set_aside_and_harm_no_other(ask, changed, sound, rng):
    bases = [sound[k] for k in (0, len(sound) // 2, len(sound) - 1)]
    names, poison = [], []
    for k, (name, changes) in enumerate(HOSTILE.items()):
        for j, base in enumerate(bases):
            names.append(name)
            poison.append(changed(base, 3 * k + j, changes))
    found, where = check(ask, sound, poison, rng)
    fate: dict[str, set[str]] = {}
    for name, place in zip(names, where.tolist(), strict=True):
        said = "answered" if place in found.answers else found.dead.get(place, {"reason": "repeated"})["reason"]
        fate.setdefault(name, set()).add(said)
    refused = {name: said - {"answered", "repeated"} for name, said in fate.items() if said - {"answered", "repeated"}}
    assert refused.keys() == {name for name in HOSTILE if "e+38" in name or "behind dust" in name} - FINE
    assert all(reason.startswith("corrected for dust, flux") for said in refused.values() for reason in said)
    assert [name for name, said in fate.items() if "repeated" in said] == ["ids below zero", "ids as small as can be"]


FINE = {
    *(f"{what} 3e+38" for what in ("E(B-V)", "redshift", "host")),
    "host -3e+38",
    "flux 3e+38 without dust",
    "flux -3e+38 without dust",
}


def test_an_alert_at_no_time_or_another_leaves_its_object_as_it_was(ask, apart, changed, sound, rng):
    objects = np.array([apart(value)["diaSource"]["diaObjectId"] for value in sound])
    names, many = np.unique(objects, return_counts=True)
    own = [[value for value, owner in zip(sound, objects, strict=True) if owner == name] for name in names[many > 1]]
    assert len(own) > 5
    for value in (np.nan, np.inf, -1.0, 1e300, 2e5, 20_000.0):
        values, clean = [], []
        for k, packets in enumerate(own[:6]):
            for j, packet in enumerate(packets[:5]):
                clean.append(len(values))
                values.append(packet)
                base = apart(packet)["diaObject"]["diaObjectId"]
                changes = {"diaSource.midpointMjdTai": value, "diaObject.diaObjectId": base}
                values.append(changed(packet, 100 * k + j, changes | {"diaSource.diaObjectId": base}))
        for size in (1, 100):
            found, without = ask(values, size), ask([values[k] for k in clean], size)
            assert found.counts["answered"] == len(values)
            for k, place in enumerate(clean):
                if value != 20_000.0:  # a first detection so long ago shows more of what was before
                    assert same(found.answers[place], without.answers[k])


def test_alerts_without_ids_are_set_aside_or_of_no_object(ask, apart, changed, sound):
    nameless = changed(sound[0], 1, {"diaSourceId": 0, "diaSource.diaSourceId": 0})
    homeless = changed(sound[1], 2, {"diaObject.diaObjectId": 0, "diaSource.diaObjectId": 0})
    found = ask([nameless, sound[2], nameless, homeless])
    assert found.counts["solar system"] == 1
    assert found.dead[0]["reason"] == found.dead[2]["reason"] == "the alert has no id, at byte 0"
    assert list(found.answers) == [1]


def test_packets_too_large_of_other_schemas_and_empty_ones_are_set_aside(ask, sound, rng):
    other = encode(
        parse_schema({"type": "record", "name": "x", "fields": [{"name": "y", "type": "double"}]}), {"y": 1.0}
    )
    poison = {
        "too large": HEAD + sound[0][5:-1] + b"\x02" + bytes(LARGEST),
        "ends too early": HEAD + other,
        "unknown": b"\0\0\0\x03\x84" + sound[0][5:],
        "neither": b"",
        "no alert of a survey": container(parse_schema({"type": "record", "name": "x", "fields": []}), [b""]),
        "left over": sound[0] + bytes(10**6),
    }
    found, where = check(ask, sound[:20], list(poison.values()), rng)
    letters = [found.dead[int(place)] for place in where]
    assert [words for words, letter in zip(poison, letters, strict=True) if words not in letter["reason"]] == []
    assert letters[-1]["bytes"] == len(sound[0]) + 10**6
    assert len(json.dumps(letters[-1])) < 2**20 * 0.9
    assert len(letters[-1]["packet"]) > LONGEST_LETTER


ZTF = {
    "type": "record",
    "name": "alert",
    "namespace": "ztf",
    "fields": [
        {"name": "objectId", "type": "string"},
        {"name": "candid", "type": "long"},
        {
            "name": "candidate",
            "type": {
                "type": "record",
                "name": "candidate",
                "fields": [
                    {"name": "candid", "type": "long"},
                    {"name": "jd", "type": "double"},
                    {"name": "fid", "type": "int"},
                    {"name": "isdiffpos", "type": "string"},
                    {"name": "magpsf", "type": "float"},
                    {"name": "sigmapsf", "type": "float"},
                    {"name": "ra", "type": "double"},
                    {"name": "dec", "type": "double"},
                ],
            },
        },
    ],
}


def ztf(number: int, name: bytes, **changes) -> bytes:
    candidate = {"candid": number, "jd": 2_461_000.5, "fid": 1, "isdiffpos": "t", "magpsf": 18.0, "sigmapsf": 0.1}
    record = {"objectId": "x" * len(name), "candid": number, "candidate": candidate | {"ra": 1.0, "dec": 2.0} | changes}
    body = encode(parse_schema(ZTF), record)
    return container(parse_schema(ZTF), [body.replace(b"x" * len(name), name, 1) if name else body])


def test_names_of_objects_may_be_anything(ask, sound, rng):
    names = [
        b"ZTF18abc",
        b"",
        b"a\0b",
        b"\0",
        b"\xff\xfe\xfd",
        b"x" * 63,
        b"n" * 100_000,
        b"'\"\n\\%s{}",
        "ψ".encode() * 40,
    ]
    hostile = [{"magpsf": value} for value in (np.nan, np.inf, -1e30, 1e30)] + [
        {"jd": 1e300},
        {"fid": 9},
        {"ra": np.nan},
    ]
    poison = [ztf(10 + k, name) for k, name in enumerate(names)]
    poison += [ztf(1000 + k, b"ZTF18abc", **changes) for k, changes in enumerate(hostile)]
    found, where = check(ask, sound[:40], poison, rng)
    assert found.counts["answered"] == 40 + len(poison)
    answers = [found.answers[int(place)] for place in where]
    assert [answer["objectId"] for answer in answers[:2]] == ["ZTF18abc", ""]
    assert all(len(answer["objectId"]) <= 64 for answer in answers)


def test_one_that_cannot_be_answered_does_not_make_a_batch_be_answered_one_by_one(ask, changed, sound, monkeypatch):
    sizes = []
    answer = Engine.answer

    def counting(engine, alerts, *more, **known):
        sizes.append(len(alerts))
        return answer(engine, alerts, *more, **known)

    monkeypatch.setattr(Engine, "answer", counting)
    found = ask([*sound[:80], changed(sound[0], 0, {"diaSource.psfFlux": 3e38, "diaObject.mwebv": 3.0})], 100)
    assert list(found.dead) == [80]
    assert len(sizes) < 20
