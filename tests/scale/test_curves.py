import numpy as np
import pyarrow as pa
import pytest
from tests.scale.made_up import FORCED, ROW, forced, row, rubin

from telperion.adopt.histories import of_records
from telperion.lightcurves import LightCurves
from telperion.scale.columns import understand
from telperion.scale.curves import to_curves, without_dust


def assert_same(one: LightCurves, other: LightCurves) -> None:
    for name in ("object_id", "offsets", "time", "band", "flux", "flux_err", "detected"):
        np.testing.assert_array_equal(getattr(one, name), getattr(other, name))


def taken(table: pa.Table, **settings):
    return to_curves(table, understand(table.schema, **settings))


def as_lists(table: pa.Table, column: str) -> pa.Table:
    """Give a list of structs as a struct of lists, as nested-pandas writes it."""
    lists = table.column(column).combine_chunks()
    lists = lists.chunk(0) if isinstance(lists, pa.ChunkedArray) else lists
    flat = lists.flatten()
    fields = [pa.ListArray.from_arrays(lists.offsets, flat.field(k)) for k in range(flat.type.num_fields)]
    made = pa.StructArray.from_arrays(fields, names=[field.name for field in flat.type])
    return table.set_column(table.column_names.index(column), column, made)


SOURCES = [[row(61003.2, band="g"), row(61000.1)], [], [row(61001.0, None), row(61002.0, band="q")]]
LATER = [[forced(61001.0), forced(61003.2, band="g")], None, [forced(61004.0, psfDiffFlux_flag=True)]]


@pytest.mark.parametrize("nest", [lambda table, _: table, as_lists])
def test_rows_are_sorted_and_what_is_of_no_use_is_counted(nest):
    table = rubin(SOURCES, LATER)
    table = nest(table, "diaSource")
    curves, mended = taken(table)
    assert curves.object_id.tolist() == ["100000000000000000", "100000000000000001", "100000000000000002"]
    assert curves.lengths.tolist() == [3, 0, 0]
    assert curves.time.tolist() == [61000.1, 61001.0, 61003.2]
    assert curves.detected.tolist() == [True, False, True]
    assert curves.flux.tolist() == [900.0, 100.0, 900.0]
    assert mended == {"no flux": 1, "no band": 1, "flagged": 1, "beside a source": 1}


def test_the_same_rows_as_brokers_send_them_make_the_same_light_curves(rng):
    """A second opinion from the adapters' own way from records to rows."""
    times = 61000 + np.sort(rng.uniform(0, 90, (20, 12)), axis=1)
    sources = [
        [row(float(t), float(rng.normal(500, 300)), str(rng.choice(list("ugrizy"))), visit=k, detector=1)
         for k, t in enumerate(some[: rng.integers(0, 12)])]
        for some in times
    ]  # fmt: skip
    later = [
        [forced(float(t), float(rng.normal(0, 300)), str(rng.choice(list("ugrizy"))), visit=k, detector=1)
         for k, t in enumerate(some)]
        for some in times
    ]  # fmt: skip
    curves, _ = taken(rubin(sources, later))
    as_sent = [[item | {"psfFlux": item["psfDiffFlux"]} for item in some] for some in later]
    sent = of_records([str(10**17 + k) for k in range(20)], sources, as_sent).alerts.as_observed(by_object=False)
    for name in ("offsets", "time", "band", "flux", "flux_err", "detected"):
        np.testing.assert_array_equal(getattr(curves, name), getattr(sent, name))


def test_slices_of_a_table_are_the_same_as_the_table():
    table = rubin(SOURCES, LATER)
    table = as_lists(table, "diaSource")
    whole, _ = taken(table)
    assert_same(taken(table.slice(1))[0], whole[1:])


def test_our_own_light_curves_come_back_exactly(curves):
    back, mended = to_curves(curves.to_arrow(), understand(curves.to_arrow().schema))
    assert_same(back, curves)
    assert not mended
    np.testing.assert_array_equal(back.context["hostgal_photoz"], curves.context["hostgal_photoz"])


def test_no_object_is_no_light_curve():
    table = rubin([[row(1.0)]]).slice(0, 0)
    assert len(taken(table)[0]) == 0


