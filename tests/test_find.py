"""The search for one class: nobody is judged by a model, a threshold or a weight that knew them."""

import shutil
from dataclasses import replace

import numpy as np
import pyarrow.parquet as pq
import pytest

from telperion import find as module
from telperion.classifier import Classifier
from telperion.compare import tables
from telperion.demo.light_curves import show
from telperion.find import (
    Cell,
    cells,
    find,
    finished_search,
    fit_all,
    folds,
    importances,
    searches,
    with_noisy_redshift,
)
from telperion.formats import parquet
from telperion.found import AS_GIVEN, NOISY, best_threshold, expected_threshold
from telperion.models.stack import Stack
from telperion.run import Run
from telperion.search_report import gain_table, search_card, search_tables, show_searches, write_search_report
from telperion.simulate.drawn import draw
from telperion.tables import to_markdown
from telperion.taxonomy import Taxonomy

TREE = Taxonomy.load("plasticc")
TDE = int(np.searchsorted(TREE.leaves, TREE.index("TDE")))
BOOST = {
    "kind": "boost",
    "preset": "outburst",
    "families": ["brightness", "host"],
    "classes": ["TDE", "SN"],
    "truncations": 1.5,
    "rounds": 4,
    "boosters": 1,
    "min_rows": 2,
}
SMALL = Run.from_dict({
    "name": "small",
    "tree": "plasticc",
    "target": "TDE",
    "views": ["full"],
    "contexts": ["specz"],
    "days": [np.inf],
    "foldings": ["field", "random"],
    "redshift_noise": 0.05,
    "folds": 3,
    "validation": 0.0,
    "model": BOOST,
})  # fmt: skip
STACK = replace(SMALL, name="pair", model={"kind": "stack", "members": [BOOST, BOOST | {"families": ["structure"]}]})


@pytest.fixture(scope="module", autouse=True)
def own_cache(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))
        yield


@pytest.fixture(scope="module")
def curves():
    drawn = draw(n_per_class=9, seed=5)
    return drawn.with_context({**drawn.context, "field": np.arange(len(drawn)) % 7.0})


@pytest.fixture(scope="module")
def done(curves, tmp_path_factory):
    """A finished search, with the objects that each training saw."""
    folder, seen = tmp_path_factory.mktemp("search"), []
    with pytest.MonkeyPatch.context() as patch:
        train = module.train
        patch.setattr(module, "train", lambda run, given, **more: seen.append(given) or train(run, given, **more))
        found = find(SMALL, curves, folder=folder)
    return folder, found, dict(zip(cells(SMALL), seen, strict=True))


@pytest.fixture(scope="module")
def stacked(curves, tmp_path_factory):
    folder = tmp_path_factory.mktemp("stack")
    return folder, find(STACK, curves, folder=folder)


def test_no_training_sees_the_folds_that_it_is_without(curves, done):
    tree = Taxonomy.load("plasticc")
    for cell, taught in done[2].items():
        fold = folds(curves, tree, 3, cell.folding, cell.seed)
        assert set(taught.object_id) == set(curves.object_id[~np.isin(fold, cell.without)])


def test_one_model_without_two_folds_serves_both():
    assert sum(1 for cell in cells(SMALL) if cell.folding == "random") == 3 + 3
    assert sum(1 for cell in cells(replace(SMALL, folds=5)) if cell.folding == "random") == 5 + 10


def test_grouped_folds_keep_equals_together(curves):
    fold = folds(curves, Taxonomy.load("plasticc"), 3, "field", 0)
    for field in range(7):
        assert len(set(fold[curves.context["field"] == field])) == 1


def test_folds_do_not_depend_on_the_order_of_the_objects(curves, rng):
    tree, order = Taxonomy.load("plasticc"), rng.permutation(len(curves))
    for folding in SMALL.foldings:
        found = folds(curves[order], tree, 3, folding, 1)
        assert np.array_equal(found, folds(curves, tree, 3, folding, 1)[order])


def test_a_folding_that_cannot_be_is_refused(curves):
    tree = Taxonomy.load("plasticc")
    with pytest.raises(ValueError, match="neither 'random' nor a context column"):
        folds(curves, tree, 3, "fieldd", 0)
    alike = curves.with_context({**curves.context, "field": np.zeros(len(curves))})
    with pytest.raises(ValueError, match="fewer values than 3 folds"):
        folds(alike, tree, 3, "field", 0)


def test_a_target_that_is_no_node_is_refused(curves, tmp_path):
    with pytest.raises(KeyError, match="TDEE"):
        find(replace(SMALL, target="TDEE"), curves, folder=tmp_path)


