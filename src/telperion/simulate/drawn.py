"""Light curves drawn from textbook formulae of fourteen classes, for demonstrations and tests.

Labelled *drawn* wherever they are shown: a formula a class, a cadence with the right gaps, noise with the right depth.
They are no simulation of the survey and nothing is to be trained on them or measured with them.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from telperion.lightcurves import LightCurves
from telperion.simulate.formulae import FORMULAE, Light, Source, nanojansky
from telperion.taxonomy import Taxonomy

Array = NDArray[np.float64]

VISITS = np.array([13, 19, 62, 62, 50, 54]) / 260
"""Share of the visits in each band, main survey (Rubin baseline v3.0)."""

DEPTH = np.array([[23.66, 24.53, 24.09, 23.53, 22.91, 22.08], [0.33, 0.36, 0.46, 0.40, 0.32, 0.32]])
"""Five-sigma point-source depth in each band, AB mag: median and spread over visits."""

FIRST_NIGHT = 60275.0
"""MJD."""

SEASONS = 3

PAIR = 0.023
"""Days between the two visits of a night."""


def _visits(rng: np.random.Generator) -> tuple[Array, NDArray[np.int64]]:
    """Draw when one place on the sky is visited: seasons of seven months, gaps of days, pairs of different bands."""
    nights = []
    for season in range(SEASONS):
        gaps = np.maximum(np.round(rng.lognormal(np.log(3), 1, size=200)), 1)
        since = rng.uniform(0, 20) + np.cumsum(gaps)
        nights.append(FIRST_NIGHT + 365.25 * season + since[since < 210])
    night = np.floor(np.concatenate(nights))
    time = (night + rng.uniform(0, 0.3, night.size))[:, None] + [0, PAIR]
    first = rng.choice(6, p=VISITS, size=night.size)
    second = rng.choice(6, p=VISITS, size=night.size)
    second = np.where(first == second, (first + 1) % 6, second)
    return time.ravel(), np.stack([first, second], axis=1).ravel()


def _observe(rng: np.random.Generator, light: Light, band: NDArray[np.int64]) -> tuple[Array, Array, NDArray[np.bool_]]:
    """Add noise, and decide what is detected: half of the visits at a signal-to-noise of 5.9, of either sign."""
    limit = nanojansky(rng.normal(DEPTH[0][band], DEPTH[1][band]))
    total = np.maximum(light.difference + light.steady, 0)
    gamma = np.where(band == 0, 0.038, 0.039)
    error = np.sqrt(gamma * limit**2 + (0.04 - gamma) * total * limit + (0.005 * total) ** 2)
    flux = light.difference + rng.normal(size=band.size) * error
    signal = np.abs(flux) / error
    detected = (signal > 3) & (rng.uniform(size=band.size) < 1 / (1 + np.exp(np.clip((5.9 - signal) / 0.8, -50, 50))))
    return flux, error, detected


def _context(rng: np.random.Generator, redshift: float) -> dict[str, float]:
    """Draw what a catalogue would know of the object; the host's fields are missing in the Galaxy."""
    galactic = bool(np.isnan(redshift))
    blunder = rng.uniform() < 0.12
    width = rng.uniform(0.3, 0.9) if blunder else rng.uniform(0.008, 0.03) * (1 + (0 if galactic else redshift))
    return {
        "ra": rng.uniform(0, 360),
        "decl": float(np.degrees(np.arcsin(rng.uniform(-0.9, 0.03)))),
        "ddf": 0.0,
        "mwebv": min(rng.lognormal(np.log(0.12 if galactic else 0.04), 0.8), 2.0),
        "redshift": redshift,
        "redshift_err": np.nan,
        "hostgal_specz": redshift,
        "hostgal_photoz": abs(redshift + width * rng.normal()),
        "hostgal_photoz_err": np.nan if galactic else width,
    }


def _draw_one(rng: np.random.Generator, source: Source) -> tuple[dict[str, np.ndarray], dict[str, float]]:
    """Draw objects of one class until one is detected twice: what is never detected raises no alert."""
    while True:
        time, band = _visits(rng)
        light = source(rng, time, band)
        flux, error, detected = _observe(rng, light, band)
        if detected.sum() >= 2:
            rows = {"time": time, "band": band, "flux": flux, "flux_err": error, "detected": detected}
            return rows, _context(rng, light.redshift)


def draw(n_per_class: int = 10, *, seed: int = 0, tree: str = "plasticc") -> LightCurves:
    """Draw light curves from the formulae of the classes of a tree, as the main survey would see them.

    Parameters
    ----------
    n_per_class : int
        Objects of each class.
    seed : int
        The same seed gives the same light curves.
    tree : str
        Name or file of a tree; those of its leaves are drawn that have a formula here (`FORMULAE`).

    Returns
    -------
    LightCurves
        Class by class in the order of the tree's leaves; three seasons without Milky Way dust, at least two detections
        each; labelled with the leaf; context as PLAsTiCC gives it, so the true redshift of everything extragalactic.

    Raises
    ------
    ValueError
        `n_per_class` is below one, or no leaf of the tree has a formula.

    Examples
    --------
    >>> curves = draw(2, seed=1)
    >>> len(curves), curves.label[:4].tolist(), curves.object_id[0].item()
    (28, ['AGN', 'AGN', 'SNIa', 'SNIa'], 'drawn-00')
    """
    if n_per_class < 1:
        raise ValueError(f"n_per_class is {n_per_class}, expected 1 or more")
    taxonomy = Taxonomy.load(tree)
    classes = [taxonomy.nodes[leaf] for leaf in taxonomy.leaves if taxonomy.nodes[leaf] in FORMULAE]
    if not classes:
        raise ValueError(f"no leaf of tree {taxonomy.name!r} has a formula; those that have: {', '.join(FORMULAE)}")
    label = np.repeat(classes, n_per_class)
    streams = np.random.default_rng(seed).spawn(label.size)
    objects = [_draw_one(rng, FORMULAE[str(name)]) for rng, name in zip(streams, label, strict=True)]
    rows = {name: np.concatenate([row[name] for row, _ in objects]) for name in objects[0][0]}
    return LightCurves.from_codes(
        np.repeat(np.arange(label.size), [row["time"].size for row, _ in objects]),
        **rows,
        objects=[f"drawn-{number:0{len(str(label.size))}d}" for number in range(label.size)],
        context={name: np.array([context[name] for _, context in objects]) for name in objects[0][1]},
        label=label,
        dereddened=True,
    )
