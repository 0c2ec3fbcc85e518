"""The distance of a network's state from the classes that it knows, each with a mean and a spread of its own.

At each phase, states are whitened by the scatter of objects about the means of their classes and turned into the
directions along which classes and objects differ most. The distance from a class is that of Mahalanobis (1936) in its
own covariance there, shrunk as Ledoit & Wolf (2004, J. Multivar. Anal. 88, 365) say; what counts is the nearest class.
With one covariance for all classes that is the score of Lee et al. (2018, NeurIPS 31, arXiv:1807.03888).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

FEWEST = 30
"""A class of fewer states than this at some phase has no spread of its own there: it takes that of all."""

_ROWS = 20_000  # scored at once


@dataclass(frozen=True, eq=False)
class Distance:
    """How far states are from the nearest class.

    Parameters
    ----------
    edges : array, shape ``(n_phases,)``, d
        Where each phase begins, in days after the first detection; the first is 0.
    turn : array of float32, shape ``(n_phases, n_hidden, n_kept)``
        What states are multiplied by.
    mean : array of float32, shape ``(n_phases, n_classes, n_kept)``
        Of each class, turned.
    root : array of float32, shape ``(n_phases, n_classes, n_kept, n_kept)``
        ``R`` with ``R R'`` the inverse of a class's covariance, turned.

    Raises
    ------
    ValueError
        A shape is wrong, a number is not finite, or edges do not rise from 0.
    """

    edges: NDArray[np.float64]
    turn: NDArray[np.float32]
    mean: NDArray[np.float32]
    root: NDArray[np.float32]

    def __post_init__(self) -> None:
        if self.edges.ndim != 1 or not self.edges.size or self.edges[0] != 0 or not (np.diff(self.edges) > 0).all():
            raise ValueError("phases must begin at one or more days that rise from 0")
        if self.turn.ndim != 3 or self.mean.ndim != 3:
            raise ValueError(f"turn and mean have shapes {self.turn.shape} and {self.mean.shape}, expected three axes")
        n_phases, n_classes, n_kept = self.edges.size, self.mean.shape[1], self.turn.shape[2]
        expected = {
            "turn": (n_phases, self.turn.shape[1], n_kept),
            "mean": (n_phases, n_classes, n_kept),
            "root": (n_phases, n_classes, n_kept, n_kept),
        }
        for name, shape in expected.items():
            values = getattr(self, name)
            if values.shape != shape:
                raise ValueError(f"{name} has shape {values.shape}, expected {shape}")
            if not np.isfinite(values).all():
                raise ValueError(f"{name} is not finite in {(~np.isfinite(values)).sum()} places")

    def check(self, hidden: ArrayLike) -> NDArray[np.float32]:
        """Give states as float32, shape ``(n, n_hidden)``; ValueError if they are of another network."""
        state = np.asarray(hidden, dtype=np.float32)
        if state.ndim != 2 or state.shape[1] != self.turn.shape[1]:
            raise ValueError(f"states have shape {state.shape}, those known are of {self.turn.shape[1]} numbers")
        return state

    def turned(self, state: NDArray[np.float32], day: float) -> NDArray[np.float32]:
        """Give states along the directions of one day's phase, shape ``(n, n_kept)``, white within classes."""
        return np.asarray(state @ self.turn[_phase(np.float64(day), self.edges)])

    def from_classes(self, hidden: ArrayLike, day: float) -> NDArray[np.float64]:
        """Give the squared distance of one state from each class over the number of directions.

        Parameters
        ----------
        hidden : array, shape ``(n_hidden,)``
        day : float, d

        Returns
        -------
        array, shape ``(n_classes,)``
            Classes in the order of their sorted names.
        """
        turned = self.turned(self.check(np.asarray(hidden)[None]), day)
        phase = _phase(np.float64(day), self.edges)
        away = np.einsum("ck,ckj->cj", turned - self.mean[phase], self.root[phase])
        return np.asarray(np.square(away).mean(axis=1), dtype=np.float64)

    @classmethod
    def fit(
        cls, hidden: ArrayLike, labels: ArrayLike, days: ArrayLike, *, edges: ArrayLike, kept: int = 48
    ) -> Distance:
        """Learn what states of known objects are like.

        Parameters
        ----------
        hidden : array, shape ``(n, n_hidden)``
            States of objects that taught the network nothing; an object perhaps at several moments.
        labels : array, shape ``(n,)``
            Any names or numbers of classes; all counts alike, however many states each has, but for the whitening.
        days : array, shape ``(n,)``, d
            After the first detection, up to which each is known.
        edges : array, shape ``(n_phases,)``, d
        kept : int
            Directions that are kept, or all if there are fewer.

        Raises
        ------
        ValueError
            Shapes disagree, a number is not finite, or a class has fewer than two states at some phase.
        """
        state, begins = np.asarray(hidden, dtype=np.float64), np.asarray(edges, dtype=np.float64)
        classes, place = np.unique(np.asarray(labels), return_inverse=True)
        day = np.asarray(days, dtype=np.float64)
        if state.ndim != 2 or not state.shape[0] == place.size == day.size:
            raise ValueError(f"states, labels and days have shapes {state.shape}, {place.shape}, {day.shape}")
        if (wrong := np.flatnonzero(~(np.isfinite(state).all(axis=1) & (day >= 0)))).size:
            raise ValueError(f"states or days of {wrong.size} rows are not finite or below zero, first at {wrong[0]}")
        phase, parts = _phase(day, begins), []
        for number in range(begins.size):
            mine = phase == number
            few = np.bincount(place[mine], minlength=classes.size) < 2
            if few.any():
                raise ValueError(f"{classes[few][0]} has fewer than two states from {begins[number]:g} days on")
            parts.append(_fit(state[mine], place[mine], classes.size, kept))
        turn, mean, root = (np.stack(part).astype(np.float32) for part in zip(*parts, strict=True))
        return cls(begins, turn, mean, root)

    def __call__(self, hidden: ArrayLike, days: ArrayLike) -> NDArray[np.float64]:
        """Give the squared distance from the nearest class over the number of directions, shape ``(n,)``.

        Parameters
        ----------
        hidden : array, shape ``(n, n_hidden)``
        days : array, shape ``(n,)``, d
            NaN where no row is known: so is the distance.
        """
        state, day = self.check(hidden), np.asarray(days, dtype=np.float64)
        if day.shape != (len(state),):
            raise ValueError(f"days have shape {day.shape}, expected ({len(state)},), one an object")
        result = np.full(day.size, np.nan)
        phase = _phase(day, self.edges)
        for number in range(self.edges.size):
            rows = np.flatnonzero(np.isfinite(day) & (phase == number))
            for start in range(0, rows.size, _ROWS):
                some = rows[start : start + _ROWS]
                turned = state[some] @ self.turn[number]
                nearest = np.full(some.size, np.inf)
                for mean, root in zip(self.mean[number], self.root[number], strict=True):
                    np.minimum(nearest, np.square((turned - mean) @ root).sum(axis=1), out=nearest)
                result[some] = nearest / turned.shape[1]
        return result


