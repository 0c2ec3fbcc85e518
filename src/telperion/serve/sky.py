"""`Sky`: what a stream has said of every object, as people look at it: lists, light curves, tracks of probabilities.

It is one SQLite database, ``sky.sqlite`` in a folder. Workers of a stream write it (`telperion.serve.sky_sink`), and
any number of readers look at it meanwhile: neither waits for the other.
"""

from __future__ import annotations

import base64
import binascii
import json
import math
import sqlite3
import threading
import zlib
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from telperion.bands import BANDS
from telperion.lightcurves import LightCurves
from telperion.serve.answers import Answers
from telperion.taxonomy import Taxonomy

FILE, FORMAT = "sky.sqlite", 1

Sort = Literal["follow-up", "newest", "surest", "rarest"]

MOST_COUNTED = 10_000
"""Objects that `Sky.count` counts at most."""

ROW = np.dtype([("time", "<f8"), ("flux", "<f4"), ("flux_err", "<f4"), ("band", "i1"), ("detected", "?")])
"""A row of a light curve as it is kept."""

MAX_CURVE_BYTES = 50_000_000

_KEYS: dict[Sort, str] = {"follow-up": "score", "newest": "alert_time", "surest": "surest", "rarest": "rarity"}
_LISTED = "id, object_id, ra, decl, alert_time, days, n_rows, magnitude, band, leaf, confident, score, rarity, surest"


@dataclass(frozen=True)
class Wanted:
    """Which objects of a sky are wanted, and in which order.

    Parameters
    ----------
    node : str
        Objects decided for this node, or for one below it; "" wants all.
    least : float
        The probability that the node must have; without a node, that of the leaf decided for.
    promised : bool
        The node, or one below it, must be promised.
    most_days : float, optional
        Days after the first detection up to which an object is known, at most.
    least_rows : int
        Rows that are known, at least.
    text : str
        Part of the object's id; upper and lower case are alike.
    sort : {"follow-up", "newest", "surest", "rarest"}
        By the score for follow-up; the time of the latest alert; the probability of `node` or of the leaf decided for;
        how rare the leaf is in the classifier's class mix.
    """

    node: str = ""
    least: float = 0.0
    promised: bool = False
    most_days: float | None = None
    least_rows: int = 0
    text: str = ""
    sort: Sort = "follow-up"

    def __post_init__(self) -> None:
        if self.sort not in get_args(Sort):
            raise ValueError(f"sort is {self.sort!r}, expected one of {', '.join(get_args(Sort))}")
        if not 0 <= self.least <= 1:
            raise ValueError(f"least is {self.least}, expected a probability")


@dataclass(frozen=True, eq=False)
class Listed:
    """One object in a list: its latest answer.

    Parameters
    ----------
    object_id : str
    ra, decl : float, deg
        NaN unknown, like all below.
    alert_time : float, MJD
    days : float, d
        After the first detection.
    n_rows : int
    magnitude : float, mag (AB)
        Of the latest detection, as observed.
    band : str
        Of that; "" without one.
    leaf : str
    leaf_probability : float
    confident : str
        The node that is promised; the root promises nothing.
    confident_probability : float
    probabilities : array of float32, shape ``(n_nodes,)``
    score : float
        For follow-up, see `telperion.serve.sky_sink.first_score`.
    """

    object_id: str
    ra: float
    decl: float
    alert_time: float
    days: float
    n_rows: int
    magnitude: float
    band: str
    leaf: str
    leaf_probability: float
    confident: str
    confident_probability: float
    probabilities: NDArray[np.float32]
    score: float


@dataclass(frozen=True, eq=False)
class Known:
    """All that is known of one object.

    Parameters
    ----------
    listed : Listed
    light_curve : LightCurves
        Of this one object, as observed; with its context.
    answers : Answers
        By time; of many some are left out (`telperion.serve.sky_sink.MOST_ANSWERS`).
    """

    listed: Listed
    light_curve: LightCurves
    answers: Answers


