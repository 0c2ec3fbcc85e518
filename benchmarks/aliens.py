"""How well scores of strangeness find a class that was left out of a classifier's training.

    python benchmarks/aliens.py SKY TEST -o out/aliens     # two labelled surveys along the tree `elasticc`
    python benchmarks/aliens.py SKY TEST -o out/aliens --groups 0 1

For each group of classes in turn a small network learns all the others, on a part of SKY. Another part of SKY, without
these classes again, fits every score. Objects of TEST are scored: how well do those of each class that was left out
stand out among those that were not? What is trained, and the states of all objects, stays in the folder: the same
command goes on from there.
"""

import argparse
from functools import partial
from pathlib import Path

import numpy as np

import telperion
from telperion.aliens.distance import Distance
from telperion.aliens.strangeness import PHASES, Aliens
from telperion.encode.view import keep_context, view
from telperion.models.gru import Gru
from telperion.models.gru_config import GruConfig
from telperion.progress import progress_bar
from telperion.tables import Table, to_markdown
from telperion.taxonomy import Taxonomy
from telperion.train import split

GROUPS = (("KN",), ("PISN",), ("uLens",), ("TDE", "M-dwarf Flare", "AGN"))
"""Classes that are left out together."""

LOOKED_AT, REPORTED = ("KN", "PISN", "uLens"), ("TDE", "M-dwarf Flare", "AGN")
"""Classes that a method may be chosen on, and those that are left out of the choice."""

LEARNT, FITTED, TESTED = 600, 400, 300
"""Most objects of a class that teach, that fit the scores, that are scored."""

DAYS = (2.0, 8.0, 64.0, 1024.0)
MOMENTS = (0.0, 1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0, 256.0, 512.0, 1024.0)
CONFIG = GruConfig(
    hidden=96, head=96, dropout=0.0, resampled=0.0, noise=0.0, row_dropout=0.0, group_dropout=0.2, short=0.5, epochs=6,
    patience=6, batch_size=128, learning_rate=3e-3,
)  # fmt: skip


def without(tree, names):
    """Cut leaves out of a tree."""

    def cut(nodes):
        return {node: cut(below) for node, below in nodes.items() if node not in names}

    document = tree.to_dict()
    aliases = {node: others for node, others in document.get("aliases", {}).items() if node not in names}
    return Taxonomy(f"{tree.name} without {', '.join(names)}", cut(document["tree"]), aliases)


