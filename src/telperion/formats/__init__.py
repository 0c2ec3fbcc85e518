"""Formats of light-curve files, one module each; `read` picks the one that recognises what lies at a path."""

from pathlib import Path
from typing import Protocol

from telperion.formats import mallorn, packets, parquet, plasticc, snana
from telperion.formats.rules import FormatError
from telperion.lightcurves import LightCurves

__all__ = ["FORMATS", "Format", "FormatError", "read"]


class Format(Protocol):
    """What a module of this folder offers."""

    LOOKS_FOR: str
    """The files that the format is recognised by, as a phrase for people."""

    def recognises(self, path: Path) -> bool:
        """Tell by names alone, of files or columns, whether `path`, a file or folder, holds this format."""

    def read(self, path: str | Path) -> LightCurves:
        """Read what lies at `path`; raise `FormatError` if it breaks a rule."""


FORMATS: dict[str, Format] = {
    "mallorn": mallorn,
    "plasticc": plasticc,
    "snana": snana,
    "alerts": packets,
    "parquet": parquet,
}
"""Every format by name, in the order in which `read` asks them."""


def read(path: str | Path) -> LightCurves:
    """Read light curves from a file or folder of any known format.

    Parameters
    ----------
    path : str or Path

    Returns
    -------
    LightCurves

    Raises
    ------
    FileNotFoundError
        Nothing lies at `path`.
    FormatError
        No format recognises it, or the one that does finds a rule broken.

    Examples
    --------
    >>> read("plasticc_train_lightcurves.csv.gz")  # doctest: +SKIP
    LightCurves(5852 objects, 1058182 rows, dereddened, context: ra, decl, ddf, mwebv, hostgal_specz, ...)
    """
    place = Path(path).expanduser()
    if not place.exists():
        raise FileNotFoundError(f"{place}: no such file or folder")
    for module in FORMATS.values():
        if module.recognises(place):
            return module.read(place)
    known = "".join(f"\n  {name}: {module.LOOKS_FOR}" for name, module in FORMATS.items())
    raise FormatError(f"{place}: no known format; looked for{known}")
