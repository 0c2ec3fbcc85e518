"""Stacks of spectra on one grid of phase and wavelength, looked up at once for many objects, and kept on disk.

Wavelengths are cells of equal width in their logarithm, as wide as the wavelengths by which a passband is taken lie
apart, so that lines between those are not missed. What the files lack is added with care: light after the last phase
fades as it did before and ends as cobalt-56 does, and no continuum is bluer or falls redwards faster than a hot black
body's, or is redder than a cool one's.
"""

from __future__ import annotations

import hashlib
import os
import tempfile
import zipfile
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from telperion.simulate.source import Array
from telperion.simulate.spectra import Series

VERSION = 1
"""Of what this module makes of the same files; part of the name under which it is kept."""

SHORTEST, STEP, CELLS = np.log(0.1), 0.0125, 200
"""Natural logarithm of the first wavelength in micrometre, its step, and the number of wavelengths."""

WIDTH = 0.035
"""Over which light is averaged, in the logarithm of the wavelength."""

FIRST_DAY, LAST_DAY = -60, 300
"""Rest-frame days of the phases, a day apart."""

DAWN = 3.0
"""Days in which a template that starts bright has risen."""

COBALT = 0.0098
"""Mag a day by which light falls in the end."""


@dataclass(frozen=True, eq=False)
class Grid:
    """Spectra of some templates.

    Parameters
    ----------
    values : array of float32, shape ``(n, n_phases, n_wavelengths)``
    phase, wavelength : (float, float)
        First value and step: of the phases, and of the logarithm of the wavelength in micrometre.

    Examples
    --------
    >>> grid = Grid(np.arange(4, dtype=np.float32).reshape(1, 2, 2), (0.0, 1.0), (0.0, 1.0))
    >>> grid(np.zeros(2, dtype=int), np.array([0.0, 0.5]), np.exp([0.5, 1.0]))
    array([0.5, 2. ])
    """

    values: NDArray[np.float32]
    phase: tuple[float, float]
    wavelength: tuple[float, float]

    def __call__(self, which: NDArray, phase: Array, wavelength: Array) -> Array:
        """Give light by template, phase and wavelength in micrometre, which broadcast; beyond its ends it is held."""
        _, rows, columns = self.values.shape
        row = np.clip((phase - self.phase[0]) / self.phase[1], 0, rows - 1)
        column = np.clip((np.log(wavelength) - self.wavelength[0]) / self.wavelength[1], 0, columns - 1)
        i = np.minimum(row.astype(np.int64), max(rows - 2, 0))
        j = np.minimum(column.astype(np.int64), columns - 2)
        down, across = row - i, column - j
        flat = self.values.ravel()
        place = (np.asarray(which).astype(np.int64) * rows + i) * columns + j
        upper = flat[place] * (1 - across) + flat[place + 1] * across
        if rows == 1:
            return np.asarray(upper)
        place = place + columns
        lower = flat[place] * (1 - across) + flat[place + 1] * across
        return np.asarray(upper * (1 - down) + lower * down)

    @cached_property
    def highest(self) -> Grid:
        """The most light at each wavelength, of one phase."""
        return Grid(self.values.max(axis=1, keepdims=True), (0.0, 1.0), self.wavelength)


def cells(series: Series) -> Array:
    """Give spectra as f_nu averaged over the cells of wavelength, nJy, shape ``(n_phases, CELLS)``."""
    length = np.log(series.wavelength / 1e4)
    light = series.flux * series.wavelength**2 / 2.99792458e18 * 1e32
    centre = SHORTEST + STEP * np.arange(CELLS)
    low, high = centre[0] - WIDTH, centre[-1] + WIDTH
    blue, red = np.arange(low, length[0], STEP), np.arange(length[-1] + STEP, high + STEP, STEP)
    x = np.concatenate([blue, length, red])
    # beyond the ends: lines swallow the ultraviolet, and the infrared falls as a hot black body's
    before = light[:, :1] * np.exp(4 * (blue - length[0]))
    after = light[:, -1:] * np.exp(-2 * (red - length[-1]))
    y = np.concatenate([before, light, after], axis=1)
    total = np.concatenate(
        [np.zeros((len(y), 1)), np.cumsum((y[:, 1:] + y[:, :-1]) / 2 * np.diff(x), axis=1)], axis=1
    )  # fmt: skip
    edges = [np.stack([np.interp(centre + side, x, row) for row in total]) for side in (WIDTH / 2, -WIDTH / 2)]
    return np.asarray((edges[0] - edges[1]) / WIDTH)


