"""What is known of objects beside their light curves, encoded inside a graph: `telperion.encode.context`."""

from __future__ import annotations

import numpy as np

from telperion import cosmology
from telperion.bands import BANDS
from telperion.encode import context
from telperion.export.operators import DOUBLE, FLOAT, INT64, Graph, Value
from telperion.export.row import Redshift

_REDSHIFT = ("hostgal_specz", "hostgal_specz_err", "hostgal_photoz", "hostgal_photoz_err")
_SHAPE = ("hostgal_snsep", "hostgal_ellipticity", "hostgal_logmass")
COLUMNS = (*_REDSHIFT, *_SHAPE, *(f"hostgal_mag_{band}" for band in BANDS), "mwebv")
"""The columns of the input ``context``, NaN where unknown."""

UNITS = ("", "", "", "", "arcsec", "", "log10(solar masses)", *["mag (AB)"] * len(BANDS), "mag")

_LEAST, _LARGEST, _KNOTS = 1e-4, 20.0, 4000


def encode_surroundings(graph: Graph, columns: Value, given: Value) -> Value:
    """Encode the context.

    Parameters
    ----------
    graph : Graph
        To which operators are added.
    columns : Value of float64, shape ``(n, n_columns)``
        In the order of `COLUMNS`.
    given : Value of bool, shape ``(n, n_groups)``
        In the order of `telperion.encode.context.GROUPS`: whether anybody looked.

    Returns
    -------
    Value of float32, shape ``(n, n_static)``
    """
    z_spec, error_spec, z_photo, error_photo, *shape, magnitudes, ebv = columns.split([1] * 7 + [len(BANDS), 1])
    parts = [
        _redshift(graph, z_spec, error_spec),
        _redshift(graph, z_photo, error_photo),
        _host(graph, shape, magnitudes),
        _dust(graph, ebv),
    ]
    groups = given.cast(DOUBLE).split([1] * len(context.GROUPS))
    return graph.concatenate(
        [part for known, values in zip(groups, parts, strict=True) for part in (known, known * values)]
    ).cast(FLOAT)


def best_redshift(graph: Graph, static: Value) -> Redshift:
    """Read back the redshift that counts, as `telperion.encode.context.best_redshift` does."""
    place = [[context.NAMES.index(f"{group}_{name}") for name in ("known", "log1p_z", "modulus")]
             for group in ("specz", "photoz")]  # fmt: skip
    spectroscopic, photometric = (static.columns(columns).cast(DOUBLE) for columns in place)
    best = graph.where(spectroscopic.columns([0]) > 0.0, spectroscopic, photometric)
    known, stretch, modulus = best.split([1, 1, 1])
    return Redshift(known, stretch, modulus * 5.0 + known * 40.0)


def _known(value: Value) -> Value:
    return (~value.missing()).cast(DOUBLE)


def _redshift(graph: Graph, z: Value, error: Value) -> Value:
    known, values = _known(z), z.filled()
    log_error = error.filled().above(1e-3).below(10.0).log() / np.log(10)
    modulus = _modulus(graph, values)
    return graph.concatenate([known, values.log1p(), known * (log_error + 3.0) / 2.0, known * (modulus - 40.0) / 5.0])


def _modulus(graph: Graph, z: Value) -> Value:
    """Interpolate in the table of distance moduli, whose knots are even in the logarithm."""
    knots = np.geomspace(_LEAST, _LARGEST, _KNOTS)
    table = cosmology.distance_modulus(knots)
    inside = z.above(_LEAST).below(_LARGEST)
    place = graph.add("Floor", (inside / _LEAST).log() / (np.log(_LARGEST / _LEAST) / (_KNOTS - 1)))
    place = place.above(0.0).below(_KNOTS - 2.0).cast(INT64)
    low, base, slope = (
        graph.add("Gather", values, place, axis=0)
        for values in (knots[:-1], table[:-1], np.diff(table) / np.diff(knots))
    )
    return base + (inside - low) * slope


def _host(graph: Graph, shape: list[Value], magnitudes: Value) -> Value:
    snsep, ellipticity, logmass = shape
    separation = graph.where(snsep.missing(), np.nan, snsep.filled().above(0.0).log1p())
    some = graph.concatenate([_known(magnitudes), _known(separation)])
    known = graph.add("ReduceMax", some, axes=[1], keepdims=1)
    scaled = (magnitudes.filled(22.0).above(10.0).below(35.0) - 22.0) / 4.0
    return graph.concatenate(
        [known, separation.filled(), ellipticity.filled(), (logmass.filled(10.0) - 10.0) / 2.0, scaled]
    )


def _dust(graph: Graph, ebv: Value) -> Value:
    return graph.concatenate([_known(ebv), (ebv.filled().above(0.0).below(10.0) * 10.0).log1p()])
