"""`telperion classify` of HATS catalogues, and what it says."""

import os
import signal
import subprocess
import sys
import time

import pyarrow.parquet as pq
import pytest
from tests.scale.made_up import answers, row, rubin

from telperion.cli import main
from telperion.formats import parquet


def said(capsys) -> str:
    return capsys.readouterr().out.replace("\n", " ")


def test_a_catalogue_and_a_file_get_the_same_answers(sky, curves, tmp_path, capsys):
    parquet.write(curves, tmp_path / "a.parquet")
    assert main(["classify", str(sky), "-m", "elasticc", "-o", str(tmp_path / "out"), "--days", "2", "8"]) == 0
    assert f"{len(curves)} objects, {2 * len(curves)} rows" in said(capsys)
    assert main(["classify", str(tmp_path / "a.parquet"), "-m", "elasticc", "-o", str(tmp_path / "b.parquet"),
                 "--days", "2", "8"]) == 0  # fmt: skip
    keys = [("object_id", "ascending"), ("days", "ascending")]
    one, other = answers(tmp_path / "out").sort_by(keys), pq.read_table(tmp_path / "b.parquet").sort_by(keys)
    for name in ("object_id", "n_obs", "leaf", "confident_node"):
        assert one.column(name).to_pylist() == other.column(name).to_pylist()


def test_the_same_command_goes_on(sky, tmp_path, capsys):
    command = ["classify", f"hats://{sky}", "-m", "elasticc", "-o", str(tmp_path / "out")]
    assert main(command) == 0
    next((tmp_path / "out" / "dataset").glob("Norder=*/Dir=*/Npix=*.parquet")).unlink()
    said(capsys)
    assert main(command) == 0
    parts = len(list((tmp_path / "out" / "dataset").glob("Norder=*/Dir=*/Npix=*.parquet")))
    assert f"({parts} parts, {parts - 1} of them from before)" in said(capsys)


def test_columns_of_other_names_and_what_was_mended(tmp_path, capsys):
    pytest.importorskip("astropy_healpix", reason="HEALPix needs telperion[scale]")
    from telperion.scale.catalogue import Pixel
    from telperion.scale.properties import write_properties

    table = rubin([[row(61000.0), row(61001.0, None)], [row(61000.0)]], dust=[0.1, 0.1])
    file = tmp_path / "sky" / "dataset" / Pixel(0, 4).path
    file.parent.mkdir(parents=True)
    pq.write_table(table.rename_columns(["name", "ra", "dec", "dust", "found"]), file)
    write_properties(tmp_path / "sky", "sky", [Pixel(0, 4)], ra="ra", decl="dec")
    command = ["classify", str(tmp_path / "sky"), "-m", "elasticc", "-o", str(tmp_path / "out"), "--names"]
    assert main([*command, "name=object_id", "found=sources", "dust=mwebv"]) == 0
    assert "1 no flux" in capsys.readouterr().err
    assert answers(tmp_path / "out").column_names[:2] == ["_healpix_29", "name"]
    assert main([*command, "name=id"]) == 2
    assert "nothing is called 'id'" in capsys.readouterr().err
    assert main([*command, "name"]) == 2
    assert "expected COLUMN=MEANING" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("more", "words"),
    [
        (["--dask", "tcp://127.0.0.1:1"], "--dask is for HATS catalogues"),
        (["-j", "2", "--dereddened"], "--dereddened, -j is for HATS catalogues"),
    ],
)
def test_what_is_for_catalogues_is_refused_elsewhere(more, words, curves, tmp_path, capsys):
    parquet.write(curves, tmp_path / "a.parquet")
    assert main(["classify", str(tmp_path / "a.parquet"), "-m", "elasticc", "-o", "x", *more]) == 2
    assert words in capsys.readouterr().err


def test_both_kinds_of_workers_at_once_are_refused(sky, tmp_path, capsys):
    out = str(tmp_path / "out")
    assert main(["classify", str(sky), "-m", "elasticc", "-o", out, "-j", "2", "--dask", "tcp://127.0.0.1:1"]) == 2
    assert "-j is for processes here" in capsys.readouterr().err


@pytest.mark.parametrize("jobs", ["1", "2"])
def test_ctrl_c_leaves_whole_parts_and_says_how_to_go_on(jobs, sky, tmp_path):
    from telperion.scale.make import make_hats

    make_hats(sky.parent / "curves.parquet", tmp_path / "fine", objects=1)
    command = ["classify", str(tmp_path / "fine"), "-m", "elasticc", "-o", str(tmp_path / "out"), "-j", jobs,
               "--days", *map(str, range(1, 60))]  # fmt: skip
    started = subprocess.Popen(
        [sys.executable, "-m", "telperion", *command], env=os.environ, stderr=subprocess.PIPE, text=True
    )
    deadline = time.monotonic() + 100
    while not list((tmp_path / "out").rglob("Npix=*.parquet")) and time.monotonic() < deadline:
        time.sleep(0.02)
    started.send_signal(signal.SIGINT)
    _, error = started.communicate(timeout=100)
    assert started.returncode == 130, error
    assert error.endswith("telperion classify: stopped; the same command goes on from here\n")
    assert "Traceback" not in error
    done = list((tmp_path / "out" / "dataset").rglob("Npix=*.parquet"))
    assert 0 < len(done) < len(list((tmp_path / "fine" / "dataset").rglob("Npix=*.parquet")))
    assert all(pq.read_metadata(file).num_rows for file in done)
