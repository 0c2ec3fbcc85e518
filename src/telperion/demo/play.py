"""`play`: a night simulated, streamed, scored and shown."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from tempfile import TemporaryDirectory

import pyarrow.parquet as pq
from rich.console import Console, RenderableType
from rich.live import Live
from rich.text import Text

from telperion.classifier import Classifier, load
from telperion.demo import tables
from telperion.demo.night import (
    NIGHTS,
    VISITS,
    Arrivals,
    Folders,
    classify,
    compile_decoder,
    dead_letters,
    first_packet,
    make_night,
    packet_curves,
    simulate,
    spoilt,
)
from telperion.demo.scores import Latest, by_class, by_span, latest, promises, surest
from telperion.serve.monitor import Status, status_table
from telperion.simulate.kinds import KINDS
from telperion.simulate.night import Night
from telperion.taxonomy import Taxonomy

OBJECTS = 80 * len(KINDS)

SHOWN = ("KN", "TDE", "SLSN", "SNIa", "uLens", "RR Lyrae")
"""Classes of which the surest object is shown."""

_NOTE = """\
The latest answer on each object counts. Many are known for half an hour: "known d" is the median.

An illustration, no measurement: few objects, all classes equally common, as in no sky, by the \
simulator that taught the classifier. Measured figures: docs/results.md."""
_LONG = 3.0


def play(
    model: str = "elasticc", *, keep: Path | None = None, n: int = OBJECTS, seed: int = 1,
    console: Console | None = None,
) -> Status:  # fmt: skip
    """Simulate two nights of alerts, classify them as they come in, and show the answers beside the truth.

    Parameters
    ----------
    model : str
        A steppable classifier that ships, or one in a folder.
    keep : path, optional
        A new folder for packets, store and answers; by default they are removed at the end.
    n : int
        Light curves.
    seed : int
    console : rich.console.Console, optional

    Returns
    -------
    Status
        The stream's account.

    Raises
    ------
    ValueError
        The folder is in use, there are too few light curves, or no stream can use the classifier.
    """
    console = console or Console()
    with TemporaryDirectory(prefix="telperion-demo-") if keep is None else nullcontext(str(keep)) as top:
        folders = Folders(Path(top))
        status = _play(folders, model, n, seed, console)
    if keep is not None:
        console.print(
            f"Kept in {keep}: alerts/, answers/, state/, dead.jsonl and night/truth.parquet; anew:\n"
            f"  telperion stream {keep}/alerts -m {model} -o {keep}/again.jsonl -s {keep}/other-state",
            markup=False, highlight=False, soft_wrap=True,
        )  # fmt: skip
    return status


def _play(folders: Folders, model: str, n: int, seed: int, console: Console) -> Status:
    classifier, night = prepare(folders, model, n, seed, console)
    tree = classifier.tree
    arrivals = Arrivals(folders, spoilt(first_packet(night)))
    with _step(console) as (_, done):
        with _live(console, arrivals) as show:
            status = classify(folders, arrivals, model, show)
        done(f"{arrivals.came} visits classified by {model} as they came in, broken packets among them")
    truth = pq.read_table(folders.night / "truth.parquet")
    answers = pq.read_table(folders.answers)
    level = float(answers.schema.metadata[b"level"])
    _show(latest(answers, truth, tree), status, folders, night, tree, level, console)
    return status


def prepare(folders: Folders, model: str, n: int, seed: int, console: Console) -> tuple[Classifier, Night]:
    """Load the classifier, simulate two nights, write their packets, and compile what decodes them; each step is shown.

    Parameters
    ----------
    folders : Folders
    model : str
    n : int
        Light curves.
    seed : int
    console : rich.console.Console

    Raises
    ------
    ValueError
        The folder is in use, there are too few light curves, or no stream can use the classifier.
    """
    classifier = load(model)
    if not classifier.steppable:
        raise ValueError(
            f"{model} reads whole light curves: a stream needs a classifier that goes on, such as elasticc"
        )
    folders.claim()
    with _step(console, f"simulating {n:,} light curves") as (say, done):
        names: list[str] = []

        def seen(label: str) -> None:
            names.append(label)
            say(f"simulating {n:,} light curves: {len(names)} of {len(KINDS)} classes")

        light_curves = simulate(n, seed, seen)
        done(f"{len(light_curves):,} light curves of {len(KINDS)} classes simulated, on the survey's own pointings")
    with _step(console, "writing packets") as (_, done):
        night = make_night(folders, light_curves, seed)
        packet = first_packet(night)
        about = f"{night.sizes.sum():,} packets of {NIGHTS} nights with {VISITS} visits each written"
        done(f"{about}, forced photometry a day late")
    with _step(console, "compiling the decoder of packets: once on a machine, some 20 s") as (_, done):
        once = compile_decoder(night, packet) > _LONG
        done("decoder of packets compiled, once: the next time it is there" if once else "decoder of packets loaded")
    return classifier, night


def _show(
    found: Latest, status: Status, folders: Folders, night: Night, tree: Taxonomy, level: float, console: Console
) -> None:  # fmt: skip
    parts: list[RenderableType] = [
        Text(tables.account(status)),
        tables.letters_table(dead_letters(folders)),
        tables.score_panel(
            tables.class_table(by_class(found, tree)),
            tables.span_table(by_span(found, tree)),
            tables.promise_text(promises(found, tree), tree, level),
            Text(_NOTE),
        ),
    ]
    if chosen := surest(found, tree, tuple(name for name in SHOWN if name in tree)):
        some = found[chosen]
        parts.append(tables.object_table(some, packet_curves(folders, night, some.alert_id), tree))
    for part in parts:
        console.print()
        console.print(part)


Say = Callable[[str], None]


@contextmanager
def _step(console: Console, what: str = "") -> Iterator[tuple[Say, Say]]:
    """Show what is going on where somebody looks on; then a line with what was done, and the time it took."""
    started = time.monotonic()
    status = console.status(what)
    if console.is_terminal and what:
        status.start()

    def done(text: str) -> None:
        status.stop()
        seconds = time.monotonic() - started
        console.print(f"{seconds:5.1f} s  {text}", markup=False, highlight=False, soft_wrap=True)

    try:
        yield status.update, done
    finally:
        status.stop()


@contextmanager
def _live(console: Console, arrivals: Arrivals) -> Iterator[Callable[[Status], None] | None]:
    """Show the stream's account in place, on a terminal."""
    if not console.is_terminal:
        yield None
        return
    with Live(console=console, transient=True, refresh_per_second=8) as live:

        def show(status: Status) -> None:
            live.update(status_table(status, f"visit {arrivals.came} of {len(arrivals.files)}"))

        yield show
