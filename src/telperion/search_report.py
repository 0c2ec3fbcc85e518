"""Report searches for one class: tables on the terminal, or a folder with JSON, figures and one HTML page."""

from __future__ import annotations

import html
import json
from collections import Counter
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rich.console import Console

from telperion import __version__
from telperion.figures import called_figure, importance_figure, precision_recall_figure
from telperion.found import Search, bootstrap_f1
from telperion.light_curve_figures import light_curve_figure
from telperion.lightcurves import LightCurves
from telperion.page import Album, facts, page, write_json
from telperion.tables import Table, deviation, number, spread, to_html, to_rich

Searches = Mapping[str, Sequence[Search]]
"""Searches by the name of the run."""

NOTE = (
    "F1, precision and recall are of the target. Folds pooled: each object is scored once a seed, by a model that saw "
    "nothing of its fold, with a threshold chosen on the other folds. ± is the standard deviation over seeds (or over "
    "the folds of all seeds); the interval holds 95 % of bootstraps over the objects, mean over seeds."
)
OPTIMISTIC = (
    "OPTIMISTIC: the scored fold itself stopped the training and chose the threshold, as in the study that is followed."
)
MOST_MISSED = 12
CARD_MEASURES = ("f1", "average precision", "precision", "recall")


def search_tables(runs: Searches) -> list[Table]:
    """Show each run by folding and kind of redshift, of several seeds the mean and the standard deviation."""
    words: list[list[str]] = []
    figures: list[list[str]] = []
    rules: list[int] = []
    for name, searches in runs.items():
        rules.append(len(words))
        for (folding, redshift), repeats in gather(searches).items():
            pooled = [one.pooled for one in repeats]
            intervals = [bootstrap_f1(one.truth, one.called, seed=one.seed) for one in repeats]
            low, high = (float(np.mean([getattr(each, end) for each in intervals])) for end in ("low", "high"))
            f1, average, auc, precision, recall = (
                _short(spread([getattr(one, measure) for one in pooled]))
                for measure in ("f1", "average_precision", "roc_auc", "precision", "recall")
            )
            by_fold = _short(spread([fold.f1 for one in repeats for fold in one.by_fold]))
            called = f"{np.mean([one.called.sum() for one in repeats]):.0f}"
            words.append([*([name] if len(runs) > 1 else []), folding_name(folding), redshift])
            interval = _short(f"{number(low)}-{number(high)}")
            figures.append([str(len(repeats)), f1, interval, called, average, auc, precision, recall, by_fold])
    names = [*(["run"] if len(runs) > 1 else []), "folds", "redshift"]
    title = "The target found" if len(runs) > 1 else f"The target found by {next(iter(runs))}"
    tables = []
    for start, more in ((0, ("seeds", "F1", "95 %", "called")), (4, ("average precision", "ROC-AUC")),
                        (6, ("precision", "recall", "F1 by fold"))):  # fmt: skip
        rows = [[*said, *row[start : start + len(more)]] for said, row in zip(words, figures, strict=True)]
        columns = [("", name) for name in [*names, *more]]
        tables.append(Table("" if start else title, columns, rows, len(names), rules[1:]))
    return tables


def _short(text: str) -> str:
    """Leave out the zeros before the points."""
    return text.replace("0.", ".")


def gain_table(ours: tuple[str, Sequence[Search]], theirs: tuple[str, Sequence[Search]]) -> Table:
    """Compare two runs on the same objects and folds, seed by seed.

    Raises
    ------
    ValueError
        They share no folding, redshift and seed, or scored other objects or folds.
    """
    rows = []
    for kind, repeats in gather(ours[1]).items():
        others = {one.seed: one for one in gather(theirs[1]).get(kind, ())}
        pairs = [(one, others[one.seed]) for one in repeats if one.seed in others]
        for one, other in pairs:
            if not (np.array_equal(one.object_id, other.object_id) and np.array_equal(one.fold, other.fold)):
                raise ValueError(f"{ours[0]} and {theirs[0]} scored other objects or folds")
        if pairs:
            row = [folding_name(kind[0]), kind[1]]
            for measure in ("f1", "average_precision"):
                gains = [getattr(one.pooled, measure) - getattr(other.pooled, measure) for one, other in pairs]
                row += [spread(gains, signed=True), f"{sum(gain > 0 for gain in gains)} of {len(gains)}"]
            rows.append(row)
    if not rows:
        raise ValueError(f"{ours[0]} and {theirs[0]} have no search in common")
    columns = [("", "folds"), ("", "redshift"), ("F1", "gain"), ("F1", "seeds better")]
    columns += [("average precision", "gain"), ("average precision", "seeds better")]
    return Table(f"{ours[0]} minus {theirs[0]}", columns, rows, 2)


