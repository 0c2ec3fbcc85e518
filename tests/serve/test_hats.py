import re
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

pytest.importorskip("astropy_healpix", reason="HATS catalogues need telperion[stream]")

from astropy import units
from astropy_healpix import healpix_to_lonlat, lonlat_to_healpix

from telperion.formats import FormatError
from telperion.lightcurves import RepairWarning
from telperion.serve import catalogue as module
from telperion.serve.catalogue import Catalogue

ARCSEC = 1 / 3600


def galaxies(rng, n: int = 6000) -> dict[str, np.ndarray]:
    """Galaxies all over the sky, crowded at the poles, at right ascension 0, and where three pixels of order 0 meet."""
    spread = 0.3 * rng.normal(size=(2, 6, n // 12))
    centres = np.array([[0, 90], [0, -90], [0, 5], [45, 41.81], [90, 41.81], [180, -41.81]]).T[:, :, None]
    ra, decl = (centres + spread).reshape(2, -1)
    over = np.abs(decl) > 90
    ra, decl = np.where(over, ra + 180, ra) % 360, np.where(over, np.sign(decl) * 180 - decl, decl)
    ra = np.append(ra, rng.uniform(0, 360, n - ra.size))
    decl = np.append(decl, np.degrees(np.arcsin(rng.uniform(-1, 1, n - decl.size))))
    return {"ra": ra, "dec": decl, "hostgal_photoz": rng.uniform(0.01, 2, n), "number": np.arange(n)}


def write_hats(
    folder: Path, columns: dict[str, np.ndarray], most: int = 400, files: int = 0, properties: str = ""
) -> dict[tuple[int, int], int]:
    """Write a HATS catalogue; parts are cut until none has more rows than `most`; a part may be a folder of files."""
    lonlat = columns["ra"] * units.deg, columns["dec"] * units.deg
    pixel = lonlat_to_healpix(*lonlat, 2**29, order="nested")
    todo, parts = [(0, number) for number in range(12)], {}
    while todo:
        order, number = todo.pop()
        rows = np.flatnonzero(pixel >> 2 * (29 - order) == number)
        if rows.size > most:
            todo += [(order + 1, 4 * number + part) for part in range(4)]
        elif rows.size:
            parts[order, number] = rows.size
            rows = rows[np.argsort(pixel[rows])]
            where = folder / "dataset" / f"Norder={order}" / f"Dir={number // 10_000 * 10_000}" / f"Npix={number}"
            (where if files else where.parent).mkdir(parents=True, exist_ok=True)
            table = pa.table({"_healpix_29": pixel, **columns}).take(rows)
            if not files:
                pq.write_table(table, where.with_name(f"{where.name}.parquet"))
            for part in range(files):
                pq.write_table(
                    table[part * rows.size // files : (part + 1) * rows.size // files], where / f"{part}.parquet"
                )
    lines = [
        "#HATS catalog",
        "obs_collection=small",
        "dataproduct_type = object",
        f"hats_nrows={pixel.size}",
        properties,
    ]
    (folder / "hats.properties").write_text("\n".join([*lines, "hats_npix_suffix=/" if files else ""]))
    return parts


def assert_same(one: module.Match, other: module.Match) -> None:
    assert list(one.columns) == list(other.columns)
    for name, values in one.columns.items():
        np.testing.assert_array_equal(values, other.columns[name])
    np.testing.assert_array_equal(one.separation, other.separation)


@pytest.fixture
def reads(monkeypatch) -> list[str]:
    """The files that are read, one after the other."""
    files, read = [], module.read_rows
    monkeypatch.setattr(
        module, "read_rows", lambda some, layout: files.extend(file.name for file in some) or read(some, layout)
    )
    return files


@pytest.mark.parametrize("files", [0, 3])
@pytest.mark.parametrize("radius", [1.5, 600.0])
def test_a_catalogue_in_parts_gives_what_it_gives_in_one_file(tmp_path, rng, files, radius):
    known = galaxies(rng)
    parts = write_hats(tmp_path / "hats", known, files=files)
    assert len({order for order, _ in parts}) >= 3
    pq.write_table(pa.table(known), tmp_path / "flat.parquet")
    away = radius * ARCSEC * rng.uniform(-1, 1, (2, known["ra"].size))
    decl = np.clip(known["dec"] + away[1], -90, 90)
    places = known["ra"] + away[0] / np.maximum(np.cos(np.radians(decl)), 1e-6), decl
    whole, cut = (Catalogue.open(tmp_path / name, radius).match(*places) for name in ("flat.parquet", "hats"))
    assert_same(whole, cut)
    found = np.isfinite(cut.separation).mean()
    assert 0.4 < found < 1


def test_a_row_beyond_the_edge_of_a_part_is_found(tmp_path, rng):
    """Places on the edges and corners of pixels of order 2, rows on all sides of them."""
    dx, dy = np.array([0, 0.5, 1, 1, 0.3]), np.array([0, 0, 0.2, 1, 1])
    ra, decl = healpix_to_lonlat(np.arange(192)[:, None], 4, dx=dx[None], dy=dy[None], order="nested")
    ra, decl = ra.deg.ravel(), decl.deg.ravel()
    angle = rng.uniform(0, 2 * np.pi, ra.size)
    up = np.clip(decl + ARCSEC * np.cos(angle), -90, 90)
    east = ra + ARCSEC * np.sin(angle) / np.maximum(np.cos(np.radians(up)), 1e-6)
    known = {"ra": east % 360, "dec": up, "hostgal_photoz": np.full(ra.size, 0.5)}
    write_hats(tmp_path, known, most=6)
    match = Catalogue.open(tmp_path, 1.5).match(ra, decl)
    assert np.isfinite(match.separation).all()


def test_only_parts_near_alerts_are_read_and_once(tmp_path, rng, reads):
    known = galaxies(rng)
    parts = write_hats(tmp_path, known)
    catalogue = Catalogue.open(tmp_path)
    assert not reads
    for _ in range(3):
        catalogue.match(np.array([45.2, 45.21]), np.array([60.1, 60.1]))
    assert len(reads) == 1
    catalogue.match(known["ra"], known["dec"])
    assert sorted(reads) == sorted(f"Npix={number}.parquet" for _, number in parts)


def test_memory_is_bounded_and_the_answer_the_same(tmp_path, rng, reads):
    known = galaxies(rng)
    parts = write_hats(tmp_path, known)
    plenty, little = Catalogue.open(tmp_path), Catalogue.open(tmp_path, memory=100_000)
    order = rng.permutation(known["ra"].size)
    for some in np.array_split(order, 4):
        places = known["ra"][some] + 0.3 * ARCSEC, known["dec"][some]
        assert_same(plenty.match(*places), little.match(*places))
        assert sum(part.nbytes for part in little._kept.values()) <= 100_000
        assert 1 < len(little._kept) < len(parts)
    assert len(reads) > 3 * len(parts)


def test_parts_that_are_kept_are_asked_before_they_make_room(tmp_path, rng, reads):
    known = galaxies(rng)
    parts = write_hats(tmp_path, known)
    catalogue = Catalogue.open(tmp_path, memory=100_000)
    catalogue.match(known["ra"], known["dec"])
    kept = len(catalogue._kept)
    del reads[:]
    catalogue.match(known["ra"], known["dec"])
    assert len(reads) == len(parts) - kept


def test_the_part_that_was_not_asked_for_longest_makes_room(tmp_path, rng, reads):
    known = galaxies(rng)
    write_hats(tmp_path, known, most=10_000)
    centre = healpix_to_lonlat(np.arange(12), 1, order="nested")
    catalogue = Catalogue.open(tmp_path)
    for number in (4, 5):
        catalogue.match(centre[0].deg[[number]], centre[1].deg[[number]])
    catalogue.memory = sum(part.nbytes for part in catalogue._kept.values())
    for number in (4, 6, 4):
        catalogue.match(centre[0].deg[[number]], centre[1].deg[[number]])
    assert [name.removesuffix(".parquet") for name in reads] == ["Npix=4", "Npix=5", "Npix=6"]


def test_a_part_larger_than_the_memory_is_used_all_the_same(tmp_path, rng):
    known = galaxies(rng)
    write_hats(tmp_path, known)
    match = Catalogue.open(tmp_path, memory=1).match(known["ra"], known["dec"])
    assert np.isfinite(match.separation).all()


def test_where_there_is_no_part_nobody_looked(tmp_path, rng):
    known = galaxies(rng)
    north = known["dec"] > 45
    write_hats(tmp_path, {name: values[north] for name, values in known.items()})
    match = Catalogue.open(tmp_path).match(known["ra"], known["dec"])
    assert match.covered[north].all()
    assert not match.covered[known["dec"] < 0].any()
    assert np.isnan(match.separation[~north]).all()


def test_repairs_are_said_once_a_column_and_counted_once_a_part(tmp_path, rng):
    known = galaxies(rng)
    known["hostgal_photoz"][::10] = 50.0
    write_hats(tmp_path, known)
    catalogue = Catalogue.open(tmp_path, memory=1)
    with pytest.warns(RepairWarning) as said:
        match = [catalogue.match(known["ra"], known["dec"]) for _ in range(2)][1]
    assert [re.sub(r"\d+ of", "some of", str(each.message)) for each in said] == [
        f"{tmp_path}: values that cannot be are unknown now: some of hostgal_photoz"
    ]
    assert catalogue.mended == {"hostgal_photoz": 600}
    assert np.isnan(match.columns["hostgal_photoz"]).sum() == 600


def test_the_catalogue_says_which_columns_are_its_positions(tmp_path, rng):
    known = galaxies(rng)
    write_hats(tmp_path, known | {"ra_j2000": known["ra"], "dec_j2000": known["dec"]})
    told = known | {"ra": known["ra"] * 0, "dec": known["dec"] * 0, "alpha": known["ra"], "delta": known["dec"]}
    for file in tmp_path.rglob("*.parquet"):
        number = pq.read_table(file, partitioning=None)["number"].to_numpy()
        pq.write_table(pa.table({name: values[number] for name, values in told.items()}), file)
    with (tmp_path / "hats.properties").open("a") as file:
        file.write("\nhats_col_ra = alpha\nhats_col_dec=delta\n")
    match = Catalogue.open(tmp_path).match(known["ra"], known["dec"])
    np.testing.assert_array_equal(match.columns["hostgal_photoz"], known["hostgal_photoz"])
    with pytest.raises(FormatError, match="both ra"):
        Catalogue.open(tmp_path, names={"ra": "ra", "alpha": "ra"})


def test_of_a_collection_the_main_catalogue_is_taken(tmp_path, rng):
    known = galaxies(rng)
    write_hats(tmp_path / "main", known)
    write_hats(tmp_path / "margin", known, properties="dataproduct_type=margin")
    file = tmp_path / "collection.properties"
    file.write_text("obs_collection=all\nhats_primary_table_url=main\nall_margins=margin\n")
    assert np.isfinite(Catalogue.open(tmp_path).match(known["ra"], known["dec"]).separation).all()
    with pytest.raises(FormatError, match="of the kind 'margin', expected one of objects"):
        Catalogue.open(tmp_path / "margin")
    for wrong in ("elsewhere", "https://example.org/main", "", "."):
        file.write_text(f"hats_primary_table_url={wrong}")
        with pytest.raises(FormatError, match="is no HATS catalogue in this folder"):
            Catalogue.open(tmp_path)


def test_parts_that_cannot_be_are_refused(tmp_path, rng):
    write_hats(tmp_path, galaxies(rng), most=10_000)
    whole = tmp_path / "dataset" / "Norder=0" / "Dir=0" / "Npix=3.parquet"
    inside = tmp_path / "dataset" / "Norder=2" / "Dir=0" / "Npix=50.parquet"
    inside.parent.mkdir(parents=True)
    inside.write_bytes(whole.read_bytes())
    with pytest.raises(FormatError, match="1 pixels lie in each other, first 3 of order 0 and 50 of order 2"):
        Catalogue.open(tmp_path)
    inside.rename(inside.with_name("Npix=192.parquet"))
    with pytest.raises(FormatError, match="1 pixels do not exist, first 192 of order 2"):
        Catalogue.open(tmp_path)
    inside.with_name("Npix=192.parquet").unlink()
    Catalogue.open(tmp_path)
    for file in tmp_path.rglob("Npix*"):
        file.rename(file.with_suffix(".partial"))
    with pytest.raises(FormatError, match=r"no part dataset/Norder=\*/Dir=\*/Npix=\*.parquet is there"):
        Catalogue.open(tmp_path)


def test_a_damaged_part_is_named_when_it_is_needed(tmp_path, rng):
    write_hats(tmp_path, galaxies(rng), most=10_000)
    (tmp_path / "dataset" / "Norder=0" / "Dir=0" / "Npix=3.parquet").write_bytes(b"PAR1 and no more")
    catalogue = Catalogue.open(tmp_path)
    centre = healpix_to_lonlat([3, 4], 1, order="nested")
    assert catalogue.match(centre[0].deg[1:], centre[1].deg[1:]).separation.size == 1
    with pytest.raises(FormatError, match=r"Npix=3.parquet"):
        catalogue.match(centre[0].deg, centre[1].deg)
