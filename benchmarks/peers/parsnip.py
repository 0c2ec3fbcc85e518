"""ParSNIP (Boone 2021, AJ 162, 275): its own package describes light curves; LightGBM tells classes by that.

A variational autoencoder, whose decoder is a spectrum that changes with time, seen at the object's redshift through the
bands, learnt three numbers, a colour, a time and an amplitude for each light curve. It needs a redshift. Its weights
are those that the package comes with, which learnt from all of PLAsTiCC; or it is trained anew.
"""

from __future__ import annotations

import importlib.resources
import json
import time
from pathlib import Path
from typing import Any

import astropy.table
import lcdata
import lightgbm
import numpy as np
import parsnip
import safetensors.torch
import sncosmo
import torch
from numpy._core import multiarray
from numpy.typing import NDArray

from benchmarks.peers.around import cores, quietly
from benchmarks.peers.parsnip_training import finished, keep, train_model
from benchmarks.peers.peer import TRAINING
from telperion.bands import BANDS, to_njy
from telperion.encode.truncate import draw_days
from telperion.encode.view import View, view
from telperion.lightcurves import LightCurves
from telperion.simulate.passbands import throughputs
from telperion.taxonomy import Taxonomy

ZERO_POINT = 25.0
NAMES = [f"lsst{band}" for band in BANDS]
MODEL, BOOSTER, CARD = "model.safetensors", "booster.txt", "parsnip.json"
FARTHEST = 3.9
"""Largest redshift that the model is told; its bands are made up to 4."""

CUTS = 4
"""Copies of each object, cut at a random day, that the booster learns from beside the whole light curve."""

ROUNDS, SHARE = 100, 1e-3
"""Trees a class, LightGBM's default as in the package; least weight of a leaf over that of all rows."""


PUBLISHED = {"specz": ("plasticc", False), "photoz": ("plasticc_photoz", True)}
"""The package's weights for a kind of context, and whether they guess the redshift by a photometric one."""


class Parsnip:
    """The package's autoencoder with the weights it comes with, and LightGBM on what it makes of light curves."""

    name = "ParSNIP"
    what = (
        "ParSNIP (Boone 2021), its own package and weights, learnt from PLAsTiCC: autoencoder of light curves in the "
        "rest frame, LightGBM on its 11 features, taught here, with cut copies, too; no redshift counts as 0"
    )
    anew = False
    state_bytes: int | None = None

    def __init__(self) -> None:
        self.view_of_training: View = "alert"
        self.most_epochs = 1000
        self.settings: dict[str, Any] = {}  # other than the package's own
        self.n_parameters = 0
        self._tree: Taxonomy | None = None
        self._model: Any = None
        self._booster: Any = None
        self._classes: NDArray[np.int64] = np.zeros(0, dtype=np.int64)
        self._mix: NDArray[np.float64] = np.zeros(0)

    def fit(
        self, train: LightCurves, valid: LightCurves, tree: Taxonomy, folder: Path, *, seed: int, context: str
    ) -> None:
        """Train the booster; if `anew`, first the autoencoder, until the package has cut its rate often enough.

        Raises
        ------
        ValueError
            The context is ``none``.
        """
        if context == "none":
            raise ValueError("ParSNIP describes light curves in their rest frame: it cannot do without any redshift")
        rng, started = np.random.default_rng(seed), time.perf_counter()
        whole, held = (view(each, np.inf, self.view_of_training) for each in (train, valid))
        copies = [whole, *(draw_days(train, rng, self.view_of_training, 1)[0] for _ in range(CUTS))]
        with quietly(folder / "training.log"):
            name, guesses = PUBLISHED[context]
            settings = self.settings | {"predict_redshift": guesses and not self.anew}
            model = make_model(folder, settings, seed, cores())
            if self.anew:
                taught, scored = (rising(model.preprocess(dataset(each))) for each in (copies[:2], [held]))
                history = train_model(model, taught, scored, folder / MODEL, self.most_epochs, seed)
            else:
                model.load_state_dict(published(name))
                history = []
                keep(model, folder / MODEL, history)
            label = np.searchsorted(tree.leaves, tree.labels(train.label))
            pairs = [self._features(model, each) for each in copies]
            table, place = (np.concatenate([pair[k] for pair in pairs]) for k in (0, 1))
            classes, code = np.unique(label[place], return_inverse=True)
            boost(table, code).save_model(folder / BOOSTER)
        card = {"nodes": list(tree.nodes), "classes": classes.tolist(), "settings": settings}
        card["mix"] = np.bincount(label)[classes].tolist()
        (folder / CARD).write_text(json.dumps(card), encoding="utf-8")
        self.load(folder, tree)
        said = {
            "epochs": len(history),
            "seconds": round(time.perf_counter() - started, 1),
            "plateau": not self.anew or finished(model, history),
            "n_parameters": self.n_parameters,
            "validation_losses": [line["validation_loss"] for line in history],
        }
        (folder / TRAINING).write_text(json.dumps(said, indent=1), encoding="utf-8")

    def load(self, folder: Path, tree: Taxonomy) -> None:
        """Take up the model's weights and the booster."""
        card = json.loads((folder / CARD).read_text(encoding="utf-8"))
        if card["nodes"] != list(tree.nodes):
            raise ValueError(f"the model in {folder} was trained along another tree than {tree.name!r}")
        with quietly(folder / "loading.log"):
            self._model = make_model(folder, card["settings"])
        kept = safetensors.torch.load_file(folder / MODEL)
        self._model.load_state_dict({name[6:]: each for name, each in kept.items() if name.startswith("model.")})
        self._booster = lightgbm.Booster(model_file=folder / BOOSTER)
        self._tree, self._classes, self._mix = tree, np.array(card["classes"]), np.array(card["mix"], dtype=float)
        leaves = sum(each["num_leaves"] for each in self._booster.dump_model()["tree_info"])
        self.n_parameters = sum(each.numel() for each in self._model.parameters()) + 3 * leaves

    def predict(self, known: LightCurves) -> NDArray[np.float32]:
        """Give the probability of every node; an object without usable rows gets the same for all leaves."""
        if self._tree is None:
            raise ValueError("nothing is loaded: call load or fit first")
        n_leaves = self._tree.leaves.size
        leaf = np.full((len(known), n_leaves), 1 / n_leaves)
        table, place = self._features(self._model, known)
        if place.size:
            leaf[place] = 0
            said = self._booster.predict(table, num_threads=1).reshape(place.size, -1)
            said = said * self._mix  # the booster's classes weigh alike; so they are as common as they were
            leaf[place[:, None], self._classes] = said / said.sum(axis=1, keepdims=True)
        return self._tree.from_leaves(leaf).astype(np.float32)

    @staticmethod
    def _features(model: Any, curves: LightCurves) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
        """Describe light curves; give the places of those that the package takes, too."""
        if not (curves.lengths > 0).any():
            return np.zeros((0, 0)), np.zeros(0, dtype=np.int64)
        with quietly(None), torch.no_grad():
            said = model.predict_dataset(model.preprocess(dataset([curves]), verbose=False))
        return parsnip.Classifier().extract_features(said), np.array([int(each) for each in said["object_id"]])


