"""The challenge's answer: every object asked for, once, in the sample's order, or an error."""

import csv
import shutil

import numpy as np
import pytest

pytest.importorskip("lightgbm")

from telperion.classifier import Classifier
from telperion.formats import mallorn
from telperion.models import boost
from telperion.submit import SAMPLE, submit
from telperion.taxonomy import Taxonomy


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A small challenge of two splits; test objects stand in another order in the sample than in the log."""
    place = tmp_path_factory.mktemp("mallorn")
    rng = np.random.default_rng(0)
    for part, n, label in (("train", 24, "TDE"), ("test", 10, "")):
        log = [["object_id", "Z", "Z_err", "EBV", "SpecType", "English Translation", "split", "target"]]
        rows: dict[str, list] = {"split_01": [], "split_02": []}
        for k in range(n):
            split, kind = f"split_0{1 + k % 2}", ["TDE", "AGN", "SN Ia"][k % 3] if label else ""
            log.append([f"{part}{k}", 0.2, 0.02 if part == "test" else "", 0.01, kind, "x", split, int(kind == "TDE")])
            for day in rng.uniform(0, 200, 30):
                flux = 5 + 40 * np.exp(-abs(day - 90) / (60 if k % 3 == 0 else 15)) + rng.normal()
                rows[split].append([f"{part}{k}", 61000 + day, flux, 1.0, "ugrizy"[int(rng.integers(6))]])
        _write(place / f"{part}_log.csv", log if label else [line[:-1] for line in log])
        for split, lines in rows.items():
            (place / split).mkdir(exist_ok=True)
            head = ["object_id", "Time (MJD)", "Flux", "Flux_err", "Filter"]
            _write(place / split / f"{part}_full_lightcurves.csv", [head, *lines])
    _write(place / SAMPLE, [["object_id", "prediction"], *([f"test{k}", 0] for k in rng.permutation(10))])
    return place


def _write(path, lines):
    with path.open("w", newline="") as file:
        csv.writer(file).writerows(lines)


@pytest.fixture(scope="module")
def classifier(folder, tmp_path_factory):
    tree = Taxonomy.load("mallorn")
    settings = {"families": ("brightness", "host"), "truncated": False, "rounds": 5, "min_rows": 2, "eras": ()}
    config = boost.Config(view="full", classes=("AGN", "SN Ia kinds", "TDE"), boosters=1, **settings)
    curves = mallorn.read(folder)
    model = boost.fit(curves, curves[:0], tree, config, folder=tmp_path_factory.mktemp("boost"))
    return Classifier(model, "boost", "full", target="TDE", threshold=0.4)


@pytest.fixture(autouse=True)
def own_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


def test_the_answer_is_in_the_samples_order(folder, classifier, tmp_path):
    answer = submit(classifier, folder, tmp_path / "a.csv")
    lines = list(csv.reader((tmp_path / "a.csv").open()))
    sample = list(csv.reader((folder / SAMPLE).open()))
    assert (tmp_path / "a.csv").read_text().startswith("object_id,prediction\n")
    assert [line[0] for line in lines] == [line[0] for line in sample]
    test = mallorn.read(folder, part="test")
    called = dict(zip(test.object_id.tolist(), classifier.calls(classifier.predict(test)), strict=True))
    assert [line[1] for line in lines[1:]] == [str(int(called[line[0]])) for line in lines[1:]]
    assert 0 < answer.sum() < len(answer)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda lines: [*lines, ["stranger", "0"]], "1 objects not in test_log.csv, first 'stranger'"),
        (lambda lines: lines[:-1], "twice or too few"),
        (lambda lines: [*lines[:-1], lines[1]], "twice or too few"),
    ],
)
def test_a_sample_of_other_objects_is_refused(folder, classifier, tmp_path, change, said):
    other = tmp_path / "other"
    shutil.copytree(folder, other)
    _write(other / SAMPLE, change(list(csv.reader((folder / SAMPLE).open()))))
    with pytest.raises(ValueError, match=said):
        submit(classifier, other, tmp_path / "a.csv")
    assert not (tmp_path / "a.csv").exists()


def test_without_a_sample_nothing_is_answered(folder, classifier, tmp_path):
    shutil.copytree(folder, tmp_path / "other", ignore=lambda *_: [SAMPLE])
    with pytest.raises(ValueError, match="is missing"):
        submit(classifier, tmp_path / "other", tmp_path / "a.csv")


def test_the_quoted_error_of_a_test_redshift_changes_no_answer(folder, classifier, tmp_path):
    other = tmp_path / "other"
    shutil.copytree(folder, other)
    lines = list(csv.reader((folder / "test_log.csv").open()))
    for line in lines[1:]:
        line[2] = "0.5"
    _write(other / "test_log.csv", lines)
    found = [submit(classifier, place, tmp_path / "a.csv") for place in (folder, other)]
    np.testing.assert_array_equal(found[0], found[1])
