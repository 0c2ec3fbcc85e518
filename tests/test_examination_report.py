"""The page: every section, every figure in it, nothing from outside."""

import base64
import re
from html.parser import HTMLParser

import numpy as np
import pytest

import telperion
from telperion.cli import main
from telperion.examination.examine import examine
from telperion.examination.population import sources
from telperion.examination_report import names, report_on
from telperion.examination_sections import glance
from telperion.formats import parquet
from telperion.simulate.drawn import draw
from telperion.simulate.save import CARD, save
from telperion.taxonomy import Taxonomy

matplotlib = pytest.importorskip("matplotlib")

SECTIONS = (
    "At a glance", "The scored set", "Scores by phase", "Scores by class", "Side by side", "Confusions", "ROC curves",
    "Mean class scores", "Sample light curves", "Days until confident", "Before the first detection", "Look-alikes",
    "Distances from hosts", "Calibration and promises", "Run time", "Training",
)  # fmt: skip
VOID = {"meta", "img"}


class Page(HTMLParser):
    """What stands on a page: headings, links, images, captions, and whether every tag is closed in turn."""

    def __init__(self, text):
        super().__init__()
        self.headings, self.links, self.ids, self.images, self.captions, self.tables = [], [], [], [], [], 0
        self._open, self._text = [], ""
        self.feed(text)
        assert not self._open

    def handle_starttag(self, tag, attrs):
        given = dict(attrs)
        self.links += [given[name] for name in ("href", "src", "srcset", "data", "action") if name in given]
        self.ids += [given["id"]] if "id" in given else []
        self.images += [given["src"]] if tag == "img" else []
        self.tables += tag == "table"
        assert tag not in {"script", "iframe", "link", "object"}
        self._text = ""
        if tag not in VOID:
            self._open.append(tag)

    def handle_endtag(self, tag):
        assert self._open.pop() == tag
        if tag == "h2":
            self.headings.append(self._text)
        if tag == "figcaption":
            self.captions.append(self._text)

    def handle_data(self, data):
        self._text += data


def parsed(path):
    text = path.read_text(encoding="utf-8")
    page = Page(text)
    assert len(text.encode()) < 15e6
    for image in page.images:
        kind, data = image.split(",", 1)
        assert kind == "data:image/png;base64"
        assert base64.b64decode(data, validate=True).startswith(b"\x89PNG")
    without_images = re.sub(r"base64,[^\"]*", "", text)
    assert all(link.startswith(("#", "data:image/png;base64,")) for link in page.links)
    assert {link[1:] for link in page.links if link.startswith("#")} == set(page.ids)
    assert not re.search(r"https?:|url\(|@import|file:", without_images)
    assert "nan" not in re.findall(r"\b\w+\b", re.sub(r"<style>.*?</style>", "", without_images, flags=re.DOTALL))
    return page, without_images


@pytest.fixture(scope="module")
def sky(tmp_path_factory):
    """A small simulated survey of all classes of the tree elasticc."""
    folder = tmp_path_factory.mktemp("sky") / "test"
    tree = Taxonomy.load("elasticc")
    save(folder, {tree.nodes[leaf]: 3 for leaf in tree.leaves}, seed=4)
    return folder


@pytest.fixture(scope="module")
def networks(tmp_path_factory, sky):
    """Both presets, untrained but for their names: what they say is poor, how it is shown is not."""
    pytest.importorskip("torch", reason="building networks needs telperion[train]")
    from dataclasses import replace

    import torch

    from telperion.classifier import Classifier
    from telperion.models.gru import Gru
    from telperion.models.gru_config import PRESETS
    from telperion.models.gru_network import build_network
    from telperion.models.gru_onnx import export_onnx

    tree, folders = Taxonomy.load("elasticc"), {}
    torch.manual_seed(0)
    history = [{"epoch": k, "loss": 2.0 - k, "validation_loss": 2.0 - k / 2} for k in range(2)]
    for preset, view in (("telperion", "alert"), ("oracle", "full")):
        config = replace(PRESETS[preset], hidden=8)
        graph = export_onnx(build_network(config, len(tree)).eval())
        model = Gru(config, tree, np.ones(tree.leaves.size), graph, history=history)
        folders[preset] = tmp_path_factory.mktemp("models") / f"<{preset}>"
        Classifier(model, "gru", view).save(folders[preset])
    return folders


@pytest.fixture(scope="module")
def page(networks, sky, tmp_path_factory):
    path = tmp_path_factory.mktemp("page") / "new" / "page.html"
    command = ["evaluate", str(networks["telperion"]), str(sky), "--report", str(path), "--days", "2", "64"]
    assert main([*command, "--beside", str(networks["oracle"])]) == 0
    return parsed(path)


def test_all_sections_stand_on_the_page_in_order(page):
    assert tuple(page[0].headings) == SECTIONS


