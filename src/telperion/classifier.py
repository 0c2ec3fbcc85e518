"""`Classifier`: a model with its tree, calibration and decision rule; what is trained, saved, evaluated and served."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import ArrayLike, NDArray

from telperion import models, saved
from telperion.aliens.strangeness import Aliens
from telperion.calibrate import Calibration
from telperion.encode.view import View, days_known, held_context
from telperion.encode.view import view as cut
from telperion.lightcurves import LightCurves
from telperion.predicting import Predicting
from telperion.promise import Promise
from telperion.saved import ModelFolderError, shipped_names
from telperion.taxonomy import Taxonomy

__all__ = ["Classifier", "ModelFolderError", "decide", "load", "shipped_names"]


@dataclass(frozen=True, eq=False)
class Classifier(Predicting):
    """A trained model, its tree, its calibration and its decision rule.

    Parameters
    ----------
    model : Model
    kind : str
        Which of `telperion.models.HOMES` the model is.
    view : {"full", "alert"}
        The view it was trained on, and takes by default.
    power : float
        A leaf is decided by the largest ``probability / mix ** power``: 0 asks for most hits, 1 for all classes alike.
        Chosen on training folds.
    run : mapping
        The run's TOML as resolved.
    card : mapping
        What is known of its quality: cross-validated figures with the command that made them.
    target : str
        The one node that it was made to find, if any.
    threshold : float
        An object is called when its probability of the target, on the class mix assumed, is above this. Chosen on
        objects that taught nothing.
    calibration : Calibration, optional
        What all probabilities go through.
    promise : Promise, optional
        How deep an answer may go at a promised level, in the classifier's own view.
    aliens : Aliens, optional
        How strange an object is among those that are known, in the classifier's own view.

    Attributes
    ----------
    fingerprint : str
        Of the folder that it was read from: tells this classifier from any other; "" if it is not saved yet.

    Raises
    ------
    ValueError
        Calibration or promise are of another tree, aliens of another network, or a classifier with a target, whose
        threshold is of probabilities as they are, is given a calibration.

    Examples
    --------
    >>> import telperion
    >>> from telperion.simulate.drawn import draw
    >>> classifier = telperion.load("plasticc-gru")
    >>> curves = draw(n_per_class=1, seed=1)
    >>> classifier.predict(curves, days=8.0).shape == (len(curves), len(classifier.tree))
    True
    """

    model: models.Model
    kind: str
    view: View = "alert"
    power: float = 0.0
    run: Mapping[str, Any] = field(default_factory=dict)
    card: Mapping[str, Any] = field(default_factory=dict)
    target: str = ""
    threshold: float = 1.0
    calibration: Calibration | None = None
    promise: Promise | None = None
    aliens: Aliens | None = None
    fingerprint: str = field(default="", init=False)

    def __post_init__(self) -> None:
        for part in (self.calibration, self.promise):
            if part is not None and part.tree != self.tree:
                raise ValueError(f"the calibration is of the tree {part.tree.name!r}, the model of {self.tree.name!r}")
        if self.calibration is not None and self.target:
            raise ValueError(f"the threshold of {self.target!r} was chosen without a calibration: it cannot have one")
        if self.aliens is not None:
            self.aliens.distance.check(self.start(0).hidden[:, -1])

    # -- deciding ------------------------------------------------------------------------------------------------

    def decide(self, probabilities: NDArray[np.floating], *, prior: ArrayLike | None = None) -> NDArray[np.int64]:
        """Decide for a leaf: the largest ``probability / mix ** power`` (see `power`), shape ``(n,)``, node positions.

        `prior` is the class mix that the probabilities assume, where it is not `mix`.
        """
        mix = self.mix if prior is None else self.tree.mix(prior)
        return decide(probabilities, self.tree, mix, self.power)

    def promised(
        self, probabilities: ArrayLike, days: ArrayLike, context: ArrayLike | None = None, *, level: float | None = None
    ) -> NDArray[np.int64]:
        """Give the deepest node that is promised: right, or above what is right, for a share `level` of objects.

        Parameters
        ----------
        probabilities : array, shape ``(n_objects, n_nodes)``
            From `predict` or `step`, in the classifier's own view.
        days : array, shape ``(n_objects,)``, d
            After the first detection, up to which each is known: what `telperion.encode.view.days_known` says, or the
            ``days`` of a state of `step`.
        context : array of str, shape ``(n_objects,)``, optional
            What `telperion.encode.view.held_context` says, where the promise tells kinds of context apart.
        level : float, optional
            One of ``promise.levels``, by default .9 or what is nearest to that.

        Returns
        -------
        array of int, shape ``(n_objects,)``
            Node positions.

        Raises
        ------
        TypeError
            The classifier promises nothing.
        ValueError
            The level is not one of those that are promised.
        """
        if self.promise is None:
            raise TypeError("this classifier promises nothing: telperion calibrate makes one that does")
        return self.promise.nodes(probabilities, days, context, level=level)

    def calls(self, probabilities: NDArray[np.floating]) -> NDArray[np.bool_]:
        """Say which objects are called members of the target, shape ``(n,)``, by what `predict` says without `prior`.

        Raises
        ------
        TypeError
            The classifier was not made to find one class.
        """
        if not self.target:
            raise TypeError("this classifier was not made to find one class: it has no target")
        return probabilities[:, self.tree.index(self.target)] > self.threshold

    def classify(
        self,
        light_curves: LightCurves,
        *,
        days: Sequence[float] = (np.inf,),
        view: View | None = None,
        prior: ArrayLike | None = None,
        threshold: float = 0.9,
        level: float | None = None,
        strangeness: bool = False,
    ) -> pa.Table:
        """Classify along the tree at several days after first detection.

        Parameters
        ----------
        light_curves : LightCurves
        days : sequence of float, d
        view : {"full", "alert"}, optional
            By default the view that the model was trained on.
        prior : array, shape ``(n_leaves,)``, optional
            As in `predict`.
        threshold : float
            For ``confident_node`` where nothing is promised.
        level : float, optional
            For ``confident_node`` where something is promised; by default as in `promised` in the classifier's own view
            and class mix, for which promises are made, and elsewhere only if it is asked for.
        strangeness : bool
            Whether there shall be a column of that name, last (see `strangeness`).

        Returns
        -------
        pyarrow.Table
            A row an object and day, objects in their order, days inside: ``object_id``, ``days``, ``n_obs`` (rows that
            were known by then), one float32 column a node under its tree name, ``leaf`` (see `decide`) and
            ``confident_node``, the deepest node that is `promised` or, where nothing is, that has a probability above
            `threshold`; of a classifier with a target also ``called`` (see `calls`), without regard to `prior`.

        Raises
        ------
        TypeError, ValueError
            A level is asked for that is not promised, or strangeness of a classifier that does not know it.
        """
        if level is None and self.promise is not None and prior is None and view in (None, self.view):
            level = self.promise.usual
        names = np.array(self.tree.nodes)
        parts = []
        for day in days:
            known = cut(light_curves, day, view or self.view)
            own, strange = self._ask(known, strange=strangeness)
            probabilities = own if prior is None else self._reweight(own, prior)
            columns: dict[str, ArrayLike] = {"object_id": known.object_id, "days": np.full(len(known), float(day))}
            columns |= {"n_obs": known.lengths} | dict(zip(self.tree.nodes, probabilities.T, strict=True))
            columns["leaf"] = names[self.decide(probabilities, prior=prior)]
            sure = self.tree.confident(probabilities, threshold)
            if level is not None:
                sure = self.promised(probabilities, days_known(known), held_context(known), level=level)
            columns["confident_node"] = names[sure]
            if self.target:
                columns["called"] = self.calls(own)
            if strangeness:
                columns["strangeness"] = strange
            parts.append(pa.table({name: pa.array(values) for name, values in columns.items()}))
        table = pa.concat_tables(parts)
        order = np.arange(len(days) * len(light_curves)).reshape(len(days), -1).T.ravel()
        return table.take(order)

    # -- saving --------------------------------------------------------------------------------------------------

    def save(self, folder: str | Path) -> None:
        """Write a folder of plain files with their hashes; nothing in it is executed when it is read.

        Raises
        ------
        FileExistsError
            The folder exists and is not empty.
        """
        about = {name: getattr(self, name) for name in ("kind", "steppable", "view", "power", "target", "threshold")}
        mix = dict(zip((self.tree.nodes[leaf] for leaf in self.tree.leaves), self.mix.tolist(), strict=True))
        parts = {"calibration": self.calibration, "promise": self.promise, "aliens": self.aliens}
        saved.write(Path(folder), self.model, self.run, parts, about | {"mix": mix, "card": dict(self.card)})

    @classmethod
    def load(cls, folder: str | Path) -> Classifier:
        """Read a saved classifier, every file checked against its hash first.

        Raises
        ------
        ModelFolderError
            The folder is not a classifier's, or a file is missing, altered, foreign or too large.
        """
        document, tree, run, parts = saved.read(Path(folder))
        try:
            model = models.load(document["kind"], Path(folder) / "model", tree)
            if list(document["mix"]) != [tree.nodes[leaf] for leaf in tree.leaves]:
                raise ModelFolderError(f"{folder}: the class mix is not that of the tree's leaves")
            parts |= {"target": document.get("target", ""), "threshold": document.get("threshold", 1.0)}
            made = cls(model, document["kind"], document["view"], document["power"], run, document["card"], **parts)
        except KeyError as missing:
            raise ModelFolderError(f"{folder}/classifier.json lacks {missing}") from missing
        object.__setattr__(made, "fingerprint", saved.fingerprint(document))
        return made


def load(name: str | Path) -> Classifier:
    """Load a shipped classifier by its name, or any by its folder.

    Examples
    --------
    >>> load("plasticc-gru").tree.name
    'plasticc'
    """
    return Classifier.load(saved.folder_of(name))


def decide(
    probabilities: NDArray[np.floating], tree: Taxonomy, mix: NDArray[np.floating], power: float
) -> NDArray[np.int64]:
    """Decide for a leaf by the largest ``probability / mix ** power``; node positions, shape ``(n,)``."""
    weight = np.where(mix > 0, mix, 1.0) ** -power
    return tree.leaves[np.argmax(probabilities[:, tree.leaves] * weight, axis=1)]
