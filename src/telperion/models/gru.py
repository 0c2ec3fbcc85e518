"""Recurrent classifier (GRU) in two presets: `oracle`, the published network, and `telperion`, our own.

This module classifies; it needs no torch. The network is one ONNX graph that goes on from a given state,
so that a light curve can be classified whole or as its observations come in. `telperion.models.gru_training` fits it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from telperion.encode import context, oracle, rhythm, sequence
from telperion.encode import history as past
from telperion.lightcurves import LightCurves
from telperion.models.card import checked_file, read_card, write_card
from telperion.models.gru_config import GruConfig
from telperion.taxonomy import Taxonomy

FORMAT_VERSION = 1
MAX_FILE_BYTES = 32_000_000
CARD, NETWORK = "gru.json", "network.onnx"
_MAX_BATCH_ROWS = 30_000
_ONNX_ERRORS = ("Fail", "InvalidArgument", "InvalidGraph", "InvalidProtobuf", "NotImplemented")
_LOAD_ERRORS = (TypeError, *(getattr(onnxruntime.capi.onnxruntime_pybind11_state, name) for name in _ONNX_ERRORS))
_MAX_BATCH_OBJECTS, _MIN_BATCH_OBJECTS = 1000, 32
_ALIKE = 0.8  # the shortest of a batch to the longest: what is padded is gone through, too


@dataclass(frozen=True)
class Encoder:
    """The inputs of a preset: what is encoded of the context and of the rows, and what is remembered of them."""

    static: Callable[[LightCurves], NDArray[np.float32]]
    rows: Callable[..., tuple[NDArray[np.float32], NDArray[np.int64], NDArray[np.float64]]]
    start: Callable[[int], NDArray[np.float64]]
    days: Callable[[NDArray[np.float64]], NDArray[np.float64]]
    n_static: int
    n_features: int
    dereddens: bool

    def prepare(self, light_curves: LightCurves) -> LightCurves:
        """Bring fluxes to what the rows are made of; raises ValueError where E(B-V) is needed and unknown."""
        return light_curves.deredden() if self.dereddens and not light_curves.dereddened else light_curves


def encoder(config: GruConfig) -> Encoder:
    """Give the inputs that a configuration asks for."""
    if config.preset == "oracle":
        n_static, n_rows = len(oracle.STATIC), oracle.N_ROW_FEATURES
        return Encoder(
            oracle.encode_static, oracle.encode_rows, oracle.start, oracle.days_known, n_static, n_rows, False
        )
    rows = partial(sequence.encode_rows, rhythm=config.rhythm)
    start = partial(sequence.start, rhythm=config.rhythm)
    n_rows = sequence.N_ROW_FEATURES + len(rhythm.NAMES) * config.rhythm
    return Encoder(context.encode_context, rows, start, past.days_known, context.N_STATIC, n_rows, True)


@dataclass(frozen=True, eq=False)
class GruState:
    """What a GRU remembers of objects: less than 4 kB each, whatever they have been through.

    Parameters
    ----------
    memory : array of float64, shape ``(n_objects, n_memory)``
        What the encoding of further rows needs.
    hidden : array of float32, shape ``(n_objects, n_layers, n_hidden)``
        The state of the GRU's layers.
    probabilities : array of float32, shape ``(n_objects, n_nodes)``
        After the last row.
    days : array of float64, shape ``(n_objects,)``, d
        After the first detection, up to which it is known: `telperion.encode.view.days_known` of all rows so far.
    """

    memory: NDArray[np.float64]
    hidden: NDArray[np.float32]
    probabilities: NDArray[np.float32]
    days: NDArray[np.float64]

    def __len__(self) -> int:
        return len(self.memory)

    def __getitem__(self, which: slice | list[int] | NDArray[Any]) -> GruState:
        """Select objects by slice, mask or array of positions."""
        chosen = np.arange(len(self))[which]
        return GruState(*(getattr(self, field.name)[chosen] for field in fields(self)))

    @classmethod
    def concatenate(cls, parts: Sequence[GruState]) -> GruState:
        """Put the states of several sets of objects one after the other."""
        return cls(*(np.concatenate([getattr(part, field.name) for part in parts]) for field in fields(cls)))


class Gru:
    """A trained GRU, run by ONNX Runtime.

    Parameters
    ----------
    config : GruConfig
    tree : Taxonomy
    mix : array, shape ``(n_leaves,)``
        The class mix that the probabilities assume; also the answer for an object without rows.
    network : bytes
        ONNX graph: (rows, lengths, static, state) -> (logits after each object's last row, state).
    history : sequence of dict
        One line an epoch of its training: losses, learning rate, seconds.
    threads : int
        Threads of ONNX Runtime.

    Raises
    ------
    ValueError
        The network does not fit the tree or the configuration.
    """

    steppable = True

    def __init__(
        self,
        config: GruConfig,
        tree: Taxonomy,
        mix: NDArray[np.float64],
        network: bytes,
        *,
        history: Sequence[Mapping[str, float]] = (),
        threads: int = 1,
    ) -> None:
        self.config, self.tree, self.network, self.history = config, tree, network, list(history)
        self.mix = tree.mix(mix)
        self._encoder = encoder(config)
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        options.inter_op_num_threads = 1
        self._session = onnxruntime.InferenceSession(network, options, providers=["CPUExecutionProvider"])
        inputs = {node.name: node.shape for node in self._session.get_inputs()}
        found = [inputs.get("rows", [0])[-1], inputs.get("static", [0])[-1], self._session.get_outputs()[0].shape[-1]]
        expected = [self._encoder.n_features, self._encoder.n_static, len(tree)]
        if found != expected:
            raise ValueError(f"the network has {found} row features, static features and nodes, expected {expected}")

    def predict(self, light_curves: LightCurves) -> NDArray[np.float32]:
        """Classify whole light curves, already cut to their view.

        Returns
        -------
        array, shape ``(n_objects, n_nodes)``
            Absolute node probabilities; `mix` for an object without rows.
        """
        return self.step(self.start(len(light_curves)), light_curves)[0]

    def start(self, n_objects: int) -> GruState:
        """Give the state of objects of which nothing has been seen yet."""
        hidden = np.zeros((n_objects, self.config.layers, self.config.hidden), np.float32)
        probabilities = self.tree.from_leaves(self.mix[None].astype(np.float32)).repeat(n_objects, axis=0)
        return GruState(self._encoder.start(n_objects), hidden, probabilities, np.full(n_objects, np.nan))

    def step(self, state: GruState, light_curves: LightCurves) -> tuple[NDArray[np.float32], GruState]:
        """Go on from a state with each object's next rows, none to many.

        Parameters
        ----------
        state : GruState
            Not changed.
        light_curves : LightCurves
            The same objects in the same order; rows later than those seen (earlier ones, such as forced photometry that
            reaches back, need a new start). An object without new rows keeps state and probabilities, whatever its
            context.

        Returns
        -------
        probabilities : array, shape ``(n_objects, n_nodes)``
        state : GruState

        Raises
        ------
        ValueError
            The state is that of another number of objects.
        """
        if len(state) != len(light_curves):
            raise ValueError(f"the state is of {len(state)} objects, the light curves of {len(light_curves)}")
        if self.config.preset == "telperion" and light_curves.n_rows > sequence.MANY_ROWS:
            sequence.compile_loops()
        light_curves = self._encoder.prepare(light_curves)
        static = self._encoder.static(light_curves)
        new = GruState(*(getattr(state, field.name).copy() for field in fields(state)))
        for batch in _batches(light_curves.lengths):
            part = light_curves if isinstance(batch, slice) else light_curves[batch]
            rows, lengths, new.memory[batch] = self._encoder.rows(part, static[batch], state.memory[batch])
            feed = {"rows": rows, "lengths": lengths.astype(np.int32), "static": static[batch]}
            logits, new.hidden[batch] = self._session.run(None, feed | {"state": state.hidden[batch]})
            new.probabilities[batch] = self.tree.probabilities(logits.astype(np.float64))
            new.days[batch] = self._encoder.days(new.memory[batch])
        return new.probabilities, new

    def predict_context(self, light_curves: LightCurves) -> NDArray[np.float32]:
        """Say what the network makes of the context alone: its state at the start and a series of length zero.

        It never learnt from such input. `predict` gives `mix` in its place.

        Parameters
        ----------
        light_curves : LightCurves
            Rows are not looked at.

        Returns
        -------
        array, shape ``(n_objects, n_nodes)``
        """
        static = self._encoder.static(light_curves)
        result = np.empty((len(static), len(self.tree)), dtype=np.float32)
        for first in range(0, len(static), _MAX_BATCH_OBJECTS):
            batch = static[first : first + _MAX_BATCH_OBJECTS]
            rows = np.zeros((len(batch), 1, self._encoder.n_features), dtype=np.float32)
            feed = {"rows": rows, "lengths": np.zeros(len(batch), dtype=np.int32), "static": batch}
            logits, _ = self._session.run(None, feed | {"state": self.start(len(batch)).hidden})
            result[first : first + len(batch)] = self.tree.probabilities(logits.astype(np.float64))
        return result

    def save(self, folder: str | Path) -> None:
        """Write ``network.onnx`` and ``gru.json`` into a folder."""
        folder = Path(folder)
        write_card(folder / CARD, FORMAT_VERSION, self.config, self.tree, self.mix, history=self.history)
        (folder / NETWORK).write_bytes(self.network)

    @classmethod
    def load(cls, folder: str | Path, tree: Taxonomy, *, threads: int = 1) -> Gru:
        """Read what `save` wrote.

        Raises
        ------
        ValueError
            A file is missing, too large or not ours, or the network was trained along another tree.
        """
        config, mix, document = read_card(Path(folder) / CARD, FORMAT_VERSION, GruConfig, tree, ("history",))
        network = checked_file(Path(folder) / NETWORK, MAX_FILE_BYTES).read_bytes()
        try:
            return cls(config, tree, mix, network, history=document["history"], threads=threads)
        except _LOAD_ERRORS as error:
            raise ValueError(f"the model in {folder} cannot be used: {error}") from error


def load(folder: str | Path, tree: Taxonomy) -> Gru:
    """Read a model that `Gru.save` wrote."""
    return Gru.load(folder, tree)


def _batches(lengths: NDArray[np.int64]) -> list[slice | NDArray[np.int64]]:
    """Group objects that have rows by length, so that little is padded and no batch is large."""
    if lengths.size == 1 and lengths[0] > 0:
        return [slice(None)]
    order = np.argsort(lengths, kind="stable")
    order = order[lengths[order] > 0]
    batches: list[slice | NDArray[np.int64]] = []
    while order.size:
        longest = lengths[order[-1]]
        alike = order.size - int(np.searchsorted(lengths[order], _ALIKE * longest))
        size = int(np.clip(_MAX_BATCH_ROWS // longest, 1, min(max(alike, _MIN_BATCH_OBJECTS), _MAX_BATCH_OBJECTS)))
        batches.append(order[-size:])
        order = order[:-size]
    return batches
