"""Photometry that comes late, is corrected or is withdrawn between an object's packets, taken apart by fastavro."""

import copy
from collections import Counter
from collections.abc import Iterator

import numpy as np
import pytest

pytest.importorskip("lmdb", reason="the stream needs telperion[stream]")
pytest.importorskip("numba", reason="the stream needs telperion[stream]")

from telperion.bands import BANDS
from telperion.encode.view import view
from telperion.formats.packets import decode_alerts
from telperion.lightcurves import LightCurves
from telperion.serve.engine import Engine
from telperion.serve.store import Store
from telperion.simulate.packets import shipped_schema

HISTORIES = ("prvDiaSources", "prvDiaForcedSources")


@pytest.fixture(scope="module")
def records(season, apart) -> list[dict]:
    """What the packets say, in order of time."""
    return [apart(packet) for packet in season]


def histories(record: dict) -> list[dict]:
    return [row for name in HISTORIES for row in record[name] or []]


def chosen(records: list[dict], rng) -> Iterator[tuple[dict, int | None]]:
    """Copies of records, each with a visit of its object's history: the same one from the third packet on."""
    seen, visits = Counter(), {}
    for record in copy.deepcopy(records):
        name = record["diaObject"]["diaObjectId"]
        seen[name] += 1
        rows = histories(record)
        if seen[name] == 3 and rows:
            visits[name] = rows[int(rng.integers(len(rows)))]["visit"]
        yield record, visits.get(name)


def corrected(records: list[dict], rng) -> list[dict]:
    """Brighten a row of an object's history, from its third packet on."""
    changed = []
    for record, visit in chosen(records, rng):
        for row in histories(record):
            if row["visit"] == visit:
                row["psfFlux"] *= 1.5
        changed.append(record)
    return changed


def withdrawn(records: list[dict], rng) -> list[dict]:
    """Leave out a row of an object's history, from its third packet on; sources at their visits as well."""
    changed = []
    for record, visit in chosen(records, rng):
        for part in HISTORIES:
            record[part] = [row for row in record[part] or [] if row["visit"] != visit]
        changed.append(record)
    return changed


def added(records: list[dict], rng) -> list[dict]:
    """Hide every third row of histories until 20 days later: photometry that is late by far more than `settle`."""
    records = copy.deepcopy(records)
    for record in records:
        now = record["diaSource"]["midpointMjdTai"]
        for part in HISTORIES:
            record[part] = [row for row in record[part] or [] if row["visit"] % 3 or row["midpointMjdTai"] < now - 20]
    return records


def light_curves(records: list[dict], packets: list[bytes]) -> LightCurves:
    """Light curves of the packets' rows, one a visit, sources before forced photometry, as plain loops find them."""
    alerts = decode_alerts(packets, {100: shipped_schema()})  # for their context alone
    rows = []
    for record in records:
        known = {}
        for forced, part in enumerate(
            ([record["diaSource"], *(record[HISTORIES[0]] or [])], record[HISTORIES[1]] or [])
        ):
            for row in part:
                known.setdefault((row["visit"], row["detector"]), (row, not forced))
        rows += [
            (
                str(record["diaSourceId"]),
                row["midpointMjdTai"],
                BANDS.index(row["band"]),
                row["psfFlux"],
                row["psfFluxErr"],
                source,
            )
            for row, source in known.values()
        ]
    names = [str(record["diaSourceId"]) for record in records]
    curves = LightCurves.from_rows(*zip(*rows, strict=True), objects=names, context=alerts.context)
    ebv = np.nan_to_num(curves.context["mwebv"])
    return curves.with_context(dict(curves.context) | {"mwebv": ebv}).deredden().with_context(alerts.context)


@pytest.mark.parametrize("change", [None, corrected, withdrawn, added])
def test_answers_are_those_of_the_whole_corrected_light_curve(flagship, records, whole, tmp_path, rng, change):
    records = records if change is None else change(records, rng)
    packets = [whole(record) for record in records]
    wanted = view(light_curves(records, packets), kind="alert")
    said, n_rows, replays = [], [], []
    with Store(tmp_path, "v") as store:
        engine = Engine(flagship, store)
        for first in range(0, len(packets), 7):
            alerts = decode_alerts(packets[first : first + 7], {100: shipped_schema()})
            batch = engine.answer(alerts, np.full(len(alerts), 1.8e9))
            store.commit(batch.states.items())
            said.append(batch.answers.probabilities)
            n_rows += batch.answers.n_rows.tolist()
            replays.append(batch.work.replays)
    same = np.array(n_rows) == wanted.lengths
    assert same.mean() > 0.9  # the others have rows that their packet shows no more
    np.testing.assert_allclose(np.concatenate(said)[same], flagship.predict(wanted, view="full")[same], atol=1e-5)
    assert (sum(replays) >= 5) == (change is not None), sum(replays)  # forced photometry of a night or two is no reason
    assert sum(replays) < len(packets) / 3
