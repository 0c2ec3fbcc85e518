"""Boosted trees on statistics: what they promise, and what their files are checked for."""

import gzip
import json
import warnings
from dataclasses import replace

import numpy as np
import pytest

pytest.importorskip("lightgbm")

from telperion.encode.statistics import statistics
from telperion.encode.view import keep_context, view
from telperion.lightcurves import LightCurves, RepairWarning
from telperion.models import boost, boost_config
from telperion.simulate.drawn import draw
from telperion.taxonomy import Taxonomy

SMALL = boost_config.Config(
    truncations=3,
    resampled=0.5,
    eras=(30.0,),
    boosters=1,
    rounds=8,
    leaves=4,
    min_rows=3,
    row_fraction=0.8,
    feature_fraction=0.3,
)


@pytest.fixture(scope="module")
def tree() -> Taxonomy:
    return Taxonomy.load("plasticc")


@pytest.fixture(scope="module")
def curves() -> LightCurves:
    return draw(n_per_class=8, seed=0)


@pytest.fixture(scope="module")
def model(curves, tree, tmp_path_factory) -> boost.Boost:
    folder = tmp_path_factory.mktemp("boost")
    return boost.fit(curves, curves[:1], tree, SMALL, folder=folder, progress=False, seed=0)


def test_probabilities_sum_up_the_tree(model, curves, tree):
    found = model.predict(view(curves, 8.0, "alert"))
    assert found.shape == (len(curves), len(tree))
    assert found.dtype == np.float32
    np.testing.assert_allclose(found[:, 0], 1, atol=1e-5)
    np.testing.assert_allclose(found[:, tree.leaves].sum(axis=1), 1, atol=1e-5)


def test_it_learns(model, curves, tree):
    hit = tree.leaf(model.predict(view(curves, 64.0, "alert"))) == tree.labels(curves.label)
    assert hit.mean() > 0.5


def test_one_alert_equals_the_same_alert_in_a_batch(model, curves):
    known = view(curves, 8.0, "alert")
    alone = np.concatenate([model.predict(known[i]) for i in range(5)])
    np.testing.assert_allclose(alone, model.predict(known)[:5], atol=1e-6)


@pytest.mark.parametrize("context", ["specz", "photoz", "none"])
def test_every_context_is_classified(model, curves, context):
    found = model.predict(keep_context(view(curves, 8.0, "alert"), context))
    assert np.isfinite(found).all()


def test_an_object_without_rows_gets_the_class_mix(model, curves, tree):
    nothing = curves[:2].select_rows(np.zeros(curves[:2].n_rows, bool))
    np.testing.assert_allclose(model.predict(nothing)[:, tree.leaves], np.tile(model.mix, (2, 1)), atol=1e-6)


def test_saved_and_loaded_it_predicts_the_same(model, curves, tree, tmp_path):
    model.save(tmp_path)
    known = view(curves, 8.0, "alert")
    np.testing.assert_array_equal(boost.load(tmp_path, tree).predict(known), model.predict(known))


def test_the_same_seed_gives_the_same_model_and_a_finished_booster_is_not_fitted_again(curves, tree, tmp_path):
    fits = [
        boost.fit(curves, curves[:1], tree, SMALL, folder=tmp_path / place, progress=False, seed=3)
        for place in ("a", "b", "a")
    ]
    found = [one.predict(view(curves, 8.0, "alert")) for one in fits]
    np.testing.assert_array_equal(found[0], found[1])
    np.testing.assert_array_equal(found[0], found[2])


def test_several_boosters_are_averaged(curves, tree, tmp_path):
    config = replace(SMALL, boosters=2, rounds=3)
    both = boost.fit(curves, curves[:1], tree, config, folder=tmp_path, progress=False, seed=0)
    known = view(curves, 8.0, "alert")
    parts = zip(*both.boosters, strict=True)
    each = [boost.Boost(tree, config, both.features, both.mix, [[b] for b in one]).predict(known) for one in parts]
    np.testing.assert_allclose(both.predict(known), np.mean(each, axis=0), atol=1e-6)


