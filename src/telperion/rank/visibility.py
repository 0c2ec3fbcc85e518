"""When objects can be seen from a site in a night, to about a minute of arc and without tables of the Earth's rotation.

Precession after Lieske et al. (1977), sidereal time as the IAU defined it in 1982, Sun and Moon by the low-precision
series of the Astronomical Almanac, airmass after Pickering (2002). Left out: nutation, aberration and UT1 - UTC, less
than a minute of arc together, and refraction, two minutes at airmass 2; the place of the Moon is good to half a degree.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

import numpy as np
from numpy.typing import ArrayLike, NDArray

Array = NDArray[np.float64]

J2000 = 51544.5
DARK = -18.0
"""Height of the Sun below which it is night, degrees."""

STEP = 5.0
"""Minutes from one moment that is looked at to the next."""

_UNIX = 40_587


@dataclass(frozen=True)
class Site:
    """A place on the Earth.

    Parameters
    ----------
    longitude, latitude : float, degrees
        East and north. The height does not matter for the directions of stars.

    Raises
    ------
    ValueError
        A number is out of its range.
    """

    longitude: float
    latitude: float

    def __post_init__(self) -> None:
        if not (-180 <= self.longitude <= 360 and -90 <= self.latitude <= 90):
            raise ValueError(f"no place on the Earth has longitude {self.longitude} and latitude {self.latitude}")

    def midnight(self, night: str | float) -> float:
        """Give the middle of a night by the mean Sun, MJD (UTC).

        Parameters
        ----------
        night : str or float
            The date of the evening, ``2026-01-31``; or a number (or its text), MJD: the night whose middle is nearest.

        Raises
        ------
        ValueError
            It is neither.

        Examples
        --------
        >>> SITES["cerro-pachon"].midnight("2026-01-31"), SITES["cerro-pachon"].midnight(61072.0)
        (61072.196526375, 61072.196526375)
        """
        offset = -((self.longitude + 180) % 360 - 180) / 360
        try:
            return round(float(night) - offset) + offset
        except (ValueError, OverflowError):
            pass
        try:
            return (date.fromisoformat(str(night)) - date(1970, 1, 1)).days + _UNIX + 1 + offset
        except ValueError:
            raise ValueError(f"the night is {night!r}, expected a date such as 2026-01-31, or an MJD") from None


SITES = {"cerro-pachon": Site(-70.749495, -30.244639), "paranal": Site(-70.404167, -24.627222)}


def site(name: str) -> Site:
    """Give a site by its name, or by ``LONGITUDE,LATITUDE`` in degrees.

    Examples
    --------
    >>> site("paranal").latitude, site("-17.88,28.76").latitude
    (-24.627222, 28.76)
    """
    if name in SITES:
        return SITES[name]
    try:
        longitude, latitude = map(float, name.split(","))
    except ValueError:
        raise ValueError(f"no site {name!r}: give LONGITUDE,LATITUDE or one of {', '.join(SITES)}") from None
    return Site(longitude, latitude)


@dataclass(frozen=True, eq=False)
class Visibility:
    """When each object is up in the dark; arrays of shape ``(n,)``, NaN where it is not.

    Parameters
    ----------
    hours : array, h
        That it is low enough in airmass (and far enough from the Moon), 0 where never.
    best, start, stop : array, MJD (UTC)
        When it is highest in that time, when that time begins and when it ends.
    altitude, airmass : array
        At its best; degrees.
    moon : array, degrees
        From the Moon at that time; where an object is not up, at midnight.
    """

    hours: Array
    best: Array
    start: Array
    stop: Array
    altitude: Array
    airmass: Array
    moon: Array


def visibility(
    ra: ArrayLike, dec: ArrayLike, where: Site, midnight: float, *, most_airmass: float = 2.0, from_moon: float = 0.0
) -> Visibility:
    """Find when objects can be seen in a night.

    Parameters
    ----------
    ra, dec : array, shape ``(n,)``, degrees (J2000)
        Where one is NaN, the object is never up.
    where : Site
    midnight : float, MJD (UTC)
        See `Site.midnight`.
    most_airmass : float
    from_moon : float, degrees
        Nearer to the Moon than that an object counts as not up, whatever the Moon's phase.

    Examples
    --------
    >>> seen = visibility([80.0, 260.0], [-30.0, -30.0], SITES["paranal"], 61041.196)
    >>> seen.hours.round(1), seen.airmass.round(2)
    (array([6.8, 0. ]), array([ 1., nan]))
    """
    times = midnight + np.arange(-720, 720, STEP) / 1440
    times = times[altitude(*sun(times), where, times) < DARK]
    apparent = precess(np.asarray(ra, dtype=np.float64), np.asarray(dec, dtype=np.float64), midnight)
    height = altitude(apparent[0][:, None], apparent[1][:, None], where, times)  # (n, n_times)
    moon_place = moon(np.append(times, midnight))
    far = separation(apparent[0][:, None], apparent[1][:, None], *moon_place)
    mass = airmass(height)
    up = (mass <= most_airmass) & (far[:, :-1] >= from_moon)
    hours, ever = up.sum(axis=1) * STEP / 60, up.any(axis=1)
    if not times.size:
        unknown = np.full(len(height), np.nan)
        return Visibility(hours, unknown, unknown, unknown, unknown, unknown, far[:, -1])
    every, best = np.arange(len(height)), np.argmax(np.where(up, height, -np.inf), axis=1)
    first, last = np.argmax(up, axis=1), times.size - 1 - np.argmax(up[:, ::-1], axis=1)

    def known(values: Array) -> Array:
        return np.where(ever, values, np.nan)

    half = STEP / 2880
    return Visibility(
        hours, known(times[best]), known(times[first] - half), known(times[last] + half),
        known(height[every, best]), known(mass[every, best]), far[every, np.where(ever, best, -1)],
    )  # fmt: skip


def dark(where: Site, midnight: float) -> tuple[float, float]:
    """Give when it begins and ceases to be dark, MJD (UTC); midnight twice where it never is."""
    times = midnight + np.arange(-720, 720, STEP) / 1440
    times = times[altitude(*sun(times), where, times) < DARK]
    return (float(times[0]), float(times[-1])) if times.size else (midnight, midnight)


def altitude(ra: ArrayLike, dec: ArrayLike, where: Site, times: ArrayLike) -> Array:
    """Give heights above the horizon, degrees, of positions of the date at times in MJD (UTC), broadcast."""
    days = np.asarray(times) - J2000
    sidereal = 280.46061837 + 360.98564736629 * days + where.longitude
    angle, dec, latitude = (np.radians(values) for values in (sidereal - np.asarray(ra), dec, where.latitude))
    sine = np.sin(latitude) * np.sin(dec) + np.cos(latitude) * np.cos(dec) * np.cos(angle)
    return np.asarray(np.degrees(np.arcsin(np.clip(sine, -1, 1))))


def airmass(height: ArrayLike) -> Array:
    """Give the airmass at heights in degrees, infinite below the horizon."""
    above = np.maximum(np.asarray(height, dtype=np.float64), 0.0)
    apparent = np.minimum(above + 244 / (165 + 47 * above**1.1), 90)  # the fitted refraction leads past the zenith
    sine = np.sin(np.radians(apparent))
    return np.where(np.asarray(height) > 0, np.maximum(1 / sine, 1), np.where(np.isnan(height), np.nan, np.inf))


def precess(ra: Array, dec: Array, mjd: float) -> tuple[Array, Array]:
    """Move positions, degrees, from the equinox of J2000 to that of a date."""
    century = (mjd - J2000) / 36525
    zeta, z, theta = np.radians(
        [
            (0.6406161 + 0.0000839 * century + 0.0000050 * century**2) * century,
            (0.6406161 + 0.0003041 * century + 0.0000051 * century**2) * century,
            (0.5567530 - 0.0001185 * century - 0.0000116 * century**2) * century,
        ]
    )
    right, up = np.radians(ra) + zeta, np.radians(dec)
    east = np.cos(up) * np.sin(right)
    north = np.cos(theta) * np.cos(up) * np.cos(right) - np.sin(theta) * np.sin(up)
    pole = np.sin(theta) * np.cos(up) * np.cos(right) + np.cos(theta) * np.sin(up)
    return np.degrees(np.arctan2(east, north) + z) % 360, np.degrees(np.arcsin(np.clip(pole, -1, 1)))


def sun(times: ArrayLike) -> tuple[Array, Array]:
    """Give right ascension and declination of the Sun, degrees, of the date, to 0.01 degree."""
    days = np.asarray(times) - J2000
    anomaly = np.radians(357.528 + 0.9856003 * days)
    longitude = np.radians(280.460 + 0.9856474 * days) + np.radians(
        1.915 * np.sin(anomaly) + 0.020 * np.sin(2 * anomaly)
    )
    return _equatorial(longitude, np.zeros_like(longitude), days)


def moon(times: ArrayLike) -> tuple[Array, Array]:
    """Give right ascension and declination of the Moon's centre as seen from that of the Earth, to 0.3 degree.

    From a site it is displaced by up to a degree.
    """
    days = np.asarray(times) - J2000
    century = days / 36525

    def wave(amplitude: float, phase: float, rate: float) -> Array:
        return np.asarray(amplitude * np.sin(np.radians(phase + rate * century)))

    longitude = 218.32 + 481267.881 * century + wave(6.29, 135.0, 477198.87) + wave(-1.27, 259.3, -413335.36)
    longitude += wave(0.66, 235.7, 890534.22) + wave(0.21, 269.9, 954397.74)
    longitude += wave(-0.19, 357.5, 35999.05) + wave(-0.11, 186.5, 966404.03)
    latitude = wave(5.13, 93.3, 483202.02) + wave(0.28, 228.2, 960400.89)
    latitude += wave(-0.28, 318.3, 6003.15) + wave(-0.17, 217.6, -407332.21)
    return _equatorial(np.radians(longitude), np.radians(latitude), days)


def separation(ra: ArrayLike, dec: ArrayLike, other_ra: ArrayLike, other_dec: ArrayLike) -> Array:
    """Give angles between positions, degrees."""
    first, second = np.radians(dec), np.radians(other_dec)
    sines, cosines = np.sin(first) * np.sin(second), np.cos(first) * np.cos(second)
    cosine = sines + cosines * np.cos(np.radians(np.asarray(ra) - np.asarray(other_ra)))
    return np.asarray(np.degrees(np.arccos(np.clip(cosine, -1, 1))))


def _equatorial(longitude: Array, latitude: Array, days: Array) -> tuple[Array, Array]:
    tilt = np.radians(23.439 - 0.0000004 * days)
    east = np.cos(tilt) * np.sin(longitude) * np.cos(latitude) - np.sin(tilt) * np.sin(latitude)
    pole = np.sin(tilt) * np.sin(longitude) * np.cos(latitude) + np.cos(tilt) * np.sin(latitude)
    ra = np.degrees(np.arctan2(east, np.cos(longitude) * np.cos(latitude))) % 360
    return ra, np.degrees(np.arcsin(np.clip(pole, -1, 1)))
