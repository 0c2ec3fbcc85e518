"""One part of a catalogue: read in slices, classified, and written whole or not at all."""

from __future__ import annotations

import json
import os
import uuid
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from telperion.formats.rules import naming
from telperion.scale.catalogue import opened
from telperion.scale.columns import Layout
from telperion.scale.healpix import with_pixels
from telperion.scale.job import Job, check_distinct

BYTES = 64 * 2**20
"""Of the columns that are read, as encoded, that a slice holds at most; in memory it may be four times as much."""

UNFINISHED = ".unfinished"
_ACCOUNT = b"telperion"


@dataclass(frozen=True)
class Done:
    """What became of a part.

    Parameters
    ----------
    objects, rows : int
        Classified, and rows written.
    mended : mapping of str to int
        As `telperion.scale.curves.to_curves` counts it.
    """

    objects: int
    rows: int
    mended: dict[str, int]


def classify_part(job: Job, files: list[str], target: str) -> Done:
    """Classify the objects of a part, and write the answers.

    The file appears when it is whole and on the disk; a process that dies on the way leaves nothing but a file in the
    folder ``.unfinished``. Two that do the same part write the same.

    Parameters
    ----------
    job : Job
    files : list of str
        Of the part.
    target : str
        The Parquet file to write, in ``dataset/Norder=.../Dir=.../`` of the catalogue of answers.

    Raises
    ------
    FormatError
        A file cannot be read or holds what it cannot; the message names it.
    """
    path = Path(target)
    waiting = path.parents[3] / UNFINISHED / f"{path.parts[-3]}-{path.stem}-{uuid.uuid4().hex}.parquet"
    for folder in (path.parent, waiting.parent):
        folder.mkdir(parents=True, exist_ok=True)
    mended: Counter[str] = Counter()
    ids, rows = [], 0
    writer = None
    try:
        for file in files:
            with opened(file) as parquet, naming(file):
                job.layout.check(parquet.schema_arrow)
                for table in slices(parquet, job.layout, job.objects):
                    answers, more = job.classify(table)
                    answers = with_pixels(answers, job.layout.ra, job.layout.decl)
                    mended += more
                    ids.append(table.column(job.layout.object_id))
                    rows += len(answers)
                    writer = writer or pq.ParquetWriter(waiting, answers.schema, compression="zstd")
                    writer.write_table(answers)
        named = pa.chunked_array([chunk for column in ids for chunk in column.chunks], ids[0].type)
        with naming(files[0]):
            check_distinct(named, job.layout.object_id)
        done = Done(len(named), rows, dict(mended))
        assert writer is not None  # every file gives a slice, be it one without rows
        account = {"objects": done.objects, "mended": done.mended}
        writer.add_key_value_metadata({_ACCOUNT.decode(): json.dumps(account)})
        writer.close()
        with waiting.open("rb+") as written:
            os.fsync(written.fileno())
        waiting.replace(path)
    finally:
        if writer is not None:
            writer.close()
        waiting.unlink(missing_ok=True)
    return done


def slices(parquet: pq.ParquetFile, layout: Layout, objects: int) -> Iterator[pa.Table]:
    """Go through a file in slices of at most so many objects, and fewer where they are large; an empty file gives one.

    Parameters
    ----------
    parquet : pyarrow.parquet.ParquetFile
    layout : Layout
        Only its columns are read.
    objects : int

    Yields
    ------
    pyarrow.Table
    """
    metadata, leaves = parquet.metadata, _leaves(parquet, layout)
    groups = [metadata.row_group(place) for place in range(metadata.num_row_groups)]
    wanted = [place for place in range(metadata.num_columns) if parquet.schema.column(place).path in leaves]
    packed = sum(group.column(place).total_uncompressed_size for group in groups for place in wanted)
    size = max(min(objects, int(BYTES * metadata.num_rows / max(packed, 1))), 1)
    seen = False
    for batch in parquet.iter_batches(size, columns=leaves, use_threads=False):
        seen = True
        yield pa.Table.from_batches([batch])
    if not seen:
        yield parquet.schema_arrow.empty_table()


def _leaves(parquet: pq.ParquetFile, layout: Layout) -> list[str]:
    """Give the paths of the columns that are read, as the file has them: of a struct of lists, or a list of structs."""
    paths = [parquet.schema.column(place).path for place in range(len(parquet.schema))]
    wanted = set(layout.read())
    return [
        path for path, (top, *inner) in ((path, path.split(".")) for path in paths)
        if top in wanted or (inner and wanted & {f"{top}.{inner[0]}", f"{top}.{inner[-1]}"})
    ]  # fmt: skip


def written(target: str | Path) -> tuple[pq.FileMetaData, Done] | None:
    """Give what a part's file says of itself; None where there is none, or none that is whole."""
    try:
        metadata = pq.read_metadata(target)
        account = json.loads((metadata.metadata or {})[_ACCOUNT])
        return metadata, Done(account["objects"], metadata.num_rows, account["mended"])
    except (OSError, pa.ArrowException, KeyError, ValueError):
        return None
