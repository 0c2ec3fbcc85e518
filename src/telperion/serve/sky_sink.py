"""A stream's answers and the light curves that they stand on, into a sky (`telperion.serve.sky`).

A message is a batch: a table of Arrow with a row an answer. What is written is told by the alert's id, so that a batch
that is published again, after a crash, changes nothing.
"""

from __future__ import annotations

import json
import math
import sqlite3
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from telperion.bands import NJY
from telperion.encode.view import days_known, held_context, view
from telperion.lightcurves import LightCurves
from telperion.serve.answers import Answers, Provenance
from telperion.serve.outbox import Message
from telperion.serve.sky import FILE, FORMAT, ROW, UNKNOWN, pack_rows, unpack_rows, written
from telperion.serve.store import StoreError
from telperion.serve.taken import Origin
from telperion.taxonomy import Taxonomy

MOST_ANSWERS = 256
"""Answers that are kept of an object: of more, every second one of the older half is forgotten, but for the first."""

_SCHEMA = """
CREATE TABLE about (name TEXT PRIMARY KEY, value) WITHOUT ROWID;
CREATE TABLE objects (
    id INTEGER PRIMARY KEY, object_id TEXT NOT NULL UNIQUE, alert_id INTEGER NOT NULL, changed INTEGER NOT NULL,
    ra REAL, decl REAL, alert_time REAL NOT NULL, days REAL, n_rows INTEGER NOT NULL, magnitude REAL, band INTEGER,
    leaf INTEGER NOT NULL, confident INTEGER NOT NULL, surest REAL NOT NULL, rarity REAL NOT NULL, score REAL NOT NULL,
    {chances}
);
CREATE INDEX by_score ON objects (score, id, leaf, confident, days, n_rows);
CREATE INDEX by_time ON objects (alert_time, id, leaf, confident, days, n_rows);
CREATE INDEX by_chance ON objects (surest, id, leaf, confident, days, n_rows);
CREATE INDEX by_rarity ON objects (rarity, id, leaf, confident, days, n_rows);
CREATE INDEX by_change ON objects (changed);
CREATE TABLE curves (object INTEGER PRIMARY KEY, context TEXT NOT NULL, rows BLOB NOT NULL);
CREATE TABLE answers (
    object INTEGER NOT NULL, alert_id INTEGER NOT NULL, source_id INTEGER NOT NULL, alert_time REAL NOT NULL,
    days REAL, n_rows INTEGER NOT NULL, leaf INTEGER NOT NULL, confident INTEGER NOT NULL, context TEXT NOT NULL,
    truncated INTEGER NOT NULL, received REAL NOT NULL, published REAL NOT NULL, version TEXT NOT NULL,
    probabilities BLOB NOT NULL, PRIMARY KEY (object, alert_id)
) WITHOUT ROWID;
"""


