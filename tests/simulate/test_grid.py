"""The common grid: what a band sees of it is what it sees of the spectra; kept and found again."""

import numpy as np
import pytest
from scipy.interpolate import RegularGridInterpolator

from telperion.simulate import grid as module
from telperion.simulate.grid import CELLS, FIRST_DAY, SHORTEST, STEP, Grid, cells, daily, digest, kept, natural, stack
from telperion.simulate.passbands import Passbands
from telperion.simulate.spectra import Series

LENGTH = np.exp(SHORTEST + STEP * np.arange(CELLS))


def make_grid(paths):
    return Grid(np.arange(12, dtype=np.float32).reshape(1, 3, 4), (0.0, 1.0), (-1.0, 0.5))


def test_lookup_is_bilinear(rng):
    values = rng.normal(size=(3, 7, 9)).astype(np.float32)
    grid = Grid(values, (-5.0, 2.0), (-1.0, 0.2))
    axes = -5 + 2.0 * np.arange(7), -1 + 0.2 * np.arange(9)
    which, day, length = rng.integers(0, 3, (50, 1)), rng.uniform(-5, 7, (50, 1)), rng.uniform(-1, 0.6, (50, 4))
    found = grid(which, day, np.exp(length))
    assert found.shape == (50, 4)
    for k in range(50):
        other = RegularGridInterpolator(axes, values[which[k, 0]].astype(float))
        np.testing.assert_allclose(found[k], other(np.stack([np.full(4, day[k, 0]), length[k]], axis=1)), rtol=1e-6)
    ends = grid(np.array(1), np.array([-99.0, 99.0]), np.exp([-1.0, 0.6]))
    np.testing.assert_allclose(ends, values[1, [0, -1], [0, -1]], rtol=1e-6)


def test_nothing_is_above_the_highest(rng):
    grid = Grid(rng.exponential(size=(3, 7, 9)).astype(np.float32), (-5.0, 2.0), (-1.0, 0.2))
    which, day, length = rng.integers(0, 3, 500), rng.uniform(-9, 9, 500), np.exp(rng.uniform(-1.5, 1.0, 500))
    assert (grid(which, day, length) <= grid.highest(which, np.zeros(500), length) * (1 + 1e-6)).all()


def test_a_band_sees_lines_that_its_few_wavelengths_would_miss():
    """Flux of a spectrum full of lines, by the few wavelengths a band and by its whole throughput."""
    length = np.arange(2000.0, 11500.0, 5.0)
    flux = 1e-9 * (length / 5000.0) ** -1.5
    for line in np.arange(2100.0, 11000.0, 310.0):
        flux = flux * (1 + 0.8 * np.exp(-(((length - line) / 25.0) ** 2) / 2) * (-1) ** round(line / 310))
    f_nu = flux * length**2 / 2.99792458e18 * 1e32
    made = stack([Series(np.array([-1.0, 1.0]), length, np.stack([flux, flux]))])
    edges = (332, 394), (399, 551), (549, 690), (693, 819), (817, 926), (921, 1007)
    curves = []
    for blue, red in edges:
        nm = np.linspace(blue - 20, red + 20, 3000)
        curves.append((nm, 1 / (1 + np.exp((blue - nm) / 4)) / (1 + np.exp((nm - red) / 4))))
    bands, off, naive = Passbands.from_curves(curves), [], []
    for redshift in (0.0, 0.03, 0.11, 0.4, 0.8):
        for band, (nm, share) in enumerate(curves):
            photons = share / nm
            truth = (np.interp(10 * nm / (1 + redshift), length, f_nu) * photons).sum() / photons.sum()
            wavelength = bands.wavelength[band] / (1 + redshift)
            few = made(np.array(0), np.array(0.0), wavelength)
            off.append((few * bands.weight[band]).sum() / truth - 1)
            naive.append((np.interp(1e4 * wavelength, length, f_nu) * bands.weight[band]).sum() / truth - 1)
    assert np.std(off) < 0.025
    assert np.abs(off).max() < 0.07
    assert np.std(naive) > 2 * np.std(off)


