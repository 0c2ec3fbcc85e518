"""Figures of an examination show the arrays that they are given."""

import io

import numpy as np
import pytest

from telperion.examination.course import Follower, wait
from telperion.examination.population import Redshifts, Separations
from telperion.scores import LEVELS
from telperion.taxonomy import Taxonomy

matplotlib = pytest.importorskip("matplotlib")

from telperion.examination_figures import (  # noqa: E402 - skipped without matplotlib
    mean_scores_figure,
    redshifts_figure,
    separations_figure,
    waits_figure,
)
from telperion.style import render  # noqa: E402

TREE = Taxonomy("toy", {"Alert": {"Transient": {"SN": {"SNIa": {}, "SNII": {}}}, "Variable": {"AGN": {}, "EB": {}}}})


def course(rng, days=(-8, 0, 1, 2, 64)):
    labels = rng.choice(TREE.leaves[:-1], size=40)
    follower = Follower(labels, TREE)
    for day in days:
        follower.add(day, TREE.from_leaves(rng.dirichlet(np.full(4, 0.1), size=40)))
    return follower.course()


def redshifts(rng):
    return {"SNIa": Redshifts(rng.uniform(0, 1, 80), rng.uniform(0, 2, 9), 3), "SNII": Redshifts(np.ones(2), [], 0)}


FIGURES = {
    "mean scores": lambda rng: mean_scores_figure(course(rng), "full view"),
    "waits": lambda rng: waits_figure({"full": course(rng), "alert": course(rng)}, ["SNIa", "AGN"]),
    "redshifts": lambda rng: redshifts_figure(redshifts(rng)),
    "separations": lambda rng: separations_figure({"SNIa": Separations(rng.lognormal(size=30), 2)}),
    "alone": lambda rng: separations_figure({"KN": Separations(np.array([0.3]), 0)}),
    "centred": lambda rng: separations_figure({"AGN": Separations(np.zeros(4), 0)}),
}


@pytest.mark.parametrize("name", FIGURES)
def test_every_figure_has_ink_and_is_the_same_when_drawn_again(name):
    first, second = (render(FIGURES[name](np.random.default_rng(0))) for _ in range(2))
    assert first == second
    assert matplotlib.image.imread(io.BytesIO(first))[..., :3].std() > 0.01


def test_mean_scores_have_a_panel_a_present_class_with_its_mean_wide(rng):
    given = course(rng)
    panels = mean_scores_figure(given).axes
    present = np.flatnonzero(given.support)
    assert [axes.get_title(loc="left") for axes in panels] == [
        f"{given.classes[k]} ({given.support[k]})" for k in present
    ]
    for axes, true in zip(panels, present, strict=True):
        (wide,) = [line for line in axes.lines if line.get_linewidth() > 2]
        np.testing.assert_array_equal(wide.get_ydata(), given.mean[:, true, true])
        assert len(axes.lines) == len(given.classes)


def test_waits_rise_to_the_share_that_ever_arrives(rng):
    given = course(rng)
    (axes,) = waits_figure({"full": given}, ["SNIa"]).axes
    steps = [line for line in axes.lines if line.get_marker() == "None"]
    for line, level in zip(steps, LEVELS, strict=True):
        share = np.asarray(line.get_ydata())
        assert (np.diff(share) >= 0).all()
        assert share[-1] == pytest.approx(wait(given, "SNIa", level).reached)


def test_a_median_between_two_days_is_marked_on_the_line():
    follower = Follower([TREE.index("EB")] * 2, TREE)
    sure, unsure = np.eye(4)[TREE.leaves == TREE.index("EB")][0], np.full(4, 0.25)
    follower.add(1, TREE.from_leaves(np.array([sure, unsure])))
    follower.add(4, TREE.from_leaves(np.array([sure, sure])))
    (axes,) = waits_figure({"full": follower.course()}, ["EB"]).axes
    marks = [line for line in axes.lines if line.get_marker() == "o"]
    assert [float(np.ravel(mark.get_ydata())[0]) for mark in marks] == [0.5] * 3


def test_every_separation_is_in_the_histogram(rng):
    apart = rng.lognormal(size=300)
    (axes,) = separations_figure({"SNII": Separations(apart, 100)}).axes
    (shape,) = axes.patches
    assert shape.get_data().values.sum() == pytest.approx(1)
    assert "SNII (400; 25.0 % without)" in [text.get_text() for text in axes.get_legend().get_texts()]
