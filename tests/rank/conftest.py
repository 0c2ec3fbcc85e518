from collections.abc import Callable

import numpy as np
import pytest

from telperion.lightcurves import LightCurves

START = 61_000.0 - 20.5


def lines_of_magnitude(slopes, *, peak=19.0, error=0.02, ra=60.0, dec=-30.0, bands=(1, 2, 3)) -> LightCurves:
    """Light curves in straight lines of magnitude, one object a slope: ten visits, two days apart, in each band."""
    slope = np.atleast_1d(np.asarray(slopes, dtype=float))
    time, band = np.repeat(START + np.arange(0, 20, 2.0), len(bands)), np.tile(bands, 10)
    magnitude = peak + slope[:, None] * (time - START) + 0.1 * (band - 1)
    flux = 10 ** (0.4 * (31.4 - magnitude)).ravel()
    n = slope.size
    return LightCurves.from_codes(
        np.repeat(np.arange(n), time.size), np.tile(time + 1e-3 * band, n), np.tile(band, n), flux,
        error * flux / 1.0857, np.ones(flux.size, dtype=bool), objects=[f"o{k}" for k in range(n)],
        context={"ra": np.broadcast_to(ra, n), "decl": np.broadcast_to(dec, n), "mwebv": np.zeros(n)},
    )  # fmt: skip


@pytest.fixture
def lines() -> Callable[..., LightCurves]:
    return lines_of_magnitude
