"""`Run`: one experiment, as its TOML says it; every key must be known."""

from __future__ import annotations

import dataclasses
import difflib
import math
import tomllib
import types
import typing
from collections.abc import Iterable, Mapping
from importlib import import_module
from pathlib import Path
from typing import Any

from telperion.encode.view import Context, View

KINDS = {
    "bands": ("telperion.models.bands_network", "telperion.models.bands"),
    "boost": ("telperion.models.boost_config", "telperion.models.boost"),
    "gru": ("telperion.models.gru_config", "telperion.models.gru_training"),
    "portrait": ("telperion.models.portrait", "telperion.models.portrait"),
    "rocket": ("telperion.models.rocket", "telperion.models.rocket"),
}
"""Where each kind of model has its ``PRESETS`` (configurations by name) and its ``fit``; a stack has such members."""

STREAMED = ("gru",)
"""Kinds of model that can learn from other light curves in each epoch."""

TOGETHER = ("gru",)
"""Kinds of model that several processes can train together (`telperion.processes`)."""


@dataclasses.dataclass(frozen=True)
class Run:
    """One experiment, as its TOML says it.

    Parameters
    ----------
    name : str
    tree : str
        A shipped tree or a TOML file.
    model : mapping
        ``kind``, one of `KINDS`, and settings of that model: its ``preset`` and what differs from that.
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
        Share of the training objects that choose the epoch and the decision rule, and are not trained on. With 0 all
        teach: for models that stop nothing early.
    target : str
        The one node that is sought: a cross-validation then finds its objects (`telperion.find`).
    foldings : tuple of str
        How a search parts objects into folds: "random", or the name of a context column whose equals stay together.
    redshift_noise : float
        A search also scores with redshifts off by this, sigma / (1 + z); 0 leaves that out.
    optimistic : bool
        Whether a search lets the scored fold stop the training and choose the threshold, as some studies do.
    tune : mapping
        How settings of the model are tuned inside every training set (`Tuning`); empty leaves them as they are.
    stream : mapping
        The simulated survey that it learns from (`Streaming`); empty for light curves that there are.

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
    target: str = ""
    foldings: tuple[str, ...] = ("random",)
    redshift_noise: float = 0.0
    optimistic: bool = False
    tune: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    stream: Mapping[str, Any] = dataclasses.field(default_factory=dict)

    def __post_init__(self) -> None:
        for member in self.members:
            if member.get("kind") not in KINDS:
                raise ValueError(f"run {self.name!r}: model.kind must be one of {', '.join(KINDS)}, stack")
        if not self.members:
            raise ValueError(f"run {self.name!r}: a stack needs model.members")
        if not 0 <= self.validation < 0.5 or self.folds < 2:
            raise ValueError(f"run {self.name!r}: expected 0 <= validation < 0.5 and at least 2 folds")
        if self.redshift_noise < 0:
            raise ValueError(f"run {self.name!r}: redshift_noise is {self.redshift_noise}, expected 0 or more")
        if self.stream:
            if self.model["kind"] not in STREAMED or self.target:
                raise ValueError(f"run {self.name!r}: only a model of kind {', '.join(STREAMED)} learns from a stream")
            _ = self.streaming
        if self.tune:
            if not self.target or len(self.members) > 1 or self.optimistic:
                raise ValueError(f"run {self.name!r}: only an honest search with one model can be tuned")
            hints = typing.get_type_hints(type(self.config()))
            for name, (low, high) in self.tuning.ranges.items():
                if hints.get(name) not in (int, float):
                    raise ValueError(f"run {self.name!r}: tune.ranges has {name!r}, which is no number of its model")
                if not low <= (own := getattr(self.config(), name)) <= high:
                    raise ValueError(
                        f"run {self.name!r}: {name} is {own}, outside its tune.ranges from {low} to {high}"
                    )

    @classmethod
    def load(cls, path: str | Path, changes: Iterable[str] = ()) -> Run:
        """Read a run's TOML; every key must be known, here and to the model.

        Changes are settings in place of its own, as ``model.hidden=256``; what is no TOML value is a string.
        """
        document = tomllib.loads(Path(path).read_text(encoding="utf-8"))
        for change in changes:
            place, given, value = change.partition("=")
            *tables, key = place.split(".")
            if not given or not key:
                raise ValueError(f"{change!r} changes no setting; expected one as in model.hidden=256")
            table = document
            for name in tables:
                table = table.setdefault(name, {})
                if not isinstance(table, dict):
                    raise ValueError(f"{change!r}: {name!r} is a setting, no table of settings")
            try:
                table[key] = tomllib.loads(f"value = {value}")["value"]
            except tomllib.TOMLDecodeError:
                table[key] = value
        return cls.from_dict(document)

    @classmethod
    def from_dict(cls, document: Mapping[str, Any]) -> Run:
        """Build a run from plain tables (the inverse of `to_dict`)."""
        return configure(cls, document, f"run {document.get('name', '')!r}")

    def to_dict(self) -> dict[str, Any]:
        """Give the run as plain tables, every setting of the model filled in, but not where a search is shared."""
        filled = [{"kind": member["kind"]} | dataclasses.asdict(self.config(member)) for member in self.members]
        model = {"kind": "stack", "members": filled} if self.model["kind"] == "stack" else filled[0]
        tune = {name: value for name, value in self.tune.items() if name != "storage"}
        return _plain(dataclasses.asdict(self) | {"model": model, "tune": tune})

    def with_storage(self, storage: str | None) -> Run:
        """Give the run with another place where several processes share the trials of its search; None changes nothing.

        Raises
        ------
        ValueError
            Nothing is tuned.
        """
        if storage is None:
            return self
        if not self.tune:
            raise ValueError(f"run {self.name!r} has no table tune, and so no trials to share")
        return dataclasses.replace(self, tune={**self.tune, "storage": storage})

    @property
    def members(self) -> tuple[Mapping[str, Any], ...]:
        """The settings of each model to be fitted: those of a stack's members, or the one there is."""
        return tuple(self.model.get("members", ())) if self.model.get("kind") == "stack" else (self.model,)

    @property
    def tuning(self) -> Tuning:
        """How the settings are tuned."""
        tuning: Tuning = configure(Tuning, self.tune, f"tune of run {self.name!r}")
        return tuning

    @property
    def streaming(self) -> Streaming:
        """What is simulated to learn from."""
        streaming: Streaming = configure(Streaming, self.stream, f"stream of run {self.name!r}")
        return streaming

    def config(self, member: Mapping[str, Any] | None = None) -> Any:
        """Give a model's own configuration: a preset and what the run changes of it."""
        chosen = self.members[0] if member is None else member
        settings = {key: value for key, value in chosen.items() if key != "kind"}
        presets: dict[str, Any] = import_module(KINDS[chosen["kind"]][0]).PRESETS
        name = settings.pop("preset", next(iter(presets)))
        if name not in presets:
            raise ValueError(f"model of run {self.name!r} has no preset {name!r}; known: {', '.join(presets)}")
        base = {field.name: getattr(presets[name], field.name) for field in dataclasses.fields(presets[name])}
        return configure(type(presets[name]), base | settings, f"model of run {self.name!r}")


