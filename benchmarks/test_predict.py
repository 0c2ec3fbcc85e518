"""How fast one light curve and many are classified, and how fast a stream steps; the GRU with untrained weights.

``pytest benchmarks/test_predict.py``; the rates of many light curves include their encoding, except in torch.
"""

import numpy as np
import pytest
import torch

from telperion.classifier import Classifier
from telperion.encode import sequence
from telperion.encode.context import encode_context
from telperion.lightcurves import LightCurves
from telperion.models.gru import Gru
from telperion.models.gru_config import ORACLE, TELPERION
from telperion.models.gru_network import build_network
from telperion.models.gru_onnx import export_onnx
from telperion.taxonomy import Taxonomy

ROWS = 100


def make_curves(n: int, rows: int | np.ndarray = ROWS) -> LightCurves:
    rng = np.random.default_rng(0)
    owner = np.repeat(np.arange(n), rows)
    total = owner.size
    return LightCurves.from_rows(
        owner, rng.uniform(60000, 60500, total), rng.integers(0, 6, total),
        rng.normal(500, 300, total), rng.uniform(30, 80, total), rng.random(total) < 0.5, objects=np.arange(n),
        dereddened=True, context={name: rng.uniform(0, 1, n) for name in ("hostgal_specz", "hostgal_photoz", "mwebv")},
    )  # fmt: skip


@pytest.fixture(scope="module", params=[ORACLE, TELPERION], ids=lambda config: config.preset)
def gru(request):
    tree = Taxonomy.load("elasticc")
    return Gru(
        request.param, tree, np.ones(tree.leaves.size), export_onnx(build_network(request.param, len(tree)).eval())
    )


def test_gru_one_light_curve_of_100_observations(benchmark, gru):
    curves = make_curves(1)
    assert benchmark(gru.predict, curves).shape == (1, 26)


def test_classifier_one_light_curve_of_100_observations(benchmark, gru):
    curves, classifier = make_curves(1), Classifier(gru, "gru", view="full")
    assert benchmark(classifier.predict, curves).shape == (1, 26)


def test_gru_2000_light_curves_of_100_observations(benchmark, gru):
    curves = make_curves(2000)
    assert benchmark(gru.predict, curves).shape == (2000, 26)


def test_gru_one_more_observation_of_2000_objects(benchmark, gru):
    state, curves = gru.start(2000), make_curves(2000, 1)
    probabilities, _ = benchmark(gru.step, state, curves)
    assert probabilities.shape == (2000, 26)


def make_ragged_curves() -> LightCurves:
    return make_curves(400, np.random.default_rng(1).integers(10, 300, 400))


def test_gru_400_light_curves_of_10_to_300_observations(benchmark, gru):
    curves = make_ragged_curves()
    assert benchmark.pedantic(gru.predict, args=(curves,), rounds=5, warmup_rounds=1).shape == (400, 26)


@pytest.mark.parametrize("rhythm", [False, True], ids=["plain", "rhythm"])
@pytest.mark.parametrize("way", ["features", "loops"])
def test_rows_of_280_light_curves_of_105_observations_encoded(benchmark, monkeypatch, way, rhythm):
    monkeypatch.setattr(sequence, "_loops", None)
    assert way == "features" or sequence.compile_loops()
    curves, memory = make_curves(280, 105), sequence.start(280, rhythm=rhythm)
    rows, _, _ = benchmark(sequence.encode_rows, curves, encode_context(curves), memory, rhythm=rhythm)
    assert rows.shape[:2] == (280, 105)


class PlainGru(torch.nn.GRU):
    def forward(self, rows: torch.Tensor) -> torch.Tensor:
        return super().forward(rows)[0]


@pytest.mark.parametrize("n_times", [500, 300])
def test_torch_network_of_oracle_400_light_curves_padded(benchmark, n_times):
    torch.set_num_threads(1)
    network = build_network(ORACLE, 26).eval()
    network.gru = PlainGru(5, ORACLE.hidden, ORACLE.layers, batch_first=True)
    lengths = torch.from_numpy(make_ragged_curves().lengths)
    rows = torch.randn(400, n_times, 5) * (torch.arange(n_times) < lengths[:, None])[:, :, None]

    @torch.no_grad()
    def run() -> torch.Tensor:
        return network(rows, torch.zeros(400, 23), lengths[:, None] - 1)

    assert benchmark.pedantic(run, rounds=5, warmup_rounds=1).shape == (400, 1, 26)
