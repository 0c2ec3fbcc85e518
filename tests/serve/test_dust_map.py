import gzip
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("astropy_healpix", reason="maps of dust need telperion[stream]")

from astropy import units
from astropy.coordinates import SkyCoord
from astropy.io import fits
from astropy_healpix import healpix_to_lonlat, lonlat_to_healpix

from telperion.formats import FormatError
from telperion.serve.dust_map import DustMap

NSIDE = 64


def dust(longitude: np.ndarray, latitude: np.ndarray) -> np.ndarray:
    """E(B-V) that is smooth over the sky, and another one at every place."""
    x = np.cos(np.radians(latitude)) * np.cos(np.radians(longitude))
    return 2 + np.sin(np.radians(latitude)) + 0.5 * x


def write(
    file: Path, ordering: str = "NESTED", columns: dict | None = None, width: int = 1, **header: str | int | None
) -> Path:
    """Write a map of `dust` in its own frame; a header's None is left out."""
    ra, decl = healpix_to_lonlat(np.arange(12 * NSIDE**2), NSIDE, order="ring" if ordering == "RING" else "nested")
    columns = {"EBV": dust(ra.deg, decl.deg).astype(np.float32)} if columns is None else columns
    table = fits.BinTableHDU.from_columns([
        fits.Column(name, f"{width}{'J' if values.dtype.kind == 'i' else 'E'}", array=values.reshape(-1, width))
        for name, values in columns.items()
    ])  # fmt: skip
    said = {"PIXTYPE": "HEALPIX", "ORDERING": ordering, "NSIDE": NSIDE, "COORDSYS": "G", **header}
    table.header.update({name: value for name, value in said.items() if value is not None})
    fits.HDUList([fits.PrimaryHDU(), table]).writeto(file)
    return file


def places(rng, n: int = 2000) -> tuple[np.ndarray, np.ndarray]:
    ra, decl = rng.uniform(0, 360, n), np.degrees(np.arcsin(rng.uniform(-1, 1, n)))
    ra[:4], decl[:4] = [0, 360, 10, 10], [0, 0, 90, -90]
    return ra, decl


@pytest.mark.parametrize("ordering", ["NESTED", "RING"])
@pytest.mark.parametrize("width", [1, 1024])
def test_dust_is_that_of_the_place_in_the_frame_of_the_map(tmp_path, rng, ordering, width):
    ra, decl = places(rng)
    galactic = SkyCoord(ra, decl, unit="deg").galactic
    for frame, expected in (("C", dust(ra, decl)), ("G", dust(galactic.l.deg, galactic.b.deg))):
        made = DustMap.open(write(tmp_path / f"{frame}.fits", ordering, width=width, COORDSYS=frame))
        np.testing.assert_allclose(made.ebv(ra, decl), expected, atol=1e-3)
        np.testing.assert_allclose(made.ebv(ra, decl, nearest=True), expected, atol=0.02)


def test_the_two_ways_to_number_pixels_say_the_same(tmp_path, rng):
    ra, decl = places(rng)
    nested, ring = (DustMap.open(write(tmp_path / f"{kind}.fits", kind)) for kind in ("NESTED", "RING"))
    np.testing.assert_allclose(nested.ebv(ra, decl), ring.ebv(ra, decl), atol=1e-6)
    np.testing.assert_array_equal(nested.ebv(ra, decl, nearest=True), ring.ebv(ra, decl, nearest=True))


def test_the_nearest_pixel_is_the_one_that_holds_the_place(tmp_path, rng):
    ra, decl = places(rng)
    values = rng.uniform(0, 5, 12 * NSIDE**2).astype(np.float32)
    made = DustMap.open(write(tmp_path / "map.fits", columns={"EBV": values}, COORDSYS="C"))
    pixel = lonlat_to_healpix(ra * units.deg, decl * units.deg, NSIDE, order="nested")
    np.testing.assert_array_equal(made.ebv(ra, decl, nearest=True), values[pixel])


def test_what_the_map_does_not_say_is_unknown(tmp_path):
    ra, decl = (each.deg for each in healpix_to_lonlat(np.arange(6), NSIDE, order="nested"))
    values = np.full(12 * NSIDE**2, 0.3, dtype=np.float32)
    values[:5] = [-1.6375e30, np.nan, -0.5, 60, 0.2]
    made = DustMap.open(write(tmp_path / "map.fits", columns={"EBV": values}, COORDSYS="C"))
    expected = np.array([np.nan, np.nan, np.nan, np.nan, 0.2, 0.3])
    np.testing.assert_allclose(made.ebv(ra, decl, nearest=True), expected)
    assert np.isnan(made.ebv(ra, decl)[:2]).all()
    assert np.isnan(made.ebv([np.nan, 0.0, 10.0], [0.0, np.nan, 91.0])).all()
    assert made.ebv([], []).shape == (0,)


