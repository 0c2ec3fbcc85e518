"""`crossvalidate(run, light_curves)`: every object scored by a model that never saw it, fold by fold, resumable."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import multiprocessing
import tomllib
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from functools import partial
from pathlib import Path
from typing import Any, get_args

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import tomli_w
from numpy.typing import NDArray
from rich.progress import Progress

from telperion.classifier import Classifier
from telperion.encode.view import Context, View, keep_context
from telperion.evaluate import evaluate
from telperion.lightcurves import LightCurves
from telperion.run import Run
from telperion.scores import Evaluation
from telperion.taxonomy import Taxonomy
from telperion.train import labelled, train

CONTEXTS = get_args(Context)


@dataclasses.dataclass(frozen=True)
class Cell:
    """One model to be trained: a seed, a view, a fold, and the contexts that it is scored with."""

    seed: int
    view: View
    fold: int
    contexts: tuple[Context, ...]
    separate: bool

    @property
    def folder(self) -> str:
        """Where it is kept, under the folder of the cross-validation."""
        name = f"{self.view}/seed{self.seed}/fold{self.fold}"
        return f"{name}-{self.contexts[0]}" if self.separate else name


def folds(light_curves: LightCurves, tree: Taxonomy, n_folds: int, seed: int) -> NDArray[np.int64]:
    """Part objects into folds, class by class, by their names and the seed alone.

    scikit-learn's ``StratifiedKFold`` shuffles the objects sorted by their ids as text.

    Returns
    -------
    array of int, shape ``(n_objects,)``
        The fold that scores each object.

    Raises
    ------
    ValueError
        A class has fewer objects than there are folds.
    """
    from sklearn.model_selection import StratifiedKFold  # an extra: only training needs it

    order = np.argsort(light_curves.object_id)
    node = tree.labels(light_curves.label)[order]
    classes, counts = np.unique(node, return_counts=True)
    if (counts < n_folds).any():
        first = tree.nodes[classes[counts < n_folds][0]]
        raise ValueError(f"{(counts < n_folds).sum()} classes have fewer objects than {n_folds} folds, first {first!r}")
    result = np.empty(len(order), dtype=np.int64)
    parts = StratifiedKFold(n_folds, shuffle=True, random_state=seed).split(order, node)
    for fold, (_, scored) in enumerate(parts):
        result[order[scored]] = fold
    return result


def crossvalidate(
    run: Run,
    light_curves: LightCurves,
    *,
    folder: str | Path,
    jobs: int = 1,
    progress: Progress | None = None,
) -> list[Evaluation]:
    """Train and score a run fold by fold; what is finished in `folder` is not done again.

    Parameters
    ----------
    run : Run
    light_curves : LightCurves
        Labelled objects; those without a label are left out with a notice, those without a detection are not scored.
    folder : path
        Keeps each fold's classifier and predictions, and checkpoints of what is under way.
    jobs : int
        Folds trained at the same time, each in a process of its own.
    progress : rich.progress.Progress, optional
        Shows folds done and time left; with one job also what goes on within a fold.

    Returns
    -------
    list of Evaluation
        One a view, context and seed, over the objects of all folds.

    Raises
    ------
    ValueError
        The folder belongs to another run or other objects.
    """
    folder = Path(folder)
    tree = Taxonomy.load(run.tree)
    known = labelled(light_curves, tree)
    claim(folder, run, known)
    waiting = [cell for cell in cells(run) if not (folder / cell.folder / "predictions.parquet").is_file()]
    for cell in waiting:
        folds(known, tree, run.folds, cell.seed)
    task = progress.add_task(f"{run.name}: folds", total=len(waiting)) if progress else None
    for _ in each(partial(run_cell, run, known), waiting, folder, jobs, progress):
        if progress and task is not None:
            progress.advance(task)
    return evaluations(run, folder)


def each(
    work: Callable[..., None], cells: Sequence[Any], folder: Path, jobs: int, progress: Progress | None
) -> Iterator[None]:
    """Call ``work(cell, folder)``, for one cell after the other or for several at a time; yields when one is done."""
    if jobs == 1:
        for cell in cells:
            work(cell, folder, progress=progress)
            yield
        return
    with ProcessPoolExecutor(jobs, mp_context=multiprocessing.get_context("spawn")) as pool:
        for done in as_completed([pool.submit(work, cell, folder) for cell in cells]):
            done.result()
            yield


def cells(run: Run) -> Iterator[Cell]:
    """Go through the models that a run's cross-validation trains."""
    groups = [(context,) for context in run.contexts] if run.separate else [run.contexts]
    for seed in run.seeds:
        for view in run.views:
            for fold in range(run.folds):
                for contexts in groups:
                    yield Cell(seed, view, fold, contexts, run.separate)


def run_cell(
    run: Run, light_curves: LightCurves, cell: Cell, folder: Path, *, progress: Progress | None = None
) -> None:
    """Train one fold's classifier and write what it says of the objects that it did not see."""
    tree = Taxonomy.load(run.tree)
    place = folder / cell.folder
    scored = folds(light_curves, tree, run.folds, cell.seed) == cell.fold
    if (place / "classifier" / "classifier.json").is_file():
        classifier = Classifier.load(place / "classifier")
    else:
        classifier = train(
            run,
            light_curves[~scored],
            folder=place / "training",
            view=cell.view,
            context=cell.contexts[0] if cell.separate else "specz",
            seed=cell.seed,
            progress=progress,
        )
        classifier.save(place / "classifier")
    parts = [predictions(classifier, light_curves[scored], cell, context, run.days) for context in cell.contexts]
    table = pa.concat_tables(parts).replace_schema_metadata({"mix": json.dumps(classifier.mix.tolist())})
    unfinished = place / "predictions.parquet.part"
    pq.write_table(table, unfinished, compression="zstd")
    unfinished.rename(place / "predictions.parquet")


