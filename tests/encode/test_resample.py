"""Copies of light curves that carry a number."""

import numpy as np

from telperion.encode.resample import resample
from telperion.simulate.drawn import draw


def test_a_numbered_copy_is_the_same_in_any_company():
    curves = draw(n_per_class=2, seed=5)
    among, alone = resample(curves, 3), resample(curves[7], 3)
    np.testing.assert_array_equal(among[7].flux, alone.flux)
    np.testing.assert_array_equal(among[7].time, alone.time)
    assert resample(curves, 4).n_rows != among.n_rows
