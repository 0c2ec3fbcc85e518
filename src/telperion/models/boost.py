"""Gradient-boosted trees (LightGBM) on light-curve statistics, for every phase and every kind of context.

Each training object enters many times, each time cut at another day, with one of the three kinds of context
(missing features are NaN), and mostly as a farther, noisier and sparser copy of itself
(`telperion.encode.resample`): so the booster learns what a young, faint, hostless light curve can and cannot tell.
Objects of rare classes enter more often, each object with less weight for it. Young and old light curves have boosters
of their own. They see whole light curves, so the model is not steppable.
"""

from __future__ import annotations

import itertools
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple, get_args

import numpy as np
from numpy.typing import NDArray
from rich.progress import Progress

from telperion.encode.resample import resample
from telperion.encode.siblings import Templates, siblings, templates
from telperion.encode.siblings import names as sibling_names
from telperion.encode.statistics import feature_names, statistics
from telperion.encode.view import Context, keep_context
from telperion.encode.view import view as cut
from telperion.lightcurves import LightCurves, RepairWarning
from telperion.models.boost_config import Config
from telperion.models.boosters import Booster, Settings, read_booster, train_booster, write_booster
from telperion.models.card import read_card, write_card
from telperion.taxonomy import Taxonomy

FORMAT_VERSION = 3
CARD, TEMPLATES = "boost.json", "templates.npz"
BATCH_OBJECTS = 5000
SHORTEST, LONGEST = 0.1, 1100.0  # days, of the truncations
MOST_ENTRIES = 80
_GROWN = ("rounds", "leaves", "min_rows", "learning_rate", "feature_fraction", "row_fraction", "l2", "extra_trees")


class Boost:
    """Boosted trees that give the probability of every node of a tree of classes.

    Parameters
    ----------
    tree : Taxonomy
    config : Config
    features : tuple of str
        Names of the features, as `telperion.encode.statistics.statistics` gives them.
    mix : array, shape ``(n_leaves,)``
        The class mix that the probabilities assume; an object without rows gets it.
    boosters : sequence of sequences of Booster
        Those of each era; class ``k`` of each is part ``k`` of the leaves (`Config.classes`).
    known : Templates, optional
        What siblings are sought among (`Config.siblings`).
    """

    steppable = False

    def __init__(
        self,
        tree: Taxonomy,
        config: Config,
        features: tuple[str, ...],
        mix: NDArray[np.float64],
        boosters: Sequence[Sequence[Booster]],
        known: Templates | None = None,
    ) -> None:
        self.tree, self.config, self.features, self.known = tree, config, features, known
        self.boosters = tuple(tuple(era) for era in boosters)
        self.mix = tree.mix(mix)
        self.parts = parts(tree, config)

    def predict(self, light_curves: LightCurves) -> NDArray[np.float32]:
        """Give the probability of every node.

        Parameters
        ----------
        light_curves : LightCurves
            Cut to what is known of them.

        Returns
        -------
        array, shape ``(n_objects, n_nodes)``, float32
        """
        said = np.tile(np.bincount(self.parts, weights=self.mix), (len(light_curves), 1))
        seen = np.flatnonzero(light_curves.lengths > 0)
        for start in range(0, len(seen), BATCH_OBJECTS):
            part = seen[start : start + BATCH_OBJECTS]
            known = light_curves[part]
            table = statistics(known, self.config.families).values
            if self.known:
                table = np.hstack([table, siblings(known, self.known, self.parts.max() + 1)])
            era = np.searchsorted(self.config.eras, ages(known), side="right")
            for number in np.unique(era):
                own = era == number
                each = [booster.predict(table[own]) for booster in self.boosters[number]]
                said[part[own]] = np.mean(each, axis=0)
        return self.tree.from_parts(self.parts, said, self.mix).astype(np.float32)

    @property
    def importance(self) -> dict[str, float]:
        """Share of each feature in what all boosters gain by their splits."""
        gains = [booster.gains() for era in self.boosters for booster in era]
        total = np.sum(gains, axis=0)
        return {name: float(gain) for name, gain in zip(self.features, total / total.sum(), strict=True) if gain > 0}

    def save(self, folder: str | Path) -> None:
        """Write ``boost.json`` and each booster as compressed LightGBM text, ``booster-ERA-NUMBER.txt.gz``."""
        folder = Path(folder)
        write_card(folder / CARD, FORMAT_VERSION, self.config, self.tree, self.mix, features=list(self.features))
        for path, booster in zip(_paths(folder, self.config), itertools.chain(*self.boosters), strict=True):
            write_booster(path, booster)
        if self.known:
            self.known.save(folder / TEMPLATES)


