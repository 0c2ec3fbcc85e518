"""A few light curves that are simulated fast, and a night played once for all tests."""

import io
from pathlib import Path

import pytest
from rich.console import Console

from telperion.demo.play import play
from telperion.lightcurves import LightCurves
from telperion.serve.monitor import Status
from telperion.simulate.cadence import shipped_cadence
from telperion.simulate.kinds import KINDS
from telperion.simulate.survey import simulate_batch

N = 38
"""Two light curves a class."""


@pytest.fixture(scope="session")
def few() -> LightCurves:
    return simulate_batch({"EB": 24, "SLSN": 6, "TDE": 6}, KINDS, shipped_cadence(), (4,))


@pytest.fixture(scope="session")
def played(tmp_path_factory: pytest.TempPathFactory) -> tuple[Status, Path, str]:
    """The account of a small night, what was kept of it, and what was shown."""
    keep, console = tmp_path_factory.mktemp("demo") / "kept", Console(file=io.StringIO(), width=100)
    return play(keep=keep, n=N, seed=2, console=console), keep, console.file.getvalue()
