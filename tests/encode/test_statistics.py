"""Statistics of light curves: segments, families, and what every feature must hold to."""

import numpy as np
import pytest

from telperion.bands import BANDS
from telperion.cosmology import distance_modulus
from telperion.encode.observations import Observations, magnitude
from telperion.encode.segments import Segments
from telperion.encode.statistics import ANY_PHASE, FAMILIES, statistics
from telperion.encode.view import keep_context, view
from telperion.lightcurves import LightCurves

CONTEXT = {"hostgal_specz": 0.2, "hostgal_photoz": 0.25, "hostgal_photoz_err": 0.05, "mwebv": 0.03, "ddf": 0.0}


def make(rng: np.random.Generator, lengths: list[int], context: bool = True) -> LightCurves:
    n, rows = len(lengths), sum(lengths)
    return LightCurves.from_rows(
        np.repeat(np.arange(n), lengths),
        60000 + rng.uniform(0, 100, rows),
        rng.integers(0, 6, rows),
        rng.normal(2000, 1000, rows),
        rng.uniform(50, 200, rows),
        rng.random(rows) < 0.5,
        objects=np.arange(n),
        context={name: np.full(n, value) for name, value in CONTEXT.items()} if context else {},
        dereddened=True,
    )


@pytest.fixture
def curves(rng: np.random.Generator) -> LightCurves:
    return make(rng, [1, 0, 2, 5, 40, 150])


def test_segments_agree_with_a_loop_over_the_groups(rng):
    key, values = rng.integers(0, 7, 50), rng.normal(size=50)
    groups = Segments(key, 8)
    for group in range(7):
        own = values[key == group]
        assert groups.sum(values)[group] == pytest.approx(own.sum())
        assert groups.mean(values)[group] == pytest.approx(own.mean())
        assert groups.max(values)[group] == own.max()
        assert groups.min(values)[group] == own.min()
        assert values[groups.argmax(values)[group]] == own.max()
        assert groups.first()[group] == np.flatnonzero(key == group)[0]
        assert groups.last()[group] == np.flatnonzero(key == group)[-1]
        np.testing.assert_allclose(groups.quantiles(values, (0.1, 0.5))[:, group], np.quantile(own, [0.1, 0.5]))
    assert np.isnan(groups.max(values)[7])
    assert groups.first()[7] == -1


def test_previous_is_the_row_before_in_the_same_group():
    assert Segments(np.array([0, 1, 0, 1, 1]), 2).previous().tolist() == [-1, -1, 0, 1, 3]


def test_every_object_has_a_row_of_features_be_it_without_observations(curves):
    table = statistics(curves)
    assert table.values.shape == (len(curves), len(table.names))
    assert table.values.dtype == np.float32
    assert len(set(table.names)) == len(table.names)


def test_no_feature_is_infinite(curves):
    assert not np.isinf(statistics(curves, tuple(FAMILIES)).values).any()


def test_an_object_without_rows_has_no_light_curve_features(curves):
    table = statistics(curves, [name for name in FAMILIES if name != "host"])
    counts = {name for name, value in zip(table.names, table.values[1], strict=True) if np.isfinite(value)}
    assert all(np.nan_to_num(table[name][1]) == 0 for name in counts)


def test_a_single_row_has_a_magnitude_and_no_scatter(rng):
    table = statistics(make(rng, [1]))
    assert np.isfinite(table["brightness.max_mag_all"][0])
    assert np.isnan(table["brightness.std_flux_all"][0])


def test_one_object_has_the_same_features_alone_and_in_a_batch(curves):
    together = statistics(curves, tuple(FAMILIES)).values
    alone = np.concatenate([statistics(curves[i], tuple(FAMILIES)).values for i in range(len(curves))])
    np.testing.assert_allclose(alone, together, rtol=1e-4, atol=1e-4)


def test_the_calendar_does_not_matter(curves):
    later = LightCurves.from_rows(
        curves.object_id[curves.object_index], curves.time + 512.0, curves.band, curves.flux, curves.flux_err,
        curves.detected, objects=curves.object_id, context=curves.context, dereddened=True,
    )  # fmt: skip
    found, expected = (statistics(each, tuple(FAMILIES)).values for each in (later, curves))
    np.testing.assert_allclose(found, expected, rtol=1e-3, atol=1e-3)


def test_the_position_in_the_sky_does_not_matter(curves, rng):
    placed = curves.with_context({**curves.context, "ra": rng.uniform(0, 360, 6), "decl": rng.uniform(-60, 0, 6)})
    found, expected = (statistics(each, tuple(FAMILIES)).values for each in (placed, curves))
    np.testing.assert_array_equal(found, expected)


def test_without_context_the_families_that_need_it_are_missing(curves):
    bare = keep_context(curves, "none")
    assert np.isnan(statistics(bare, ["host", "rest_shape"]).values).all()
    light = [name for name in ANY_PHASE if name not in ("host", "rest_shape")]
    np.testing.assert_array_equal(statistics(bare, light).values, statistics(curves, light).values)


