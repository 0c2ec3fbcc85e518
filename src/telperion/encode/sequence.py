"""Telperion's own rows: what an observation says, and what all observations up to it said, band by band.

Every feature of a row is made from that row and those before it, and what must be remembered of them has one fixed size
for an object (`N_MEMORY` numbers), so that a light curve can be encoded from its start or from wherever it was left. The
running statistics (latest, highest, lowest and mean flux of each band, its scatter, the time since the peak) are what
the features of a booster say; a recurrent network does not have to discover them in a few thousand objects.

Fluxes must be dereddened. They enter as asinh(flux / 100 nJy), which is linear in the noise and logarithmic above, and
as shares of the peak so far, in which a faint and a bright supernova look alike.
"""

import numpy as np
from numpy.typing import NDArray

from telperion.bands import BANDS
from telperion.encode.context import best_redshift
from telperion.encode.padding import Padding
from telperion.lightcurves import LightCurves

SOFTENING = 100.0
"""Flux, nJy, at which the asinh scale turns from linear to logarithmic: the noise of one visit."""

ROW_NAMES = (
    "flux", "snr", "error", "detected", "share_of_peak", "change",
    "days_since_row", "days_since_row_of_band", "first_row",
    "detected_before", "days_since_first_detection", "days_since_last_detection", "rows", "detections",
    "peak", "days_since_peak", "days_to_peak",
    "luminosity", "peak_luminosity", "rest_days_since_first_detection", "rest_days_since_peak",
    *(f"is_{band}" for band in BANDS),
)  # fmt: skip
BAND_NAMES = (
    "latest", "latest_share", "latest_snr", "age", "highest", "highest_share", "lowest", "mean", "scatter", "rows",
)  # fmt: skip
NAMES = ROW_NAMES + tuple(f"{name}_{band}" for name in BAND_NAMES for band in BANDS)
"""The features of a row, in order."""

N_ROW_FEATURES = len(NAMES)

_N = len(BANDS)
_LATEST, _HIGHEST, _LOWEST, _SUMS = slice(0, 3 * _N), slice(3 * _N, 4 * _N), slice(4 * _N, 5 * _N), slice(5 * _N, 9 * _N)
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


def encode_rows(
    light_curves: LightCurves,
    static: NDArray[np.float32],
    memory: NDArray[np.float64],
) -> tuple[NDArray[np.float32], NDArray[np.int64], NDArray[np.float64]]:
    """Encode each object's next rows.

    Parameters
    ----------
    light_curves : LightCurves
        Dereddened; rows that follow those which made `memory`.
    static : array, shape ``(n_objects, n_static)``
        From `telperion.encode.context.encode_context`; a known redshift gives luminosities and rest-frame times.
    memory : array, shape ``(n_objects, n_memory)``
        From `start`, or from the call before.

    Returns
    -------
    rows : array, shape ``(n_objects, n_times, n_features)``
        Columns as in `NAMES`; zero after each object's last row.
    lengths : array of int, shape ``(n_objects,)``
    memory : array, shape ``(n_objects, n_memory)``

    Raises
    ------
    ValueError
        The fluxes are not dereddened.

    Examples
    --------
    >>> from telperion.encode.context import encode_context
    >>> curves = LightCurves(["a"], [0, 2], [1.0, 4.0], [1, 1], [900, 400], [50, 50], [True, True], dereddened=True)
    >>> rows, lengths, memory = encode_rows(curves, encode_context(curves), start(1))
    >>> rows.shape == (1, 2, N_ROW_FEATURES), rows[0, 1, NAMES.index("share_of_peak")].round(2)  # 400 / (900 - 50)
    (True, np.float32(0.47))
    """
    if not light_curves.dereddened:
        raise ValueError("the light curves are not dereddened; call deredden() first")
    padding = Padding(light_curves.lengths)
    if padding.n_times == 0:
        return np.zeros((len(light_curves), 0, N_ROW_FEATURES), np.float32), padding.lengths, memory
    history = _History(light_curves, padding, memory)
    rows = np.concatenate(
        [np.stack(history.row_features(static), axis=-1), *history.band_features()], axis=-1, dtype=np.float32
    )
    if not padding.full:
        rows[~padding.mask] = 0
    return rows, padding.lengths, history.memory()


