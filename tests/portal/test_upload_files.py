"""Files of an upload: what is right becomes light curves, what is wrong is said at its row."""

import contextlib
import io
import pickle

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from telperion.bands import BANDS
from telperion.formats.parquet import write
from telperion.portal.settings import Settings
from telperion.portal.upload_files import read_upload
from telperion.portal.upload_rows import UploadError
from telperion.simulate.drawn import draw

SETTINGS = Settings()
HEAD = "time,band,flux,flux_err\n"


def faults(data, settings=SETTINGS, unit="njy"):
    with pytest.raises(UploadError) as caught:
        read_upload(data if isinstance(data, bytes) else data.encode(), unit, settings)
    return [(fault.line, fault.column, fault.what) for fault in caught.value.faults]


def as_csv(curves, names="object_id,time,band,flux,flux_err,detected"):
    lines = [names]
    for k, owner in enumerate(curves.object_index):
        row = (curves.object_id[owner], repr(float(curves.time[k])), BANDS[curves.band[k]], float(curves.flux[k]))
        lines.append(",".join(map(str, (*row, float(curves.flux_err[k]), bool(curves.detected[k])))))
    return "\n".join(lines).encode()


def test_what_is_written_as_csv_is_read_back_as_it_was():
    curves = draw(n_per_class=1, seed=5)
    found = read_upload(as_csv(curves), "njy", SETTINGS)
    assert found.object_id.tolist() == curves.object_id.tolist()
    for column in ("offsets", "time", "band", "flux", "flux_err", "detected"):
        np.testing.assert_array_equal(getattr(found, column), getattr(curves, column))


def test_rows_in_any_order_give_the_same_light_curves(rng):
    head, *rows = as_csv(draw(n_per_class=1, seed=5)).split(b"\n")
    one, two = (
        read_upload(b"\n".join([head, *some]), "njy", SETTINGS) for some in (rows, rng.permutation(rows).tolist())
    )
    order = np.argsort(two.object_id)
    np.testing.assert_array_equal(one[np.argsort(one.object_id)].flux, two[order].flux)


def test_units_and_magnitudes_come_to_the_same_flux():
    nano = read_upload(f"{HEAD}61000,g,3630.78,36.3078".encode(), "njy", SETTINGS)
    micro = read_upload(f"{HEAD}61000,g,3.63078,.0363078".encode(), "ujy", SETTINGS)
    fluxcal = read_upload(f"{HEAD}61000,g,100,1".encode(), "fluxcal", SETTINGS)
    magnitude = read_upload(b"mjd;filter;mag;magerr\n61000;LSST_g;22.5;0.010857", "njy", SETTINGS)
    for found in (micro, fluxcal, magnitude):
        np.testing.assert_allclose(found.flux, nano.flux, rtol=1e-5)
        np.testing.assert_allclose(found.flux_err, nano.flux_err, rtol=1e-4)


def test_without_a_word_on_it_five_sigma_is_a_detection():
    assert read_upload(f"{HEAD}1,g,5,1\n2,g,4.9,1\n3,g,-9,1".encode(), "njy", SETTINGS).detected.tolist() == [
        True,
        False,
        False,
    ]


