"""Gradient boosting of several classes by LightGBM, XGBoost or CatBoost: trained, asked and kept alike.

LightGBM is what ships; the others are there to be compared with it. Files are compressed text of the libraries' own,
nothing in which is executed when it is read.
"""

from __future__ import annotations

import gzip
import json
import os
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any, Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from telperion.models.card import checked_file

Library = Literal["lightgbm", "xgboost", "catboost"]

MAX_FILE_BYTES, MAX_TEXT_BYTES = 32_000_000, 400_000_000
BINS = 63


@dataclass(frozen=True)
class Settings:
    """How a booster is grown.

    Parameters
    ----------
    n_classes, rounds, leaves, min_rows : int
        Classes; trees a class; leaves a tree; fewest rows of a leaf.
    learning_rate, feature_fraction, row_fraction, l2 : float
        Shrinkage; share of features a tree may use; share of rows it sees; L2 penalty on leaf values.
    extra_trees : bool
        Whether split points are drawn at random (LightGBM only).
    seed : int
    """

    n_classes: int
    rounds: int
    leaves: int
    min_rows: int
    learning_rate: float
    feature_fraction: float
    row_fraction: float
    l2: float
    extra_trees: bool
    seed: int


class Booster(Protocol):
    """A trained booster."""

    @property
    def shape(self) -> tuple[int, int]:
        """Features that it reads and classes that it tells apart."""
        ...

    def predict(self, table: NDArray[np.float32]) -> NDArray[np.float64]:
        """Give the probability of each class, shape ``(n, n_classes)``."""
        ...

    def gains(self) -> NDArray[np.float64]:
        """Give what each feature gained, shape ``(n_features,)``."""
        ...

    def to_text(self) -> bytes:
        """Write it as the library's own text."""
        ...


def train_booster(
    library: Library,
    table: NDArray[np.float32],
    label: NDArray[np.int64],
    weight: NDArray[np.float64],
    settings: Settings,
    tick: Callable[[Any], None],
) -> Booster:
    """Train a booster on one thread.

    Parameters
    ----------
    library : {"lightgbm", "xgboost", "catboost"}
    table : array, shape ``(n, n_features)``
        NaN where unknown.
    label : array of int, shape ``(n,)``
    weight : array, shape ``(n,)``
        Mean one.
    settings : Settings
    tick : callable
        Called after each round, with anything.

    Raises
    ------
    ModuleNotFoundError
        The library is not installed.
    """
    train = _TRAIN[library]
    return train(_module(library), table, label, weight, settings, tick)


def write_booster(path: Path, booster: Booster) -> None:
    """Write a booster as compressed text, with one move at the end so that no half file is ever read."""
    unfinished = path.with_suffix(".part")
    with gzip.GzipFile(unfinished, "wb", mtime=0) as file:
        file.write(booster.to_text())
    os.replace(unfinished, path)


def read_booster(path: Path, library: Library = "lightgbm") -> Booster:
    """Read a booster, its size checked before and while it is unpacked.

    Raises
    ------
    ValueError
        The file is missing, too large, or none of this library's.
    """
    try:
        with gzip.open(checked_file(path, MAX_FILE_BYTES), "rb") as file:
            text = file.read(MAX_TEXT_BYTES + 1)
    except (OSError, EOFError) as error:
        raise ValueError(f"{path} is not a compressed booster: {error}") from error
    if len(text) > MAX_TEXT_BYTES or not text.startswith(b"tree\n" if library == "lightgbm" else b"{"):
        raise ValueError(f"{path} is not a booster of {library}, or larger than {MAX_TEXT_BYTES} bytes unpacked")
    module = _module(library)
    if library == "lightgbm":
        return LightGbm(module.Booster(model_str=text.decode()))
    if library == "xgboost":
        return XGBoost(module, module.Booster(model_file=bytearray(text)))
    with tempfile.NamedTemporaryFile(suffix=".json") as file:
        file.write(text)
        file.flush()
        return CatBoost(module.CatBoostClassifier().load_model(file.name, format="json"))


def _module(library: Library) -> Any:
    try:
        return import_module(library)
    except ModuleNotFoundError as error:
        extra = "boost" if library == "lightgbm" else "peers"
        raise ModuleNotFoundError(f"these boosters need {library}: pip install 'telperion[{extra}]'") from error


@dataclass(frozen=True)
class LightGbm:
    """A booster of LightGBM."""

    booster: Any

    @property
    def shape(self) -> tuple[int, int]:
        """Features and classes."""
        return self.booster.num_feature(), self.booster.num_model_per_iteration()

    def predict(self, table: NDArray[np.float32]) -> NDArray[np.float64]:
        """Give the probability of each class."""
        return self.booster.predict(table, num_threads=1)

    def gains(self) -> NDArray[np.float64]:
        """Give what each feature gained."""
        return self.booster.feature_importance("gain")

    def to_text(self) -> bytes:
        """Write it up to its best round, if it knows one."""
        best = self.booster.best_iteration
        return self.booster.model_to_string(num_iteration=best, importance_type="gain").encode()


