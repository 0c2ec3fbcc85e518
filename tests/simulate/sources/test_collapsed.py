"""Core-collapse supernovae by templates: their peaks, colours and plateaus are plausible, and none is like another."""

import numpy as np
import pytest

from telperion.bands import NJY
from telperion.simulate.grid import kept
from telperion.simulate.literature import magnitudes_in, peaks_in
from telperion.simulate.source import TEN_PARSEC_NJY
from telperion.simulate.sources.collapsed import FAMILIES, gridded, plateaus

KNOWN = {  # peak in V (Vega), from the papers on each
    "V19_SN1998bw": -19.35, "V19_SN2009N": -15.3, "V19_SN2007Y": -16.5, "V19_SN2005bf": -18.5, "V19_SN2010al": -18.9,
    "V19_SN2009kr": -16.9, "V19_SN2013ge": -17.3, "V19_SN2012ap": -18.7,
}  # fmt: skip


def grid_of(source):
    return kept(source.files.digest, source.files.paths, gridded)


def test_every_file_belongs_to_one_family():
    members = [member for family in FAMILIES.values() for member in family.members]
    assert len(set(members)) == len(members) == 32 + 2 + 18  # K10, IIn of K10, V19
    for name, family in FAMILIES.items():
        assert family.label in ("SNII", "SNIb/c"), name
    for group in {family.group for family in FAMILIES.values()}:
        assert len({family.rate for family in FAMILIES.values() if family.group == group}) == 1


def test_peaks_are_those_of_the_papers(real_sources):
    found = {}
    for name in FAMILIES:
        source = real_sources[name]
        peaks = magnitudes_in(grid_of(source), 0.545, 0.036).min(axis=1) - 0.02
        found |= dict(zip((one.removesuffix("_HostExtCorr") for one in source.files.templates), peaks, strict=True))
    assert all(-20 < peak < -14.5 for peak in found.values())
    for name, expected in KNOWN.items():
        assert found[name] == pytest.approx(expected, abs=0.6), name


def test_types_look_like_themselves(real_sources):
    """Plateaus last, stripped envelopes fade, and those with much hydrogen are bluer at their peaks."""
    fading, colour = {}, {}
    for name in FAMILIES:
        grid = grid_of(real_sources[name])
        blue, visual = magnitudes_in(grid, 0.437, 0.037), magnitudes_in(grid, 0.545, 0.036)
        peak, row = visual.argmin(axis=1), np.arange(len(visual))
        fading[name] = visual[row, peak + 30] - visual[row, peak]
        colour[name] = blue[row, peak] - visual[row, peak]
    assert np.median(fading["SNII-K10"]) < 0.7
    assert plateaus(grid_of(real_sources["SNII-K10"])).mean() > 0.6
    for name in ("SNIb-K10", "SNIb-V19", "SNIc-K10", "SNIc-V19", "SNIcBL-V19"):
        assert np.median(fading[name]) > 1.0, name
        assert np.median(colour[name]) > np.median(colour["SNII-K10"]), name


@pytest.mark.parametrize("kind", ["made_up_sources", "real_sources"])
def test_luminosities_are_those_asked_for(kind, request, make_sky):
    sources, sky = request.getfixturevalue(kind), make_sky(1500)
    for name, family in FAMILIES.items():
        source = sources[name]
        drawn = source.draw(sky, np.random.default_rng(3))
        which = drawn.parameters["template"].astype(int)
        assert set(which) == set(source.files.chosen)
        peak = -2.5 * np.log10(drawn.parameters["scale"] * TEN_PARSEC_NJY)
        if family.mean is not None:
            peak += peaks_in(grid_of(source), family.mean[0])[which]
        assert peak.mean() == pytest.approx(family.mean[1] if family.mean else family.fainter, abs=0.15), name
        assert peak.std() == pytest.approx(family.scatter, abs=0.1), name


def test_no_two_supernovae_of_a_template_are_alike(made_up_sources, make_sky):
    drawn = made_up_sources["SNIIb-V19"].draw(make_sky(300), np.random.default_rng(1))
    assert len(np.unique(drawn.parameters["template"])) == 1
    assert drawn.parameters["stretch"].min() >= 0.8
    assert drawn.parameters["stretch"].max() <= 1.25
    given = {name: values[:, None] for name, values in drawn.parameters.items()}
    light = drawn.spectrum(given, np.full((300, 1), 30.0), np.tile([0.44, 0.62, 0.9], (300, 1)))
    magnitude = NJY - 2.5 * np.log10(light * TEN_PARSEC_NJY)
    assert 0.05 < np.std(magnitude[:, 0] - magnitude[:, 1]) < 0.4
    assert 0.05 < np.std(magnitude[:, 1] - magnitude[:, 2]) < 0.4
    assert np.std(magnitude[:, 1]) > 0.8


def test_plateaus_come_to_an_end(real_sources, make_sky):
    drawn = real_sources["SNII-K10"].draw(make_sky(300), np.random.default_rng(1))
    given = {name: values[:, None] for name, values in drawn.parameters.items()}
    length = np.full((300, 1), 0.62)
    light = [drawn.spectrum(given, np.full((300, 1), day), length)[:, 0] for day in (10.0, 60.0, 140.0)]
    held = drawn.parameters["drop"] > 0
    assert 0.5 < held.mean() < 1
    fading = [2.5 * np.log10(light[k] / light[k + 1])[held] for k in (0, 1)]
    assert np.median(fading[0]) < 1.2
    assert np.percentile(fading[1], 10) > 1.0
