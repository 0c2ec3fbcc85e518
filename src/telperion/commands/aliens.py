"""`telperion aliens`: what a classifier shall take for strange."""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
from rich.console import Console

import telperion
from telperion.lightcurves import LightCurves
from telperion.progress import progress_bar

LEVELS = (0.5, 0.9, 0.95, 0.99)


def add_aliens(parser: argparse.ArgumentParser) -> None:
    """Give the command its arguments."""
    parser.add_argument("model", help="a shipped classifier or a folder; its model must be a network that can step")
    parser.add_argument("data", type=Path, help="labelled light curves of the classes known, that taught it nothing")
    parser.add_argument("-o", "--output", type=Path, required=True, help="folder of the classifier to write")
    parser.add_argument("--test", type=Path, help="other labelled objects, on which false alarms are counted")
    parser.add_argument("-n", "--per-class", type=int, default=1000, help="objects of a class drawn at most")
    parser.add_argument(
        "--shown",
        type=int,
        default=40,
        help="objects of a class that are kept, to be shown beside what looks like them",
    )
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--markdown", action="store_true", help="print Markdown")
    parser.set_defaults(command=_aliens)


def _aliens(arguments: argparse.Namespace) -> None:
    from telperion.acquainting import acquaint, alarms, alike, keep, look
    from telperion.tables import DAYS, Table, to_markdown, to_rich

    classifier, rng = telperion.load(arguments.model), np.random.default_rng(arguments.seed)
    if not classifier.steppable:
        raise ValueError(f"{arguments.model} has no states that objects could be told by: it cannot step")
    test = telperion.read(arguments.test) if arguments.test else None  # first: what is wrong is known at once
    with progress_bar() as bar:
        known = _few(telperion.read(arguments.data), arguments.per_class, rng)
        made = acquaint(classifier, look(classifier, known, progress=bar), seed=arguments.seed)
        if arguments.shown > 0:
            made = keep(made, _few(known, arguments.shown, np.random.default_rng(arguments.seed)), progress=bar)
        made.save(arguments.output)
        if test is not None:
            states = look(made, _few(test, arguments.per_class, rng), days=DAYS, progress=bar)
            found = alarms(made, states, LEVELS)
            rows = [[context, f"{day:g}", *(f"{s:.3f}" for s in shares)] for (context, day), shares in found.items()]
            heads = [("", "context"), ("", "days"), *(("known objects above", f"{level:g}") for level in LEVELS)]
            if arguments.shown > 0:
                heads.append(("nearest known object", "of the same class"))
                rows = [[*row, f"{share:.3f}"] for row, share in zip(rows, alike(made, states).values(), strict=True)]
            table = Table(f"False alarms on {len(np.unique(states.object_id)):,} objects", heads, rows, n_words=1)
            if arguments.markdown:
                print(to_markdown(table))  # noqa: T201 - as it is, to be copied
            else:
                Console().print(to_rich(table))
    Console(stderr=True).print(f"saved {arguments.output}")


def _few(light_curves: LightCurves, most: int, rng: np.random.Generator) -> LightCurves:
    """Draw at most so many objects of each class."""
    order = rng.permutation(len(light_curves))
    label = np.asarray(light_curves.label)[order]
    chosen = [order[label == each][:most] for each in np.unique(label)]
    return light_curves[np.sort(np.concatenate(chosen))] if chosen else light_curves
