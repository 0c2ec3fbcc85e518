"""`KnownObjects`: some labelled objects of each class, as the network sees them at several moments, to be looked up.

A mean and a spread say how far a class is; they show nothing. These objects do: the nearest of them in the latent space
of `telperion.aliens.distance`, with their light curves, are what somebody would hold a new object against.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike, NDArray

from telperion.aliens.distance import Distance
from telperion.aliens.files import opened, write_arrays
from telperion.lightcurves import LightCurves

FORMAT = 1
FILE = "known.npz"
MAX_BYTES = 8_000_000

MOMENTS = (0.0, 2.0, 8.0, 32.0, 128.0, 512.0)
"""Days after the first detection at which known objects are looked at."""

DIRECTIONS = 24
"""Directions of the latent space along which they are compared, the widest first: with more, neighbours are of an
object's own class less often (docs/aliens.md)."""

ROWS = 96
"""Rows of each light curve that are kept: detections first, evenly over them in time."""


@dataclass(frozen=True, eq=False)
class KnownObjects:
    """Labelled objects and what the network makes of them.

    Parameters
    ----------
    curves : LightCurves
        Their light curves, thinned, each with a label; days since the first detection stand for times, and context
        holds ``redshift`` where it is known.
    contexts : tuple of str
        Kinds of context in which each was looked at.
    moments : array, shape ``(n_moments,)``, d
        After the first detection, at which each was looked at; rising.
    turned : array of float16, shape ``(n_contexts, n_moments, n_objects, n_kept)``
        Their states, turned as `Distance` does at each moment's phase, along its first directions; NaN where nothing
        was known.

    Raises
    ------
    ValueError
        A shape is wrong, an object has no label, or moments do not rise.
    """

    curves: LightCurves
    contexts: tuple[str, ...]
    moments: NDArray[np.float64]
    turned: NDArray[np.float16]

    def __post_init__(self) -> None:
        shape = (len(self.contexts), self.moments.size, len(self.curves))
        if self.turned.ndim != 4 or self.turned.shape[:3] != shape or not min(shape):
            raise ValueError(f"states of known objects have shape {self.turned.shape}, expected {shape} and directions")
        if not (np.diff(self.moments) > 0).all() or len(set(self.contexts)) < len(self.contexts):
            raise ValueError("moments must rise, and contexts differ")
        if (nameless := np.flatnonzero(self.curves.label == "")).size:
            name = self.curves.object_id[nameless[0]]
            raise ValueError(f"{nameless.size} known objects have no label, first {name!r}")

    def nearest(
        self, distance: Distance, hidden: ArrayLike, day: float, context: str, most: int = 6
    ) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
        """Find the known objects that look most like one object, at the moment nearest to its phase.

        Parameters
        ----------
        distance : Distance
            With which these objects' states were turned.
        hidden : array, shape ``(n_hidden,)``
            The object's state.
        day : float, d
            After its first detection, up to which it is known.
        context : str
            The kind of context that it has; of a kind in which nothing was looked at, the first there is.
        most : int

        Returns
        -------
        array of int
            Positions in `curves`, nearest first; fewer than `most` where fewer were known by then.
        array, same shape
            Distances: root mean square over the directions, in units of the scatter that all classes share.
        """
        state = distance.check(np.asarray(hidden)[None])
        moment = int(np.argmin(np.abs(np.log1p(self.moments) - np.log1p(max(day, 0.0)))))
        kind = self.contexts.index(context) if context in self.contexts else 0
        turned = distance.turned(state, self.moments[moment])[:, : self.turned.shape[3]]
        away = self.turned[kind, moment].astype(np.float32) - turned
        far = np.sqrt(np.square(away).mean(axis=1)).astype(np.float64)
        order = np.argsort(far, kind="stable")[:most]  # NaN last
        order = order[np.isfinite(far[order])]
        return order, far[order]

    def save(self, folder: str | Path) -> None:
        """Write ``known.npz`` into a folder."""
        curves = self.curves
        arrays = {
            "format": np.array([FORMAT]),
            "contexts": np.array(self.contexts),
            "moments": self.moments,
            "turned": self.turned,
            "object_id": curves.object_id,
            "label": curves.label,
            "redshift": curves.context.get("redshift", np.full(len(curves), np.nan)),
            "offsets": curves.offsets,
            "time": curves.time.astype(np.float32),
            "band": curves.band,
            "flux": curves.flux,
            "flux_err": curves.flux_err,
            "detected": curves.detected.astype(np.int8),
        }
        write_arrays(Path(folder) / FILE, arrays)

    @classmethod
    def load(cls, folder: str | Path) -> KnownObjects:
        """Read what `save` wrote.

        Raises
        ------
        ValueError
            The file is missing, too large, not ours or of another format, or what it holds does not fit together.
        """
        with opened(Path(folder) / FILE, MAX_BYTES, FORMAT, "known objects") as found:
            curves = LightCurves(
                found["object_id"], found["offsets"], found["time"], found["band"], found["flux"], found["flux_err"],
                found["detected"].astype(np.bool_), context={"redshift": found["redshift"]}, label=found["label"],
            )  # fmt: skip
            contexts = tuple(str(name) for name in found["contexts"])
            return cls(curves, contexts, found["moments"], found["turned"])


def thinned(curves: LightCurves, most: int = ROWS) -> LightCurves:
    """Keep at most so many rows of each object: detections first, evenly over them in order, then what else there is.

    Parameters
    ----------
    curves : LightCurves
    most : int

    Returns
    -------
    LightCurves
        With days since the first detection for times, which objects without a detection count from their first row.
    """
    keep = np.zeros(curves.n_rows, dtype=bool)
    since = curves.time.copy()
    for start, stop in zip(curves.offsets[:-1], curves.offsets[1:], strict=True):
        seen = np.flatnonzero(curves.detected[start:stop])
        since[start:stop] -= curves.time[start + (seen[0] if seen.size else 0)] if stop > start else 0
        rest = np.flatnonzero(~curves.detected[start:stop])
        for some, room in ((seen, most), (rest, most - min(seen.size, most))):
            keep[start + _spread(some, room)] = True
    moved = LightCurves(
        curves.object_id, curves.offsets, since.astype(np.float32), curves.band, curves.flux, curves.flux_err,
        curves.detected, context=curves.context, label=curves.label, dereddened=curves.dereddened,
    )  # fmt: skip
    return moved.select_rows(keep)


def _spread(places: NDArray[np.int64], room: int) -> NDArray[np.int64]:
    if places.size <= room:
        return places
    return places[np.linspace(0, places.size - 1, room).round().astype(np.int64)]