@pytest.mark.parametrize(
    ("text", "line", "column", "what"),
    [
        (HEAD + "1,g,1,1\n\n# note\n2,g,x,1\n", 5, "flux", "'x' is not a number"),
        (HEAD + "1,q,1,1", 2, "band", "no band"),
        (HEAD + "1,g,1,0", 2, "flux_err", "above zero"),
        (HEAD + "1,g,1,-1", 2, "flux_err", "outside"),
        (HEAD + "1,g,inf,1", 2, "flux", "not finite"),
        (HEAD + "1,g,nan,1", 2, "flux", "empty"),
        (HEAD + "1,g,1e300,1", 2, "flux", "outside"),
        (HEAD + ",g,1,1", 2, "time", "empty"),
        (HEAD + "1,g,1", 2, "", "3 values"),
        (HEAD + "1,g,1,1\n1,g,2,1", 3, "time", "twice in this band"),
        (HEAD + '1,"g,1,1', 2, "", "no CSV"),
        (HEAD, 0, "", "no rows"),
        ("", 0, "", "empty"),
        ("time,band\n1,g", 1, "", "neither a column flux nor a column mag"),
        ("time,mjd,band,flux,flux_err\n1,1,g,1,1", 1, "", "both mean time"),
        ("time,time,band\n1,1,g", 1, "time", "two columns"),
        ("time,band,flux\n1,g,1", 1, "", "none for its error"),
        (HEAD.strip() + ",redshift\n1,g,1,1,99", 2, "redshift", "outside"),
        (HEAD.strip() + ",ra\n1,g,1,1,5\n2,g,1,1,6", 3, "ra", "differs"),
        (HEAD.strip() + ",detected\n1,g,1,1,perhaps", 2, "detected", "neither true nor false"),
        ("object_id," + HEAD + f"{'x' * 300},1,g,1,1", 2, "object_id", "longer than 200"),
        (HEAD + "1,g,1,1\n2,g,\x00,1", 3, "", "zero byte"),
        (HEAD + f"1,g,{'1' * 2000},1", 2, "", "longer than 1000"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_said_at_its_row(text, line, column, what):
    found = faults(text)
    assert (found[0][0], found[0][1]) == (line, column)
    assert what in found[0][2]


def test_many_faults_are_counted_and_the_first_are_shown():
    with pytest.raises(UploadError) as caught:
        read_upload((HEAD + "x,g,1,1\n" * 500).encode(), "njy", SETTINGS)
    assert caught.value.count == 500
    assert [fault.line for fault in caught.value.faults] == list(range(2, 22))


def test_more_than_is_taken_is_refused():
    few = Settings(most_rows=3, most_objects=2, most_bytes=2000)
    assert "more than 3 rows" in faults(HEAD + "".join(f"{k},g,1,1\n" for k in range(4)), few)[0][2]
    assert "3 objects" in faults("object_id," + HEAD + "".join(f"{k},{k},g,1,1\n" for k in range(3)), few)[0][2]
    assert "larger than 2,000 bytes" in faults(b"x" * 2001, few)[0][2]
    assert "unit" in faults(HEAD + "1,g,1,1", unit="magic")[0][2]


@pytest.mark.parametrize(
    "data", [b"\x80\x04pickled", pickle.dumps({"a": 1}), b"\xff\xfe\x00", bytes(range(256)), b"\x93NUMPY"]
)
def test_what_is_no_text_is_refused_and_never_unpickled(data):
    assert faults(data)


@given(st.binary(max_size=300) | st.text(max_size=200).map(lambda text: (HEAD + text).encode()))
@hypothesis_settings(deadline=None, max_examples=150)
def test_whatever_comes_is_read_or_refused(data):
    if data[:4] == b"PAR1":
        return
    with contextlib.suppress(UploadError):
        assert read_upload(data, "njy", SETTINGS).n_rows


# -- Parquet ---------------------------------------------------------------------------------------------------------


def parquet(columns, **settings):
    buffer = io.BytesIO()
    pq.write_table(pa.table(columns), buffer, **settings)
    return buffer.getvalue()


def test_parquet_of_rows_and_of_our_own_is_read(tmp_path):
    curves = draw(n_per_class=1, seed=5)
    write(curves, tmp_path / "ours.parquet")
    ours = read_upload((tmp_path / "ours.parquet").read_bytes(), "njy", SETTINGS)
    np.testing.assert_array_equal(ours.flux, curves.flux)
    rows = parquet({
        "diaObjectId": curves.object_id[curves.object_index], "midpointMjdTai": curves.time,
        "band": np.array(BANDS)[curves.band], "psfFlux": curves.flux.astype(float),
        "psfFluxErr": curves.flux_err.astype(float), "detected": curves.detected, "spare": [None] * curves.n_rows,
    })  # fmt: skip
    np.testing.assert_allclose(read_upload(rows, "njy", SETTINGS).flux, curves.flux, rtol=1e-6)


def test_parquet_that_is_cut_or_made_up_is_refused():
    good = parquet({"time": [1.0], "band": ["g"], "flux": [1.0], "flux_err": [1.0]})
    for bad in (good[: len(good) // 2], b"PAR1" + b"\0" * 100, good[:40] + b"\xff" * 30 + good[70:]):
        assert faults(bad)


def test_parquet_that_is_small_and_unpacks_to_much_is_refused():
    many = parquet(
        {name: np.zeros(3_000_000) for name in ("time", "flux", "flux_err")} | {"band": ["g"] * 3_000_000},
        compression="zstd",
    )
    assert len(many) < SETTINGS.most_bytes
    assert "3,000,000 rows" in faults(many)[0][2]
    lists = parquet({"time": [np.zeros(2_000_000).tolist()]}, compression="zstd")
    assert faults(lists)


def test_nulls_in_parquet_are_said_at_their_row():
    found = faults(parquet({"time": [1.0, 2.0], "band": ["g", None], "flux": [1.0, 1.0], "flux_err": [1.0, 1.0]}))
    assert found[0][:2] == (2, "band")
