"""What a table of observations may be made of: the columns of an upload, their names elsewhere, and what they mean."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from telperion.bands import FLUXCAL, MICROJANSKY, NJY
from telperion.formats.rules import RANGES


@dataclass(frozen=True)
class Column:
    """One column: its name, what it holds, other names that mean the same, and whether there must be one."""

    name: str
    holds: str
    others: tuple[str, ...] = ()
    needed: bool = False


ROWS = (
    Column(
        "object_id", "name of the object; without this column all rows are of one object", ("diaObjectId", "oid", "id")
    ),
    Column("time", "MJD (TAI) of the observation", ("mjd", "midpointMjdTai", "midPointTai"), needed=True),
    Column("band", "one of u g r i z y", ("filter", "passband", "fid", "filterName"), needed=True),
    Column("flux", "difference flux, in the unit that is chosen; may be negative", ("psfFlux", "psFlux", "fluxcal")),
    Column("flux_err", "its standard error, above zero", ("psfFluxErr", "psFluxErr", "fluxcalerr", "fluxerr")),
    Column("mag", "in place of a flux: AB magnitude", ("magnitude", "magpsf")),
    Column("mag_err", "its standard error, above zero", ("magerr", "sigmapsf", "magnitude_err")),
    Column("detected", "true or false, 1 or 0; without this column: five sigma or more", ("detection", "is_detection")),
)
"""Columns of single observations."""

CONTEXT = (
    Column("ra", "right ascension, degrees"),
    Column("decl", "declination, degrees", ("dec",)),
    Column("mwebv", "E(B-V) of the Milky Way, mag; without it fluxes count as free of its dust", ("ebv",)),
    Column("redshift", "best redshift of object or host", ("z",)),
    Column("redshift_err", "its standard error"),
    Column("hostgal_specz", "spectroscopic redshift of the host"),
    Column("hostgal_specz_err", "its standard error"),
    Column("hostgal_photoz", "photometric redshift of the host"),
    Column("hostgal_photoz_err", "its standard error"),
    Column("hostgal_snsep", "separation from the host, arcsec"),
)
"""Columns of what is known of the object beside its light curve: the same in each of its rows, or empty."""

UNITS = {"njy": NJY, "ujy": MICROJANSKY, "fluxcal": FLUXCAL}
"""AB zero points of the units that fluxes may be in."""

UNIT_NAMES = {"njy": "nJy (zero point 31.4)", "ujy": "µJy (zero point 23.9)", "fluxcal": "FLUXCAL (zero point 27.5)"}

FEWEST_SIGMA = 5.0
"""A row is a detection from here on, where nobody says."""


def match(given: Iterable[str]) -> tuple[dict[str, str], list[str]]:
    """Find out which of a table's columns are which of ours; letters' case does not matter.

    Returns
    -------
    dict of str to str
        The table's own names by ours.
    list of str
        What is wrong, for people; empty if nothing is.

    Examples
    --------
    >>> match(["MJD", "filter", "mag", "magerr", "seeing"])
    ({'time': 'MJD', 'band': 'filter', 'mag': 'mag', 'mag_err': 'magerr'}, [])
    >>> match(["mjd", "band"])[1]
    ['there is neither a column flux nor a column mag; found: mjd, band']
    """
    names = [str(name) for name in given]
    by_lower: dict[str, list[str]] = {}
    for name in names:
        by_lower.setdefault(name.strip().lower(), []).append(name)
    found, wrong = {}, []
    for column in (*ROWS, *CONTEXT):
        there = [name for alias in (column.name, *column.others) for name in by_lower.get(alias.lower(), [])]
        if len(there) > 1:
            wrong.append(f"columns {' and '.join(map(repr, there))} both mean {column.name}: keep one of them")
        elif there:
            found[column.name] = there[0]
        elif column.needed:
            wrong.append(f"there is no column {column.name}; found: {', '.join(names[:30]) or 'none'}")
    if not wrong and not {"flux", "mag"} & found.keys():
        wrong.append(f"there is neither a column flux nor a column mag; found: {', '.join(names[:30])}")
    for value in ("flux", "mag"):
        if value in found and f"{value}_err" not in found and not wrong:
            wrong.append(f"there is a column {found[value]!r}, but none for its error: {value}_err")
    return found, wrong


def allowed(name: str) -> tuple[float, float]:
    """Give the smallest and largest value that a column of context may hold."""
    return RANGES.get(name, (-1e30, 1e30))
