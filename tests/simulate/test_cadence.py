"""The cadence: what ships is what the survey plans, and lists of pointings become one."""

import sqlite3
from dataclasses import replace

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from telperion.simulate.cadence import Cadence, shipped_cadence


@pytest.fixture(scope="module")
def cadence():
    return shipped_cadence()


def test_main_places_are_visited_as_the_baseline_says(cadence):
    deep = np.repeat(cadence.deep, np.diff(cadence.offsets))
    visits = [((cadence.band == band) & ~deep).sum() / (~cadence.deep).sum() for band in range(6)]
    np.testing.assert_allclose(visits, [13, 19, 62, 62, 50, 54], rtol=0.06)
    depth = [np.median(cadence.depth[(cadence.band == band) & ~deep]) for band in range(6)]
    np.testing.assert_allclose(depth, [23.66, 24.53, 24.09, 23.53, 22.91, 22.08], atol=0.03)
    assert (np.floor(cadence.span[0]), np.ceil(cadence.span[1])) == (60275, 61380)


def test_nights_come_in_pairs_and_seasons(cadence):
    gaps = np.concatenate([
        np.diff(np.unique(np.floor(cadence.time[start:stop] - 0.5)))
        for start, stop in zip(cadence.offsets[:300], cadence.offsets[1:301], strict=True)
    ])  # fmt: skip
    np.testing.assert_allclose(np.percentile(gaps[gaps < 60], [25, 50, 75]), [1, 3, 6], atol=1)
    assert 120 < np.median(gaps[gaps > 60]) < 190


def test_deep_visits_are_taken_together_night_by_night(cadence):
    start, stop = cadence.offsets[-2:]
    night = np.floor(cadence.time[start:stop] - 0.5) * 6 + cadence.band[start:stop]
    assert len(np.unique(night)) == len(night)
    deep = np.repeat(cadence.deep, np.diff(cadence.offsets))
    for band in range(6):
        mine = cadence.band == band
        assert np.median(cadence.depth[mine & deep]) > np.median(cadence.depth[mine & ~deep]) + 0.7


def test_a_cadence_survives_a_file(cadence, tmp_path):
    cadence.save(tmp_path / "c.npz")
    again = Cadence.load(tmp_path / "c.npz")
    np.testing.assert_allclose(again.time, cadence.time, rtol=0, atol=1e-5)
    np.testing.assert_allclose(again.depth, cadence.depth, rtol=0, atol=2e-3)
    np.testing.assert_array_equal(again.band, cadence.band)
    np.testing.assert_array_equal(again.offsets, cadence.offsets)


def test_files_that_are_none_are_refused(tmp_path):
    with pytest.raises(ValueError, match="missing"):
        Cadence.load(tmp_path / "none.npz")
    np.savez(tmp_path / "other.npz", ra=np.zeros(2))
    with pytest.raises(ValueError, match="lacks 'band'"):
        Cadence.load(tmp_path / "other.npz")
    (tmp_path / "broken.npz").write_bytes(b"PK hello")
    with pytest.raises(ValueError, match="is no cadence"):
        Cadence.load(tmp_path / "broken.npz")
    (tmp_path / "text").write_text("hello")
    with pytest.raises(ValueError, match="neither an SQLite database nor a Parquet file"):
        Cadence.from_opsim(tmp_path / "text")
    with pytest.raises(ValueError, match="no list of pointings"):
        Cadence.from_opsim(tmp_path / "nowhere")
    pq.write_table(pa.table({"ra": [1.0]}), tmp_path / "few.parquet")
    with pytest.raises(ValueError, match="no column 'band'"):
        Cadence.from_opsim(tmp_path / "few.parquet")


@pytest.mark.parametrize(
    "change", [{"deep": np.zeros(1, bool)}, {"depth": np.zeros(3)}, {"time": lambda time: time[::-1]}]
)
def test_disorder_is_refused(cadence, change):
    given = {name: value(cadence.time) if callable(value) else value for name, value in change.items()}
    with pytest.raises(ValueError, match=r"cadence|sorted"):
        replace(cadence, **given)


def pointings(rng, n=20_000):
    """Visits all over the southern sky."""
    return {
        "ra": rng.uniform(0, 360, n), "dec": rng.uniform(-70, 20, n), "mjd": np.sort(rng.uniform(60300, 60900, n)),
        "band": rng.choice(list("ugrizy"), n), "five_sigma_depth": rng.normal(24, 0.3, n),
    }  # fmt: skip


def test_a_database_of_the_scheduler_gives_what_the_same_table_gives(tmp_path, monkeypatch, rng):
    monkeypatch.setattr("telperion.simulate.cadence.MAIN_VISITS", (3, 40))
    columns = pointings(rng)
    pq.write_table(pa.table(columns), tmp_path / "p.parquet")
    names = ("fieldRA", "fieldDec", "observationStartMJD", "filter", "fiveSigmaDepth")
    database = sqlite3.connect(tmp_path / "p.db")
    database.execute(f"CREATE TABLE observations ({', '.join(names)})")
    rows = list(zip(*(column.tolist() for column in columns.values()), strict=True))
    database.executemany("INSERT INTO observations VALUES (?, ?, ?, ?, ?)", rows)
    database.commit()
    database.close()
    one, other = (Cadence.from_opsim(tmp_path / name, n_main=5, seed=4) for name in ("p.parquet", "p.db"))
    np.testing.assert_array_equal(one.time, other.time)
    np.testing.assert_array_equal(one.band, other.band)
    assert not one.deep.any()
    ra, dec = np.radians(columns["ra"]), np.radians(columns["dec"])
    for k in range(5):
        east, north = np.radians(one.ra[k]), np.radians(one.decl[k])
        apart = np.sin(dec) * np.sin(north) + np.cos(dec) * np.cos(north) * np.cos(ra - east)
        seen = columns["mjd"][np.degrees(np.arccos(apart)) < 1.75]
        np.testing.assert_allclose(one.time[one.offsets[k] : one.offsets[k + 1]], seen, atol=1e-9)


def test_a_list_that_never_comes_back_is_refused(tmp_path, rng):
    pq.write_table(pa.table(pointings(rng)), tmp_path / "p.parquet")
    with pytest.raises(ValueError, match="only 0 of"):
        Cadence.from_opsim(tmp_path / "p.parquet", n_main=1)
