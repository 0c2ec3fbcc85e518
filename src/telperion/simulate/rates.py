"""How many light curves of each class the survey would see: what happens in its volume, times the share that triggers.

Rates today are those of the public configuration of ELAsTiCC, in explosions per year and cubic megaparsec, where
core-collapse supernovae share one rate; how they grow with redshift is that of the sources. What is no explosion is
given as the number of objects that ELAsTiCC drew over the same sky. Of flares, which are drawn here only where they can
be seen, the share that triggered there is taken. The rate of pair instability is known to an order of magnitude.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np

from telperion.cosmology import distance_modulus
from telperion.simulate.cadence import Cadence, shipped_cadence
from telperion.simulate.kinds import KINDS, Kinds
from telperion.simulate.source import FIRST_PEAK, LAST_PEAK, Array, Source, core_collapse_rate, star_formation
from telperion.simulate.sources import normal_ia, subluminous_ia
from telperion.simulate.survey import HARDEST, attempt

SKY = 5.694
"""Solid angle of the main survey, sr."""

CORE_COLLAPSE = 7.0e-5
"""Core-collapse supernovae per year and cubic megaparsec today (Li et al. 2011, Strolger et al. 2015)."""

RATES: Mapping[str, tuple[float, Callable[[Array], Array], float]] = {
    "SNIa": (2.5e-5, normal_ia.rate, 1.65),
    "SNI91bg": (3e-6, subluminous_ia.rate, 1.2),
    "SNIax": (6e-6, star_formation, 1.2),
    "SNIb/c": (0.194 * CORE_COLLAPSE, core_collapse_rate, 1.5),
    "SNII": (0.805 * CORE_COLLAPSE, core_collapse_rate, 1.8),
    "SLSN": (2e-8, star_formation, 2.95),
    "TDE": (1e-6, lambda z: 10 ** (-5 * z / 6), 2.9),
    "ILOT": (0.06 * CORE_COLLAPSE, core_collapse_rate, 0.4),
    "CaRT": (2.3e-6, star_formation, 0.5),
    "PISN": (1e-8, star_formation, 2.2),
    "KN": (3.2e-7, np.ones_like, 0.28),
}
"""Of explosions: per year and cubic megaparsec today, the growth with redshift in any unit, the largest redshift."""

OBJECTS = {
    "AGN": 175_000, "RR Lyrae": 50_000, "EB": 220_000, "uLens": 3_800, "Cepheid": 10_000, "Delta Scuti": 10_000,
    "Dwarf Novae": 10_000, "M-dwarf Flare": 10_000_000,
}  # fmt: skip
"""Of what is no explosion: objects in the sky of the survey, flares in its three years."""

TRIGGERING = {"M-dwarf Flare": 0.0007}
"""Shares that are not measured here."""

ENOUGH = 100
"""Light curves after which a share is measured well enough, to a tenth."""


def expected(kinds: Kinds = KINDS, cadence: Cadence | None = None, *, seed: int = 0) -> dict[str, float]:
    """Give how many light curves of each class trigger in three years, to about a tenth; takes a minute.

    Parameters
    ----------
    kinds : mapping, optional
        The sources of each class, their shares among what happens.
    cadence : Cadence, optional
        By default the one that ships.
    seed : int
        Of the objects by which the shares that trigger are measured.
    """
    cadence = cadence or shipped_cadence()
    found = {}
    for label, sources in kinds.items():
        share = TRIGGERING.get(label)
        if share is None:
            parts = sources.items()
            total = sum(weight for _, weight in parts)
            share = sum(weight / total * triggering(source, cadence, seed) for source, weight in parts)
        found[label] = happening(label) * share
    return found


def happening(label: str) -> float:
    """Give how many objects of a class there are in the survey's sky, of explosions those that peak in its time.

    Examples
    --------
    >>> happening("AGN")
    175000.0
    >>> 1e7 < happening("SNIa") < 3e7
    True
    """
    if label in OBJECTS:
        return float(OBJECTS[label])
    today, growth, largest = RATES[label]
    z = np.linspace(1e-3, largest, 2000)
    comoving = 10 ** (0.2 * distance_modulus(z) - 5) / (1 + z)  # Mpc
    years = (LAST_PEAK - FIRST_PEAK) / 365.25
    density = today * growth(z) / growth(z[:1]) / (1 + z)
    return float(np.trapezoid(density, comoving**3 / 3) * SKY * years)


def triggering(source: Source, cadence: Cadence, seed: int = 0) -> float:
    """Give the share of the objects drawn that trigger."""
    rng = np.random.default_rng([seed, *source.name.encode()])
    kept, tried, number = 0, 0, 1000
    while kept < ENOUGH and tried < HARDEST:
        kept += len(attempt(source, cadence, number, rng, first=tried))
        tried, number = tried + number, 10_000
    return kept / tried
