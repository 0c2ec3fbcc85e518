import numpy as np
import pytest

from telperion import formats
from telperion.formats import FORMATS, FormatError
from telperion.formats.rules import check_ranges
from telperion.lightcurves import LightCurves


@pytest.fixture
def curves() -> LightCurves:
    return LightCurves(["a"], [0, 2], [60000.0, 60001.0], [1, 2], [5.0, 9.0], [1.0, 1.0], [False, True])


def make_mallorn(folder):
    (folder / "split_01").mkdir()
    (folder / "train_log.csv").write_text("object_id,Z,Z_err,EBV,SpecType,split\nelf,0.1,,0.1,TDE,split_01\n")
    rows = "object_id,Time (MJD),Flux,Flux_err,Filter\nelf,60000.0,1,0.1,r\n"
    (folder / "split_01" / "train_full_lightcurves.csv").write_text(rows)
    return folder


def make_plasticc(folder):
    metadata = "object_id,ra,decl,ddf_bool,hostgal_specz,hostgal_photoz,hostgal_photoz_err,mwebv,target"
    (folder / "plasticc_train_metadata.csv").write_text(f"{metadata}\n1,0,0,0,0,0,0,0,90\n")
    rows = "object_id,mjd,passband,flux,flux_err,detected_bool\n1,60000.0,1,1,1,1\n"
    (folder / "plasticc_train_lightcurves.csv").write_text(rows)
    return folder


def test_a_format_is_recognised_by_what_lies_there(tmp_path, curves):
    for name, make in (("mallorn", make_mallorn), ("plasticc", make_plasticc)):
        folder = tmp_path / name
        folder.mkdir()
        make(folder)
        assert [key for key, module in FORMATS.items() if module.recognises(folder)] == [name]
    assert formats.read(tmp_path / "mallorn").label.tolist() == ["TDE"]
    assert formats.read(str(tmp_path / "plasticc")).label.tolist() == ["90"]
    FORMATS["parquet"].write(curves, tmp_path / "curves.parquet")
    assert formats.read(tmp_path / "curves.parquet").object_id.tolist() == ["a"]


@pytest.mark.parametrize(
    ("name", "place"),
    [
        ("mallorn", "mallorn"),
        ("plasticc", "plasticc"),
        ("plasticc", "plasticc/plasticc_train_lightcurves.csv"),
        ("snana", "elasticc2"),
        ("snana", "elasticc2/ELASTICC2_TRAIN_01_1percent_KN_K17"),
    ],
)
def test_real_data_are_recognised(lsst_data, name, place):
    if not (path := lsst_data / place).exists():
        pytest.skip(f"no {place} in the research data")
    assert [key for key, module in FORMATS.items() if module.recognises(path)] == [name]


def test_an_unknown_place_names_every_format_and_what_was_looked_for(tmp_path):
    (tmp_path / "notes.txt").write_text("nothing to see")
    for path in (tmp_path, tmp_path / "notes.txt"):
        with pytest.raises(FormatError, match="no known format; looked for") as caught:
            formats.read(path)
        for name, module in FORMATS.items():
            assert f"{name}: {module.LOOKS_FOR}" in str(caught.value)


def test_a_place_that_does_not_exist_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match="nowhere"):
        formats.read(tmp_path / "nowhere")


@pytest.mark.parametrize("name", FORMATS)
def test_every_format_reads_text_or_path_and_says_what_it_looks_for(name):
    module = FORMATS[name]
    assert module.LOOKS_FOR
    assert module.recognises.__doc__
    assert "Raises" in (module.read.__doc__ or "")


def test_an_unknown_context_is_in_range(curves):
    check_ranges({"redshift": np.array([np.nan]), "anything": np.array([-1e9])}, curves.object_id)
