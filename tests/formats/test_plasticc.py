import csv
import gzip
from pathlib import Path

import numpy as np
import pytest

from telperion.formats import FormatError, plasticc
from telperion.lightcurves import RepairWarning

METADATA = "object_id,ra,decl,ddf_bool,hostgal_specz,hostgal_photoz,hostgal_photoz_err,distmod,mwebv,target"
ROWS = "object_id,mjd,passband,flux,flux_err,detected_bool"
NEAR = "730,33.5742,-6.5796,1,0.232,0.226,0.016,40.256,0.021,90"
PHOTOMETRIC = "745,0.1899,-45.5867,0,0.000,0.281,1.152,40.795,0.007,52"
GALACTIC = "1227,35.6836,-5.3794,0,0.000,0.000,0.000,-9.000,0.020,65"
LINES = ["730,59798.5,2,1.5,1.25,0", "730,59799.25,5,-20,1.5,1", "745,59800.0,0,3,2,0", "1227,59801.0,4,1,1,1"]


def make_set(folder: Path, metadata=(NEAR, PHOTOMETRIC, GALACTIC), lines=LINES, name="plasticc_train", header=METADATA):
    (folder / f"{name}_metadata.csv").write_text("\n".join([header, *metadata]) + "\n")
    file = folder / f"{name}_lightcurves.csv"
    file.write_text("\n".join([ROWS, *lines]) + "\n")
    return file


def test_fluxes_are_nanojansky_and_dereddened(tmp_path):
    near = plasticc.read(make_set(tmp_path))[0]
    assert near.dereddened
    np.testing.assert_allclose(near.flux, np.array([1.5, -20]) * 36.30780548, rtol=1e-6)
    np.testing.assert_allclose(near.flux_err, np.array([1.25, 1.5]) * 36.30780548, rtol=1e-6)
    np.testing.assert_array_equal(near.time, [59798.5, 59799.25])
    assert near.band.tolist() == [2, 5]
    assert near.detected.tolist() == [False, True]


def test_labels_are_target_numbers_as_text_even_unknown_ones(tmp_path):
    strange = GALACTIC.replace(",65", ",991")
    curves = plasticc.read(make_set(tmp_path, metadata=(NEAR, PHOTOMETRIC, strange)))
    assert curves.label.tolist() == ["90", "52", "991"]


def test_a_redshift_of_zero_is_unknown(tmp_path):
    context = plasticc.read(make_set(tmp_path)).context
    np.testing.assert_array_equal(context["hostgal_specz"], [0.232, np.nan, np.nan])
    np.testing.assert_array_equal(context["hostgal_photoz"], [0.226, 0.281, np.nan])
    np.testing.assert_array_equal(context["hostgal_photoz_err"], [0.016, 1.152, np.nan])


def test_the_redshift_is_spectroscopic_else_photometric(tmp_path):
    context = plasticc.read(make_set(tmp_path)).context
    np.testing.assert_array_equal(context["redshift"], [0.232, 0.281, np.nan])
    np.testing.assert_array_equal(context["redshift_err"], [np.nan, 1.152, np.nan])


def test_the_context_holds_position_dust_and_no_function_of_the_photometric_redshift(tmp_path):
    context = plasticc.read(make_set(tmp_path)).context
    assert "distmod" not in context
    np.testing.assert_array_equal(context["ddf"], [1, 0, 0])
    np.testing.assert_array_equal(context["ra"], [33.5742, 0.1899, 35.6836])
    np.testing.assert_array_equal(context["decl"], [-6.5796, -45.5867, -5.3794])
    np.testing.assert_array_equal(context["mwebv"], [0.021, 0.007, 0.020])


def test_a_gzipped_set_and_a_folder_give_the_same(tmp_path):
    file = make_set(tmp_path)
    plain = plasticc.read(file)
    for name in (file.name, "plasticc_train_metadata.csv"):
        (tmp_path / f"{name}.gz").write_bytes(gzip.compress((tmp_path / name).read_bytes()))
        (tmp_path / name).unlink()
    for path in (tmp_path, tmp_path / f"{file.name}.gz"):
        packed = plasticc.read(path)
        assert packed.object_id.tolist() == plain.object_id.tolist()
        np.testing.assert_array_equal(packed.flux, plain.flux)


