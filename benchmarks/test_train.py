"""How long one training step of the recurrent layers takes, ours and torch's: ``pytest benchmarks/test_train.py``."""

import pytest
import torch
from torch import nn

from telperion.models.gru_layer import GruLayers


@pytest.mark.parametrize(("n_inputs", "n_hidden", "n_layers"), [(5, 100, 2), (96, 96, 1), (256, 256, 1)])
@pytest.mark.parametrize("precision", ["highest", "medium"], ids=["float32", "bfloat16"])
@pytest.mark.parametrize("ours", [True, False], ids=["ours", "torch"])
def test_forward_and_backward_of_128_light_curves_of_300_rows(benchmark, ours, precision, n_inputs, n_hidden, n_layers):
    torch.set_num_threads(1)
    torch.set_float32_matmul_precision(precision)
    layers = (GruLayers if ours else nn.GRU)(n_inputs, n_hidden, n_layers, **({} if ours else {"batch_first": True}))
    rows = torch.randn(128, 300, n_inputs)

    def run() -> None:
        states = layers(rows)
        (states if ours else states[0]).sum().backward()

    benchmark.pedantic(run, rounds=7, warmup_rounds=2)
    torch.set_float32_matmul_precision("highest")
