"""Rows as brokers hold them become the light curves that they were, and what is of no use is counted."""

from copy import deepcopy

import numpy as np
import pyarrow.parquet as pq
import pytest
from numpy.testing import assert_array_equal

from telperion.adopt.histories import NEEDED, of_lists, of_records
from telperion.formats.packets import read_alerts

ROW = {"midpointMjdTai": 61000.1, "band": "r", "psfFlux": 850.0, "psfFluxErr": 110.0, "diaSourceId": 5, "visit": 9}


def same(curves, expected):
    for name in ("offsets", "time", "band", "flux", "flux_err", "detected"):
        assert_array_equal(getattr(curves, name), getattr(expected, name), err_msg=name)


def test_records_in_any_order_said_twice_become_the_light_curves(rng, sky, held):
    sources = [some + some for some in held.sources]
    forced = [some + [row | {"diaForcedSourceId": None, "visit": None} for row in some] for some in held.forced]
    for some in (*sources, *forced):
        rng.shuffle(some)
    found = of_records(held.object_id, sources, forced)
    same(found.alerts.light_curves(), sky)
    assert found.alerts.object_id.tolist() == held.object_id
    assert not found.useless.any()  # nothing was lost, though rows were dropped
    assert sum(found.alerts.dropped.values()) == sky.n_rows
    newest = [max((row["midpointMjdTai"], row["diaSourceId"]) for row in some) for some in held.sources]
    assert list(zip(found.alerts.alert_time, found.alerts.source_id, strict=True)) == newest


def test_forced_photometry_of_a_detection_counts_once(sky, held):
    forced = [a + b for a, b in zip(held.forced, held.sources, strict=True)]
    found = of_records(held.object_id, held.sources, forced)
    same(found.alerts.light_curves(), sky)
    assert found.alerts.dropped == {"beside a source": int(sky.detected.sum())}


def columns(lists):
    return {name: [np.array([row[name] for row in some]) for some in lists] for name in NEEDED}


def test_columns_of_lists_are_as_good(sky, held):
    same(of_lists(held.object_id, columns(held.sources), columns(held.forced)).alerts.light_curves(), sky)
    as_lists = {name: [some.tolist() for some in values] for name, values in columns(held.sources).items()}
    some = of_lists(held.object_id, as_lists, {})
    same(some.alerts.light_curves(), of_lists(held.object_id, columns(held.sources)).alerts.light_curves())
    assert some.alerts.light_curves().n_rows == sky.detected.sum()


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"psfFlux": None}, "no flux"),
        ({"psfFlux": float("nan")}, "no flux"),
        ({"psfFlux": 1e39}, "no flux"),
        ({"psfFluxErr": 0.0}, "no error"),
        ({"band": None}, "no band"),
        ({"band": "v"}, "no band"),
        ({"midpointMjdTai": None}, "no time"),
        ({"midpointMjdTai": 2461000.6}, "no time"),  # a Julian day
        ({"psfFlux_flag": True}, "flagged"),
        ({"pixelFlags_saturatedCenter": 1}, "flagged"),
        ({"timeWithdrawnMjdTai": 61001.0}, "withdrawn"),
    ],
)
def test_rows_of_no_use_are_left_out_and_counted(change, reason):
    found = of_records(["a", "b"], [[ROW], [ROW, ROW | {"visit": 8, "diaSourceId": 6, "band": "g"} | change]])
    assert found.alerts.dropped == {reason: 1}
    assert found.useless.tolist() == [0, 1]
    assert found.alerts.light_curves().lengths.tolist() == [1, 1]


def test_rows_that_may_count_do():
    kept = (
        {"psfFlux_flag": True, "psfFlux_flag_edge": True},
        {"timeWithdrawnMjdTai": None},
        {"band": "Y"},
        {"visit": "7"},
    )
    rows = [ROW | {"midpointMjdTai": 61000.0 + k, "diaSourceId": k + 1, "visit": k} | say for k, say in enumerate(kept)]
    found = of_records(["a"], [rows])
    assert (found.alerts.dropped, found.useless[0], found.alerts.light_curves().n_rows) == ({}, 0, 4)


def test_objects_without_rows_stay():
    for found in (of_records(["a", "b"], [[], []]), of_lists(["a", "b"], {name: [None, []] for name in NEEDED})):
        assert found.alerts.light_curves().lengths.tolist() == [0, 0]
        assert np.isnan(found.alerts.alert_time).all()
    assert len(of_records([], [])) == 0


