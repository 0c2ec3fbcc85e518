"""What a ranking finds at a telescope, beside simpler ones that have the same hours.

    python benchmarks/campaign.py SKY --seeds 3                  # a labelled survey in its own class mix
    python benchmarks/campaign.py SKY --seeds 3 --rates          # the same objects as often as the sky has them

Each object is live at one moment of its light curve, drawn by the seed: the evening after one of its detections (of a
quarter the first). It belongs to a night of that season. What is known then, the alert view, is classified and its
brightness forecast; exposures are the same for all rankings. A spectrum succeeds if the exposure is long enough for the
brightness that the rows around that time, later ones too, say.
"""

import argparse
from dataclasses import fields, replace
from typing import NamedTuple

import numpy as np

import telperion
from telperion.encode.view import keep_context, view
from telperion.rank.forecast import Usual
from telperion.rank.plan import Observing, exposures, greedy
from telperion.rank.telescope import Telescope
from telperion.rank.value import value
from telperion.rank.visibility import SITES, dark, visibility
from telperion.simulate.rates import expected
from telperion.tables import Table, to_markdown

SITE, FIRST_NIGHT, YEAR = SITES["cerro-pachon"], 61_000, 365.25
BANDS, GAP = (1, 2, 3), 15.0
OURS = "telperion rank"
SINCE = 0.7
"""Days from the detection to nightfall."""


def moments(curves, rng, nights):
    """Draw the detection after which each object is asked about, and the night that it belongs to."""
    rows = np.flatnonzero(curves.detected)
    count = np.bincount(curves.object_index[rows], minlength=len(curves))
    which = np.where(rng.random(len(curves)) < 0.25, 0, (rng.random(len(curves)) * count).astype(int))
    last = curves.time[rows[np.cumsum(count) - count + which]]
    season = (last - FIRST_NIGHT) % YEAR + rng.normal(0, 7, len(curves))
    return last, np.floor(season % YEAR / YEAR * nights).astype(int)


def true_magnitudes(curves, when):
    """Interpolate flux between the rows around a time, shape ``(n, 6)``; NaN where a band has none near."""
    found = np.full((len(curves), 6), np.nan)
    for band in BANDS:
        mine = curves.select_rows(curves.band == band)
        before = np.bincount(mine.object_index[mine.time <= when[mine.object_index]], minlength=len(curves))
        after = np.clip(mine.offsets[:-1] + before, 0, mine.n_rows - 1)
        row = np.clip(after - 1, 0, None)
        known = (before > 0) & (before < mine.lengths) & (mine.time[after] - mine.time[row] < GAP)
        share = (when - mine.time[row]) / np.where(known, mine.time[after] - mine.time[row], 1)
        flux = mine.flux[row] + share * (mine.flux[after] - mine.flux[row])
        found[known, band] = 31.4 - 2.5 * np.log10(np.maximum(flux[known], 1e-3))
    return found


class Candidates(NamedTuple):
    """Objects that a night's telescope may point to; `live` are the labels of all, `place` where these stand there."""

    live: np.ndarray
    place: np.ndarray
    label: np.ndarray
    said: np.ndarray
    magnitude: np.ndarray
    cost: np.ndarray
    success: np.ndarray
    deep: np.ndarray


def candidates(curves, classifier, observing, rng, nights, prior):
    """Give for each night all that a ranking may know of the objects that can be observed, and the truth."""
    last, night = moments(curves, rng, nights)
    midnight = np.array([SITE.midnight(FIRST_NIGHT + YEAR * (k + 0.5) / nights) for k in range(nights)])
    nightfall = np.array([dark(SITE, time)[0] for time in midnight])
    curves = replace(curves, time=curves.time + (nightfall[night] - SINCE - last)[curves.object_index])
    for number in range(nights):
        mine, now = curves[night == number], nightfall[number]
        known = view(mine, now - mine.first_detection, "alert")
        seen = visibility(mine.context["ra"], mine.context["decl"], SITE, midnight[number])
        truth = true_magnitudes(mine, np.where(seen.hours > 0, seen.best, midnight[number]))
        rough = exposures(known, Usual(0.1, 0.3, 0.3), seen, now, observing)  # whom to ask the classifier about
        judged = np.isfinite(truth[np.arange(len(mine)), rough.band])  # somebody will know how bright it was
        some = np.flatnonzero(judged & (rough.success > 0))
        known, seen = known[some], type(seen)(*(getattr(seen, part.name)[some] for part in fields(seen)))
        said = classifier.predict(known, view="full", prior=prior)
        taken = exposures(known, Usual.of(said, classifier.tree), seen, now, observing)
        deep = observing.telescope.depth(taken.hours, seen.airmass) >= np.nanmin(truth[some], axis=1)
        cost = taken.hours + observing.telescope.overhead / 60
        yield Candidates(mine.label, some, known.label, said, taken.magnitude, cost, taken.success, deep)


