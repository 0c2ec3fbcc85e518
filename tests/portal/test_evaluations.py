"""What the model page shows was measured of just these files, or is not shown."""

import json

import pytest

import telperion
from telperion.portal.evaluations import SHIPPED, keep_measured, read_measured
from telperion.portal.model_page import found, scores_by_day


@pytest.fixture(scope="module")
def measured():
    return read_measured(telperion.load("elasticc").fingerprint)


def test_the_shipped_flagship_is_measured_and_its_card_says_the_same(measured):
    figures = {each["context"]: each["leaf macro F1"] for each in telperion.load("elasticc").card["figures"]}
    for context, days in scores_by_day(measured):
        for day, f1, error in days:
            assert f1 == pytest.approx(figures[context][f"{day:g}"], abs=5e-5)
            assert error < 0.03


def test_another_classifiers_figures_are_not_shown():
    assert read_measured("another") is None
    assert read_measured("") is None


def test_rows_of_the_confusion_sum_to_one_and_bins_lie_in_their_diagram(measured):
    for run in measured.runs:
        shown = found(measured, run.context, 64)
        for row in shown.cells:
            assert sum(cell.share for cell in row) == pytest.approx(1)
        for each in shown.bins:
            assert 0 <= each.high <= each.frequency <= each.low <= 100
        assert sum(each.number for each in shown.bins) == shown.scores.n_objects


def test_reports_of_ones_own_are_read_and_what_is_none_is_refused(tmp_path):
    document = json.loads((SHIPPED / "elasticc.json").read_text())
    runs = [{"name": "mine"} | run for run in document["runs"][:1]]
    (tmp_path / "scores.json").write_text(
        json.dumps({"command": "telperion evaluate mine data", "data": "data", "runs": runs})
    )
    mine = read_measured("mine", [tmp_path])
    assert mine.command == "telperion evaluate mine data"
    keep_measured(tmp_path / "kept.json", "mine", [tmp_path])
    assert json.loads((tmp_path / "kept.json").read_text())["fingerprint"] == "mine"
    (tmp_path / "scores.json").write_text("{}")
    with pytest.raises(ValueError, match="not the scores"):
        read_measured("mine", [tmp_path])
