"""`save`: a simulated survey written to a folder part by part, and taken up again where it was left."""

from __future__ import annotations

import json
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Literal, get_args

from rich.progress import Progress

from telperion.formats import parquet, snana_writer
from telperion.simulate.cadence import Cadence, shipped_cadence
from telperion.simulate.kinds import KINDS, Kinds
from telperion.simulate.literature import templates
from telperion.simulate.survey import batches, split

Form = Literal["parquet", "snana"]
CARD = "survey.json"


def save(
    folder: str | Path,
    counts: Mapping[str, int],
    *,
    kinds: Kinds = KINDS,
    cadence: Cadence | None = None,
    seed: int = 0,
    jobs: int = 1,
    form: Form = "parquet",
    progress: Progress | None = None,
) -> int:
    """Simulate a survey into a folder; what is finished there is not done again.

    Parameters
    ----------
    folder : path
        Gets ``part-NNNNN.parquet`` or pairs of SNANA files, and ``survey.json``, which says how they came about.
    counts : mapping of str to int
        Light curves of each class.
    kinds : mapping, optional
        The sources of each class and their shares.
    cadence : Cadence, optional
        By default the one that ships.
    seed, jobs : int
        The number of processes changes nothing in what is written.
    form : {"parquet", "snana"}
    progress : rich.progress.Progress, optional
        Shows light curves done and time left.

    Returns
    -------
    int
        Light curves in the folder.

    Raises
    ------
    ValueError
        The folder holds another survey, or a class is unknown or asked for less than zero times.
    """  # fmt: skip
    if unknown := [label for label in counts if label not in kinds]:
        raise ValueError(f"{len(unknown)} classes have no source, first {unknown[0]!r}; known: {', '.join(kinds)}")
    if any(count < 0 for count in counts.values()) or not sum(counts.values()):
        raise ValueError("counts must not be negative, and not all zero")
    if form not in get_args(Form):
        raise ValueError(f"form is {form!r}, expected one of {', '.join(get_args(Form))}")
    folder, cadence = Path(folder), cadence or shipped_cadence()
    _claim(folder, counts, kinds, cadence, seed, form)
    parts = split(counts)
    names = [f"part-{number:05d}" for number in range(len(parts))]
    last = ".parquet" if form == "parquet" else "_PHOT.FITS.gz"
    done = next((k for k, name in enumerate(names) if not (folder / f"{name}{last}").is_file()), len(parts))
    total, ready = sum(counts.values()), sum(sum(part.values()) for part in parts[:done])
    task = progress.add_task("light curves", total=total, completed=ready) if progress else None
    written = batches(counts, kinds, cadence, seed=seed, jobs=jobs, start=done)
    for name, curves in zip(names[done:], written, strict=True):
        if form == "parquet":
            parquet.write(curves, folder / f"{name}.parquet")
        else:
            snana_writer.write(curves, folder, name)
        if progress and task is not None:
            progress.advance(task, len(curves))
    return total


def _claim(
    folder: Path, counts: Mapping[str, int], kinds: Kinds, cadence: Cadence, seed: int, form: str
) -> None:  # fmt: skip
    """Write down what the folder is to hold, or make sure that it is what it was begun for."""
    card = {
        "telperion": version("telperion"),
        "counts": dict(counts),
        "sources": {label: {source.name: share for source, share in kinds[label].items()} for label in counts},
        "places": len(cadence),
        "visits": len(cadence.time),
        "span": list(cadence.span),
        "seed": seed,
        "form": form,
    }
    if made := templates({label: kinds[label] for label in counts}):
        card["templates"] = made
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / CARD
    if path.is_file():
        if json.loads(path.read_text(encoding="utf-8")) != card:
            raise ValueError(f"{folder} holds another survey, or one of another version; see its {CARD}")
        return
    if any(folder.iterdir()):
        raise ValueError(f"{folder} is not empty and holds no survey")
    path.write_text(json.dumps(card, indent=1), encoding="utf-8")
