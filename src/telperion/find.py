"""`find(run, light_curves)`: how well the objects of one class are found, by a protocol that chooses nothing on them.

Every object is scored by a model that saw nothing of its fold. The threshold, and the weights of a stack, are chosen
for each fold on the others alone: on objects of fold j scored by a model that saw neither fold i nor fold j. One model
without i and j serves both folds, so that all this costs ``n (n - 1) / 2`` trainings beside the n that score.

Folds may be grouped by a context column, such as MALLORN's ``split``, whose equals then never stand on both sides.
"""

from __future__ import annotations

import dataclasses
import itertools
import json
import shutil
import zlib
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray
from rich.progress import Progress

from telperion.classifier import Classifier
from telperion.crossvalidate import claim, document, each
from telperion.encode.cache import kept
from telperion.folding import folds
from telperion.found import AS_GIVEN, NOISY, Search, best_threshold, expected_threshold
from telperion.lightcurves import LightCurves
from telperion.models import Model
from telperion.models.stack import Stack, choose_weights
from telperion.processes import processes
from telperion.run import Run
from telperion.taxonomy import Taxonomy
from telperion.train import labelled, train
from telperion.trials import one_at_a_time
from telperion.tune import tuned

MIX, IMPORTANCE, TUNED = b"mix", b"importance", b"tuned"
PREDICTIONS = "predictions.parquet"


@dataclasses.dataclass(frozen=True)
class Cell:
    """One model to be trained: without the objects of one fold, which it scores, or of two."""

    member: int
    folding: str
    seed: int
    without: tuple[int, ...]

    @property
    def folder(self) -> str:
        """Where it is kept, under the folder of the search."""
        return f"member-{self.member}/{self.folding}/seed{self.seed}/without{'-'.join(map(str, self.without))}"


def cells(run: Run) -> Iterator[Cell]:
    """Go through the models that a search trains."""
    outer = [(fold,) for fold in range(run.folds)]
    pairs = [] if run.optimistic else list(itertools.combinations(range(run.folds), 2))
    for member in range(len(run.members)):
        for folding, seed, without in itertools.product(run.foldings, run.seeds, [*outer, *pairs]):
            yield Cell(member, folding, seed, without)


def find(
    run: Run, light_curves: LightCurves, *, folder: str | Path, jobs: int = 1, progress: Progress | None = None
) -> list[Search]:
    """Train and score a search; what is finished in `folder` is not done again.

    Parameters
    ----------
    run : Run
        With a `target`. Members of a stack are trained each for itself; their weights are chosen here.
    light_curves : LightCurves
        Labelled objects; those without a label are left out with a notice.
    folder : path
        Keeps predictions, and checkpoints of what is under way.
    jobs : int
        Models trained at the same time, each in a process of its own.
    progress : rich.progress.Progress, optional

    Returns
    -------
    list of Search
        One a folding, kind of redshift and seed.

    Raises
    ------
    ValueError
        The run has no target that is a node of its tree, or the folder belongs to another run or other objects.
    """
    folder, tree = Path(folder), Taxonomy.load(run.tree)
    tree.index(run.target)
    known = labelled(light_curves, tree)
    claim(folder, run, known)
    waiting = [cell for cell in cells(run) if not (folder / cell.folder / PREDICTIONS).is_file()]
    task = progress.add_task(f"{run.name}: trainings", total=len(waiting)) if progress else None
    for _ in each(partial(run_cell, run, known), waiting, folder, jobs, progress):
        if progress and task is not None:
            progress.advance(task)
    return searches(run, folder)


def run_cell(run: Run, light_curves: LightCurves, cell: Cell, folder: Path, progress: Progress | None = None) -> None:
    """Train one model and write down how it scores the objects that it did not see; statistics are kept by content."""
    with kept(progress=progress):
        if run.tune:
            _tune_and_run_cell(run, light_curves, cell, folder, progress)
        else:
            _run_cell(dataclasses.replace(run, model=run.members[cell.member]), light_curves, cell, folder, progress)


