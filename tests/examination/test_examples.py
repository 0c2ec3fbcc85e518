"""Examples are chosen by rules that can be checked."""

import numpy as np
import pytest

from telperion.evaluate import evaluate
from telperion.examination.examples import best_sampled, hardest, look_alikes, well_sampled
from telperion.lightcurves import LightCurves


@pytest.fixture
def sampled():
    """Nine light curves of one to nine rows, all detected but one row of the last."""
    owner = np.repeat(np.arange(9), np.arange(1, 10))
    time = np.arange(owner.size, dtype=float)
    ones = np.ones(owner.size)
    return LightCurves.from_rows(owner, time, owner * 0, ones, ones, time < owner.size - 1)


def test_an_example_is_decided_rightly_and_has_more_detections_than_most(sampled, toy):
    ia, eb = toy.index("SNIa"), toy.index("EB")
    labels = np.array([ia] * 8 + [eb])
    decided = np.array([eb] * 4 + [ia] * 5)
    assert well_sampled(sampled, labels, decided, toy) == {"EB": 8, "SNIa": 7}


def test_the_best_sampled_have_the_most_detections(sampled, toy):
    labels = np.full(9, toy.index("EB"))
    labels[7] = toy.index("SNIa")
    assert best_sampled(sampled, labels, toy.index("EB"), 3).tolist() == [8, 6, 5]


def confused(toy, pairs):
    """Decide objects of the first class of each pair for the second."""
    labels = [toy.index(true) for true, _ in pairs]
    said = toy.ancestors[[toy.index(decided) for _, decided in pairs]].astype(float)
    return evaluate(said, labels, toy)["leaves"]


def test_look_alikes_go_both_ways_by_share_of_the_true_class(toy):
    pairs = [("SNIa", "SNIa")] * 8 + [("SNIa", "SNII")] * 2 + [("EB", "SNIa"), ("EB", "EB")] + [("AGN", "AGN")]
    scores = confused(toy, pairs)
    assert look_alikes([scores], "SNIa") == ["EB", "SNII"]  # half of the EB against a fifth of the SNIa
    assert look_alikes([scores], "AGN") == []


def test_the_hardest_class_is_present(toy):
    assert hardest(confused(toy, [("SNIa", "SNIa"), ("SNIa", "EB"), ("EB", "EB"), ("AGN", "AGN")])) in {"SNIa", "EB"}
    assert hardest(confused(toy, [("SNIa", "SNII"), ("AGN", "AGN")])) == "SNIa"
