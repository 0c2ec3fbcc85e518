"""A classifier's model card as Markdown: what it is, learnt from and is worth, and what it must not be used for.

Figures are those of ``classifier.json``. What no file of the folder can know (where the data came from, what is known
of limits) is written down for the shipped classifiers, in ``shipped/NAME.toml``.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np

from telperion import saved
from telperion.card_figures import CALIBRATION_ERROR, LEAF_F1, PROMISED, SPREAD, class_f1
from telperion.models.card import SHIPPED
from telperion.saved import folder_of, shipped_names
from telperion.tables import Table, to_markdown
from telperion.taxonomy import Taxonomy

SECTIONS = {"data": "What it learnt from", "use": "What it is for", "never": "What it must not be used for"}
SECTIONS |= {"limits": "Limits, measured"}
"""What ``shipped/NAME.toml`` tells, beside a ``summary`` and the training's ``commands``; each a list of sentences."""

CONTEXTS = {"specz": "all, spectroscopic redshifts too", "photoz": "photometric redshift", "none": "light curve alone"}


@dataclass(frozen=True)
class About:
    """What the files of a classifier's folder cannot know.

    Parameters
    ----------
    summary : str
    commands : list of str
        Those that trained it.
    data, use, never, limits : list of str
        Sentences, see `SECTIONS`.
    """

    summary: str
    commands: Sequence[str]
    data: Sequence[str]
    use: Sequence[str]
    never: Sequence[str]
    limits: Sequence[str]

    @classmethod
    def load(cls, name: str) -> About | None:
        """Read what is written of a shipped classifier; None if there is none of this name.

        Raises
        ------
        ValueError
            Something is missing or unknown.
        """
        path = SHIPPED / f"{name}.toml"
        if not path.is_file():
            return None
        found = tomllib.loads(path.read_text(encoding="utf-8"))
        if wrong := sorted(found.keys() ^ {field.name for field in fields(cls)}):
            raise ValueError(f"{path} has missing or unknown entries, first {wrong[0]!r}")
        return cls(**found)


def cards_page() -> str:
    """Give the cards of all shipped classifiers as one page, which is docs/cards.md."""
    head = "# Model cards\n\nOf the classifiers that come with the package, as `telperion card` prints them.\n"
    return "\n".join([head, *(card_page(name, level=2) for name in shipped_names())])


def card_page(name: str | Path, *, level: int = 1) -> str:
    """Give the card of one classifier as Markdown.

    Parameters
    ----------
    name : str or path
        A shipped classifier or a folder.
    level : int
        Of the card's heading.

    Raises
    ------
    FileNotFoundError
        There is neither.
    ModelFolderError
        The folder is not a classifier's.

    Examples
    --------
    >>> print(card_page("plasticc-gru").splitlines()[0])
    # plasticc-gru
    """
    folder = folder_of(name)
    document, tree, run, parts = saved.read(folder)
    about = About.load(folder.name) if folder.parent == SHIPPED else None
    mark = "#" * level
    text = [f"{mark} {folder.name}", "", *([about.summary, ""] if about else [])]
    text += [to_markdown(_facts(folder, document, tree, parts)), ""]
    text += [f"{mark}# What it learnt from", ""]
    text += _listed(about.data) if about else ["Its data are not described; its run is:", ""]
    commands = about.commands if about else [f"telperion train {run.get('name', folder.name)}.toml DATA"]
    text += ["```sh", *commands, "```", ""]
    text += [f"{mark}# What it is worth", "", *_worth(document, folder.name)]
    text += [f"{mark}# The class mix that it assumes", "", to_markdown(_mix(document["mix"], tree)), ""]
    if about:
        for name_, heading in list(SECTIONS.items())[1:]:
            text += [f"{mark}# {heading}", "", *_listed(getattr(about, name_))]
    else:
        text += [f"{mark}# What it must not be used for", "", "Nobody has written that down yet: measure it first.", ""]
    return "\n".join(text)


def _listed(sentences: Sequence[str]) -> list[str]:
    return [*(f"- {sentence}" for sentence in sentences), ""]


# -- facts -------------------------------------------------------------------------------------------------------


def _facts(folder: Path, document: Mapping[str, Any], tree: Taxonomy, parts: Mapping[str, Any]) -> Table:
    promise = parts.get("promise")
    levels = ", ".join(f"{level:g}" for level in promise.levels) if promise is not None else ""
    rows = {
        "kind": f"`{document['kind']}`; {_going_on(folder, document)}",
        "tree": f"`{tree.name}`: {len(tree)} nodes, {tree.leaves.size} leaves",
        "view": f"{document['view']} (docs/data.md says what that is)",
        "seeks": f"{document['target']}, called above {document['threshold']:.4f}" if document.get("target") else "",
        "calibrated": "along the tree, by phase" if "calibration" in parts else "no",
        "promises": f"the deepest node, at the levels {levels}" if levels else "nothing",
        "strangeness": "known" if "aliens" in parts else "not known",
        "on disk": f"{saved.disk_bytes(folder) / 1e6:.2f} MB",
        "fingerprint": f"`{saved.fingerprint(document)}`",
        "made with": ", ".join(f"{package} {version}" for package, version in document["versions"].items()),
    }
    return Table("", [("", "what"), ("", "")], [(name, text) for name, text in rows.items() if text], n_words=2)


