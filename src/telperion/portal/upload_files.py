"""Files of an upload: CSV, and Parquet read in a process of its own, into `LightCurves`; never pickle."""

from __future__ import annotations

import csv
import io
import subprocess
import sys
from collections.abc import Iterator

import numpy as np
import pyarrow as pa

from telperion.lightcurves import LightCurves
from telperion.portal.settings import Settings
from telperion.portal.upload_columns import UNITS, match
from telperion.portal.upload_rows import Fault, UploadError, light_curves, whole

PARQUET = b"PAR1"
_SECONDS = 20.0
_LONGEST_CELL = 1000


def read_upload(data: bytes, unit: str, settings: Settings) -> LightCurves:
    """Read what somebody sent; what the bytes begin with says which format they are of, not a name.

    Parameters
    ----------
    data : bytes
    unit : str
        Of fluxes: one of `telperion.portal.upload_columns.UNITS`.
    settings : Settings
        How much is taken.

    Raises
    ------
    UploadError
        What is wrong, each at its line.
    """
    if unit not in UNITS:
        raise whole(f"the unit of fluxes is {unit[:40]!r}, expected one of {', '.join(UNITS)}")
    if len(data) > settings.most_bytes:
        raise whole(f"the file is larger than {settings.most_bytes:,} bytes")
    if not data.strip():
        raise whole("the file is empty")
    if data[:4] == PARQUET:
        return _from_parquet(data, unit, settings)
    return _from_csv(data, unit, settings)


def _from_csv(data: bytes, unit: str, settings: Settings) -> LightCurves:
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data[: error.start].count(b"\n") + 1
        raise UploadError([Fault(line, "", "this is no text: expected CSV in UTF-8, or Parquet")]) from error
    if "\0" in text:
        raise UploadError(
            [Fault(text[: text.index("\0")].count("\n") + 1, "", "this is no text: it holds a zero byte")]
        )
    rows = _rows(text)
    header, _ = next(rows, ([], 0))
    if len(set(header)) < len(header):
        twice = next(name for name in header if header.count(name) > 1)
        raise UploadError([Fault(1, twice[:60], f"two columns are called {twice[:60]!r}")])
    names, wrong = match(header)
    if wrong:
        raise UploadError([Fault(1, "", each) for each in wrong])
    cells: list[list[str]] = []
    lines: list[int] = []
    faults: list[Fault] = []
    for row, line in rows:
        if len(lines) >= settings.most_rows:
            raise whole(f"there are more than {settings.most_rows:,} rows")
        if len(row) != len(header):
            faults.append(Fault(line, "", f"it has {len(row)} values, the first line has {len(header)} names"))
            continue
        cells.append(row)
        lines.append(line)
    if faults:
        raise UploadError(faults)
    if not cells:
        raise whole("there are no rows below the names of the columns")
    columns = {name: [row[header.index(own)] for row in cells] for name, own in names.items()}
    return light_curves(columns, np.array(lines), unit=unit, most_objects=settings.most_objects)


def _rows(text: str) -> Iterator[tuple[list[str], int]]:
    """Give the rows of a CSV file with their lines; empty lines and those that begin with # are left out."""
    head = next((line for line in io.StringIO(text) if line.strip() and not line.startswith("#")), "")
    comma = max((",", ";", "\t"), key=head.count)
    reader = csv.reader(io.StringIO(text), delimiter=comma, strict=True)
    while True:
        try:
            row = next(reader, None)
        except csv.Error as error:
            raise UploadError([Fault(reader.line_num, "", f"this is no CSV: {error}")]) from error
        if row is None:
            return
        if not row or not any(cell.strip() for cell in row) or row[0].startswith("#"):
            continue
        if any(len(cell) > _LONGEST_CELL for cell in row):
            raise UploadError([Fault(reader.line_num, "", f"a value is longer than {_LONGEST_CELL} letters")])
        yield [cell.strip() for cell in row], reader.line_num


def _from_parquet(data: bytes, unit: str, settings: Settings) -> LightCurves:
    """Have the file read by a process that may neither take long nor grow: a made-up file can harm a reader."""
    limits = [str(settings.most_rows), str(settings.most_objects)]
    command = [sys.executable, "-m", "telperion.portal.upload_parquet", *limits]
    try:
        done = subprocess.run(command, input=data, capture_output=True, timeout=_SECONDS, check=False)
    except subprocess.TimeoutExpired as error:
        raise whole(f"the file could not be read within {_SECONDS:g} seconds") from error
    if done.returncode == 2:
        raise whole(done.stderr.decode(errors="replace").strip()[-500:])
    if done.returncode:
        raise whole("the file is no Parquet that can be read, or it needs too much memory")
    with pa.ipc.open_stream(done.stdout) as stream:
        table = stream.read_all()
    if (table.schema.metadata or {}).get(b"telperion"):
        return LightCurves.from_arrow(table)
    names, wrong = match(table.column_names)
    if wrong:
        raise UploadError([Fault(0, "", each) for each in wrong])
    columns = {name: [_text(value) for value in table.column(own).to_pylist()] for name, own in names.items()}
    lines = np.arange(1, table.num_rows + 1)
    return light_curves(columns, lines, unit=unit, most_objects=settings.most_objects)


def _text(value: object) -> str:
    return "" if value is None else str(value)[: _LONGEST_CELL + 1]
