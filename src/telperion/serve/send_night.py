"""`send_night`: nights of alerts into a topic, visit by visit, labels kept aside; goes on where it was left."""

from __future__ import annotations

import json
import time
from pathlib import Path

from rich.progress import Progress

from telperion.serve.kafka_topics import KafkaTopic
from telperion.simulate.night import Night
from telperion.simulate.save_night import save_truth

SENT = "sent.json"


def send_night(
    folder: str | Path, night: Night, topic: KafkaTopic, *, every: float = 0.0, progress: Progress | None = None
) -> int:
    """Send nights of alerts into a topic: the key is diaObjectId in decimal digits, the value a packet.

    Parameters
    ----------
    folder : path
        Keeps what is not sent: ``truth.parquet`` and ``night.json``, as `telperion.simulate.save_night.save_night`
        writes them, and ``sent.json``, which says how many visits the broker has, and in which topic. A night that was
        broken off goes on with the visit in hand, of which alerts may be sent twice.
    night : Night
    topic : KafkaTopic
    every : float, s
        From the beginning of a visit to that of the next; 0: as fast as it goes.
    progress : rich.progress.Progress, optional
        Shows alerts sent and time left.

    Returns
    -------
    int
        Alerts in all visits.

    Raises
    ------
    ValueError
        The folder holds another night, one that went into another topic, or something else; or `every` is negative.
    ConnectionError
        The broker does not take them.
    """
    if not 0 <= every < float("inf"):
        raise ValueError(f"every is {every}, expected seconds, 0 or more")
    place = Path(folder)
    save_truth(place, night)
    first, sizes = _sent(place / SENT, topic.name), night.sizes
    total, ready = int(sizes.sum()), int(sizes[:first].sum())
    task = progress.add_task("alerts", total=total, completed=ready) if progress else None
    due = time.monotonic()
    for number in range(first, len(night)):
        visit = night.visit(number)
        time.sleep(max(due - time.monotonic(), 0.0))
        due = time.monotonic() + every
        topic.send(zip(map(_key, visit.object_id.tolist()), visit.messages, strict=True))
        _note(place / SENT, topic.name, number + 1)
        if progress and task is not None:
            progress.advance(task, len(visit))
    return total


def _key(object_id: int) -> bytes:
    return str(object_id).encode()


def _sent(path: Path, topic: str) -> int:
    """Read how many visits are in the topic."""
    if not path.is_file():
        return 0
    known = json.loads(path.read_text(encoding="utf-8"))
    if known["topic"] != topic:
        raise ValueError(f"{path}: this night goes into {known['topic']}; for {topic} give another folder")
    return int(known["visits"])


def _note(path: Path, topic: str, visits: int) -> None:
    partial = path.with_name(path.name + ".partial")
    partial.write_text(json.dumps({"topic": topic, "visits": visits}), encoding="utf-8")
    partial.replace(path)
