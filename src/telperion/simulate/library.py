"""Templates of the literature in place of formulae: which sources a folder's files make, and which classes they cover.

A folder may hold any of the files anywhere below it, as the data folder of sncosmo does; a class whose files are not
there keeps its formula.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

from telperion.simulate.grid import Grid, digest, kept
from telperion.simulate.kinds import KINDS, Kinds
from telperion.simulate.lclib import read_cycles, read_events
from telperion.simulate.literature import Files
from telperion.simulate.source import Source
from telperion.simulate.sources import (
    collapsed,
    flare_events,
    folded,
    kilonova_grid,
    outburst_tables,
    peculiar_ia,
    salt,
)
from telperion.simulate.spectra import read_kilonovae

SALT = ("salt3_template_0.dat", "salt3_template_1.dat", "salt3_color_correction.dat")
HSIAO, NUGENT, KASEN = "Hsiao_SED_V3.fits", "Nugent_91bg_SED.fits", "kasen2017.npz"
FLARES, OUTBURST = "mdwarf_flare_sample.TEXT", "_luminosity.csv"

FORMULA = {"SNIb/c": 0.5, "EB": 0.9}
"""Share that the formula keeps of a class for which there are templates."""

STAND_IN = {"II": ("SNIIP-formula", "SNIIL-formula"), "IIb": ("SNIIb-formula",), "IIn": ("SNIIn-formula",)}
"""Formulae of the groups of type II, for those without templates."""


def library(folder: str | Path, *, held_out: bool = False, formulae: Kinds = KINDS) -> Kinds:
    """Give the sources of each class: of the templates in a folder, or the formula where it has none.

    Parameters
    ----------
    folder : path
        Looked through with all that is below it.
    held_out : bool
        Take the templates that are held out, for a test set, in place of the others. About a quarter of each family is,
        by the hashes of their names; what is alone in its family is in both.
    formulae : mapping of str to mapping of Source to float, optional
        What stands for the classes, or parts of classes, without templates.

    Returns
    -------
    mapping of str to mapping of Source to float
        As `telperion.simulate.kinds.KINDS`, for the classes of `formulae`.

    Raises
    ------
    ValueError
        There is no such folder, no template in it, or a file is not as it should be.
    """
    folder = Path(folder).expanduser()
    if not folder.is_dir():
        raise ValueError(f"there is no folder {folder}")
    index = _index(folder)
    alone = [*_spectral(index, held_out), *_stars(index, held_out)]
    found = [*_collapsed(index, held_out, formulae), *((source, 1.0) for source in alone)]
    if not found:
        raise ValueError(f"{folder} holds none of the template files that can be used; docs/simulation.md lists them")
    kinds: dict[str, Mapping[Source, float]] = {}
    for label, sources in formulae.items():
        made = [(source, share) for source, share in found if source.label == label]
        stays = FORMULA.get(label, 0.0) if made else 1.0
        kinds[label] = _shared(made, 1 - stays) | _shared(sources.items(), stays)
    return kinds


def _shared(sources: Iterable[tuple[Source, float]], share: float) -> dict[Source, float]:
    """Share out a share by weight."""
    sources = list(sources)
    whole = sum(weight for _, weight in sources)
    return {source: share * weight / whole for source, weight in sources if share}


def _index(folder: Path) -> dict[str, str]:
    """Find files, by ``name`` and by ``folder/name``; of several the first in alphabetical order."""
    index: dict[str, str] = {}
    for place, folders, names in os.walk(folder):
        folders.sort()
        for name in sorted(names):
            path = os.path.join(place, name)
            index.setdefault(name, path)
            index.setdefault(f"{os.path.basename(place)}/{name}", path)
    return index


def _files(paths: Iterable[str], recipe: str, names: Iterable[str], held_out: bool) -> Files:
    paths = tuple(paths)
    return Files(paths, digest(paths, recipe), tuple(names), held_out)


def _gridded(
    paths: Iterable[str], made: Callable[[tuple[str, ...]], Grid], names: Iterable[str], held_out: bool
) -> Files:
    """Give files whose grid is made, if it is not kept: what is wrong with them is found out now, and only once."""
    files = _files(paths, made.__name__, names, held_out)
    kept(files.digest, files.paths, made)
    return files


def _spectral(index: Mapping[str, str], held_out: bool) -> list[Source]:
    """Give the sources that have their class for themselves."""
    found: list[Source] = []
    if SALT[0] in index:
        beside = [str(Path(index[SALT[0]]).with_name(name)) for name in SALT]
        found.append(salt.SaltIa(_gridded(beside, salt.surfaces, ("SALT3-F22",), held_out)))
    if NUGENT in index:
        found.append(
            peculiar_ia.NugentSubluminousIa(_gridded([index[NUGENT]], peculiar_ia.subluminous, ("SN1991bg",), held_out))
        )
    if HSIAO in index:
        found.append(peculiar_ia.HsiaoIax(_gridded([index[HSIAO]], peculiar_ia.lines, ("Hsiao V3",), held_out)))
    if KASEN in index:
        grid = read_kilonovae(index[KASEN])
        files = _gridded([index[KASEN]], kilonova_grid.models, grid.name, held_out)
        found.append(kilonova_grid.KasenKilonova.of(files, grid))
    return found


def _stars(index: Mapping[str, str], held_out: bool) -> list[Source]:
    """Give the sources of stars."""
    found: list[Source] = []
    for name, kind in folded.KINDS.items():
        if kind.file in index:
            names, _, _ = read_cycles(index[kind.file], kind.bands)
            found.append(folded.FoldedStars(_files([index[kind.file]], name, names, held_out), name))
    if FLARES in index:
        names = [event.number for event in read_events(index[FLARES], "ugrizY")]
        found.append(flare_events.FlareEvents(_files([index[FLARES]], "flares", names, held_out)))
    tables = [path for name, path in index.items() if name.endswith(OUTBURST) and "/" not in name]
    if shaped := [path for path in tables if outburst_tables.rises(path)]:
        names = [Path(path).name.removesuffix(OUTBURST) for path in shaped]
        found.append(outburst_tables.TabledDwarfNova(_files(shaped, "outbursts", names, held_out)))
    return found


def _collapsed(index: Mapping[str, str], held_out: bool, formulae: Kinds) -> list[tuple[Source, float]]:
    """Give the sources of core-collapse supernovae and their rates, with the formulae of type II that stand in."""
    found: list[tuple[Source, float, str]] = []
    for name, family in collapsed.FAMILIES.items():
        if there := [member for member in family.members if member in index]:
            names = [member.rpartition("/")[2].removesuffix(".SED") for member in there]
            files = _gridded((index[member] for member in there), collapsed.gridded, names, held_out)
            found.append((collapsed.CollapsedStars(files, name), family.weight * len(there), family.group))
    rates = {family.group: family.rate for family in collapsed.FAMILIES.values()}
    whole = {group: sum(weight for _, weight, other in found if other == group) for group in rates}
    result = [(source, rates[group] * weight / whole[group]) for source, weight, group in found]
    if any(source.label == "SNII" for source, _, _ in found):
        known = {source.name: (source, share) for source, share in formulae["SNII"].items()}
        for group, standing in STAND_IN.items():
            if not whole[group]:
                result += _shared((known[name] for name in standing), rates[group]).items()
    return result
