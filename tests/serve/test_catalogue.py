import warnings
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from telperion.encode.context import NAMES, encode_context
from telperion.encode.view import held_context
from telperion.formats import FormatError
from telperion.formats.packets import read_alerts
from telperion.lightcurves import LightCurves, RepairWarning
from telperion.serve.catalogue import Catalogue
from telperion.simulate import host

ARCSEC = 1 / 3600


def galaxies(rng, n: int = 400) -> dict[str, np.ndarray]:
    """Galaxies on both sides of right ascension 0, some of them without redshift."""
    redshift = rng.uniform(0.01, 2, n)
    return {
        "objectId": np.arange(n),
        "ra": rng.uniform(-0.5, 0.5, n) % 360,
        "dec": rng.uniform(-10, -9, n),
        "hostgal_photoz": np.where(rng.random(n) < 0.2, np.nan, redshift),
        "hostgal_mag_i": rng.normal(22, 2, n).astype(np.float32),
        "name": np.array([f"galaxy {k}" for k in range(n)]),
    }


def write(path: Path, columns: dict) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.table(columns), path)
    return path


def test_objects_get_the_columns_of_the_nearest_row(tmp_path, rng):
    known = galaxies(rng)
    catalogue = Catalogue.open(write(tmp_path / "galaxies.parquet", known), radius=2.0)
    which = rng.permutation(400)[:100]
    match = catalogue.match(
        np.append(known["ra"][which], [10.0, 0.0]), np.append(known["dec"][which] + ARCSEC, [0, 60])
    )
    for name in ("hostgal_photoz", "hostgal_mag_i"):
        assert match.columns[name].dtype == np.float64
        np.testing.assert_array_equal(match.columns[name], np.append(known[name][which], [np.nan, np.nan]))
    np.testing.assert_allclose(match.separation, np.append(np.ones(100), [np.nan, np.nan]), rtol=1e-6)
    assert match.covered.tolist() == [True] * 100 + [False, False]
    assert list(match.columns) == list(catalogue.names) == ["hostgal_photoz", "hostgal_mag_i", "hostgal_snsep"]


def test_the_separation_from_a_host_is_that_of_the_match_unless_the_catalogue_says_it(tmp_path, rng):
    known = galaxies(rng)
    match = Catalogue.open(write(tmp_path / "a.parquet", known)).match(known["ra"], known["dec"] + 0.5 * ARCSEC)
    np.testing.assert_array_equal(match.columns["hostgal_snsep"], match.separation)
    known["hostgal_snsep"] = np.full(400, 7.0)
    match = Catalogue.open(write(tmp_path / "b.parquet", known)).match(known["ra"], known["dec"])
    assert (match.columns["hostgal_snsep"] == 7).all()


def test_a_catalogue_without_hosts_gives_no_separation_from_them(tmp_path):
    file = write(tmp_path / "dust.parquet", {"ra": [10.0], "decl": [20.0], "mwebv": [0.3]})
    match = Catalogue.open(file).match([10.0], [20.0])
    assert {name: values.tolist() for name, values in match.columns.items()} == {"mwebv": [0.3]}


def test_what_is_matched_is_what_classifiers_read(tmp_path, rng):
    known = galaxies(rng)
    match = Catalogue.open(write(tmp_path / "galaxies.parquet", known)).match(known["ra"][:2], known["dec"][:2])
    curves = LightCurves(["a", "b"], [0, 0, 0], [], [], [], [], [], match.columns)
    encoded = encode_context(curves)
    assert (encoded[:, [NAMES.index(name) for name in ("photoz_given", "host_given", "host_known")]] == 1).all()
    assert (encoded[:, [NAMES.index(name) for name in ("specz_given", "dust_given")]] == 0).all()


def test_a_folder_of_files_is_one_catalogue(tmp_path, rng):
    known = galaxies(rng)
    whole = Catalogue.open(write(tmp_path / "whole" / "all.parquet", known))
    for part in range(4):
        write(tmp_path / "parts" / f"{part % 2}" / f"{part}.parquet", {k: v[part::4] for k, v in known.items()})
    places = known["ra"] + 0.2 * ARCSEC, known["dec"]
    one, other = whole.match(*places), Catalogue.open(tmp_path / "parts").match(*places)
    for name, values in one.columns.items():
        np.testing.assert_array_equal(values, other.columns[name])
    assert np.isfinite(one.separation).all()


def test_nothing_that_is_not_known_is_read(tmp_path, rng, monkeypatch):
    file, asked = write(tmp_path / "galaxies.parquet", galaxies(rng)), []
    read = pq.ParquetFile.read
    monkeypatch.setattr(pq.ParquetFile, "read", lambda self, columns: asked.append(columns) or read(self, columns))
    Catalogue.open(file)
    assert asked == [["ra", "dec", "hostgal_photoz", "hostgal_mag_i"]]