def _train_lightgbm(
    module: Any, table: NDArray, label: NDArray, weight: NDArray, settings: Settings, tick: Callable[[Any], None]
) -> LightGbm:
    parameters = {
        "objective": "multiclass",
        "num_class": settings.n_classes,
        "num_leaves": settings.leaves,
        "learning_rate": settings.learning_rate,
        "feature_fraction": settings.feature_fraction,
        "bagging_fraction": settings.row_fraction,
        "bagging_freq": 1,
        "min_data_in_leaf": settings.min_rows,
        "lambda_l2": settings.l2,
        "extra_trees": settings.extra_trees,
        "max_bin": BINS,
        "num_threads": 1,
        "deterministic": True,
        "force_col_wise": True,
        "seed": settings.seed,
        "verbose": -1,
    }
    data = module.Dataset(table, label, weight=weight, params=parameters, free_raw_data=True)
    return LightGbm(module.train(parameters, data, settings.rounds, callbacks=[tick]))


@dataclass(frozen=True)
class XGBoost:
    """A booster of XGBoost."""

    module: Any
    booster: Any

    @property
    def shape(self) -> tuple[int, int]:
        """Features and classes."""
        document = json.loads(self.booster.save_config())["learner"]["learner_model_param"]
        return int(document["num_feature"]), int(document["num_class"])

    def predict(self, table: NDArray[np.float32]) -> NDArray[np.float64]:
        """Give the probability of each class."""
        return self.booster.inplace_predict(table).astype(np.float64)

    def gains(self) -> NDArray[np.float64]:
        """Give what each feature gained."""
        found = self.booster.get_score(importance_type="total_gain")
        return np.array([found.get(f"f{k}", 0.0) for k in range(self.shape[0])])

    def to_text(self) -> bytes:
        """Write it as JSON."""
        return bytes(self.booster.save_raw("json"))


def _train_xgboost(
    module: Any, table: NDArray, label: NDArray, weight: NDArray, settings: Settings, tick: Callable[[Any], None]
) -> XGBoost:
    parameters = {
        "objective": "multi:softprob",
        "num_class": settings.n_classes,
        "tree_method": "hist",
        "grow_policy": "lossguide",
        "max_depth": 0,
        "max_leaves": settings.leaves,
        "eta": settings.learning_rate,
        "colsample_bytree": settings.feature_fraction,
        "subsample": settings.row_fraction,
        "min_child_weight": settings.min_rows * 0.05,  # a sum of p (1 - p) in place of a count
        "lambda": settings.l2,
        "max_bin": BINS,
        "nthread": 1,
        "seed": settings.seed,
    }

    class Tick(module.callback.TrainingCallback):  # type: ignore[misc]
        def after_iteration(self, model: Any, epoch: int, evals_log: Any) -> bool:
            tick((model, epoch, evals_log))
            return False

    data = module.QuantileDMatrix(table, label, weight=weight, max_bin=BINS, nthread=1)
    return XGBoost(module, module.train(parameters, data, settings.rounds, callbacks=[Tick()]))


@dataclass(frozen=True)
class CatBoost:
    """A booster of CatBoost."""

    classifier: Any

    @property
    def shape(self) -> tuple[int, int]:
        """Features and classes."""
        return len(self.classifier.feature_names_), len(self.classifier.classes_)

    def predict(self, table: NDArray[np.float32]) -> NDArray[np.float64]:
        """Give the probability of each class."""
        return self.classifier.predict_proba(table, thread_count=1)

    def gains(self) -> NDArray[np.float64]:
        """Give what each feature changes the prediction by, which is CatBoost's measure."""
        return np.asarray(self.classifier.get_feature_importance(), dtype=np.float64)

    def to_text(self) -> bytes:
        """Write it as JSON."""
        with tempfile.TemporaryDirectory() as folder:
            self.classifier.save_model(f"{folder}/a.json", format="json")
            return Path(f"{folder}/a.json").read_bytes()


def _train_catboost(
    module: Any, table: NDArray, label: NDArray, weight: NDArray, settings: Settings, tick: Callable[[Any], None]
) -> CatBoost:
    class Tick:
        def after_iteration(self, info: Any) -> bool:
            tick(info)
            return True

    classifier = module.CatBoostClassifier(
        loss_function="MultiClass",
        iterations=settings.rounds,
        learning_rate=settings.learning_rate,
        depth=max(2, round(float(np.log2(settings.leaves)))),
        rsm=settings.feature_fraction,
        bootstrap_type="Bernoulli",
        subsample=settings.row_fraction,
        l2_leaf_reg=settings.l2,
        border_count=BINS,
        thread_count=1,
        random_seed=settings.seed,
        allow_writing_files=False,
        verbose=False,
    )
    return CatBoost(classifier.fit(table, label, sample_weight=weight, callbacks=[Tick()]))


_TRAIN: dict[Library, Callable[..., Booster]] = {
    "lightgbm": _train_lightgbm,
    "xgboost": _train_xgboost,
    "catboost": _train_catboost,
}
