"""`tuned(run, light_curves)`: the run with the settings that did best on folds of these light curves, and no others.

The search is Optuna's: its tree of Parzen estimators proposes, its median rule cuts trials short. Every trial is
written down at once, so that a study that was killed goes on.
"""

from __future__ import annotations

import dataclasses
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

JOURNAL = "study.journal"
FREE_TRIALS = 5
"""Trials that are drawn at random and never cut short, before the estimators take over."""


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
        Keeps the study.
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
    try:
        import optuna
        from optuna.storages.journal import JournalFileBackend, JournalStorage
        from optuna.trial import TrialState as State
    except ModuleNotFoundError as error:  # an extra
        raise ModuleNotFoundError("tuning needs Optuna: pip install 'telperion[tune]'") from error
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    folder, tuning = Path(folder), run.tuning
    folder.mkdir(parents=True, exist_ok=True)
    study = optuna.create_study(
        storage=JournalStorage(JournalFileBackend(str(folder / JOURNAL))),
        study_name=run.name,
        direction="maximize",
        pruner=optuna.pruners.MedianPruner(n_startup_trials=FREE_TRIALS),
        load_if_exists=True,
    )
    own = dataclasses.asdict(run.config())
    if not study.trials:
        study.enqueue_trial({name: own[name] for name in tuning.ranges})
    for killed in study.get_trials(states=[State.RUNNING]):
        study.tell(killed.number, state=State.FAIL)
        study.enqueue_trial(killed.params)
    ends = time.monotonic() + 60 * tuning.minutes
    task = progress.add_task(f"{run.name}: trials", total=tuning.trials) if progress else None
    while (finished := len(study.get_trials(deepcopy=False, states=[State.COMPLETE, State.PRUNED]))) < tuning.trials:
        if finished and time.monotonic() > ends:
            break
        # seeded by the number of trials done, so that a study that was killed goes on as if it had not been
        study.sampler = optuna.samplers.TPESampler(seed=1000 * seed + finished, n_startup_trials=FREE_TRIALS)
        trial = study.ask()
        tried = dataclasses.replace(run, model={**run.members[0], **_settings(run, trial)}, tune={})
        values: list[float] = []
        for fold in range(tuning.folds):
            values.append(_average_precision(tried, light_curves, folding, fold, tuning.folds, folder, seed))
            trial.report(float(np.mean(values)), fold)
            if fold + 1 < tuning.folds and trial.should_prune():
                study.tell(trial, state=State.PRUNED)
                break
        else:
            study.tell(trial, float(np.mean(values)))
        if progress and task is not None:
            progress.update(task, completed=finished + 1)
    return dataclasses.replace(run, model={**run.members[0], **study.best_params}, tune={})


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
