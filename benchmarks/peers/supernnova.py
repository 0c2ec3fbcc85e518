"""SuperNNova (Moeller & de Boissiere 2020, MNRAS 491, 4277): its own package reads, trains and answers; this feeds it.

From the package come the nights (observations within eight hours are one), the database with its normalisation, the
recurrent network, the training loop with its random truncations, and the answers. Not from it: the reading of files,
since our light curves are in memory, and the draw of the splits, since ours are given.
"""

from __future__ import annotations

import json
import shutil
import sys
import time
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from supernnova import conf
from supernnova.training import train_rnn
from supernnova.utils import data_utils, training_utils
from supernnova.utils.experiment_settings import ExperimentSettings
from supernnova.validation import validate_onthefly, validate_rnn

from benchmarks.peers.around import quietly
from benchmarks.peers.peer import TRAINING
from telperion.bands import FLUXCAL, to_njy
from telperion.encode.view import View, view
from telperion.lightcurves import LightCurves
from telperion.taxonomy import Taxonomy

FILTERS = ("u", "g", "r", "i", "z", "Y")
REDSHIFT = {"specz": "zspe", "photoz": "zpho", "none": "none"}
COLUMNS = {"SPECZ": ("redshift", "hostgal_specz"), "PHOTOZ": ("hostgal_photoz", "redshift")}
UNKNOWN = -1.0
"""What the package's own training writes over a redshift that is to be unknown."""

NIGHT = 0.33
"""Days."""

NORM = "cosmo_quantile"
"""Each light curve's fluxes over nearly their largest. By the package's default, *global*, variable stars of negative
differences of flux shift every input far from zero."""

BATCH = 2048


class SuperNNova:
    """The package's recurrent network with its defaults, but for `NORM` and `Plateau`, and our leaves as classes."""

    name = "SuperNNova"
    what = (
        "SuperNNova 3 (Moeller & de Boissiere 2020), its own package: bidirectional LSTM 2 x 32 on nights of ugrizY "
        "fluxes over their largest, averaged over the nights; trained on random truncations, learning rate cut at "
        "plateaus of accuracy"
    )
    state_bytes: int | None = None  # the network reads each light curve from both ends: nothing can be carried on

    def __init__(self) -> None:
        self.view_of_training: View = "alert"
        self.most_epochs = 1000
        self.n_parameters = 0
        self._tree: Taxonomy | None = None
        self._settings: Any = None
        self._network: Any = None

    def fit(
        self, train: LightCurves, valid: LightCurves, tree: Taxonomy, folder: Path, *, seed: int, context: str
    ) -> None:
        """Train until the package finds its plateau. It cannot go on from where it stopped: it starts anew."""
        classes = [tree.nodes[leaf] for leaf in tree.leaves]
        given = _defaults() | {
            "dump_dir": str(folder.resolve()),
            "list_filters": list(FILTERS),
            "nb_classes": len(classes),
            "sntypes": {str(place): name for place, name in enumerate(classes)},
            "target_sntype": classes[0],
            "redshift": REDSHIFT[context],
            "norm": NORM,
            "seed": seed,
            "nb_epoch": self.most_epochs,
            "use_cuda": torch.cuda.is_available(),
        }
        started = time.perf_counter()
        train, valid = (view(each, np.inf, self.view_of_training) for each in (train, valid))
        shutil.rmtree(folder / "models", ignore_errors=True)
        ours = {"StopOnPlateau": Plateau, "plot_loss": lambda *_: None}
        with quietly(folder / "training.log"), mock.patch.multiple(training_utils, **ours):
            np.random.seed(seed)  # noqa: NPY002 - what the package draws from
            torch.manual_seed(seed)
            settings = _settings(given, "make_data")
            settings.data_types_training = classes
            data_utils.save_to_HDF5(settings, _database(train, valid, tree, settings))
            settings = _settings(given, "train_rnn")
            train_rnn.train(settings)
        Path(settings.hdf5_file_name).unlink()
        self.load(folder, tree)
        said = {
            "epochs": settings.looked,
            "seconds": round(time.perf_counter() - started, 1),
            "plateau": settings.looked < self.most_epochs,
            "n_parameters": self.n_parameters,
        }
        (folder / TRAINING).write_text(json.dumps(said, indent=1), encoding="utf-8")

    def load(self, folder: Path, tree: Taxonomy) -> None:
        """Read the network of the lowest validation loss."""
        weights = next((folder / "models").glob("*/*.pt"))
        settings = validate_onthefly.get_settings(str(weights))
        if settings.sntypes != {str(place): tree.nodes[leaf] for place, leaf in enumerate(tree.leaves)}:
            raise ValueError(f"the network in {folder} was trained along another tree than {tree.name!r}")
        settings.use_cuda = torch.cuda.is_available()
        settings.random_length = settings.random_redshift = False
        for name, wanted in (("", "training_features"), ("_to_normalize", "training_features_to_normalize")):
            chosen = [place for place, each in enumerate(settings.all_features) if each in getattr(settings, wanted)]
            setattr(settings, f"idx_features{name}", chosen)
        self._network = training_utils.get_model(settings, len(settings.training_features))
        device = "cuda" if settings.use_cuda else "cpu"
        self._network.load_state_dict(torch.load(weights, map_location="cpu", weights_only=True))
        self._network.to(device).eval()
        self._settings, self._tree = settings, tree
        self.n_parameters = sum(each.numel() for each in self._network.parameters())

    def predict(self, known: LightCurves) -> NDArray[np.float32]:
        """Give the probability of every node; an object without rows gets the same for all leaves."""
        if self._tree is None:
            raise ValueError("nothing is loaded: call load or fit first")
        n_leaves = self._tree.leaves.size
        leaf = np.full((len(known), n_leaves), 1 / n_leaves, dtype=np.float32)
        filled = np.flatnonzero(known.lengths > 0)
        for first in range(0, filled.size, BATCH):
            part = filled[first : first + BATCH]
            leaf[part] = self._leaves(known[part])
        return self._tree.from_leaves(leaf).astype(np.float32)

    def _leaves(self, known: LightCurves) -> NDArray[np.float32]:
        settings = self._settings
        columns, first = _nights(known)
        seen = columns.pop("FLT")
        columns |= {name: seen == name for name in settings.list_filters_combination}
        values = np.stack([columns[name] for name in settings.all_features], axis=1).astype(np.float64)
        each = [training_utils.normalize_arr(own, settings) for own in np.split(values, first[1:-1])]
        nights = [(own[:, settings.idx_features], 0, "") for own in each]
        packed, _, target, back = training_utils.get_data_batch(nights, np.arange(len(nights)), settings)
        with torch.no_grad():
            said, _ = validate_rnn.get_batch_predictions(self._network, packed, target)
        return said[back]


