"""GRU layers for training on CPUs: torch's weights and results in about 0.6 of its time.

Torch calls a dozen small operators a step and gathers the gradient of the weights step by step. Here a compiled kernel
does all that follows a product of matrices, products that need no earlier step are made for many steps at once, and
the large buffers are used again.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import torch
from numba import njit
from numpy.typing import NDArray
from torch import Tensor, nn

CHUNK_ROWS = 2048
"""Rows whose inputs are multiplied at once, of as many steps: few enough for the products to stay in the cache."""

_BUFFERS: list[Tensor] = []
_ONE, _HALF = np.float32(1), np.float32(0.5)


class GruLayers(nn.GRU):
    """`torch.nn.GRU` from a state of zeros, batch first, without the last state.

    What is not float32 on a CPU is left to torch.
    """

    def __init__(self, n_inputs: int, n_hidden: int, n_layers: int = 1) -> None:
        super().__init__(n_inputs, n_hidden, n_layers, batch_first=True)

    def forward(self, rows: Tensor) -> Tensor:  # type: ignore[override]
        """Give the last layer's state after each row, shape ``(n, n_times, n_hidden)``."""
        if rows.device.type != "cpu" or rows.dtype != torch.float32:
            return super().forward(rows)[0]
        series = rows.transpose(0, 1)
        for layer in range(self.num_layers):
            names = (f"{name}_l{layer}" for name in ("weight_ih", "weight_hh", "bias_ih", "bias_hh"))
            series = _Layer.apply(series, *(getattr(self, name) for name in names))
        return series.transpose(0, 1)


