import gzip
import subprocess
import sys
import warnings
from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits

from telperion.bands import BANDS
from telperion.formats import FormatError, snana
from telperion.lightcurves import RepairWarning

PHOT = {"MJD": "D", "BAND": "2A", "PHOTFLAG": "J", "FLUXCAL": "E", "FLUXCALERR": "E"}
SEPARATOR = (-777.0, "-", 0, 0.0, 0.0)
FAR = [(60301.5, "Y", 0, -1.0, 0.5), (60302.5, "g", 4096, 8.0, 0.5), (60302.5, "i", 6144, 9.0, 0.5)]
NEAR = [(60310.25, "u", 0, 2.0, 4.0)]
HEAD = {
    "SNID": ("16A", ["101", "  7 "]),
    "RA": ("D", [10.0, 350.5]),
    "DEC": ("D", [-9.0, 20.0]),
    "SNTYPE": ("J", [20, 120]),
    "NOBS": ("J", [3, 1]),
    "PTROBS_MIN": ("J", [1, 5]),
    "PTROBS_MAX": ("J", [3, 5]),
    "MWEBV": ("E", [0.02, 0.04]),
    "REDSHIFT_HELIO": ("E", [0.25, -9.0]),
    "REDSHIFT_HELIO_ERR": ("E", [0.001, -9.0]),
    "PEAKMJD": ("E", [60300.0, 60300.0]),
    "SIM_REDSHIFT_CMB": ("E", [0.25, 0.5]),
}
ELASTICC = "ELASTICC2_TRAIN_01_1percent_KN_K17"


def write_table(file: Path, columns: dict, header: dict | None = None) -> Path:
    table = fits.BinTableHDU.from_columns([fits.Column(name, form, array=a) for name, (form, a) in columns.items()])
    primary = fits.PrimaryHDU()
    primary.header.update(header or {})
    fits.HDUList([primary, table]).writeto(file, overwrite=True)
    return file


def make_pair(folder: Path, head=HEAD, rows=(*FAR, SEPARATOR, *NEAR, SEPARATOR), stem="A", header=None) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    columns = dict(zip(PHOT, zip(*rows, strict=True), strict=True)) if rows else {name: [] for name in PHOT}
    write_table(folder / f"{stem}_PHOT.FITS", {name: (PHOT[name], values) for name, values in columns.items()})
    return write_table(folder / f"{stem}_HEAD.FITS", head, header)


def with_column(form: str, values: list, *names: str) -> dict:
    return HEAD | dict.fromkeys(names, (form, values))


def test_rows_go_to_their_objects_without_the_separators(tmp_path):
    curves = snana.read(make_pair(tmp_path))
    assert curves.object_id.tolist() == ["101", "7"]
    assert curves.lengths.tolist() == [3, 1]
    np.testing.assert_array_equal(curves.time, [60301.5, 60302.5, 60302.5, 60310.25])
    assert "".join(BANDS[band] for band in curves.band) == "ygiu"
    np.testing.assert_allclose(curves.flux, np.array([-1, 8, 9, 2]) * 36.30780548, rtol=1e-6)
    np.testing.assert_allclose(curves.flux_err, np.array([0.5, 0.5, 0.5, 4]) * 36.30780548, rtol=1e-6)
    assert not curves.dereddened


def test_bit_4096_of_photflag_is_a_detection(tmp_path):
    assert snana.read(make_pair(tmp_path)).detected.tolist() == [False, True, True, False]


def test_a_header_may_name_another_detection_bit_and_dereddened_fluxes(tmp_path):
    curves = snana.read(make_pair(tmp_path, header={"HIERARCH PHOTFLAG_DETECT": 2048, "HIERARCH MWEBV_APPLYFLAG": 1}))
    assert curves.detected.tolist() == [False, False, True, False]
    assert curves.dereddened


