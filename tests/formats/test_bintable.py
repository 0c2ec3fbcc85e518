import gzip

import numpy as np
import pytest
from astropy.io import fits

from telperion.formats.bintable import read_bintable
from telperion.formats.rules import FormatError

FORMS = {"SNID": "16A", "GOOD": "L", "BITE": "B", "SHORT": "I", "LONG": "1J", "HUGE": "K", "FLAT": "E", "DEEP": "1D"}


def make_table(file, rng, n_rows=5):
    columns = {
        "SNID": [f"object {number}" for number in range(n_rows)],
        "GOOD": rng.random(n_rows) > 0.5,
        "BITE": rng.integers(0, 255, n_rows),
        "SHORT": rng.integers(-9999, 9999, n_rows),
        "LONG": rng.integers(-(10**9), 10**9, n_rows),
        "HUGE": rng.integers(-(10**18), 10**18, n_rows),
        "FLAT": rng.normal(size=n_rows).astype(np.float32),
        "DEEP": rng.normal(size=n_rows),
    }
    table = fits.BinTableHDU.from_columns([fits.Column(n, FORMS[n], array=values) for n, values in columns.items()])
    primary = fits.PrimaryHDU()
    primary.header["SURVEY"] = ("LSST", "a remark / with a stroke")
    primary.header["HIERARCH MWEBV_APPLYFLAG"] = (1, "said to be applied")
    primary.header["OWNER"] = "O'Brien"
    fits.HDUList([primary, table]).writeto(file)
    return file


def test_columns_are_those_that_astropy_reads(tmp_path, rng):
    file = make_table(tmp_path / "a.FITS", rng)
    table = read_bintable(file)
    with fits.open(file, memmap=False) as hdus:
        theirs = hdus[1].data
        assert table.columns == tuple(theirs.names)
        assert table.text("SNID").tolist() == [name.strip() for name in theirs["SNID"]]
        for name in ("BITE", "SHORT", "LONG", "HUGE"):
            np.testing.assert_array_equal(table.integers(name), theirs[name])
        for name in ("FLAT", "DEEP"):
            np.testing.assert_array_equal(table.numbers(name), theirs[name])


def test_the_header_is_read_with_and_without_hierarch(tmp_path, rng):
    header = read_bintable(make_table(tmp_path / "a.FITS", rng)).header
    assert (header["SURVEY"], header["MWEBV_APPLYFLAG"], header["TFIELDS"]) == ("LSST", "1", "8")
    assert header["OWNER"] == "O'Brien"


def test_a_table_without_rows_is_read(tmp_path, rng):
    assert read_bintable(make_table(tmp_path / "a.FITS", rng, n_rows=0)).rows.size == 0


def test_a_claim_of_more_rows_than_the_file_can_hold_is_refused_before_memory_is_asked_for(tmp_path, rng):
    content = make_table(tmp_path / "a.FITS", rng).read_bytes()
    claim = content.replace(b"NAXIS2  =                    5", b"NAXIS2  =      999999999999999")
    for file, written in ((tmp_path / "b.FITS", claim), (tmp_path / "b.FITS.gz", gzip.compress(claim))):
        file.write_bytes(written)
        with pytest.raises(FormatError, match=r"b.FITS.*: NAXIS2 claims 999999999999999 rows of .* than the file can"):
            read_bintable(file)
    for value in (b"-5", b"x "):
        file.write_bytes(gzip.compress(claim.replace(b"999999999999999", value.ljust(15))))
        with pytest.raises(FormatError, match=r"b.FITS.gz: "):
            read_bintable(file)


@pytest.mark.parametrize("share", [0.0, 0.1, 0.5, 0.6])
def test_a_file_that_is_cut_short_is_refused(tmp_path, rng, share):
    content = make_table(tmp_path / "a.FITS", rng, n_rows=500).read_bytes()
    (tmp_path / "cut.FITS").write_bytes(content[: int(share * len(content))])
    with pytest.raises(FormatError, match=r"cut.FITS: the (file is empty|header is cut short)|cut.FITS: .*cut short"):
        read_bintable(tmp_path / "cut.FITS")
    packed = gzip.compress(content)
    (tmp_path / "cut.FITS.gz").write_bytes(packed[: int(share * len(packed))])
    with pytest.raises(FormatError, match=r"cut.FITS.gz: "):
        read_bintable(tmp_path / "cut.FITS.gz")


def test_a_gzip_file_with_a_flipped_bit_is_refused(tmp_path, rng):
    packed = bytearray(gzip.compress(make_table(tmp_path / "a.FITS", rng, n_rows=500).read_bytes()))
    packed[len(packed) // 2] ^= 0xFF
    (tmp_path / "bad.FITS.gz").write_bytes(packed)
    with pytest.raises(FormatError, match=r"bad.FITS.gz: "):
        read_bintable(tmp_path / "bad.FITS.gz")


CHANGES = {
    "no FITS": (b"SIMPLE  =", b"SAMPLE  =", "not FITS"),
    "not ASCII": (b"SURVEY", b"SURV\xff\xff", "ascii"),
    "no table": (b"'BINTABLE'", b"'IMAGE   '", "the first extension is not a binary table"),
    "a column of lists": (b"'16A     '", b"'1PE(5)  '", "its TFORM '1PE\\(5\\)' is not a plain one"),
    "a row width that does not add up": (
        b"NAXIS1  =                   4",
        b"NAXIS1  =                   9",
        "NAXIS1 says",
    ),
    "a scaled column": (b"TTYPE8 ", b"TZERO7 ", "column 7 is scaled"),
    "no number of columns": (b"TFIELDS", b"NFIELDS", "the header lacks TFIELDS"),
    "two columns of one name": (b"'LONG    '", b"'HUGE    '", "HUGE"),
    "no end": (b"END     ", b"BEGIN   ", "has no END|cut short|ascii"),
}


@pytest.mark.parametrize(("old", "new", "message"), CHANGES.values(), ids=CHANGES.keys())
def test_a_file_that_breaks_a_rule_is_refused(tmp_path, rng, old, new, message):
    content = make_table(tmp_path / "a.FITS", rng).read_bytes()
    assert old in content
    (tmp_path / "b.FITS").write_bytes(content.replace(old, new))
    with pytest.raises(FormatError, match=rf"b.FITS: .*({message})"):
        read_bintable(tmp_path / "b.FITS")
