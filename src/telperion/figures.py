"""Evaluations, light curves and training histories as figures; one style, safe for the colour-blind, good as vectors.

Every function gives a `matplotlib.figure.Figure` made without pyplot, so that nothing global is touched; `render` turns
one into a PNG or SVG. Matplotlib comes with ``pip install 'telperion[plots]'`` and is imported when first used.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import wraps
from itertools import groupby
from typing import TYPE_CHECKING, Any, ParamSpec

import numpy as np
from numpy.typing import NDArray

from telperion.bands import BANDS
from telperion.lightcurves import LightCurves
from telperion.scores import LEVELS, ROC_GRID, Evaluation, LevelScores, Scores
from telperion.taxonomy import Taxonomy

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

INK, FAINT, SHADE = "#22272e", "#8a939d", "#e7eaee"
COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#7a5195", "#5b6570")
"""Okabe & Ito's colours (then two of our own), in the order in which lines take them."""
MARKERS = ("o", "s", "^", "D", "v", "P", "X", "*")
LINES = ("-", "--", "-.", ":")
BAND_COLOURS = ("#0c71ff", "#49be61", "#c61c00", "#ffc200", "#f341a2", "#5d0000")
BAND_MARKERS = ("o", "^", "v", "s", "*", "p")
"""Colours and symbols of ugrizy in Rubin's plots (RTN-045), told apart by the colour-blind and in print."""
SEQUENCE = ("#ffffff", "#d6e6f4", "#9cc7e3", "#4a97c9", "#1664a5", "#08306b")

STYLE = {
    "axes.axisbelow": True,
    "axes.edgecolor": FAINT,
    "axes.grid": True,
    "axes.labelcolor": INK,
    "axes.linewidth": 0.8,
    "axes.spines.right": False,
    "axes.spines.top": False,
    "axes.titlelocation": "left",
    "axes.titlesize": 10,
    "axes.titleweight": "bold",
    "figure.constrained_layout.use": True,
    "figure.dpi": 100,
    "figure.titlesize": 12,
    "figure.titleweight": "bold",
    "font.family": "DejaVu Sans",
    "font.size": 9,
    "grid.color": SHADE,
    "grid.linewidth": 0.8,
    "legend.fontsize": 8,
    "legend.frameon": False,
    "legend.handlelength": 1.8,
    "lines.linewidth": 1.6,
    "lines.markersize": 4.5,
    "savefig.dpi": 160,
    "savefig.facecolor": "white",
    "svg.fonttype": "none",
    "svg.hashsalt": "telperion",
    "text.color": INK,
    "xtick.color": FAINT,
    "xtick.labelcolor": INK,
    "ytick.color": FAINT,
    "ytick.labelcolor": INK,
}
"""Matplotlib settings of every figure."""

P = ParamSpec("P")


@dataclass(frozen=True, eq=False)
class Track:
    """Node probabilities of one object as its light curve grows.

    Parameters
    ----------
    days : array, shape ``(n_times,)``, d
        Days since first detection, rising; each prediction holds until the next.
    probabilities : array, shape ``(n_times, n_nodes)``
    tree : Taxonomy
    """

    days: NDArray[np.float64]
    probabilities: NDArray[np.floating]
    tree: Taxonomy


def styled(draw: Callable[P, Figure]) -> Callable[P, Figure]:
    """Run a drawing function under `STYLE`, whatever settings matplotlib has."""

    @wraps(draw)
    def drawn(*args: P.args, **kwargs: P.kwargs) -> Figure:
        with _matplotlib().rc_context(STYLE):
            return draw(*args, **kwargs)

    return drawn


def render(figure: Figure, kind: str = "png") -> bytes:
    """Turn a figure into the bytes of a file (``png``, ``svg`` or ``pdf``); equal figures give equal bytes."""
    buffer = io.BytesIO()
    undated = {"png": {"Software": None}, "svg": {"Date": None}, "pdf": {"CreationDate": None}}
    with _matplotlib().rc_context(STYLE):
        figure.savefig(buffer, format=kind, metadata=undated.get(kind))
    return buffer.getvalue()


# -- classes -----------------------------------------------------------------------------------------------------


