"""What a whole catalogue costs: light curves a second a worker through Dask and LSDB, against the plain loop.

    python benchmarks/scale.py FOLDER --light-curves 1000000

Simulates a survey (once), makes a HATS catalogue of it, and classifies that by the plain loop, on a Dask cluster of two
processes, and by `map_partitions` of LSDB on the same cluster. The same command goes on after it was stopped: what is
done stays, and what was measured before counts. Seconds are those of the clock and of the processors, since others may
use the machine; memory is the largest that the process of the plain loop has held after so many parts: it grows
until the largest slice has been seen.
"""

import argparse
import json
import multiprocessing
import os
import resource
import shutil
import sys
import time
from collections.abc import Callable
from importlib import import_module
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
import pyarrow.parquet as pq

from telperion.progress import progress_bar
from telperion.scale.catalogue import is_hats, open_catalogue
from telperion.scale.job import loaded
from telperion.scale.make import make_hats
from telperion.scale.run import classify_catalogue
from telperion.simulate.drawn import draw
from telperion.simulate.kinds import KINDS, counts, mix
from telperion.simulate.save import save

STAGES = ("plain", "dask", "lsdb")
KEPT = {"MALLOC_TRIM_THRESHOLD_": str(2**28), "MALLOC_MMAP_THRESHOLD_": str(2**28)}
"""What docs/scale.md sets for workers: Dask's own setting gives memory back after every array."""

TOTAL = 1e8


class Watched:
    """Hands on what a progress bar is told, and remembers memory after each part."""

    def __init__(self, bar) -> None:
        self.bar, self.memory = bar, []

    def add_task(self, *arguments, **more):
        return self.bar.add_task(*arguments, **more)

    def advance(self, task) -> None:
        self.memory.append(peak())
        self.bar.advance(task)


def peak() -> float:
    """Give the most memory that this process has held, MiB."""
    status = Path("/proc/self/status")
    if status.is_file():
        line = next(line for line in status.read_text().splitlines() if line.startswith("VmHWM"))
        return int(line.split()[1]) / 1024
    unit = 2**20 if sys.platform == "darwin" else 2**10
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / unit


def objects_in(folder: Path) -> int:
    files = folder.rglob("Npix=*.parquet") if folder.is_dir() else ()
    return sum(pq.read_metadata(file).num_rows for file in files)


def note(folder: Path, **what) -> None:
    with (folder / "timings.jsonl").open("a") as file:
        file.write(json.dumps(what) + "\n")


def measured(
    folder: Path, stage: str, workers: int, out: Path, cpu: Callable[[], float], work: Callable[[], None]
) -> None:
    """Do the work, and write down what was done in which time, be it stopped on the way."""
    before, clock, processor = objects_in(out), time.perf_counter(), cpu()
    try:
        work()
    finally:
        spent = {"seconds": time.perf_counter() - clock, "cpu": cpu() - processor}
        note(folder, stage=stage, workers=workers, objects=objects_in(out) - before, **spent)


def plain(folder: Path, model: str) -> None:
    with progress_bar() as bar:
        watched = Watched(bar)

        def work() -> None:
            classify_catalogue(folder / "sky", folder / "plain", model=model, progress=watched)

        warm(model)
        start = peak()
        try:
            measured(folder, "plain", 1, folder / "plain", time.process_time, work)
        finally:
            if watched.memory:
                places = np.unique(np.linspace(0, len(watched.memory) - 1, 6).astype(int)).tolist()
                note(folder, stage="memory", start=start, parts={place + 1: watched.memory[place] for place in places})


def on_cluster(folder: Path, model: str, stage: str, workers: int, as_dask: bool) -> None:
    from distributed import Client, LocalCluster

    if not as_dask:
        os.environ.update(KEPT)
    settings = {"n_workers": workers, "threads_per_worker": 1, "processes": True, "dashboard_address": None}
    with LocalCluster(**settings, memory_limit=0) as cluster, Client(cluster) as client:
        client.wait_for_workers(workers)
        client.run(warm, model, lsdb=stage == "lsdb")

        def cpu() -> float:
            return sum(client.run(time.process_time).values())

        out = folder / stage

        def work() -> None:
            if stage == "dask":
                with progress_bar() as bar:
                    classify_catalogue(folder / "sky", out, model=model, dask=cluster.scheduler_address, progress=bar)
                return
            import lsdb

            from telperion.scale.frames import classify_lsdb

            made = classify_lsdb(lsdb.open_catalog(folder / "sky"), model=model)
            made.write_catalog(out, catalog_name="lsdb", as_collection=False, resume=out.is_dir(), progress_bar=False)

        measured(folder, stage, workers, out, cpu, work)


