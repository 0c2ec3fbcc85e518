"""What the rows of a light curve so far amount to, band by band, in a memory of one fixed size."""

import numpy as np
from numpy.typing import NDArray

from telperion.bands import BANDS
from telperion.encode.padding import Padding
from telperion.lightcurves import LightCurves

_N = len(BANDS)
_LATEST, _HIGHEST, _LOWEST, _SUMS = (
    slice(0, 3 * _N),
    slice(3 * _N, 4 * _N),
    slice(4 * _N, 5 * _N),
    slice(5 * _N, 9 * _N),
)
_LAST, _FIRST_DETECTION, _LAST_DETECTION, _PEAK_TIME, _ROWS, _DETECTIONS = range(9 * _N, 9 * _N + 6)
N_MEMORY = 9 * _N + 6
"""Numbers remembered of an object: of each band the latest time, flux and error, the highest and lowest flux and four
sums; the time of the last row, of the first and last detection and of the peak; rows and detections so far."""


def start(n_objects: int) -> NDArray[np.float64]:
    """Give the memory of objects of which nothing has been seen, shape ``(n_objects, n_memory)``."""
    memory = np.zeros((n_objects, N_MEMORY))
    memory[:, _HIGHEST], memory[:, _LOWEST] = -np.inf, np.inf
    memory[:, [_LAST, _FIRST_DETECTION, _LAST_DETECTION, _PEAK_TIME]] = np.nan
    return memory


