"""What is known of an object beside its light curve, as static features in groups that may be absent as a whole.

A group is *given* where the table has its columns at all, and a value in it is *known* where it is not NaN: "the survey
found no host" tells something, "nobody looked" does not. A group that is not given is zero, flags included, so that
`drop` can take it from an object in training just as a table without those columns lacks it.
"""

import numpy as np
from numpy.typing import NDArray

from telperion.bands import BANDS
from telperion.cosmology import distance_modulus
from telperion.lightcurves import LightCurves

GROUPS = ("specz", "photoz", "host", "dust")

_REDSHIFT = ("given", "known", "log1p_z", "log_error", "modulus")
_HOST = ("given", "known", "snsep", "ellipticity", "logmass", *(f"mag_{band}" for band in BANDS))
NAMES = tuple(
    [f"{group}_{name}" for group in ("specz", "photoz") for name in _REDSHIFT]
    + [f"host_{name}" for name in _HOST]
    + ["dust_given", "dust_known", "dust_ebv"]
)
"""The static features, in order."""

N_STATIC = len(NAMES)
_GROUP_OF = np.array([GROUPS.index(name.split("_")[0]) for name in NAMES])
_COLUMNS = {
    group: slice(int(np.searchsorted(_GROUP_OF, k)), int(np.searchsorted(_GROUP_OF, k, side="right")))
    for k, group in enumerate(GROUPS)
}
_BLUR = {"log_error": 0.15, "snsep": 0.1, "ellipticity": 0.05, "logmass": 0.1}
_EACH = np.array([0.025 if "mag_" in name else _BLUR.get(name.split("_", 1)[1], 0) for name in NAMES], dtype=np.float32)
_TOGETHER = np.array([0.075 if "mag_" in name else 0 for name in NAMES], dtype=np.float32)
_LARGEST_REDSHIFT = 20.0
_SCALES = np.array([[1], [1], [5]], dtype=np.float32)  # these two undo the scale of the modulus
_ZEROS = np.array([[0], [0], [40]], dtype=np.float32)


def encode_context(light_curves: LightCurves) -> NDArray[np.float32]:
    """Encode the context columns.

    Parameters
    ----------
    light_curves : LightCurves
        The spectroscopic redshift is ``hostgal_specz``; ``redshift`` stands in for it where a table has neither that
        nor a photometric one, so that nothing tells them apart.

    Returns
    -------
    array, shape ``(n_objects, n_static)``
        Columns as in `NAMES`; finite everywhere.

    Raises
    ------
    ValueError
        A redshift is below -0.1 or above 20.

    Examples
    --------
    >>> curves = LightCurves(["a", "b"], [0, 0, 0], [], [], [], [], [], {"hostgal_photoz": [0.5, np.nan]})
    >>> columns = [NAMES.index(name) for name in ("specz_given", "photoz_given", "photoz_known")]
    >>> encode_context(curves)[:, columns]
    array([[0., 1., 1.],
           [0., 1., 0.]], dtype=float32)
    """
    context = light_curves.context
    result = np.zeros((len(light_curves), N_STATIC), dtype=np.float32)
    spectroscopic = "hostgal_specz" if context.keys() & {"hostgal_specz", "hostgal_photoz"} else "redshift"
    given = [name for name in (spectroscopic, "hostgal_photoz") if name in context]
    if given:
        unknown = np.full(len(light_curves), np.nan)
        redshift = np.array([context[name] for name in given])
        _check_redshift(light_curves, given, redshift)
        error = np.array([context.get(f"{name}_err", unknown) for name in given])
        for name, values in zip(given, _encode_redshift(redshift, error), strict=True):
            result[:, _COLUMNS["photoz" if name == "hostgal_photoz" else "specz"]] = values
    if any(name.startswith("hostgal_mag_") or name == "hostgal_snsep" for name in context):
        result[:, _COLUMNS["host"]] = _encode_host(light_curves)
    if "mwebv" in context:
        ebv = context["mwebv"]
        dust = result[:, _COLUMNS["dust"]]
        dust[:, 0], dust[:, 1] = 1, np.isfinite(ebv)
        dust[:, 2] = np.log1p(10 * np.minimum(np.fmax(ebv, 0), 10))
    return result