def natural(light: Array) -> Array:
    """Hold the continuum of spectra, ``(n_phases, CELLS)``, to what a hot or a cool black body could be.

    Below 0.4 micrometre no bluer than the square of the frequency; beyond 0.87 neither falling off faster than it nor
    rising faster than the square of the wavelength, as at 3,500 K. For lines a fifth is left, and in the red a factor
    of two.
    """
    centre = SHORTEST + STEP * np.arange(CELLS)
    light = np.maximum(light, 0)
    blue, red = np.log(0.40), np.log(0.82)
    level, last = (light[:, np.abs(centre - place) < 0.06].mean(axis=1, keepdims=True) for place in (blue, red))
    light = np.where(centre < blue, np.minimum(light, 1.25 * level * np.exp(-2 * (centre - blue))), light)
    hot, cool = (last * np.exp(power * (centre - red)) for power in (-2, 2))
    return np.where(centre > red + 0.06, np.clip(light, 0.8 * hot, 2 * cool), light)


def daily(phase: Array, light: Array) -> Array:
    """Give light on the days of the grid, shape ``(n_days, CELLS)``, from that at some phases.

    Before the first phase it rises as the square of the time from `DAWN` days earlier. After the last it fades on, its
    colours held, as its optical light did in the last 20 days (by 0.005 to 0.06 mag a day), and in 30 days as `COBALT`.
    """
    day = np.arange(FIRST_DAY, LAST_DAY + 1, dtype=float)
    inside = np.stack([np.interp(day, phase, column) for column in light.T], axis=1)
    risen = np.clip(1 - (phase[0] - day) / DAWN, 0, 1) ** 2
    centre = np.exp(SHORTEST + STEP * np.arange(CELLS))
    optical = light[:, (centre > 0.4) & (centre < 0.9)].sum(axis=1)
    floor = 1e-6 * optical.max() + 1e-30
    ends = [max(float(np.interp(when, phase, optical)), floor) for when in (phase[-1] - 20, phase[-1])]
    slope = float(np.clip(2.5 * np.log10(ends[0] / ends[1]) / 20, 0.005, 0.06))
    late = np.maximum(day - phase[-1], 0)[:, None]
    fainter = COBALT * late + (slope - COBALT) * 30 * -np.expm1(-late / 30)
    return np.asarray(inside * risen[:, None] * 10 ** (-0.4 * fainter))


def stack(series: Iterable[Series]) -> Grid:
    """Give the grid of spectra whose fluxes are those at 10 pc; its values are nJy there."""
    values = [daily(one.phase, natural(cells(one))).astype(np.float32) for one in series]
    return Grid(np.stack(values), (float(FIRST_DAY), 1.0), (SHORTEST, STEP))


def digest(files: Sequence[str | Path], recipe: str) -> str:
    """Give the name of what a recipe makes of files: changes with any byte of them and with `VERSION`."""
    found = hashlib.blake2b(f"{VERSION} {recipe}".encode(), digest_size=16)
    for path in files:
        found.update(hashlib.blake2b(Path(path).read_bytes()).digest())
    return found.hexdigest()


def folder() -> Path:
    """Give the folder in which grids are kept, ``telperion/templates`` in the user's cache."""
    return Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache").expanduser() / "telperion" / "templates"


@cache
def kept(name: str, files: tuple[str, ...], make: Callable[[tuple[str, ...]], Grid]) -> Grid:
    """Give the grid that a function makes of files, from the disk if it is kept there under this name.

    Raises
    ------
    ValueError
        The files are no longer those that the name was worked out for.
    """
    path = folder() / f"{name}.npz"
    if (found := _read(path)) is not None:
        return found
    if digest(files, make.__name__) != name:
        raise ValueError(f"{files[0]}, or one of {len(files) - 1} files beside it, has changed since it was found")
    grid = make(files)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=path.parent, suffix=".part", delete=False) as part:
            np.savez(part, values=grid.values, axes=np.array([grid.phase, grid.wavelength]))
        os.replace(part.name, path)
    except OSError:  # without a place to keep it, it is worked out each time
        return grid
    return grid


def _read(path: Path) -> Grid | None:
    """Read a grid, unless it is not there or damaged."""
    if not path.is_file():
        return None
    try:
        with np.load(path, allow_pickle=False) as stored:
            values, axes = stored["values"], stored["axes"]
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile):
        return None
    if values.ndim != 3 or values.dtype != np.float32 or axes.shape != (2, 2) or not np.isfinite(axes).all():
        return None
    return Grid(values, (float(axes[0, 0]), float(axes[0, 1])), (float(axes[1, 0]), float(axes[1, 1])))
