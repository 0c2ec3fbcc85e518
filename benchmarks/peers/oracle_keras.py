"""ORACLE's network as it was published (Shah et al. 2025), in Keras: padded to 500 rows, masked, `model.predict`."""

from __future__ import annotations

import json
import os
import shutil
import time
from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.peers.data import class_mix
from benchmarks.peers.fitting import best_weights
from benchmarks.peers.peer import TRAINING
from benchmarks.peers.training import write_training
from telperion.encode import oracle
from telperion.encode.truncate import draw_shares, keep_share
from telperion.encode.view import View, view
from telperion.lightcurves import LightCurves
from telperion.progress import progress_bar
from telperion.taxonomy import Taxonomy

if "KERAS_BACKEND" not in os.environ:
    os.environ["KERAS_BACKEND"] = "tensorflow" if find_spec("tensorflow") else "torch"

BATCH, RATE, PATIENCE, EPOCHS = 256, 1e-3, 60, 400
PREDICTED = 2000
"""Light curves that go through the network at once, as the publication timed it."""

ALPHA = 0.5
SHARES = (0.1, 0.4, 0.6, 1.0)
WEIGHTS, ABOUT = "checkpoint.npz", "about.json"


def build(n_nodes: int, n_rows: int = oracle.MAX_ROWS) -> Any:
    """Build the published network: 122,294 weights for 26 nodes."""
    import keras
    from keras import layers

    rows = keras.Input((n_rows, oracle.N_ROW_FEATURES))
    static = keras.Input((len(oracle.STATIC),))
    states = layers.GRU(100, return_sequences=True, name="gru_l0")(layers.Masking(0.0)(rows))
    series = layers.Dense(100, activation="tanh", name="series")(layers.GRU(100, name="gru_l1")(states))
    branch = layers.Dense(10, name="static")(layers.Masking(oracle.MISSING)(static))
    joint = layers.Dense(100, activation="relu", name="joint")(layers.Concatenate()([series, branch]))
    latent = layers.Dense(64, activation="relu", name="latent")(joint)
    return keras.Model([rows, static], layers.Dense(n_nodes, name="logits")(latent))


def take_weights(model: Any, weights: Mapping[str, NDArray[np.float32]]) -> None:
    """Set the weights of torch's network of the same shape; its gates stand in another order."""
    for layer in ("gru_l0", "gru_l1"):
        kernel, recurrent, *biases = (
            in_order(weights[f"gru.{name}_{layer[-2:]}"]) for name in ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
        )
        model.get_layer(layer).set_weights([kernel.T, recurrent.T, np.stack(biases)])
    for layer in ("series", "static", "joint", "latent", "logits"):
        model.get_layer(layer).set_weights([weights[f"{layer}.weight"].T, weights[f"{layer}.bias"]])


def in_order(gates: NDArray[np.float32]) -> NDArray[np.float32]:
    """Put reset, update and new gate into Keras' order: update first."""
    reset, update, new = np.split(gates, 3)
    return np.concatenate([update, reset, new])


def weighted_paths(labels: NDArray[np.int64], tree: Taxonomy) -> NDArray[np.float32]:
    """Give what each label weighs the nodes of its path with, shape ``(n_nodes, n_nodes)``: W exp(-alpha depth)."""
    count = tree.ancestors[labels].sum(axis=0)
    weight = np.where(count > 0, labels.size / (len(tree) * np.maximum(count, 1)), 0)
    return (tree.ancestors * weight * np.exp(-ALPHA * tree.depth)).astype(np.float32)


def whxe(tree: Taxonomy) -> Any:
    """Give the weighted hierarchical cross-entropy of weighted paths and logits."""
    from keras import ops

    spans = [(int(group[0]), int(group[-1]) + 1) for group in tree.groups]

    def loss(paths: Any, logits: Any) -> Any:
        said = ops.concatenate([ops.log_softmax(logits[:, start:stop], axis=-1) for start, stop in spans], axis=-1)
        return -ops.sum(paths * said, axis=-1)

    return loss


