"""`Stream`: what a stream is made of, and one worker of it put together."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from telperion.classifier import Classifier, load
from telperion.encode.sequence import compile_loops
from telperion.formats.avro import Node, schema_id
from telperion.formats.packets import known_schemas
from telperion.serve.addresses import KAFKA
from telperion.serve.answers import Provenance
from telperion.serve.avro_messages import AvroMessages, ElasticcMessages
from telperion.serve.engine import SETTLE, Engine
from telperion.serve.files import Files
from telperion.serve.filters import Filter
from telperion.serve.folders import LinesFile, ParquetFolder
from telperion.serve.json_messages import JsonMessages, LasairMessages
from telperion.serve.outbox import Sink
from telperion.serve.registry import Registry
from telperion.serve.sky_messages import SkyMessages
from telperion.serve.sky_sink import SkySink
from telperion.serve.store import LARGEST, Store
from telperion.serve.taken import Source
from telperion.serve.worker import Encoder, Lookup, Worker
from telperion.simulate.packets import shipped_schema

_FORMATS = ("avro", "elasticc", "json", "lasair", "parquet", "sky")


@dataclass(frozen=True)
class Stream:
    """Where alerts come from, what classifies them, where answers go.

    Parameters
    ----------
    source : str
        ``kafka://host:port/topic``, or a file or folder of alerts.
    outputs : tuple of str
        ``kafka://host:port/topic`` (our own Avro), a file ``.jsonl`` (a line an answer) or a folder (Parquet). Before
        each may stand what is written, as in ``elasticc+kafka://...`` or ``lasair+notes.jsonl``: one of avro, elasticc,
        json, lasair, parquet, sky (a folder, with the light curves: `telperion.serve.sky.Sky`).
    state : path
        The store; several workers have folders in it.
    model : str
        A classifier that ships, or one in a folder.
    dead : str, optional
        Where packets go that cannot be read: a topic, or a file of lines; by default ``dead.jsonl`` in the store.
    keep : str, optional
        A filter: which answers are published (`telperion.serve.filters.Filter`).
    group : str
        Of consumers of Kafka, which share the partitions of a topic.
    follow : bool
        Whether to wait for further files.
    schemas : path or str, optional
        A folder with schemas of alerts, for packets that do not bring theirs, or ``http://host:port`` of a registry
        that has them (`telperion.serve.registry.Registry`).
    settle : float, d
        As `telperion.serve.engine.Engine` has it.
    most : int
        Alerts of a batch, at most.
    context : path, optional
        A catalogue of hosts, which alerts are matched with by position (`telperion.serve.catalogue.Catalogue`).
    radius : float, arcsec
        Of that match.
    dust : path, optional
        A map of E(B-V), for alerts that have none (`telperion.serve.dust_map.DustMap`).
    topic, url : str
        Of annotations for Lasair.
    largest : int
        Bytes that a worker's store may grow to.
    durable : bool
        Whether each commit waits for the disk.
    kafka : mapping
        Settings of librdkafka.
    """

    source: str
    outputs: tuple[str, ...]
    state: Path
    model: str = "elasticc"
    dead: str = ""
    keep: str = ""
    group: str = "telperion"
    follow: bool = False
    schemas: str | Path | None = None
    settle: float = SETTLE
    most: int = 2000
    context: Path | None = None
    radius: float = 1.5
    dust: Path | None = None
    topic: str = "telperion"
    url: str = ""
    largest: int = LARGEST
    durable: bool = False
    kafka: Mapping[str, Any] | None = None

    @property
    def is_topic(self) -> bool:
        """Whether alerts come from Kafka."""
        return KAFKA.fullmatch(self.source) is not None

    def folder(self, number: int) -> Path:
        """Give the folder of a worker's store."""
        return Path(self.state) / f"worker-{number}"

    def worker(self, number: int = 0) -> Worker:
        """Put one worker together, with a store of its own.

        Raises
        ------
        ValueError
            An output or the filter is not understood, or the classifier is not for streams.
        StoreError
            The store cannot be used.
        ConnectionError
            No broker answers.
        """
        compile_loops()
        classifier = load(self.model)
        about = provenance(classifier, self.model)
        keep = Filter.parse(self.keep, classifier.tree).mask if self.keep else None
        store = Store(self.folder(number), about.version, largest=self.largest, durable=self.durable)
        try:
            sinks = [self._output(text, number, about, classifier.mix) for text in self.outputs]
            dead = self._sink(self.dead or str(Path(self.state) / "dead.jsonl"), "json", number)
            engine = Engine(classifier, store, settle=self.settle)
            made: list[Worker] = []
            source = self._source([*(sink for sink, _ in sinks), dead], made)
            made.append(Worker(source, engine, store, sinks, dead=dead, keep=keep, context=self._lookup()))
        except BaseException:
            store.close()
            raise
        return made[0]

    def _source(self, sinks: list[Sink], made: list[Worker]) -> Source:
        match = KAFKA.fullmatch(self.source)
        schemas = self._schemas()
        if not match:
            return Files(self.source, schemas, follow=self.follow, most=self.most)
        from telperion.serve.kafka import KafkaSource
        from telperion.serve.kafka_sink import KafkaSink

        topics = [sink for sink in sinks if isinstance(sink, KafkaSink)]

        def given(partition: int, mark: str) -> None:
            for sink, each in zip(topics, (mark or " ".join("0" for _ in topics)).split(), strict=False):
                sink.taken_over(partition, each)

        return KafkaSource(
            match["brokers"], match["topic"], self.group, schemas, most=self.most, settings=self.kafka,
            mark=lambda partition, number: " ".join(sink.mark(partition, number) for sink in topics), given=given,
            leaving=lambda: made[0].settle(),
        )  # fmt: skip

    def _schemas(self) -> Mapping[int, Node]:
        """Give schemas of packets, ours among them; in a registry its id may be another one's."""
        if "://" in str(self.schemas):
            return Registry(str(self.schemas), _own_schemas())
        return dict(known_schemas(self.schemas)) | _own_schemas()

    def _lookup(self) -> Lookup | None:
        """Put together what is looked up by position: hosts, then dust where nothing else told of it."""
        if self.context is None and self.dust is None:
            return None
        from telperion.serve.catalogue import Catalogue
        from telperion.serve.dust_map import DustMap

        catalogue = Catalogue.open(self.context, radius=self.radius) if self.context is not None else None
        dust = DustMap.open(self.dust) if self.dust is not None else None

        def look(ra: NDArray[np.float64], decl: NDArray[np.float64]) -> tuple[dict[str, NDArray], NDArray[np.bool_]]:
            columns: dict[str, NDArray[np.float64]] = {}
            covered = np.zeros(ra.size, dtype=bool)
            if catalogue is not None:
                match = catalogue.match(ra, decl)
                columns, covered = dict(match.columns), match.covered
            if dust is not None:
                known = columns.get("mwebv", np.full(ra.size, np.nan))
                columns["mwebv"] = np.where(np.isnan(known), dust.ebv(ra, decl), known)
            return columns, covered

        return look

    def _output(self, text: str, number: int, about: Provenance, mix: NDArray[np.float64]) -> tuple[Sink, Encoder]:
        form, plus, place = text.partition("+")
        if not plus or form not in _FORMATS:
            form, place = "", text
        if not form:
            form = "avro" if KAFKA.fullmatch(place) else "json" if place.endswith(".jsonl") else "parquet"
        if form == "sky":
            if "://" in place:
                raise ValueError(f"{place}: a sky goes into a folder")
            skies = SkyMessages(about, mix)
            sky = SkySink(place, durable=self.durable)  # one of all workers
            return sky, lambda answers, shown: skies.encode(answers, shown().as_observed())
        sink = self._sink(place, form, number)
        if form == "parquet":
            return sink, lambda answers, _: [_stream(answers.to_arrow(about))] if len(answers) else []
        kinds: dict[str, Callable[[], Any]] = {
            "avro": lambda: AvroMessages(about),
            "elasticc": lambda: ElasticcMessages(about),
            "json": lambda: JsonMessages(about),
            "lasair": lambda: LasairMessages(about, topic=self.topic, url=self.url),
        }
        encode = kinds[form]().encode
        return sink, lambda answers, _: encode(answers)

    def _sink(self, place: str, form: str, number: int) -> Sink:
        if match := KAFKA.fullmatch(place):
            if form == "parquet":
                raise ValueError(f"{place}: Parquet goes into a folder")
            from telperion.serve.kafka_sink import KafkaSink
            from telperion.serve.kafka_topics import count_partitions

            source = KAFKA.fullmatch(self.source)
            n = count_partitions(source["brokers"], source["topic"], self.kafka) if source else 1
            return KafkaSink(match["brokers"], match["topic"], partitions=n, settings=self.kafka)
        path = Path(place)
        if form == "parquet":
            return ParquetFolder(path / f"worker-{number}" if number else path)
        if form in ("avro", "elasticc"):
            raise ValueError(f"{place}: Avro goes to a topic; files get JSON lines (.jsonl) or Parquet (a folder)")
        return LinesFile(path.with_name(f"{path.stem}-{number}{path.suffix}") if number else path)


def provenance(classifier: Classifier, name: str) -> Provenance:
    """Say who answers: the classifier's name, and a version that tells it from others."""
    return Provenance(Path(name).name, classifier.fingerprint, classifier.tree)


def _stream(table: pa.Table) -> bytes:
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table)
    return sink.getvalue().to_pybytes()


def _own_schemas() -> dict[int, Node]:
    """Give the schema of the packets that `telperion simulate --night` writes."""
    schema = shipped_schema()
    return {schema_id(schema) or 0: schema}
