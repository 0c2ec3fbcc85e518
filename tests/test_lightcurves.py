import re

import numpy as np
import pyarrow as pa
import pytest

from telperion.bands import EXTINCTION
from telperion.lightcurves import LightCurves


def table(**changes):
    """Two objects with three rows and one."""
    columns = {
        "object_id": ["a", "b"],
        "offsets": [0, 3, 4],
        "time": [1.0, 1.0, 3.0, 2.0],
        "band": [1, 2, 1, 5],
        "flux": [10.0, -3.0, 8.0, 1.0],
        "flux_err": [1.0, 1.0, 2.0, 0.5],
        "detected": [False, False, True, True],
        "context": {"mwebv": [0.1, 0.2]},
        "label": ["SNIa", ""],
    }
    return LightCurves(**(columns | changes))


def random_table(rng, n_objects=40):
    lengths = rng.integers(0, 30, n_objects)
    code = np.repeat(np.arange(n_objects), lengths)
    shuffled = rng.permutation(code.size)
    time = rng.uniform(60000, 61000, code.size)
    columns = (time, rng.integers(0, 6, code.size), rng.normal(0, 9, code.size), rng.uniform(1, 2, code.size))
    ids = np.array([f"object {i}" for i in range(n_objects)])
    return LightCurves.from_rows(
        ids[code][shuffled],
        *(column[shuffled] for column in columns),
        rng.random(code.size) < 0.3,
        objects=ids,
        context={"redshift": rng.uniform(0, 1, n_objects)},
        label=rng.choice(["SNIa", "KN", ""], n_objects),
    )


def same(first, second):
    names = ("object_id", "offsets", "time", "band", "flux", "flux_err", "detected")
    return (
        all(np.array_equal(getattr(first, n), getattr(second, n)) for n in names)
        and first.context.keys() == second.context.keys()
        and all(np.array_equal(first.context[n], second.context[n], equal_nan=True) for n in first.context)
        and np.array_equal(first.label, second.label)
        and first.dereddened == second.dereddened
    )


def test_rows_in_any_order_come_out_sorted_by_object_and_time(rng):
    curves = random_table(rng)
    assert (np.diff(curves.time)[np.diff(curves.object_index) == 0] >= 0).all()
    assert curves.lengths.sum() == curves.n_rows


def test_one_object_is_a_table_of_its_own_rows(rng):
    curves = random_table(rng)
    for i in range(len(curves)):
        one = curves[i]
        assert np.array_equal(one.time, curves.time[curves.offsets[i] : curves.offsets[i + 1]])
        assert one.context["redshift"] == curves.context["redshift"][i]


def test_objects_taken_apart_and_put_together_are_the_same(rng):
    curves = random_table(rng)
    assert same(LightCurves.concatenate([curves[i] for i in range(len(curves))]), curves)


def test_objects_can_be_selected_in_any_order_but_not_twice(rng):
    curves = random_table(rng)
    order = rng.permutation(len(curves))
    assert same(curves[order][np.argsort(order)], curves)
    with pytest.raises(ValueError, match="selected twice"):
        curves[[1, 1]]


def test_an_object_without_rows_is_kept():
    curves = LightCurves.from_rows(["b"], [1.0], [1], [1.0], [1.0], [True], objects=["a", "b", "c"])
    assert curves.lengths.tolist() == [0, 1, 0]
    assert curves[0].n_rows == 0


def test_first_detection_is_the_earliest_and_nan_without_one():
    curves = table(detected=[False, True, True, False])
    assert curves.first_detection[0] == 1.0
    assert np.isnan(curves.first_detection[1])
    assert curves.days_since_first_detection[:3].tolist() == [0.0, 0.0, 2.0]


def test_until_keeps_earlier_rows_and_takes_a_day_for_each_object():
    curves = table()
    assert curves.until([0.0, 5.0]).lengths.tolist() == [3, 1]
    assert curves.until([-1.0, -1.0]).lengths.tolist() == [2, 0]


