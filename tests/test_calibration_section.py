"""A classifier with calibration and promise shows both, in the view that the promise was made for."""

import re

import numpy as np
import pytest

import telperion
from telperion.calibrating import ask, calibrate
from telperion.calibration_scores import class_errors
from telperion.examination.examine import examine
from telperion.examination_sections import before_detection
from telperion.page import Picture
from telperion.simulate.drawn import draw

matplotlib = pytest.importorskip("matplotlib")

from telperion.calibration_section import calibration  # noqa: E402
from telperion.style import render  # noqa: E402


@pytest.fixture(scope="module")
def calibrated():
    plain = telperion.load("plasticc-gru")
    return calibrate(plain, ask(plain, draw(n_per_class=20, seed=6), days=(0, 1, 8, 64)))


def shown(classifier, view):
    curves = draw(n_per_class=3, seed=9)
    found = examine("<ours>", classifier, curves, days=(8, np.inf), views=[view], batches={1: 1})
    parts = calibration(found, [8, np.inf])
    text = " ".join(re.sub(r"\s+", " ", part) for part in parts if isinstance(part, str))
    return found, text, [part for part in parts if isinstance(part, Picture)]


def test_what_is_promised_stands_beside_the_threshold_before_and_after(calibrated):
    found, text, pictures = shown(calibrated, "alert")
    trusted = found.trusted
    for each in trusted.phases:
        for stage in (each.before, each.after):
            assert f"<td>{class_errors(stage)[calibrated.tree.leaves].mean():.3f}</td>" in text
        for rule in (each.promised, each.plain):
            assert f"<td>{rule.depth:.3f}</td>" in text
    assert "right for 90 % of objects, at each phase alone" in text
    assert f"right of {100 * trusted.promised_always:.1f} % of the objects by the promise" in text
    assert f"of {100 * trusted.plain_always:.1f} % of the objects by the rule" in text
    captions = [picture.caption for picture in pictures]
    assert len(set(captions)) == len(captions) == 6  # errors, two kinds of reliability at two phases, answers
    assert sum("before and after calibration" in caption for caption in captions) == 3
    assert all("<ours>" in caption for caption in captions)
    assert all(render(picture.draw()).startswith(b"\x89PNG") for picture in pictures)
    assert "this line alone is not calibrated" in before_detection(found)[1]


def test_in_another_view_nothing_is_promised(calibrated):
    _, text, pictures = shown(calibrated, "full")
    assert "for the alert view, which is not on this page" in text
    assert "promised at" not in text
    assert not any("promised" in picture.caption for picture in pictures)
    assert "Before: what the classifier would say without its calibration" in text
