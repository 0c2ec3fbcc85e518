"""Sets to compare."""

import numpy as np
import pytest

from telperion.lightcurves import LightCurves
from telperion.simulate.drawn import draw


@pytest.fixture(scope="session")
def many() -> LightCurves:
    """Seventy light curves of three classes."""
    curves = draw(n_per_class=70, seed=11)
    return curves[np.isin(curves.label, ["SNIa", "AGN", "EB"])]


@pytest.fixture(scope="session")
def halves(many) -> tuple[LightCurves, LightCurves]:
    """The same in two halves, each with all classes."""
    return many[::2], many[1::2]
