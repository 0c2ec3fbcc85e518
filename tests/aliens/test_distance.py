"""The distance from the nearest class: against scikit-learn's, and what must not matter to it."""

import numpy as np
import pytest

from telperion.aliens.distance import FEWEST, Distance, shrunk_covariance

N_HIDDEN, CLASSES = 6, np.array(["a", "b", "c"])


def draw(rng, n, spread=1.0):
    """Draw states of three classes, each a lump of its own width, at two phases: states, labels, days."""
    place = rng.integers(0, 3, n)
    mixed = np.linalg.qr(np.random.default_rng(9).normal(size=(N_HIDDEN, N_HIDDEN)))[0] * np.geomspace(0.1, 1, N_HIDDEN)
    state = (rng.normal(0, spread, (n, N_HIDDEN)) * (1 + place[:, None])) @ mixed + 2 * place[:, None]
    return state, CLASSES[place], rng.choice([1.0, 20.0], n)


@pytest.fixture
def known(rng):
    return draw(rng, 3000)


def test_the_shrunk_covariance_is_that_of_scikit_learn(rng):
    covariance = pytest.importorskip("sklearn.covariance", reason="the second opinion needs scikit-learn")
    for n in (5, 40, 4000):
        values = rng.normal(0, 1, (n, 8)) @ rng.normal(0, 1, (8, 8))
        theirs = covariance.LedoitWolf(assume_centered=True).fit(values).covariance_
        np.testing.assert_allclose(shrunk_covariance(values), theirs, rtol=1e-9, atol=1e-12)


def test_the_distance_is_that_of_mahalanobis(rng, known):
    """Whitened and shrunk by scikit-learn, measured by SciPy; with all directions kept, turning changes nothing."""
    covariance = pytest.importorskip("sklearn.covariance", reason="the second opinion needs scikit-learn")
    distance = pytest.importorskip("scipy.spatial.distance", reason="the second opinion needs SciPy")
    ours = Distance.fit(*known, edges=[0.0, 10.0], kept=N_HIDDEN)
    state, label, _ = (values[known[2] < 10] for values in known)
    means = {each: state[label == each].mean(axis=0) for each in CLASSES}
    centred = state - np.stack([means[each] for each in label])
    white = np.linalg.cholesky(covariance.LedoitWolf(assume_centered=True).fit(centred).precision_)
    asked = draw(rng, 20)[0]
    theirs = np.full(len(asked), np.inf)
    for each in CLASSES:
        own = covariance.LedoitWolf(assume_centered=True).fit(centred[label == each] @ white).precision_
        squared = [distance.mahalanobis((row - means[each]) @ white, np.zeros(N_HIDDEN), own) ** 2 for row in asked]
        theirs = np.minimum(theirs, squared)
    np.testing.assert_allclose(ours(asked, np.ones(len(asked))) * N_HIDDEN, theirs, rtol=1e-3)


def test_known_states_are_one_away_and_others_farther(rng, known):
    distance = Distance.fit(*known, edges=[0.0, 10.0])
    state, _, days = draw(rng, 2000)
    near = distance(state, days)
    assert np.median(near) == pytest.approx(0.9, abs=0.15)
    assert distance(state + 20, days).min() > near.max()


def test_neither_order_nor_company_of_states_matters(rng, known):
    order = rng.permutation(len(known[0]))
    one = Distance.fit(*known, edges=[0.0, 10.0])
    other = Distance.fit(*(values[order] for values in known), edges=[0.0, 10.0])
    state, _, days = draw(rng, 50)
    np.testing.assert_allclose(one(state, days), other(state, days), rtol=1e-4)
    alone = np.concatenate([one(state[[k]], days[[k]]) for k in range(50)])
    np.testing.assert_allclose(one(state, days), alone, rtol=1e-5)


def test_units_of_the_state_hardly_matter(rng, known):
    state, label, days = known
    asked = draw(rng, 50)
    one = Distance.fit(state, label, days, edges=[0.0])(asked[0], asked[2])
    other = Distance.fit(100 * state, label, days, edges=[0.0])(100 * asked[0], asked[2])
    np.testing.assert_allclose(one, other, rtol=1e-3)


def test_a_phase_knows_its_own_states_only(rng, known):
    state, label, days = known
    moved = np.where(days[:, None] > 10, state + 50, state)
    distance = Distance.fit(moved, label, days, edges=[0.0, 10.0])
    asked = draw(rng, 100)[0]
    assert distance(asked, np.full(100, 1.0)).max() < distance(asked, np.full(100, 20.0)).min()


def test_a_class_of_few_takes_the_spread_of_all(rng, known):
    state, label, days = known
    few = np.concatenate([rng.normal(30, 1, (FEWEST - 1, N_HIDDEN))])
    states = np.concatenate([state, few]), np.append(label, ["z"] * len(few)), np.append(days, np.ones(len(few)))
    distance = Distance.fit(*states, edges=[0.0])
    np.testing.assert_array_equal(distance.root[0, -1], np.eye(N_HIDDEN))
    assert distance(few, np.ones(len(few))).max() < 100


def test_flat_directions_are_borne(rng, known):
    state, label, days = known
    flat = np.concatenate([state, np.zeros((len(state), 2))], axis=1)
    assert np.isfinite(Distance.fit(flat, label, days, edges=[0.0])(flat[:20], days[:20])).all()


def test_no_row_no_distance(known):
    distance = Distance.fit(*known, edges=[0.0, 10.0])
    assert np.isnan(distance(np.zeros((2, N_HIDDEN)), [np.nan, 3.0])).tolist() == [True, False]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda s, y, d: (s[:-1], y, d), "have shapes"),
        (lambda s, y, d: (np.where(np.arange(len(s))[:, None] == 7, np.nan, s), y, d), "1 rows .* first at 7"),
        (lambda s, y, d: (s, y, np.where(np.arange(len(d)) == 3, -1, d)), "1 rows .* first at 3"),
        (lambda s, y, d: (s, y, np.ones(len(d))), "fewer than two states from 10 days on"),
    ],
)
def test_what_cannot_be_fitted_is_named(known, change, said):
    with pytest.raises(ValueError, match=said):
        Distance.fit(*change(*known), edges=[0.0, 10.0])


def test_states_of_another_network_are_refused(known):
    with pytest.raises(ValueError, match="of 6 numbers"):
        Distance.fit(*known, edges=[0.0])(np.zeros((2, 5)), [1.0, 1.0])