def _going_on(folder: Path, document: Mapping[str, Any]) -> str:
    """Say whether a model goes on from a state, and how large that is."""
    if not document["steppable"]:
        return "reads whole light curves"
    from telperion.classifier import Classifier

    state = Classifier.load(folder).start(1)
    size = sum(np.asarray(getattr(state, field.name)).nbytes for field in fields(state))
    return f"goes on from a state of {size:,} bytes an object"


def _mix(mix: Mapping[str, float], tree: Taxonomy) -> Table:
    rows = [(name, f"{100 * share:.2f} %") for name, share in mix.items()]
    above = {tree.nodes[leaf]: tree.nodes[tree.parent[leaf]] for leaf in tree.leaves}
    columns = [("", "class"), ("", "below"), ("", "share")]
    return Table("", columns, [(name, above[name], share) for name, share in rows], n_words=2)


# -- figures -----------------------------------------------------------------------------------------------------


def _worth(document: Mapping[str, Any], name: str) -> list[str]:
    card = document["card"]
    if "figures" not in card:
        return ["Nothing was measured: `telperion card FOLDER --scores SCORES.json` puts figures here.", ""]
    said = f"{card['protocol'][0].upper()}{card['protocol'][1:]} (`{card['data']}`), by `{card['command']}`."
    if document.get("target"):
        return [said, "", to_markdown(_search_table(card["figures"], document["target"])), ""]
    text = [said, "", to_markdown(_leaf_table(card["figures"])), ""]
    for figure in card["figures"]:
        if scores := class_f1(figure):
            text += [to_markdown(_class_table(figure, scores)), ""]
    if not any(class_f1(figure) for figure in card["figures"]):
        text += [f"F1 by class is not on this card; `telperion card {name} --scores SCORES.json` puts it there.", ""]
    if any(CALIBRATION_ERROR in figure for figure in card["figures"]):
        text += [to_markdown(_trust_table(card["figures"])), ""]
    return text


def _leaf_table(figures: Sequence[Mapping[str, Any]]) -> Table:
    days = list(figures[0][LEAF_F1])
    rows = []
    for figure in figures:
        deviations = figure.get(SPREAD, {})
        cells = [_with_spread(figure[LEAF_F1].get(day), deviations.get(day)) for day in days]
        rows.append([figure["view"], CONTEXTS[figure["context"]], str(figure["seeds"]), *cells])
    columns = [("", "view"), ("", "context"), ("", "seeds"), *(("", f"{day} d") for day in days)]
    return Table("Macro F1 of the leaves, by days after the first detection", columns, rows, n_words=2)


def _class_table(figure: Mapping[str, Any], scores: Mapping[str, Mapping[str, float]]) -> Table:
    names = list(dict.fromkeys(name for day in scores.values() for name in day))
    rows = [[name, *(_with_spread(day.get(name), None) for day in scores.values())] for name in names]
    title = f"F1 by class, {figure['view']} view, context: {CONTEXTS[figure['context']]}"
    return Table(title, [("", "class"), *(("", f"{day} d") for day in scores)], rows)


def _trust_table(figures: Sequence[Mapping[str, Any]]) -> Table:
    rows, level = [], 0.9
    for figure in figures:
        promised = figure.get(PROMISED, {})
        level = promised.get("level", level)
        for day, error in figure.get(CALIBRATION_ERROR, {}).items():
            cells = [_with_spread(promised.get(what, {}).get(day), None) for what in ("right", "depth", "leaves")]
            rows.append([CONTEXTS[figure["context"]], f"{day} d", _with_spread(error, None), *cells])
    columns = [("", "context"), ("", "days"), ("", CALIBRATION_ERROR)]
    columns += [(f"promised at {level:g}:", what) for what in ("right", "depth", "leaves")]
    return Table("Calibration and promises", columns, rows, n_words=2)


def _search_table(figures: Sequence[Mapping[str, Any]], target: str) -> Table:
    rows = []
    for row in figures:
        low, high = row["f1 95 %"]
        cells = [_with_spread(row[what], None) for what in ("precision", "recall", "average precision")]
        f1 = _with_spread(row["f1"], row.get("f1 spread over seeds"))
        rows.append([row["folds"], row["redshift"], str(row["seeds"]), f1, f"{low:.3f} to {high:.3f}", *cells])
    names = ("folds", "redshift", "seeds", "F1", "95 %", "precision", "recall", "average precision")
    return Table(f"How well {target} is found", [("", name) for name in names], rows, n_words=2)


def _with_spread(value: float | None, deviation: float | None) -> str:
    if value is None:
        return "–"
    return f"{value:.3f}" if deviation is None else f"{value:.3f} ± {deviation:.3f}"
