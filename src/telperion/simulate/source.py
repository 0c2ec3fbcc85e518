"""What every kind of source gives: objects drawn at places on the sky, and their light at the visits there.

A source draws all its objects at once. What explodes says which spectrum it has at which rest-frame phase, and
`Explosions` does the rest: redshift, distance, dust in the host, the bands. What varies in other ways gives its light.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import cache
from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from telperion.bands import BANDS, NJY
from telperion.cosmology import distance_modulus
from telperion.simulate.passbands import Passbands, passbands

Array = NDArray[np.float64]

GALACTIC = np.array([
    [-0.0548755604, -0.8734370902, -0.4838350155],
    [0.4941094279, -0.4448296300, 0.7469822445],
    [-0.8676661490, -0.1980763734, 0.4559837762],
])  # fmt: skip
"""From equatorial to Galactic directions (J2000)."""

FIRST_PEAK, LAST_PEAK = 60225.0, 61455.0
"""MJD between which explosions peak, 50 days before the first night and 75 after the last."""

TEN_PARSEC_NJY = 1e32 / (4 * np.pi * 3.0856775814913673e19**2)
"""nJy at 10 pc of a source that shines 1 erg/s/Hz."""

MARGIN = 1.4
"""By how much the brightest of the probed phases may fall short of the brightest of all."""


@dataclass(frozen=True, eq=False)
class Sky:
    """Where n objects are, and every visit there.

    Parameters
    ----------
    ra, decl, mwebv : array, shape ``(n,)``, degrees and mag
        Place, and E(B-V) of the Milky Way.
    deep : array of bool, shape ``(n,)``
    offsets : array of int, shape ``(n + 1,)``
        Object ``i`` owns rows ``offsets[i]:offsets[i + 1]``, sorted by time.
    time, band, depth : array, shape ``(n_rows,)``
        MJD, position in `telperion.bands.BANDS`, and five-sigma depth, AB mag, of each visit.
    """

    ra: Array
    decl: Array
    mwebv: Array
    deep: NDArray[np.bool_]
    offsets: NDArray[np.int64]
    time: Array
    band: NDArray[np.int8]
    depth: Array

    def __len__(self) -> int:
        return len(self.ra)

    @property
    def owner(self) -> NDArray[np.int64]:
        """Object of each row, shape ``(n_rows,)``."""
        return np.repeat(np.arange(len(self)), np.diff(self.offsets))

    def take(self, objects: NDArray[np.int64]) -> Sky:
        """Give some of the objects, in that order."""
        offsets, rows = ragged(self.offsets, objects)
        return Sky(
            self.ra[objects], self.decl[objects], self.mwebv[objects], self.deep[objects], offsets,
            self.time[rows], self.band[rows], self.depth[rows],
        )  # fmt: skip


def ragged(offsets: NDArray[np.int64], members: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Give the offsets of some members of a ragged table, in their order, and which rows of it are theirs.

    Examples
    --------
    >>> ragged(np.array([0, 2, 3, 6]), np.array([2, 0]))
    (array([0, 3, 5]), array([3, 4, 5, 0, 1]))
    """
    lengths = np.diff(offsets)[members]
    own = np.concatenate([[0], np.cumsum(lengths)])
    return own, np.arange(own[-1]) + np.repeat(offsets[:-1][members] - own[:-1], lengths)


class Light(NamedTuple):
    """Light of objects at their visits, before the dust of the Milky Way and without noise.

    Attributes
    ----------
    difference, steady : array, shape ``(n_rows,)``, nJy
        Flux that is left after subtracting a template image, and the point source's flux in that template.
    """

    difference: Array
    steady: Array


class Drawn(Protocol):
    """Objects of one kind of source."""

    @property
    def redshift(self) -> Array:
        """Redshifts, NaN in the Galaxy, shape ``(n,)``."""
        ...

    def brightest(self) -> Array:
        """Give what the light difference never exceeds in each band (either sign), nJy, shape ``(n, 6)``.

        It is used to leave out early what cannot be detected, so it may be generous but never too small.
        """
        ...

    def take(self, objects: NDArray[np.int64]) -> Drawn:
        """Give some of the objects, in that order."""
        ...

    def light(self, sky: Sky, rng: np.random.Generator) -> Light:
        """Give the light at the visits of a sky with as many objects."""
        ...


