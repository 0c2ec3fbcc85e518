import numpy as np
import pyarrow as pa
import pytest

from telperion.scale.catalogue import Pixel
from telperion.scale.healpix import cut, pixels, with_pixels

pytest.importorskip("astropy_healpix", reason="HEALPix needs telperion[scale]")


def places(rng, n: int) -> tuple[np.ndarray, np.ndarray]:
    return rng.uniform(0, 360, n), np.degrees(np.arcsin(rng.uniform(-1, 1, n)))


def test_pixels_are_those_of_another_code(rng):
    other = pytest.importorskip("hats.pixel_math.spatial_index", reason="hats comes with telperion[scale]")
    ra, decl = places(rng, 1000)
    np.testing.assert_array_equal(pixels(ra, decl), other.compute_spatial_index(ra, decl))


def test_every_place_is_in_one_part_and_no_part_is_too_large(rng):
    pixel = pixels(*places(rng, 3000))
    parts, starts = cut(pixel, 100)
    assert (np.diff(starts) > 0).all()
    owner = np.searchsorted(starts, pixel, side="right") - 1
    for number, part in enumerate(parts):
        own = pixel[owner == number] >> 2 * (29 - part.order)
        assert 0 < own.size <= 100
        assert (own == part.number).all()


def test_objects_at_one_place_stay_in_one_part():
    parts, _ = cut(np.full(10, 12345), 3)
    assert parts == [Pixel(29, 12345)]


def test_an_unknown_place_is_refused():
    with pytest.raises(ValueError, match="position of 1 objects is unknown"):
        pixels(np.array([1.0, np.nan]), np.array([1.0, 1.0]))


def test_pixels_that_are_there_are_kept():
    table = pa.table({"_healpix_29": [7], "ra": [1.0], "dec": [1.0]})
    assert with_pixels(table, "ra", "dec") is table
    added = with_pixels(table.drop_columns("_healpix_29"), "ra", "dec")
    assert added.column_names[0] == "_healpix_29"
