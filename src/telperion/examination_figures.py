"""The course of probabilities, redshifts and hosts of a set as figures, after those of Shah et al. (2025)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from telperion.examination.course import THRESHOLD, Course, wait
from telperion.examination.population import Redshifts, Separations
from telperion.scores import LEVELS
from telperion.style import COLOURS, FAINT, INK, LINES, SHADE, line, panels, styled, titles

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_DAYS = (-64, -8, 0, 2, 8, 32, 128, 1024)


@styled
def mean_scores_figure(course: Course, title: str = "", n_named: int = 4) -> Figure:
    """Draw the mean probability of every leaf against days, a panel for each true leaf that is present.

    The true leaf is the wide dark line; of the others those that rise highest after the first detection are named.
    """
    present = np.flatnonzero(course.support)
    figure, grid = panels(present.size, columns=4, width=2.75, height=2.1, sharey=True)
    place = _place(course.days)
    for true, axes in zip(present, grid, strict=True):
        mean = course.mean[:, true]  # (n_days, n_leaves)
        highest = np.where(np.arange(mean.shape[1]) == true, -1, mean[course.days >= 0].max(axis=0))
        named = [int(other) for other in np.argsort(-highest, kind="stable")[:n_named] if highest[other] > 0.02]
        for other in range(mean.shape[1]):
            if other != true and other not in named:
                axes.plot(place, mean[:, other], color=FAINT, linewidth=0.5, alpha=0.6)
        for order, other in enumerate(named):
            axes.plot(place, mean[:, other], **line(order), linewidth=1.1, label=course.classes[other])
        axes.plot(place, mean[:, true], color=INK, linewidth=2.4)
        if course.days[0] < 0:
            axes.axvspan(place[0], 0, color=SHADE, zorder=0, linewidth=0)
        _ticks(axes, course.days)
        axes.set(title=f"{course.classes[true]} ({course.support[true]:,})", ylim=(0, 1))
        axes.legend(fontsize=6.5, loc="best", handlelength=1.2, labelspacing=0.2, frameon=True, framealpha=0.8)
    titles(figure, title, across="days since first detection", up="mean probability")
    return figure


@styled
def waits_figure(courses: Mapping[str, Course], names: Sequence[str], title: str = "") -> Figure:
    """Draw, a panel a class, the share of its objects that have been confident by each day; a line a level.

    Lines are thinner the deeper the level, so that those that fall together can be seen.

    Parameters
    ----------
    courses : mapping of str to Course
        Of one classifier by view; the first has solid lines, and of it the medians are marked.
    names : sequence of str
        Leaves.
    title : str
    """
    figure, grid = panels(len(names), columns=2, width=4.6, height=3.3, sharey=True)
    for name, axes in zip(names, grid, strict=True):
        for order, (view, course) in enumerate(courses.items()):
            days = course.days[course.days >= 0]
            for place, level in enumerate(LEVELS):
                until = course.until(name, level)
                share = (until[:, None] <= days).mean(axis=0)
                label = f"{level}, {view}" if len(courses) > 1 else level
                dashes = LINES[order % len(LINES)]
                axes.step(
                    _place(days), share, where="post", label=label, color=COLOURS[place], linestyle=dashes,
                    linewidth=(2.8, 2.0, 1.3)[place],
                )  # fmt: skip
                median = wait(course, name, level).median
                if order == 0 and np.isfinite(median):
                    height = share[np.searchsorted(days, median, side="right") - 1]
                    axes.plot(_place(median), height, "o", color=COLOURS[place], markersize=6)
        _ticks(axes, np.unique(np.concatenate([course.days[course.days >= 0] for course in courses.values()])))
        axes.set(title=f"{name} ({until.size:,})", ylim=(0, 1.02))
    handles, labels = grid[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside upper right", ncols=len(courses), handlelength=3.5)
    titles(figure, title, across="days since first detection", up=f"share confident of the truth (p > {THRESHOLD:g})")
    return figure


@styled
def redshifts_figure(redshifts: Mapping[str, Redshifts], title: str = "") -> Figure:
    """Draw the redshifts of each class: the wide survey, the deep fields, and both together, each as a histogram."""
    figure, grid = panels(len(redshifts), columns=4, width=2.7, height=1.9)
    for (name, found), axes in zip(redshifts.items(), grid, strict=True):
        top = float(np.quantile(found.all, 0.995)) if found.all.size > 50 else float(found.all.max())
        bins = np.linspace(0, top, 26).tolist()
        axes.hist(found.wide, bins, color=COLOURS[2], alpha=0.55, label="wide survey")
        axes.hist(found.deep, bins, color=COLOURS[1], alpha=0.75, label="deep fields")
        axes.hist(found.all, bins, histtype="step", color=INK, linewidth=1.1, label="both")
        axes.set(title=f"{name} ({found.all.size:,})")
        axes.locator_params(axis="both", nbins=4)
    handles, labels = grid[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside upper right", ncols=3)
    titles(figure, title, across="redshift", up="objects")
    return figure


@styled
def separations_figure(separations: Mapping[str, Separations], title: str = "") -> Figure:
    """Draw how far the objects of some classes are from their hosts: shares of those known, in 40 bins."""
    figure, (axes,) = panels(1, columns=1, width=6.4, height=3.3)
    apart = np.concatenate([found.arcsec for found in separations.values()])
    low, high = np.quantile(apart[apart > 0], [0.001, 0.999]) if (apart > 0).any() else (0.01, 1.0)
    bins = np.geomspace(min(low, high / 2), high, 41)  # arcsec
    for order, (name, found) in enumerate(separations.items()):
        total = found.arcsec.size + found.unknown
        label = f"{name} ({total:,}; {100 * found.unknown / total:.1f} % without)"
        inside = np.clip(found.arcsec, bins[0], bins[-1])
        share = np.histogram(inside, bins)[0] / inside.size
        axes.stairs(share, bins, label=label, linewidth=1.6, color=COLOURS[order], linestyle=LINES[order % len(LINES)])
    axes.set(xscale="log", xlabel="separation from the host (arcsec)", ylabel="share of those known", title=title)
    axes.legend(loc="upper left", frameon=True)
    return figure


def _place(days: NDArray[np.float64] | float) -> NDArray[np.float64]:
    """Place days on an axis that is linear within a day of the first detection and doubles beyond."""
    days = np.asarray(days, dtype=float)
    return np.sign(days) * np.log2(1 + np.abs(days))


def _ticks(axes: Axes, days: NDArray[np.float64]) -> None:
    shown = [day for day in _DAYS if days[0] <= day <= days[-1]]
    axes.set_xticks(_place(np.array(shown)), [f"{day}" for day in shown])
    axes.set_xlim(float(_place(days[0])), float(_place(days[-1])))
