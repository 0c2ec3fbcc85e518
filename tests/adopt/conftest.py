"""Drawn light curves as live alerts tell them, and the same as records with Rubin's names."""

from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
import pytest

from telperion.bands import BANDS
from telperion.classifier import Classifier, load
from telperion.encode.view import keep_context, view
from telperion.lightcurves import LightCurves
from telperion.simulate.drawn import draw


class Held(NamedTuple):
    """What a broker holds of some objects."""

    object_id: list[str]
    sources: list[list[dict[str, Any]]]
    forced: list[list[dict[str, Any]]]


def records(curves: LightCurves, detected: bool, first_id: int) -> list[list[dict[str, Any]]]:
    """Give detections, or the other rows, as records of each object."""
    kind = "diaSourceId" if detected else "diaForcedSourceId"
    rows = zip(curves.time.tolist(), curves.band.tolist(), curves.flux.tolist(), curves.flux_err.tolist(), strict=True)
    columns = ("midpointMjdTai", "band", "psfFlux", "psfFluxErr")
    made = [
        {kind: first_id + k, "visit": 100 * k + detected, "detector": 7, "reliability": 0.9}
        | dict(zip(columns, (time, BANDS[band], flux, error), strict=True))
        for k, (time, band, flux, error) in enumerate(rows)
    ]
    mask, ends = curves.detected == detected, curves.offsets
    return [[made[row] for row in range(start, end) if mask[row]] for start, end in pairwise(ends)]


def hold(curves: LightCurves) -> Held:
    return Held(curves.object_id.tolist(), records(curves, True, 2**60 + 1), records(curves, False, 2**61 + 1))


@pytest.fixture(scope="session")
def sky() -> LightCurves:
    """What alerts know twelve days after the first detection, without a host or E(B-V)."""
    curves = view(keep_context(draw(n_per_class=1, seed=5), "none"), 12.0, "alert")
    return LightCurves(
        np.char.add("17003288778807", np.arange(len(curves)).astype(str)), curves.offsets, curves.time, curves.band,
        curves.flux, curves.flux_err, curves.detected, dereddened=True,
    )  # fmt: skip


@pytest.fixture
def held(sky) -> Held:
    return hold(sky)


@pytest.fixture(scope="session")
def elasticc() -> Classifier:
    return load("elasticc")
