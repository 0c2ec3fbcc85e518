"""Outbursts of given shapes: amplitudes that are drawn, an end before the next one."""

import numpy as np
import pytest

from telperion.simulate.source import FIRST_PEAK
from telperion.simulate.sources.outburst_tables import STEP, rises, shapes


def test_flat_tables_and_those_without_a_rise_do_not_count(made_up, tmp_path):
    made_up.write_outburst(tmp_path / "a.csv", 3.0)
    made_up.write_outburst(tmp_path / "b.csv", 0.9)
    (tmp_path / "c.csv").write_text("m_abs_g\n" + "\n".join(str(10 + 0.1 * k) for k in range(50)))
    assert [rises(tmp_path / f"{name}.csv") for name in "abc"] == [True, False, False]


def test_shapes_begin_quiet_and_reach_their_peak(made_up_sources):
    table = shapes(made_up_sources["DwarfNova-OGLE"].files.paths)
    assert (table[:, 0] > 0.95).all()
    np.testing.assert_allclose(np.nanmin(table, axis=1), 0)
    assert (np.nanargmin(table, axis=1) <= 12).all()  # the ten quiet points at the beginning are left out


@pytest.mark.parametrize("kind", ["made_up_sources", "real_sources"])
def test_stars_flare_up_as_drawn_and_calm_down(kind, request, make_sky):
    stars = request.getfixturevalue(kind)["DwarfNova-OGLE"].draw(make_sky(40), np.random.default_rng(0))
    owner = np.repeat(np.arange(40), 3000)
    time = np.tile(FIRST_PEAK + 0.1 * np.arange(3000), 40)
    flux = stars.flux(owner, time, np.ones(len(owner), dtype=int)).reshape(40, -1)
    quiet, boost = stars.quiet[:, 1], stars.boost.max(axis=1)
    top = flux.max(axis=1)
    assert (top > 1.5 * quiet).mean() > 0.9
    assert (top <= boost * stars.peak + quiet * 1.2).all()
    up = 2.5 * np.log10(top / quiet)
    assert 2 < np.median(up) < 6
    assert np.median(np.median(flux, axis=1) / quiet) < 20
    over = stars.start + STEP * stars.end[:, None] * stars.plateau
    assert (over[:, :-1] <= stars.start[:, 1:] + 1e-6).all()


def test_real_shapes_rise_in_days_and_are_no_single_one(real_sources):
    table = shapes(real_sources["DwarfNova-OGLE"].files.paths)
    assert 12 <= len(table) <= 20
    peak = np.nanargmin(table, axis=1) * STEP
    assert 0.5 < peak.min() < np.median(peak) < 8
    assert np.std([np.interp(5.0, STEP * np.arange(len(row)), row) for row in table]) > 0.05
