"""What charts show is what is known, and their sentences say the same."""

import itertools
import json

import numpy as np
import pytest

from telperion.portal import charts
from telperion.portal.instant import shown
from telperion.portal.settings import Settings
from telperion.portal.upload_files import read_upload
from telperion.simulate.drawn import draw


@pytest.fixture(scope="module")
def found(model):
    return shown(model.classifier, "elasticc", draw(n_per_class=1, seed=6)[5])


def test_charts_hold_every_row_and_every_answer(found):
    data = charts.chart_data(found)
    assert len(data["rows"]["day"]) == found.curves.n_rows
    np.testing.assert_allclose(np.array(data["rows"]["day"]) + data["zero"], found.curves.time, atol=1e-4)
    assert len(data["track"]["day"]) == len(found.track)
    assert 1 <= len(data["track"]["classes"]) <= 6
    json.dumps(data, allow_nan=False)


def test_the_first_class_of_the_track_is_the_likeliest_now(found):
    name = charts.chart_data(found)["track"]["classes"][0]["name"]
    leaves = found.tree.leaves
    assert name == found.tree.nodes[leaves[np.argmax(found.track.probabilities[-1, leaves])]]


def test_promises_begin_where_the_node_changes(found):
    steps = charts.promises(found)
    assert [step.now for step in steps] == [False] * (len(steps) - 1) + [True]
    assert all(one.node != two.node for one, two in itertools.pairwise(steps))
    assert steps[-1].node == found.tree.nodes[found.track.confident[-1]]


def test_sentences_count_what_there_is(found):
    text = charts.light_curve_summary(found)
    assert f"{found.curves.n_rows} observations" in text
    assert f"{found.curves.detected.sum()} of them" in text
    assert f"{len(found.track)} answer" in charts.track_summary(found)


def test_the_file_of_a_light_curve_gives_it_back(found):
    again = read_upload(charts.to_csv(found).encode(), "njy", Settings())
    np.testing.assert_allclose(again.time, found.curves.time, atol=1e-6)
    np.testing.assert_allclose(again.flux, found.curves.flux, rtol=1e-5)
    np.testing.assert_array_equal(again.detected, found.curves.detected)