class Source(Protocol):
    """One kind of source."""

    @property
    def name(self) -> str:
        """A name of its own among all sources."""
        ...

    @property
    def label(self) -> str:
        """Leaf of the tree ``elasticc``."""
        ...

    @property
    def galactic(self) -> bool:
        """Whether it is in the Milky Way."""
        ...

    def draw(self, sky: Sky, rng: np.random.Generator) -> Drawn:
        """Draw one object at each place of a sky."""
        ...


Parameters = Mapping[str, Array]
Spectrum = Callable[[Parameters, Array, Array], Array]
"""``spectrum(parameters, phase, wavelength)``: luminosity per unit frequency, erg/s/Hz, at rest-frame days from the
reference time and rest-frame micrometres. All arrays have shape ``(n_rows, n_wavelengths)`` or broadcast to it, the
parameters ``(n_rows, 1)``; the result has that shape, is finite and not negative, and zero before the explosion."""


@dataclass(frozen=True, eq=False)
class Explosions:
    """What flares up once in a distant galaxy; a `Drawn`.

    Parameters
    ----------
    spectrum : Spectrum
    parameters : mapping of str to array, shape ``(n,)``
    redshift : array, shape ``(n,)``
    time : array, shape ``(n,)``, MJD
        Observed, at phase zero.
    phases : (float, float)
        Rest-frame days from phase zero at which there may be light.
    probes : tuple of float
        Rest-frame phases among which the light is brightest in some band, to within `MARGIN`.
    extinction : array, shape ``(n,)``, mag
        A_V of the dust in the host.
    bands : Passbands
    """

    spectrum: Spectrum
    parameters: Parameters
    redshift: Array
    time: Array
    phases: tuple[float, float]
    probes: tuple[float, ...]
    extinction: Array
    bands: Passbands

    def brightest(self) -> Array:
        """Give the flux in each band at the brightest of the probed phases, with a margin, nJy, shape ``(n, 6)``."""
        rough, n = replace(self, bands=self.bands.coarse), len(self.redshift)
        band, owner = np.tile(np.arange(len(BANDS)), n), np.repeat(np.arange(n), len(BANDS))
        found = np.zeros(len(band))
        for probe in self.probes:
            found = np.maximum(found, rough._flux(owner, np.full(len(band), probe), band))
        return MARGIN * found.reshape(n, len(BANDS))

    def take(self, objects: NDArray[np.int64]) -> Explosions:
        """Give some of the objects, in that order."""
        return replace(
            self, parameters={name: values[objects] for name, values in self.parameters.items()},
            redshift=self.redshift[objects], time=self.time[objects], extinction=self.extinction[objects],
        )  # fmt: skip

    def light(self, sky: Sky, rng: np.random.Generator) -> Light:
        """Give the light at the visits of a sky with as many objects; no template has any of it."""
        del rng
        owner = sky.owner
        phase = (sky.time - self.time[owner]) / (1 + self.redshift[owner])
        shining = np.flatnonzero((phase >= self.phases[0]) & (phase <= self.phases[1]))
        difference = np.zeros(len(owner))
        difference[shining] = self._flux(owner[shining], phase[shining], sky.band[shining])
        return Light(difference, np.zeros(len(owner)))

    def _flux(self, owner: NDArray[np.int64], phase: Array, band: NDArray) -> Array:
        stretch = 1 + self.redshift[owner][:, None]
        wavelength = self.bands.wavelength[band] / stretch
        parameters = {name: values[owner][:, None] for name, values in self.parameters.items()}
        spectrum = self.spectrum(parameters, phase[:, None], wavelength)
        dimmed = spectrum * 10 ** (-0.4 * self.extinction[owner][:, None] * extinction_curve(wavelength))
        far = 10 ** (-0.4 * distance_modulus(self.redshift[owner]))
        return TEN_PARSEC_NJY * far * stretch[:, 0] * (dimmed * self.bands.weight[band]).sum(axis=1)


def explode(
    sky: Sky, rng: np.random.Generator, spectrum: Spectrum, parameters: Parameters, *, redshift: Array,
    phases: tuple[float, float], probes: tuple[float, ...], extinction: Array | float = 0.0,
) -> Explosions:  # fmt: skip
    """Give explosions of which phase zero falls at any time from `FIRST_PEAK` to `LAST_PEAK`."""
    time = rng.uniform(FIRST_PEAK, LAST_PEAK, len(sky))
    dust = np.broadcast_to(np.asarray(extinction, dtype=float), (len(sky),))
    return Explosions(spectrum, parameters, redshift, time, phases, probes, dust, passbands())


