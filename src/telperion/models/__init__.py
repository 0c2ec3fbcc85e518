"""The models, one a file, none knowing another; what they share is this contract."""

from importlib import import_module
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from telperion.lightcurves import LightCurves
from telperion.taxonomy import Taxonomy

HOMES = {kind: f"telperion.models.{kind}" for kind in ("bands", "boost", "gru", "portrait", "rocket", "stack")}
"""Where each kind of model lives; its module has ``load(folder, tree)``."""


class Model(Protocol):
    """What turns light curves, cut to what is known of them, into node probabilities.

    Attributes
    ----------
    tree : Taxonomy
    steppable : bool
        Whether it can go on from a stored state, observation by observation (see `SteppableModel`).
    mix : array, shape ``(n_leaves,)``
        The class mix that the probabilities assume.
    """

    tree: Taxonomy
    steppable: bool
    mix: NDArray[np.float64]

    def predict(self, light_curves: LightCurves) -> NDArray[np.float32]:
        """Give the probability of every node, shape ``(n_objects, n_nodes)``: root 1, children sum to their parent."""
        ...

    def save(self, folder: Path) -> None:
        """Write the model as plain files, which ``load(folder, tree)`` of its module reads back."""
        ...


class State(Protocol):
    """What a steppable model remembers of objects.

    Attributes
    ----------
    days : array of float64, shape ``(n_objects,)``, d
        After the first detection, up to which it is known: `telperion.encode.view.days_known` of all rows so far.
    """

    @property
    def days(self) -> NDArray[np.float64]:
        """Days after the first detection up to which each object is known."""
        ...


@runtime_checkable
class SteppableModel(Model, Protocol):
    """A model whose prediction after k rows needs only the state after k - 1 and the k-th row."""

    def start(self, n_objects: int) -> Any:
        """Give the `State` of objects of which nothing is seen yet."""
        ...

    def step(self, state: Any, light_curves: LightCurves) -> tuple[NDArray[np.float32], Any]:
        """Go on by each object's new rows; give the probabilities after them and the new state."""
        ...


def load(kind: str, folder: Path, tree: Taxonomy) -> Model:
    """Load a saved model of the given kind.

    Raises
    ------
    ValueError
        The kind is unknown.
    """
    if kind not in HOMES:
        raise ValueError(f"unknown kind of model {kind!r}; known: {', '.join(HOMES)}")
    model: Model = import_module(HOMES[kind]).load(folder, tree)
    return model
