import numpy as np
import pytest
from astropy.cosmology import FlatLambdaCDM

from telperion.cosmology import HUBBLE, OMEGA_MATTER, distance_modulus, redshift_at

Z = np.array([0.001, 0.05, 0.5, 3.0, 9.0])


def test_distances_agree_with_astropy():
    expected = FlatLambdaCDM(H0=HUBBLE, Om0=OMEGA_MATTER, Tcmb0=0).distmod(Z).value
    np.testing.assert_allclose(distance_modulus(Z), expected, atol=2e-3)


def test_the_redshift_at_a_distance_is_the_inverse():
    assert redshift_at(distance_modulus(Z)) == pytest.approx(Z, rel=1e-6)


def test_an_unknown_redshift_has_an_unknown_distance():
    assert np.isnan(distance_modulus([np.nan]))