def test_every_object_is_scored_once_a_search(curves, done):
    for one in done[1]:
        assert np.array_equal(one.object_id, np.sort(curves.object_id))
        assert one.truth.sum() == (curves.label == "TDE").sum()
        assert one.pooled.true_positives + one.pooled.false_negatives == one.truth.sum()
    assert {(one.folding, one.redshift) for one in done[1]} == {
        (folding, kind) for folding in SMALL.foldings for kind in (AS_GIVEN, NOISY)
    }


def test_a_threshold_is_that_of_the_other_folds(done):
    folder, found, _ = done
    one = found[0]
    for fold in range(3):
        score, truth = [], []
        for other in {0, 1, 2} - {fold}:
            cell = Cell(0, one.folding, one.seed, tuple(sorted((fold, other))))
            table = pq.read_table(folder / cell.folder / "predictions.parquet").to_pandas()
            own = table[table["fold"] == other]
            score.extend(np.stack(own[AS_GIVEN])[:, TDE])
            truth.extend(own["label"] == "TDE")
        assert one.threshold[fold] == pytest.approx(expected_threshold(score, truth))


def test_the_scored_fold_chooses_neither_threshold_nor_weights(stacked, tmp_path):
    folder, found = stacked
    shutil.copytree(folder, tmp_path / "a")
    cell = Cell(0, "random", 0, (1,))
    path = tmp_path / "a" / cell.folder / "predictions.parquet"
    table = pq.read_table(path)
    turned = table[AS_GIVEN].take(np.arange(table.num_rows)[::-1])
    pq.write_table(table.set_column(table.column_names.index(AS_GIVEN), AS_GIVEN, turned), path)
    before, after = (
        next(one for one in each if (one.folding, one.redshift) == ("random", AS_GIVEN))
        for each in (found, searches(STACK, tmp_path / "a"))
    )
    assert not np.array_equal(before.score, after.score)
    np.testing.assert_array_equal(before.threshold, after.threshold)
    np.testing.assert_array_equal(before.weights, after.weights)


def test_a_stacks_weights_sum_to_one_and_mix_its_members(stacked):
    for one in stacked[1]:
        assert one.weights.shape == (3, 2)
        np.testing.assert_allclose(one.weights.sum(axis=1), 1)
        assert (one.weights >= 0).all()


def test_what_is_finished_is_not_done_again(curves, done, monkeypatch):
    folder, found, _ = done
    monkeypatch.setattr(module, "train", lambda *_, **__: pytest.fail("trained again"))
    again = find(SMALL, curves, folder=folder)
    np.testing.assert_array_equal(again[0].score, found[0].score)


def test_another_run_is_refused(curves, done):
    with pytest.raises(ValueError, match="another run"):
        find(replace(SMALL, redshift_noise=0.1), curves, folder=done[0])


def test_two_processes_find_the_same(curves, done, tmp_path):
    run = replace(SMALL, foldings=("random",))
    found = find(run, curves, folder=tmp_path, jobs=2)
    alone = [one for one in done[1] if one.folding == "random"]
    for one, other in zip(found, alone, strict=True):
        np.testing.assert_array_equal(one.score, other.score)


def test_an_optimistic_search_chooses_on_the_scored_fold(curves, tmp_path):
    run = replace(SMALL, foldings=("random",), redshift_noise=0.0, optimistic=True)
    (one,) = find(run, curves, folder=tmp_path)
    assert all(len(cell.without) == 1 for cell in cells(run))
    for fold in range(3):
        own = one.fold == fold
        assert one.threshold[fold] == pytest.approx(best_threshold(one.score[own], one.truth[own]))
    show_searches({"small": [one]}, optimistic=True)


def test_noise_moves_a_redshift_alike_in_any_company(curves):
    moved = with_noisy_redshift(curves, 0.05, seed=1).context["redshift"]
    alone = with_noisy_redshift(curves[11], 0.05, seed=1).context["redshift"]
    np.testing.assert_array_equal(moved[11], alone[0])
    many = draw(n_per_class=60, seed=0)
    z = many.context["redshift"]
    pull = (with_noisy_redshift(many, 0.05, seed=1).context["redshift"] - z) / (0.05 * (1 + z))
    known = z > 0.3
    assert np.nanstd(pull[known]) == pytest.approx(1, abs=0.12)
    assert np.nanmean(pull[known]) == pytest.approx(0, abs=0.15)


def test_an_unknown_redshift_stays_unknown(curves):
    z = curves.context["redshift"]
    moved = with_noisy_redshift(curves, 0.05, seed=1).context["redshift"]
    assert np.array_equal(np.isnan(moved), np.isnan(z))


def test_a_finished_search_is_read_back(done):
    run = finished_search(done[0])
    assert run.foldings == ("random", "field")
    assert run.seeds == (0,)
    assert len(searches(run, done[0])) == 4


def test_importances_sum_to_one(done):
    assert sum(importances(SMALL, done[0]).values()) == pytest.approx(1)