def _phase(days: NDArray[np.float64] | np.float64, edges: NDArray[np.float64]) -> NDArray[np.int64]:
    return np.asarray(np.searchsorted(edges, days, side="right") - 1)


def _fit(
    state: NDArray[np.float64], place: NDArray[np.int64], n_classes: int, kept: int
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Fit one phase: what turns, means, roots."""
    count = np.bincount(place, minlength=n_classes)
    mean = np.stack([state[place == number].mean(axis=0) for number in range(n_classes)])
    white = _root(shrunk_covariance(state - mean[place]))
    turned = state @ white
    _, directions = np.linalg.eigh(np.cov(turned.T))
    turn = white @ directions[:, ::-1][:, :kept]
    mean, turned = mean @ turn, state @ turn
    roots = np.repeat(np.eye(turn.shape[1])[None], n_classes, axis=0)  # of all together, as they are white
    for number in np.flatnonzero(count >= FEWEST):
        roots[number] = _root(shrunk_covariance(turned[place == number] - mean[number]))
    return turn, mean, roots


def shrunk_covariance(centred: ArrayLike) -> NDArray[np.float64]:
    """Give the covariance of rows about zero, shrunk towards a multiple of the unit matrix.

    Parameters
    ----------
    centred : array, shape ``(n, n_features)``

    Returns
    -------
    array, shape ``(n_features, n_features)``
        By the share that Ledoit & Wolf (2004) found to have the least expected error.

    Examples
    --------
    >>> shrunk_covariance([[1.0, 0.0], [-1.0, 0.0], [0.0, 1.0], [0.0, -1.0]])
    array([[0.5, 0. ],
           [0. , 0.5]])
    """
    values = np.asarray(centred, dtype=np.float64)
    n, width = values.shape
    raw = values.T @ values / n
    level = np.trace(raw) / width
    away = np.square(raw).sum() - width * level**2
    noise = (np.square(np.square(values).sum(axis=1)).sum() / n - np.square(raw).sum()) / n
    share = min(max(noise / away, 0.0), 1.0) if away > 0 else 0.0
    shrunk = (1 - share) * raw
    shrunk.flat[:: width + 1] += share * level
    return shrunk


def _root(covariance: NDArray[np.float64]) -> NDArray[np.float64]:
    """Give ``R`` with ``R R'`` the inverse, for anything that is not negative; a flat direction counts as narrow."""
    size = np.trace(covariance) / len(covariance)
    ridge = 1e-6 * (size if size > 0 else 1.0)
    return np.linalg.inv(np.linalg.cholesky(covariance + ridge * np.eye(len(covariance)))).T