def _tune_and_run_cell(
    run: Run, light_curves: LightCurves, cell: Cell, folder: Path, progress: Progress | None
) -> None:
    """Do so with settings found on what it may learn from; of several processes that search together one trains it."""
    place, tree = folder / cell.folder, Taxonomy.load(run.tree)
    if (place / PREDICTIONS).is_file():
        return
    scored = np.isin(folds(light_curves, tree, run.folds, cell.folding, cell.seed), cell.without)
    own = tuned(
        dataclasses.replace(run, model=run.members[cell.member]),
        light_curves[~scored],
        folding=cell.folding,
        folder=place / "tuning",
        seed=cell.seed,
        progress=progress,
    )
    with one_at_a_time(place):
        if not (place / PREDICTIONS).is_file():
            _run_cell(dataclasses.replace(run, model=own.model), light_curves, cell, folder, progress)


def _run_cell(run: Run, light_curves: LightCurves, cell: Cell, folder: Path, progress: Progress | None) -> None:
    place, tree = folder / cell.folder, Taxonomy.load(run.tree)
    fold = folds(light_curves, tree, run.folds, cell.folding, cell.seed)
    scored = np.isin(fold, cell.without)
    objects = light_curves[scored]
    classifier = train(
        dataclasses.replace(run, tune={}),
        light_curves[~scored],
        folder=place / "training",
        seed=cell.seed,
        held=objects if run.optimistic else None,
        progress=progress,
    )
    known = {AS_GIVEN: objects}
    if run.redshift_noise and len(cell.without) == 1:
        known[NOISY] = with_noisy_redshift(objects, run.redshift_noise, cell.seed)
    columns = {"object_id": objects.object_id, "label": objects.label, "fold": fold[scored]}
    arrays = {name: pa.array(values) for name, values in columns.items()}
    for name, curves in known.items():
        leaves = classifier.predict(curves)[:, tree.leaves]
        arrays[name] = pa.FixedSizeListArray.from_arrays(leaves.ravel(), tree.leaves.size)
    settings = run.to_dict()["model"]
    about = {
        MIX: classifier.mix.tolist(),
        IMPORTANCE: getattr(classifier.model, "importance", {}),
        TUNED: {name: settings[name] for name in (run.tuning.ranges if run.tune else {})},
    }
    table = pa.table(arrays, metadata={name: json.dumps(value).encode() for name, value in about.items()})
    unfinished = place / "predictions.parquet.part"
    pq.write_table(table, unfinished)
    unfinished.rename(place / PREDICTIONS)
    if len(cell.without) > 1:
        shutil.rmtree(place / "training")


