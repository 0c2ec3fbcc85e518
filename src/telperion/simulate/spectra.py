"""Spectra over time as the literature gives them: tables of text, FITS images, the surfaces of SALT, kilonova grids.

All are read strictly: what is cut short, ragged, not finite or of another shape is refused, and nothing is unpickled.
"""

from __future__ import annotations

import zipfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from telperion.simulate.source import Array

LARGEST = 2**26
"""Bytes of a file, or of the arrays in it."""

FEW = 1000
"""One value in so many may be missing; it is filled from its neighbours in wavelength."""


@dataclass(frozen=True, eq=False)
class Series:
    """Spectra of one object.

    Parameters
    ----------
    phase : array, shape ``(n_phases,)``, days
        Rising.
    wavelength : array, shape ``(n_wavelengths,)``, Angstrom
        Rising and positive.
    flux : array, shape ``(n_phases, n_wavelengths)``, erg/s/cm^2/Angstrom

    Raises
    ------
    ValueError
        The arrays do not fit together, or are not as said.
    """

    phase: Array
    wavelength: Array
    flux: Array

    def __post_init__(self) -> None:
        shape = len(self.phase), len(self.wavelength)
        if self.flux.shape != shape or min(shape) < 2:
            raise ValueError(f"spectra of shape {self.flux.shape}, for {shape[0]} phases and {shape[1]} wavelengths")
        for name, axis in (("phases", self.phase), ("wavelengths", self.wavelength)):
            if not np.isfinite(axis).all() or (np.diff(axis) <= 0).any():
                raise ValueError(f"its {name} do not rise")
        if self.wavelength[0] <= 0:
            raise ValueError(f"its first wavelength is {self.wavelength[0]:g} Angstrom")
        if not np.isfinite(self.flux).all():
            raise ValueError(f"{(~np.isfinite(self.flux)).sum()} fluxes are not finite")

    def until(self, last: float) -> Series:
        """Give the spectra up to a phase."""
        kept = self.phase <= last
        return Series(self.phase[kept], self.wavelength, self.flux[kept])


def read_text(path: str | Path) -> Series:
    """Read a table of three columns: days, Angstrom, flux; of every day the same wavelengths, ``#`` for remarks.

    Raises
    ------
    ValueError
        It is too large, no such table, or more than one value in `FEW` is missing.
    """
    check_size(path)
    try:
        table = np.loadtxt(path, comments="#", ndmin=2)
    except ValueError as error:
        raise ValueError(f"{path} is no table of numbers: {error}") from None
    if not len(table):
        raise ValueError(f"{path} has no spectra")
    if table.shape[1:] != (3,):
        raise ValueError(f"{path} has {table.shape[1]} columns, expected days, Angstrom and flux")
    days = table[:, 0]
    n_wavelengths = int(np.argmax(days != days[0])) or len(days)
    if len(table) % n_wavelengths:
        raise ValueError(
            f"{path}: {len(table)} rows are no multiple of the {n_wavelengths} wavelengths of its first day"
        )
    blocks = table.reshape(-1, n_wavelengths, 3)
    if (blocks[:, :, 0] != blocks[:, :1, 0]).any() or (blocks[:, :, 1] != blocks[:1, :, 1]).any():
        raise ValueError(f"{path}: not every day has the same wavelengths")
    return _series(path, blocks[:, 0, 0], blocks[0, :, 1], _filled(path, blocks[0, :, 1], blocks[:, :, 2]))


def read_image(path: str | Path) -> Series:
    """Read a FITS image of days by wavelengths, with linear axes.

    Raises
    ------
    ValueError
        It is too large or no such image.
    """
    from astropy.io import fits

    check_size(path)
    try:
        with fits.open(path, memmap=False) as hdus:
            header, image = hdus[0].header, hdus[0].data
    except (OSError, TypeError, ValueError, IndexError) as error:
        raise ValueError(f"{path} is no FITS file: {error}") from None
    if image is None or image.ndim != 2:
        raise ValueError(f"{path} has no image of days by wavelengths")
    try:
        axes = [
            header[f"CRVAL{k}"] + header[f"CDELT{k}"] * (np.arange(header[f"NAXIS{k}"]) + 1 - header[f"CRPIX{k}"])
            for k in (2, 1)
        ]
    except KeyError as error:
        raise ValueError(f"{path}: the image has no {error.args[0]}") from None
    return _series(path, axes[0], axes[1], np.asarray(image, dtype=float))