def test_dust_dims_what_is_known_of_it(sky, held):
    ebv = np.where(np.arange(len(sky)) % 2, 0.1, np.nan)
    curves = of_records(held.object_id, held.sources, held.forced, context={"mwebv": ebv}).alerts.light_curves()
    dusty = (np.isfinite(ebv))[sky.object_index]
    assert_array_equal(curves.flux[~dusty], sky.flux[~dusty])
    brighter = np.array([4.15, 3.24, 2.27, 1.68, 1.32, 1.09])[sky.band[dusty]]
    np.testing.assert_allclose(curves.flux[dusty], sky.flux[dusty] * 10 ** (0.4 * 0.1 * brighter), rtol=1e-5)


def test_context_that_cannot_be_is_counted(held):
    n = len(held.object_id)
    found = of_records(held.object_id, held.sources, context={"redshift": [-9.0, 25.0] + [0.3] * (n - 2)})
    assert found.alerts.dropped == {"context": 2}
    assert np.isnan(found.alerts.context["redshift"]).sum() == 2


def test_sources_that_are_not_there_are_known_of():
    found = of_records(["a", "b"], [[ROW], [ROW]], n_sources=[1, 2])
    assert found.alerts.history_truncated.tolist() == [False, True]


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ([[ROW], [{"mjd": 1.0}], [{}]], "no row of sources has 'midpointMjdTai' for 2 objects, first 'b'"),
        (
            [[ROW], [ROW, ROW | {"psfFlux": "faint"}], []],
            "psfFlux is 'faint', or the like, in 1 rows, first at object 'b'",
        ),
        ([[ROW], [], [ROW | {"band": 3}]], "band is 3, or the like, in 1 rows, first at object 'c': that is no text"),
        ([[], [ROW | {"diaSourceId": [1]}], []], r"diaSourceId is \[1\], or the like, in 1 rows, first at object 'b'"),
        ([[ROW], [None], []], "sources hold what is no record for 1 objects, first 'b'"),
        ([[ROW]], "sources are of 1 objects, object_id of 3"),
    ],
)
def test_what_no_row_can_be_is_refused(rows, message):
    with pytest.raises(ValueError, match=message):
        of_records(["a", "b", "c"], rows)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"band": [["r"], ["r", "g"]]}, "band of sources has lists of another length than .* for 1 objects, first 'b'"),
        ({"psfFlux": [[1.0]]}, "psfFlux of sources is of 1 objects, object_id of 2"),
        ({"mag": [[1.0], [1.0]]}, "'mag' is no field of sources that is read"),
        ({"psfFlux": None}, "sources lack psfFlux"),
        ({"psfFlux": [["x"], [1.0]]}, "psfFlux is 'x', or the like, in 1 rows, first at object 'a'"),
    ],
)
def test_lists_that_do_not_fit_are_refused(change, message):
    lists = {name: [[ROW[name]], [ROW[name]]] for name in NEEDED} | change
    with pytest.raises(ValueError, match=message):
        of_lists(["a", "b"], {name: values for name, values in lists.items() if values is not None})


def test_what_is_given_is_not_changed(held):
    before, ebv = deepcopy(held), np.array([99.0] * len(held.object_id))
    of_records(held.object_id, held.sources, held.forced, context={"mwebv": ebv})
    assert held == before
    assert (ebv == 99.0).all()


def test_real_alerts_are_what_the_reader_of_packets_makes_of_them(lsst_data):
    file = lsst_data / "alerts" / "rubin_sample_data_10_0.parquet"
    if not file.is_file():
        pytest.skip(f"no alert packets at {file}")
    expected = read_alerts(file)
    names = ["diaObject", "diaSource", "prvDiaSources", "prvDiaForcedSources"]
    rows = [row for row in pq.read_table(file, columns=names).to_pylist() if row["diaObject"] is not None]
    found = of_records(
        [str(row["diaSource"]["diaObjectId"]) for row in rows],
        [[row["diaSource"], *(row["prvDiaSources"] or [])] for row in rows],
        [row["prvDiaForcedSources"] or [] for row in rows],
        n_sources=[row["diaObject"]["nDiaSources"] for row in rows],
    )
    assert len(found) == 22
    same(found.alerts.light_curves(), expected.light_curves())
    assert found.alerts.dropped == expected.dropped
    assert found.alerts.object_id.tolist() == expected.object_id.tolist()
    assert_array_equal(found.alerts.history_truncated, expected.history_truncated)
