"""Alert packets of Rubin, ELAsTiCC and ZTF, as bytes or files, and brokers' Parquet dumps of them, into `Alerts`."""

from __future__ import annotations

import importlib.util
import warnings
from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from telperion.formats.alert_rows import BESIDE, REASONS, REPEATED
from telperion.formats.alert_surveys import SURVEYS, Survey, survey_of
from telperion.formats.alerts import Alerts, Broken, Part, settle_alerts
from telperion.formats.avro import Node, read_schemas
from telperion.formats.avro_files import LARGEST, MAGIC, Bodies, read_container
from telperion.formats.avro_plan import Plan, make_plan
from telperion.formats.nested import Nested
from telperion.formats.rules import FormatError, naming
from telperion.lightcurves import LightCurves, RepairWarning

LOOKS_FOR = "an .avro file of alert packets, a Parquet file of alerts with a column diaSource, or a folder of either"

_CHUNK = 2**23  # bytes joined at once: a larger buffer is fresh memory each time, which takes longer than decoding
_HEADER = 5
_COLUMNS = {path.partition(".")[0].removesuffix("[]") for survey in SURVEYS for path in (survey.sign, *survey.paths)}


def decode_alerts(messages: Sequence[bytes], schemas: Mapping[int, Node] | None = None) -> Alerts:
    """Decode a batch of alert packets; a broken one harms no other.

    Parameters
    ----------
    messages : sequence of bytes
        Packets in Confluent's wire format (Rubin), or object container files of one alert (ZTF), mixed as they come.
    schemas : mapping of int to Node, optional
        By registry id, as `telperion.formats.avro.read_schemas` gives them; container files bring their own. One that
        is known and of no use may raise a ValueError, which breaks its packets.

    Returns
    -------
    Alerts
        Every packet is in `Alerts.packet`, `Alerts.solar_system`, `Alerts.repeated` or `Alerts.broken`.

    Raises
    ------
    ImportError
        numba, which the extra ``stream`` brings, is missing.
    """
    batch = _Batch(schemas or {})
    batch.add_messages(messages)
    return settle_alerts(batch.parts, batch.broken)


def decode_alert(message: bytes, schemas: Mapping[int, Node] | None = None) -> Alerts:
    """Decode one packet, as `decode_alerts` does many.

    Raises
    ------
    ValueError
        The packet is broken: the message says why, and at which byte.
    """
    alerts = decode_alerts([message], schemas)
    if alerts.broken:
        _, reason, position = alerts.broken[0]
        raise ValueError(f"{reason}, at byte {position}")
    return alerts


def read_alerts(path: str | Path, schemas: Mapping[int, Node] | None = None) -> Alerts:
    """Read alerts from a file of packets, a folder of such files, or a broker's Parquet dump.

    Parameters
    ----------
    path : str or Path
        An ``.avro`` file (an object container with any number of alerts, or one packet in Confluent's format), a
        ``.parquet`` file, or a folder of such files, which are taken in the order of their names.
    schemas : mapping of int to Node, optional
        As for `decode_alerts`; by default those of `known_schemas` beside the files.

    Returns
    -------
    Alerts
        `Alerts.packet` counts the alerts and broken packets in the order of the files.

    Raises
    ------
    FileNotFoundError
        Nothing lies at `path`.
    FormatError
        A Parquet file cannot be read, or holds no alerts of a survey that is known.
    """
    place = Path(path)
    if not place.exists():
        raise FileNotFoundError(f"{place}: no such file or folder")
    return read_files(_files(place), schemas)[0]


def read_files(files: Sequence[Path], schemas: Mapping[int, Node] | None = None) -> tuple[Alerts, NDArray[np.int64]]:
    """Read alerts from some files as `read_alerts` does; with the packets up to each file's end."""
    batch, ends = _Batch(schemas), []
    for file in files:
        if file.suffix == ".parquet":
            with naming(file):
                names = [
                    name for name in pq.read_schema(file).names if name in _COLUMNS
                ]  # cutouts would fill the memory
                batch.add_table(Nested(pq.read_table(file, columns=names)))
        else:
            data = file.read_bytes()
            if schemas is None and data[:1] == b"\0":
                batch.schemas = known_schemas(file.parent)
            batch.add_messages([data], one_each=False)
        ends.append(batch.count)
    return settle_alerts(batch.parts, batch.broken), np.array(ends, dtype=np.int64)


