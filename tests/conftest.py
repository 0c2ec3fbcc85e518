"""What every test may ask for."""

import os

os.environ["OMP_NUM_THREADS"] = (
    "1"  # before torch is imported: threads that wait for each other slow small networks down
)

from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest

from telperion.classifier import Classifier
from telperion.lightcurves import LightCurves
from telperion.simulate.drawn import draw

RUNS = {
    "boost": {"kind": "boost", "rounds": 12, "truncations": 3.0, "boosters": 2, "min_rows": 3},
    "oracle": {"kind": "gru", "preset": "oracle", "epochs": 2, "hidden": 16, "batch_size": 32, "learning_rate": 2e-3},
    "bands": {"kind": "bands", "target": "AGN", "n_rows": 40, "epochs": 2},
    "outburst": {
        "kind": "boost",
        "preset": "outburst",
        "classes": ["AGN", "SN"],
        "truncations": 1.5,
        "rounds": 5,
        "boosters": 1,
        "min_rows": 3,
    },
    "gru": {"kind": "gru", "epochs": 3, "hidden": 16, "head": 16, "phases": 2, "batch_size": 32},
    "portrait": {"kind": "portrait", "networks": 1, "width": 8, "epochs": 5, "batch_size": 16, "copies": 1},
}
if find_spec("aeon"):  # an extra of its own
    RUNS["rocket"] = {"kind": "rocket", "target": "AGN", "kernels": 30, "points": 30, "rounds": 5}
RUNS["stack"] = {"kind": "stack", "members": [RUNS["boost"], RUNS["gru"]]}
"""Small settings of each kind of model: good enough to be held to the contract, trained in seconds."""


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(0)


@pytest.fixture(scope="session")
def lsst_data() -> Path:
    """The folder with the unpacked research data; tests that need it are skipped where it is absent."""
    folder = Path(os.environ.get("LSST_DATA", "~/.cache/lsst-data")).expanduser()
    if not folder.is_dir():
        pytest.skip(f"no research data at {folder}: set LSST_DATA to a folder with plasticc, mallorn, elasticc2")
    return folder


@pytest.fixture(scope="session")
def drawn() -> LightCurves:
    """Three drawn light curves of each class."""
    return draw(n_per_class=3, seed=7)


@pytest.fixture(scope="session")
def classifiers(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Classifier]:
    """A classifier of each kind, trained on a few drawn light curves."""
    pytest.importorskip("torch", reason="training needs telperion[train]")
    pytest.importorskip("lightgbm", reason="training needs telperion[boost]")
    from telperion.run import Run
    from telperion.train import train

    curves = draw(n_per_class=12, seed=3)
    trained = {}
    for kind, model in RUNS.items():
        run = Run.from_dict({"name": kind, "tree": "plasticc", "model": model})
        trained[kind] = train(run, curves, folder=tmp_path_factory.mktemp(kind))
    return trained


@pytest.fixture(params=list(RUNS))
def classifier(request: pytest.FixtureRequest, classifiers: dict[str, Classifier]) -> Classifier:
    """Each of the trained classifiers in turn."""
    return classifiers[request.param]
