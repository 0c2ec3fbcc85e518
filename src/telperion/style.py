"""The look of every figure: colours, line styles and matplotlib settings, in one place.

Figures are made without pyplot, so that nothing global is touched. Matplotlib comes with
``pip install 'telperion[plots]'`` and is imported when first used.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Sequence
from functools import wraps
from typing import TYPE_CHECKING, Any, ParamSpec

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
DPI = 150
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
    "figure.constrained_layout.wspace": 0.06,
    "figure.dpi": 100,
    "figure.titlesize": 12,
    "figure.titleweight": "bold",
    "font.family": "DejaVu Sans",
    "font.size": 9,
    "grid.color": SHADE,
    "grid.linewidth": 0.8,
    "legend.fontsize": 8,
    "legend.edgecolor": "none",
    "legend.frameon": False,
    "legend.handlelength": 1.8,
    "lines.linewidth": 1.6,
    "lines.markersize": 4.5,
    "savefig.bbox": "tight",
    "savefig.dpi": DPI,
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


def styled(draw: Callable[P, Figure]) -> Callable[P, Figure]:
    """Run a drawing function under `STYLE`, whatever settings matplotlib has, and lay its figure out once for all."""

    @wraps(draw)
    def drawn(*args: P.args, **kwargs: P.kwargs) -> Figure:
        with load_matplotlib().rc_context(STYLE):
            figure = draw(*args, **kwargs)
            if engine := figure.get_layout_engine():
                engine.execute(figure)
            figure.set_layout_engine("none")  # else it is laid out anew for every file
            return figure

    return drawn


def render(figure: Figure, kind: str = "png") -> bytes:
    """Turn a figure into the bytes of a file (``png``, ``svg`` or ``pdf``); equal figures give equal bytes."""
    buffer = io.BytesIO()
    undated = {"png": {"Software": None}, "svg": {"Date": None}, "pdf": {"CreationDate": None}}
    with load_matplotlib().rc_context(STYLE):
        figure.savefig(buffer, format=kind, metadata=undated.get(kind))
    return buffer.getvalue()


def load_matplotlib() -> Any:
    """Import matplotlib, or say which extra brings it."""
    try:
        import matplotlib
        import matplotlib.colors
        import matplotlib.figure
    except ImportError as error:
        raise ImportError("figures need matplotlib, which comes with: pip install 'telperion[plots]'") from error
    return matplotlib


def panels(
    count: int,
    *,
    columns: int,
    width: float,
    height: float,
    sharex: bool = False,
    sharey: bool = False,
    height_ratios: Sequence[float] | None = None,
) -> tuple[Figure, list[Axes]]:
    """Lay out panels, each of the given size in inches; places that are left over stay empty."""
    columns = min(columns, count)
    rows = -(-count // columns)
    figure = load_matplotlib().figure.Figure(figsize=(width * columns, height * rows))
    grid = figure.subplots(rows, columns, squeeze=False, sharex=sharex, sharey=sharey, height_ratios=height_ratios)
    for axes in grid.flat[count:]:
        axes.remove()
    return figure, list(grid.flat[:count])


def line(order: int) -> dict[str, Any]:
    """Give the colour and dashes of a line by its place among others."""
    return {"color": COLOURS[order % len(COLOURS)], "linestyle": LINES[order // len(COLOURS) % len(LINES)]}


def titles(figure: Figure, title: str, across: str = "", up: str = "") -> None:
    """Write a title at the top left, and labels shared by all panels."""
    if title:
        figure.suptitle(title, x=0.01, ha="left")
    if across:
        figure.supxlabel(across, fontsize=9)
        figure.supylabel(up, fontsize=9)


def legend_outside(figure: Figure, axes: Axes) -> None:
    """Explain the lines of one panel, which stand for those of all, above the panels."""
    handles, labels = axes.get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside upper right", ncols=min(len(labels), 4))
