"""Tables show what there is: before and after a calibration or what is said without one, promises or a threshold."""

import numpy as np
import pytest

from telperion.calibration_scores import class_errors, trust_in
from telperion.calibration_tables import calibration_table, promise_table
from telperion.taxonomy import Taxonomy

TREE = Taxonomy("toy", {"Alert": {"SN": {"SNIa": {}, "SNII": {}}, "AGN": {}}})


@pytest.fixture
def measured(rng):
    def measure(*, calibrated, promised):
        said = TREE.from_leaves(rng.dirichlet(np.ones(3), 200))
        label = rng.choice(TREE.leaves, 200)
        return [
            trust_in(
                "photoz", day, label, TREE, before=said if calibrated else None, after=said,
                promised=TREE.leaf(said) if promised else None, plain=TREE.confident(said),
            )
            for day in (1.0, 3.0)
        ]  # fmt: skip

    return measure


def test_errors_before_and_after_stand_beside_each_other(measured):
    table = calibration_table(measured(calibrated=True, promised=True), TREE.leaves, [1.0])
    assert [heading for _, heading in table.columns] == ["context", "days"] + ["before", "after"] * 4
    assert len(table.rows) == 1
    assert table.rows[0][2:10:2] == table.rows[0][3:11:2]  # nothing was calibrated here


def test_without_a_calibration_there_is_one_column_of_each(measured):
    trusts = measured(calibrated=False, promised=False)
    table = calibration_table(trusts, TREE.leaves, [1.0, 3.0])
    assert [heading for _, heading in table.columns[2:]] == [
        "leaves, mean", "leaves, largest", "nodes, largest", "likeliest leaf",
    ]  # fmt: skip
    errors = class_errors(trusts[1].after)
    expected = (errors[TREE.leaves].mean(), errors[TREE.leaves].max(), errors.max(), trusts[1].top[1])
    assert table.rows[1] == ["photoz", "3 d", *(f"{value:.3f}" for value in expected)]


@pytest.mark.parametrize("promised", [True, False])
def test_answers_of_each_rule_there_is_stand_in_a_row(measured, promised):
    trusts = measured(calibrated=True, promised=promised)
    table = promise_table(trusts, [3.0], 0.8)
    groups = list(dict.fromkeys(group for group, _ in table.columns if group))
    first = "promised at 0.8" if promised else "p > .9"
    assert groups == [*dict.fromkeys([first, "p > .9"]), f"{first}: right at depth"]
    assert {len(row) for row in table.rows} == {len(table.columns)} == {2 + 3 * (1 + promised) + 2}
    scores = trusts[1].promised or trusts[1].plain
    assert table.rows[0][2:5] == [f"{value:.3f}" for value in (scores.coverage, scores.depth, scores.at_leaf)]
