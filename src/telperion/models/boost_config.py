"""Settings of boosted trees: what they read, how they are taught and grown."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import get_args

from telperion.encode.statistics import ANY_PHASE, FAMILIES, PHYSICS
from telperion.encode.view import View
from telperion.models.boosters import Library


@dataclass(frozen=True)
class Config:
    """How the booster is trained.

    Parameters
    ----------
    view : {"full", "alert"}
        Which rows of an object it learns from (`telperion.encode.view`).
    families : tuple of str
        Families of features (`telperion.encode.statistics.FAMILIES`).
    classes : tuple of str
        Nodes that are told apart, none above another; the leaves under none of them are one class more, and leaves
        of one class share its probability as in the training set. Without any, every leaf is a class.
    truncated : bool
        Whether an object enters cut at days drawn log-uniformly and with each kind of context, or always as a whole.
    truncations : float
        How often a training object enters, on average; those of a class of N objects enter in proportion to
        ``N ** -0.5``.
    resampled : float
        Share of the entries that are resampled copies; of whole light curves every entry but the first is one.
    dimming, thinning : float
        Largest dimming of a copy, mag, and largest share of nights that it loses.
    balance : float
        Power of the class weights: 0 trains on the mix as it is, 1 as if all classes were equally common.
    eras : tuple of float
        Ages, in days from the first detection to the last row, at which other boosters take over. Those of an era learn
        from its light curves and from older ones.
    boosters : int
        Boosters of each era, drawn with different seeds and truncations, whose probabilities are averaged.
    rounds, leaves, min_rows : int
        Trees a class, leaves a tree, fewest rows of a leaf.
    learning_rate, feature_fraction, row_fraction, l2 : float
        Shrinkage; share of features a tree may use; share of rows it sees; L2 penalty on leaf values.
    extra_trees : bool
        Whether split points are drawn at random.
    library : {"lightgbm", "xgboost", "catboost"}
        What grows the trees.
    siblings : bool
        Whether objects are also held against every training object (`telperion.encode.siblings`): whole light curves of
        the MALLORN challenge only.

    Raises
    ------
    ValueError
        A value is out of its range.
    """

    view: View = "alert"
    families: tuple[str, ...] = ANY_PHASE
    classes: tuple[str, ...] = ()
    truncated: bool = True
    truncations: float = 14.0
    resampled: float = 0.67
    dimming: float = 1.0
    thinning: float = 0.4
    balance: float = 0.5
    eras: tuple[float, ...] = (10.0,)
    boosters: int = 2
    rounds: int = 250
    leaves: int = 7
    min_rows: int = 20
    learning_rate: float = 0.1
    feature_fraction: float = 0.1
    row_fraction: float = 0.5
    l2: float = 1.0
    extra_trees: bool = False
    library: Library = "lightgbm"
    siblings: bool = False

    def __post_init__(self) -> None:
        if self.view not in get_args(View):
            raise ValueError(f"view is {self.view!r}, expected one of {', '.join(get_args(View))}")
        if unknown := [name for name in self.families if name not in FAMILIES]:
            raise ValueError(f"families are unknown: {', '.join(unknown)}; known: {', '.join(FAMILIES)}")
        if not self.families or self.truncations < 1:
            raise ValueError("at least one family of features and one truncation are needed")
        if min(self.boosters, self.rounds, self.min_rows) < 1 or self.leaves < 2:
            raise ValueError("boosters, rounds and min_rows must be at least 1, leaves at least 2")
        for name in ("learning_rate", "feature_fraction", "row_fraction"):
            if not 0 < getattr(self, name) <= 1:
                raise ValueError(f"{name} is {getattr(self, name)}, expected a number above 0 and up to 1")
        for name in ("balance", "resampled", "thinning"):
            if not 0 <= getattr(self, name) <= 1:
                raise ValueError(f"{name} is {getattr(self, name)}, expected a number from 0 to 1")
        if any(not later > age for age, later in itertools.pairwise((0.0, *self.eras))):
            raise ValueError(f"eras are {self.eras}, expected ages that rise from above zero")
        if self.library not in get_args(Library):
            raise ValueError(f"library is {self.library!r}, expected one of {', '.join(get_args(Library))}")
        if min(self.l2, self.dimming) < 0:
            raise ValueError("l2 and dimming must not be negative")
        if self.siblings and self.truncated:
            raise ValueError("siblings are sought of whole light curves only: set truncated to false")


PRESETS = {
    "telperion": Config(),
    "outburst": Config(
        view="full",
        families=PHYSICS,
        truncated=False,
        truncations=4,
        dimming=0.6,
        thinning=0.3,
        eras=(),
        rounds=300,
        leaves=4,
        l2=30.0,
    ),
}
