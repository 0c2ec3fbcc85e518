import pickle

import numpy as np
import pandas as pd
import pytest

pytest.importorskip("nested_pandas", reason="nested-pandas comes with telperion[scale]")

import nested_pandas as npd
from tests.scale.made_up import answers, forced, row, rubin

import telperion
from telperion.scale.frames import classify_frame, classify_lsdb
from telperion.scale.run import classify_catalogue


def frame(sources: list, later: list, **columns) -> "npd.NestedFrame":
    """Give objects as nested-pandas makes them of two tables of rows."""
    table = rubin([[] for _ in sources], None, **columns).drop_columns("diaSource")
    made = npd.NestedFrame(table.to_pandas(types_mapper=pd.ArrowDtype))
    made.index = pd.Index(np.arange(100, 100 + len(sources)), name="_healpix_29")
    for name, lists in (("diaSource", sources), ("diaObjectForcedSource", later)):
        rows = [(100 + k, item) for k, some in enumerate(lists) for item in some]
        flat = pd.DataFrame([item for _, item in rows], index=[k for k, _ in rows])
        made = made.join_nested(flat, name)
    return made


SOME = frame([[row(61000.0), row(61003.0)], [], [row(61000.0, np.nan)]], [[forced(61001.0)], [forced(60000.0)], []])


def test_it_pickles_by_its_name():
    assert pickle.loads(pickle.dumps(classify_frame)) is classify_frame  # noqa: S301 - ours
    assert len(pickle.dumps(classify_frame)) < 100


def test_objects_keep_their_index_and_place():
    made = classify_frame(SOME, days=[8.0, np.inf])
    assert made.index.tolist() == [100, 100, 101, 101, 102, 102]
    assert made.index.name == "_healpix_29"
    assert made["n_obs"].tolist() == [3, 3, 0, 0, 0, 0]
    assert made["diaObjectId"].dtype == SOME["diaObjectId"].dtype
    tree = telperion.load("elasticc").tree
    children = [name for name in tree.nodes if tree.parent[tree.index(name)] == 0 and name != tree.nodes[0]]
    np.testing.assert_allclose(made[children].sum(axis=1), 1, atol=1e-5)


def test_an_empty_frame_gives_the_same_columns_of_the_same_types():
    empty = classify_frame(SOME.iloc[:0])
    assert len(empty) == 0
    pd.testing.assert_series_equal(empty.dtypes, classify_frame(SOME).dtypes)


def test_a_missing_column_is_said():
    with pytest.raises(ValueError, match="no nested column of light curves; looked for"):
        classify_frame(SOME.drop(columns=["diaSource", "diaObjectForcedSource"]))
    with pytest.raises(ValueError, match="diaSource has no field of 'flux'; looked for psfDiffFlux, flux, psfFlux"):
        classify_frame(SOME.drop(columns=["diaSource.psfFlux"]))


def test_objects_that_stand_there_twice_are_refused():
    twice = npd.NestedFrame(pd.concat([SOME, SOME]))
    with pytest.raises(ValueError, match="diaObjectId is repeated for 3 objects"):
        classify_frame(twice)


# -- LSDB -------------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def lsdb():
    module = pytest.importorskip("lsdb", reason="LSDB comes with telperion[scale]")
    import dask

    with dask.config.set(scheduler="synchronous"):
        yield module


@pytest.fixture(scope="module")
def made(sky, tmp_path_factory):
    return classify_catalogue(sky, tmp_path_factory.mktemp("frames") / "out", days=[8.0, np.inf])


def test_a_catalogue_through_lsdb_gets_the_answers_of_the_plain_loop(lsdb, sky, made):
    catalog = lsdb.open_catalog(sky)
    plain = lsdb.open_catalog(made.folder).compute(progress_bar=False)
    for through in (
        classify_lsdb(catalog, days=[8.0, np.inf]),
        catalog.map_partitions(classify_frame, days=[8.0, np.inf]),
    ):
        answered = through.compute(progress_bar=False)
        pd.testing.assert_frame_equal(answered, plain, check_exact=False, atol=2e-6)


def test_answers_join_with_the_catalogue_by_id(lsdb, sky, made):
    catalog, answered = lsdb.open_catalog(sky), lsdb.open_catalog(made.folder)
    with pytest.warns(match=".*"):  # of margins, which are not needed: an object and its answer are in one part
        joined = catalog.join(
            answered, left_on="object_id", right_on="object_id", suffixes=("", "_said"),
            suffix_method="overlapping_columns",
        ).compute(progress_bar=False)  # fmt: skip
    assert len(joined) == 2 * len(catalog)
    np.testing.assert_allclose(joined["ra"], joined["ra_said"])
    assert "lc" in joined.columns
    assert set(joined["leaf"]) <= set(telperion.load("elasticc").tree.nodes)


def test_a_catalogue_of_very_many_parts_is_read_by_lsdb_without_the_list_of_their_row_groups(
    lsdb, sky, tmp_path, monkeypatch
):
    from telperion.scale import properties

    monkeypatch.setattr(properties, "ROW_GROUPS", 1)
    few = classify_catalogue(sky, tmp_path / "out")
    assert not (few.folder / "dataset" / "_metadata").exists()
    there = lsdb.open_catalog(few.folder)
    assert there.npartitions == few.parts > 1
    assert len(there) == few.rows == len(there.compute(progress_bar=False))


def test_rows_of_an_answer_are_where_hats_looks_for_its_object(lsdb, sky, made):
    answered = lsdb.open_catalog(made.folder)
    one = answers(made.folder).slice(0, 1).to_pylist()[0]
    found = answered.cone_search(ra=one["ra"], dec=one["dec"], radius_arcsec=1).compute(progress_bar=False)
    assert found["object_id"].tolist() == [one["object_id"]] * 2


def test_catalogues_that_lsdb_wrote_are_read_and_ours_are_valid(lsdb, made, sky, tmp_path):
    from hats.io.validation import is_valid_catalog

    assert is_valid_catalog(made.folder, strict=True)
    assert is_valid_catalog(sky, strict=True)
    catalog = lsdb.from_dataframe(SOME.reset_index(drop=True), ra_column="ra", dec_column="dec", catalog_name="few")
    catalog.write_catalog(tmp_path / "few", catalog_name="few", progress_bar=False, error_if_empty=False)
    plain = classify_catalogue(tmp_path / "few", tmp_path / "out")
    assert plain.mended == {"no flux": 1, "no E(B-V)": 3}
    table = answers(plain.folder).sort_by("diaObjectId")
    expected = classify_frame(SOME)
    assert table.column("diaObjectId").to_pylist() == expected["diaObjectId"].tolist()
    assert table.column("leaf").to_pylist() == expected["leaf"].tolist()


def test_a_search_that_empties_partitions_is_no_trouble(lsdb, sky):
    catalog = lsdb.open_catalog(sky)
    nothing = catalog.query("ra < -1")
    answered = classify_lsdb(nothing).compute(progress_bar=False)
    assert len(answered) == 0
    assert "leaf" in answered.columns
