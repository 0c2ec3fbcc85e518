import shutil
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import numpy as np
import pyarrow.parquet as pq
import pytest
from sklearn.model_selection import StratifiedKFold

from telperion.compare import comparison_tables, gap_tables
from telperion.crossvalidate import cells, claim, crossvalidate, finished, folds
from telperion.run import Run
from telperion.simulate.drawn import draw
from telperion.taxonomy import Taxonomy

SMALL = {
    "name": "small",
    "tree": "plasticc",
    "days": [2.0, 64.0],
    "contexts": ["specz", "none"],
    "folds": 2,
    "model": {"kind": "boost", "rounds": 3, "truncations": 1.0, "boosters": 1, "min_rows": 2},
}


@pytest.fixture(scope="module")
def curves():
    return draw(n_per_class=6, seed=5)


@pytest.fixture(scope="module")
def done(curves, tmp_path_factory):
    folder = tmp_path_factory.mktemp("cv")
    return Run.from_dict(SMALL), folder, crossvalidate(Run.from_dict(SMALL), curves, folder=folder)


def test_folds_are_those_of_sklearn_on_ids_sorted_as_text(curves):
    tree = Taxonomy.load("plasticc")
    found = folds(curves, tree, 3, seed=4)
    ids = np.sort(curves.object_id)
    label = dict(zip(curves.object_id, curves.label, strict=True))
    parts = StratifiedKFold(3, shuffle=True, random_state=4).split(ids, tree.labels([label[i] for i in ids]))
    for fold, (_, scored) in enumerate(parts):
        assert set(curves.object_id[found == fold]) == set(ids[scored])


def test_folds_do_not_depend_on_the_order_of_the_objects(curves, rng):
    tree = Taxonomy.load("plasticc")
    order = rng.permutation(len(curves))
    assert np.array_equal(folds(curves[order], tree, 3, 0), folds(curves, tree, 3, 0)[order])


def test_a_class_smaller_than_the_folds_is_refused(curves):
    with pytest.raises(ValueError, match="14 classes have fewer objects than 7 folds"):
        folds(curves, Taxonomy.load("plasticc"), 7, 0)


def test_every_object_is_scored_once_by_a_model_that_did_not_see_it(curves, done):
    run, folder, _ = done
    scored = []
    for cell in cells(run):
        table = pq.read_table(folder / cell.folder / "predictions.parquet")
        assert table.num_rows == 4 * len(set(table["object_id"].to_pylist()))
        scored += sorted(set(table["object_id"].to_pylist()))
    assert sorted(scored) == sorted(curves.object_id)


def test_each_context_gets_an_evaluation_over_all_objects(curves, done):
    _, _, results = done
    assert [result.context for result in results] == ["specz", "none"]
    for result in results:
        assert result.days == (2.0, 64.0)
        assert result.phases[2.0]["leaves"].n_objects == len(curves)


def test_what_is_finished_is_not_done_again(curves, done):
    run, folder, results = done
    stamps = {path: path.stat().st_mtime_ns for path in folder.rglob("predictions.parquet")}
    again = crossvalidate(run, curves, folder=folder)
    assert {path: path.stat().st_mtime_ns for path in folder.rglob("predictions.parquet")} == stamps
    assert [result.to_dict() for result in again] == [result.to_dict() for result in results]


def test_two_jobs_give_what_one_gives(curves, done, tmp_path):
    run, _, results = done
    together = crossvalidate(run, curves, folder=tmp_path, jobs=2)
    assert [result.to_dict() for result in together] == [result.to_dict() for result in results]


def test_the_folder_of_another_run_is_refused(curves, done):
    _, folder, _ = done
    with pytest.raises(ValueError, match="holds another run"):
        crossvalidate(Run.from_dict(SMALL | {"name": "other"}), curves, folder=folder)


def test_separate_contexts_get_a_model_each():
    run = Run.from_dict(SMALL | {"separate": True})
    assert [cell.folder for cell in cells(run)][:2] == ["alert/seed0/fold0-specz", "alert/seed0/fold0-none"]


