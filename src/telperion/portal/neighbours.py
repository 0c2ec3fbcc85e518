"""The classes whose training objects an object looks like, in the latent space that scores strangeness.

A classifier keeps, for each class and phase, the mean and the spread of the states of known objects
(`telperion.aliens.distance`), and no single object: so the nearest classes can be named, the nearest objects cannot.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from telperion.classifier import Classifier
from telperion.encode.view import view
from telperion.lightcurves import LightCurves
from telperion.portal.instant import without_dust


@dataclass(frozen=True)
class Neighbour:
    """A class, and how far its known objects are.

    Parameters
    ----------
    name : str
    distance : float
        In standard deviations of that class, root mean square over the directions that are kept: about 1 for its own.
    """

    name: str
    distance: float


@dataclass(frozen=True)
class Neighbourhood:
    """Where an object stands among known ones.

    Parameters
    ----------
    classes : tuple of Neighbour
        Nearest first.
    strangeness : float
        Share of known objects of that phase that look less strange.
    """

    classes: tuple[Neighbour, ...]
    strangeness: float


def neighbourhood(classifier: Classifier, curves: LightCurves, most: int = 5) -> Neighbourhood | None:
    """Find the classes that an object looks most like; None where the classifier keeps nothing to compare with.

    Parameters
    ----------
    classifier : Classifier
    curves : LightCurves
        Of one object.
    most : int
        Classes to name.
    """
    plain = without_dust(curves)
    known = view(plain, np.inf, classifier.view)
    if classifier.aliens is None or not classifier.steppable or not known.n_rows:
        return None
    state = classifier.advance(classifier.start(1), known)
    far = _distances(classifier, np.asarray(state.hidden[:, -1], dtype=np.float32), float(state.days[0]))
    names = np.sort(np.array(classifier.tree.nodes)[classifier.tree.leaves])
    if far.size != names.size:
        return None
    order = np.argsort(far)[:most]
    strange = float(classifier.strangeness(plain)[0])
    return Neighbourhood(tuple(Neighbour(str(names[k]), float(far[k])) for k in order), strange)


def _distances(classifier: Classifier, hidden: NDArray[np.float32], day: float) -> NDArray[np.float64]:
    """Give the distance from each class, shape ``(n_classes,)``, in the order of `Distance.fit`: of sorted names."""
    assert classifier.aliens is not None
    distance = classifier.aliens.distance
    phase = int(np.searchsorted(distance.edges, day, side="right")) - 1
    turned = hidden @ distance.turn[phase]
    away = np.einsum("ck,ckj->cj", turned - distance.mean[phase], distance.root[phase])
    return np.asarray(np.sqrt(np.square(away).mean(axis=1)), dtype=np.float64)
