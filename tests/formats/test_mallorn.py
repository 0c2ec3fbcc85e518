import csv
import gzip
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from telperion.formats import FormatError, mallorn
from telperion.lightcurves import LightCurves, RepairWarning

LOG = ["object_id", "Z", "Z_err", "EBV", "SpecType", "English Translation", "split", "target"]
ROWS = ["object_id", "Time (MJD)", "Flux", "Flux_err", "Filter"]
ELF = ["elf_one", "0.5", "", "0.02", "TDE", 'elf, "one"', "split_01", "1"]
ORC = ["orc_two", "1.25", "", "0.3", "SN Ia-91bg-like", "orc + two", "split_02", "0"]
ELF_ROWS = [
    ["elf_one", "61003.5", "12.5", "0.5", "r"],
    ["elf_one", "61001.25", "-0.75", "0.5", "y"],
    ["elf_one", "61003.5", "2.0", "0.5", "g"],
]
ORC_ROWS = [["orc_two", "61010.0", "1.0", "0.25", "u"], ["orc_two", "61009.0", "4.0", "0.25", "z"]]


def write_csv(file: Path, header: list[str], lines: list[list[str]]) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    with file.open("w", newline="") as stream:
        csv.writer(stream).writerows([header, *lines])


def make_folder(folder: Path, log=(ELF, ORC), split_01=ELF_ROWS, split_02=ORC_ROWS, part="train") -> Path:
    write_csv(folder / f"{part}_log.csv", LOG, list(log))
    write_csv(folder / "split_01" / f"{part}_full_lightcurves.csv", ROWS, split_01)
    write_csv(folder / "split_02" / f"{part}_full_lightcurves.csv", ROWS, split_02)
    return folder


def test_rows_are_sorted_by_time_then_band_and_in_nanojansky(tmp_path):
    elf = mallorn.read(make_folder(tmp_path))[0]
    assert elf.object_id.tolist() == ["elf_one"]
    np.testing.assert_array_equal(elf.time, [61001.25, 61003.5, 61003.5])
    np.testing.assert_array_equal(elf.band, [5, 1, 2])
    np.testing.assert_allclose(elf.flux, [-750, 2000, 12500], rtol=1e-6)
    np.testing.assert_allclose(elf.flux_err, 500, rtol=1e-6)
    assert not elf.dereddened


def test_a_detection_is_a_signal_to_noise_above_five(tmp_path):
    rows = [["elf_one", str(day), str(flux), "0.5", "r"] for day, flux in enumerate([-9.0, 2.5, 2.6], start=61000)]
    assert mallorn.read(make_folder(tmp_path, split_01=rows))[0].detected.tolist() == [False, False, True]


def test_context_and_labels_are_those_of_the_log(tmp_path):
    curves = mallorn.read(make_folder(tmp_path))
    assert curves.label.tolist() == ["TDE", "SN Ia-91bg-like"]
    np.testing.assert_array_equal(curves.context["redshift"], [0.5, 1.25])
    np.testing.assert_array_equal(curves.context["redshift_err"], [np.nan, np.nan])
    np.testing.assert_array_equal(curves.context["mwebv"], [0.02, 0.3])
    np.testing.assert_array_equal(curves.context["split"], [1, 2])
    assert curves.context.keys() == {"redshift", "redshift_err", "mwebv", "split"}


def test_objects_keep_the_order_of_a_log_that_does_not_go_split_by_split(tmp_path):
    third = [*ELF[:-2], "split_01", "0"]
    third[0] = "ent_three"
    rows = [*ELF_ROWS, ["ent_three", "61000.0", "1.0", "0.5", "i"]]
    curves = mallorn.read(make_folder(tmp_path, log=(ELF, ORC, third), split_01=rows))
    assert curves.object_id.tolist() == ["elf_one", "orc_two", "ent_three"]
    assert curves.lengths.tolist() == [3, 2, 1]
    assert curves[1].band.tolist() == [4, 0]


def test_all_puts_the_test_part_after_the_training_part(tmp_path):
    make_folder(tmp_path)
    dwarf, hobbit = ["dwarf", "0.1", "0.022", "0.1", "", "", "split_01"], ["hobbit", "", "", "", "", "", "split_02"]
    write_csv(tmp_path / "test_log.csv", LOG[:-1], [dwarf, hobbit])
    for split, name in (("split_01", "dwarf"), ("split_02", "hobbit")):
        write_csv(tmp_path / split / "test_full_lightcurves.csv", ROWS, [[name, "61000.0", "1.0", "0.5", "r"]])
    assert mallorn.read(tmp_path).object_id.tolist() == ["elf_one", "orc_two"]
    test = mallorn.read(tmp_path, part="test")
    assert test.label.tolist() == ["", ""]
    np.testing.assert_array_equal(test.context["redshift"], [0.1, np.nan])
    np.testing.assert_array_equal(test.context["redshift_err"], [0.022, np.nan])
    everything = mallorn.read(tmp_path, part="all")
    assert everything.object_id.tolist() == ["elf_one", "orc_two", "dwarf", "hobbit"]
    assert everything.label.tolist() == ["TDE", "SN Ia-91bg-like", "", ""]