def known_schemas(folder: str | Path | None = None) -> dict[int, Node]:
    """Read the schemas of Rubin's alerts by registry id from wherever there are some.

    Parameters
    ----------
    folder : str or Path, optional
        Looked in before the installed package lsst-alert-packet: files ``*.alert.avsc`` there or in its folder
        ``schema``.

    Returns
    -------
    dict of int to Node
        Empty where nothing is found.
    """
    places = [] if folder is None else [Path(folder) / "schema", Path(folder)]
    try:
        found = importlib.util.find_spec("lsst.alert.packet")
        places += [Path(place) / "schema" for place in (found.submodule_search_locations if found else None) or ()]
    except ModuleNotFoundError:
        pass  # nothing of that name is installed
    for place in places:
        pattern = "*.alert.avsc" if folder is not None and place == Path(folder) else "**/*.alert.avsc"
        if any(place.glob(pattern)):
            return read_schemas(place)
    return {}


# -- the format of files ------------------------------------------------------------------------------------------


def recognises(path: Path) -> bool:
    """Tell by the names of files, and of columns of Parquet files, whether `path` holds alerts."""
    if path.is_dir():
        return bool(files := _files(path)) and recognises(files[0])
    return path.suffix == ".avro" or (path.suffix == ".parquet" and _is_dump(path))


def read(path: str | Path) -> LightCurves:
    """Read alerts as light curves of their objects, each of the rows of all its alerts.

    Parameters
    ----------
    path : str or Path
        As for `read_alerts`.

    Returns
    -------
    LightCurves
        Times are MJD (TAI; of ZTF UTC). Context is that of an object's latest alert. Fluxes are as observed where
        E(B-V) is known of all objects; else (Rubin, ZTF) corrected where it is known, which a warning says.

    Raises
    ------
    FormatError
        There is no alert that can be read.

    Warns
    -----
    RepairWarning
        Packets are broken or about objects of the Solar System, or rows are of no use.
    """
    alerts = read_alerts(path)
    broken = [
        f"packet {entry.packet} is broken ({entry.reason}, at byte {entry.position})" for entry in alerts.broken[:1]
    ]
    if not len(alerts):
        raise FormatError(f"{path}: no alert of an object beyond the Solar System{''.join(f'; {b}' for b in broken)}")
    silent = (REASONS[BESIDE], REASONS[REPEATED])
    said = [f"{len(alerts.broken)} packets left out, first {broken[0]}"] if broken else []
    if alerts.solar_system.size:
        said.append(f"{alerts.solar_system.size} alerts of the Solar System left out")
    said += [f"{count} rows dropped: {name}" for name, count in alerts.dropped.items() if name not in silent]
    curves = alerts.as_observed(by_object=True)
    unknown = np.isnan(curves.context.get("mwebv", np.full(len(curves), np.nan)))
    if unknown.any():
        said.append(f"E(B-V) is unknown for {unknown.sum()} objects, whose fluxes are taken as they are")
        curves = alerts.light_curves(by_object=True)
    for text in said:
        warnings.warn(f"{path}: {text}", RepairWarning, stacklevel=2)
    return curves


def _files(place: Path) -> list[Path]:
    if place.is_file():
        return [place]
    return sorted(place.glob("*.avro")) or [file for file in sorted(place.glob("*.parquet")) if _is_dump(file)]


def _is_dump(file: Path) -> bool:
    try:
        names = pq.read_schema(file).names
    except (OSError, ValueError, pa.ArrowException):
        return False
    return any(survey.sign.partition(".")[0] in names for survey in SURVEYS)


# -- a batch ------------------------------------------------------------------------------------------------------


@lru_cache(maxsize=64)
def _plan(schema: Node) -> tuple[Survey, Plan]:
    survey = survey_of(make_plan(schema, [survey.sign for survey in SURVEYS]).columns.__contains__)
    return survey, make_plan(schema, survey.paths)


