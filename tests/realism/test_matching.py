import numpy as np
import pytest

from telperion.encode.observations import NIGHT
from telperion.realism.matching import FEWEST_ROWS, NEAR, alike


@pytest.fixture(scope="module")
def pairs(halves):
    return alike(*halves, np.random.default_rng(3))


def test_pairs_have_the_same_bands_and_errors(pairs):
    ours, theirs = pairs
    assert len(ours) == len(theirs) > 60
    np.testing.assert_array_equal(ours.lengths, theirs.lengths)
    assert ours.lengths.min() >= FEWEST_ROWS
    for a, b in ((ours[k], theirs[k]) for k in range(0, len(ours), 9)):
        np.testing.assert_array_equal(np.sort(a.band), np.sort(b.band))
        np.testing.assert_array_equal(np.sort(a.flux_err), np.sort(b.flux_err))


def test_one_row_a_night_is_kept_near_its_partner(pairs, halves):
    for side, whole in zip(pairs, halves, strict=True):
        apart = np.diff(side.time)[np.diff(side.object_index) == 0]
        assert apart.min() > NIGHT / 2
        assert set(side.object_id) <= set(whole.object_id)
    first = [dict(zip(half.object_id, half.first_detection, strict=True)) for half in halves]
    ages = [
        [one.time[one.band == 2] - start[one.object_id[0]] for one in (side[k] for k in range(30))]
        for side, start in zip(pairs, first, strict=True)
    ]
    for a, b in zip(*ages, strict=True):
        assert np.abs(a - b).max(initial=0) <= NEAR


def test_noise_is_added_so_that_errors_are_true(halves, rng):
    simulated, real = halves
    flat = simulated._with(
        flux=(simulated.flux_err * rng.normal(size=simulated.n_rows)).astype(np.float32),
        detected=np.ones(simulated.n_rows, dtype=bool),
    )
    coarse = real._with(flux_err=3 * real.flux_err)
    ours, _ = alike(flat, coarse, rng)
    assert (ours.flux / ours.flux_err).std() == pytest.approx(1, abs=0.05)


def test_what_becomes_too_faint_is_no_detection(halves, rng):
    simulated, real = halves
    ours, _ = alike(simulated, real._with(flux_err=10 * real.flux_err), rng)
    lost = np.abs(ours.flux / ours.flux_err) < 1
    assert lost.any()
    assert ours.detected[lost].mean() < 0.05


def test_sets_of_other_sizes_are_refused(halves, rng):
    with pytest.raises(ValueError, match="105 simulated objects cannot be paired with 100"):
        alike(halves[0], halves[1][:100], rng)