def test_rows_without_a_flux_are_dropped_and_counted(tmp_path):
    rows = [*ELF_ROWS, ["elf_one", "61004.0", "", "0.5", "r"], ["elf_one", "61005.0", "nan", "0.5", "r"]]
    with pytest.warns(RepairWarning, match=r"flux is NaN, rows dropped: 2 rows of 1 objects, first object 'elf_one'"):
        curves = mallorn.read(make_folder(tmp_path, split_01=rows))
    assert curves.lengths.tolist() == [3, 2]


def test_an_object_without_rows_is_kept_and_announced(tmp_path):
    ent = ["ent", "0.1", "", "0.1", "AGN", "", "split_02", "0"]
    with pytest.warns(RepairWarning, match="1 objects have no rows and are kept without, first object 'ent'"):
        curves = mallorn.read(make_folder(tmp_path, log=(ELF, ORC, ent)))
    assert curves.lengths.tolist() == [3, 2, 0]


BAD_ROWS = {
    "an unknown band": (["elf_one", "61004.0", "1", "0.5", "w"], "split_01.*band is unknown in 1 rows.*'w'"),
    "an infinite flux": (["elf_one", "61004.0", "inf", "0.5", "r"], "split_01.*flux is not finite in 1 rows.*elf_one"),
    "a zero error": (["elf_one", "61004.0", "1", "0", "r"], "split_01.*flux_err is not .* above zero.*elf_one"),
    "a negative error": (["elf_one", "61004.0", "1", "-1", "r"], "split_01.*flux_err is not .* above zero.*elf_one"),
    "a missing error": (["elf_one", "61004.0", "1", "", "r"], "split_01.*flux_err is not .* above zero.*elf_one"),
    "a missing time": (["elf_one", "", "1", "1", "r"], "split_01.*time is not finite.*elf_one"),
    "a repeated row": (["elf_one", "61003.5", "9", "0.5", "r"], "split_01.*time and band repeat.*elf_one"),
    "a word for a number": (["elf_one", "61004.0", "x", "0.5", "r"], r"split_01.*[Rr]ow #5.*'x'"),
    "a short line": (["elf_one", "61004.0", "1"], r"split_01.*[Rr]ow #5: Expected 5 columns, got 3"),
    "an unlisted object": (
        ["warg", "61004.0", "1", "0.5", "r"],
        "split_01.*1 objects .*'warg', which it does not list",
    ),
    "an object of another split": (["orc_two", "61004.0", "1", "1", "r"], "split_01.*'orc_two'.*belongs in split_02"),
}


@pytest.mark.parametrize(("row", "message"), BAD_ROWS.values(), ids=BAD_ROWS.keys())
def test_a_row_that_breaks_a_rule_is_refused(tmp_path, row, message):
    with pytest.raises(FormatError, match=message):
        mallorn.read(make_folder(tmp_path, split_01=[*ELF_ROWS, row]))


def changed(line: list[str], column: str, value: str) -> list[str]:
    return [value if name == column else old for name, old in zip(LOG, line, strict=True)]


BAD_LOGS = {
    "a repeated object": ((ELF, ORC, ELF), "train_log.csv.*object_id is repeated for 1 objects, first 'elf_one'"),
    "a path for a split": ((changed(ELF, "split", "../up"), ORC), "train_log.csv.*split is not like.*'../up'.*elf_one"),
    "a split that is not there": ((changed(ELF, "split", "split_09"), ORC), "split_09.*missing.*puts 1 objects there"),
    "a negative reddening": ((changed(ELF, "EBV", "-0.1"), ORC), "train_log.csv.*mwebv is outside 0 to 100.*elf_one"),
    "an absurd redshift": ((changed(ELF, "Z", "99"), ORC), "train_log.csv.*redshift is outside.*elf_one"),
    "a word for a redshift": ((changed(ELF, "Z", "far"), ORC), "train_log.csv.*far"),
}


@pytest.mark.parametrize(("log", "message"), BAD_LOGS.values(), ids=BAD_LOGS.keys())
def test_a_log_that_breaks_a_rule_is_refused(tmp_path, log, message):
    with pytest.raises(FormatError, match=message):
        mallorn.read(make_folder(tmp_path, log=log))


