"""Active galactic nuclei: the brightness of a quasar is a damped random walk, and some switch on or off.

Time scale and amplitude of the walk follow wavelength, luminosity and black-hole mass as MacLeod et al. (2010) found.
All bands share one walk, the red ones a little late, as light of a disc that is heated from its middle (lag as
wavelength^4/3: Cackett, Horne & Winkler 2007). Luminosities follow Croom et al. (2004, 2009), nearby with more faint
nuclei (Schulze, Wisotzki & Husemann 2009); spectra Vanden Berk et al. (2001), the hydrogen between the galaxies Madau
(1995). Changing looks (LaMassa et al. 2015; Graham et al. 2020) are a logistic switch on top of the walk.
"""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray

from telperion.bands import BANDS
from telperion.cosmology import distance_modulus
from telperion.simulate.passbands import passbands
from telperion.simulate.source import Array, Light, Sky, extinction_curve, host_dust, nanojansky

NEAREST, FARTHEST = 0.05, 2.95
FAINTEST_NUCLEUS, FAINTEST, BRIGHTEST = -17.5, 24.0, 15.5
"""The least absolute, and the apparent i magnitudes that are drawn: fainter ones vary below what a survey detects."""

STEEPER = 0.6
"""By how much the faint end of the luminosity function is steeper nearby: of slope -2.0 there (Schulze et al. 2009)."""

I_BAND = 0.7545
"""Micrometre at which the absolute i magnitude is meant, rest frame."""

CHANGING = 0.2
"""Share of changing looks."""

TEMPLATE_DAYS, TEMPLATE_VISITS = 365.0, 8
"""How long, and by how many visits, the template is gathered."""

LARGEST = 4.5
"""Standard deviations at which the walk is cut; one visit in 150,000 gets there."""

# wavelength in micrometre and equivalent width in Angstrom (Vanden Berk et al. 2001): Lya, C IV, C III], Mg II, Hb, Ha
_LINES = np.array([[0.1216, 90], [0.1549, 24], [0.1909, 21], [0.2799, 32], [0.4862, 46], [0.6564, 195]])
_SMEARED = 0.045
"""Width of a line in ln(wavelength): that of a passband's node."""


@dataclass(frozen=True)
class ActiveNucleus:
    """Active galactic nuclei, a part of them of changing look."""

    name: str = "AGN-walk"
    label: str = "AGN"
    galactic: bool = False

    def draw(self, sky: Sky, rng: np.random.Generator) -> Nuclei:
        """Draw one nucleus at each place of a sky."""
        n = len(sky)
        redshift, absolute = luminosities(rng, n)
        flux = nanojansky(absolute + distance_modulus(redshift))[:, None] * colours(rng, redshift)
        # Shen et al. (2008), as MacLeod et al. (2010) use it
        hole = np.clip(rng.normal(2.0 - 0.27 * absolute, np.maximum(0.58 + 0.011 * absolute, 0.2)), 6.0, 10.3)
        wavelength = passbands().wavelength.mean(axis=1) / (1 + redshift)[:, None]
        blue = np.log10(np.maximum(wavelength, 0.1) / 0.4)
        bright = (absolute + 23)[:, None]
        structure = -0.51 - 0.479 * blue + 0.13 * bright + 0.18 * (hole[:, None] - 9) + rng.normal(0, 0.12, (n, 1))
        damping = 2.4 + 0.17 * blue[:, 2] + 0.03 * bright[:, 0] + 0.21 * (hole - 9) + rng.normal(0, 0.2, n)
        switching = rng.uniform(size=n) < CHANGING
        switch = rng.uniform(0.5, 2.0, n) * np.where(rng.uniform(size=n) < 0.5, 1, -1) * switching
        light_days = 3.0 * 10 ** (-0.4 * (absolute + 23) / 3) * rng.lognormal(0, 0.3, n)  # lag at 0.5 micrometre
        return Nuclei(
            redshift, flux, damping=10**damping * (1 + redshift),
            spread=np.clip(10**structure, 0.02, 0.8) / np.sqrt(2),
            lag=np.minimum(light_days, 15)[:, None] * (1 + redshift)[:, None] * (wavelength / 0.5) ** (4 / 3),
            switch=switch[:, None] * np.clip((wavelength / 0.4) ** -0.3, 0.6, 1.5),
            switched=rng.uniform(60_150, 61_450, n),
            lasting=np.exp(rng.uniform(np.log(30), np.log(300), n)) * (1 + redshift),
            template=rng.uniform(59_700, 60_000, n), seed=rng.integers(0, 2**63, n),
        )  # fmt: skip


