"""Random convolutions of each band (ROCKET; Dempster, Petitjean & Webb 2020), and a booster that finds a class by them.

Each band is interpolated on a grid; each of thousands of random kernels gives its largest response and the share of
positive ones. The kernels are aeon's, drawn from a seed alone. The model sees whole light curves: it is not steppable.
"""

from __future__ import annotations

import hashlib
import warnings
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any, get_args

import numpy as np
from numpy.typing import NDArray
from rich.progress import Progress

from telperion.bands import BANDS
from telperion.encode.by_band import gridded_bands
from telperion.encode.cache import store
from telperion.encode.view import View
from telperion.encode.view import view as cut
from telperion.lightcurves import LightCurves
from telperion.models.boosters import Booster, LightGbm, read_booster, write_booster
from telperion.models.card import read_card, write_card
from telperion.taxonomy import Taxonomy

try:
    import lightgbm
except ModuleNotFoundError as error:  # an extra
    raise ModuleNotFoundError("ROCKET needs aeon and LightGBM: pip install 'telperion[rocket]'") from error

FORMAT_VERSION = 1
CARD, BOOSTER = "rocket.json", "booster.txt.gz"
BATCH_OBJECTS = 1000
BIN_SAMPLE = 800


@dataclass(frozen=True)
class Config:
    """How the model is built and trained; the defaults are the published study's.

    Parameters
    ----------
    target : str
        The node that is sought.
    view : {"full", "alert"}
    kernels : int
        Random kernels of each band.
    points : int
        Of the grid.
    rounds, patience : int
        Most trees; how many without a better validation loss until training stops.
    leaves : int
        Leaves a tree.
    learning_rate, feature_fraction, row_fraction : float
    max_bin : int
        Steps in which a feature is seen.

    Raises
    ------
    ValueError
        A value is out of its range.
    """

    target: str = "TDE"
    view: View = "full"
    kernels: int = 2000
    points: int = 100
    rounds: int = 1000
    patience: int = 50
    leaves: int = 31
    learning_rate: float = 0.05
    feature_fraction: float = 0.8
    row_fraction: float = 0.8
    max_bin: int = 15

    def __post_init__(self) -> None:
        if self.view not in get_args(View):
            raise ValueError(f"view is {self.view!r}, expected one of {', '.join(get_args(View))}")
        if min(self.kernels, self.rounds, self.patience) < 1 or self.points < 12 or min(self.leaves, self.max_bin) < 2:
            raise ValueError("kernels, rounds and patience must be at least 1, points 12, leaves and max_bin 2")
        for name in ("learning_rate", "feature_fraction", "row_fraction"):
            if not 0 < getattr(self, name) <= 1:
                raise ValueError(f"{name} is {getattr(self, name)}, expected a number above 0 and up to 1")


PRESETS = {"2k": Config(), "5k": Config(kernels=5000)}


class Rocket:
    """Random convolutions and a booster, which tells the target from all else.

    Parameters
    ----------
    config : Config
    tree : Taxonomy
    mix : array, shape ``(n_leaves,)``
        The class mix of its training set.
    seed : int
        From which the kernels are drawn.
    booster : Booster
    """

    steppable = False

    def __init__(self, config: Config, tree: Taxonomy, mix: NDArray[np.float64], seed: int, booster: Booster) -> None:
        self.config, self.tree, self.mix, self.seed, self.booster = config, tree, tree.mix(mix), seed, booster

    def predict(self, light_curves: LightCurves) -> NDArray[np.float32]:
        """Give the probability of every node, shape ``(n_objects, n_nodes)``."""
        said = [np.empty(0)]
        for start in range(0, len(light_curves), BATCH_OBJECTS):
            table = features(light_curves[start : start + BATCH_OBJECTS], self.config, self.seed)
            said.append(self.booster.predict(table))
        target = np.concatenate(said)
        given = np.stack([target, 1 - target], axis=1)
        return self.tree.from_parts(self.tree.parts([self.config.target]), given, self.mix).astype(np.float32)

    def save(self, folder: str | Path) -> None:
        """Write ``rocket.json`` and the booster as compressed text."""
        folder = Path(folder)
        own = {"seed": self.seed, "kernels": digest(self.config, self.seed)}
        write_card(folder / CARD, FORMAT_VERSION, self.config, self.tree, self.mix, **own)
        write_booster(folder / BOOSTER, self.booster)


def load(folder: str | Path, tree: Taxonomy) -> Rocket:
    """Read back what `Rocket.save` wrote.

    Raises
    ------
    ValueError
        A file is missing, too large or not ours, or this version of aeon draws other kernels.
    """
    folder = Path(folder)
    config, mix, document = read_card(folder / CARD, FORMAT_VERSION, Config, tree, ("seed", "kernels"))
    seed = int(document["seed"])
    if digest(config, seed) != document["kernels"]:
        raise ValueError(f"{folder / CARD} was made with other kernels than this version of aeon draws")
    return Rocket(config, tree, mix, seed, read_booster(folder / BOOSTER))