def load(folder: str | Path, tree: Taxonomy) -> Boost:
    """Read back what `Boost.save` wrote.

    Raises
    ------
    ValueError
        A file is missing, too large or not ours, or its features, tree or settings are not those of this version.
    """
    folder = Path(folder)
    config, mix, document = read_card(folder / CARD, FORMAT_VERSION, Config, tree, ("features",))
    features = tuple(document["features"])
    if features != _features(config, tree):
        raise ValueError(f"{folder / CARD} lists features that are not those this version computes")
    trained = [read_booster(path, config.library) for path in _paths(folder, config)]
    for booster in trained:
        if booster.shape != (len(features), parts(tree, config).max() + 1):
            raise ValueError(f"{folder}: a booster has other features or classes than {CARD} says")
    known = Templates.load(folder / TEMPLATES) if config.siblings else None
    return Boost(tree, config, features, mix, _by_era(trained, config), known)


def fit(
    train: LightCurves,
    validation: LightCurves,
    tree: Taxonomy,
    config: Config,
    *,
    folder: Path,
    progress: Progress | None = None,
    seed: int = 0,
) -> Boost:
    """Fit the boosters; a finished one is kept in `folder` and not fitted again after a kill.

    Parameters
    ----------
    train : LightCurves
        Labelled objects with all their rows; they are truncated here. Objects known only down to an inner node are left
        out with a notice.
    validation : LightCurves
        Not used: nothing is stopped early or chosen, so these objects stay unseen.
    tree : Taxonomy
    config : Config
    folder : path
        For finished boosters.
    progress : rich.progress.Progress, optional
        Shows trees done and time left.
    seed : int

    Raises
    ------
    ValueError
        No object is labelled with a leaf.
    """
    del validation
    known, leaf = _with_leaf(train, tree)
    part = parts(tree, config)
    label, n_classes = part[leaf], int(part.max()) + 1
    mix = (
        np.bincount(leaf, minlength=tree.leaves.size)
        * np.maximum(np.bincount(label, minlength=n_classes), 1.0)[part] ** -config.balance
    )
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    paths = _paths(folder, config)
    waiting = [path for path in paths if not path.is_file()]
    sources = templates(known, label) if config.siblings else None
    alike = siblings(known, sources, n_classes, np.arange(len(known))) if sources and waiting else None
    task = progress.add_task("boosted trees", total=len(waiting) * config.rounds) if progress else None

    def tick(_: Any) -> None:
        if progress and task is not None:
            progress.advance(task)

    for number in range(config.boosters):
        own = paths[number :: config.boosters]  # of each era
        if not set(own) & set(waiting):
            continue
        rng = np.random.default_rng([seed, number])
        drawn = examples(known, label, config, rng, first_copy=number * MOST_ENTRIES)
        if alike is not None:  # a copy is alike whom its original is
            drawn = drawn._replace(table=np.hstack([drawn.table, alike[drawn.owner]]))
        starts = (0.0, *config.eras)
        for path, start, its_seed in zip(own, starts, rng.integers(2**31, size=len(own)), strict=True):
            if path in waiting:
                older = drawn.of(drawn.age >= start)
                if not older.owner.size:
                    raise ValueError(f"no light curve to learn from is {start:g} days old; set other eras")
                write_booster(path, _boost(older, label, n_classes, config, int(its_seed), tick))
    trained = _by_era([read_booster(path, config.library) for path in paths], config)
    return Boost(tree, config, _features(config, tree), mix, trained, sources)


def ages(light_curves: LightCurves) -> NDArray[np.float64]:
    """Give the days from each object's first detection to its last row, 0 without either, shape ``(n_objects,)``."""
    last = np.full(len(light_curves), np.nan)
    seen = light_curves.lengths > 0
    last[seen] = light_curves.time[light_curves.offsets[1:][seen] - 1]
    return np.fmax(last - light_curves.first_detection, 0)


def _paths(folder: Path, config: Config) -> list[Path]:
    return [folder / f"booster-{era}-{n}.txt.gz" for era in range(len(config.eras) + 1) for n in range(config.boosters)]


def _by_era(boosters: list[Any], config: Config) -> list[list[Any]]:
    return [boosters[first : first + config.boosters] for first in range(0, len(boosters), config.boosters)]


def _features(config: Config, tree: Taxonomy) -> tuple[str, ...]:
    """Name what the boosters read."""
    classes = [str(part) for part in range(parts(tree, config).max() + 1)] if config.siblings else []
    return feature_names(config.families) + sibling_names(classes)


