"""How long reading takes: ``pytest benchmarks/test_read.py --benchmark-only``, research data in LSST_DATA."""

import os
from pathlib import Path

import pytest

from telperion.formats import mallorn, parquet, plasticc, snana


@pytest.fixture(scope="module")
def data() -> Path:
    folder = Path(os.environ.get("LSST_DATA", "~/.cache/lsst-data")).expanduser()
    if not folder.is_dir():
        pytest.skip(f"no research data at {folder}: set LSST_DATA")
    return folder


@pytest.mark.filterwarnings("ignore::telperion.lightcurves.RepairWarning")
def test_mallorn_whole(benchmark, data):
    curves = benchmark(mallorn.read, data / "mallorn", part="all")
    benchmark.extra_info["rows"] = curves.n_rows
    assert len(curves) == 10_178


def test_plasticc_training_set(benchmark, data):
    curves = benchmark(plasticc.read, data / "plasticc")
    benchmark.extra_info["rows"] = curves.n_rows
    assert len(curves) == 5_852


def test_elasticc2_sample(benchmark, data):
    curves = benchmark(snana.read, data / "elasticc2")
    benchmark.extra_info["rows"] = curves.n_rows
    assert len(curves) == 162


def test_parquet_of_the_plasticc_training_set(benchmark, data, tmp_path):
    parquet.write(plasticc.read(data / "plasticc"), tmp_path / "plasticc.parquet")
    curves = benchmark(parquet.read, tmp_path / "plasticc.parquet")
    benchmark.extra_info["rows"] = curves.n_rows
    assert len(curves) == 5_852
