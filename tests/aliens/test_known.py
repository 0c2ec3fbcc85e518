"""Known objects: the nearest is found, every damaged file is refused, thinning keeps what counts."""

import dataclasses

import numpy as np
import pytest

import telperion
from telperion.acquainting import keep, look
from telperion.aliens.files import read_arrays, write_arrays
from telperion.aliens.known import FILE, MAX_BYTES, ROWS, KnownObjects, thinned
from telperion.demo.night import simulate


def simulated(n, seed):
    """Light curves of the flagship's classes, as many of each."""
    return simulate(n, seed, lambda name: None)


@pytest.fixture(scope="module")
def flagship():
    return telperion.load("elasticc")


@pytest.fixture(scope="module")
def curves():
    return simulated(57, 12)


@pytest.fixture(scope="module")
def kept(flagship, curves):
    return keep(flagship, curves)


def test_an_object_that_is_kept_is_its_own_nearest(kept, curves):
    states = look(kept, curves, days=(8.0,))
    mine = np.flatnonzero(states.days > 5)  # of others the moment at two days is nearer
    assert mine.size > 60
    for k in mine[::5]:
        place, far = kept.aliens.known.nearest(kept.aliens.distance, states.hidden[k], states.days[k], states.kept[k])
        assert curves.object_id[place[0]] == states.object_id[k]
        assert far[0] < 0.01 < far[1]  # of half precision
        assert (np.diff(far) >= 0).all()


def test_the_nearest_are_those_of_scikit_learn(kept):
    neighbours = pytest.importorskip("sklearn.neighbors", reason="the second opinion needs scikit-learn")
    known, distance = kept.aliens.known, kept.aliens.distance
    states = look(kept, simulated(19, 13), days=(32.0,), contexts=("none",))
    there = np.flatnonzero(np.isfinite(known.turned[2, 3]).all(axis=1))
    theirs = neighbours.NearestNeighbors(n_neighbors=4).fit(known.turned[2, 3][there].astype(np.float32))
    turned = distance.turned(states.hidden, 32.0)[:, : known.turned.shape[3]]
    far, place = theirs.kneighbors(turned)
    for k in range(len(states.days)):
        if not 20 < states.days[k] < 60:  # compared at another moment
            continue
        ours = known.nearest(distance, states.hidden[k], states.days[k], "none", 4)
        np.testing.assert_array_equal(ours[0], there[place[k]])
        np.testing.assert_allclose(ours[1], far[k] / np.sqrt(turned.shape[1]), rtol=1e-4)


def test_what_is_saved_is_read_again_and_answers_alike(kept, tmp_path):
    kept.save(tmp_path / "kept")
    again = telperion.load(tmp_path / "kept").aliens.known
    known = kept.aliens.known
    assert (again.contexts, again.moments.tolist()) == (known.contexts, known.moments.tolist())
    np.testing.assert_array_equal(again.turned, known.turned)
    for name in ("object_id", "label", "offsets", "time", "band", "flux", "flux_err", "detected"):
        np.testing.assert_array_equal(getattr(again.curves, name), getattr(known.curves, name), err_msg=name)


@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("format", lambda values: values + 1),
        ("label", lambda values: np.full_like(values, "")),
        ("moments", lambda values: values[::-1]),
        ("turned", lambda values: values[:, :, :-1]),
        ("offsets", lambda values: values + 1),
        ("flux", lambda values: values * np.float32(np.nan)),
        ("band", lambda values: values + np.int8(40)),
        ("redshift", lambda values: values[:-1]),
    ],
)
def test_a_damaged_file_is_refused(kept, tmp_path, name, change):
    kept.aliens.known.save(tmp_path)
    arrays = read_arrays(tmp_path / FILE, MAX_BYTES)
    write_arrays(tmp_path / FILE, arrays | {name: change(arrays[name])})
    with pytest.raises(ValueError, match=r"known\.npz holds no known objects"):
        KnownObjects.load(tmp_path)


def test_thinning_keeps_detections_first_and_counts_days_from_the_first(curves):
    few = thinned(curves, 5)
    assert few.lengths.max() == 5
    for k in range(len(curves)):
        whole, left = curves[k], few[k]
        assert left.detected.sum() == min(5, whole.detected.sum())
        if left.detected.any():
            assert left.time[left.detected][0] == 0
        fluxes = set(whole.flux.tolist())
        assert set(left.flux.tolist()) <= fluxes
    whole = thinned(curves, 10**6)
    np.testing.assert_array_equal(whole.lengths, curves.lengths)
    np.testing.assert_allclose(whole.time, curves.days_since_first_detection, atol=1e-4)


def test_the_shipped_ones_are_of_every_class_and_mostly_find_their_own(flagship):
    known = flagship.aliens.known
    tree = flagship.tree
    names, count = np.unique(known.curves.label, return_counts=True)
    assert set(names) == {tree.nodes[leaf] for leaf in tree.leaves}
    assert (count == 40).all()
    assert known.curves.lengths.max() <= ROWS
    states = look(flagship, simulated(95, 14), days=(64.0,), contexts=("specz",))
    own = [
        (known.curves.label[known.nearest(flagship.aliens.distance, *each, "specz")[0]] == label).mean()
        for *each, label in zip(states.hidden, states.days, states.labels, strict=True)
    ]
    assert np.mean(own) > 0.4  # a class in nineteen by chance


def test_who_has_no_sense_of_strangeness_keeps_nothing(curves):
    with pytest.raises(TypeError, match="acquaint it first"):
        keep(telperion.load("plasticc-gru"), curves)


def test_directions_must_be_those_of_the_distance(kept):
    known = dataclasses.replace(kept.aliens.known, turned=np.repeat(kept.aliens.known.turned, 3, axis=3))
    with pytest.raises(ValueError, match="72 directions, the distance has 48"):
        dataclasses.replace(kept.aliens, known=known)
