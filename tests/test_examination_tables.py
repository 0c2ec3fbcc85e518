"""Tables of an examination say what it found."""

import numpy as np
import pytest

import telperion
from telperion.examination.course import Wait
from telperion.examination.examine import examine
from telperion.examination.population import Separations
from telperion.examination.trust import Trusted
from telperion.examination_tables import (
    PUBLISHED,
    alike_table,
    before_table,
    counts_table,
    gaps_table,
    glance_table,
    milliseconds,
    names_table,
    promised_waits_table,
    separations_table,
    times_table,
    waits_table,
)
from telperion.intervals import Interval
from telperion.scores import LEVELS
from telperion.simulate.drawn import draw
from telperion.taxonomy import Taxonomy

ELASTICC = Taxonomy.load("elasticc")


@pytest.fixture(scope="module")
def examined():
    curves = draw(n_per_class=4, seed=8)
    return examine("ours", telperion.load("plasticc-gru"), curves, days=(2, 64), views=["alert"], batches={4: 2, 1: 2})


def test_a_glance_has_a_row_a_view_and_the_published_one_for_its_tree_only(examined):
    table = glance_table([examined])
    assert [row[:2] for row in table.rows] == [["ours", "alert"]]
    assert len(table.columns) == len(table.rows[0]) == 2 + 3 * 2
    scores = examined.evaluations["alert"].phases[64]
    assert table.rows[0][3].startswith(f"{scores['leaves'].macro.f1:.3f} ± ")
    assert table.rows[0][-1] == f"{scores['leaves'].summary['calibration_error']:.3f}"


def test_counts_add_up(rng):
    labels = rng.choice(ELASTICC.leaves, size=100)
    deep = rng.random(100) < 0.3
    table = counts_table(labels, deep, ELASTICC)
    counted = np.array([[int(row[1]), int(row[3])] for row in table.rows])
    np.testing.assert_array_equal(counted[:-1].sum(axis=0), counted[-1])
    assert counted[-1].tolist() == [100, deep.sum()]


def test_names_are_those_of_the_tree_and_of_the_sources():
    table = names_table(ELASTICC, {"SNII": {"plateau": 0.75, "linear": 0.25}})
    rows = {row[0]: row[1:] for row in table.rows}
    assert len(rows) == 19
    assert rows["KN"] == ["Transient › Fast", "KN_K17, KN_B19", ""]
    assert rows["SNII"][2] == "plateau (75 %), linear (25 %)"
    assert len(names_table(ELASTICC, {}).columns) == 3


def test_before_stands_beside_what_was_published_where_that_is_of_this_tree(examined):
    alone, beside = before_table(examined.before, published=False), before_table(examined.before, published=True)
    assert len(alone.columns) == 1 + len(LEVELS)
    assert beside.rows[-1][-3:] == ["0.94", "0.83", "0.54"]
    assert beside.rows[1][-3:] == ["–"] * 3
    assert alone.rows[0][1] == f"{examined.before.scores['non-detections only']['level 1'].macro.f1:.3f}"


def test_times_are_in_milliseconds_a_light_curve(examined):
    table = times_table([examined])
    assert [row[:2] for row in table.rows] == [["ours", "4"], ["ours", "1"]]
    assert table.rows[0][2] == milliseconds(examined.times[0].median)
    assert milliseconds(0.0012345) == "1.23 ms"


def test_waits_have_a_cell_a_level(examined):
    course = examined.courses["alert"]
    table = waits_table(course, "alert")
    assert len(table.rows) == 14
    assert {len(row) for row in table.rows} == {len(table.columns)} == {2 + 9}
    assert all(float(row[3][:-2]) >= 0 for row in table.rows)


def test_waits_for_a_promise_are_of_the_level_that_is_promised():
    waits = {"SNIa": Wait(2.0, 0.75, 0.125, 8), "EB": Wait(np.nan, 0.0, 0.0, 4)}
    table = promised_waits_table(Trusted("alert", 0.9, [], np.array([0.0]), 0.8, 0.9, waits))
    assert "0.9, alert view" in table.title
    assert table.rows == [["SNIa", "8", "2 d", "75 %", "12 %"], ["EB", "4", "–", "0 %", "0 %"]]


def test_look_alikes_are_shares_of_the_true_class(examined):
    run = examined.evaluations["alert"]
    table = alike_table(run, "SNIa", ["SNII"], [2, 64])
    scores = run.phases[2]["leaves"]
    true, other = scores.classes.index("SNIa"), scores.classes.index("SNII")
    cells = [(true, true), (true, other), (other, true)]
    assert [row[1] for row in table.rows] == [f"{100 * scores.confusion[cell] / 4:.1f} %" for cell in cells]


def test_separations_show_the_middle_and_what_is_unknown():
    table = separations_table({"TDE": Separations(np.array([0.1, 0.2, 0.3]), 1)})
    assert table.rows == [["TDE", "4", "0.20", "0.13 to 0.27", "25.0 %"]]


def test_gaps_have_their_interval():
    gap = Interval(0.1234, -0.01, 0.2, 0.05)
    table = gaps_table({"full": {level: {2.0: gap} for level in LEVELS}}, "ours", "theirs")
    assert table.rows[0] == ["full", "level 1", "+0.123 (-0.010 to +0.200)"]
    assert table.columns[-1] == ("", "2 d")


def test_what_is_published_is_of_the_days_that_tables_show():
    assert all(list(levels) == [2, 8, 64, 1024] for levels in PUBLISHED.values())