@dataclasses.dataclass(frozen=True)
class Tuning:
    """How settings are tuned: by the average precision of trials on folds of a training set.

    Parameters
    ----------
    ranges : mapping of str to (number, number)
        Settings of the model and between which values each is sought; by logarithm where the lower one is above zero.
    trials : int
        Settings tried, the run's own, which must be within the ranges, first.
    folds : int
        Parts of the training set, each scored in turn; a trial that does worse than the median so far is cut short.
    minutes : float
        After which no further trial begins.
    storage : str
        Where several processes that do the same search share its trials: the file of a journal, or the URL of a
        database. Without it a study lies in the folder of its search, and is one process's own. It is no part of the
        experiment: `Run.to_dict` leaves it out.
    """

    ranges: Mapping[str, Any]
    trials: int = 20
    folds: int = 3
    minutes: float = math.inf
    storage: str = ""

    def __post_init__(self) -> None:
        for name, ends in self.ranges.items():
            if not (isinstance(ends, list | tuple) and len(ends) == 2 and ends[0] < ends[1]):
                raise ValueError(f"tune.ranges: {name} is {ends!r}, expected two numbers that rise")
        if not self.ranges or self.trials < 1 or self.folds < 2 or not self.minutes > 0:
            raise ValueError("tune needs ranges, at least 1 trial, 2 folds and some minutes")