def test_bands_may_be_numbers_and_dictionaries():
    kind = pa.struct([field.with_type(pa.int32()) if field.name == "band" else field for field in ROW])
    rows = [[row(61000.0, band=2), row(61001.0, band=9), row(61002.0, band=None)]]
    table = rubin([[]]).set_column(3, "diaSource", pa.array(rows, pa.list_(kind)))
    assert taken(table)[0].band.tolist() == [2]
    packed = as_lists(rubin([[row(61000.0, band="Y"), row(61001.0, band="u")]]), "diaSource")
    lists = packed.column("diaSource").chunk(0)
    fields = {field.name: lists.field(field.name) for field in lists.type}
    fields["band"] = pa.ListArray.from_arrays(fields["band"].offsets, fields["band"].values.dictionary_encode())
    column = pa.StructArray.from_arrays(list(fields.values()), names=list(fields))
    assert taken(packed.set_column(3, "diaSource", column))[0].band.tolist() == [5, 0]


def test_detections_are_told_by_brightness_where_no_column_says_so():
    table = pa.table({"objectId": [1], "ra": [1.0], "dec": [1.0], "lc": pa.array(
        [[forced(61000.0, 100.0), forced(61001.0, 300.0), forced(61002.0, -300.0)]], pa.list_(FORCED))})  # fmt: skip
    curves, _ = taken(table, detected_above=5.0)
    assert curves.detected.tolist() == [False, True, False]


def test_an_object_twice_or_without_an_id_is_refused():
    with pytest.raises(ValueError, match="not unique for 1 objects, first '7'"):
        taken(rubin([[], [], []], diaObjectId=[7, 8, 7]))
    with pytest.raises(ValueError, match="diaObjectId is null for 1 objects"):
        taken(rubin([[], []], diaObjectId=[7, None]))


def test_lists_of_other_lengths_are_refused_with_their_object():
    table = as_lists(rubin([[row(61000.0)], [row(61000.0), row(61001.0)]]), "diaSource")
    lists = table.column("diaSource").chunk(0)
    fields = {field.name: lists.field(field.name) for field in lists.type}
    fields["band"] = pa.array([["r"], ["r"]])
    table = table.set_column(3, "diaSource", pa.StructArray.from_arrays(list(fields.values()), names=list(fields)))
    with pytest.raises(ValueError, match=r"diaSource.band has lists of another length .* 1 objects, first '1.*1'"):
        taken(table)


def test_context_that_cannot_be_is_unknown_and_right_ascensions_may_be_negative():
    table = rubin([[], []], hostgal_photoz=[0.3, -9.0], mwebv=[99.0, 0.1]).set_column(1, "ra", pa.array([-10.0, 5.0]))
    curves, mended = taken(table)
    np.testing.assert_array_equal(curves.context["hostgal_photoz"], [0.3, np.nan])
    np.testing.assert_array_equal(curves.context["mwebv"], [np.nan, 0.1])
    np.testing.assert_array_equal(curves.context["ra"], [350.0, 5.0])
    assert mended == {"context": 1}


def test_dust_is_taken_away_where_it_is_known():
    curves, _ = taken(rubin([[row(61000.0)], [row(61000.0)]], mwebv=[0.1, None]))
    corrected, unknown = without_dust(curves)
    assert corrected.dereddened
    assert unknown == 1
    assert corrected.flux[0] > curves.flux[0]
    assert corrected.flux[1] == curves.flux[1]
    assert without_dust(corrected) == (corrected, 0)


def test_dust_that_leaves_no_number_holds_no_other_object_up():
    curves, _ = taken(rubin([[row(61000.0, 1e36)], [row(61000.0)]], mwebv=[9.0, 9.0]))
    with pytest.raises(ValueError, match="corrected for dust"):
        curves.deredden()
    corrected, unknown = without_dust(curves)
    assert unknown == 1
    assert corrected.flux[0] == curves.flux[0]
    assert corrected.flux[1] > 1e6
    assert set(corrected.context) == set(curves.context)


def test_a_map_tells_of_dust_where_the_catalogue_does_not():
    class Map:
        def ebv(self, ra, decl):
            return np.where(ra > 10.5, 0.2, np.nan)

    curves, _ = taken(rubin([[row(61000.0)], [row(61000.0)]]))
    corrected, unknown = without_dust(curves, Map())
    assert unknown == 1
    assert corrected.flux[0] == curves.flux[0]
    np.testing.assert_allclose(corrected.flux[1], 900 * 10 ** (0.4 * 2.285 * 0.2), rtol=0.02)