def test_photometric_context_has_no_feature_of_the_spectroscopic_redshift(curves):
    table = statistics(keep_context(curves, "photoz"))
    spectroscopic = [name for name in table.names if "specz" in name or name == "host.z_difference"]
    assert spectroscopic
    assert all(np.isnan(table[name]).all() for name in spectroscopic)


def test_the_future_does_not_change_the_features_of_today(curves):
    today = view(curves, 20.0)
    fainter_later = LightCurves.from_rows(
        curves.object_id[curves.object_index], curves.time, curves.band,
        np.where(curves.days_since_first_detection <= 20.0, curves.flux, 0.0), curves.flux_err, curves.detected,
        objects=curves.object_id, context=curves.context, dereddened=True,
    )  # fmt: skip
    np.testing.assert_array_equal(statistics(view(fainter_later, 20.0)).values, statistics(today).values)


def test_dust_is_taken_out_before_anything_is_measured(rng):
    clean = make(rng, [30])
    factor = 10 ** (-0.4 * np.array([4.15, 3.24, 2.27, 1.68, 1.32, 1.09])[clean.band] * CONTEXT["mwebv"])
    dusty = LightCurves(
        clean.object_id, clean.offsets, clean.time, clean.band, clean.flux * factor, clean.flux_err * factor,
        clean.detected, clean.context,
    )  # fmt: skip
    np.testing.assert_allclose(statistics(dusty).values, statistics(clean).values, rtol=5e-3, atol=5e-3)


def test_unknown_families_are_named(curves):
    with pytest.raises(ValueError, match="families are unknown: colour;"):
        statistics(curves, ["colour"])


def test_magnitude_is_the_usual_one_at_high_signal_to_noise_and_finite_below_zero():
    assert magnitude(np.array([1e5]), np.array([1.0]))[0] == pytest.approx(31.4 - 12.5, abs=1e-6)
    assert np.isfinite(magnitude(np.array([-1e5]), np.array([1.0]))[0])


def test_distance_modulus_agrees_with_astropy():
    from astropy.cosmology import FlatLambdaCDM

    z = np.array([0.01, 0.1, 0.5, 1.5, 3.0])
    np.testing.assert_allclose(distance_modulus(z), FlatLambdaCDM(70, 0.315, Tcmb0=0).distmod(z).value, atol=2e-3)


def test_statistics_agree_with_the_light_curve_package(rng):
    light_curve = pytest.importorskip("light_curve")
    curve = make(rng, [60])
    rows = curve.band == 2
    time, flux, error = (x[rows].astype(np.float64) for x in (curve.time, curve.flux, curve.flux_err))
    single = curve.select_rows(rows)
    table = statistics(single, ["brightness"])
    n = len(time)
    theirs = light_curve.Extractor(
        light_curve.WeightedMean(), light_curve.ReducedChi2(), light_curve.StetsonK(), light_curve.Eta(),
        light_curve.StandardDeviation(),
    )(time, flux, error)  # fmt: skip
    assert np.sinh(table["brightness.mean_flux_r"][0]) * 100 == pytest.approx(theirs[0], rel=1e-3)
    assert 10 ** table["brightness.chi2_r"][0] == pytest.approx(theirs[1], rel=1e-3)
    assert table["brightness.stetson_k_r"][0] == pytest.approx(theirs[2], rel=1e-3)
    assert table["brightness.von_neumann_eta_r"][0] == pytest.approx(theirs[3], rel=1e-3)
    assert 10 ** table["brightness.std_flux_r"][0] == pytest.approx(theirs[4] * np.sqrt((n - 1) / n), rel=1e-3)


def test_colours_of_a_flat_spectrum_are_zero():
    n = len(BANDS)
    curve = LightCurves.from_rows(["a"] * n, 60000 + np.arange(n) / 100, range(n), [1e5] * n, [10.0] * n, [True] * n,
                                  dereddened=True)  # fmt: skip
    table = statistics(curve, ["colours"])
    for name in ("g_r_first", "r_i_peak", "z_y_max"):
        assert table[f"colours.{name}"][0] == pytest.approx(0, abs=1e-5)


def test_days_without_a_detection_count_from_the_first_row():
    curve = LightCurves.from_rows(
        ["a"] * 2, [5.0, 8.0], [1, 1], [1.0, 2.0], [1.0, 1.0], [False, False], dereddened=True
    )
    assert Observations(curve).days.tolist() == [0.0, 3.0]


@pytest.mark.filterwarnings("ignore")
def test_plasticc_supernovae_brighten_and_fade(lsst_data):
    telperion_plasticc = pytest.importorskip("telperion.formats.plasticc")
    curves = telperion_plasticc.read(lsst_data / "plasticc")
    supernovae = curves[np.flatnonzero(curves.label == "90")[:200]]
    table = statistics(view(supernovae, np.inf, "alert"))
    fall = table["rest_shape.fall_50_reference_specz"]
    assert 10 < np.nanmedian(fall) < 35
    assert -19.8 < np.nanmedian(table["rest_shape.absolute_B_specz"]) < -18.5
