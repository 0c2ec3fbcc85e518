"""Telperion itself, and two variants that its own machinery trains: ORACLE's recipe, and a loss without hierarchy."""

from __future__ import annotations

import dataclasses
import shutil
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.peers.data import class_mix
from benchmarks.peers.training import write_training
from telperion.calibrate import Calibration
from telperion.calibrating import ask
from telperion.classifier import Classifier
from telperion.encode.view import Context, View
from telperion.lightcurves import LightCurves
from telperion.models.gru import Gru
from telperion.models.gru_config import ORACLE, GruConfig
from telperion.models.gru_network import build_network
from telperion.models.gru_training import fit
from telperion.progress import progress_bar
from telperion.taxonomy import Taxonomy

SMALL = GruConfig(
    hidden=128, head=128, group_dropout=0.2, dropout=0.0, resampled=0.0, noise=0.0, row_dropout=0.0, batch_size=256,
    learning_rate=2e-3, precision="bfloat16", epochs=80, patience=12,
)  # fmt: skip
"""As runs/elasticc-small.toml has it, with more epochs: its 3 are for the 100,000 light curves that it names."""

SAVED = "classifier"


class _Trained:
    """A GRU that the project's own machinery trains; its probabilities are moved to the class mix of training."""

    name = what = ""
    config = SMALL
    calibrates = False
    view_of_training: View = "alert"
    most_epochs: int | None = None
    n_parameters = 0
    state_bytes: int | None = None

    def fit(
        self, train: LightCurves, valid: LightCurves, tree: Taxonomy, folder: Path, *, seed: int, context: Context
    ) -> None:
        config = shortened(dataclasses.replace(self.config, view=self.view_of_training), self.most_epochs)
        with progress_bar() as progress:
            model = fit(train, valid, tree, config, folder=folder, progress=progress, seed=seed)
        card = {"training_mix": class_mix(train, tree).tolist()}
        classifier = Classifier(model, "gru", config.view, card=card)
        if self.calibrates:
            classifier = calibrated(classifier, valid, context)
        new = folder / f"{SAVED}.new"
        for old in (new, folder / SAVED):
            shutil.rmtree(old, ignore_errors=True)
        classifier.save(new)
        new.rename(folder / SAVED)
        write_training(folder, model.history, config.patience, count_parameters(config, tree))

    def load(self, folder: Path, tree: Taxonomy) -> None:
        self.classifier = Classifier.load(folder / SAVED)
        if self.classifier.tree != tree:
            raise ValueError(f"what is in {folder} was trained along another tree")
        model = self.classifier.model
        assert isinstance(model, Gru)
        self.mix = np.array(self.classifier.card["training_mix"])
        self.n_parameters = count_parameters(model.config, tree)
        self.state_bytes = sum(array.nbytes for array in vars(model.start(1)).values())

    def predict(self, known: LightCurves) -> NDArray[np.float32]:
        return self.classifier.predict(known, view="full", prior=self.mix)

    def start(self, n_objects: int) -> Any:
        return self.classifier.start(n_objects)

    def step(self, state: Any, light_curves: LightCurves) -> tuple[NDArray[np.float32], Any]:
        return self.classifier.step(state, light_curves, prior=self.mix)


class Telperion(_Trained):
    name = "Telperion"
    what = "ours: the settings of runs/elasticc-small.toml up to 80 epochs, calibrated on the validation objects"
    calibrates = True


class FlatGru(_Trained):
    name = "flat GRU"
    what = "the inputs, network and training of Telperion, with the cross-entropy of the leaves alone; not calibrated"
    config = dataclasses.replace(SMALL, loss="flat")


class Oracle(_Trained):
    name = "ORACLE (recipe)"
    what = (
        "Shah et al. 2025 by the project's preset oracle: batches of 256 and a rate of 1e-3 in place of 1024 and 2e-4, "
        "ends after 60 epochs without a better validation loss in place of 1000 epochs"
    )
    config = dataclasses.replace(ORACLE, batch_size=256, learning_rate=1e-3, epochs=400, patience=60)


def shortened(config: GruConfig, most_epochs: int | None) -> GruConfig:
    """End a training after so many epochs in any case."""
    return config if most_epochs is None else dataclasses.replace(config, epochs=min(config.epochs, most_epochs))


def calibrated(classifier: Classifier, valid: LightCurves, context: Context) -> Classifier:
    """Calibrate on objects that only chose the epoch, at the days and in the way of ``telperion calibrate``."""
    (answers,) = ask(classifier, valid, contexts=(context,))
    seen = np.isfinite(answers.known)
    labels = np.broadcast_to(answers.labels, seen.shape)[seen]
    fitted = Calibration.fit(
        answers.probabilities[seen], labels, answers.known[seen], classifier.tree,
        mix=classifier.mix, repeats=len(answers.days),
    )  # fmt: skip
    return dataclasses.replace(classifier, calibration=fitted)


def count_parameters(config: GruConfig, tree: Taxonomy) -> int:
    """Count what is trained in a GRU."""
    return sum(weight.numel() for weight in build_network(config, len(tree)).parameters())
