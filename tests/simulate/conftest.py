"""A sky to put sources on."""

import numpy as np
import pytest

from telperion.simulate.cadence import shipped_cadence
from telperion.simulate.source import Sky


@pytest.fixture(scope="session")
def make_sky():
    cadence = shipped_cadence()

    def make(n, seed=0):
        places = Sky(
            cadence.ra, cadence.decl, np.full(len(cadence), 0.03), cadence.deep, cadence.offsets,
            cadence.time, cadence.band, cadence.depth,
        )  # fmt: skip
        return places.take(np.random.default_rng(seed).integers(0, 1000, n))

    return make