def test_rows_in_any_order_give_the_same(tmp_path, rng):
    expected = plasticc.read(make_set(tmp_path))
    shuffled = plasticc.read(make_set(tmp_path, lines=rng.permutation(LINES).tolist()))
    np.testing.assert_array_equal(shuffled.time, expected.time)
    np.testing.assert_array_equal(shuffled.flux, expected.flux)
    np.testing.assert_array_equal(shuffled.offsets, expected.offsets)


def test_of_several_sets_in_a_folder_the_training_set_is_read(tmp_path):
    make_set(tmp_path)
    make_set(tmp_path, name="plasticc_test", metadata=(GALACTIC,), lines=LINES[3:])
    assert len(plasticc.read(tmp_path)) == 3
    assert plasticc.read(tmp_path / "plasticc_test_lightcurves.csv").label.tolist() == ["65"]
    (tmp_path / "plasticc_train_lightcurves.csv").rename(tmp_path / "other_lightcurves.csv")
    with pytest.raises(FormatError, match=r"does not hold one training set.*other_lightcurves.csv, plasticc_test"):
        plasticc.read(tmp_path)


def test_a_batch_of_the_test_set_holds_its_own_objects_and_no_others(tmp_path):
    header = METADATA + ",true_target,true_z"
    lines = [line + ",88,0.5" for line in (NEAR, PHOTOMETRIC, GALACTIC)]
    whole = make_set(tmp_path, name="plasticc_test", metadata=lines, header=header)
    batch = whole.rename(tmp_path / "plasticc_test_lightcurves_02.csv")
    batch.write_text("\n".join([ROWS, LINES[3], *LINES[:2]]) + "\n")
    curves = plasticc.read(batch)
    assert curves.object_id.tolist() == ["730", "1227"]
    assert curves.label.tolist() == ["88", "88"]
    assert curves.lengths.tolist() == [2, 1]
    assert not [name for name in curves.context if name.startswith("true")]


def test_metadata_without_targets_leave_the_labels_unknown(tmp_path):
    blind = [line[: line.rindex(",")] for line in (NEAR, PHOTOMETRIC, GALACTIC)]
    curves = plasticc.read(make_set(tmp_path, metadata=blind, header=METADATA.removesuffix(",target")))
    assert curves.label.tolist() == ["", "", ""]


def test_an_object_without_rows_is_kept_and_announced(tmp_path):
    message = "metadata.csv: 1 objects have no rows and are kept without, first object '1227'"
    with pytest.warns(RepairWarning, match=message):
        curves = plasticc.read(make_set(tmp_path, lines=LINES[:3]))
    assert curves.lengths.tolist() == [2, 1, 0]


BAD_ROWS = {
    "an unlisted object": (
        "31,59801.0,4,1,1,1",
        "lightcurves.csv: rows belong to 1 objects that .*metadata.csv lacks.*31",
    ),
    "an unknown band": ("730,59801.0,6,1,1,1", "lightcurves.csv: band is not .* in 1 rows.*730"),
    "a band beyond a byte": ("730,59801.0,700,1,1,1", "lightcurves.csv: .*[Rr]ow #6.*700"),
    "a missing band": ("730,59801.0,,1,1,1", "lightcurves.csv: passband is missing in 1 rows, first at line 6"),
    "a missing object": (",59801.0,1,1,1,1", "lightcurves.csv: object_id is missing in 1 rows, first at line 6"),
    "a missing flux": ("730,59801.0,1,,1,1", "lightcurves.csv: flux is not finite in 1 rows.*730"),
    "an infinite flux": ("730,59801.0,1,-inf,1,1", "lightcurves.csv: flux is not finite in 1 rows.*730"),
    "a flux beyond single precision": ("730,59801.0,1,1e300,1,1", "lightcurves.csv: flux is not finite in 1 rows.*730"),
    "a zero error": ("730,59801.0,1,1,0,1", "lightcurves.csv: flux_err is not .* above zero.*730"),
    "a negative error": ("730,59801.0,1,1,-2,1", "lightcurves.csv: flux_err is not .* above zero.*730"),
    "a repeated row": (LINES[0], "lightcurves.csv: time and band repeat .*730"),
    "a detection that is neither 0 nor 1": ("730,59801.0,1,1,1,2", "lightcurves.csv: .*[Rr]ow #6.*'2'"),
}


