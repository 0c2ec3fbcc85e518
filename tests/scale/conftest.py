import pytest

from telperion.formats import parquet
from telperion.lightcurves import LightCurves
from telperion.simulate.drawn import draw


@pytest.fixture(scope="session")
def curves() -> LightCurves:
    """Light curves that are not corrected for dust."""
    drawn = draw(n_per_class=3, seed=11)
    return LightCurves.from_arrow(
        drawn.to_arrow().replace_schema_metadata({"telperion": b"1", "dereddened": b"false"})
    )  # fmt: skip


@pytest.fixture(scope="session")
def sky(curves, tmp_path_factory):
    """The same as a HATS catalogue of a few parts."""
    pytest.importorskip("astropy_healpix", reason="making HATS catalogues needs telperion[scale]")
    from telperion.scale.make import make_hats

    folder = tmp_path_factory.mktemp("scale")
    parquet.write(curves, folder / "curves.parquet")
    make_hats(folder / "curves.parquet", folder / "sky", objects=8)
    return folder / "sky"
