"""Siblings: light curves of one source find each other, and never themselves."""

from dataclasses import replace

import numpy as np
import pytest

from telperion.bands import WAVELENGTH
from telperion.encode.gaussian_process import matern
from telperion.encode.observations import N_BANDS, Observations
from telperion.encode.portrait import ACROSS, FLOOR, GRID, SCATTER, SHORTEST, VARIANCE
from telperion.encode.siblings import Templates, names, siblings, templates
from telperion.formats import mallorn
from telperion.lightcurves import LightCurves

RISE_AND_FALL = ((8.0, 40.0), (25.0, 150.0), (4.0, 15.0), (15.0, 80.0))
COPIES = 3
CLASS = np.arange(4) // 2
NAMES = names(["a", "b"])


def simulate(rise, fall, seed):
    """One source, at a distance and with nights of its own."""
    rng = np.random.default_rng(seed)
    redshift = 0.3 * np.exp(rng.normal(0, 0.03))
    day = np.sort(rng.uniform(-200, 400, 120))
    phase = day / (1 + redshift)
    flux = 4e4 / (1 + np.exp(-phase / rise)) * np.exp(-np.maximum(phase, 0) / fall) + rng.normal(0, 400, day.size)
    return LightCurves.from_rows(
        [f"{rise:g} {seed}"] * day.size, day + 60000, rng.integers(6, size=day.size), flux, np.full(day.size, 400.0),
        flux > 2000, context={"redshift": [redshift], "mwebv": [0.0]}, dereddened=True,
    )  # fmt: skip


@pytest.fixture(scope="module")
def curves():
    """Four sources of two classes, each simulated three times."""
    return LightCurves.concatenate([
        simulate(*times, COPIES * place + copy) for place, times in enumerate(RISE_AND_FALL) for copy in range(COPIES)
    ])  # fmt: skip


@pytest.fixture(scope="module")
def label():
    return np.repeat(CLASS, COPIES)


def column(table, name):
    return table[:, NAMES.index(f"siblings.{name}")]


def test_siblings_find_each_other(curves, label):
    found = siblings(curves, templates(curves, label), 2, np.arange(len(curves)))
    mine = np.where(label, column(found, "share_b_of_1"), column(found, "share_a_of_1"))
    assert mine.mean() > 0.9
    margin = np.where(label, column(found, "margin_1_b"), column(found, "margin_1_a"))
    assert np.median(margin) > 10


def test_an_objects_own_template_does_not_count(curves, label):
    """With a label of its own nobody is like an object of that label."""
    alone = np.where(np.arange(len(curves)) == 4, 2, label)
    known = templates(curves, alone)
    own = siblings(curves, known, 3, np.arange(len(curves)))[4]
    other = siblings(curves[[4]], known, 3)[0]
    place = names(["a", "b", "c"]).index("siblings.share_c_of_1")
    assert own[place] == 0
    assert other[place] == 1


def test_a_template_is_the_posterior_of_its_rows(curves, label):
    one = curves[[3]]
    made = templates(one, label[[3]])
    rows = Observations(one)
    burst = rows.outburst
    used = (burst.phase >= GRID[0] - 24) & (burst.phase <= GRID[-1] + 24)
    assert used.sum() <= 90
    phase, colour = burst.phase[used], np.log(WAVELENGTH)[rows.band[used]]
    flux, error = rows.flux[used] / burst.level[0], rows.error[used] / burst.level[0]
    scale = max(burst.process.time_scale[0], SHORTEST)
    at = np.repeat(GRID, N_BANDS), np.tile(np.log(WAVELENGTH), len(GRID))

    def kernel(t, w, t_other, w_other):
        return VARIANCE * matern(t[:, None] - t_other, scale) * matern(w[:, None] - w_other, ACROSS)

    noisy = kernel(phase, colour, phase, colour) + np.diag(error**2 + (SCATTER * flux) ** 2 + FLOOR**2)
    cross = kernel(*at, phase, colour)
    np.testing.assert_allclose(made.mean[:, 0], cross @ np.linalg.solve(noisy, flux), atol=1e-5)
    variance = VARIANCE - (cross * np.linalg.solve(noisy, cross.T).T).sum(axis=1)
    np.testing.assert_allclose(made.variance[:, 0], variance, atol=1e-5)


def test_objects_are_compared_each_for_itself(curves, label, rng):
    known = templates(curves, label)
    order = rng.permutation(len(curves))
    np.testing.assert_array_equal(
        siblings(curves[order], known, 2, order), siblings(curves, known, 2, np.arange(12))[order]
    )


def test_shares_are_shares(curves, label):
    found = siblings(curves, templates(curves, label), 2)
    np.testing.assert_allclose(
        np.exp(column(found, "likelihood_a")) + np.exp(column(found, "likelihood_b")), 1, atol=1e-5
    )
    for most in (1, 3, 10):
        np.testing.assert_allclose(
            column(found, f"share_a_of_{most}") + column(found, f"share_b_of_{most}"), 1, atol=1e-6
        )


def test_nothing_is_said_of_what_cannot_be_compared(curves, label):
    known = templates(curves, label)
    bare = curves.with_context({"redshift": np.full(len(curves), np.nan), "mwebv": np.zeros(len(curves))})
    far = curves.with_context({"redshift": np.full(len(curves), 3.0), "mwebv": np.zeros(len(curves))})
    for each in (bare, far, curves.select_rows(np.zeros(curves.n_rows, bool))):
        assert np.isnan(siblings(each, known, 2)).all()


def test_templates_are_written_and_read(curves, label, tmp_path):
    known = templates(curves, label)
    known.save(tmp_path / "t.npz")
    np.testing.assert_array_equal(siblings(curves, Templates.load(tmp_path / "t.npz"), 2), siblings(curves, known, 2))
    replace(known, mean=known.mean[1:]).save(tmp_path / "other.npz")
    with pytest.raises(ValueError, match="another grid"):
        Templates.load(tmp_path / "other.npz")
    np.savez(tmp_path / "none.npz", mean=known.mean)
    with pytest.raises(ValueError, match="holds no templates"):
        Templates.load(tmp_path / "none.npz")
    with pytest.raises(ValueError, match="missing or larger"):
        Templates.load(tmp_path / "absent.npz")


def test_real_tdes_resemble_tdes(lsst_data):
    curves = mallorn.read(lsst_data / "mallorn")
    chosen = np.concatenate([np.flatnonzero(curves.label == kind)[:148] for kind in ("TDE", "SN II", "AGN")])
    part = curves[chosen]
    tde = (part.label == "TDE").astype(np.int64)
    found = siblings(part, templates(part, tde), 2, np.arange(len(part)))
    share = column(found, "share_b_of_1")
    assert np.nanmean(share[tde == 1]) > 0.6 > 0.3 > np.nanmean(share[tde == 0])
