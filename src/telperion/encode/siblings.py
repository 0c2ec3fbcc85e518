"""Which known light curves an object resembles so closely that they may be one source, simulated twice.

For the MALLORN challenge, whose objects are several simulations of each of a few sources, and where this helps a great
deal. The sky has no such siblings: a classifier that uses this is for that challenge only.

Each known object is a template: the Gaussian process through its outburst, mean and variance. An object's rows are held
against every template by their likelihood, with the best of a few shifts in time, and an amplitude and a redshift that
are nearly the template's: in that challenge siblings differ by up to a third in distance, and their flux hardly does.
"""

from __future__ import annotations

import zipfile
from collections.abc import Sequence
from dataclasses import dataclass, fields
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from telperion.encode.observations import N_BANDS, Observations
from telperion.encode.portrait import GRID, SCATTER, STEP, surface, window
from telperion.lightcurves import LightCurves

SHIFTS = (-2, -1, 0, 1, 2)
"""Steps by which a peak may be misplaced."""

START, STOP = -54.0, 147.0
"""Phases of the rows that are held against templates."""

FEWEST, MOST = 3, 40
"""Rows that this needs, and that it uses of an object (evenly thinned beyond)."""

AMPLITUDE, REDSHIFT = 0.2, 0.06
"""How siblings differ, as standard deviations: of ln(flux / distance), and of ln z."""

FARTHEST, FAINTEST = 0.5, 1.2
"""Largest differences of ln z and of ln(flux / distance) that are looked at."""

HEAT = 3.0
"""By which likelihoods are tempered where they are summed: the rows are not independent."""

NEAREST = (1, 3, 10)
DEEPEST = 3
MAX_BYTES = 64_000_000


@dataclass(frozen=True, eq=False)
class Templates:
    """Processes through known outbursts.

    Parameters
    ----------
    mean, variance : array, shape ``(n_phases * n_bands, n)``, float32
        On `GRID`, in units of the peak and of its square.
    log_redshift, brightness : array, shape ``(n,)``
        ln z, and ln of the peak flux over the luminosity distance; NaN where unknown.
    label : array of int, shape ``(n,)``
        Class of each, counted from zero.
    """

    mean: NDArray[np.float32]
    variance: NDArray[np.float32]
    log_redshift: NDArray[np.float64]
    brightness: NDArray[np.float64]
    label: NDArray[np.int64]

    def save(self, path: Path) -> None:
        """Write them as plain arrays."""
        np.savez_compressed(path, **{field.name: getattr(self, field.name) for field in fields(self)})

    @classmethod
    def load(cls, path: Path) -> Templates:
        """Read what `save` wrote.

        Raises
        ------
        ValueError
            The file is missing, too large or not ours.
        """
        if not path.is_file() or path.stat().st_size > MAX_BYTES:
            raise ValueError(f"{path} is missing or larger than {MAX_BYTES} bytes")
        try:
            with np.load(path, allow_pickle=False) as stored:
                arrays = {name: stored[name] for name in stored.files}
        except (OSError, EOFError, MemoryError, zipfile.BadZipFile, ValueError) as error:
            raise ValueError(f"{path} holds no templates: {error}") from error
        if set(arrays) != {field.name for field in fields(cls)}:
            raise ValueError(f"{path} holds no templates")
        found = cls(**arrays)
        if found.mean.shape != (len(GRID) * N_BANDS, len(found.label)):
            raise ValueError(f"{path} has templates of shape {found.mean.shape}, on another grid than this version's")
        return found


def templates(light_curves: LightCurves, label: NDArray[np.int64]) -> Templates:
    """Make a template of each object.

    Parameters
    ----------
    light_curves : LightCurves
    label : array of int, shape ``(n_objects,)``
        Class of each, counted from zero.
    """
    rows = Observations(light_curves)
    mean, deviation = (part.reshape(rows.n_objects, -1).T for part in surface(rows))
    return Templates(mean, deviation**2, np.log(rows.outburst.redshift), _brightness(rows), np.asarray(label))


def names(classes: Sequence[str]) -> tuple[str, ...]:
    """Name the features of `siblings`."""
    of_class = ("likelihood", *(f"rank_{place + 1}" for place in range(DEEPEST)))
    margins = [f"margin_{place + 1}_{name}" for name in classes for place in range(DEEPEST)]
    shares = [f"share_{name}_of_{most}" for most in NEAREST for name in classes]
    by_class = [f"{what}_{name}" for name in classes for what in of_class]
    return tuple(f"siblings.{name}" for name in [*by_class, *margins, *shares])