def test_an_object_without_detection_has_rows_until_infinity_only():
    curves = table(detected=[False, False, True, False])
    assert curves.until(1000.0).lengths.tolist() == [3, 0]
    assert curves.until(np.inf).lengths.tolist() == [3, 1]


def test_between_takes_the_start_and_leaves_the_stop():
    assert table().between(1.0, 3.0).time.tolist() == [1.0, 1.0, 2.0]


def test_columns_cannot_be_written():
    curves = table()
    for values in (curves.flux, curves.object_id, curves.context["mwebv"], curves[0].time, curves.until(0).flux):
        with pytest.raises(ValueError, match="read-only"):
            values[0] = values[0]


def test_dereddening_brightens_by_the_extinction_of_the_band_and_keeps_the_signal_to_noise():
    curves = table()
    mended = curves.deredden()
    magnitudes = 2.5 * np.log10(mended.flux / curves.flux)
    assert magnitudes == pytest.approx(EXTINCTION[[1, 2, 1, 5]] * [0.1, 0.1, 0.1, 0.2], abs=1e-5)
    assert mended.flux / mended.flux_err == pytest.approx(curves.flux / curves.flux_err, rel=1e-5)


def test_dereddening_twice_is_refused():
    with pytest.raises(ValueError, match="dereddened already"):
        table().deredden().deredden()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"context": {"mwebv": [0.1, 100.0]}}, "dust, flux is not finite in 1 rows, first at object 'b' (its row 0)"),
        ({"context": {"mwebv": [0.1, 3.0]}, "flux": [1, 2, 3, 3e38]}, "dust, flux is not finite in 1 rows, first at"),
        ({"context": {"mwebv": [3.0, 0.1]}, "flux_err": [1, 1, 3e38, 1]}, "dust, flux_err is not a finite number"),
        ({"context": {"mwebv": [0.1, -9.0]}, "flux_err": [1, 1, 1, 1e-45]}, "dust, flux_err is not a finite number"),
    ],
)
@pytest.mark.filterwarnings("error")
def test_dust_behind_which_no_flux_is_a_number_is_refused(changes, message):
    with pytest.raises(ValueError, match=re.escape(f"corrected for {message}")):
        table(**changes).deredden()


def test_dust_that_is_thick_is_no_fault():
    assert np.isfinite(table(context={"mwebv": [0.1, 15.0]}).deredden().flux).all()


def test_dust_that_is_unknown_may_be_given_and_stays_unknown():
    curves = table(context={"mwebv": [0.1, np.nan]})
    mended, known = curves.deredden(unknown=0.3), table(context={"mwebv": [0.1, 0.3]}).deredden()
    np.testing.assert_array_equal(mended.flux, known.flux)
    np.testing.assert_array_equal(mended.context["mwebv"], [0.1, np.nan])
    np.testing.assert_array_equal(table(context={}).deredden(unknown=0.0).flux, curves.flux)


def test_another_context_is_held_against_the_rules():
    for values, message in (([0.1], "has shape"), ([0.1, np.inf], "infinite for 1 objects, first 'b'")):
        with pytest.raises(ValueError, match=message):
            table().with_context({"mwebv": values})
    with pytest.raises(ValueError, match="cannot be the name"):
        table().with_context({"flux": [1.0, 2.0]})
    with pytest.raises(ValueError, match="read-only"):
        table().with_context({"redshift": np.array([0.1, 0.2])}).context["redshift"][0] = 1


def test_dereddening_without_the_dust_is_refused():
    with pytest.raises(ValueError, match="mwebv is unknown for 1 objects, first 'b'"):
        table(context={"mwebv": [0.1, np.nan]}).deredden()


def test_arrow_gives_back_what_it_got(rng):
    curves = random_table(rng)
    for part in (curves, curves[5:9], curves[[]]):
        assert same(LightCurves.from_arrow(part.to_arrow()), part)