def test_saturated_rows_are_dropped_and_counted(tmp_path):
    bright = [(60300.0, "r", 1024, 1e6, 0.0), (60300.5, "r", 4096 + 1024, 1e6, 1.0), FAR[0]]
    with pytest.warns(
        RepairWarning, match="saturation bit 1024, rows dropped: 2 rows of 1 objects, first object '101'"
    ):
        curves = snana.read(make_pair(tmp_path, rows=(*bright, SEPARATOR, *NEAR, SEPARATOR)))
    assert curves.lengths.tolist() == [1, 1]


def test_columns_become_context_under_their_own_lower_case_names(tmp_path):
    head = with_column("E", [1.0, 2.0], "MWEBV_ERR", "REDSHIFT_FINAL", "VPEC", "HOSTGAL_MAG_Y", "HOSTGAL2_DEC")
    context = snana.read(make_pair(tmp_path, head=head)).context
    assert set(context) == {
        "ra", "decl", "mwebv", "mwebv_err", "redshift", "redshift_err", "redshift_final", "vpec", "hostgal_mag_y",
        "hostgal2_dec",
    }  # fmt: skip
    np.testing.assert_array_equal(context["redshift"], [0.25, np.nan])
    np.testing.assert_array_equal(context["hostgal_mag_y"], [1, 2])


def test_truth_and_identifiers_are_never_context(tmp_path):
    names = ["SIM_MWEBV", "SIM_HOSTLIB_GALID", "MJD_TRIGGER", "MJD_DETECT_LAST", "HOSTGAL_OBJID", "HOSTGAL2_OBJID2"]
    context = snana.read(make_pair(tmp_path, head=with_column("E", [1.0, 2.0], *names))).context
    assert set(context) == {"ra", "decl", "mwebv", "redshift", "redshift_err"}


@pytest.mark.parametrize(
    ("column", "code"),
    [
        ("HOSTGAL_PHOTOZ", -9), ("HOSTGAL_SPECZ_ERR", -9), ("HOSTGAL2_ZPHOT_Q050", -9), ("HOSTGAL_SNSEP", -9),
        ("HOSTGAL_CONFUSION", -99), ("HOSTGAL_RA", -999), ("HOSTGAL_DEC", -999), ("HOSTGAL_SB_FLUXCAL_Y", -999),
        ("HOSTGAL_LOGMASS", -9999), ("HOSTGAL_LOGsSFR", -9999), ("HOSTGAL_ELLIPTICITY", -9999),
        ("HOSTGAL2_SQRADIUS", -9999), ("HOSTGAL_MAG_u", 999), ("HOSTGAL2_MAGERR_Y", 999), ("MWEBV_ERR", -9),
    ],
)  # fmt: skip
def test_a_code_for_missing_becomes_nan(tmp_path, column, code):
    context = snana.read(make_pair(tmp_path, head=with_column("E", [code, 0.5], column))).context
    np.testing.assert_array_equal(context[column.lower()], [np.nan, 0.5])


@pytest.mark.parametrize(
    ("column", "value"),
    [("DEC", -9), ("HOSTGAL_DEC", -9), ("HOSTGAL_RA", 99), ("HOSTGAL_LOGsSFR", -9), ("VPEC", -999), ("VPEC_ERR", 999),
     ("HOSTGAL_SB_FLUXCAL_u", 999), ("HOSTGAL_SQRADIUS", 99)],
)  # fmt: skip
def test_a_value_that_only_looks_like_a_code_stays(tmp_path, column, value):
    context = snana.read(make_pair(tmp_path, head=with_column("E", [value, 0.5], column))).context
    np.testing.assert_array_equal(context["decl" if column == "DEC" else column.lower()], [value, 0.5])


def other_head(first: str, **more) -> dict:
    return HEAD | {"SNID": ("16A", [first, "second"])} | more