def test_a_place_that_is_unknown_matches_nothing(tmp_path, rng):
    known = galaxies(rng)
    catalogue = Catalogue.open(write(tmp_path / "galaxies.parquet", known))
    match = catalogue.match([np.nan, known["ra"][3]], [known["dec"][3]] * 2)
    assert np.isnan(match.separation).tolist() == [True, False]
    assert match.covered.tolist() == [False, True]
    nobody = catalogue.match([], [])
    assert nobody.separation.size == 0
    assert all(values.shape == (0,) for values in nobody.columns.values())


def test_places_that_cannot_be_are_refused(tmp_path, rng):
    catalogue = Catalogue.open(write(tmp_path / "galaxies.parquet", galaxies(rng)))
    with pytest.raises(ValueError, match="decl is outside -90 to 90 for 2 places, first -95"):
        catalogue.match([0.0, 1.0, 2.0], [3.0, -95.0, 91.0])
    with pytest.raises(ValueError, match=r"ra and decl have shapes \(2,\) and \(1,\)"):
        catalogue.match([0.0, 1.0], [3.0])
    with pytest.raises(ValueError, match="radius is 0 arcsec"):
        Catalogue.open(tmp_path, radius=0)


def test_a_catalogue_that_is_not_there_is_said_to_be_missing(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"nowhere: no such file or folder"):
        Catalogue.open(tmp_path / "nowhere")
    with pytest.raises(FormatError, match=r"the folder holds no file \*.parquet"):
        Catalogue.open(tmp_path)
    (tmp_path / "text.parquet").write_text("ra,dec\n")
    with pytest.raises(FormatError, match=r"text.parquet"):
        Catalogue.open(tmp_path)


def test_a_catalogue_without_rows_is_refused(tmp_path):
    file = write(tmp_path / "a.parquet", {"ra": [np.nan], "dec": [0.0], "mwebv": [0.1]})
    with pytest.raises(FormatError, match="has no rows with a position"), pytest.warns(RepairWarning):
        Catalogue.open(file)


def test_values_that_cannot_be_are_counted_and_unknown(tmp_path):
    file = write(tmp_path / "a.parquet", {
        "ra": [10.0, 11, 12, -13, 400, None], "dec": [0.0, 0, 0, 0, 0, 0],
        "hostgal_photoz": [0.1, 99.0, -9.0, np.inf, 0.5, 0.6], "mwebv": pa.array([0, 0, -1, 50, 3, 4], pa.int16()),
        "hostgal_mag_r": pa.array([22, 99, 999, -99, 20, 20], pa.float32()),
    })  # fmt: skip
    with pytest.warns(RepairWarning) as said:
        catalogue = Catalogue.open(file)
    assert [str(each.message).removeprefix(f"{file}: ") for each in said] == [
        "2 rows have no position and are left out",
        "values that cannot be are unknown now: 2 of hostgal_photoz, 2 of mwebv",
    ]
    assert catalogue.mended == {"position": 2, "hostgal_photoz": 2, "mwebv": 2}
    match = catalogue.match([10, 11, 12, 347], [0, 0, 0, 0])
    np.testing.assert_array_equal(match.columns["hostgal_photoz"], [0.1, np.nan, np.nan, np.nan])
    np.testing.assert_array_equal(match.columns["mwebv"], [0, 0, np.nan, np.nan])
    np.testing.assert_array_equal(match.columns["hostgal_mag_r"], [22, np.nan, np.nan, np.nan])


def test_a_column_of_text_is_not_used_and_said_to_be_none(tmp_path):
    columns = {"ra": [1.0], "dec": [2.0], "mwebv": [0.1], "hostgal_specz": ["0.3"]}
    with pytest.warns(RepairWarning, match="columns hostgal_specz hold no numbers and are not used"):
        assert Catalogue.open(write(tmp_path / "a.parquet", columns)).names == ("mwebv",)


