"""How far a classifier can be believed as light curves grow: reliability of every node, and answers along the tree."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from telperion.calibration_scores import Trust, are_right, mix_of, trust_in
from telperion.classifier import Classifier
from telperion.encode.view import Context, View, days_known, held_context
from telperion.encode.view import view as cut
from telperion.examination.course import THRESHOLD, Wait, mark
from telperion.lightcurves import LightCurves

_LEAST = 1e-12  # share of a class in a mix that probabilities are moved from


@dataclass(frozen=True, eq=False)
class Trusted:
    """How far a classifier was to be believed in one view.

    Parameters
    ----------
    view : {"full", "alert"}
    level : float or None
        What its promised nodes promise; None where it promises nothing in this view.
    phases : list of Trust
        A phase each. Reliability is that of probabilities moved to the class mix of the objects; answers are those
        that the classifier gives, which knows nothing of that mix.
    days : array, shape ``(n_days,)``, d
        Days since the first detection at which answers were followed.
    promised_always, plain_always : float
        Share of the objects of which the promised node, and that with a probability above the threshold, is right at
        all of these days; the former None where nothing is promised.
    waits : mapping of str to Wait
        By true leaf: how long until it is the promised node, and whether another leaf ever is; empty where nothing is
        promised.
    """

    view: View
    level: float | None
    phases: list[Trust]
    days: NDArray[np.float64]
    promised_always: float | None
    plain_always: float
    waits: Mapping[str, Wait]


class TrustFollower:
    """Gathers what is `Trusted` day by day, from probabilities that somebody else asked for.

    Parameters
    ----------
    classifier : Classifier
    light_curves : LightCurves
        With the context that the classifier was told.
    labels : array of int, shape ``(n_objects,)``
        Node positions; objects of which it is -1 are left out.
    view : {"full", "alert"}
    context : {"specz", "photoz", "none"}
        What was kept of the context.

    Examples
    --------
    >>> import telperion
    >>> from telperion.simulate.drawn import draw
    >>> classifier, curves = telperion.load("plasticc-gru"), draw(n_per_class=2, seed=1)
    >>> labels = classifier.tree.labels(curves.label)
    >>> follower = TrustFollower(classifier, curves, labels, "alert", "specz")
    >>> follower.add(8.0, classifier.predict(curves, days=8.0), scored=True)
    >>> found = follower.trusted()
    >>> found.plain_always == found.phases[0].plain.coverage
    True
    """

    def __init__(
        self, classifier: Classifier, light_curves: LightCurves, labels: NDArray[np.int64], view: View, context: Context
    ) -> None:
        self._classifier, self._view, self._context = classifier, view, context
        self._known = labels >= 0
        self._curves, self._labels = light_curves[self._known], labels[self._known]
        self._mix, self._held = mix_of(self._labels, classifier.tree), held_context(self._curves)
        promise = classifier.promise if view == classifier.view else None
        self._level = None if promise is None else promise.usual
        self._phases: list[Trust] = []
        self._days: list[float] = []
        self._right = np.ones((2, self._labels.size), dtype=bool)  # promised, plain
        self._named, self._misnamed = np.full((2, self._labels.size), np.inf)  # days, by a leaf that was promised

    def add(self, day: float, probabilities: NDArray[np.floating], *, scored: bool) -> None:
        """Take what the classifier says, shape ``(n_objects, n_nodes)``, at a day; at some of them it is scored."""
        classifier, tree, said = self._classifier, self._classifier.tree, probabilities[self._known]
        days, promised = days_known(cut(self._curves, day, self._view)), None
        plain = tree.confident(said, THRESHOLD)
        if self._level is not None:
            promised = classifier.promised(said, days, self._held, level=self._level)
        if day >= 0 and np.isfinite(day):
            self._days.append(float(day))
            for row, nodes in enumerate((promised, plain)):
                self._right[row] &= True if nodes is None else are_right(nodes, self._labels, tree)
            if promised is not None:
                named = promised == self._labels
                mark(self._named, named, day)
                mark(self._misnamed, np.isin(promised, tree.leaves) & ~named, day)
        if scored:
            before = self._uncalibrated(said, days)
            trust = trust_in(
                self._context, float(day), self._labels, tree,
                before=None if before is None else self._moved(before, classifier.model.mix),
                after=self._moved(said, classifier.mix), promised=promised, plain=plain,
            )  # fmt: skip
            self._phases.append(trust)

    def trusted(self) -> Trusted:
        """Give what was gathered."""
        promised, plain = self._right.mean(axis=1).tolist()
        always = None if self._level is None else promised
        return Trusted(self._view, self._level, self._phases, np.array(self._days), always, plain, self._waits())

    def _waits(self) -> dict[str, Wait]:
        tree = self._classifier.tree
        found = {} if self._level is None else {leaf: self._labels == leaf for leaf in tree.leaves}
        return {
            tree.nodes[leaf]: Wait.over(self._named[own], self._misnamed[own])
            for leaf, own in found.items()
            if own.any()
        }

    def _uncalibrated(self, said: NDArray[np.floating], days: NDArray[np.float64]) -> NDArray[np.floating] | None:
        """Give what the classifier would say without its calibration."""
        calibration = self._classifier.calibration
        if calibration is None:
            return None
        seen, model = np.isfinite(days), self._classifier.model
        result = self._classifier.tree.from_leaves(model.mix[None].astype(np.float32)).repeat(len(said), axis=0)
        result[seen] = calibration.undo(said[seen], days[seen])
        return result

    def _moved(self, said: NDArray[np.floating], mix: NDArray[np.float64]) -> NDArray[np.floating]:
        return self._classifier.tree.reweight(said, np.maximum(mix, _LEAST), self._mix)