def test_young_and_old_light_curves_have_boosters_of_their_own(curves, model):
    age = boost.ages(curves)
    np.testing.assert_array_equal(
        age, [c.time[-1] - c.first_detection[0] for c in map(curves.__getitem__, range(len(curves)))]
    )
    young, old = (boost.Boost(model.tree, model.config, model.features, model.mix, [e, e]) for e in model.boosters)
    for day in (5.0, 60.0):
        known = view(curves, day, "alert")
        expected = np.where(boost.ages(known)[:, None] < 30, young.predict(known), old.predict(known))
        np.testing.assert_array_equal(model.predict(known), expected)


def test_an_object_without_a_detection_or_rows_is_young():
    rows = [[1.0, 50.0], [0, 0], [1.0, 1.0], [1.0, 1.0], [False, False]]
    assert boost.ages(LightCurves(["a", "b"], [0, 2, 2], *rows)).tolist() == [0, 0]


def test_an_era_without_light_curves_is_refused(curves, tree, tmp_path):
    config = replace(SMALL, eras=(9000.0,))
    with pytest.raises(ValueError, match="no light curve to learn from is 9000 days old"):
        boost.fit(curves, curves[:1], tree, config, folder=tmp_path, progress=False, seed=0)


def test_balanced_training_states_a_balanced_mix(curves, tree, tmp_path):
    config = replace(SMALL, balance=1.0, rounds=1)
    fitted = boost.fit(curves[:60], curves[:1], tree, config, folder=tmp_path, progress=False, seed=0)
    present = np.isin(tree.leaves, tree.labels(curves[:60].label))
    np.testing.assert_allclose(fitted.mix[present], 1 / present.sum())


def test_a_half_known_object_is_left_out_with_a_notice(curves, tree, tmp_path):
    label = curves.label.astype("U20")
    label[3] = "SN"
    config = replace(SMALL, rounds=1)
    with pytest.warns(RepairWarning, match=f"1 objects are not labelled with a leaf.*'{curves.object_id[3]}'"):
        boost.fit(curves.with_label(label), curves[:1], tree, config, folder=tmp_path, progress=False, seed=0)


def test_every_training_object_enters_with_every_context_and_rare_ones_more_often(curves, tree):
    config = replace(SMALL, truncations=12, families=("host",))
    leaf = np.searchsorted(tree.leaves, tree.labels(curves.label))
    few = np.concatenate([np.flatnonzero(leaf == 0)[:2], np.flatnonzero(leaf == 1)])
    table, owner, _ = boost.examples(curves[few], leaf[few], config, np.random.default_rng(0))
    entries = np.bincount(owner, minlength=len(few))
    assert entries[:2].mean() == pytest.approx(2 * entries[2:].mean(), rel=0.1)
    z = table[:, boost.feature_names(config.families).index("host.z_specz")]
    assert 0.2 < np.isfinite(z).mean() < 0.5


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"view": "half"}, "view is 'half'"),
        ({"families": ("colors",)}, "families are unknown: colors"),
        ({"truncations": 0.0}, "one truncation"),
        ({"learning_rate": 0.0}, "learning_rate is 0"),
        ({"balance": 2.0}, "balance is 2.0"),
        ({"dimming": -1.0}, "must not be negative"),
        ({"leaves": 1}, "leaves at least 2"),
        ({"eras": (30.0, 10.0)}, "eras are"),
        ({"eras": (0.0,)}, "eras are"),
    ],
)
def test_settings_out_of_range_are_refused(change, message):
    with pytest.raises(ValueError, match=message):
        replace(SMALL, **change)


def _alter(path, **changes):
    document = json.loads(path.read_text()) | changes
    path.write_text(json.dumps(document))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"format": 99}, "has format 99"),
        ({"features": ["a"]}, "features that are not those"),
        ({"nodes": ["SNIa"]}, "another tree"),
        ({"config": {"depth": 3}}, "unknown to this version: 'depth'"),
    ],
)
def test_a_foreign_card_is_refused(model, tree, tmp_path, changes, message):
    model.save(tmp_path)
    _alter(tmp_path / "boost.json", **changes)
    with pytest.raises(ValueError, match=message):
        boost.load(tmp_path, tree)


