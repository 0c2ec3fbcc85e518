"""`telperion classify`: light curves into a Parquet file, a HATS catalogue into another one."""

from __future__ import annotations

import argparse
import time
import warnings
from pathlib import Path
from typing import get_args

import numpy as np
from rich.console import Console

import telperion
from telperion.encode.view import Context, View, keep_context
from telperion.formats.alert_rows import BESIDE, REASONS, REPEATED
from telperion.lightcurves import RepairWarning
from telperion.progress import progress_bar


def add_classify(parser: argparse.ArgumentParser) -> None:
    """Give the command its arguments."""
    parser.add_argument("data", help="what telperion.read knows; or a HATS catalogue: its folder, or hats://ADDRESS")
    parser.add_argument("-m", "--model", required=True, help="a shipped classifier or a folder")
    parser.add_argument("-o", "--output", type=Path, required=True, help=(
        "the Parquet file to write; of a HATS catalogue the folder of another one, gone on with if it was begun"
    ))  # fmt: skip
    parser.add_argument("--level", type=float, help="of what is promised, for confident_node; by default .9")
    parser.add_argument("--aliens", action="store_true", help="a column strangeness: unlike all classes known, 0 to 1")
    add_view(parser)
    hats = parser.add_argument_group("of a HATS catalogue")
    hats.add_argument("-j", "--jobs", type=int, default=1, help="processes")
    hats.add_argument("--dask", default="", metavar="SCHEDULER", help=(
        "address or scheduler file of a Dask cluster, in place of processes here"
    ))  # fmt: skip
    hats.add_argument("--names", nargs="+", default=[], metavar="COLUMN=MEANING", help=(
        "what columns of other names mean: points=light_curve points.t=time myId=object_id ebv=mwebv"
    ))  # fmt: skip
    hats.add_argument("--detected-above", type=float, metavar="RATIO", help=(
        "flux over its error above which a row is a detection, where no column says so"
    ))  # fmt: skip
    hats.add_argument("--dust", type=Path, help="HEALPix map of E(B-V), for objects that have none")
    hats.add_argument("--dereddened", action="store_true", help="fluxes are corrected for dust in the Milky Way")
    parser.set_defaults(command=_classify)


def add_view(parser: argparse.ArgumentParser) -> None:
    """Give a command the arguments that say what is known of objects."""
    parser.add_argument("--days", nargs="+", type=float, help="days after the first detection")
    parser.add_argument("--view", choices=get_args(View), help="rows that count; by default as the model was trained")
    parser.add_argument("--context", choices=get_args(Context), default="specz", help="context that counts")


def _classify(arguments: argparse.Namespace) -> None:
    from telperion.scale.catalogue import is_hats

    if is_hats(arguments.data):
        arguments.goes_on = True
        _classify_hats(arguments)
        return
    given = {"--dask": arguments.dask, "--names": arguments.names, "--detected-above": arguments.detected_above,
             "--dereddened": arguments.dereddened, "--dust": arguments.dust, "-j": arguments.jobs > 1}  # fmt: skip
    if useless := [name for name, value in given.items() if value]:
        raise ValueError(f"{', '.join(useless)} is for HATS catalogues, and {arguments.data} is none")
    _classify_file(arguments)


def _classify_file(arguments: argparse.Namespace) -> None:
    import pyarrow.parquet as pq

    classifier = telperion.load(arguments.model)
    if arguments.aliens and classifier.aliens is None:
        raise ValueError(f"{arguments.model} does not know what is strange: telperion aliens makes one that does")
    if arguments.level is not None and classifier.promise is None:
        raise ValueError(f"{arguments.model} promises nothing: telperion calibrate makes one that does")
    light_curves = keep_context(telperion.read(arguments.data), arguments.context)
    started = time.perf_counter()
    table = classifier.classify(
        light_curves, days=arguments.days or [np.inf], view=arguments.view, level=arguments.level,
        strangeness=arguments.aliens,
    )  # fmt: skip
    pq.write_table(table, arguments.output, compression="zstd")
    rate = table.num_rows / (time.perf_counter() - started)
    Console().print(f"{table.num_rows:,} rows to {arguments.output} ({rate:,.0f} light curves a second)")


def _classify_hats(arguments: argparse.Namespace) -> None:
    from telperion.scale.run import classify_catalogue

    if arguments.dask and arguments.jobs > 1:
        raise ValueError("-j is for processes here; on a Dask cluster the scheduler says how many workers there are")
    with progress_bar() as bar:
        made = classify_catalogue(
            arguments.data, arguments.output, model=arguments.model, days=arguments.days or [np.inf],
            view=arguments.view, context=arguments.context, level=arguments.level, strangeness=arguments.aliens,
            names=dict(map(_meaning, arguments.names)), dust=arguments.dust or "",
            dereddened=arguments.dereddened,
            detected_above=arguments.detected_above, jobs=arguments.jobs, dask=arguments.dask, progress=bar,
        )  # fmt: skip
    told = {
        reason: count for reason, count in made.mended.items() if reason not in (REASONS[BESIDE], REASONS[REPEATED])
    }
    if told:
        counts = ", ".join(f"{count:,} {reason}" for reason, count in sorted(told.items()))
        warnings.warn(f"left out or mended: {counts}", RepairWarning, stacklevel=1)
    before = f", {made.before:,} of them from before" if made.before else ""
    Console().print(
        f"{made.objects:,} objects, {made.rows:,} rows to {made.folder} ({made.parts:,} parts{before})",
        markup=False, highlight=False, soft_wrap=True,
    )  # fmt: skip


def _meaning(text: str) -> tuple[str, str]:
    name, sign, meaning = text.partition("=")
    if not (name and sign and meaning):
        raise ValueError(f"--names has {text!r}, expected COLUMN=MEANING")
    return name, meaning
