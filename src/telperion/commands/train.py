"""The command `telperion train`, also in each of the processes that torchrun starts."""

from __future__ import annotations

import argparse
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path

from rich.console import Console

import telperion
from telperion.processes import processes
from telperion.progress import progress_bar
from telperion.trials import one_at_a_time


def add_train(parser: argparse.ArgumentParser) -> None:
    """Give the command its arguments."""
    parser.add_argument("run", type=Path)
    parser.add_argument(
        "data", type=Path, help="light curves; of a run that simulates its own, the folder to keep them"
    )
    parser.add_argument("-o", "--output", type=Path, required=True, help="folder of the classifier")
    add_changes(parser)
    add_storage(parser)
    parser.add_argument("--seed", type=int, help="this seed in place of the run's first")
    parser.add_argument("--search", type=Path, help="of a run that seeks one class: the folder of its cross-validation")
    parser.add_argument("--scores", type=Path, help="scores.json of the run's cross-validation, for the model card")
    parser.set_defaults(command=_train)


def add_changes(parser: argparse.ArgumentParser) -> None:
    """Give a command that reads a run the option to change its settings."""
    parser.add_argument("--set", nargs="+", default=[], metavar="KEY=VALUE", help="settings in place of the run's")


def add_storage(parser: argparse.ArgumentParser) -> None:
    """Give a command that tunes the option to share the trials."""
    parser.add_argument(
        "--storage", metavar="FILE|URL", help="of a run that tunes: where processes with the same command share trials"
    )


def _train(arguments: argparse.Namespace) -> None:
    from telperion.report import model_card
    from telperion.run import Run
    from telperion.search_report import search_card
    from telperion.train import simulated, train

    checkpoints = arguments.output.with_name(arguments.output.name + ".training")
    run, first = Run.load(arguments.run, arguments.set).with_storage(arguments.storage), processes().first
    with progress_bar(Console(stderr=True, quiet=not first)) as bar:
        if run.stream:
            stream, held = simulated(run, arguments.data, progress=bar)
            classifier = train(run, stream, folder=checkpoints, held=held, seed=arguments.seed, progress=bar)
        elif run.target:
            from telperion.find import fit_all

            light_curves = telperion.read(arguments.data)
            classifier = fit_all(run, light_curves, folder=arguments.search or checkpoints, progress=bar)
        else:
            light_curves = telperion.read(arguments.data)
            classifier = train(run, light_curves, folder=checkpoints, seed=arguments.seed, progress=bar)
    if not first:  # it has the same classifier
        return
    sum_up = search_card if run.target else model_card
    card = sum_up(arguments.scores) if arguments.scores else {}
    shared = bool(run.tune and run.tuning.storage)
    with one_at_a_time(checkpoints) if shared else nullcontext():
        if shared and (arguments.output / "classifier.json").is_file():
            Console().print(f"{arguments.output} has been saved by another process of this search")
            return
        replace(classifier, card=card).save(arguments.output)
    Console().print(f"saved {arguments.output}; {checkpoints} can be removed")
