"""`Shown`: one object as its page shows it, wherever it comes from: a sky, or somebody's file."""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray

from telperion.bands import BANDS, NJY
from telperion.lightcurves import LightCurves
from telperion.taxonomy import Taxonomy

LEADING = 6
"""Classes that the track shows at most."""

NOTABLE = 0.2
"""A class that was ever as probable as this is shown, too, as far as there is room."""


@dataclass(frozen=True, eq=False)
class Track:
    """What was said of one object as its light curve grew, in order of time.

    Parameters
    ----------
    time : array, shape ``(n_answers,)``, MJD
        Of the observation that each answer followed.
    days : array, shape ``(n_answers,)``, d
        After the first detection.
    n_rows : array of int, shape ``(n_answers,)``
        Rows that were known.
    probabilities : array of float32, shape ``(n_answers, n_nodes)``
    leaf, confident : array of int, shape ``(n_answers,)``
        The class decided for and the deepest node that is promised, as positions in the tree.
    """

    time: NDArray[np.float64]
    days: NDArray[np.float64]
    n_rows: NDArray[np.int64]
    probabilities: NDArray[np.float32]
    leaf: NDArray[np.int64]
    confident: NDArray[np.int64]

    def __len__(self) -> int:
        return int(self.time.size)

    def __getitem__(self, which: slice) -> Track:
        """Choose answers."""
        return Track(*(getattr(self, item.name)[which] for item in fields(self)))


@dataclass(frozen=True, eq=False)
class Shown:
    """One object, with all that was said of it.

    Parameters
    ----------
    curves : LightCurves
        Of this one object.
    track : Track
        Empty where nothing can be said.
    tree : Taxonomy
    classifier, version : str
        Who said it.
    level : float
        Share of answers for which what is promised is right; NaN of a classifier that promises nothing.
    context_kind : str
        specz, photoz or none; "" unknown.
    """

    curves: LightCurves
    track: Track
    tree: Taxonomy
    classifier: str
    version: str
    level: float
    context_kind: str = ""

    @property
    def object_id(self) -> str:
        """The object's name, as its survey or file has it."""
        return str(self.curves.object_id[0])

    @property
    def zero(self) -> float:
        """The time that days are counted from, MJD: the first detection, or the first row, or 0 without one."""
        first = float(self.curves.first_detection[0])
        if np.isfinite(first):
            return first
        return float(self.curves.time[0]) if self.curves.n_rows else 0.0

    @property
    def magnitude(self) -> tuple[float, str]:
        """The AB magnitude of the latest detection with a flux above zero, and its band; NaN and "" without one."""
        rows = np.flatnonzero(self.curves.detected & (self.curves.flux > 0))
        if not rows.size:
            return float("nan"), ""
        return float(magnitudes(self.curves.flux[rows[-1:]])[0]), BANDS[self.curves.band[rows[-1]]]

    @property
    def leading(self) -> NDArray[np.int64]:
        """The leaves that the track is about: the likeliest now, then those that once were, at most `LEADING`."""
        if not len(self.track):
            return np.zeros(0, dtype=np.int64)
        leaves = self.tree.leaves
        now, ever = self.track.probabilities[-1, leaves], self.track.probabilities[:, leaves].max(axis=0)
        order = np.lexsort((-ever, -now))
        first, rest = order[:2], order[2:]
        rest = rest[np.argsort(-ever[rest], kind="stable")]
        chosen = np.concatenate([first, rest[ever[rest] >= NOTABLE]])[:LEADING]
        return leaves[chosen[np.argsort(-now[chosen], kind="stable")]]


def magnitudes(flux: NDArray[np.floating]) -> NDArray[np.float64]:
    """Turn fluxes, nJy, into AB magnitudes; NaN where a flux is not above zero.

    Examples
    --------
    >>> magnitudes(np.array([3630.78, -1.0])).round(2)
    array([22.5,  nan])
    """
    good = np.where(flux > 0, flux, 1).astype(np.float64)
    return np.where(flux > 0, NJY - 2.5 * np.log10(good), np.nan)