class Sky:
    """A sky that is read; it may be used by several threads, and while it is written.

    Parameters
    ----------
    folder : path

    Attributes
    ----------
    name, version : str
        Of the classifier that answered last.
    tree : Taxonomy
    level : float
        The share of answers for which the promised node is promised to be right.

    Raises
    ------
    ValueError
        There is no sky in the folder, or one of another format.
    """

    def __init__(self, folder: str | Path) -> None:
        self.path = Path(folder) / FILE
        self._threads = threading.local()
        if not self.path.is_file():
            raise ValueError(f"{folder} holds no sky: a stream makes one with -o sky+{folder}")
        try:
            about = dict(self._all("SELECT name, value FROM about"))
            found = int(about["format"])
        except (sqlite3.Error, KeyError, ValueError) as error:
            raise ValueError(f"{self.path} is no sky: {error}") from error
        if found != FORMAT:
            raise ValueError(f"{self.path} has format {found}, this version reads {FORMAT}")
        self.name, self.version, self.level = about["classifier"], about["version"], float(about["level"])
        self.tree = Taxonomy.from_dict(json.loads(about["tree"]))
        self.nodes = self.tree.nodes
        self._chances = ", ".join(f"p{k}" for k in range(len(self.nodes)))

    def version_now(self) -> int:
        """Give a number that grows with every write."""
        return int(self._all("SELECT value FROM about WHERE name = 'written'")[0][0])

    def changed(self, since: int, limit: int = 200) -> tuple[int, list[str]]:
        """Give the number now, and the ids of objects that were answered after it was `since`, the latest first."""
        now = self.version_now()
        rows = self._all(
            "SELECT object_id FROM objects WHERE changed > ? AND changed <= ? ORDER BY changed DESC LIMIT ?",
            (since, now, limit),
        )
        return now, [name for (name,) in rows]

    def count(self, wanted: Wanted) -> int:
        """Count objects, up to `MOST_COUNTED`; KeyError for a node that is not in the tree."""
        where, values = self._where(wanted)
        found = self._all(f"SELECT count(*) FROM (SELECT 1 FROM objects {where} LIMIT {MOST_COUNTED})", values)
        return int(found[0][0])

    def objects(self, wanted: Wanted, *, limit: int = 50, after: str | None = None) -> list[Listed]:
        """List objects in the order wanted.

        Parameters
        ----------
        wanted : Wanted
        limit : int
        after : str, optional
            From `cursor` of the last one on the page before.

        Raises
        ------
        KeyError
            The node is not in the tree.
        ValueError
            The cursor is none.
        """
        key, where, values = self._key(wanted), *self._where(wanted)
        if after is not None:
            where += f" AND ({key}, id) < (?, ?)"
            values = [*values, *_read_cursor(after)]
        rows = self._all(
            f"SELECT {_LISTED}, {self._chances} FROM objects {where} ORDER BY {key} DESC, id DESC LIMIT ?",
            (*values, limit),
        )
        return [self._listed(row) for row in rows]

    def cursor(self, listed: Listed, wanted: Wanted) -> str:
        """Say where a list goes on after an object."""
        found = self._all(f"SELECT {self._key(wanted)}, id FROM objects WHERE object_id = ?", (listed.object_id,))
        return base64.urlsafe_b64encode(json.dumps(found[0]).encode()).decode()

    def object(self, object_id: str) -> Known | None:
        """Give all that is known of an object; None where there is none of this id."""
        rows = self._all(f"SELECT {_LISTED}, {self._chances} FROM objects WHERE object_id = ?", (object_id,))
        if not rows:
            return None
        number = rows[0][0]
        ((packed, context),) = self._all("SELECT rows, context FROM curves WHERE object = ?", (number,))
        answers = self._all(
            "SELECT alert_id, source_id, alert_time, days, n_rows, leaf, confident, context, truncated, received,"
            " published, probabilities FROM answers WHERE object = ? ORDER BY alert_time, alert_id",
            (number,),
        )
        curve = unpack_rows(packed)
        light_curve = LightCurves(
            np.array([object_id]), np.array([0, curve.size]), curve["time"], curve["band"], curve["flux"],
            curve["flux_err"], curve["detected"],
            {name: np.array([value]) for name, value in json.loads(context).items()},
        )  # fmt: skip
        return Known(self._listed(rows[0]), light_curve, _answers(object_id, answers))

    # -- what is asked of the database ---------------------------------------------------------------------------

    def _where(self, wanted: Wanted) -> tuple[str, list[Any]]:
        terms, values = ["1"], list[Any]()
        if wanted.node:
            node = self.tree.index(wanted.node)
            column = "confident" if wanted.promised else "leaf"
            below = np.flatnonzero(self.tree.ancestors[:, node]).tolist()
            terms.append(f"{column} IN ({', '.join(map(str, below))})")
        elif wanted.promised:
            terms.append("confident > 0")
        if wanted.least > 0:
            terms.append(f"{self._chance(wanted)} >= ?")
            values.append(wanted.least)
        if wanted.most_days is not None:
            terms.append("days <= ?")
            values.append(wanted.most_days)
        if wanted.least_rows > 0:
            terms.append("n_rows >= ?")
            values.append(wanted.least_rows)
        if wanted.text:
            terms.append("instr(lower(object_id), lower(?)) > 0")
            values.append(wanted.text)
        return f"WHERE {' AND '.join(terms)}", values

    def _chance(self, wanted: Wanted) -> str:
        return f"p{self.tree.index(wanted.node)}" if wanted.node else "surest"

    def _key(self, wanted: Wanted) -> str:
        return self._chance(wanted) if wanted.sort == "surest" else _KEYS[wanted.sort]

    def _listed(self, row: Sequence[Any]) -> Listed:
        _, name, ra, decl, time, days, n_rows, magnitude, band, leaf, confident, score, _, _ = row[:14]
        chances = np.array(row[14:], dtype=np.float32)
        return Listed(
            object_id=name,
            ra=_number(ra),
            decl=_number(decl),
            alert_time=_time(time),
            days=_number(days),
            n_rows=n_rows,
            magnitude=_number(magnitude),
            band="" if band is None else BANDS[band],
            leaf=self.nodes[leaf],
            leaf_probability=float(chances[leaf]),
            confident=self.nodes[confident],
            confident_probability=float(chances[confident]),
            probabilities=chances,
            score=score,
        )

    def _all(self, query: str, values: Sequence[Any] = ()) -> list[Any]:
        """Ask; each thread has a connection of its own."""
        if not hasattr(self._threads, "connection"):
            self._threads.connection = sqlite3.connect(
                f"{self.path.absolute().as_uri()}?mode=ro", uri=True, timeout=10, isolation_level=None
            )
        with closing(self._threads.connection.execute(query, values)) as cursor:
            return cursor.fetchall()


