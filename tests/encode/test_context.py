"""Context that is blurred on purpose, for networks that serve more than one survey."""

import numpy as np
import pytest

from telperion.encode.context import NAMES, encode_context, jitter
from telperion.lightcurves import LightCurves


def test_jitter_blurs_hosts_and_errors_and_nothing_else(rng):
    curves = LightCurves(
        [str(k) for k in range(4000)], np.zeros(4001, int), [], [], [], [], [],
        {
            "hostgal_photoz": rng.uniform(0.1, 1, 4000), "hostgal_photoz_err": np.full(4000, 0.05),
            "mwebv": np.full(4000, 0.1), "hostgal_mag_r": np.full(4000, 21.0), "hostgal_mag_i": np.full(4000, 20.0),
            "hostgal_logmass": np.where(np.arange(4000) % 2, np.nan, 10.5),
        },
    )  # fmt: skip
    plain = encode_context(curves)
    blurred = jitter(plain, rng)
    change = dict(zip(NAMES, (blurred - plain).T, strict=True))
    moved = {name for name, values in change.items() if values.any()}
    assert moved == {"photoz_log_error", "host_logmass", "host_mag_r", "host_mag_i"}
    assert (change["host_logmass"][1::2] == 0).all()  # unknown stays unknown
    assert change["photoz_log_error"].std() * 2 == pytest.approx(0.3, rel=0.1)
    r, i = 4 * change["host_mag_r"], 4 * change["host_mag_i"]
    assert (r + i).std() / 2 == pytest.approx(np.hypot(0.3, 0.1 / np.sqrt(2)), rel=0.1)
    assert (r - i).std() == pytest.approx(0.1 * np.sqrt(2), rel=0.1)
    np.testing.assert_array_equal(jitter(plain, rng, 0.0), plain)
