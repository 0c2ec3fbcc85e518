import subprocess
import sys
import warnings

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from telperion.formats import FormatError, parquet
from telperion.lightcurves import LightCurves

ROWS = ("time", "band", "flux", "flux_err", "detected")

OTHER = """
import sys
from telperion.formats import parquet
from telperion.lightcurves import LightCurves
parquet.write(LightCurves(["a"], [0, 1], [1.0], [1], [5.0], [1.0], [True]), sys.argv[1])
"""


@pytest.fixture
def curves(rng) -> LightCurves:
    """Some light curves, one of them without rows, with context and labels that are partly unknown."""
    lengths = np.array([3, 0, 40, 1])
    n_rows = lengths.sum()
    return LightCurves.from_codes(
        np.repeat(np.arange(4), lengths),
        60_000 + 100 * rng.random(n_rows),
        rng.integers(0, 6, n_rows),
        rng.normal(0, 1000, n_rows),
        rng.uniform(1, 50, n_rows),
        rng.random(n_rows) > 0.5,
        objects=["a", "empty", "α Ori", "b" * 40],
        context={"redshift": [0.1, np.nan, 1 / 3, 2.0], "hostgal_mag_y": [np.nan] * 4},
        label=["SNIa", "", "AGN", "Transient"],
        dereddened=True,
    )


def assert_same(one: LightCurves, other: LightCurves) -> None:
    for name in ("object_id", "offsets", *ROWS, "label"):
        np.testing.assert_array_equal(getattr(one, name), getattr(other, name))
        assert getattr(one, name).dtype.kind == getattr(other, name).dtype.kind
    assert list(one.context) == list(other.context)
    for name, values in one.context.items():
        np.testing.assert_array_equal(values, other.context[name])
    assert one.dereddened == other.dereddened


def test_what_is_written_is_read_back_exactly(tmp_path, curves):
    for number, part in enumerate((curves, curves[[1]], curves[:0], curves.select_rows(curves.detected))):
        file = tmp_path / f"{number}.parquet"
        parquet.write(part, file)
        assert_same(parquet.read(file), part)


def test_several_row_groups_are_read_back_exactly(tmp_path, curves, monkeypatch):
    monkeypatch.setattr(parquet, "_OBJECTS_A_ROW_GROUP", 2)
    parquet.write(curves, tmp_path / "a.parquet")
    assert pq.ParquetFile(tmp_path / "a.parquet").num_row_groups == 2
    assert_same(parquet.read(tmp_path / "a.parquet"), curves)


def test_the_file_has_an_object_a_row_and_its_observations_in_lists(tmp_path, curves):
    parquet.write(curves, tmp_path / "a.parquet")
    table = pq.read_table(tmp_path / "a.parquet")
    assert table.num_rows == len(curves)
    assert table["object_id"].to_pylist() == curves.object_id.tolist()
    assert table.schema.field("flux").type == pa.list_(pa.field("element", pa.float32()))
    assert table.schema.field("redshift").type == pa.float64()
    assert [len(times) for times in table["time"].to_pylist()] == curves.lengths.tolist()
    assert table["flux"].to_pylist()[2] == curves[2].flux.tolist()


def test_nested_pandas_opens_and_packs_it(tmp_path, curves):
    nested_pandas = pytest.importorskip("nested_pandas")
    parquet.write(curves, tmp_path / "a.parquet")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # its own and pandas' notices about themselves
        frame = nested_pandas.read_parquet(tmp_path / "a.parquet").nest_lists(list(ROWS), "observations")
        assert frame["object_id"].tolist() == curves.object_id.tolist()
        np.testing.assert_array_equal(frame["observations.flux"].to_numpy(), curves.flux)
        np.testing.assert_array_equal(frame["observations"].iloc[2]["time"].to_numpy(), curves[2].time)


def test_a_failed_write_leaves_the_old_file(tmp_path, curves, monkeypatch):
    file = tmp_path / "a.parquet"
    parquet.write(curves, file)

    def fail(*arguments, **options):
        raise OSError("no space left on device")

    monkeypatch.setattr(pq, "write_table", fail)
    with pytest.raises(OSError, match="no space left"):
        parquet.write(curves[:1], file)
    assert_same(parquet.read(file), curves)


def rewritten(curves: LightCurves, file, **columns):
    """Write a copy with some columns replaced (None: left out)."""
    table = curves.to_arrow()
    for name, values in columns.items():
        place = table.column_names.index(name)
        table = table.remove_column(place) if values is None else table.set_column(place, name, values)
    pq.write_table(table, file)
    return file


def test_two_that_write_one_file_do_not_meet(tmp_path, curves):
    """While one writes, another begins and ends: the first one's rename finds its own file."""
    path, write = tmp_path / "curves.parquet", pq.write_table

    def interrupted(*arguments, **more):
        write(*arguments, **more)
        other = subprocess.run([sys.executable, "-c", OTHER, str(path)], capture_output=True, check=False, text=True)
        assert other.returncode == 0, other.stderr

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(parquet.pq, "write_table", interrupted)
        parquet.write(curves, path)
    assert list(tmp_path.iterdir()) == [path]
    np.testing.assert_array_equal(parquet.read(path).flux, curves.flux)


def test_columns_that_break_a_rule_are_refused(tmp_path, curves):
    short = pa.array([[1.0]] * 4, pa.list_(pa.float32()))
    changes = {
        "flux_err": (None, "lacks the column.*flux_err"),
        "flux": (short, "'?flux'? have other lengths"),
        "time": (pa.array([1.0] * 4), "'time' is double, expected a list"),
        "redshift": (pa.array(["far"] * 4), "far"),
        "hostgal_mag_y": (pa.array([np.inf] * 4), "'hostgal_mag_y' is infinite for 4 objects, first 'a'"),
        "object_id": (pa.array(["a", None, "c", "d"]), "object_id is null in 1 rows"),
        "label": (pa.array(["a", None, None, "d"]), "label is null in 2 rows"),
    }
    for name, (values, message) in changes.items():
        with pytest.raises(FormatError, match=rf"a\.parquet: .*{message}"):
            parquet.read(rewritten(curves, tmp_path / "a.parquet", **{name: values}))


def test_context_out_of_range_is_refused(tmp_path, curves):
    file = rewritten(curves, tmp_path / "a.parquet", redshift=pa.array([0.1, 99.0, None, 0.2]))
    with pytest.raises(FormatError, match=r"a\.parquet: redshift is outside -0.5 to 30 for 1 objects.*'empty'"):
        parquet.read(file)


def test_a_file_that_is_not_ours_is_refused(tmp_path, curves):
    file = tmp_path / "a.parquet"
    parquet.write(curves, file)
    content = file.read_bytes()
    for broken in (b"", b"no Parquet at all", content[: len(content) // 2], content[:-4]):
        file.write_bytes(broken)
        with pytest.raises(FormatError, match=r"a\.parquet: "):
            parquet.read(file)
    pq.write_table(pa.table({"object_id": ["a"], "flux": [[1.0]]}), file)
    with pytest.raises(FormatError, match=r"a\.parquet: .*not a Telperion table"):
        parquet.read(file)
    with pytest.raises(FileNotFoundError, match=r"none\.parquet"):
        parquet.read(tmp_path / "none.parquet")
