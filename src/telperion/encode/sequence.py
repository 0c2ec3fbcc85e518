"""Telperion's own rows: what an observation says, and what all observations up to it said, band by band.

Every feature of a row is made from that row and those before it (`telperion.encode.history`), so that a light curve can
be encoded from its start or from wherever it was left. The running statistics are what the features of a booster say;
a recurrent network does not have to discover them in a few thousand objects.

Fluxes must be dereddened. They enter as asinh(flux / 100 nJy), which is linear in the noise and logarithmic above, and
as shares of the peak so far, in which a faint and a bright supernova look alike.
"""

import numpy as np
from numpy.typing import NDArray

from telperion.bands import BANDS
from telperion.encode.context import best_redshift
from telperion.encode.history import History
from telperion.encode.padding import Padding
from telperion.lightcurves import LightCurves

SOFTENING = 100.0
"""Flux, nJy, at which the asinh scale turns from linear to logarithmic: the noise of one visit."""

_BLOCKS = {
    "log_days": (
        ("since_row", "since_row_of_band", "since_first_detection", "since_last_detection", "since_peak", "to_peak",
         "rest_since_first_detection", "rest_since_peak"),
        ("since_latest",),
    ),
    "asinh_flux": (("row", "peak"), ("latest", "highest", "lowest", "mean")),
    "share_of_peak": (("row",), ("latest", "highest")),
    "asinh_snr": (("row", "change"), ("latest",)),
    "log_count": (("rows", "detections"), ("rows", "scatter")),
    "luminosity": (("row", "peak"), ()),
    "flag": (("log_error", "detected", "first_row", "detected_before"), ("is",)),
}  # fmt: skip
"""The features by their scale: first those of the object, then those that there are for each band."""


def _lay_out() -> tuple[tuple[str, ...], dict[str, slice]]:
    names: list[str] = []
    columns = {}
    for scale, (single, banded) in _BLOCKS.items():
        first = len(names)
        names += [f"{scale}:{name}" for name in single] + [
            f"{scale}:{name}_{band}" for name in banded for band in BANDS
        ]
        columns[scale] = slice(first, len(names))
    return tuple(names), columns


NAMES, _COLUMNS = _lay_out()
"""The features of a row, in order, as ``scale:what`` or ``scale:what_band``."""

N_ROW_FEATURES = len(NAMES)


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
        From `telperion.encode.history.start`, or from the call before.

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
    >>> from telperion.encode.history import start
    >>> curves = LightCurves(["a"], [0, 2], [1.0, 4.0], [1, 1], [900, 400], [50, 50], [True, True], dereddened=True)
    >>> rows, lengths, memory = encode_rows(curves, encode_context(curves), start(1))
    >>> rows.shape == (1, 2, N_ROW_FEATURES), float(rows[0, 1, NAMES.index("share_of_peak:row")])  # 400 / (900 - 50)
    (True, 0.47058823704719543)
    """
    if not light_curves.dereddened:
        raise ValueError("the light curves are not dereddened; call deredden() first")
    padding = Padding(light_curves.lengths)
    rows = np.empty((*padding.shape, N_ROW_FEATURES), dtype=np.float32)
    if rows.size == 0:
        return rows, padding.lengths, memory
    history = History(light_curves, padding, memory)
    block = {scale: rows[:, :, columns] for scale, columns in _COLUMNS.items()}
    _write_days(block["log_days"], history, static)
    _write_fluxes(block, history)
    _write_counts(block, history)
    _write_luminosities(block["luminosity"], history, static)
    if not padding.full:
        rows[~padding.mask] = 0
    return rows, padding.lengths, history.memory()


def _write(block: NDArray[np.float32], single: tuple[NDArray, ...], banded: tuple[NDArray, ...] = ()) -> None:
    for column, values in enumerate(single):
        block[:, :, column] = values
    for k, values in enumerate(banded):
        first = len(single) + k * len(BANDS)
        block[:, :, first : first + len(BANDS)] = values


def _write_days(block: NDArray[np.float32], history: History, static: NDArray[np.float32]) -> None:
    """Write log(1 + days) / 3; 0 where a time is unknown, and never a time that looks ahead."""
    z_known, stretch, _ = best_redshift(static)
    rest = np.where(z_known, np.exp(-stretch), 0)[:, None]
    time = history.time
    after = history.detections > 0
    since_first = np.where(after, time - history.first_detection, 0)
    since_peak = time - history.peak_time
    to_peak = np.where(after, history.peak_time - history.first_detection, 0)
    since_row, since_row_of_band = time - history.previous_time, time - history.previous_of_band[0]
    single = (
        since_row, since_row_of_band, since_first, time - history.last_detection, since_peak, to_peak,
        since_first * rest, since_peak * rest,
    )  # fmt: skip
    _write(block, single, (time[:, :, None] - history.latest_time,))
    np.fmax(block, 0, out=block)  # NaN becomes 0
    np.log1p(block, out=block)
    block /= 3


def _write_fluxes(block: dict[str, NDArray[np.float32]], history: History) -> None:
    """Write the fluxes on three scales: asinh, share of the peak, asinh of the signal to noise."""
    seen = history.sums[:, :, 0] > 0
    mean = history.sums[:, :, 2] / np.where(seen, history.sums[:, :, 1], 1)
    peak = np.maximum(history.peak, SOFTENING)
    highest, lowest = np.where(seen, history.highest, 0), np.where(seen, history.lowest, 0)
    asinh, share, snr = block["asinh_flux"], block["share_of_peak"], block["asinh_snr"]
    _write(asinh, (history.flux, peak), (history.latest_flux, highest, lowest, mean))
    asinh /= SOFTENING
    np.arcsinh(asinh, out=asinh)
    asinh /= 4
    _write(share, (history.flux,), (history.latest_flux, highest))
    share /= peak[:, :, None]
    np.minimum(np.maximum(share, -2, out=share), 2, out=share)  # np.clip is slow on small arrays
    _, flux, error = history.previous_of_band
    change = np.where(np.isnan(error), 0, (history.flux - flux) / np.hypot(history.error, error))
    latest = history.latest_flux / np.where(seen, history.latest_error, 1)
    _write(snr, (history.flux / history.error, change), (latest,))
    np.arcsinh(snr, out=snr)
    snr /= 3


def _write_counts(block: dict[str, NDArray[np.float32]], history: History) -> None:
    """Write numbers and scatter (reduced chi^2 of a constant flux) as log(1 + x) / 3, and the flags."""
    count, weight, first, second = (history.sums[:, :, k] for k in range(4))
    scatter = (second - first * first / np.maximum(weight, 1e-30)) / np.maximum(count - 1, 1)
    _write(block["log_count"], (history.rows, history.detections), (count, np.maximum(scatter, 0)))
    np.log1p(block["log_count"], out=block["log_count"])
    block["log_count"] /= 3
    log_error = np.log(history.error / SOFTENING) / 2
    _write(block["flag"], (log_error, history.detected, history.rows == 1, history.detections > 0), (history.seen,))


def _write_luminosities(block: NDArray[np.float32], history: History, static: NDArray[np.float32]) -> None:
    """Write absolute magnitudes, (M + 18) / 3, of a source with a flat spectrum; 0 without a redshift."""
    z_known, stretch, modulus = best_redshift(static)
    _write(block, (history.flux, history.peak))
    np.log10(np.maximum(block, SOFTENING, out=block), out=block)
    block *= -2.5
    block += (31.4 + 18 - modulus + 2.5 / np.log(10) * stretch)[:, None, None]
    block *= (z_known / 3)[:, None, None]