def called_table(repeats: Sequence[Search]) -> Table:
    """Show, by true class, how many objects there are and how many are called, mean over seeds."""
    called = called_by_class(repeats)
    rows = [[name, f"{total:,}", f"{count:.1f}"] for name, (total, count) in called.items()]
    return Table("Called, by true class", [("", "class"), ("", "objects"), ("", "called")], rows)


def called_by_class(repeats: Sequence[Search]) -> dict[str, tuple[int, float]]:
    """Give the number of objects and the mean number of those called, by true class, most called first."""
    totals = Counter(repeats[0].label.tolist())
    called: Counter[str] = sum((Counter(one.label[one.called].tolist()) for one in repeats), Counter())
    ranked = sorted(totals, key=lambda name: -called[name])
    return {name: (totals[name], called[name] / len(repeats)) for name in ranked}


def gather(searches: Sequence[Search]) -> dict[tuple[str, str], list[Search]]:
    """Gather seeds by folding and kind of redshift."""
    gathered: dict[tuple[str, str], list[Search]] = {}
    for one in searches:
        gathered.setdefault((one.folding, one.redshift), []).append(one)
    return gathered


def folding_name(folding: str) -> str:
    """Say what a folding is."""
    return folding if folding == "random" else f"by {folding}"


def show_searches(runs: Searches, *, optimistic: bool = False, console: Console | None = None) -> None:
    """Print searches, and of a single run what is called."""
    console = console or Console()
    if optimistic:
        console.print(OPTIMISTIC)
    for table in search_tables(runs):
        console.print(to_rich(table))
    if len(runs) == 1:
        (searches,) = runs.values()
        console.print(to_rich(called_table(next(iter(gather(searches).values())))))


def write_search_report(
    folder: str | Path,
    name: str,
    searches: Sequence[Search],
    *,
    light_curves: LightCurves | None = None,
    importance: Mapping[str, float] | None = None,
    data: str = "",
    command: str = "",
    optimistic: bool = False,
    formats: Sequence[str] = ("png",),
) -> Path:
    """Write ``scores.json``, ``figures/`` and ``index.html`` into a folder.

    Parameters
    ----------
    folder : path
    name : str
        Of the run.
    searches : sequence of Search
    light_curves : LightCurves, optional
        Of which those missed are drawn.
    importance : mapping of str to float, optional
        Share of each feature in what the boosters gain.
    data, command : str
        Which objects were scored, and the command that gave the numbers.
    optimistic : bool
        Whether thresholds were chosen on the objects scored.
    formats : sequence of str
        Formats in which figures are written; without any, tables only.

    Returns
    -------
    Path
        The page.
    """
    folder = Path(folder)
    album = Album(folder / "figures", formats)
    about = {"telperion": __version__, "data": data, "command": command, "optimistic": optimistic}
    write_json(folder / "scores.json", {**about, "searches": [_record(name, one) for one in searches]})
    sections = {"Found": [to_html(table) for table in search_tables({name: searches})]}
    draw = partial(precision_recall_figure, {(folding_name(f), z): each for (f, z), each in gather(searches).items()})
    sections["Found"].append(album.add("precision and recall", "Precision against recall, a line a seed.", draw))
    first = next(iter(gather(searches).values()))
    named = f"{folding_name(first[0].folding)} folds"
    sections["Called"] = [
        album.add("called", f"Objects called, by true class, {named}.", partial(called_figure, called_by_class(first))),
        to_html(called_table(first)),
    ]
    if importance:
        draw = partial(importance_figure, importance)
        sections["Features"] = [album.add("importances", "Share of each feature in the boosters' gain.", draw)]
    if light_curves is not None and album.formats:
        sections["Missed"] = [
            album.add(f"missed {k}", f"{label}, score {score:.3f}.", partial(light_curve_figure, curve))
            for k, (curve, label, score) in enumerate(_missed(first, light_curves))
        ]
    lines = {"data": html.escape(data), "command": f"<code>{html.escape(command)}</code>"}
    lines |= {"objects": f"{len(first[0].truth):,}, {first[0].truth.sum():,} of the target"}
    note = f"{OPTIMISTIC} {NOTE}" if optimistic else NOTE
    index = folder / "index.html"
    index.write_text(page(name, [facts(lines)], note, sections), encoding="utf-8")
    return index


