"""`export`: a classifier written as one ONNX file."""

from __future__ import annotations

from pathlib import Path

from onnx import helper

from telperion.classifier import Classifier
from telperion.export.graphs import Form, build
from telperion.export.metadata import describe
from telperion.export.weights import Kept, shrink


def export(classifier: Classifier, *, name: str, form: Form = "whole", weights: Kept = "float32") -> bytes:
    """Write a classifier as one ONNX file, with its calibration, its tree and all that its reader needs to know.

    Parameters
    ----------
    classifier : Classifier
        Of kind ``gru``.
    name : str
        What it is called in the file.
    form : {"whole", "step", "encoded"}
        What it reads: whole light curves, one row an object and what the row before left, or encoded rows.
    weights : {"float32", "float16", "int8"}
        How the network's weights are kept.

    Returns
    -------
    bytes

    Raises
    ------
    ValueError
        The classifier is no single network, or one of the preset ``oracle`` is to read raw rows.

    Examples
    --------
    >>> import telperion
    >>> graph = export(telperion.load("plasticc-gru"), name="plasticc-gru", form="step")
    >>> len(graph) < 1_000_000
    True
    """
    model = shrink(build(classifier, form), weights)
    helper.set_model_props(model, describe(model, classifier, name=name, form=form, kept=weights))
    return bytes(model.SerializeToString())


def write(
    classifier: Classifier, path: str | Path, *, name: str, form: Form = "whole", weights: Kept = "float32"
) -> int:
    """Write such a file; gives its size in bytes."""
    return Path(path).write_bytes(export(classifier, name=name, form=form, weights=weights))
