"""A report is a folder of files that stand on their own."""

import io
import json
import re
import sys

import numpy as np
import pytest
from rich.console import Console

from telperion.evaluate import evaluate
from telperion.report import read_scores, show, write_json, write_report, write_scores
from telperion.scores import Evaluation
from telperion.taxonomy import Taxonomy

TREE = Taxonomy("toy", {"Alert": {"Transient": {"SN": {}, "KN": {}}, "Variable": {"AGN": {}, "EB": {}, "Mira": {}}}})


def drawn(rng, days=(2, 8)):
    def phase():
        leaves = rng.dirichlet(np.ones(len(TREE.leaves)), size=100)
        return evaluate(TREE.from_leaves(leaves), rng.choice(TREE.leaves[:-1], size=100), TREE)

    return Evaluation("alert", "photoz", {day: phase() for day in days})


ABOUT = {"title": "Ours <b> & theirs", "data": "100 drawn objects", "command": "telperion evaluate a --days 2 8"}


def strict(text):
    """Read JSON and refuse NaN and infinities, which are none of it."""

    def refuse(name):
        raise ValueError(name)

    return json.loads(text, parse_constant=refuse)


def test_one_classifier_is_shown_class_by_class_and_several_side_by_side(rng):
    first, second = drawn(rng), drawn(rng)
    shown = []
    for runs in ([("ours", first)], [("ours", first), ("theirs", second)]):
        console = Console(file=io.StringIO(), width=160)
        show(runs, console=console)
        shown.append(console.file.getvalue())
    assert "weighted average" in shown[0]
    assert "KN" in shown[0]
    assert "theirs" in shown[1]
    assert "Balanced log-loss" in shown[1]


# -- JSON ----------------------------------------------------------------------------------------------------------


def test_json_is_strict_and_holds_numpy_numbers(tmp_path):
    value = {"a": np.float32(0.5), "b": np.array([1.0, np.nan, np.inf]), "c": [], "d": {}, "e": "“[1,  2]”", "f": None}
    write_json(tmp_path / "a.json", value | {"g": [{"h": (1, 2)}, True]})
    assert strict((tmp_path / "a.json").read_text(encoding="utf-8")) == {
        "a": 0.5, "b": [1, None, None], "c": [], "d": {}, "e": "“[1,  2]”", "f": None, "g": [{"h": [1, 2]}, True],
    }  # fmt: skip


def test_json_keeps_a_row_of_numbers_on_a_line(tmp_path):
    write_json(tmp_path / "a.json", {"confusion": [[1, 2], [3, 4]]})
    assert "  [1, 2],\n" in (tmp_path / "a.json").read_text()


def test_scores_come_back_from_their_file(tmp_path, rng):
    runs = [("gru", drawn(rng)), ("gru", drawn(rng)), ("boost", drawn(rng, (2, np.inf)))]
    write_scores(tmp_path / "scores.json", runs, command="x")
    again = read_scores(tmp_path / "scores.json")
    assert [(name, run.to_dict()) for name, run in again] == [(name, run.to_dict()) for name, run in runs]
    assert strict((tmp_path / "scores.json").read_text())["command"] == "x"


# -- the folder ----------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def report(tmp_path_factory):
    pytest.importorskip("matplotlib")
    rng = np.random.default_rng(0)
    history = [{"epoch": k, "loss": 1 / (k + 1), "validation_loss": 1.0} for k in range(3)]
    folder = tmp_path_factory.mktemp("report")
    runs = [("ours", drawn(rng)), ("ours", drawn(rng)), ("theirs", drawn(rng))]
    page = write_report(folder, runs, **ABOUT, histories={"ours": history}, days=[8], formats=["png"])
    assert page == folder / "index.html"
    return folder


def test_every_figure_is_written(report):
    names = {path.stem for path in (report / "figures").iterdir()}
    assert {
        "macro-f1",
        "ours-confusion-of-leaves-8-d",
        "theirs-roc-8-d",
        "ours-reliability-8-d",
        "learning-ours",
    } <= names
    for name in names:
        assert (report / "figures" / f"{name}.png").read_bytes().startswith(b"\x89PNG")


def test_figures_are_written_in_the_formats_that_are_asked_for(tmp_path, rng):
    pytest.importorskip("matplotlib")
    page = write_report(tmp_path, [("ours", drawn(rng, [8]))], **ABOUT, formats=["svg"])
    assert {path.suffix for path in (tmp_path / "figures").iterdir()} == {".svg"}
    assert "data:image/png;base64," in page.read_text(encoding="utf-8")


def test_the_page_holds_every_figure_and_asks_for_nothing_from_outside(report):
    page = (report / "index.html").read_text(encoding="utf-8")
    assert page.count("data:image/png;base64,") == len(list((report / "figures").glob("*.png")))
    links = re.findall(r'(?:src|href)="([^"]*)"', page)
    assert links
    assert all(link.startswith(("data:image/png;base64,", "#")) for link in links)
    assert "http" not in re.sub(r"base64,[^\"]*", "", page)
    assert "<script" not in page
    assert "url(" not in page


def test_the_page_states_what_was_scored_and_how(report):
    page = (report / "index.html").read_text(encoding="utf-8")
    for text in (
        "100 drawn objects",
        "alert",
        "photoz",
        "telperion evaluate a --days 2 8",
        "Class mix",
        "Side by side",
    ):
        assert text in page
    assert "Ours &lt;b&gt; &amp; theirs" in page
    assert "<b>" not in page


def test_every_link_of_the_page_leads_somewhere(report):
    page = (report / "index.html").read_text(encoding="utf-8")
    places = re.findall(r'id="([^"]*)"', page)
    assert re.findall(r'href="#([^"]*)"', page) == places == ["side-by-side", "ours", "theirs", "training-of-ours"]


def test_every_tag_of_the_page_is_closed(report):
    page = (report / "index.html").read_text(encoding="utf-8")
    for tag in (
        "table",
        "thead",
        "tbody",
        "tr",
        "th",
        "td",
        "div",
        "figure",
        "dl",
        "details",
        "h2",
        "nav",
        "html",
        "body",
    ):
        assert len(re.findall(rf"<{tag}[\s>]", page)) == page.count(f"</{tag}>"), tag


def test_the_scores_of_a_report_can_be_read_back(report):
    runs = read_scores(report / "scores.json")
    assert [name for name, _ in runs] == ["ours", "ours", "theirs"]
    assert runs[0][1].days == (2, 8)


def test_without_formats_only_tables_are_written(tmp_path, rng, monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    page = write_report(tmp_path / "new" / "report", [("ours", drawn(rng))], **ABOUT, formats=())
    text = page.read_text(encoding="utf-8")
    assert "<img" not in text
    assert "macro average" in text


def test_a_report_refuses_unknown_formats_and_no_runs(tmp_path, rng):
    with pytest.raises(ValueError, match="1 formats are unknown, first 'gif'"):
        write_report(tmp_path, [("ours", drawn(rng))], **ABOUT, formats=["png", "gif"])
    with pytest.raises(ValueError, match="no evaluation"):
        write_report(tmp_path, [], **ABOUT)
    assert not list(tmp_path.iterdir())