class _Layer(torch.autograd.Function):
    """One layer over ``(n_times, n, n_inputs)``; the gates in torch's order: reset, update, new."""

    @staticmethod
    def forward(ctx: Any, inputs: Tensor, w_in: Tensor, w_state: Tensor, b_in: Tensor, b_state: Tensor) -> Tensor:
        n_times, n, n_inputs = inputs.shape
        width = w_state.shape[1]
        bias = b_in.clone()
        bias[: 2 * width] += b_state[: 2 * width]
        states = inputs.new_empty(n_times + 1, n, width)
        states[0] = 0
        chunk, learning = max(CHUNK_ROWS // n, 1), any(ctx.needs_input_grad)
        gates = _take_buffer(n_times if learning else chunk, n, 4 * width)
        product, recalled = inputs.new_empty(chunk, n, 3 * width), inputs.new_empty(n, 3 * width)
        weights, bias_new = w_state.detach().t().contiguous(), b_state.detach()[2 * width :].numpy()
        for start in range(0, n_times, chunk):
            now = slice(start, min(start + chunk, n_times))
            part = product[: now.stop - start]
            torch.addmm(bias, inputs[now].reshape(-1, n_inputs), w_in.t(), out=part.view(-1, 3 * width))
            kept = gates[now] if learning else gates[: now.stop - start]
            steps = zip(part.numpy(), states[now].numpy(), states[start + 1 :].numpy(), kept.numpy(), strict=False)
            for t, (given, before, after, gate) in enumerate(steps, start):
                torch.mm(states[t], weights, out=recalled)
                _step(given, recalled.numpy(), bias_new, before, after, gate)
        if learning:
            ctx.save_for_backward(inputs, w_in, w_state, states)
            ctx.gates = gates
        else:
            _BUFFERS.append(gates)
        return states[1:]

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        inputs, w_in, w_state, states = ctx.saved_tensors
        gates, ctx.gates, gradient = ctx.gates, None, gradients[0].contiguous()
        if gates is None:
            raise RuntimeError("what this pass kept is used up: it can be gone through backwards only once")
        (n_times, n, n_inputs), width = inputs.shape, w_state.shape[1]
        d_inputs = inputs.new_empty(inputs.shape) if ctx.needs_input_grad[0] else None
        d_w_in, d_w_state = torch.zeros_like(w_in), torch.zeros_like(w_state)
        d_bias, d_new = w_in.new_zeros(3 * width), w_in.new_zeros(width)
        chunk = max(CHUNK_ROWS // n, 1)
        slope, slope_new = inputs.new_empty(chunk, n, 3 * width), inputs.new_empty(chunk, n, width)
        kept, passed, weights = np.zeros((n, width), np.float32), inputs.new_zeros(n, width), w_state.detach()
        for stop in range(n_times, 0, -chunk):
            now = slice(max(0, stop - chunk), stop)
            parts = slope[: stop - now.start], slope_new[: stop - now.start]
            before = states[now.start : stop]
            steps = zip(
                gradient[now].numpy(),
                before.numpy(),
                gates[now].numpy(),
                *(part.numpy() for part in parts),
                strict=True,
            )
            for t, step in reversed(list(enumerate(steps))):
                _step_back(*step, kept, passed.numpy())
                torch.mm(parts[0][t], weights, out=passed)
            all_gates, new = (part.view(-1, part.shape[2]) for part in parts)
            both, known = all_gates[:, : 2 * width], inputs[now].reshape(-1, n_inputs)
            d_w_state.addmm_(all_gates.t(), before.view(-1, width))
            d_w_in[: 2 * width].addmm_(both.t(), known)
            d_w_in[2 * width :].addmm_(new.t(), known)
            d_bias += all_gates.sum(0)
            d_new += new.sum(0)
            if d_inputs is not None:
                part = torch.mm(both, w_in[: 2 * width], out=d_inputs[now].view(-1, n_inputs))
                part.addmm_(new, w_in[2 * width :])
        _BUFFERS.append(gates)
        return d_inputs, d_w_in, d_w_state, torch.cat([d_bias[: 2 * width], d_new]), d_bias


def _take_buffer(*shape: int) -> Tensor:
    """Give an array with anything in it, from used memory if there is enough: fresh pages take longer than the sums."""
    size = math.prod(shape)
    while _BUFFERS:
        used = torch.empty(0).set_(_BUFFERS.pop().untyped_storage())
        if used.numel() >= size:
            return used[:size].view(shape)
    return torch.empty(shape)


@njit(inline="always")
def _tanh(x: np.float32) -> np.float32:
    """Give tanh(x) in float32, by the rational approximation of degree 13 over 6."""
    x = x if x < np.float32(7.9053111) else np.float32(7.9053111)
    x = x if x > np.float32(-7.9053111) else np.float32(-7.9053111)
    y = x * x
    top = np.float32(-2.76076847742355e-16) * y + np.float32(2.00018790482477e-13)
    top = top * y + np.float32(-8.60467152213735e-11)
    top = top * y + np.float32(5.12229709037114e-08)
    top = top * y + np.float32(1.48572235717979e-05)
    top = top * y + np.float32(6.37261928875436e-04)
    top = top * y + np.float32(4.89352455891786e-03)
    bottom = np.float32(1.19825839466702e-06) * y + np.float32(1.18534705686654e-04)
    bottom = bottom * y + np.float32(2.26843463243900e-03)
    bottom = bottom * y + np.float32(4.89352518554385e-03)
    return x * top / bottom


@njit(fastmath=True, error_model="numpy", cache=True)
def _step(inputs: NDArray, recalled: NDArray, bias: NDArray, before: NDArray, after: NDArray, gates: NDArray) -> None:
    """Go one step on; keeps the gates reset, update, new, and what reset lets through, shape ``(n, 4 width)``."""
    n, width = before.shape
    for i in range(n):
        given, remembered, both = inputs[i], recalled[i], gates[i]
        for j in range(2 * width):
            both[j] = _HALF + _HALF * _tanh(_HALF * (given[j] + remembered[j]))
        reset, update = gates[i, :width], gates[i, width : 2 * width]
        new, through = gates[i, 2 * width : 3 * width], gates[i, 3 * width :]
        given, remembered, old, state = inputs[i, 2 * width :], recalled[i, 2 * width :], before[i], after[i]
        for j in range(width):
            through[j] = remembered[j] + bias[j]
        for j in range(width):
            new[j] = _tanh(given[j] + reset[j] * through[j])
        for j in range(width):
            state[j] = new[j] + update[j] * (old[j] - new[j])


@njit(fastmath=True, error_model="numpy", cache=True)
def _step_back(
    gradient: NDArray,
    states: NDArray,
    gates: NDArray,
    slope: NDArray,
    slope_new: NDArray,
    kept: NDArray,
    passed: NDArray,
) -> None:
    """Go one step back; the gradient of the state comes from the step after it past the gates and by the weights."""
    n, width = gradient.shape
    for i in range(n):
        reset, update = gates[i, :width], gates[i, width : 2 * width]
        new, through = gates[i, 2 * width : 3 * width], gates[i, 3 * width :]
        of_reset, of_update, of_new = slope[i, :width], slope[i, width : 2 * width], slope[i, 2 * width :]
        total, by_weights, given, inner, before = kept[i], passed[i], gradient[i], slope_new[i], states[i]
        for j in range(width):
            total[j] += by_weights[j] + given[j]
        for j in range(width):
            inner[j] = total[j] * (_ONE - update[j]) * (_ONE - new[j] * new[j])
        for j in range(width):
            of_new[j] = inner[j] * reset[j]
        for j in range(width):
            of_reset[j] = of_new[j] * through[j] * (_ONE - reset[j])
        for j in range(width):
            of_update[j] = total[j] * (before[j] - new[j]) * update[j] * (_ONE - update[j])
        for j in range(width):
            total[j] *= update[j]