@dataclass(frozen=True, eq=False)
class Nuclei:
    """Active nuclei; a `telperion.simulate.source.Drawn`.

    Parameters
    ----------
    redshift : array, shape ``(n,)``
    flux : array, shape ``(n, 6)``, nJy
        At the walk's mean magnitude and before the switch.
    damping : array, shape ``(n,)``, days
        Time scale of the walk as observed.
    spread : array, shape ``(n, 6)``, mag
        Standard deviation of the walk.
    lag : array, shape ``(n, 6)``, days
        By which a band follows the walk.
    switch : array, shape ``(n, 6)``, mag
        By which the nucleus fades for good, zero where it does not.
    switched, lasting : array, shape ``(n,)``, MJD and days
        Middle of the switch, and the time from a tenth to nine tenths of it.
    template : array, shape ``(n,)``, MJD
        First night of the template.
    seed : array of int, shape ``(n,)``
        Of the walk, which is therefore the same for the same object and visits, whatever it is drawn with.
    """

    redshift: Array
    flux: Array
    damping: Array
    spread: Array
    lag: Array
    switch: Array
    switched: Array
    lasting: Array
    template: Array
    seed: NDArray[np.int64]

    def brightest(self) -> Array:
        """Give the flux between the brightest and the faintest that the walk and the switch allow, nJy."""
        reach = LARGEST * self.spread
        highest = 10 ** (0.4 * (reach + np.maximum(-self.switch, 0)))
        lowest = 10 ** (-0.4 * (reach + np.maximum(self.switch, 0)))
        return self.flux * (highest - lowest)

    def take(self, objects: NDArray[np.int64]) -> Nuclei:
        """Give some of the objects, in that order."""
        return Nuclei(**{field.name: getattr(self, field.name)[objects] for field in fields(self)})

    def light(self, sky: Sky, rng: np.random.Generator) -> Light:
        """Give the light at the visits of a sky with as many objects."""
        del rng
        n, owner, visits = len(sky), sky.owner, TEMPLATE_VISITS
        before = self.template[:, None] + np.linspace(0, TEMPLATE_DAYS, visits)
        time = np.concatenate([before.reshape(-1), sky.time - self.lag[owner, sky.band]])
        order = np.lexsort((time, np.concatenate([np.repeat(np.arange(n), visits), owner])))
        state = np.empty(len(time))
        state[order] = walk(time[order], sky.offsets + visits * np.arange(n + 1), self.damping, self.seed)
        early = state[: n * visits].reshape(n, visits)
        row = np.arange(n)
        bands = [self._shone(row[:, None], before, np.full((1, 1), band), early) for band in range(len(BANDS))]
        steady = np.stack([shone.mean(axis=1) for shone in bands], axis=1)[owner, sky.band]
        return Light(self._shone(owner, sky.time, sky.band, state[n * visits :]) - steady, steady)

    def _shone(self, row: NDArray, time: Array, band: NDArray, state: Array) -> Array:
        """Give the flux of objects whose walk is in a state, in standard deviations, nJy."""
        steps = (time - self.switched[row]) * (2 * np.log(9)) / self.lasting[row]
        switched = self.switch[row, band] / (1 + np.exp(np.clip(-steps, -500, 500)))
        return self.flux[row, band] * 10 ** (-0.4 * (self.spread[row, band] * state + switched))


def walk(time: Array, offsets: NDArray[np.int64], damping: Array, seed: NDArray[np.int64]) -> Array:
    """Give damped random walks of zero mean and unit variance, exact at any times, cut at `LARGEST`.

    Parameters
    ----------
    time : array, shape ``(n_rows,)``, days
        Sorted within each object; object ``i`` owns rows ``offsets[i]:offsets[i + 1]``.
    offsets : array of int, shape ``(n + 1,)``
    damping : array, shape ``(n,)``, days
    seed : array of int, shape ``(n,)``

    Returns
    -------
    array, shape ``(n_rows,)``

    Examples
    --------
    >>> walk(np.array([0.0, 0.0, 9e9]), np.array([0, 3]), np.array([1.0]), np.array([1])).round(2)
    array([ 1.11,  1.11, -0.8 ])
    """
    lengths = np.diff(offsets)
    draws = [
        np.random.Generator(np.random.SFC64(int(s))).standard_normal(m) for s, m in zip(seed, lengths, strict=True)
    ]
    noise = np.concatenate([np.empty(0), *draws])
    steps = np.diff(time, prepend=time[:1])
    kept = np.exp(-np.maximum(steps, 0) / np.repeat(damping, lengths))
    kept[offsets[:-1]] = 0.0
    noise *= np.sqrt(1 - kept**2)
    longest = np.argsort(-lengths, kind="stable")
    first, count = offsets[:-1][longest], lengths[longest]
    alive = np.searchsorted(
        -count, -np.arange(lengths.max(initial=0))
    )  # of the objects, how many have more than k rows
    for k in range(1, lengths.max(initial=0)):
        row = first[: alive[k]] + k
        noise[row] += kept[row] * noise[row - 1]
    return np.clip(noise, -LARGEST, LARGEST)


