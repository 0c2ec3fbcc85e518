import json
import re
import shutil
import warnings

import numpy as np
import pytest

from telperion import saved
from telperion.calibrating import ask, calibrate
from telperion.calibration_report import measured_card
from telperion.card_figures import class_f1, figures_of
from telperion.cards import SECTIONS, About, card_page, cards_page
from telperion.classifier import load, shipped_names
from telperion.cli import main
from telperion.evaluate import evaluate
from telperion.models.card import SHIPPED
from telperion.report import model_card, write_scores
from telperion.scores import Evaluation
from telperion.simulate.drawn import draw
from telperion.taxonomy import Taxonomy

TREE = Taxonomy.load("plasticc")


def evaluation(rng, context="none", view="alert", classes=14):
    labels = rng.choice(TREE.leaves[:classes], 60)
    said = TREE.from_leaves(rng.dirichlet(np.ones(14), 60))
    return Evaluation(view, context, {2.0: evaluate(said, labels, TREE), 64.0: evaluate(said, labels, TREE)})


@pytest.mark.parametrize("name", shipped_names())
def test_every_shipped_classifier_says_what_it_must_not_be_used_for(name):
    page, about = card_page(name), About.load(name)
    for heading in (*SECTIONS.values(), "What it is worth", "The class mix that it assumes"):
        assert f"## {heading}\n" in page
    assert min(len(about.data), len(about.never), len(about.limits)) >= 2
    document = saved.read_card(SHIPPED / name)
    assert saved.fingerprint(document) in page
    for row in document["card"]["figures"]:
        shown = row.get("leaf macro F1", {"f1": row.get("f1")})
        assert all(f"{value:.3f}" in page for value in shown.values())
    shares = re.findall(r"\| (\d+\.\d\d) % \|", page)
    assert len(shares) == len(document["mix"])
    assert sum(map(float, shares)) == pytest.approx(100, abs=0.1)


def test_a_card_needs_no_library_that_its_model_needs(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "lightgbm", None)
    assert "boosted trees" in card_page("mallorn")


def test_the_page_has_all_cards_one_heading_deeper(capsys):
    assert main(["card"]) == 0
    page = capsys.readouterr().out
    assert page == cards_page()
    assert re.findall("^## (.*)$", page, re.MULTILINE) == shipped_names()
    assert re.findall("^# (.*)$", page, re.MULTILINE) == ["Model cards"]


def test_what_is_written_of_a_classifier_is_complete(tmp_path, monkeypatch):
    monkeypatch.setattr("telperion.cards.SHIPPED", tmp_path)
    assert About.load("mine") is None
    (tmp_path / "mine.toml").write_text('summary = "x"\nused = []\n')
    with pytest.raises(ValueError, match=r"mine.toml has missing or unknown entries, first 'commands'"):
        About.load("mine")


def test_f1_by_class_is_that_of_the_evaluation(rng):
    run = evaluation(rng, classes=9)
    figure = figures_of([run])
    scores = run.phases[64.0]["leaves"]
    present = {name for name, count in zip(scores.classes, scores.support, strict=True) if count}
    assert class_f1(figure)["64"] == {
        name: pytest.approx(f1, abs=5e-5) for name, f1 in zip(scores.classes, scores.f1, strict=True) if name in present
    }
    mean = np.mean(list(class_f1(figure)["64"].values()))  # the macro F1 is their mean: both tables agree
    assert figure["leaf macro F1"]["64"] == pytest.approx(mean, abs=1e-4)


def test_seeds_are_averaged_and_views_are_not(rng):
    one, other = evaluation(rng), evaluation(rng)
    both = figures_of([one, other])
    assert both["seeds"] == 2
    assert both["class F1"]["2"]["KN"] == pytest.approx(
        np.mean(
            [run.phases[2.0]["leaves"].f1[list(one.phases[2.0]["leaves"].classes).index("KN")] for run in (one, other)]
        ),
        abs=1e-4,
    )
    assert both["spread over seeds"].keys() == {"2", "64"}
    with pytest.raises(ValueError, match="2 evaluations are not all of one view"):
        figures_of([one, evaluation(rng, view="full")])


def test_old_cards_have_no_f1_by_class_and_are_read():
    for name in ("plasticc", "plasticc-gru"):
        for figure in saved.read_card(SHIPPED / name)["card"]["figures"]:
            old = {key: value for key, value in figure.items() if key != "class F1"}
            assert class_f1(old) == {}


