"""What came of the simulated night, as tables for a terminal of 100 columns."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import rich.box
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from telperion.bands import BANDS
from telperion.calibration_scores import DepthScores
from telperion.demo.scores import ClassCounts, Latest
from telperion.demo.sparkline import sparkline
from telperion.encode.view import HISTORY
from telperion.evaluate import LEVELS
from telperion.lightcurves import LightCurves
from telperion.serve.monitor import Status
from telperion.serve.worker import COUNTS
from telperion.taxonomy import Taxonomy

ZERO_POINT = 31.4
"""AB magnitude of 1 nJy."""

_GOOD, _FAIR = 0.9, 0.6


def account(status: Status) -> str:
    """Say what became of all packets, and how fast."""
    counts = status.counts
    parts = " + ".join(f"{counts.get(name, 0):,} {name}" for name in COUNTS[1:])
    speed = f"{status.rate:,.0f} answers a second"
    if status.latency:
        half, most = (1e3 * status.latency[name] for name in ("50", "99"))
        speed += f", half of them within {half:,.0f} ms of the packet's coming in, 99 % within {most:,.0f} ms"
    work = f"{counts.get('new', 0):,} objects were new, {counts.get('replays', 0):,} histories gone through again"
    return f"{counts.get('packets', 0):,} packets = {parts}.\n{speed}; {work}."


def letters_table(letters: Sequence[Mapping[str, Any]]) -> Table:
    """Show the packets that could not be read, and why."""
    table = _table("Dead letters", "file", "why it could not be read")
    table.columns[1].no_wrap = False
    for letter in letters:
        table.add_row(Text(str(letter["place"]).removesuffix(".avro")), Text(str(letter["reason"])))
    return table


def class_table(counts: Mapping[str, ClassCounts]) -> Table:
    """Show how many objects of each class are decided rightly at each level.

    Parameters
    ----------
    counts : mapping of str to ClassCounts
        As `telperion.demo.scores.by_class` gives them.
    """
    table = _table("Decided rightly", "class", *(f">{name}" for name in ("of", "known d", *LEVELS)))
    for name, one in counts.items():
        shares = (Text(f"{each:,}", _colour(each / one.objects)) for each in one.right)
        table.add_row(name, f"{one.objects:,}", f"{one.days:.1f}", *shares)
    table.add_section()
    total = np.sum([[one.objects, *one.right] for one in counts.values()], axis=0, dtype=int).tolist()
    table.add_row("all", f"{total[0]:,}", "", *(f"{each:,}" for each in total[1:]), style="bold")
    return table


def span_table(spans: Mapping[str, tuple[int, Sequence[float]]]) -> Table:
    """Show macro F1 at each level by how long objects are known."""
    table = _table("Macro F1", "known for", *(f">{name}" for name in ("of", *LEVELS)))
    for name, (n, scores) in spans.items():
        table.add_row(name, f"{n:,}", *(f"{score:.2f}" for score in scores), style="bold" if name == "all" else "")
    return table


def promise_text(scores: DepthScores, tree: Taxonomy, level: float) -> Text:
    """Say how deep and how right the promised nodes are."""
    return Text.assemble(
        ("\nPromised nodes\n", "bold"),
        (f"{scores.coverage:.1%}", "bold"), f" are right ({level:.0%} are promised), ",
        (f"{scores.at_leaf:.0%}", "bold"), " name a class; mean depth ", (f"{scores.depth:.2f}", "bold"),
        f" of {tree.depth[tree.leaves].mean():.2f}.\n",
    )  # fmt: skip


def score_panel(classes: Table, *right: RenderableType) -> Table:
    """Put the table of classes and others side by side."""
    grid = Table.grid(padding=(0, 3, 0, 0))
    grid.add_column(no_wrap=True)
    grid.add_column()
    grid.add_row(classes, Group(*right))
    return grid


def object_table(found: Latest, light_curves: LightCurves, tree: Taxonomy) -> Table:
    """Show objects: what was known of each, and the way along the tree.

    Parameters
    ----------
    found : Latest
        These objects.
    light_curves : LightCurves
        What the packets show that were answered last, in the order of the objects.
    tree : Taxonomy
    """
    table = _table("The surest of some classes", "diaObjectId, truth", "known", "in one band", "along the tree")
    path = tree.path(found.probabilities)
    for k in range(len(found)):
        known, drawn = _summary(light_curves[[k]])
        truth, leaf = int(found.label[k]), int(found.leaf[k])
        steps = list(dict.fromkeys(path[k, 1:].tolist()))
        if leaf not in steps:  # decided against the likeliest child
            steps = np.flatnonzero(tree.ancestors[leaf])[1:].tolist()
        said = [f"{tree.nodes[node]} {found.probabilities[k, node]:.2f}" for node in steps]
        first, rest = " › ".join(said[:-1]), f"› {said[-1]}, promised: "
        style = "green" if leaf == truth else "red"
        table.add_row(
            Text(f"{found.object_id[k]}\n").append(tree.nodes[truth] if truth >= 0 else "?", style),
            f"{found.days[k]:.0f} d, {found.n_rows[k]} rows\n{known}", Text(drawn, "cyan"),
            Text(f"{first}\n{rest}").append(tree.nodes[found.confident[k]], "bold"),
        )  # fmt: skip
    return table


def _summary(curve: LightCurves) -> tuple[str, str]:
    """Say how bright one object was in its most observed band, of the rows that the answer stands on, and draw that."""
    seen = curve.time >= curve.first_detection[0] - HISTORY
    band = int(np.bincount(curve.band[seen], minlength=len(BANDS)).argmax())
    rows = seen & (curve.band == band)
    flux = curve.flux[rows]
    brightest = flux.max(initial=0.0)
    text = (
        f"{BANDS[band]} {ZERO_POINT - 2.5 * np.log10(brightest):.1f} mag" if brightest > 0 else f"{BANDS[band]} fades"
    )
    return text, sparkline(curve.time[rows], flux, curve.flux_err[rows])


def _table(title: str, *columns: str) -> Table:
    """Begin a table; the headings of columns of numbers begin with >."""
    table = Table(
        title=title, box=rich.box.SIMPLE_HEAD, title_justify="left", title_style="bold", show_edge=False,
        padding=(0, 1, 0, 0), pad_edge=False,
    )  # fmt: skip
    for name in columns:
        table.add_column(name.removeprefix(">"), justify="right" if name.startswith(">") else "left", no_wrap=True)
    return table


def _colour(share: float) -> str:
    return "green" if share >= _GOOD else "yellow" if share >= _FAIR else "red"
