import os
import signal
import subprocess
import sys
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from tests.scale.made_up import row, rubin

from telperion.formats import FormatError
from telperion.scale import part as module
from telperion.scale.columns import understand
from telperion.scale.job import Job
from telperion.scale.part import UNFINISHED, classify_part, slices, written

pytest.importorskip("astropy_healpix", reason="HEALPix needs telperion[scale]")

TABLE = rubin([[row(61000.0 + k), row(61002.0 + k, 300.0)] for k in range(10)], mwebv=[0.1] * 10)
JOB = Job("elasticc", understand(TABLE.schema))


def target(folder: Path) -> Path:
    return folder / "out" / "dataset" / "Norder=0" / "Dir=0" / "Npix=4.parquet"


def test_a_part_is_the_same_in_slices_as_at_once(tmp_path):
    pq.write_table(TABLE, tmp_path / "a.parquet", row_group_size=4)
    done = classify_part(JOB, [str(tmp_path / "a.parquet")], str(target(tmp_path)))
    assert (done.objects, done.rows, done.mended) == (10, 10, {})
    whole = pq.read_table(target(tmp_path), partitioning=None)
    expected, _ = JOB.classify(TABLE)
    assert whole.select(expected.column_names).equals(expected)
    small = Job("elasticc", JOB.layout, objects=3)
    classify_part(small, [str(tmp_path / "a.parquet")], str(target(tmp_path)))
    assert pq.read_metadata(target(tmp_path)).num_row_groups > 1
    assert pq.read_table(target(tmp_path), partitioning=None).column("leaf").equals(whole.column("leaf"))


def test_large_objects_make_small_slices(tmp_path, monkeypatch):
    pq.write_table(TABLE, tmp_path / "a.parquet")
    with pq.ParquetFile(tmp_path / "a.parquet") as file:
        assert [len(table) for table in slices(file, JOB.layout, 4)] == [4, 4, 2]
        group = file.metadata.row_group(0)
        encoded = sum(group.column(place).total_uncompressed_size for place in range(group.num_columns))
        monkeypatch.setattr(module, "BYTES", encoded // 4)
        assert [len(table) for table in slices(file, JOB.layout, 4096)] == [2] * 5


def test_an_empty_part_leaves_a_file_without_rows(tmp_path):
    pq.write_table(TABLE.slice(0, 0), tmp_path / "a.parquet")
    assert classify_part(JOB, [str(tmp_path / "a.parquet")], str(target(tmp_path))).rows == 0
    metadata, done = written(target(tmp_path))
    assert metadata.num_rows == done.objects == 0


def test_several_files_are_one_part(tmp_path):
    files = [tmp_path / "a.parquet", tmp_path / "b.parquet"]
    for number, file in enumerate(files):
        pq.write_table(TABLE.slice(5 * number, 5), file)
    assert classify_part(JOB, [str(file) for file in files], str(target(tmp_path))).objects == 10


def test_an_object_in_two_files_is_refused_and_nothing_is_left(tmp_path):
    for name in "ab":
        pq.write_table(TABLE, tmp_path / f"{name}.parquet")
    with pytest.raises(FormatError, match=r"a.parquet: diaObjectId is repeated for 10 objects"):
        classify_part(JOB, [str(tmp_path / f"{name}.parquet") for name in "ab"], str(target(tmp_path)))
    assert not list((tmp_path / "out").rglob("*.parquet"))


def test_a_file_that_is_cut_short_is_named(tmp_path):
    pq.write_table(TABLE, tmp_path / "a.parquet")
    whole = (tmp_path / "a.parquet").read_bytes()
    (tmp_path / "a.parquet").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(FormatError, match=r"a\.parquet: "):
        classify_part(JOB, [str(tmp_path / "a.parquet")], str(target(tmp_path)))


def test_a_file_of_others_or_half_of_ours_is_not_taken_for_an_answer(tmp_path):
    pq.write_table(pa.table({"x": [1]}), tmp_path / "a.parquet")
    assert written(tmp_path / "a.parquet") is None
    (tmp_path / "b.parquet").write_bytes(b"PAR1")
    assert written(tmp_path / "b.parquet") is None
    assert written(tmp_path / "c.parquet") is None


KILLED = """
import os, signal, sys
from telperion.scale import part
from telperion.scale.columns import understand
from telperion.scale.job import Job
import pyarrow.parquet as pq
part.os.fsync = lambda _: os.kill(os.getpid(), signal.SIGKILL)  # the last moment before the file is there
part.classify_part(Job("elasticc", understand(pq.read_schema(sys.argv[1]))), [sys.argv[1]], sys.argv[2])
"""


def test_who_is_killed_leaves_no_half_file(tmp_path):
    pq.write_table(TABLE, tmp_path / "a.parquet")
    arguments = [sys.executable, "-c", KILLED, str(tmp_path / "a.parquet"), str(target(tmp_path))]
    done = subprocess.run(arguments, env=os.environ, capture_output=True, check=False)
    assert done.returncode == -signal.SIGKILL, done.stderr.decode()
    assert not target(tmp_path).exists()
    assert len(list((tmp_path / "out" / UNFINISHED).iterdir())) == 1
