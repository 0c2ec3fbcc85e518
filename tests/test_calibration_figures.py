import numpy as np
import pytest

from telperion.calibration_scores import class_errors, depth_scores, reliabilities
from telperion.taxonomy import Taxonomy

matplotlib = pytest.importorskip("matplotlib")

from telperion.calibration_figures import depth_figure, error_phases_figure, node_reliability_figure  # noqa: E402
from telperion.style import render  # noqa: E402

TREE = Taxonomy("toy", {"Alert": {"SN": {"SNIa": {}, "SNII": {}}, "AGN": {}}})


@pytest.fixture
def tables(rng):
    leaves = rng.dirichlet(np.ones(3), 500)
    label = TREE.leaves[[rng.choice(3, p=row) for row in leaves]]
    right = TREE.from_leaves(leaves)
    return [reliabilities(part, label, TREE) for part in (TREE.reweight(right, np.ones(3), [6, 1, 1]), right)]


def test_a_panel_a_node_shows_frequencies_before_and_after_with_the_errors(tables):
    figure = node_reliability_figure(*tables, TREE.nodes, "a title")
    assert len(figure.axes) == len(TREE) - 1
    for node, axes in enumerate(figure.axes, start=1):
        before, after = (class_errors(part)[node] for part in tables)
        assert axes.get_title(loc="left") == TREE.nodes[node]
        assert [text.get_text() for text in axes.texts] == [f"{before:.3f}", f"{after:.3f}"]
        drawn = [line.get_xydata() for line in axes.lines[1:]]
        for part, points in zip(tables, drawn, strict=True):
            full = part[node][part[node][:, 2] >= 20]
            np.testing.assert_allclose(points, full[:, :2])
    assert render(figure) == render(node_reliability_figure(*tables, TREE.nodes, "a title"))


def test_errors_run_along_phases(tables):
    figure = error_phases_figure([0, 1, 8], [tables[0]] * 3, [tables[1]] * 3, TREE.nodes)
    before, after = (line.get_ydata() for line in figure.axes[0].lines)
    np.testing.assert_allclose(before, class_errors(tables[0])[1])
    np.testing.assert_allclose(after, class_errors(tables[1])[1])


def test_no_line_of_errors_leaves_its_panel_and_no_tick_stands_before_the_first_day(tables, rng):
    worse = tables[0].copy()
    worse[1, :, 0] = 1 - worse[1, :, 0]  # the first panel has by far the largest errors, the last one sets no limit
    figure = error_phases_figure([1, 8], [worse] * 2, [tables[1]] * 2, TREE.nodes)
    assert figure.axes[0].get_ylim()[1] > class_errors(worse)[1] > 2 * class_errors(worse)[-1]
    assert [text.get_text() for text in figure.axes[-1].get_xticklabels()] == ["1", "8", "64", "512"]


def test_without_a_calibration_there_is_one_line_and_no_legend(tables):
    for figure in (
        node_reliability_figure(None, tables[1], TREE.nodes),
        error_phases_figure([1, 8], None, [tables[1]] * 2, TREE.nodes),
    ):
        assert not figure.legends
        assert all(len(axes.get_legend_handles_labels()[0]) == 1 for axes in figure.axes)
    scores = depth_scores([3, 4], [3, 4], TREE)
    alone = depth_figure([1, 8], {"p > .9": [scores, scores]}, None)
    assert [len(axes.lines) for axes in alone.axes] == [1] * 4  # nothing is promised, no level is drawn


def test_rules_are_compared_in_coverage_depth_leaves_and_their_worst_depth():
    right = depth_scores([3, 4, 2, 1], [3, 4, 2, 3], TREE)
    wrong = depth_scores([4, 4, 2, 1], [3, 4, 2, 3], TREE)
    figure = depth_figure([0, 8], {"ours": [right, right], "theirs": [wrong, right]}, 0.9)
    values = [[line.get_ydata().tolist() for line in axes.lines[:2]] for axes in figure.axes]
    assert values == [[[1, 1], [0.75, 1]], [[1.5, 1.5]] * 2, [[0.75, 0.75]] * 2, [[1, 1], [0.5, 1]]]