def test_a_missing_truncated_or_foreign_booster_is_refused(model, tree, tmp_path):
    model.save(tmp_path)
    path = tmp_path / "booster-1-0.txt.gz"
    whole = path.read_bytes()
    for content, message in [(whole[:2000], "not a compressed"), (b"tree\n", "not a compressed"),
                             (gzip.compress(b"hello"), "not a booster of lightgbm")]:  # fmt: skip
        path.write_bytes(content)
        with pytest.raises(ValueError, match=message):
            boost.load(tmp_path, tree)
    path.unlink()
    with pytest.raises(ValueError, match="missing"):
        boost.load(tmp_path, tree)


def test_a_folder_without_a_card_is_refused(tree, tmp_path):
    with pytest.raises(ValueError, match=r"boost\.json is missing"):
        boost.load(tmp_path, tree)


def test_no_warning_comes_from_objects_with_few_rows(model, curves):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        model.predict(view(curves, 0.1, "alert"))


WHOLE = replace(
    boost_config.PRESETS["outburst"], families=("brightness", "host"), classes=("SN", "AGN"), truncations=2.0, rounds=5,
    boosters=1, min_rows=2,
)  # fmt: skip


def test_leaves_of_one_class_share_its_probability_as_the_training_set_has_them(curves, tree, tmp_path):
    model = boost.fit(curves, curves[:0], tree, WHOLE, folder=tmp_path)
    leaves = model.predict(curves)[:, tree.leaves]
    assert model.boosters[0][0].shape[1] == 3  # supernovae, AGN, all else
    for part in range(3):
        own = model.parts == part
        share = leaves[:, own] / leaves[:, own].sum(axis=1, keepdims=True)
        np.testing.assert_allclose(share, np.tile(model.mix[own] / model.mix[own].sum(), (len(curves), 1)), rtol=1e-4)
    again = boost.load(_saved(model, tmp_path / "saved"), tree)
    np.testing.assert_array_equal(again.predict(curves), model.predict(curves))


def _saved(model, folder):
    model.save(folder)
    return folder


def test_a_class_above_another_is_refused(curves, tree, tmp_path):
    with pytest.raises(ValueError, match="is above another"):
        boost.fit(curves, curves[:0], tree, replace(WHOLE, classes=("SN", "SNIa")), folder=tmp_path)


def test_whole_light_curves_enter_as_they_are_and_as_copies_that_are_the_same_in_any_company(curves):
    label = np.zeros(len(curves), dtype=int)
    every = boost.examples(curves, label, WHOLE, np.random.default_rng(0))
    half = boost.examples(curves[::2], label[::2], WHOLE, np.random.default_rng(5))
    np.testing.assert_array_equal(every.table[: len(curves)], statistics(curves, WHOLE.families).values)
    n = len(curves)
    copies = dict(zip(every.owner[n:], every.table[n:], strict=True))
    assert len(half.owner) == n
    for owner, row in zip(half.owner[n // 2 :], half.table[n // 2 :], strict=True):
        np.testing.assert_array_equal(row, copies[2 * owner])


def test_siblings_are_read_beside_the_statistics_and_kept(curves, tree, tmp_path, monkeypatch):
    asked, ask = [], boost.siblings
    monkeypatch.setattr(boost, "siblings", lambda *given: asked.append(given) or ask(*given))
    config = replace(WHOLE, siblings=True, classes=("TDE",), rounds=4, min_rows=3, leaves=4)
    model = boost.fit(curves, curves[:0], tree, config, folder=tmp_path / "training", seed=0)
    taught, known, n_classes, own = asked[0]
    assert n_classes == 2
    np.testing.assert_array_equal(own, np.arange(len(taught)))  # nobody is a sibling of oneself
    np.testing.assert_array_equal(known.label == 1, taught.label != "TDE")
    assert sum(name.startswith("siblings.") for name in model.features) == 20
    found = model.predict(curves)
    model.save(tmp_path / "saved")
    np.testing.assert_array_equal(boost.load(tmp_path / "saved", tree).predict(curves), found)
    (tmp_path / "saved" / "templates.npz").unlink()
    with pytest.raises(ValueError, match="missing or larger"):
        boost.load(tmp_path / "saved", tree)


def test_siblings_are_sought_of_whole_light_curves_only():
    with pytest.raises(ValueError, match="whole light curves only"):
        replace(SMALL, siblings=True)
