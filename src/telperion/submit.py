"""The answer to the MALLORN challenge: which unlabelled objects are called, a line each in the sample's order."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from telperion.classifier import Classifier
from telperion.encode.cache import kept
from telperion.formats import mallorn
from telperion.formats.delimited import read_columns

SAMPLE = "sample_submission.csv"


def submit(classifier: Classifier, data: str | Path, output: str | Path) -> NDArray[np.bool_]:
    """Call the challenge's unlabelled objects and write the answer.

    Parameters
    ----------
    classifier : Classifier
        With a target.
    data : path
        The challenge's folder, with ``sample_submission.csv``.
    output : path
        CSV to be written: ``object_id``, ``prediction`` (0 or 1).

    Returns
    -------
    array of bool, shape ``(n_objects,)``
        In the sample's order.

    Raises
    ------
    ValueError
        The sample is missing, or lists other objects than ``test_log.csv``.
    """
    sample = Path(data) / SAMPLE
    if not sample.is_file():
        raise ValueError(f"{sample} is missing: it says which objects are asked for, and in which order")
    asked = np.array(read_columns(sample, {"object_id": pa.string()})["object_id"].to_pylist(), dtype=np.str_)
    light_curves = mallorn.read(data, part="test")
    place = {name: index for index, name in enumerate(light_curves.object_id.tolist())}
    if unknown := [name for name in asked.tolist() if name not in place]:
        raise ValueError(f"{sample} asks for {len(unknown)} objects not in test_log.csv, first {unknown[0]!r}")
    if len(asked) != len(place) or len(set(asked.tolist())) != len(asked):
        raise ValueError(f"{sample} asks for {len(asked)} objects, twice or too few: test_log.csv lists {len(place)}")
    with kept():
        called = classifier.calls(classifier.predict(light_curves))
    answer = called[[place[name] for name in asked.tolist()]]
    unfinished = Path(output).with_name(Path(output).name + ".part")
    with unfinished.open("w", encoding="utf-8", newline="") as file:
        lines = csv.writer(file, lineterminator="\n")
        lines.writerow(("object_id", "prediction"))
        lines.writerows(zip(asked.tolist(), answer.astype(int).tolist(), strict=True))
    unfinished.rename(output)
    return answer
