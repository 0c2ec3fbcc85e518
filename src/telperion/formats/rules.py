"""What every format asks of its files: errors that name the file, ranges of the context, repairs that are seen."""

import os
import warnings
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from telperion.lightcurves import RepairWarning


class FormatError(ValueError):
    """A file breaks a rule of its format; the message names the file, the row or object, and the rule."""


_CONTENT_ERRORS = (ValueError, OSError, EOFError, zlib.error, pa.ArrowException)
_REDSHIFT = (-0.5, 30.0)
_NOT_NEGATIVE = (0.0, np.inf)

RANGES: dict[str, tuple[float, float]] = {
    "ra": (0.0, 360.0),
    "decl": (-90.0, 90.0),
    "mwebv": (0.0, 100.0),
    "mwebv_err": _NOT_NEGATIVE,
    "redshift": _REDSHIFT,
    "redshift_err": _NOT_NEGATIVE,
    "redshift_final": _REDSHIFT,
    "hostgal_specz": _REDSHIFT,
    "hostgal_specz_err": _NOT_NEGATIVE,
    "hostgal_photoz": _REDSHIFT,
    "hostgal_photoz_err": _NOT_NEGATIVE,
    "hostgal_snsep": _NOT_NEGATIVE,
}
"""Smallest and largest value that a context may have: degrees, magnitudes, redshift, arcseconds."""


@contextmanager
def naming(path: str | os.PathLike[str]) -> Iterator[None]:
    """Put the name of the file at hand before any error about its content.

    Raises
    ------
    FormatError
        The block raised an error of reading or of a rule. One that names its file already passes as it is.
    """
    try:
        yield
    except (FormatError, FileNotFoundError):
        raise
    except _CONTENT_ERRORS as error:
        raise FormatError(f"{os.fspath(path)}: {error}") from error


def check_distinct(object_id: NDArray[Any]) -> None:
    """Refuse a list of objects, shape ``(n_objects,)``, that names one twice.

    Raises
    ------
    ValueError
        Says how many objects are repeated and the first of them.
    """
    distinct, counts = np.unique(object_id, return_counts=True)
    if (counts > 1).any():
        first = str(distinct[counts > 1][0])
        raise ValueError(f"object_id is repeated for {(counts > 1).sum()} objects, first {first!r}")


def check_ranges(context: Mapping[str, NDArray[np.float64]], object_id: NDArray[np.str_]) -> None:
    """Refuse a context outside `RANGES`; NaN, which means unknown, passes.

    Parameters
    ----------
    context : mapping of str to array, shape ``(n_objects,)``
    object_id : array of str, shape ``(n_objects,)``

    Raises
    ------
    ValueError
        Says which context, how many objects and the first of them.
    """
    for name in context.keys() & RANGES.keys():
        low, high = RANGES[name]
        values = context[name]
        wrong = np.flatnonzero((values < low) | (values > high))
        if wrong.size:
            raise ValueError(
                f"{name} is outside {low:g} to {high:g} for {wrong.size} objects, "
                f"first {values[wrong[0]]:g} at object {str(object_id[wrong[0]])!r}"
            )


def warn_repair(path: str | os.PathLike[str], what: str, object_id: NDArray[np.str_], rows: NDArray[np.int64]) -> None:
    """Say with a `RepairWarning` how many rows of how many objects were mended, and the first object.

    Parameters
    ----------
    path : file or folder that was read
    what : str
        The repair, as in "flux is NaN, rows dropped".
    object_id : array of str, shape ``(n_objects,)``
    rows : array of int, shape ``(n_objects,)``
        Number of rows concerned; nothing is said where all are zero.
    """
    hit = np.flatnonzero(rows)
    if hit.size:
        message = f"{what}: {int(rows.sum())} rows of {hit.size} objects, first object {str(object_id[hit[0]])!r}"
        warnings.warn(f"{os.fspath(path)}: {message}", RepairWarning, stacklevel=3)


def warn_without_rows(path: str | os.PathLike[str], object_id: NDArray[np.str_], lengths: NDArray[np.int64]) -> None:
    """Say with a `RepairWarning` how many objects are kept although the files hold no row of them.

    Parameters
    ----------
    path : file or folder that was read
    object_id : array of str, shape ``(n_objects,)``
    lengths : array of int, shape ``(n_objects,)``
        Rows of each object.
    """
    bare = np.flatnonzero(lengths == 0)
    if bare.size:
        message = f"{bare.size} objects have no rows and are kept without, first object {str(object_id[bare[0]])!r}"
        warnings.warn(f"{os.fspath(path)}: {message}", RepairWarning, stacklevel=3)
