"""Flares of M dwarfs: a rise of minutes and a decay in two exponentials (Davenport et al. 2014), hot and blue.

The light of a flare is a black body of 9,000 to 10,000 K (Kowalski et al. 2013) that cools a little as it fades.
Energies follow a power law of index -2 and durations grow with them (Hawley et al. 2014). Of the flares of three years
hardly any is seen, so they are drawn by how long they shine and near visits, in a way that leaves those that can be
seen distributed as they are.
"""

from __future__ import annotations

from dataclasses import dataclass, fields, replace

import numpy as np
from numpy.typing import NDArray

from telperion.bands import BANDS
from telperion.simulate.passbands import passbands
from telperion.simulate.source import FIRST_PEAK, LAST_PEAK, TEN_PARSEC_NJY, Array, Light, Sky, nanojansky, planck
from telperion.simulate.stars import some, star_flux

RISE = np.array([1.0, 1.941, -0.175, -2.246, -1.125])
"""Coefficients of the rise in powers of the time from the peak, in full widths at half maximum (Davenport et al.)."""

RISEN = 0.3077
"""Integral of the rise."""

IMPULSIVE, GRADUAL = 1.600, 0.2783
"""Rates of the two decays, per full width at half maximum (Davenport et al.)."""

DWARFS = np.array([
    [3700, 9.8, 0.08], [3550, 10.5, 0.13], [3400, 11.3, 0.21], [3200, 12.4, 0.25], [3050, 13.9, 0.18],
    [2800, 15.7, 0.10], [2650, 17.0, 0.05],
])  # fmt: skip
"""Temperature, K, M_r and share by number of the flaring stars of types M1 to M7, rounded from Bochanski et al. (2010);
the active ones are mostly of the middle types (West et al. 2011)."""

GROWTH = 0.3
"""Power of the energy with which the duration grows."""

WIDEST = 2.2
"""By which factor durations differ from the typical one at most."""

END = 25.0
"""Widths after its peak at which a flare is over; it has less than a thousandth of the light then."""

LONGEST = (1 + END) * WIDEST
"""Longest a flare shines, over the typical width."""

FAINTEST = float(nanojansky(np.array(26.5)))
"""nJy of what no visit of the main survey detects."""

BRIGHTEST = 1.0505e-11
"""Largest value of a black body's spectrum `planck`, times its temperature, K/Hz."""

DISC = 400.0
"""Scale in pc of the number of stars along a line of sight, ``d^2 exp(-d / DISC)``: out of the Galaxy's disc."""


@dataclass(frozen=True, eq=False)
class Flares:
    """M dwarfs with one flare each; a `Drawn`.

    Parameters
    ----------
    redshift : array, shape ``(n,)``
    quiet : array, shape ``(n, 6)``, nJy
    peak : array, shape ``(n,)``, nJy Hz
        Bolometric flux of the flare at its peak, 1 nJy = 1e-32 erg/s/cm^2/Hz.
    start, width : array, shape ``(n,)``, MJD and days
        When the flare starts, a width before its peak, and its full width at half maximum.
    slow : array, shape ``(n,)``
        Share of the slow decay in the peak.
    hot, cooling : array, shape ``(n,)``
        Temperature at peak, K, and the power of the light with which it falls.
    jump : array, shape ``(n,)``
        Factor in u beyond a black body, from the Balmer continuum.
    again : array, shape ``(n, 3)``
        Second flare: its height over the first, how many widths later, its width over that of the first.
    lasting : array, shape ``(n,)``, days
        How long from its start a flare may be brighter than `FAINTEST`.
    """

    redshift: Array
    quiet: Array
    peak: Array
    start: Array
    width: Array
    slow: Array
    hot: Array
    cooling: Array
    jump: Array
    again: Array
    lasting: Array

    def brightest(self) -> Array:
        """Give the flux if both flares peaked together, shape ``(n, 6)``, nJy."""
        n = len(self.redshift)
        owner, band = (axis.ravel() for axis in np.indices((n, len(BANDS))))
        return 1.01 * (1 + self.again[:, :1]) * self._flux(owner, np.ones(owner.size), band).reshape(n, len(BANDS))

    def take(self, objects: NDArray[np.int64]) -> Flares:
        """Give some of the objects, in that order."""
        return replace(self, **some(self, objects))

    def light(self, sky: Sky, rng: np.random.Generator) -> Light:
        """Give the light at the visits of a sky with as many objects; the template shows the quiet star."""
        del rng
        owner = sky.owner
        difference = np.zeros(len(owner))
        since = (sky.time - self.start[owner]) / self.width[owner] - 1
        lit = np.flatnonzero((since > -1) & (since < END))
        own, since, band = owner[lit], since[lit], sky.band[lit]
        height, later, stretch = self.again[own].T
        for size, phase in ((1.0, since), (height, (since - later) / stretch)):
            shape = flare(phase, self.slow[own])
            difference[lit] += size * self._flux(own, shape, band)
        return Light(difference, self.quiet[owner, sky.band])

    def _flux(self, owner: NDArray[np.int64], shape: Array, band: NDArray) -> Array:
        """Give the flux where the flare has this share of its peak."""
        bands = passbands()
        temperature = self.hot[owner] * np.maximum(shape, 1e-6) ** self.cooling[owner]
        spectrum = (planck(bands.wavelength[band], temperature[:, None]) * bands.weight[band]).sum(axis=1)
        return np.asarray(self.peak[owner] * shape * spectrum * np.where(band == 0, self.jump[owner], 1.0))


