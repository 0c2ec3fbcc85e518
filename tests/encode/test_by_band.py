"""Rectangles of light curves, band by band."""

import numpy as np
import pytest

from telperion.encode.by_band import CHANNELS, gridded_bands, padded_bands
from telperion.lightcurves import LightCurves

FLUX, KNOWN, TIME, GAP = (CHANNELS.index(name) for name in ("flux", "known", "time", "gap"))


@pytest.fixture
def curves(rng):
    """Objects of 40, 0, 1 and 900 rows, the last in two bands only; the second redshift is unknown."""
    lengths = [40, 0, 1, 900]
    owner = np.repeat(np.arange(4), lengths)
    band = np.where(owner == 3, rng.integers(1, 3, owner.size), rng.integers(0, 6, owner.size))
    return LightCurves.from_rows(
        owner, rng.uniform(60000, 60800, owner.size), band, rng.normal(0, 900, owner.size), np.full(owner.size, 90.0),
        np.ones(owner.size, bool), objects=np.arange(4), context={"redshift": [0.5, np.nan, 0.2, 1.0]},
    )  # fmt: skip


def test_padded_bands_hold_every_row_once(curves):
    found = padded_bands(curves, 200)
    assert found.shape == (4, 6, len(CHANNELS), 200)
    for index in (0, 1, 2):
        own = curves[index]
        largest = np.abs(own.flux).max(initial=0) or 1
        for band in range(6):
            rows = own.band == band
            known = found[index, band, KNOWN] == 1
            assert known.sum() == rows.sum()
            assert known[: rows.sum()].all()
            np.testing.assert_allclose(found[index, band, FLUX, known], own.flux[rows] / largest, rtol=1e-5)
            days = (own.time[rows] - own.time[:1]) / (1 + np.nan_to_num(own.context["redshift"]))
            np.testing.assert_allclose(found[index, band, TIME, known], days / 365.25, atol=1e-6)
            np.testing.assert_allclose(
                found[index, band, GAP, known], np.diff(days / 365.25, prepend=days[:1] / 365.25), atol=1e-6
            )
            assert not found[index, band][:, ~known].any()


def test_a_crowded_band_is_thinned_evenly(curves):
    found = padded_bands(curves, 50)
    own = curves[3]
    for band in (1, 2):
        times = (own.time[own.band == band] - own.time[0]) / 2 / 365.25
        kept = found[3, band, TIME]
        assert found[3, band, KNOWN].all()
        place = np.searchsorted(times, kept - 1e-7)
        np.testing.assert_allclose(times[place], kept, atol=1e-6)
        assert set(np.diff(place)) <= {len(times) // 50, len(times) // 50 + 1}


def test_a_grid_goes_through_the_rows_of_each_band(curves):
    found = gridded_bands(curves, 801)
    assert found.shape == (4, 6, 801)
    assert np.abs(found).max() <= 1
    assert not found[1].any()
    own = curves[3]
    grid = np.linspace(own.time[0], own.time[-1], 801)
    for band in (1, 2):
        rows = own.band == band
        expected = np.interp(grid, own.time[rows], own.flux[rows] / np.abs(own.flux).max())
        np.testing.assert_allclose(found[3, band], expected, atol=1e-4)
    assert not found[3, [0, 3, 4, 5]].any()
    single = int(curves[2].band[0])
    np.testing.assert_array_equal(np.abs(found[2, single]), 1)
