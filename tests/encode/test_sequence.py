"""The rows and static values that recurrent networks read: causal, steppable, finite."""

from dataclasses import replace
from functools import partial

import numpy as np
import pytest

from telperion.bands import FLUXCAL, WAVELENGTH, to_njy
from telperion.encode import context, oracle, sequence
from telperion.encode.padding import Padding
from telperion.encode.truncate import draw_shares, perturb
from telperion.encode.view import keep_context
from telperion.lightcurves import LightCurves


def by_loops(*args, **settings):
    """Encode rows by the compiled loops."""
    pytest.importorskip("numba", reason="the compiled loops need numba")
    assert sequence.compile_loops()
    try:
        return sequence.encode_rows(*args, **settings)
    finally:
        sequence._loops = None


@pytest.fixture(autouse=True)
def without_loops(monkeypatch):
    monkeypatch.setattr(sequence, "_loops", None)


ENCODINGS = {
    "telperion": (context.encode_context, sequence.encode_rows, sequence.start),
    "rhythm": (
        context.encode_context,
        partial(sequence.encode_rows, rhythm=True),
        partial(sequence.start, rhythm=True),
    ),
    "telperion by loops": (context.encode_context, by_loops, sequence.start),
    "rhythm by loops": (context.encode_context, partial(by_loops, rhythm=True), partial(sequence.start, rhythm=True)),
    "oracle": (oracle.encode_static, oracle.encode_rows, oracle.start),
}


def make_curves(rng, lengths):
    """Make noisy bumps with the given numbers of rows; some redshifts are unknown."""
    n, rows = len(lengths), int(np.sum(lengths))
    time = rng.uniform(60000, 60200, rows)
    flux = 3000 * np.exp(-((time - 60100) ** 2) / 800) * rng.lognormal(size=rows) + rng.normal(0, 80, rows)
    redshift = np.where(rng.random(n) < 0.3, np.nan, rng.uniform(0.01, 1.5, n))
    return LightCurves.from_rows(
        np.repeat(np.arange(n), lengths), time, rng.integers(0, 6, rows), flux, rng.uniform(30, 120, rows), flux > 500,
        objects=np.arange(n), dereddened=True,
        context={"hostgal_specz": redshift, "hostgal_photoz": redshift * 1.1, "mwebv": rng.uniform(0, 0.3, n)},
    )  # fmt: skip


@pytest.fixture
def curves(rng):
    return make_curves(rng, [40, 0, 1, 17, 5])


def encode(name, curves, memory=None):
    static, rows, start = ENCODINGS[name]
    return rows(curves, static(curves), start(len(curves)) if memory is None else memory)


def first_rows(curves, count):
    return curves.select_rows(np.arange(curves.n_rows) - curves.offsets[curves.object_index] < count)


def later_rows(curves, count):
    return curves.select_rows(np.arange(curves.n_rows) - curves.offsets[curves.object_index] >= count)


@pytest.mark.parametrize("name", ENCODINGS)
@pytest.mark.parametrize("count", [0, 1, 3, 20])
def test_future_observations_do_not_change_past_rows(name, curves, count):
    whole, _, _ = encode(name, curves)
    part, lengths, _ = encode(name, first_rows(curves, count))
    for own, short, length in zip(whole, part, lengths, strict=True):
        np.testing.assert_array_equal(own[:length], short[:length])


@pytest.mark.parametrize("name", ENCODINGS)
@pytest.mark.parametrize("count", [0, 1, 3, 20, 40])
def test_going_on_from_memory_equals_starting_over(name, curves, count):
    whole, lengths, memory = encode(name, curves)
    _, seen, middle = encode(name, first_rows(curves, count))
    rest, more, end = encode(name, later_rows(curves, count), middle)
    np.testing.assert_array_equal(seen + more, lengths)
    np.testing.assert_allclose(end, memory, rtol=1e-12)
    for own, late, old, length in zip(whole, rest, seen, lengths, strict=True):
        np.testing.assert_allclose(late[: length - old], own[old:length], atol=2e-5)