def flare(phase: Array, slow: Array | float = 0.305) -> Array:
    """Give the light of a flare over that at its peak, times in full widths at half maximum from the peak.

    Examples
    --------
    >>> flare(np.array([-1.5, -0.5, 0.0, 0.6, 5.0])).round(2)
    array([0.  , 0.2 , 1.  , 0.52, 0.08])
    """
    rise = np.polynomial.polynomial.polyval(np.clip(phase, -1, 0), RISE)
    late = np.maximum(phase, 0)
    fall = (1 - slow) * np.exp(-IMPULSIVE * late) + slow * np.exp(-GRADUAL * late)
    return np.where(phase < -1, 0.0, np.where(phase < 0, np.maximum(rise, 0), fall))


@dataclass(frozen=True)
class FlareStar:
    """Flares of M dwarfs, one each.

    Parameters
    ----------
    accelerated : bool
        Draw flares the more often the longer they shine, and their times near visits (`near_visits`), not evenly over
        the survey. Flares with a visit while they shine then come ``(LAST_PEAK - FIRST_PEAK) / (visits * mean lasting
        of all flares)`` times as often, all alike; of the others only that they are not seen is true.
    energies : (float, float)
        Limits of log10 of the energy, erg.
    visits : int
        More than any place has.
    """

    name: str = "Mdwarf-formula"
    label: str = "M-dwarf Flare"
    galactic: bool = True
    accelerated: bool = True
    energies: tuple[float, float] = (32.0, 35.5)
    visits: int = 1500

    def draw(self, sky: Sky, rng: np.random.Generator) -> Flares:
        """Draw one star with one flare at each place of a sky.

        Raises
        ------
        ValueError
            A place has more visits than `visits`.
        """
        n = len(sky)
        if not self.accelerated:
            return replace(_flares(rng, n, self.energies, 2.0)[0], start=rng.uniform(FIRST_PEAK, LAST_PEAK, n))
        kept = [_flares(rng, 0, self.energies, 2.0)[0]]
        while (missing := n - sum(len(part.width) for part in kept)) > 0:
            # how long flares shine grows as the power GROWTH of the energy, and by chance no more than LONGEST
            flares, typical = _flares(rng, 20 * missing + 1000, self.energies, 2.0 - GROWTH)
            lucky = rng.uniform(size=len(typical)) < flares.lasting / (LONGEST * typical)
            kept.append(flares.take(np.flatnonzero(lucky)[:missing]))
        flares = Flares(**{
            field.name: np.concatenate([getattr(part, field.name) for part in kept]) for field in fields(Flares)
        })  # fmt: skip
        return replace(flares, start=near_visits(sky, rng, flares.lasting, self.visits))


def _flares(
    rng: np.random.Generator, n: int, energies: tuple[float, float], index: float
) -> tuple[Flares, Array]:  # fmt: skip
    """Draw flares with a power law of energies, and give the typical width for their energy; none starts yet."""
    kind = rng.choice(len(DWARFS), n, p=DWARFS[:, 2] / DWARFS[:, 2].sum())
    temperature = np.clip(DWARFS[kind, 0] + rng.normal(0, 60, n), 2_700, 3_600)
    absolute = np.interp(temperature, DWARFS[::-1, 0], DWARFS[::-1, 1]) + rng.normal(0, 0.5, n)
    parsec = _distances(rng, 10 ** ((17 - absolute) / 5 + 1), 10 ** ((26 - absolute) / 5 + 1))
    low, high = (10 ** (limit * (1 - index)) for limit in energies)
    energy = (low + rng.uniform(size=n) * (high - low)) ** (1 / (1 - index))  # erg
    typical = 6 / 1440 * (energy / 1e33) ** GROWTH
    width = typical * np.clip(rng.lognormal(0, 0.35, n), 1 / WIDEST, WIDEST)
    slow = np.clip(rng.normal(0.305, 0.06, n), 0.12, 0.55)
    double = rng.uniform(size=n) < 0.25
    again = np.stack([rng.uniform(0.1, 0.8, n) * double, rng.uniform(0.5, 8, n), rng.uniform(0.5, 1.5, n)], axis=1)
    area = (RISEN + (1 - slow) / IMPULSIVE + slow / GRADUAL) * (1 + again[:, 0] * again[:, 2])
    flares = Flares(
        redshift=np.full(n, np.nan), quiet=star_flux(rng, temperature, absolute + 5 * np.log10(parsec / 10)),
        peak=energy / (area * width * 86_400) * TEN_PARSEC_NJY * (10 / parsec) ** 2, start=np.full(n, np.nan),
        width=width, slow=slow, hot=np.clip(rng.normal(9_500, 700, n), 7_500, 12_000),
        cooling=rng.uniform(0.02, 0.10, n), jump=np.clip(rng.lognormal(np.log(1.5), 0.25, n), 1, 3), again=again,
        lasting=np.zeros(n),
    )  # fmt: skip
    return replace(flares, lasting=_lasting(flares)), typical


