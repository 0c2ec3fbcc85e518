"""`Survey`: a simulated survey in a folder, taken up again where it was left; `save` simulates all of it."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path
from typing import Any, Literal, get_args

from rich.progress import Progress

from telperion.formats import parquet, snana_writer
from telperion.lightcurves import LightCurves
from telperion.simulate.cadence import Cadence, shipped_cadence
from telperion.simulate.kinds import KINDS, Kinds
from telperion.simulate.literature import templates
from telperion.simulate.observe import PUBLISHED, Rules
from telperion.simulate.survey import numbered, split

Form = Literal["parquet", "snana"]
CARD = "survey.json"


class Survey:
    """A simulated survey in a folder: parts that are there are read, the others simulated and kept.

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
    seed : int
    form : {"parquet", "snana"}
    rules : Rules
        Which objects trigger, and which of their rows are kept.

    Raises
    ------
    ValueError
        The folder holds another survey, or a class is unknown or asked for less than zero times.
    """

    def __init__(
        self,
        folder: str | Path,
        counts: Mapping[str, int],
        *,
        kinds: Kinds = KINDS,
        cadence: Cadence | None = None,
        seed: int = 0,
        form: Form = "parquet",
        rules: Rules = PUBLISHED,
    ) -> None:
        if unknown := [label for label in counts if label not in kinds]:
            raise ValueError(f"{len(unknown)} classes have no source, first {unknown[0]!r}; known: {', '.join(kinds)}")
        if any(count < 0 for count in counts.values()) or not sum(counts.values()):
            raise ValueError("counts must not be negative, and not all zero")
        if form not in get_args(Form):
            raise ValueError(f"form is {form!r}, expected one of {', '.join(get_args(Form))}")
        self.folder, self.counts, self.kinds, self.seed, self.form = Path(folder), dict(counts), kinds, seed, form
        self.cadence, self.rules = cadence or shipped_cadence(), rules
        self.parts = split(counts)
        self.sizes = [sum(part.values()) for part in self.parts]
        self._claim()

    def __len__(self) -> int:
        """Give the number of parts."""
        return len(self.parts)

    def path(self, number: int) -> Path:
        """Give the file that a part is complete with."""
        return self.folder / f"part-{number:05d}{'.parquet' if self.form == 'parquet' else '_PHOT.FITS.gz'}"

    def make(self, numbers: Iterable[int] | None = None, *, jobs: int = 1) -> Iterator[int]:
        """Simulate the parts that are not there yet, of those asked for; gives the light curves of each.

        The number of processes changes nothing in what is written.
        """
        missing = [k for k in (range(len(self)) if numbers is None else numbers) if not self.path(k).is_file()]
        wanted = {number: self.parts[number] for number in missing}
        made = numbered(wanted, self.kinds, self.cadence, seed=self.seed, jobs=jobs, rules=self.rules)
        for number, curves in zip(missing, made, strict=True):
            if self.form == "parquet":
                parquet.write(curves, self.path(number))
            else:
                snana_writer.write(curves, self.folder, f"part-{number:05d}")
            yield len(curves)

    def read(self, numbers: Iterable[int]) -> LightCurves:
        """Give the light curves of some parts, simulated now where they are not there yet (form "parquet")."""
        numbers = list(numbers)
        for _ in self.make(numbers):
            pass
        return LightCurves.concatenate([parquet.read(self.path(number)) for number in numbers])

    def _claim(self) -> None:
        """Write down what the folder is to hold, or make sure that it is what it was begun for."""
        card = {
            "telperion": version("telperion"),
            "counts": self.counts,
            "sources": {
                label: {source.name: share for source, share in self.kinds[label].items()} for label in self.counts
            },
            "places": len(self.cadence),
            "visits": len(self.cadence.time),
            "span": list(self.cadence.span),
            "seed": self.seed,
            "form": self.form,
        }
        if made := templates({label: self.kinds[label] for label in self.counts}):
            card["templates"] = made
        if self.rules != PUBLISHED:
            card["rules"] = asdict(self.rules)
        claim(self.folder / CARD, card, "survey")


def claim(path: Path, card: Mapping[str, Any], what: str, ours: Collection[str] = ()) -> None:
    """Write down what a folder is to hold, or make sure that it is what it was begun for.

    Parameters
    ----------
    path : Path
        The file that says it.
    card : mapping
        What it says.
    what : str
        In a word.
    ours : collection of str
        What may stand in the folder before.

    Raises
    ------
    ValueError
        The folder holds something else.
    """
    unclaimed(path, what, ours)
    if not path.is_file():
        path.parent.mkdir(parents=True, exist_ok=True)
        partial = path.with_name(path.name + ".partial")
        partial.write_text(json.dumps(card, indent=1), encoding="utf-8")
        partial.replace(path)
    elif json.loads(path.read_text(encoding="utf-8")) != card:
        raise ValueError(f"{path.parent} holds another {what}, or one of another version; see its {path.name}")


def unclaimed(path: Path, what: str, ours: Collection[str] = ()) -> None:
    """Make sure that a folder has nothing that is not ours, unless a file there says what it holds.

    Raises
    ------
    ValueError
        It has.
    """
    ours = (*ours, path.name + ".partial")  # of one that was killed on the way
    if path.parent.is_dir() and not path.is_file() and any(file.name not in ours for file in path.parent.iterdir()):
        raise ValueError(f"{path.parent} is not empty and holds no {what}")


def save(
    folder: str | Path,
    counts: Mapping[str, int],
    *,
    kinds: Kinds = KINDS,
    cadence: Cadence | None = None,
    seed: int = 0,
    jobs: int = 1,
    form: Form = "parquet",
    rules: Rules = PUBLISHED,
    progress: Progress | None = None,
) -> int:
    """Simulate a survey into a folder (`Survey`); what is finished there is not done again.

    Parameters
    ----------
    jobs : int
        Processes.
    progress : rich.progress.Progress, optional
        Shows light curves done and time left.

    Returns
    -------
    int
        Light curves in the folder.
    """
    survey = Survey(folder, counts, kinds=kinds, cadence=cadence, seed=seed, form=form, rules=rules)
    total = sum(survey.sizes)
    ready = sum(size for number, size in enumerate(survey.sizes) if survey.path(number).is_file())
    task = progress.add_task("light curves", total=total, completed=ready) if progress else None
    for made in survey.make(jobs=jobs):
        if progress and task is not None:
            progress.advance(task, made)
    return total