@dataclass(frozen=True, eq=False)
class Salt:
    """The surfaces and the colour law of SALT (Guy et al. 2007, Kenworthy et al. 2021).

    Parameters
    ----------
    mean, stretched : Series
        What the light is at x1 = 0, and what a unit of x1 adds, on the same phases and wavelengths.
    coefficients : tuple of float
        Of the colour law.
    limits : (float, float), Angstrom
        Beyond these the colour law is a straight line.
    """

    mean: Series
    stretched: Series
    coefficients: tuple[float, ...]
    limits: tuple[float, float]

    B, V = 4302.57, 5428.55

    def colour_law(self, wavelength: Array) -> Array:
        """Give the mag by which one unit of colour dims the light: zero at `B`, minus one at `V` (Angstrom)."""
        low, high = ((limit - self.B) / (self.V - self.B) for limit in self.limits)
        law = np.polynomial.Polynomial([0.0, 1 - sum(self.coefficients), *self.coefficients])
        x = (np.asarray(wavelength, dtype=float) - self.B) / (self.V - self.B)
        inside = np.clip(x, low, high)
        return -np.asarray(law(inside) + law.deriv()(inside) * (x - inside), dtype=float)


def read_salt(folder: str | Path) -> Salt:
    """Read a folder of SALT: ``salt3_template_0.dat``, ``salt3_template_1.dat``, ``salt3_color_correction.dat``.

    Raises
    ------
    ValueError
        A file is missing or not as SALT has it.
    """
    folder = Path(folder)
    mean, stretched = (read_text(folder / f"salt3_template_{k}.dat") for k in (0, 1))
    same = mean.flux.shape == stretched.flux.shape
    if not same or (mean.phase != stretched.phase).any() or (mean.wavelength != stretched.wavelength).any():
        raise ValueError(f"{folder}: the two templates have not the same phases and wavelengths")
    path = folder / "salt3_color_correction.dat"
    check_size(path)
    words = path.read_text(encoding="ascii", errors="replace").split()
    try:
        number = int(words[0])
        if not 1 <= number <= 20:
            raise ValueError(f"{number} coefficients")
        coefficients = tuple(float(word) for word in words[1 : 1 + number])
        named = dict(zip(words[1 + number :: 2], words[2 + number :: 2], strict=True))
        version = int(named["Salt2ExtinctionLaw.version"])
        limits = float(named["Salt2ExtinctionLaw.min_lambda"]), float(named["Salt2ExtinctionLaw.max_lambda"])
    except (IndexError, ValueError, KeyError) as error:
        raise ValueError(f"{path} is no colour law: {error}") from None
    fine = len(coefficients) == number and np.isfinite([*coefficients, *limits]).all() and 0 < limits[0] < limits[1]
    if version != 1 or not fine:
        raise ValueError(f"{path} is no colour law of version 1 with {number} finite coefficients and two limits")
    return Salt(mean, stretched, coefficients, limits)


@dataclass(frozen=True, eq=False)
class Kilonovae:
    """Spectra of many models on common axes (Kasen et al. 2017).

    Parameters
    ----------
    name : tuple of str, length n
    day : array, shape ``(n_days,)``
        Since the merger, rising.
    wavelength : array, shape ``(n_wavelengths,)``, Angstrom
    luminosity : array, shape ``(n, n_days, n_wavelengths)``, erg/s/Angstrom
    mass, velocity, lanthanides : array, shape ``(n,)``
        Solar masses, c, share of the mass.
    """

    name: tuple[str, ...]
    day: Array
    wavelength: Array
    luminosity: Array
    mass: Array
    velocity: Array
    lanthanides: Array


