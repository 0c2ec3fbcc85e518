"""`SkyMessages`: a batch of answers and the light curves that they stand on, as one message for a sky."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from telperion.bands import NJY
from telperion.followup import LEAST, LONGEST, OVERHEAD, exposure, followed, information
from telperion.lightcurves import LightCurves
from telperion.serve.answers import Answers, Provenance
from telperion.serve.sky_rows import ROW, UNKNOWN
from telperion.serve.sky_tables import level_columns, path_chances
from telperion.taxonomy import Taxonomy


class SkyMessages:
    """Gives answers with their light curves as messages for `telperion.serve.sky_sink.SkySink`.

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
        said = self.provenance
        about = {"classifier": said.classifier, "version": said.version, "level": f"{said.level:g}"}
        about |= {"tree": json.dumps(said.tree.to_dict()), "told": json.dumps(list(curves.context))}
        columns = self._said(answers) | _seen(curves)
        columns["score"] = first_score(answers.probabilities, columns["magnitude"], said.tree)
        table = pa.table({name: pa.array(values) for name, values in columns.items()}, metadata=about)
        sink = pa.BufferOutputStream()
        with pa.ipc.new_stream(sink, table.schema) as writer:
            writer.write_table(table)
        return [sink.getvalue().to_pybytes()]

    def _said(self, answers: Answers) -> dict[str, Any]:
        tree = self.provenance.tree
        path = path_chances(answers.probabilities, answers.leaf, tree)
        return {
            "alert_id": answers.alert_id, "source_id": answers.source_id, "object_id": answers.object_id,
            "alert_time": np.where(np.isnan(answers.alert_time), UNKNOWN, answers.alert_time),
            "days": pa.array(answers.days, from_pandas=True), "n_rows": answers.n_rows, "leaf": answers.leaf,
            "confident": answers.confident, "context": answers.context, "truncated": answers.history_truncated,
            "received": answers.received, "published": answers.published, "rarity": self._rarity[answers.leaf],
            **dict(zip(["surest", *level_columns(tree)], path.T.copy(), strict=True)),
            "probabilities": _pieces(answers.probabilities.astype("<f4")),
        }  # fmt: skip


def first_score(
    probabilities: NDArray[np.floating], magnitude: NDArray[np.float64], tree: Taxonomy
) -> NDArray[np.float64]:
    """Give what a spectrum would tell for the time that it takes, as far as an alert alone says.

    The information on transients in bits, all other classes as one, for an hour of exposure and overhead on the usual
    telescope of `telperion.followup`, at the zenith; where the exposure is longer than what is the longest, as if the
    chance of success were the least. How bright an object will be, and how high it stands, does not count: that is what
    `telperion.tonight` adds.

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
    hours = exposure(np.clip(magnitude, 0, 30))
    success = np.where(hours > LONGEST, LEAST, 1.0)
    return np.nan_to_num(information(probabilities, tree, followed(tree)) * success / (hours + OVERHEAD / 60))


def _seen(curves: LightCurves) -> dict[str, Any]:
    """Give what light curves say: rows and context as bytes, and what lists show of them."""
    unknown, magnitude, band = np.full(len(curves), np.nan), np.full(len(curves), np.nan), np.full(len(curves), -1)
    bright = np.flatnonzero(curves.detected & (curves.flux > 0))
    owner = curves.object_index[bright]
    magnitude[owner] = NJY - 2.5 * np.log10(curves.flux[bright].astype(np.float64))  # the last one stays
    band[owner] = curves.band[bright]
    rows = np.empty(curves.n_rows, dtype=ROW)
    for name in ROW.names or ():
        rows[name] = getattr(curves, name)
    since, filled = np.full(len(curves), np.inf), curves.lengths > 0
    since[filled] = curves.time[curves.offsets[:-1][filled]]
    told = np.stack([*curves.context.values(), unknown], axis=1)[:, :-1]
    return {
        "ra": pa.array(curves.context.get("ra", unknown), from_pandas=True),
        "decl": pa.array(curves.context.get("decl", unknown), from_pandas=True),
        "magnitude": magnitude, "band": pa.array(band, mask=band < 0), "since": since,
        "known": _pieces(told.astype("<f8")), "rows": _pieces(rows, curves.offsets),
    }  # fmt: skip


def _pieces(values: NDArray, offsets: NDArray[np.int64] | None = None) -> pa.Array:
    """Cut an array into bytes, one piece for each of its rows, or for those between offsets."""
    if offsets is None:
        offsets = np.arange(len(values) + 1) * (values.shape[1] if values.ndim > 1 else 1)
    ends = offsets.astype(np.int64) * values.dtype.itemsize
    data = np.ascontiguousarray(values).tobytes()
    return pa.LargeBinaryArray.from_buffers(
        pa.large_binary(), ends.size - 1, [None, pa.py_buffer(ends.tobytes()), pa.py_buffer(data)]
    )
