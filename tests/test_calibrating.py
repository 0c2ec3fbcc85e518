"""A trained network, calibrated on drawn light curves: asked, saved, stepped, reported."""

import dataclasses
import json
from unittest.mock import ANY

import numpy as np
import pyarrow.parquet as pq
import pytest

import telperion
from telperion.calibrating import DAYS, ask, calibrate, halves
from telperion.calibration_report import always_right, draw_trust, measured_card, show_trust, trust
from telperion.calibration_scores import mix_of
from telperion.calibration_tables import always_table, calibration_table, promise_table
from telperion.classifier import Classifier, ModelFolderError
from telperion.cli import main
from telperion.encode.view import days_known, held_context, keep_context, view
from telperion.evaluate import evaluate
from telperion.formats import parquet
from telperion.lightcurves import LightCurves, RepairWarning
from telperion.simulate.drawn import draw

FEW = (0.0, 1.0, 8.0, 64.0)


@pytest.fixture(scope="module")
def fold():
    return draw(n_per_class=25, seed=21)


@pytest.fixture(scope="module")
def asked(classifiers, fold):
    return ask(classifiers["gru"], fold, days=FEW)


@pytest.fixture(scope="module")
def calibrated(classifiers, asked):
    return calibrate(classifiers["gru"], asked)


def position(curves):
    return np.arange(curves.n_rows) - curves.offsets[:-1][curves.object_index]


@pytest.mark.parametrize("kind", ["gru", "oracle", "boost"])
@pytest.mark.parametrize("which", ["full", "alert"])
def test_asking_gives_what_predicting_gives(classifiers, drawn, kind, which):
    """A steppable model is asked step by step; forced photometry that reaches back is not lost."""
    classifier = classifiers[kind]
    (answers,) = ask(classifier, drawn, contexts=("photoz",), days=DAYS[::4], view=which)
    curves = keep_context(drawn, "photoz")
    for place, day in enumerate(DAYS[::4]):
        seen = view(curves, day, which).lengths > 0
        expected = classifier.predict(curves, days=day, view=which)
        np.testing.assert_allclose(answers.probabilities[place, seen], expected[seen], atol=1e-5)
        np.testing.assert_array_equal(answers.known[place], days_known(view(curves, day, which)))


def test_the_calibrated_network_has_lower_loss_on_other_objects(calibrated, classifiers):
    plain, test = classifiers["gru"], draw(n_per_class=25, seed=22)
    label = plain.tree.labels(test.label)
    loss = {
        name: np.mean([-np.log(c.predict(test, days=day)[np.arange(len(label)), label]).mean() for day in FEW])
        for name, c in (("plain", plain), ("calibrated", calibrated))
    }
    assert loss["calibrated"] < loss["plain"]


def test_the_classifier_predicts_calibrated_probabilities_that_sum_up(calibrated, classifiers, fold):
    tree = calibrated.tree
    after = calibrated.predict(fold, days=8)
    known = view(fold, 8, "alert")
    before = classifiers["gru"].predict(fold, days=8)
    np.testing.assert_allclose(after, calibrated.calibration.apply(before, days_known(known)), atol=1e-6)
    for group in tree.groups[1:]:
        np.testing.assert_allclose(after[:, group].sum(axis=1), after[:, tree.parent[group[0]]], atol=1e-6)
    np.testing.assert_array_equal(calibrated.decide(after), tree.leaves[
        np.argmax(after[:, tree.leaves] / calibrated.calibration.mix**calibrated.power, axis=1)
    ])  # fmt: skip


def test_a_prior_starts_from_the_mix_of_the_objects_calibrated_on(calibrated, fold):
    assert calibrated.mix == pytest.approx(calibrated.calibration.mix)
    assert np.abs(calibrated.mix - 1 / 14).max() < 0.03  # half of as many of each class
    prior = np.arange(1.0, 15.0)
    plain = calibrated.predict(fold, days=8)
    moved = calibrated.predict(fold, days=8, prior=prior)
    np.testing.assert_allclose(moved, calibrated.tree.reweight(plain, calibrated.mix, prior), atol=1e-6)


def test_an_object_of_which_nothing_is_known_gets_that_mix(calibrated):
    silent = LightCurves(["x"], [0, 1], [1.0], [1], [1.0], [1.0], [False], dereddened=True)
    for probabilities in (
        calibrated.predict(silent, days=3),
        calibrated.step(calibrated.start(1), view(silent, 3, "alert"))[0],
    ):
        np.testing.assert_allclose(probabilities[0, calibrated.tree.leaves], calibrated.mix, atol=1e-6)