@pytest.fixture(scope="module")
def other(curves, tmp_path_factory):
    """Another model on the same objects, in one context less and with one seed more."""
    folder = tmp_path_factory.mktemp("other")
    run = Run.from_dict(
        SMALL | {"name": "other", "contexts": ["none"], "seeds": [0, 3], "model": SMALL["model"] | {"rounds": 1}}
    )
    return run, folder, crossvalidate(run, curves, folder=folder)


def test_gaps_are_the_differences_of_the_scores(done, other):
    (table,) = gap_tables(done[1], other[1])
    assert table.title == "Macro F1, small minus other, alert view"
    assert [row[:2] for row in table.rows] == [["none", level] for level in ("level 1", "level 2", "leaves")]
    mine = next(one for one in done[2] if one.context == "none")
    theirs = other[2][0]  # seed 0
    for row in table.rows:
        for text, day in zip(row[2:], (2.0, 64.0), strict=True):
            gap = mine.phases[day][row[1]].macro.f1 - theirs.phases[day][row[1]].macro.f1
            estimate, error = map(float, text.split(" ± "))
            assert estimate == pytest.approx(gap, abs=6e-4)
            assert error < 0.1


def test_cross_validations_stand_side_by_side(done, other):
    f1, loss, *_ = comparison_tables([done[1], other[1]])
    assert [row[0] for row in f1.rows] == ["small, specz context", "small, none context", "other, none context"]
    assert "±" not in f1.rows[1][1]
    seeds = [run.phases[2.0]["leaves"].macro.f1 for run in other[2]]
    assert f1.rows[2][1] == f"{np.mean(seeds):.3f} ± {np.std(seeds, ddof=1):.3f}"
    assert loss.title.startswith("Balanced log-loss")
    named = comparison_tables([done[1], done[1]])[0]
    assert [row[0] for row in named.rows] == [f"{done[1].name}, specz context", f"{done[1].name}, none context"]


def test_a_cross_validation_has_no_gap_to_itself(done):
    (table,) = gap_tables(done[1], done[1])
    assert {entry for row in table.rows for entry in row[2:]} == {"+0.000 ± 0.000"}


def test_only_what_is_finished_is_compared(other, tmp_path):
    shutil.copytree(other[1], tmp_path / "part")
    (tmp_path / "part" / "alert" / "seed3" / "fold1" / "predictions.parquet").unlink()
    assert [(run.views, run.seeds) for run in finished(other[1])] == [(("alert",), (0, 3))]
    assert [(run.views, run.seeds) for run in finished(tmp_path / "part")] == [(("alert",), (0,))]
    shutil.copytree(other[1] / "alert" / "seed0", tmp_path / "part" / "full" / "seed0")  # a view of its own seeds
    assert [(run.views, run.seeds) for run in finished(tmp_path / "part")] == [(("alert",), (0,)), (("full",), (0,))]
    shutil.rmtree(tmp_path / "part" / "full")
    shutil.rmtree(tmp_path / "part" / "alert" / "seed0")
    with pytest.raises(ValueError, match="share no view"):
        gap_tables(tmp_path / "part", other[1])


def test_other_objects_are_not_compared(curves, other, tmp_path):
    crossvalidate(replace(other[0], seeds=(0,)), curves[: len(curves) - 1], folder=tmp_path / "less")
    with pytest.raises(ValueError, match="scored other objects"):
        gap_tables(tmp_path / "less", other[1])


def test_a_folder_without_a_cross_validation_is_refused(tmp_path):
    with pytest.raises(ValueError, match="holds no cross-validation"):
        finished(tmp_path)


def test_those_who_claim_a_folder_at_once_do_not_disturb_one_another(curves, tmp_path):
    with ThreadPoolExecutor(8) as pool:
        for each in [pool.submit(claim, tmp_path / "out", Run.from_dict(SMALL), curves) for _ in range(200)]:
            each.result()
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["run.toml"]