class ParsnipAnew(Parsnip):
    """The same with an autoencoder that learns from the light curves given: days of one core."""

    name = "ParSNIP, trained anew"
    what = Parsnip.what.replace("own package and weights, learnt from PLAsTiCC", "own package, trained anew")
    anew = True


def published(name: str) -> dict[str, torch.Tensor]:
    """Read weights that the package comes with; nothing but arrays is made of its pickle."""
    kinds = [np.ndarray, np.dtype, np.dtypes.Float64DType, np.dtypes.BoolDType, np.dtypes.StrDType]
    makers = [(each, f"numpy.core.multiarray.{each.__name__}") for each in (multiarray._reconstruct, multiarray.scalar)]
    file = importlib.resources.files("parsnip") / f"models/{name}.pt"
    with torch.serialization.safe_globals([*kinds, *makers]), importlib.resources.as_file(file) as path:
        _, weights = torch.load(path, map_location="cpu", weights_only=True)
    found: dict[str, torch.Tensor] = weights
    return found


def make_model(folder: Path, settings: dict[str, Any], seed: int = 0, n_cores: int = 1) -> Any:
    """Make an untrained model, on the bands of our simulation: the package would fetch them from the net."""
    for name, (length, share) in zip(NAMES, throughputs(), strict=True):
        sncosmo.register(sncosmo.Bandpass(10 * length, share, name=name), force=True)  # angstrom
    torch.manual_seed(seed)
    device = "cuda" if torch.cuda.is_available() else "cpu"
    return parsnip.ParsnipModel(str(folder / "package" / "model.pt"), NAMES, device, n_cores, settings)


def dataset(parts: list[LightCurves]) -> Any:
    """Put light curves as the package has them, named by their place over all parts; none without rows."""
    tables, start = [], 0
    for part in parts:
        curves = part.deredden() if not part.dereddened and "mwebv" in part.context else part
        if "redshift" not in curves.context:
            raise ValueError("the light curves have no redshifts, without which ParSNIP cannot describe them")
        unknown = np.zeros(len(curves))
        redshift, guess, error_of_guess = (
            np.clip(np.nan_to_num(curves.context.get(name, unknown)), 0, FARTHEST)
            for name in ("redshift", "hostgal_photoz", "hostgal_photoz_err")
        )
        bands, scale = np.array(NAMES)[curves.band], to_njy(ZERO_POINT)
        flux, error = curves.flux / scale, curves.flux_err / scale
        for place in np.flatnonzero(curves.lengths > 0):
            rows = slice(curves.offsets[place], curves.offsets[place + 1])
            columns = {"time": curves.time[rows], "flux": flux[rows], "fluxerr": error[rows], "band": bands[rows]}
            meta = {"object_id": f"{start + place:09d}", "redshift": float(redshift[place])}
            meta |= {"hostgal_photoz": float(guess[place]), "hostgal_photoz_err": float(error_of_guess[place])}
            meta["hostgal_specz"] = meta["redshift"]
            tables.append(astropy.table.Table(columns, meta=meta))
        start += len(part)
    return lcdata.from_light_curves(tables)


def rising(preprocessed: Any) -> Any:
    """Leave out what never shines: the package divides by the largest flux and takes its logarithm to add noise."""
    return preprocessed[np.asarray(preprocessed.meta["parsnip_scale"]) > 0]


def boost(table: NDArray[np.float64], code: NDArray[np.int64]) -> Any:
    """Fit the package's booster: LightGBM's defaults, classes alike in weight. Its own call fails since LightGBM 4."""
    n_classes = int(code.max()) + 1
    weight = code.size / n_classes / np.bincount(code)[code]
    several = {"objective": "multiclass", "num_class": n_classes}
    given = {"min_child_weight": SHARE * code.size, "num_threads": 1, "verbosity": -1, "deterministic": True}
    data = lightgbm.Dataset(table, code, weight=weight)
    return lightgbm.train(given | several, data, num_boost_round=ROUNDS)