class OracleKeras:
    name = "ORACLE (Keras)"
    view_of_training: View = "alert"
    most_epochs: int | None = None
    n_parameters = 0
    state_bytes: int | None = None

    def __init__(self) -> None:
        import keras

        self.what = (
            f"Shah et al. 2025: the published network in Keras {keras.__version__} on {keras.backend.backend()}, "
            f"padded to 500 rows, with the weights of `oracle` where that is finished beside it; else batches of "
            f"{BATCH} at a rate of {RATE:g} in place of 1024 and 2e-4, every light curve cut by itself, ends "
            f"after {PATIENCE} epochs without a better validation loss, not 1000"
        )
        if keras.backend.backend() == "tensorflow":
            one_thread()

    def fit(
        self, train: LightCurves, valid: LightCurves, tree: Taxonomy, folder: Path, *, seed: int, context: str
    ) -> None:
        import keras

        keras.utils.set_random_seed(seed)
        model, labels = build(len(tree)), tree.labels(train.label)
        about = {"mix": class_mix(train, tree).tolist(), "assumed": assumed(labels, tree).tolist()}
        (folder / ABOUT).write_text(json.dumps(about), encoding="utf-8")
        same = folder.parent / f"oracle-{seed}"
        if (same / TRAINING).is_file():
            take_weights(model, {name: weight.numpy() for name, weight in best_weights(same).items()})
            np.savez(folder / WEIGHTS, **{f"best-{k}": weight for k, weight in enumerate(model.get_weights())})
            shutil.copy(same / TRAINING, folder)
            return
        model.compile(keras.optimizers.Adam(RATE), whxe(tree))
        model.optimizer.build(model.trainable_variables)
        paths, whole = weighted_paths(labels, tree), view(train, np.inf, self.view_of_training)
        held = [keep_share(view(valid, np.inf, self.view_of_training), np.full(len(valid), share)) for share in SHARES]
        said = f"{seed} {self.view_of_training} {context} {train.n_rows} {' '.join(train.object_id)}"
        best, history = resume(folder / WEIGHTS, model, said)
        epochs = EPOCHS if self.most_epochs is None else min(EPOCHS, self.most_epochs)
        with progress_bar() as progress:
            task = progress.add_task("training", total=epochs, completed=len(history))
            while len(history) < epochs and stale(history) < PATIENCE:
                began, rng = time.monotonic(), np.random.default_rng([seed, len(history)])
                cut, _ = draw_shares(whole, rng)
                order = rng.permutation(len(cut))
                for start in range(0, order.size, BATCH):
                    chosen = order[start : start + BATCH]
                    model.train_on_batch(encode(cut[chosen]), paths[labels[chosen]])
                losses = [self.validate(model, each, tree, paths) for each in held]
                history.append({"validation_loss": float(np.mean(losses)), "seconds": time.monotonic() - began})
                if stale(history) == 0:
                    best = model.get_weights()
                save(folder / WEIGHTS, model, best, history, said)
                shown = f"training (validation {history[-1]['validation_loss']:.4f})"
                progress.update(task, advance=1, description=shown)
        write_training(folder, history, PATIENCE, model.count_params())

    @staticmethod
    def validate(model: Any, cut: LightCurves, tree: Taxonomy, paths: NDArray[np.float32]) -> float:
        logits = model.predict(encode(cut), batch_size=PREDICTED, verbose=0).astype(np.float64)
        said = np.log(np.maximum(tree.conditionals(logits), 1e-10))
        return float(-(paths[tree.labels(cut.label)] * said).sum(axis=1).mean())

    def load(self, folder: Path, tree: Taxonomy) -> None:
        self.tree, self.model = tree, build(len(tree))
        with np.load(folder / WEIGHTS, allow_pickle=False) as kept:
            self.model.set_weights([kept[f"best-{k}"] for k in range(len(self.model.get_weights()))])
        about = json.loads((folder / ABOUT).read_text(encoding="utf-8"))
        self.mix, self.assumed = np.array(about["mix"]), np.array(about["assumed"])
        self.n_parameters = self.model.count_params()

    def predict(self, known: LightCurves) -> NDArray[np.float32]:
        parts = []
        for start in range(0, len(known), PREDICTED):
            inputs = encode(known[start : start + PREDICTED])
            parts.append(self.model.predict(inputs, batch_size=PREDICTED, verbose=0))
        said = self.tree.probabilities(np.concatenate(parts).astype(np.float64))
        return self.tree.reweight(said, self.assumed, self.mix).astype(np.float32)


def one_thread() -> None:
    """Hold TensorFlow to one thread; it refuses once it has computed something."""
    import tensorflow

    threads = tensorflow.config.threading
    if (threads.get_intra_op_parallelism_threads(), threads.get_inter_op_parallelism_threads()) != (1, 1):
        threads.set_intra_op_parallelism_threads(1)
        threads.set_inter_op_parallelism_threads(1)


def encode(known: LightCurves) -> list[NDArray[np.float32]]:
    """Give rows padded with zeros at the end to 500, and the static vector."""
    static = oracle.encode_static(known)
    rows, _, _ = oracle.encode_rows(known, static, oracle.start(len(known)))
    padded = np.zeros((len(known), oracle.MAX_ROWS, oracle.N_ROW_FEATURES), dtype=np.float32)
    padded[:, : rows.shape[1]] = rows
    return [padded, static]


def assumed(labels: NDArray[np.int64], tree: Taxonomy) -> NDArray[np.float64]:
    """Give the mix that the loss assumes, shape ``(n_leaves,)``: siblings that have objects are equally frequent."""
    share = tree.ancestors[labels].any(axis=0).astype(float)
    for group in tree.groups:
        share[group] /= max(share[group].sum(), 1)
    for node in range(1, len(tree)):
        share[node] *= share[tree.parent[node]]
    return share[tree.leaves]


def stale(history: list[dict[str, float]]) -> int:
    """Count the epochs since the best one."""
    losses = [line["validation_loss"] for line in history]
    return len(losses) - 1 - int(np.argmin(losses)) if losses else 0


def save(path: Path, model: Any, best: list[NDArray], history: list[dict[str, float]], said: str) -> None:
    from keras import ops

    kept = {f"best-{k}": weight for k, weight in enumerate(best)}
    kept |= {f"weight-{k}": weight for k, weight in enumerate(model.get_weights())}
    kept |= {f"moment-{k}": ops.convert_to_numpy(each) for k, each in enumerate(model.optimizer.variables)}
    new = path.with_suffix(".new.npz")
    np.savez(new, history=np.array(json.dumps(history)), said=np.array(said), **kept)
    new.replace(path)


def resume(path: Path, model: Any, said: str) -> tuple[list[NDArray], list[dict[str, float]]]:
    if not path.is_file():
        return model.get_weights(), []
    with np.load(path, allow_pickle=False) as kept:
        if str(kept["said"]) != said:
            raise ValueError(f"{path} is of a training with other data; remove it to start anew")
        n_weights = len(model.get_weights())
        model.set_weights([kept[f"weight-{k}"] for k in range(n_weights)])
        for k, each in enumerate(model.optimizer.variables):
            each.assign(kept[f"moment-{k}"])
        return [kept[f"best-{k}"] for k in range(n_weights)], json.loads(str(kept["history"]))
