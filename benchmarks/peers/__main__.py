"""Run peers and show what came out: ``python -m benchmarks.peers run NAME... --train ... --test ... -o OUT``."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks.peers.data import HELD, class_mix, take
from benchmarks.peers.measure import scores, times
from benchmarks.peers.peer import DAYS, PEERS, TRAINING, make
from benchmarks.peers.results import RESULT, finished, read_results, result_table, write_result
from telperion.examination.timing import processor
from telperion.lightcurves import LightCurves
from telperion.tables import to_markdown
from telperion.taxonomy import Taxonomy
from telperion.train import split


def arguments(given: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.peers", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    run = commands.add_parser("run", help="train, score and time peers; what is finished is left alone")
    run.add_argument("names", nargs="+", metavar="NAME", help=f"{', '.join(PEERS)}, or all")
    run.add_argument("--train", type=Path, required=True, metavar="FOLDER")
    run.add_argument("--test", type=Path, required=True, metavar="FOLDER")
    run.add_argument("-o", "--out", type=Path, required=True)
    run.add_argument("--tree", default="elasticc")
    run.add_argument("--most", type=int, help="objects of a class, in training and in test")
    run.add_argument("--view", default="alert", choices=("alert", "full"))
    run.add_argument("--context", default="specz", choices=("specz", "photoz", "none"))
    run.add_argument("--days", type=float, nargs="+", default=[2.0, 8.0, 64.0, 1024.0])
    run.add_argument("--seeds", type=int, nargs="+", default=[0])
    run.add_argument("--epochs", type=int, help="end every training after so many, at its plateau or not")
    run.add_argument("--batch", type=int, default=2000, help="light curves that are timed at once")
    again = commands.add_parser("time", help="time all that is finished anew, one peer right after the other")
    again.add_argument("out", type=Path)
    table = commands.add_parser("table", help="show what is finished as one Markdown table")
    table.add_argument("out", type=Path)
    return parser.parse_args(given)


def run_peers(options: argparse.Namespace) -> None:
    tree = Taxonomy.load(options.tree)
    names = [name for name in PEERS if name not in DAYS] if options.names == ["all"] else options.names
    settings = {key: getattr(options, key) for key in ("tree", "most", "view", "context", "days", "epochs", "batch")}
    settings |= {"train": str(options.train), "test": str(options.test)}
    peers = [make(name) for name in names]  # a wrong name or a missing package shows before hours of training
    curves, test = (take(folder, tree, options.context, options.most) for folder in (options.train, options.test))
    for seed in options.seeds:
        for name, peer in zip(names, peers, strict=True):
            folder = options.out / f"{name}-{seed}"
            keep_settings(folder, settings)
            if (folder / RESULT).is_file():
                print(f"{name}, seed {seed}: finished before", flush=True)
                continue
            print(f"{name}, seed {seed}: {peer.what}", flush=True)
            result = run_one(peer, curves, test, tree, folder, seed, options)
            write_result(folder, result | {"settings": settings})


def keep_settings(folder: Path, settings: dict[str, Any]) -> None:
    """Write down what a folder is for; ValueError if it is for something else."""
    path = folder / "settings.json"
    if not path.is_file():
        folder.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(settings), encoding="utf-8")
    elif (before := json.loads(path.read_text(encoding="utf-8"))) != settings:
        raise ValueError(f"{folder} holds a result of other settings: {before}")


def run_one(
    peer: Any,
    curves: LightCurves,
    test: LightCurves,
    tree: Taxonomy,
    folder: Path,
    seed: int,
    options: argparse.Namespace,
) -> dict[str, Any]:
    train, valid = split(curves, tree, HELD, seed)
    peer.view_of_training = options.view
    if options.epochs is not None:
        peer.most_epochs = options.epochs
    if not (folder / TRAINING).is_file():
        peer.fit(train, valid, tree, folder, seed=seed, context=options.context)
    peer.load(folder, tree)
    return {
        "name": peer.name,
        "what": peer.what,
        "seed": seed,
        "objects": {"train": len(train), "valid": len(valid), "test": len(test)},
        "mix": {"train": class_mix(train, tree).tolist(), "test": class_mix(test, tree).tolist()},
        "training": json.loads((folder / TRAINING).read_text(encoding="utf-8")),
        "n_parameters": peer.n_parameters,
        "state_bytes": peer.state_bytes,
        "scores": scores(peer, test, tree, options.days, options.view),
        "times": times(peer, test, options.view, options.batch),
        "processor": processor(),
    }


def time_again(out: Path) -> None:
    """Take the times of all finished peers in one run, on the test light curves that they were scored on."""
    for result, folder in zip(read_results(out), finished(out), strict=True):
        settings, name = result["settings"], folder.name.rpartition("-")[0]
        tree = Taxonomy.load(settings["tree"])
        test = take(Path(settings["test"]), tree, settings["context"], settings["most"])
        peer: Any = make(name)
        peer.load(folder, tree)
        result |= {"times": times(peer, test, settings["view"], settings["batch"]), "processor": processor()}
        write_result(folder, result)
        print(f"{name}, seed {result['seed']}: {result['times']['batch_ms']:.3g} ms an object", flush=True)


def main(given: Sequence[str] | None = None) -> int:
    options = arguments(given)
    try:
        if options.command == "run":
            run_peers(options)
        elif options.command == "time":
            time_again(options.out)
        else:
            print(to_markdown(result_table(read_results(options.out))))
    except (ValueError, OSError, ImportError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