def search_card(path: str | Path) -> dict[str, Any]:
    """Sum up the ``scores.json`` of a search for a classifier's card: F1 and average precision by folding and redshift.

    Paths from the root of a machine are cut to their last name: a card goes out into the world.

    Raises
    ------
    ValueError
        The scores are optimistic: thresholds were chosen on the objects scored.
    """
    record = json.loads(Path(path).read_text(encoding="utf-8"))
    if record["optimistic"]:
        raise ValueError(f"{path} is optimistic, its thresholds chosen on the objects scored: no figure for a card")
    gathered: dict[tuple[str, str], list[dict[str, Any]]] = {}
    for one in record["searches"]:
        gathered.setdefault((one["folding"], one["redshift"]), []).append(one)
    figures = []
    for (folding, redshift), repeats in gathered.items():
        mean = {name: round(float(np.mean([one[name] for one in repeats])), 4) for name in CARD_MEASURES}
        interval = np.mean([one["f1 95 %"] for one in repeats], axis=0)
        figures.append({
            "folds": folding_name(folding),
            "redshift": redshift,
            "seeds": len(repeats),
            **mean,
            "f1 spread over seeds": deviation([one["f1"] for one in repeats]),
            "f1 95 %": [round(float(end), 4) for end in interval],
        })  # fmt: skip
    first = record["searches"][0]
    return {
        "objects": first["objects"],
        "of the target": first["target"],
        "protocol": f"cross-validated on {first['objects']:,} objects, thresholds chosen on other folds",
        "data": Path(record["data"]).name,
        "command": " ".join(Path(word).name if word.startswith("/") else word for word in record["command"].split()),
        "figures": figures,
    }


def _missed(repeats: Sequence[Search], light_curves: LightCurves) -> list[tuple[LightCurves, str, float]]:
    """Light curve, label and mean score of the members that are called least often, the worst first."""
    score = np.mean([one.score for one in repeats], axis=0)
    never = ~np.any([one.called for one in repeats], axis=0) & repeats[0].truth
    worst: NDArray[np.int64] = np.flatnonzero(never)[np.argsort(score[never])][:MOST_MISSED]
    place = {name: k for k, name in enumerate(light_curves.object_id.tolist())}
    return [
        (light_curves[place[repeats[0].object_id[k]]], str(repeats[0].label[k]), float(score[k]))
        for k in worst.tolist()
    ]


def _record(name: str, one: Search) -> dict[str, object]:
    pooled = one.pooled
    interval = bootstrap_f1(one.truth, one.called, seed=one.seed)
    return {
        "name": name,
        "folding": one.folding,
        "redshift": one.redshift,
        "seed": one.seed,
        "objects": len(one.truth),
        "target": int(one.truth.sum()),
        "f1": pooled.f1,
        "f1 95 %": [interval.low, interval.high],
        "precision": pooled.precision,
        "recall": pooled.recall,
        "average precision": pooled.average_precision,
        "roc auc": pooled.roc_auc,
        "f1 by fold": [fold.f1 for fold in one.by_fold],
        "thresholds": one.threshold,
        "weights": one.weights,
        "called": {label: count for label, (_, count) in called_by_class([one]).items()},
    }