def parts(tree: Taxonomy, config: Config) -> NDArray[np.int64]:
    """Give the class of each leaf, shape ``(n_leaves,)``; see `Config.classes`."""
    return tree.parts(config.classes) if config.classes else np.arange(tree.leaves.size)


class Examples(NamedTuple):
    """Light curves as the boosters learn from them.

    Parameters
    ----------
    table : array, shape ``(n_examples, n_features)``
    owner : array of int, shape ``(n_examples,)``
        The object of each.
    age : array, shape ``(n_examples,)``, days
        See `ages`.
    """

    table: NDArray[np.float32]
    owner: NDArray[np.int64]
    age: NDArray[np.float64]

    def of(self, which: NDArray[np.bool_]) -> Examples:
        """Select examples by a mask."""
        return Examples(self.table[which], self.owner[which], self.age[which])


def examples(
    light_curves: LightCurves,
    label: NDArray[np.int64],
    config: Config,
    rng: np.random.Generator,
    first_copy: int = 0,
) -> Examples:
    """Draw the entries of all objects and compute their statistics; those without rows at the day drawn are missing.

    Parameters
    ----------
    light_curves : LightCurves
        With all their rows and context.
    label : array, shape ``(n_objects,)``, int
        Class of each object.
    config : Config
    rng : numpy.random.Generator
    first_copy : int
        Number of the first copies of whole light curves, which are the same in any company.
    """
    n = len(light_curves)
    share = np.bincount(label)[label] ** -0.5
    entries = np.floor(np.minimum(config.truncations * share / share.mean(), MOST_ENTRIES) + rng.random(n)).astype(int)
    tables, owners, known_for = [], [], []
    for turn in range(entries.max()):
        entering = np.flatnonzero(entries > turn)
        if not config.truncated:
            own = light_curves[entering]
            own = resample(own, first_copy + turn, config.dimming, config.thinning) if turn else own
            tables.append(statistics(own, config.families).values)
            owners.append(entering)
            known_for.append(ages(own))
            continue
        resampled = rng.random(len(entering)) < config.resampled
        context = rng.integers(3, size=len(entering))
        for which, kind in itertools.product((True, False), range(3)):
            members = entering[(resampled == which) & (context == kind)]
            known = _enter(light_curves[members], which, get_args(Context)[kind], config, rng)
            seen = known.lengths > 0
            tables.append(statistics(known[seen], config.families).values)
            owners.append(members[seen])
            known_for.append(ages(known[seen]))
    return Examples(np.concatenate(tables), np.concatenate(owners), np.concatenate(known_for))


def _enter(
    light_curves: LightCurves, resampled: bool, context: Context, config: Config, rng: np.random.Generator
) -> LightCurves:
    """Objects as they enter the training once: copied perhaps, cut at a day, with one kind of context."""
    if resampled:
        light_curves = resample(light_curves, rng, config.dimming, config.thinning)
    days = 10 ** rng.uniform(np.log10(SHORTEST), np.log10(LONGEST), len(light_curves))
    return keep_context(cut(light_curves, days, config.view), context)


def _with_leaf(light_curves: LightCurves, tree: Taxonomy) -> tuple[LightCurves, NDArray[np.int64]]:
    """Objects labelled with a leaf, and which leaf, counted along ``tree.leaves``."""
    node = tree.labels(light_curves.label)
    is_leaf = np.isin(node, tree.leaves)
    if not is_leaf.any():
        raise ValueError("no object is labelled with a leaf of the tree: there is nothing to learn from")
    if not is_leaf.all():
        first = light_curves.object_id[~is_leaf][0]
        message = f"{(~is_leaf).sum()} objects are not labelled with a leaf and are left out, first {first!r}"
        warnings.warn(message, RepairWarning, stacklevel=3)
        light_curves, node = light_curves[is_leaf], node[is_leaf]
    return light_curves, np.searchsorted(tree.leaves, node)


def _boost(drawn: Examples, label: NDArray[np.int64], n_classes: int, config: Config, seed: int, tick: Any) -> Booster:
    """Fit one booster."""
    table, owner, _ = drawn
    weight = np.bincount(label)[label[owner]].astype(float) ** -config.balance / np.bincount(owner)[owner]
    grown = {name: getattr(config, name) for name in _GROWN}
    settings = Settings(n_classes=n_classes, seed=seed, **grown)
    return train_booster(config.library, table, label[owner], weight / weight.mean(), settings, tick)
