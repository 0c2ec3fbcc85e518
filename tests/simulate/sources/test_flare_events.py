"""Flares of a library: its light, and drawing them where they can be seen."""

from dataclasses import replace

import numpy as np
import pytest
from scipy.stats import ks_2samp

from telperion.bands import NJY
from telperion.simulate.source import FIRST_PEAK, LAST_PEAK, Sky
from telperion.simulate.sources import flare_events
from telperion.simulate.sources.flare_events import FAINTEST, FlareEvents, library
from telperion.simulate.sources.flaring import wait
from telperion.simulate.survey import BY_VISIT


def dense(n, band, first, step, points):
    """A sky with visits in one band at times of their own for each object."""
    time = (first[:, None] + step[:, None] * np.arange(points)).ravel()
    return Sky(
        np.zeros(n), np.zeros(n), np.zeros(n), np.zeros(n, dtype=bool), points * np.arange(n + 1), time,
        np.full(time.size, band, dtype=np.int8), np.full(time.size, 24.0),
    )  # fmt: skip


def test_the_table_is_the_file(made_up_sources):
    table = library(made_up_sources["Mdwarf-events"].files.paths[0])
    assert table.flux.shape == (8, 13, 6)
    np.testing.assert_allclose(table.length, 0.02 * (5 + np.arange(8)), atol=1e-5)
    np.testing.assert_allclose(NJY - 2.5 * np.log10(table.quiet[3]), [22.6, 20.6, 19.2, 18.6, 18.2, 18.0], atol=1e-6)
    assert (table.flux[:, 0] == 0).all()
    assert (table.flux[0, 5:] == 0).all()
    grown = 10 ** (0.4 * 2.0 * np.exp(-2 / 3) * 1.5) - 1
    assert table.flux[0, 2, 0] == pytest.approx(grown * table.quiet[0, 0], rel=1e-3)


@pytest.mark.parametrize("kind", ["made_up_sources", "real_sources"])
def test_light_follows_the_table_and_ends_when_it_says(kind, request, make_sky):
    source = request.getfixturevalue(kind)["Mdwarf-events"]
    stars = source.draw(make_sky(200, seed=1), np.random.default_rng(1))
    table = stars.library
    step = stars.stretch * table.length[stars.which] / 200
    for band in (0, 2):
        light = stars.light(dense(200, band, stars.start - 10 * step, step, 230), np.random.default_rng(0))
        curve = light.difference.reshape(200, 230)
        factor = stars.bright * stars.strong
        assert (curve[:, :10] == 0).all()
        assert (curve[:, 211:] == 0).all()
        top = table.flux[stars.which, :, band].max(axis=1) * factor
        np.testing.assert_array_less(curve.max(axis=1), top * (1 + 1e-9))
        np.testing.assert_array_less(0.85 * top, curve.max(axis=1) + 1e-9)
        bright = curve > FAINTEST
        last = np.where(bright.any(axis=1), 229 - bright[:, ::-1].argmax(axis=1) - 10, 0) * step
        np.testing.assert_array_less(last, stars.lasting + 1e-9)


def test_they_are_drawn_near_visits_and_by_how_long_they_shine(real_sources, make_sky):
    """Flares that are seen are as if all were drawn alike and at any time, in brightness, length and season."""
    source = real_sources["Mdwarf-events"]
    assert source.label in BY_VISIT

    def seen(stars, sky):
        lit = np.flatnonzero(wait(sky, stars.start) <= stars.lasting)
        some = stars.take(lit)
        return np.stack([some.start, some.lasting, some.brightest()[:, 1], some.stretch])

    fast = []
    for seed in range(3):
        sky = make_sky(3000, seed=seed)
        fast.append(seen(source.draw(sky, np.random.default_rng(seed)), sky))
    plain = []
    table = library(source.files.paths[0])
    chosen = source.files.chosen
    for seed in range(12):
        rng, sky = np.random.default_rng([seed, 1]), make_sky(20_000, seed=seed)
        alike = type(table)(table.time, table.flux, table.quiet, np.ones_like(table.length))  # all as often
        stars = flare_events._events(rng, alike, chosen, 20_000)
        stars = replace(stars, library=table, start=rng.uniform(FIRST_PEAK, LAST_PEAK, 20_000))
        plain.append(seen(stars, sky))
    found, expected = np.concatenate(fast, axis=1), np.concatenate(plain, axis=1)
    assert min(found.shape[1], expected.shape[1]) > 500
    for name, one, other in zip(["start", "lasting", "brightest", "stretch"], found, expected, strict=True):
        assert ks_2samp(one, other).pvalue > 0.001, name


def test_a_library_without_template_rows_is_refused(made_up, tmp_path):
    path = tmp_path / "flares.TEXT"
    made_up.write_flares(path)
    path.write_text(path.read_text().replace("\nT: ", "\nS: ", 1))
    with pytest.raises(ValueError, match="1 events have no template row, first 0"):
        library(str(path))


def test_a_sky_without_objects_gives_no_flares(made_up_sources, make_sky):
    source: FlareEvents = made_up_sources["Mdwarf-events"]
    assert source.draw(make_sky(3).take(np.array([], dtype=int)), np.random.default_rng(0)).brightest().shape == (0, 6)
