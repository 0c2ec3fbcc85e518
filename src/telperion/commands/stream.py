"""`telperion stream`: alerts classified as they come."""

from __future__ import annotations

import argparse
from dataclasses import fields
from pathlib import Path

from rich.console import Console


def add_stream(stream: argparse.ArgumentParser) -> None:
    """Say what the command takes."""
    stream.add_argument("source", help="kafka://HOST:PORT/TOPIC, or a file or folder of alerts")
    stream.add_argument("-m", "--model", default="elasticc", help="a shipped classifier or a folder")
    stream.add_argument("-o", "--output", dest="outputs", nargs="+", required=True, metavar="[FORMAT+]PLACE", help=(
        "kafka://HOST:PORT/TOPIC, FILE.jsonl or FOLDER; FORMAT is avro, elasticc, json, lasair, parquet or sky"
    ))  # fmt: skip
    stream.add_argument("-s", "--state", type=Path, required=True, help="folder that keeps what is known of objects")
    stream.add_argument("--dead", default="", help="topic or file for packets that cannot be read")
    stream.add_argument("--filter", dest="keep", default="", help="publish these only: 'TDE > 0.5 and days < 30'")
    stream.add_argument("--context", type=Path, help="catalogue of hosts, matched by position: Parquet or HATS")
    stream.add_argument("--radius", type=float, default=1.5, help="of that match, arcsec")
    stream.add_argument("--dust", type=Path, help="HEALPix map of E(B-V), for alerts that have none")
    stream.add_argument("--schemas", help="folder of alert schemas (*.alert.avsc), or http://HOST:PORT of a registry")
    stream.add_argument("--workers", type=int, default=1, help="processes that share the topic")
    stream.add_argument("--group", default="telperion", help="Kafka's consumer group")
    stream.add_argument("--kafka", nargs="+", default=[], metavar="KEY=VALUE", help="settings of librdkafka")
    stream.add_argument("--follow", action="store_true", help="wait for further files")
    stream.add_argument("--settle", type=float, default=3.0, help="days until photometry of a visit is complete")
    stream.add_argument("--batch", dest="most", type=int, default=2000, help="most alerts of a batch")
    stream.add_argument("--store-size", type=_gibibytes, default=2**38, dest="largest", metavar="GIB", help=(
        "how large the store of a worker may grow"))  # fmt: skip
    stream.add_argument("--durable", action="store_true", help="wait for the disk with each batch")
    stream.add_argument("--metrics", type=int, default=0, metavar="PORT", help="answer Prometheus there")
    stream.add_argument("--topic", default="telperion", help="of annotations for Lasair")
    stream.add_argument("--url", default="", help="of annotations for Lasair; {objectId} is replaced")
    stream.set_defaults(command=_stream)


def _stream(arguments: argparse.Namespace) -> None:
    from telperion.serve.addresses import kafka_settings
    from telperion.serve.monitor import status_table
    from telperion.serve.run import run
    from telperion.serve.stream import Stream

    chosen = {field.name: getattr(arguments, field.name) for field in fields(Stream)}
    chosen["outputs"] = tuple(arguments.outputs)
    chosen["kafka"] = kafka_settings(arguments.kafka)
    status = run(Stream(**chosen), workers=arguments.workers, metrics=arguments.metrics)
    Console().print(status_table(status))


def _gibibytes(text: str) -> int:
    return max(int(float(text) * 2**30), 2**20)
