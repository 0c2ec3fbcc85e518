"""`DustMap`: E(B-V) of the Milky Way by position, from a HEALPix map in a FITS file."""

from __future__ import annotations

import re
import warnings
from pathlib import Path
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import ArrayLike, NDArray

from telperion.formats.alert_fields import within
from telperion.formats.rules import naming

Frame = Literal["equatorial", "galactic"]

_FRAMES: dict[str, Frame] = dict.fromkeys(("C", "CELESTIAL", "EQU", "EQUATORIAL", "ICRS", "Q"), "equatorial")
_FRAMES |= dict.fromkeys(("G", "GAL", "GALACTIC"), "galactic")
_NO_MAP = ("PIXEL", "N_OBS")
_LARGEST_NSIDE = 2**13


class DustMap:
    """A map of E(B-V) over the whole sky or some of it. Use `DustMap.open`.

    Parameters
    ----------
    values : array of float32, shape ``(12 * nside**2,)``, mag
        What cannot be, as the code -1.6e30 for "unseen", counts as unknown.
    nested : bool
        Whether pixels are numbered by the nested scheme, else by rings.
    frame : {"equatorial", "galactic"}

    Examples
    --------
    >>> half = np.where(np.arange(12 * 64**2) < 6 * 64**2, 0.1, 0.4)  # the northern one first
    >>> DustMap(half.astype(np.float32), nested=False, frame="equatorial").ebv([10.0, 10.0], [40.0, -40.0]).round(3)
    array([0.1, 0.4])
    """

    def __init__(self, values: NDArray[np.float32], nested: bool, frame: Frame) -> None:
        self.values, self.nested, self.frame = values, nested, frame
        self.nside = int(np.sqrt(values.size // 12))

    @classmethod
    def open(cls, path: str | Path, column: str | None = None, *, frame: Frame | None = None) -> DustMap:
        """Read a map, gzipped or not, such as that of Schlegel, Finkbeiner & Davis (1998) as HEALPix, or Planck's.

        What is needed is E(B-V) on the scale of SFD, which `telperion.bands.EXTINCTION` is for: without the factor .86
        of Schlafly & Finkbeiner (2011), which these numbers hold already.

        Parameters
        ----------
        path : str or Path
        column : str, optional
            By default the only one, or the only one whose name has EBV or E(B-V) in it.
        frame : {"equatorial", "galactic"}, optional
            What the map's longitudes and latitudes are, if its header does not say (COORDSYS).

        Raises
        ------
        FileNotFoundError
            Nothing is there.
        FormatError
            It is no such map, is damaged, or its header does not say how pixels are numbered or in which frame.
        """
        file = Path(path)
        if not file.is_file():
            raise FileNotFoundError(f"{file}: no such file")
        with naming(file):
            table, header = _read_table(file)
            if (ordering := str(header.get("ORDERING", "")).strip().upper()) not in ("NESTED", "NEST", "RING"):
                raise ValueError(f"ORDERING in its header is {ordering!r}, expected NESTED or RING")
            values = _values(table, header, column)
            said = _FRAMES.get(str(header.get("COORDSYS", "")).strip().upper())
            if frame is not None and frame not in get_args(Frame):
                raise ValueError(f"frame is {frame!r}, expected one of {', '.join(get_args(Frame))}")
            if (chosen := frame or said) is None:
                found = header.get("COORDSYS")
                raise ValueError(f"COORDSYS in its header is {found!r}, expected G or C: say by frame= which it is")
        return cls(values, ordering != "RING", chosen)

    def ebv(self, ra: ArrayLike, decl: ArrayLike, *, nearest: bool = False) -> NDArray[np.float64]:
        """Give E(B-V) at places, between the four nearest pixels.

        Parameters
        ----------
        ra, decl : array, shape ``(n,)``, degrees
            ICRS; NaN where unknown.
        nearest : bool
            That of the pixel alone.

        Returns
        -------
        array, shape ``(n,)``, mag
            NaN where the map does not say, or says what no alert may: below 0 or above 10.
        """
        ra, decl = np.asarray(ra, dtype=np.float64), np.asarray(decl, dtype=np.float64)
        result = np.full(ra.shape, np.nan)
        known = np.isfinite(ra) & (np.abs(decl) <= 90)
        if known.any():
            result[known] = self._at(*self._turned(ra[known], decl[known]), nearest)
        return within({"mwebv": result})[0]["mwebv"]

    def _turned(self, ra: NDArray[np.float64], decl: NDArray[np.float64]) -> tuple[Any, Any]:
        """Give longitudes and latitudes in the frame of the map, as quantities."""
        from astropy import units

        if self.frame == "equatorial":
            return ra * units.deg, decl * units.deg
        from astropy.coordinates import SkyCoord

        turned = SkyCoord(ra, decl, unit="deg", frame="icrs").galactic
        return turned.l, turned.b

    def _at(self, longitude: Any, latitude: Any, nearest: bool) -> NDArray[np.float64]:
        from astropy_healpix import bilinear_interpolation_weights, lonlat_to_healpix

        order = "nested" if self.nested else "ring"
        if nearest:
            return self.values[lonlat_to_healpix(longitude, latitude, self.nside, order=order)].astype(np.float64)
        pixel, weight = bilinear_interpolation_weights(longitude, latitude, self.nside, order=order)
        return np.where(weight > 0, weight * self.values[pixel], 0).sum(axis=0)


def _read_table(file: Path) -> tuple[Any, dict[str, Any]]:
    """Read the first table that is a HEALPix map, and its header above that of the file."""
    from astropy.io import fits  # not above: it takes long, and who has no map needs it not

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # astropy's, of odd keywords
        try:
            with fits.open(file, memmap=file.suffix != ".gz") as hdus:
                for hdu in hdus:
                    if isinstance(hdu, fits.BinTableHDU) and "ORDERING" in hdu.header:
                        return hdu.data, {**dict(hdus[0].header), **dict(hdu.header)}
        except Exception as error:  # astropy raises errors of every kind on a damaged file
            raise ValueError(f"astropy cannot read it (cut short, damaged, no FITS file?): {error}") from error
    raise ValueError("no table in it is a HEALPix map (has ORDERING in its header)")


def _values(table: Any, header: dict[str, Any], column: str | None) -> NDArray[np.float32]:
    """Take the map of E(B-V) from a table of the whole sky, or of some pixels of it by number."""
    name = _column(list(table.names), column)
    given = np.asarray(table[name]).ravel()
    if given.dtype.kind not in "fiu":
        raise ValueError(f"column {name!r} holds no numbers")
    given = given.astype(np.float32)
    nside = int(header.get("NSIDE", round(np.sqrt(given.size / 12))))
    if not 1 <= nside <= _LARGEST_NSIDE or nside & (nside - 1):
        raise ValueError(f"NSIDE is {nside}, expected a power of two up to {_LARGEST_NSIDE}")
    if str(header.get("INDXSCHM", "IMPLICIT")).strip().upper() == "EXPLICIT":
        number = np.asarray(table[_column(list(table.names), "PIXEL")]).ravel()
        if number.dtype.kind not in "iu" or number.shape != given.shape:
            raise ValueError("PIXEL does not number the pixels of the map")
        if ((number < 0) | (number >= 12 * nside**2)).any():
            raise ValueError(f"PIXEL has numbers that no pixel of NSIDE {nside} has")
        given, pixels = np.full(12 * nside**2, np.nan, dtype=np.float32), given
        given[number] = pixels
    if given.size != 12 * nside**2:
        raise ValueError(f"the map has {given.size} pixels, expected {12 * nside**2} for NSIDE {nside}")
    return given


def _column(names: list[str], wanted: str | None) -> str:
    if wanted is not None:
        fitting = [name for name in names if name.upper() == wanted.upper()]
    else:
        maps = [name for name in names if name.upper() not in _NO_MAP]
        dust = [name for name in maps if "EBV" in re.sub(r"\W|_", "", name).upper()]
        fitting = dust or maps
    if len(fitting) != 1:
        asked = "E(B-V)" if wanted is None else repr(wanted)
        raise ValueError(f"which column is {asked}? It has {', '.join(names)}: say by column= which is")
    return fitting[0]
