"""The command `telperion card`: model cards as Markdown, and figures put on them."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from rich.console import Console

from telperion import saved


def add_card(parser: argparse.ArgumentParser) -> None:
    """Give the command its arguments."""
    parser.add_argument("model", nargs="?", help="a shipped classifier or a folder; without: all that are shipped")
    parser.add_argument("--scores", nargs="+", type=Path, metavar="FILE", help=(
        "put figures on the classifier's card: scores.json of its cross-validation, or of its evaluations"
    ))  # fmt: skip
    parser.set_defaults(command=_card)


def _card(arguments: argparse.Namespace) -> None:
    from telperion.cards import card_page, cards_page

    if arguments.scores:
        if arguments.model is None:
            raise ValueError("scores are of one classifier: say which")
        _put_on_card(saved.folder_of(arguments.model), arguments.scores)
        Console(stderr=True).print(f"figures are on the card of {arguments.model}")
    text = cards_page() if arguments.model is None else card_page(arguments.model)
    print(text, end="")  # noqa: T201 - Markdown as it is


def _put_on_card(folder: Path, scores: list[Path]) -> None:
    from telperion.report import model_card
    from telperion.search_report import search_card

    document = saved.read_card(folder)
    old: dict[str, Any] = document["card"]
    if document.get("target"):
        if len(scores) > 1:
            raise ValueError(f"{len(scores)} files are given, a search has one scores.json")
        new = search_card(scores[0])
    else:
        new = model_card(*scores)
    if "cross-validated" in old.get("protocol", "") and "cross-validated" not in new["protocol"]:
        raise ValueError(
            f"the figures of {folder.name} are cross-validated; those of one classifier, on objects that may have "
            "taught it, do not take their place"
        )
    if old.get("protocol", "").startswith(new["protocol"]) and old["data"] == new["data"]:
        new["protocol"] = old["protocol"]  # the same objects: what is known of them is still known
    saved.replace_card(folder, new)