class Plateau:
    """Cuts the learning rate tenfold when accuracy ceases to gain; at the third time the training ends.

    The package asks that the accuracy stay within .0005 for ten epochs, which is less than one of a few hundred objects
    that validate: there it would neither cut the rate nor end. Here the mean over ten epochs, which are cut at random,
    must not have risen for twenty.
    """

    PATIENCE, MEAN, TIMES, CUT = 20, 10, 3, 10.0

    def __init__(self, *, reduce_lr_on_plateau: bool) -> None:
        del reduce_lr_on_plateau  # always
        self.cuts, self.waited, self.best = 0, 0, -np.inf
        self.accuracy: list[float] = []

    def step(self, accuracy: float, optimizer: torch.optim.Optimizer) -> bool:
        self.accuracy.append(accuracy)
        if len(self.accuracy) < self.MEAN:
            return False
        reached = float(np.mean(self.accuracy[-self.MEAN :]))
        self.waited = 0 if reached > self.best else self.waited + 1
        self.best = max(self.best, reached)
        if self.waited == self.PATIENCE:
            self.cuts, self.waited = self.cuts + 1, 0
            for group in optimizer.param_groups:
                group["lr"] /= self.CUT
        return self.cuts == self.TIMES


def _defaults() -> dict[str, Any]:
    """Give the settings of the package's command line, none given."""
    with mock.patch.object(sys, "argv", ["snn"]):
        return vars(conf.get_args("train_rnn"))


def _settings(given: dict[str, Any], action: str) -> Any:
    """Make the package's settings; they count the epochs, which the package tells nobody."""

    class Settings(ExperimentSettings):
        looked = 0

        @property
        def monitor_interval(self) -> int:  # the training loop asks for it once an epoch
            self.looked += 1
            return self.__dict__["monitor_interval"]

    return Settings(dict(given), action=action)


