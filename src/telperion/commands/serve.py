"""`telperion serve`: the live portal."""

from __future__ import annotations

import argparse
import os
from functools import partial
from pathlib import Path

from rich.console import Console

TOKEN = "TELPERION_TOKEN"


def add_serve(parser: argparse.ArgumentParser) -> None:
    """Say what the command takes."""
    parser.add_argument(
        "sky", nargs="?", type=Path, help="folder that a stream fills (-o sky+FOLDER); without: uploads alone"
    )
    parser.add_argument("-m", "--model", default="elasticc", help="answers uploads: a shipped classifier or a folder")
    parser.add_argument(
        "--host", default="127.0.0.1", help="address to listen at; others than this machine's need a token"
    )
    parser.add_argument("--port", type=int, default=8765, help="0: any that is free")
    parser.add_argument("--token", default="", help=f"whoever asks must know it; better in the environment, as {TOKEN}")
    parser.add_argument("--open", action="store_true", help="other machines may read and upload without a token")
    parser.add_argument("--name", nargs="+", default=[], help="further names by which browsers may call this machine")
    parser.add_argument("--rate", type=float, default=50.0, help="requests a second of one client; 0: no limit")
    parser.add_argument("--score", type=float, default=10.0, metavar="MINUTES", help=(
        "how often the order of tonight is worked out anew, by a process of its own; 0: never"
    ))  # fmt: skip
    parser.add_argument(
        "--site", default="cerro-pachon", help="for that: cerro-pachon, paranal, or as --site=-70.4,-24.6"
    )
    parser.add_argument("--report", nargs="+", type=Path, default=[], metavar="FOLDER", help=(
        "what telperion evaluate -o wrote about the model, for its page"
    ))  # fmt: skip
    parser.set_defaults(command=serve_command)


def serve_command(arguments: argparse.Namespace) -> None:
    """Check what is asked for, then serve until Ctrl-C."""
    try:
        from telperion.portal.app import serve
    except ImportError as error:
        raise ImportError(f"the portal needs {error.name}, which comes with: pip install 'telperion[web]'") from error
    from telperion.portal.known import Model
    from telperion.portal.scoring import Scoring
    from telperion.portal.settings import Settings
    from telperion.rank.visibility import site as find_site
    from telperion.serve.sky import Sky

    settings = Settings(
        arguments.host, arguments.port, arguments.token or os.environ.get(TOKEN, ""), arguments.open,
        tuple(arguments.name), arguments.rate,
    )  # fmt: skip
    model = Model(arguments.model, tuple(arguments.report))
    model.check()
    find_site(arguments.site)  # what is wrong is said now
    console, sky = Console(), Sky(arguments.sky) if arguments.sky else None
    scoring = Scoring(arguments.sky, arguments.score, arguments.site, partial(_warn, console)) if sky else None

    def ready(address: str) -> None:
        what = f"{arguments.sky} at " if sky else ""
        console.print(f"{what}{address}  (Ctrl-C ends it)", markup=False, highlight=False, soft_wrap=True)
        if scoring is not None and arguments.score > 0:
            scoring.start()

    try:
        serve(settings, model, sky, ready=ready)
    finally:
        if scoring is not None and arguments.score > 0:
            scoring.stop()


def _warn(console: Console, why: str) -> None:
    text = f"the order of tonight is not worked out anew: {why}"
    console.print(text, style="yellow", markup=False, highlight=False, soft_wrap=True)