def drop(static: NDArray[np.float32], groups: NDArray[np.bool_]) -> NDArray[np.float32]:
    """Take groups of context from objects.

    Parameters
    ----------
    static : array, shape ``(n_objects, n_static)``
    groups : array of bool, shape ``(n_objects, n_groups)``
        True where a group, in the order of `GROUPS`, is taken away.
    """
    return np.where(groups[:, _GROUP_OF], np.float32(0), static)


def jitter(static: NDArray[np.float32], rng: np.random.Generator, amount: float = 1.0) -> NDArray[np.float32]:
    """Blur what no two surveys state alike: errors of redshifts, by .3 dex, and hosts.

    Magnitudes of a host are off by .3 mag together and .1 mag each, its mass by .2 dex, its distance by a tenth; all of
    this `amount` times. What is unknown stays unknown, and redshifts and dust stay as they are.
    """
    each = rng.standard_normal(static.shape, dtype=np.float32) * _EACH
    together = rng.standard_normal((len(static), 1), dtype=np.float32) * _TOGETHER
    return np.where(static != 0, static + np.float32(amount) * (each + together), static)


def best_redshift(static: NDArray[np.float32]) -> NDArray[np.floating]:
    """Read back whether a redshift is known, ln(1 + z) and the distance modulus / mag, shape ``(3, n_objects)``.

    The spectroscopic one goes before the photometric one; all 0 where none is known.
    """
    spectroscopic, photometric = static[:, _COLUMNS["specz"]], static[:, _COLUMNS["photoz"]]
    best = np.where(spectroscopic[:, 1:2] > 0, spectroscopic, photometric)
    return best.T[[1, 2, 4]] * _SCALES + best[:, 1] * _ZEROS


def _check_redshift(light_curves: LightCurves, columns: list[str], redshift: NDArray[np.float64]) -> None:
    wrong = (redshift < -0.1) | (redshift > _LARGEST_REDSHIFT)
    if wrong.any():
        column, first = np.unravel_index(np.argmax(wrong), wrong.shape)
        what, name = columns[column], str(light_curves.object_id[first])
        raise ValueError(f"context {what!r} is outside -0.1..20 for {wrong[column].sum()} objects, first {name!r}")


def _encode_redshift(redshift: NDArray[np.float64], error: NDArray[np.float64]) -> NDArray[np.float64]:
    """Encode redshifts of any shape; the features are the last axis, in the order of `_REDSHIFT`."""
    known = np.isfinite(redshift)
    values = np.where(known, redshift, 0)
    result = np.empty((*redshift.shape, len(_REDSHIFT)))
    result[..., 0], result[..., 1] = 1, known
    result[..., 2] = np.log1p(values)
    result[..., 3] = known * (np.log10(np.minimum(np.fmax(error, 1e-3), 10)) + 3) / 2
    result[..., 4] = known * (distance_modulus(values) - 40) / 5
    return result


def _encode_host(light_curves: LightCurves) -> NDArray[np.float64]:
    def column(name: str) -> NDArray[np.float64]:
        return light_curves.context.get(name, np.full(len(light_curves), np.nan))

    magnitudes = np.stack([column(f"hostgal_mag_{band}") for band in BANDS], axis=-1)
    separation = np.log1p(np.maximum(column("hostgal_snsep"), 0))
    known = np.isfinite(magnitudes).any(axis=1) | np.isfinite(separation)
    shape = [separation, column("hostgal_ellipticity"), (column("hostgal_logmass") - 10) / 2]
    values = np.concatenate([np.stack(shape, axis=-1), (np.clip(magnitudes, 10, 35) - 22) / 4], axis=-1)
    return np.concatenate([np.ones((known.size, 1)), known[:, None], np.nan_to_num(values)], axis=-1)