@styled
def confusion_figure(scores: LevelScores, title: str = "") -> Figure:
    """Draw the confusion matrix, each row in per cent of its true class; siblings stand together, parted by a gap."""
    size = len(scores.classes)
    share = scores.confusion / np.maximum(scores.support, 1)[:, None]
    side = 2.2 + 0.38 * max(size, 4)
    figure, (axes,) = _panels(1, columns=1, width=side + 0.5, height=side)
    colours = _matplotlib().colors.LinearSegmentedColormap.from_list("telperion", SEQUENCE)
    axes.pcolormesh(share, cmap=colours, vmin=0, vmax=1, edgecolors="white", linewidth=0.6)
    for true, decided in np.argwhere(share >= 0.005):
        value = share[true, decided]
        axes.text(
            decided + 0.5, true + 0.5, f"{100 * value:.0f}", ha="center", va="center",
            fontsize=8, color="white" if value > 0.5 else INK, fontweight="bold" if true == decided else "normal",
        )  # fmt: skip
    _part_siblings(axes, scores.groups)
    names = [f"{name}  ({count:,})" for name, count in zip(scores.classes, scores.support, strict=True)]
    axes.set_yticks(np.arange(size) + 0.5, names)
    axes.set_xticks(np.arange(size) + 0.5, scores.classes, rotation=45, ha="right", rotation_mode="anchor")
    axes.set(title=title, aspect="equal", xlabel="decided", ylabel="true (objects)", ylim=(size, 0), xlim=(0, size))
    axes.tick_params(length=0)
    axes.grid(visible=False)
    axes.spines[:].set_visible(False)
    return figure


@styled
def roc_figure(scores: LevelScores, title: str = "") -> Figure:
    """Draw the ROC curve of each class against the rest, a panel for each group of siblings; false alarms are log."""
    panels = [(name, list(places)) for name, places in groupby(range(len(scores.classes)), scores.groups.__getitem__)]
    figure, grid = _panels(len(panels), columns=3, width=3.1, height=2.9, sharey=True)
    for axes, (group, places) in zip(grid, panels, strict=True):
        axes.plot(ROC_GRID, ROC_GRID, color=FAINT, linewidth=0.8, linestyle=":")
        for order, place in enumerate(places):
            if np.isnan(scores.auc[place]):
                continue
            label = f"{scores.classes[place]}  {scores.auc[place]:.3f}"
            axes.plot(ROC_GRID, scores.roc[place], **_line(order), label=label)
        axes.set(xscale="log", xlim=(1e-4, 1), ylim=(0, 1.02), title=group)
        if axes.get_legend_handles_labels()[0]:
            axes.legend(loc="lower right", title="AUC", alignment="right", title_fontsize=8)
    figure.suptitle(title, x=0.01, ha="left")
    figure.supxlabel("false positive rate", fontsize=9)
    figure.supylabel("true positive rate", fontsize=9)
    return figure


@styled
def reliability_figure(scores: Scores, title: str = "") -> Figure:
    """Draw, for each level, how often the most probable class is true against its probability, with one-sigma bars.

    Bars below show how the objects spread over the bins.
    """
    figure, grid = _panels(len(scores.levels), columns=3, width=3.1, height=3.1, sharey=True)
    for axes, (name, level) in zip(grid, scores.levels.items(), strict=True):
        filled = level.reliability[:, 2] > 0
        belief, frequency, count = level.reliability[filled].T
        axes.plot([0, 1], [0, 1], color=FAINT, linewidth=0.8, linestyle=":")
        edges = np.linspace(0, 1, len(level.reliability) + 1)
        axes.bar(
            edges[:-1][filled], 0.25 * count / max(count.max(initial=1), 1), np.diff(edges)[filled], align="edge",
            color=SHADE, edgecolor="white",
        )  # fmt: skip
        error = np.sqrt(np.maximum(frequency * (1 - frequency), 0.25 / count) / count)
        axes.errorbar(belief, frequency, error, color=COLOURS[0], marker="o", elinewidth=1, capsize=0)
        axes.text(0.04, 0.95, f"calibration error {level.top_label_calibration_error:.3f}", transform=axes.transAxes)
        axes.set(xlim=(0, 1), ylim=(0, 1.02), title=name)
    figure.suptitle(title, x=0.01, ha="left")
    figure.supxlabel("probability of the most probable class", fontsize=9)
    figure.supylabel("share of it that is true", fontsize=9)
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
    figure, grid = _panels(1 if alone else len(LEVELS), columns=3, width=5.6 if alone else 3.3, height=3.6)
    for place, level in enumerate(LEVELS):
        axes = grid[0] if alone else grid[place]
        for order, (name, repeats) in enumerate(runs.items()):
            values = np.array([run.curve(level, measure) for run in repeats])
            _phase_line(axes, repeats[0].days, values, place if alone else order, label=level if alone else name)
        axes.set_title("" if alone else level)
    _legend_below(figure, grid[0])
    figure.suptitle(title, x=0.01, ha="left")
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
    figure, grid = _panels(len(classes), columns=5, width=2.0, height=1.7, sharey=True)
    for order, (name, repeats) in enumerate(runs.items()):
        values = np.array([[getattr(scores[level], measure) for scores in run.phases.values()] for run in repeats])
        for place, axes in enumerate(grid):
            _phase_line(axes, repeats[0].days, values[:, :, place], order, label=name, small=True)
    for name, axes in zip(classes, grid, strict=True):
        axes.set_title(name)
        axes.set(xlabel="", ylim=(0, 1.02))
    figure.supxlabel(_PHASE_LABEL, fontsize=9)
    if len(runs) > 1:
        _legend_below(figure, grid[0])
    figure.suptitle(title, x=0.01, ha="left")
    return figure