@dataclasses.dataclass(frozen=True)
class Streaming:
    """A simulated survey to learn from, and another one that validates.

    Parameters
    ----------
    light_curves : int
        In all; when they are used up, training begins with the first again.
    epoch : int
        Light curves of an epoch.
    validation : int
        Light curves of the survey that chooses the epoch and the decision rule.
    mix, validation_mix : str
        Of the classes, as `telperion.simulate.kinds.mix` reads it; that which validates has the same if it is empty.
    seed, validation_seed : int
        Of the two surveys.
    templates : str
        Folder of template files; half of what happens in the classes that they cover is drawn from them. None if empty.
    single, whole : float
        Shares of the objects that trigger with one detection, and of which the rows of all seasons are kept, see
        `telperion.simulate.observe.Rules`.
    """

    light_curves: int
    epoch: int
    validation: int
    mix: str = "oracle"
    validation_mix: str = ""
    seed: int = 1
    validation_seed: int = 3
    templates: str = ""
    single: float = 0.0
    whole: float = 0.0

    def __post_init__(self) -> None:
        if not 0 < self.epoch <= self.light_curves or self.validation < 1 or self.seed == self.validation_seed:
            raise ValueError("stream needs 0 < epoch <= light_curves, validation >= 1 and two seeds")


def _plain(value: Any) -> Any:
    """Turn tuples into lists, as TOML has them."""
    if isinstance(value, Mapping):
        return {key: _plain(each) for key, each in value.items()}
    return [_plain(each) for each in value] if isinstance(value, list | tuple) else value


def configure(kind: type, table: Mapping[str, Any], where: str) -> Any:
    """Map a TOML table on a dataclass by name; an unknown key is refused, the nearest known one named.

    Raises
    ------
    ValueError
        A key is unknown, a value is of another type than its field, or a field without default is missing.
    """
    fields = {field.name: field for field in dataclasses.fields(kind)}
    hints = typing.get_type_hints(kind)
    values = {}
    for key, value in table.items():
        if key not in fields:
            near = difflib.get_close_matches(key, fields, n=1)
            raise ValueError(f"{where} has no setting {key!r}" + (f", perhaps {near[0]!r}?" if near else ""))
        values[key] = tuple(value) if isinstance(value, list) else value
        if not _fits(values[key], hints[key]):
            raise ValueError(f"{where}: {key} is {value!r}, expected {hints[key]}")
    if missing := [n for n, f in fields.items() if n not in values and _has_no_default(f)]:
        raise ValueError(f"{where} lacks the setting {missing[0]!r}")
    return kind(**values)


def _has_no_default(field: dataclasses.Field[Any]) -> bool:
    return field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING


def _fits(value: Any, hint: Any) -> bool:
    origin, inner = typing.get_origin(hint), typing.get_args(hint)
    if origin is typing.Literal:
        return value in inner
    if origin in (typing.Union, types.UnionType):
        return any(_fits(value, kind) for kind in inner)
    if origin is tuple:
        kinds = inner[:1] * len(value) if inner[1:] == (...,) and isinstance(value, tuple) else inner
        return isinstance(value, tuple) and len(value) == len(kinds) and all(map(_fits, value, kinds))
    if hint is float:
        return isinstance(value, int | float) and not isinstance(value, bool)
    if hint is int:
        return isinstance(value, int) and not isinstance(value, bool)
    return isinstance(value, origin or hint)
