"""Telperion's own rows: what an observation says, and what all observations up to it said, band by band.

Every feature of a row is made from that row and those before it (`telperion.encode.history`), so that a light curve can
be encoded from its start or from wherever it was left. The running statistics are what the features of a booster say;
a recurrent network does not have to discover them in a few thousand objects.

Fluxes must be dereddened. They enter as asinh(flux / 100 nJy), which is linear in the noise and logarithmic above, and
as shares of the peak so far, in which a faint and a bright supernova look alike.

It is done feature by feature or, after `compile_loops`, in a third of the time row by row.
"""

from importlib import import_module
from types import ModuleType

import numpy as np
from numpy.typing import NDArray

from telperion.bands import BANDS
from telperion.encode import history as past
from telperion.encode import rhythm as rhythms
from telperion.encode.context import best_redshift
from telperion.encode.history import History
from telperion.encode.padding import Padding
from telperion.lightcurves import LightCurves

SOFTENING = 100.0
"""Flux, nJy, at which the asinh scale turns from linear to logarithmic: the noise of one visit."""

MANY_ROWS = 300_000
"""So many take longer feature by feature than it takes to load numba."""

_TINY = 1e-30
_LARGEST = np.finfo(np.float32).max
_MAG_PER_LOG = np.float32(2.5 / np.log(10))

