"""The GRU layers against torch's own, values and gradients."""

import pytest
import torch
from torch import nn

from telperion.models import gru_layer
from telperion.models.gru_layer import GruLayers


def make_pair(n_inputs, n_hidden, n_layers, seed=0):
    torch.manual_seed(seed)
    theirs = nn.GRU(n_inputs, n_hidden, n_layers, batch_first=True)
    ours = GruLayers(n_inputs, n_hidden, n_layers)
    ours.load_state_dict(theirs.state_dict())
    return ours, theirs


def gradients(layers, rows, weight):
    layers.zero_grad()
    rows = rows.clone().requires_grad_()
    states = layers(rows)
    states = states[0] if isinstance(states, tuple) else states
    (states * weight).sum().backward()
    return [states.detach(), rows.grad, *(parameter.grad.clone() for parameter in layers.parameters())]


@pytest.mark.parametrize("n_layers", [1, 2])
@pytest.mark.parametrize("n_times", [1, 15, 16, 53])
@pytest.mark.parametrize("n", [1, 7])
def test_states_and_gradients_are_those_of_torch(n, n_times, n_layers, monkeypatch):
    monkeypatch.setattr(gru_layer, "CHUNK_ROWS", 16 * n + 3)  # sixteen steps at once
    ours, theirs = make_pair(5, 12, n_layers)
    rows, weight = 3 * torch.randn(n, n_times, 5), torch.randn(n, n_times, 12)
    for own, other in zip(gradients(ours, rows, weight), gradients(theirs, rows, weight), strict=True):
        assert (own - other).abs().max() < 3e-6 * max(other.abs().max(), 1)


def test_a_batch_larger_than_a_chunk_goes_step_by_step(monkeypatch):
    monkeypatch.setattr(gru_layer, "CHUNK_ROWS", 4)
    ours, theirs = make_pair(5, 12, 2)
    rows, weight = torch.randn(9, 6, 5), torch.randn(9, 6, 12)
    for own, other in zip(gradients(ours, rows, weight), gradients(theirs, rows, weight), strict=True):
        torch.testing.assert_close(own, other, rtol=1e-4, atol=3e-6)
    with torch.no_grad():
        torch.testing.assert_close(ours(rows), theirs(rows)[0], rtol=1e-5, atol=1e-6)


def test_saturated_gates_are_those_of_torch():
    ours, theirs = make_pair(3, 4, 1)
    rows = torch.tensor([[[0.0, 1e4, -1e4], [1e30, -1e30, 0.0], [1e-30, 50.0, -9.0]]])
    torch.testing.assert_close(ours(rows), theirs(rows)[0], rtol=1e-5, atol=1e-6)


def test_passes_that_overlap_do_not_disturb_each_other():
    ours, theirs = make_pair(5, 12, 2)
    rows, weight = torch.randn(2, 4, 30, 5), torch.randn(4, 30, 12)
    expected = [gradients(theirs, part, weight)[2:] for part in rows]
    for _ in range(2):  # the second time with used buffers
        sums = [(ours(part) * weight).sum() for part in rows]
        with torch.no_grad():
            ours(rows[0, :, :7])
        for total, wanted in zip(sums, expected, strict=True):
            ours.zero_grad()
            total.backward()
            for parameter, gradient in zip(ours.parameters(), wanted, strict=True):
                torch.testing.assert_close(parameter.grad, gradient, rtol=1e-5, atol=2e-6)


def test_a_pass_goes_backwards_once():
    ours, _ = make_pair(2, 3, 1)
    total = ours(torch.randn(1, 4, 2)).sum()
    total.backward(retain_graph=True)
    with pytest.raises(RuntimeError, match="only once"):
        total.backward()


def test_what_is_not_float32_on_a_cpu_is_left_to_torch():
    ours, _ = make_pair(2, 3, 2)
    ours.double()
    rows = torch.randn(2, 5, 2, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(ours, rows)