def warm(model: str, *, lsdb: bool = False) -> None:
    """Load what a process loads once, and compile what it compiles: that is no part of a long run's rate."""
    loaded(model).predict(draw(n_per_class=1, seed=1))
    if lsdb:
        import_module("lsdb")


def prepare(folder: Path, n: int, part: int, jobs: int) -> None:
    """Simulate and cut into parts, unless that is done."""
    if is_hats(str(folder / "sky")):
        return
    with progress_bar() as bar:
        save(folder / "light-curves", counts(n, mix("root")), kinds=KINDS, jobs=jobs, progress=bar)
    shutil.rmtree(folder / "sky", ignore_errors=True)  # half of one
    make_hats(folder / "light-curves", folder / "sky", objects=part)


def rates(folder: Path) -> dict[str, tuple[int, int, float, float]]:
    """Give workers, objects, light curves a second a worker, and a second of a processor."""
    notes = [json.loads(line) for line in (folder / "timings.jsonl").read_text().splitlines()]
    found = {}
    for stage in STAGES:
        own = [one for one in notes if one["stage"] == stage]
        if (objects := sum(one["objects"] for one in own)) > 0:
            clock = sum(one["seconds"] * one["workers"] for one in own)
            found[stage] = own[-1]["workers"], objects, objects / clock, objects / sum(one["cpu"] for one in own)
    return found


def show(folder: Path) -> None:
    sky = open_catalogue(str(folder / "sky"))
    print(f"{objects_in(folder / 'sky'):,} light curves in {len(sky)} parts")
    print(
        "| | workers | light curves | a second a worker | of the plain loop | a second of a core | of the plain loop |"
    )
    print("|---|---|---|---|---|---|---|")
    found = rates(folder)
    for stage, (workers, objects, clock, cpu) in found.items():
        of_plain = (f"{rate / found['plain'][place]:.2f}" for place, rate in ((2, clock), (3, cpu)))
        shares = list(of_plain) if "plain" in found else ["", ""]
        print(f"| {stage} | {workers} | {objects:,} | {clock:,.0f} | {shares[0]} | {cpu:,.0f} | {shares[1]} |")
    for line in (folder / "timings.jsonl").read_text().splitlines():
        if (one := json.loads(line))["stage"] == "memory":
            after = ", ".join(f"{memory:,.0f} after {parts}" for parts, memory in one["parts"].items())
            print(f"memory, MiB: {one['start']:,.0f} before the first part, {after}")
    if "dask" in found:
        hours = TOTAL / found["dask"][2] / 3600
        print(f"{TOTAL:.0e} light curves like these: {hours:,.0f} hours of a worker like these")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--light-curves", type=int, default=20_000)
    parser.add_argument("--part", type=int, default=0, help="objects of a part at most; by default a fiftieth of all")
    parser.add_argument("--model", default="elasticc")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("-j", "--jobs", type=int, default=1, help="processes that simulate")
    parser.add_argument("--stages", nargs="+", choices=STAGES, default=STAGES)
    parser.add_argument("--as-dask", action="store_true", help="leave the workers' memory as Dask sets it")
    asked = parser.parse_args()
    asked.folder.mkdir(parents=True, exist_ok=True)
    prepare(asked.folder, asked.light_curves, asked.part or max(asked.light_curves // 50, 1), asked.jobs)
    for stage in asked.stages:
        if is_hats(str(asked.folder / stage)):
            continue
        work, more = (plain, ()) if stage == "plain" else (on_cluster, (stage, asked.workers, asked.as_dask))
        process = multiprocessing.get_context("spawn").Process(target=work, args=(asked.folder, asked.model, *more))
        process.start()  # a process of its own: memory of one stage is not that of another
        process.join()
        if process.exitcode:
            sys.exit(f"{stage} ended with {process.exitcode}; the same command goes on from here")
    show(asked.folder)


if __name__ == "__main__":
    main()
