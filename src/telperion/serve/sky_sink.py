"""`SkySink`: a stream's answers and the light curves that they stand on, into a sky (`telperion.serve.sky`).

A message is a batch (`telperion.serve.sky_messages`). What is written is told by the object and the alert's id, so that
a batch that is published again, after a crash, changes nothing. Several processes may write one sky.
"""

from __future__ import annotations

import json
import sqlite3
import time
from collections.abc import Callable, Mapping, Sequence
from itertools import compress
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa

from telperion.classifier import Classifier
from telperion.encode.view import days_known, held_context, view
from telperion.lightcurves import LightCurves
from telperion.serve.answers import Answers, Provenance
from telperion.serve.engine import confident
from telperion.serve.outbox import Message
from telperion.serve.sky_messages import SkyMessages
from telperion.serve.sky_rows import unpack_rows
from telperion.serve.sky_tables import FILE, FORMAT, level_columns, statements, written
from telperion.serve.store_error import StoreError
from telperion.serve.taken import Origin
from telperion.serve.waves import waves
from telperion.taxonomy import Taxonomy

MOST_ANSWERS = 256
"""Answers that are kept of an object: of more, every second one of the older half is forgotten, but for the first."""

_PATIENCE = 60.0  # seconds that another writer is waited for
_AT_ONCE = 500  # what is asked for in one statement
_OWN = (
    "object_id", "alert_id", "ra", "decl", "alert_time", "days", "n_rows", "magnitude", "band", "leaf", "confident",
    "rarity", "surest", "probabilities",
)  # fmt: skip
_ANSWER = (
    "alert_id", "source_id", "alert_time", "days", "n_rows", "leaf", "confident", "context", "truncated", "received",
    "published", "probabilities",
)  # fmt: skip


