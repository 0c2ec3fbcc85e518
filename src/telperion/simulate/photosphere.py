"""Light that diffuses out of expanding ejecta and leaves them at a photosphere: what most explosions have in common."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from telperion.simulate.source import planck

Array = NDArray[np.float64]

DAY = 86400.0
SOLAR_MASS = 1.98847e33
"""g."""

KM = 1e5
"""cm."""

STEFAN_BOLTZMANN = 5.670374e-5
"""erg/s/cm^2/K^4."""

LIGHT_CM = 2.99792458e10
"""cm/s."""


def diffusion_time(mass: Array, velocity: Array, opacity: Array | float) -> Array:
    """Give the time scale on which light diffuses out of ejecta, days (Arnett 1982).

    Parameters
    ----------
    mass : array, solar masses
    velocity : array, km/s
    opacity : array or float, cm^2/g
    """
    squared = 2 * opacity * mass * SOLAR_MASS / (13.8 * LIGHT_CM * velocity * KM)
    return np.asarray(np.sqrt(squared) / DAY)


def diffuse(power: Array, time: Array, scale: Array) -> Array:
    """Give the luminosity of homologous ejecta that are heated from inside (Arnett 1982).

    Parameters
    ----------
    power : array, shape ``(n, n_times)``
        Heating at each time, in any unit.
    time : array, shape ``(n_times,)``, days since the explosion
        Rising from zero; fine enough for the heating to be linear in between.
    scale : array, shape ``(n,)``, days
        See `diffusion_time`.

    Returns
    -------
    array, shape ``(n, n_times)``
        In the unit of `power`.

    Examples
    --------
    >>> time = np.linspace(0, 400, 2001)
    >>> shone = diffuse(np.exp(-time / 100)[None], time, np.array([20.0]))
    >>> bool(abs(shone[0, -1] / np.exp(-4.0) - 1) < 0.1)  # late: as much as is heated
    True
    """
    result = np.zeros(power.shape)
    for k in range(1, len(time)):
        # exact for heating that is constant over the step: d(L) = (P - L) d(t^2 / scale^2)
        left = np.exp(-(time[k] ** 2 - time[k - 1] ** 2) / scale**2)
        result[:, k] = result[:, k - 1] * left + (power[:, k] + power[:, k - 1]) / 2 * (1 - left)
    return result


def photosphere(luminosity: Array, time: Array, velocity: Array, floor: Array) -> Array:
    """Give the temperature of a photosphere that moves out with the ejecta until it has cooled to a floor, K.

    Parameters
    ----------
    luminosity : array, shape ``(n, n_times)``, erg/s
    time : array, shape ``(n_times,)``, days since the explosion
    velocity, floor : array, shape ``(n,)``, km/s and K
        Where the floor is reached the photosphere recedes so that it holds.
    """
    radius = velocity[:, None] * KM * np.maximum(time, 0.1) * DAY
    temperature = (luminosity / (4 * np.pi * STEFAN_BOLTZMANN * radius**2)) ** 0.25
    return np.asarray(np.maximum(temperature, floor[:, None]))


def at(table: Array, time: Array, row: Array, when: Array) -> Array:
    """Interpolate a table of many objects in time, zero before its first time and held after its last.

    Parameters
    ----------
    table : array, shape ``(n, n_times)``
    time : array, shape ``(n_times,)``
        Rising.
    row, when : array
        Object and time of each value wanted; of one shape, or broadcasting.
    """
    row, when = np.broadcast_arrays(np.asarray(row).astype(np.int64), when)
    place = np.clip(np.searchsorted(time, when, side="right") - 1, 0, len(time) - 2)
    share = np.clip((when - time[place]) / (time[place + 1] - time[place]), 0, 1)
    value = table[row, place] * (1 - share) + table[row, place + 1] * share
    return np.where(when < time[0], 0.0, value)


def shine(luminosity: Array, temperature: Array, wavelength: Array, cut: float = 0.3, power: float = 0.0) -> Array:
    """Give the spectrum of a photosphere, erg/s/Hz, metal lines swallowing the blue.

    Parameters
    ----------
    luminosity, temperature : array, erg/s and K
    wavelength : array, micrometre
    cut, power : float
        Below `cut` micrometres the light falls as the wavelength to this power.
    """
    return np.asarray(luminosity * planck(wavelength, temperature) * np.minimum(wavelength / cut, 1.0) ** power)