def test_a_map_of_some_pixels_knows_those(tmp_path, rng):
    number = rng.permutation(12 * NSIDE**2)[:2000].astype(np.int32)
    columns = {"PIXEL": number, "EBV": np.linspace(0, 2, 2000, dtype=np.float32)}
    made = DustMap.open(write(tmp_path / "map.fits", columns=columns, COORDSYS="C", INDXSCHM="EXPLICIT"))
    ra, decl = (each.deg for each in healpix_to_lonlat(number, NSIDE, order="nested"))
    np.testing.assert_allclose(made.ebv(ra, decl, nearest=True), columns["EBV"])
    assert np.isfinite(made.values).sum() == 2000


def test_the_column_of_dust_is_found_by_its_name_or_told(tmp_path):
    full = {name: np.full(12 * NSIDE**2, k / 10, dtype=np.float32) for k, name in enumerate("abc")}
    planck = write(tmp_path / "p.fits", columns={"TAU353": full["a"], "E(B-V)": full["b"], "TEMP": full["c"]})
    old = write(tmp_path / "o.fits", columns={"TEMPERATURE": full["c"], "N_OBS": full["a"]})
    two = write(tmp_path / "t.fits", columns={"EBV_SFD": full["a"], "EBV_CSFD": full["b"]})
    assert DustMap.open(planck).ebv([0.0], [0.0]) == pytest.approx(0.1)
    assert DustMap.open(planck, column="temp").ebv([0.0], [0.0]) == pytest.approx(0.2)
    assert DustMap.open(old).ebv([0.0], [0.0]) == pytest.approx(0.2)
    assert DustMap.open(two, column="EBV_CSFD").ebv([0.0], [0.0]) == pytest.approx(0.1)
    with pytest.raises(FormatError, match=r"which column is E\(B-V\)\? It has EBV_SFD, EBV_CSFD: say by column="):
        DustMap.open(two)
    with pytest.raises(FormatError, match="which column is 'EBV'"):
        DustMap.open(old, column="EBV")


def test_the_frame_may_be_told_where_the_header_is_silent(tmp_path, rng):
    ra, decl = places(rng)
    file = write(tmp_path / "map.fits", COORDSYS=None)
    with pytest.raises(FormatError, match="COORDSYS in its header is None, expected G or C: say by frame="):
        DustMap.open(file)
    np.testing.assert_allclose(DustMap.open(file, frame="equatorial").ebv(ra, decl), dust(ra, decl), atol=1e-3)
    with pytest.raises(FormatError, match="frame is 'ecliptic', expected one of equatorial, galactic"):
        DustMap.open(file, frame="ecliptic")


def test_a_gzipped_map_is_read(tmp_path):
    file = write(tmp_path / "map.fits")
    packed = tmp_path / "map.fits.gz"
    packed.write_bytes(gzip.compress(file.read_bytes(), 1))
    np.testing.assert_array_equal(DustMap.open(packed).values, DustMap.open(file).values)


@pytest.mark.parametrize(
    ("header", "message"),
    [
        ({"ORDERING": None}, "no table in it is a HEALPix map"),
        ({"ORDERING": "SPIRAL"}, "ORDERING in its header is 'SPIRAL', expected NESTED or RING"),
        ({"NSIDE": 32}, "the map has 49152 pixels, expected 12288 for NSIDE 32"),
        ({"NSIDE": 60}, "NSIDE is 60, expected a power of two"),
        ({"NSIDE": 2**20}, "NSIDE is 1048576, expected a power of two up to 8192"),
        ({"COORDSYS": "E"}, "COORDSYS in its header is 'E', expected G or C"),
        ({"INDXSCHM": "EXPLICIT"}, "which column is 'PIXEL'"),
    ],
)
def test_a_file_that_is_no_such_map_is_refused(tmp_path, header, message):
    file = write(tmp_path / "map.fits", **header)
    with pytest.raises(FormatError, match=message):
        DustMap.open(file)


def test_what_is_no_fits_file_is_refused(tmp_path):
    with pytest.raises(FileNotFoundError, match="no such file"):
        DustMap.open(tmp_path / "nowhere.fits")
    whole = write(tmp_path / "map.fits").read_bytes()
    for content in (b"", b"no FITS", whole[:5000], whole[: len(whole) // 2]):
        (tmp_path / "bad.fits").write_bytes(content)
        with pytest.raises(FormatError, match=r"bad.fits"):
            DustMap.open(tmp_path / "bad.fits")