def test_arrow_lists_share_the_memory_of_the_rows(rng):
    curves = random_table(rng)
    column = curves.to_arrow()["flux"].chunk(0)
    assert np.shares_memory(column.values.to_numpy(), curves.flux)


def test_a_slice_of_an_arrow_table_is_read_right(rng):
    curves = random_table(rng)
    assert same(LightCurves.from_arrow(curves.to_arrow().slice(7, 11)), curves[7:18])


def test_a_foreign_arrow_table_is_refused():
    with pytest.raises(ValueError, match="not a Telperion table"):
        LightCurves.from_arrow(pa.table({"time": [1.0]}))


def test_concatenation_fills_missing_context_with_nan_and_refuses_mixed_dust():
    first, second = table()[0], table(context={"redshift": [0.1, 0.2]})[1]
    both = LightCurves.concatenate([first, second])
    assert np.isnan(both.context["redshift"]).tolist() == [True, False]
    with pytest.raises(ValueError, match="some of the parts are dereddened"):
        LightCurves.concatenate([first.deredden(), second])
    with pytest.raises(ValueError, match="empty"):
        LightCurves.concatenate([])


def test_an_object_in_two_parts_is_refused():
    with pytest.raises(ValueError, match="not unique for 1 objects, first 'a'"):
        LightCurves.concatenate([table()[0], table()])


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"object_id": ["a", "a"]}, "not unique for 1 objects, first 'a'"),
        ({"offsets": [0, 4, 3]}, "offsets must rise"),
        ({"offsets": [0, 4]}, "offsets have shape"),
        ({"time": [1.0, 1.0, np.nan, 2.0]}, "time is not finite in 1 rows, first at object 'a' \\(its row 2\\)"),
        ({"time": [1.0, 1.0, 0.5, 2.0]}, "time goes back in 1 rows, first at object 'a' \\(its row 2\\)"),
        ({"band": [1, 1, 1, 5]}, "time and band repeat the row before in 1 rows, first at object 'a'"),
        ({"band": [2, 1, 1, 5]}, "not in the order of their bands in 1 rows"),
        ({"band": [1, 2, 1, 6]}, "band is not a position in 'ugrizy' in 1 rows, first at object 'b'"),
        ({"band": [1.5, 2, 1, 5]}, "band must be small integers"),
        ({"band": [1, 2, 1, 300]}, "band must be small integers"),
        ({"flux": [np.inf, -3.0, np.nan, 1.0]}, "flux is not finite in 2 rows, first at object 'a'"),
        ({"flux_err": [1.0, 0.0, 2.0, -0.5]}, "above zero in 2 rows, first at object 'a' \\(its row 1\\)"),
        ({"flux": [1.0, 2.0]}, "flux has shape \\(2,\\), expected \\(4,\\)"),
        ({"label": ["SNIa"]}, "label has shape"),
        ({"context": {"mwebv": [0.1]}}, "context 'mwebv' has shape"),
        ({"context": {"mwebv": [0.1, np.inf]}}, "context 'mwebv' is infinite for 1 objects, first 'b'"),
        ({"context": {"flux": [0.1, 0.2]}}, "cannot be the name of a context column"),
    ],
)
def test_a_broken_rule_is_named_with_its_place(changes, message):
    with pytest.raises(ValueError, match=message):
        table(**changes)


def test_a_row_of_an_unlisted_object_is_refused():
    with pytest.raises(ValueError, match="1 rows belong to no listed object, first 'z'"):
        LightCurves.from_rows(["a", "z"], [1, 2], [1, 1], [1, 1], [1, 1], [1, 1], objects=["a", "b"])


def test_fifty_thousand_observations_of_one_object_are_fine(rng):
    n = 50_000
    curves = LightCurves.from_rows(
        np.zeros(n, int), np.sort(rng.uniform(6e4, 7e4, n)), np.ones(n, int), rng.normal(size=n), np.ones(n), np.ones(n)
    )
    assert len(curves) == 1
    assert curves.n_rows == n