def siblings(
    light_curves: LightCurves, known: Templates, n_classes: int, own: NDArray[np.int64] | None = None
) -> NDArray[np.float32]:
    """Hold objects against templates.

    Parameters
    ----------
    light_curves : LightCurves
    known : Templates
    n_classes : int
    own : array of int, shape ``(n_objects,)``, optional
        The template that was made of each object itself, which does not count.

    Returns
    -------
    array, shape ``(n_objects, n_features)``, float32
        Columns as in `names`: of each class the share of the (tempered) likelihood, and by how much its nearest
        templates are less likely than the nearest of all; by how much they are nearer than those of all other classes;
        shares of the classes among the nearest. NaN without a redshift, rows or templates near.
    """
    rows = Observations(light_curves)
    result = np.full((rows.n_objects, len(names([""] * n_classes))), np.nan, dtype=np.float32)
    brightness, log_redshift = _brightness(rows), np.log(rows.outburst.redshift)
    for k in range(rows.n_objects):
        apart, fainter = log_redshift[k] - known.log_redshift, known.brightness - brightness[k]
        near = (np.abs(apart) < FARTHEST) & (np.abs(fainter) < FAINTEST)
        if own is not None:
            near[own[k]] = False
        candidates = np.flatnonzero(near)
        index = window(rows, k, START, STOP, MOST)
        if len(index) < FEWEST or not candidates.size:
            continue
        likelihood = _likelihood(rows, k, index, known, candidates, fainter[candidates])
        likelihood -= 0.5 * (apart[candidates] / REDSHIFT) ** 2
        result[k] = _features(likelihood, known.label[candidates], n_classes)
    return result


def _brightness(rows: Observations) -> NDArray[np.float64]:
    """Ln of the peak flux over the luminosity distance, in units of its own."""
    burst = rows.outburst
    return np.log(burst.level) - 0.2 * np.log(10) * burst.modulus


def _likelihood(
    rows: Observations, k: int, index: NDArray, known: Templates, candidates: NDArray, fainter: NDArray
) -> NDArray[np.float64]:
    """Log-likelihood of an object's rows under each template, at the best shift and the likeliest amplitude."""
    level = rows.outburst.level[k]
    flux = rows.flux[index] / level
    noise = ((rows.error[index] / level) ** 2 + (SCATTER * flux) ** 2)[:, None]
    flux = flux[:, None]
    place = np.round((rows.outburst.phase[index] - GRID[0]) / STEP).astype(int)
    expected = np.exp(fainter)
    prior = 1 / (expected * AMPLITUDE) ** 2
    best = np.full(len(candidates), -np.inf)
    for shift in SHIFTS:
        cell = np.ix_((place + shift) * N_BANDS + rows.band[index], candidates)
        mean, variance = known.mean[cell], known.variance[cell]
        weight = 1 / (noise + expected**2 * variance)
        total = (weight * mean**2).sum(axis=0) + prior
        amplitude = ((weight * mean * flux).sum(axis=0) + expected * prior) / total
        spread = noise + amplitude**2 * variance
        found = -0.5 * ((flux - amplitude * mean) ** 2 / spread + np.log(spread)).sum(axis=0)
        best = np.maximum(best, found - 0.5 * (amplitude - expected) ** 2 * prior)
    return best


def _features(likelihood: NDArray, label: NDArray, n_classes: int) -> list[float]:
    order = np.argsort(-likelihood)
    likelihood, label = likelihood[order] - likelihood.max(), label[order]
    tempered = np.exp(likelihood / HEAT)
    share = np.bincount(label, tempered, minlength=n_classes) / tempered.sum()
    nearest = np.full((2, n_classes, DEEPEST), np.nan)  # of the class, of all others
    for k in range(n_classes):
        for side, held in enumerate((label == k, label != k)):
            found = likelihood[held][:DEEPEST]
            nearest[side, k, : len(found)] = found
    by_class = np.column_stack([np.log(np.maximum(share, 1e-12)), nearest[0]])
    shares = [np.bincount(label[:most], minlength=n_classes) / len(label[:most]) for most in NEAREST]
    return np.concatenate([by_class.ravel(), (nearest[0] - nearest[1]).ravel(), *shares]).tolist()
