"""`telperion simulate`: a survey in a folder, a page of light curves, or nights of alerts."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console

import telperion
from telperion.progress import progress_bar

if TYPE_CHECKING:
    from telperion.formats.avro import Node
    from telperion.serve.kafka_topics import KafkaTopic

GALLERY = 5
"""Light curves of each class on the page that `simulate --gallery` draws."""


def add_simulate(simulate: argparse.ArgumentParser) -> None:
    """Say what the command takes."""
    simulate.add_argument("tree", choices=["elasticc"])
    simulate.add_argument("-n", type=int, default=10_000, help="light curves in all")
    simulate.add_argument("-o", "--output", required=True, help=(
        "folder; with --gallery the picture; with --night it may be kafka://HOST:PORT/TOPIC"))  # fmt: skip
    simulate.add_argument("--seed", type=int, default=0)
    simulate.add_argument("-j", "--jobs", type=int, default=1, help="processes")
    simulate.add_argument("--mix", default="oracle", help="oracle, root, even, rates, or classes: 'KN=1,TDE=2'")
    simulate.add_argument("--format", choices=["parquet", "snana"], default="parquet")
    simulate.add_argument("--held-out", action="store_true", help="a test set: shifted populations, other templates")
    simulate.add_argument("--opsim", type=Path, help="a list of pointings in place of the one that ships")
    simulate.add_argument("--templates", type=Path, help="folder of template files, used for the classes they cover")
    simulate.add_argument("--both", action="store_true", help="half from templates, half from formulae")
    simulate.add_argument("--single", type=float, default=0.0, help="share of objects that trigger on one detection")
    simulate.add_argument("--whole", type=float, default=0.0, help="share of objects that keep rows of all seasons")
    simulate.add_argument("--gallery", action="store_true", help="draw a page of light curves of each class instead")
    simulate.add_argument("--night", action="store_true", help="alert packets of a night, visit by visit, in its place")
    simulate.add_argument("--visits", type=int, help="of a night: visits, over which the light curves are spread")
    simulate.add_argument("--alerts", type=int, help="light curves a visit")
    simulate.add_argument("--nights", type=int, default=1)
    simulate.add_argument("--late", type=float, default=1.0, help="mean days until forced photometry is known")
    simulate.add_argument("--schema", type=Path, help="folder of Rubin's schemas, the newest of which packets have")
    simulate.add_argument("--cutouts", action="store_true", help="packets with images of noise, as large as real ones")
    simulate.add_argument("--truth", type=Path, metavar="FOLDER", help=(
        "of a night into Kafka: folder of labels, light curves and how many visits are sent; the same command goes on "
        "from there, and may send the visit in hand twice"))  # fmt: skip
    simulate.add_argument("--every", type=float, default=0.0, metavar="SECONDS", help=(
        "of a night into Kafka: from visit to visit; by default as fast as it goes"))  # fmt: skip
    simulate.add_argument("--partitions", type=int, default=1, help="of that topic, if it has to be made")
    simulate.add_argument("--kafka", nargs="+", default=[], metavar="KEY=VALUE", help="settings of librdkafka")
    simulate.set_defaults(command=_simulate)


def _simulate(arguments: argparse.Namespace) -> None:
    from telperion.simulate.cadence import Cadence
    from telperion.simulate.kinds import KINDS, both, counts, mix
    from telperion.simulate.observe import Rules
    from telperion.simulate.packets import newest_schema
    from telperion.simulate.rates import expected
    from telperion.simulate.save import save
    from telperion.simulate.save_night import light_curves_folder
    from telperion.simulate.shifted import shifted

    topic = _topic(arguments)
    cadence = Cadence.from_opsim(arguments.opsim, seed=arguments.seed) if arguments.opsim else None
    kinds = KINDS
    if arguments.templates:
        from telperion.simulate.library import library
        from telperion.simulate.literature import templates

        kinds = library(arguments.templates, held_out=arguments.held_out)
        kinds = both(KINDS, kinds) if arguments.both else kinds
        Console().print(f"from templates: {', '.join(templates(kinds))}; all other classes from formulae")
    if arguments.held_out:
        kinds = shifted(kinds)
    if arguments.gallery:
        from telperion.light_curve_figures import gallery_figure
        from telperion.simulate.survey import batches

        (curves,) = batches(dict.fromkeys(kinds, GALLERY), kinds, cadence, seed=arguments.seed)
        gallery_figure(curves, list(kinds), GALLERY).savefig(arguments.output)
        return
    shares = expected(kinds, cadence) if arguments.mix == "rates" else mix(arguments.mix)
    wanted = counts(arguments.n, shares)
    top = Path(arguments.output) if topic is None else arguments.truth
    folder = light_curves_folder(top) if arguments.night else top
    schema = newest_schema(arguments.schema) if arguments.schema else None
    with progress_bar() as progress:
        total = save(
            folder, wanted, kinds=kinds, cadence=cadence, seed=arguments.seed, jobs=arguments.jobs,
            form=arguments.format, rules=Rules(arguments.single, arguments.whole), progress=progress,
        )  # fmt: skip
    Console().print(f"{total:,} light curves: {folder}")
    if arguments.night:
        _night(arguments, folder, schema, topic)


def _topic(arguments: argparse.Namespace) -> KafkaTopic | None:
    """Give the topic that a night goes into, if it goes into one: known to be there before anything is simulated."""
    if not arguments.output.startswith("kafka://"):
        if arguments.truth:
            raise ValueError("--truth is for a night that goes into Kafka: in a folder, labels lie beside the packets")
        return None
    if not arguments.night:
        raise ValueError(f"{arguments.output}: a topic takes a night of alerts (--night)")
    if not arguments.truth:
        raise ValueError(f"{arguments.output}: labels do not go into a topic: say where they go (--truth FOLDER)")
    from telperion.serve.addresses import kafka_address, kafka_settings

    place, settings = kafka_address(arguments.output), kafka_settings(arguments.kafka)
    from telperion.serve.kafka_topics import KafkaTopic

    return KafkaTopic(*place, partitions=arguments.partitions, settings=settings)


def _night(arguments: argparse.Namespace, folder: Path, schema: Node | None, topic: KafkaTopic | None) -> None:
    from telperion.simulate.night import Night

    night = Night(
        telperion.read(folder), visits=arguments.visits, alerts=arguments.alerts, nights=arguments.nights,
        delay=arguments.late, seed=arguments.seed, schema=schema, cutouts=arguments.cutouts,
    )  # fmt: skip
    with progress_bar() as progress:
        if topic is None:
            from telperion.simulate.save_night import save_night

            total = save_night(arguments.output, night, progress=progress)
        else:
            from telperion.serve.send_night import send_night

            total = send_night(arguments.truth, night, topic, every=arguments.every, progress=progress)
    Console().print(f"{total:,} alerts in {len(night):,} visits: {arguments.output}")
