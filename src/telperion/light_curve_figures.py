"""Light curves as figures: one with its classes beneath, or a page of many."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from telperion.bands import BANDS
from telperion.lightcurves import LightCurves
from telperion.style import BAND_COLOURS, BAND_MARKERS, COLOURS, FAINT, INK, SHADE, panels, styled, titles
from telperion.taxonomy import Taxonomy

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


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
        Flux axis; ``asinh`` is linear near zero (within five median errors) and logarithmic beyond.
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
    heights = [3.2, 1.7] if track else [3.2]
    figure, grid = panels(len(heights), columns=1, width=7.2, height=2.45, sharex=True, height_ratios=heights)
    axes, start = grid[0], light_curve.first_detection[0]
    days = light_curve.time - (0 if np.isnan(start) else start)
    _draw_bands(axes, light_curve, days)
    if scale == "asinh" and light_curve.n_rows:
        width = 5 * float(np.median(light_curve.flux_err))
        ticks = _asinh_ticks(light_curve.flux, width)
        axes.set_yscale("asinh", linear_width=width)
        axes.set_yticks(ticks, [f"{tick:,.0f}" for tick in ticks])
        axes.set_yticks([], minor=True)
    axes.axhline(0, color=FAINT, linewidth=0.8)
    if not np.isnan(start):
        axes.axvline(0, color=FAINT, linewidth=0.8, linestyle=":")
    axes.set(ylabel="flux (nJy)", title=title)
    axes.legend(loc="upper left", bbox_to_anchor=(1, 1), title="detected")
    if track:
        _draw_track(grid[1], track, end=days.max(initial=track.days[-1]))
    grid[-1].set_xlabel("MJD (d)" if np.isnan(start) else "days since first detection")
    return figure


@styled
def gallery_figure(light_curves: LightCurves, classes: Sequence[str], most: int = 5) -> Figure:
    """Draw a row of light curves of each class, from thirty days before the detections until thirty days after.

    Parameters
    ----------
    light_curves : LightCurves
        Labelled.
    classes : sequence of str
        A row each.
    most : int
        Light curves of a class.

    Raises
    ------
    ValueError
        There is no light curve with a detection of a class.
    """
    figure, grid = panels(len(classes) * most, columns=most, width=2.9, height=1.75)
    for row, name in enumerate(classes):
        members = np.flatnonzero((light_curves.label == name) & ~np.isnan(light_curves.first_detection))[:most]
        if not members.size:
            raise ValueError(f"there is no light curve of {name!r} with a detection")
        for column, axes in enumerate(grid[row * most : (row + 1) * most]):
            if column >= members.size:
                axes.remove()
                continue
            one = light_curves[members[column]]
            days = one.time - one.first_detection[0]
            last = days[one.detected].max()
            _draw_bands(axes, one, days)
            for drawn in (*axes.lines, *axes.collections):
                drawn.set_clip_on(True)
            near = (days > -30) & (days < last + 30)
            low, high = (one.flux - one.flux_err)[near].min(), (one.flux + one.flux_err)[near].max()
            margin = 0.06 * (high - low)
            axes.set(xlim=(-31, last + 31), ylim=(low - margin, high + margin), title=name if column == 0 else "")
            axes.axhline(0, color=FAINT, linewidth=0.8)
            axes.tick_params(labelsize=6)
    handles, labels = grid[0].get_legend_handles_labels()
    figure.legend(
        handles, labels, loc="outside upper right", ncols=len(labels), fontsize=8, frameon=False,
        title="filled: detected", title_fontsize=8,
    )  # fmt: skip
    titles(figure, "", "days since first detection", "flux (nJy)")
    return figure


@styled
def samples_figure(light_curves: LightCurves, tracks: Mapping[str, Track], title: str = "") -> Figure:
    """Draw one light curve of each class, and over it the probability of its true class as a dotted line.

    Flux axes fit the detections and all but the noisiest fifth of the other observations.

    Parameters
    ----------
    light_curves : LightCurves
        One object a track, in the same order, with a detection.
    tracks : mapping of str to Track
        By the node that each object truly is.
    title : str

    Raises
    ------
    ValueError
        There are not as many light curves as tracks.
    """
    if len(light_curves) != len(tracks):
        raise ValueError(f"there are {len(light_curves)} light curves and {len(tracks)} tracks")
    figure, grid = panels(len(tracks), columns=3, width=3.6, height=2.15)
    for place, ((name, track), axes) in enumerate(zip(tracks.items(), grid, strict=True)):
        one = light_curves[place]
        days = one.time - one.first_detection[0]
        start, end = max(days.min(), -60), days[one.detected].max() + 30
        near = (days >= start) & (days <= end)
        _draw_bands(axes, one.select_rows(near), days[near], size=0.7)
        sure = near & (one.detected | (one.flux_err <= np.quantile(one.flux_err[near], 0.8)))
        low, high = one.flux[sure].min(), one.flux[sure].max()
        margin = 0.06 * (high - low) + float(np.median(one.flux_err[sure]))
        for drawn in (*axes.lines, *axes.collections):
            drawn.set_clip_on(True)
        axes.axvspan(start - 2, 0, color=SHADE, zorder=0, linewidth=0)
        axes.set(title=name, xlim=(start - 2, end), ylim=(low - margin, high + margin))
        axes.grid(visible=False)
        axes.locator_params(axis="both", nbins=5)
        axes.ticklabel_format(axis="y", style="plain")
        belief = axes.twinx()
        shown = np.append(track.days, max(end, track.days[-1]))
        said = track.probabilities[:, track.tree.index(name)]
        belief.step(shown, np.append(said, said[-1]), where="post", color=INK, linestyle=":", linewidth=1.5)
        belief.set(ylim=(0, 1.04), yticks=[0, 0.5, 1])
        belief.spines["right"].set_visible(True)
        belief.grid(visible=False)
        for each in (axes, belief):
            each.tick_params(labelsize=7)
    handles = {label: each for axes in grid for each, label in zip(*axes.get_legend_handles_labels(), strict=True)}
    shown_bands = [band for band in BANDS if band in handles]
    figure.legend(
        [handles[band] for band in shown_bands], shown_bands, loc="outside upper right", ncols=len(shown_bands),
        title="filled: detected; dotted: probability of the true class (right axis)", title_fontsize=8,
    )  # fmt: skip
    titles(figure, title, "days since first detection", "flux (nJy)")
    return figure


def _draw_bands(axes: Axes, light_curve: LightCurves, days: NDArray[np.float64], size: float = 1) -> None:
    for band, (colour, marker) in enumerate(zip(BAND_COLOURS, BAND_MARKERS, strict=True)):
        for detected in (False, True):
            rows = (light_curve.band == band) & (light_curve.detected == detected)
            axes.errorbar(
                days[rows], light_curve.flux[rows], light_curve.flux_err[rows], color=colour, marker=marker,
                linestyle="none", elinewidth=0.8 * size, alpha=1 if detected else 0.6,
                markersize=size * (5 if detected else 4), markeredgewidth=size,
                markerfacecolor=colour if detected else "white", label=BANDS[band] if detected else None,
            )  # fmt: skip


def _asinh_ticks(flux: NDArray[np.floating], width: float) -> list[float]:
    """Give zero and round fluxes beyond the linear part on either side, by 1, 2, 5 or, over a long range, by tens."""
    largest = float(np.abs(flux).max())
    steps = (1, 2, 5) if largest < 50 * width else (1,)
    sizes = [step * 10.0**power for power in range(-3, 13) for step in steps if width <= step * 10.0**power <= largest]
    return [
        tick for tick in (*(-size for size in sizes[::-1]), 0, *sizes) if flux.min() <= tick <= flux.max() or not tick
    ]


def _draw_track(axes: Axes, track: Track, end: float, n_named: int = 6) -> None:
    """Stack the leaf probabilities; beyond the few that rise highest, the others are gathered in one grey."""
    leaves = track.probabilities[:, track.tree.leaves]  # (n_times, n_leaves)
    named = np.sort(np.argsort(-leaves.max(axis=0), kind="stable")[:n_named])
    others = np.clip(1 - leaves[:, named].sum(axis=1), 0, 1)
    layers = np.vstack([leaves[:, named].T, others])
    days = np.append(track.days, end)
    layers = np.hstack([layers, layers[:, -1:]])
    labels = [*(track.tree.nodes[node] for node in track.tree.leaves[named]), "others"]
    colours = [*COLOURS[: named.size], SHADE]
    axes.stackplot(days, layers, labels=labels, colors=colours, step="post", edgecolor="white", linewidth=0.4)
    axes.set(ylim=(0, 1), ylabel="probability")
    axes.grid(visible=False)
    axes.legend(loc="upper left", bbox_to_anchor=(1, 1.05), reverse=True, handlelength=1, labelspacing=0.3)
