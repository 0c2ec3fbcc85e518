"""How fast one light curve and many are classified, and how fast a stream steps; the GRU with untrained weights."""

import numpy as np
import pytest

from telperion.lightcurves import LightCurves
from telperion.models.gru import ORACLE, TELPERION, Gru
from telperion.models.gru_network import build_network
from telperion.models.gru_onnx import export_onnx
from telperion.taxonomy import Taxonomy

ROWS = 100


def make_curves(n: int, rows: int = ROWS) -> LightCurves:
    rng = np.random.default_rng(0)
    total = n * rows
    return LightCurves.from_rows(
        np.repeat(np.arange(n), rows), rng.uniform(60000, 60500, total), rng.integers(0, 6, total),
        rng.normal(500, 300, total), rng.uniform(30, 80, total), rng.random(total) < 0.5, objects=np.arange(n),
        dereddened=True, context={name: rng.uniform(0, 1, n) for name in ("hostgal_specz", "hostgal_photoz", "mwebv")},
    )  # fmt: skip


@pytest.fixture(scope="module", params=[ORACLE, TELPERION], ids=lambda config: config.preset)
def gru(request):
    tree = Taxonomy.load("elasticc")
    return Gru(request.param, tree, np.ones(len(tree)), export_onnx(build_network(request.param, len(tree)).eval()))


def test_gru_one_light_curve_of_100_observations(benchmark, gru):
    curves = make_curves(1)
    assert benchmark(gru.predict, curves).shape == (1, 26)


def test_gru_2000_light_curves_of_100_observations(benchmark, gru):
    curves = make_curves(2000)
    assert benchmark(gru.predict, curves).shape == (2000, 26)


def test_gru_one_more_observation_of_2000_objects(benchmark, gru):
    state, curves = gru.start(2000), make_curves(2000, 1)
    probabilities, _ = benchmark(gru.step, state, curves)
    assert probabilities.shape == (2000, 26)
