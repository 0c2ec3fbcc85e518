"""What calibration and promises are worth, as figures. They need ``pip install 'telperion[plots]'``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, TypeVar

import numpy as np
from numpy.typing import NDArray

from telperion.calibration_scores import DepthScores, class_errors
from telperion.style import COLOURS, FAINT, legend_outside, line, panels, styled, titles

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

FEWEST = 20
"""Objects of a bin, below which it is left out."""


@styled
def node_reliability_figure(
    before: NDArray[np.float64] | None, after: NDArray[np.float64], names: Sequence[str], title: str = ""
) -> Figure:
    """Draw reliability before and after calibration, a panel with the calibration errors for each node but the root.

    Parameters
    ----------
    before, after : array, shape ``(n_nodes, n_bins, 3)``
        From `telperion.calibration_scores.reliabilities`; without a calibration there is no before.
    names : sequence of str, length ``n_nodes``
        The root first.
    """
    stages = [(*stage, class_errors(stage[0])) for stage in _stages(before, after)]
    figure, grid = panels(len(names) - 1, columns=6, width=1.8, height=1.75, sharex=True, sharey=True)
    for node, axes in enumerate(grid, start=1):
        axes.plot([0, 1], [0, 1], color=FAINT, linewidth=0.8, linestyle=":")
        for place, (tables, label, colour, errors) in enumerate(stages):
            belief, frequency, count = tables[node].T
            shown = count >= FEWEST
            spread = np.sqrt(np.maximum(frequency * (1 - frequency), 0) / np.maximum(count, 1))[shown]
            axes.errorbar(
                belief[shown], frequency[shown], spread, color=colour, label=label, marker=".", markersize=3,
                linewidth=1, elinewidth=0.7,
            )  # fmt: skip
            axes.text(0.05, 0.92 - 0.12 * place, f"{errors[node]:.3f}", color=colour, fontsize=8, va="top")
        axes.set(title=names[node], xlim=(0, 1), ylim=(0, 1))
    titles(figure, title, "probability", "frequency")
    if len(stages) > 1:
        legend_outside(figure, grid[0])
    return figure


@styled
def error_phases_figure(
    days: Sequence[float],
    before: Sequence[NDArray[np.float64]] | None,
    after: Sequence[NDArray[np.float64]],
    names: Sequence[str],
    title: str = "",
) -> Figure:
    """Draw each node's calibration error against phase, before and after.

    Parameters
    ----------
    days : sequence of float, length ``n_days``, d
    before, after : sequence of array, each of shape ``(n_nodes, n_bins, 3)``
        As in `node_reliability_figure`.
    names : sequence of str, length ``n_nodes``
    """
    stages = [
        (np.stack([class_errors(tables) for tables in each]), label, colour)
        for each, label, colour in _stages(before, after)
    ]
    figure, grid = panels(len(names) - 1, columns=6, width=1.8, height=1.5, sharex=True, sharey=True)
    for node, axes in enumerate(grid, start=1):
        for errors, label, colour in stages:
            axes.plot(days, errors[:, node], color=colour, label=label, marker=".", markersize=3)
        axes.set(title=names[node], ylim=(0, 1.05 * max(errors[:, 1:].max() for errors, _, _ in stages)))
        _scale_days(axes, days)
    titles(figure, title, "days after the first detection", "calibration error")
    if len(stages) > 1:
        legend_outside(figure, grid[0])
    return figure


@styled
def depth_figure(
    days: Sequence[float], rules: Mapping[str, Sequence[DepthScores]], level: float | None = 0.9, title: str = ""
) -> Figure:
    """Draw coverage, mean depth, share of leaves and coverage at the deepest level against phase.

    Parameters
    ----------
    days : sequence of float, length ``n_days``, d
    rules : mapping of str to sequence of DepthScores, each of length ``n_days``
        The answers of several rules.
    level : float, optional
        That was promised, if any was.
    """
    figure, grid = panels(4, columns=2, width=3.6, height=2.4, sharex=True)
    for order, (name, scores) in enumerate(rules.items()):
        curves = (
            [each.coverage for each in scores], [each.depth for each in scores], [each.at_leaf for each in scores],
            [np.nanmin(np.where(each.share > 0.01, each.coverage_at, np.nan)) for each in scores],
        )  # fmt: skip
        for axes, values in zip(grid, curves, strict=True):
            axes.plot(days, values, **line(order), label=name, marker=".")
    headings = ("right answers", "mean depth", "answers that are leaves", "right answers, worst depth")
    for axes, heading in zip(grid, headings, strict=True):
        axes.set(title=heading)
        _scale_days(axes, days)
    for axes, value in ((grid[0], level), (grid[3], level - 0.05)) if level is not None else ():
        axes.axhline(value, color=FAINT, linewidth=0.8, linestyle=":")
    titles(figure, title, "days after the first detection", "")
    legend_outside(figure, grid[0])
    return figure


_Tables = TypeVar("_Tables", NDArray[np.float64], Sequence[NDArray[np.float64]])


def _stages(before: _Tables | None, after: _Tables) -> list[tuple[_Tables, str, str]]:
    """Name and colour what there is: before and after a calibration, or what is said without one."""
    after_it = after, "after", COLOURS[0]
    return [after_it] if before is None else [(before, "before", COLOURS[1]), after_it]


def _scale_days(axes: Axes, days: Sequence[float]) -> None:
    axes.set_xscale("symlog", linthresh=1)
    shown = [day for day in (0, 1, 8, 64, 512) if day >= min(days)]
    axes.set_xticks(shown, [f"{day}" for day in shown])
    axes.minorticks_off()