def fit_all(
    run: Run,
    light_curves: LightCurves,
    *,
    folder: str | Path,
    jobs: int = 1,
    progress: Progress | None = None,
) -> Classifier:
    """Train a run on all objects; threshold and weights are chosen on what models said of folds that they did not see.

    Those are the models that a search with the run's first folding and seed scores with: what is finished in the folder
    of a search is not done again.

    Parameters
    ----------
    run : Run
        With a `target`.
    light_curves : LightCurves
        Labelled objects.
    folder : path
        Of the search; also keeps checkpoints of what is under way.
    jobs : int
    progress : rich.progress.Progress, optional

    Returns
    -------
    Classifier
        With target and threshold.
    """
    processes().alone("a search for one class")
    folder, tree = Path(folder), Taxonomy.load(run.tree)
    known = labelled(light_curves, tree)
    claim(folder, run, known)
    first = dataclasses.replace(run, foldings=run.foldings[:1], seeds=run.seeds[:1])
    outer = [cell for cell in cells(first) if len(cell.without) == 1]
    waiting = [cell for cell in outer if not (folder / cell.folder / PREDICTIONS).is_file()]
    task = progress.add_task(f"{run.name}: trainings", total=len(waiting) + len(run.members)) if progress else None
    for _ in each(partial(run_cell, run, known), waiting, folder, jobs, progress):
        if progress and task is not None:
            progress.advance(task)
    members = []
    for number, member in enumerate(run.members):
        with kept(progress=progress):
            own = dataclasses.replace(run, model=member)
            place = folder / f"member-{number}" / "all"
            if run.tune:
                own = tuned(
                    own, known, folding=run.foldings[0], folder=place / "tuning", seed=run.seeds[0], progress=progress
                )
            with one_at_a_time(place):
                model = train(own, known, folder=place, seed=run.seeds[0], progress=progress).model
            members.append((member["kind"], model))
        if progress and task is not None:
            progress.advance(task)
    said = [
        _read(run, folder, first.foldings[0], first.seeds[0], cell.without, AS_GIVEN) for cell in outer[: run.folds]
    ]
    label = np.concatenate([table["label"].to_numpy(zero_copy_only=False) for table, _ in said])
    truth = tree.ancestors[tree.labels(label)][:, tree.index(run.target)]
    scores = np.concatenate([score for _, score in said], axis=1)
    weights = _weights(scores, truth) if len(members) > 1 else np.ones(1)
    together: Model = Stack(tree, members, weights) if len(members) > 1 else members[0][1]
    return Classifier(
        together,
        run.model["kind"],
        run.views[0],
        run=run.to_dict() | {"views": [run.views[0]], "seeds": [run.seeds[0]]},
        target=run.target,
        threshold=expected_threshold(weights @ scores, truth),
    )


def with_noisy_redshift(light_curves: LightCurves, noise: float, seed: int) -> LightCurves:
    """Give the objects with redshifts as a survey without spectra would have them.

    Parameters
    ----------
    light_curves : LightCurves
        With context ``redshift``.
    noise : float
        Standard deviation / (1 + z).
    seed : int
        With an object's name it settles its redshift.

    Raises
    ------
    ValueError
        There is no redshift.
    """
    if "redshift" not in light_curves.context:
        raise ValueError("redshift_noise is set, but the light curves have no redshift")
    names = [zlib.crc32(str(name).encode()) for name in light_curves.object_id]
    drawn = np.array([np.random.default_rng([seed, name]).standard_normal() for name in names])
    redshift = light_curves.context["redshift"]
    moved = redshift + noise * (1 + redshift) * drawn
    return light_curves.with_context({**light_curves.context, "redshift": np.maximum(moved, 0.001)})


def finished_search(folder: str | Path) -> Run:
    """Read back whose search lies in a folder; its foldings and seeds are those of which all cells are done.

    Raises
    ------
    ValueError
        The folder holds no search.
    """
    folder, its = Path(folder), document(folder)
    if not its.get("target"):
        raise ValueError(f"{folder} holds no search: its run has no target")
    found = {(place.parent.name, int(place.name.removeprefix("seed"))) for place in folder.glob("member-0/*/seed*")}
    done = {
        pair
        for pair in found
        if all(
            (folder / cell.folder / PREDICTIONS).is_file()
            for cell in cells(Run.from_dict(its | {"foldings": [pair[0]], "seeds": [pair[1]]}))
        )
    }
    foldings = sorted({folding for folding, _ in done}, reverse=True)
    seeds = [
        seed for seed in sorted({seed for _, seed in done}) if all((folding, seed) in done for folding in foldings)
    ]
    return Run.from_dict(its | {"foldings": foldings, "seeds": seeds})


def importances(run: Run, folder: str | Path) -> dict[str, float]:
    """Give the share of each feature in what the boosters gain, mean over the models that score; empty without any."""
    total: dict[str, float] = {}
    scoring = [cell for cell in cells(run) if len(cell.without) == 1]
    for cell in scoring:
        metadata = pq.read_schema(Path(folder) / cell.folder / PREDICTIONS).metadata or {}
        for name, share in json.loads(metadata.get(IMPORTANCE, b"{}")).items():
            total[name] = total.get(name, 0.0) + share / len(scoring)
    return total