def _lasting(flares: Flares) -> Array:
    """Give how long flares may be brighter than `FAINTEST` in any band, days from their start."""
    brightest = flares.peak * flares.jump * BRIGHTEST / flares.hot
    height, later, stretch = flares.again.T
    last = np.full(len(brightest), -np.inf)
    for size, delay, longer in ((1.0, 0.0, 1.0), (height, later, stretch)):
        # a flare that cools shines by the power 1 - cooling of its share of the peak; both decays are below half of it
        share = (FAINTEST / np.maximum(brightest * size, 1e-9)) ** (1 / (1 - flares.cooling))
        parts = (
            np.log(2 * (1 - flares.slow) / share) / IMPULSIVE,
            np.log(2 * flares.slow / share) / GRADUAL,
        )
        until = np.maximum(np.maximum(*parts), 0)
        last = np.maximum(last, np.where(share < 1, delay + longer * until, -np.inf))
    return np.where(np.isfinite(last), (1 + np.minimum(last, END)) * flares.width, 0.0)


def near_visits(sky: Sky, rng: np.random.Generator, window: Array, visits: int) -> Array:
    """Draw times, MJD, with those that a visit follows within a window all as much more often than at random.

    The windows before a place's visits are merged, and a time is drawn evenly from their union with a chance of its
    length over that of `visits` windows; the other times are drawn evenly from the rest of the survey. So the times
    that a visit follows are distributed as if all times were drawn evenly, within a place and among places.

    Parameters
    ----------
    window : array, shape ``(n,)``, days
        Positive.
    visits : int
        More than any place has.

    Raises
    ------
    ValueError
        A place has more visits.
    """
    n, first, owner = len(sky), sky.offsets[:-1], sky.owner
    if (most := np.diff(sky.offsets).max(initial=0)) > visits:
        raise ValueError(f"a place has {most} visits, more than the {visits} allowed for")
    gap = np.diff(sky.time, prepend=-np.inf)
    gap[first] = np.inf
    # a visit adds to the union what the one before leaves free of its window
    total = np.cumsum(np.minimum(gap, window[owner]))
    until = np.concatenate([[0.0], total])[sky.offsets]
    length = np.diff(until)
    place = until[:-1] + rng.uniform(size=n) * length
    row = np.clip(np.searchsorted(total, place), first, sky.offsets[1:] - 1)
    near = sky.time[row] - np.clip(total[row] - place, 0, window)
    far = rng.uniform(FIRST_PEAK, LAST_PEAK, n)
    while (again := np.flatnonzero(wait(sky, far) <= window)).size:
        far[again] = rng.uniform(FIRST_PEAK, LAST_PEAK, again.size)
    return np.where(rng.uniform(size=n) < length / (visits * window), near, far)


def wait(sky: Sky, time: Array) -> Array:
    """Give the days from a time of each object to the next visit there, infinite after the last.

    Parameters
    ----------
    time : array, shape ``(n,)``, MJD
    """
    apart = 1e4  # days, longer than any survey
    offset = (np.arange(len(sky)) + 0.5) * apart
    middle = (FIRST_PEAK + LAST_PEAK) / 2
    row = np.searchsorted(sky.time - middle + offset[sky.owner], time - middle + offset)
    found = row < sky.offsets[1:]
    return np.where(found, sky.time[np.minimum(row, len(sky.time) - 1)] - time, np.inf)


def _distances(rng: np.random.Generator, near: Array, far: Array) -> Array:
    """Draw distances between limits with a density of ``d^2 exp(-d / DISC)``, pc."""
    x = np.concatenate([[0.0], np.geomspace(1e-4, 40, 4000)])
    # its integral near zero loses all digits as 1 - exp(-x) (1 + x + x^2 / 2)
    integral = np.where(x < 0.02, x**3 / 6 * (1 - 0.75 * x), 1 - np.exp(-x) * (1 + x + x**2 / 2))
    low, high = (np.interp(limit / DISC, x, integral) for limit in (near, far))
    return np.asarray(np.interp(low + rng.uniform(size=len(near)) * (high - low), integral, x) * DISC)
