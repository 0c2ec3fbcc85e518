"""The nearest class is that of the strangeness score, and mostly the object's own; known objects come nearest first."""

import dataclasses

import numpy as np
import pytest

from telperion.encode.view import view
from telperion.portal.instant import shown
from telperion.portal.known import Model
from telperion.portal.neighbours import looks, neighbourhood
from telperion.simulate.drawn import draw


@pytest.fixture(scope="module")
def curves():
    return draw(n_per_class=3, seed=6)


def test_the_nearest_class_is_as_far_as_the_score_of_strangeness_takes_it_to_be(curves, model):
    classifier = model.classifier
    for k in range(0, len(curves), 7):
        found = neighbourhood(classifier, curves[k])
        known = view(curves[k], np.inf, classifier.view)
        state = classifier.advance(classifier.start(1), known)
        nearest = classifier.aliens.distance(state.hidden[:, -1], state.days)[0]
        assert found.classes[0].distance ** 2 == pytest.approx(nearest, rel=1e-3)
        assert [each.distance for each in found.classes] == sorted(each.distance for each in found.classes)
        assert 0 <= found.strangeness <= 1


def test_periodic_stars_look_like_variables(curves, model):
    tree = model.classifier.tree
    stars = np.flatnonzero(np.isin(curves.label, ["RRL", "RR Lyrae", "EB", "Cepheid"]))
    assert stars.size
    names = [neighbourhood(model.classifier, curves[int(k)]).classes[0].name for k in stars]
    variable = [tree.ancestors[tree.index(name), tree.index("Variable")] for name in names]
    assert np.mean(variable) > 0.5


def test_known_objects_come_with_it_nearest_first_and_of_stars_they_are_stars(curves, model):
    tree = model.classifier.tree
    for k in np.flatnonzero(np.isin(curves.label, ["RRL", "RR Lyrae", "Cepheid"])):
        found = neighbourhood(model.classifier, curves[int(k)])
        far = [each.distance for each in found.objects]
        assert len(far) == 8
        assert far == sorted(far)
        variable = [tree.ancestors[tree.index(each.name), tree.index("Variable")] for each in found.objects]
        assert np.mean(variable) > 0.5
        assert all(len(each.curve) == 1 and not each.redshift > 0 for each in found.objects if each.name == "RRL")


def test_another_version_compares_nothing(curves, model):
    mine = shown(model.classifier, "elasticc", curves[0])
    assert looks(model.classifier, mine) is not None
    assert looks(model.classifier, dataclasses.replace(mine, version="another")) is None


def test_a_classifier_that_keeps_nothing_names_nobody(curves):
    assert neighbourhood(Model("plasticc-gru").classifier, curves[0]) is None