@contextmanager
def written(connection: sqlite3.Connection) -> Iterator[int]:
    """Write in one transaction; gives the number of this write."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        connection.execute("UPDATE about SET value = value + 1 WHERE name = 'written'")
        yield int(connection.execute("SELECT value FROM about WHERE name = 'written'").fetchone()[0])
        connection.execute("COMMIT")
    except BaseException:
        connection.execute("ROLLBACK")
        raise


def pack_rows(rows: NDArray) -> bytes:
    """Give the rows of a light curve, of the type `ROW`, as bytes."""
    return zlib.compress(rows.tobytes(), 1)


def unpack_rows(packed: bytes) -> NDArray:
    """Read what `pack_rows` gave; ValueError for what it did not give."""
    stream = zlib.decompressobj()
    try:
        data = stream.decompress(packed, MAX_CURVE_BYTES)
    except zlib.error as error:
        raise ValueError(f"a light curve of the sky is damaged: {error}") from error
    if not stream.eof or len(data) % ROW.itemsize:
        raise ValueError("a light curve of the sky is damaged")
    return np.frombuffer(data, dtype=ROW)


def _answers(object_id: str, rows: Sequence[Sequence[Any]]) -> Answers:
    alert, source, time, days, n_rows, leaf, confident, context, truncated, received, published, packed = (
        zip(*rows, strict=True) if rows else [()] * 12
    )
    n = len(rows)
    return Answers(
        alert_id=np.array(alert, dtype=np.int64),
        source_id=np.array(source, dtype=np.int64),
        object_id=np.full(n, object_id),
        alert_time=np.array([_time(each) for each in time], dtype=np.float64),
        days=np.array(days, dtype=np.float64),
        n_rows=np.array(n_rows, dtype=np.int32),
        probabilities=np.array([np.frombuffer(each, dtype="<f4") for each in packed], dtype=np.float32).reshape(n, -1),
        leaf=np.array(leaf, dtype=np.int64),
        confident=np.array(confident, dtype=np.int64),
        context=np.array(context, dtype=np.str_),
        history_truncated=np.array(truncated, dtype=bool),
        received=np.array(received, dtype=np.float64),
        published=np.array(published, dtype=np.float64),
    )


def _read_cursor(after: str) -> list[float]:
    try:
        key, number = json.loads(base64.urlsafe_b64decode(after.encode()))
        return [float(key), int(number)]
    except (binascii.Error, ValueError, TypeError) as error:
        raise ValueError(f"{after[:100]!r} is no place in a list") from error


def _number(kept: float | None) -> float:
    return math.nan if kept is None else kept


def _time(kept: float) -> float:
    return math.nan if kept == UNKNOWN else kept


UNKNOWN = -1.0
"""A time that is not known, as it is kept: times are sorted by."""
