"""`show`: light curves of yours classified at several phases, beside what is known of the classifier's quality."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from telperion.classifier import Classifier
from telperion.formats import read
from telperion.lightcurves import LightCurves

DAYS = (2.0, 8.0, 64.0)
MOST = 20
"""Objects that are shown."""


def show(classifier: Classifier, data: Path, *, console: Console | None = None) -> None:
    """Classify the first objects of a file or folder, and print the model card's figures.

    Parameters
    ----------
    classifier : Classifier
    data : path
        What `telperion.read` knows.
    """
    console = console or Console()
    console.print(classifier.tree.draw(), highlight=False)
    light_curves = read(data)
    title = f"The first {min(MOST, len(light_curves))} of {len(light_curves)} objects of {data}"
    console.print(_table(classifier, light_curves[:MOST], title))
    console.print(
        "Each cell: the decided leaf with its probability, its parent above it. Bold: p > 0.9. [green]Green[/]: right."
    )
    if classifier.card:
        console.print(training_note(classifier))
    _show_card(classifier, console)


def training_note(classifier: Classifier) -> str:
    """Say on which objects a classifier flatters itself, or which ones told how good it is."""
    card = classifier.card
    if "cross-validated" not in card["protocol"]:
        return f"The classifier was {card['protocol']}, those of {card['data']}."
    return (
        f"The classifier was trained on {card['objects']:,} objects of {card['data']}: "
        "on those it looks better than it is, and only the cross-validated figures count."
    )


def _table(classifier: Classifier, light_curves: LightCurves, title: str) -> Table:
    table = Table(title=title, title_justify="left")
    for name in ("object", "label", *(f"after {day:g} d" for day in DAYS)):
        table.add_column(name)
    tree = classifier.tree
    true = [tree.index(name) if name in tree else -1 for name in light_curves.label]
    rows: list[list[Text | str]] = [
        [name, tree.nodes[node] if node >= 0 else label]
        for name, label, node in zip(light_curves.object_id, light_curves.label, true, strict=True)
    ]
    for day in DAYS:
        probabilities = classifier.predict(light_curves, days=day)
        for row, said, leaf, node in zip(rows, probabilities, classifier.decide(probabilities), true, strict=True):
            above = tree.parent[leaf]
            text = Text(f"{tree.nodes[above]} {said[above]:.2f}\n")
            row.append(text.append(f"{tree.nodes[leaf]} {said[leaf]:.2f}", _style(said[leaf], leaf == node)))
    for row in rows:
        table.add_row(*row)
    return table


def _style(probability: float, right: bool) -> str:
    return f"{'bold ' if probability > 0.9 else ''}{'green' if right else 'default'}"


def _show_card(classifier: Classifier, console: Console) -> None:
    card = classifier.card
    if "figures" not in card:
        console.print("This classifier has no card: nothing was measured.")
        return
    console.print(_search_figures(classifier) if classifier.target else _figures(card))
    console.print(f"Made by: {card['command']}")


def _search_figures(classifier: Classifier) -> Table:
    card = classifier.card
    table = Table(title=f"Model card: finding {classifier.target}, {card['protocol']}", title_justify="left")
    for name in ("folds", "redshift"):
        table.add_column(name)
    for name in ("F1", "95 %", "average precision"):
        table.add_column(name, justify="right")
    for row in card["figures"]:
        low, high = row["f1 95 %"]
        shown = f"{row['f1']:.3f}", f"{low:.3f}-{high:.3f}", f"{row['average precision']:.3f}"
        table.add_row(row["folds"], row["redshift"], *shown)
    return table


def _figures(card: Mapping[str, Any]) -> Table:
    table = Table(title=f"Model card: leaf macro F1, {card['protocol']}", title_justify="left")
    table.add_column("view")
    table.add_column("context")
    first = card["figures"][0]
    for day in first["leaf macro F1"]:
        table.add_column(f"{day} d", justify="right")
    for row in card["figures"]:
        table.add_row(row["view"], row["context"], *(f"{value:.3f}" for value in row["leaf macro F1"].values()))
    return table
