"""`train(run, light_curves)`: from a run's TOML and labelled light curves to a `Classifier`."""

from __future__ import annotations

import dataclasses
import difflib
import tomllib
import types
import typing
from collections.abc import Mapping
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from telperion.classifier import Classifier, decide
from telperion.encode.view import Context, View, keep_context
from telperion.evaluate import evaluate
from telperion.lightcurves import LightCurves
from telperion.taxonomy import Taxonomy

FITTERS = {
    "boost": "telperion.models.boost",
    "gru": "telperion.models.gru_network",
    "stack": "telperion.models.stack_fit",
}
"""Where each kind of model is fitted; its module has ``Config`` and ``fit``."""

POWERS = (0.0, 0.25, 0.5, 0.75, 1.0)
"""Powers of the class mix among which the leaf decision is chosen, on validation objects."""


@dataclasses.dataclass(frozen=True)
class Run:
    """One experiment, as its TOML says it.

    Parameters
    ----------
    name : str
    tree : str
        A shipped tree or a TOML file.
    model : mapping
        ``kind``, one of `FITTERS`, and the fields of that model's ``Config``.
    views : tuple of {"full", "alert"}
        A cross-validation trains a model for each; `train` takes the first.
    contexts : tuple of {"specz", "photoz", "none"}
        With what is known of the objects a cross-validation scores them.
    separate : bool
        Whether a model of its own is trained for each context, knowing that context only.
    days : tuple of float
        Days after first detection at which objects are scored.
    seeds : tuple of int
        Each shuffles the folds and draws the model anew; `train` takes the first.
    folds : int
    validation : float
        Share of the training objects that choose the epoch and the decision rule, and are not trained on.

    Examples
    --------
    >>> Run.from_dict({"name": "a", "tree": "plasticc", "model": {"kind": "boost"}, "vews": ["full"]})
    Traceback (most recent call last):
    ...
    ValueError: run 'a' has no setting 'vews', perhaps 'views'?
    """

    name: str
    tree: str
    model: Mapping[str, Any]
    views: tuple[View, ...] = ("alert",)
    contexts: tuple[Context, ...] = ("specz", "photoz", "none")
    separate: bool = False
    days: tuple[float, ...] = (2.0, 8.0, 64.0, 1024.0)
    seeds: tuple[int, ...] = (0,)
    folds: int = 5
    validation: float = 0.15

    def __post_init__(self) -> None:
        if self.model.get("kind") not in FITTERS:
            raise ValueError(f"run {self.name!r}: model.kind must be one of {', '.join(FITTERS)}")
        if not 0 < self.validation < 0.5 or self.folds < 2:
            raise ValueError(f"run {self.name!r}: expected 0 < validation < 0.5 and at least 2 folds")

    @classmethod
    def load(cls, path: str | Path) -> Run:
        """Read a run's TOML; every key must be known, here and to the model."""
        return cls.from_dict(tomllib.loads(Path(path).read_text(encoding="utf-8")))

    @classmethod
    def from_dict(cls, document: Mapping[str, Any]) -> Run:
        """Build a run from plain tables (the inverse of `to_dict`)."""
        return configure(cls, document, f"run {document.get('name', '')!r}")

    def to_dict(self) -> dict[str, Any]:
        """Give the run as plain tables, every setting of the model filled in."""
        config = self.config()
        filled = {"kind": self.model["kind"]} | {k: v for k, v in dataclasses.asdict(config).items() if v is not None}
        document = dataclasses.asdict(self) | {"model": filled}
        return {k: list(v) if isinstance(v, tuple) else v for k, v in document.items()}

    def config(self) -> Any:
        """Give the model's own configuration."""
        settings = {key: value for key, value in self.model.items() if key != "kind"}
        return configure(self._fitter().Config, settings, f"model of run {self.name!r}")

    def fit(self, *args: Any, **kwargs: Any) -> Any:
        """Fit the model of this run (see the ``fit`` of its kind)."""
        return self._fitter().fit(*args, **kwargs)

    def _fitter(self) -> types.ModuleType:
        return import_module(FITTERS[self.model["kind"]])