@pytest.mark.parametrize("name", ENCODINGS)
def test_rows_are_finite_and_zero_in_the_padding(name, curves):
    rows, lengths, _ = encode(name, curves)
    assert np.isfinite(rows).all()
    assert rows.dtype == np.float32
    for own, length in zip(rows, lengths, strict=True):
        assert not own[length:].any()


@pytest.mark.parametrize("name", ENCODINGS)
def test_an_object_encodes_alone_as_in_company(name, curves):
    together, lengths, _ = encode(name, curves)
    for index in range(len(curves)):
        alone, _, _ = encode(name, curves[index])
        np.testing.assert_array_equal(alone[0], together[index, : lengths[index]])


def test_time_since_first_detection_is_zero_before_it(curves):
    rows, lengths, _ = encode("telperion", curves)
    since = rows[:, :, sequence.NAMES.index("log_days:since_first_detection")]
    before = rows[:, :, sequence.NAMES.index("flag:detected_before")] == 0
    assert (since >= 0).all()
    assert not since[before].any()
    first = curves.first_detection
    days = np.fmax(curves.time - first[curves.object_index], 0)
    np.testing.assert_allclose(since[Padding(lengths).mask], np.log1p(days) / 3, atol=1e-5)


@pytest.mark.parametrize("name", ENCODINGS)
def test_rows_do_not_tell_the_date(name, curves):
    later = replace(curves, time=curves.time + 10_000)
    np.testing.assert_allclose(encode(name, later)[0], encode(name, curves)[0], atol=1e-6)


def test_what_was_not_seen_yet_is_zero():
    curves = LightCurves(["a"], [0, 1], [60000.0], [2], [900.0], [50.0], [False], dereddened=True)
    row = dict(zip(sequence.NAMES, encode("telperion", curves)[0][0, 0], strict=True))
    of_other_bands = [value for name, value in row.items() if name[-2:] in ("_u", "_g", "_i", "_z", "_y")]
    assert len(of_other_bands) == 5 * 11
    assert not any(of_other_bands)
    assert not any(
        row[f"log_days:since_{what}"] for what in ("row", "row_of_band", "first_detection", "last_detection")
    )
    assert row["asinh_snr:change"] == 0


def test_running_statistics_equal_a_slow_loop(rng):
    curves = make_curves(rng, [25])
    rows, _, _ = encode("telperion", curves)
    for row in range(25):
        for band, name in enumerate("ugrizy"):
            mine = np.flatnonzero(curves.band[: row + 1] == band)
            flux, error = curves.flux[mine].astype(float), curves.flux_err[mine].astype(float)
            expected = [0.0, 0.0, 0.0, 0.0]
            if mine.size:
                mean = np.average(flux, weights=error**-2)
                scatter = (((flux - mean) / error) ** 2).sum() / max(mine.size - 1, 1)
                highest, deepest = max((flux - error).max(), 0), max((-flux - error).max(), 0)
                expected = [*(np.arcsinh(np.array([highest, deepest, mean]) / 100) / 4), np.log1p(scatter) / 3]
            columns = ("asinh_flux:highest", "asinh_flux:deepest", "asinh_flux:mean", "log_count:scatter")
            found = [rows[0, row, sequence.NAMES.index(f"{column}_{name}")] for column in columns]
            np.testing.assert_allclose(found, expected, atol=2e-5)


def test_extreme_fluxes_stay_finite():
    flux = np.array([1e9, -1e9, 1e-3, 0.0, 3e7])
    for error in (1e-4, 1e6):
        curves = LightCurves(
            ["a"], [0, 5], np.arange(5.0), [0, 0, 1, 1, 0], flux, [error] * 5, [True] * 5, dereddened=True
        )
        rows, _, _ = encode("telperion", curves)
        assert np.abs(rows).max() < 25


