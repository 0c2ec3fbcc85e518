"""What calibration and promises are worth, as figures. They need ``pip install 'telperion[plots]'``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from telperion.calibration_scores import DepthScores, class_errors
from telperion.style import COLOURS, FAINT, legend_outside, line, panels, styled, titles

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_FEWEST = 20  # objects of a bin that is drawn


@styled
def node_reliability_figure(
    before: NDArray[np.float64], after: NDArray[np.float64], names: Sequence[str], title: str = ""
) -> Figure:
    """Draw reliability before and after calibration, a panel with the calibration errors for each node but the root.

    Parameters
    ----------
    before, after : array, shape ``(n_nodes, n_bins, 3)``
        From `telperion.calibration_scores.reliabilities`.
    names : sequence of str, length ``n_nodes``
        The root first.
    """
    errors = [class_errors(tables) for tables in (before, after)]
    figure, grid = panels(len(names) - 1, columns=6, width=1.8, height=1.75, sharex=True, sharey=True)
    for node, axes in enumerate(grid, start=1):
        axes.plot([0, 1], [0, 1], color=FAINT, linewidth=0.8, linestyle=":")
        for tables, label, colour in ((before, "before", COLOURS[1]), (after, "after", COLOURS[0])):
            belief, frequency, count = tables[node].T
            shown = count >= _FEWEST
            spread = np.sqrt(np.maximum(frequency * (1 - frequency), 0) / np.maximum(count, 1))[shown]
            axes.errorbar(
                belief[shown], frequency[shown], spread, color=colour, label=label, marker=".", markersize=3,
                linewidth=1, elinewidth=0.7,
            )  # fmt: skip
        axes.set(title=names[node], xlim=(0, 1), ylim=(0, 1))
        for place, (part, colour) in enumerate(zip(errors, (COLOURS[1], COLOURS[0]), strict=True)):
            axes.text(0.05, 0.92 - 0.12 * place, f"{part[node]:.3f}", color=colour, fontsize=8, va="top")
    titles(figure, title, "probability", "frequency")
    legend_outside(figure, grid[0])
    return figure


@styled
def error_phases_figure(
    days: Sequence[float],
    before: Sequence[NDArray[np.float64]],
    after: Sequence[NDArray[np.float64]],
    names: Sequence[str],
    title: str = "",
) -> Figure:
    """Draw each node's calibration error against phase, before and after.

    Parameters
    ----------
    days : sequence of float, length ``n_days``, d
    before, after : sequence of array, each of shape ``(n_nodes, n_bins, 3)``
    names : sequence of str, length ``n_nodes``
    """
    errors = [np.stack([class_errors(tables) for tables in each]) for each in (before, after)]
    figure, grid = panels(len(names) - 1, columns=6, width=1.8, height=1.5, sharex=True, sharey=True)
    for node, axes in enumerate(grid, start=1):
        for values, label, colour in zip(errors, ("before", "after"), (COLOURS[1], COLOURS[0]), strict=True):
            axes.plot(days, values[:, node], color=colour, label=label)
        axes.set(title=names[node], ylim=(0, None))
        _scale_days(axes)
    titles(figure, title, "days after the first detection", "calibration error")
    legend_outside(figure, grid[0])
    return figure


@styled
def depth_figure(
    days: Sequence[float], rules: Mapping[str, Sequence[DepthScores]], level: float = 0.9, title: str = ""
) -> Figure:
    """Draw coverage, mean depth, share of leaves and coverage at the deepest level against phase.

    Parameters
    ----------
    days : sequence of float, length ``n_days``, d
    rules : mapping of str to sequence of DepthScores, each of length ``n_days``
        The answers of several rules.
    level : float
        That was promised.
    """
    figure, grid = panels(4, columns=2, width=3.6, height=2.4, sharex=True)
    for order, (name, scores) in enumerate(rules.items()):
        curves = (
            [each.coverage for each in scores], [each.depth for each in scores], [each.at_leaf for each in scores],
            [np.nanmin(np.where(each.share > 0.01, each.coverage_at, np.nan)) for each in scores],
        )  # fmt: skip
        for axes, values in zip(grid, curves, strict=True):
            axes.plot(days, values, **line(order), label=name)
    headings = ("right answers", "mean depth", "answers that are leaves", "right answers, worst depth")
    for axes, heading in zip(grid, headings, strict=True):
        axes.set(title=heading)
        _scale_days(axes)
    for axes, value in ((grid[0], level), (grid[3], level - 0.05)):
        axes.axhline(value, color=FAINT, linewidth=0.8, linestyle=":")
    titles(figure, title, "days after the first detection", "")
    legend_outside(figure, grid[0])
    return figure


def _scale_days(axes: Axes) -> None:
    axes.set_xscale("symlog", linthresh=1)
    axes.set_xticks([0, 1, 8, 64, 512], ["0", "1", "8", "64", "512"])
    axes.minorticks_off()