def luminosities(rng: np.random.Generator, n: int) -> tuple[Array, Array]:
    """Draw redshifts and absolute i magnitudes of nuclei of a flux-limited sample (Croom et al. 2004, 2009).

    Returns
    -------
    redshift, absolute : array, shape ``(n,)``
    """
    z, magnitude = np.linspace(NEAREST, FARTHEST, 200), np.linspace(-29.5, FAINTEST_NUCLEUS, 150)
    comoving = 10 ** (0.2 * distance_modulus(z)) / (1 + z)
    volume = np.gradient(comoving**3, z)
    knee = -21.9 - 2.5 * (1.39 * z - 0.29 * z**2)  # their b_J, 0.3 mag bluer
    above = 0.4 * (magnitude - knee[:, None])
    faint = 0.41 + STEEPER * np.exp(-z / 0.6)[:, None]
    density = volume[:, None] / (10 ** (-2.33 * above) + 10 ** (-faint * above))  # slopes of 2009, evolution of 2004
    apparent = magnitude + (distance_modulus(z) - 1.25 * np.log10(1 + z))[:, None]
    share = np.cumsum(density * ((apparent > BRIGHTEST) & (apparent < FAINTEST)))
    cell = np.minimum(np.searchsorted(share, rng.uniform(0, share[-1], n)), len(share) - 1)
    shift = rng.uniform(-0.5, 0.5, (2, n))
    redshift = z[cell // len(magnitude)] + shift[0] * (z[1] - z[0])
    absolute = magnitude[cell % len(magnitude)] + shift[1] * (magnitude[1] - magnitude[0])
    return np.clip(redshift, NEAREST, FARTHEST), absolute


def colours(rng: np.random.Generator, redshift: Array) -> Array:
    """Draw spectra and give each band's flux over that of the absolute i magnitude at that distance, shape ``(n, 6)``.

    A power law with the 3000 A bump, broad lines, dust in the host and hydrogen on the way.
    """
    n, bands = len(redshift), passbands()
    stretch = (1 + redshift)[:, None]
    slope, bump, strength = rng.normal(-0.5, 0.25, n), rng.normal(0.25, 0.08, n), rng.lognormal(0, 0.35, n)
    dust = host_dust(rng, n, 0.1, 1.0)

    def emitted(wavelength: Array) -> Array:
        far = np.log(wavelength[..., None] / _LINES[:, 0]) / _SMEARED
        height = _LINES[:, 1] / (1e4 * _LINES[:, 0] * _SMEARED * np.sqrt(2 * np.pi))
        lines = (height * np.exp(-(far**2) / 2)).sum(axis=-1)
        iron = np.exp(-((np.log(wavelength / 0.3) / 0.2) ** 2) / 2)
        shape = (wavelength / I_BAND) ** -slope[:, None]
        return np.asarray(shape * (1 + bump[:, None] * iron + strength[:, None] * lines))

    norm = emitted(np.full((n, 1), I_BAND))[:, 0]
    result = np.empty((n, len(BANDS)))
    for band in range(len(BANDS)):
        wavelength = bands.wavelength[band] / stretch
        dimmed = emitted(wavelength) * 10 ** (-0.4 * dust[:, None] * extinction_curve(wavelength))
        forest = np.where(wavelength < 0.1216, 0.0036 * (wavelength * stretch / 0.1216) ** 3.46, 0.0)
        edge = np.where(wavelength < 0.0912, 2.0, 0.0)
        result[:, band] = (dimmed * np.exp(-forest - edge) * bands.weight[band]).sum(axis=1) / norm
    return result * stretch
