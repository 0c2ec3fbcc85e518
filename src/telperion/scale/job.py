"""`Job`: what is asked of every part of a catalogue; a table of objects in, a table of answers out."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from telperion.classifier import Classifier, load
from telperion.encode.view import Context, View, keep_context
from telperion.scale.columns import Layout
from telperion.scale.curves import to_curves, without_dust
from telperion.serve.dust_map import DustMap

OBJECTS = 4096
"""Objects that are classified at once, at most: enough that none of them pays for the call."""


@lru_cache(maxsize=2)
def loaded(name: str) -> Classifier:
    """Load a classifier once a process, as `telperion.load` does."""
    return load(name)


@lru_cache(maxsize=1)
def dust_map(path: str) -> DustMap:
    """Open a map of E(B-V) once a process."""
    return DustMap.open(path)


@dataclass(frozen=True)
class Job:
    """What is asked; pickles, and is the same wherever it is done.

    Parameters
    ----------
    model : str
        The name of a shipped classifier, or a folder that all workers see.
    layout : Layout
        What the columns mean.
    days : tuple of float, d
        After the first detection.
    view : {"full", "alert"} or None
        By default the view that the model was trained on.
    context : {"specz", "photoz", "none"}
    level : float or None
        Of what is promised.
    strangeness : bool
    dust : str
        A map of E(B-V) as `telperion.serve.dust_map.DustMap` reads it, for objects of which it is unknown; "" for none.
    fingerprint : str
        Of the classifier that is meant; "" takes any.
    objects : int
        That are classified at once, at most.

    Examples
    --------
    >>> from telperion.scale.columns import understand
    >>> row = {"midpointMjdTai": 61000.1, "band": "r", "psfFlux": 850.0, "psfFluxErr": 110.0}
    >>> table = pa.table({"diaObjectId": [1], "ra": [0.0], "dec": [0.0], "diaSource": [[row]]})
    >>> answers, _ = Job("elasticc", understand(table.schema)).classify(table)
    >>> answers.column_names[:7], answers["n_obs"].to_pylist()
    (['diaObjectId', 'ra', 'dec', 'days', 'n_obs', 'Alert', 'Transient'], [1])
    """

    model: str
    layout: Layout
    days: tuple[float, ...] = (np.inf,)
    view: View | None = None
    context: Context = "specz"
    level: float | None = None
    strangeness: bool = False
    dust: str = ""
    fingerprint: str = ""
    objects: int = OBJECTS

    def __post_init__(self) -> None:
        if not self.days or self.objects < 1:
            raise ValueError(f"{len(self.days)} days and {self.objects} objects at once are asked for, expected some")

    def classifier(self) -> Classifier:
        """Give the classifier, which a process loads once.

        Raises
        ------
        ValueError
            It is another one here than where the job was made, or lacks what is asked for.
        """
        made = loaded(self.model)
        if self.fingerprint and made.fingerprint != self.fingerprint:
            raise ValueError(
                f"{self.model} is another classifier on this worker: is Telperion of another version there?"
            )
        if self.strangeness and made.aliens is None:
            raise ValueError(f"{self.model} does not know what is strange: telperion aliens makes one that does")
        if self.level is not None and made.promise is None:
            raise ValueError(f"{self.model} promises nothing: telperion calibrate makes one that does")
        return made

    def classify(self, table: pa.Table) -> tuple[pa.Table, Counter[str]]:
        """Classify a table of objects, slice by slice.

        Parameters
        ----------
        table : pyarrow.Table
            Objects with their light curves; may have no rows.

        Returns
        -------
        pyarrow.Table
            A row an object and day, objects in their order, days inside: id, position and, where it is there, HEALPix
            pixel under the names that they came with, and what `Classifier.classify` gives.
        Counter of str
            What was left out or mended, as `telperion.scale.curves.to_curves` counts it, and ``no E(B-V)``: objects
            whose fluxes were taken as they are.

        Raises
        ------
        ValueError
            An id stands there twice, or as `to_curves` says.
        """
        self.layout.check(table.schema)
        check_distinct(table.column(self.layout.object_id), self.layout.object_id)
        mended: Counter[str] = Counter()
        parts = []
        for start in range(0, max(len(table), 1), self.objects):
            answers, more = self._slice(table.slice(start, self.objects))
            parts.append(answers)
            mended += more
        return pa.concat_tables(parts), mended

    def _slice(self, table: pa.Table) -> tuple[pa.Table, Counter[str]]:
        curves, mended = to_curves(table, self.layout)
        curves, unknown = without_dust(curves, dust_map(self.dust) if self.dust else None)
        if unknown:
            mended["no E(B-V)"] = unknown
        curves = keep_context(curves, self.context)
        answers = self.classifier().classify(
            curves, days=self.days, view=self.view, level=self.level, strangeness=self.strangeness
        )
        owner = np.repeat(np.arange(len(table)), len(self.days))
        keys = {name: table.column(name).take(owner) for name in self.layout.kept()}
        if clash := [name for name in answers.column_names[1:] if name in keys]:
            raise ValueError(f"the column {clash[0]!r} of the catalogue is called as one of the answer")
        for name in answers.column_names[1:]:
            keys[name] = answers.column(name)
        return pa.table(keys), mended


def check_distinct(ids: pa.ChunkedArray, name: str) -> None:
    """Refuse a column that names an object twice.

    Raises
    ------
    ValueError
        Says how many objects are repeated, and the first of them.
    """
    counts = ids.value_counts()
    if len(counts) < len(ids):
        twice = counts.filter(pc.greater(counts.field("counts"), 1))
        raise ValueError(f"{name} is repeated for {len(twice)} objects, first {str(twice[0]['values'])!r}")
