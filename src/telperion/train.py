"""`train(run, light_curves)`: from a run's TOML and labelled light curves to a `Classifier`."""

from __future__ import annotations

import dataclasses
import difflib
import tomllib
import types
import typing
import warnings
from collections.abc import Iterator, Mapping
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rich.progress import Progress

from telperion.classifier import Classifier
from telperion.encode.view import Context, View, keep_context
from telperion.encode.view import view as cut
from telperion.evaluate import evaluate
from telperion.lightcurves import LightCurves, RepairWarning
from telperion.models import Model
from telperion.models.stack import Stack, choose_weights, member_probabilities
from telperion.taxonomy import Taxonomy

KINDS = {
    "bands": ("telperion.models.bands", "telperion.models.bands"),
    "boost": ("telperion.models.boost", "telperion.models.boost"),
    "gru": ("telperion.models.gru", "telperion.models.gru_training"),
    "rocket": ("telperion.models.rocket", "telperion.models.rocket"),
}
"""Where each kind of model has its ``PRESETS`` (configurations by name) and its ``fit``; a stack has such members."""

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
        filled = [{"kind": member["kind"]} | dataclasses.asdict(self.config(member)) for member in self.members]
        model = {"kind": "stack", "members": filled} if self.model["kind"] == "stack" else filled[0]
        return _plain(dataclasses.asdict(self) | {"model": model})

    @property
    def members(self) -> tuple[Mapping[str, Any], ...]:
        """The settings of each model to be fitted: those of a stack's members, or the one there is."""
        return tuple(self.model.get("members", ())) if self.model.get("kind") == "stack" else (self.model,)

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


def train(
    run: Run,
    light_curves: LightCurves,
    *,
    folder: str | Path,
    view: View | None = None,
    context: Context = "specz",
    seed: int | None = None,
    held: LightCurves | None = None,
    progress: Progress | None = None,
) -> Classifier:
    """Train a classifier; a run that was killed goes on from its last checkpoint to the same result.

    Parameters
    ----------
    run : Run
    light_curves : LightCurves
        Labelled objects; those without a label teach nothing and are left out with a notice.
    folder : path
        Where checkpoints are kept until the run is finished.
    view, context, seed
        By default the run's first view, all context that there is, the run's first seed.
    held : LightCurves, optional
        Labelled objects that choose the epoch and the decision rule, in place of a share of `light_curves`.
    progress : rich.progress.Progress, optional
        Shows what is done and the time left.

    Returns
    -------
    Classifier

    Raises
    ------
    ValueError
        Nothing is labelled, or a label is not of the run's tree.
    """
    tree = Taxonomy.load(run.tree)
    chosen_view, chosen_seed = view or run.views[0], run.seeds[0] if seed is None else seed
    known = labelled(keep_context(light_curves, context), tree)
    taught, held = (known, held) if held is not None else split(known, tree, run.validation, chosen_seed)
    contexts: tuple[Context, ...] = (context,) if run.separate else run.contexts
    members = []
    for number, member in enumerate(run.members):
        config = dataclasses.replace(run.config(member), view=chosen_view)
        place = Path(folder) / f"member-{number}"
        fit = import_module(KINDS[member["kind"]][1]).fit
        members.append(
            (member["kind"], fit(taught, held, tree, config, folder=place, progress=progress, seed=chosen_seed))
        )
    model: Model = (
        members[0][1] if run.model["kind"] != "stack" else _stack(members, held, chosen_view, contexts, run.days)
    )
    power = choose_power(model, held, chosen_view, contexts, run.days)
    resolved = run.to_dict() | {"views": [chosen_view], "seeds": [chosen_seed]}
    return Classifier(model, run.model["kind"], chosen_view, power, resolved)


def _stack(
    members: list[tuple[str, Model]],
    held: LightCurves,
    kind: View,
    contexts: tuple[Context, ...],
    days: tuple[float, ...],
) -> Stack:
    """Weigh members by their log-loss on validation objects, every class counting alike."""
    tree = members[0][1].tree
    said, leaves = [], []
    for known, labels in validation_phases(held, tree, kind, contexts, days):
        is_leaf = np.isin(labels, tree.leaves)
        said.append(member_probabilities(members, known[is_leaf]))
        leaves.append(labels[is_leaf])
    leaf = np.concatenate(leaves)
    rarity = 1 / np.bincount(leaf)[leaf]
    return Stack(tree, members, choose_weights(np.concatenate(said, axis=1), leaf, rarity))


def labelled(light_curves: LightCurves, tree: Taxonomy) -> LightCurves:
    """Keep the objects whose class is known, warning how many are left out."""
    if not (named := light_curves.label != "").any():
        raise ValueError("no object has a label: there is nothing to learn from")
    tree.labels(light_curves.label)
    if not named.all():
        first = light_curves.object_id[~named][0]
        warnings.warn(f"{(~named).sum()} objects without a label are left out, first '{first}'", RepairWarning, 2)
    return light_curves if named.all() else light_curves[named]


def split(light_curves: LightCurves, tree: Taxonomy, share: float, seed: int) -> tuple[LightCurves, LightCurves]:
    """Part labelled objects into those that teach and a share that validates, at least one of a class with two.

    A share of zero holds none back.

    Examples
    --------
    >>> from telperion.simulate.drawn import draw
    >>> taught, held = split(draw(n_per_class=4, seed=0), Taxonomy.load("plasticc"), 0.25, seed=0)
    >>> len(taught), len(held)
    (42, 14)
    """
    rng = np.random.default_rng(seed)
    order = rng.permutation(np.argsort(light_curves.object_id))  # the order of the input does not matter
    node = tree.labels(light_curves.label)[order]
    held = np.zeros(len(order), dtype=bool)
    for each in np.unique(node) if share else ():
        members = np.flatnonzero(node == each)
        held[members[: max(round(share * members.size), int(members.size > 1))]] = True
    return light_curves[np.sort(order[~held])], light_curves[np.sort(order[held])]


def choose_power(
    model: Model, held: LightCurves, kind: View, contexts: tuple[Context, ...], days: tuple[float, ...]
) -> float:
    """Choose the power of the class mix that the leaf decision divides by: best mean macro F1 of validation objects."""
    total = dict.fromkeys(POWERS, 0.0)  # without validation objects the first one stays
    for known, labels in validation_phases(held, model.tree, kind, contexts, days):
        probabilities = model.predict(known)
        for power in POWERS:
            prior = np.where(model.mix > 0, model.mix, 1) ** power
            total[power] += evaluate(probabilities, labels, model.tree, leaf_prior=prior)["leaves"].macro.f1
    return max(total, key=lambda power: total[power])


def validation_phases(
    held: LightCurves, tree: Taxonomy, kind: View, contexts: tuple[Context, ...], days: tuple[float, ...]
) -> Iterator[tuple[LightCurves, NDArray[np.int64]]]:
    """Give validation objects, with their labels, as they are known in each context at each day; if anything is."""
    labels = tree.labels(held.label)
    for context in contexts:
        for day in days:
            known = cut(keep_context(held, context), day, kind)
            seen = known.lengths > 0
            if seen.any():
                yield known[seen], labels[seen]