class _Batch:
    """Packets as they are decoded, schema by schema."""

    def __init__(self, schemas: Mapping[int, Node] | None) -> None:
        self.schemas = schemas or {}
        self.parts: list[Part] = []
        self.broken: list[Broken] = []
        self.count = 0

    def add_messages(self, messages: Sequence[bytes], one_each: bool = True) -> None:
        """Decode packets; each counts as one, or each record of a container file does."""
        sizes = np.fromiter(map(len, messages), dtype=np.int64, count=len(messages))
        for first, last in _chunks(sizes):
            buffer = np.frombuffer(b"".join(messages[first:last]), dtype=np.uint8)
            stops = np.cumsum(sizes[first:last])
            starts = stops - sizes[first:last]
            packet = self.count + np.arange(last - first)
            head = np.full((starts.size, _HEADER), 255, dtype=np.uint8)
            whole = stops - starts >= _HEADER
            head[whole] = buffer[starts[whole, None] + np.arange(_HEADER)]
            framed = head[:, 0] == 0
            number = head[:, 1:].astype(np.int64) @ (256 ** np.arange(_HEADER - 2, -1, -1))
            for schema_id in np.unique(number[framed]).tolist():
                which = framed & (number == schema_id)
                try:
                    schema = self.schemas[schema_id]
                except (KeyError, ValueError) as error:
                    reason = f"the schema id {schema_id} is unknown" if isinstance(error, KeyError) else str(error)
                    self.broken += [Broken(k, reason, 1) for k in packet[which].tolist()]
                else:
                    bodies = Bodies(buffer, starts[which] + _HEADER, stops[which])
                    self.add_bodies(schema, bodies, packet[which], _HEADER)
            self.count += int(framed.sum()) if not one_each else packet.size
            found: dict[Node, list[tuple[Bodies, NDArray[np.int64]]]] = {}
            for k in np.flatnonzero(~framed).tolist():
                self._open(messages[first + k], int(packet[k]) if one_each else None, found)
            for schema, several in found.items():
                self.add_bodies(
                    schema, _joined([one for one, _ in several]), np.concatenate([n for _, n in several]), 0
                )

    def _open(self, data: bytes, packet: int | None, found: dict[Node, list[tuple[Bodies, NDArray[np.int64]]]]) -> None:
        """Find the records of an object container file, which all are `packet`, or counted one by one."""
        if data[: len(MAGIC)] != MAGIC:
            reason = f"it begins with {data[:4]!r}: neither Confluent's format nor an Avro container"
            return self.fault(packet, reason, 0)
        try:
            schema, bodies = read_container(data) if packet is None else read_container(data, LARGEST, 1)
        except ValueError as error:
            return self.fault(packet, str(error), 0)
        if packet is not None and bodies.fault is not None:
            return self.fault(packet, bodies.fault[1], bodies.fault[0])
        n = bodies.starts.size
        numbers = np.full(n, packet) if packet is not None else self.count + np.arange(n)
        self.count += n if packet is None else 0
        if n:
            found.setdefault(schema, []).append((bodies, numbers.astype(np.int64)))
        if bodies.fault is not None:
            self.fault(packet, bodies.fault[1], bodies.fault[0])
        elif not n:
            self.fault(packet, "the container is empty", len(data))
        return None

    def fault(self, packet: int | None, reason: str, position: int) -> None:
        """Say that a packet is broken."""
        self.broken.append(Broken(self.count if packet is None else packet, reason, position))
        self.count += packet is None

    def add_bodies(self, schema: Node, bodies: Bodies, packet: NDArray[np.int64], header: int) -> None:
        """Decode packets of one schema."""
        from telperion.formats.avro_decode import decode  # not above: they need the extra `stream`
        from telperion.formats.avro_loop import REASONS as WRONG

        try:
            survey, plan = _plan(schema)
            columns = decode(plan, bodies)
            taken = survey.take(columns)
        except ValueError as error:
            self.broken += [Broken(k, str(error), 0) for k in packet.tolist()]
            return
        self.parts.append(Part(taken, packet, columns.error == 0))
        for k in np.flatnonzero(columns.error).tolist():
            self.broken.append(Broken(int(packet[k]), WRONG[columns.error[k]], int(columns.position[k]) + header))

    def add_table(self, table: Nested) -> None:
        """Take the alerts of a nested table."""
        taken = survey_of(table.__contains__).take(table)
        self.parts.append(Part(taken, self.count + np.arange(len(table)), np.ones(len(table), dtype=bool)))
        self.count += len(table)


def _joined(several: list[Bodies]) -> Bodies:
    """Put the buffers of bodies one after the other."""
    if len(several) == 1:
        return several[0]
    shift = np.cumsum([0, *(bodies.buffer.size for bodies in several)])
    starts = [np.where(bodies.starts < 0, -1, bodies.starts + by) for bodies, by in zip(several, shift, strict=False)]
    stops = [bodies.stops + by for bodies, by in zip(several, shift, strict=False)]
    return Bodies(np.concatenate([bodies.buffer for bodies in several]), np.concatenate(starts), np.concatenate(stops))


def _chunks(sizes: NDArray[np.int64]) -> Iterator[tuple[int, int]]:
    """Cut a batch into runs of messages that fit one buffer (at least one message each)."""
    ends, first = np.cumsum(sizes), 0
    while first < sizes.size:
        before = ends[first] - sizes[first]
        last = max(int(np.searchsorted(ends, before + _CHUNK, side="right")), first + 1)
        yield first, last
        first = last