def parts(curves, rng):
    """Part a survey by class into what teaches, what fits and the rest: rows of each."""
    taught, fitted = [], []
    for label in np.unique(curves.label):
        mine = rng.permutation(np.flatnonzero(curves.label == label))
        first, second = min(LEARNT, len(mine) // 2), min(FITTED, len(mine) // 3)
        taught.append(mine[:first])
        fitted.append(mine[first : first + second])
    return np.sort(np.concatenate(taught)), np.sort(np.concatenate(fitted))


def capped(curves, most, rng):
    """Draw at most so many objects of each class."""
    mine = [rng.permutation(np.flatnonzero(curves.label == label))[:most] for label in np.unique(curves.label)]
    return np.sort(np.concatenate(mine))


def states(model, curves, moments, bar, what):
    """Say what a network makes of objects at several moments: arrays of shape ``(n_moments, n_objects, ...)``."""
    found = {"hidden": [], "probabilities": [], "days": [], "rows": []}
    task = bar.add_task(what, total=len(moments))
    state, before = model.start(len(curves)), -np.inf
    for moment in moments:
        known = view(curves, moment, "alert")
        if before < 1 <= moment:  # forced photometry reaches back
            state, before = model.start(len(curves)), -np.inf
        new = known if before == -np.inf else known.select_rows(known.days_since_first_detection > before)
        probabilities, state = model.step(state, new)
        for name, values in zip(found, (state.hidden[:, -1], probabilities, state.days, known.lengths), strict=True):
            found[name].append(values)
        before = moment
        bar.advance(task)
    return {name: np.stack(values) for name, values in found.items()}


def prepare(names, sky, test, folder, context, seed, bar):
    """Train without these classes; give the states of the objects that fit and of those that are scored."""
    path = folder / "states.npz"
    if not path.is_file():
        from telperion.models.gru_training import fit

        rng = np.random.default_rng(seed)
        taught, fitted = parts(sky, rng)
        chosen = test[capped(test, TESTED, rng)]
        tree = without(Taxonomy.load("elasticc"), names)
        learning = sky[taught[~np.isin(sky.label[taught], names)]]
        learning, held = split(learning, tree, 0.1, seed)
        if (folder / "gru.json").is_file():
            model = Gru.load(folder, tree)
        else:
            model = fit(learning, held, tree, CONFIG, folder=folder / "training", progress=bar, seed=seed)
            model.save(folder)
        about = {}
        known = sky[fitted[~np.isin(sky.label[fitted], names)]]
        for what, curves, moments in (("fit", known, MOMENTS), ("test", chosen, DAYS)):
            found = states(model, keep_context(curves, context), moments, bar, f"{', '.join(names)}: {what}")
            about |= {f"{what}_{key}": values for key, values in found.items()} | {f"{what}_label": curves.label}
        np.savez(path, **about)
    return dict(np.load(path, allow_pickle=False))


class ByPhase:
    """A score fitted at each phase alone, on states or on what is said."""

    def __init__(self, make, key, fit):
        self.key, phase = key, np.searchsorted(PHASES, fit["days"], side="right") - 1
        self.scores = [make(fit[key][phase == k], fit["label"][phase == k]) for k in range(len(PHASES))]

    def __call__(self, asked):
        phase, result = np.searchsorted(PHASES, asked["days"], side="right") - 1, np.empty(len(asked["days"]))
        for k in np.unique(phase):
            result[phase == k] = self.scores[k](asked[self.key][phase == k])
        return result


def mahalanobis(state, label, *, relative=False):
    """Lee et al. (2018); relative: Ren et al. (2021)."""
    from sklearn.covariance import LedoitWolf

    means = np.stack([state[label == each].mean(axis=0) for each in np.unique(label)])
    inside = LedoitWolf(assume_centered=True).fit(state - means[np.searchsorted(np.unique(label), label)])
    overall = LedoitWolf().fit(state)

    def score(asked):
        nearest = np.min([inside.mahalanobis(asked - mean) for mean in means], axis=0)
        return nearest - overall.mahalanobis(asked) if relative else nearest

    return score


def neighbours(state, label, *, k=10, most=6000):
    from sklearn.covariance import LedoitWolf
    from sklearn.neighbors import NearestNeighbors

    names = np.unique(label)
    means = np.stack([state[label == each].mean(axis=0) for each in names])
    inside = LedoitWolf(assume_centered=True).fit(state - means[np.searchsorted(names, label)])
    white = np.linalg.cholesky(inside.precision_)
    few = np.random.default_rng(0).permutation(len(state))[:most]
    found = NearestNeighbors(n_neighbors=k).fit(state[few] @ white)
    return lambda asked: found.kneighbors(asked @ white)[0][:, -1]


def forests(state, label, *, by_class=False):
    """Liu et al. (2008); by class: Gupta et al. (2024)."""
    from sklearn.ensemble import IsolationForest

    groups = [label == each for each in np.unique(label)] if by_class else [np.ones(len(label), dtype=bool)]
    trees = 50 if by_class else 200
    grown = [IsolationForest(n_estimators=trees, random_state=0).fit(state[group]) for group in groups]
    return lambda asked: np.min([-forest.score_samples(asked) for forest in grown], axis=0)


def own_covariance(state, label, *, kept):
    distance = Distance.fit(state, label, np.zeros(len(label)), edges=[0.0], kept=kept)
    return lambda asked: distance(asked, np.zeros(len(asked)))


METHODS = {
    "1 - max p": (lambda *_: lambda p: 1 - p.max(axis=1), "leaves"),
    "entropy": (lambda *_: lambda p: -(p * np.log(p + 1e-9)).sum(axis=1), "leaves"),
    "Mahalanobis": (mahalanobis, "hidden"),
    "relative": (partial(mahalanobis, relative=True), "hidden"),
    "neighbours": (neighbours, "hidden"),
    "forest": (forests, "hidden"),
    "forests by class": (partial(forests, by_class=True), "hidden"),
    "by class, all": (partial(own_covariance, kept=10_000), "hidden"),
    "by class, 48": (partial(own_covariance, kept=48), "hidden"),
}
SHIPPED = "strangeness"


def flat(found, what, which, tree):
    """Put moments one after the other, objects without rows left out."""
    days = found[f"{what}_days"][:, which]
    seen = np.isfinite(days)
    said = {key: found[f"{what}_{key}"][:, which][seen] for key in ("hidden", "probabilities", "rows")}
    label = np.broadcast_to(found[f"{what}_label"][which], days.shape)[seen]
    moment = np.broadcast_to(np.arange(len(days))[:, None], days.shape)[seen]
    return said | {
        "leaves": said["probabilities"][:, tree.leaves],
        "days": days[seen],
        "label": label,
        "moment": moment,
    }


def scores(names, found, bar):
    """Score the objects of TEST by every method; arrays by method."""
    tree, n = without(Taxonomy.load("elasticc"), names), found["fit_label"].size
    first = np.random.default_rng(1).permutation(n) < n // 2
    fit, measure = flat(found, "fit", first, tree), flat(found, "fit", ~first, tree)
    asked = flat(found, "test", np.ones(found["test_label"].size, dtype=bool), tree)
    task, result = bar.add_task(f"{', '.join(names)}: scores", total=len(METHODS) + 1), {}
    for method, (make, key) in METHODS.items():
        result[method] = ByPhase(make, key, fit)(asked)
        bar.advance(task)
    both = {key: np.concatenate([fit[key], measure[key]]) for key in ("hidden", "label", "days", "rows")}
    aliens = Aliens.fit(*both.values(), measures=np.arange(len(both["days"])) >= len(fit["days"]))
    result[SHIPPED] = aliens.score(asked["hidden"], asked["days"], asked["rows"])
    bar.advance(task)
    return result | {"moment": asked["moment"], "label": asked["label"]}


def area(strange, known):
    """Give the area under the ROC curve, and the shares found at 1 and 5 % false alarms."""
    order = np.sort(known)
    below = (np.searchsorted(order, strange) + np.searchsorted(order, strange, side="right")) / 2
    return [below.mean() / known.size, *((strange > np.quantile(order, 1 - share)).mean() for share in (0.01, 0.05))]


def measure(strange, known, rng, draws=200):
    """Give what `area` gives of the objects as they are, and of objects drawn again, shape ``(1 + draws, 3)``."""
    again = [area(rng.choice(strange, strange.size), rng.choice(known, known.size)) for _ in range(draws)]
    return np.array([area(strange, known), *again])


def judge(names, folder, found, bar):
    """Give the figures of each class of a group, by method of shape ``(n_days, 1 + draws, 3)``, kept in the folder."""
    paths = {name: folder / f"figures-{name.replace(' ', '-')}.npz" for name in names}
    if not all(path.is_file() for path in paths.values()):
        scored, days = scores(names, found, bar), range(len(DAYS))
        known = ~np.isin(scored["label"], names)
        ours = [scored[SHIPPED][(scored["moment"] == k) & known] for k in days]
        for name, path in paths.items():
            strange, rng = scored["label"] == name, np.random.default_rng(2)
            figures = {"alarms": [[(each > level).mean() for level in (0.5, 0.95, 0.99)] for each in ours]}
            for method in (*METHODS, SHIPPED):
                moments = [(scored[method], scored["moment"] == k) for k in days]
                figures[method] = [measure(score[at & strange], score[at & known], rng) for score, at in moments]
            np.savez(path, **figures)
    return {name: dict(np.load(path, allow_pickle=False)) for name, path in paths.items()}


def with_interval(area):
    """Say the mean over days, and the 95 % interval as if all days told the same: they have the same objects."""
    low, high = np.percentile(area[:, 1:], [2.5, 97.5], axis=1).mean(axis=1)
    return f"{area[:, 0].mean():.3f} ({low:.3f} to {high:.3f})"


def table(title, figures):
    """Show all methods: area at each day with its interval of the mean, and recalls, mean over the classes given."""
    rows = []
    for method in (*METHODS, SHIPPED):
        mean = np.mean([each[method] for each in figures], axis=0)  # (n_days, 1 + draws, 3)
        cells = [f"{day[0, 0]:.3f}" for day in mean]
        cells.append(with_interval(mean[..., 0]))
        cells += [f"{day[0, k]:.2f}" for k in (1, 2) for day in mean]
        rows.append([method, *cells])
    days = [f"{day:g} d" for day in DAYS]
    heads = [("", "score"), *(("ROC-AUC", day) for day in [*days, "mean"])]
    heads += [(f"found at {share} % false alarms", day) for share in (1, 5) for day in days]
    return to_markdown(Table(title, heads, rows))


def overview(figures):
    """Show the mean area over days: of each class, and of those looked at and reported with its 95 % interval."""
    groups = {"looked at": LOOKED_AT, "reported": REPORTED}
    rows = []
    for method in (*METHODS, SHIPPED):
        areas = {name: each[method][..., 0] for name, each in figures.items()}  # each (n_days, 1 + draws)
        cells = [f"{values[:, 0].mean():.3f}" for values in areas.values()]
        for names in groups.values():
            chosen = [areas[name] for name in names if name in areas]
            cells.append(with_interval(np.mean(chosen, axis=0)) if chosen else "–")
        rows.append([method, *cells])
    heads = [("", "score"), *(("", name) for name in figures), *(("mean", name) for name in groups)]
    return to_markdown(Table(f"ROC-AUC, mean over {', '.join(f'{day:g}' for day in DAYS)} d", heads, rows))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("sky", type=Path)
    parser.add_argument("test", type=Path)
    parser.add_argument("-o", "--output", type=Path, required=True)
    parser.add_argument("--groups", nargs="+", type=int, default=range(len(GROUPS)), help="by number")
    parser.add_argument("--context", default="photoz")
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    sky, test = telperion.read(arguments.sky), telperion.read(arguments.test)
    figures = {}
    with progress_bar() as bar:
        for names in (GROUPS[number] for number in arguments.groups):
            folder = arguments.output / "+".join(names).replace(" ", "-")
            folder.mkdir(parents=True, exist_ok=True)
            found = prepare(names, sky, test, folder, arguments.context, arguments.seed, bar)
            figures |= judge(names, folder, found, bar)
    for name, each in figures.items():
        print(table(f"{name} left out", [each]), end="\n\n")
        print("known objects above .5, .95, .99:", each["alarms"].round(3).tolist(), end="\n\n")
    print(overview(figures), end="\n\n")
    for title, names in {"methods were chosen on these": LOOKED_AT, "reported": REPORTED}.items():
        if chosen := [figures[name] for name in names if name in figures]:
            print(table(f"Mean over {len(chosen)} classes, {title}", chosen), end="\n\n")


if __name__ == "__main__":
    main()