def test_a_folder_of_models_is_read_with_the_models_names_as_labels(tmp_path):
    make_pair(tmp_path / ELASTICC)
    flare = tmp_path / "ELASTICC2_TRAIN_02_Mdwarf-flare"
    make_pair(flare, head=other_head("first", HOSTGAL_LOGMASS=("E", [9.0, 10.0])))
    curves = snana.read(tmp_path)
    assert curves.object_id.tolist() == ["101", "7", "first", "second"]
    assert curves.label.tolist() == ["KN_K17", "KN_K17", "Mdwarf-flare", "Mdwarf-flare"]
    np.testing.assert_array_equal(curves.context["hostgal_logmass"], [np.nan, np.nan, 9, 10])
    assert snana.read(flare).object_id.tolist() == ["first", "second"]
    assert snana.read(flare / "A_HEAD.FITS").label.tolist() == ["Mdwarf-flare", "Mdwarf-flare"]


def test_elsewhere_the_label_is_the_type_that_the_file_states(tmp_path):
    simulated = HEAD | {"SIM_TYPE_INDEX": ("I", [20, 50]), "SIM_TYPE_NAME": ("8A", ["Ib", "UNKNOWN"])}
    assert snana.read(make_pair(tmp_path, head=simulated)).label.tolist() == ["Ib", "50"]
    assert snana.read(make_pair(tmp_path, head=with_column("J", [120, -9], "SNTYPE"))).label.tolist() == ["120", ""]
    untyped = {name: column for name, column in HEAD.items() if name != "SNTYPE"}
    assert snana.read(make_pair(tmp_path, head=untyped)).label.tolist() == ["", ""]


def test_a_name_that_two_models_share_gets_the_model_in_front(tmp_path):
    make_pair(tmp_path / ELASTICC)
    make_pair(tmp_path / "ELASTICC2_TRAIN_01_1percent_SNIax", head=other_head("101"))
    with pytest.warns(RepairWarning, match="1 SNIDs stand in several files, first '101'"):
        curves = snana.read(tmp_path)
    assert curves.object_id.tolist() == ["KN_K17_101", "KN_K17_7", "SNIax_101", "SNIax_second"]


def test_a_name_that_one_model_has_twice_is_refused(tmp_path):
    make_pair(tmp_path / ELASTICC)
    make_pair(tmp_path / ELASTICC, stem="B")
    with (
        pytest.warns(RepairWarning, match="2 SNIDs stand in several files"),
        pytest.raises(FormatError, match="object_id is not unique for 2 objects, first 'KN_K17_"),
    ):
        snana.read(tmp_path)
    with pytest.raises(FormatError, match=r"C_HEAD.FITS: .*object_id is repeated for 1 objects, first '7'"):
        snana.read(make_pair(tmp_path, head=HEAD | {"SNID": ("16A", ["7", "7"])}, stem="C"))


def test_gzipped_files_give_the_same(tmp_path):
    expected = snana.read(make_pair(tmp_path))
    for file in list(tmp_path.iterdir()):
        file.with_name(f"{file.name}.gz").write_bytes(gzip.compress(file.read_bytes()))
    assert len(snana.read(tmp_path)) == 2  # the plain files, not everything twice
    for file in tmp_path.glob("*.FITS"):
        file.unlink()
    for path in (tmp_path, tmp_path / "A_HEAD.FITS.gz"):
        packed = snana.read(path)
        np.testing.assert_array_equal(packed.flux, expected.flux)
        assert packed.label.tolist() == expected.label.tolist()


def test_an_object_without_rows_is_kept_and_announced(tmp_path):
    head = HEAD | {"NOBS": ("J", [3, 0]), "PTROBS_MIN": ("J", [1, 5]), "PTROBS_MAX": ("J", [3, 4])}
    with pytest.warns(RepairWarning, match="1 objects have no rows and are kept without, first object '7'"):
        curves = snana.read(make_pair(tmp_path, head=head, rows=(*FAR, SEPARATOR, SEPARATOR)))
    assert curves.lengths.tolist() == [3, 0]


def test_a_head_file_without_objects_is_passed_over_beside_others_but_not_alone(tmp_path):
    empty = make_pair(tmp_path / "empty", head={name: (form, []) for name, (form, _) in HEAD.items()}, rows=())
    make_pair(tmp_path / "full")
    assert len(snana.read(tmp_path)) == 2
    with pytest.raises(FormatError, match="the 1 HEAD files list no objects"):
        snana.read(empty)


