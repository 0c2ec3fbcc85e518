"""What every test may ask for."""

import os
from pathlib import Path

import numpy as np
import pytest


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(0)


@pytest.fixture(scope="session")
def lsst_data() -> Path:
    """The folder with the unpacked research data; tests that need it are skipped where it is absent."""
    folder = Path(os.environ.get("LSST_DATA", "~/.cache/lsst-data")).expanduser()
    if not folder.is_dir():
        pytest.skip(f"no research data at {folder}: set LSST_DATA to a folder with plasticc, mallorn, elasticc2")
    return folder
