"""How long simulated light curves take: ``pytest benchmarks/test_simulate.py --benchmark-only``."""

import os
from pathlib import Path

import pytest

from telperion.simulate.cadence import shipped_cadence
from telperion.simulate.kinds import KINDS, ORACLE, counts
from telperion.simulate.library import library
from telperion.simulate.survey import simulate_batch


def test_five_hundred_of_all_classes(benchmark):
    wanted = counts(500, ORACLE)
    curves = benchmark.pedantic(simulate_batch, args=(wanted, KINDS, shipped_cadence(), (0, 0)), rounds=3)
    assert len(curves) == 500


def test_five_hundred_of_all_classes_from_templates(benchmark):
    folder = Path(os.environ.get("LSST_DATA", "~/.cache/lsst-data")).expanduser()
    if not (folder / "sncosmo").is_dir():
        pytest.skip(f"no template files in {folder}")
    kinds = library(folder)
    arguments = counts(500, ORACLE), kinds, shipped_cadence(), (0, 0)
    simulate_batch(*arguments)  # with grids that are kept
    curves = benchmark.pedantic(simulate_batch, args=arguments, rounds=3)
    assert len(curves) == 500


@pytest.mark.parametrize("label", ["SNIa", "SNIax", "KN", "CaRT", "ILOT", "AGN", "M-dwarf Flare"])
def test_twenty_of_a_class(benchmark, label):
    curves = benchmark.pedantic(simulate_batch, args=({label: 20}, KINDS, shipped_cadence(), (0, 0)), rounds=3)
    assert len(curves) == 20
