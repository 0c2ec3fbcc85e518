from pathlib import Path

import pytest

from telperion.formats import FormatError
from telperion.scale.catalogue import Pixel, is_hats, open_catalogue, opened


def test_a_catalogue_is_known_by_its_properties_or_by_its_scheme(sky, tmp_path):
    assert is_hats(str(sky))
    assert is_hats(f"hats://{sky}")
    assert is_hats("hats://s3://bucket/catalogue")
    assert not is_hats(str(tmp_path))
    assert not is_hats("https://example.org/alerts.parquet")


def test_parts_are_found_in_the_order_of_their_pixels(sky):
    parts = open_catalogue(f"hats://{sky}")
    assert parts.address == str(sky)
    assert parts.position == ("ra", "dec")
    assert parts.pixels == sorted(parts.pixels)
    assert all(file.endswith(pixel.path) for pixel, (file,) in zip(parts.pixels, parts.files, strict=True))
    assert "lc" in parts.schema().names


def test_what_is_no_catalogue_is_refused(tmp_path):
    with pytest.raises(FileNotFoundError, match="nowhere: no such folder"):
        open_catalogue(f"hats://{tmp_path}/nowhere")
    with pytest.raises(FormatError, match="this is no HATS catalogue"):
        open_catalogue(str(tmp_path))


def test_pixels_have_the_paths_of_the_standard():
    assert Pixel(2, 190).path == "Norder=2/Dir=0/Npix=190.parquet"
    assert Pixel(8, 10_000).path == "Norder=8/Dir=10000/Npix=10000.parquet"


# -- behind an address ------------------------------------------------------------------------------------------------


@pytest.fixture
def remote(sky):
    """Put the catalogue where only fsspec can read it."""
    pytest.importorskip("upath", reason="addresses need telperion[scale]")
    fsspec = pytest.importorskip("fsspec", reason="addresses need telperion[scale]")
    memory = fsspec.filesystem("memory")
    for file in Path(sky).rglob("*"):
        if file.is_file():
            memory.pipe_file(f"/sky/{file.relative_to(sky).as_posix()}", file.read_bytes())
    yield memory
    memory.rm("/sky", recursive=True)


def test_behind_an_address_the_same_parts_are_found(remote, sky):
    there, here = open_catalogue("hats://memory://sky"), open_catalogue(str(sky))
    assert there.pixels == here.pixels
    assert there.position == here.position
    for (one,), (other,) in zip(there.files, here.files, strict=True):
        with opened(one) as far, opened(other) as near:
            columns = ["_healpix_29", "object_id", "ra", "dec", "lc"]  # context has NaN, which equals nothing
            assert far.read(columns).equals(near.read(columns))


def test_a_part_that_is_a_folder_and_a_collection_are_understood(remote, sky):
    for file in list(remote.find("/sky/dataset")):
        if "Npix" in file:
            remote.mv(file, file.replace(".parquet", "/part0.parquet"))
    text = remote.cat_file("/sky/hats.properties").decode().replace("suffix=.parquet", "suffix=/")
    remote.pipe_file("/sky/hats.properties", text.encode())
    remote.mv("/sky", "/all/sky", recursive=True)
    remote.pipe_file("/all/collection.properties", b"#HATS Collection\nhats_primary_table_url=sky\n")
    parts = open_catalogue("memory://all")
    assert len(parts) == len(open_catalogue(str(sky)))
    with opened(parts.files[0][0]) as file:
        assert file.metadata.num_rows > 0
    remote.mv("/all/sky", "/sky", recursive=True)
    remote.rm("/all", recursive=True)


@pytest.mark.parametrize(
    ("name", "words"),
    [("partition_info.csv", "no partition_info.csv"), ("hats.properties", "there is no HATS catalogue")],
)
def test_what_lacks_behind_an_address_is_said(remote, name, words):
    remote.rm(f"/sky/{name}")
    if name == "hats.properties":
        remote.rm("/sky/properties")
    with pytest.raises(FormatError, match=words):
        open_catalogue("memory://sky")


@pytest.mark.parametrize(
    ("rows", "words"),
    [
        ("0,12\n", "1 pixels do not exist, first 12 of order 0"),
        ("0,4\n1,17\n", "1 pixels lie in each other"),
        ("", "lists no parts"),
        ("0,../../../etc\n", "invalid literal"),
    ],
)
def test_parts_that_cannot_be_are_refused_behind_an_address(remote, rows, words):
    remote.pipe_file("/sky/partition_info.csv", f"Norder,Npix\n{rows}".encode())
    with pytest.raises(FormatError, match=words):
        open_catalogue("memory://sky")


def test_a_catalogue_behind_an_address_is_classified(remote, sky, tmp_path):
    from tests.scale.made_up import assert_same

    from telperion.scale.run import classify_catalogue

    there = classify_catalogue("hats://memory://sky", tmp_path / "there")
    here = classify_catalogue(sky, tmp_path / "here")
    assert_same(there.folder, here.folder)


def test_a_file_that_is_damaged_behind_an_address_is_named(remote):
    remote.pipe_file("/sky/bad.parquet", b"PAR1 and no more")
    with pytest.raises(FormatError, match=r"memory://sky/bad\.parquet"), opened("memory://sky/bad.parquet"):
        pass
