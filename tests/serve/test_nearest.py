import numpy as np
import pytest

from telperion.serve import nearest
from telperion.serve.nearest import Positions, spread


def sphere(rng, n: int) -> tuple[np.ndarray, np.ndarray]:
    return rng.uniform(0, 360, n), np.degrees(np.arcsin(rng.uniform(-1, 1, n)))


def around(rng, ra: float, decl: float, size: float, n: int) -> tuple[np.ndarray, np.ndarray]:
    """Places about a place, also on the other side of a pole; size in arcsec."""
    vectors = np.array([
        np.cos(np.radians(decl)) * np.cos(np.radians(ra)),
        np.cos(np.radians(decl)) * np.sin(np.radians(ra)),
        np.sin(np.radians(decl)),
    ]) + np.radians(size / 3600) * rng.normal(size=(n, 3))  # fmt: skip
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    return np.degrees(np.arctan2(vectors[:, 1], vectors[:, 0])) % 360, np.degrees(np.arcsin(vectors[:, 2]))


@pytest.mark.parametrize("radius", [0.2, 1.5, 100.0, 3600.0])
@pytest.mark.parametrize(
    "place", [(10.0, 90.0), (10.0, -90.0), (0.0, 0.0), (359.9999, 60.0), (200.0, 89.999), (0.0, -89.7), (45.0, 41.81)]
)
def test_the_nearest_are_those_that_astropy_finds(rng, place, radius):
    pytest.importorskip("scipy", reason="astropy matches by scipy's trees")
    from astropy.coordinates import SkyCoord, match_coordinates_sky

    rows, places = around(rng, *place, 4 * radius, 1000), around(rng, *place, 4 * radius, 500)
    row, apart = Positions(*rows, radius).nearest(*places)
    best, separation, _ = match_coordinates_sky(SkyCoord(*places, unit="deg"), SkyCoord(*rows, unit="deg"))
    found = separation.arcsec <= radius
    assert 0 < found.sum() < found.size
    np.testing.assert_array_equal(row, np.where(found, best, -1))
    np.testing.assert_allclose(apart, np.where(found, separation.arcsec, np.nan), rtol=1e-6, atol=1e-7)


def test_over_the_whole_sky_every_row_finds_itself_moved(rng):
    ra, decl = sphere(rng, 20_000)
    ra[:4], decl[:4] = [0, 360, 180, 77], [12, -12, 90, -90]
    north = np.where(decl > 0, -1.2, 1.2) / 3600
    row, apart = Positions(ra, decl, 1.5).nearest(ra, decl + north)
    np.testing.assert_array_equal(row, np.arange(ra.size))
    np.testing.assert_allclose(apart, 1.2, rtol=1e-9)


def test_right_ascension_is_a_circle():
    rows = Positions(np.array([0.0, 359.9998, 180.0]), np.zeros(3), 1.5)
    row, apart = rows.nearest(np.array([360.0, 359.99995, -0.00015, 720.0001, 180.0003]), np.zeros(5))
    assert row.tolist() == [0, 0, 1, 0, 2]
    np.testing.assert_allclose(apart, [0, 0.18, 0.18, 0.36, 1.08], atol=1e-6)


def test_the_radius_is_the_last_that_counts():
    rows = Positions(np.array([10.0]), np.array([-30.0]), 2.0)
    north = np.array([1.9999, 2.0001]) / 3600
    assert rows.nearest(np.full(2, 10.0), -30 + north)[0].tolist() == [0, -1]
    assert rows.nearest(np.full(2, 10.0), -30 - north)[0].tolist() == [0, -1]


def test_of_rows_equally_near_the_first_is_taken(rng):
    which = rng.integers(0, 10, 2000)
    row, _ = Positions(10.0 * which, np.zeros(2000), 2.0).nearest(10.0 * np.arange(10), np.zeros(10))
    assert row.tolist() == [int(np.argmax(which == k)) for k in range(10)]


def test_the_unknown_is_near_nothing_and_covered_by_nothing():
    rows = Positions(np.array([0.0]), np.array([0.0]), 2.0)
    places = np.array([np.nan, 0.0, np.inf, 0.0]), np.array([0.0, np.nan, 0.0, 0.0])
    assert rows.nearest(*places)[0].tolist() == [-1, -1, -1, 0]
    assert rows.covers(*places).tolist() == [False, False, False, True]


def test_without_rows_or_places_nothing_is_found():
    empty = Positions(np.zeros(0), np.zeros(0), 2.0)
    assert empty.nearest(np.zeros(2), np.zeros(2))[0].tolist() == [-1, -1]
    assert empty.covers(np.zeros(2), np.zeros(2)).tolist() == [False, False]
    assert Positions(np.zeros(1), np.zeros(1), 2.0).nearest(np.zeros(0), np.zeros(0))[0].size == 0


def test_many_candidates_are_looked_at_in_turns(rng, monkeypatch):
    rows, places = around(rng, 359.9, -20.0, 30, 3000), around(rng, 359.9, -20.0, 30, 200)
    positions = Positions(*rows, 60.0)
    at_once = positions.nearest(*places)
    monkeypatch.setattr(nearest, "_AT_ONCE", 500)
    for one, other in zip(at_once, positions.nearest(*places), strict=True):
        np.testing.assert_array_equal(one, other)


def test_what_lies_between_rows_is_covered_and_the_rest_of_the_sky_is_not(rng):
    ra, decl = rng.uniform(355, 360, 20_000), rng.uniform(-60, -55, 20_000)
    positions = Positions(ra, decl, 1.5)
    assert positions.covers(ra, decl).all()
    assert positions.covers(rng.uniform(355.5, 359.5, 500), rng.uniform(-59.5, -55.5, 500)).all()
    assert not positions.covers(rng.uniform(1, 354, 500), rng.uniform(-60, -55, 500)).any()
    assert not positions.covers(rng.uniform(355, 360, 500), rng.uniform(-54.5, 90, 500)).any()


def test_poles_are_covered_by_what_is_there():
    ra = np.arange(0.0, 360, 5)
    ends = Positions(np.concatenate([ra, ra]), np.repeat([89.99, -89.99], ra.size), 1.5)
    assert ends.covers(np.array([3.0, 3.0, 3.0]), np.array([90.0, -90.0, 89.0])).tolist() == [True, True, False]


@pytest.mark.parametrize("radius", [0.0, -1.0, np.nan, np.inf, 3601.0])
def test_a_radius_that_is_none_is_refused(radius):
    with pytest.raises(ValueError, match=r"radius is .* arcsec, expected one above 0 and at most 3600"):
        Positions(np.zeros(1), np.zeros(1), radius)


def test_ranges_are_spread_as_a_loop_would(rng):
    start = rng.integers(-50, 50, 40)
    stop = start + rng.integers(0, 5, 40)
    which, what = spread(start, stop)
    loop = [(k, n) for k in range(40) for n in range(start[k], stop[k])]
    assert list(zip(which.tolist(), what.tolist(), strict=True)) == loop
