"""Small classifiers with weights and calibrations drawn at random: answers need not be right, only the same."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from telperion.calibrate import Calibration
from telperion.classifier import Classifier
from telperion.lightcurves import LightCurves
from telperion.models.gru import Gru
from telperion.models.gru_config import ORACLE, TELPERION
from telperion.simulate.drawn import draw
from telperion.taxonomy import Taxonomy

CONFIGS = {
    "rhythm": replace(TELPERION, hidden=12, head=16, layers=1, rhythm=True),
    "layers": replace(TELPERION, hidden=12, head=16, layers=2),
    "oracle": replace(ORACLE, hidden=12),
}


@pytest.fixture(scope="session")
def small() -> Callable[..., Classifier]:
    """Make an untrained classifier of one of `CONFIGS`."""
    torch = pytest.importorskip("torch", reason="a network comes from telperion[train]")
    from telperion.models.gru_network import build_network
    from telperion.models.gru_onnx import export_onnx

    tree = Taxonomy.load("plasticc")

    def make(name: str, *, calibrated: bool = True) -> Classifier:
        rng = np.random.default_rng(5)
        torch.manual_seed(5)
        network = build_network(CONFIGS[name], len(tree)).eval()
        with torch.no_grad():
            network.logits.weight.mul_(8.0)  # else all classes are about as likely
        mix = rng.uniform(0.5, 2, tree.leaves.size)
        knots = np.array([0.0, 3.0, 30.0, 300.0])
        sharpness, bias = np.ones((4, len(tree))), rng.normal(0, 1, (4, len(tree)))
        for group in tree.groups[1:]:
            sharpness[:, group] = rng.uniform(0.5, 2, (4, 1))
        calibration = Calibration(tree, mix, knots, sharpness, bias) if calibrated else None
        model = Gru(CONFIGS[name], tree, tree.mix(mix), export_onnx(network))
        return Classifier(model, "gru", "alert", calibration=calibration)

    return make


@pytest.fixture(scope="session")
def curves() -> LightCurves:
    """Drawn light curves of each class, dimmed by dust, with redshifts and hosts in which something is missing."""
    drawn = draw(n_per_class=2, seed=4).until(100.0)
    rng, n = np.random.default_rng(4), len(drawn)
    context = {name: drawn.context[name] for name in ("hostgal_specz", "hostgal_photoz", "hostgal_photoz_err")}
    context |= {f"hostgal_mag_{band}": rng.uniform(9, 36, n) for band in "ugrizy"}
    context["hostgal_snsep"] = rng.exponential(1, n)
    context["hostgal_ellipticity"], context["hostgal_logmass"] = rng.uniform(0, 1, n), rng.normal(10, 1, n)
    context = {name: np.where(rng.random(n) < 0.2, np.nan, values) for name, values in context.items()}
    context["hostgal_specz"][:3] = 0.0, 1e-5, 19.0
    return replace(drawn, context=context | {"mwebv": rng.uniform(0, 1, n)}, dereddened=False)
