"""How long an epoch takes when several processes train together, and what each part of it takes.

    telperion simulate elasticc -n 20000 -o sky/
    OMP_NUM_THREADS=1 python benchmarks/ranks.py sky/
    OMP_NUM_THREADS=1 torchrun --nproc-per-node 2 benchmarks/ranks.py sky/

Light curves are those that there are: simulating is left out. A first epoch, which compiles, is not counted. Seconds
are medians over epochs, seen by the first process: of an epoch without validation, of validating, and what of the
former passes while gradients are added up, waiting for the others included.
"""

import argparse
import dataclasses
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

import telperion
from telperion.models.gru_training import Trainer
from telperion.processes import Processes
from telperion.run import Run
from telperion.taxonomy import Taxonomy
from telperion.train import split


@dataclasses.dataclass(frozen=True)
class Timed(Processes):
    """Processes that note how long they talk."""

    taken: list[float] = dataclasses.field(default_factory=list)

    def add_gradients(self, weights: Sequence[Tensor], loss: float) -> float:
        started = time.perf_counter()
        total = super().add_gradients(weights, loss)
        self.taken.append(time.perf_counter() - started)
        return total


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path)
    parser.add_argument("--toml", type=Path, default=Path("runs/elasticc.toml"))
    parser.add_argument("--objects", type=int, default=10_000)
    parser.add_argument("--epochs", type=int, default=3)
    arguments = parser.parse_args()
    run = Run.load(arguments.toml)
    tree, config = Taxonomy.load(run.tree), dataclasses.replace(run.config(), view=run.views[0])
    torch.set_float32_matmul_precision("medium" if config.precision == "bfloat16" else "highest")
    curves = telperion.read(arguments.data)[: arguments.objects]
    taught, held = split(curves, tree, 0.1, 0)
    with tempfile.TemporaryDirectory() as folder:
        trainer = Trainer(taught, held, tree, config, Path(folder), 0)
        here = trainer.processes = Timed(trainer.processes.rank, trainer.processes.size)
        trainer.resume()
        validating, validate = [], trainer._validate

        def timed(batches: list) -> float:
            started = time.perf_counter()
            loss = validate(batches)
            validating.append(time.perf_counter() - started)
            return loss

        trainer._validate = timed
        lines = []
        for _ in range(arguments.epochs + 1):
            here.taken.clear()
            lines.append((trainer.run_epoch(), sum(here.taken)))
    seconds = np.array([[line["seconds"] - v, v, t] for (line, t), v in zip(lines, validating, strict=True)])[1:]
    if here.first:
        learning, checking, talking = np.median(seconds, axis=0)
        print(
            f"{here.size} processes of {torch.get_num_threads()} threads, {len(taught):,} objects: "
            f"epoch {learning:.2f} s, of which talking {talking:.2f} s; validation {checking:.2f} s; "
            f"loss {lines[-1][0]['loss']:.6f}"
        )


if __name__ == "__main__":
    main()