@pytest.mark.parametrize(("row", "message"), BAD_ROWS.values(), ids=BAD_ROWS.keys())
def test_a_row_that_breaks_a_rule_is_refused(tmp_path, row, message):
    with pytest.raises(FormatError, match=message):
        plasticc.read(make_set(tmp_path, lines=[*LINES, row]))


BAD_METADATA = {
    "a repeated object": (NEAR, "metadata.csv: object_id is repeated for 1 objects, first '730'"),
    "a declination beyond the pole": ("8,1,-91,0,0,0,0,0,0,90", "metadata.csv: decl is outside -90 to 90 .*'8'"),
    "a right ascension beyond the circle": ("8,361,0,0,0,0,0,0,0,90", "metadata.csv: ra is outside 0 to 360 .*'8'"),
    "a negative reddening": ("8,1,1,0,0,0,0,0,-1,90", "metadata.csv: mwebv is outside .*'8'"),
    "a missing target": ("8,1,1,0,0,0,0,0,0,", "metadata.csv: target is missing in 1 rows, first at line 5"),
}


@pytest.mark.parametrize(("line", "message"), BAD_METADATA.values(), ids=BAD_METADATA.keys())
def test_metadata_that_break_a_rule_are_refused(tmp_path, line, message):
    with pytest.raises(FormatError, match=message):
        plasticc.read(make_set(tmp_path, metadata=(NEAR, PHOTOMETRIC, GALACTIC, line)))


def test_files_that_are_missing_empty_or_broken_are_refused(tmp_path):
    file = make_set(tmp_path)
    packed = gzip.compress(file.read_bytes() * 50)
    file.write_text("")
    with pytest.raises(FormatError, match=r"train_lightcurves\.csv: the file is empty"):
        plasticc.read(file)
    file.write_text(ROWS + "\n")
    with pytest.raises(FormatError, match=r"train_lightcurves\.csv: the file holds no rows"):
        plasticc.read(file)
    file.write_text("object_id,mjd,passband,flux,detected_bool\n730,1,1,1,1\n")
    with pytest.raises(FormatError, match=r"columns flux_err are missing; found object_id, mjd"):
        plasticc.read(file)
    file.unlink()
    cut = tmp_path / "plasticc_train_lightcurves.csv.gz"
    cut.write_bytes(packed[: len(packed) // 2])
    with pytest.raises(FormatError, match=r"train_lightcurves\.csv\.gz: "):
        plasticc.read(cut)
    damaged = bytearray(packed)
    damaged[len(packed) // 2] ^= 0xFF
    cut.write_bytes(damaged)
    with pytest.raises(FormatError, match=r"train_lightcurves\.csv\.gz: "):
        plasticc.read(cut)
    cut.write_bytes(b"no gzip")
    with pytest.raises(FormatError, match=r"train_lightcurves\.csv\.gz: "):
        plasticc.read(cut)
    (tmp_path / "plasticc_train_metadata.csv").unlink()
    with pytest.raises(FormatError, match=r"plasticc_train_metadata\.csv\[\.gz\] is missing beside it"):
        plasticc.read(cut)


def test_the_real_set_agrees_with_python_s_own_reader(lsst_data):
    if not (folder := lsst_data / "plasticc").is_dir():
        pytest.skip("no PLAsTiCC folder in the research data")
    curves = plasticc.read(folder)
    assert (len(curves), curves.n_rows, int(curves.context["ddf"].sum())) == (5852, 1_058_182, 1573)
    counts = dict(zip(*np.unique(curves.label, return_counts=True), strict=True))
    assert (len(counts), counts["90"], counts["65"], counts["53"]) == (14, 1703, 756, 20)
    galactic = np.isin(curves.label, ["6", "16", "53", "65", "92"])
    np.testing.assert_array_equal(np.isnan(curves.context["redshift"]), galactic)
    with (folder / "plasticc_train_lightcurves.csv").open() as stream:
        rows = [line for line, _ in zip(csv.DictReader(stream), range(50_000), strict=False)]
    np.testing.assert_array_equal(curves.time[:50_000], [float(row["mjd"]) for row in rows])
    np.testing.assert_array_equal(curves.band[:50_000], [int(row["passband"]) for row in rows])
    flux = [float(row["flux"]) * 10**1.56 for row in rows]
    np.testing.assert_array_equal(curves.flux[:50_000], np.array(flux, dtype=np.float32))
    detected = [row["detected_bool"] == "1" for row in rows]
    np.testing.assert_array_equal(curves.detected[:50_000], detected)
