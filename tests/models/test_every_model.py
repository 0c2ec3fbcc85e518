"""The contract of `telperion.models`, held by each of them."""

from importlib.util import find_spec

import numpy as np
import pytest

from telperion import models
from telperion.encode.view import keep_context, view
from telperion.lightcurves import LightCurves


def test_every_kind_of_model_is_tried(classifiers):
    tried = {classifier.kind for classifier in classifiers.values()}
    assert set(models.HOMES) - tried == (set() if find_spec("aeon") else {"rocket"})


@pytest.mark.parametrize("context", ["specz", "photoz", "none"])
@pytest.mark.parametrize("days", [0.0, 2.0, 64.0, np.inf])
def test_children_sum_to_their_parent_at_any_phase_and_context(classifier, drawn, days, context):
    tree = classifier.tree
    probabilities = classifier.predict(keep_context(drawn, context), days=days)
    assert probabilities.shape == (len(drawn), len(tree))
    assert probabilities.dtype == np.float32
    assert probabilities[:, 0] == pytest.approx(1, abs=1e-5)
    for group in tree.groups[1:]:
        assert probabilities[:, group].sum(axis=1) == pytest.approx(probabilities[:, tree.parent[group[0]]], abs=1e-5)


def test_one_alert_equals_the_same_alert_in_a_batch(classifier, drawn):
    together = classifier.predict(drawn, days=8)
    alone = np.concatenate([classifier.predict(drawn[i], days=8) for i in range(0, len(drawn), 5)])
    assert alone == pytest.approx(together[::5], abs=1e-5)


def test_future_observations_do_not_change_past_predictions(classifier, drawn):
    for days in (2.0, 8.0):
        known = view(drawn, days, classifier.view)
        assert np.array_equal(classifier.predict(known, view="full"), classifier.predict(drawn, days=days))


def test_the_order_of_the_objects_does_not_matter(classifier, drawn, rng):
    order = rng.permutation(len(drawn))
    assert classifier.predict(drawn[order], days=8) == pytest.approx(classifier.predict(drawn, days=8)[order], abs=1e-5)


def test_the_epoch_of_the_survey_does_not_matter(classifier, drawn):
    moved = LightCurves(
        drawn.object_id, drawn.offsets, drawn.time + 128, drawn.band, drawn.flux, drawn.flux_err, drawn.detected,
        drawn.context, drawn.label, drawn.dereddened,
    )  # fmt: skip
    assert classifier.predict(moved, days=8) == pytest.approx(classifier.predict(drawn, days=8), abs=2e-3)


def test_the_place_on_the_sky_and_the_name_do_not_matter(classifier, drawn):
    if classifier.run["model"].get("preset") == "oracle":  # the published network reads flags of the deep fields
        drawn = drawn.with_context({name: x for name, x in drawn.context.items() if name not in ("ra", "decl")})
        drawn = drawn.with_context(
            drawn.context | {"ra": np.full(len(drawn), 200.0), "decl": np.full(len(drawn), -5.0)}
        )
    moved = drawn.with_context(drawn.context | {"ra": drawn.context["ra"][::-1], "decl": drawn.context["decl"] * 1.01})
    assert np.array_equal(classifier.predict(moved, days=8), classifier.predict(drawn, days=8))


def test_a_single_observation_is_enough(classifier):
    one = LightCurves(["x"], [0, 1], [6e4], [2], [900.0], [50.0], [True], dereddened=True)
    assert np.isfinite(classifier.predict(one)).all()


def test_fifty_thousand_observations_are_not_too_many(classifier, rng):
    n = 50_000
    time = np.sort(rng.uniform(6e4, 6.2e4, n))
    flux = rng.normal(1000, 300, n)
    many = LightCurves(["x"], [0, n], time, np.full(n, 2), flux, np.full(n, 50.0), flux > 300, dereddened=True)
    assert np.isfinite(classifier.predict(many)).all()


def test_a_steppable_model_says_so_and_steps(classifiers):
    for classifier in classifiers.values():
        assert classifier.steppable == isinstance(classifier.model, models.SteppableModel)


def test_the_mix_is_that_of_all_leaves(classifier):
    assert classifier.mix.shape == classifier.tree.leaves.shape
    assert classifier.mix.sum() == pytest.approx(1)
