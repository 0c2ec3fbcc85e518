"""`save_night`: nights of alerts in a folder, a file a visit, the truth beside them; goes on where it was left."""

from __future__ import annotations

from pathlib import Path

import pyarrow.parquet as pq
from rich.progress import Progress

from telperion.formats.avro_write import container
from telperion.simulate.night import Night
from telperion.simulate.save import claim, unclaimed

CARD = "night.json"
TRUTH = "truth.parquet"
LIGHT_CURVES = "light-curves"


def light_curves_folder(folder: str | Path) -> Path:
    """Give where the light curves of a night are kept, in its own folder.

    Raises
    ------
    ValueError
        The folder holds something else.
    """
    place = Path(folder)
    unclaimed(place / CARD, "night", {LIGHT_CURVES})
    return place / LIGHT_CURVES


def save_truth(folder: str | Path, night: Night) -> None:
    """Write what is behind nights of alerts, and how they came about, where it is not written yet.

    Raises
    ------
    ValueError
        The folder holds another night, or something else.
    """
    place = Path(folder)
    claim(place / CARD, night.card(), "night", {LIGHT_CURVES})
    if not (truth := place / TRUTH).is_file():
        partial = truth.with_name(TRUTH + ".partial")
        pq.write_table(night.truth(), partial, compression="zstd")
        partial.replace(truth)


def save_night(folder: str | Path, night: Night, *, progress: Progress | None = None) -> int:
    """Write nights of alerts into a folder; what is finished there is not done again.

    Parameters
    ----------
    folder : path
        Gets ``visit-NNNNN.avro``, an object container file with the alerts of a visit, where it has any;
        ``truth.parquet``, an object a row: object_id (as the light curves have it), diaObjectId, label, redshift; and
        ``night.json``, which says how they came about. Each file appears whole or not at all.
    night : Night
    progress : rich.progress.Progress, optional
        Shows alerts done and time left.

    Returns
    -------
    int
        Alerts in the folder.

    Raises
    ------
    ValueError
        The folder holds another night, or something else.
    """
    place = Path(folder)
    save_truth(place, night)
    sizes = {place / f"visit-{number:05d}.avro": (number, int(size)) for number, size in enumerate(night.sizes) if size}
    total = sum(size for _, size in sizes.values())
    ready = sum(size for path, (_, size) in sizes.items() if path.is_file())
    task = progress.add_task("alerts", total=total, completed=ready) if progress else None
    for path, (number, size) in sizes.items():
        if path.is_file():
            continue
        messages = night.visit(number).messages
        header = len(night.packing.header)
        partial = path.with_name(path.name + ".partial")
        partial.write_bytes(container(night.packing.schema, (message[header:] for message in messages)))
        partial.replace(path)
        if progress and task is not None:
            progress.advance(task, size)
    return total
