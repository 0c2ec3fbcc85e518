"""A sky of very many objects, written as a stream's workers write it, of answers and light curves drawn at random.

Probabilities crowd at few leaves as those of a classifier do.
"""

import numpy as np

from telperion.lightcurves import LightCurves
from telperion.serve.answers import Answers, Provenance
from telperion.serve.outbox import Message
from telperion.serve.sky_messages import SkyMessages
from telperion.serve.sky_sink import SkySink
from telperion.serve.taken import Origin
from telperion.taxonomy import Taxonomy

N, AT_ONCE = 100_000, 2000
TREE = Taxonomy.load("elasticc")
ABOUT = Provenance("elasticc", "8d1c4f6e2b7a", TREE)
MIX = np.full(TREE.leaves.size, 1 / TREE.leaves.size)


def curves_of(names: np.ndarray, rows: int, rng: np.random.Generator) -> LightCurves:
    n = names.size
    time_of = 61_000 + np.sort(rng.uniform(0, 100, (n, rows)), axis=1)
    flux = rng.lognormal(8, 1, (n, rows))
    return LightCurves(
        names, rows * np.arange(n + 1), time_of.ravel(), rng.integers(0, 6, n * rows), flux.ravel(),
        np.full(n * rows, 300.0), rng.random(n * rows) < 0.7,
        {"ra": rng.uniform(0, 360, n), "decl": rng.uniform(-70, 10, n), "mwebv": rng.uniform(0, 0.3, n),
         "hostgal_photoz": rng.uniform(0, 1, n)},
    )  # fmt: skip


def answers_of(curves: LightCurves, rng: np.random.Generator) -> Answers:
    n = len(curves)
    probabilities = TREE.probabilities(3 * rng.normal(size=(n, len(TREE)))).astype(np.float32)
    ids, received = rng.integers(10**17, 10**18, n), 1.78e9 + rng.random(n)
    last = curves.time[curves.offsets[1:] - 1]
    return Answers(
        alert_id=ids, source_id=ids, object_id=curves.object_id, alert_time=last, days=100 * rng.random(n),
        n_rows=curves.lengths, probabilities=probabilities, leaf=TREE.leaf(probabilities),
        confident=TREE.confident(probabilities), context=np.full(n, "photoz"),
        history_truncated=np.zeros(n, dtype=bool), received=received, published=received + 0.05,
    )  # fmt: skip


def write(sink: SkySink, curves: LightCurves, rng: np.random.Generator) -> None:
    messages = SkyMessages(ABOUT, MIX).encode(answers_of(curves, rng), curves)
    sink.publish([Message(Origin("crowd", 0), b"", value) for value in messages])


def crowd(sink: SkySink, rows: int, rng: np.random.Generator, n: int = N) -> None:
    """Write so many objects of so many rows each, and one answer."""
    names = np.unique(rng.integers(10**17, 9 * 10**17, n + 100))[:n].astype(np.str_)
    for first in range(0, names.size, AT_ONCE):
        write(sink, curves_of(names[first : first + AT_ONCE], rows, rng), rng)