@pytest.mark.parametrize("kind", ["gru", "oracle"])
def test_stepping_gives_what_predicting_gives(classifiers, calibrated, drawn, kind):
    classifier = dataclasses.replace(classifiers[kind], calibration=calibrated.calibration)
    curves = view(drawn, 300.0, "alert")
    rank, state = position(curves), classifier.start(len(curves))
    for k in range(0, int(curves.lengths.max()), 5):
        stepped, state = classifier.step(state, curves.select_rows((rank >= k) & (rank < k + 5)))
        whole = classifier.predict(curves.select_rows(rank < k + 5), view="full")
        np.testing.assert_allclose(stepped, whole, atol=1e-5)
    last = classifier.predict(curves, view="full")
    context = held_context(curves)
    np.testing.assert_array_equal(
        calibrated.promised(stepped, state.days, context), calibrated.promised(last, days_known(curves), context)
    )


def test_a_saved_calibration_is_loaded_and_an_older_folder_has_none(calibrated, classifiers, fold, tmp_path):
    calibrated.save(tmp_path / "saved")
    again = Classifier.load(tmp_path / "saved")
    np.testing.assert_allclose(again.predict(fold, days=8), calibrated.predict(fold, days=8), atol=1e-6)
    assert again.classify(fold, days=FEW)["confident_node"].equals(
        calibrated.classify(fold, days=FEW)["confident_node"]
    )
    assert again.power == calibrated.power
    classifiers["gru"].save(tmp_path / "plain")
    assert not (tmp_path / "plain" / "calibration.json").exists()
    assert Classifier.load(tmp_path / "plain").calibration is None


def digest_again(folder):
    import hashlib

    card = json.loads((folder / "classifier.json").read_text())
    card["files"]["calibration.json"] = hashlib.sha256((folder / "calibration.json").read_bytes()).hexdigest()
    (folder / "classifier.json").write_text(json.dumps(card))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda text: text.replace('"format": 1', '"format": 2'), "has format 2, this version reads 1"),
        (lambda text: text.replace('"promise"', '"promises"'), "unknown to this version: 'promises'"),
        (lambda text: "[]", "is no calibration"),
        (lambda text: "{", "is no calibration"),
        (lambda text: "[" * 100_000, "is no calibration"),
        (lambda text: text.replace('"bias"', '"bios"'), "lacks 'bias'"),
        (lambda text: text.replace("SNIa", "SNIz"), "is no calibration"),
        (lambda text: text.replace("0.", "NaN0.", 1).replace("NaN0.", "NaN, 0.", 1), "is no calibration"),
        (lambda text: text.replace('"none"', '"nothing"'), "it promises nothing for 1 kinds of context, first 'none'"),
        (lambda text: text + " " * 17_000_000, "it is larger than 16777216 bytes"),
    ],
)
def test_a_hostile_calibration_is_refused(calibrated, tmp_path, change, message):
    calibrated.save(tmp_path / "saved")
    path = tmp_path / "saved" / "calibration.json"
    path.write_text(change(path.read_text()))
    with pytest.raises(ModelFolderError, match="1 altered files"):
        Classifier.load(tmp_path / "saved")
    digest_again(tmp_path / "saved")
    with pytest.raises(ModelFolderError, match=message):
        Classifier.load(tmp_path / "saved")


def test_classify_reports_what_is_promised_and_a_threshold_where_nothing_is(calibrated, classifiers, fold):
    known = view(fold, 8.0, "alert")
    probabilities = calibrated.predict(fold, days=8.0)
    expected = calibrated.promised(probabilities, days_known(known), held_context(known), level=0.8)
    names = np.array(calibrated.tree.nodes)
    table = calibrated.classify(fold, days=(8.0,), level=0.8)
    assert table["confident_node"].to_pylist() == names[expected].tolist()
    plain = names[calibrated.tree.confident(calibrated.predict(fold, days=8, view="full"), 0.9)]
    assert calibrated.classify(fold, days=(8.0,), view="full")["confident_node"].to_pylist() == plain.tolist()
    with pytest.raises(ValueError, match=r"nothing is promised at level 0\.7"):
        calibrated.classify(fold, level=0.7)
    with pytest.raises(TypeError, match="promises nothing"):
        classifiers["gru"].classify(fold, level=0.9)


def test_levels_hold_on_other_objects_of_a_trained_network(calibrated):
    answers = ask(calibrated, draw(n_per_class=60, seed=23), days=FEW)
    for each in trust(calibrated, answers):
        assert each.promised.coverage > 0.87


def test_the_order_of_the_objects_does_not_matter(classifiers, fold, calibrated, rng):
    shuffled = fold[rng.permutation(len(fold))]
    again = calibrate(classifiers["gru"], ask(classifiers["gru"], shuffled, days=FEW))
    np.testing.assert_allclose(again.calibration.bias, calibrated.calibration.bias, atol=1e-3)
    np.testing.assert_allclose(again.promise.price, calibrated.promise.price, atol=1e-3)


def test_a_model_of_any_kind_is_calibrated(classifiers, fold):
    boosted = calibrate(classifiers["boost"], ask(classifiers["boost"], fold, days=(2.0, 64.0)))
    assert boosted.promise is not None
    assert np.isfinite(boosted.predict(fold, days=8)).all()