_BLOCKS = {
    "log_days": (
        ("since_row", "since_row_of_band", "since_first_detection", "since_last_detection", "since_peak", "to_peak",
         "rest_since_first_detection", "rest_since_peak"),
        ("since_latest",),
    ),
    "asinh_flux": (("row", "peak"), ("latest", "highest", "deepest", "mean")),
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

_loops: tuple[ModuleType, ...] | None = None


def compile_loops() -> bool:
    """From now on go through rows by compiled loops, where numba is installed; loading takes a second, at first more.

    Returns
    -------
    bool
        Whether it is installed. What is encoded is the same either way, to the accuracy of float32.
    """
    global _loops  # numba is loaded once a process, or never
    if _loops is None:
        try:
            _loops = tuple(import_module(f"telperion.encode.{name}") for name in ("sequence_loop", "rhythm_loop"))
        except ImportError:
            return False
    return True


def start(n_objects: int, *, rhythm: bool = False) -> NDArray[np.float64]:
    """Give the memory of objects of which nothing has been seen, shape ``(n_objects, n_memory)``."""
    memory = past.start(n_objects)
    return np.concatenate([memory, rhythms.start(n_objects)], axis=1) if rhythm else memory


def encode_rows(
    light_curves: LightCurves,
    static: NDArray[np.float32],
    memory: NDArray[np.float64],
    *,
    rhythm: bool = False,
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
    rhythm : bool
        Whether the features of `telperion.encode.rhythm` follow.

    Returns
    -------
    rows : array, shape ``(n_objects, n_times, n_features)``
        Columns as in `NAMES`, and those of `telperion.encode.rhythm`; zero after each object's last row.
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
    >>> rows.shape == (1, 2, N_ROW_FEATURES), float(rows[0, 1, NAMES.index("share_of_peak:row")])  # 400 / (900 - 50)
    (True, 0.47058823704719543)
    """
    if not light_curves.dereddened:
        raise ValueError("the light curves are not dereddened; call deredden() first")
    padding = Padding(light_curves.lengths)
    rows = np.empty((*padding.shape, N_ROW_FEATURES + len(rhythms.NAMES) * rhythm), dtype=np.float32)
    if rows.size == 0:
        return rows, padding.lengths, memory
    known, stretch, modulus = best_redshift(static)
    rest, modulus = known * np.exp(-stretch), modulus - _MAG_PER_LOG * stretch
    if _loops is not None:
        return rows, padding.lengths, _go_through(light_curves, known, rest, modulus, memory, rows)
    columns = np.empty((N_ROW_FEATURES, *padding.shape), dtype=np.float32)  # feature by feature, as numpy is fastest
    history = History(light_curves, padding, memory[:, : past.N_MEMORY])
    block = {scale: columns[place] for scale, place in _COLUMNS.items()}
    _write_days(block["log_days"], history, rest)
    _write_fluxes(block["asinh_flux"], block["share_of_peak"], block["asinh_snr"], history)
    _write_counts(block["log_count"], history)
    _write_luminosities(block["luminosity"], history, known, modulus)
    _write_flags(block["flag"], history)
    remembered = history.memory()
    if rhythm:
        rows[..., N_ROW_FEATURES:], more = rhythms.encode_rhythm(history, padding.lengths, memory[:, past.N_MEMORY :])
        remembered = np.concatenate([remembered, more], axis=1)
    rows[..., :N_ROW_FEATURES] = columns.transpose(1, 2, 0)
    if not padding.full:
        rows[~padding.mask] = 0
    return rows, padding.lengths, remembered


def _go_through(
    light_curves: LightCurves, known: NDArray[np.floating], rest: NDArray[np.floating], modulus: NDArray[np.floating],
    memory: NDArray[np.float64], rows: NDArray[np.float32],
) -> NDArray[np.float64]:  # fmt: skip
    """Write the rows by the compiled loops; gives the memory after them."""
    sequence_loop, rhythm_loop = _loops or ()
    remembered = np.array(memory, order="C")
    deviation, gap = np.empty((2, light_curves.n_rows))
    sequence_loop.go_on(
        light_curves.time, light_curves.flux, light_curves.flux_err, light_curves.band, light_curves.detected,
        light_curves.offsets, np.stack([rest, *_luminosity(known, modulus)], axis=1).astype(np.float64),
        np.array([place.start for place in _COLUMNS.values()]), SOFTENING, past.LAYOUT, remembered, rows, deviation,
        gap,
    )  # fmt: skip
    if (column := N_ROW_FEATURES) < rows.shape[2]:
        rhythm_loop.go_on(
            deviation, light_curves.time - rhythms.EPOCH, gap, light_curves.offsets,
            rhythms.LAGS, rhythms.FREQUENCIES, rhythms.FORGETTING, remembered, past.N_MEMORY, rows, column,
        )  # fmt: skip
        rhythms.take_logarithms(rows[..., column:])
    return remembered


def _write_days(block: NDArray[np.float32], history: History, rest: NDArray[np.floating]) -> None:
    """Write log(1 + days) / 3; 0 where a time is unknown, and never a time that looks ahead."""
    time, (first_detection, _, peak) = history.time, history.times
    np.subtract(time, history.previous_time, out=block[0])
    np.subtract(time, history.previous_of_band[0], out=block[1])
    np.subtract(time, history.times, out=block[2:5])
    np.subtract(peak, first_detection, out=block[5])
    np.multiply(block[2:5:2], rest[:, None], out=block[6:8])  # since the first detection and since the peak
    np.subtract(time, history.latest[0], out=block[8:])
    np.fmax(block, 0, out=block)  # NaN becomes 0
    np.log1p(block, out=block)
    block /= 3


def _write_fluxes(
    asinh: NDArray[np.float32], share: NDArray[np.float32], snr: NDArray[np.float32], history: History
) -> None:
    """Write the fluxes on three scales: asinh, share of the peak, asinh of the signal to noise."""
    flux, error, peak = history.flux, history.error, np.maximum(history.peak, SOFTENING)
    _, latest, latest_error = history.latest
    _, previous, previous_error = history.previous_of_band
    _, weight, weighted, _ = history.sums
    asinh[0], asinh[1], asinh[2:8], asinh[8:14], asinh[14:20] = flux, peak, latest, history.highest, history.deepest
    np.divide(weighted, np.maximum(weight, _TINY), out=asinh[20:])
    asinh /= SOFTENING
    np.arcsinh(asinh, out=asinh)
    asinh /= 4
    np.divide(flux, peak, out=share[0])
    np.divide(latest, peak, out=share[1:7])
    np.divide(history.highest, peak, out=share[7:13])
    np.minimum(np.maximum(share, -2, out=share), 2, out=share)  # np.clip is slow on small arrays
    with np.errstate(over="ignore"):  # what is too large is brought down to the largest number there is
        np.divide(flux, error, out=snr[0])
        np.divide(flux - previous, np.hypot(error, previous_error), out=snr[1])  # 0 without a previous one
        np.divide(latest, latest_error, out=snr[2:])
    np.minimum(np.maximum(snr, -_LARGEST, out=snr), _LARGEST, out=snr)
    np.arcsinh(snr, out=snr)
    snr /= 3


def _write_counts(block: NDArray[np.float32], history: History) -> None:
    """Write numbers and scatter (reduced chi^2 of a constant flux) as log(1 + x) / 3."""
    count, weight, first, second = history.sums
    block[0], block[1], block[2:8] = history.rows, history.detections, count
    scatter = (second - first * first / np.maximum(weight, _TINY)) / np.maximum(count - 1, 1)
    np.minimum(np.maximum(scatter, 0, out=scatter), _LARGEST, out=block[8:])
    np.log1p(block, out=block)
    block /= 3


def _write_luminosities(
    block: NDArray[np.float32], history: History, known: NDArray[np.floating], modulus: NDArray[np.floating]
) -> None:
    """Write absolute magnitudes, (M + 18) / 3, of a source with a flat spectrum; 0 without a redshift."""
    block[0], block[1] = history.flux, history.peak
    np.log10(np.maximum(block, SOFTENING, out=block), out=block)
    slope, level = _luminosity(known, modulus)
    block *= slope[:, None]
    block += level[:, None]


def _luminosity(known: NDArray[np.floating], modulus: NDArray[np.floating]) -> tuple[NDArray, NDArray]:
    """Give by what log10(flux / nJy) is multiplied, and what is added to it."""
    return known * (-2.5 / 3), known * (31.4 + 18 - modulus) / 3


def _write_flags(block: NDArray[np.float32], history: History) -> None:
    """Write log(error / 100 nJy) / 2, and as 0 and 1: detected, first row, detected before or now, the band."""
    block[0] = np.log(history.error / SOFTENING)
    block[0] /= 2
    block[1], block[2], block[3], block[4:] = history.detected, history.rows == 1, history.detections > 0, history.seen
