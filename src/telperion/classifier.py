"""`Classifier`: a model with its tree and its decision rule; what is trained, saved, evaluated and served."""

from __future__ import annotations

import hashlib
import json
import platform
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import tomli_w
from numpy.typing import ArrayLike, NDArray

from telperion import models
from telperion.encode.view import View
from telperion.encode.view import view as cut
from telperion.lightcurves import LightCurves
from telperion.models.card import SHIPPED
from telperion.taxonomy import Taxonomy

FORMAT = 1
MAX_BYTES = 256 * 2**20
"""A file of a model folder may not be larger: it is read whole."""


class ModelFolderError(ValueError):
    """A model folder has a missing, altered or foreign file, or is not one at all."""


@dataclass(frozen=True, eq=False)
class Classifier:
    """A trained model, its tree and its decision rule.

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

    @property
    def tree(self) -> Taxonomy:
        """The class tree."""
        return self.model.tree

    @property
    def mix(self) -> NDArray[np.float64]:
        """The class mix that the probabilities assume, shape ``(n_leaves,)`` in the order of ``tree.leaves``."""
        return self.model.mix

    @property
    def steppable(self) -> bool:
        """Whether `start` and `step` work."""
        return self.model.steppable

    # -- predicting ----------------------------------------------------------------------------------------------

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
        known = cut(light_curves, days, view or self.view)
        seen = known.lengths > 0
        if len(known) and seen.all():
            result = self.model.predict(known)
        else:
            result = np.repeat(self.tree.from_leaves(self.mix[None, :]).astype(np.float32), len(known), axis=0)
            if seen.any():
                result[seen] = self.model.predict(known[seen])
        return result if prior is None else self._reweight(result, prior)

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
            The same as `predict` gives for all rows so far in the full view.
        state
        """
        probabilities, state = self._steppable().step(state, light_curves)
        return (probabilities if prior is None else self._reweight(probabilities, prior)), state

    def _steppable(self) -> models.SteppableModel:
        if not isinstance(self.model, models.SteppableModel) or not self.steppable:
            raise TypeError(f"a model of kind {self.kind!r} reads whole light curves: it cannot go on from a state")
        return self.model

    def _reweight(self, probabilities: NDArray[np.float32], prior: ArrayLike) -> NDArray[np.float32]:
        return self.tree.reweight(probabilities, self.mix, prior).astype(np.float32)

    def decide(self, probabilities: NDArray[np.floating], *, prior: ArrayLike | None = None) -> NDArray[np.int64]:
        """Decide for a leaf: the largest ``probability / mix ** power`` (see `power`), shape ``(n,)``, node positions.

        `prior` is the class mix that the probabilities assume, where it is not `mix`.
        """
        mix = self.mix if prior is None else self.tree.mix(prior)
        return decide(probabilities, self.tree, mix, self.power)

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
    ) -> pa.Table:
        """Classify along the tree at several days after first detection.

        Returns
        -------
        pyarrow.Table
            A row an object and day, objects in their order, days inside: ``object_id``, ``days``, ``n_obs`` (rows that
            were known by then), one float32 column a node under its tree name, ``leaf`` (see `decide`) and
            ``confident_node``, the deepest node with a probability above `threshold`; of a classifier with a target
            also ``called`` (see `calls`), without regard to `prior`.
        """
        names = np.array(self.tree.nodes)
        parts = []
        for day in days:
            known = cut(light_curves, day, view or self.view)
            probabilities = self.predict(known, view="full", prior=prior)
            columns: dict[str, ArrayLike] = {
                "object_id": known.object_id,
                "days": np.full(len(known), day, dtype=np.float64),
                "n_obs": known.lengths,
            }
            columns |= {name: probabilities[:, node] for node, name in enumerate(self.tree.nodes)}
            columns["leaf"] = names[self.decide(probabilities, prior=prior)]
            columns["confident_node"] = names[self.tree.confident(probabilities, threshold)]
            if self.target:
                columns["called"] = self.calls(probabilities if prior is None else self.predict(known, view="full"))
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
        folder = Path(folder)
        if folder.exists() and any(folder.iterdir()):
            raise FileExistsError(f"{folder} exists and is not empty")
        (folder / "model").mkdir(parents=True, exist_ok=True)
        self.model.save(folder / "model")
        (folder / "tree.toml").write_text(tomli_w.dumps(self.tree.to_dict()), encoding="utf-8")
        (folder / "run.toml").write_text(tomli_w.dumps(dict(self.run)), encoding="utf-8")
        document = {
            "format": FORMAT,
            "kind": self.kind,
            "steppable": self.steppable,
            "view": self.view,
            "power": self.power,
            "target": self.target,
            "threshold": self.threshold,
            "mix": dict(zip((self.tree.nodes[leaf] for leaf in self.tree.leaves), self.mix.tolist(), strict=True)),
            "card": dict(self.card),
            "versions": _versions(),
            "files": {name: _digest(folder / name) for name in _files(folder)},
        }
        text = json.dumps(document, indent=2, allow_nan=False, ensure_ascii=False)
        (folder / "classifier.json").write_text(text + "\n", encoding="utf-8")

    @classmethod
    def load(cls, folder: str | Path) -> Classifier:
        """Read a saved classifier, every file checked against its hash first.

        Raises
        ------
        ModelFolderError
            The folder is not a classifier's, or a file is missing, altered, foreign or too large.
        """
        folder = Path(folder)
        document = _checked(folder)
        tree = Taxonomy.from_dict(tomllib.loads((folder / "tree.toml").read_text(encoding="utf-8")))
        try:
            model = models.load(document["kind"], folder / "model", tree)
            if list(document["mix"]) != [tree.nodes[leaf] for leaf in tree.leaves]:
                raise ModelFolderError(f"{folder}: the class mix is not that of the tree's leaves")
            run = tomllib.loads((folder / "run.toml").read_text(encoding="utf-8"))
            about = {"target": document.get("target", ""), "threshold": document.get("threshold", 1.0)}
            return cls(model, document["kind"], document["view"], document["power"], run, document["card"], **about)
        except KeyError as missing:
            raise ModelFolderError(f"{folder}/classifier.json lacks {missing}") from missing


