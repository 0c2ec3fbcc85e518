"""`train(run, light_curves)`: from a run's TOML and labelled light curves to a `Classifier`."""

from __future__ import annotations

import dataclasses
import warnings
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from rich.progress import Progress

from telperion.classifier import Classifier
from telperion.encode.view import Context, View, keep_context
from telperion.encode.view import view as cut
from telperion.evaluate import evaluate
from telperion.formats.parquet import read
from telperion.lightcurves import LightCurves, RepairWarning
from telperion.models import Model
from telperion.models.stack import Stack, choose_weights, member_probabilities
from telperion.processes import processes
from telperion.run import KINDS as MODELS
from telperion.run import TOGETHER, Run
from telperion.simulate.kinds import KINDS, both, counts, mix
from telperion.simulate.library import library
from telperion.simulate.observe import Rules
from telperion.simulate.save import Survey, save
from telperion.simulate.stream import Stream
from telperion.taxonomy import Taxonomy

POWERS = (0.0, 0.25, 0.5, 0.75, 1.0)
"""Powers of the class mix among which the leaf decision is chosen, on validation objects."""


def train(
    run: Run,
    light_curves: LightCurves | Stream,
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
    light_curves : LightCurves or Stream
        Labelled objects; those without a label teach nothing and are left out with a notice. A stream (`simulated`)
        teaches with all its context and needs `held`.
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
        Nothing is labelled, a label is not of the run's tree, or there are several processes and the model is of a kind
        that one trains.
    """
    for member in run.members:
        if member["kind"] not in TOGETHER:
            processes().alone(f"the training of a model of kind {member['kind']!r}")
    tree = Taxonomy.load(run.tree)
    chosen_view, chosen_seed = view or run.views[0], run.seeds[0] if seed is None else seed
    taught: LightCurves | Stream = light_curves
    if isinstance(light_curves, LightCurves):
        known = labelled(keep_context(light_curves, context), tree)
        taught, held = (known, held) if held is not None else split(known, tree, run.validation, chosen_seed)
    elif held is None or context != "specz":
        raise ValueError("a stream is learnt from with all its context, and needs objects that are held back")
    contexts: tuple[Context, ...] = (context,) if run.separate else run.contexts
    members = []
    for number, member in enumerate(run.members):
        config = dataclasses.replace(run.config(member), view=chosen_view)
        place = Path(folder) / f"member-{number}"
        fit = import_module(MODELS[member["kind"]][1]).fit
        members.append(
            (member["kind"], fit(taught, held, tree, config, folder=place, progress=progress, seed=chosen_seed))
        )
    model: Model = (
        members[0][1] if run.model["kind"] != "stack" else _stack(members, held, chosen_view, contexts, run.days)
    )
    power = choose_power(model, held, chosen_view, contexts, run.days)
    resolved = run.to_dict() | {"views": [chosen_view], "seeds": [chosen_seed]}
    return Classifier(model, run.model["kind"], chosen_view, power, resolved)


def simulated(run: Run, folder: str | Path, *, progress: Progress | None = None) -> tuple[Stream, LightCurves]:
    """Give what a run with a stream learns from, and the light curves that validate.

    Parameters
    ----------
    run : Run
    folder : path
        Keeps both surveys, in ``training`` and ``validation``, from one training to the next; what is missing of the
        former is simulated while it is learnt from. Processes that train together may share it, and the work.
    progress : rich.progress.Progress, optional
        Shows the light curves that validate as they are simulated.
    """
    wanted = run.streaming
    kinds = both(KINDS, library(wanted.templates)) if wanted.templates else KINDS
    rules = Rules(wanted.single, wanted.whole)
    many = counts(wanted.light_curves, mix(wanted.mix))
    some = counts(wanted.validation, mix(wanted.validation_mix or wanted.mix))
    aside, together = Path(folder) / "validation", processes()
    with together.first_before_others():
        survey = Survey(Path(folder) / "training", many, kinds=kinds, seed=wanted.seed, rules=rules)
        validation = Survey(aside, some, kinds=kinds, seed=wanted.validation_seed, rules=rules)
    if together.size > 1:
        for _ in validation.make(together.share(range(len(validation)))):
            pass
        together.wait()
    save(aside, some, kinds=kinds, seed=wanted.validation_seed, rules=rules, progress=progress)
    return Stream(survey, wanted.epoch), read(aside)


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
