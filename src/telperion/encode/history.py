"""What the rows of a light curve so far amount to, band by band, in a memory of one fixed size."""

import numpy as np
from numpy.typing import NDArray

from telperion.bands import BANDS
from telperion.encode.padding import Padding
from telperion.encode.view import days_since
from telperion.lightcurves import LightCurves

_N = len(BANDS)
_BANDS = np.arange(_N, dtype=np.int8)[:, None, None]
_HIGHEST, _DEEPEST, _PEAK, _COUNT = 3 * _N, 4 * _N, 5 * _N, 5 * _N + 1
_ROWS, _DETECTIONS, _LAST, _FIRST_DETECTION, _LAST_DETECTION, _PEAK_TIME = range(9 * _N + 1, 9 * _N + 7)
_LATEST, _MAXIMA, _SUMS = slice(0, _HIGHEST), slice(_HIGHEST, _COUNT), slice(_COUNT, _LAST)
N_MEMORY = 9 * _N + 7
"""Numbers remembered of an object: of each band the latest time, flux and error, two maxima and four sums; the maximum
of all bands; rows and detections so far; the time of the last row, of the first and last detection, of the peak."""

LAYOUT = np.array([
    _N, _HIGHEST, _DEEPEST, _PEAK, _COUNT, _ROWS, _DETECTIONS, _LAST, _FIRST_DETECTION, _LAST_DETECTION, _PEAK_TIME,
])  # fmt: skip
"""Number of bands, and where what else is remembered begins, for `telperion.encode.sequence_loop`."""

_NOTHING = np.zeros(N_MEMORY)
_NOTHING[:_N], _NOTHING[2 * _N : 3 * _N], _NOTHING[_LAST:] = np.nan, np.inf, np.nan


def start(n_objects: int) -> NDArray[np.float64]:
    """Give the memory of objects of which nothing has been seen, shape ``(n_objects, n_memory)``."""
    return _NOTHING[None].repeat(n_objects, axis=0)


def days_known(memory: NDArray[np.float64]) -> NDArray[np.float64]:
    """Give what `telperion.encode.view.days_known` gives for all rows so far, shape ``(n_objects,)``."""
    rows, detections = memory[:, [_ROWS, _DETECTIONS]].T
    return days_since(memory[:, _FIRST_DETECTION], memory[:, _LAST], rows > detections)


