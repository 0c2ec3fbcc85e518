"""How fast a worker of the stream answers alerts, on one core: ``pytest benchmarks/test_stream.py --benchmark-only``.

Packets are those of a simulated night in its own schema, with as many rows of history as `ROWS` says; with cutouts they
are as large as Rubin's. Each goes from its bytes to an answer as Avro, with the state of its object read and committed;
only Kafka is left out. Where the objects are known, the state is that after the alert before.
"""

import os
import shutil
from dataclasses import replace

import numpy as np
import pytest

pytest.importorskip("lmdb")
pytest.importorskip("numba")
from telperion.classifier import load
from telperion.formats.alerts import Alerts
from telperion.formats.packets import decode_alerts
from telperion.lightcurves import LightCurves
from telperion.serve.avro_messages import AvroMessages
from telperion.serve.engine import Engine
from telperion.serve.sky_messages import SkyMessages
from telperion.serve.sky_sink import SkySink
from telperion.serve.store import Store
from telperion.serve.stream import provenance
from telperion.serve.taken import Origin, Taken
from telperion.serve.worker import Worker
from telperion.simulate.kinds import KINDS, counts, mix
from telperion.simulate.night import Night
from telperion.simulate.packets import shipped_schema
from telperion.simulate.survey import batches

N = int(os.environ.get("TELPERION_ALERTS", "4000"))
ROWS = 30
SCHEMAS = {100: shipped_schema()}


class Given:
    """Packets that are there, as a source."""

    def __init__(self, packets: list[bytes], at_once: int) -> None:
        self.packets, self.at_once, self.place = packets, at_once, 0

    def resume(self, positions) -> None: ...
    def done(self, positions) -> None: ...
    def close(self) -> None: ...
    def take(self) -> Taken | None:
        some = self.packets[self.place : self.place + self.at_once]
        if not some:
            return None
        first, self.place = self.place, self.place + len(some)
        return Taken(
            decode_alerts(some, SCHEMAS), len(some), np.full(len(some), 1.8e9), lambda k: Origin("here", first + k),
            some.__getitem__, {"here": self.place},
        )  # fmt: skip


class Counted:
    """A sink that only counts."""

    name = "counted"

    def __init__(self) -> None:
        self.bytes = 0

    def resume(self, mark) -> None: ...
    def close(self) -> None: ...
    def publish(self, messages) -> None:
        self.bytes += sum(len(message.value) for message in messages)

    def flush(self, *, last=False) -> str:  # noqa: ARG002
        return ""


def some_rows(curves: LightCurves) -> LightCurves:
    """Light curves with `ROWS` rows and one, the last a detection, of those that have so many."""
    rows = np.arange(curves.n_rows) - curves.offsets[:-1][curves.object_index]
    last = np.full(len(curves), -1)
    np.maximum.at(last, curves.object_index[curves.detected], rows[curves.detected])
    late = curves.offsets[:-1] + np.maximum(last, ROWS)
    chosen = (last >= ROWS) & (curves.time[np.minimum(late, curves.n_rows - 1)] - curves.time[late - ROWS] < 360)
    curves, last = curves[chosen], last[chosen]
    rows = np.arange(curves.n_rows) - curves.offsets[:-1][curves.object_index]
    kept = (rows <= last[curves.object_index]) & (rows >= (last - ROWS)[curves.object_index])
    curves = curves.select_rows(kept)
    detected = curves.detected.copy()
    detected[curves.offsets[:-1]] = True  # the object is known as long as its rows
    return replace(curves, detected=detected)


@pytest.fixture(scope="module")
def night_of() -> dict[bool, list[bytes]]:
    found: list[LightCurves] = []
    seed = 0
    while sum(map(len, found)) < N:
        found.append(some_rows(next(batches(counts(2000, mix("oracle")), KINDS, seed=seed))))
        seed += 1
    curves = LightCurves.concatenate(
        [replace(part, object_id=np.char.add(f"{k}-", part.object_id)) for k, part in enumerate(found)]
    )[:N]
    return {
        cutouts: [
            message
            for visit in Night(curves, visits=4, first_share=0, delay=0, seed=1, cutouts=cutouts)
            for message in visit.messages
        ]
        for cutouts in (False, True)
    }


def before(alerts: Alerts) -> Alerts:
    """What was known at the detection before each alert's."""
    rows = alerts.rows
    earlier = rows.detected & (rows.time < alerts.alert_time[rows.code])
    time = np.full(len(alerts), -np.inf)
    np.maximum.at(time, rows.code[earlier], rows.time[earlier])
    kept = rows[rows.time <= time[rows.code]]
    offsets = np.concatenate([[0], np.cumsum(np.bincount(kept.code, minlength=len(alerts)))])
    return replace(alerts, alert_id=-alerts.alert_id, alert_time=time, rows=kept, offsets=offsets)


@pytest.mark.parametrize("output", ["avro", "sky"])
@pytest.mark.parametrize("cutouts", [False, True], ids=["bare", "cutouts"])
@pytest.mark.parametrize("known", [True, False], ids=["known", "new"])
@pytest.mark.parametrize("settle", [0.0, 3.0])
def test_packets_to_committed_answers(benchmark, night_of, tmp_path, known, cutouts, settle, output):
    packets, classifier = night_of[cutouts], load("elasticc")
    at_once = 2000 if not cutouts else 400
    warm = tmp_path / "warm"
    with Store(warm, "v") as store:
        if known:
            for k in range(0, len(packets), at_once):
                alerts = before(decode_alerts(packets[k : k + at_once], SCHEMAS))
                alerts = alerts[np.isfinite(alerts.alert_time)]
                batch = Engine(classifier, store, settle=settle).answer(alerts, np.full(len(alerts), 1.8e9))
                store.commit(batch.states.items())
    work = {}

    def fresh():
        shutil.rmtree(tmp_path / "now", ignore_errors=True)
        shutil.copytree(warm, tmp_path / "now")
        store = Store(tmp_path / "now", "v")
        engine, about = Engine(classifier, store, settle=settle), provenance(classifier, "elasticc")
        if output == "avro":
            avro = AvroMessages(about)
            sinks = [(Counted(), lambda answers, _: avro.encode(answers))]
        else:
            skies = SkyMessages(about, classifier.mix)
            shutil.rmtree(tmp_path / "sky", ignore_errors=True)
            sinks = [(SkySink(tmp_path / "sky"), lambda answers, shown: skies.encode(answers, shown().as_observed()))]
        return (Worker(Given(packets, at_once), engine, store, sinks),), {}

    def run(worker: Worker) -> None:
        worker.resume()
        while worker.turn():
            pass
        worker.close()
        worker.store.close()
        work.update(worker.counts)

    benchmark.pedantic(run, setup=fresh, rounds=3 if cutouts else 5, warmup_rounds=1)
    assert work["answered"] == len(packets)
    benchmark.extra_info["alerts_per_second"] = round(len(packets) / benchmark.stats.stats.median)
    benchmark.extra_info["rows_an_alert"] = work["rows"] / len(packets)
    benchmark.extra_info["replays"] = work["replays"]
    benchmark.extra_info["bytes"] = round(np.mean([len(packet) for packet in packets]))
