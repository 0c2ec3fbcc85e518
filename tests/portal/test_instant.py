"""Answers at once are those that the classifier gives, moment by moment."""

import numpy as np
import pytest

from telperion.encode.view import view
from telperion.lightcurves import LightCurves
from telperion.portal.instant import MOST_MOMENTS, latest, moments, shown, track, without_dust
from telperion.simulate.drawn import draw


@pytest.fixture(scope="module")
def curves():
    return draw(n_per_class=1, seed=6)


def test_a_track_is_what_the_classifier_says_at_each_moment(curves, model):
    classifier = model.classifier
    for k in (0, 5, 9):
        one = curves[k]
        found = track(classifier, one)
        for place, day in enumerate(found.days):
            said = classifier.predict(view(one, day, classifier.view), view="full")
            np.testing.assert_allclose(found.probabilities[place], said[0], atol=1e-6)
        assert (np.diff(found.days) > 0).all()
        assert len(found) <= MOST_MOMENTS + 1


def test_the_latest_answer_is_the_tracks_last(curves, model):
    found = latest(model.classifier, curves)
    for k in (0, 5, 9):
        np.testing.assert_allclose(
            found.probabilities[k], track(model.classifier, curves[k]).probabilities[-1], atol=1e-5
        )


def test_an_object_without_a_detection_has_no_track_and_promises_nothing(model):
    bare = LightCurves(["a", "b"], [0, 2, 2], [1.0, 2.0], [1, 2], [1.0, 1.0], [1.0, 1.0], [False, False])
    assert len(moments(bare[0])) == 0
    assert len(shown(model.classifier, "elasticc", bare[0]).track) == 0
    assert shown(model.classifier, "elasticc", bare[1]).magnitude[1] == ""
    assert latest(model.classifier, bare).confident.tolist() == [0, 0]


def test_dust_is_taken_away_where_it_is_known(curves):
    dusty = LightCurves(
        ["a", "b"], [0, 1, 2], [1.0, 1.0], [1, 1], [10.0, 10.0], [1.0, 1.0], [True, True], {"mwebv": [0.1, np.nan]}
    )
    found = without_dust(dusty)
    assert found.dereddened
    assert found.flux.tolist() == pytest.approx([10 * 10 ** (0.4 * 0.1 * 3.24), 10.0], rel=1e-5)
    assert np.isnan(found.context["mwebv"][1])
    assert without_dust(curves) is curves
