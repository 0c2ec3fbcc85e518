"""Trees, and answers along them that nobody gave."""

from collections.abc import Callable
from functools import partial

import numpy as np
import pytest

from telperion.serve.answers import Answers, Provenance
from telperion.taxonomy import Taxonomy


def make(tree: Taxonomy, n: int, seed: int = 0) -> Answers:
    """Random answers, every fourth without a row, every fourth without a known time."""
    rng = np.random.default_rng(seed)
    probabilities = tree.probabilities(3 * rng.normal(size=(n, len(tree)))).astype(np.float32)
    n_rows = rng.integers(1, 300, n) * (np.arange(n) % 4 != 2)
    received = 1.78e9 + 1e6 * rng.random(n)
    return Answers(
        alert_id=rng.integers(0, 2**62, n) >> rng.integers(0, 62, n),
        source_id=rng.integers(0, 2**62, n),
        object_id=np.array(["ZTF18abc", "170032887788077057", "", "ψ Per"])[rng.integers(0, 4, n)],
        alert_time=np.where(np.arange(n) % 4 != 1, 61_000 + rng.random(n), np.nan),
        days=np.where(n_rows > 0, 2000 * rng.random(n) ** 4, np.nan),
        n_rows=n_rows,
        probabilities=probabilities,
        leaf=tree.leaf(probabilities),
        confident=tree.confident(probabilities),
        context=np.array(["specz", "photoz", "none"])[rng.integers(0, 3, n)],
        history_truncated=rng.random(n) < 0.2,
        received=received,
        published=received + rng.random(n),
    )


@pytest.fixture(scope="session")
def elasticc() -> Taxonomy:
    """The tree of 26 nodes."""
    return Taxonomy.load("elasticc")


@pytest.fixture(scope="session")
def odd() -> Taxonomy:
    """A tree whose names are hard to write down."""
    names = {name: {} for name in ("SN Ia", "SN-Ia", "91bg", 'say "%s"', "d'or", "ψ\\n", "days", "leaf", "{objectId}")}
    return Taxonomy("odd % tree", {"All of it": {"and": names, "b": {}}})


@pytest.fixture(scope="session")
def make_answers() -> Callable[..., Answers]:
    """Give n random answers along a tree: ``make_answers(tree, n, seed)``."""
    return make


@pytest.fixture(scope="session")
def about() -> Callable[[Taxonomy], Provenance]:
    """Who says it, along a tree."""
    return partial(Provenance, "some classifier", "1a2b 50 %", broker='"B"', broker_version="0.1")