def fit(
    train: LightCurves,
    validation: LightCurves,
    tree: Taxonomy,
    config: Config,
    *,
    folder: Path,
    progress: Progress | None = None,
    seed: int = 0,
) -> Rocket:
    """Fit the booster, stopped on validation objects; a finished one is kept in `folder` and not fitted again.

    Parameters
    ----------
    train, validation : LightCurves
        Labelled objects with all their rows.
    tree : Taxonomy
    config : Config
    folder : path
        For the finished booster.
    progress : rich.progress.Progress, optional
        Shows trees done, of the most there may be.
    seed : int
        Of the kernels and of the booster.

    Raises
    ------
    ValueError
        No training object is of the target, or there are no validation objects.
    """
    truth = [tree.ancestors[tree.labels(part.label)][:, tree.index(config.target)] for part in (train, validation)]
    if not truth[0].any():
        raise ValueError(f"none of the {len(train)} training objects is a {config.target}")
    if not len(validation):
        raise ValueError("ROCKET needs validation objects, on which its booster stops: set validation above 0")
    node = tree.labels(train.label)
    mix = np.array([(node == leaf).sum() for leaf in tree.leaves], dtype=float)
    path = Path(folder) / BOOSTER
    if not path.is_file():
        Path(folder).mkdir(parents=True, exist_ok=True)
        tables = [features(cut(part, np.inf, config.view), config, seed) for part in (train, validation)]
        write_booster(path, _boost(tables, truth, config, seed, progress))
    return Rocket(config, tree, mix, seed, read_booster(path))


def features(light_curves: LightCurves, config: Config, seed: int) -> NDArray[np.float32]:
    """Give the responses of all kernels, shape ``(n_objects, n_bands * 2 * n_kernels)``, from dereddened fluxes.

    They are the same in every fold: inside `telperion.encode.cache.kept` each object's are computed once.
    """
    if not light_curves.dereddened:
        light_curves = light_curves.deredden()
    transforms = _transforms(config, seed)

    def compute(part: LightCurves) -> NDArray[np.float32]:
        grid = gridded_bands(part, config.points)
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "X is normalised")  # a band without rows is flat
            parts = [transform.transform(grid[:, [band]]) for band, transform in enumerate(transforms)]
        return np.nan_to_num(np.concatenate(parts, axis=1)).astype(np.float32)

    if kept := store():
        what = [f"ROCKET by aeon {version('aeon')}", digest(config, seed)]
        return kept.through(light_curves, what, len(BANDS) * 2 * config.kernels, compute)
    return compute(light_curves)


def digest(config: Config, seed: int) -> str:
    """Give a hash of the kernels."""
    arrays = [np.asarray(array) for transform in _transforms(config, seed) for array in transform.kernels]
    return hashlib.sha256(b"".join(array.tobytes() for array in arrays)).hexdigest()


def _transforms(config: Config, seed: int) -> list[Any]:
    """Draw the kernels of each band; they depend on the length of the grid, not on any light curve."""
    try:
        from aeon.transformations.collection.convolution_based import Rocket as Transform
    except ModuleNotFoundError as error:  # an extra of its own, since it asks for an older numba
        raise ModuleNotFoundError("ROCKET needs aeon: pip install 'telperion[rocket]'") from error
    shape = np.zeros((2, 1, config.points))
    shape[1, 0, 0] = 1
    return [Transform(config.kernels, random_state=len(BANDS) * seed + band).fit(shape) for band in range(len(BANDS))]


def _boost(
    tables: list[NDArray[np.float32]], truth: list[NDArray[np.bool_]], config: Config, seed: int,
    progress: Progress | None,
) -> LightGbm:  # fmt: skip
    parameters = {
        "objective": "binary",
        "num_leaves": config.leaves,
        "learning_rate": config.learning_rate,
        "feature_fraction": config.feature_fraction,
        "bagging_fraction": config.row_fraction,
        "bagging_freq": 1,
        "scale_pos_weight": float((~truth[0]).sum() / truth[0].sum()),
        "max_bin": config.max_bin,
        "bin_construct_sample_cnt": BIN_SAMPLE,
        "enable_bundle": False,  # every feature is dense
        "is_enable_sparse": False,
        "force_col_wise": True,
        "deterministic": True,
        "num_threads": 1,
        "seed": seed,
        "verbose": -1,
    }
    taught, held = (
        lightgbm.Dataset(table, label.astype(int), params=parameters)
        for table, label in zip(tables, truth, strict=True)
    )
    task = progress.add_task("ROCKET's trees, at most", total=config.rounds) if progress else None

    def tick(_: Any) -> None:
        if progress and task is not None:
            progress.advance(task)

    stop = lightgbm.early_stopping(config.patience, verbose=False)
    held.reference = taught
    booster = lightgbm.train(parameters, taught, config.rounds, valid_sets=[held], callbacks=[stop, tick])
    if progress and task is not None:
        progress.update(task, completed=config.rounds)
    return LightGbm(booster)
