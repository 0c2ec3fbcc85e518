import numpy as np
import pytest

from telperion.encode.statistics import ANY_PHASE, statistics
from telperion.realism.quantities import Distributions, ks_distance, ks_limit, quantities


def values(curves):
    return quantities(curves, statistics(curves, ANY_PHASE))


@pytest.fixture(scope="module")
def samples(halves):
    return [values(half) for half in halves]


def test_the_distance_is_that_of_scipy(rng):
    stats = pytest.importorskip("scipy.stats")
    for n, m in ((10, 30), (200, 150)):
        a, b = rng.normal(size=n).round(1), rng.normal(0.3, size=m).round(1)  # with ties
        assert ks_distance(a, b) == pytest.approx(stats.ks_2samp(a, b).statistic)


def test_the_limit_is_seldom_passed_by_samples_of_one_distribution(rng):
    beyond = np.mean([ks_distance(rng.normal(size=60), rng.normal(size=90)) > ks_limit(60, 90) for _ in range(400)])
    assert 0.01 < beyond < 0.09


def test_halves_of_one_set_are_near(samples):
    distances = Distributions("all", *samples).distances
    assert len(distances) > 15
    assert np.mean([one.distance > one.limit for one in distances]) < 0.2


def test_a_shifted_colour_is_farthest_apart(samples):
    redder = {**samples[0], "g-r at peak": samples[0]["g-r at peak"] + 3}
    first = Distributions("all", redder, samples[1]).distances[0]
    assert first.quantity == "g-r at peak"
    assert first.simulated - first.real > 2


def test_doubled_noise_is_found_where_it_is(halves):
    simulated, real = halves
    noisy = simulated._with(flux_err=np.where(simulated.band == 3, 2, 1).astype(np.float32) * simulated.flux_err)
    one = Distributions("all", values(noisy), values(real))
    assert one.distances[0].quantity == "error in i"
    assert one.distances[0].simulated - one.distances[0].real == pytest.approx(np.log10(2), abs=0.1)


def test_what_too_few_have_is_not_compared(samples):
    unknown = {**samples[0], "photo-z": np.full_like(samples[0]["photo-z"], np.nan)}
    assert "photo-z" not in {one.quantity for one in Distributions("all", unknown, samples[1]).distances}


def test_values_that_a_file_keeps_with_less_precision_are_the_same(halves):
    errors = [np.full(len(halves[0]), 0.001), np.full(len(halves[1]), np.float32(0.001))]
    known = [
        values(half.with_context({**half.context, "hostgal_specz_err": error}))
        for half, error in zip(halves, errors, strict=True)
    ]
    (distance,) = (one for one in Distributions("all", *known).distances if one.quantity == "spec-z error")
    assert distance.distance == 0


def test_quantities_are_what_their_names_say(many):
    found = values(many)
    np.testing.assert_array_equal(found["observations"], many.lengths)
    np.testing.assert_allclose(found["photo-z"], many.context["hostgal_photoz"], rtol=1e-6)
    for k in (0, 70, 140):
        one = many[k]
        time = one.time[one.detected]
        assert found["detections"][k] == len(time)
        assert found["days of detections"][k] == pytest.approx(np.ptp(time), rel=1e-5)
        assert found["peak S/N"][k] == pytest.approx((one.flux / one.flux_err).max(), rel=1e-5)
        r = one.flux[one.detected & (one.band == 2)]
        if r.max(initial=0) > 0:
            assert found["peak r"][k] == pytest.approx(31.4 - 2.5 * np.log10(r.max()), abs=0.05)
        else:
            assert np.isnan(found["peak r"][k])
