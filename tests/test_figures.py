"""Figures show what they are given, change nothing global and are the same when drawn again."""

import io
import subprocess
import sys

import numpy as np
import pytest

from telperion.evaluate import evaluate
from telperion.lightcurves import LightCurves
from telperion.scores import Evaluation
from telperion.taxonomy import Taxonomy

matplotlib = pytest.importorskip("matplotlib")

from telperion.figures import (  # noqa: E402 - skipped without matplotlib
    class_phases_figure,
    confusion_figure,
    learning_figure,
    macro_figure,
    phases_figure,
    reliability_figure,
    roc_figure,
)
from telperion.light_curve_figures import Track, light_curve_figure, samples_figure  # noqa: E402
from telperion.style import BAND_COLOURS, COLOURS, render  # noqa: E402

SIBLINGS = {"SN": {"SNIa": {}, "SNII": {}, "SNIax": {}}, "Fast": {"KN": {}, "uLens": {}}}
TREE = Taxonomy("toy", {"Alert": {"Transient": SIBLINGS, "Variable": {"AGN": {}, "Periodic": {"EB": {}, "Mira": {}}}}})
N_LEAVES = len(TREE.leaves)  # AGN, SNIa, SNII, SNIax, KN, uLens, EB, Mira


def scored(rng, n=200):
    leaves = rng.dirichlet(np.ones(N_LEAVES), size=n)
    return evaluate(TREE.from_leaves(leaves), rng.choice(TREE.leaves[:-2], size=n), TREE)


def drawn(rng, days=(1, 2, 4, 8, np.inf)):
    return Evaluation("alert", "photoz", {day: scored(rng) for day in days})


def light_curve(rng, n=40, detected=True):
    time, band = np.sort(rng.uniform(60_000, 60_050, n)), rng.integers(6, size=n)
    flags = rng.random(n) < 0.5 if detected else np.zeros(n, dtype=bool)
    return LightCurves.from_rows(["a"] * n, time, band, rng.normal(0, 900, n), np.full(n, 50.0), flags)


def track(rng, n=5):
    return Track(np.arange(n) * 10.0, TREE.from_leaves(rng.dirichlet(np.ones(N_LEAVES), size=n)), TREE)


def texts(axes):
    return [text.get_text() for text in axes.texts]


FIGURES = {
    "confusion": lambda rng: confusion_figure(scored(rng)["leaves"], "leaves"),
    "roc": lambda rng: roc_figure(scored(rng)["leaves"], "leaves"),
    "reliability": lambda rng: reliability_figure(scored(rng), "8 d"),
    "phases of one": lambda rng: phases_figure({"a": [drawn(rng)]}),
    "phases of two": lambda rng: phases_figure({"a": [drawn(rng), drawn(rng)], "b": [drawn(rng, (0, 2))]}, "log_loss"),
    "macro": lambda rng: macro_figure({"full view": drawn(rng), "alert view": drawn(rng)}),
    "samples": lambda rng: samples_figure(light_curve(rng), {"SNII": track(rng)}),
    "classes": lambda rng: class_phases_figure({"a": [drawn(rng)], "b": [drawn(rng)]}, measure="auc"),
    "learning": lambda rng: learning_figure([{"epoch": 1, "loss": 2.0, "validation_loss": 1.0}]),
    "light curve": lambda rng: light_curve_figure(light_curve(rng), scale="asinh", track=track(rng)),
    "never detected": lambda rng: light_curve_figure(light_curve(rng, detected=False)),
    "without rows": lambda rng: light_curve_figure(light_curve(rng, n=1).select_rows([False]), scale="asinh"),
    "no objects": lambda rng: roc_figure(evaluate(np.ones((1, len(TREE))) * TREE.ancestors[-1], [-1], TREE)["leaves"]),
}


@pytest.mark.parametrize("name", FIGURES)
def test_every_figure_has_ink_and_is_the_same_when_drawn_again(name):
    first, second = (render(FIGURES[name](np.random.default_rng(0))) for _ in range(2))
    assert first == second
    pixels = matplotlib.image.imread(io.BytesIO(first))[..., :3]
    assert pixels.std() > 0.01
    assert min(pixels.shape[:2]) > 200


def test_a_bin_of_few_objects_makes_no_spike(rng):
    scores = scored(rng, n=60)
    for axes, level in zip(reliability_figure(scores).axes, scores.levels.values(), strict=True):
        belief, frequency, count = level.reliability[level.reliability[:, 2] > 0].T
        _, line, hollow = axes.lines
        told = count >= 10
        assert 0 < told.sum() < told.size
        np.testing.assert_array_equal(line.get_xydata(), np.column_stack([belief, frequency])[told])
        np.testing.assert_array_equal(hollow.get_xydata(), np.column_stack([belief, frequency])[~told])
        assert (hollow.get_linestyle(), hollow.get_markerfacecolor()) == ("None", "white")


def test_a_vector_figure_keeps_its_text(rng):
    drawing = render(confusion_figure(scored(rng)["leaves"]), "svg").decode()
    assert ">true class (objects)<" in drawing
    assert "SNIax" in drawing


def test_drawing_touches_no_setting_and_needs_no_pyplot():
    program = (
        "import sys, numpy as np, telperion.report\n"
        "assert 'matplotlib' not in sys.modules, 'imported early'\n"
        "from telperion.figures import learning_figure; from telperion.style import render\n"
        "import matplotlib; before = matplotlib.rcParams.copy()\n"
        "render(learning_figure([{'epoch': 1, 'loss': 1, 'validation_loss': 1}]))\n"
        "assert matplotlib.rcParams.copy() == before, 'settings changed'\n"
        "assert 'matplotlib.pyplot' not in sys.modules, 'pyplot'\n"
    )
    subprocess.run([sys.executable, "-c", program], check=True)


