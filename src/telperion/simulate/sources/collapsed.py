"""Core-collapse supernovae by templates: spectra over time of single supernovae, redrawn so that none can be learnt.

Templates of Kessler et al. (2010), extended by Pierel et al. (2018), and of Vincenzi et al. (2019), these corrected for
the dust of their hosts; types are those that both give. Offsets and scatter of magnitudes are ELAsTiCC's where they are
known; other families peak, on average, at a mean of Richardson et al. (2014) or Li et al. (2011). Each object has a
stretch of its own, a tilt of its colours, a slow wave over its light curves and ripples along its spectra. Plateaus
that a template does not see to their end have an end drawn.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

from telperion.simulate.grid import Grid, kept, stack
from telperion.simulate.literature import Bounded, Files, magnitudes_in, peaks_in
from telperion.simulate.source import (
    TEN_PARSEC_NJY,
    Array,
    Parameters,
    Sky,
    core_collapse_rate,
    explode,
    host_dust,
    redshifts,
)
from telperion.simulate.sources.nickel import between, rippled, ripples, warped, warps
from telperion.simulate.spectra import read_text

STRETCH = 1.25
"""Largest factor, and inverse of the smallest one, by which time is stretched."""

SOUND = 80.0
"""Days after the maximum beyond which the extended templates of Kessler et al. are not used."""

PLATEAU = 1.4
"""Mag by which a plateau falls at most in V in 70 days."""


STRIPPED = ("R", -16.4)
"""Mean of Ib and Ic in a volume (Li et al. 2011: -16.09 ± 1.24, here without 0.3 mag of dust)."""


@dataclass(frozen=True)
class Family:
    """Templates of one kind from one paper.

    Parameters
    ----------
    label : str
    group : str
        Kinds of one group share its rate.
    rate : float
        Share of all core collapses that the group has in ELAsTiCC.
    weight : float
        Of one template within the group.
    members : tuple of str
        Files, as ``folder/name``.
    scatter : float, mag
    fainter : float, mag
        Than the template, on average.
    mean : (str, float), optional
        Band, B or R, and mean magnitude there (Vega, no dust) that all templates are brought to before that.
    dust : float, mag
        Scale of A_V in the host.
    ends : bool
        Whether the templates end before plateaus do.
    """

    label: str
    group: str
    rate: float
    weight: float
    members: tuple[str, ...]
    scatter: float
    fainter: float = 0.0
    mean: tuple[str, float] | None = None
    dust: float = 0.0
    ends: bool = False


def _pierel(*numbers: str) -> tuple[str, ...]:
    return tuple(f"pierel/{number}.SED" for number in numbers)


def _vincenzi(*numbers: str) -> tuple[str, ...]:
    return tuple(f"vincenzi/V19_SN{number}_HostExtCorr.SED" for number in numbers)


_PLATEAUS = (
    "000018", "003818", "013376", "014450", "014599", "015031", "015320", "015339", "017862", "018109",
    "018297", "018408", "018441", "018457", "018590", "018596", "018700", "018713", "018734", "018793", "018834",
    "018892", "020038",
)  # fmt: skip

FAMILIES: Mapping[str, Family] = MappingProxyType({
    "SNII-K10": Family(
        "SNII", "II", 0.649, 0.162 / 20, _pierel(*(f"SDSS-{number}" for number in _PLATEAUS)), 1.05,
        fainter=1.5, ends=True,
    ),
    "SNIIP-V19": Family("SNII", "II", 0.649, 0.325 / 24, _vincenzi("2009N", "2013fs"), 0.40, fainter=-0.40, dust=0.3),
    "SNIIL-V19": Family("SNII", "II", 0.649, 0.325 / 24, _vincenzi("2009kr"), 0.65, fainter=-0.35, dust=0.3),
    "SNIIb-V19": Family("SNII", "IIb", 0.109, 1.0, _vincenzi("2006T", "2011ei"), 0.92, mean=("B", -16.99), dust=0.35),
    "SNIIn-K10": Family(
        "SNII", "IIn", 0.047, 1.0, ("snana/SDSS-012842.SED", "snana/SDSS-013449.SED"), 1.15, mean=("B", -18.53),
    ),
    "SNIIn-V19": Family(
        "SNII", "IIn", 0.047, 1.0, _vincenzi("2006aa", "2008fq", "2009ip", "2010al"), 1.15, fainter=-0.35, dust=0.3,
    ),
    "SNIb-K10": Family(
        "SNIb/c", "Ib", 0.108, 0.054 / 7, _pierel("SDSS-000020", "SDSS-002744", "SDSS-014492", "SDSS-019323"), 1.04,
        fainter=1.02,
    ),
    "SNIb-V19": Family(
        "SNIb/c", "Ib", 0.108, 0.054 / 13, _vincenzi("2004gv", "2005bf", "2007Y"), 1.24, mean=STRIPPED, dust=0.4,
    ),
    "SNIc-K10": Family(
        "SNIb/c", "Ic", 0.075, 0.0375 / 6,
        _pierel("CSP-2004gq", "SDSS-004012", "SDSS-013195", "SDSS-014475", "SDSS-015475"), 1.10,
        fainter=1.48,
    ),
    "SNIc-V19": Family(
        "SNIb/c", "Ic", 0.075, 0.0375 / 7, _vincenzi("2004fe", "2013ge"), 1.24, mean=STRIPPED, dust=0.4,
    ),
    "SNIcBL-V19": Family(
        "SNIb/c", "Ic-BL", 0.011, 1.0, _vincenzi("1998bw", "2006aj", "2009bb", "2012ap"), 1.18,
        mean=("B", -17.66), dust=0.4,
    ),
})  # fmt: skip
"""Families of templates by the names of their sources.

