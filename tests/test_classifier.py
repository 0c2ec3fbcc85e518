import json
import shutil

import numpy as np
import pyarrow.parquet as pq
import pytest

from telperion.classifier import Classifier, ModelFolderError, load
from telperion.encode.view import keep_context, view
from telperion.lightcurves import LightCurves

DAYS = (2.0, 8.0, 64.0)


def test_a_saved_and_loaded_classifier_predicts_the_same(classifier, drawn, tmp_path):
    classifier.save(tmp_path / "saved")
    again = Classifier.load(tmp_path / "saved")
    assert np.array_equal(again.predict(drawn, days=8), classifier.predict(drawn, days=8))
    assert again.tree == classifier.tree
    assert again.power == classifier.power
    assert again.mix.tolist() == pytest.approx(classifier.mix.tolist())


def test_an_object_of_which_nothing_is_known_gets_the_class_mix(classifier, drawn):
    silent = LightCurves(["x"], [0, 2], [1.0, 2.0], [1, 1], [1.0, 1.0], [1.0, 1.0], [False, False], dereddened=True)
    both = LightCurves.concatenate([drawn, silent])
    probabilities = classifier.predict(both, days=8)
    assert probabilities[-1, classifier.tree.leaves] == pytest.approx(classifier.mix, abs=1e-6)
    assert np.array_equal(probabilities[:-1], classifier.predict(drawn, days=8))


def test_a_prior_equal_to_the_mix_changes_nothing_and_another_follows_bayes(classifier, drawn):
    plain = classifier.predict(drawn, days=8)
    assert classifier.predict(drawn, days=8, prior=classifier.mix) == pytest.approx(plain, abs=1e-5)
    flat = np.ones(classifier.tree.leaves.size)
    moved = classifier.predict(drawn, days=8, prior=flat)
    assert moved == pytest.approx(classifier.tree.reweight(plain, classifier.mix, flat), abs=1e-5)


def test_classify_gives_a_row_an_object_and_day_in_their_order(classifier, drawn):
    table = classifier.classify(drawn, days=DAYS)
    assert table.num_rows == len(drawn) * len(DAYS)
    assert table["object_id"].to_pylist() == [name for name in drawn.object_id for _ in DAYS]
    assert table["days"].to_pylist() == list(DAYS) * len(drawn)
    names = ["object_id", "days", "n_obs", *classifier.tree.nodes, "leaf", "confident_node"]
    assert table.column_names == names
    assert {str(table.schema.field(name).type) for name in classifier.tree.nodes} == {"float"}
    assert table["n_obs"].to_pylist()[::3] == view(drawn, 2.0, "alert").lengths.tolist()


def test_without_days_the_whole_light_curve_counts(classifier, drawn):
    table = classifier.classify(drawn)
    assert set(table["days"].to_pylist()) == {np.inf}
    assert np.array_equal(table["SNIa"], classifier.predict(drawn)[:, classifier.tree.index("SNIa")])


def test_the_confident_node_and_all_above_it_exceed_the_threshold_and_nothing_below_does(classifier, drawn):
    tree = classifier.tree
    for row in classifier.classify(drawn, days=DAYS, threshold=0.7).to_pylist():
        node = tree.index(row["confident_node"])
        above, below = tree.ancestors[node], tree.parent == node
        assert all(row[tree.nodes[k]] > 0.7 for k in np.flatnonzero(above))
        assert all(row[tree.nodes[k]] <= 0.7 for k in np.flatnonzero(below))


def test_the_decision_divides_by_the_mix(classifier, drawn):
    probabilities = classifier.predict(drawn, days=8)
    leaves = classifier.tree.leaves
    expected = leaves[np.argmax(probabilities[:, leaves] / classifier.mix**classifier.power, axis=1)]
    assert np.array_equal(classifier.decide(probabilities), expected)


def test_context_may_be_missing_altogether(classifier, drawn):
    bare = classifier.predict(keep_context(drawn, "none"), days=8)
    assert np.isfinite(bare).all()


def test_a_model_that_reads_whole_light_curves_says_so_when_asked_to_step(classifiers):
    with pytest.raises(TypeError, match="cannot go on from a state"):
        classifiers["boost"].start(3)


def test_a_folder_in_use_is_not_overwritten(classifier, tmp_path):
    (tmp_path / "mine").write_text("something")
    with pytest.raises(FileExistsError, match="not empty"):
        classifier.save(tmp_path)


def damage_missing(folder):
    (folder / "tree.toml").unlink()


def damage_altered(folder):
    (folder / "tree.toml").write_text((folder / "tree.toml").read_text().replace("KN", "NK"))


def damage_foreign(folder):
    (folder / "model" / "extra.bin").write_bytes(b"x")


def damage_link(folder):
    (folder / "model" / "extra.bin").symlink_to("/etc/hostname")


def damage_json(folder):
    (folder / "classifier.json").write_text("{")


def damage_format(folder):
    document = json.loads((folder / "classifier.json").read_text())
    (folder / "classifier.json").write_text(json.dumps(document | {"format": 99}))


def damage_card(folder):
    (folder / "classifier.json").unlink()


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (damage_missing, "lacks 1 files, first 'tree.toml'"),
        (damage_altered, "1 altered files, first 'tree.toml'"),
        (damage_foreign, "1 foreign files, first 'model/extra.bin'"),
        (damage_link, "is a link"),
        (damage_json, "is not a classifier's"),
        (damage_format, "has format 99"),
        (damage_card, "has no classifier.json"),
    ],
)
def test_a_damaged_folder_is_refused(classifiers, tmp_path, damage, message):
    classifiers["boost"].save(tmp_path / "saved")
    damage(tmp_path / "saved")
    with pytest.raises(ModelFolderError, match=message):
        Classifier.load(tmp_path / "saved")


def test_no_file_of_a_saved_classifier_is_a_pickle(classifier, tmp_path):
    classifier.save(tmp_path / "saved")
    for path in (tmp_path / "saved").rglob("*"):
        assert path.is_dir() or path.suffix in {".json", ".toml", ".onnx", ".gz", ".txt", ".safetensors", ".xz", ".npz"}
        if path.suffix == ".npz":
            with np.load(path, allow_pickle=False) as arrays:
                assert all(arrays[name].dtype.kind in "fi" for name in arrays.files)
        assert path.is_dir() or not path.read_bytes().startswith(b"\x80")


def test_an_unknown_name_is_answered_with_the_shipped_ones():
    with pytest.raises(FileNotFoundError, match="plasticc"):
        load("plastic")


def test_a_copied_folder_is_as_good_as_the_first(classifier, drawn, tmp_path):
    classifier.save(tmp_path / "one")
    shutil.copytree(tmp_path / "one", tmp_path / "two")
    pq.write_table(load(tmp_path / "two").classify(drawn, days=DAYS), tmp_path / "out.parquet")
    assert pq.read_table(tmp_path / "out.parquet").equals(classifier.classify(drawn, days=DAYS))
