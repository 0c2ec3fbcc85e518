"""Tables say what the scores say, in the terminal, in Markdown and in HTML."""

import io

import numpy as np
import pytest
from rich.console import Console

from telperion.evaluate import evaluate
from telperion.scores import LEVELS, Evaluation
from telperion.tables import (
    Table,
    by_name,
    class_table,
    comparison_table,
    gap_table,
    recall_table,
    shown_days,
    summary_table,
    to_html,
    to_markdown,
    to_rich,
)
from telperion.taxonomy import Taxonomy

TREE = Taxonomy.load("plasticc")


def drawn(rng, days=(2, 8, 64), view="alert", context="photoz"):
    def phase():
        leaves = rng.dirichlet(np.ones(len(TREE.leaves)), size=80)
        return evaluate(TREE.from_leaves(leaves), rng.choice(TREE.leaves[:-2], size=80), TREE)

    return Evaluation(view, context, {day: phase() for day in days})


def test_class_table_has_a_row_a_class_and_the_averages_below(rng):
    run = drawn(rng)
    table, scores = class_table([run]), run.phases[8]["leaves"]
    assert [row[0] for row in table.rows] == [*scores.classes, "accuracy", "macro average", "weighted average"]
    assert table.rules == [len(scores.classes)]
    place = table.columns.index(("8 d", "F1"))
    assert [row[place] for row in table.rows[:14]] == [f"{value:.3f}" for value in scores.f1]
    assert [row[place] for row in table.rows[14:]] == [
        f"{value:.3f}" for value in (scores.accuracy, scores.macro.f1, scores.weighted.f1)
    ]
    assert [int(row[1]) for row in table.rows[:14]] == run.phases[2]["leaves"].support.tolist()


def test_class_table_averages_repeats(rng):
    runs = [drawn(rng), drawn(rng)]
    table = class_table(runs, "level 1", days=[64])
    assert "mean of 2 runs" in table.title
    expected = np.mean([run.phases[64]["level 1"].recall[0] for run in runs])
    assert table.rows[0][3] == f"{expected:.3f}"


def test_summary_table_has_a_row_a_level_and_phase(rng):
    run = drawn(rng)
    table = summary_table([run])
    assert [row[:2] for row in table.rows] == [[level, f"{day} d"] for level in LEVELS for day in (2, 8, 64)]
    assert table.rows[4][4] == f"{run.phases[8]['level 2'].macro.f1:.3f}"


def test_repeats_show_their_spread_and_single_runs_none(rng):
    first, second, other = drawn(rng), drawn(rng), drawn(rng)
    table = comparison_table([("ours", first), ("ours", second), ("theirs", other)], levels=["leaves"])
    values = [run.phases[2]["leaves"].macro.f1 for run in (first, second)]
    assert table.rows[0][1] == f"{np.mean(values):.3f} ± {np.std(values, ddof=1):.3f}"
    assert table.rows[1][1] == f"{other.phases[2]['leaves'].macro.f1:.3f}"


def test_view_and_context_join_the_name_only_where_they_differ(rng):
    full, alert = drawn(rng, view="full"), drawn(rng)
    assert list(by_name([("gru", full), ("gru", alert)])) == ["gru, full view", "gru, alert view"]
    assert list(by_name([("gru", alert), ("boost", alert)])) == ["gru", "boost"]
    with pytest.raises(ValueError, match="no evaluation"):
        by_name([])


def test_gap_is_paired_by_order_and_signed(rng):
    ours, theirs = [drawn(rng), drawn(rng)], [drawn(rng), drawn(rng)]
    table = gap_table(ours, theirs, days=[8])
    gaps = [a.phases[8]["leaves"].macro.f1 - b.phases[8]["leaves"].macro.f1 for a, b in zip(ours, theirs, strict=True)]
    assert table.rows[-1] == ["leaves", f"{np.mean(gaps):+.3f} ± {np.std(gaps, ddof=1):.3f}"]
    assert gap_table(ours, ours, days=[8]).rows[0][1] == "+0.000 ± 0.000"


def test_a_gap_needs_pairs_of_one_view_and_context(rng):
    with pytest.raises(ValueError, match="1 of ours and 2 of theirs"):
        gap_table([drawn(rng)], [drawn(rng), drawn(rng)])
    with pytest.raises(ValueError, match="differ within a pair, first in pair 1"):
        gap_table([drawn(rng), drawn(rng)], [drawn(rng), drawn(rng, context="none")])


def test_days_that_nobody_asked_for_are_shown_where_the_wanted_are_missing(rng):
    run = drawn(rng, days=(3, np.inf))
    assert shown_days([run]) == [3, np.inf]
    assert shown_days([drawn(rng)], [64, 2, 5]) == [64, 2]
    assert ("all", "F1") in class_table([run]).columns


def test_an_unknown_number_is_a_dash(rng):
    probabilities = TREE.from_leaves(rng.dirichlet(np.ones(14), size=3))
    alone = evaluate(probabilities, np.full(3, TREE.index("KN")), TREE)
    assert summary_table([Evaluation("full", "none", {2: alone})]).rows[0][5] == "–"


def test_an_unknown_measure_is_refused(rng):
    with pytest.raises((ValueError, KeyError), match="brier"):
        comparison_table([("a", drawn(rng))], measure="brier")


def test_every_drawing_holds_every_cell(rng):
    table = class_table([drawn(rng)], "level 2")
    terminal = Console(file=io.StringIO(), width=200)
    terminal.print(to_rich(table))
    drawings = [terminal.file.getvalue(), to_markdown(table), to_html(table)]
    for cell in {cell for row in table.rows for cell in row} | {"2 d", "64 d", "precision"}:
        assert all(cell in drawing for drawing in drawings)


def test_markdown_rows_have_as_many_cells_as_the_head(rng):
    lines = to_markdown(class_table([drawn(rng)])).splitlines()[2:]
    assert len({line.count("|") for line in lines}) == 1


def test_text_cannot_break_out_of_a_table():
    table = Table("<b>", [("", "a|b")], [["<script>"]])
    assert "<script>" not in to_html(table)
    assert "<b>" not in to_html(table)
    assert "a|b" not in to_markdown(table)


def test_a_table_without_a_title_has_none_in_markdown():
    assert to_markdown(Table("", [("", "a")], [["b"]])).startswith("| a |")


def test_shares_of_few_objects_stand_with_their_intervals():
    tree = Taxonomy.load("plasticc")
    labels = np.repeat([tree.index("KN"), tree.index("SNIa")], [4, 6])
    said = tree.ancestors[np.where(np.arange(10) % 4 == 0, tree.index("SNII"), labels)].astype(float)
    run = Evaluation("alert", "none", {2.0: evaluate(said, labels, tree)})
    table = recall_table([("ours", run)], days=[2])
    found = {(row[0], row[1]): row[3:] for row in table.rows}
    assert found["leaves", "KN"] == ["4", "0.750 [0.301, 0.954]"]
    assert found["leaves", "all"] == ["10", "0.700 [0.397, 0.892]"]
    assert found["level 2", "SN"] == ["6", "1.000 [0.610, 1.000]"]
    assert ("leaves", "TDE") not in found
