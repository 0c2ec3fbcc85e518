"""How long the statistics of many light curves take, family by family: ``pytest benchmarks/test_statistics.py``."""

import numpy as np
import pytest

from telperion.encode.resample import resample
from telperion.encode.statistics import FAMILIES, statistics
from telperion.lightcurves import LightCurves

OBJECTS, ROWS = 500, 150


@pytest.fixture(scope="module")
def curves() -> LightCurves:
    rng = np.random.default_rng(0)
    total = OBJECTS * ROWS
    days = rng.uniform(-30, 170, total)
    return LightCurves.from_rows(
        np.repeat(np.arange(OBJECTS), ROWS), 60000 + days, rng.integers(0, 6, total),
        3000 * np.exp(-0.5 * (days / 20) ** 2) + rng.normal(0, 100, total), np.full(total, 100.0),
        np.abs(days) < 30, objects=np.arange(OBJECTS), dereddened=True,
        context={name: np.full(OBJECTS, 0.2) for name in ("hostgal_specz", "hostgal_photoz", "mwebv")},
    )  # fmt: skip


@pytest.mark.parametrize("family", FAMILIES)
def test_one_family_of_500_light_curves_of_150_observations(benchmark, curves, family):
    assert len(benchmark(statistics, curves, [family]).values) == OBJECTS


def test_all_families_of_500_light_curves_of_150_observations(benchmark, curves):
    assert len(benchmark(statistics, curves).values) == OBJECTS


def test_one_copy_of_500_light_curves_of_150_observations(benchmark, curves):
    assert len(benchmark(resample, curves, np.random.default_rng(0))) == OBJECTS