class _Found(NamedTuple):
    """What is known of an object: its number, the time of its latest answer, whether it is up, its first row's time."""

    number: int
    alert_time: float
    up: float
    since: float


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
            self._connection = sqlite3.connect(self.path, timeout=_PATIENCE, isolation_level=None)
            _journal_ahead(self._connection)
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

    def score(self, scores: Sequence[tuple[str, int, float, float]]) -> None:
        """Give objects other scores for follow-up, unless they were answered meanwhile.

        Parameters
        ----------
        scores : sequence of (object_id, alert_id, score, up)
            The alert that the score stands on; `up` (0 or 1) is whether the object can be observed, which later alerts
            take over.
        """
        rows = [(score, up, name, alert) for name, alert, score, up in scores]
        try:
            with written(self._connection):
                self._many("UPDATE objects SET score = ?, up = ? WHERE object_id = ? AND alert_id = ?", rows)
        except sqlite3.Error as error:
            raise StoreError(f"{self.path} cannot be written: {error}") from error

    def silence(self, before: float) -> None:
        """Let objects without an alert since some time, MJD, have no score for follow-up until their next one."""
        try:
            with written(self._connection):
                self._connection.execute(
                    "UPDATE objects SET score = 0, up = 1 WHERE alert_time < ? AND (score > 0 OR up = 0)", (before,)
                )
        except sqlite3.Error as error:
            raise StoreError(f"{self.path} cannot be written: {error}") from error

    # -- a batch -------------------------------------------------------------------------------------------------

    def _write(self, table: pa.Table) -> None:
        about = {key.decode(): value.decode() for key, value in (table.schema.metadata or {}).items()}
        told, columns = about.pop("told"), {name: table[name].to_pylist() for name in table.column_names}
        tree = Taxonomy.from_dict(json.loads(about["tree"]))
        self._make(about, tree)
        with written(self._connection) as number:
            self._note(about)
            same = {"told": self._word(told), "version": self._word(about["version"]), "changed": number}
            for wave in (places.tolist() for places in waves(columns["object_id"])):
                some = columns if len(wave) == table.num_rows else _chosen(columns, wave)
                self._put(some | {name: [value] * len(wave) for name, value in same.items()}, level_columns(tree))

    def _make(self, about: Mapping[str, str], tree: Taxonomy) -> None:
        """Make the tables where there are none; two workers may try at once."""
        there = "SELECT 1 FROM sqlite_master WHERE name = 'about'"
        if self._connection.execute(there).fetchone():
            return
        self._connection.execute("BEGIN IMMEDIATE")
        try:
            if not self._connection.execute(there).fetchone():
                for statement in statements(tree):
                    self._connection.execute(statement)
                first = {"format": FORMAT, "written": 0, **about}
                self._many("INSERT INTO about VALUES (?, ?)", list(first.items()))
            self._connection.execute("COMMIT")
        except BaseException:
            self._connection.execute("ROLLBACK")
            raise

    def _note(self, about: Mapping[str, str]) -> None:
        """Write down who answers now; another tree has other nodes, which cannot stand beside these."""
        found = dict(self._connection.execute("SELECT name, value FROM about").fetchall())
        if found.get("format") != FORMAT:
            raise StoreError(f"{self.path} has format {found.get('format')!r}, this version writes {FORMAT}")
        if json.loads(found["tree"])["tree"] != json.loads(about["tree"])["tree"]:
            raise StoreError(f"{self.path} holds answers along another tree: give a new folder")
        changed = [(value, name) for name, value in about.items() if found[name] != value]
        self._many("UPDATE about SET value = ? WHERE name = ?", changed)

    def _word(self, text: str) -> int:
        self._connection.execute("INSERT OR IGNORE INTO words (text) VALUES (?)", (text,))
        return int(self._connection.execute("SELECT id FROM words WHERE text = ?", (text,)).fetchone()[0])

    def _put(self, batch: dict[str, list[Any]], levels: list[str]) -> None:
        """Write one answer an object."""
        names = batch["object_id"]
        found = self._found(names)
        new = iter(range(1 + self._connection.execute("SELECT ifnull(max(id), 0) FROM objects").fetchone()[0], 2**62))
        batch["object"] = batch["id"] = [found[name].number if name in found else next(new) for name in names]
        known = [found.get(name) for name in names]
        latest = [each is None or at >= each.alert_time for each, at in zip(known, batch["alert_time"], strict=True)]
        batch["up"] = [1.0 if each is None else each.up for each in known]
        batch["score"] = [score * up for score, up in zip(batch["score"], batch["up"], strict=True)]
        for k, each in enumerate(known):
            if latest[k] and each is not None and each.since < batch["since"][k]:
                self._keep_older(batch, k)
        self._insert("objects", ("id", "changed", "up", "score", *_OWN, *levels), batch, latest)
        curve = {"object": "object", "since": "since", "told": "told", "context": "known", "rows": "rows"}
        self._insert("curves", tuple(curve), {name: batch[place] for name, place in curve.items()}, latest)
        self._insert("answers", ("object", "version", *_ANSWER), batch)
        self._thin([each.number for each in found.values()])

    def _found(self, names: Sequence[str]) -> dict[str, _Found]:
        result: dict[str, _Found] = {}
        for first in range(0, len(names), _AT_ONCE):
            some = names[first : first + _AT_ONCE]
            rows = self._connection.execute(
                "SELECT object_id, id, alert_time, up, since FROM objects JOIN curves ON object = id"
                f" WHERE object_id IN ({', '.join('?' * len(some))})",
                some,
            )
            result |= {name: _Found(*rest) for name, *rest in rows}
        return result

    def _keep_older(self, batch: dict[str, list[Any]], k: int) -> None:
        """Keep rows from before those that the alert shows."""
        ask = "SELECT rows FROM curves WHERE object = ?"
        old = unpack_rows(self._connection.execute(ask, (batch["object"][k],)).fetchone()[0])
        kept = old[old["time"] < batch["since"][k]]
        batch["rows"][k], batch["since"][k] = kept.tobytes() + batch["rows"][k], float(kept["time"][0])

    def _thin(self, numbers: Sequence[int]) -> None:
        for first in range(0, len(numbers), _AT_ONCE):
            some = numbers[first : first + _AT_ONCE]
            many = self._connection.execute(
                f"SELECT object FROM answers WHERE object IN ({', '.join('?' * len(some))})"
                f" GROUP BY object HAVING count(*) > {MOST_ANSWERS}",
                some,
            ).fetchall()
            for (place,) in many:
                ask = "SELECT object, alert_id FROM answers WHERE object = ? ORDER BY alert_time, alert_id"
                alerts = self._connection.execute(ask, (place,)).fetchall()
                gone = alerts[1 : MOST_ANSWERS // 2 : 2]
                self._many("DELETE FROM answers WHERE object = ? AND alert_id = ?", gone)

    def _insert(
        self, table: str, columns: tuple[str, ...], batch: Mapping[str, list[Any]], which: Sequence[bool] | None = None
    ) -> None:
        rows = zip(*(batch[name] for name in columns), strict=True)
        marks = ", ".join("?" * len(columns))
        self._connection.executemany(
            f"INSERT OR REPLACE INTO {table} ({', '.join(columns)}) VALUES ({marks})",
            rows if which is None else compress(rows, which),
        )

    def _many(self, statement: str, rows: Sequence[Sequence[Any]]) -> None:
        self._connection.executemany(statement, rows)


def _journal_ahead(connection: sqlite3.Connection) -> None:
    """Keep the journal in which readers wait for no writer; SQLite itself waits for nobody who turns it on."""
    until = time.monotonic() + _PATIENCE
    while True:
        try:
            connection.execute("PRAGMA journal_mode = WAL")
            return
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY or time.monotonic() > until:
                raise
        time.sleep(0.01)


def _chosen(columns: Mapping[str, list[Any]], places: Sequence[int]) -> dict[str, list[Any]]:
    return {name: [values[k] for k in places] for name, values in columns.items()}


def write_sky(
    folder: str | Path,
    provenance: Provenance,
    classifier: Classifier,
    light_curves: LightCurves,
    *,
    days: Sequence[float] = (0.0, 1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0),
    now: Callable[[], float] = time.time,
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
    now : callable
        The time, Unix seconds, at which each answer is made.
    """
    messages, sink = SkyMessages(provenance, classifier.mix), SkySink(folder)
    try:
        for step, day in enumerate(days):
            shown = view(light_curves, day, classifier.view)
            shown = shown[shown.lengths > 0]
            known = shown if shown.dereddened else shown.deredden(unknown=0.0)
            probabilities = classifier.predict(known, view="full")
            alert = 1 + np.flatnonzero(np.isin(light_curves.object_id, shown.object_id)) * len(days) + step
            reached, context, made = days_known(known), held_context(known), np.full(len(shown), now())
            sure = confident(classifier, probabilities, reached, context)
            answers = Answers(
                alert, alert, shown.object_id.astype(str), shown.time[shown.offsets[1:] - 1], reached,
                shown.lengths.astype(np.int32), probabilities, classifier.decide(probabilities), sure, context,
                np.zeros(len(shown), dtype=bool), made, made,
            )  # fmt: skip
            origin = Origin("light curves", step)
            sink.publish([Message(origin, b"", value) for value in messages.encode(answers, shown)])
    finally:
        sink.flush(last=True)
        sink.close()
