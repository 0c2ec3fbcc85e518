"""A plan as a table for the terminal, and as a file."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq

from telperion.rank.plan import PLANNED
from telperion.tables import Table

FORMATS = (".parquet", ".csv", ".jsonl")


def check_path(path: Path) -> None:
    """Refuse a file whose name does not say what it shall be; ValueError."""
    if path.suffix not in FORMATS:
        raise ValueError(f"the name of {path} does not end in one of {', '.join(FORMATS)}")


def write(plan: pa.Table, path: Path) -> None:
    """Write a plan as Parquet, CSV or lines of JSON, as its name says; nothing of it is left out.

    Raises
    ------
    ValueError
        The name ends otherwise.
    """
    check_path(path)
    if path.suffix == ".parquet":
        pq.write_table(plan, path, compression="zstd")
    elif path.suffix == ".csv":
        pyarrow.csv.write_csv(plan, path)
    else:
        with path.open("w", encoding="utf-8") as file:
            file.writelines(f"{json.dumps(_known(row), allow_nan=False)}\n" for row in plan.to_pylist())


def plan_table(plan: pa.Table, sought: Sequence[str] = (), most: int = 20) -> Table:
    """Show what is planned, and as many of the next ones as there is room for; these have no total.

    Parameters
    ----------
    plan : pyarrow.Table
        From `telperion.rank.plan.rank`.
    sought : sequence of str
        Nodes whose probabilities are shown.
    most : int
        Rows, unless more are planned.
    """
    scored = [row for row in plan.to_pylist() if (row["score"] or 0) > 0]
    planned = [row for row in scored if row["status"] == PLANNED]
    rows = [_cells(row, sought) for row in scored[: max(most, scored.index(planned[-1]) + 1 if planned else 0)]]
    heads = [
        "object",
        "node",
        "score",
        "bits/h",
        *sought,
        "mag",
        "best (UT)",
        "alt, airmass",
        "up (UT)",
        "min",
        "total h",
    ]
    hours = sum(row["hours"] for row in planned)
    title = f"{len(planned)} spectra in {hours:.1f} h, of {len(scored):,} objects that can be observed"
    title += f" ({plan.num_rows:,} given)"
    return Table(title, [("", head) for head in heads], rows, n_words=2)


def _cells(row: dict[str, Any], sought: Sequence[str]) -> list[str]:
    return [
        row["object_id"], row["confident_node"], f"{row['score']:.3f}", f"{row['bits_per_hour']:.2f}",
        *(f"{row[name]:.3f}" for name in sought), f"{row['band']} {row['magnitude']:.2f} ± {row['magnitude_err']:.2f}",
        _clock(row["best_time"]), f"{row['altitude']:.0f}° {row['airmass']:.2f}",
        f"{_clock(row['up_from'])}-{_clock(row['up_until'])}", f"{row['exposure_minutes']:.0f}",
        f"{row['total_hours']:.1f}" if row["status"] == PLANNED else "",
    ]  # fmt: skip


def _clock(mjd: float) -> str:
    minutes = round(mjd % 1 * 1440) % 1440
    return f"{minutes // 60:02d}:{minutes % 60:02d}"


def _known(row: dict[str, Any]) -> dict[str, Any]:
    """Leave out NaN, which JSON has not."""
    return {name: None if isinstance(value, float) and value != value else value for name, value in row.items()}
