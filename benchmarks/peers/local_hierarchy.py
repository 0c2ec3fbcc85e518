"""One small classifier a parent node; their answers are multiplied along the tree."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from benchmarks.peers.ours import SMALL, count_parameters, shortened
from benchmarks.peers.peer import TRAINING
from benchmarks.peers.training import write_training
from telperion.encode.view import View
from telperion.lightcurves import LightCurves
from telperion.models.gru import Gru, encoder
from telperion.models.gru_training import fit
from telperion.progress import progress_bar
from telperion.taxonomy import Taxonomy

CONFIG = dataclasses.replace(SMALL, hidden=48, head=48, loss="flat", balance=0.0, epochs=240)
SIZE = 256


class LocalHierarchy:
    """A GRU of 48 for each parent, which learns from the objects below it to tell its children apart.

    They read the same rows, which are encoded once.
    """

    name = "local classifiers"
    what = (
        "a local classifier a parent node (Silla & Freitas 2011): GRU of 48 with the inputs and the training of "
        "Telperion for each, probabilities multiplied along the tree; not calibrated"
    )
    view_of_training: View = "alert"
    most_epochs: int | None = None
    n_parameters = 0
    state_bytes: int | None = None

    def fit(
        self, train: LightCurves, valid: LightCurves, tree: Taxonomy, folder: Path, *, seed: int, context: str
    ) -> None:
        del context  # the light curves hold no other
        config = shortened(dataclasses.replace(CONFIG, view=self.view_of_training), self.most_epochs)
        for number, group in enumerate(tree.groups[1:]):
            place = folder / f"node-{number}"
            if (place / TRAINING).is_file():
                continue
            place.mkdir(parents=True, exist_ok=True)
            local = local_tree(tree, group)
            taught, held = (below(curves, tree, group) for curves in (train, valid))
            with progress_bar() as progress:
                model = fit(taught, held, local, config, folder=place, progress=progress, seed=seed)
            model.save(place)
            write_training(place, model.history, config.patience, count_parameters(config, local))
        told = [json.loads(path.read_text(encoding="utf-8")) for path in sorted(folder.glob(f"node-*/{TRAINING}"))]
        total = {what: sum(each[what] for each in told) for what in ("seconds", "n_parameters")}
        both = {"epochs": max(each["epochs"] for each in told), "plateau": all(each["plateau"] for each in told)}
        (folder / TRAINING).write_text(json.dumps(total | both), encoding="utf-8")

    def load(self, folder: Path, tree: Taxonomy) -> None:
        self.tree, groups = tree, tree.groups[1:]
        self.models = [Gru.load(folder / f"node-{k}", local_tree(tree, group)) for k, group in enumerate(groups)]
        self.encoder = encoder(self.models[0].config)
        self.sessions = [session(model.network) for model in self.models]
        self.n_parameters = json.loads((folder / TRAINING).read_text(encoding="utf-8"))["n_parameters"]
        self.state_bytes = sum(part.nbytes for part in vars(self.start(1)).values())

    def predict(self, known: LightCurves) -> NDArray[np.float32]:
        """Classify whole light curves, those of like length together."""
        order = np.argsort(known.lengths, kind="stable")
        result = np.empty((len(known), len(self.tree)), dtype=np.float32)
        for first in range(0, order.size, SIZE):
            chosen = order[first : first + SIZE]
            result[chosen] = self.step(self.start(chosen.size), known[chosen])[0]
        return result

    def start(self, n_objects: int) -> LocalState:
        shape = (n_objects, CONFIG.layers, CONFIG.hidden)
        return LocalState(
            self.encoder.start(n_objects), np.zeros((n_objects, len(self.models), *shape[1:]), np.float32)
        )

    def step(self, state: LocalState, light_curves: LightCurves) -> tuple[NDArray[np.float32], LocalState]:
        """Go on by each object's new rows, at least one."""
        curves = self.encoder.prepare(light_curves)
        static = self.encoder.static(curves)
        rows, lengths, memory = self.encoder.rows(curves, static, state.memory)
        feed = {"rows": rows, "lengths": lengths.astype(np.int32), "static": static}
        hidden, logits = np.empty_like(state.hidden), np.zeros((len(curves), len(self.tree)))
        for number, (run, group) in enumerate(zip(self.sessions, self.tree.groups[1:], strict=True)):
            said, hidden[:, number] = run.run(None, feed | {"state": state.hidden[:, number]})
            logits[:, group] = said[:, 1:]
        return self.tree.probabilities(logits).astype(np.float32), LocalState(memory, hidden)


@dataclasses.dataclass(frozen=True, eq=False)
class LocalState:
    """What is remembered of objects: for the encoding, and the state of each parent's GRU."""

    memory: NDArray[np.float64]
    hidden: NDArray[np.float32]

    def __getitem__(self, which: slice) -> LocalState:
        return LocalState(self.memory[which], self.hidden[which])


def local_tree(tree: Taxonomy, group: NDArray[np.int64]) -> Taxonomy:
    """Make a tree of depth one of siblings and their parent."""
    parent = tree.nodes[tree.parent[group[0]]]
    return Taxonomy(f"{tree.name}-{group[0]}", {parent: {tree.nodes[child]: {} for child in group}})


def below(curves: LightCurves, tree: Taxonomy, group: NDArray[np.int64]) -> LightCurves:
    """Keep the objects below a parent, labelled with its children."""
    above = tree.ancestors[tree.labels(curves.label)][:, group]
    names = np.array(tree.nodes)[group][above.argmax(axis=1)]
    return curves.with_label(names)[np.flatnonzero(above.any(axis=1))]


def session(network: bytes) -> Any:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    return onnxruntime.InferenceSession(network, options, providers=["CPUExecutionProvider"])