def test_every_table_and_figure_of_the_paper_is_named(page):
    text = re.sub(r"\s+", " ", page[1])
    for number in (3, 5, 6, 7, 9):
        assert f"Table {number} of the paper" in text
    for what in (
        "Figure 1 ", "Figure 2 ", "Figure 4 ", "Figure 5 ", "Figure 6 ", "Figures 7 to 9", "Figure 10 ", "Figure 11 ",
        "Figure 12 ", "Figures 13 to 15", "Figures 16 and 17", "Figures 18 and 19",
    ):  # fmt: skip
        assert what in text


def test_every_figure_has_a_caption_that_names_what_it_is_of(page):
    captions = page[0].captions
    assert len(captions) == len(page[0].images) + 1  # the tree is text
    assert min(map(len, captions)) > 40
    assert len(set(captions)) == len(captions)


def test_the_page_says_what_was_scored_by_what_and_how(page):
    text = page[1]
    assert "57 objects" in text
    assert "telperion evaluate" in text or "<code>telperion" in text
    assert "&lt;telperion&gt;" in text
    assert "<telperion>" not in text
    assert "SNIIP-formula" in text  # the source that it was simulated from
    assert "ORACLE as published" in text


def test_both_views_have_their_tables(page):
    for view in ("Alert view", "Full view"):
        assert page[1].count(f"<h3>{view}</h3>") == 2  # scores by class, side by side
    assert page[0].tables > 15


def section(text, heading):
    return re.sub(r"\s+", " ", text.split(f"{heading}</h2>")[1].split("<h2")[0])


def test_a_page_says_where_there_is_neither_calibration_nor_promise(page):
    text = section(page[1], "Calibration and promises")
    assert "This classifier has no calibration" in text
    assert "This classifier promises nothing" in text
    assert "promised at" not in text
    assert "Answers are right at all 73 days followed, from 0 to 1024 d, of " in text
    assert "this line alone is not calibrated" not in page[1]


def test_a_page_needs_a_file_and_one_tree(networks, sky, tmp_path):
    classifier, curves = telperion.load(networks["oracle"]), telperion.read(sky)
    with pytest.raises(IsADirectoryError, match="is a folder"):
        report_on(tmp_path, {"a": classifier}, curves, data=sky, command="")
    others = {"a": classifier, "b": telperion.load("plasticc-gru")}
    with pytest.raises(ValueError, match="another tree"):
        report_on(tmp_path / "page.html", others, curves, data=sky, command="")
    with pytest.raises(ValueError, match="'a' is given twice"):
        names(["a", "b", "a"])


def test_a_glance_shows_the_scores_themselves():
    classifier, curves = telperion.load("plasticc-gru"), draw(n_per_class=3, seed=9)
    found = examine("ours", classifier, curves, days=(2,), views=["alert"], batches={1: 1})
    text = "".join(part for part in glance([found], [2.0]) if isinstance(part, str))
    scores = found.evaluations["alert"].phases[2]
    assert f"<b>{scores['leaves'].macro.f1:.3f} ±" in text
    assert f"<b>{scores['level 2'].macro.f1:.3f} ±" in text
    assert f"<b>{scores['leaves'].summary['calibration_error']:.3f}</b>" in text


def test_one_classifier_in_one_view_on_a_set_without_context_has_a_page_too(tmp_path):
    """The drawn light curves lie nowhere, have no host, and are of another tree."""
    curves = draw(n_per_class=2, seed=9)
    parquet.write(curves.with_context({"mwebv": curves.context["mwebv"]}), tmp_path / "sky.parquet")
    command = ["evaluate", "plasticc-gru", str(tmp_path / "sky.parquet"), "--report", str(tmp_path / "page.html")]
    assert main([*command, "--days", "8", "--view", "full"]) == 0
    found, text = parsed(tmp_path / "page.html")
    assert set(SECTIONS) - set(found.headings) == {"Side by side", "Distances from hosts"}
    assert "<details>" not in text
    assert "published" not in text.split("Before the first detection</h2>")[1].split("</table>")[0]


def test_real_light_curves_have_a_page(lsst_data, tmp_path):
    from telperion.formats import plasticc

    curves = plasticc.read(lsst_data / "plasticc")[::80]
    classifiers = {"network": telperion.load("plasticc-gru")}
    report_on(
        tmp_path / "page.html",
        classifiers,
        curves,
        data="PLAsTiCC",
        command="x",
        days=(64,),
        views=["alert"],
        context="photoz",
    )
    found, text = parsed(tmp_path / "page.html")
    assert set(SECTIONS) - set(found.headings) == {"Side by side", "Distances from hosts"}
    assert "all but spectroscopic redshifts" in text
    assert "5,852 objects of plasticc: scores on those flatter it" in text


def test_the_sources_of_a_survey_are_read_from_its_card(sky, tmp_path):
    found = sources(sky)
    assert sum(found["SNII"].values()) == pytest.approx(1)
    assert sources(tmp_path) == {}
    for text in ("{", "[]", '{"sources": 3}', '{"sources": {"KN": {"a": "b"}}}'):
        (tmp_path / CARD).write_text(text)
        with pytest.raises(ValueError, match="is not the card of a survey"):
            sources(tmp_path)
