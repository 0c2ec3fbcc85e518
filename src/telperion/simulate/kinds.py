"""Which sources stand for which class, and how many light curves of each class a survey has."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from telperion.simulate.source import Source
from telperion.simulate.sources.active_nucleus import ActiveNucleus
from telperion.simulate.sources.dwarf_nova import DwarfNova
from telperion.simulate.sources.eclipsing import EclipsingBinary
from telperion.simulate.sources.flaring import FlareStar
from telperion.simulate.sources.hydrogen_rich import FRACTIONS, Interacting, Linear, Plateau, StrippedHydrogen
from telperion.simulate.sources.iax import Iax
from telperion.simulate.sources.kilonova import Kilonova
from telperion.simulate.sources.luminous_red import LuminousRed
from telperion.simulate.sources.microlensing import Microlensing
from telperion.simulate.sources.nickel import CalciumRich, PairInstability, StrippedEnvelope
from telperion.simulate.sources.normal_ia import NormalIa
from telperion.simulate.sources.pulsating import Cepheid, DeltaScuti, RrLyrae
from telperion.simulate.sources.subluminous_ia import SubluminousIa
from telperion.simulate.sources.superluminous import Superluminous
from telperion.simulate.sources.tidal import TidalDisruption

Kinds = Mapping[str, Mapping[Source, float]]

_ALONE: tuple[Source, ...] = (
    NormalIa(), StrippedEnvelope(), Iax(), SubluminousIa(), Kilonova(), DwarfNova(), Microlensing(), FlareStar(),
    Superluminous(), TidalDisruption(), LuminousRed(), CalciumRich(), PairInstability(), Cepheid(), RrLyrae(),
    DeltaScuti(), EclipsingBinary(), ActiveNucleus(),
)  # fmt: skip
_HYDROGEN_RICH: tuple[Source, ...] = (Plateau(), Linear(), StrippedHydrogen(), Interacting())

KINDS: Kinds = {source.label: {source: 1.0} for source in _ALONE} | {
    "SNII": {source: FRACTIONS[source.name] for source in _HYDROGEN_RICH}
}
"""The sources of each leaf of the tree ``elasticc``, and their shares among what explodes."""

ORACLE = {
    "M-dwarf Flare": 2_655, "KN": 6_322, "ILOT": 10_658, "Dwarf Novae": 11_464, "CaRT": 11_724, "Cepheid": 19_672,
    "RR Lyrae": 20_047, "uLens": 25_129, "Delta Scuti": 29_499, "SNIax": 40_042, "SNI91bg": 40_909,
} | dict.fromkeys(("SNIa", "SNIb/c", "SNII", "SLSN", "TDE", "PISN", "EB", "AGN"), 60_000)  # fmt: skip
"""Light curves of each class that ORACLE was trained and tested on (Shah et al. 2025, after its caps)."""

MIXES: Mapping[str, Mapping[str, int]] = {
    "oracle": ORACLE,
    "root": {label: round(count**0.5) for label, count in ORACLE.items()},
    "even": dict.fromkeys(ORACLE, 1),
}
"""Class mixes by name: ``root`` lies halfway between the other two."""


def both(one: Kinds, other: Kinds) -> Kinds:
    """Give each class the sources of two sets, half of what happens from either.

    Examples
    --------
    >>> both(KINDS, KINDS) == KINDS
    True
    """
    halves: dict[str, dict[Source, float]] = {label: {} for label in one}
    for kinds in (one, other):
        for label, sources in kinds.items():
            for source, share in sources.items():
                halves[label][source] = halves[label].get(source, 0.0) + share / sum(sources.values()) / 2
    return halves


def counts(n: int, mix: Mapping[str, float]) -> dict[str, int]:
    """Share light curves out among classes, to the nearest whole ones that add up.

    Examples
    --------
    >>> counts(10, {"KN": 1, "TDE": 2})
    {'KN': 3, 'TDE': 7}
    """
    shares = np.array(list(mix.values()), dtype=float)
    ends = np.round(np.cumsum(shares) / shares.sum() * n).astype(int)
    return dict(zip(mix, np.diff(ends, prepend=0).tolist(), strict=True))


def mix(text: str) -> dict[str, float]:
    """Read a class mix: one of `MIXES` by name, or classes and their shares.

    Raises
    ------
    ValueError
        It is neither, or a class is unknown.

    Examples
    --------
    >>> mix("KN=1,TDE=2.5")
    {'KN': 1.0, 'TDE': 2.5}
    """
    if text in MIXES:
        return dict(MIXES[text])
    found = {}
    for part in text.split(","):
        label, _, share = part.partition("=")
        if label.strip() not in KINDS:
            known = ", ".join([*MIXES, "rates", *(f"{label}=SHARE" for label in KINDS)])
            raise ValueError(f"{label.strip()!r} is no mix and no class; known: {known}")
        try:
            found[label.strip()] = float(share)
        except ValueError:
            raise ValueError(f"the share of {label.strip()} is {share!r}, expected a number") from None
    if not all(np.isfinite(share) and share >= 0 for share in found.values()) or not sum(found.values()):
        raise ValueError(f"the shares of {text!r} must be finite, not negative, and not all zero")
    return found