class SkyMessages:
    """Gives answers with their light curves as messages for `SkySink`.

    Parameters
    ----------
    provenance : Provenance
    mix : array, shape ``(n_leaves,)``
        The classifier's class mix, which says what is rare.
    """

    def __init__(self, provenance: Provenance, mix: NDArray[np.float64]) -> None:
        self.provenance, tree = provenance, provenance.tree
        self._rarity = np.zeros(len(tree))
        self._rarity[tree.leaves] = -np.log2(np.maximum(mix, 1e-6))

    def encode(self, answers: Answers, curves: LightCurves) -> list[bytes]:
        """Give one message of all answers, none where there are none.

        Parameters
        ----------
        answers : Answers
        curves : LightCurves
            As observed, one an answer.

        Raises
        ------
        ValueError
            They are not as many, or the answers are not along the tree.
        """
        self.provenance.check(answers)
        if len(curves) != len(answers):
            raise ValueError(f"{len(curves)} light curves are given for {len(answers)} answers")
        if not len(answers):
            return []
        magnitude, band = _latest(curves)
        rows = np.empty(curves.n_rows, dtype=ROW)
        for name in ROW.names or ():
            rows[name] = getattr(curves, name)
        unknown = np.full(len(answers), np.nan)
        context = {name: values.tolist() for name, values in curves.context.items()}
        columns: dict[str, Any] = {
            "alert_id": answers.alert_id, "source_id": answers.source_id, "object_id": pa.array(answers.object_id),
            "alert_time": np.where(np.isnan(answers.alert_time), UNKNOWN, answers.alert_time), "days": answers.days,
            "n_rows": answers.n_rows, "leaf": answers.leaf, "confident": answers.confident,
            "context": pa.array(answers.context), "truncated": answers.history_truncated,
            "received": answers.received, "published": answers.published,
            "ra": curves.context.get("ra", unknown), "decl": curves.context.get("decl", unknown),
            "magnitude": magnitude, "band": band, "rarity": self._rarity[answers.leaf],
            "score": first_score(answers.probabilities, magnitude, self.provenance.tree),
            "told": [
                json.dumps({name: values[k] for name, values in context.items() if math.isfinite(values[k])})
                for k in range(len(answers))
            ],
            "rows": [pack_rows(rows[a:b]) for a, b in zip(curves.offsets[:-1], curves.offsets[1:], strict=True)],
            "probabilities": [each.tobytes() for each in answers.probabilities.astype("<f4")],
        }  # fmt: skip
        said = self.provenance
        about = {"classifier": said.classifier, "version": said.version, "level": f"{said.level:g}"}
        about["tree"] = json.dumps(said.tree.to_dict())
        table = pa.table({name: pa.array(values) for name, values in columns.items()}, metadata=about)
        sink = pa.BufferOutputStream()
        with pa.ipc.new_stream(sink, table.schema) as writer:
            writer.write_table(table)
        return [sink.getvalue().to_pybytes()]


def first_score(
    probabilities: NDArray[np.floating], magnitude: NDArray[np.float64], tree: Taxonomy
) -> NDArray[np.float64]:
    """Give what a spectrum would tell for the time that it takes, as far as an alert alone says.

    The entropy of the leaves in bits, for an hour of ten minutes' overhead and an exposure of ten minutes at magnitude
    21 that grows with the square of the sky-limited noise, ``10^(0.8 (m - 21))``. Where an object stands in the
    sky, and how bright it will be, does not count: that is what `telperion.rank` adds.

    Parameters
    ----------
    probabilities : array, shape ``(n, n_nodes)``
    magnitude : array, shape ``(n,)``, mag
        NaN unknown: the score is 0.
    tree : Taxonomy

    Returns
    -------
    array, shape ``(n,)``, bits / h
    """
    chance = np.clip(np.asarray(probabilities, dtype=np.float64)[:, tree.leaves], 1e-12, 1)
    bits = -(chance * np.log2(chance)).sum(axis=1)
    hours = (10 + 10 * 10 ** (0.8 * (np.clip(magnitude, 12, 30) - 21))) / 60
    return np.nan_to_num(bits / hours)