@styled
def learning_figure(history: Sequence[Mapping[str, float]], title: str = "") -> Figure:
    """Draw training and validation loss by epoch and mark the epoch of the lowest validation loss.

    Parameters
    ----------
    history : sequence of mapping
        One an epoch, with ``epoch``, ``train_loss`` and ``validation_loss`` (other entries are not read).
    title : str
    """
    epoch, train, validation = (
        np.array([entry[name] for entry in history], dtype=float) for name in ("epoch", "train_loss", "validation_loss")
    )
    figure, (axes,) = _panels(1, columns=1, width=5.6, height=3.4)
    axes.plot(epoch, train, color=FAINT, label="training")
    axes.plot(epoch, validation, color=COLOURS[0], label="validation")
    if np.isfinite(validation).any():
        best = int(np.nanargmin(validation))
        axes.plot(epoch[best], validation[best], "o", color=COLOURS[1], markersize=6, zorder=3)
        note = f"best {validation[best]:.4g}\nepoch {epoch[best]:g}"
        axes.annotate(
            note, (epoch[best], validation[best]), (0, 12), textcoords="offset points", color=COLOURS[1], ha="center"
        )
    axes.set(xlabel="epoch", ylabel="loss", title=title)
    axes.legend(loc="upper right")
    return figure


# -- light curves --------------------------------------------------------------------------------------------------


@styled
def light_curve_figure(
    light_curve: LightCurves, *, scale: str = "linear", track: Track | None = None, title: str = ""
) -> Figure:
    """Draw one light curve by band, detections filled and other observations hollow, and the classes beneath.

    Parameters
    ----------
    light_curve : LightCurves
        Exactly one object.
    scale : {"linear", "asinh"}
        Flux axis; ``asinh`` is linear near zero (within three median errors) and logarithmic beyond.
    track : Track, optional
        Leaf probabilities drawn below, stacked.
    title : str

    Raises
    ------
    ValueError
        There is not exactly one object, or the scale is unknown.
    """
    if len(light_curve) != 1:
        raise ValueError(f"a figure shows one light curve, got {len(light_curve)}")
    if scale not in ("linear", "asinh"):
        raise ValueError(f"no flux scale {scale!r}; there are linear, asinh")
    heights = [3, 1.6] if track else [3]
    figure, grid = _panels(len(heights), columns=1, width=7.2, height=1.9, sharex=True, height_ratios=heights)
    axes, start = grid[0], light_curve.first_detection[0]
    days = light_curve.time - (0 if np.isnan(start) else start)
    for band, (colour, marker) in enumerate(zip(BAND_COLOURS, BAND_MARKERS, strict=True)):
        for detected in (False, True):
            rows = (light_curve.band == band) & (light_curve.detected == detected)
            axes.errorbar(
                days[rows], light_curve.flux[rows], light_curve.flux_err[rows], color=colour, marker=marker,
                linestyle="none", elinewidth=0.8, alpha=1 if detected else 0.6, markersize=5 if detected else 4,
                markerfacecolor=colour if detected else "white", label=BANDS[band] if detected else None,
            )  # fmt: skip
    if scale == "asinh" and light_curve.n_rows:
        axes.set_yscale("asinh", linear_width=3 * float(np.median(light_curve.flux_err)))
    axes.axhline(0, color=FAINT, linewidth=0.8)
    axes.set(ylabel="flux (nJy)", title=title)
    axes.legend(loc="upper left", bbox_to_anchor=(1, 1), title="detected")
    if track:
        _draw_track(grid[1], track, end=days.max(initial=track.days[-1]))
    grid[-1].set_xlabel("MJD (d)" if np.isnan(start) else "days since first detection")
    return figure


