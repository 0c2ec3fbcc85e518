"""Boosters of three libraries under one contract."""

import gzip

import numpy as np
import pytest

from telperion.models.boosters import Settings, read_booster, train_booster, write_booster

SETTINGS = Settings(
    n_classes=3, rounds=25, leaves=7, min_rows=10, learning_rate=0.1, feature_fraction=0.5, row_fraction=0.5, l2=1.0,
    extra_trees=False, seed=1,
)  # fmt: skip


@pytest.fixture(scope="module", params=["lightgbm", "xgboost", "catboost"])
def library(request):
    pytest.importorskip(request.param, reason="an extra: boost, or peers")
    return request.param


@pytest.fixture(scope="module")
def sample():
    rng = np.random.default_rng(3)
    table = rng.normal(size=(900, 12)).astype(np.float32)
    label = (table[:, 0] + 0.5 * rng.normal(size=900) > 0).astype(np.int64) + (table[:, 1] > 1)
    table[::5, 4] = np.nan
    return table, label


@pytest.fixture(scope="module")
def trained(library, sample):
    rounds = []
    booster = train_booster(library, *sample, np.ones(900), SETTINGS, lambda done: rounds.append(done))
    assert len(rounds) == SETTINGS.rounds
    return booster


def test_it_learns_which_features_matter(trained, sample):
    said = trained.predict(sample[0])
    np.testing.assert_allclose(said.sum(axis=1), 1, atol=1e-5)
    assert (said.argmax(axis=1) == sample[1]).mean() > 0.75
    assert set(np.argsort(trained.gains())[-2:]) == {0, 1}
    assert trained.shape == (12, 3)


def test_it_survives_a_file(trained, library, sample, tmp_path):
    write_booster(tmp_path / "a.txt.gz", trained)
    again = read_booster(tmp_path / "a.txt.gz", library)
    np.testing.assert_allclose(again.predict(sample[0]), trained.predict(sample[0]), atol=1e-12)
    assert again.shape == trained.shape


def test_the_same_seed_gives_the_same_booster(trained, library, sample):
    again = train_booster(library, *sample, np.ones(900), SETTINGS, lambda _: None)
    np.testing.assert_array_equal(again.predict(sample[0]), trained.predict(sample[0]))


def test_a_file_of_another_kind_is_refused(library, tmp_path):
    (tmp_path / "a.gz").write_bytes(gzip.compress(b"something else"))
    with pytest.raises(ValueError, match="is not a booster of"):
        read_booster(tmp_path / "a.gz", library)
    with pytest.raises(ValueError, match="is missing"):
        read_booster(tmp_path / "b.gz", library)


def test_a_library_that_is_missing_is_named(monkeypatch, sample):
    monkeypatch.setattr("telperion.models.boosters.import_module", lambda name: __import__(name + "_not_here"))
    with pytest.raises(ModuleNotFoundError, match=r"pip install 'telperion\[peers\]'"):
        train_booster("xgboost", *sample, np.ones(900), SETTINGS, lambda _: None)