class _History:
    """What is known at each row from it and all rows before: arrays ``(n, n_times)``, or ``(n, n_times, n_bands)``."""

    def __init__(self, light_curves: LightCurves, padding: Padding, memory: NDArray[np.float64]) -> None:
        self.start = memory
        self.time = padding.fill(light_curves.time, 0.0)
        self.flux = padding.fill(light_curves.flux, 0.0)
        self.error = padding.fill(light_curves.flux_err, 1.0)
        self.detected = padding.fill(light_curves.detected, False)
        band = padding.fill(light_curves.band, -1)
        self.seen = band[:, :, None] == np.arange(_N)
        self.band = np.maximum(band, 0).astype(np.intp)
        self.place = np.arange(1, padding.n_times + 1)
        self.object = np.arange(len(memory))[:, None]
        self._follow_bands()
        self._follow_object()

    def _recall(self, index: NDArray[np.intp], values: NDArray, before: NDArray) -> NDArray:
        """Take the value of the row with number `index` (from 1) of the object, and `before` where that is 0."""
        own = self.object.reshape(-1, *(1,) * (index.ndim - 1))
        return np.where(index > 0, values[own, index - 1], before)

    def _follow_bands(self) -> None:
        n = len(self.start)
        index = np.maximum.accumulate(np.where(self.seen, self.place[:, None], 0), axis=1)
        before = self.start[:, _LATEST].reshape(n, 1, 3, _N)
        columns = (self.time, self.flux, self.error)
        self.latest = [self._recall(index, column, before[:, :, k]) for k, column in enumerate(columns)]
        previous = np.zeros_like(self.band)
        previous[:, 1:] = index[self.object, self.place[:-1] - 1, self.band[:, 1:]]
        self.previous = [
            self._recall(previous, column, before[self.object, 0, k, self.band]) for k, column in enumerate(columns)
        ]
        high = np.where(self.seen, (self.flux - self.error)[:, :, None], -np.inf)
        low = np.where(self.seen, (self.flux + self.error)[:, :, None], np.inf)
        self.highest = np.maximum(np.maximum.accumulate(high, axis=1), self.start[:, None, _HIGHEST])
        self.lowest = np.minimum(np.minimum.accumulate(low, axis=1), self.start[:, None, _LOWEST])
        weight = 1 / np.square(self.error, dtype=np.float64)
        moments = np.stack([np.ones_like(weight), weight, weight * self.flux, weight * self.flux**2.0], axis=2)
        sums = np.cumsum(moments[:, :, :, None] * self.seen[:, :, None, :], axis=1)
        self.sums = sums + self.start[:, _SUMS].reshape(n, 1, 4, _N)

    def _follow_object(self) -> None:
        start = self.start[:, :, None]
        self.previous_time = np.concatenate([start[:, _LAST], self.time[:, :-1]], axis=1)
        self.rows = self.place + start[:, _ROWS]
        self.detections = np.cumsum(self.detected, axis=1) + start[:, _DETECTIONS]
        index = np.maximum.accumulate(np.where(self.detected, self.place, 0), axis=1)
        self.last_detection = self._recall(index, self.time, start[:, _LAST_DETECTION])
        first = self.time[self.object[:, 0], np.argmax(self.detected, axis=1)]
        first = np.where(self.detected.any(axis=1), first, np.nan)
        self.first_detection = np.where(start[:, _DETECTIONS, 0] > 0, start[:, _FIRST_DETECTION, 0], first)[:, None]
        self.peak = self.highest.max(axis=2)
        before = np.concatenate([self.start[:, _HIGHEST].max(axis=1, keepdims=True), self.peak[:, :-1]], axis=1)
        index = np.maximum.accumulate(np.where(self.peak > before, self.place, 0), axis=1)
        self.peak_time = self._recall(index, self.time, start[:, _PEAK_TIME])

    def memory(self) -> NDArray[np.float64]:
        """What the next rows need of these, shape ``(n, n_memory)``."""
        result = np.empty_like(self.start)
        filled = self.seen.any(axis=(1, 2))
        last = np.where(filled, self.seen.any(axis=2).sum(axis=1), 1) - 1
        own = self.object[:, 0]
        result[:, _LATEST] = np.concatenate([values[:, -1] for values in self.latest], axis=1)
        result[:, _HIGHEST], result[:, _LOWEST] = self.highest[:, -1], self.lowest[:, -1]
        result[:, _SUMS] = self.sums[:, -1].reshape(len(result), -1)
        result[:, _LAST] = np.where(filled, self.time[own, last], self.start[:, _LAST])
        result[:, _FIRST_DETECTION] = self.first_detection[:, 0]
        result[:, _LAST_DETECTION], result[:, _PEAK_TIME] = self.last_detection[:, -1], self.peak_time[:, -1]
        result[:, _ROWS], result[:, _DETECTIONS] = self.start[:, _ROWS] + filled * (last + 1), self.detections[:, -1]
        return result

    def row_features(self, static: NDArray[np.float32]) -> list[NDArray]:
        """Make the features named in `ROW_NAMES`."""
        z_known, stretch, modulus = (values[:, None] for values in best_redshift(static))
        peak = np.maximum(self.peak, SOFTENING)
        after = self.detections > 0
        since_first = np.where(after, self.time - self.first_detection, 0)
        since_last = np.where(after, self.time - self.last_detection, 0)
        since_peak = self.time - self.peak_time
        change = (self.flux - self.previous[1]) / np.hypot(self.error, self.previous[2])
        luminosity = [
            np.where(z_known, (_magnitude(flux) - modulus + 2.5 / np.log(10) * stretch + 18) / 3, 0)
            for flux in (self.flux, peak)
        ]
        rest = np.where(z_known, np.exp(-stretch), 0)
        return [
            _asinh(self.flux), np.arcsinh(self.flux / self.error) / 3, np.log(self.error / SOFTENING) / 2, self.detected,
            np.clip(self.flux / peak, -2, 2), np.nan_to_num(np.arcsinh(change) / 3),
            _log_days(self.time - self.previous_time), _log_days(self.time - self.previous[0]), self.rows == 1,
            after, _log_days(since_first), _log_days(since_last), np.log1p(self.rows) / 3, np.log1p(self.detections) / 3,
            _asinh(peak), _log_days(since_peak), _log_days(np.where(after, self.peak_time - self.first_detection, 0)),
            *luminosity, _log_days(since_first * rest), _log_days(since_peak * rest),
            *np.moveaxis(self.seen, 2, 0),
        ]  # fmt: skip

    def band_features(self) -> list[NDArray]:
        """Make the features named in `BAND_NAMES`, each ``(n, n_times, n_bands)``; 0 in a band without rows so far."""
        time, flux, error = self.latest
        count, weight, first, second = np.moveaxis(self.sums, 2, 0)
        known = count > 0
        peak = np.maximum(self.peak, SOFTENING)[:, :, None]
        mean = first / np.where(known, weight, 1)
        chi2 = np.maximum(second - first * mean, 0) / np.maximum(count - 1, 1)
        highest, lowest = np.where(known, self.highest, 0), np.where(known, self.lowest, 0)
        return [
            _asinh(flux), np.clip(flux / peak, -2, 2), np.arcsinh(flux / np.where(known, error, 1)) / 3,
            _log_days(self.time[:, :, None] - time), _asinh(highest), np.clip(highest / peak, -2, 2), _asinh(lowest),
            _asinh(mean), np.log1p(chi2) / 3, np.log1p(count) / 3,
        ]  # fmt: skip


def _asinh(flux: NDArray) -> NDArray:
    return np.arcsinh(flux / SOFTENING) / 4


def _log_days(days: NDArray) -> NDArray:
    """Scale a number of days, signed; 0 where it is unknown."""
    return np.nan_to_num(np.sign(days) * np.log1p(np.abs(days)) / 3)


def _magnitude(flux: NDArray) -> NDArray:
    return 31.4 - 2.5 * np.log10(np.maximum(flux, SOFTENING))
