"""`Sky`: what a stream has said of every object, as people look at it: lists, light curves, tracks of probabilities.

It is one SQLite database, ``sky.sqlite`` in a folder. Workers of a stream write it (`telperion.serve.sky_sink`), and
any number of readers look at it meanwhile: neither waits for the other.
"""

from __future__ import annotations

import base64
import binascii
import json
import math
import re
import sqlite3
import threading
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
from telperion.serve.sky_rows import UNKNOWN, Several, read_answers, read_light_curves, read_number, read_time
from telperion.serve.sky_tables import FILE, FORMAT, chance_column
from telperion.taxonomy import Taxonomy

Sort = Literal["follow-up", "newest", "surest", "rarest"]

MOST_COUNTED = 10_000
"""Objects that `Sky.count` counts at most."""

_KEYS: dict[Sort, str] = {"follow-up": "score", "newest": "alert_time", "surest": "surest", "rarest": "rarity"}
_LISTED = (
    "objects.id, object_id, ra, decl, alert_time, days, n_rows, magnitude, band, leaf, confident, score, rarity,"
    " probabilities"
)


class NoSkyError(ValueError):
    """A folder holds no sky, or one into which no answer was written so far."""


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
        The node, or one below it, must be promised; it need not be decided for, unless its probability is asked for.
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
        For follow-up, see `telperion.serve.sky_messages.first_score`.
    rarity : float, bits
        ``-log2`` of the share that the leaf has in the classifier's class mix.
    number : int
        The object's own in this sky.
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
    rarity: float = 0.0
    number: int = 0


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
    versions : tuple of str
        Of the classifier that gave each answer.
    """

    listed: Listed
    light_curve: LightCurves
    answers: Answers
    versions: tuple[str, ...] = ()


class Sky:
    """A sky that is read; it may be used by several threads, and while it is written.

    Parameters
    ----------
    folder : path

    Attributes
    ----------
    tree : Taxonomy
    nodes : tuple of str

    Raises
    ------
    NoSkyError
        There is no sky in the folder, or nothing in it.
    ValueError
        What is there is no sky, or one of another format.
    """

    def __init__(self, folder: str | Path) -> None:
        self.path = Path(folder) / FILE
        self._threads = threading.local()
        if not self.path.is_file():
            raise NoSkyError(f"{folder} holds no sky: a stream makes one with -o sky+{folder}")
        try:
            empty = not self._all(
                "SELECT 1 FROM sqlite_master LIMIT 1"
            )  # a stream makes the tables with its first answer
        except sqlite3.Error as error:
            raise ValueError(f"{self.path} is no sky: {error}") from error
        if empty:
            raise NoSkyError(f"{folder} holds no sky yet: nothing is answered so far")
        try:
            about = dict(self._all("SELECT name, value FROM about"))
            found = int(about["format"])
        except (sqlite3.Error, KeyError, ValueError) as error:
            raise ValueError(f"{self.path} is no sky: {error}") from error
        if found != FORMAT:
            raise ValueError(f"{self.path} has format {found}, this version reads {FORMAT}")
        self.tree = Taxonomy.from_dict(json.loads(about["tree"]))
        self.nodes = self.tree.nodes

    @property
    def name(self) -> str:
        """The classifier that answered last."""
        return str(self._about("classifier"))

    @property
    def version(self) -> str:
        """Its version."""
        return str(self._about("version"))

    @property
    def level(self) -> float:
        """The share of its answers for which the promised node is promised to be right."""
        return float(self._about("level"))

    def version_now(self) -> int:
        """Give a number that grows with every write."""
        return int(self._about("written"))

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
        page = f"SELECT id, {key} AS place FROM objects {where} ORDER BY {key} DESC, id DESC LIMIT ?"
        rows = self._all(  # objects are looked up when the page is known
            f"SELECT {_LISTED} FROM ({page}) AS page CROSS JOIN objects ON objects.id = page.id"
            " ORDER BY page.place DESC, page.id DESC",
            (*values, limit),
        )
        return [self._listed(row) for row in rows]

    def cursor(self, listed: Listed, wanted: Wanted) -> str:
        """Say where a list goes on after an object, whatever is said of that object meanwhile."""
        if wanted.sort == "surest":
            node = self.tree.index(wanted.node) if wanted.node else 0
            key = float(listed.probabilities[node]) if node else listed.leaf_probability
        else:
            key = {"follow-up": listed.score, "newest": listed.alert_time, "rarest": listed.rarity}[wanted.sort]
        place = [UNKNOWN if math.isnan(key) else key, listed.number]
        return base64.urlsafe_b64encode(json.dumps(place).encode()).decode()

    def object(self, object_id: str) -> Known | None:
        """Give all that is known of an object; None where there is none of this id."""
        with self._moment():
            rows = self._all(f"SELECT {_LISTED} FROM objects WHERE object_id = ?", (object_id,))
            if not rows:
                return None
            number = rows[0][0]
            ((packed, told, context),) = self._all(
                "SELECT rows, text, context FROM curves JOIN words ON words.id = told WHERE object = ?", (number,)
            )
            answers = self._all(
                "SELECT alert_id, source_id, alert_time, days, n_rows, leaf, confident, context, truncated, received,"
                " published, probabilities, text FROM answers JOIN words ON words.id = version WHERE object = ?"
                " ORDER BY alert_time, alert_id",
                (number,),
            )
        values = zip(json.loads(told), np.frombuffer(context, dtype="<f8"), strict=True)
        known = {name: np.array([value]) for name, value in values if math.isfinite(value)}
        light_curve = read_light_curves([object_id], [packed], known)
        versions = tuple(row[-1] for row in answers)
        return Known(self._listed(rows[0]), light_curve, read_answers(object_id, answers), versions)

    def latest_alert(self) -> float:
        """Give the time of the latest alert, MJD; NaN where none is known."""
        ((time,),) = self._all("SELECT max(alert_time) FROM objects")
        return math.nan if time is None else read_time(time)

    def several(self, since: float = -math.inf, *, at_once: int = 5000) -> Iterator[Several]:
        """Go through all objects with an alert since some time, MJD, so many at once."""
        reached = 0
        while rows := self._all(
            "SELECT id, object_id, ra, decl, alert_id, alert_time, probabilities, rows FROM objects"
            " JOIN curves ON object = id WHERE id > ? AND alert_time >= ? ORDER BY id LIMIT ?",
            (reached, since, at_once),
        ):
            numbers, names, ra, decl, alerts, times, chances, packed = zip(*rows, strict=True)
            reached = numbers[-1]
            place = {"ra": np.array(ra, dtype=np.float64), "decl": np.array(decl, dtype=np.float64)}
            yield Several(
                read_light_curves(names, packed, place),
                np.frombuffer(b"".join(chances), dtype="<f4").reshape(len(rows), -1),
                np.array(alerts, dtype=np.int64),
                np.array([read_time(time) for time in times]),
            )

    # -- what is asked of the database ---------------------------------------------------------------------------

    def _where(self, wanted: Wanted) -> tuple[str, list[Any]]:
        terms, values = ["1"], list[Any]()
        node = self.tree.index(wanted.node) if wanted.node else 0
        chance = wanted.least > 0 and not (wanted.node and node == 0)  # the root has a probability of one
        if wanted.node:
            below = ", ".join(map(str, np.flatnonzero(self.tree.ancestors[:, node]).tolist()))
            if wanted.promised:
                terms.append(f"confident IN ({below})")
            if not wanted.promised or chance or wanted.sort == "surest":
                terms.append(f"leaf IN ({below})")
        elif wanted.promised:
            terms.append("confident > 0")
        if chance:
            terms.append(f"{self._chance(wanted)} >= ?")
            values.append(wanted.least)
        if wanted.most_days is not None:
            terms.append("days <= ?")
            values.append(wanted.most_days)
        if wanted.least_rows > 0:
            terms.append("n_rows >= ?")
            values.append(wanted.least_rows)
        if wanted.text:
            terms.append("object_id LIKE ? ESCAPE '!'")  # a third of what instr(lower(...)) takes
            values.append("%" + re.sub("([!%_])", r"!\1", wanted.text) + "%")
        return f"WHERE {' AND '.join(terms)}", values

    def _chance(self, wanted: Wanted) -> str:
        return chance_column(self.tree, self.tree.index(wanted.node)) if wanted.node else "surest"

    def _key(self, wanted: Wanted) -> str:
        return self._chance(wanted) if wanted.sort == "surest" else _KEYS[wanted.sort]

    def _listed(self, row: Sequence[Any]) -> Listed:
        number, name, ra, decl, time, days, n_rows, magnitude, band, leaf, confident, score, rarity, packed = row
        chances = np.frombuffer(packed, dtype="<f4")
        return Listed(
            object_id=name,
            ra=read_number(ra),
            decl=read_number(decl),
            alert_time=read_time(time),
            days=read_number(days),
            n_rows=n_rows,
            magnitude=read_number(magnitude),
            band="" if band is None else BANDS[band],
            leaf=self.nodes[leaf],
            leaf_probability=float(chances[leaf]),
            confident=self.nodes[confident],
            confident_probability=float(chances[confident]),
            probabilities=chances,
            score=score,
            rarity=rarity,
            number=number,
        )

    def _about(self, name: str) -> Any:
        return self._all("SELECT value FROM about WHERE name = ?", (name,))[0][0]

    @contextmanager
    def _moment(self) -> Iterator[None]:
        """Ask several things of one moment, whatever is written meanwhile."""
        self._all("BEGIN")
        try:
            yield
        finally:
            self._all("COMMIT")

    def _all(self, query: str, values: Sequence[Any] = ()) -> list[Any]:
        """Ask; each thread has a connection of its own."""
        if not hasattr(self._threads, "connection"):
            self._threads.connection = sqlite3.connect(
                f"{self.path.absolute().as_uri()}?mode=ro", uri=True, timeout=10, isolation_level=None
            )
            self._threads.connection.execute(f"PRAGMA mmap_size = {2**30}")  # lists are a third faster
        with closing(self._threads.connection.execute(query, values)) as cursor:
            return cursor.fetchall()


def _read_cursor(after: str) -> list[float]:
    try:
        key, number = json.loads(base64.urlsafe_b64decode(after.encode()))
        return [float(key), int(number)]
    except (binascii.Error, ValueError, TypeError) as error:
        raise ValueError(f"{after[:100]!r} is no place in a list") from error