class History:
    """What is known at each row from it and all rows before it.

    Parameters
    ----------
    light_curves : LightCurves
        Each object's next rows; at least one object has one.
    memory : array, shape ``(n_objects, n_memory)``
        From `start`, or from `memory` of the rows before.

    Attributes
    ----------
    time, flux, error, detected, seen : array, shape ``(n_objects, n_times)``
        The rows themselves, padded; `seen`, with one more axis, tells which band each has.
    latest_time, latest_flux, latest_error : array, shape ``(n_objects, n_times, n_bands)``
        The last row of each band up to this one; time and error are NaN in a band without rows so far.
    previous_time, previous_of_band
        Time of the row before, and (time, flux, error) of the row before in the same band; NaN without one.
    highest, lowest : array, shape ``(n_objects, n_times, n_bands)``, nJy
        Highest flux less its error and lowest flux plus its error, against noise; -inf and inf without rows.
    peak, peak_time : array, shape ``(n_objects, n_times)``
        `highest` over the bands, and when it was reached.
    sums : array, shape ``(n_objects, n_times, 4, n_bands)``
        Number of rows; sums of the weights w = 1/error^2, of w flux and of w flux^2.
    rows, detections, first_detection, last_detection
        Numbers so far and times (NaN before); the first detection stands at the rows before it too.
    """

    def __init__(self, light_curves: LightCurves, padding: Padding, memory: NDArray[np.float64]) -> None:
        self._start = memory
        self.time = padding.fill(light_curves.time, 0.0)
        self.flux = padding.fill(light_curves.flux, 0.0)
        self.error = padding.fill(light_curves.flux_err, 1.0)
        self.detected = padding.fill(light_curves.detected, False)
        band = padding.fill(light_curves.band, -1)
        self.seen = band[:, :, None] == np.arange(_N, dtype=np.int8)
        self._band = np.maximum(band, 0).astype(np.intp)
        self._place = np.arange(1, padding.n_times + 1)
        self._object = np.arange(len(memory))[:, None]
        self._lengths = padding.lengths
        self._remember_latest()
        self._remember_extremes()
        self._remember_detections()

    def _recall(self, place: NDArray[np.intp], values: NDArray, before: NDArray) -> NDArray:
        """Take the value of each object's row number `place`, counted from 1, and `before` where that is 0."""
        own = self._object if place.ndim == 2 else self._object[:, :, None]
        return np.where(place > 0, values[own, place - 1], before)

    def _remember_latest(self) -> None:
        place = np.maximum.accumulate(np.where(self.seen, self._place[:, None], 0), axis=1)
        before = self._start[:, None, _LATEST]
        self.latest_time = self._recall(place, self.time, before[:, :, :_N])
        self.latest_flux = self._recall(place, self.flux, before[:, :, _N : 2 * _N])
        self.latest_error = self._recall(place, self.error, before[:, :, 2 * _N :])
        self.previous_time = np.concatenate([self._start[:, [_LAST]], self.time[:, :-1]], axis=1)
        previous = np.zeros_like(self._band)
        previous[:, 1:] = place[self._object, self._place[:-1] - 1, self._band[:, 1:]]
        self.previous_of_band = tuple(
            self._recall(previous, values, self._start[self._object, k * _N + self._band])
            for k, values in enumerate((self.time, self.flux, self.error))
        )

    def _remember_extremes(self) -> None:
        high = np.where(self.seen, (self.flux - self.error)[:, :, None], -np.inf)
        low = np.where(self.seen, (self.flux + self.error)[:, :, None], np.inf)
        self.highest = np.maximum(np.maximum.accumulate(high, axis=1), self._start[:, None, _HIGHEST])
        self.lowest = np.minimum(np.minimum.accumulate(low, axis=1), self._start[:, None, _LOWEST])
        self.peak = self.highest.max(axis=2)
        before = np.concatenate([self._start[:, _HIGHEST].max(axis=1, keepdims=True), self.peak[:, :-1]], axis=1)
        place = np.maximum.accumulate(np.where(self.peak > before, self._place, 0), axis=1)
        self.peak_time = self._recall(place, self.time, self._start[:, [_PEAK_TIME]])
        moments = np.empty((*self.time.shape, 4))
        moments[:, :, 0] = 1
        moments[:, :, 1] = 1 / np.square(self.error, dtype=np.float64)
        moments[:, :, 2] = moments[:, :, 1] * self.flux
        moments[:, :, 3] = moments[:, :, 2] * self.flux
        sums = np.cumsum(moments[:, :, :, None] * self.seen[:, :, None, :], axis=1)
        self.sums = sums + self._start[:, _SUMS].reshape(-1, 1, 4, _N)

    def _remember_detections(self) -> None:
        self.rows = self._place + self._start[:, [_ROWS]]
        self.detections = np.cumsum(self.detected, axis=1) + self._start[:, [_DETECTIONS]]
        place = np.maximum.accumulate(np.where(self.detected, self._place, 0), axis=1)
        self.last_detection = self._recall(place, self.time, self._start[:, [_LAST_DETECTION]])
        first = self.time[self._object, np.argmax(self.detected, axis=1)[:, None]]
        first = np.where(place[:, -1:] > 0, first, np.nan)
        self.first_detection = np.where(self._start[:, [_DETECTIONS]] > 0, self._start[:, [_FIRST_DETECTION]], first)

    def memory(self) -> NDArray[np.float64]:
        """Give what the next rows need, shape ``(n_objects, n_memory)``; of an object without rows, what it was."""
        last = (np.arange(len(self._lengths)), np.maximum(self._lengths, 1) - 1)
        memory = np.empty_like(self._start)
        latest = (self.latest_time, self.latest_flux, self.latest_error)
        memory[:, _LATEST] = np.concatenate([values[last] for values in latest], axis=1)
        memory[:, _HIGHEST], memory[:, _LOWEST] = self.highest[last], self.lowest[last]
        memory[:, _SUMS] = self.sums[last].reshape(len(memory), -1)
        memory[:, _LAST], memory[:, _PEAK_TIME] = self.time[last], self.peak_time[last]
        memory[:, _FIRST_DETECTION] = self.first_detection[:, 0]
        memory[:, _LAST_DETECTION] = self.last_detection[last]
        memory[:, _ROWS], memory[:, _DETECTIONS] = self.rows[last], self.detections[last]
        return np.where(self._lengths[:, None] > 0, memory, self._start)