def test_a_file_without_content_or_columns_is_refused(tmp_path):
    file = make_folder(tmp_path) / "split_01" / "train_full_lightcurves.csv"
    file.write_text("")
    with pytest.raises(FormatError, match=r"split_01.*the file is empty"):
        mallorn.read(tmp_path)
    write_csv(file, ROWS, [])
    with pytest.raises(FormatError, match=r"split_01.*holds no rows"):
        mallorn.read(tmp_path)
    write_csv(file, ["object_id", "Time (MJD)", "Flux", "Filter"], [["elf_one", "61000.0", "1", "r"]])
    with pytest.raises(FormatError, match=r"split_01.*columns Flux_err are missing; found object_id, "):
        mallorn.read(tmp_path)
    file.write_bytes(gzip.compress(b"not a CSV file at all"))
    with pytest.raises(FormatError, match="split_01"):
        mallorn.read(tmp_path)


def test_an_unknown_part_is_refused(tmp_path):
    with pytest.raises(ValueError, match="part is 'trian', expected 'train', 'test' or 'all'"):
        mallorn.read(make_folder(tmp_path), part="trian")


@pytest.fixture(scope="module")
def real(lsst_data) -> Path:
    if not (lsst_data / "mallorn").is_dir():
        pytest.skip("no MALLORN folder in the research data")
    return lsst_data / "mallorn"


@pytest.fixture(scope="module")
def real_test_part(real) -> tuple[LightCurves, str]:
    """The test part and the notice given on reading it."""
    with pytest.warns(RepairWarning) as notices:
        curves = mallorn.read(real, part="test")
    return curves, str(notices[0].message)


def test_the_real_training_part_is_read_whole(real):
    with pytest.warns(RepairWarning, match="flux is NaN, rows dropped: 891 rows of 114 objects"):
        curves = mallorn.read(real)
    assert (len(curves), curves.n_rows) == (3043, 479_384 - 891)
    assert round(int(curves.detected.sum()) / 479_384, 3) == 0.141
    labels = dict(zip(*np.unique(curves.label, return_counts=True), strict=True))
    assert (len(labels), labels["AGN"], labels["SN Ia"], labels["TDE"], labels["SLSN-I"]) == (16, 1786, 790, 148, 15)


def test_the_real_test_part_is_read_whole(real_test_part):
    curves, notice = real_test_part
    assert "flux is NaN, rows dropped: 2022 rows of 249 objects" in notice
    assert (len(curves), curves.n_rows) == (7135, 1_145_125 - 2022)
    assert round(int(curves.detected.sum()) / 1_145_125, 3) == 0.140
    assert not curves.label.astype(bool).any()


def test_a_real_split_agrees_with_python_s_own_reader(real, real_test_part):
    curves, _ = real_test_part
    place = {name: index for index, name in enumerate(curves.object_id.tolist())}
    with (real / "split_07" / "test_full_lightcurves.csv").open() as stream:
        rows = [line for line in csv.DictReader(stream) if line["Flux"]]
    key = [(place[row["object_id"]], float(row["Time (MJD)"]), "ugrizy".index(row["Filter"])) for row in rows]
    rows = [rows[index] for index in sorted(range(len(rows)), key=key.__getitem__)]
    ours = curves[curves.context["split"] == 7]
    np.testing.assert_array_equal(ours.time, [float(row["Time (MJD)"]) for row in rows])
    np.testing.assert_allclose(ours.flux, [1000 * float(row["Flux"]) for row in rows], rtol=1e-7)


def test_the_true_redshift_is_not_worked_out_from_the_error(real, real_test_part):
    curves, _ = real_test_part
    with (real / "test_log.csv").open() as stream:
        log = list(csv.DictReader(stream))
    assert curves.object_id.tolist() == [line["object_id"] for line in log]
    np.testing.assert_array_equal(curves.context["redshift"], [float(line["Z"]) for line in log])
    true = 50 * curves.context["redshift_err"] - 1
    for name in curves.context.keys() - {"redshift_err"}:
        assert np.mean(np.abs(curves.context[name] - true) < 0.001) < 0.1, name


@pytest.mark.skipif(sys.platform != "linux", reason="the unit of ru_maxrss is the kibibyte on Linux")
def test_reading_all_of_the_real_set_takes_less_than_four_times_its_memory(real):
    program = f"""
import resource, warnings
import pyarrow.csv
from telperion.formats import mallorn
warnings.simplefilter("ignore")
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
curves = mallorn.read({str(real)!r}, part="all")
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
arrays = [curves.object_id, curves.offsets, curves.time, curves.band, curves.flux, curves.flux_err, curves.detected]
size = sum(array.nbytes for array in (*arrays, curves.label, *curves.context.values()))
print(1024 * peak / size)
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert float(done.stdout) < 4