ENDS = (3e38, -3e38, 1e19, 1e-45)


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("flux", ENDS)
@pytest.mark.parametrize("error", [3e38, 1e19, 1e-30, 1e-45])
def test_numbers_at_the_ends_of_single_precision_are_encoded_finitely_and_alike_by_both_ways(flux, error):
    fluxes, errors = [100, flux, flux, 100, *ENDS], [10, error, error, 1e-45, *np.abs(ENDS)]
    curves = LightCurves(
        ["a"],
        [0, 8],
        np.arange(60_000.0, 60_008),
        [2, 2, 1, 2, 1, 1, 2, 2],
        fluxes,
        errors,
        [True] * 8,
        dereddened=True,
    )
    (slow, _, memory), (fast, _, remembered) = encode("rhythm", curves), encode("rhythm by loops", curves)
    assert np.isfinite(slow).all()
    np.testing.assert_allclose(fast, slow, rtol=1e-5, atol=2e-5)
    np.testing.assert_allclose(remembered, memory, rtol=1e-5, atol=1e-6)


def test_fluxes_must_be_dereddened(curves):
    with pytest.raises(ValueError, match="not dereddened"):
        encode("telperion", replace(curves, dereddened=False))


def test_oracle_rows_are_the_five_columns_of_the_paper():
    factor = to_njy(FLUXCAL)
    curves = LightCurves(
        ["a"], [0, 2], [60000, 60050], [1, 5], [200 * factor, -50 * factor], [factor] * 2, [True, False]
    )
    rows, _, _ = encode("oracle", curves)
    np.testing.assert_allclose(rows[0], [[0, 1, 0.2, 0.001, WAVELENGTH[1]], [0.5, 0, -0.05, 0.001, 1.015]], rtol=1e-6)


def test_oracle_keeps_the_last_500_rows_and_the_first_time(rng):
    curves = make_curves(rng, [620, 3])
    rows, lengths, _ = encode("oracle", curves)
    assert rows.shape == (2, 500, 5)
    np.testing.assert_array_equal(lengths, [500, 3])
    np.testing.assert_allclose(rows[0, 0, 0], (curves.time[120] - curves.time[0]) / 100, rtol=1e-6)


def test_oracle_static_values_are_minus_nine_where_missing(curves):
    static = oracle.encode_static(keep_context(curves, "none"))
    assert static.shape == (5, 23)
    assert (static == -9).all()


def test_oracle_never_sees_the_position():
    names = ("hostgal_ra", "hostgal_dec", "ra", "decl")
    curves = LightCurves(["a"], [0, 0], [], [], [], [], [], dict(zip(names, [[53.1], [-28.0]] * 2, strict=True)))
    static = oracle.encode_static(curves)[0]
    assert set(static[:18]) == {-9}
    np.testing.assert_array_equal(static[18:], [0, 0, 0, 1, 0])  # in the Chandra field, out of the plane


def test_a_table_without_columns_is_one_with_dropped_groups(curves):
    whole = context.encode_context(curves)
    lost = {"photoz": [True, False, False, False], "none": [True] * 4}
    for which, groups in lost.items():
        bare = context.encode_context(keep_context(curves, which))
        np.testing.assert_array_equal(context.drop(whole, np.tile(groups, (len(curves), 1))), bare)


def test_context_out_of_range_is_refused(curves):
    wrong = curves.with_context({"hostgal_photoz": np.array([0.1, 30, -5, 0.2, np.nan])})
    with pytest.raises(ValueError, match=r"'hostgal_photoz' is outside -0.1..20 for 2 objects, first '1'"):
        context.encode_context(wrong)


def test_drawn_shares_keep_a_tenth_to_all_of_the_rows(rng):
    curves = make_curves(rng, np.full(400, 100))
    cut, places = draw_shares(curves, rng)
    np.testing.assert_array_equal(places[:, 0], cut.lengths - 1)
    assert cut.lengths.min() in (10, 11, 12)
    assert cut.lengths.max() in (97, 98, 99)
    assert cut.lengths.mean() == pytest.approx(55, abs=4)


def test_perturbed_curves_keep_their_objects_and_detections(rng, curves):
    changed = perturb(curves, rng, noise=0.5, row_dropout=0.9)
    np.testing.assert_array_equal(changed.object_id, curves.object_id)
    np.testing.assert_array_equal(np.isnan(changed.first_detection), np.isnan(curves.first_detection))
    assert changed.n_rows < curves.n_rows