class SkySink:
    """A sink of a stream: the sky in a folder.

    Parameters
    ----------
    folder : path
    durable : bool
        Whether each write waits for the disk.

    Raises
    ------
    StoreError
        The folder cannot be written, or what lies there is no sky.
    """

    def __init__(self, folder: str | Path, *, durable: bool = False) -> None:
        self.path = Path(folder) / FILE
        self.name = f"sky+{self.path.resolve()}"
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            self._connection = sqlite3.connect(self.path, timeout=60, isolation_level=None)
            self._connection.execute("PRAGMA journal_mode = WAL")
            self._connection.execute(f"PRAGMA synchronous = {'FULL' if durable else 'NORMAL'}")
        except (OSError, sqlite3.Error) as error:
            raise StoreError(f"{self.path} cannot be written: {error}") from error

    def resume(self, mark: str) -> None:
        """Begin; what is published again changes nothing."""

    def publish(self, messages: Sequence[Message]) -> None:
        """Write batches, each in one transaction.

        Raises
        ------
        StoreError
            The disk is full, the database is damaged, or its objects were answered along another tree.
        """
        for message in messages:
            with pa.ipc.open_stream(message.value) as reader:
                table = reader.read_all()
            try:
                self._write(table)
            except sqlite3.Error as error:
                raise StoreError(f"{self.path} cannot be written: {error}") from error

    def flush(self, *, last: bool = False) -> str:
        """All is written already; at the end the journal goes into the database."""
        if last:
            self._connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        return ""

    def close(self) -> None:
        """Close the database."""
        self._connection.close()

    def _write(self, table: pa.Table) -> None:
        about = {key.decode(): value.decode() for key, value in (table.schema.metadata or {}).items()}
        columns = {name: table[name].to_pylist() for name in table.column_names}
        with written(self._make(about)) as number:
            self._note(about)
            for k in range(table.num_rows):
                self._put({name: values[k] for name, values in columns.items()}, about["version"], number)

    def _make(self, about: Mapping[str, str]) -> sqlite3.Connection:
        """Make the tables where there are none; two workers may try at once."""
        if not self._connection.execute("SELECT 1 FROM sqlite_master WHERE name = 'about'").fetchone():
            n = len(Taxonomy.from_dict(json.loads(about["tree"])))
            schema = _SCHEMA.replace("{chances}", ", ".join(f"p{k} REAL NOT NULL" for k in range(n)))
            self._connection.execute("BEGIN IMMEDIATE")
            if not self._connection.execute("SELECT 1 FROM sqlite_master WHERE name = 'about'").fetchone():
                for statement in schema.split(";")[:-1]:
                    self._connection.execute(statement)
                first = {"format": FORMAT, "written": 0, **about}
                self._connection.executemany("INSERT INTO about VALUES (?, ?)", first.items())
            self._connection.execute("COMMIT")
        return self._connection

    def _note(self, about: Mapping[str, str]) -> None:
        """Write down who answers now; another tree has other nodes, which cannot stand beside these."""
        found = dict(self._connection.execute("SELECT name, value FROM about").fetchall())
        if found.get("format") != FORMAT:
            raise StoreError(f"{self.path} has format {found.get('format')!r}, this version writes {FORMAT}")
        if json.loads(found["tree"])["tree"] != json.loads(about["tree"])["tree"]:
            raise StoreError(f"{self.path} holds answers along another tree: give a new folder")
        changed = [(value, name) for name, value in about.items() if found[name] != value]
        self._connection.executemany("UPDATE about SET value = ? WHERE name = ?", changed)

    def _put(self, row: dict[str, Any], version: str, number: int) -> None:
        ask = self._connection.execute
        chances = np.frombuffer(row["probabilities"], dtype="<f4")
        found = ask("SELECT id, alert_time FROM objects WHERE object_id = ?", (row["object_id"],)).fetchone()
        latest = found is None or row["alert_time"] >= found[1]
        place = None if found is None else int(found[0])
        if latest:
            own = {name: row[name] for name in _OWN} | {"id": place, "changed": number}
            own["surest"] = float(chances[row["leaf"]])
            own |= {f"p{k}": float(chance) for k, chance in enumerate(chances)}
            done = ask(_insert("objects", tuple(own)), tuple(own.values()))
            place = int(done.lastrowid or 0)
            self._put_curve(place, row, known=found is not None)
        assert place is not None
        answer = {name: row[name] for name in _ANSWER} | {"object": place, "version": version}
        ask(_insert("answers", tuple(answer)), tuple(answer.values()))
        if found is not None:
            self._thin(place)

    def _put_curve(self, place: int, row: Mapping[str, Any], *, known: bool) -> None:
        """Write a light curve; rows from before those that the alert shows stay known."""
        packed = row["rows"]
        if known:
            (before,) = self._connection.execute("SELECT rows FROM curves WHERE object = ?", (place,)).fetchone()
            old, new = unpack_rows(before), unpack_rows(packed)
            kept = old[old["time"] < new["time"][0]] if new.size else old
            packed = pack_rows(np.concatenate([kept, new])) if kept.size else packed
        self._connection.execute("INSERT OR REPLACE INTO curves VALUES (?, ?, ?)", (place, row["told"], packed))

    def _thin(self, place: int) -> None:
        ask = self._connection.execute
        if ask("SELECT count(*) FROM answers WHERE object = ?", (place,)).fetchone()[0] <= MOST_ANSWERS:
            return
        alerts = ask("SELECT alert_id FROM answers WHERE object = ? ORDER BY alert_time, alert_id", (place,)).fetchall()
        gone = [(place, alert) for (alert,) in alerts[1 : MOST_ANSWERS // 2 : 2]]
        self._connection.executemany("DELETE FROM answers WHERE object = ? AND alert_id = ?", gone)


_OWN = (
    "object_id", "alert_id", "ra", "decl", "alert_time", "days", "n_rows", "magnitude", "band", "leaf", "confident",
    "rarity", "score",
)  # fmt: skip
_ANSWER = (
    "alert_id", "source_id", "alert_time", "days", "n_rows", "leaf", "confident", "context", "truncated", "received",
    "published", "probabilities",
)  # fmt: skip


@cache
def _insert(table: str, columns: tuple[str, ...]) -> str:
    return f"INSERT OR REPLACE INTO {table} ({', '.join(columns)}) VALUES ({', '.join('?' * len(columns))})"


def set_scores(folder: str | Path, scores: Mapping[str, float]) -> None:
    """Give objects of a sky other scores for follow-up, such as `telperion.rank` works out for a night.

    Parameters
    ----------
    folder : path
    scores : mapping of str to float
        By object id; objects that are not in the sky are passed over.
    """
    sink = SkySink(folder)
    try:
        with written(sink._connection):
            sink._connection.executemany(
                "UPDATE objects SET score = ? WHERE object_id = ?", [(score, name) for name, score in scores.items()]
            )
    finally:
        sink.close()


def write_sky(
    folder: str | Path,
    provenance: Provenance,
    classifier: Any,
    light_curves: LightCurves,
    *,
    days: Sequence[float] = (0.0, 1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0),
    now: Callable[[], float] | None = None,
) -> None:
    """Make a sky of light curves that came by no stream, answered at some days after each first detection.

    Parameters
    ----------
    folder : path
    provenance : Provenance
        As `telperion.serve.stream.provenance` gives it.
    classifier : telperion.Classifier
    light_curves : LightCurves
        As observed, with E(B-V) in the context where there is any.
    days : sequence of float, d
    now : callable, optional
        The time, Unix seconds, at which each answer is made.
    """
    import time

    clock = now or time.time
    messages, sink = SkyMessages(provenance, classifier.mix), SkySink(folder)
    try:
        for step, day in enumerate(days):
            shown = view(light_curves, day, classifier.view)
            shown = shown[shown.lengths > 0]
            known = shown
            if not shown.dereddened:
                ebv = np.nan_to_num(shown.context.get("mwebv", np.zeros(len(shown))))
                known = shown.with_context({"mwebv": ebv}).deredden().with_context(shown.context)
            probabilities = classifier.predict(known, view="full")
            alert = 1 + np.flatnonzero(np.isin(light_curves.object_id, shown.object_id)) * len(days) + step
            reached, context, made = days_known(known), held_context(known), np.full(len(shown), clock())
            confident = (
                classifier.tree.confident(probabilities)
                if classifier.promise is None
                else classifier.promised(probabilities, reached, context)
            )
            answers = Answers(
                alert, alert, shown.object_id.astype(str), shown.time[shown.offsets[1:] - 1], reached,
                shown.lengths.astype(np.int32), probabilities, classifier.decide(probabilities), confident, context,
                np.zeros(len(shown), dtype=bool), made, made,
            )  # fmt: skip
            origin = Origin("light curves", step)
            sink.publish([Message(origin, b"", value) for value in messages.encode(answers, shown)])
    finally:
        sink.flush(last=True)
        sink.close()


def _latest(curves: LightCurves) -> tuple[NDArray[np.float64], list[int | None]]:
    """Give the magnitude of the latest detection and its band; NaN and None where there is none."""
    magnitude, band = np.full(len(curves), np.nan), np.full(len(curves), -1)
    rows = np.flatnonzero(curves.detected & (curves.flux > 0))
    owner = curves.object_index[rows]
    magnitude[owner] = NJY - 2.5 * np.log10(curves.flux[rows].astype(np.float64))  # the last one stays
    band[owner] = curves.band[rows]
    return magnitude, [place if place >= 0 else None for place in band.tolist()]