DARK = 30.0
"""log10 of erg/s/Angstrom that stands for no light."""


def read_kilonovae(path: str | Path) -> Kilonovae:
    """Read a grid of kilonova models from an ``.npz`` file, see the docs for its arrays.

    Raises
    ------
    ValueError
        It is too large, or an array is missing, of objects, of the wrong shape or not finite.
    """
    check_size(path)
    try:
        with zipfile.ZipFile(path) as archive:
            whole = sum(member.file_size for member in archive.infolist())
    except (OSError, zipfile.BadZipFile) as error:
        raise ValueError(f"{path} is no npz file: {error}") from None
    if whole > LARGEST:
        raise ValueError(f"{path} unpacks to {whole:,} bytes, more than the {LARGEST:,} allowed")
    names = "model", "time_days", "wavelength_A", "log10_L_lambda", "mass_msun", "velocity_c", "x_lan"
    try:
        with np.load(path, allow_pickle=False) as archive:
            found = {name: archive[name] for name in names}
    except (KeyError, ValueError, OSError, EOFError, zipfile.BadZipFile) as error:
        raise ValueError(f"{path} is no grid of kilonovae: {error}") from None
    light = found["log10_L_lambda"]
    shapes = {name: found[name].shape for name in names}
    n, days, lengths = light.shape if light.ndim == 3 else (0, 0, 0)
    expected: tuple[tuple[int, ...], ...] = (n,), (days,), (lengths,), (n, days, lengths), (n,), (n,), (n,)
    if tuple(shapes.values()) != expected or min(n, days - 1, lengths - 1) < 1 or found["model"].dtype.kind != "U":
        raise ValueError(f"{path}: its arrays have the shapes {shapes}, which do not fit together")
    numbers = {name: _numbers(path, name, values) for name, values in found.items() if name != "model"}
    if numbers["log10_L_lambda"].max() > 45:
        raise ValueError(f"{path}: log10_L_lambda reaches {numbers['log10_L_lambda'].max():g}, which no kilonova does")
    luminosity = np.where(numbers["log10_L_lambda"] <= DARK, 0.0, 10 ** numbers["log10_L_lambda"])
    for k in range(n):
        _series(path, numbers["time_days"], numbers["wavelength_A"], luminosity[k])
    return Kilonovae(
        tuple(str(name) for name in found["model"]), numbers["time_days"], numbers["wavelength_A"], luminosity,
        numbers["mass_msun"], numbers["velocity_c"], numbers["x_lan"],
    )  # fmt: skip


def _numbers(path: str | Path, name: str, values: NDArray) -> Array:
    if values.dtype.kind not in "fiu":
        raise ValueError(f"{path}: {name} holds no numbers")
    values = values.astype(float)
    if not np.isfinite(values).all():
        raise ValueError(f"{path}: {(~np.isfinite(values)).sum()} values of {name} are not finite")
    return np.asarray(values)


def _series(path: str | Path, phase: Array, wavelength: Array, flux: Array) -> Series:
    try:
        return Series(phase, wavelength, flux)
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from None


def check_size(path: str | Path) -> None:
    """Refuse a file that is missing or larger than `LARGEST`.

    Raises
    ------
    ValueError
        It is.
    """
    path = Path(path)
    if not path.is_file():
        raise ValueError(f"{path} is missing")
    if (size := path.stat().st_size) > LARGEST:
        raise ValueError(f"{path} has {size:,} bytes, more than the {LARGEST:,} allowed")


def _filled(path: str | Path, wavelength: Array, flux: Array) -> Array:
    missing = ~np.isfinite(flux)
    if missing.sum() * FEW > flux.size:
        raise ValueError(f"{path}: {missing.sum()} of {flux.size} fluxes are not finite")
    for day in np.flatnonzero(missing.any(axis=1)):
        fine = ~missing[day]
        flux[day] = np.interp(wavelength, wavelength[fine], flux[day, fine])
    return flux