def test_a_classifier_with_a_target_is_not_calibrated(classifiers, calibrated):
    sought = dataclasses.replace(classifiers["gru"], target="KN", threshold=0.3)
    with pytest.raises(ValueError, match="threshold of 'KN' was chosen without a calibration"):
        dataclasses.replace(sought, calibration=calibrated.calibration)


def test_what_cannot_be_asked_is_refused_and_what_is_left_out_is_said(classifiers, drawn):
    with pytest.raises(ValueError, match="days that rise"):
        ask(classifiers["gru"], drawn, days=(8.0, 2.0))
    silent = LightCurves(["x"], [0, 1], [1.0], [1], [1.0], [1.0], [False], label=["SNIa"], dereddened=True)
    with pytest.raises(ValueError, match="none of the labelled objects has a detection"):
        ask(classifiers["gru"], silent)
    with pytest.warns(RepairWarning, match="1 objects without a detection are left out, first 'x'"):
        answers = ask(classifiers["gru"], LightCurves.concatenate([drawn, silent]), days=(1.0,))
    assert answers[0].labels.size == len(drawn)


def test_halves_and_selections_keep_what_belongs_together(asked):
    answers = asked[0]
    first = halves(answers)
    assert first.sum() == len(first) // 2
    part = answers[first]
    np.testing.assert_array_equal(part.labels, answers.labels[first])
    np.testing.assert_array_equal(np.sort(part.order), np.arange(first.sum()))


def test_tables_and_figures_tell_of_every_context_and_phase(calibrated, asked, tmp_path, capsys):
    pytest.importorskip("matplotlib")
    prior = mix_of(asked[0].labels, calibrated.tree)
    np.testing.assert_allclose(prior, 1 / 14)
    measured = trust(calibrated, asked, prior=prior)
    assert len(measured) == 3 * len(FEW)
    tables = [calibration_table(measured, calibrated.tree.leaves), promise_table(measured)]
    shares = always_right(calibrated, asked)
    for context, share in shares.items():
        assert share <= min(each.promised.coverage for each in measured if each.context == context)
    show_trust([*tables, always_table(shares)], markdown=True)
    text = capsys.readouterr().out
    assert text.count("| photoz |") == 2 * len(FEW) + 1
    draw_trust(tmp_path, [each for each in measured if (each.context, each.days) == ("none", 8)], calibrated.tree)
    assert {path.name for path in tmp_path.iterdir()} == {"errors-none.png", "depth-none.png", "reliability-none-8.png"}


def test_the_card_has_the_scores_of_the_objects_measured_on(calibrated, classifiers, asked, fold):
    card = measured_card(calibrated, asked, data="fold", command="telperion calibrate /home/me/x --test /home/me/fold")
    assert card["command"] == "telperion calibrate x --test fold"
    assert card["objects"] == len(fold)
    for row, context in zip(card["figures"], ("specz", "photoz", "none"), strict=True):
        said = calibrated.predict(keep_context(fold, context), days=8)
        expected = evaluate(said, calibrated.tree.labels(fold.label), calibrated.tree, decided=calibrated.decide(said))
        assert row["leaf macro F1"] == {"8": pytest.approx(expected["leaves"].macro.f1, abs=1e-4), "64": ANY}
    with pytest.raises(ValueError, match="not calibrated"):
        measured_card(classifiers["gru"], asked, data="", command="")


def test_the_command_calibrates_and_measures(classifiers, fold, tmp_path, capsys):
    classifiers["gru"].save(tmp_path / "plain")
    parquet.write(fold, tmp_path / "fold.parquet")
    command = ["calibrate", str(tmp_path / "plain"), str(tmp_path / "fold.parquet"), "-o", str(tmp_path / "out")]
    assert main([*command, "--context", "none", "--level", "0.8", "0.9", "--prior", "--markdown"]) == 0
    text = capsys.readouterr().out
    assert "Class-wise calibration error" in text
    assert "promised at 0.8" in text
    assert "figures" not in telperion.load(tmp_path / "out").card
    command = [*command[:-1], str(tmp_path / "tested"), "--context", "none", "--test", str(tmp_path / "fold.parquet")]
    assert main([*command, "--level", "0.8"]) == 0
    capsys.readouterr()
    assert telperion.load(tmp_path / "tested").card["protocol"] == "measured on 350 objects that taught it nothing"
    out = tmp_path / "classes.parquet"
    arguments = ["classify", str(tmp_path / "fold.parquet"), "-m", str(tmp_path / "out"), "-o", str(out)]
    assert main([*arguments, "--days", "8", "--level", "0.8"]) == 0
    assert pq.read_table(out).num_rows == len(fold)
    assert main([*arguments, "--level", "0.5"]) == 2
    assert "nothing is promised at level 0.5" in capsys.readouterr().err