def searches(run: Run, folder: str | Path) -> list[Search]:
    """Judge the predictions that lie in the folder of a search."""
    kinds = [AS_GIVEN, NOISY] if run.redshift_noise else [AS_GIVEN]
    return [
        _search(run, Path(folder), folding, kind, seed)
        for folding, kind, seed in itertools.product(run.foldings, kinds, run.seeds)
    ]


def _search(run: Run, folder: Path, folding: str, redshift: str, seed: int) -> Search:
    said = {
        without: _read(run, folder, folding, seed, without, redshift if len(without) == 1 else AS_GIVEN)
        for without in {cell.without for cell in cells(run)}
    }
    outer = pa.concat_tables([said[fold,][0] for fold in range(run.folds)])
    order = np.argsort(outer["object_id"].to_numpy(zero_copy_only=False))
    object_id, label, fold = (
        outer[name].to_numpy(zero_copy_only=False)[order] for name in ("object_id", "label", "fold")
    )
    tree = Taxonomy.load(run.tree)
    truth = tree.ancestors[tree.labels(label)][:, tree.index(run.target)]
    score = np.concatenate([said[one,][1] for one in range(run.folds)], axis=1)[:, order]  # (n_members, n_objects)
    final, threshold, weights = np.empty(len(order)), np.empty(run.folds), np.ones((run.folds, len(run.members)))
    for one in range(run.folds):
        mine = fold == one
        chosen_on, member_scores = (mine, score[:, mine]) if run.optimistic else _others(said, one, object_id, fold)
        if len(run.members) > 1:
            weights[one] = _weights(member_scores, truth[chosen_on])
        weights[one] /= weights[one].sum()
        choose = best_threshold if run.optimistic else expected_threshold
        threshold[one] = choose(weights[one] @ member_scores, truth[chosen_on])
        final[mine] = weights[one] @ score[:, mine]
    called = final > threshold[fold]
    return Search(folding, redshift, seed, object_id, label, final, called, truth, fold, threshold, weights)


def _others(
    said: dict[tuple[int, ...], tuple[pa.Table, NDArray[np.float64]]],
    one: int,
    object_id: NDArray[np.str_],
    fold: NDArray[np.int64],
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Give the positions of the objects of all other folds, and how models scored them that saw neither fold."""
    place, scores = [], []
    for other in np.setdiff1d(np.unique(fold), one):
        table, score = said[min(one, other), max(one, other)]
        own = table["fold"].to_numpy() == other
        place.append(np.searchsorted(object_id, table["object_id"].to_numpy(zero_copy_only=False)[own]))
        scores.append(score[:, own])
    return np.concatenate(place), np.concatenate(scores, axis=1)


def _weights(scores: NDArray[np.float64], truth: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Weigh members by the log-loss of target against rest, both sides counting alike."""
    probabilities = np.stack([1 - scores, scores], axis=2).astype(np.float32)
    rarity = np.where(truth, 1 / max(truth.sum(), 1), 1 / max((~truth).sum(), 1))
    return choose_weights(probabilities, truth.astype(np.int64), rarity)


def _read(
    run: Run, folder: Path, folding: str, seed: int, without: tuple[int, ...], column: str
) -> tuple[pa.Table, NDArray[np.float64]]:
    """Read how each member scored the objects of some folds, shape ``(n_members, n_objects)``, and who they are.

    The scores assume the class mix that the first member assumes.
    """
    tree = Taxonomy.load(run.tree)
    tables = [
        pq.read_table(folder / Cell(member, folding, seed, without).folder / PREDICTIONS)
        for member in range(len(run.members))
    ]
    mixes = [np.array(json.loads(table.schema.metadata[MIX])) for table in tables]
    scores = []
    for table, mix in zip(tables, mixes, strict=True):
        leaves = table[column].combine_chunks().flatten().to_numpy().reshape(-1, tree.leaves.size)
        nodes = tree.reweight(tree.from_leaves(leaves.astype(np.float64)), mix, mixes[0])
        scores.append(nodes[:, tree.index(run.target)])
    return tables[0].select(["object_id", "label", "fold"]), np.stack(scores)