def predictions(
    classifier: Classifier, light_curves: LightCurves, cell: Cell, context: Context, days: tuple[float, ...]
) -> pa.Table:
    """Classify a fold's objects at several days, with their label and what they were known with beside it."""
    light_curves = light_curves[~np.isnan(light_curves.first_detection)]
    table = classifier.classify(keep_context(light_curves, context), days=days, view=cell.view)
    table = table.append_column("label", pa.array(np.repeat(light_curves.label, len(days))))
    table = table.append_column("context", pa.array(np.full(table.num_rows, context)))
    return table.append_column("fold", pa.array(np.full(table.num_rows, cell.fold)))


def evaluations(run: Run, folder: str | Path) -> list[Evaluation]:
    """Score the predictions that lie in the folder of a cross-validation, folds pooled."""
    tree = Taxonomy.load(run.tree)
    results = []
    for view in run.views:
        for context in run.contexts:
            for seed in run.seeds:
                said = Said(run, Path(folder), view, context, seed)
                phases = {day: evaluate(labels=said.labels, tree=tree, **said.at(day)) for day in run.days}
                results.append(Evaluation(view, context, phases))
    return results


def histories(run: Run, folder: str | Path) -> dict[str, Sequence[Mapping[str, float]]]:
    """Give losses by epoch of the networks that the first fold of the first seed trained, by what they are."""
    found = {}
    for cell in cells(dataclasses.replace(run, seeds=run.seeds[:1])):
        if cell.fold == 0:
            model = Classifier.load(Path(folder) / cell.folder / "classifier").model
            for kind, member in getattr(model, "members", [(run.model["kind"], model)]):
                if history := getattr(member, "history", None):
                    context = f", {cell.contexts[0]} context" if cell.separate else ""
                    found[f"{kind}, {cell.view} view{context}, first fold"] = history
    return found


def finished(folder: str | Path) -> list[Run]:
    """Read back whose cross-validation lies in a folder: a run for each view, with the seeds of which all is done.

    Raises
    ------
    ValueError
        The folder holds no cross-validation.
    """
    its = document(folder)
    found = {(part.parent.name, int(part.name.removeprefix("seed"))) for part in Path(folder).glob("*/seed*")}
    done = [
        (view, seed)
        for view, seed in sorted(found)
        if all(
            (Path(folder) / cell.folder / "predictions.parquet").is_file()
            for cell in cells(Run.from_dict(its | {"views": [view], "seeds": [seed]}))
        )
    ]
    return [
        Run.from_dict(its | {"views": [view], "seeds": [seed for its_view, seed in done if its_view == view]})
        for view in dict.fromkeys(view for view, _ in done)
    ]


def document(folder: str | Path) -> dict[str, Any]:
    """Read whose folder it is."""
    claim = Path(folder) / "run.toml"
    if not claim.is_file():
        raise ValueError(f"{folder} holds no cross-validation: it has no run.toml")
    document = tomllib.loads(claim.read_text(encoding="utf-8"))
    document.pop("objects", None)
    return document


class Said:
    """What a cross-validation said of every object in one view, with one context, by one seed; folds pooled."""

    def __init__(self, run: Run, folder: Path, view: View, context: Context, seed: int) -> None:
        self._tree = Taxonomy.load(run.tree)
        own = [c for c in cells(dataclasses.replace(run, views=(view,), seeds=(seed,))) if context in c.contexts]
        tables = [pq.read_table(folder / cell.folder / "predictions.parquet") for cell in own]
        self._mix = np.array([json.loads(table.schema.metadata[b"mix"]) for table in tables])  # one a fold
        rows = pa.concat_tables([table.replace_schema_metadata(None) for table in tables])
        rows = rows.filter(pc.equal(rows["context"], context)).sort_by(
            [("days", "ascending"), ("object_id", "ascending")]
        )
        self._days = rows["days"].to_numpy()
        self._rows = rows
        first = self._part(self._days[0])
        self.object_id = first["object_id"].to_numpy(zero_copy_only=False)
        self.labels = self._tree.labels(first["label"].to_numpy(zero_copy_only=False))

    def _part(self, day: float) -> pa.Table:
        start, stop = (int(np.searchsorted(self._days, day, side=side)) for side in ("left", "right"))
        return self._rows.slice(start, stop - start)

    def at(self, day: float) -> dict[str, NDArray[Any]]:
        """Give probabilities, decided leaves and the class mix assumed for each object, as `evaluate` takes them."""
        part = self._part(day)
        return {
            "probabilities": np.stack([part[name].to_numpy() for name in self._tree.nodes], axis=1),
            "decided": self._tree.labels(part["leaf"].to_numpy(zero_copy_only=False)),
            "mix": self._mix[part["fold"].to_numpy()],
        }


def claim(folder: Path, run: Run, light_curves: LightCurves) -> None:
    """Write down whose folder this is, or refuse one that is another run's."""
    ids = "\n".join(np.sort(light_curves.object_id)).encode()
    document: dict[str, Any] = run.to_dict() | {"objects": hashlib.sha256(ids).hexdigest()}
    del (
        document["views"],
        document["seeds"],
        document["foldings"],
    )  # those have folders of their own: more may come in later sittings
    text = tomli_w.dumps(document)
    claim = folder / "run.toml"
    if claim.is_file() and claim.read_text(encoding="utf-8") != text:
        raise ValueError(f"{folder} holds another run, or one on other objects: give another folder or remove it")
    folder.mkdir(parents=True, exist_ok=True)
    written = folder / f"run.toml.{uuid.uuid4().hex}"  # whole at once: other processes of one search may look
    written.write_text(text, encoding="utf-8")
    written.replace(claim)