def _draw_track(axes: Axes, track: Track, end: float, n_named: int = 6) -> None:
    """Stack the leaf probabilities; those that never lead the field are gathered in one grey."""
    leaves = track.probabilities[:, track.tree.leaves]  # (n_times, n_leaves)
    named = np.sort(np.argsort(-leaves.max(axis=0), kind="stable")[:n_named])
    layers = np.vstack([leaves[:, named].T, 1 - leaves[:, named].sum(axis=1)])
    days = np.append(track.days, end)
    layers = np.hstack([layers, layers[:, -1:]])
    labels = [*(track.tree.nodes[node] for node in track.tree.leaves[named]), "others"]
    colours = [*COLOURS[: named.size], SHADE]
    axes.stackplot(days, layers, labels=labels, colors=colours, step="post", edgecolor="white", linewidth=0.4)
    axes.set(ylim=(0, 1), ylabel="probability")
    axes.grid(visible=False)
    axes.legend(loc="upper left", bbox_to_anchor=(1, 1.05), reverse=True, handlelength=1, labelspacing=0.3)


# -- parts -------------------------------------------------------------------------------------------------------

_PHASE_LABEL = "days since first detection"


def _matplotlib() -> Any:
    try:
        import matplotlib
        import matplotlib.colors
        import matplotlib.figure
    except ImportError as error:
        raise ImportError("figures need matplotlib, which comes with: pip install 'telperion[plots]'") from error
    return matplotlib


def _panels(count: int, *, columns: int, width: float, height: float, **sharing: Any) -> tuple[Figure, list[Axes]]:
    """A grid of panels, each of the given size in inches; places that are left over stay empty."""
    columns = min(columns, count)
    rows = -(-count // columns)
    figure = _matplotlib().figure.Figure(figsize=(width * columns, height * rows))
    grid = figure.subplots(rows, columns, squeeze=False, **sharing).ravel()
    for axes in grid[count:]:
        axes.remove()
    return figure, list(grid[:count])


def _line(order: int) -> dict[str, Any]:
    return {"color": COLOURS[order % len(COLOURS)], "linestyle": LINES[order // len(COLOURS) % len(LINES)]}


def _phase_line(
    axes: Axes, days: Sequence[float], values: NDArray[np.float64], order: int, *, label: str, small: bool = False
) -> None:
    """One line with a band of one standard deviation; `values` have shape (n_repeats, n_phases)."""
    place, names = _phase_axis(days)
    mean, style = values.mean(axis=0), _line(order)
    axes.plot(place, mean, **style, label=label, marker=MARKERS[order % len(MARKERS)], markersize=2.5 if small else 4.5)
    if len(values) > 1:
        deviation = values.std(axis=0, ddof=1)
        axes.fill_between(place, mean - deviation, mean + deviation, color=style["color"], alpha=0.2, linewidth=0)
    every = 3 if small else 1
    axes.set_xticks(place[::every], names[::every])
    axes.set_xlabel(_PHASE_LABEL)


def _phase_axis(days: Sequence[float]) -> tuple[NDArray[np.float64], list[str]]:
    """Places of phases on an axis that doubles with each step; day 0 and whole light curves stand one step outside."""
    finite = [day for day in days if 0 < day < np.inf] or [1.0]
    first, last = np.log2(finite[0]) - 1, np.log2(finite[-1]) + 1
    places = [first if day <= 0 else last if np.isinf(day) else np.log2(day) for day in days]
    return np.array(places), ["all" if np.isinf(day) else f"{day:g}" for day in days]


def _legend_below(figure: Figure, axes: Axes) -> None:
    handles, labels = axes.get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=min(len(labels), 4))


def _part_siblings(axes: Axes, groups: Sequence[str]) -> None:
    """Rules between groups of siblings, and the groups' names on the right."""
    size, start = len(groups), 0
    for name, members in groupby(groups):
        stop = start + len(list(members))
        axes.text(size + 0.2, (start + stop) / 2, name, va="center", color=FAINT)
        if stop < size:
            axes.axhline(stop, color=INK, linewidth=1)
            axes.axvline(stop, color=INK, linewidth=1)
        start = stop
