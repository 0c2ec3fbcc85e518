"""What an object looks like: the nearest classes, and the nearest known objects with their light curves.

Both are found in the latent space that scores strangeness (`telperion.aliens`): classes by mean and spread, objects
among those that the classifier keeps.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from telperion.classifier import Classifier
from telperion.encode.view import held_context, view
from telperion.lightcurves import LightCurves
from telperion.portal.instant import without_dust
from telperion.portal.shown import Shown


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


@dataclass(frozen=True, eq=False)
class Similar:
    """A known object that an object looks like.

    Parameters
    ----------
    curve : LightCurves
        Its light curve, days since the first detection for times, with its label.
    redshift : float
        NaN where there is none.
    distance : float
        Root mean square over the directions compared, in units of the scatter that all classes share.
    """

    curve: LightCurves
    redshift: float
    distance: float

    @property
    def name(self) -> str:
        """Its class."""
        return str(self.curve.label[0])


@dataclass(frozen=True)
class Neighbourhood:
    """Where an object stands among known ones.

    Parameters
    ----------
    classes : tuple of Neighbour
        Nearest first.
    objects : tuple of Similar
        Nearest first; none where the classifier keeps no objects.
    strangeness : float
        Share of known objects of that phase that look less strange.
    day : float, d
        After its first detection, up to which it is known.
    """

    classes: tuple[Neighbour, ...]
    objects: tuple[Similar, ...]
    strangeness: float
    day: float


def looks(classifier: Classifier, shown: Shown) -> Neighbourhood | None:
    """Say what an object looks like to the classifier that answered it; None where another version did."""
    return neighbourhood(classifier, shown.curves) if classifier.fingerprint == shown.version else None


def neighbourhood(
    classifier: Classifier, curves: LightCurves, *, most: int = 5, shown: int = 8
) -> Neighbourhood | None:
    """Find the classes and known objects that an object looks most like; None where there is nothing to compare with.

    Parameters
    ----------
    classifier : Classifier
    curves : LightCurves
        Of one object.
    most, shown : int
        Classes and objects to name.
    """
    plain = without_dust(curves)
    known = view(plain, np.inf, classifier.view)
    aliens = classifier.aliens
    if aliens is None or not classifier.steppable or not known.n_rows:
        return None
    state = classifier.advance(classifier.start(1), known)
    hidden, day = np.asarray(state.hidden[0, -1], dtype=np.float32), float(state.days[0])
    far = np.sqrt(aliens.distance.from_classes(hidden, day))
    names = np.sort(np.array(classifier.tree.nodes)[classifier.tree.leaves])
    if far.size != names.size:
        return None
    objects: tuple[Similar, ...] = ()
    if aliens.known is not None:
        nearest = aliens.known.nearest(aliens.distance, hidden, day, str(held_context(known)[0]), shown)
        redshift = aliens.known.curves.context["redshift"]
        objects = tuple(
            Similar(aliens.known.curves[int(k)], float(redshift[k]), float(distance))
            for k, distance in zip(*nearest, strict=True)
        )
    classes = tuple(Neighbour(str(names[k]), float(far[k])) for k in np.argsort(far)[:most])
    return Neighbourhood(classes, objects, float(classifier.strangeness(plain)[0]), day)
