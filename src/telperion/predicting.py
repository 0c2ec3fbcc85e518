"""`Predicting`: what a model says of light curves, whole or going on from a state, once it is calibrated."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from telperion import models
from telperion.aliens.strangeness import Aliens
from telperion.calibrate import Calibration
from telperion.encode.view import View, days_known, held_context
from telperion.encode.view import view as cut
from telperion.lightcurves import LightCurves
from telperion.taxonomy import Taxonomy


class Predicting:
    """The half of `telperion.classifier.Classifier` that asks its model, and decides nothing.

    Attributes
    ----------
    model : Model
    kind : str
    view : {"full", "alert"}
    calibration : Calibration, optional
    aliens : Aliens, optional
        As the classifier says.
    """

    model: models.Model
    kind: str
    view: View
    calibration: Calibration | None
    aliens: Aliens | None

    @property
    def tree(self) -> Taxonomy:
        """The class tree."""
        return self.model.tree

    @property
    def mix(self) -> NDArray[np.float64]:
        """The class mix that the probabilities assume, shape ``(n_leaves,)`` in the order of ``tree.leaves``."""
        return self.model.mix if self.calibration is None else self.calibration.mix

    @property
    def steppable(self) -> bool:
        """Whether `start` and `step` work."""
        return self.model.steppable

    def predict(
        self,
        light_curves: LightCurves,
        *,
        days: ArrayLike = np.inf,
        view: View | None = None,
        prior: ArrayLike | None = None,
    ) -> NDArray[np.float32]:
        """Give the probability of every node.

        Parameters
        ----------
        light_curves : LightCurves
        days : float or array, shape ``(n_objects,)``
            Days after the first detection up to which observations count.
        view : {"full", "alert"}, optional
            By default the view that the model was trained on.
        prior : array, shape ``(n_leaves,)``, optional
            The class mix among which the objects stand, where it differs from `mix`.

        Returns
        -------
        array of float32, shape ``(n_objects, n_nodes)``
            In the order of ``tree.nodes``; the root is 1 and siblings sum to their parent. An object of which no row
            is known at that time gets the class mix itself.
        """
        probabilities, _ = self._ask(cut(light_curves, days, view or self.view))
        return probabilities if prior is None else self._reweight(probabilities, prior)

    def start(self, n_objects: int) -> Any:
        """Give the state of objects of which nothing is seen yet, for `step`.

        Raises
        ------
        TypeError
            The model is not steppable.
        """
        return self._steppable().start(n_objects)

    def step(
        self, state: Any, light_curves: LightCurves, *, prior: ArrayLike | None = None
    ) -> tuple[NDArray[np.float32], Any]:
        """Go on from a state by each object's new rows.

        Parameters
        ----------
        state
            What `start` or the last `step` gave.
        light_curves : LightCurves
            The new rows of the same objects in the same order (none is fine), with the same context as ever.

        Returns
        -------
        array of float32, shape ``(n_objects, n_nodes)``
            The same as `predict` gives for all rows so far in the full view. The preset `oracle` alone reads no more
            than the last 500 rows of a call: beyond these, `predict` has forgotten what the state has not.
        state
        """
        probabilities, state = self._steppable().step(state, light_curves)
        probabilities = self._calibrate(probabilities, state.days)
        return (probabilities if prior is None else self._reweight(probabilities, prior)), state

    def advance(self, state: Any, light_curves: LightCurves) -> Any:
        """Go on as `step` does, and give the state alone."""
        return self._steppable().step(state, light_curves)[1]

    def strangeness(
        self, light_curves: LightCurves, *, days: ArrayLike = np.inf, view: View | None = None
    ) -> NDArray[np.float64]:
        """Give the share of known objects of that phase that look less strange (docs/aliens.md).

        Parameters
        ----------
        light_curves, days, view
            As in `predict`; how strange known objects are is known in the classifier's own view alone.

        Returns
        -------
        array, shape ``(n_objects,)``
            0 to 1, evenly spread for objects of the classes known; NaN for objects without rows at that time.

        Raises
        ------
        TypeError
            The classifier knows of no aliens.
        """
        return self._ask(cut(light_curves, days, view or self.view), strange=True)[1]

    def _ask(self, known: LightCurves, *, strange: bool = False) -> tuple[NDArray[np.float32], NDArray[np.float64]]:
        """Give the probabilities of all that is known, and the strangeness; NaN where that is not asked for."""
        if strange and self.aliens is None:
            raise TypeError("this classifier does not know what is strange: telperion aliens makes one that does")
        seen = known.lengths > 0
        probabilities = np.repeat(self.tree.from_leaves(self.mix[None, :]).astype(np.float32), len(known), axis=0)
        strangeness = np.full(len(known), np.nan)
        if seen.any():
            part = known if seen.all() else known[seen]
            if strange and self.aliens is not None:
                found, state = self._steppable().step(self.start(len(part)), part)
                last, days = state.hidden[:, -1], state.days
                strangeness[seen] = self.aliens.score(last, days, part.lengths, held_context(part))
            else:
                found = self.model.predict(part)
            probabilities[seen] = self._calibrate(found, days_known(part))
        return probabilities, strangeness

    def _steppable(self) -> models.SteppableModel:
        if not isinstance(self.model, models.SteppableModel) or not self.steppable:
            raise TypeError(f"a model of kind {self.kind!r} reads whole light curves: it cannot go on from a state")
        return self.model

    def _calibrate(self, probabilities: NDArray[np.float32], days: NDArray[np.float64]) -> NDArray[np.float32]:
        return probabilities if self.calibration is None else self.calibration.apply(probabilities, days)

    def _reweight(self, probabilities: NDArray[np.float32], prior: ArrayLike) -> NDArray[np.float32]:
        return self.tree.reweight(probabilities, self.mix, prior).astype(np.float32)
