from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

pytest.importorskip("astropy_healpix", reason="making HATS catalogues needs telperion[scale]")

from tests.scale.test_curves import assert_same

from telperion.formats import parquet
from telperion.scale.catalogue import open_catalogue
from telperion.scale.columns import understand
from telperion.scale.curves import to_curves
from telperion.scale.make import make_hats, nested
from telperion.scale.properties import write_properties


def everything(folder) -> pa.Table:
    return pa.concat_tables([pq.read_table(files[0], partitioning=None) for files in open_catalogue(str(folder)).files])


def test_light_curves_come_back_from_a_catalogue(sky, curves):
    table = everything(sky)
    back, _ = to_curves(table, understand(table.schema))
    order = np.argsort(back.object_id)
    expected = curves[np.argsort(curves.object_id)]
    assert_same(back[order], expected)
    np.testing.assert_array_equal(back[order].context["redshift"], expected.context["redshift"])
    assert table.column("label").to_pylist() == [curves.label[curves.object_id == name][0] for name in back.object_id]


def test_parts_are_small_enough_and_sorted(sky):
    for files in open_catalogue(str(sky)).files:
        table = pq.read_table(files[0], partitioning=None)
        assert 0 < len(table) <= 8
        assert (np.diff(table.column("_healpix_29").to_numpy()) >= 0).all()


def test_a_folder_of_parts_makes_the_same_catalogue(curves, sky, tmp_path):
    (tmp_path / "parts").mkdir()
    for number in range(3):
        parquet.write(curves[number::3], tmp_path / "parts" / f"part-{number}.parquet")
    assert make_hats(tmp_path / "parts", tmp_path / "sky", objects=8) == len(curves)
    one, other = (everything(folder).sort_by("object_id") for folder in (sky, tmp_path / "sky"))
    columns = ["_healpix_29", "object_id", "ra", "dec", "label", "lc"]  # context has NaN, which equals nothing
    assert one.select(columns).equals(other.select(columns))
    assert not (tmp_path / "sky" / ".unfinished").exists()


def test_light_curves_that_are_dereddened_stay_so(curves, tmp_path):
    parquet.write(curves.deredden(), tmp_path / "a.parquet")
    make_hats(tmp_path / "a.parquet", tmp_path / "sky")
    assert understand(open_catalogue(str(tmp_path / "sky")).schema()).dereddened
    common = pq.read_schema(tmp_path / "sky" / "dataset" / "_common_metadata")
    assert common.metadata == {b"dereddened": b"true"}


def test_without_positions_there_is_no_catalogue(curves, tmp_path):
    parquet.write(curves.with_context({"ra": curves.context["ra"]}), tmp_path / "a.parquet")
    with pytest.raises(ValueError, match=r"a.parquet has no decl"):
        make_hats(tmp_path / "a.parquet", tmp_path / "sky")
    with pytest.raises(ValueError, match="light curves have no ra and decl"):
        nested(curves.with_context({}))
    unknown = np.where(np.arange(len(curves)) == 0, np.nan, curves.context["ra"])
    with pytest.raises(ValueError, match="position of 1 objects is unknown"):
        nested(curves.with_context({"ra": unknown, "decl": curves.context["decl"]}))


def test_a_folder_that_is_not_empty_is_left_alone(curves, tmp_path):
    (tmp_path / "thesis.tex").write_text("")
    parquet.write(curves, tmp_path / "a.parquet")
    with pytest.raises(ValueError, match="is not empty"):
        make_hats(tmp_path / "a.parquet", tmp_path)


def test_a_list_of_very_many_row_groups_is_not_written(sky, tmp_path, monkeypatch):
    import shutil

    from telperion.scale import properties

    shutil.copytree(sky, tmp_path / "sky")
    pixels = open_catalogue(str(sky)).pixels
    assert pq.read_metadata(sky / "dataset" / "_metadata").num_row_groups == len(pixels)
    monkeypatch.setattr(properties, "ROW_GROUPS", 2)
    (tmp_path / "sky" / "dataset" / "_metadata").unlink()
    rows = write_properties(tmp_path / "sky", "sky", pixels, ra="ra", decl="dec")
    assert rows == pq.read_metadata(sky / "dataset" / "_metadata").num_rows
    assert not (tmp_path / "sky" / "dataset" / "_metadata").exists()


def test_parts_of_other_types_make_a_catalogue_without_a_list_of_row_groups(sky, tmp_path):
    import shutil

    shutil.copytree(sky, tmp_path / "sky")
    parts = open_catalogue(str(tmp_path / "sky"))
    other = pq.read_table(parts.files[1][0], partitioning=None)
    pq.write_table(other.set_column(2, "ra", other.column("ra").cast(pa.float32())), parts.files[1][0])
    (tmp_path / "sky" / "dataset" / "_metadata").unlink()
    write_properties(tmp_path / "sky", "sky", parts.pixels, ra="ra", decl="dec")
    assert not (tmp_path / "sky" / "dataset" / "_metadata").exists()


def test_many_small_parts_need_few_open_files(curves, tmp_path):
    import resource

    parquet.write(curves, tmp_path / "a.parquet")
    limits = resource.getrlimit(resource.RLIMIT_NOFILE)
    there = len(list(Path("/proc/self/fd").iterdir())) if Path("/proc/self/fd").is_dir() else 60
    resource.setrlimit(resource.RLIMIT_NOFILE, (there + 12, limits[1]))
    try:
        make_hats(tmp_path / "a.parquet", tmp_path / "sky", objects=1)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, limits)
    assert len(open_catalogue(str(tmp_path / "sky"))) > 20
