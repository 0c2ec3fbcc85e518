"""Numbers as the pages write them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

_MJD_ZERO = datetime(1858, 11, 17, tzinfo=UTC)
_NOTHING = "–"


def chance(value: float) -> str:
    """Write a probability.

    Examples
    --------
    >>> chance(0.8349), chance(0.0004), chance(0.9999), chance(float("nan"))
    ('0.83', '<0.01', '>0.99', '–')
    """
    if value != value:
        return _NOTHING
    if 0 < value < 0.005:
        return "<0.01"
    return ">0.99" if 0.995 <= value < 1 else f"{value:.2f}"


def days(value: float) -> str:
    """Write a number of days.

    Examples
    --------
    >>> days(0.0213), days(3.14), days(412.7), days(float("nan"))
    ('0.02 d', '3.1 d', '413 d', '–')
    """
    if value != value:
        return _NOTHING
    return f"{value:.{2 if abs(value) < 1 else 1 if abs(value) < 100 else 0}f} d"


def decimals(value: float | None, places: int = 2) -> str:
    """Write a number with so many decimals, a proper minus before it; a dash if it is unknown."""
    return _NOTHING if value is None or value != value else f"{value:.{places}f}".replace("-", "−")


def figures(value: float | None) -> str:
    """Write a number with four significant figures; a dash if it is unknown.

    Examples
    --------
    >>> figures(12.34567), figures(-3e9), figures(0.0), figures(float("nan"))
    ('12.35', '−3e+09', '0', '–')
    """
    return _NOTHING if value is None or value != value else f"{value:.4g}".replace("-", "−", 1)


def moment(mjd: float) -> str:
    """Write a time as its date and minute.

    Examples
    --------
    >>> moment(61000.5), moment(float("nan")), moment(1e12)
    ('2025-11-21 12:00', '–', 'MJD 1e+12')
    """
    if mjd != mjd:
        return _NOTHING
    try:
        return f"{_MJD_ZERO + timedelta(days=float(mjd)):%Y-%m-%d %H:%M}"
    except OverflowError:
        return f"MJD {mjd:g}"


def right_ascension(degrees: float) -> str:
    """Write a right ascension in hours, minutes and seconds.

    Examples
    --------
    >>> right_ascension(83.633), right_ascension(359.9999999)
    ('05:34:31.9', '00:00:00.0')
    """
    if degrees != degrees:
        return _NOTHING
    tenths = round(degrees * 2400) % 864_000
    return f"{tenths // 36_000:02d}:{tenths // 600 % 60:02d}:{tenths % 600 / 10:04.1f}"


def declination(degrees: float) -> str:
    """Write a declination in degrees, minutes and seconds.

    Examples
    --------
    >>> declination(-5.391), declination(0.25)
    ('−05:23:28', '+00:15:00')
    """
    if degrees != degrees:
        return _NOTHING
    seconds = round(abs(degrees) * 3600)
    return f"{'−' if degrees < 0 else '+'}{seconds // 3600:02d}:{seconds // 60 % 60:02d}:{seconds % 60:02d}"


def count(number: int, one: str, many: str = "") -> str:
    """Write how many there are of something.

    Examples
    --------
    >>> count(1, "row"), count(12_000, "row"), count(2, "class", "classes")
    ('1 row', '12,000 rows', '2 classes')
    """
    return f"{number:,} {one if number == 1 else many or one + 's'}"
