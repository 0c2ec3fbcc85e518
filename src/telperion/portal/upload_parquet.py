"""Read an uploaded Parquet file in a process that is capped.

``python -m telperion.portal.upload_parquet ROWS OBJECTS``: the bytes come in by standard input, a table goes out by
standard output in Arrow's stream format. Whatever a made-up file does to the reader, it does to this process: it has a
limit of memory and time and writes nothing. It ends with status 2 and a line for people where the file is refused.
"""

from __future__ import annotations

import sys

MEMORY = 2**31
"""Bytes of addresses that the process may have, on systems that can limit it."""

SECONDS = 15


def limit() -> None:
    """Take away what the process does not need."""
    try:
        import resource
    except ImportError:  # Windows has none of it
        return
    resource.setrlimit(resource.RLIMIT_CPU, (SECONDS, SECONDS))
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    if sys.platform == "linux":
        resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))


def main(most_rows: int, most_objects: int) -> int:
    """Read, check sizes before anything is unpacked, check the light curves of our own layout, write."""
    data = sys.stdin.buffer.read()
    import pyarrow as pa
    import pyarrow.parquet as pq

    from telperion.formats.rules import check_ranges
    from telperion.lightcurves import LightCurves
    from telperion.portal.upload_columns import CONTEXT, ROWS

    pa.set_cpu_count(1)
    pa.set_io_thread_count(1)
    limit()
    try:
        file = pq.ParquetFile(pa.BufferReader(data))
        about = file.metadata
        ours = (file.schema_arrow.metadata or {}).get(b"telperion") is not None
        most = most_objects if ours else most_rows
        if about.num_rows > most:
            raise ValueError(f"there are {about.num_rows:,} rows, at most {most:,} are taken at a time")
        values = [
            about.row_group(group).column(column).num_values
            for group in range(about.num_row_groups)
            for column in range(about.num_columns)
        ]
        if sum(values) > (most_rows + most_objects) * max(about.num_columns, 1):
            raise ValueError(f"it holds {sum(values):,} values: at most {most_rows:,} rows are taken at a time")
        known = {name.lower() for column in (*ROWS, *CONTEXT) for name in (column.name, *column.others)}
        names = None if ours else [n for n in file.schema_arrow.names if n.lower() in known]
        table = file.read(columns=names, use_threads=False)
        if ours:
            curves = LightCurves.from_arrow(table)
            check_ranges(curves.context, curves.object_id)
            if curves.n_rows > most_rows:
                raise ValueError(f"there are {curves.n_rows:,} rows, at most {most_rows:,} are taken at a time")
            table = curves.to_arrow()
        with pa.ipc.new_stream(sys.stdout.buffer, table.schema) as stream:
            stream.write_table(table)
    except MemoryError:
        return 3
    except (ValueError, KeyError, OSError, pa.ArrowException) as error:
        sys.stderr.write(f"{type(error).__name__ if not str(error) else error}\n")
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]), int(sys.argv[2])))