Types as Vincenzi et al. and the catalogue of sncosmo have them. Left out are SN 2007ms, which is typed II in one place
and Ic in another, and two templates that go astray where they are extended: SN 2007iz, which brightens by a magnitude
in i after two months, and SNLS 04D1la, which has hardly any light from 0.7 to 0.9 micrometre. ELAsTiCC's offsets for
its K10 Ib templates, -0.63 to 2.67 mag and 0.41 of scatter, are not known one by one: their middle and a scatter as
wide as all of them stand for them. The two K10 IIn, which it has not, peak at Richardson's mean.
"""

LIMITS = {"SNII": (0.011, 1.8), "SNIb/c": (0.011, 1.5)}
"""Redshifts."""


@dataclass(frozen=True)
class CollapsedStars:
    """Core-collapse supernovae of one of the `FAMILIES`, by its name."""

    files: Files
    name: str

    galactic: bool = False

    @property
    def label(self) -> str:
        """Leaf of the tree ``elasticc``."""
        return FAMILIES[self.name].label

    def draw(self, sky: Sky, rng: np.random.Generator) -> Bounded:
        """Draw one supernova at each place of a sky; phase zero is near the maximum in B."""
        n, family = len(sky), FAMILIES[self.name]
        grid = kept(self.files.digest, self.files.paths, gridded)
        which = rng.choice(self.files.chosen, n)
        fainter = family.fainter + rng.normal(0, family.scatter, n)
        if family.mean is not None:
            band, mean = family.mean
            fainter += (mean - peaks_in(grid, band))[which]
        parameters = {
            "template": which.astype(float), "scale": 10 ** (-0.4 * fainter) / TEN_PARSEC_NJY,
            "stretch": STRETCH ** rng.uniform(-1, 1, n), **warps(rng, n), **ripples(rng, n),
            "end": rng.normal(92, 10, n),
            "drop": rng.uniform(1.0, 2.2, n) * (plateaus(grid)[which] & family.ends), "width": rng.uniform(2, 5, n),
        }  # fmt: skip

        def spectrum(given: Parameters, phase: Array, wavelength: Array) -> Array:
            light = grid(given["template"], phase / given["stretch"], wavelength)
            late = between(np.zeros(1), np.ones(1), (phase - given["end"]) / given["width"])
            own = warped(given, phase + 30, wavelength) * rippled(given, wavelength)
            return light * given["scale"] * own * 10 ** (-0.4 * given["drop"] * late)

        def highest(given: Parameters, phase: Array, wavelength: Array) -> Array:
            light = grid.highest(given["template"], phase, wavelength)
            own = (wavelength / 0.62) ** given["tilt"] * rippled(given, wavelength)
            return light * given["scale"] * own * np.exp(np.abs(given["wave"]))

        dust = host_dust(rng, n, family.dust) if family.dust else 0.0
        drawn = explode(
            sky, rng, spectrum, parameters, redshift=redshifts(rng, n, core_collapse_rate, *LIMITS[family.label]),
            phases=(-60.0 * STRETCH, 300.0), probes=(), extinction=dust,
        )  # fmt: skip
        return Bounded(**vars(drawn), highest=highest)


def gridded(files: tuple[str, ...]) -> Grid:
    """Give the grid of templates whose fluxes are those at 10 pc, nJy there."""
    series = [(Path(path).parent.name, read_text(path)) for path in files]
    return stack(one.until(SOUND) if place == "pierel" else one for place, one in series)


@cache
def plateaus(grid: Grid) -> NDArray[np.bool_]:
    """Tell which templates have a plateau, shape ``(n,)``."""
    curve = magnitudes_in(grid, 0.545, 0.036)
    peak = curve.argmin(axis=1)
    row = np.arange(len(curve))
    return np.asarray(curve[row, np.minimum(peak + 70, curve.shape[1] - 1)] - curve[row, peak] < PLATEAU)