def together(parts):
    """Put candidates of one night together."""
    starts = np.cumsum([0, *(part.live.size for part in parts)])
    merged = Candidates(*(np.concatenate(columns) for columns in zip(*parts, strict=True)))
    places = [part.place + start for part, start in zip(parts, starts, strict=False)]
    return merged._replace(place=np.concatenate(places))


def scores(some, tree, sought, rng):
    """Give what each ranking orders by, the largest first."""
    rate = np.where(some.success > 0, some.success / some.cost, 0)
    worth, called = value(some.said, tree, sought), [tree.index(name) for name in sought]
    rankings = {
        "random": rng.random(rate.size),
        "brightest first": 100 - some.magnitude,
        "leaf score": worth,
        "called, brightest first": np.isin(tree.leaf(some.said), called) * (100 - some.magnitude),
        OURS: worth * rate,
        f"{OURS}, learning": value(some.said, tree, sought, "learning") * rate,
    }
    return {name: np.where(rate > 0, score, 0) for name, score in rankings.items()}


def pool(label, weights, rng):
    """Draw objects of a night by the weights of classes, as many as there are of the class that runs out first."""
    if weights is None:
        return np.ones(label.size, dtype=bool)
    classes, place, count = np.unique(label, return_inverse=True, return_counts=True)
    share = np.array([weights[name] for name in classes]) / count
    return rng.random(label.size) < (share / share.max())[place]


def interval(values, rng):
    """Give mean and 95 % interval over nights, resampled."""
    means = values[rng.integers(0, values.size, (4000, values.size))].mean(axis=1)
    low, high = np.percentile(means, [2.5, 97.5])
    return f"{values.mean():.2f} [{low:.2f}, {high:.2f}]"


def campaign(curves, classifier, observing, arguments, weights):
    """Observe all nights by each ranking; counts of each night: sought ones found by class, spectra, hopes, deep."""
    tree, sought, found, there = classifier.tree, list(observing.sought), {}, []
    prior = None if weights is None else [weights[tree.nodes[leaf]] for leaf in tree.leaves]
    for seed in range(arguments.seeds):
        rng = np.random.default_rng(seed)
        asked = (curves, classifier, observing, rng, arguments.nights, prior)
        for parts in zip(*(list(candidates(*asked)) for _ in range(arguments.moments)), strict=True):
            some = together(parts)
            drawn = pool(some.live, weights, rng)
            chosen = drawn[some.place]
            there.append([drawn.sum(), chosen.sum(), *(np.sum(chosen & (some.label == name)) for name in sought)])
            for name, score in scores(some, tree, observing.sought, rng).items():
                targets = greedy(np.where(chosen, score, 0), some.cost, observing.hours)[1]
                hits = [np.sum(targets & some.deep & (some.label == sort)) for sort in sought]
                sums = [targets.sum(), some.success[targets].sum(), np.sum(targets & some.deep)]
                found.setdefault(name, []).append([*hits, *sums])
    return {name: np.array(nightly, dtype=float) for name, nightly in found.items()}, np.mean(there, axis=0)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("sky")
    parser.add_argument("-m", "--model", default="elasticc")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--nights", type=int, default=30)
    parser.add_argument("--moments", type=int, default=1, help="of each object, so that more are live")
    parser.add_argument("--hours", type=float, default=8)
    parser.add_argument("--limit", type=float, default=21.5)
    parser.add_argument("--seek", nargs="+", default=["TDE", "KN"])
    parser.add_argument("--context", default="photoz")
    parser.add_argument("--rates", action="store_true", help="classes as often as the sky has them")
    arguments = parser.parse_args()
    curves, sought = keep_context(telperion.read(arguments.sky), arguments.context), dict.fromkeys(arguments.seek, 1.0)
    observing = Observing(FIRST_NIGHT, SITE, Telescope(arguments.limit), arguments.hours, sought)
    classifier, weights = telperion.load(arguments.model), expected() if arguments.rates else None
    found, there = campaign(curves, classifier, observing, arguments, weights)
    rng, n, rows = np.random.default_rng(0), len(sought), []
    sums = {name: nightly[:, :n].sum(axis=1) for name, nightly in found.items()}
    for name, nightly in found.items():
        every = [*nightly[:, :n].T, sums[name], sums[OURS] - sums[name]]
        spectra = [f"{mean:.1f}" for mean in nightly[:, n:].mean(axis=0)]
        rows.append([name, *(interval(values, rng) for values in every), *spectra])
    heads = ["ranking", *sought, "all", f"{OURS} finds more", "spectra", "long enough: expected", "true"]
    sizes = ", ".join(f"{mean:.2f} {name}" for mean, name in zip(there[2:], sought, strict=True))
    title = (
        f"A night, of {arguments.seeds} x {arguments.nights}: {there[0]:.0f} live, {there[1]:.0f} observable ({sizes})"
    )
    print(to_markdown(Table(title, [("", head) for head in heads], rows)))


if __name__ == "__main__":
    main()