def test_a_file_of_a_folder_may_lack_a_column_or_have_it_as_text(tmp_path):
    write(tmp_path / "1.parquet", {"ra": [1.0], "dec": [2.0], "mwebv": [0.1]})
    write(tmp_path / "2.parquet", {"ra": [3.0], "dec": [2.0], "hostgal_specz": [0.3]})
    write(tmp_path / "3.parquet", {"ra": [5.0], "dec": [2.0], "mwebv": ["0.2"]})
    with pytest.warns(RepairWarning, match="values that cannot be are unknown now: 1 of mwebv"):
        match = Catalogue.open(tmp_path).match([1, 3, 5], [2, 2, 2])
    np.testing.assert_array_equal(match.columns["mwebv"], [0.1, np.nan, np.nan])
    np.testing.assert_array_equal(match.columns["hostgal_specz"], [np.nan, 0.3, np.nan])
    write(tmp_path / "4.parquet", {"ra": [5.0], "mwebv": [0.2]})
    with pytest.raises(FormatError, match=r"4.parquet: no numbers named dec among its columns, ra, mwebv"):
        Catalogue.open(tmp_path)


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        (
            {"RA_ICRS": [1.0], "dec": [1.0], "mwebv": [0.1]},
            "no position among its columns, RA_ICRS, dec, mwebv; looked",
        ),
        ({"ra": ["1"], "dec": [1.0], "mwebv": [0.1]}, "no position among its columns"),
        ({"ra": [1.0], "dec": [1.0], "photoz": [0.1]}, "no context that is known among its columns, ra, dec, photoz; "),
        ({"ra": [1.0], "dec": [1.0], "mwebv": ["0.1"]}, "no context that is known among its columns"),
        ({"ra": [1.0], "dec": [1.0], "decl": [1.0], "mwebv": [0.1]}, "columns 'dec' and 'decl' are both decl: say by"),
        ({"ra": [1.0], "dec": [1.0], "mwebv": [0.1], "MWEBV": [0.2]}, "columns 'mwebv' and 'MWEBV' are both mwebv"),
    ],
)
def test_a_catalogue_that_says_nothing_of_use_is_refused(tmp_path, columns, message):
    with pytest.raises(FormatError, match=message):
        Catalogue.open(write(tmp_path / "a.parquet", columns))


def test_columns_of_other_names_are_understood_when_told(tmp_path):
    columns = {"RAJ2000": [1.0], "DEJ2000": [2.0], "zbest": [0.5], "redshift": [0.7], "HOSTGAL_MAG_Y": [20.0]}
    file = write(tmp_path / "a.parquet", columns)
    names = {"RAJ2000": "ra", "DEJ2000": "decl", "zbest": "redshift"}
    match = Catalogue.open(file, names=names).match([1.0], [2.0])
    assert {name: values[0] for name, values in match.columns.items()} == {
        "redshift": 0.5, "hostgal_mag_y": 20.0, "hostgal_snsep": 0.0,
    }  # fmt: skip
    swapped = Catalogue.open(file, names=names | {"zbest": "hostgal_photoz", "redshift": "hostgal_specz"})
    assert swapped.match([1.0], [2.0]).columns["hostgal_specz"][0] == 0.7


@pytest.mark.parametrize(
    ("names", "message"),
    [
        ({"photoz": "hostgal_photoz"}, "names speaks of 'photoz', which is none of its columns, ra, dec, mwebv"),
        ({"mwebv": "hostgal_photo_z"}, "no context is called 'hostgal_photo_z', perhaps 'hostgal_photoz'?"),
        ({"mwebv": "ra", "dec": "ra"}, "columns 'mwebv' and 'dec' are both ra"),
    ],
)
def test_names_that_cannot_be_meant_are_refused(tmp_path, names, message):
    file = write(tmp_path / "a.parquet", {"ra": [1.0], "dec": [2.0], "mwebv": [0.1]})
    with pytest.raises(FormatError, match=message):
        Catalogue.open(file, names=names)


def test_all_that_the_simulated_survey_knows_of_hosts_is_known_here(tmp_path):
    columns = {name: [0.5] for name in host.COLUMNS}
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        catalogue = Catalogue.open(write(tmp_path / "a.parquet", columns))
    assert set(catalogue.names) == set(host.COLUMNS) - {"ra", "decl"}


def test_real_alerts_get_the_hosts_near_them(tmp_path, lsst_data):
    """Rubin's alerts, which tell of no host, and one made up for every second of them."""
    pytest.importorskip("numba", reason="alerts need telperion[stream]")
    file = lsst_data / "alerts" / "rubin_sample_data_10_0.parquet"
    if not file.is_file():
        pytest.skip(f"no alerts at {file}")
    alerts = read_alerts(file)
    ra, decl = alerts.context["ra"], alerts.context["decl"]
    hosts = {"ra": ra[::2], "dec": decl[::2] - 0.8 * ARCSEC, "hostgal_photoz": np.linspace(0.1, 1, ra[::2].size)}
    match = Catalogue.open(write(tmp_path / "hosts.parquet", hosts)).match(ra, decl)
    assert match.covered[::2].all()
    np.testing.assert_allclose(match.columns["hostgal_snsep"][::2], 0.8, rtol=1e-5)
    curves = alerts.light_curves()
    curves = curves.with_context({**curves.context, **match.columns})
    assert held_context(curves).tolist() == ["photoz"] * len(alerts)
    known = encode_context(curves)[:, NAMES.index("photoz_known")]
    assert known.sum() == np.isfinite(match.separation).sum() >= len(alerts) / 2