BAD_POINTERS = {
    "before the first row": ([0, 5], [2, 5], r"leave the 6 rows of PHOT for 1 objects, first '101'"),
    "beyond the last row": ([1, 7], [3, 7], r"leave the 6 rows of PHOT for 1 objects, first '7'"),
    "against NOBS": ([1, 4], [3, 5], r"are not NOBS rows for 1 objects, first '7'"),
    "into another object": ([1, 3], [3, 3], r"points into the rows of another object for 1 objects, first '7'"),
    "at a separator": ([1, 6], [3, 6], r"1 separator rows lie within light curves, first in object '7'"),
}


@pytest.mark.parametrize(("first", "last", "message"), BAD_POINTERS.values(), ids=BAD_POINTERS.keys())
def test_pointers_that_do_not_fit_are_refused(tmp_path, first, last, message):
    head = HEAD | {"PTROBS_MIN": ("J", first), "PTROBS_MAX": ("J", last)}
    with pytest.raises(FormatError, match=f"A_HEAD.FITS: .*{message}"):
        snana.read(make_pair(tmp_path, head=head))


def test_a_row_that_belongs_to_no_object_is_refused(tmp_path):
    with pytest.raises(FormatError, match="1 rows of PHOT belong to no object, first row 7"):
        snana.read(make_pair(tmp_path, rows=(*FAR, SEPARATOR, *NEAR, SEPARATOR, *NEAR)))


BAD_ROWS = {
    "an unknown band": ((60311.0, "q", 0, 1.0, 1.0), "band is unknown in 1 rows.*'q"),
    "a flux that is not a number": ((60311.0, "r", 0, np.nan, 1.0), "flux is not finite in 1 rows.*'7'"),
    "an infinite flux": ((60311.0, "r", 0, np.inf, 1.0), "flux is not finite in 1 rows.*'7'"),
    "a zero error": ((60311.0, "r", 0, 1.0, 0.0), "flux_err is not .* above zero.*'7'"),
    "a negative error": ((60311.0, "r", 0, 1.0, -1.0), "flux_err is not .* above zero.*'7'"),
}


@pytest.mark.parametrize(("row", "message"), BAD_ROWS.values(), ids=BAD_ROWS.keys())
def test_a_row_that_breaks_a_rule_is_refused(tmp_path, row, message):
    with pytest.raises(FormatError, match=f"A_PHOT.FITS: .*{message}"):
        snana.read(make_pair(tmp_path, rows=(*FAR, SEPARATOR, row, SEPARATOR)))


def test_a_repeated_row_is_refused(tmp_path):
    with pytest.raises(FormatError, match=r"A_PHOT.FITS: time and band repeat .*'101'"):
        snana.read(make_pair(tmp_path, rows=(FAR[0], FAR[1], FAR[1], SEPARATOR, *NEAR, SEPARATOR)))


def test_context_out_of_range_is_refused(tmp_path):
    with pytest.raises(FormatError, match=r"A_HEAD.FITS: mwebv is outside 0 to 100 for 1 objects, first -0.5 .*'101'"):
        snana.read(make_pair(tmp_path, head=with_column("E", [-0.5, 0.1], "MWEBV")))


def test_missing_files_and_columns_are_named(tmp_path):
    head = make_pair(tmp_path)
    write_table(head, {name: column for name, column in HEAD.items() if name not in ("NOBS", "SNID")})
    with pytest.raises(FormatError, match=r"A_HEAD.FITS: columns SNID, NOBS are missing"):
        snana.read(head)
    (tmp_path / "A_PHOT.FITS").unlink()
    with pytest.raises(FormatError, match=r"A_HEAD.FITS: A_PHOT.FITS\[.gz\] is missing beside it"):
        snana.read(head)
    head.unlink()
    with pytest.raises(FormatError, match=r"holds no file \*_HEAD.FITS"):
        snana.read(tmp_path)
    with pytest.raises(FormatError, match="named like"):
        snana.read(write_table(tmp_path / "other.FITS", HEAD))