def test_tables_compare_searches_seed_by_seed(done, stacked):
    shown = tables([stacked[0], done[0]])
    assert [table.title for table in shown][-1] == "pair minus small"
    assert "by field" in to_markdown(shown[0])
    nothing = gain_table(("a", done[1]), ("b", done[1]))
    assert all(row[3] == "0 of 1" for row in nothing.rows)
    assert [len(table.rows) for table in search_tables({"small": done[1]})] == [4, 4, 4]


def test_a_search_and_a_cross_validation_are_not_compared(done, tmp_path):
    (tmp_path / "run.toml").write_text('name = "a"\n')
    with pytest.raises(ValueError, match="cannot be compared"):
        tables([done[0], tmp_path])


def test_the_report_shows_what_was_found_and_missed(curves, done, tmp_path):
    page = write_search_report(
        tmp_path, "small", done[1], light_curves=curves, importance=importances(SMALL, done[0]), command="c"
    )
    text = page.read_text()
    assert "by field" in text
    assert "OPTIMISTIC" not in text
    assert (tmp_path / "figures" / "precision-and-recall.png").is_file()
    card = search_card(tmp_path / "scores.json")
    assert [(row["folds"], row["redshift"]) for row in card["figures"]][:2] == [
        ("by field", AS_GIVEN),
        ("by field", NOISY),
    ]
    assert card["figures"][0]["f1"] == pytest.approx(done[1][0].pooled.f1, abs=1e-4)
    optimistic = write_search_report(tmp_path / "b", "small", done[1], optimistic=True, formats=())
    assert "OPTIMISTIC" in optimistic.read_text()
    with pytest.raises(ValueError, match="is optimistic"):
        search_card(tmp_path / "b" / "scores.json")


@pytest.mark.parametrize("run", [SMALL, STACK], ids=["one model", "stack"])
def test_the_final_classifier_calls_by_a_threshold_from_folds_that_its_models_did_not_see(
    run, curves, done, stacked, tmp_path, monkeypatch
):
    folder = tmp_path / "search"
    shutil.copytree(done[0] if run is SMALL else stacked[0], folder)
    trained = []
    train = module.train
    monkeypatch.setattr(module, "train", lambda own, given, **more: trained.append(given) or train(own, given, **more))
    classifier = fit_all(run, curves, folder=folder)
    assert [len(each) for each in trained] == [len(curves)] * len(run.members)  # the folds were done before
    (one,) = (s for s in searches(run, folder) if (s.folding, s.redshift) == (run.foldings[0], AS_GIVEN))
    if run is SMALL:
        assert classifier.threshold == pytest.approx(expected_threshold(one.score, one.truth))
    classifier.save(tmp_path / "classifier")
    again = Classifier.load(tmp_path / "classifier")
    probabilities = again.predict(curves)
    called = again.calls(probabilities)
    assert called.tolist() == (probabilities[:, TREE.index("TDE")] > classifier.threshold).tolist()
    assert again.classify(curves)["called"].to_pylist() == called.tolist()
    assert called[curves.label == "TDE"].mean() > called[curves.label != "TDE"].mean()


def test_a_stack_of_one_mix_scores_as_the_stack_that_is_shipped(curves, stacked):
    """Members that assume different mixes are brought to the first one's, in the search as in the model."""
    folder, found = stacked
    one = next(one for one in found if (one.folding, one.redshift) == ("random", AS_GIVEN))
    fold = folds(curves, TREE, 3, "random", 0)
    place = Cell(0, "random", 0, (0,)).folder
    members = []
    for number, member in enumerate(STACK.members):
        own = replace(STACK, model=member)
        at = folder / place.replace("member-0", f"member-{number}") / "training"
        members.append(("boost", module.train(own, curves[fold != 0], folder=at, seed=0).model))
    said = Stack(TREE, members, one.weights[0]).predict(curves[fold == 0])[:, TREE.index("TDE")]
    order = np.argsort(curves.object_id[fold == 0])
    np.testing.assert_allclose(said[order], one.score[one.fold == 0], rtol=1e-4, atol=1e-6)


def test_a_classifier_without_a_target_calls_nothing(classifiers):
    with pytest.raises(TypeError, match="has no target"):
        classifiers["boost"].calls(np.ones((1, len(TREE))))


def test_the_card_of_a_classifier_that_seeks_one_class_is_shown(curves, done, tmp_path, capsys):
    write_search_report(tmp_path, "small", done[1], command="the command", formats=())
    classifier = replace(fit_all(SMALL, curves, folder=done[0]), card=search_card(tmp_path / "scores.json"))
    parquet.write(curves, tmp_path / "sky.parquet")
    show(classifier, tmp_path / "sky.parquet")
    shown = capsys.readouterr().out
    assert "finding TDE" in shown
    assert "the command" in shown