@pytest.fixture
def mine(tmp_path):
    """A copy of a shipped classifier without figures."""
    shutil.copytree(SHIPPED / "plasticc-gru", tmp_path / "mine")
    saved.replace_card(tmp_path / "mine", {})
    return tmp_path / "mine"


def scores(folder, rng, command="telperion evaluate mine /home/me/sky", contexts=("none",)):
    write_scores(folder, [("mine", evaluation(rng, each)) for each in contexts], data="/home/me/sky", command=command)
    return str(folder)


def test_figures_are_put_on_a_card_and_nothing_else_changes(mine, rng, tmp_path, capsys):
    before, said = load(mine), draw(n_per_class=1, seed=4)
    assert "Nothing was measured" in card_page(mine)
    one, other = scores(tmp_path / "a.json", rng), scores(tmp_path / "b.json", rng, contexts=("specz",))
    assert main(["card", str(mine), "--scores", one, other]) == 0
    page = capsys.readouterr().out
    assert "Measured on 60 objects (`sky`), by `telperion evaluate mine sky; telperion evaluate mine sky`." in page
    assert page.count("F1 by class, alert view") == 2
    after = load(mine)
    assert after.fingerprint == before.fingerprint
    np.testing.assert_array_equal(after.predict(said), before.predict(said))
    assert sorted(path.name for path in mine.parent.iterdir()) == ["a.json", "b.json", "mine"]


def test_the_same_objects_stay_what_they_are_known_to_be(mine, rng, tmp_path):
    known = {"protocol": "measured on 60 objects that taught it nothing", "data": "sky"}
    saved.replace_card(mine, known | {"objects": 60, "command": "", "figures": []})
    assert main(["card", str(mine), "--scores", scores(tmp_path / "a.json", rng)]) == 0
    assert saved.read_card(mine)["card"]["protocol"] == known["protocol"]


def test_a_cross_validation_gives_way_to_a_cross_validation_only(mine, rng, tmp_path, capsys):
    crossed = scores(tmp_path / "a.json", rng, "telperion crossvalidate runs/mine.toml sky -o out", ("none", "none"))
    assert main(["card", str(mine), "--scores", crossed]) == 0
    assert "Cross-validated on 60 objects" in capsys.readouterr().out
    assert main(["card", str(mine), "--scores", scores(tmp_path / "b.json", rng)]) == 2
    assert "cross-validated" in capsys.readouterr().err
    assert main(["card", str(mine), "--scores", crossed]) == 0


def test_figures_of_several_things_are_refused(rng, tmp_path):
    one = scores(tmp_path / "a.json", rng)
    with pytest.raises(ValueError, match="context none is scored twice"):
        model_card(one, scores(tmp_path / "b.json", rng))
    with pytest.raises(ValueError, match="are of 2 sets of objects"):
        model_card(one, scores(tmp_path / "c.json", rng, "telperion crossvalidate x y", ("specz",)))
    write_scores(tmp_path / "d.json", [("other", evaluation(rng, "specz"))], data="sky", command="")
    with pytest.raises(ValueError, match="scores of 2 runs"):
        model_card(one, tmp_path / "d.json")


def test_figures_need_a_classifier(capsys):
    assert main(["card", "--scores", "scores.json"]) == 2
    assert "say which" in capsys.readouterr().err


def test_a_calibrated_classifier_says_what_its_promise_is_worth(tmp_path):
    curves = draw(n_per_class=12, seed=1)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        plain = load("plasticc-gru")
        made = calibrate(plain, ask(plain, curves, days=(1, 8, 64), contexts=("none",)), levels=(0.8, 0.9))
        answers = ask(made, draw(n_per_class=5, seed=2), days=(1, 8, 64), contexts=("none",))
    card = measured_card(made, answers, data="drawn", command="telperion calibrate")
    (figure,) = card["figures"]
    assert figure["class F1"].keys() == figure["promised"]["right"].keys() == {"8", "64"}
    assert figure["promised"]["level"] == 0.9
    assert 0 <= figure["largest calibration error of a leaf"]["8"] <= 1
    json.dumps(card, allow_nan=False)
    type(made)(**{**vars_of(made), "card": card}).save(tmp_path / "made")
    page = card_page(tmp_path / "made")
    assert "promised at 0.9: right" in page
    assert f"{figure['promised']['depth']['64']:.3f}" in page
    assert "Nobody has written that down yet" in page


def vars_of(classifier):
    return {name: value for name, value in vars(classifier).items() if name != "fingerprint"}
