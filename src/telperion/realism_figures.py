"""Comparisons of a simulated with a real set as figures. They need ``pip install 'telperion[plots]'``."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from telperion.realism.quantities import Distributions
from telperion.realism.transfer import Transfer
from telperion.style import COLOURS, FAINT, INK, legend_outside, panels, styled, titles

if TYPE_CHECKING:
    from matplotlib.figure import Figure

LOGARITHMIC = frozenset({"observations", "nights", "detections", "peak S/N", "host separation", "E(B-V)"})
"""Quantities drawn on a logarithmic axis where they are above zero; the others on a linear one."""


@styled
def distributions_figure(one: Distributions, title: str = "", most: int = 20) -> Figure:
    """Draw cumulative distributions of one class, simulated and real, of the quantities that are farthest apart.

    Parameters
    ----------
    one : Distributions
        With at least one distance.
    title : str
    most : int
        Quantities that are drawn.
    """
    shown = one.distances[:most]
    figure, grid = panels(len(shown), columns=5, width=2.1, height=1.75, sharey=True)
    for axes, found in zip(grid, shown, strict=True):
        sides = [each[found.quantity] for each in (one.simulated, one.real)]
        known = [np.sort(values[np.isfinite(values)]) for values in sides]
        for values, label, colour in zip(known, ("simulated", "real"), (COLOURS[1], COLOURS[0]), strict=True):
            share = (1 + np.arange(len(values))) / len(values)
            axes.step(values, share, where="post", color=colour, label=label)
        axes.set(title=f"{found.quantity}  {found.distance:.2f}", ylim=(0, 1.02))
        if found.quantity in LOGARITHMIC and min(values[0] for values in known) > 0:
            axes.set_xscale("log")
        low, high = np.percentile(np.concatenate(known), [0.5, 99.5])
        if high > low:
            axes.set_xlim(low, high)
    legend_outside(figure, grid[0])
    titles(figure, title, across="magnitudes, days, redshifts; of errors log10 of nJy", up="share below")
    return figure


@styled
def transfer_figure(one: Transfer, title: str = "") -> Figure:
    """Draw the F1 of each class on the real set, of a booster that learnt on simulated and of one that learnt on real.

    Bars of one standard deviation over seeds; classes in the order of the gap.
    """
    far, near = one.f1("simulated to real"), one.f1("within real")
    order = np.argsort(near.mean(axis=0) - far.mean(axis=0))
    place = np.arange(len(order))
    figure, (axes,) = panels(1, columns=1, width=5.6, height=1.0 + 0.28 * len(order))
    axes.hlines(place, far.mean(axis=0)[order], near.mean(axis=0)[order], color=FAINT, linewidth=1)
    for values, label, colour, marker in (
        (far, "learnt on simulated", COLOURS[1], "o"),
        (near, "learnt on real, cross-validated", COLOURS[0], "s"),
    ):
        error = values.std(axis=0, ddof=1)[order] if len(values) > 1 else None
        axes.errorbar(values.mean(axis=0)[order], place, xerr=error, fmt=marker, color=colour, label=label)
    axes.set_yticks(place, [one.classes[k] for k in order], color=INK)
    axes.set(xlim=(0, 1), xlabel="F1 on the real set", title=title)
    legend_outside(figure, axes)
    return figure
