"""Hosts: what a catalogue knows of them, in the right proportions, and nothing for what has none."""

import numpy as np
import pytest

from telperion.simulate.host import COLUMNS, context, galaxy


@pytest.fixture(scope="module")
def near(make_sky):
    return context(make_sky(3000), np.full(3000, 0.2), "SNIb/c", np.random.default_rng(0))


def test_the_columns_are_those_of_the_public_simulations(near):
    from telperion.encode.oracle import STATIC

    known, under = near
    assert tuple(known) == COLUMNS
    assert all(values.shape == (3000,) for values in known.values())
    assert set(STATIC) - set(known) <= {"hostgal_zphot"} | {name for name in STATIC if "flag" in name}
    assert under.shape == (3000, 6)
    assert (under >= 0).all()


def test_hosts_of_supernovae_are_as_bright_and_as_far_as_in_the_public_sample(near):
    """Medians of 129 SNIb of ELAsTiCC2 (z median .2): host i 20.3, g 21.9, separation .54 arcsec, ellipticity .28."""
    known, _ = near
    assert np.nanmedian(known["hostgal_mag_i"]) == pytest.approx(20.3, abs=0.4)
    assert np.nanmedian(known["hostgal_mag_g"]) == pytest.approx(21.9, abs=0.5)
    assert np.nanmedian(known["hostgal_snsep"]) == pytest.approx(0.54, abs=0.3)
    assert np.nanmedian(known["hostgal_ellipticity"]) == pytest.approx(0.28, abs=0.08)


def test_photometric_redshifts_have_a_narrow_core_and_outliers(near):
    known, _ = near
    off = np.abs(known["hostgal_photoz"] - 0.2) / 1.2
    assert np.nanmedian(off) < 0.03
    assert 0.02 < np.nanmean(off > 0.15) < 0.15
    np.testing.assert_array_equal(
        known["redshift"], np.where(np.isnan(known["hostgal_specz"]), known["hostgal_photoz"], known["hostgal_specz"])
    )


def test_photometric_redshifts_are_lost_more_often_nearby(make_sky, near):
    """Of the objects of PLAsTiCC .12 to .18 are off by .15 (1 + z) below z of .3, .04 to .06 from .3 to .8."""
    far, _ = context(make_sky(3000), np.full(3000, 0.6), "SNIa", np.random.default_rng(0))
    lost = [(np.abs(known["hostgal_photoz"] - z) / (1 + z) > 0.15) for known, z in ((near[0], 0.2), (far, 0.6))]
    assert 0.08 < lost[0].mean() < 0.15
    assert 0.02 < lost[1].mean() < 0.08


def test_distant_galaxies_are_younger_and_brighter_for_their_mass(make_sky):
    """Hosts of normal supernovae at .76 have i of 19.2 to 23.3, 21.1 the middle, in a library without faint ones."""
    known, _ = context(make_sky(3000), np.full(3000, 0.76), "SNIa", np.random.default_rng(0))
    assert np.nanmedian(known["hostgal_mag_i"]) == pytest.approx(22.2, abs=0.7)
    assert np.nanmedian(known["hostgal_mag_g"] - known["hostgal_mag_i"]) < 1.6


def test_nuclei_have_hosts_and_superluminous_supernovae_dwarfs(make_sky):
    """Below 2e9 solar masses (Perley et al. 2016); M of -16 to -20 in the blue (Schulze et al. 2018)."""
    sky, z = make_sky(2000), np.full(2000, 1.2)
    nucleus, _ = context(sky, z, "AGN", np.random.default_rng(0))
    dwarf, _ = context(sky, z, "SLSN", np.random.default_rng(0))
    assert np.isfinite(nucleus["hostgal_photoz"]).mean() > 0.98
    assert 0.8 < np.isfinite(dwarf["hostgal_photoz"]).mean() < 0.95
    assert (dwarf["hostgal_logmass"] < 9.5).mean() > 0.6
    assert np.nanmedian(dwarf["hostgal_mag_i"]) > np.nanmedian(nucleus["hostgal_mag_i"]) + 2


def test_spectroscopic_redshifts_are_as_common_as_a_survey_makes_them(make_sky):
    sky = make_sky(4000)
    for z, share in ((0.02, 1.0), (0.1, 0.072), (0.5, 0.024), (0.95, 0.0)):
        known, _ = context(sky, np.full(4000, z), "SNII", np.random.default_rng(1))
        assert np.isfinite(known["hostgal_specz"]).mean() == pytest.approx(share, abs=0.015)


def test_the_galaxy_has_no_host(make_sky):
    known, under = context(make_sky(5), np.full(5, np.nan), "EB", np.random.default_rng(0))
    assert (under == 0).all()
    for name, values in known.items():
        assert np.isnan(values).all() == (name not in ("ra", "decl", "mwebv", "mwebv_err")), name


def test_mixed_tables_are_filled_object_by_object(make_sky):
    z = np.array([0.1, np.nan, 0.3, np.nan])
    known, under = context(make_sky(4), z, "AGN", np.random.default_rng(0))
    np.testing.assert_array_equal(np.isnan(known["hostgal_mag_i"]), np.isnan(z))
    assert (under[[1, 3]] == 0).all()
    assert (under[[0, 2]] > 0).all()


def test_galaxies_redden_with_redshift_and_fade():
    flux = galaxy(np.array([0.05, 0.3, 0.8]), np.full(3, 10.5), np.zeros(3))
    colour = -2.5 * np.log10(flux[:, 1] / flux[:, 2])
    assert 0.7 < colour[0] < 1.1  # an elliptical's g - r nearby
    assert colour[1] > colour[0] + 0.3
    assert (np.diff(flux[:, 3]) < 0).all()
    blue = galaxy(np.array([0.05]), np.array([10.5]), np.array([1.0]))
    assert -2.5 * np.log10(blue[0, 1] / blue[0, 2]) < colour[0] - 0.2
