"""The genuine ELAsTiCC2 sample, held against a decoder of FITS that shares nothing with the reader."""

import gzip
import re
from pathlib import Path

import numpy as np
import pytest

from telperion.bands import BANDS
from telperion.formats import snana

KINDS = {"A": "S", "I": ">i2", "J": ">i4", "K": ">i8", "E": ">f4", "D": ">f8"}


def decode(file: Path) -> np.ndarray:
    """Read the binary table of a gzipped file by the letter of the FITS standard, with the standard library alone."""
    content, start = gzip.decompress(file.read_bytes()), 0
    for _ in ("primary", "table"):  # SNANA's primary part has no data: the table's header follows at once
        cards, place = {}, start
        while (card := content[place : place + 80].decode("ascii")).strip() != "END":
            cards[card[:8].strip()] = card[10:].partition("/")[0].strip(" '")
            place += 80
        start = (place // 2880 + 1) * 2880
    fields = []
    for number in range(1, int(cards["TFIELDS"]) + 1):
        size, kind = re.fullmatch(r"(\d*)([AIJKED])", cards[f"TFORM{number}"]).groups()
        fields.append((cards[f"TTYPE{number}"], KINDS[kind] + (size if kind == "A" else "")))
    assert np.dtype(fields).itemsize == int(cards["NAXIS1"])
    return np.frombuffer(content, np.dtype(fields), int(cards["NAXIS2"]), start)


def test_the_genuine_elasticc2_files_are_read_without_loss(lsst_data):
    if not (folder := lsst_data / "elasticc2").is_dir():
        pytest.skip("no ELAsTiCC2 folder in the research data")
    curves = snana.read(folder)
    found = {name: curves[curves.label == name] for name in ("SNIb-Templates", "KN_K17", "Mdwarf-flare")}
    assert {name: len(part) for name, part in found.items()} == {
        "SNIb-Templates": 129,
        "KN_K17": 19,
        "Mdwarf-flare": 14,
    }
    assert len(curves) == 162
    assert (curves.n_rows, int(curves.detected.sum())) == (24_166, 718 + 162)
    place = {name: index for index, name in enumerate(curves.object_id.tolist())}
    for head_file in folder.glob("*/*_HEAD.FITS.gz"):
        objects, rows = decode(head_file), decode(Path(str(head_file).replace("_HEAD", "_PHOT")))
        if objects.size == 0:
            continue
        ours = curves[[place[name.strip()] for name in objects["SNID"].astype(str)]]
        assert ours.lengths.tolist() == objects["NOBS"].tolist()
        assert objects["PTROBS_MAX"][-1] <= rows.size
        pointers = zip(objects["PTROBS_MIN"], objects["PTROBS_MAX"], strict=True)
        theirs = rows[np.concatenate([np.arange(first - 1, last) for first, last in pointers])]
        np.testing.assert_array_equal(ours.time, theirs["MJD"])
        np.testing.assert_array_equal(ours.detected, (theirs["PHOTFLAG"] & 4096) > 0)
        assert [BANDS[band] for band in ours.band] == [name.strip().lower() for name in theirs["BAND"].astype(str)]
        np.testing.assert_allclose(ours.flux, theirs["FLUXCAL"] * 10**1.56, rtol=1e-6)
        np.testing.assert_allclose(ours.flux_err, theirs["FLUXCALERR"] * 10**1.56, rtol=1e-6)
        np.testing.assert_array_equal(ours.context["mwebv"], objects["MWEBV"])
        np.testing.assert_array_equal(np.nan_to_num(ours.context["redshift"], nan=-9), objects["REDSHIFT_HELIO"])
        np.testing.assert_array_equal(np.nan_to_num(ours.context["hostgal_mag_y"], nan=999), objects["HOSTGAL_MAG_Y"])


def test_genuine_objects_without_a_host_have_no_host_context(lsst_data):
    if not (folder := lsst_data / "elasticc2").is_dir():
        pytest.skip("no ELAsTiCC2 folder in the research data")
    flares = snana.read(folder / "ELASTICC2_TRAIN_01_1percent_Mdwarf-flare")
    counts = ("hostgal_nmatch", "hostgal_nmatch2", "hostgal_flag", "hostgal2_flag")
    host = [values for name, values in flares.context.items() if name.startswith("hostgal") and name not in counts]
    assert len(host) > 50
    assert np.isnan(host).all()
    assert np.isnan(flares.context["redshift"]).all()
    assert not np.isnan(flares.context["mwebv"]).any()
