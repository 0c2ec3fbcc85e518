"""What a peer is, and where each of them lives."""

from __future__ import annotations

import difflib
from importlib import import_module
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from telperion.encode.view import View
from telperion.lightcurves import LightCurves
from telperion.taxonomy import Taxonomy

PEERS = {
    "telperion": "benchmarks.peers.ours:Telperion",
    "oracle": "benchmarks.peers.ours:Oracle",
    "flat-gru": "benchmarks.peers.ours:FlatGru",
    "oracle-keras": "benchmarks.peers.oracle_keras:OracleKeras",
    "local-hierarchy": "benchmarks.peers.local_hierarchy:LocalHierarchy",
    "rapid": "benchmarks.peers.rapid:Rapid",
    "scone": "benchmarks.peers.scone:Scone",
    "attention": "benchmarks.peers.attention:Attention",
    "supernnova": "benchmarks.peers.supernnova:SuperNNova",
    "parsnip": "benchmarks.peers.parsnip:Parsnip",
    "parsnip-anew": "benchmarks.peers.parsnip:ParsnipAnew",
    "forest": "benchmarks.peers.forest:Forest",
}
"""The class of each peer by its name; a module is imported when its peer is asked for."""

DAYS = {"parsnip-anew"}
"""Peers whose training takes days of one core, which ``all`` does not mean."""

TRAINING = "training.json"
"""What `Peer.fit` leaves in its folder: ``epochs``, ``seconds``, ``plateau`` and ``n_parameters``."""


class Peer(Protocol):
    """An approach to classification, with the training that belongs to it.

    Attributes
    ----------
    name, what : str
        Its table row; whose approach it is, and what differs from the publication.
    view_of_training : {"full", "alert"}
        Which rows it learns from. The frame sets it before `fit` to the view that is scored.
    most_epochs : int
        After which training ends in any case. The frame sets it where ``--epochs`` is given.
    n_parameters : int
        Trained numbers; known after `fit` or `load`.
    state_bytes : int or None
        What must be kept of an object to go on by one observation, None where all its rows are read again.

    Notes
    -----
    ``view_of_training`` and ``most_epochs`` may be absent. A peer that goes on by one observation (see `Steps`) has
    ``start`` and ``step`` too.
    """

    name: str
    what: str
    view_of_training: View
    most_epochs: int
    n_parameters: int
    state_bytes: int | None

    def fit(
        self,
        train: LightCurves,
        valid: LightCurves,
        tree: Taxonomy,
        folder: Path,
        *,
        seed: int,
        context: str,
    ) -> None:
        """Learn from whole, labelled light curves, up to the plateau of the loss on `valid`.

        A fit that was stopped goes on from what it keeps in `folder`, where it leaves `TRAINING`, too.
        """
        ...

    def load(self, folder: Path, tree: Taxonomy) -> None:
        """Take up what `fit` left in a folder."""
        ...

    def predict(self, known: LightCurves) -> NDArray[np.float32]:
        """Give absolute node probabilities, shape ``(n_objects, n_nodes)``, of light curves cut to what is known."""
        ...


@runtime_checkable
class Steps(Protocol):
    """What a peer has that goes on by one observation."""

    def start(self, n_objects: int) -> Any:
        """Give the state of objects of which nothing is seen yet."""
        ...

    def step(self, state: Any, light_curves: LightCurves) -> tuple[NDArray[np.float32], Any]:
        """Go on by each object's new rows; give the probabilities after them and the new state."""
        ...


def make(name: str) -> Peer:
    """Make an untrained peer.

    Raises
    ------
    ValueError
        There is none of this name; the nearest is named.
    """
    if name not in PEERS:
        near = difflib.get_close_matches(name, PEERS, n=1)
        raise ValueError(f"no peer {name!r}" + (f", perhaps {near[0]!r}?" if near else f"; known: {', '.join(PEERS)}"))
    module, kind = PEERS[name].split(":")
    peer: Peer = getattr(import_module(module), kind)()
    return peer