class History:
    """What is known at each row from it and all rows before it.

    Arrays have features and bands first, ``(..., n_objects, n_times)``, so that each is written and accumulated in one
    pass. A time that is not known yet is NaN; a flux is then 0 with an infinite error.

    Parameters
    ----------
    light_curves : LightCurves
        Each object's next rows; at least one object has one.
    memory : array, shape ``(n_objects, n_memory)``
        From `start`, or from `memory` of the rows before.

    Attributes
    ----------
    time, flux, error, detected, band : array, shape ``(n_objects, n_times)``
        The rows themselves, padded.
    seen : array of bool, shape ``(n_bands, n_objects, n_times)``
        Which band each row has.
    latest : array, shape ``(3, n_bands, n_objects, n_times)``
        Time, flux and error of the last row of each band up to this one.
    previous_time : array, shape ``(n_objects, n_times)``
        Time of the row before.
    previous_of_band : array, shape ``(3, n_objects, n_times)``
        Time, flux and error of the row before in the same band.
    highest, deepest : array, shape ``(n_bands, n_objects, n_times)``, nJy
        Against noise: the highest flux less its error, and the highest negative flux less its error; at least 0.
    peak : array, shape ``(n_objects, n_times)``
        The highest flux less its error of all bands.
    sums : array, shape ``(4, n_bands, n_objects, n_times)``
        Number of rows; sums of the weights w = 1/error^2, of w flux and of w flux^2.
    rows, detections : array, shape ``(n_objects, n_times)``
        Numbers so far.
    times : array, shape ``(3, n_objects, n_times)``
        Of the first detection, the last detection and the peak.
    """

    def __init__(self, light_curves: LightCurves, padding: Padding, memory: NDArray[np.float64]) -> None:
        n_objects, n_times = padding.shape
        self._ends = np.arange(n_objects), padding.lengths
        self._after = np.empty((N_MEMORY, n_objects, n_times + 1))  # what is remembered after no row, one row, two ...
        self._after[:, :, 0] = memory.T
        self._table = np.empty((3, n_objects, _N + n_times))  # the latest row of each band, from before; then all rows
        self._table[:, :, :_N] = self._after[_LATEST, :, 0].reshape(3, _N, n_objects).swapaxes(1, 2)
        self.time, self.flux, self.error = self._table[:, :, _N:]
        self.time[:] = padding.fill(light_curves.time, 0.0)
        self.flux[:] = padding.fill(light_curves.flux, 0.0)
        self.error[:] = padding.fill(light_curves.flux_err, 1.0)
        self.detected = padding.fill(light_curves.detected, False)
        self.band = padding.fill(light_curves.band, -1)
        self.seen = self.band == _BANDS
        self._remember_latest()
        self._remember_maxima()
        self._remember_sums()
        self._remember_times()

    def _remember_latest(self) -> None:
        row = np.arange(self._table[0].size).reshape(len(self.time), -1)
        place = np.empty((_N, *self._after.shape[1:]), dtype=np.intp)
        place[:, :, 0] = row[:, :_N].T
        np.multiply(self.seen, row[:, _N:], out=place[:, :, 1:])
        np.maximum.accumulate(place, axis=2, out=place)
        table = self._table.reshape(3, -1)
        latest = self._after[_LATEST].reshape(3, *place.shape)
        self.latest = table.take(place, axis=1, out=latest, mode="clip")[..., 1:]  # checking each place would be slower
        own = place[self.band, self._ends[0][:, None], np.arange(self.time.shape[1])]
        self.previous_of_band = table.take(own, axis=1)

    def _remember_maxima(self) -> None:
        maxima = self._after[_MAXIMA]
        height, depth = self.flux - self.error, -self.flux - self.error
        np.multiply(height, self.seen, out=maxima[:_N, :, 1:])
        np.multiply(depth, self.seen, out=maxima[_N : 2 * _N, :, 1:])
        maxima[-1, :, 1:] = height
        np.maximum.accumulate(maxima, axis=2, out=maxima)
        self.highest, self.deepest, self.peak = maxima[:_N, :, 1:], maxima[_N : 2 * _N, :, 1:], maxima[-1, :, 1:]
        self._rising = maxima[-1, :, 1:] > maxima[-1, :, :-1]

    def _remember_sums(self) -> None:
        sums = self._after[_SUMS]
        moments = np.ones((4, *self.time.shape))
        np.divide(moments[0], self.error * self.error, out=moments[1])
        np.multiply(moments[1], self.flux, out=moments[2])
        np.multiply(moments[2], self.flux, out=moments[3])
        self.sums = sums[: 4 * _N].reshape(4, _N, *sums.shape[1:])[..., 1:]
        np.multiply(moments[:, None], self.seen, out=self.sums)
        sums[4 * _N, :, 1:], sums[4 * _N + 1, :, 1:] = 1, self.detected
        np.add.accumulate(sums, axis=2, out=sums)
        self.rows, self.detections = sums[4 * _N :, :, 1:]

    def _remember_times(self) -> None:
        times = self._after[_LAST:, :, 1:]
        times[0] = self.time
        times[1:3] = np.where(self.detected, self.time, np.nan)
        times[3] = np.where(self._rising, self.time, np.nan)
        first, filled = self._after[_FIRST_DETECTION], self._after[_LAST_DETECTION:]
        np.fmin.accumulate(first, axis=1, out=first)  # NaN gives way
        np.fmax.accumulate(filled, axis=2, out=filled)
        self.times = times[1:]
        self.previous_time = self._after[_LAST, :, :-1]

    def memory(self) -> NDArray[np.float64]:
        """Give what the next rows need, shape ``(n_objects, n_memory)``; of an object without rows, what it was."""
        return self._after[:, *self._ends].T