def load(name: str | Path) -> Classifier:
    """Load a shipped classifier by its name, or any by its folder.

    Examples
    --------
    >>> load("plasticc-gru").tree.name
    'plasticc'
    """
    shipped = SHIPPED / str(name)
    if not Path(name).is_dir() and not shipped.is_dir():
        known = ", ".join(shipped_names()) or "none"
        raise FileNotFoundError(f"no classifier {str(name)!r}: give a folder, or one of those shipped: {known}")
    return Classifier.load(shipped if shipped.is_dir() else name)


def shipped_names() -> list[str]:
    """Name the classifiers that come with the package."""
    return sorted(path.parent.name for path in SHIPPED.glob("*/classifier.json"))


def decide(
    probabilities: NDArray[np.floating], tree: Taxonomy, mix: NDArray[np.floating], power: float
) -> NDArray[np.int64]:
    """Decide for a leaf by the largest ``probability / mix ** power``; node positions, shape ``(n,)``."""
    weight = np.where(mix > 0, mix, 1.0) ** -power
    return tree.leaves[np.argmax(probabilities[:, tree.leaves] * weight, axis=1)]


def _versions() -> dict[str, str]:
    versions = {"python": platform.python_version()}
    for package in ("telperion", "numpy", "onnxruntime", "torch", "lightgbm"):
        try:
            versions[package] = version(package)
        except PackageNotFoundError:
            continue
    return versions


def _files(folder: Path) -> list[str]:
    found = (path for path in folder.rglob("*") if path.is_file() or path.is_symlink())
    return sorted(path.relative_to(folder).as_posix() for path in found if path.name != "classifier.json")


def _digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _checked(folder: Path) -> dict[str, Any]:
    """Read ``classifier.json`` and hold the folder against it."""
    card = folder / "classifier.json"
    if not card.is_file():
        raise ModelFolderError(f"{folder} is no classifier: it has no classifier.json")
    for path in (card, *(folder / name for name in _files(folder))):
        if path.is_symlink() or path.stat().st_size > MAX_BYTES:
            raise ModelFolderError(f"{path} is a link or larger than {MAX_BYTES} bytes")
    try:
        document = json.loads(card.read_text(encoding="utf-8"))
        listed: dict[str, str] = dict(document["files"])
    except (ValueError, KeyError, TypeError) as error:
        raise ModelFolderError(f"{card} is not a classifier's: {error}") from error
    if document.get("format") != FORMAT:
        raise ModelFolderError(f"{card} has format {document.get('format')!r}, this version reads {FORMAT}")
    present = set(_files(folder))
    if missing := sorted(set(listed) - present):
        raise ModelFolderError(f"{folder} lacks {len(missing)} files, first {missing[0]!r}")
    if foreign := sorted(present - set(listed)):
        raise ModelFolderError(f"{folder} holds {len(foreign)} foreign files, first {foreign[0]!r}")
    if altered := [name for name, digest in sorted(listed.items()) if _digest(folder / name) != digest]:
        raise ModelFolderError(f"{folder} has {len(altered)} altered files, first {altered[0]!r}")
    return document
