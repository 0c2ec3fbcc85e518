"""`classify_catalogue`: a whole HATS catalogue classified, part by part, taken up again where it was left."""

from __future__ import annotations

import json
import shutil
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path
from zlib import crc32

import numpy as np
from rich.progress import Progress

from telperion.encode.view import Context, View
from telperion.scale.catalogue import Parts, open_catalogue
from telperion.scale.columns import understand
from telperion.scale.job import OBJECTS, Job, loaded
from telperion.scale.part import UNFINISHED, written
from telperion.scale.properties import withdraw, write_properties
from telperion.scale.workers import Answer, Task, here, in_processes, on_dask
from telperion.simulate.save import claim

CARD = "telperion.json"
"""What the folder of answers was begun for."""

HOPELESS = 20
"""Parts that fail before any is done, after which no other is tried."""


@dataclass(frozen=True)
class Outcome:
    """What a catalogue of answers holds.

    Parameters
    ----------
    folder : Path
    parts, objects, rows : int
    mended : mapping of str to int
        Rows of no use, by reason; values of the ``context`` that cannot be; objects with ``no E(B-V)``.
    before : int
        Parts that were there before.
    """

    folder: Path
    parts: int
    objects: int
    rows: int
    mended: dict[str, int]
    before: int


def classify_catalogue(
    address: str | Path,
    folder: str | Path,
    *,
    model: str | Path = "elasticc",
    days: Sequence[float] = (np.inf,),
    view: View | None = None,
    context: Context = "specz",
    level: float | None = None,
    strangeness: bool = False,
    names: Mapping[str, str] | None = None,
    dust: str | Path = "",
    dereddened: bool = False,
    detected_above: float | None = None,
    objects: int = OBJECTS,
    jobs: int = 1,
    dask: str = "",
    progress: Progress | None = None,
) -> Outcome:
    """Classify the objects of a HATS catalogue into another one with the same parts, which joins with it by id.

    A part whose answers are whole is not done again: after a crash, a kill or Ctrl-C the same call goes on. No more
    than a slice of a part is in memory, however many parts there are and however large they are.

    Parameters
    ----------
    address : str or Path
        As for `telperion.scale.catalogue.open_catalogue`.
    folder : str or Path
        Of the answers: new, or begun by the same call before. On a cluster, where all workers see it.
    model : str
        The name of a shipped classifier, or a folder, on a cluster one that all workers see.
    days, view, level, strangeness
        As for `telperion.classifier.Classifier.classify`.
    context : {"specz", "photoz", "none"}
        That counts.
    dust : str or Path
        A map of E(B-V), for objects of which it is unknown, whose fluxes are otherwise taken as they are.
    names, dereddened, detected_above
        As for `telperion.scale.columns.understand`.
    objects : int
        That are classified at once, at most.
    jobs : int
        Processes, without Dask.
    dask : str
        A Dask scheduler's address or scheduler file; "" for none.
    progress : rich.progress.Progress, optional
        Shows parts done and time left.

    Returns
    -------
    Outcome

    Raises
    ------
    ValueError
        A column is missing, the folder holds other answers, or parts failed (all others are done).
    """
    parts, place = open_catalogue(str(address)), Path(folder).absolute()
    schema = parts.schema()
    layout = understand(
        schema, names, position=parts.position, dereddened=dereddened, detected_above=detected_above
    )  # fmt: skip
    name = str(Path(model).absolute()) if Path(model).is_dir() else str(model)
    job = Job(
        name, layout, tuple(float(day) for day in days), view, context, level, strangeness,
        str(Path(dust).absolute()) if dust else "", loaded(name).fingerprint, objects,
    )  # fmt: skip
    job.classify(schema.empty_table())  # what cannot be asked is known at once
    _claim(place, parts, job)
    targets = [str(place / "dataset" / pixel.path) for pixel in parts.pixels]
    missing = [number for number, target in enumerate(targets) if written(target) is None]
    if missing:
        withdraw(place)
    tasks = [Task(parts.files[number], targets[number]) for number in missing]
    task = progress.add_task("parts", total=len(parts), completed=len(parts) - len(missing)) if progress else None
    failed: list[tuple[int, Exception]] = []
    finished = 0
    for number, done in _workers(job, tasks, jobs, dask):
        if isinstance(done, Exception):
            failed.append((missing[number], done))
            if not finished and len(failed) >= HOPELESS:
                break
            continue
        finished += 1
        if progress and task is not None:
            progress.advance(task)
    failed = [(number, error) for number, error in failed if written(targets[number]) is None]  # another run did some
    if failed:
        first, error = failed[0]
        kind = "" if isinstance(error, ValueError | OSError) else f"{type(error).__name__}: "
        raise ValueError(
            f"{len(failed)} of {len(parts)} parts failed, first {parts.pixels[first].path}: {kind}{error}. "
            "What is done is kept; the same command tries the others again"
        ) from error
    return _finish(place, parts, job, targets, len(parts) - len(missing))


def _workers(job: Job, tasks: Sequence[Task], jobs: int, dask: str) -> Iterator[Answer]:
    if not tasks:
        return iter(())
    if dask:
        return on_dask(job, tasks, dask)
    return in_processes(job, tasks, jobs) if jobs > 1 else here(job, tasks)


def _claim(folder: Path, parts: Parts, job: Job) -> None:
    asked = asdict(job) | {"telperion": version("telperion"), "catalogue": parts.address}
    asked["parts"] = [len(parts), crc32("\n".join(pixel.path for pixel in parts.pixels).encode())]
    asked["days"] = [f"{day:g}" for day in job.days]  # JSON knows no infinity
    claim(folder / CARD, json.loads(json.dumps(asked)), "set of answers", ours=(UNFINISHED,))


def _finish(folder: Path, parts: Parts, job: Job, targets: Sequence[str], before: int) -> Outcome:
    """Count what is there, and make it a catalogue."""
    counted, mended = 0, Counter[str]()
    for target in targets:
        found = written(target)
        if found is None:
            raise OSError(f"{target} is not there, though a worker has written it: is the folder one that all share?")
        counted += found[1].objects
        mended.update(found[1].mended)
    name = f"{parts.name}_classes"
    rows = write_properties(folder, name, parts.pixels, ra=job.layout.ra, decl=job.layout.decl)
    shutil.rmtree(folder / UNFINISHED, ignore_errors=True)
    return Outcome(folder, len(parts), counted, rows, dict(mended), before)