def phot_of(head_file: Path) -> Path:
    return head_file.with_name(head_file.name.replace("HEAD", "PHOT"))


def write_phot(folder: Path, content: bytes) -> Path:
    """Put other content in place of a PHOT file; give the HEAD file."""
    (folder / "A_PHOT.FITS").unlink(missing_ok=True)
    (folder / "A_PHOT.FITS.gz").write_bytes(content)
    return folder / "A_HEAD.FITS"


def long_phot(folder: Path, n_rows: int = 500) -> bytes:
    far = [(60301.5 + number, "g", 0, 1.0 + number, 0.5) for number in range(n_rows - 2)]
    head = HEAD | {"SNID": ("16A", ["1"]), "NOBS": ("J", [n_rows - 2])}
    head |= {"PTROBS_MIN": ("J", [1]), "PTROBS_MAX": ("J", [n_rows - 2])}
    head = {name: (form, values[:1]) for name, (form, values) in head.items()}
    return phot_of(make_pair(folder, head=head, rows=(*far, SEPARATOR, SEPARATOR))).read_bytes()


@pytest.mark.parametrize("share", [0.0, 0.1, 0.3, 0.6, 0.95])
def test_a_file_that_is_cut_short_is_refused(tmp_path, share):
    content = long_phot(tmp_path)
    packed = gzip.compress(content)
    (tmp_path / "A_PHOT.FITS").write_bytes(content[: int(share * len(content))])
    with pytest.raises(FormatError, match=r"A_PHOT.FITS: .*cut short"):
        snana.read(tmp_path / "A_HEAD.FITS")
    with pytest.raises(FormatError, match=r"A_PHOT.FITS.gz: .*cut short"):
        snana.read(write_phot(tmp_path, packed[: int(share * len(packed))]))


def test_signs_that_other_readers_take_for_instructions_may_stand_in_a_path(tmp_path):
    assert len(snana.read(make_pair(tmp_path / "models[1]$"))) == 2


def test_a_claim_of_more_rows_than_the_file_can_hold_is_refused_before_memory_is_asked_for(tmp_path):
    claim = long_phot(tmp_path).replace(b"NAXIS2  =                  500", b"NAXIS2  =      999999999999999")
    (tmp_path / "A_PHOT.FITS").write_bytes(claim)
    with pytest.raises(FormatError, match=r"A_PHOT.FITS: NAXIS2 claims 999999999999999 rows of 22 bytes"):
        snana.read(tmp_path / "A_HEAD.FITS")
    with pytest.raises(FormatError, match=r"A_PHOT.FITS.gz: NAXIS2 claims 999999999999999 rows of 22 bytes"):
        snana.read(write_phot(tmp_path, gzip.compress(claim)))


def test_a_gzip_file_that_unpacks_to_more_than_the_limit_is_refused(tmp_path, monkeypatch):
    packed = gzip.compress(long_phot(tmp_path))
    monkeypatch.setattr(snana, "_LARGEST", 10_000)
    with pytest.raises(FormatError, match=r"A_PHOT.FITS.gz: NAXIS2 claims 500 rows of 22 bytes"):
        snana.read(write_phot(tmp_path, packed))


@pytest.mark.parametrize("place", [0.3, 0.6, -8, -4], ids=["early", "late", "checksum", "size"])
def test_a_gzip_file_with_a_flipped_byte_is_refused(tmp_path, place):
    packed = bytearray(gzip.compress(long_phot(tmp_path)))
    packed[place if place < 0 else int(place * len(packed))] ^= 0xFF
    with pytest.raises(FormatError, match=r"A_PHOT.FITS.gz: .*damaged"):
        snana.read(write_phot(tmp_path, bytes(packed)))


