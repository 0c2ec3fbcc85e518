"""SNANA FITS as we write them: our own reader gives back what was written, and so does an independent code."""

import numpy as np
import pytest

from telperion.formats import read, snana_writer
from telperion.lightcurves import LightCurves


@pytest.fixture
def curves(rng):
    lengths = np.array([5, 0, 7, 1])
    offsets = np.concatenate([[0], np.cumsum(lengths)])
    n = offsets[-1]
    time = np.concatenate([60300 + np.sort(rng.uniform(0, 50, length)) for length in lengths])
    detected = rng.uniform(size=n) < 0.6
    context = {
        "ra": [1.0, 2.0, 3.0, 359.5], "decl": [-9.0, -30.0, 2.0, 0.0], "mwebv": [0.1, 0.02, 0.3, 0.01],
        "redshift": [0.5, np.nan, 0.1, 0.2], "hostgal_photoz": [0.4, np.nan, 0.1, 0.2],
        "hostgal_mag_u": [22.0, np.nan, 21.0, 20.0], "hostgal_mag_y": [20.0, np.nan, 19.0, 18.0],
        "hostgal_ellipticity": [0.1, np.nan, 0.2, 0.3], "hostgal_ra": [1.0, np.nan, 3.0, 359.5],
    }  # fmt: skip
    return LightCurves(
        np.array(["a-1", "b-22", "c", "d"]), offsets, time, rng.integers(0, 6, n), rng.normal(0, 3000, n),
        rng.uniform(1, 50, n), detected, context, ["SNIa", "KN", "M-dwarf Flare", "SNIb/c"],
    )  # fmt: skip


def test_what_is_written_is_read_back(curves, tmp_path):
    snana_writer.write(curves, tmp_path / "sky", "batch-0")
    with pytest.warns(UserWarning, match="no row"):
        again = read(tmp_path / "sky")
    assert again.object_id.tolist() == curves.object_id.tolist()
    assert again.label.tolist() == curves.label.tolist()
    np.testing.assert_array_equal(again.time, curves.time)
    np.testing.assert_array_equal(again.band, curves.band)
    np.testing.assert_array_equal(again.detected, curves.detected)
    np.testing.assert_allclose(again.flux, curves.flux, rtol=1e-6)
    np.testing.assert_allclose(again.flux_err, curves.flux_err, rtol=1e-6)
    assert again.dereddened == curves.dereddened
    assert set(again.context) == set(curves.context)
    for name, values in curves.context.items():
        np.testing.assert_allclose(again.context[name], values, rtol=1e-6, err_msg=name)


def test_the_alert_is_flagged_once_half_an_hour_after_a_detection(curves, tmp_path):
    from astropy.io import fits

    head, phot = (fits.getdata(path) for path in snana_writer.write(curves, tmp_path, "x"))
    flag, time = phot["PHOTFLAG"], phot["MJD"]
    for row, name in zip(head, curves.object_id, strict=True):
        mine = slice(row["PTROBS_MIN"] - 1, row["PTROBS_MAX"])
        alerts = np.flatnonzero(flag[mine] == 6144)
        seen = time[mine][flag[mine] >= 4096]
        later = seen[seen >= seen[0] + 0.021] if len(seen) else seen
        assert len(alerts) == (len(later) > 0), name
        if len(later):
            assert time[mine][alerts[0]] == later[0] == row["MJD_TRIGGER"]
            assert row["MJD_DETECT_FIRST"] == seen[0]
        assert time[row["PTROBS_MAX"]] == -777.0


def test_an_independent_code_opens_it(curves, tmp_path):
    sncosmo = pytest.importorskip("sncosmo", reason="the independent reader is sncosmo's")
    head, phot = snana_writer.write(curves, tmp_path, "x")
    tables = sncosmo.read_snana_fits(str(head), str(phot))
    assert [len(table) for table in tables] == curves.lengths.tolist()
    np.testing.assert_allclose(tables[2]["FLUXCAL"], curves.flux[5:12] / 36.30780548, rtol=1e-5)
    assert tables[0].meta["SIM_TYPE_NAME"].strip() == b"SNIa"
