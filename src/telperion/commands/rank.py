"""`telperion rank` on the command line: its arguments, and what is done with them."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import get_args

from telperion.encode.view import Context
from telperion.rank.value import Aim


def add_rank(parser: argparse.ArgumentParser) -> None:
    """Give the parser its arguments."""
    parser.add_argument("data", type=Path, help="light curves with positions: what telperion.read knows")
    parser.add_argument("--night", required=True, help="date of the evening (2026-01-31), or an MJD of that night")
    parser.add_argument("--seek", nargs="+", default=[], metavar="NODE[=WEIGHT]", help=(
        "nodes sought, and what one is worth; by default information on all leaves"
    ))  # fmt: skip
    parser.add_argument("--among", default="", metavar="NODE", help=(
        "without --seek: information on the leaves of this node alone, all others count as one class"
    ))  # fmt: skip
    parser.add_argument("--for", dest="aim", choices=get_args(Aim), default="finding", help=(
        "whether a spectrum shall be of one that is sought, or tell most about who is one"
    ))  # fmt: skip
    parser.add_argument("-m", "--model", default="elasticc", help="a shipped classifier or a folder")
    parser.add_argument("--context", choices=get_args(Context), default="specz", help="context that counts")
    parser.add_argument("--site", default="cerro-pachon", help="cerro-pachon, paranal, or as --site=-70.4,-24.6")
    parser.add_argument("--limit", type=float, default=21.5, help="magnitude of which an hour tells the class")
    parser.add_argument("--overhead", type=float, default=10.0, help="minutes beside each exposure")
    parser.add_argument("--longest", type=float, default=2.0, help="longest exposure, hours")
    parser.add_argument("--hours", type=float, help="of the night, overheads included; by default all that is dark")
    parser.add_argument("--bands", default="gri", help="in the brightest of these the brightness counts")
    parser.add_argument("--airmass", type=float, default=2.0, help="the largest")
    parser.add_argument("--moon", type=float, default=0.0, help="least distance from the Moon, degrees")
    parser.add_argument("--recent", type=float, default=30.0, help="days since the last detection of what is live")
    parser.add_argument("-o", "--output", type=Path, help="FILE.parquet, FILE.csv or FILE.jsonl")
    parser.add_argument("-n", "--most", type=int, default=20, help="rows that are shown")
    parser.set_defaults(command=rank_command)


def rank_command(arguments: argparse.Namespace) -> None:
    """Rank, write and show."""
    from rich.console import Console

    import telperion
    from telperion.rank.plan import Observing, rank
    from telperion.rank.report import check_path, plan_table, write
    from telperion.rank.telescope import Telescope
    from telperion.rank.visibility import site
    from telperion.tables import to_rich

    if arguments.seek and arguments.among:
        raise ValueError("--among is about information on classes; with --seek what is found counts")
    if arguments.output:
        check_path(arguments.output)
    telescope = Telescope(arguments.limit, arguments.overhead, arguments.longest)
    chosen = {
        name: getattr(arguments, name) for name in ("hours", "aim", "among", "bands", "airmass", "moon", "recent")
    }
    sought = dict(map(_weighted, arguments.seek))
    observing = Observing(arguments.night, site(arguments.site), telescope, sought=sought, **chosen)
    classifier, light_curves = telperion.load(arguments.model), telperion.read(arguments.data)
    plan = rank(classifier, light_curves, observing, context=arguments.context)
    if arguments.output:
        write(plan, arguments.output)
    Console().print(to_rich(plan_table(plan, list(sought), arguments.most)))


def _weighted(text: str) -> tuple[str, float]:
    name, _, weight = text.partition("=")
    try:
        return name, float(weight or 1)
    except ValueError:
        raise ValueError(f"the weight of {name} is {weight!r}, expected a number") from None
