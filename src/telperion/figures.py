"""Evaluations and training histories as figures, safe for the colour-blind and good as vectors.

Every function gives a `matplotlib.figure.Figure` in the look of `telperion.style`; `telperion.style.render` turns it
into a file's bytes. They need ``pip install 'telperion[plots]'``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import groupby
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from telperion.found import Search, precision_recall
from telperion.scores import LEVELS, ROC_GRID, Evaluation, LevelScores, Scores, shared_days
from telperion.style import (
    COLOURS,
    FAINT,
    INK,
    LINES,
    MARKERS,
    SEQUENCE,
    SHADE,
    legend_outside,
    line,
    load_matplotlib,
    panels,
    styled,
    titles,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


FEWEST = 10
"""Objects of a bin, below which its frequency says little and is drawn hollow."""


# -- classes -----------------------------------------------------------------------------------------------------


@styled
def confusion_figure(scores: LevelScores, title: str = "") -> Figure:
    """Draw the confusion matrix, rows in per cent of their true class (none below one half); rules part siblings."""
    size, support = len(scores.classes), scores.support
    share = scores.confusion / np.maximum(support, 1)[:, None]
    side = 2.2 + 0.38 * max(size, 4)
    figure, (axes,) = panels(1, columns=1, width=side + 0.5, height=side)
    colours = load_matplotlib().colors.LinearSegmentedColormap.from_list("telperion", SEQUENCE)
    norm = load_matplotlib().colors.PowerNorm(0.6, vmin=0, vmax=1)  # lets confusions of a few per cent be seen
    axes.pcolormesh(share, cmap=colours, norm=norm, edgecolors="white", linewidth=0.6)
    for true, decided in np.argwhere(share >= 0.005):
        value, weight = share[true, decided], "bold" if true == decided else "normal"
        colour = "white" if value > 0.4 else INK
        place = {"x": decided + 0.5, "y": true + 0.5, "ha": "center", "va": "center"}
        axes.text(**place, s=f"{100 * value:.0f}", color=colour, weight=weight, fontsize=8)
    for empty in np.flatnonzero(support == 0):
        axes.axhspan(empty + 0.06, empty + 0.94, color=SHADE, linewidth=0)
    _part_siblings(axes, scores.groups)
    names = [f"{name}  ({count:,})" for name, count in zip(scores.classes, support, strict=True)]
    axes.set_yticks(np.arange(size) + 0.5, names)
    axes.set_xticks(np.arange(size) + 0.5, scores.classes, rotation=45, ha="right", rotation_mode="anchor")
    axes.set(title=title, xlabel="decided class (% of the true class)", ylabel="true class (objects)")
    axes.set(aspect="equal", ylim=(size, 0), xlim=(0, size))
    axes.tick_params(length=0)
    axes.grid(visible=False)
    axes.spines[:].set_visible(False)
    return figure


@styled
def roc_figure(scores: LevelScores, title: str = "") -> Figure:
    """Draw the ROC curve of each class against the rest on a logarithmic axis, a panel for each group of siblings."""
    siblings = [(name, list(places)) for name, places in groupby(range(len(scores.classes)), scores.groups.__getitem__)]
    figure, grid = panels(len(siblings), columns=3, width=3.1, height=2.9, sharey=True)
    for axes, (group, places) in zip(grid, siblings, strict=True):
        axes.plot(ROC_GRID, ROC_GRID, color=FAINT, linewidth=0.8, linestyle=":")
        known = [place for place in places if not np.isnan(scores.auc[place])]
        for order, place in enumerate(known):
            label = f"{scores.auc[place]:.3f}  {scores.classes[place]}"
            axes.plot(ROC_GRID, scores.roc[place], **line(order), label=label)
        axes.set(xscale="log", xlim=(1e-4, 1), ylim=(0, 1.02), title=group)
        axes.set_xticks([1e-4, 1e-3, 1e-2, 1e-1, 1], ["10⁻⁴", "10⁻³", "0.01", "0.1", "1"])
        axes.set_xticks([], minor=True)
        if known:
            axes.legend(loc="lower right", title="AUC", alignment="left", title_fontsize=8, frameon=True)
    titles(figure, title, across="false positive rate", up="true positive rate")
    return figure


@styled
def reliability_figure(scores: Scores, title: str = "") -> Figure:
    """Draw, level by level, how often the most probable class is true against its probability, with one-sigma bars.

    Grey columns show how the objects spread over the bins; hollow points are of bins of fewer than `FEWEST`.
    """
    figure, grid = panels(len(scores.levels), columns=3, width=3.1, height=3.1, sharey=True)
    for axes, (name, level) in zip(grid, scores.levels.items(), strict=True):
        filled = level.reliability[:, 2] > 0
        belief, frequency, count = level.reliability[filled].T
        width = 1 / len(filled)
        column = {"height": 0.25 * count / count.max(initial=1), "width": width, "align": "edge"}
        axes.bar(np.flatnonzero(filled) * width, **column, color=SHADE, edgecolor="white")
        axes.plot([0, 1], [0, 1], color=FAINT, linewidth=0.8, linestyle=":")
        error, told = np.sqrt(np.maximum(frequency * (1 - frequency), 0.25 / count) / count), count >= FEWEST
        axes.errorbar(belief[told], frequency[told], error[told], color=COLOURS[0], marker="o", elinewidth=1)
        axes.plot(belief[~told], frequency[~told], "o", color=COLOURS[0], markerfacecolor="white")
        axes.set(xlim=(0, 1), ylim=(0, 1.02), title=f"{name}, error {level.top_label_calibration_error:.3f}")
    titles(figure, title, across="probability of the most probable class", up="share of these that is true")
    return figure


# -- phases ------------------------------------------------------------------------------------------------------


@styled
def phases_figure(runs: Mapping[str, Sequence[Evaluation]], measure: str = "f1", title: str = "") -> Figure:
    """Draw a measure against days since first detection: a line a level for one run, a panel a level for several.

    Parameters
    ----------
    runs : mapping of str to sequence of Evaluation
        Repeats of each classifier by name; a band shows their standard deviation about the mean.
    measure : str
        Entry of `LevelScores.summary`.
    title : str
    """
    alone = len(runs) == 1
    figure, grid = panels(1 if alone else len(LEVELS), columns=3, width=5.6 if alone else 3.3, height=3.6)
    for place, level in enumerate(LEVELS):
        axes = grid[0] if alone else grid[place]
        for order, (name, repeats) in enumerate(runs.items()):
            days = shared_days(repeats)
            values = np.array([[run.phases[day][level].summary[measure] for day in days] for run in repeats])
            _phase_line(axes, days, values, place if alone else order, level if alone else name)
        _phase_ticks(axes, [day for repeats in runs.values() for day in shared_days(repeats)], every=1 if alone else 2)
        axes.set(title="" if alone else level, xlabel=_PHASE_LABEL)
    legend_outside(figure, grid[0])
    titles(figure, title)
    return figure


@styled
def macro_figure(views: Mapping[str, Evaluation], title: str = "") -> Figure:
    """Draw macro precision, recall and F1 against days since first detection: a line a level, dashes for other views.

    Parameters
    ----------
    views : mapping of str to Evaluation
        Of one classifier; the first has solid lines.
    title : str
    """
    measures = {"precision": "macro precision", "recall": "macro recall", "f1": "macro F1"}
    figure, grid = panels(len(measures), columns=3, width=3.5, height=3.3, sharey=True)
    for axes, (measure, heading) in zip(grid, measures.items(), strict=True):
        for dashes, (view, run) in zip(LINES, views.items(), strict=False):
            for place, level in enumerate(LEVELS):
                axes.plot(
                    _phase_places(run.days), run.curve(level, measure), color=COLOURS[place], marker=MARKERS[place],
                    linestyle=dashes, label=f"{level}, {view}" if len(views) > 1 else level,
                )  # fmt: skip
        _phase_ticks(axes, next(iter(views.values())).days, every=2)
        axes.set(title=heading, xlabel=_PHASE_LABEL)
        axes.margins(y=0.06)
    handles, labels = grid[0].get_legend_handles_labels()
    order = [place for level in range(len(LEVELS)) for place in range(level, len(handles), len(LEVELS))]
    shown = [handles[place] for place in order], [labels[place] for place in order]
    figure.legend(*shown, loc="outside upper right", ncols=len(LEVELS), handlelength=3.5)
    titles(figure, title)
    return figure


@styled
def class_phases_figure(
    runs: Mapping[str, Sequence[Evaluation]], level: str = "leaves", measure: str = "f1", title: str = ""
) -> Figure:
    """Draw a measure of every class against days since first detection: a small panel a class, a line a run.

    Parameters
    ----------
    runs : mapping of str to sequence of Evaluation
        As for `phases_figure`.
    level : str
        One of `LEVELS`.
    measure : str
        A measure by class: ``precision``, ``recall``, ``f1``, ``auc`` or ``calibration_error``.
    title : str
    """
    first = next(iter(runs.values()))[0]
    classes = first.phases[first.days[0]][level].classes
    figure, grid = panels(len(classes), columns=5, width=2.0, height=1.7, sharey=True)
    for order, (name, repeats) in enumerate(runs.items()):
        days = shared_days(repeats)
        values = np.array([[getattr(run.phases[day][level], measure) for day in days] for run in repeats])
        for place, axes in enumerate(grid):
            _phase_line(axes, days, values[:, :, place], order, name, size=2.5)
    for name, axes in zip(classes, grid, strict=True):
        _phase_ticks(axes, first.days, every=3)
        axes.set(title=name, ylim=(0, 1.02))
    titles(figure, title, across=_PHASE_LABEL)
    if len(runs) > 1:
        legend_outside(figure, grid[0])
    return figure


@styled
def learning_figure(history: Sequence[Mapping[str, float]], title: str = "") -> Figure:
    """Draw training and validation loss by epoch and mark the epoch of the lowest validation loss.

    Parameters
    ----------
    history : sequence of mapping
        One an epoch, with ``epoch``, ``loss`` and, where there was validation, ``validation_loss``.
    title : str
    """
    columns = ("epoch", "loss", "validation_loss")
    epoch, loss, validation = (np.array([line.get(name, np.nan) for line in history], dtype=float) for name in columns)
    figure, (axes,) = panels(1, columns=1, width=5.6, height=3.4)
    axes.plot(epoch, loss, color=FAINT, label="training")
    if np.isfinite(validation).any():
        axes.plot(epoch, validation, color=COLOURS[0], label="validation")
        best = int(np.nanargmin(validation))
        point, note = (epoch[best], validation[best]), f"best {validation[best]:.4g}\nepoch {epoch[best]:g}"
        axes.plot(*point, "o", color=COLOURS[1], markersize=6, zorder=3)
        box = {"facecolor": "white", "edgecolor": "none", "alpha": 0.85, "pad": 1}
        axes.annotate(note, point, (0, 14), textcoords="offset points", color=COLOURS[1], ha="center", bbox=box)
    axes.set(xlabel="epoch", ylabel="loss", title=title)
    axes.legend(loc="upper right")
    return figure


# -- parts -------------------------------------------------------------------------------------------------------

_PHASE_LABEL = "days since first detection"


def _phase_line(
    axes: Axes, days: Sequence[float], values: NDArray[np.float64], order: int, label: str, size: float = 4.5
) -> None:
    """Draw the mean of values, shape (n_repeats, n_phases), and a band of one standard deviation."""
    place, mean, style = _phase_places(days), values.mean(axis=0), line(order)
    axes.plot(place, mean, **style, label=label, marker=MARKERS[order % len(MARKERS)], markersize=size)
    if len(values) > 1:
        deviation = values.std(axis=0, ddof=1)
        axes.fill_between(place, mean - deviation, mean + deviation, color=style["color"], alpha=0.2, linewidth=0)


def _phase_places(days: Sequence[float]) -> NDArray[np.float64]:
    """Double the days with each step along the axis; day 0 stands a step before 1, whole light curves after 1024."""
    return np.array([11.0 if np.isinf(day) else np.log2(max(day, 0.5)) for day in days])


def _phase_ticks(axes: Axes, days: Sequence[float], every: int) -> None:
    shown = sorted(set(days))
    axes.set_xticks(_phase_places(shown), minor=True)
    axes.set_xticks(_phase_places(shown[::every]), ["all" if np.isinf(day) else f"{day:g}" for day in shown[::every]])


def _part_siblings(axes: Axes, groups: Sequence[str]) -> None:
    """Draw rules between groups of siblings and, of two or more, their names on the right."""
    starts = [place for place, name in enumerate(groups) if place == 0 or name != groups[place - 1]]
    for start, stop in zip(starts, [*starts[1:], len(groups)], strict=True):
        if len(starts) > 1:
            axes.text(len(groups) + 0.2, (start + stop) / 2, groups[start], va="center", color=FAINT)
        if start:
            axes.axhline(start, color=INK, linewidth=1)
            axes.axvline(start, color=INK, linewidth=1)


# -- one class sought --------------------------------------------------------------------------------------------


@styled
def precision_recall_figure(searches: Mapping[tuple[str, str], Sequence[Search]], title: str = "") -> Figure:
    """Draw precision against recall, a panel for each folding and kind of redshift, a line a seed."""
    figure, grid = panels(len(searches), columns=2, width=3.4, height=3.1, sharey=True)
    for axes, ((folding, redshift), repeats) in zip(grid, searches.items(), strict=True):
        for order, one in enumerate(repeats):
            precision, recall = precision_recall(one.score, one.truth)
            axes.plot(recall, precision, **line(order), linewidth=1)
            axes.plot(one.pooled.recall, one.pooled.precision, color=line(order)["color"], marker=MARKERS[0])
        axes.set(xlim=(0, 1), ylim=(0, 1.02), title=f"folds {folding}, redshift {redshift}")
    titles(figure, title, across="recall", up="precision")
    return figure


@styled
def called_figure(called: Mapping[str, tuple[int, float]], title: str = "") -> Figure:
    """Draw the objects called by true class, as bars."""
    shown = {name: count for name, (_, count) in called.items() if count > 0} or {"none": 0.0}
    figure, (axes,) = panels(1, columns=1, width=5.0, height=0.6 + 0.28 * len(shown))
    axes.barh(list(shown)[::-1], list(shown.values())[::-1], color=COLOURS[0])
    axes.set(xlabel="objects called (mean over seeds)", title=title)
    return figure


@styled
def importance_figure(importance: Mapping[str, float], title: str = "", most: int = 30) -> Figure:
    """Draw the features that matter most."""
    ranked = sorted(importance.items(), key=lambda item: -item[1])[:most]
    figure, (axes,) = panels(1, columns=1, width=6.0, height=0.6 + 0.2 * len(ranked))
    axes.barh([name for name, _ in ranked][::-1], [100 * share for _, share in ranked][::-1], color=COLOURS[0])
    axes.margins(y=0.01)
    axes.set(xlabel="share of the gain, %", title=title)
    return figure