def extinction_curve(wavelength: Array) -> Array:
    """Give A_wavelength / A_V of interstellar dust with R_V = 3.1 (Cardelli, Clayton & Mathis 1989), micrometre.

    Beyond its range, 0.1 to 3.3 micrometres, the curve is held at its ends.

    Examples
    --------
    >>> extinction_curve(np.array([0.2175, 0.55, 1.0])).round(2)
    array([3.19, 1.  , 0.4 ])
    """
    inverse, curve = _extinction_table()
    return np.interp(1 / np.asarray(wavelength, dtype=float), inverse, curve)


@cache
def _extinction_table() -> tuple[Array, Array]:
    x = np.linspace(0.3, 10.0, 4000)  # 1/micrometre
    infrared = 0.574 * x**1.61, -0.527 * x**1.61
    y = x - 1.82
    optical = (
        np.polynomial.polynomial.polyval(y, [1, 0.17699, -0.50447, -0.02427, 0.72085, 0.01979, -0.77530, 0.32999]),
        np.polynomial.polynomial.polyval(y, [0, 1.41338, 2.28305, 1.07233, -5.38434, -0.62251, 5.30260, -2.09002]),
    )
    bump = x - 5.9
    far = np.where(x > 5.9, bump, 0)
    ultraviolet = (
        1.752 - 0.316 * x - 0.104 / ((x - 4.67) ** 2 + 0.341) - 0.04473 * far**2 - 0.009779 * far**3,
        -3.090 + 1.825 * x + 1.206 / ((x - 4.62) ** 2 + 0.263) + 0.2130 * far**2 + 0.1207 * far**3,
    )
    y8 = x - 8
    extreme = (
        -1.073 - 0.628 * y8 + 0.137 * y8**2 - 0.070 * y8**3,
        13.670 + 4.257 * y8 - 0.420 * y8**2 + 0.374 * y8**3,
    )
    a, b = (
        np.select([x < 1.1, x < 3.3, x < 8.0], [infrared[k], optical[k], ultraviolet[k]], extreme[k]) for k in (0, 1)
    )
    return x, a + b / 3.1


def redshifts(
    rng: np.random.Generator, n: int, rate: Callable[[Array], Array], low: float, high: float
) -> Array:  # fmt: skip
    """Draw redshifts of what happens at a rate per year of its own time and comoving volume.

    Parameters
    ----------
    rate : callable
        Of redshift, in any unit.
    low, high : float

    Examples
    --------
    >>> drawn = redshifts(np.random.default_rng(0), 1000, lambda z: 1 + z, 0.01, 1.0)
    >>> bool(drawn.min() > 0.01), bool(np.median(drawn) > 0.6)
    (True, True)
    """
    z = np.linspace(low, high, 2000)
    comoving = 10 ** (0.2 * distance_modulus(z)) / (1 + z)
    shell = np.gradient(comoving**3, z) * rate(z) / (1 + z)
    total = np.concatenate([[0], np.cumsum((shell[1:] + shell[:-1]) / 2)])
    return np.interp(rng.uniform(0, total[-1], n), total, z)


def star_formation(z: Array) -> Array:
    """Give the star-formation rate density over that of today (Madau & Dickinson 2014)."""
    return (1 + z) ** 2.7 / (1 + ((1 + z) / 2.9) ** 5.6) * (1 + 2.9**-5.6)


def core_collapse_rate(z: Array) -> Array:
    """Give the rate of core-collapse supernovae over that of today (the fit of Strolger et al. 2015)."""
    return ((1 + z) ** 5.0 / (((1 + z) / 1.5) ** 6.1 + 1)) * (1.5**-6.1 + 1)


def host_dust(rng: np.random.Generator, n: int, scale: float, largest: float = 3.0) -> Array:
    """Draw A_V from an exponential with this scale, cut at the largest, mag."""
    return -scale * np.log1p(-rng.uniform(size=n) * -np.expm1(-largest / scale))


def planck(wavelength: Array, temperature: Array) -> Array:
    """Give a black body's spectrum per unit frequency over that of all frequencies, 1/Hz: pi B_nu / (sigma T^4).

    Wavelengths in micrometre, temperatures in K.
    """
    x = np.minimum(14387.769 / (wavelength * temperature), 500.0)
    return np.asarray(15 / np.pi**4 * x**3 / np.expm1(x) / (2.083661912e10 * temperature))


def nanojansky(magnitude: Array) -> Array:
    """Give the flux of an AB magnitude, nJy."""
    return np.asarray(10 ** (0.4 * (NJY - np.asarray(magnitude))))
