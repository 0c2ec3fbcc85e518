"""Who is in a labelled set: classes, simulated sources, redshifts in wide and deep fields, distances from hosts."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from telperion.encode.oracle import STATIC, encode_static
from telperion.lightcurves import LightCurves
from telperion.simulate.save import CARD
from telperion.taxonomy import Taxonomy

MAX_CARD_BYTES = 1_000_000
_DEEP = [place for place, name in enumerate(STATIC) if name.endswith("_flag") and name != "mw_plane_flag"]


@dataclass(frozen=True, eq=False)
class Redshifts:
    """Redshifts of one class.

    Parameters
    ----------
    wide, deep : array
        Those of its objects outside and inside the deep fields.
    unknown : int
        Objects without one.
    """

    wide: NDArray[np.float64]
    deep: NDArray[np.float64]
    unknown: int

    @property
    def all(self) -> NDArray[np.float64]:
        """The redshifts of both, shape ``(n,)``."""
        return np.concatenate([self.wide, self.deep])


@dataclass(frozen=True, eq=False)
class Separations:
    """Distances of the objects of one class from their hosts.

    Parameters
    ----------
    arcsec : array
        Those that are known.
    unknown : int
        Objects without one.
    """

    arcsec: NDArray[np.float64]
    unknown: int


def class_counts(labels: NDArray[np.int64], tree: Taxonomy) -> dict[str, int]:
    """Count the objects of each leaf, and of each inner node that is itself a label, in tree order.

    Parameters
    ----------
    labels : array of int, shape ``(n_objects,)``
        Node positions, -1 where unknown.

    Examples
    --------
    >>> tree = Taxonomy("toy", {"Alert": {"SN": {"SNIa": {}, "SNII": {}}, "AGN": {}}})
    >>> class_counts(np.array([1, 1, 2, -1]), tree)
    {'SN': 2, 'AGN': 1, 'SNIa': 0, 'SNII': 0}
    """
    count = np.bincount(labels[labels >= 0], minlength=len(tree))
    leaf = np.isin(np.arange(len(tree)), tree.leaves)
    return {tree.nodes[node]: int(count[node]) for node in np.flatnonzero(leaf | (count > 0))}


def deep_fields(light_curves: LightCurves) -> NDArray[np.bool_]:
    """Say which objects lie in one of the four deep fields that ORACLE flags, shape ``(n_objects,)``."""
    return (encode_static(light_curves)[:, _DEEP] == 1).any(axis=1)


def redshifts(light_curves: LightCurves, labels: NDArray[np.int64], tree: Taxonomy) -> dict[str, Redshifts]:
    """Gather the best redshifts of each leaf that has any above zero (stars of the Milky Way have none).

    The best one is that of the context ``redshift``, where the data set has it, else the host's: spectroscopic if there
    is one, else photometric.
    """
    best, deep = _best_redshift(light_curves), deep_fields(light_curves)
    found = {}
    for leaf in tree.leaves:
        members = labels == leaf
        known = members & (best > 0)
        if known.any():
            found[tree.nodes[leaf]] = Redshifts(best[known & ~deep], best[known & deep], int((members & ~known).sum()))
    return found


def separations(light_curves: LightCurves, labels: NDArray[np.int64], tree: Taxonomy) -> Mapping[str, Separations]:
    """Gather the distances from the host (context ``hostgal_snsep``, arcsec) of each leaf that has any."""
    apart = light_curves.context.get("hostgal_snsep", np.full(len(light_curves), np.nan))
    found = {}
    for leaf in tree.leaves:
        arcsec = apart[labels == leaf]
        if np.isfinite(arcsec).any():
            found[tree.nodes[leaf]] = Separations(arcsec[np.isfinite(arcsec)], int(np.isnan(arcsec).sum()))
    return found


def sources(folder: str | Path) -> dict[str, dict[str, float]]:
    """Read which sources the classes of a simulated survey were made from, and their shares; none of other data.

    Raises
    ------
    ValueError
        The folder's ``survey.json`` is not one.
    """
    path = Path(folder) / CARD
    if not path.is_file():
        return {}
    try:
        if path.stat().st_size > MAX_CARD_BYTES:
            raise ValueError(f"more than {MAX_CARD_BYTES} bytes")
        found = json.loads(path.read_text(encoding="utf-8"))["sources"]
        return {str(label): {str(name): float(share) for name, share in of.items()} for label, of in found.items()}
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise ValueError(f"{path} is not the card of a survey: {error}") from error


def _best_redshift(light_curves: LightCurves) -> NDArray[np.float64]:
    best = np.full(len(light_curves), np.nan)
    for name in ("redshift", "hostgal_specz", "hostgal_photoz"):
        if name in light_curves.context:
            best = np.where(np.isfinite(best), best, light_curves.context[name])
    return best