CHANGES = {
    "no FITS": (b"SIMPLE  =", b"SAMPLE  =", "no FITS table"),
    "no table": (b"'BINTABLE'", b"'IMAGE   '", "columns MJD, .* are missing"),
    "lists": (b"TFORM4  = 'E       '", b"TFORM4  = '2I      '", "columns FLUXCAL are not of plain numbers"),
    "complex numbers": (b"TFORM1  = 'D       '", b"TFORM1  = 'C       '", "columns MJD are not of plain numbers"),
    "text for numbers": (b"TFORM1  = 'D       '", b"TFORM1  = '8A      '", "columns MJD are not of plain numbers"),
    "truth values": (b"TFORM1  = 'D       '", b"TFORM1  = 'L       '", "columns MJD are not of plain numbers"),
    "scaled values": (
        b"END     ",
        b"TZERO4  =                  1.5".ljust(80) + b"END     ",
        "columns FLUXCAL are not",
    ),
    "a shape": (b"END     ", b"TDIM4   = '(1)     '".ljust(80) + b"END     ", "columns FLUXCAL are not of plain"),
    "columns without end": (
        b"TFIELDS =                    5",
        b"TFIELDS =             99999999",
        "columns MJD, .* are",
    ),
    "lists of any length": (b"TFORM1  = 'D       '", b"TFORM1  = '1PE(3)  '", "columns MJD are not of plain"),
    "a row width that does not add up": (
        b"NAXIS1  =                   22",
        b"NAXIS1  =                   29",
        "29 bytes",
    ),
    "fewer than no rows": (b"NAXIS2  =                  500", b"NAXIS2  =                   -5", ""),
    "a width that is no number": (b"NAXIS1  =                   22", b"NAXIS1  = 'wide    '           ", ""),
    "two columns of one name": (b"'BAND    '", b"'MJD     '", "columns MJD, BAND are missing or repeated"),
    "no end": (b"END     ", b"BEGIN   ", ""),
}


@pytest.mark.parametrize(("old", "new", "message"), CHANGES.values(), ids=CHANGES.keys())
def test_a_file_that_is_no_plain_table_is_refused(tmp_path, old, new, message):
    content = long_phot(tmp_path)
    assert old in content
    first, _, last = content.rpartition(old)  # the table's header comes last
    changed = first + new + last[max(0, len(new) - len(old)) :]  # END is followed by blanks: nothing else moves
    (tmp_path / "A_PHOT.FITS").write_bytes(changed)
    with pytest.raises(FormatError, match=rf"A_PHOT.FITS: .*{message}"):
        snana.read(tmp_path / "A_HEAD.FITS")


def test_a_flag_that_is_no_number_is_refused(tmp_path):
    with pytest.raises(FormatError, match=r"A_HEAD.FITS: .*'yes'"):
        snana.read(make_pair(tmp_path, header={"HIERARCH MWEBV_APPLYFLAG": "yes"}))


def test_what_astropy_remarks_on_odd_keywords_does_not_reach_the_caller(tmp_path):
    head = make_pair(tmp_path)
    odd = phot_of(head).read_bytes().replace(b"END".ljust(160), b"TNULL1  = 'none'".ljust(80) + b"END".ljust(80))
    phot_of(head).write_bytes(odd)
    with fits.open(phot_of(head)) as hdus, pytest.warns(fits.verify.VerifyWarning, match="TNULL"):
        assert hdus[1].columns
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert len(snana.read(head)) == 2


def test_astropy_is_imported_for_fits_only(tmp_path):
    snana.read(make_pair(tmp_path)).to_arrow()
    code = (
        "import sys\nfrom telperion.formats import parquet, read\n"
        "from telperion.simulate.drawn import draw\n"
        f"parquet.write(draw(2), {str(tmp_path / 'two.parquet')!r})\n"
        f"read({str(tmp_path / 'two.parquet')!r})\nassert 'astropy' not in sys.modules\n"
        f"read({str(tmp_path / 'A_HEAD.FITS')!r})\nassert 'astropy' in sys.modules\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
