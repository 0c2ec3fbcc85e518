"""`crossvalidate(run, light_curves)`: every object scored by a model that never saw it, fold by fold, resumable."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import multiprocessing
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from pathlib import Path
from typing import Any

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
from telperion.scores import Evaluation, Scores
from telperion.taxonomy import Taxonomy
from telperion.train import Run, labelled, train


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
    _claim(folder, run, known)
    waiting = [cell for cell in cells(run) if not (folder / cell.folder / "predictions.parquet").is_file()]
    for cell in waiting:
        folds(known, tree, run.folds, cell.seed)
    task = progress.add_task(f"{run.name}: folds", total=len(waiting)) if progress else None
    for _ in _run_cells(run, known, waiting, folder, jobs, progress):
        if progress and task is not None:
            progress.advance(task)
    return evaluations(run, folder)


def _run_cells(
    run: Run, light_curves: LightCurves, waiting: list[Cell], folder: Path, jobs: int, progress: Progress | None
) -> Iterator[None]:
    """Run cells, one after the other or several at a time; yields whenever one is done."""
    if jobs == 1:
        for cell in waiting:
            run_cell(run, light_curves, cell, folder, progress=progress)
            yield
        return
    with ProcessPoolExecutor(jobs, mp_context=multiprocessing.get_context("spawn")) as pool:
        for done in as_completed([pool.submit(run_cell, run, light_curves, cell, folder) for cell in waiting]):
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
                own = [c for c in cells(run) if (c.view, c.seed) == (view, seed) and context in c.contexts]
                tables = [pq.read_table(Path(folder) / c.folder / "predictions.parquet") for c in own]
                tables = [table.filter(pc.equal(table["context"], context)) for table in tables]
                phases = {day: _evaluate(tables, day, tree) for day in run.days}
                results.append(Evaluation(view, context, phases))
    return results


def _evaluate(tables: list[pa.Table], day: float, tree: Taxonomy) -> Scores:
    """Score the rows of one day of all folds, each with the class mix that its classifier assumes."""
    parts = [table.filter(pc.equal(table["days"], day)) for table in tables]
    mixes = [np.tile(json.loads(part.schema.metadata[b"mix"]), (part.num_rows, 1)) for part in parts]
    rows = pa.concat_tables([part.replace_schema_metadata(None) for part in parts])
    probabilities = np.stack([rows[name].to_numpy() for name in tree.nodes], axis=1)
    labels, decided = (tree.labels(rows[name].to_numpy(zero_copy_only=False)) for name in ("label", "leaf"))
    return evaluate(probabilities, labels, tree, decided=decided, mix=np.concatenate(mixes))


def _claim(folder: Path, run: Run, light_curves: LightCurves) -> None:
    """Write down whose folder this is, or refuse one that is another run's."""
    ids = "\n".join(np.sort(light_curves.object_id)).encode()
    document: dict[str, Any] = run.to_dict() | {"objects": hashlib.sha256(ids).hexdigest()}
    del document["views"], document["seeds"]  # those have folders of their own: more may come in later sittings
    text = tomli_w.dumps(document)
    claim = folder / "run.toml"
    if claim.is_file() and claim.read_text(encoding="utf-8") != text:
        raise ValueError(f"{folder} holds another run, or one on other objects: give another folder or remove it")
    folder.mkdir(parents=True, exist_ok=True)
    claim.write_text(text, encoding="utf-8")