def test_light_is_conserved_over_the_cells():
    length = np.arange(3000.0, 9000.0, 10.0)
    flux = np.exp(-(((length - 6000.0) / 400.0) ** 2) / 2)[None].repeat(2, axis=0)
    light = cells(Series(np.arange(2.0), length, flux))
    expected = np.trapezoid(flux[0] * length**2 / 2.99792458e18 * 1e32, np.log(length))
    assert light[0].sum() * STEP == pytest.approx(expected, rel=1e-3)


def test_no_continuum_is_bluer_than_a_hot_black_body_or_redder_than_a_cool_one():
    steep = natural((LENGTH[None] / 0.4) ** -6.0)
    blue = LENGTH < 0.37
    np.testing.assert_allclose(steep[0, blue] * LENGTH[blue] ** 2, (steep[0, blue] * LENGTH[blue] ** 2)[0], rtol=1e-6)
    red = LENGTH > 0.95
    slope = np.diff(np.log(steep[0, red])) / np.diff(np.log(LENGTH[red]))
    np.testing.assert_allclose(slope, -2, atol=1e-6)
    redder = natural((LENGTH[None] / 0.4) ** 6.0)[0, LENGTH > 1.1]
    slope = np.diff(np.log(redder)) / np.diff(np.log(LENGTH[LENGTH > 1.1]))
    np.testing.assert_allclose(slope, 2, atol=1e-6)
    flat = natural(np.ones((1, CELLS)))
    np.testing.assert_array_equal(flat[0, LENGTH > 0.37], 1)
    assert (natural(np.full((1, CELLS), -1.0)) == 0).all()


def test_light_rises_before_a_template_and_fades_after_it():
    phase = np.arange(-5.0, 61.0, 5.0)
    light = (10 ** (-0.4 * 0.03 * (phase + 5)))[:, None] * np.ones(CELLS)
    day = FIRST_DAY + np.arange(361)
    curve = daily(phase, light)[:, 0]
    assert (curve[day <= -8] == 0).all()
    assert 0 < curve[day == -7] < curve[day == -6] < curve[day == -5] == 1
    np.testing.assert_allclose(curve[day == 20], 10 ** (-0.4 * 0.75))
    magnitude = -2.5 * np.log10(curve[day >= 60])
    assert magnitude[1] - magnitude[0] == pytest.approx(0.03, abs=0.002)
    assert magnitude[-1] - magnitude[-2] == pytest.approx(0.0098, abs=0.0005)


def test_a_grid_is_kept_and_found_again(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    path = tmp_path / "file"
    path.write_bytes(b"some")
    files, calls = (str(path),), []

    def made(paths):
        calls.append(paths)
        return make_grid(paths)

    name = digest(files, "made")
    first = kept.__wrapped__(name, files, made)
    second = kept.__wrapped__(name, files, made)
    assert calls == [files]
    np.testing.assert_array_equal(first.values, second.values)
    assert (first.phase, first.wavelength) == (second.phase, second.wavelength)
    (stored,) = (tmp_path / "cache" / "telperion" / "templates").iterdir()
    stored.write_bytes(stored.read_bytes()[:100])
    np.testing.assert_array_equal(kept.__wrapped__(name, files, made).values, first.values)
    assert len(calls) == 2
    stored.unlink()
    path.write_bytes(b"other")
    with pytest.raises(ValueError, match="has changed since"):
        kept.__wrapped__(name, files, made)


def test_the_name_says_what_the_files_and_the_recipe_are(tmp_path, monkeypatch):
    one, other = tmp_path / "one", tmp_path / "other"
    one.write_bytes(b"ab")
    other.write_bytes(b"c")
    names = {digest([one, other], "a"), digest([other, one], "a"), digest([one, other], "b"), digest([one], "a")}
    one.write_bytes(b"a")
    other.write_bytes(b"bc")
    names.add(digest([one, other], "a"))
    monkeypatch.setattr(module, "VERSION", -1)
    names.add(digest([one, other], "a"))
    assert len(names) == 6


def test_without_a_place_to_keep_it_a_grid_is_made_each_time(tmp_path, monkeypatch):
    (tmp_path / "file").write_bytes(b"some")
    (tmp_path / "cache").write_text("no folder")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    files = (str(tmp_path / "file"),)
    found = kept.__wrapped__(digest(files, "make_grid"), files, make_grid)
    np.testing.assert_array_equal(found.values, make_grid(files).values)
