"""`tuned(run, light_curves)`: the run with the settings that did best on folds of these light curves, and no others.

The search is Optuna's: its tree of Parzen estimators proposes, its median rule cuts trials short. Every trial is
written down at once, so that a study that was killed goes on; with a `Tuning.storage` several processes share it
(`telperion.trials`).
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import tempfile
import time
import typing
from pathlib import Path
from typing import Any

import numpy as np
from rich.progress import Progress

from telperion.folding import folds
from telperion.found import average_precision
from telperion.lightcurves import LightCurves
from telperion.run import Run
from telperion.taxonomy import Taxonomy
from telperion.train import train
from telperion.trials import Trials

JOURNAL = "study.journal"


def tuned(
    run: Run,
    light_curves: LightCurves,
    *,
    folding: str,
    folder: str | Path,
    seed: int,
    progress: Progress | None = None,
) -> Run:
    """Tune a run's settings.

    Parameters
    ----------
    run : Run
        With `Run.tune`.
    light_curves : LightCurves
        Labelled objects, those that the model may learn from.
    folding : str
        How they are parted (`telperion.folding.folds`).
    folder : path
        Keeps the study, unless the run has a storage for it that several processes share.
    seed : int
        Of the folds, the trials and the models.
    progress : rich.progress.Progress, optional
        Shows trials done and time left.

    Returns
    -------
    Run
        With the best settings and nothing left to tune.

    Raises
    ------
    ModuleNotFoundError
        Optuna is not installed.
    ValueError
        A fold has no object of the target.
    """
    folder, tuning = Path(folder), run.tuning
    folder.mkdir(parents=True, exist_ok=True)
    own, shared = dataclasses.asdict(run.config()), bool(tuning.storage)
    study = Trials(
        tuning.storage or folder / JOURNAL,
        f"{run.name} {_identity(run, light_curves, folding, seed)}" if shared else run.name,
        total=tuning.trials,
        own={name: own[name] for name in tuning.ranges},
        seed=seed,
        shared=shared,
    )
    ends = time.monotonic() + 60 * tuning.minutes
    task = progress.add_task(f"{run.name}: trials", total=tuning.trials) if progress else None
    while (trial := study.take(ends)) is not None:
        with study.at_work(trial):
            tried = dataclasses.replace(run, model={**run.members[0], **_settings(run, trial)}, tune={})
            values: list[float] = []
            for fold in range(tuning.folds):
                values.append(_average_precision(tried, light_curves, folding, fold, tuning.folds, folder, seed))
                trial.report(float(np.mean(values)), fold)
                if fold + 1 < tuning.folds and trial.should_prune():
                    study.finish(trial, None)
                    break
            else:
                study.finish(trial, float(np.mean(values)))
        if progress and task is not None:
            progress.update(task, completed=study.finished)
    return dataclasses.replace(run, model={**run.members[0], **study.best(folder)}, tune={})


def _identity(run: Run, light_curves: LightCurves, folding: str, seed: int) -> str:
    """Say what makes a study the same study in a store that has many: what is tuned, how, and on which objects."""
    settings = run.to_dict()
    for name in ("name", "seeds", "foldings"):
        del settings[name]
    settings["tune"] = {name: settings["tune"][name] for name in ("ranges", "folds") if name in settings["tune"]}
    objects = [light_curves.object_id.tolist(), light_curves.label.tolist(), light_curves.n_rows]
    said = json.dumps([settings, objects, folding, seed])
    return hashlib.sha256(said.encode()).hexdigest()[:16]


def _settings(run: Run, trial: Any) -> dict[str, float]:
    """Draw the settings of a trial."""
    kinds = typing.get_type_hints(type(run.config()))
    return {
        name: (trial.suggest_int if kinds[name] is int else trial.suggest_float)(name, low, high, log=low > 0)
        for name, (low, high) in run.tuning.ranges.items()
    }


def _average_precision(
    run: Run, light_curves: LightCurves, folding: str, fold: int, n_folds: int, folder: Path, seed: int
) -> float:
    """Train without one fold and score it."""
    tree = Taxonomy.load(run.tree)
    scored = folds(light_curves, tree, n_folds, folding, seed) == fold
    objects = light_curves[scored]
    target = tree.index(run.target)
    truth = tree.ancestors[tree.labels(objects.label)][:, target]
    if not truth.any():
        raise ValueError(
            f"no {run.target} is in fold {fold} of {n_folds} of {len(truth)} objects: set tune.folds lower"
        )
    with tempfile.TemporaryDirectory(dir=folder) as place:
        classifier = train(run, light_curves[~scored], folder=place, seed=seed)
    return average_precision(classifier.predict(objects)[:, target], truth)