def _nights(light_curves: LightCurves) -> tuple[dict[str, NDArray[Any]], NDArray[np.int64]]:
    """Put light curves into the package's nights: what lies within eight hours of a night's first row is one row.

    Of several observations of a night in one band the one of the least error counts; a band without one is zero.

    Returns
    -------
    columns : dict of str to array, shape ``(n_nights,)``
        By the package's names; ``FLT`` are the bands seen.
    first : array of int, shape ``(n_objects + 1,)``
        The first night of each object, and their number.
    """
    curves = light_curves
    if not curves.dereddened and "mwebv" in curves.context:
        curves = curves.deredden()
    starts = _starts(curves)
    night = np.cumsum(starts) - 1
    owner, time_of = curves.object_index[starts], curves.time[starts]
    order = np.lexsort((-curves.flux_err, curves.band, night))  # what is written last into a cell stays
    where = night[order], curves.band[order]
    flux, error = np.zeros((2, starts.sum(), len(FILTERS)))
    flux[where], error[where] = (column[order] / to_njy(FLUXCAL) for column in (curves.flux, curves.flux_err))
    columns: dict[str, NDArray[Any]] = {f"FLUXCAL_{name}": flux[:, place] for place, name in enumerate(FILTERS)}
    columns |= {f"FLUXCALERR_{name}": error[:, place] for place, name in enumerate(FILTERS)}
    columns["delta_time"] = np.diff(time_of, prepend=0.0) * (np.diff(owner, prepend=-1) == 0)
    for kind, names in COLUMNS.items():
        name = next((each for each in names if each in curves.context), "")
        for end in ("", "_err"):
            values = curves.context.get(f"{name}{end}", np.full(len(curves), np.nan))
            columns[f"HOSTGAL_{kind}{end.upper()}"] = np.where(np.isnan(values), UNKNOWN, values)[owner]
    names_seen = np.array(["".join(np.array(FILTERS)[mask]) for mask in _MASKS], dtype=object)
    columns["FLT"] = names_seen[(error > 0) @ (1 << np.arange(len(FILTERS)))]
    return columns, np.searchsorted(owner, np.arange(len(curves) + 1))


_MASKS = (np.arange(1 << len(FILTERS))[:, None] >> np.arange(len(FILTERS)) & 1).astype(bool)


def _starts(curves: LightCurves) -> NDArray[np.bool_]:
    """Say which rows begin a night: more than eight hours after the row that began the last one."""
    span = np.ptp(curves.time) + 2 * NIGHT if curves.n_rows else 0.0
    place_in_time = curves.time - curves.time.min(initial=np.inf) + span * curves.object_index
    later = np.searchsorted(place_in_time, place_in_time + NIGHT, side="right")
    starts = np.zeros(curves.n_rows + 1, dtype=bool)
    end = curves.offsets[1:]
    place = curves.offsets[:-1]
    while (inside := place < end).any():
        place, end = place[inside], end[inside]
        starts[place] = True
        place = later[place]
    return starts[:-1]


def _database(train: LightCurves, valid: LightCurves, tree: Taxonomy, settings: Any) -> pd.DataFrame:
    """Put the nights of both splits as the package's database wants them."""
    both = LightCurves.concatenate([train, valid])
    leaf = np.searchsorted(tree.leaves, tree.labels(both.label))
    columns, first = _nights(both)
    owner = np.repeat(np.arange(len(both)), np.diff(first))
    columns[settings.sntype_var] = leaf[owner]
    columns |= {name: np.zeros(owner.size) for name in ("PEAKMJD", "PEAKMJDNORM", "mB", "c", "x1")}
    for n_classes in {2, tree.leaves.size}:
        columns[f"target_{n_classes}classes"] = (np.minimum(leaf, 1) if n_classes == 2 else leaf)[owner]
        for kind in ("photometry", "saltfit"):
            columns[f"dataset_{kind}_{n_classes}classes"] = (owner >= len(train)).astype(int)
    return pd.DataFrame(columns, index=pd.Index(both.object_id.astype(object)[owner], name="SNID", dtype=object))
