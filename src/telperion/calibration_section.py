"""The section of a classifier's page about calibration and promises: how far what it says can be believed."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

import numpy as np

from telperion.calibration_figures import FEWEST, depth_figure, error_phases_figure, node_reliability_figure
from telperion.calibration_tables import calibration_table, promise_table
from telperion.examination.course import THRESHOLD
from telperion.examination.examine import Examined
from telperion.figures import FEWEST as FEWEST_OF_LEVEL
from telperion.figures import reliability_figure
from telperion.page import Parts, Picture, heading
from telperion.tables import day_name, phase_name, to_html


def calibration(first: Examined, days: Sequence[float]) -> Parts:
    """Show how far what a classifier says can be believed, in its own view.

    Parameters
    ----------
    first : Examined
    days : sequence of float, d
        Phases of the figures by phase; tables have all that are scored.
    """
    return [*_errors(first), *_reliability(first, days), *_answers(first)]


def _errors(first: Examined) -> Parts:
    """Show the calibration error of every node by phase."""
    trusted, tree = first.trusted, first.classifier.tree
    calibrated = first.classifier.calibration is not None
    scored = [each.days for each in trusted.phases]
    text = (
        "Class-wise calibration error: the distance between probability and frequency in 15 bins of equal width, "
        "averaged over the objects, of probabilities moved to the class mix of the objects scored; of the leaves their "
        f"mean and the largest, of all nodes the largest, and of the likeliest leaf’s own probability; {trusted.view} "
        "view. "
    )
    text += (
        "Before: what the classifier would say without its calibration. The objects scored must have had no part in it."
        if calibrated
        else "This classifier has no calibration, so that there is no before and after; <code>telperion "
        "calibrate</code> makes one that has."
    )
    parts: Parts = [to_html(calibration_table(trusted.phases, tree.leaves, scored)), f"<p>{text}</p>"]
    finite = [each for each in trusted.phases if np.isfinite(each.days)]
    before = [each.before for each in finite if each.before is not None]
    draw = partial(
        error_phases_figure, [each.days for each in finite], before or None, [each.after for each in finite], tree.nodes
    )
    caption = (
        "Calibration error of every node against days since the first detection"
        f"{', before and after calibration' if calibrated else ''}: {first.name}, {trusted.view} view."
    )
    return [*parts, Picture("calibration errors", caption, draw)]


def _reliability(first: Examined, days: Sequence[float]) -> Parts:
    """Show the reliability of every node, and of the likeliest class of each level, by phase."""
    view, run = first.own
    parts: Parts = []
    for each in first.trusted.phases:
        if each.days not in days:
            continue
        stages = "before and after calibration, " if each.before is not None else ""
        told = "with the calibration error in the corner; bars: one standard error"
        caption = (
            f"How often objects are of a node against the probability of it, {stages}{told}; bins of fewer than "
            f"{FEWEST} objects are left out: {first.name}, {phase_name(each.days)}, {view} view."
        )
        draw = partial(node_reliability_figure, each.before, each.after, first.classifier.tree.nodes)
        parts += [heading(f"{phase_name(each.days)}, {view} view"), Picture(f"nodes {each.days:g}", caption, draw)]
        caption = (
            f"How often the most probable class is true against its probability: {first.name}, "
            f"{phase_name(each.days)}, {view} view; grey columns: how the objects spread over the bins; hollow: "
            f"fewer than {FEWEST_OF_LEVEL} objects."
        )
        draw = partial(reliability_figure, run.phases[each.days], day_name(each.days))
        parts.append(Picture(f"reliability {each.days:g}", caption, draw))
    return parts


def _answers(first: Examined) -> Parts:
    """Show how deep and how right answers along the tree are, promised ones beside those of a threshold."""
    trusted = first.trusted
    level = trusted.level or 0.9
    scored = [each.days for each in trusted.phases]
    text = (
        "Right: the answer is the true node or one above it. Depth: the mean depth of the answers, the root being 0. "
        f"Leaf: the share that reaches a leaf. The rule p &gt; {THRESHOLD:g} takes the deepest node with such a "
        "probability."
    )
    parts: Parts = [
        heading(f"answers along the tree, {trusted.view} view"),
        to_html(promise_table(trusted.phases, scored, level)),
        f"<p>{text} {_promised(first)} {_always(first)}</p>",
    ]
    finite = [each for each in trusted.phases if np.isfinite(each.days)]
    promised = [each.promised for each in finite if each.promised is not None]
    rules = {f"promised at {level:g}": promised} if promised else {}
    rules[f"p > {THRESHOLD:g}"] = [each.plain for each in finite]
    shown = f", with what is promised (dotted; for the worst depth .05 less: {level - 0.05:g})" if promised else ""
    caption = (
        "Share of right answers, mean depth, share of answers that are leaves, and share of right ones among the "
        f"answers of the depth where it is lowest (of those with more than 1 % of the answers){shown}, against days "
        f"since the first detection: {first.name}, {trusted.view} view."
    )
    draw = partial(depth_figure, [each.days for each in finite], rules, level if promised else None)
    return [*parts, Picture("answers", caption, draw)]


def _promised(first: Examined) -> str:
    """Say what is promised, or why nothing is."""
    classifier, trusted = first.classifier, first.trusted
    if trusted.level is not None:
        return (
            f"It is promised that the node is right for {100 * trusted.level:g} % of objects, at each phase alone and "
            "for objects like those that the classifier was calibrated on: not at all phases of one object together, "
            "nor for other class mixes or populations."
        )
    if classifier.promise is not None:
        return f"What this classifier promises is for the {classifier.view} view, which is not on this page."
    return "This classifier promises nothing; <code>telperion calibrate</code> makes one that does."


def _always(first: Examined) -> str:
    """Say how many objects are answered rightly at all times."""
    found = first.trusted
    if not found.days.size:
        return ""
    span = f"all {found.days.size} days followed, from {found.days[0]:g} to {found.days[-1]:g} d"
    plain = f"of {100 * found.plain_always:.1f} % of the objects by the rule p &gt; {THRESHOLD:g}"
    if found.promised_always is None:
        return f"Answers are right at {span}, {plain}."
    return (
        f"At {span}, all answers are right of {100 * found.promised_always:.1f} % of the objects by the promise (which "
        f"does not promise that) and {plain}."
    )
