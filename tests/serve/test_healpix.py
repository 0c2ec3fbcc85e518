import numpy as np
import pytest

pytest.importorskip("astropy_healpix", reason="HEALPix needs telperion[stream]")

from astropy import units
from astropy_healpix import healpix_to_lonlat, lonlat_to_healpix

from telperion.serve.healpix import Pixels


def adaptive(rng, deepest: int = 6) -> tuple[np.ndarray, np.ndarray]:
    """Pixels of several orders that lie on the whole sky without overlap, some of them left out."""
    pixels, done = [(0, number) for number in range(12)], []
    while pixels:
        order, number = pixels.pop()
        if order < deepest and rng.random() < 0.6:
            pixels += [(order + 1, 4 * number + part) for part in range(4)]
        elif rng.random() < 0.8:
            done.append((order, number))
    return tuple(np.array(done, dtype=np.int64).T)


def circle(ra: np.ndarray, decl: np.ndarray, radius: float, n: int = 24) -> tuple[np.ndarray, np.ndarray]:
    """Places on circles about places, shape ``(n_places, n)``; radius in arcsec."""
    angle, radius = np.linspace(0, 2 * np.pi, n, endpoint=False), np.radians(radius / 3600)
    north = np.radians(decl)[:, None]
    up = np.sin(north) * np.cos(radius) + np.cos(north) * np.sin(radius) * np.cos(angle)
    east = np.arctan2(np.sin(angle) * np.sin(radius) * np.cos(north), np.cos(radius) - np.sin(north) * up)
    return (ra[:, None] + np.degrees(east)) % 360, np.degrees(np.arcsin(np.clip(up, -1, 1)))


def corners(order: int) -> tuple[np.ndarray, np.ndarray]:
    """The corners and middles of edges of some pixels: where neighbours meet, in all kinds of ways."""
    number = np.arange(12 << 2 * order)
    dx, dy = np.array([0, 0.5, 1, 1, 1, 0.5, 0, 0]), np.array([0, 0, 0, 0.5, 1, 1, 1, 0.5])
    ra, decl = healpix_to_lonlat(number[:, None], 1 << order, dx=dx[None], dy=dy[None], order="nested")
    return ra.deg.ravel(), decl.deg.ravel()


def holding_slowly(order, number, ra, decl) -> np.ndarray:
    result = np.full(ra.shape, -1)
    for part, (k, n) in enumerate(zip(order, number, strict=True)):
        result[lonlat_to_healpix(ra * units.deg, decl * units.deg, 1 << int(k), order="nested") == n] = part
    return result


def test_every_place_lies_in_the_pixel_that_its_order_says(rng):
    order, number = adaptive(rng, 4)
    ra, decl = rng.uniform(0, 360, 500), np.degrees(np.arcsin(rng.uniform(-1, 1, 500)))
    found = Pixels(order, number).holding(ra, decl)
    np.testing.assert_array_equal(found, holding_slowly(order, number, ra, decl))
    assert (found < 0).any()


@pytest.mark.parametrize("radius", [0.01, 1.5, 60.0, 3600.0])
def test_no_pixel_within_the_radius_is_missed(rng, radius):
    """Also at the poles, across right ascension 0, and where three or four pixels meet."""
    order, number = adaptive(rng)
    pixels = Pixels(order, number)
    ra, decl = (np.concatenate(both) for both in zip(
        corners(2), (rng.uniform(0, 360, 300), np.degrees(np.arcsin(rng.uniform(-1, 1, 300)))),
        (np.array([0.0, 90, 45, 0, 360]), np.array([90.0, 90, -90, 0, 41.8])), strict=True,
    ))  # fmt: skip
    place, part = pixels.within(ra, decl, radius)
    pairs = set(zip(place.tolist(), part.tolist(), strict=True))
    assert len(pairs) == place.size
    np.testing.assert_array_equal(np.lexsort((place, part)), np.arange(place.size))
    for share in (0, 0.5, 1):
        around = circle(ra, decl, max(share * radius, 1e-9))
        held = pixels.holding(*(values.ravel() for values in around)).reshape(ra.size, -1)
        needed = {(k, each) for k, row in enumerate(held) for each in row.tolist() if each >= 0}
        assert needed <= pairs


def test_few_pixels_too_many_are_found(rng):
    pixels = Pixels(np.full(12 << 8, 4), np.arange(12 << 8))
    ra, decl = rng.uniform(0, 360, 10_000), np.degrees(np.arcsin(rng.uniform(-1, 1, 10_000)))
    assert pixels.within(ra, decl, 1.5)[0].size < 10_100


def test_no_places_are_near_no_pixels():
    pixels = Pixels(np.array([0]), np.array([3]))
    assert [found.size for found in pixels.within(np.zeros(0), np.zeros(0), 1.5)] == [0, 0]


@pytest.mark.parametrize(
    ("order", "number", "message"),
    [
        ([1, 1], [48, 0], "1 pixels do not exist, first 48 of order 1"),
        ([30], [0], "1 pixels do not exist, first 0 of order 30"),
        ([0, 2, 1], [11, 0, 0], "1 pixels lie in each other, first .* of order"),
        ([3, 3], [5, 5], "1 pixels lie in each other, first 5 of order 3 and 5 of order 3"),
    ],
)
def test_pixels_that_cannot_be_are_refused(order, number, message):
    with pytest.raises(ValueError, match=message):
        Pixels(np.array(order), np.array(number))