def test_without_matplotlib_the_error_names_the_extra(monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(ImportError, match=r"pip install 'telperion\[plots\]'"):
        learning_figure([{"epoch": 1, "loss": 1.0, "validation_loss": 1.0}])


def test_confusion_shows_rows_in_per_cent_and_counts_beside_the_names():
    labels = np.repeat(TREE.leaves, 4)
    leaves = TREE.ancestors[labels].astype(float)
    leaves[0] = TREE.ancestors[TREE.index("KN")]
    (axes,) = confusion_figure(evaluate(leaves, labels, TREE)["leaves"]).axes
    assert texts(axes).count("100") == 7
    assert {"75", "25", "SN", "Fast", "Variable", "Periodic"} <= set(texts(axes))
    assert axes.get_yticklabels()[0].get_text() == "AGN  (4)"


def test_confusion_marks_absent_classes(rng):
    scores = scored(rng)["leaves"]
    (axes,) = confusion_figure(scores).axes
    assert len(axes.patches) == (scores.support == 0).sum() == 2


def test_roc_has_a_panel_for_each_group_of_siblings_and_no_line_for_absent_classes(rng):
    scores = scored(rng)["leaves"]
    panels = roc_figure(scores).axes
    assert [axes.get_title(loc="left") for axes in panels] == ["Variable", "SN", "Fast", "Periodic"]
    assert sum(len(axes.lines) - 1 for axes in panels) == np.isfinite(scores.auc).sum() == 6


def test_phases_stand_at_their_binary_logarithm_and_whole_light_curves_last(rng):
    (axes,) = phases_figure({"a": [drawn(rng, (1, 2, 1024, np.inf))]}).axes
    np.testing.assert_array_equal(axes.lines[0].get_xdata(), [0, 1, 10, 11])
    assert [tick.get_text() for tick in axes.get_xticklabels()] == ["1", "2", "1024", "all"]


def test_phases_show_the_mean_and_the_spread_of_repeats(rng):
    repeats = [drawn(rng), drawn(rng), drawn(rng)]
    axes = phases_figure({"a": repeats, "b": repeats[:1]}).axes[2]
    expected = np.mean([run.curve("leaves") for run in repeats], axis=0)
    np.testing.assert_allclose(axes.lines[0].get_ydata(), expected)
    assert len(axes.collections) == 1


def test_macro_has_a_panel_a_measure_and_dashes_the_second_view(rng):
    views = {"full view": drawn(rng), "alert view": drawn(rng)}
    figure = macro_figure(views)
    for axes, measure in zip(figure.axes, ("precision", "recall", "f1"), strict=True):
        assert [line.get_linestyle() for line in axes.lines] == ["-"] * 3 + ["--"] * 3
        lines = iter(axes.lines)
        for run in views.values():
            for level in ("level 1", "level 2", "leaves"):
                np.testing.assert_array_equal(next(lines).get_ydata(), run.curve(level, measure))


def test_a_sample_shows_the_probability_of_its_true_class(rng):
    shown = track(rng)
    figure = samples_figure(light_curve(rng), {"SNII": shown})
    (line,) = figure.axes[1].lines
    np.testing.assert_array_equal(line.get_ydata()[:-1], shown.probabilities[:, TREE.index("SNII")])
    assert figure.axes[0].get_title(loc="left") == "SNII"
    with pytest.raises(ValueError, match="1 light curves and 2 tracks"):
        samples_figure(light_curve(rng), {"SNII": shown, "KN": shown})


def test_learning_marks_the_best_epoch():
    losses = [1.0, 0.5, 0.7]
    history = [{"epoch": k, "loss": 1.0, "validation_loss": loss} for k, loss in enumerate(losses)]
    (axes,) = learning_figure(history).axes
    assert texts(axes) == ["best 0.5\nepoch 1"]


def test_learning_without_validation_is_one_line():
    (axes,) = learning_figure([{"epoch": k, "loss": 1.0} for k in range(3)]).axes
    assert len(axes.lines) == 1


def test_detections_are_filled_and_other_observations_hollow(rng):
    curve = light_curve(rng)
    (axes,) = light_curve_figure(curve).axes
    points = [line for line in axes.lines if line.get_marker() != "None"]
    filled = sum(len(line.get_xdata()) for line in points if line.get_markerfacecolor() != "white")
    hollow = sum(len(line.get_xdata()) for line in points if line.get_markerfacecolor() == "white")
    assert (filled, hollow) == (curve.detected.sum(), (~curve.detected).sum())
    assert axes.get_xlabel() == "days since first detection"


def test_the_track_adds_up_to_one(rng):
    figure = light_curve_figure(light_curve(rng), track=track(rng))
    tops = [layer.get_paths()[0].vertices[:, 1].max() for layer in figure.axes[1].collections]
    assert max(tops) == pytest.approx(1)
    assert len(tops) == 7


def test_a_light_curve_figure_refuses_two_objects_and_unknown_scales(rng):
    two = LightCurves.from_rows(["a", "b"], [1, 2], [1, 1], [1, 1], [1, 1], [1, 1])
    with pytest.raises(ValueError, match="one light curve, got 2"):
        light_curve_figure(two)
    with pytest.raises(ValueError, match="no flux scale 'log'"):
        light_curve_figure(light_curve(rng), scale="log")


def test_colours_of_lines_and_bands_are_all_different():
    assert len(set(COLOURS)) == len(COLOURS)
    assert len(set(BAND_COLOURS)) == 6
